/*
 * A short text as bits: 64 characters in two registers, and for a class or a character the word in
 * which bit i says whether character i is one.
 */
#ifndef SALLYPORT_SIP_TEXT64_PRIV_H
#define SALLYPORT_SIP_TEXT64_PRIV_H

#include "sip_chars_priv.h"

#if defined(__AVX2__)
struct sip_text64 {
	__m256i low, high;
};

/** Up to 32 of len characters where no more may be read; spaces follow. Not inlined: a buffer makes
 * the function that has it guard its stack. */
__m256i sip_load32_rest(const char *p, size_t len);

/** The first 64 characters of v; behind its end stands anything. */
static inline struct sip_text64 sip_text64_load(struct str_view v)
{
	if (sip_can_load64(v.p, v.p + v.len))
		return (struct sip_text64){sip_load32(v.p), sip_load32(v.p + 32)};
	return (struct sip_text64){sip_load32_rest(v.p, v.len),
		v.len > 32 ? sip_load32_rest(v.p + 32, v.len - 32) : sip_load32_rest(v.p, 0)};
}

static inline uint64_t sip_text64_bits(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
							     << 32;
}

/** Characters of the class: one bit of CHAR_*. */
static inline uint64_t sip_text64_class(struct sip_text64 t, unsigned int class)
{
	return sip_class_bits(t.low, class) | (uint64_t)sip_class_bits(t.high, class) << 32;
}

static inline uint64_t sip_text64_is(struct sip_text64 t, char c)
{
	const __m256i all = _mm256_set1_epi8(c);

	return sip_text64_bits(_mm256_cmpeq_epi8(t.low, all), _mm256_cmpeq_epi8(t.high, all));
}

/** Characters above c, which is of ASCII; those beyond ASCII are not. */
static inline uint64_t sip_text64_above(struct sip_text64 t, char c)
{
	const __m256i all = _mm256_set1_epi8(c);

	return sip_text64_bits(_mm256_cmpgt_epi8(t.low, all), _mm256_cmpgt_epi8(t.high, all));
}

/** Bits from..to - 1; to is 0..63. */
static inline uint64_t sip_bits_range(size_t from, size_t to)
{
	return (1ULL << to) - (1ULL << from);
}

/** First bit that is set, from `from` on, which is at most 63; there is one. */
static inline size_t sip_bits_first(uint64_t bits, size_t from)
{
	return (size_t)__builtin_ctzll(bits >> from) + from;
}

/**
 * Is this a host name or an IPv4 address: characters from..to - 1 of t, all of CHAR_HOST?
 * @param text  that t was loaded of.
 * @param to    1..63, above from.
 */
bool sip_host64_is_good(__m256i low, __m256i high, struct str_view text, size_t from, size_t to);

/** Parameters as bits: ";name=value;name". */
struct sip_params64 {
	const char *p;
	uint64_t semis, equals, end;
};

/**
 * Those that a text ends with.
 * @param text   of t; at most 63 characters.
 * @param from   where they start.
 * @param class  CHAR_PARAM or CHAR_VALUE: what a name (but "=") and a value are made of.
 * @return false if anything else is in it (white space, quotes, escapes) or a name is missing.
 */
static inline bool sip_params64_in(struct sip_params64 *s, struct sip_text64 t,
	struct str_view text, size_t from, unsigned int class)
{
	uint64_t range = sip_bits_range(from, text.len), known;

	*s = (struct sip_params64){.p = text.p, .end = 1ULL << text.len};
	if (from == text.len)
		return true;
	known = sip_text64_class(t, class);
	s->semis = sip_text64_is(t, ';') & range;
	s->equals = sip_text64_is(t, '=') & range;
	/* Behind each ";" and nowhere else begins a name. */
	return (s->semis >> from & 1) != 0 && (~(known | s->semis) & range) == 0 &&
	       (s->semis << 1 & ~(known & ~s->equals & range)) == 0;
}

/** The same of a text that is nothing else; of more than 63 characters it is not plain. */
static inline bool sip_params64_start(struct sip_params64 *s, struct str_view v, unsigned int class)
{
	*s = (struct sip_params64){.p = v.p};
	if (v.len == 0)
		return true;
	return v.len <= 63 && sip_params64_in(s, sip_text64_load(v), v, 0, class);
}

/** @return false at the end. value.p NULL: no "=". */
static inline bool sip_params64_next(
	struct sip_params64 *s, struct str_view *name, struct str_view *value)
{
	size_t from, to, equal;

	if (s->semis == 0)
		return false;
	from = sip_bits_first(s->semis, 0) + 1;
	s->semis &= s->semis - 1;
	to = sip_bits_first(s->semis | s->end, 0);
	equal = sip_bits_first(s->equals | 1ULL << to, from);
	*name = (struct str_view){s->p + from, equal - from};
	*value = (struct str_view){NULL, 0};
	if (equal < to)
		*value = (struct str_view){s->p + equal + 1, to - equal - 1};
	return true;
}
#endif

#endif
