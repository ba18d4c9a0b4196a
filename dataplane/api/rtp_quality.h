/*
 * How well the RTP of one flow arrives, measured on every packet: RFC 3550 appendix A.1
 * (sequence), A.3 (loss) and A.8 (jitter). One cache line a flow.
 */
#ifndef SALLYPORT_API_RTP_QUALITY_H
#define SALLYPORT_API_RTP_QUALITY_H

#include "base.h"

/** Zeroed is "nothing received yet". One writer: the worker that owns the flow. */
struct rtp_quality {
	uint64_t seen;	   /* bit i: sequence number max_seq - i arrived */
	uint32_t ssrc;	   /* of the counts below; another one starts them again */
	uint32_t base_seq; /* extended by cycles, first of this SSRC */
	uint32_t max_seq;  /* extended by cycles, highest */
	uint32_t received; /* of this SSRC, without duplicates */
	uint32_t transit;  /* arrival less timestamp, in units of the clock */
	uint32_t jitter;   /* sixteenths of a unit */
	uint32_t jitter_max;
	uint32_t duplicates;
	uint32_t reordered;
	uint32_t late_gaps;
	/* policers (token.h) */
	uint64_t packets_full_ns;
	uint64_t bytes_full_ns;
};
static_assert(sizeof(struct rtp_quality) == 64, "one cache line");

/**
 * A copy of what another thread writes. Counts of one SSRC stay together: a copy that was
 * taken while the sender changed is taken again.
 */
static inline struct rtp_quality rtp_quality_read(const struct rtp_quality *live)
{
	const volatile struct rtp_quality *v = live;
	struct rtp_quality q;

	for (unsigned int tries = 0; tries < 4; tries++) {
		q = *live;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (q.ssrc == v->ssrc && q.base_seq == v->base_seq)
			break;
	}
	return q;
}

/** Packets of this SSRC that never arrived (RFC 3550 appendix A.3). */
static inline uint32_t rtp_quality_lost(const struct rtp_quality *q)
{
	uint32_t expected = q->max_seq - q->base_seq + 1;

	/* More than the half of the numbers is less than none: read while it was written. */
	return q->received == 0 || (int32_t)(expected - q->received) < 0 ? 0
									 : expected - q->received;
}

/** Sixteenths of a unit of the clock to microseconds; 0 where the clock is not known. */
static inline uint32_t rtp_quality_jitter_us(uint32_t jitter, uint32_t clock_hz)
{
	return clock_hz == 0 ? 0 : (uint32_t)((uint64_t)jitter * 1000000 / 16 / clock_hz);
}

#endif
