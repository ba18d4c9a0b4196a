/*
 * What a request has to fulfil before anything acts on it, and the status that
 * its sender is owed when it does not (RFC 3261 sections 8.2 and 16.3).
 */
#include <errno.h>

#include "sip_chars_priv.h"
#include "sip_parse.h"

#define URI_LEN_MAX 4096 /* of a Request-URI; ours */

struct request {
	const char *buf;
	const struct sip_index *idx;
	struct str_view supported;
	struct sip_headers headers;
	bool rfc2543; /* topmost Via without the magic cookie */
	struct sip_uri uri;
};

typedef bool (*check_fn)(struct request *r);

static const struct sip_verdict verdict_ok = {0, ""};

static struct str_view value_of(const struct request *r, unsigned int i)
{
	const struct sip_header_ref *ref = &r->idx->headers[i];

	return (struct str_view){r->buf + ref->value_off, ref->value_len};
}

static struct str_view first_value(const struct request *r, enum sip_header_id id)
{
	return sip_headers_first(r->buf, r->idx, &r->headers, id);
}

static bool request_uri_is_short(struct request *r)
{
	return r->idx->uri.len <= URI_LEN_MAX;
}

static bool request_uri_is_readable(struct request *r)
{
	struct str_view text = sip_span_view(r->buf, r->idx->uri);

	/* RFC 3261 section 19.1.1, table 1: no headers in a Request-URI. */
	return sip_uri_parse(text, &r->uri) == 0 && r->uri.headers.len == 0;
}

static bool scheme_is_known(struct request *r)
{
	return r->uri.scheme != SIP_SCHEME_OTHER ||
	       sip_uri_is_sos(sip_span_view(r->buf, r->idx->uri));
}

static bool address_is_readable(struct str_view item)
{
	struct sip_name_addr na;
	struct sip_uri uri;

	return sip_name_addr_parse(item, &na) == 0 && !na.star && sip_uri_parse(na.uri, &uri) == 0;
}

static bool from_to_are_readable(struct request *r)
{
	return address_is_readable(first_value(r, SIP_HDR_FROM)) &&
	       address_is_readable(first_value(r, SIP_HDR_TO));
}

/* Call fn on each element of each header line with this id. @return false if it did, or if there
 * is a line without an element. */
static bool for_each(const struct request *r, enum sip_header_id id, bool (*fn)(struct str_view))
{
	if (r->headers.line[id] == 0)
		return true;
	for (unsigned int i = r->headers.line[id] - 1u; i < r->idx->n_headers; i++) {
		struct str_view rest, item;

		if (r->idx->headers[i].id != id)
			continue;
		rest = value_of(r, i);
		if (rest.len == 0)
			return false;
		while (sip_list_next(&rest, &item)) {
			if (!fn(item))
				return false;
		}
	}
	return true;
}

static bool via_is_readable(struct str_view item)
{
	struct sip_via via;

	return sip_via_parse(item, &via) == 0;
}

static bool vias_are_readable(struct request *r)
{
	return for_each(r, SIP_HDR_VIA, via_is_readable);
}

/* RFC 3261 section 8.1.1.7: the cookie makes the rest unique, so there must be a rest. */
static bool branch_is_unique(struct request *r)
{
	return !sv_eq(sip_span_view(r->buf, r->idx->branch), SV("z9hG4bK"));
}

static bool routes_are_readable(struct request *r)
{
	return for_each(r, SIP_HDR_ROUTE, address_is_readable) &&
	       for_each(r, SIP_HDR_RECORD_ROUTE, address_is_readable);
}

/* RFC 3261 section 10.2.2: "*" stands alone, in a REGISTER with Expires 0. */
static bool star_is_allowed(const struct request *r)
{
	struct str_view expires = first_value(r, SIP_HDR_EXPIRES);
	uint32_t seconds;

	return r->idx->method == SIP_REGISTER && expires.p != NULL &&
	       sip_uint_parse(expires, UINT32_MAX, &seconds) == 0 && seconds == 0 &&
	       sip_header_find(r->buf, r->idx, SIP_HDR_CONTACT, 1).p == NULL;
}

static bool contacts_are_readable(struct request *r)
{
	struct str_view first = first_value(r, SIP_HDR_CONTACT);

	if (first.p != NULL && sv_eq(first, SV("*")))
		return star_is_allowed(r);
	/* RFC 3261 section 8.1.1.8; a sender of RFC 2543 may leave it out. */
	if (first.p == NULL)
		return r->idx->method != SIP_INVITE || r->rfc2543;
	return for_each(r, SIP_HDR_CONTACT, address_is_readable);
}

/* One number in range, or no such header. Parameters behind it are let pass where `params`. */
static bool number_is_good(
	const struct request *r, enum sip_header_id id, uint32_t max, bool params)
{
	struct str_view v = first_value(r, id), digits;
	struct sip_param param;
	uint32_t n;
	int got;

	if (v.p == NULL)
		return true;
	digits = sip_view_take(&v, sip_chars_span(v, CHAR_DIGIT));
	if (sip_uint_parse(digits, max, &n) != 0)
		return false;
	if (!params)
		return v.len == 0;
	do
		got = sip_param_next(&v, &param);
	while (got > 0);
	return got == 0;
}

static bool numbers_are_good(struct request *r)
{
	return number_is_good(r, SIP_HDR_EXPIRES, UINT32_MAX, false) &&
	       number_is_good(r, SIP_HDR_MIN_EXPIRES, UINT32_MAX, false) &&
	       number_is_good(r, SIP_HDR_SESSION_EXPIRES, UINT32_MAX, true) &&
	       number_is_good(r, SIP_HDR_MIN_SE, UINT32_MAX, true);
}

static bool rack_is_good(struct request *r)
{
	struct str_view v = first_value(r, SIP_HDR_RACK);
	struct sip_rack rack;

	return v.p == NULL ? r->idx->method != SIP_PRACK : sip_rack_parse(v, &rack) == 0;
}

static bool content_type_is_good(struct request *r)
{
	struct str_view v = first_value(r, SIP_HDR_CONTENT_TYPE);
	struct sip_content_type type;

	return v.p == NULL || sip_content_type_parse(v, &type) == 0;
}

static bool max_forwards_is_good(struct request *r)
{
	return number_is_good(r, SIP_HDR_MAX_FORWARDS, UINT8_MAX, false);
}

/* RFC 3261 section 16.3 step 3. A final target of OPTIONS may answer it, but this box is never the
 * target of what runs out of hops here. */
static bool has_hops_left(struct request *r)
{
	struct str_view v = first_value(r, SIP_HDR_MAX_FORWARDS);
	uint32_t n;

	return v.p == NULL || sip_uint_parse(v, UINT8_MAX, &n) != 0 || n > 0;
}

/* Option tags are tokens, and tokens have no case (RFC 3261 section 7.3.1). */
static bool is_listed(struct str_view list, struct str_view tag)
{
	struct str_view item;

	while (sip_list_next(&list, &item)) {
		if (sv_eq_nocase(item, tag))
			return true;
	}
	return false;
}

static bool requires_are_readable(struct request *r)
{
	return for_each(r, SIP_HDR_REQUIRE, sip_is_token);
}

/* RFC 3261 section 8.2.2.3; a CANCEL or ACK cannot require anything. */
static bool extensions_are_supported(struct request *r)
{
	if (r->idx->method == SIP_CANCEL || r->idx->method == SIP_ACK)
		return true;
	for (unsigned int i = 0; i < r->idx->n_headers; i++) {
		struct str_view rest = value_of(r, i), item;

		if (r->idx->headers[i].id != SIP_HDR_REQUIRE)
			continue;
		while (sip_list_next(&rest, &item)) {
			if (!is_listed(r->supported, item))
				return false;
		}
	}
	return true;
}

/* In the order of RFC 3261 section 16.3: form first, then what it asks for. */
static const struct {
	check_fn holds;
	struct sip_verdict otherwise;
} checks[] = {
	{request_uri_is_short, {414, "Request-URI Too Long"}},
	{request_uri_is_readable, {400, "Bad Request-URI"}},
	{from_to_are_readable, {400, "Bad From or To"}},
	{vias_are_readable, {400, "Bad Via"}},
	{branch_is_unique, {400, "Bad Via Branch"}},
	{routes_are_readable, {400, "Bad Route"}},
	{contacts_are_readable, {400, "Bad Contact"}},
	{max_forwards_is_good, {400, "Bad Max-Forwards"}},
	{numbers_are_good, {400, "Bad Number in Header"}},
	{rack_is_good, {400, "Bad RAck"}},
	{content_type_is_good, {400, "Bad Content-Type"}},
	{requires_are_readable, {400, "Bad Require"}},
	{scheme_is_known, {416, "Unsupported URI Scheme"}},
	{has_hops_left, {483, "Too Many Hops"}},
	{extensions_are_supported, {420, "Bad Extension"}},
};

/* RFC 3261 section 21.4.1: the phrase should say what is wrong. */
static const struct sip_verdict scan_verdicts[SIP_SCAN_COUNT] = {
	[SIP_SCAN_NONE] = {0, ""},
	[SIP_SCAN_EMPTY] = {400, "Empty Message"},
	[SIP_SCAN_TOO_LONG] = {513, "Message Too Large"},
	[SIP_SCAN_START_LINE] = {400, "Bad Start Line"},
	[SIP_SCAN_VERSION] = {505, "Version Not Supported"},
	[SIP_SCAN_NUL] = {400, "Control Character in Header"},
	[SIP_SCAN_HEADER_LINE] = {400, "Bad Header Line"},
	[SIP_SCAN_HEADER_LONG] = {400, "Header Too Long"},
	[SIP_SCAN_HEADERS_MANY] = {400, "Too Many Headers"},
	[SIP_SCAN_NO_END] = {400, "Missing End of Headers"},
	[SIP_SCAN_SINGLETON] = {400, "Repeated Header"},
	[SIP_SCAN_MISSING] = {400, "Missing Header"},
	[SIP_SCAN_CALL_ID] = {400, "Bad Call-ID"},
	[SIP_SCAN_CSEQ] = {400, "Bad CSeq"},
	[SIP_SCAN_VIA] = {400, "Bad Via"},
	[SIP_SCAN_FROM_TO] = {400, "Bad From or To"},
	[SIP_SCAN_CONTENT_LENGTH] = {400, "Bad Content-Length"},
};

struct sip_verdict sip_validate(
	const char *buf, const struct sip_index *idx, struct str_view supported)
{
	struct request r = {.buf = buf, .idx = idx, .supported = supported};
	struct str_view branch;

	if (idx->error != SIP_SCAN_NONE)
		return scan_verdicts[idx->error < SIP_SCAN_COUNT ? idx->error
								 : SIP_SCAN_START_LINE];
	sip_headers_read(idx, &r.headers);
	branch = sip_span_view(buf, idx->branch);
	r.rfc2543 = branch.len < 7 || memcmp(branch.p, "z9hG4bK", 7) != 0;
	if (idx->status != 0) {
		/* Of a response, only what is read to match and forward it. */
		if (!vias_are_readable(&r) || !from_to_are_readable(&r))
			return (struct sip_verdict){400, "Bad Response"};
		return verdict_ok;
	}
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (!checks[i].holds(&r))
			return checks[i].otherwise;
	}
	return verdict_ok;
}
