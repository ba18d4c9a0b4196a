/*
 * The Internet checksum (RFC 1071, RFC 1624) over 32-bit words.
 */
#ifndef SALLYPORT_NODES_CHECKSUM_H
#define SALLYPORT_NODES_CHECKSUM_H

#if defined(__AVX2__)
#include <immintrin.h>
#endif

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

#if defined(__AVX2__)
/* What is left of less than 64 bytes, 4 at least before their end: lengths differ from packet to
 * packet, and a branch for each power of two would be guessed wrong each other time. */
static inline uint64_t checksum_sum_rest(const uint8_t *p, size_t len)
{
	static const int32_t window[32] = {
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
	const int32_t *mask = window + 16 - len / 4;
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i x = _mm256_maskload_epi32((const int *)(const void *)p,
		_mm256_loadu_si256((const __m256i *)(const void *)mask));
	__m256i y = _mm256_maskload_epi32((const int *)(const void *)(p + 32),
		_mm256_loadu_si256((const __m256i *)(const void *)(mask + 8)));
	__m256i sum = _mm256_add_epi64(
		_mm256_add_epi64(_mm256_and_si256(x, low), _mm256_srli_epi64(x, 32)),
		_mm256_add_epi64(_mm256_and_si256(y, low), _mm256_srli_epi64(y, 32)));
	__m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));

	return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1) +
	       ((uint64_t)load32(p + len - 4) >> (32 - 8 * (len & 3)));
}
#endif

/**
 * Sum of a text's 32-bit words, in its byte order, for checksum_fold().
 * @param len  of the last word what is not there is zero.
 */
static inline uint64_t checksum_sum(const void *text, size_t len)
{
	const uint8_t *p = text;
	uint64_t sum = 0;
	uint32_t last = 0;

#if defined(__AVX2__)
	if (len >= 64)
		return checksum_sum_blocks(p, len / 64) +
		       checksum_sum_rest(p + len / 64 * 64, len % 64);
#endif
	for (; len >= sizeof(last); len -= sizeof(last), p += sizeof(last))
		sum += load32(p);
	/* Bytes in memory's order, whichever that of the machine is. */
	memcpy(&last, p, len);
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
