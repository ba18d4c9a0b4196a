/*
 * 32 characters at once, where the CPU can.
 */
#ifndef SALLYPORT_SIP_SIMD_PRIV_H
#define SALLYPORT_SIP_SIMD_PRIV_H

#include "load.h"

/** Characters as a number, in this byte order. */
static inline uint32_t sip_load4(const char *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64_t sip_load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

#if defined(__AVX2__)
#include <immintrin.h>

/** May sip_load32() read at p? */
static inline bool sip_can_load32(const char *p, const char *end)
{
	return load_fits(p, end, 32);
}

static inline __m256i sip_load32(const char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/** sip_can_load32() for the 64 bytes at p. */
static inline bool sip_can_load64(const char *p, const char *end)
{
	return load_fits(p, end, 64);
}

/** Which of 32 bytes are c. */
static inline uint32_t sip_bits_of(__m256i x, char c)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c)));
}
#endif

#endif
