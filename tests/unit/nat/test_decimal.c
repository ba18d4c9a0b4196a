/* Numbers to text, against printf. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decimal.h"

static void expect(uint64_t n)
{
	char want[DECIMAL_MAX + 1], got[DECIMAL_MAX + 1];
	size_t len;

	snprintf(want, sizeof(want), "%" PRIu64, n);
	len = decimal_write(got, n);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(got, want, len);
}

static void test_every_length(void **state)
{
	uint64_t power = 1;

	expect(0);
	for (unsigned int digits = 1; digits < DECIMAL_MAX; digits++, power *= 10) {
		expect(power - 1);
		expect(power);
		expect(power + 1);
	}
	expect(UINT64_MAX);
	expect(INT64_MAX);
}

static void test_wide(void **state)
{
	static const struct {
		uint64_t n;
		size_t width;
		const char *text;
	} cases[] = {{0, 2, "00"}, {7, 3, "007"}, {59, 2, "59"}, {12345, 3, "345"}, {1, 0, ""}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char got[8] = "xxxxxxx";

		assert_int_equal(
			decimal_write_wide(got, cases[i].n, cases[i].width), cases[i].width);
		assert_memory_equal(got, cases[i].text, cases[i].width);
		assert_int_equal(got[cases[i].width], 'x');
	}
}

static void test_span(void **state)
{
	static const struct {
		const char *text;
		size_t digits;
		uint64_t value;
	} cases[] = {
		{"", 0, 0},
		{"x1", 0, 0},
		{"/", 0, 0},
		{":", 0, 0},
		{"0", 1, 0},
		{"007/", 3, 7},
		{"1234567", 7, 1234567},
		{"1234567:8", 7, 1234567},
		{"12345678", 8, 12345678},
		{"4294967295 1", 10, UINT32_MAX},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view v = {cases[i].text, strlen(cases[i].text)};

		value = 0;
		assert_int_equal(decimal_span(v, &value), cases[i].digits);
		assert_int_equal(value, cases[i].value);
	}
	/* What stands behind the view is no part of it. */
	assert_int_equal(decimal_span((struct str_view){"12345678", 3}, &value), 3);
	assert_int_equal(value, 123);
	assert_int_equal(decimal_span((struct str_view){NULL, 0}, &value), 0);
	assert_int_equal(decimal_span(SV("99999999999999999999999999"), &value), 26);
	assert_true(value > UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
