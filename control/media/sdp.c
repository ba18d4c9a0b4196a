#include <errno.h>

#include "sdp.h"
#include "sdp_lines.h"
#include "sdp_reader.h"

#define WELL_KNOWN_PORTS 1024

/* "IN IP4 192.0.2.1" */
struct net_addr sdp_connection_read(struct str_view value)
{
	static const struct net_addr none;
	struct net_addr a;

	if (value.len < 7 || memcmp(value.p, "IN IP", 5) != 0 || value.p[6] != ' ' ||
		net_addr_parse((struct str_view){value.p + 7, value.len - 7}, &a) != 0 ||
		value.p[5] != (a.family == NET_FAMILY_V4 ? '4' : '6'))
		return none;
	return net_addr_normalise(&a);
}

/* @return false: what it is stands for no protocol at all. */
static bool kind_read(struct sdp_media *m)
{
	static const struct {
		struct str_view proto;
		enum sdp_kind kind;
		enum sdp_security security;
	} known[] = {
		{{"RTP/AVP", 7}, SDP_KIND_RTP, SDP_SECURITY_NONE},
		{{"RTP/AVPF", 8}, SDP_KIND_RTP, SDP_SECURITY_NONE},
		{{"udptl", 5}, SDP_KIND_UDPTL, SDP_SECURITY_NONE},
		{{"RTP/SAVP", 8}, SDP_KIND_RTP, SDP_SECURITY_SDES},
		{{"RTP/SAVPF", 9}, SDP_KIND_RTP, SDP_SECURITY_SDES},
		{{"UDP/TLS/RTP/SAVP", 16}, SDP_KIND_RTP, SDP_SECURITY_DTLS},
		{{"UDP/TLS/RTP/SAVPF", 17}, SDP_KIND_RTP, SDP_SECURITY_DTLS},
	};

	m->kind = SDP_KIND_REFUSED;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (sv_eq_nocase(m->proto, known[i].proto)) {
			m->kind = known[i].kind;
			m->security = known[i].security;
			return true;
		}
	return sdp_is_path(m->proto);
}

/* Words parted by one space; of RTP they are payload types, of which the first of each counts. */
static int formats_read(struct sdp_reader *r, struct str_view formats)
{
	struct sdp_media *m = r->media;
	struct sdp *out = r->out;
	unsigned int n = 0;

	m->first_format = (uint16_t)out->n_formats;
	while (formats.p != NULL) {
		struct sdp_format f = {.payload_type = SDP_FORMAT_NONE};
		uint32_t pt = 0;
		size_t len = 0;

		if (m->kind == SDP_KIND_RTP)
			len = sdp_payload_type_span(r, formats, &pt);
		if (len < formats.len && formats.p[len] != ' ')
			len = 0;
		if (len == 0) {
			len = sv_find(formats, ' ');
			if (!sdp_is_path((struct str_view){formats.p, len}))
				return -EBADMSG;
			if (m->kind == SDP_KIND_RTP)
				m->kind = SDP_KIND_REFUSED;
		}
		f.word = (struct str_view){formats.p, len};
		formats.p = len < formats.len ? formats.p + len + 1 : NULL;
		formats.len -= len < formats.len ? len + 1 : len;
		if (n++ == SDP_FORMATS_MAX || out->n_formats == SDP_FORMATS_ALL_MAX)
			return -E2BIG;
		if (m->kind == SDP_KIND_RTP) {
			if (r->place[pt] != 0)
				continue;
			f.payload_type = (uint8_t)pt;
			r->place[pt] = (uint8_t)(m->n_formats + 1);
		}
		out->format[out->n_formats++] = f;
		m->n_formats++;
	}
	return 0;
}

/* "audio 49170[/2] RTP/AVP 0 8" (RFC 8866 section 5.14). */
static int media_read(struct sdp_reader *r, struct str_view value)
{
	struct sdp *out = r->out;
	struct sdp_media *m = &out->media[out->n_media];
	struct str_view port, count;
	uint32_t number, ports = 1;
	int rc;

	if (out->n_media == SDP_MEDIA_MAX)
		return -E2BIG;
	memset(m, 0, sizeof(*m));
	memset(r->place, 0, sizeof(r->place));
	m->type = sdp_cut(&value, ' ');
	count = sdp_cut(&value, ' ');
	m->proto = sdp_cut(&value, ' ');
	if (value.p == NULL || !sdp_is_token(m->type) || !kind_read(m))
		return -EBADMSG;
	port = sdp_cut(&count, '/');
	if (!sdp_number(port, UINT16_MAX, &number) ||
		(count.p != NULL && !sdp_number(count, UINT16_MAX, &ports)))
		return -EBADMSG;
	m->port = (uint16_t)number;
	m->addr = r->session_addr;
	m->direction = r->session_direction;
	m->first_attribute = (uint16_t)out->n_attributes;
	r->media = m;
	r->media_has_addr = false;
	rc = formats_read(r, value);
	if (rc != 0)
		return rc;
	/* Several ports on one line, and well-known ports (nobody receives media there, but
	 * much can be hit by reflection), are refused. */
	if (ports > 1 || (m->port != 0 && m->port < WELL_KNOWN_PORTS))
		m->kind = SDP_KIND_REFUSED;
	out->n_media++;
	return 0;
}

/* "AS:64"; of several of one type the last counts. */
static void bandwidth_read(struct sdp_bandwidths *b, struct str_view value)
{
	static const struct str_view types[SDP_BANDWIDTH_COUNT] = {
		[SDP_BANDWIDTH_CT] = {"CT", 2},
		[SDP_BANDWIDTH_AS] = {"AS", 2},
		[SDP_BANDWIDTH_TIAS] = {"TIAS", 4},
		[SDP_BANDWIDTH_RS] = {"RS", 2},
		[SDP_BANDWIDTH_RR] = {"RR", 2},
	};
	struct str_view type = sdp_cut(&value, ':');
	uint32_t number;

	for (unsigned int i = 0; i < SDP_BANDWIDTH_COUNT; i++)
		if (sv_eq(type, types[i]) && sdp_number(value, UINT32_MAX, &number)) {
			b->value[i] = number;
			b->given |= (uint8_t)(1u << i);
		}
}

/* The first one counts: several are layered multicast. */
static void connection_line_read(struct sdp_reader *r, struct str_view value)
{
	bool *has = r->media != NULL ? &r->media_has_addr : &r->session_has_addr;

	if (!*has)
		*(r->media != NULL ? &r->media->addr : &r->session_addr) =
			sdp_connection_read(value);
	*has = true;
}

/* "x=" with a letter. */
static bool line_has_type(struct str_view line)
{
	return line.len >= 2 && line.p[1] == '=' &&
	       ((unsigned char)line.p[0] | 0x20u) - 'a' <= 'z' - 'a';
}

static int line_read(struct sdp_reader *r, struct str_view line)
{
	struct str_view value;

	if (line.len == 0) { /* empty lines at the very end do no harm */
		r->ended = true;
		return 0;
	}
	if (r->ended || !line_has_type(line))
		return -EBADMSG;
	value = (struct str_view){line.p + 2, line.len - 2};
	switch (line.p[0]) {
	case 'v': /* a second one would begin a second description */
		return -EBADMSG;
	case 'o':
		if (r->have_origin || r->media != NULL)
			return -EBADMSG;
		r->have_origin = true;
		return 0;
	case 'm':
		return media_read(r, value);
	case 'c':
		connection_line_read(r, value);
		return 0;
	case 'b':
		bandwidth_read(
			r->media != NULL ? &r->media->bandwidths : &r->out->bandwidths, value);
		return 0;
	default:
		return 0;
	}
}

int sdp_parse(struct str_view text, struct sdp *out)
{
	struct sdp_reader r;
	struct sdp_line_ends ends;
	unsigned int n;

	memset(&r, 0, offsetof(struct sdp_reader, place));
	r.out = out;
	r.session_direction = SDP_SENDRECV;
	memset(&out->bandwidths, 0, sizeof(out->bandwidths));
	out->n_media = out->n_formats = 0;
	out->n_attributes = out->n_session_attributes = 0;
	if (text.len > SDP_LEN_MAX)
		return -E2BIG;
	if (text.len < 3 || memcmp(text.p, "v=0", 3) != 0 || !sdp_line_ends_find(text, &ends) ||
		!sv_eq(sdp_line(text, 0, ends.at[0]), SV("v=0")))
		return -EBADMSG;
	/* Nearly always. */
	r.wide = load_fits(text.p + text.len - 1, text.p + text.len, 33);
	n = ends.n < SDP_LINES_MAX ? ends.n : SDP_LINES_MAX;
	for (unsigned int i = 1; i < n; i++) {
		struct str_view line = sdp_line(text, ends.at[i - 1] + (size_t)1, ends.at[i]);
		int rc;

		/* Most lines are attributes. */
		if (line.len >= 2 && line.p[0] == 'a' && line.p[1] == '=' && !r.ended)
			rc = sdp_attribute_read(&r, (struct str_view){line.p + 2, line.len - 2});
		else
			rc = line_read(&r, line);
		if (rc != 0)
			return rc;
	}
	if (ends.n > n)
		return -E2BIG;
	return r.have_origin ? 0 : -EBADMSG;
}

bool sdp_addr_is_hold(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return a->family != NET_FAMILY_NONE && memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

#define SENDS 1u
#define RECEIVES 2u

static const uint8_t direction_bits[SDP_DIRECTION_COUNT] = {
	[SDP_SENDRECV] = SENDS | RECEIVES,
	[SDP_SENDONLY] = SENDS,
	[SDP_RECVONLY] = RECEIVES,
	[SDP_INACTIVE] = 0,
};

static enum sdp_direction direction_of(unsigned int bits)
{
	unsigned int d = 0;

	while (direction_bits[d] != bits)
		d++;
	return (enum sdp_direction)d;
}

enum sdp_direction sdp_direction_meant(const struct sdp_media *m)
{
	unsigned int bits = direction_bits[m->direction];

	return direction_of(sdp_addr_is_hold(&m->addr) ? bits & ~RECEIVES : bits);
}

enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted)
{
	unsigned int bits = direction_bits[offered];
	unsigned int mirrored =
		((bits & SENDS) != 0 ? RECEIVES : 0) | ((bits & RECEIVES) != 0 ? SENDS : 0);

	return direction_of(mirrored & direction_bits[wanted]);
}
