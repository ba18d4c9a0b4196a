/*
 * Shared by stream.c (the table of streams) and stream_timer.c (the wheel that finds
 * silent ones). Main thread.
 */
#ifndef SALLYPORT_STREAM_PRIV_H
#define SALLYPORT_STREAM_PRIV_H

#include "flow_priv.h"

struct stream {
	uint64_t id;
	struct stream_end end[2];
	struct stream_counts carried[2]; /* of flows that a latch restart retired */
	uint32_t flow[2];
	uint32_t epoch;	 /* that last set it */
	uint32_t set_ms; /* when */
	uint32_t chain;	 /* next in its bucket, or in the free list */
	uint32_t wheel_next, wheel_prev;
	uint16_t wheel_slot;
	uint8_t kind;
	uint8_t group;
	bool used;
	bool silence_told[2];	/* that silence of this end has been reported ... */
	uint32_t silence_ms[2]; /* ... at this time */
};

/** Memory of one flow: both copies of what workers read, its live lines, and its half of a
 * stream with its place in the hash. Its slot of the port table is the address's. */
#define FLOW_BYTES \
	(sizeof(struct stats_flow) + \
		2 * (sizeof(struct flow_action) + sizeof(struct latch_policy)) + \
		sizeof(struct flow_private) + sizeof(struct flow_run) + \
		(sizeof(struct stream) + 2 * sizeof(uint32_t)) / 2)
static_assert(FLOW_BYTES <= 512, "memory a flow");

extern struct stream *streams; /* slot 0 unused */

/** Remove a stream. @param gone  filled for the event. */
void stream_remove(uint32_t i, enum stream_gone_reason reason, struct rec_stream_event *gone);

/** Report media inactivity of one end. */
void stream_tell_silent(const struct stream *s, unsigned int end);

/** Who is told about it: the shard that set it, or control's main if that was an earlier control.
 */
uint8_t stream_group(const struct stream *s);

void stream_timer_init(void);
/** (Re)schedule the check of a stream. */
void stream_timer_add(uint32_t i, uint32_t now_ms);
void stream_timer_del(uint32_t i);
/** CLOCK_MONOTONIC, low 32 bits of milliseconds. */
uint32_t stream_clock_ms(void);

#endif
