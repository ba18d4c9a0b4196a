/* The table of keys against a list that says which are in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "txn_table.h"

#define KEYS 600

static struct txn_key keys[KEYS];
static bool is_in[KEYS];

static void expect_all(const struct txn_table *t)
{
	size_t n = 0;

	for (unsigned int i = 0; i < KEYS; i++) {
		struct txn_key same = keys[i];

		assert_ptr_equal(txn_table_find(t, &same), is_in[i] ? &keys[i] : NULL);
		n += is_in[i];
	}
	assert_int_equal(t->n, n);
	assert_true(2 * t->n <= t->size);
}

/* @param spread  so many different first halves there are, all at the end of the array. */
static void run(uint64_t spread)
{
	struct txn_table t = {0};
	uint64_t random = 1;

	memset(is_in, 0, sizeof(is_in));
	for (unsigned int i = 0; i < KEYS; i++)
		keys[i] = (struct txn_key){{0 - (i % spread) - 1, i}};
	expect_all(&t);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i;

		random = random * 6364136223846793005u + 1442695040888963407u;
		i = (unsigned int)(random >> 33) % KEYS;
		if (is_in[i])
			txn_table_del(&t, &keys[i]);
		else
			assert_int_equal(txn_table_add(&t, &keys[i]), 0);
		is_in[i] = !is_in[i];
		if (step % 50 == 0)
			expect_all(&t);
	}
	expect_all(&t);
	txn_table_fini(&t);
	assert_null(txn_table_find(&t, &keys[0]));
}

static void test_like_a_list(void **state)
{
	run(KEYS);
}

/* Long runs of neighbours, round the end of the array; first halves that are equal. */
static void test_collisions(void **state)
{
	run(1);
	run(7);
	run(100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_a_list),
		cmocka_unit_test(test_collisions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
