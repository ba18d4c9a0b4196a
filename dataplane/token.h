/*
 * Token bucket in one word (the generic cell rate algorithm, ITU-T I.371): the time
 * at which the bucket is full again. A full bucket needs no state at all.
 */
#ifndef SALLYPORT_TOKEN_H
#define SALLYPORT_TOKEN_H

#include "base.h"

/**
 * Take one token.
 * @param full_ns  state; 0 is a full bucket. Never more than burst / rate ahead of now.
 * @param rate     tokens a second; 0: no limit.
 * @param burst    tokens that a full bucket holds; 0 counts as 1.
 * @return true if there was one.
 */
static inline bool token_take(uint64_t *full_ns, uint32_t rate, uint32_t burst, uint64_t now_ns)
{
	uint64_t step, base;

	if (rate == 0)
		return true;
	step = 1000000000ull / rate;
	if (step == 0)
		step = 1;
	base = *full_ns > now_ns ? *full_ns : now_ns;
	if (base - now_ns > step * (burst > 1 ? burst - 1 : 0))
		return false;
	*full_ns = base + step;
	return true;
}

/** Would token_take() get one? */
static inline bool token_has(uint64_t full_ns, uint32_t rate, uint32_t burst, uint64_t now_ns)
{
	return token_take(&full_ns, rate, burst, now_ns);
}

/*
 * The same in 32 bits of microseconds, for tables of millions. Whoever keeps such a bucket
 * sets it to now (full) when it was not looked at for TOKEN_SPAN_US, before the 32 bits come
 * round (35 minutes). More than a million tokens a second are not told apart.
 */

/** A bucket of less rate or more burst than fills in this time holds just so much. */
#define TOKEN_SPAN_US 300000000u

/* Time that n tokens take to come. rate is not 0. */
static inline uint32_t token_us(uint32_t n, uint32_t rate)
{
	uint64_t us = n == 1 ? 1000000u / rate : (uint64_t)n * 1000000u / rate;

	return us == 0 ? 1 : us < TOKEN_SPAN_US ? (uint32_t)us : TOKEN_SPAN_US;
}

/* How far the bucket is from full. */
static inline uint32_t token_ahead_us(uint32_t full_us, uint32_t now_us)
{
	uint32_t ahead = full_us - now_us;

	return (int32_t)ahead > 0 ? ahead : 0;
}

/**
 * Could n tokens be taken now?
 * @param full_us  state: the time at which the bucket is full.
 * @param n        1..; more than the bucket holds may go when it is full.
 */
static inline bool token32_has(
	uint32_t full_us, uint32_t rate, uint32_t burst, uint32_t n, uint32_t now_us)
{
	uint32_t ahead = token_ahead_us(full_us, now_us), step;
	uint64_t span;

	if (rate == 0 || ahead == 0)
		return true;
	step = token_us(n, rate);
	span = n == 1 ? (uint64_t)step * burst : token_us(burst, rate);
	if (span > TOKEN_SPAN_US)
		span = TOKEN_SPAN_US;
	return ahead + step <= span;
}

/** Take n tokens, which token32_has() said are there. */
static inline void token32_take(uint32_t *full_us, uint32_t rate, uint32_t n, uint32_t now_us)
{
	uint32_t ahead = token_ahead_us(*full_us, now_us);

	if (rate == 0)
		return;
	ahead += token_us(n, rate);
	*full_us = now_us + (ahead < TOKEN_SPAN_US ? ahead : TOKEN_SPAN_US);
}

#endif
