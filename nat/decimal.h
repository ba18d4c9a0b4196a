/*
 * Numbers to text without printf, which reads its format anew each time: for messages and records
 * that are written by the thousand. And text to numbers, for all of our parsers.
 */
#ifndef SALLYPORT_NAT_DECIMAL_H
#define SALLYPORT_NAT_DECIMAL_H

#include "load.h"

#define DECIMAL_MAX 20 /* digits of UINT64_MAX */

/** @return digits of n. */
static inline size_t decimal_len(uint64_t n)
{
	size_t len = 1;

	for (; n >= 10000; n /= 10000)
		len += 4;
	return len + (n >= 10) + (n >= 100) + (n >= 1000);
}

/** @param out  DECIMAL_MAX bytes; no NUL follows. @return digits written. */
static inline size_t decimal_write(char *out, uint64_t n)
{
	size_t len = decimal_len(n), at = len;

	/* Most counts of a record are 0. */
	for (; n >= 10; n /= 10)
		out[--at] = (char)('0' + n % 10);
	out[0] = (char)('0' + n);
	return len;
}

/** Exactly `width` digits, with zeros in front; higher ones are cut off. @return width. */
static inline size_t decimal_write_wide(char *out, uint64_t n, size_t width)
{
	for (size_t at = width; at > 0; n /= 10)
		out[--at] = (char)('0' + n % 10);
	return width;
}

struct decimal {
	uint64_t value;
	size_t len; /* digits */
};

/** decimal_span() digit by digit. By value: callers keep in registers what no pointer leads to. */
struct decimal decimal_span_rest(struct str_view v);

/**
 * 1*DIGIT at the start of v: what every number is read by.
 * @param v    8 characters can be read at v.p.
 * @param out  its value; above UINT32_MAX stays above. @return how many digits; 0: none.
 */
static inline size_t decimal_span8(struct str_view v, uint64_t *out)
{
	struct decimal rest;
	uint64_t x, others;
	size_t n;

	memcpy(&x, v.p, sizeof(x));
	x ^= 0x3030303030303030;
	/* The top bit of each byte that is above 9; behind the first it may be wrong. */
	others = (x | (x + 0x7676767676767676)) & 0x8080808080808080;
	if (v.len < sizeof(x))
		others |= 0x80ULL << (8 * v.len);
	if (others == 0) {
		rest = decimal_span_rest(v);
		*out = rest.value;
		return rest.len;
	}
	n = (size_t)__builtin_ctzll(others) / 8;
	if (n == 0)
		return 0;
	/* As 8 digits with zeros in front: pairs, then fours, then all. */
	x <<= 64 - 8 * n;
	x = x * 10 + (x >> 8);
	x = (x & 0x00ff00ff00ff00ff) * (1 + (100ULL << 16)) >> 16;
	*out = (x & 0x0000ffff0000ffff) * (1 + (10000ULL << 32)) >> 32;
	return n;
}

/**
 * Up to three digits, without a branch that depends on how many.
 * @param v    4 characters can be read at v.p.
 * @return how many digits; 0: none; 4: that many or more, and nothing in `out`.
 */
static inline size_t decimal_span4(struct str_view v, uint32_t *out)
{
	uint32_t x, others;
	size_t n;

	memcpy(&x, v.p, sizeof(x));
	x ^= 0x30303030;
	/* As above. */
	others = (x | (x + 0x76767676)) & 0x80808080;
	if (v.len < sizeof(x))
		others |= 0x80u << (8 * v.len);
	n = others != 0 ? (size_t)__builtin_ctz(others) / 8 : sizeof(x);
	x = (uint32_t)((uint64_t)x << (32 - 8 * n));
	*out = (x >> 24) + (x >> 16 & 0xff) * 10 + (x >> 8 & 0xff) * 100;
	return n;
}

/** The same wherever v lies. */
static inline size_t decimal_span(struct str_view v, uint64_t *out)
{
	struct decimal rest;

	if (v.len == 0)
		return 0; /* p may be NULL */
	if (load_fits(v.p, v.p + v.len, 8))
		return decimal_span8(v, out);
	rest = decimal_span_rest(v);
	*out = rest.value;
	return rest.len;
}

#endif
