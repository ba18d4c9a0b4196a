/* The timer wheel against a plain list, order among equals, and arming inside calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timers.h"

#define N 500

struct probe {
	struct timer timer;
	struct timers *timers;
	unsigned int calls;
	unsigned int rank; /* when it was called */
};

static unsigned int next_rank;

static void count(void *ctx)
{
	struct probe *p = ctx;

	p->calls++;
	p->rank = next_rank++;
}

static void rearm(void *ctx)
{
	struct probe *p = ctx;

	p->calls++;
	timer_arm(p->timers, &p->timer, 0, rearm, p);
}

static uint32_t random_next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void test_calls_in_order_of_due_time_then_arming(void **state)
{
	static struct probe probes[N];
	uint64_t due[N];
	struct timers t;
	uint32_t seed = 7;

	timers_init(&t, 1000);
	memset(probes, 0, sizeof(probes));
	next_rank = 0;
	for (unsigned int i = 0; i < N; i++) {
		due[i] = random_next(&seed) % 100;
		timer_arm(&t, &probes[i].timer, due[i], count, &probes[i]);
	}
	/* Every seventh is cancelled, every fifth moved: it queues behind its equals then. */
	for (unsigned int i = 0; i < N; i++) {
		if (i % 7 == 0)
			timer_cancel(&t, &probes[i].timer);
		else if (i % 5 == 0)
			due[i] = random_next(&seed) % 100 + 100;
		if (i % 7 != 0 && i % 5 == 0)
			timer_arm(&t, &probes[i].timer, due[i], count, &probes[i]);
	}
	for (uint64_t now = 1000; now < 1200; now++) {
		timers_run(&t, now);
		for (unsigned int i = 0; i < N; i++)
			assert_int_equal(probes[i].calls, i % 7 != 0 && 1000 + due[i] <= now);
	}
	for (unsigned int i = 0; i < N; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (i % 7 != 0 && j % 7 != 0 && due[i] == due[j])
				assert_true(probes[j].rank < probes[i].rank);
		}
	}
	assert_int_equal(timers_next_ms(&t), UINT64_MAX);
	timers_fini(&t);
}

static void test_one_late_run_keeps_the_order(void **state)
{
	struct probe a = {0}, b = {0}, c = {0};
	struct timers t;

	timers_init(&t, 0);
	next_rank = 0;
	timer_arm(&t, &a.timer, 300, count, &a);
	timer_arm(&t, &b.timer, 100, count, &b);
	timer_arm(&t, &c.timer, 200, count, &c);
	assert_int_equal(timers_next_ms(&t), 100);
	timers_run(&t, 60000);
	assert_int_equal(b.rank, 0);
	assert_int_equal(c.rank, 1);
	assert_int_equal(a.rank, 2);
	timers_fini(&t);
}

static void test_the_clock_never_goes_back(void **state)
{
	struct probe p = {0};
	struct timers t;

	timers_init(&t, 500);
	timers_run(&t, 100);
	assert_int_equal(t.now_ms, 500);
	timer_arm(&t, &p.timer, 10, count, &p);
	timers_run(&t, 400);
	assert_int_equal(p.calls, 0);
	timers_run(&t, 510);
	assert_int_equal(p.calls, 1);
	timers_fini(&t);
}

static void test_zero_armed_in_a_call_waits_for_the_next_run(void **state)
{
	struct timers t;
	struct probe p = {.timers = &t};

	timers_init(&t, 0);
	timer_arm(&t, &p.timer, 5, rearm, &p);
	timers_run(&t, 5);
	assert_int_equal(p.calls, 1);
	assert_int_equal(timers_next_ms(&t), 0);
	timers_run(&t, 5);
	assert_int_equal(p.calls, 2);
	timers_fini(&t);
	assert_int_equal(p.timer.slot, 0);
}

static void test_a_far_deadline_does_not_wrap(void **state)
{
	struct probe p = {0};
	struct timers t;

	timers_init(&t, 1000);
	timer_arm(&t, &p.timer, UINT64_MAX, count, &p);
	timers_run(&t, 1u << 30);
	assert_int_equal(p.calls, 0);
	assert_true(timers_next_ms(&t) < UINT64_MAX);
	timers_fini(&t);
}

/* Due times of every level, each run exactly when it is due, whatever lies between the runs. */
static void test_every_level_and_step(void **state)
{
	static const uint64_t steps[] = {1, 7, 255, 256, 257, 1000, 65536, 70001};
	static struct probe probes[N];

	for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
		uint64_t due[N], now = 1000003, end;
		struct timers t;
		uint32_t seed = 11;

		timers_init(&t, now);
		memset(probes, 0, sizeof(probes));
		for (unsigned int i = 0; i < N; i++) {
			uint64_t after = random_next(&seed);

			/* Each third within a second, a minute, 20 of the largest steps. */
			after %= i % 3 == 0 ? 1000 : i % 3 == 1 ? 60000 : 20 * 70001;
			due[i] = now + after;
			timer_arm(&t, &probes[i].timer, after, count, &probes[i]);
		}
		end = now + (steps[s] < 255 ? 3000 : 21 * 70001);
		for (; now < end; now += steps[s]) {
			timers_run(&t, now);
			assert_true(timers_next_ms(&t) > 0);
			for (unsigned int i = 0; i < N; i++)
				assert_int_equal(probes[i].calls, due[i] <= now);
		}
		timers_fini(&t);
	}
}

/* Who sleeps for timers_next_ms() each time comes in time, and does not wake for ever. */
static void test_sleeping_until_the_next(void **state)
{
	struct probe p = {0};
	struct timers t;
	unsigned int wakes = 0;

	timers_init(&t, 12345);
	timer_arm(&t, &p.timer, 32000, count, &p);
	while (p.calls == 0) {
		uint64_t ms = timers_next_ms(&t);

		assert_true(ms != UINT64_MAX && t.now_ms + ms <= 12345 + 32000);
		timers_run(&t, t.now_ms + ms);
		wakes++;
	}
	assert_int_equal(t.now_ms, 12345 + 32000);
	assert_true(wakes <= TIMERS_LEVELS);
	assert_int_equal(timers_next_ms(&t), UINT64_MAX);
	timers_fini(&t);
}

/* A call may cancel what is due in the same millisecond, and what is not. */
static void cancel_others(void *ctx)
{
	struct probe *p = ctx;

	p[0].calls++;
	timer_cancel(p->timers, &p[1].timer);
	timer_cancel(p->timers, &p[2].timer);
	timer_cancel(p->timers, &p[2].timer);
}

static void test_cancelling_in_a_call(void **state)
{
	struct timers t;
	struct probe p[4] = {{.timers = &t}};

	timers_init(&t, 0);
	timer_arm(&t, &p[0].timer, 300, cancel_others, p);
	timer_arm(&t, &p[1].timer, 300, count, &p[1]);
	timer_arm(&t, &p[2].timer, 301, count, &p[2]);
	timer_arm(&t, &p[3].timer, 300, count, &p[3]);
	assert_int_equal(t.n, 4);
	timers_run(&t, 400);
	assert_int_equal(p[0].calls, 1);
	assert_int_equal(p[1].calls, 0);
	assert_int_equal(p[2].calls, 0);
	assert_int_equal(p[3].calls, 1);
	assert_int_equal(t.n, 0);
	assert_int_equal(timers_next_ms(&t), UINT64_MAX);
	timers_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_in_order_of_due_time_then_arming),
		cmocka_unit_test(test_one_late_run_keeps_the_order),
		cmocka_unit_test(test_the_clock_never_goes_back),
		cmocka_unit_test(test_zero_armed_in_a_call_waits_for_the_next_run),
		cmocka_unit_test(test_a_far_deadline_does_not_wrap),
		cmocka_unit_test(test_every_level_and_step),
		cmocka_unit_test(test_sleeping_until_the_next),
		cmocka_unit_test(test_cancelling_in_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
