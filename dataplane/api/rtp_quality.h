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

#endif
