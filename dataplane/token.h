/*
 * Token bucket in one word (the generic cell rate algorithm, ITU-T I.371): the time
 * at which the bucket is full again. A full bucket needs no state at all.
 */
#ifndef SALLYPORT_TOKEN_H
#define SALLYPORT_TOKEN_H

#include "base.h"

/** A rate and a burst as the bucket works with them: made once, used for each packet. */
struct token_rate {
	uint64_t step_ns; /* that a token takes to come; 0: no limit */
	uint64_t span_ns; /* that the bucket may be ahead of now before a token is taken */
};

/**
 * @param rate   tokens a second; 0: no limit.
 * @param burst  tokens that a full bucket holds; 0 counts as 1.
 */
static inline struct token_rate token_rate(uint32_t rate, uint32_t burst)
{
	uint64_t step;

	if (rate == 0)
		return (struct token_rate){0, UINT64_MAX};
	step = 1000000000ull / rate;
	if (step == 0)
		step = 1;
	return (struct token_rate){step, step * (burst > 1 ? burst - 1 : 0)};
}

/**
 * Take one token.
 * @param full_ns  state; 0 is a full bucket. Never more than burst / rate ahead of now.
 * @return true if there was one.
 */
static inline bool token_take_of(uint64_t *full_ns, const struct token_rate *rate, uint64_t now_ns)
{
	uint64_t base = *full_ns > now_ns ? *full_ns : now_ns;

	if (base - now_ns > rate->span_ns && rate->step_ns != 0)
		return false;
	*full_ns = base + rate->step_ns;
	return true;
}

/** The same where it happens too seldom to keep a struct token_rate. */
static inline bool token_take(uint64_t *full_ns, uint32_t rate, uint32_t burst, uint64_t now_ns)
{
	const struct token_rate r = token_rate(rate, burst);

	return rate == 0 || token_take_of(full_ns, &r, now_ns);
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

/** What some tokens cost: made once where their number is always the same. */
struct token32_cost {
	uint32_t us;	  /* that they take to come; 0: no limit */
	uint32_t span_us; /* that the bucket may be ahead of now with them */
};

/**
 * @param rate   tokens a second; 0: no limit.
 * @param burst  tokens that a full bucket holds.
 * @param n      1..; more than the bucket holds may go when it is full.
 */
static inline struct token32_cost token32_cost(uint32_t rate, uint32_t burst, uint32_t n)
{
	uint64_t span;
	uint32_t us;

	if (rate == 0)
		return (struct token32_cost){0, UINT32_MAX};
	us = token_us(n, rate);
	span = n == 1 ? (uint64_t)us * burst : token_us(burst, rate);
	if (span > TOKEN_SPAN_US)
		span = TOKEN_SPAN_US;
	return (struct token32_cost){us, span > us ? (uint32_t)span : us};
}

/**
 * Could the tokens be taken now?
 * @param full_us  state: the time at which the bucket is full.
 * @param after    set to what the state is when they were; write it to take them.
 */
static inline bool token32_has(
	uint32_t full_us, const struct token32_cost *cost, uint32_t now_us, uint32_t *after)
{
	uint32_t ahead = token_ahead_us(full_us, now_us) + cost->us;

	*after = now_us + ahead;
	return (ahead <= cost->span_us) | (cost->us == 0);
}

/** Take them if they are there, where it happens too seldom to keep a struct token32_cost. */
static inline bool token32_take(
	uint32_t *full_us, uint32_t rate, uint32_t burst, uint32_t n, uint32_t now_us)
{
	const struct token32_cost cost = token32_cost(rate, burst, n);
	uint32_t after;

	if (!token32_has(*full_us, &cost, now_us, &after))
		return false;
	*full_us = after;
	return true;
}

#endif
