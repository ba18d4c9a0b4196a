/*
 * The Internet checksum (RFC 1071, RFC 1624) over 32-bit words.
 */
#ifndef SALLYPORT_NODES_CHECKSUM_H
#define SALLYPORT_NODES_CHECKSUM_H

#include "base.h"

/* Sum of 32-bit words to the 16-bit one's complement sum of their halves. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1624: HC' = ~(~HC + ~m + m'); change is the sum of all ~m and m'. */
static inline uint16_t checksum_update(uint16_t checksum, uint64_t change)
{
	return (uint16_t)~checksum_fold((uint16_t)~checksum + change);
}

static inline uint64_t checksum_change(uint32_t old, uint32_t new)
{
	return (uint64_t)(uint32_t)~old + new;
}

static inline uint32_t load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
