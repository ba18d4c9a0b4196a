/*
 * The overload controller under a virtual clock: a server of known capacity, callers that send
 * their INVITEs again, and as much load as one likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "overload.h"

/* --- a shard in a glass --- */

enum work { WORK_INVITE, WORK_ANSWERS, WORK_BYE, WORK_COUNT };

/* Microseconds of the server: 1,000 calls a second are all it can do. */
static const unsigned int cost_us[WORK_COUNT] = {500, 300, 200};
#define REFUSAL_US 50
#define PEAK 1000
#define ANSWER_MS 20
#define HOLD_MS 3000
#define PATIENCE_MS 500 /* timer A: the INVITE again */
#define TRIES 4

struct item {
	uint32_t call;
	uint32_t since_ms;
	uint8_t work;
};

#define CALLS_MAX 200000
#define QUEUE_MAX (1u << 20)
#define DUE_MAX 4096 /* a millisecond's */

struct world {
	struct config config;
	struct overload *o;
	uint64_t now_ms;
	struct item *queue;
	uint32_t head, tail;
	struct {
		struct item *item;
		unsigned int n;
	} due[8192];   /* by millisecond, round and round */
	uint8_t *seen; /* of a call: its INVITE was worked on or refused */
	uint8_t *tries;
	uint32_t calls;
	double offered, spare_us;
	unsigned int done, refused, byes, accepted;
	uint64_t wait_max_ms;
};

static void later(struct world *w, uint32_t after_ms, uint32_t call, enum work work)
{
	uint64_t at = (w->now_ms + after_ms) % ARRAY_LEN(w->due);
	struct item *i = &w->due[at].item[w->due[at].n++];

	assert_true(w->due[at].n < DUE_MAX);
	*i = (struct item){.call = call, .work = (uint8_t)work};
}

static struct world *world_new(uint32_t delay_ms, uint32_t rate)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->config.ops.overload.delay_ms = delay_ms;
	w->config.ops.overload.call_rate = rate;
	w->now_ms = 1000;
	w->o = overload_new(&w->config, 1, w->now_ms);
	w->queue = calloc(QUEUE_MAX, sizeof(*w->queue));
	w->seen = calloc(CALLS_MAX, 1);
	w->tries = calloc(CALLS_MAX, 1);
	for (size_t i = 0; i < ARRAY_LEN(w->due); i++)
		w->due[i].item = calloc(DUE_MAX, sizeof(struct item));
	return w;
}

static void world_free(struct world *w)
{
	overload_free(w->o);
	for (size_t i = 0; i < ARRAY_LEN(w->due); i++)
		free(w->due[i].item);
	free(w->queue);
	free(w->seen);
	free(w->tries);
	free(w);
}

static uint64_t key_of(uint32_t call)
{
	uint64_t x = (call + 1) * 0x9e3779b97f4a7c15ull;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static void arrive(struct world *w, const struct item *i)
{
	struct item *to = &w->queue[w->tail++ % QUEUE_MAX];

	*to = *i;
	to->since_ms = (uint32_t)w->now_ms;
	if (i->work != WORK_INVITE || w->seen[i->call] || ++w->tries[i->call] > TRIES)
		return;
	later(w, PATIENCE_MS << (w->tries[i->call] - 1), i->call, WORK_INVITE);
}

/* @return microseconds that it took. */
static unsigned int serve(struct world *w, const struct item *i)
{
	uint64_t wait_ms = w->now_ms - i->since_ms;

	overload_note_wait(w->o, wait_ms * 1000);
	if (wait_ms > w->wait_max_ms)
		w->wait_max_ms = wait_ms;
	switch (i->work) {
	case WORK_INVITE:
		if (w->seen[i->call])
			return REFUSAL_US; /* a retransmission */
		w->seen[i->call] = 1;
		if (!overload_admit(w->o, w->now_ms, key_of(i->call), true)) {
			w->refused++;
			return REFUSAL_US;
		}
		w->accepted++;
		later(w, ANSWER_MS, i->call, WORK_ANSWERS);
		break;
	case WORK_ANSWERS:
		later(w, HOLD_MS, i->call, WORK_BYE);
		w->done++;
		break;
	default:
		w->byes++;
		break;
	}
	return cost_us[i->work];
}

static void run(struct world *w, double calls_s, unsigned int ms)
{
	while (ms-- > 0) {
		unsigned int slot = (unsigned int)(w->now_ms % ARRAY_LEN(w->due));

		for (w->offered += calls_s / 1000; w->offered >= 1; w->offered--)
			arrive(w, &(struct item){.call = w->calls++, .work = WORK_INVITE});
		assert_true(w->calls < CALLS_MAX);
		for (unsigned int i = 0; i < w->due[slot].n; i++)
			if (w->due[slot].item[i].work != WORK_INVITE ||
				!w->seen[w->due[slot].item[i].call])
				arrive(w, &w->due[slot].item[i]);
		w->due[slot].n = 0;
		overload_tick(w->o, w->now_ms);
		w->spare_us += 1000;
		while (w->spare_us > 0 && w->head != w->tail)
			w->spare_us -= serve(w, &w->queue[w->head++ % QUEUE_MAX]);
		if (w->head == w->tail) {
			w->spare_us = w->spare_us < 0 ? w->spare_us : 0;
			overload_note_wait(w->o, 0);
		}
		w->now_ms++;
	}
}

/* Calls that were set up a second, after the controller has found its share. */
static double goodput(struct world *w, double calls_s)
{
	unsigned int before;

	run(w, calls_s, 5000);
	before = w->done;
	w->wait_max_ms = 0;
	run(w, calls_s, 10000);
	return (w->done - before) / 10.0;
}

/* --- the promises --- */

static void test_below_capacity(void **state)
{
	struct world *w = world_new(100, 0);

	run(w, 0.9 * PEAK, 20000);
	assert_int_equal(w->refused, 0);
	assert_int_equal(overload_percent(w->o), 0);
	world_free(w);
}

/* Without it, overload is the end: the queue grows, and INVITEs come again and again. */
static void test_collapse_without(void **state)
{
	struct world *w = world_new(0, 0);

	run(w, 4 * PEAK, 5000);
	assert_true(w->wait_max_ms > 2000);
	world_free(w);
}

static void test_above_capacity(void **state)
{
	static const double times[] = {1.1, 1.5, 2, 4, 8};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct world *w = world_new(100, 0);
		/* A refusal costs something: what is left for calls is less. */
		double offered = times[i] * PEAK, per_call = 1000, per_refusal = REFUSAL_US;
		double best = (1e6 - offered * per_refusal) / (per_call - per_refusal);
		double got = goodput(w, offered);

		print_message("%.1f x: %.0f calls/s of %.0f, at most %u ms\n", times[i], got, best,
			(unsigned int)w->wait_max_ms);
		assert_true(got >= 0.9 * (best < PEAK ? best : PEAK));
		assert_true(w->wait_max_ms < 400);
		/* What was accepted comes to its end, every one. */
		run(w, 0, 8000);
		assert_int_equal(w->done, w->accepted);
		assert_int_equal(w->byes, w->accepted);
		world_free(w);
	}
}

static void test_it_ends(void **state)
{
	struct world *w = world_new(100, 0);
	unsigned int refused;

	run(w, 4 * PEAK, 8000);
	assert_true(overload_percent(w->o) > 50);
	run(w, 0.5 * PEAK, 6000); /* the BYEs of what was accepted are in there */
	refused = w->refused;
	run(w, 0.5 * PEAK, 5000);
	assert_int_equal(w->refused, refused);
	world_free(w);
}

/* One stall of the process, as of a busy machine, is not overload. */
static void test_stall(void **state)
{
	struct world *w = world_new(100, 0);

	run(w, 0.5 * PEAK, 3000);
	w->spare_us -= 400000;
	run(w, 0.5 * PEAK, 5000);
	assert_true(w->refused < PEAK / 4);
	assert_int_equal(overload_percent(w->o), 0);
	/* Nor is a sleep, whatever was before. */
	run(w, 4 * PEAK, 5000);
	run(w, 0, 5000);
	w->now_ms += 10000;
	overload_tick(w->o, w->now_ms);
	assert_int_equal(overload_percent(w->o), 0);
	world_free(w);
}

static void test_rate(void **state)
{
	struct config c = {.ops.overload.call_rate = 100};
	struct overload *o = overload_new(&c, 2, 5000);
	unsigned int admitted = 0;

	for (unsigned int ms = 0; ms < 10000; ms += 5) /* 200 a second */
		admitted += overload_admit(o, 5000 + ms, key_of(ms), true);
	assert_in_range(admitted, 50 * 10, 50 * 11);
	assert_int_equal(overload_get_stats(o)->refused_rate, 2000 - admitted);
	/* Other requests are no calls. */
	assert_true(overload_admit(o, 15000, key_of(1), false));
	overload_free(o);
}

/* A caller that did not hear its refusal is refused again, not let in while it gives up. */
static void test_same_luck(void **state)
{
	struct config c = {.ops.overload.call_rate = 1};
	struct overload *o = overload_new(&c, 1, 5000);

	assert_true(overload_admit(o, 5000, key_of(1), true));
	assert_false(overload_admit(o, 5000, key_of(2), true));
	assert_false(overload_admit(o, 9000, key_of(2), true));
	assert_int_equal(overload_get_stats(o)->refused_again, 1);
	assert_true(overload_admit(o, 9000, key_of(3), true));
	assert_true(overload_admit(o, 5000 + 32001, key_of(2), true));
	overload_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below_capacity),
		cmocka_unit_test(test_collapse_without),
		cmocka_unit_test(test_above_capacity),
		cmocka_unit_test(test_it_ends),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_same_luck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
