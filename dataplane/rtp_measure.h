/*
 * Measuring RTP as it arrives, one packet at a time: sequence, loss, duplicates, reordering
 * and jitter (RFC 3550 appendix A.1, A.3, A.8), and late gaps. No division, and on the usual
 * way no branch that does not predict. Worker that owns the flow.
 */
#ifndef SALLYPORT_RTP_MEASURE_H
#define SALLYPORT_RTP_MEASURE_H

#include "stats.h"

/* RFC 3550 appendix A.1. */
#define RTP_MAX_DROPOUT 3000 /* further ahead is no loss but another sequence */
#define RTP_MAX_MISORDER 100 /* further behind likewise */

#define RTP_SEEN_BITS 64
/** A packet in sequence is late when it comes that long after the one before ... */
#define RTP_LATE_GAP_MS 50
/** ... unless their timestamps say so, but for this: silence suppression is no fault. */
#define RTP_LATE_GAP_SLACK_NS 10000000ull

/** What turns nanoseconds into the units of a clock: (ns * mult) >> 32. Main thread. */
static inline uint32_t rtp_clock_mult(uint32_t clock_hz)
{
	return (uint32_t)((((uint64_t)clock_hz << 32) + 500000000) / 1000000000);
}

static inline uint32_t rtp_clock_units(uint64_t ns, uint32_t mult)
{
	/* Only the low 32 bits count, as of the timestamp: the product may overflow. */
	return (uint32_t)((ns * mult) >> 32);
}

static inline uint16_t rtp_load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rtp_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

/* Another source, or the old one began anew: `n` packets up to seq are there. */
static inline void rtp_restart(
	struct stats_flow *live, uint32_t ssrc, uint16_t seq, uint32_t n, uint32_t transit)
{
	struct rtp_quality *q = &live->quality;

	live->lost += rtp_quality_lost(q);
	if (q->ssrc != ssrc)
		q->jitter = 0;
	q->ssrc = ssrc;
	/* One cycle up, so that one that was overtaken by the first does not go below zero. */
	q->max_seq = 0x10000u | seq;
	q->base_seq = q->max_seq - (n - 1);
	q->received = n;
	q->seen = (1ull << n) - 1;
	q->transit = transit;
}

/* Behind the highest, or the highest again. @return true if it had not arrived before. */
static inline bool rtp_behind(struct rtp_quality *q, unsigned int behind)
{
	uint64_t bit = behind < RTP_SEEN_BITS ? 1ull << behind : 0;

	/* What is older than the window cannot be told from a duplicate: it is taken as new. */
	if ((q->seen & bit) != 0) {
		q->duplicates++;
		return false;
	}
	q->seen |= bit;
	q->received++;
	q->reordered++;
	if (behind > q->max_seq - q->base_seq)
		q->base_seq = q->max_seq - behind;
	return true;
}

/**
 * Not the next packet in sequence.
 * @param step  its number less the highest, modulo 2^16.
 * @return true when it counts for the jitter.
 */
static inline bool rtp_out_of_step(
	struct stats_flow *live, uint16_t seq, int16_t step, uint32_t transit)
{
	struct rtp_quality *q = &live->quality;

	if (step > 0 && step < RTP_MAX_DROPOUT) {
		q->max_seq += (uint32_t)step;
		q->seen = step < RTP_SEEN_BITS ? q->seen << step | 1 : 1;
		q->received++;
		return true;
	}
	if (step <= 0 && step > -RTP_MAX_MISORDER)
		return rtp_behind(q, (unsigned int)-step);
	/* A jump: believed when the next packet goes on from there. */
	if (seq != live->bad_seq) {
		live->bad_seq = (uint16_t)(seq + 1);
		return false;
	}
	rtp_restart(live, q->ssrc, seq, 2, transit);
	return false;
}

static inline void rtp_jitter(struct rtp_quality *q, uint32_t transit, uint32_t mult)
{
	int32_t change = (int32_t)(transit - q->transit);
	uint32_t d = change < 0 ? 0u - (uint32_t)change : (uint32_t)change;

	q->transit = transit;
	/* More than a second is a timestamp that began anew. */
	if (__builtin_expect(d > 8000 && d > rtp_clock_units(1000000000, mult), 0))
		return;
	q->jitter += d - ((q->jitter + 8) >> 4);
	q->jitter_max = q->jitter > q->jitter_max ? q->jitter : q->jitter_max;
}

static inline bool rtp_gap_is_late(const struct rtp_quality *q, uint32_t transit, uint32_t mult)
{
	return mult == 0 || (int32_t)(transit - q->transit) >
				    (int32_t)rtp_clock_units(RTP_LATE_GAP_SLACK_NS, mult);
}

/**
 * Count one RTP packet of the right source, policed or not; before live->last_ms becomes this
 * packet's.
 *
 * @param rtp     its 12 bytes of fixed header at least.
 * @param mult    rtp_clock_mult() of its clock; 0: not known, no jitter.
 * @param now_ns  arrival; now_ms is the same clock.
 */
static inline void rtp_measure(struct stats_flow *live, const uint8_t *rtp, uint32_t mult,
	uint64_t now_ns, uint32_t now_ms)
{
	struct rtp_quality *q = &live->quality;
	uint32_t transit = rtp_clock_units(now_ns, mult) - rtp_load32(rtp + 4);
	uint32_t ssrc = rtp_load32(rtp + 8);
	uint16_t seq = rtp_load16(rtp + 2), step = (uint16_t)(seq - q->max_seq);

	if (__builtin_expect(ssrc != q->ssrc || q->received == 0, 0)) {
		rtp_restart(live, ssrc, seq, 1, transit);
		return;
	}
	if (__builtin_expect(step == 1, 1)) {
		q->max_seq++;
		q->received++;
		q->seen = q->seen << 1 | 1;
		if (__builtin_expect(now_ms - live->last_ms > RTP_LATE_GAP_MS, 0))
			q->late_gaps += rtp_gap_is_late(q, transit, mult);
	} else if (!rtp_out_of_step(live, seq, (int16_t)step, transit)) {
		return;
	}
	if (__builtin_expect(mult != 0, 1))
		rtp_jitter(q, transit, mult);
}

#endif
