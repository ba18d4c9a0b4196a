/* SipHash-1-3 against outside results, and its spread over shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attach.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_hashes),
		cmocka_unit_test(test_spread_and_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
