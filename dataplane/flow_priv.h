/*
 * The flow slots behind the streams: taking and retiring them, and switching what a
 * flow does while workers look at it. Main thread.
 */
#ifndef SALLYPORT_FLOW_PRIV_H
#define SALLYPORT_FLOW_PRIV_H

#include "flow.h"

/** What only the main thread needs of a flow. */
struct flow_private {
	uint32_t stream; /* index of its stream; 0: free or retired */
	uint32_t chain;	 /* next in the free list or in limbo */
	uint64_t stamp;	 /* since when the other copy (in limbo: the flow) is out of use */
	uint16_t local;	 /* index of its local address */
	uint16_t port;	 /* its local port */
	uint8_t end;	 /* of the stream: 0 or 1 */
	uint8_t version; /* which copy of the action the slot names */
	bool published;
	bool other_free; /* the other copy was never named */
};

extern struct flow_private *flow_private;
extern uint32_t flow_slots; /* with slot 0, which is never used */

int flow_table_init(uint32_t flows, struct stats_flow *live);
void flow_table_fini(void);

/** Take a slot with an empty live line. @return its index, 0 if there is none. */
uint32_t flow_take(void);

/** Give a slot back that flow_publish() never saw. */
void flow_untake(uint32_t flow);

/**
 * Make the flow do this from now on, by writing the copies that no slot names and then
 * the slot. The action's next hop reference moves in; the old one is dropped.
 */
void flow_publish(
	uint32_t flow, const struct flow_action *action, const struct latch_policy *policy);

/**
 * No slot names the flow any more: free it after a grace period. A packet that a worker
 * holds right now may still be counted on its live line and is then missing in the
 * stream's last counts (not in the worker's).
 */
void flow_retire(uint32_t flow);

/** Free what has been retired; waits for one grace period if there is something. */
void flow_reclaim(void);

/** Slots that are not free: in use or retired. */
uint32_t flow_used(void);

#endif
