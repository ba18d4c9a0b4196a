/*
 * Latching: which source a media flow may be received from, and where its
 * answers go. Pure decision, no packets, no clock: the caller passes both.
 * Learn only from the signalled address or its mask, lock after the first
 * packets (RFC 7362 section 4, and its section 5 on why narrowly).
 *
 * A NAT may give a flow another port or address in the middle of a call, and RFC 7362
 * section 5 has no better answer to those who send first than to check more than the
 * source. So a locked flow moves only when all of this is so: the new source is one that
 * signalling allows, the locked one has fallen silent, the packet continues its RTP stream
 * (32 bits of SSRC and a number just ahead, which who did not see the stream cannot
 * know), and the flow has not moved too often.
 */
#ifndef SALLYPORT_NAT_LATCH_H
#define SALLYPORT_NAT_LATCH_H

#include "addr.h"

/** Packets in a row from one source until the latch locks. */
#define LATCH_LOCK_PACKETS 3
/** Learning window from the first accepted packet, milliseconds; then it locks. */
#define LATCH_WINDOW_MS 2000
/** The locked source must have been silent that long before another may take over: longer
 * than networks and phones usually stall. While it talks nobody can. */
#define LATCH_MOVE_SILENT_MS 500
/** Sequence numbers that may be missing in between and one: 5 s of packets of 20 ms. */
#define LATCH_MOVE_AHEAD_MAX 250
/** So often in the life of a flow. */
#define LATCH_MOVES_MAX 4

/** What signalling allows. Written by the flow's owner, read by its worker. */
struct latch_policy {
	struct net_addr allowed; /* signalled address (or the NAT that signalling came from) */
	uint16_t port;		 /* signalled port; used only when !learn_port. Host order */
	uint8_t prefix_len;	 /* mask on allowed: 32 or 128 is that address alone */
	bool learn_port;	 /* NAT: any port of an allowed address may be learned */
};

enum latch_phase {
	LATCH_EMPTY,	/* nothing received yet */
	LATCH_LEARNING, /* a candidate, may still be replaced by another allowed source */
	LATCH_LOCKED,
};

/** One flow's latch. Zeroed is LATCH_EMPTY. One writer: the worker that owns the flow. */
struct latch {
	struct net_addr source; /* candidate or locked source */
	uint16_t port;		/* host order */
	uint8_t phase;		/* enum latch_phase */
	uint8_t seen;		/* learning: packets in a row from the candidate; locked: moves */
	uint32_t first_ms;	/* when learning began, wraps */
};

/** How a packet compares with what the locked source sent. Zeroed: it cannot be compared. */
struct latch_claim {
	bool same_ssrc;	    /* RTP of the SSRC that the locked source sent last */
	uint16_t ahead;	    /* its sequence number less the highest of that SSRC */
	uint32_t silent_ms; /* since the locked source's last packet */
};

enum latch_verdict {
	LATCH_ACCEPT,	     /* from the known source */
	LATCH_ACCEPT_NEW,    /* accepted; the source changed: answers go there now */
	LATCH_REFUSE_SOURCE, /* not from an allowed address (or port) */
	LATCH_REFUSE_LOCKED, /* allowed address, but the flow is locked to another */
};

/**
 * Decide on one packet and advance the latch.
 *
 * @param policy  what signalling allows; borrowed for the call.
 * @param l       this flow's state.
 * @param src     source address, normalised.
 * @param port    source port, host order.
 * @param claim   for a move after the lock; borrowed for the call.
 * @param now_ms  a monotonic clock, wraps; compared by difference only.
 * @return verdict; refused packets change nothing. Never allocates. Worker thread.
 */
enum latch_verdict latch_decide(const struct latch_policy *policy, struct latch *l,
	const struct net_addr *src, uint16_t port, const struct latch_claim *claim,
	uint32_t now_ms);

#endif
