/*
 * The policer's table: rate, burst, bound, eviction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "source_table.h"
#include "token.h"

#define SECOND 1000000000ull

static const uint64_t key[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};

static struct net_addr source(uint32_t n)
{
	return net_addr_v4(&n);
}

static unsigned int takes(struct source_table *t, uint32_t src, uint16_t realm, uint32_t rate,
	uint32_t burst, uint64_t now, unsigned int tries)
{
	struct net_addr a = source(src);
	unsigned int n = 0;

	for (unsigned int i = 0; i < tries; i++)
		n += source_table_take(t, &a, realm, rate, burst, now);
	return n;
}

static void token_bucket_table(void **state)
{
	static const struct {
		uint32_t rate, burst;
		uint64_t step_ns;
		unsigned int tries, passed;
	} cases[] = {
		{10, 5, 0, 100, 5},		   /* all at once: the burst */
		{10, 1, SECOND / 10, 100, 100},	   /* at the rate: all */
		{10, 1, SECOND / 20, 100, 50},	   /* at twice the rate: half */
		{10, 20, SECOND / 1000, 1000, 29}, /* a second: the burst and the rate */
		{0, 0, 0, 1000, 1000},		   /* no limit */
		{10, 0, 0, 10, 1},		   /* a burst of none is one */
		{4000000000u, 2, 0, 10, 2},	   /* steps below a nanosecond */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t full = 0, now = SECOND;
		unsigned int passed = 0;

		for (unsigned int k = 0; k < cases[i].tries; k++, now += cases[i].step_ns)
			passed += token_take(&full, cases[i].rate, cases[i].burst, now);
		assert_int_equal(passed, cases[i].passed);
	}
}

static void rate_and_burst_of_each_source(void **state)
{
	struct source_table *t = source_table_new(1024, key);

	assert_non_null(t);
	assert_int_equal(takes(t, 1, 0, 10, 5, SECOND, 20), 5);
	/* another source, and the same in another realm, have their own */
	assert_int_equal(takes(t, 2, 0, 10, 5, SECOND, 20), 5);
	assert_int_equal(takes(t, 1, 1, 10, 5, SECOND, 20), 5);
	assert_int_equal(source_table_used(t), 3);
	/* 0.3 s later three more */
	assert_int_equal(takes(t, 1, 0, 10, 5, SECOND + 3 * SECOND / 10, 20), 3);
	/* long after, the burst again and not more */
	assert_int_equal(takes(t, 1, 0, 10, 5, 100 * SECOND, 20), 5);
	source_table_free(t);
}

static void flood_of_sources_is_bounded(void **state)
{
	struct source_table *t = source_table_new(64, key);
	size_t bytes = source_table_bytes(t);
	unsigned int passed = 0;

	assert_int_equal(source_table_size(t), 64);
	/* A hundred thousand sources at once: each place passes one, each overflow bucket one. */
	for (uint32_t s = 0; s < 100000; s++)
		passed += takes(t, s, 0, 1, 1, SECOND, 1);
	assert_int_equal(passed, 64 + 8);
	assert_int_equal(source_table_used(t), 64);
	assert_int_equal(source_table_bytes(t), bytes);
	source_table_free(t);
}

static void full_bucket_gives_its_place(void **state)
{
	struct source_table *t = source_table_new(8, key); /* one set */
	unsigned int passed = 0;

	for (uint32_t s = 0; s < 8; s++)
		passed += takes(t, s, 0, 1, 1, SECOND, 1);
	assert_int_equal(passed, 8);
	/* the overflow bucket is one for all */
	assert_int_equal(takes(t, 100, 0, 1, 1, SECOND, 1), 1);
	assert_int_equal(takes(t, 101, 0, 1, 1, SECOND, 1), 0);
	/* a second later all are full again: a newcomer takes a place of its own */
	assert_int_equal(takes(t, 102, 0, 1, 2, 2 * SECOND, 3), 2);
	/* one that still owes is not evicted by those that come after */
	for (uint32_t s = 200; s < 300; s++)
		takes(t, s, 0, 1, 1, 2 * SECOND, 1);
	assert_int_equal(takes(t, 102, 0, 1, 2, 2 * SECOND, 3), 0);
	assert_int_equal(source_table_used(t), 8);
	source_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_bucket_table),
		cmocka_unit_test(rate_and_burst_of_each_source),
		cmocka_unit_test(flood_of_sources_is_bounded),
		cmocka_unit_test(full_bucket_gives_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
