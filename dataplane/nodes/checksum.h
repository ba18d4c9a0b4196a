/*
 * The Internet checksum (RFC 1071, RFC 1624) over 32-bit words.
 */
#ifndef SALLYPORT_NODES_CHECKSUM_H
#define SALLYPORT_NODES_CHECKSUM_H

#include "base.h"

/*
 * Sum of 32-bit words to the 16-bit one's complement sum of their halves. What is added to its own
 * halves, swapped, has in its upper half the sum of both with the carry brought around.
 */
static inline uint16_t checksum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* RFC 1624: HC' = ~(~HC + ~m + m'); change is the sum of all ~m and m'. */
static inline uint16_t checksum_update(uint16_t checksum, uint64_t change)
{
	return (uint16_t)~checksum_fold((uint16_t)~checksum + change);
}

static inline uint32_t load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t sum64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (v & UINT32_MAX) + (v >> 32);
}

/* Sixteen 32-bit words at a time, the halves of each lane in sums of their own: none overflows. */
static inline uint64_t checksum_sum_blocks(const uint8_t *p, size_t blocks)
{
	typedef uint64_t lanes __attribute__((vector_size(32)));
	lanes low = {0}, high = {0}, x, y;

	for (; blocks > 0; blocks--, p += sizeof(x) + sizeof(y)) {
		memcpy(&x, p, sizeof(x));
		memcpy(&y, p + sizeof(x), sizeof(y));
		low += (x & UINT32_MAX) + (y & UINT32_MAX);
		high += (x >> 32) + (y >> 32);
	}
	low += high;
	return low[0] + low[1] + low[2] + low[3];
}

/**
 * Sum of a text's 32-bit words, in its byte order, for checksum_fold().
 * @param len  of the last word what is not there is zero.
 */
static inline uint64_t checksum_sum(const void *text, size_t len)
{
	const uint8_t *p = text;
	uint64_t sum = 0;
	uint32_t last = 0;

	if (len >= 64) {
		sum = checksum_sum_blocks(p, len / 64);
		p += len / 64 * 64;
	}
	if ((len & 32) != 0) {
		sum += sum64(p) + sum64(p + 8) + sum64(p + 16) + sum64(p + 24);
		p += 32;
	}
	if ((len & 16) != 0) {
		sum += sum64(p) + sum64(p + 8);
		p += 16;
	}
	if ((len & 8) != 0) {
		sum += sum64(p);
		p += 8;
	}
	if ((len & 4) != 0) {
		sum += load32(p);
		p += 4;
	}
	/* Bytes in memory's order, whichever that of the machine is. */
	memcpy(&last, p, len & 3);
	return sum + last;
}

/**
 * Is the checksum of a UDP datagram right (RFC 768, RFC 8200 section 8.1)?
 * @param addresses  source and destination as they follow each other in the IP header.
 * @param len        of both addresses.
 * @param udp        UDP header and payload, udp_len bytes.
 */
static inline bool checksum_udp_valid(
	const void *addresses, size_t len, const void *udp, uint16_t udp_len)
{
	const uint8_t tail[4] = {0, 17, (uint8_t)(udp_len >> 8), (uint8_t)udp_len};

	return checksum_fold(checksum_sum(addresses, len) + load32(tail) +
			     checksum_sum(udp, udp_len)) == 0xffff;
}

#endif
