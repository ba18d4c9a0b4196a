#include <errno.h>

#include "decimal.h"
#include "sdp.h"
#include "sdp_reader.h"

struct out {
	char *buf;
	size_t cap, len;
	bool failed;
};

static void put(struct out *o, struct str_view text)
{
	if (o->failed || text.len > o->cap - o->len) {
		o->failed = true;
		return;
	}
	if (text.len > 0)
		memcpy(o->buf + o->len, text.p, text.len);
	o->len += text.len;
}

static void put_number(struct out *o, uint64_t n)
{
	char digits[DECIMAL_MAX];

	put(o, (struct str_view){digits, decimal_write(digits, n)});
}

static void put_connection(struct out *o, const struct net_addr *a)
{
	char text[NET_ADDR_STRLEN];

	put(o, a->family == NET_FAMILY_V6 ? SV("IN IP6 ") : SV("IN IP4 "));
	net_addr_format(a, text);
	put(o, (struct str_view){text, strlen(text)});
	put(o, SV("\r\n"));
}

static void put_bandwidths(struct out *o, const struct sdp_bandwidths *b)
{
	static const struct str_view starts[SDP_BANDWIDTH_COUNT] = {
		[SDP_BANDWIDTH_CT] = {"b=CT:", 5},
		[SDP_BANDWIDTH_AS] = {"b=AS:", 5},
		[SDP_BANDWIDTH_TIAS] = {"b=TIAS:", 7},
		[SDP_BANDWIDTH_RS] = {"b=RS:", 5},
		[SDP_BANDWIDTH_RR] = {"b=RR:", 5},
	};

	for (unsigned int i = 0; i < SDP_BANDWIDTH_COUNT; i++) {
		if ((b->given & 1u << i) == 0)
			continue;
		put(o, starts[i]);
		put_number(o, b->value[i]);
		put(o, SV("\r\n"));
	}
}

static void put_rtpmaps(struct out *o, const struct sdp *in, const struct sdp_media *m)
{
	for (unsigned int i = 0; i < m->n_formats; i++) {
		const struct sdp_format *f = &in->format[m->first_format + i];

		if (f->name.len == 0)
			continue;
		put(o, SV("a=rtpmap:"));
		put_number(o, f->payload_type);
		put(o, SV(" "));
		put(o, f->name);
		if (f->clock_hz != 0) {
			put(o, SV("/"));
			put_number(o, f->clock_hz);
		}
		if (f->clock_hz != 0 && f->channels != 0) {
			put(o, SV("/"));
			put_number(o, f->channels);
		}
		put(o, SV("\r\n"));
	}
}

static void put_attribute(struct out *o, const struct sdp_attribute *a)
{
	put(o, SV("a="));
	put(o, sdp_attribute_name(a->id));
	if (a->value.p != NULL)
		put(o, SV(":"));
	if (a->payload_type != SDP_FORMAT_NONE) {
		put_number(o, a->payload_type);
		put(o, SV(" "));
	} else if (a->id == SDP_ATTR_RTCP_FB) {
		put(o, SV("* "));
	}
	put(o, a->value);
	put(o, SV("\r\n"));
}

/* Keys and fingerprints are for lines that use them: elsewhere they would claim what is not. */
static bool attribute_fits(const struct sdp_media *m, unsigned int id)
{
	if (id < SDP_ATTR_CRYPTO)
		return true;
	return m->security == (id == SDP_ATTR_CRYPTO ? SDP_SECURITY_SDES : SDP_SECURITY_DTLS);
}

static void put_attributes(struct out *o, const struct sdp *in, const struct sdp_media *m)
{
	bool listed[SDP_PAYLOAD_TYPES] = {false}, own[SDP_ATTR_COUNT] = {false};

	for (unsigned int i = 0; i < m->n_formats; i++) {
		const struct sdp_format *f = &in->format[m->first_format + i];

		if (f->payload_type != SDP_FORMAT_NONE)
			listed[f->payload_type] = true;
	}
	for (unsigned int i = 0; i < m->n_attributes; i++) {
		const struct sdp_attribute *a = &in->attribute[m->first_attribute + i];

		own[a->id] = true;
		if (attribute_fits(m, a->id) &&
			(a->payload_type == SDP_FORMAT_NONE || listed[a->payload_type]))
			put_attribute(o, a);
	}
	/* Those of the session count where the line says nothing else (RFC 8866 section 6). */
	for (unsigned int i = 0; i < in->n_session_attributes; i++)
		if (!own[in->attribute[i].id] && attribute_fits(m, in->attribute[i].id))
			put_attribute(o, &in->attribute[i]);
}

static void put_time(struct out *o, struct str_view start, uint16_t ms)
{
	if (ms == 0)
		return;
	put(o, start);
	put_number(o, ms);
	put(o, SV("\r\n"));
}

/* The session's c=, which stands for every m= line that has none of its own. */
static const struct net_addr *session_addr(const struct sdp_rewrite *rw)
{
	for (unsigned int i = 0; i < rw->n_media; i++)
		if (rw->line[i].port != 0)
			return &rw->line[i].addr;
	return &rw->origin;
}

static void put_media(struct out *o, const struct sdp *in, const struct sdp_media *m,
	const struct sdp_rewrite_line *ours, const struct net_addr *session)
{
	const char *direction = sdp_direction_name(ours->direction);

	put(o, SV("m="));
	put(o, m->type);
	put(o, SV(" "));
	put_number(o, ours->port);
	put(o, SV(" "));
	put(o, m->proto);
	for (unsigned int i = 0; i < m->n_formats; i++) {
		put(o, SV(" "));
		put(o, in->format[m->first_format + i].word);
	}
	put(o, SV("\r\n"));
	if (ours->port == 0)
		return;
	if (!net_addr_eq(&ours->addr, session)) {
		put(o, SV("c="));
		put_connection(o, &ours->addr);
	}
	put_bandwidths(o, &m->bandwidths);
	put_rtpmaps(o, in, m);
	put_attributes(o, in, m);
	put_time(o, SV("a=ptime:"), m->ptime_ms);
	put_time(o, SV("a=maxptime:"), m->maxptime_ms);
	if (ours->rtcp_mux)
		put(o, SV("a=rtcp-mux\r\n"));
	put(o, SV("a="));
	put(o, (struct str_view){direction, strlen(direction)});
	put(o, SV("\r\n"));
}

int sdp_build(const struct sdp *in, const struct sdp_rewrite *rw, char *buf, size_t cap)
{
	struct out o = {.buf = buf, .cap = cap};
	const struct net_addr *session = session_addr(rw);

	put(&o, SV("v=0\r\no=- "));
	put_number(&o, rw->session_id);
	put(&o, SV(" "));
	put_number(&o, rw->version);
	put(&o, SV(" "));
	put_connection(&o, &rw->origin);
	put(&o, SV("s=-\r\nc="));
	put_connection(&o, session);
	put_bandwidths(&o, &in->bandwidths);
	put(&o, SV("t=0 0\r\n"));
	for (unsigned int i = 0; i < rw->n_media && i < in->n_media; i++)
		put_media(&o, in, &in->media[i], &rw->line[i], session);
	return o.failed ? -EMSGSIZE : (int)o.len;
}
