/*
 * A binary heap of timers, ordered by (due time, order of arming). Each timer knows
 * its slot, so that cancelling is O(log n) without a search.
 */
#include <errno.h>

#include "timers.h"

#define HEAP_FIRST_CAP 64

static bool earlier(const struct timer *a, const struct timer *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

static void place(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->slot = i + 1;
}

static void sift_up(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];

	while (i > 0 && earlier(timer, t->heap[(i - 1) / 2])) {
		place(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(t, i, timer);
}

static void sift_down(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= t->n)
			break;
		if (child + 1 < t->n && earlier(t->heap[child + 1], t->heap[child]))
			child++;
		if (!earlier(t->heap[child], timer))
			break;
		place(t, i, t->heap[child]);
		i = child;
	}
	place(t, i, timer);
}

/*
 * Make room for `want` entries. Armed held timers count twice in what callers ask for (in n and
 * in held), which costs eight bytes each and keeps the sum simple: cap never falls below the
 * number of held timers plus that of the armed others.
 */
static int make_room(struct timers *t, size_t want)
{
	size_t cap = t->cap != 0 ? t->cap : HEAP_FIRST_CAP;
	struct timer **heap;

	if (want <= t->cap)
		return 0;
	while (cap < want)
		cap *= 2;
	heap = realloc(t->heap, cap * sizeof(struct timer *));
	if (heap == NULL)
		return -ENOMEM;
	t->heap = heap;
	t->cap = cap;
	return 0;
}

/* Give room back after a busy time: half of it when a quarter would do, so that a load that
 * swings around one size does not move the heap each time. */
static void trim_room(struct timers *t)
{
	size_t want = t->n + t->held, cap = t->cap;
	struct timer **heap;

	while (cap > HEAP_FIRST_CAP && want <= cap / 4)
		cap /= 2;
	if (cap == t->cap)
		return;
	heap = realloc(t->heap, cap * sizeof(struct timer *));
	if (heap == NULL)
		return;
	t->heap = heap;
	t->cap = cap;
}

void timers_init(struct timers *t, uint64_t now_ms)
{
	*t = (struct timers){.now_ms = now_ms};
}

void timers_fini(struct timers *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->heap[i]->slot = 0;
	free(t->heap);
	*t = (struct timers){.now_ms = t->now_ms};
}

int timer_hold(struct timers *t, struct timer *timer)
{
	if (timer->held)
		return 0;
	if (make_room(t, t->n + t->held + 1) != 0)
		return -ENOMEM;
	timer->held = true;
	t->held++;
	return 0;
}

void timer_release(struct timers *t, struct timer *timer)
{
	timer_cancel(t, timer);
	if (timer->held) {
		timer->held = false;
		t->held--;
	}
	trim_room(t);
}

int timer_arm(struct timers *t, struct timer *timer, uint64_t after_ms, timer_fn fn, void *ctx)
{
	if (timer->slot == 0 && !timer->held && make_room(t, t->n + t->held + 1) != 0)
		return -ENOMEM;
	if (timer->slot == 0) {
		assert(t->n < t->cap);
		place(t, t->n++, timer);
	}
	timer->due_ms =
		after_ms > UINT64_MAX - 1 - t->now_ms ? UINT64_MAX - 1 : t->now_ms + after_ms;
	timer->seq = t->seq++;
	timer->fn = fn;
	timer->ctx = ctx;
	sift_up(t, timer->slot - 1);
	sift_down(t, timer->slot - 1);
	return 0;
}

void timer_cancel(struct timers *t, struct timer *timer)
{
	size_t i = timer->slot;
	struct timer *last;

	if (i == 0)
		return;
	i--;
	timer->slot = 0;
	last = t->heap[--t->n];
	if (last == timer)
		return;
	place(t, i, last);
	sift_up(t, i);
	sift_down(t, last->slot - 1);
}

void timers_run(struct timers *t, uint64_t now_ms)
{
	uint64_t end_seq = t->seq;

	if (now_ms > t->now_ms)
		t->now_ms = now_ms;
	/* What a call arms is due no earlier than now and has a later seq, so it sorts behind all
	 * that was due before: the loop ends even if a call arms itself again with 0 ms. */
	while (t->n > 0 && t->heap[0]->due_ms <= t->now_ms && t->heap[0]->seq < end_seq) {
		struct timer *timer = t->heap[0];

		timer_cancel(t, timer);
		timer->fn(timer->ctx);
	}
	trim_room(t);
}

uint64_t timers_next_ms(const struct timers *t)
{
	if (t->n == 0)
		return UINT64_MAX;
	return t->heap[0]->due_ms > t->now_ms ? t->heap[0]->due_ms - t->now_ms : 0;
}
