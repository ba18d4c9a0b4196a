/*
 * Where a character stands in a text, for those that are read in short words: no call, and no
 * step for each character.
 */
#ifndef SALLYPORT_NAT_FIND_H
#define SALLYPORT_NAT_FIND_H

#include "base.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FIND_READ_IN_PAGE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIND_READ_IN_PAGE false
#endif
#endif
#ifndef FIND_READ_IN_PAGE
#define FIND_READ_IN_PAGE true
#endif

/** Place of the first c in v, or v.len. Bytes behind v are read where they lie in the page of its
 * first one, and make no difference. */
static inline size_t sv_find(struct str_view v, char c)
{
	const char *at;

	if (v.len == 0)
		return 0;
#if defined(__AVX2__)
	/* No page is smaller than 4096 bytes. */
	if (v.len >= 32 || (FIND_READ_IN_PAGE && ((uintptr_t)v.p & 4095) <= 4096 - 32)) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)v.p);
		uint32_t found =
			(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c)));

		if (found != 0 || v.len <= 32) {
			size_t n = (size_t)__builtin_ia32_tzcnt_u32(found);

			return n < v.len ? n : v.len;
		}
	}
#endif
	at = memchr(v.p, c, v.len);
	return at != NULL ? (size_t)(at - v.p) : v.len;
}

#endif
