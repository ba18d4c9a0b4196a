/*
 * The policer of a media flow: packets and bytes a second that signalling agreed on, each a
 * bucket in one word (token.h has the idea), with the divisions done by main.
 */
#ifndef SALLYPORT_FLOW_POLICE_H
#define SALLYPORT_FLOW_POLICE_H

#include "base.h"
#include "records.h"
#include "rtp_quality.h"

/** What a flow may send. Main: wo, workers: ro. A step of 0 is no limit. */
struct flow_rate {
	uint32_t packet_step_ns;  /* a packet's share of a second */
	uint32_t packet_slack_ns; /* how far the flow may be ahead of its rate */
	uint32_t byte_step;	  /* a byte's, in 1/256 ns: of 60 bytes a second and more */
	uint32_t byte_slack_ns;
};

#define FLOW_BYTE_STEP_SHIFT 8

static inline uint32_t flow_rate_step(uint32_t rate, unsigned int shift)
{
	uint64_t step = rate == 0 ? 0 : ((1000000000ull << shift) + rate / 2) / rate;

	/* Faster than the clock can tell is no limit; slower than the word holds is its edge. */
	return step > UINT32_MAX ? UINT32_MAX : (uint32_t)step;
}

static inline uint32_t flow_rate_slack_ns(const struct rate_limit *limit)
{
	uint32_t ahead = limit->burst > 1 ? limit->burst - 1 : 0;
	uint64_t ns;

	/* Not 0: a worker that took the flow over may be a little behind the other's clock. */
	if (limit->rate == 0)
		return UINT32_MAX;
	ns = ahead * 1000000000ull / limit->rate;
	return ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/** Main thread. */
static inline struct flow_rate flow_rate_make(
	const struct rate_limit *packets, const struct rate_limit *bytes)
{
	return (struct flow_rate){
		.packet_step_ns = flow_rate_step(packets->rate, 0),
		.packet_slack_ns = flow_rate_slack_ns(packets),
		.byte_step = flow_rate_step(bytes->rate, FLOW_BYTE_STEP_SHIFT),
		.byte_slack_ns = flow_rate_slack_ns(bytes),
	};
}

/**
 * May one more packet pass? Takes its share of both buckets if so, and nothing if not. The
 * packet that meets a bucket with anything in it passes whole, and the next ones pay.
 *
 * @param q    the flow's state: packets_full_ns and bytes_full_ns.
 * @param len  bytes of it that count.
 */
static inline bool flow_police(
	struct rtp_quality *q, const struct flow_rate *rate, uint32_t len, uint64_t now_ns)
{
	uint64_t packets = q->packets_full_ns > now_ns ? q->packets_full_ns : now_ns;
	uint64_t bytes = q->bytes_full_ns > now_ns ? q->bytes_full_ns : now_ns;
	uint64_t cost = ((uint64_t)len * rate->byte_step) >> FLOW_BYTE_STEP_SHIFT;
	bool pass = (packets - now_ns <= rate->packet_slack_ns) &
		    (bytes - now_ns <= rate->byte_slack_ns);

	q->packets_full_ns = packets + (pass ? rate->packet_step_ns : 0);
	q->bytes_full_ns = bytes + (pass ? cost : 0);
	return pass;
}

#endif
