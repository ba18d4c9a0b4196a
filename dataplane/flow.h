/*
 * Media flows as workers see them: a read-only action line and a latch policy (two copies
 * of both, switched by one store to the port table) and live lines in the statistics
 * mapping. A packet from the locked source needs no policy: that is why it stands apart.
 */
#ifndef SALLYPORT_FLOW_H
#define SALLYPORT_FLOW_H

#include <rte_byteorder.h>

#include "flow_owner.h"
#include "flow_police.h"
#include "latch.h"
#include "local.h"
#include "stats.h"

enum flow_flags {
	FLOW_RECEIVE = 0x01,	 /* take packets */
	FLOW_HAVE_REMOTE = 0x02, /* dst is known */
	FLOW_DST_V6 = 0x04,	 /* leaves as IPv6 */
	FLOW_KIND_SHIFT = 4,	 /* two bits: enum stream_kind */
};

/** What to do with a flow's packets: main: wo (the copy that no slot names), workers: ro. */
struct flow_action {
	_Alignas(64) uint8_t src[16]; /* new source: ours, at the far side */
	uint8_t dst[16];	      /* new destination: the far peer */
	rte_be16_t src_port;
	rte_be16_t dst_port;
	uint16_t nexthop; /* index (nexthop.h) */
	uint8_t flags;	  /* enum flow_flags */
	uint8_t dscp;	  /* of the realm it leaves to */
	struct flow_rate rate;
	uint32_t clock_mult; /* rtp_clock_mult() */
	uint16_t udp_sum;    /* rewrite_prepare() */
	uint16_t ip4_sum;
};
static_assert(sizeof(struct flow_action) == 64, "one cache line");

/*
 * A flow's place, which is the slot's value: where the copy lies that is valid. Neighbours' copies
 * of one version share a pair of cache lines, which the processor likes to fetch together, so that
 * it does not fetch the copy that nobody reads.
 */
static inline uint32_t flow_place(uint32_t flow, unsigned int version)
{
	return (flow & ~1u) << 1 | version << 1 | (flow & 1);
}

/** The same flow's other copy. */
static inline uint32_t flow_place_other(uint32_t place)
{
	return place ^ 2;
}

static inline uint32_t flow_of_place(uint32_t place)
{
	return place >> 2 << 1 | (place & 1);
}

/** Both copies of each flow's action, by place. */
extern struct flow_action *flow_actions;
/** Likewise: who may send. */
extern struct latch_policy *flow_policies;
/** Live lines, in the statistics mapping. */
extern struct stats_flow *flow_live;
/** By flow, beside its live line; used where there are several workers. */
extern struct flow_run *flow_runs;

/* --- main thread (stream.c): streams are pairs of flows, see records.h --- */

/** @param flows  slots, slot 0 unused; live lines lie at `live`. @return 0 or negative errno. */
int stream_init(uint32_t flows, struct stats_flow *live);
void stream_fini(void);

/** group: whose event ring is told about this stream (0..shards-1, or ATTACH_SHARD_MAIN). */
int stream_set(const struct rec_stream_set *r, uint32_t epoch, uint8_t group, uint32_t flow_out[2]);
/** @param gone  filled for the event. @return 0 or -ENOENT. */
int stream_del(const struct rec_stream_del *r, struct rec_stream_event *gone);

/** A worker reported that this flow accepted a new source: the far flow now sends there. Tells
 * control. */
void stream_latched(uint32_t flow);

/** Once a second: streams silent for longer than their realms allow are removed and reported. */
void stream_expire(uint32_t now_ms);

/** Routes, or realms' ways out, changed: resolve every stream's next hops again. */
void stream_resolve_all(void);

typedef int (*stream_visit_fn)(void *ctx, const struct rec_stream_event *info);
/**
 * Tell streams from *cursor on (0 at first) until visit returns nonzero (ring full: try again
 * later).
 * @return true when all were told.
 */
bool stream_dump(uint64_t *cursor, stream_visit_fn visit, void *ctx);

uint32_t stream_flows_used(void);

#endif
