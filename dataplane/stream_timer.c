#include <time.h>

#include "boundary.h"
#include "stream_priv.h"

/*
 * A wheel of one-second slots: each stream hangs in the slot of the second in which it
 * could be silent for too long at the earliest. It is looked at then and hung further on
 * if packets came since. Limits longer than the wheel are reached in several rounds.
 */
#define WHEEL_SLOTS 1024 /* power of two, seconds */
/* How often to look at a stream that cannot expire now (no limit, on hold, RTCP). */
#define WHEEL_RECHECK_S 30

static uint32_t wheel[WHEEL_SLOTS]; /* first stream of each slot */
static uint32_t wheel_second;	    /* last one that was processed */

uint32_t stream_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

void stream_timer_init(void)
{
	memset(wheel, 0, sizeof(wheel));
	wheel_second = stream_clock_ms() / 1000;
}

void stream_timer_del(uint32_t i)
{
	struct stream *s = &streams[i];

	if (s->wheel_prev != 0)
		streams[s->wheel_prev].wheel_next = s->wheel_next;
	else if (wheel[s->wheel_slot] == i)
		wheel[s->wheel_slot] = s->wheel_next;
	if (s->wheel_next != 0)
		streams[s->wheel_next].wheel_prev = s->wheel_prev;
	s->wheel_next = s->wheel_prev = 0;
}

static void wheel_hang(uint32_t i, uint32_t in_ms)
{
	struct stream *s = &streams[i];
	uint32_t seconds = in_ms / 1000 + 1;

	if (seconds > WHEEL_SLOTS - 1)
		seconds = WHEEL_SLOTS - 1;
	s->wheel_slot = (uint16_t)((wheel_second + seconds) & (WHEEL_SLOTS - 1));
	s->wheel_prev = 0;
	s->wheel_next = wheel[s->wheel_slot];
	if (s->wheel_next != 0)
		streams[s->wheel_next].wheel_prev = i;
	wheel[s->wheel_slot] = i;
}

/* The shorter of what the two realms allow; 0: never expires. */
static uint32_t stream_limit_ms(const struct stream *s)
{
	uint32_t a = local_realms[s->end[0].realm].media_idle_ms;
	uint32_t b = local_realms[s->end[1].realm].media_idle_ms;

	if (a == 0 || b == 0)
		return a | b;
	return a < b ? a : b;
}

/*
 * Silence is no fault of a stream on hold, nor of RTCP beside a call that lives, as
 * long as the control that set it is there to end it.
 */
static bool stream_may_be_silent(const struct stream *s)
{
	bool owned =
		stats_region != NULL && stats_region->attached && stats_region->epoch == s->epoch;

	return owned && (s->kind == STREAM_RTCP ||
				((s->end[0].flags | s->end[1].flags) & STREAM_END_RECEIVE) == 0);
}

/* One end's share of it; the clock wraps. */
static uint32_t end_silent_ms(const struct stream *s, unsigned int end, uint32_t now_ms)
{
	const struct stats_flow *live = &flow_live[s->flow[end]];
	uint32_t last = __atomic_load_n(&live->last_ms, __ATOMIC_RELAXED);
	uint32_t silent = now_ms - s->set_ms;

	if (__atomic_load_n(&live->packets, __ATOMIC_RELAXED) == 0)
		return silent;
	/* A packet of this very moment may carry a later time than ours. */
	if ((int32_t)(now_ms - last) < 0)
		return 0;
	return now_ms - last < silent ? now_ms - last : silent;
}

/* Silent for so long, both ends. */
static uint32_t stream_silent_ms(const struct stream *s, uint32_t now_ms)
{
	uint32_t a = end_silent_ms(s, 0, now_ms), b = end_silent_ms(s, 1, now_ms);

	return a < b ? a : b;
}

/* After how much silence of this end control is told; 0: never, also while anybody holds. */
static uint32_t end_report_ms(const struct stream *s, unsigned int end)
{
	if (s->kind == STREAM_RTCP || (s->end[0].flags & s->end[1].flags & STREAM_END_RECEIVE) == 0)
		return 0;
	return local_realms[s->end[end].realm].media_silent_ms;
}

/* Tell control of a silence that it was not told of. */
static void end_report(struct stream *s, unsigned int end, uint32_t now_ms)
{
	uint32_t limit = end_report_ms(s, end), silent = end_silent_ms(s, end, now_ms);

	if (limit == 0)
		return;
	/* Heard since then: this is another silence. */
	if (s->silence_told[end] && now_ms - s->silence_ms[end] > silent)
		s->silence_told[end] = false;
	if (s->silence_told[end] || silent < limit)
		return;
	s->silence_told[end] = true;
	s->silence_ms[end] = now_ms;
	stream_tell_silent(s, end);
}

/* When to look again for the sake of `limit`. */
static uint32_t recheck_ms(uint32_t limit, uint32_t silent)
{
	if (limit == 0)
		return WHEEL_RECHECK_S * 1000;
	/* Told already: the next one lasts as long. */
	return silent < limit ? limit - silent : limit;
}

void stream_timer_add(uint32_t i, uint32_t now_ms)
{
	const struct stream *s = &streams[i];
	uint32_t limit = stream_may_be_silent(s) ? 0 : stream_limit_ms(s);
	uint32_t next = recheck_ms(limit, stream_silent_ms(s, now_ms));

	for (unsigned int end = 0; end < 2; end++) {
		uint32_t ms = recheck_ms(end_report_ms(s, end), end_silent_ms(s, end, now_ms));

		next = ms < next ? ms : next;
	}
	wheel_hang(i, next);
}

static void stream_check(uint32_t i, uint32_t now_ms)
{
	struct stream *s = &streams[i];
	uint32_t limit = stream_limit_ms(s);
	uint8_t group = stream_group(s);
	struct rec_stream_event gone;

	if (limit == 0 || stream_may_be_silent(s) || stream_silent_ms(s, now_ms) < limit) {
		end_report(s, 0, now_ms);
		end_report(s, 1, now_ms);
		stream_timer_add(i, now_ms);
		return;
	}
	stream_remove(i, STREAM_GONE_INACTIVE, &gone);
	if (stats_region != NULL)
		stats_region->streams_inactive++;
	boundary_event(group, &gone, sizeof(gone));
}

void stream_expire(uint32_t now_ms)
{
	uint32_t second = now_ms / 1000;
	/* Once every 49 days the seconds start again at 0: go round once. */
	uint32_t steps = second >= wheel_second ? second - wheel_second : WHEEL_SLOTS;

	flow_reclaim();
	if (steps > WHEEL_SLOTS)
		steps = WHEEL_SLOTS;
	for (uint32_t n = 0; n < steps; n++) {
		uint32_t slot = (second - steps + 1 + n) & (WHEEL_SLOTS - 1);
		uint32_t i = wheel[slot], next;

		wheel_second = second - steps + 1 + n;
		wheel[slot] = 0;
		for (; i != 0; i = next) {
			next = streams[i].wheel_next;
			/* Off the list first: a check hangs it elsewhere or frees it. */
			streams[i].wheel_next = streams[i].wheel_prev = 0;
			if (next != 0)
				streams[next].wheel_prev = 0;
			stream_check(i, now_ms);
		}
	}
	wheel_second = second;
}
