/*
 * Fuzz target: a multipart body of boundary "b1", or that of a SIP message with its own. Its parts
 * lie one behind the other in it, and put together again they are the same parts.
 */
#include "multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

#define AGAIN "b2'()+_,-./:=?0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"

static bool same(struct str_view a, struct str_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static size_t put(char *out, size_t n, const char *text, size_t len)
{
	if (len > 0)
		memcpy(out + n, text, len);
	return n + len;
}

/* With another boundary, which does not stand in it. */
static void build_and_parse(const struct multipart_part *parts, int count, struct str_view body)
{
	static char out[2 * SIP_MSG_LEN_MAX];
	struct multipart_part again[MULTIPART_PARTS_MAX];
	size_t n = 0;

	if (memmem(body.p, body.len, AGAIN, sizeof(AGAIN) - 1) != NULL)
		return;
	for (int i = 0; i < count; i++) {
		n = put(out, n, "--" AGAIN "\r\n", sizeof(AGAIN) + 3);
		n = put(out, n, parts[i].head.p, parts[i].head.len);
		n = put(out, n, "\r\n", 2);
		n = put(out, n, parts[i].body.p, parts[i].body.len);
		n = put(out, n, "\r\n", 2);
	}
	n = put(out, n, "--" AGAIN "--", sizeof(AGAIN) + 3);
	MUST(multipart_parse(SV(";boundary=\"" AGAIN "\""), (struct str_view){out, n}, again) ==
		count);
	for (int i = 0; i < count; i++) {
		MUST(same(parts[i].head, again[i].head) && same(parts[i].body, again[i].body));
	}
}

static void check(struct str_view params, struct str_view body)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	const char *at = body.p, *end = body.p + body.len;
	int n = multipart_parse(params, body, parts);

	if (n <= 0) {
		MUST(n != 0);
		return;
	}
	MUST(n <= MULTIPART_PARTS_MAX);
	for (int i = 0; i < n; i++) {
		struct str_view value = multipart_header(&parts[i], SV("Content-Type"));

		MUST(parts[i].head.p >= at &&
			parts[i].body.p >= parts[i].head.p + parts[i].head.len);
		at = parts[i].body.p + parts[i].body.len;
		MUST(at <= end);
		MUST(value.p == NULL ||
			(value.p >= parts[i].head.p &&
				value.p + value.len <= parts[i].head.p + parts[i].head.len));
		/* What has no line end of its own gets one. */
		if (parts[i].head.len > 0 && at[-1] != '\n' && parts[i].body.len == 0)
			return;
	}
	build_and_parse(parts, n, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sip_index idx;
	struct str_view text = {(const char *)data, len};
	struct sip_content_type is;

	if (len > SIP_MSG_LEN_MAX)
		return 0;
	check(SV(";boundary=b1"), text);
	if (sip_scan(text.p, len, &idx) == SIP_SCAN_NONE &&
		sip_content_type_parse(
			sip_header_find(text.p, &idx, SIP_HDR_CONTENT_TYPE, 0), &is) == 0)
		check(is.params, sip_span_view(text.p, idx.body));
	return 0;
}
