/* Comparing without regard to case: of every length, each character against each other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base.h"

static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static void test_eq_nocase(void **state)
{
	char a[20], b[20];

	(void)state;
	for (size_t len = 1; len <= sizeof(a); len++)
		for (size_t at = 0; at < len; at++) {
			memset(a, 'q', sizeof(a));
			memset(b, 'Q', sizeof(b));
			for (unsigned int x = 0; x < 256; x++)
				for (unsigned int y = 0; y < 256; y++) {
					a[at] = (char)x;
					b[at] = (char)y;
					assert_int_equal(sv_eq_nocase((struct str_view){a, len},
								 (struct str_view){b, len}),
						fold(a[at]) == fold(b[at]));
				}
		}
	assert_true(sv_eq_nocase((struct str_view){NULL, 0}, (struct str_view){a, 0}));
	assert_false(sv_eq_nocase((struct str_view){a, 3}, (struct str_view){a, 4}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_eq_nocase)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
