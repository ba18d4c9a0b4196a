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

#endif
