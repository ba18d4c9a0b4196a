/*
 * One shard's timers: a heap of one-shot deadlines under an explicit clock, so
 * that tests run a 32-second timer in no time. One thread.
 */
#ifndef SALLYPORT_CONTROL_TIMERS_H
#define SALLYPORT_CONTROL_TIMERS_H

#include "base.h"

typedef void (*timer_fn)(void *ctx);

/** Embedded in its owner; zeroed is "not armed". */
struct timer {
	uint64_t due_ms;
	timer_fn fn;
	void *ctx;
	uint64_t seq; /* order of arming, breaks ties */
	size_t slot;  /* 1-based place in the heap; 0: not armed */
	bool held;    /* room is set aside, see timer_hold() */
};

struct timers {
	struct timer **heap;
	size_t n, cap;
	size_t held; /* timers with room set aside */
	uint64_t now_ms;
	uint64_t seq;
};

void timers_init(struct timers *t, uint64_t now_ms);
/** Forgets armed timers without calling them. */
void timers_fini(struct timers *t);
/** Arm or re-arm, `after_ms` from t->now_ms. @return 0 or -ENOMEM. */
int timer_arm(struct timers *t, struct timer *timer, uint64_t after_ms, timer_fn fn, void *ctx);
/**
 * Set room aside, so that arming this timer cannot fail until timer_release(). For owners that
 * could not live on without their timers. @return 0 or -ENOMEM.
 */
int timer_hold(struct timers *t, struct timer *timer);
/** Cancels it and gives the room back. No-op on a zeroed timer. */
void timer_release(struct timers *t, struct timer *timer);
/** No-op when not armed. */
void timer_cancel(struct timers *t, struct timer *timer);
/**
 * Set the clock (it never goes back) and call what is due, in order of due time, then of arming.
 * A timer is disarmed before its call. What a call arms waits for the next run, even with 0 ms.
 */
void timers_run(struct timers *t, uint64_t now_ms);
/** Milliseconds until the next one is due (0: now); UINT64_MAX when none is armed. */
uint64_t timers_next_ms(const struct timers *t);

#endif
