/*
 * One shard's timers: a hierarchical wheel of one-shot deadlines under an explicit clock, so that
 * tests run a 32-second timer in no time. A timer's place is in its owner: arming never allocates
 * and cannot fail. One thread.
 */
#ifndef SALLYPORT_CONTROL_TIMERS_H
#define SALLYPORT_CONTROL_TIMERS_H

#include "base.h"

#define TIMERS_BITS 8 /* of the due time, in milliseconds, a level */
#define TIMERS_SLOTS (1u << TIMERS_BITS)
#define TIMERS_LEVELS 5 /* 2^40 ms are 34 years; what is later waits in the last slot */

typedef void (*timer_fn)(void *ctx);

/** Embedded in its owner; zeroed is "not armed". */
struct timer {
	struct timer *next, **at; /* in the list of its slot; at: what points to it */
	uint64_t due_ms;
	timer_fn fn;
	void *ctx;
	uint32_t run;  /* timers_run() calls before it was armed */
	uint16_t slot; /* 1-based, over all levels; 0: not armed */
};

struct timers {
	uint64_t now_ms;
	uint64_t wheel_ms; /* all that was due before is called; at most now_ms */
	uint32_t run;
	size_t n; /* armed */
	struct timers_list {
		struct timer *first, **last;
	} slot[TIMERS_LEVELS * TIMERS_SLOTS];
	uint64_t used[TIMERS_LEVELS][TIMERS_SLOTS / 64]; /* a bit a slot that is not empty */
};

void timers_init(struct timers *t, uint64_t now_ms);
/** Forgets armed timers without calling them. */
void timers_fini(struct timers *t);
/** Arm or re-arm, `after_ms` from t->now_ms. */
void timer_arm(struct timers *t, struct timer *timer, uint64_t after_ms, timer_fn fn, void *ctx);
/** No-op when not armed. */
void timer_cancel(struct timers *t, struct timer *timer);
/**
 * Set the clock (it never goes back) and call what is due, in order of due time, then of arming.
 * A timer is disarmed before its call. What a call arms waits for the next run, even with 0 ms.
 */
void timers_run(struct timers *t, uint64_t now_ms);
/**
 * Milliseconds until timers_run() has something to do (0: now): at most until the next one is due;
 * earlier where the wheel must turn before it knows more. UINT64_MAX when none is armed.
 */
uint64_t timers_next_ms(const struct timers *t);

#endif
