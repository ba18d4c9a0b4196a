/* Multipart bodies: what is a part, what is not, and where the caps are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "multipart.h"

#define BOUNDARY_70 "1234567890123456789012345678901234567890123456789012345678901234567890"

/* In a block of its own of just that size, so that a byte behind it is noticed. */
static int parse(
	const char *params, const char *body, size_t len, struct multipart_part *parts, char **copy)
{
	*copy = malloc(len > 0 ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, body, len);
	return multipart_parse(
		(struct str_view){params, strlen(params)}, (struct str_view){*copy, len}, parts);
}

static void is_text(struct str_view v, const char *want)
{
	if (v.len != strlen(want) || memcmp(v.p != NULL ? v.p : "", want, v.len) != 0)
		fail_msg("'%.*s' is not '%s'", (int)v.len, v.p != NULL ? v.p : "", want);
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *params, *body;
		int want;
	} cases[] = {
		{";boundary=b", "--b\r\n\r\nx\r\n--b--\r\n", 1},
		{";boundary=b", "--b\r\n\r\nx\r\n--b--", 1},
		{";x=y;boundary=\"b c\"", "--b c\r\n\r\nx\r\n--b c--", 1},
		{";BOUNDARY=b", "before\r\n--b \t\r\n\r\nx\r\n--b-- \r\nbehind --b\r\n", 1},
		{";boundary=" BOUNDARY_70, "--" BOUNDARY_70 "\r\n\r\n\r\n--" BOUNDARY_70 "--", 1},
		{";boundary=" BOUNDARY_70 "1", "--" BOUNDARY_70 "1\r\n\r\n\r\n--" BOUNDARY_70 "1--",
			-EBADMSG},
		/* What begins as a boundary does is text. */
		{";boundary=b", "--b\r\n\r\n--bb\r\n--b\n\r\n-- b\r\n x--b\r\n--b--", 1},
		{";boundary=b", "--b\r\n\r\nx\r\n--b\r\n\r\n\r\n--b--", 2},
		{";boundary=b", "--b\r\nA: 1\r\n--b--", 1},
		/* No boundary, or none that may be one. */
		{"", "--b\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary", "--\r\n\r\nx\r\n----", -EBADMSG},
		{";boundary=\"\"", "--\r\n\r\nx\r\n----", -EBADMSG},
		{";boundary=\"b \"", "--b \r\n\r\nx\r\n--b --", -EBADMSG},
		{";boundary=\"b;\"", "--b;\r\n\r\nx\r\n--b;--", -EBADMSG},
		/* No end, no part, nothing. */
		{";boundary=b", "--b\r\n\r\nx\r\n", -EBADMSG},
		{";boundary=b", "--b\r\n\r\nx\r\n--b-", -EBADMSG},
		{";boundary=b", "--b--", -EBADMSG},
		{";boundary=b", "--b\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\n\r\n--b\r\n--b--", -EBADMSG},
		{";boundary=b", "x", -EBADMSG},
		{";boundary=b", "", -EBADMSG},
		{";boundary=b", "--b\n\nx\n--b--\n", -EBADMSG},
		/* Headers that are none. */
		{";boundary=b", "--b\r\nword\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\n: 1\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\n A: 1\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\nA: 1\nB: 2\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\nA: 1\rB: 2\r\n\r\nx\r\n--b--", -EBADMSG},
		{";boundary=b", "--b\r\nA: 1\r\n word\r\n\r\nx\r\n--b--", 1},
	};
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	char *copy;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got =
			parse(cases[i].params, cases[i].body, strlen(cases[i].body), parts, &copy);

		if (got != cases[i].want)
			fail_msg("case %zu: %d is not %d", i, got, cases[i].want);
		free(copy);
	}
}

static void test_caps(void **state)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	char body[1024], *copy;

	for (int n = MULTIPART_PARTS_MAX; n <= MULTIPART_PARTS_MAX + 1; n++) {
		size_t len = 0;

		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(body + len, sizeof(body) - len, "--b\r\n\r\nx\r\n");
		len += (size_t)snprintf(body + len, sizeof(body) - len, "--b--");
		assert_int_equal(parse(";boundary=b", body, len, parts, &copy),
			n <= MULTIPART_PARTS_MAX ? n : -E2BIG);
		free(copy);
	}
	for (int n = MULTIPART_HEADERS_MAX; n <= MULTIPART_HEADERS_MAX + 1; n++) {
		size_t len = (size_t)snprintf(body, sizeof(body), "--b\r\n");

		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(body + len, sizeof(body) - len, "A: %d\r\n", i);
		len += (size_t)snprintf(body + len, sizeof(body) - len, "\r\nx\r\n--b--");
		assert_int_equal(parse(";boundary=b", body, len, parts, &copy),
			n <= MULTIPART_HEADERS_MAX ? 1 : -E2BIG);
		free(copy);
	}
}

static const char two[] = "--b\r\nContent-Type : text/plain;\r\n\tx=y \r\nA:\r\n"
			  "Content-Type: second\r\n\r\none\r\n\r\n--b\r\n\r\n\0two\r\n--b--\r\n";

static void test_parts(void **state)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	char *copy;

	assert_int_equal(parse(";boundary=b", two, sizeof(two) - 1, parts, &copy), 2);
	is_text(parts[0].body, "one\r\n");
	assert_int_equal(parts[1].body.len, 4);
	assert_memory_equal(parts[1].body.p, "\0two", 4);
	is_text(multipart_header(&parts[0], SV("content-type")), "text/plain;\r\n\tx=y");
	is_text(multipart_header(&parts[0], SV("A")), "");
	assert_null(multipart_header(&parts[0], SV("B")).p);
	assert_int_equal(parts[1].head.len, 0);
	assert_null(multipart_header(&parts[1], SV("A")).p);
	free(copy);
}

/* Cut anywhere before its end it is none. */
static void test_cut(void **state)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	char *copy;

	for (size_t len = 0; len < sizeof(two) - 3; len++) {
		assert_int_equal(parse(";boundary=b", two, len, parts, &copy), -EBADMSG);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
