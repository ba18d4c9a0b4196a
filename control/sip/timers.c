/*
 * A hierarchical timing wheel (Varghese and Lauck, scheme 6). Level 0 has a slot for each
 * millisecond of the 256 that wheel_ms is in, level 1 one for each 256 ms of the 65,536 around
 * those, and so on: a timer lies on the level of the highest digit (of 8 bits) in which its due
 * time differs from wheel_ms. When wheel_ms comes to a slot of a higher level, what lies there goes
 * down. Lists keep the order of arming: a slot is emptied downwards before anything can be armed
 * into its range directly.
 */
#include "timers.h"

static unsigned int digit(uint64_t ms, unsigned int level)
{
	return (unsigned int)(ms >> (level * TIMERS_BITS)) & (TIMERS_SLOTS - 1);
}

static void list_clear(struct timers_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void link_timer(struct timers *t, struct timer *timer)
{
	uint64_t differs = timer->due_ms ^ t->wheel_ms;
	unsigned int level = 0, index;
	struct timers_list *l;

	while (level < TIMERS_LEVELS - 1 && differs >> ((level + 1) * TIMERS_BITS) != 0)
		level++;
	/* Beyond the last level: the farthest slot of it, from where it is put anew. */
	index = differs >> (TIMERS_LEVELS * TIMERS_BITS) != 0 ? TIMERS_SLOTS - 1
							      : digit(timer->due_ms, level);
	l = &t->slot[level * TIMERS_SLOTS + index];
	timer->next = NULL;
	timer->at = l->last;
	*l->last = timer;
	l->last = &timer->next;
	timer->slot = (uint16_t)(level * TIMERS_SLOTS + index + 1);
	t->used[level][index / 64] |= 1ull << (index % 64);
}

static void unlink_timer(struct timers *t, struct timer *timer)
{
	unsigned int slot = timer->slot - 1u;
	struct timers_list *l = &t->slot[slot];

	*timer->at = timer->next;
	if (timer->next != NULL)
		timer->next->at = timer->at;
	else
		l->last = timer->at;
	if (l->first == NULL)
		t->used[slot / TIMERS_SLOTS][slot % TIMERS_SLOTS / 64] &= ~(1ull << (slot % 64));
	timer->slot = 0;
}

/* The first used slot of a level from `from` on. @return TIMERS_SLOTS: none. */
static unsigned int used_find(const struct timers *t, unsigned int level, unsigned int from)
{
	for (unsigned int i = from / 64; i < TIMERS_SLOTS / 64; i++) {
		uint64_t bits = t->used[level][i];

		if (i == from / 64)
			bits &= ~0ull << (from % 64);
		if (bits != 0)
			return i * 64 + (unsigned int)__builtin_ctzll(bits);
	}
	return TIMERS_SLOTS;
}

void timers_init(struct timers *t, uint64_t now_ms)
{
	memset(t, 0, sizeof(*t));
	t->now_ms = t->wheel_ms = now_ms;
	for (size_t i = 0; i < ARRAY_LEN(t->slot); i++)
		list_clear(&t->slot[i]);
}

void timers_fini(struct timers *t)
{
	for (size_t i = 0; i < ARRAY_LEN(t->slot); i++)
		for (struct timer *timer = t->slot[i].first; timer != NULL; timer = timer->next)
			timer->slot = 0;
	timers_init(t, t->now_ms);
}

void timer_arm(struct timers *t, struct timer *timer, uint64_t after_ms, timer_fn fn, void *ctx)
{
	timer_cancel(t, timer);
	timer->due_ms =
		after_ms > UINT64_MAX - 1 - t->now_ms ? UINT64_MAX - 1 : t->now_ms + after_ms;
	timer->run = t->run;
	timer->fn = fn;
	timer->ctx = ctx;
	link_timer(t, timer);
	t->n++;
}

void timer_cancel(struct timers *t, struct timer *timer)
{
	if (timer->slot == 0)
		return;
	unlink_timer(t, timer);
	t->n--;
}

/* When the wheel has something to do next: calls, or a slot that goes down. UINT64_MAX: never. */
static uint64_t next_event(const struct timers *t)
{
	for (unsigned int level = 0; level < TIMERS_LEVELS; level++) {
		unsigned int here = digit(t->wheel_ms, level);
		/* The slot of a higher level that wheel_ms is in has gone down already. */
		unsigned int index = used_find(t, level, here + (level > 0));
		unsigned int shift = level * TIMERS_BITS;

		if (index < TIMERS_SLOTS)
			return (t->wheel_ms >> shift >> TIMERS_BITS << TIMERS_BITS | index)
			       << shift;
	}
	return UINT64_MAX;
}

/* wheel_ms comes to `ms`: what lies in its slots of higher levels, where they are other ones than
 * before, goes down. */
static void turn_to(struct timers *t, uint64_t ms)
{
	uint64_t differs = t->wheel_ms ^ ms;

	t->wheel_ms = ms;
	for (unsigned int level = TIMERS_LEVELS - 1; level > 0; level--) {
		unsigned int index = digit(ms, level);
		struct timers_list *l = &t->slot[level * TIMERS_SLOTS + index];
		struct timer *timer = l->first, *next;

		if (differs >> (level * TIMERS_BITS) == 0)
			continue;
		list_clear(l);
		t->used[level][index / 64] &= ~(1ull << (index % 64));
		for (; timer != NULL; timer = next) {
			next = timer->next;
			link_timer(t, timer);
		}
	}
}

void timers_run(struct timers *t, uint64_t now_ms)
{
	uint64_t event;

	if (now_ms > t->now_ms)
		t->now_ms = now_ms;
	t->run++;
	while ((event = next_event(t)) <= t->now_ms) {
		struct timers_list *due;

		turn_to(t, event);
		due = &t->slot[digit(event, 0)];
		/* What a call arms lies behind all that was armed before. */
		while (due->first != NULL && due->first->run != t->run) {
			struct timer *timer = due->first;

			timer_cancel(t, timer);
			timer->fn(timer->ctx);
		}
		if (event == t->now_ms)
			return;
	}
	turn_to(t, t->now_ms);
}

uint64_t timers_next_ms(const struct timers *t)
{
	uint64_t event = next_event(t);

	if (event == UINT64_MAX)
		return UINT64_MAX;
	return event > t->now_ms ? event - t->now_ms : 0;
}
