/*
 * Our parser: stage 1 alone, every typed header on top of it, and the SDP on top of that.
 */
#include "sdp.h"
#include "sip_bench.h"
#include "sip_parse.h"

/* Stage 1. Its facts are those that policing and sharding use. */
static bool scan(struct str_view msg, uint64_t *sum)
{
	struct sip_index idx;

	if (sip_scan(msg.p, msg.len, &idx) != SIP_SCAN_NONE)
		return false;
	sip_fact(sum, FACT_CSEQ, idx.cseq);
	sip_fact(sum, FACT_METHOD, idx.method);
	sip_fact(sum, FACT_URI_HOST, idx.uri.len);
	sip_fact(sum, FACT_CALL_ID, idx.call_id.len);
	sip_fact(sum, FACT_TAG, idx.from_tag.len);
	sip_fact(sum, FACT_VIA_BRANCH, idx.branch.len);
	sip_fact(sum, FACT_CONTENT_LENGTH, idx.body.len);
	return true;
}

static bool via(struct str_view rest, uint64_t *sum)
{
	struct str_view item;
	struct sip_via v;

	while (sip_list_next(&rest, &item)) {
		if (sip_via_parse(item, &v) != 0)
			return false;
		sip_fact(sum, FACT_VIA_HOST, v.host.len);
		sip_fact(sum, FACT_VIA_PORT, v.port);
		sip_fact(sum, FACT_VIA_BRANCH, v.branch.len);
	}
	return true;
}

static bool vias(const char *buf, const struct sip_index *idx, struct str_view first, uint64_t *sum)
{
	if (!via(first, sum))
		return false;
	for (unsigned int i = 1; i < idx->n_vias; i++) {
		if (!via(sip_header_find(buf, idx, SIP_HDR_VIA, i), sum))
			return false;
	}
	return true;
}

static bool address(struct str_view item, unsigned int n, uint64_t *sum)
{
	struct sip_name_addr na;
	struct sip_uri uri;

	if (sip_name_addr_parse(item, &na) != 0 || na.star || sip_uri_parse(na.uri, &uri) != 0)
		return false;
	sip_fact_address(sum, n, na.display.len > 0, uri.user.len, uri.host.len, uri.port);
	return true;
}

static bool contacts(struct str_view rest, uint64_t *sum)
{
	struct str_view item;

	while (sip_list_next(&rest, &item)) {
		if (!address(item, FACT_CONTACT, sum))
			return false;
	}
	return true;
}

static bool request_uri(struct str_view text, uint64_t *sum)
{
	struct sip_uri uri;

	if (sip_uri_parse(text, &uri) != 0)
		return false;
	sip_fact(sum, FACT_URI_USER, uri.user.len);
	sip_fact(sum, FACT_URI_HOST, uri.host.len);
	sip_fact(sum, FACT_URI_PORT, uri.port);
	return true;
}

static bool content_type(struct str_view v, uint64_t *sum)
{
	struct sip_content_type type;

	if (sip_content_type_parse(v, &type) != 0)
		return false;
	sip_fact(sum, FACT_CONTENT_TYPE, type.type.len + 1 + type.subtype.len);
	return true;
}

static bool max_forwards(struct str_view v, uint64_t *sum)
{
	uint32_t hops;

	if (sip_uint_parse(v, UINT8_MAX, &hops) != 0)
		return false;
	sip_fact(sum, FACT_MAX_FORWARDS, hops);
	return true;
}

/* What stage 1 has read and checked is not read again: tags, Call-ID, CSeq, Content-Length. */
static void from_index(const struct sip_index *idx, uint64_t *sum)
{
	sip_fact(sum, FACT_TAG, idx->from_tag.len);
	sip_fact(sum, FACT_CALL_ID, idx->call_id.len);
	sip_fact(sum, FACT_CSEQ, idx->cseq);
	sip_fact(sum, FACT_METHOD, idx->method_text.len);
	sip_fact(sum, FACT_CONTENT_LENGTH, idx->body.len);
}

static bool headers(const char *buf, const struct sip_index *idx, uint64_t *sum)
{
#define FIRST(id) sip_headers_first(buf, idx, &h, SIP_HDR_##id)
	struct sip_headers h;

	sip_headers_read(idx, &h);
	from_index(idx, sum);
	return request_uri(sip_span_view(buf, idx->uri), sum) && vias(buf, idx, FIRST(VIA), sum) &&
	       address(FIRST(FROM), FACT_FROM, sum) && address(FIRST(TO), FACT_TO, sum) &&
	       contacts(FIRST(CONTACT), sum) && max_forwards(FIRST(MAX_FORWARDS), sum) &&
	       content_type(FIRST(CONTENT_TYPE), sum);
#undef FIRST
}

static bool parse(struct str_view msg, uint64_t *sum)
{
	struct sip_index idx;

	return sip_scan(msg.p, msg.len, &idx) == SIP_SCAN_NONE && headers(msg.p, &idx, sum);
}

static bool body(struct str_view text, uint64_t *sum)
{
	struct sdp sdp;

	if (sdp_parse(text, &sdp) != 0)
		return false;
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		const struct sdp_media *m = &sdp.media[i];

		sip_fact(sum, FACT_MEDIA_TYPE, m->type.len);
		sip_fact(sum, FACT_MEDIA_PORT, m->port);
		sip_fact(sum, FACT_MEDIA_PROTO, m->proto.len);
		sip_fact(sum, FACT_MEDIA_FAMILY, m->addr.family == NET_FAMILY_V4 ? 4 : 6);
		sip_fact(sum, FACT_MEDIA_CLOCK, sdp.format[m->first_format].clock_hz);
	}
	return true;
}

static bool parse_sdp(struct str_view msg, uint64_t *sum)
{
	struct sip_index idx;

	return sip_scan(msg.p, msg.len, &idx) == SIP_SCAN_NONE && headers(msg.p, &idx, sum) &&
	       body(sip_span_view(msg.p, idx.body), sum);
}

int main(int argc, char **argv)
{
	static const struct sip_bench rows[] = {
		{"scan", scan},
		{"parse", parse},
		{"parse_sdp", parse_sdp},
		{NULL, NULL},
	};

	return sip_bench_main(argc, argv, rows);
}
