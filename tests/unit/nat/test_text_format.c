/* The formats that messages are made of, against printf. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text_format.h"

#define SAME(...) \
	do { \
		char want[256], got[256]; \
		int n = snprintf(want, sizeof(want), __VA_ARGS__); \
\
		assert_int_equal(text_format(got, sizeof(got), __VA_ARGS__), n); \
		assert_string_equal(got, want); \
	} while (0)

static void test_as_printf(void **state)
{
	char empty[1] = "";

	SAME("%s", empty);
	SAME("no conversion");
	SAME("%s %s SIP/2.0\r\n", "INVITE", "sip:bob@example.net");
	SAME("%.*s|%.*s|", 3, "abcdef", 0, "abc");
	SAME("%c%%%c", 'x', '%');
	SAME("%u %u %d %d %d", 0u, UINT_MAX, INT_MIN, INT_MAX, -1);
	SAME("%zu %lu %llu %ld", SIZE_MAX, 7ul, (unsigned long long)UINT64_MAX, LONG_MIN);
	SAME("%03u %03u %03u", 7u, 200u, 12345u);
}

static void test_every_buffer_that_is_too_short(void **state)
{
	static const char want[] = "SIP/2.0 200 OK -17";

	for (size_t cap = 0; cap < sizeof(want); cap++) {
		char *buf = malloc(cap > 0 ? cap : 1); /* a sanitizer watches its end */

		assert_int_equal(
			text_format(buf, cap, "SIP/%s %03u %.*s %d", "2.0", 200u, 2, "OK", -17),
			-EMSGSIZE);
		if (cap > 0) {
			assert_int_equal(strlen(buf), cap - 1);
			assert_memory_equal(buf, want, cap - 1);
		}
		free(buf);
	}
}

static void test_no_byte_beyond_the_precision_is_read(void **state)
{
	char *three = malloc(3), out[8]; /* no NUL; a sanitizer watches its end */

	memcpy(three, "abc", 3);
	assert_int_equal(text_format(out, sizeof(out), "%.*s", 3, three), 3);
	assert_string_equal(out, "abc");
	free(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_printf),
		cmocka_unit_test(test_every_buffer_that_is_too_short),
		cmocka_unit_test(test_no_byte_beyond_the_precision_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
