/*
 * Stage 1: what it finds, what it refuses and why, and that it never reads
 * outside of the message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard_page.h"
#include "sip_parse.h"

static struct guard guard;
static struct sip_index idx;

#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc\r\n"
#define FROM "From: <sip:a@example.com>;tag=f1\r\n"
#define TO "To: <sip:b@example.com>\r\n"
#define CALL_ID "Call-ID: c1@192.0.2.1\r\n"
#define CSEQ "CSeq: 7 INVITE\r\n"
#define INVITE_LINE "INVITE sip:b@example.com SIP/2.0\r\n"
#define HEADERS VIA FROM TO CALL_ID CSEQ

/* Scan at the guard page; the index must be sound whatever came out. */
static const char *scan(struct str_view msg, enum sip_scan_error want)
{
	const char *p = guard_put(&guard, msg.p, msg.len);
	enum sip_scan_error got = sip_scan(p, msg.len, &idx);

	if (got != want)
		print_error("%s instead of %s for:\n%.*s\n", sip_scan_error_name(got),
			sip_scan_error_name(want), SV_ARG(msg));
	assert_int_equal(got, want);
	assert_int_equal(got, idx.error);
	assert_int_equal(sip_index_check(&idx, SIP_INDEX_LEN(idx.n_headers), msg.len), 0);
	return p;
}

#define ASSERT_SPAN(buf, span, text) assert_true(sv_eq(sip_span_view(buf, span), SV(text)))

static void test_request(void **state)
{
	const char *p =
		scan(SV("\r\n\r\n" INVITE_LINE HEADERS "Max-Forwards: 70\r\n"
			"Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\nxyz"),
			SIP_SCAN_NONE);

	(void)state;
	assert_int_equal(idx.status, 0);
	assert_int_equal(idx.method, SIP_INVITE);
	assert_int_equal(idx.cseq, 7);
	assert_int_equal(idx.n_vias, 1);
	assert_int_equal(idx.n_headers, 8);
	assert_int_equal(idx.has_to_tag, 0);
	ASSERT_SPAN(p, idx.method_text, "INVITE");
	ASSERT_SPAN(p, idx.uri, "sip:b@example.com");
	ASSERT_SPAN(p, idx.call_id, "c1@192.0.2.1");
	ASSERT_SPAN(p, idx.from_tag, "f1");
	ASSERT_SPAN(p, idx.to_tag, "");
	ASSERT_SPAN(p, idx.branch, "z9hG4bKabc");
	/* Bytes behind Content-Length are not part of it. */
	ASSERT_SPAN(p, idx.body, "v=0\n");
	assert_int_equal(idx.msg_len, idx.body.off + 4);
}

static void test_response(void **state)
{
	const char *p =
		scan(SV("SIP/2.0 180 Ringing it is\r\n" VIA VIA FROM
			"t: <sip:b@example.com> ; TAG = t1\r\ni: x\r\nCSeq: 0009\r\n\tBYE\r\n"
			"\r\nrest"),
			SIP_SCAN_NONE);

	(void)state;
	assert_int_equal(idx.status, 180);
	assert_int_equal(idx.method, SIP_BYE);
	assert_int_equal(idx.cseq, 9);
	assert_int_equal(idx.n_vias, 2);
	assert_int_equal(idx.has_to_tag, 1);
	ASSERT_SPAN(p, idx.reason, "Ringing it is");
	ASSERT_SPAN(p, idx.to_tag, "t1");
	ASSERT_SPAN(p, idx.method_text, "BYE");
	/* No Content-Length: all the rest is body. */
	ASSERT_SPAN(p, idx.body, "rest");
	scan(SV("SIP/2.0 200\r\n" HEADERS "\r\n"), SIP_SCAN_NONE);
	assert_int_equal(idx.status, 200);
	assert_int_equal(idx.reason.len, 0);
}

static void test_header_forms(void **state)
{
	const char *p = scan(SV("OPTIONS sip:x SIP/2.0\r\n"
				"v : SIP / 2.0 /\r\n UDP\r\n host:5060 ;branch=\r\n z9hG4bKq\r\n"
				"FROM:sip:a@b;tag=1\r\nTo\t:\r\n sip:c@d\r\nCALL-id: \"x\"@y  \r\n"
				"cseq: 1 OPTIONS\r\nX-Thing:\r\nx-thing: two\r\nk: a,b\r\n\r\n"),
		SIP_SCAN_NONE);

	(void)state;
	assert_int_equal(idx.method, SIP_OPTIONS);
	ASSERT_SPAN(p, idx.branch, "z9hG4bKq");
	ASSERT_SPAN(p, idx.call_id, "\"x\"@y");
	assert_true(sv_eq(sip_header_find(p, &idx, SIP_HDR_TO, 0), SV("sip:c@d")));
	assert_null(sip_header_find(p, &idx, SIP_HDR_TO, 1).p);
	assert_true(sv_eq(sip_header_find_name(p, &idx, SV("X-THING"), 1), SV("two")));
	assert_non_null(sip_header_find_name(p, &idx, SV("X-Thing"), 0).p);
	assert_null(sip_header_find_name(p, &idx, SV("X-Thing"), 2).p);
	assert_true(sv_eq(sip_header_find_name(p, &idx, SV("Supported"), 0), SV("a,b")));
	assert_true(sv_eq(sip_header_find_name(p, &idx, SV("K"), 0), SV("a,b")));
}

static void test_errors(void **state)
{
	static const struct {
		struct str_view msg;
		enum sip_scan_error error;
	} cases[] = {
		{SV(""), SIP_SCAN_EMPTY},
		{SV("\r\n\r\n"), SIP_SCAN_EMPTY},
		{SV("\n"), SIP_SCAN_EMPTY},
		{SV("\0\0\0\0"), SIP_SCAN_START_LINE},
		{SV("hello\r\n\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE sip:b@c SIP/2.0\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV(INVITE_LINE HEADERS "X-A: b\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X-A: b\n c\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "\n"), SIP_SCAN_NUL},
		{SV("INVITE sip:b@c SIP/2.0 \r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE  sip:b@c SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE sip:b@c  SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE sip:b @c SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE\tsip:b@c SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("IN\"VITE sip:b@c SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE sip:b@c HTTP/1.1\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("INVITE sip:b@c SIP/2.00\r\n" HEADERS "\r\n"), SIP_SCAN_VERSION},
		{SV("INVITE sip:b@c SIP/7.0\r\n" HEADERS "\r\n"), SIP_SCAN_VERSION},
		{SV("SIP/3.0 200 OK\r\n" HEADERS "\r\n"), SIP_SCAN_VERSION},
		{SV("SIP/2.0 99 X\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("SIP/2.0 099 X\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("SIP/2.0 700 X\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("SIP/2.0 65736 X\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("SIP/2.0 -20 X\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV("SIP/2.0\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE},
		{SV(INVITE_LINE " folded: 1\r\n" HEADERS "\r\n"), SIP_SCAN_HEADER_LINE},
		{SV(INVITE_LINE HEADERS "no colon\r\n\r\n"), SIP_SCAN_HEADER_LINE},
		{SV(INVITE_LINE HEADERS ": x\r\n\r\n"), SIP_SCAN_HEADER_LINE},
		{SV(INVITE_LINE HEADERS "Two Words: x\r\n\r\n"), SIP_SCAN_HEADER_LINE},
		{SV(INVITE_LINE HEADERS "Name\r\n : x\r\n\r\n"), SIP_SCAN_HEADER_LINE},
		{SV(INVITE_LINE HEADERS "X: a\0b\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X: a\rb\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X: a\r\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X: \"a\x1b\"\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X: \\\x1b\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS "X: \"a\\\x1b\\\0 \\\x7f\"\r\n\r\n"), SIP_SCAN_NONE},
		{SV(INVITE_LINE HEADERS "X: \"a\\\r\n b\0\"\r\n\r\n"), SIP_SCAN_NUL},
		{SV(INVITE_LINE HEADERS), SIP_SCAN_NO_END},
		{SV(INVITE_LINE HEADERS "\r"), SIP_SCAN_NO_END},
		{SV(INVITE_LINE HEADERS "X: y"), SIP_SCAN_NO_END},
		{SV(INVITE_LINE HEADERS TO "\r\n"), SIP_SCAN_SINGLETON},
		{SV(INVITE_LINE HEADERS "i: c1@192.0.2.1\r\n\r\n"), SIP_SCAN_SINGLETON},
		{SV(INVITE_LINE HEADERS "l: 0\r\nContent-Length : 0\r\n\r\n"), SIP_SCAN_SINGLETON},
		{SV(INVITE_LINE VIA TO CALL_ID CSEQ "\r\n"), SIP_SCAN_MISSING},
		{SV(INVITE_LINE FROM TO CALL_ID CSEQ "\r\n"), SIP_SCAN_MISSING},
		{SV(INVITE_LINE VIA FROM TO "Call-ID:\r\n" CSEQ "\r\n"), SIP_SCAN_CALL_ID},
		{SV(INVITE_LINE VIA FROM TO "Call-ID: a b\r\n" CSEQ "\r\n"), SIP_SCAN_CALL_ID},
		{SV(INVITE_LINE VIA FROM TO "Call-ID: a@\r\n" CSEQ "\r\n"), SIP_SCAN_CALL_ID},
		{SV(INVITE_LINE VIA FROM TO "Call-ID: a@b@c\r\n" CSEQ "\r\n"), SIP_SCAN_CALL_ID},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 2147483648 INVITE\r\n\r\n"),
			SIP_SCAN_CSEQ},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 2147483647 INVITE\r\n\r\n"),
			SIP_SCAN_NONE},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 4294967303 INVITE\r\n\r\n"),
			SIP_SCAN_CSEQ},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 1 BYE\r\n\r\n"), SIP_SCAN_CSEQ},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 1INVITE\r\n\r\n"), SIP_SCAN_CSEQ},
		{SV(INVITE_LINE VIA FROM TO CALL_ID "CSeq: 1 invite\r\n\r\n"), SIP_SCAN_CSEQ},
		{SV(INVITE_LINE "Via: ,SIP/2.0/UDP h\r\n" FROM TO CALL_ID CSEQ "\r\n"),
			SIP_SCAN_VIA},
		{SV(INVITE_LINE "Via:\r\n" FROM TO CALL_ID CSEQ "\r\n"), SIP_SCAN_VIA},
		{SV(INVITE_LINE VIA "From: \"x <sip:a@b>\r\n" TO CALL_ID CSEQ "\r\n"),
			SIP_SCAN_FROM_TO},
		{SV(INVITE_LINE VIA "From: <sip:a@b>;tag=1;tag=2\r\n" TO CALL_ID CSEQ "\r\n"),
			SIP_SCAN_FROM_TO},
		{SV(INVITE_LINE VIA "From: <sip:a@b>;tag\r\n" TO CALL_ID CSEQ "\r\n"),
			SIP_SCAN_FROM_TO},
		{SV(INVITE_LINE VIA FROM "To: *\r\n" CALL_ID CSEQ "\r\n"), SIP_SCAN_FROM_TO},
		{SV(INVITE_LINE HEADERS "Content-Length: 1\r\n\r\n"), SIP_SCAN_CONTENT_LENGTH},
		{SV(INVITE_LINE HEADERS "Content-Length: -1\r\n\r\n"), SIP_SCAN_CONTENT_LENGTH},
		{SV(INVITE_LINE HEADERS "Content-Length: +0\r\n\r\n"), SIP_SCAN_CONTENT_LENGTH},
		{SV(INVITE_LINE HEADERS "Content-Length:\r\n\r\n"), SIP_SCAN_CONTENT_LENGTH},
		{SV(INVITE_LINE HEADERS "Content-Length: 4294967296\r\n\r\n"),
			SIP_SCAN_CONTENT_LENGTH},
		{SV(INVITE_LINE HEADERS "Content-Length: 18446744073709551616\r\n\r\n"),
			SIP_SCAN_CONTENT_LENGTH},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		scan(cases[i].msg, cases[i].error);
}

/* A 400 can still be built: what is good is found though something else is bad. */
static void test_goes_on(void **state)
{
	const char *p = scan(SV("INVITE sip:b@c SIP/2.0\r\nbad line\r\n" HEADERS "X: \1\r\n\r\n"),
		SIP_SCAN_HEADER_LINE);

	(void)state;
	assert_int_equal(idx.n_headers, 5);
	assert_int_equal(idx.method, SIP_INVITE);
	ASSERT_SPAN(p, idx.call_id, "c1@192.0.2.1");
	ASSERT_SPAN(p, idx.branch, "z9hG4bKabc");
	/* A bad status line stays known as a response, which is never answered. */
	scan(SV("SIP/2.0 x\r\n" HEADERS "\r\n"), SIP_SCAN_START_LINE);
	assert_int_not_equal(idx.status, 0);
}

/* A message with n headers of value_len bytes each behind the mandatory ones. */
static size_t build_big(char *buf, size_t cap, unsigned int n, size_t value_len)
{
	size_t len = (size_t)snprintf(buf, cap, "%s", INVITE_LINE HEADERS);

	for (unsigned int i = 0; i < n; i++) {
		len += (size_t)snprintf(buf + len, cap - len, "X%u: ", i);
		memset(buf + len, 'x', value_len);
		len += value_len;
		len += (size_t)snprintf(buf + len, cap - len, "\r\n");
	}
	return len + (size_t)snprintf(buf + len, cap - len, "\r\n");
}

static void test_caps(void **state)
{
	static char buf[SIP_MSG_LEN_MAX + 2];
	size_t len;

	(void)state;
	len = build_big(buf, sizeof(buf), SIP_HEADERS_MAX - 5, 1);
	scan((struct str_view){buf, len}, SIP_SCAN_NONE);
	assert_int_equal(idx.n_headers, SIP_HEADERS_MAX);
	len = build_big(buf, sizeof(buf), SIP_HEADERS_MAX - 4, 1);
	scan((struct str_view){buf, len}, SIP_SCAN_HEADERS_MANY);
	len = build_big(buf, sizeof(buf), 1, SIP_HEADER_LEN_MAX);
	scan((struct str_view){buf, len}, SIP_SCAN_NONE);
	len = build_big(buf, sizeof(buf), 1, SIP_HEADER_LEN_MAX + 1);
	scan((struct str_view){buf, len}, SIP_SCAN_HEADER_LONG);
	len = build_big(buf, sizeof(buf), 1, 1);
	memset(buf + len, 'b', sizeof(buf) - len);
	scan((struct str_view){buf, SIP_MSG_LEN_MAX}, SIP_SCAN_NONE);
	assert_int_equal(idx.msg_len, SIP_MSG_LEN_MAX);
	scan((struct str_view){buf, SIP_MSG_LEN_MAX + 1}, SIP_SCAN_TOO_LONG);
	assert_int_equal(idx.n_headers, 0);
}

/* Every prefix of a message: refused or not, never read beyond. */
static void test_truncated(void **state)
{
	static const struct str_view msg = SV(INVITE_LINE HEADERS
		"Contact: \"A \\\" b\" <sip:a@[2001:db8::1]:5060;lr?X=y>;q=0.5;+x=\"<urn:x>\"\r\n"
		"Require: a, b\r\n , c\r\nContent-Type: application/sdp;x=\"y\"\r\n"
		"Max-Forwards: 70\r\nContent-Length: 6\r\n\r\nv=0\r\n\r");

	(void)state;
	for (size_t n = 0; n <= msg.len; n++) {
		const char *p = guard_put(&guard, msg.p, n);
		enum sip_scan_error error = sip_scan(p, n, &idx);

		assert_int_equal(sip_index_check(&idx, SIP_INDEX_LEN(idx.n_headers), n), 0);
		assert_int_equal(error == SIP_SCAN_NONE, n == msg.len);
		sip_validate(p, &idx, SV(""));
		assert_int_equal(sip_frame(p, n), n == msg.len ? (int)n : 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	guard = guard_new(SIP_MSG_LEN_MAX + 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guard_free(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_header_forms),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
