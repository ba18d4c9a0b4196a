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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_names),
		cmocka_unit_test(test_log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
