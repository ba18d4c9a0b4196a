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

/**
 * Sum of the 16-bit words of a text, in its byte order.
 * @param len  at most 65,535: the sum does not wrap.
 */
static inline uint32_t checksum_sum(const void *text, size_t len)
{
	const uint8_t *p = text;
	uint32_t sum = 0;
	size_t n = len / sizeof(uint32_t);
	uint16_t rest;

	for (size_t i = 0; i < n; i++) {
		uint32_t word = load32(p + i * sizeof(word));

		sum += (word & 0xffff) + (word >> 16);
	}
	p += n * sizeof(uint32_t);
	if ((len & 2) != 0) {
		memcpy(&rest, p, sizeof(rest));
		sum += rest;
		p += sizeof(rest);
	}
	if ((len & 1) != 0) {
		const uint8_t last[2] = {*p, 0};

		memcpy(&rest, last, sizeof(rest));
		sum += rest;
	}
	return sum;
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

	return checksum_fold((uint64_t)checksum_sum(addresses, len) + load32(tail) +
			     checksum_sum(udp, udp_len)) == 0xffff;
}

#endif
