/*
 * Fuzz target: the scan of a datagram, validation, every stage-2 parser on every
 * header, and framing. What must hold for any input is asserted.
 */
#include "sip_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

static bool within(struct str_view part, struct str_view whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void params(struct str_view text)
{
	struct str_view rest = text, value;
	struct sip_param param;

	for (size_t n = 0; sip_param_next(&rest, &param) > 0; n++) {
		MUST(n <= text.len);
		MUST(within(param.name, text) && within(param.value, text));
	}
	if (sip_param_find(text, SV("tag"), &value))
		MUST(within(value, text));
}

static void uri(struct str_view text)
{
	struct sip_uri u;

	if (sip_uri_parse(text, &u) != 0)
		return;
	MUST(within(u.user, text) && within(u.password, text) && within(u.host, text));
	MUST(within(u.params, text) && within(u.headers, text));
	MUST(u.scheme > SIP_SCHEME_SIPS || u.host.len > 0);
	params(u.params);
}

static void element(struct str_view text)
{
	struct sip_name_addr na;
	struct sip_via via;

	if (sip_name_addr_parse(text, &na) == 0 && !na.star) {
		MUST(within(na.display, text) && within(na.params, text));
		MUST(na.uri.len > 0 && within(na.uri, text));
		uri(na.uri);
		params(na.params);
	}
	if (sip_via_parse(text, &via) == 0) {
		MUST(via.host.len > 0 && within(via.host, text));
		MUST(within(via.branch, text) && within(via.received, text));
		MUST(within(via.transport_text, text) && within(via.params, text));
	}
}

static void header(struct str_view value)
{
	struct str_view rest = value, item;
	struct sip_cseq cseq;
	uint32_t n;

	element(value);
	params(value);
	uri(value);
	for (size_t i = 0; sip_list_next(&rest, &item); i++) {
		MUST(i <= value.len && within(item, value));
		element(item);
	}
	if (sip_cseq_parse(value, &cseq) == 0)
		MUST(cseq.number <= INT32_MAX && within(cseq.method, value));
	if (sip_uint_parse(value, 255, &n) == 0)
		MUST(n <= 255);
	sip_is_token(value);
}

/* What the fast path reads before control parses the message is what control finds, unless it
 * finds the message to be wrong. */
static void peek(const char *buf, size_t len, const struct sip_index *whole)
{
	static struct sip_index lines;
	struct str_view branch = {NULL, 0};
	bool response = whole->status != 0;

	(void)sip_scan_lines(buf, len, &lines);
	MUST(sip_index_check(&lines, SIP_INDEX_LEN(lines.n_headers), len) == 0);
	(void)sip_peek_branch(sip_header_find(buf, &lines, SIP_HDR_VIA, 0), &branch);
	if (whole->error != SIP_SCAN_NONE)
		return;
	MUST(lines.error == SIP_SCAN_NONE && lines.status == whole->status &&
		lines.n_headers == whole->n_headers && lines.call_id.off == whole->call_id.off &&
		lines.call_id.len == whole->call_id.len);
	if (response)
		MUST(memcmp(&lines.from_tag, &whole->from_tag, sizeof(lines.from_tag)) == 0);
	else
		MUST(memcmp(&lines.to_tag, &whole->to_tag, sizeof(lines.to_tag)) == 0 &&
			lines.has_to_tag == whole->has_to_tag && lines.method == whole->method);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sip_index idx;
	const char *buf = (const char *)data;
	struct sip_verdict verdict;
	int framed;

	framed = sip_frame(buf, len);
	MUST(framed <= 0 || (size_t)framed <= len);
	memset(&idx, 0xa5, sizeof(idx));
	MUST(sip_scan(buf, len, &idx) == idx.error);
	MUST(sip_index_check(&idx, SIP_INDEX_LEN(idx.n_headers), len) == 0);
	if (len > 0)
		peek(buf, len, &idx);
	verdict = sip_validate(buf, &idx, SV("100rel,timer"));
	MUST(idx.error == SIP_SCAN_NONE || verdict.status >= 400);
	MUST(verdict.reason != NULL);
	if (len == 0)
		return 0;
	uri(sip_span_view(buf, idx.uri));
	for (unsigned int i = 0; i < idx.n_headers; i++) {
		const struct sip_header_ref *ref = &idx.headers[i];
		struct str_view name = {buf + ref->name_off, ref->name_len};

		MUST(sip_header_find_name(buf, &idx, name, 0).p != NULL);
		header((struct str_view){buf + ref->value_off, ref->value_len});
	}
	return 0;
}
