/*
 * An index from elsewhere is checked field by field; framing of streams; names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sip_chars_priv.h"
#include "sip_parse.h"

#define HEAD \
	"BYE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n" \
	"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 2 BYE\r\n"

static void test_index_check(void **state)
{
	static const char msg[] = HEAD "\r\nbody";
	const size_t len = sizeof(msg) - 1;
	struct sip_index good, bad;
	size_t idx_len;

	(void)state;
	assert_int_equal(sip_scan(msg, len, &good), SIP_SCAN_NONE);
	idx_len = SIP_INDEX_LEN(good.n_headers);
	assert_int_equal(sip_index_check(&good, idx_len, len), 0);
	assert_int_equal(sip_index_check(&good, idx_len - 1, len), -EBADMSG);
	assert_int_equal(sip_index_check(&good, 0, len), -EBADMSG);
	assert_int_equal(sip_index_check(&good, idx_len, len - 1), -EBADMSG);

#define REFUSED(field, value) \
	do { \
		bad = good; \
		bad.field = (value); \
		assert_int_equal(sip_index_check(&bad, sizeof(bad), len), -EBADMSG); \
	} while (0)
	REFUSED(n_headers, SIP_HEADERS_MAX + 1);
	REFUSED(msg_len, (uint16_t)(len + 1));
	REFUSED(status, 99);
	REFUSED(status, 700);
	REFUSED(method, SIP_METHOD_COUNT);
	REFUSED(error, SIP_SCAN_COUNT);
	REFUSED(has_to_tag, 2);
	REFUSED(cseq, 0x80000000u);
	REFUSED(n_vias, 2);
	REFUSED(method_text.len, UINT16_MAX);
	REFUSED(uri.off, UINT16_MAX);
	REFUSED(reason.off, UINT16_MAX);
	REFUSED(call_id.len, (uint16_t)len);
	REFUSED(from_tag.len, (uint16_t)len);
	REFUSED(to_tag.len, (uint16_t)len);
	REFUSED(branch.off, UINT16_MAX);
	REFUSED(body.len, 5);
	/* The message may be cut off behind its start: nothing else lies there. */
	REFUSED(body.off, 1);
	REFUSED(headers[0].id, SIP_HDR_COUNT);
	REFUSED(headers[0].name_len, 0);
	REFUSED(headers[1].name_off, UINT16_MAX);
	REFUSED(headers[2].value_off, UINT16_MAX);
	REFUSED(headers[4].value_len, UINT16_MAX);
}

static void test_frame(void **state)
{
	static const struct {
		struct str_view in;
		int out;
	} cases[] = {
		{SV(""), 0},
		{SV("\r"), 0},
		{SV("\r\n"), 2},
		{SV("\r\n\r\n" HEAD), 4},
		{SV(HEAD), 0},
		{SV(HEAD "\r\n"), -EBADMSG},
		{SV(HEAD "l: 0\r\n\r\n"), sizeof(HEAD) - 1 + 8},
		{SV(HEAD "l: 0\r\n\r\nBYE sip"), sizeof(HEAD) - 1 + 8},
		{SV(HEAD "Content-Length : 3\r\n\r\nab"), 0},
		{SV(HEAD "Content-Length : 3\r\n\r\nabc"), sizeof(HEAD) - 1 + 25},
		{SV(HEAD "Content-Length:\r\n 3\r\n\r\nabcd"), sizeof(HEAD) - 1 + 26},
		{SV(HEAD "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabcd"), -EBADMSG},
		{SV(HEAD "Content-Length: -3\r\n\r\nabcd"), -EBADMSG},
		{SV(HEAD "Content-Length: 3x\r\n\r\nabcd"), -EBADMSG},
		{SV(HEAD "Content-Length: 65535\r\n\r\nabcd"), -EBADMSG},
		{SV(HEAD "Content-Length: 4294967299\r\n\r\nabcd"), -EBADMSG},
		{SV(HEAD "X: a\rb\r\nContent-Length: 3\r\n\r\nabcd"), -EBADMSG},
		{SV("GET / HTTP/1.1\0\r\n"), -EBADMSG},
		{SV("GET / HTTP/1.1\0\r\nX: y\r\n\r\n"), -EBADMSG},
	};
	static char endless[SIP_MSG_LEN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got = sip_frame(cases[i].in.p, cases[i].in.len);

		if (got != cases[i].out)
			print_error("case %zu\n", i);
		assert_int_equal(got, cases[i].out);
	}
	memset(endless, 'a', sizeof(endless));
	assert_int_equal(sip_frame(endless, sizeof(endless) - 1), 0);
	assert_int_equal(sip_frame(endless, sizeof(endless)), -EBADMSG);
}

static void test_names(void **state)
{
	(void)state;
#define CHECK_HEADER(ID, name, compact, several) \
	do { \
		char c = (compact); \
		assert_int_equal(sip_header_id_parse(SV(name)), SIP_HDR_##ID); \
		assert_string_equal(sip_header_name(SIP_HDR_##ID), (name)); \
		if (c != 0) { \
			assert_int_equal( \
				sip_header_id_parse((struct str_view){&c, 1}), SIP_HDR_##ID); \
			c = (char)(c - 'a' + 'A'); \
			assert_int_equal( \
				sip_header_id_parse((struct str_view){&c, 1}), SIP_HDR_##ID); \
		} \
	} while (0);
	SIP_HEADER_LIST(CHECK_HEADER)
	assert_int_equal(sip_header_id_parse(SV("CALL-id")), SIP_HDR_CALL_ID);
	assert_int_equal(sip_header_id_parse(SV("Call_ID")), SIP_HDR_OTHER);
	assert_int_equal(sip_header_id_parse(SV("z")), SIP_HDR_OTHER);
	assert_int_equal(sip_header_id_parse(SV("\x0c")), SIP_HDR_OTHER);
	assert_int_equal(sip_header_id_parse(SV("")), SIP_HDR_OTHER);
	assert_string_equal(sip_header_name(SIP_HDR_COUNT), "");
	for (unsigned int i = SIP_INVITE; i < SIP_METHOD_OTHER; i++) {
		const char *name = sip_method_name(i);

		assert_int_equal(sip_method_parse((struct str_view){name, strlen(name)}), i);
	}
	assert_int_equal(sip_method_parse(SV("invite")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_parse(SV("")), SIP_METHOD_NONE);
	assert_string_equal(sip_method_name(SIP_METHOD_OTHER), "?");
	assert_string_equal(sip_method_name(SIP_METHOD_COUNT), "?");
	assert_string_equal(sip_scan_error_name(SIP_SCAN_NO_END), "no_end");
	assert_string_equal(sip_scan_error_name(SIP_SCAN_COUNT), "unknown");
	assert_true(strlen(sip_scan_error_help(SIP_SCAN_NO_END)) > 0);
}

/* The tables for many characters at once say the same as the one for each. */
static void test_spans(void **state)
{
	for (unsigned int class = 1; class < 1u << CHAR_CLASSES; class <<= 1) {
		char in = 0, text[70];

		while (!sip_char_is(in, class))
			in++;
		for (unsigned int c = 0; c < 256; c++) {
			for (size_t at = 0; at < sizeof(text); at++) {
				bool member = sip_char_is((char)c, class);

				memset(text, in, sizeof(text));
				text[at] = (char)c;
				assert_int_equal(
					sip_chars_span(
						(struct str_view){text, sizeof(text)}, class),
					member ? sizeof(text) : at);
			}
		}
	}
}

/* Header lines are found as by looking at one after the other, in an index that ends with its last
 * line. */
static void test_find(void **state)
{
	static const char buf[SIP_HEADERS_MAX + 1];
	uint32_t x = 1;

	(void)state;
	for (unsigned int n = 0; n <= SIP_HEADERS_MAX; n++) {
		struct sip_index *idx = malloc(SIP_INDEX_LEN(n));
		struct sip_headers first;

		assert_non_null(idx);
		idx->n_headers = (uint16_t)n;
		for (unsigned int i = 0; i < n; i++) {
			x = x * 1664525u + 1013904223u;
			idx->headers[i] = (struct sip_header_ref){.name_len = 1,
				.id = (uint8_t)((x >> 24) % 6 * 9),
				.value_off = (uint16_t)i,
				.value_len = 1};
		}
		sip_headers_read(idx, &first);
		for (unsigned int id = 0; id < SIP_HDR_COUNT; id++) {
			unsigned int nth = 0;

			for (unsigned int i = 0; i < n; i++) {
				struct str_view got;

				if (idx->headers[i].id != id)
					continue;
				if (nth == 0)
					assert_int_equal(first.line[id], i + 1);
				got = sip_header_find(buf, idx, (enum sip_header_id)id, nth++);
				assert_int_equal(got.p - buf, i);
			}
			assert_int_equal(first.line[id] == 0, nth == 0);
			assert_null(sip_header_find(buf, idx, (enum sip_header_id)id, nth).p);
		}
		free(idx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_index_check),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
