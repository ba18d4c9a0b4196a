/* Lines of JSON: read by jansson, they say what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "json_line.h"

static void write_all(struct json_line *l)
{
	json_line_open(l, NULL, '{');
	json_line_text(l, "text", "a \"b\" \\ \x1b[2J\xc3\xa9\x7f~");
	json_line_text(l, "none", NULL);
	json_line_uint(l, "zero", 0);
	json_line_uint(l, "most", INT64_MAX);
	json_line_open(l, "list", '[');
	json_line_thousandths(l, NULL, 0);
	json_line_thousandths(l, NULL, 900);
	json_line_thousandths(l, NULL, 12345);
	json_line_thousandths(l, NULL, 4000010);
	json_line_close(l, ']');
	json_line_open(l, "empty", '{');
	json_line_close(l, '}');
	json_line_bool(l, "yes", true);
	json_line_bool(l, "no", false);
	json_line_null(l, "null");
	json_line_value(l, "value", SV("[1,{\"a\":2}]"));
	json_line_time(l, "never", 0);
	json_line_time(l, "then", 1709210096007);
	json_line_close(l, '}');
}

static const char want[] =
	"{\"text\":\"a \\\"b\\\" \\\\ ?[2J???~\",\"none\":\"\",\"zero\":0,"
	"\"most\":9223372036854775807,\"list\":[0.0,0.9,12.345,4000.01],\"empty\":{},\"yes\":true,"
	"\"no\":false,\"null\":null,\"value\":[1,{\"a\":2}],\"never\":null,"
	"\"then\":\"2024-02-29T12:34:56.007Z\"}";

static void test_line(void **state)
{
	char buf[1024];
	struct json_line l;
	struct str_view line;
	json_t *o;

	json_line_init(&l, buf, sizeof(buf));
	write_all(&l);
	line = json_line_finish(&l);
	assert_int_equal(line.len, sizeof(want) - 1);
	assert_memory_equal(line.p, want, line.len);
	o = json_loadb(line.p, line.len, 0, NULL);
	assert_non_null(o);
	/* A real, as everybody who reads these figures expects. */
	assert_true(json_is_real(json_array_get(json_object_get(o, "list"), 0)));
	assert_true(json_real_value(json_array_get(json_object_get(o, "list"), 1)) == 0.9);
	json_decref(o);
}

static void test_every_buffer_that_is_too_short(void **state)
{
	for (size_t cap = 0; cap < sizeof(want) - 1; cap++) {
		char *buf = malloc(cap > 0 ? cap : 1); /* a sanitizer watches its end */
		struct json_line l;

		json_line_init(&l, buf, cap);
		write_all(&l);
		assert_null(json_line_finish(&l).p);
		free(buf);
	}
}

/* At each place of a text and its eights: what stands for itself, and all that does not. */
static void test_each_byte_at_each_place(void **state)
{
	for (unsigned int c = 1; c < 256; c++) {
		for (size_t len = 1; len < 20; len++) {
			for (size_t at = 0; at < len; at++) {
				char text[24] = {0}, expected[64], buf[128];
				bool quote = c == '"' || c == '\\';
				struct json_line l;
				struct str_view line;

				memset(text, 'x', len);
				text[at] = (char)c;
				snprintf(expected, sizeof(expected), "\"%.*s%s%c%s\"", (int)at,
					text, quote ? "\\" : "", c < ' ' || c > '~' ? '?' : (char)c,
					text + at + 1);
				json_line_init(&l, buf, sizeof(buf));
				json_line_text(&l, NULL, text);
				line = json_line_finish(&l);
				assert_int_equal(line.len, strlen(expected));
				assert_memory_equal(line.p, expected, line.len);
			}
		}
	}
}

/* The C library's calendar is the same, on the days of 400 years and at their ends. */
static void test_each_day(void **state)
{
	for (int64_t day = 0; day < 146097 + 366; day++) {
		int64_t ms = day * 86400000 + (day % 2 == 0 ? 1 : 86399999);
		time_t seconds = (time_t)(ms / 1000);
		char expected[64], buf[128];
		struct json_line l;
		struct str_view line;
		struct tm tm;
		size_t n;

		assert_non_null(gmtime_r(&seconds, &tm));
		n = strftime(expected, sizeof(expected), "\"%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(expected + n, sizeof(expected) - n, ".%03dZ\"", (int)(ms % 1000));
		json_line_init(&l, buf, sizeof(buf));
		json_line_time(&l, NULL, ms);
		line = json_line_finish(&l);
		assert_int_equal(line.len, strlen(expected));
		assert_memory_equal(line.p, expected, line.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_every_buffer_that_is_too_short),
		cmocka_unit_test(test_each_byte_at_each_place),
		cmocka_unit_test(test_each_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
