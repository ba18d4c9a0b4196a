/*
 * Who writes a flow's live line: one worker at a time. A flow that nobody owns is claimed; its
 * owner alone gives it away, when none of its packets is under way in that worker's graph.
 * Main forgets the owner with the rest of the line when the slot is free (flow_reclaim()).
 */
#ifndef SALLYPORT_FLOW_OWNER_H
#define SALLYPORT_FLOW_OWNER_H

#include <rte_branch_prediction.h>

#include "stats.h"

/** Packets in a row by the same other worker after which the flow follows them. */
#define FLOW_OWNER_RUN 64

/**
 * Owner of a flow; claims it if there is none. Any worker.
 * @param want  worker + 1 that is to have an unowned flow.
 * @return worker + 1.
 */
static inline uint16_t flow_owner_get(struct stats_flow *live, uint16_t want)
{
	/* Acquire: what the last owner wrote to the line comes before what we do with it. */
	uint16_t owner = __atomic_load_n(&live->owner, __ATOMIC_ACQUIRE);

	if (likely(owner != 0))
		return owner;
	if (__atomic_compare_exchange_n(
		    &live->owner, &owner, want, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return want;
	return owner;
}

/** The packets of a flow that came last. Its owner: rw, beside the live line. */
struct flow_run {
	uint8_t from;  /* worker + 1 that handed them over; 0: they came by the owner's queue */
	uint8_t count; /* so many in a row */
};

/**
 * The owner took a packet of the flow.
 * @param from  worker + 1 by whose queue it came, 0: by the owner's own. Not the worker that
 *              handed it over last, or a queue of packets that were late for a change of owner
 *              would change it back.
 * @return true when the flow had better move to `from`.
 */
static inline bool flow_owner_note(struct flow_run *run, uint8_t from)
{
	if (likely(from == run->from)) {
		if (likely(from == 0) || ++run->count < FLOW_OWNER_RUN)
			return false;
		run->count = 0;
		return true;
	}
	run->from = from;
	run->count = 1;
	return false;
}

/**
 * Give a flow away. Only between two walks of the graph: no packet of it is on the way to the
 * live line then.
 * @param self  the calling worker + 1; nothing happens if it is not (any more) the owner.
 * @return true if it was given.
 */
static inline bool flow_owner_give(struct stats_flow *live, uint16_t self, uint16_t to)
{
	/* In one step: main may free the slot, and another worker claim it anew, in between. */
	return __atomic_compare_exchange_n(
		&live->owner, &self, to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

#endif
