/* The policer of a flow: what passes of a rate, of a burst, of ten times the rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_police.h"

#define SECOND 1000000000ull
#define BEGIN (12345 * SECOND)

struct load {
	const char *name;
	struct rate_limit packets, bytes;
	uint32_t pps, len, seconds;
	uint32_t pass_min, pass_max; /* packets */
};

static const struct load loads[] = {
	{"within the rate nothing is lost", {51, 10}, {8800, 1720}, 50, 172, 600, 30000, 30000},
	{"at the rate exactly", {50, 10}, {8600, 1720}, 50, 172, 600, 30000, 30000},
	{"ten times the packets", {50, 10}, {0, 0}, 500, 172, 20, 1000, 1011},
	{"ten times the bytes", {0, 0}, {8600, 1720}, 500, 172, 20, 1000, 1012},
	{"ten times of both", {51, 10}, {8772, 1720}, 500, 172, 20, 1000, 1100},
	{"no limit", {0, 0}, {0, 0}, 10000, 1400, 2, 20000, 20000},
	{"burst 0 is 1", {50, 0}, {0, 0}, 50, 172, 2, 100, 100},
	{"a byte rate that the step cannot hold is its slowest", {0, 0}, {1, 1}, 100, 60, 10, 9,
		12},
	{"4 Gbit/s of bytes", {0, 0}, {500000000, 100000}, 400000, 1250, 1, 400000, 400000},
};

static void test_loads(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
		const struct load *l = &loads[i];
		struct flow_rate rate = flow_rate_make(&l->packets, &l->bytes);
		struct rtp_quality q = {0};
		uint32_t passed = 0;

		for (uint64_t n = 0; n < (uint64_t)l->pps * l->seconds; n++)
			passed += flow_police(&q, &rate, l->len, BEGIN + n * SECOND / l->pps);
		if (passed < l->pass_min || passed > l->pass_max)
			fail_msg("%s: %u passed", l->name, passed);
	}
}

/* A network that stalls and delivers all at once: within the burst nothing is lost. */
static void test_burst(void **state)
{
	struct flow_rate rate =
		flow_rate_make(&(struct rate_limit){50, 10}, &(struct rate_limit){8600, 1720});
	struct rtp_quality q = {0};

	for (unsigned int round = 0; round < 100; round++) {
		uint64_t now = BEGIN + round * SECOND / 5;

		for (unsigned int i = 0; i < 10; i++)
			assert_true(flow_police(&q, &rate, 172, now));
	}
	/* The same packets twice: the second ten are not there any more. */
	for (unsigned int i = 0; i < 10; i++)
		assert_true(flow_police(&q, &rate, 172, BEGIN + 21 * SECOND));
	assert_false(flow_police(&q, &rate, 172, BEGIN + 21 * SECOND));
}

/* What is refused costs nothing: after a flood the flow has its rate at once. */
static void test_refused_is_free(void **state)
{
	struct flow_rate rate =
		flow_rate_make(&(struct rate_limit){50, 5}, &(struct rate_limit){8600, 1000});
	struct rtp_quality q = {0};

	for (unsigned int i = 0; i < 100000; i++)
		flow_police(&q, &rate, 172, BEGIN);
	for (unsigned int i = 1; i < 100; i++)
		assert_true(flow_police(&q, &rate, 172, BEGIN + SECOND / 10 + i * SECOND / 50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_refused_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
