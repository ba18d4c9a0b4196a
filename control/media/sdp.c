#include <errno.h>

#include "sdp.h"
#include "sdp_lines.h"

/* One m= line under way: its defaults come from the session. */
struct parse_state {
	struct sdp *out;
	struct sdp_media *media; /* NULL: still in the session part */
	struct net_addr session_addr;
	enum sdp_direction session_direction;
	bool session_has_addr;
	bool media_has_addr;
	bool have_origin;
};

/* RFC 4566 section 9 "token", also used for protocol parts. */
static bool is_token(struct str_view t, bool slash)
{
	if (t.len == 0 || t.len > SDP_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c <= ' ' || c > '~')
			return false;
		if (c == '/' && slash)
			continue;
		if (strchr("\"(),/:;<=>?@[\\]", c) != NULL)
			return false;
	}
	return true;
}

/* "IN IP4 192.0.2.1": family 0 when it is no address literal of that family. */
static struct net_addr connection_parse(struct str_view value)
{
	static const struct net_addr none;
	struct str_view net = sdp_cut(&value, ' ');
	struct str_view type = sdp_cut(&value, ' ');
	struct net_addr a;

	if (!sv_eq(net, SV("IN")) || value.p == NULL || net_addr_parse(value, &a) != 0)
		return none;
	if (a.family == NET_FAMILY_V4 ? !sv_eq(type, SV("IP4")) : !sv_eq(type, SV("IP6")))
		return none;
	return net_addr_normalise(&a);
}

/* Formats are words parted by one space; of RTP they are payload types 0..127. */
static int formats_check(struct str_view formats, bool rtp, bool *usable)
{
	unsigned int n = 0;

	*usable = true;
	while (formats.p != NULL) {
		struct str_view word = sdp_cut(&formats, ' ');
		uint32_t pt;

		if (!is_token(word, true))
			return -EBADMSG;
		if (++n > SDP_FORMATS_MAX)
			return -E2BIG;
		if (rtp && !sdp_number(word, 127, &pt))
			*usable = false;
	}
	return 0;
}

static enum sdp_kind kind_of(struct str_view proto)
{
	if (sv_eq_nocase(proto, SV("RTP/AVP")) || sv_eq_nocase(proto, SV("RTP/AVPF")))
		return SDP_KIND_RTP;
	return sv_eq_nocase(proto, SV("udptl")) ? SDP_KIND_UDPTL : SDP_KIND_REFUSED;
}

/* "audio 49170[/2] RTP/AVP 0 8" (RFC 8866 section 5.14). */
static int media_line_parse(struct parse_state *st, struct str_view value)
{
	struct sdp_media *m;
	struct str_view port, count;
	uint32_t number;
	bool usable;
	int rc;

	if (st->out->n_media == SDP_MEDIA_MAX)
		return -E2BIG;
	m = &st->out->media[st->out->n_media];
	memset(m, 0, sizeof(*m));
	m->type = sdp_cut(&value, ' ');
	count = sdp_cut(&value, ' ');
	m->proto = sdp_cut(&value, ' ');
	m->formats = value;
	if (value.p == NULL || !is_token(m->type, false) || !is_token(m->proto, true))
		return -EBADMSG;
	port = sdp_cut(&count, '/');
	if (!sdp_number(port, UINT16_MAX, &number))
		return -EBADMSG;
	m->port = (uint16_t)number;
	if (count.p != NULL && !sdp_number(count, UINT16_MAX, &number))
		return -EBADMSG;
	m->kind = kind_of(m->proto);
	rc = formats_check(m->formats, m->kind == SDP_KIND_RTP, &usable);
	if (rc != 0)
		return rc;
	/* Several ports on one line, and well-known ports (nobody receives media there, but
	 * much can be hit by reflection), are refused. */
	if (!usable || (count.p != NULL && number > 1) || (m->port != 0 && m->port < 1024))
		m->kind = SDP_KIND_REFUSED;
	m->addr = st->session_addr;
	m->direction = st->session_direction;
	st->media = m;
	st->media_has_addr = false;
	st->out->n_media++;
	return 0;
}

/* a=rtcp:53020 [IN IP4 126.16.64.4] (RFC 3605). A bad one is as good as none. */
static void rtcp_parse(struct sdp_media *m, struct str_view value)
{
	struct str_view port = sdp_cut(&value, ' ');
	uint32_t number;

	if (!sdp_number(port, UINT16_MAX, &number) || number < 1024)
		return;
	m->rtcp_port = (uint16_t)number;
	if (value.p != NULL)
		m->rtcp_addr = connection_parse(value);
}

static void attribute_parse(struct parse_state *st, struct str_view line)
{
	struct str_view name, value;
	enum sdp_direction d;

	if (!sdp_attribute(line, &name, &value))
		return;
	d = sdp_direction_parse(name);
	if (d != SDP_DIRECTION_NONE) {
		if (st->media != NULL)
			st->media->direction = d;
		else
			st->session_direction = d;
	} else if (st->media != NULL && sv_eq(name, SV("rtcp")) && value.p != NULL) {
		rtcp_parse(st->media, value);
	} else if (st->media != NULL && sv_eq(name, SV("rtcp-mux")) && value.p == NULL) {
		st->media->rtcp_mux = st->media->kind == SDP_KIND_RTP;
	}
}

static int line_parse(struct parse_state *st, struct str_view line)
{
	struct str_view value = {line.p + 2, line.len - 2};

	switch (line.p[0]) {
	case 'v': /* a second one would begin a second description */
		return -EBADMSG;
	case 'o':
		if (st->have_origin || st->media != NULL)
			return -EBADMSG;
		st->have_origin = true;
		return 0;
	case 'm':
		return media_line_parse(st, value);
	case 'c': /* the first one counts: several are layered multicast */
		if (st->media == NULL && !st->session_has_addr) {
			st->session_addr = connection_parse(value);
			st->session_has_addr = true;
		} else if (st->media != NULL && !st->media_has_addr) {
			st->media->addr = connection_parse(value);
			st->media_has_addr = true;
		}
		return 0;
	case 'a':
		attribute_parse(st, line);
		return 0;
	default:
		return 0;
	}
}

/* "x=" with a letter, and no control character but tab. */
static bool line_is_sane(struct str_view line)
{
	if (line.len < 2 || line.p[1] != '=')
		return false;
	if (!((line.p[0] >= 'a' && line.p[0] <= 'z') || (line.p[0] >= 'A' && line.p[0] <= 'Z')))
		return false;
	for (size_t i = 2; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

int sdp_parse(struct str_view text, struct sdp *out)
{
	struct parse_state st = {.out = out, .session_direction = SDP_SENDRECV};
	struct str_view rest = text, line, *lines = &out->lines;
	bool ended = false;

	out->n_media = 0;
	out->lines = (struct str_view){NULL, 0};
	if (text.len > SDP_LEN_MAX)
		return -E2BIG;
	if (!sdp_line_next(&rest, &line) || !sv_eq(line, SV("v=0")))
		return -EBADMSG;
	lines->p = rest.p;
	while (sdp_line_next(&rest, &line)) {
		unsigned int n_media = out->n_media;
		int rc;

		if (line.len == 0) { /* empty lines at the very end do no harm */
			ended = true;
			continue;
		}
		if (ended || !line_is_sane(line))
			return -EBADMSG;
		rc = line_parse(&st, line);
		if (rc != 0)
			return rc;
		if (out->n_media != n_media) {
			lines = &st.media->lines;
			lines->p = rest.p;
		}
		lines->len = (size_t)(rest.p - lines->p);
	}
	return st.have_origin ? 0 : -EBADMSG;
}

bool sdp_addr_is_hold(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return a->family != NET_FAMILY_NONE && memcmp(a->bytes, zero, sizeof(zero)) == 0;
}
