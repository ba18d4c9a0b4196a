/* SipHash-1-3 against outside results, spread over shards; drop names; log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach.h"
#include "drops.h"
#include "log.h"

/* A prime near 2^32: the remainder shows the whole hash. */
#define PRIME 4294967291u

static void test_known_hashes(void **state)
{
	/* hash() of CPython 3.11 (siphash13) under PYTHONHASHSEED=0, modulo PRIME. */
	static const struct {
		struct str_view text;
		unsigned int rest;
	} cases[] = {
		{SV("a"), 4209017906},
		{SV("0123456"), 1419538666},
		{SV("01234567"), 3357505333},
		{SV("012345678"), 2389230316},
		{SV("3848276298220188511@atlanta.example.com"), 1254830867},
	};
	static const uint64_t zero[2], key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(shard_hash(zero, cases[i].text, PRIME), cases[i].rest);
	/* The reference key over nothing: 0xabac0158050fc4dc. */
	assert_int_equal(shard_hash(key, SV(""), PRIME), 0xabac0158050fc4dcull % PRIME);
}

static void test_spread_and_range(void **state)
{
	static const uint64_t key[2] = {1, 2};
	unsigned int seen[API_SHARDS_MAX] = {0}, moved = 0;

	for (unsigned int i = 0; i < 32000; i++) {
		static const uint64_t other[2] = {1, 3};
		char text[32];
		struct str_view v = {text, (size_t)snprintf(text, sizeof(text), "%u@host", i)};
		unsigned int shard = shard_hash(key, v, API_SHARDS_MAX);

		assert_true(shard < API_SHARDS_MAX);
		seen[shard]++;
		moved += shard != shard_hash(other, v, API_SHARDS_MAX);
		assert_int_equal(shard_hash(key, v, 1), 0);
	}
	for (unsigned int i = 0; i < API_SHARDS_MAX; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_true(moved > 28000);
}

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
		cmocka_unit_test(test_known_hashes),
		cmocka_unit_test(test_spread_and_range),
		cmocka_unit_test(test_drop_names),
		cmocka_unit_test(test_log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
