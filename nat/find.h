/*
 * Where a character stands in a text, for those that are read in short words: no call, and no
 * step for each character.
 */
#ifndef SALLYPORT_NAT_FIND_H
#define SALLYPORT_NAT_FIND_H

#include "load.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/** Place of the first c in v, or v.len. Bytes behind v are read where they lie in the page of its
 * first one, and make no difference. */
static inline size_t sv_find(struct str_view v, char c)
{
	const char *at;

	if (v.len == 0)
		return 0;
#if defined(__AVX2__)
	if (load_fits(v.p, v.p + v.len, 32)) {
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
