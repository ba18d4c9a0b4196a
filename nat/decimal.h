/*
 * Numbers to text without printf, which reads its format anew each time: for messages and records
 * that are written by the thousand.
 */
#ifndef SALLYPORT_NAT_DECIMAL_H
#define SALLYPORT_NAT_DECIMAL_H

#include "base.h"

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

#endif
