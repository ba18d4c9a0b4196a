/* The timer heap against a plain list, order among equals, and arming inside calls. */
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
	assert_int_equal(timer_arm(p->timers, &p->timer, 0, rearm, p), 0);
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
		assert_int_equal(timer_arm(&t, &probes[i].timer, due[i], count, &probes[i]), 0);
	}
	/* Every seventh is cancelled, every fifth moved: it queues behind its equals then. */
	for (unsigned int i = 0; i < N; i++) {
		if (i % 7 == 0)
			timer_cancel(&t, &probes[i].timer);
		else if (i % 5 == 0)
			due[i] = random_next(&seed) % 100 + 100;
		if (i % 7 != 0 && i % 5 == 0)
			assert_int_equal(
				timer_arm(&t, &probes[i].timer, due[i], count, &probes[i]), 0);
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

static void test_hold_counts(void **state)
{
	struct probe p[3] = {0};
	struct timers t;

	timers_init(&t, 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(timer_hold(&t, &p[i].timer), 0);
	assert_int_equal(timer_hold(&t, &p[0].timer), 0);
	assert_int_equal(t.held, 3);
	timer_arm(&t, &p[0].timer, 1, count, &p[0]);
	timer_release(&t, &p[0].timer);
	assert_int_equal(t.n, 0);
	timer_release(&t, &p[0].timer);
	assert_int_equal(t.held, 2);
	timers_fini(&t);
}

/* After a rush the heap is as small as it was: nothing is kept for the next one. */
static void test_memory_goes_back(void **state)
{
	static struct probe p[1000];
	struct timers t;
	size_t cap;

	timers_init(&t, 0);
	assert_int_equal(timer_hold(&t, &p[0].timer), 0);
	cap = t.cap;
	for (unsigned int i = 1; i < 1000; i++)
		assert_int_equal(timer_hold(&t, &p[i].timer), 0);
	assert_true(t.cap >= 1000);
	for (unsigned int i = 999; i >= 1; i--) {
		timer_release(&t, &p[i].timer);
		assert_true(t.cap >= t.held);
	}
	assert_int_equal(t.cap, cap);
	assert_int_equal(timer_arm(&t, &p[0].timer, 1, count, &p[0]), 0);
	timers_run(&t, 1);
	assert_int_equal(p[0].calls, 1);
	timer_release(&t, &p[0].timer);
	timers_fini(&t);
}

static void do_nothing(void *ctx)
{
}

/* Many that are due at once give all their room back in that one run. */
static void test_one_run_gives_all_room_back(void **state)
{
	static struct timer many[5000];
	struct timers t;
	size_t rest;

	timers_init(&t, 0);
	assert_int_equal(timer_arm(&t, &many[0], 1, do_nothing, NULL), 0);
	timers_run(&t, 1);
	rest = t.cap;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		assert_int_equal(timer_arm(&t, &many[i], 1, do_nothing, NULL), 0);
	timers_run(&t, 2);
	assert_int_equal(t.cap, rest);
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
		cmocka_unit_test(test_hold_counts),
		cmocka_unit_test(test_one_run_gives_all_room_back),
		cmocka_unit_test(test_memory_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
