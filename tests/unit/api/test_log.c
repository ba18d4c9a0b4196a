/* Log lines that peers cannot forge, and the names of drop reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"
#include "drops.h"
#include "log.h"

static void test_drop_names(void **state)
{
	assert_string_equal(drop_reason_name(DROP_ETH_SHORT), "eth_short");
	assert_string_equal(drop_reason_name(DROP_RECORD_MALFORMED), "record_malformed");
	assert_string_equal(drop_reason_name(DROP_COUNT), "unknown");
	for (unsigned int i = 0; i < DROP_COUNT; i++) {
		assert_non_null(drop_reason_name(i));
		assert_true(strlen(drop_reason_help(i)) > 10);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(drop_reason_name(i), drop_reason_name(j));
	}
}

/* What one call writes to stderr. */
static void capture(char *out, size_t size, enum log_level level, const char *text)
{
	int saved = dup(STDERR_FILENO), p[2];
	ssize_t n;

	assert_int_equal(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	log_write(level, "%s", text);
	dup2(saved, STDERR_FILENO);
	close(p[1]);
	n = read(p[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	close(p[0]);
	close(saved);
}

static void test_log_lines(void **state)
{
	char out[4096], text[4000];

	unsetenv("JOURNAL_STREAM");
	capture(out, sizeof(out), LOG_LEVEL_WARN, "who=\"a\"\r\nERROR forged\x1b[2J\x7f");
	assert_string_equal(out, "WARN who=\"a\"\\x0d\\x0aERROR forged\\x1b[2J\\x7f\n");
	capture(out, sizeof(out), LOG_LEVEL_DEBUG, "quiet");
	assert_string_equal(out, "");
	setenv("JOURNAL_STREAM", "8:1", 1);
	capture(out, sizeof(out), LOG_LEVEL_ERROR, "x=1");
	assert_string_equal(out, "<3>ERROR x=1\n");
	unsetenv("JOURNAL_STREAM");
	/* However long: one line, ended. */
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture(out, sizeof(out), LOG_LEVEL_ERROR, text);
	assert_true(strlen(out) > 1000 && strlen(out) <= 2048);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

/* Ten at once, then one a second, and none of those left out is forgotten. */
static void test_limit(void **state)
{
	static const struct {
		uint64_t at_ms;
		unsigned int tries, passed;
		uint64_t suppressed; /* told with the first that passes */
	} steps[] = {
		{5000, 1000, 10, 0},
		{5999, 5, 0, 0},
		{6000, 5, 1, 995},
		{9000, 5, 3, 4},
		{60000, 11, 10, 2},
	};
	struct log_limit l = {0};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		unsigned int passed = 0;
		uint64_t suppressed;

		for (unsigned int n = 0; n < steps[i].tries; n++) {
			if (!log_limit_take(&l, steps[i].at_ms * 1000000, &suppressed))
				continue;
			assert_int_equal(suppressed, passed++ == 0 ? steps[i].suppressed : 0);
		}
		assert_int_equal(passed, steps[i].passed);
	}
}

/* stderr goes to a file until it is read by lines_end(). */
static FILE *lines_begin(int *saved)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	*saved = dup(STDERR_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	return f;
}

static unsigned int lines_end(FILE *f, int saved, char *last, size_t size)
{
	unsigned int n = 0;

	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	while (fgets(last, (int)size, f) != NULL)
		n++;
	fclose(f);
	return n;
}

static void test_limited_lines(void **state)
{
	struct log_limit l = {0};
	char last[4096], text[4000];
	int saved;
	FILE *f = lines_begin(&saved);

	for (unsigned int i = 0; i < 1000; i++) {
		log_info_limited("one kind n=%u", i);
		log_info_limited("another kind n=%u", i);
		log_write_limited(&l, LOG_LEVEL_DEBUG, "not shown");
		log_write_limited(NULL, LOG_LEVEL_INFO, "not limited");
	}
	/* A slow machine may have taken more than a second for it. */
	assert_in_range(lines_end(f, saved, last, sizeof(last)), 1020, 1100);
	assert_int_equal(l.suppressed, 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	l.suppressed = UINT64_MAX;
	f = lines_begin(&saved);
	log_write_limited(&l, LOG_LEVEL_INFO, "%s", text);
	assert_int_equal(lines_end(f, saved, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "xxx (18446744073709551615 more suppressed)\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_names),
		cmocka_unit_test(test_log_lines),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limited_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
