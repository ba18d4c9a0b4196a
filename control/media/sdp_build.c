#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "sdp.h"
#include "sdp_lines.h"

struct out {
	char *buf;
	size_t cap, len;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (o->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(o->buf + o->len, o->cap - o->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= o->cap - o->len)
		o->failed = true;
	else
		o->len += (size_t)n;
}

static void put_connection(struct out *o, const struct net_addr *a)
{
	char text[NET_ADDR_STRLEN];

	put(o, "IN %s %s\r\n", a->family == NET_FAMILY_V6 ? "IP6" : "IP4",
		net_addr_format(a, text));
}

/* What describes the codec and nothing else crosses; addresses, ICE, keys and groups do not. */
static bool attribute_allowed(struct str_view name)
{
	static const struct str_view allowed[] = {
		{"rtpmap", 6},
		{"fmtp", 4},
		{"ptime", 5},
		{"maxptime", 8},
		{"silenceSupp", 11},
		{"rtcp-fb", 7},
		{"framerate", 9},
		{"T38FaxVersion", 13},
		{"T38MaxBitRate", 13},
		{"T38FaxFillBitRemoval", 20},
		{"T38FaxTranscodingMMR", 20},
		{"T38FaxTranscodingJBIG", 21},
		{"T38FaxRateManagement", 20},
		{"T38FaxMaxBuffer", 15},
		{"T38FaxMaxDatagram", 17},
		{"T38FaxUdpEC", 11},
	};

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (sv_eq(name, allowed[i]))
			return true;
	return false;
}

static bool is_printable(struct str_view line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] < ' ' || line.p[i] > '~')
			return false;
	return true;
}

/* b=AS:64 (RFC 8866 section 5.8). */
static void put_bandwidth(struct out *o, struct str_view line)
{
	struct str_view value = {line.p + 2, line.len - 2};
	struct str_view type = sdp_cut(&value, ':');
	uint32_t number;

	if (type.len == 0 || type.len > 16 || !is_printable(type) || value.p == NULL ||
		memchr(type.p, ' ', type.len) != NULL || !sdp_number(value, UINT32_MAX, &number))
		return;
	put(o, "b=%.*s:%" PRIu32 "\r\n", SV_ARG(type), number);
}

static void put_lines(struct out *o, struct str_view lines, char letter)
{
	struct str_view line, name, value;

	while (sdp_line_next(&lines, &line)) {
		if (line.len < 3 || line.p[0] != letter)
			continue;
		if (letter == 'b')
			put_bandwidth(o, line);
		else if (line.len <= SDP_LINE_MAX && sdp_attribute(line, &name, &value) &&
			 attribute_allowed(name) && is_printable(line))
			put(o, "%.*s\r\n", SV_ARG(line));
	}
}

/* 0.0.0.0 asks the far side not to send (RFC 3264 section 8.4); we have an address there, so
 * it must be said by the attribute. */
static enum sdp_direction direction_out(const struct sdp_media *m)
{
	if (!sdp_addr_is_hold(&m->addr))
		return m->direction;
	return m->direction == SDP_SENDRECV || m->direction == SDP_SENDONLY ? SDP_SENDONLY
									    : SDP_INACTIVE;
}

/* The session's c=, which stands for every m= line that has none of its own. */
static const struct net_addr *session_addr(const struct sdp_rewrite *rw)
{
	for (unsigned int i = 0; i < rw->n_media; i++)
		if (rw->port[i] != 0)
			return &rw->addr[i];
	return &rw->origin;
}

static void put_media(
	struct out *o, const struct sdp_media *m, const struct sdp_rewrite *rw, unsigned int i)
{
	put(o, "m=%.*s %u %.*s %.*s\r\n", SV_ARG(m->type), rw->port[i], SV_ARG(m->proto),
		SV_ARG(m->formats));
	if (rw->port[i] == 0)
		return;
	if (!net_addr_eq(&rw->addr[i], session_addr(rw))) {
		put(o, "c=");
		put_connection(o, &rw->addr[i]);
	}
	put_lines(o, m->lines, 'b');
	put_lines(o, m->lines, 'a');
	if (rw->rtcp_mux[i])
		put(o, "a=rtcp-mux\r\n");
	put(o, "a=%s\r\n", sdp_direction_name(direction_out(m)));
}

int sdp_build(const struct sdp *in, const struct sdp_rewrite *rw, char *buf, size_t cap)
{
	struct out o = {.buf = buf, .cap = cap, .failed = cap == 0};

	put(&o, "v=0\r\no=- %" PRIu64 " %" PRIu64 " ", rw->session_id, rw->version);
	put_connection(&o, &rw->origin);
	put(&o, "s=-\r\nc=");
	put_connection(&o, session_addr(rw));
	put_lines(&o, in->lines, 'b');
	put(&o, "t=0 0\r\n");
	for (unsigned int i = 0; i < rw->n_media && i < in->n_media; i++)
		put_media(&o, &in->media[i], rw, i);
	return o.failed ? -EMSGSIZE : (int)o.len;
}
