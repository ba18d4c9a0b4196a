/*
 * Character classes of RFC 3261 section 25.1 and small walkers over views,
 * shared by the parsers of this folder.
 */
#ifndef SALLYPORT_SIP_CHARS_PRIV_H
#define SALLYPORT_SIP_CHARS_PRIV_H

#include <errno.h>

#include "decimal.h"
#include "sip_simd_priv.h"

enum {
	CHAR_TOKEN = 1 << 0,
	CHAR_WORD = 1 << 1,  /* Call-ID */
	CHAR_USER = 1 << 2,  /* user part of a URI, but for escapes; and "#", which phones send */
	CHAR_PASS = 1 << 3,  /* password of a URI, but for escapes */
	CHAR_PARAM = 1 << 4, /* URI parameter, but for escapes; "=" in a value is let pass */
	CHAR_HNV = 1 << 5,   /* URI header, but for escapes */
	CHAR_VALUE = 1 << 6, /* unquoted value of a header parameter; wider than gen-value */
	CHAR_ALNUM = 1 << 7,
	CHAR_DIGIT = 1 << 8,
	CHAR_HEX = 1 << 9,
	CHAR_WS = 1 << 10,     /* SP, HT, and the CR and LF of a folded line */
	CHAR_NAME = 1 << 11,   /* name of a header parameter: CHAR_VALUE but for "=" */
	CHAR_HOST = 1 << 12,   /* of a name or an IPv4 address; "_" occurs inside networks */
	CHAR_NO_URI = 1 << 13, /* what ends a URI in <>: controls, blanks, "<", ">", quotes */
};
#define CHAR_CLASSES 14

extern const uint16_t sip_char_class[256];

static inline bool sip_char_is(char c, unsigned int class)
{
	return (sip_char_class[(unsigned char)c] & class) != 0;
}

#if defined(__AVX2__)
/** [bit number of the class][low half of a character]: bit i is set if the character with high
 * half i is of the class. Made of sip_char_class when the program is loaded. */
extern uint8_t sip_class_low[CHAR_CLASSES][16];

/** Which of 32 characters are of the class (one bit of CHAR_*). None of these is above 0x7f. */
static inline uint32_t sip_class_bits(__m256i x, unsigned int class)
{
	const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(
		(const __m128i *)(const void *)sip_class_low[__builtin_ctz(class)]));
	const __m256i bit =
		_mm256_broadcastsi128_si256(_mm_set1_epi64x((long long)0x8040201008040201));
	const __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(0x0f));
	__m256i in;

	/* A character above 0x7f finds nothing in the first table: its top bit is set. */
	in = _mm256_and_si256(_mm256_shuffle_epi8(low, x), _mm256_shuffle_epi8(bit, high));
	return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}
#endif

/** sip_chars_span() from n on, character by character. */
size_t sip_chars_span_rest(struct str_view v, unsigned int class, size_t n);

/** Bytes at the start of v that are of the class: one bit of CHAR_*. */
static inline size_t sip_chars_span(struct str_view v, unsigned int class)
{
#if defined(__AVX2__)
	uint32_t others;
	size_t n;

	if (!sip_can_load32(v.p, v.p + v.len))
		return sip_chars_span_rest(v, class, 0);
	others = ~sip_class_bits(sip_load32(v.p), class);
	if (others == 0)
		return sip_chars_span_rest(v, class, v.len < 32 ? v.len : 32);
	n = (size_t)__builtin_ctz(others);
	return n < v.len ? n : v.len;
#else
	return sip_chars_span_rest(v, class, 0);
#endif
}

/** True if every byte is of the class; true for an empty view. */
static inline bool sip_chars_all(struct str_view v, unsigned int class)
{
	return sip_chars_span(v, class) == v.len;
}

static inline void sip_view_skip(struct str_view *v, size_t n)
{
	assert(n <= v->len);
	if (n == 0)
		return; /* p may be NULL */
	v->p += n;
	v->len -= n;
}

static inline void sip_skip_ws(struct str_view *v)
{
	size_t n = 0;

	/* None or one, nearly always. */
	while (n < v->len && sip_char_is(v->p[n], CHAR_WS))
		n++;
	sip_view_skip(v, n);
}

static inline struct str_view sip_trim(struct str_view v)
{
	sip_skip_ws(&v);
	while (v.len > 0 && sip_char_is(v.p[v.len - 1], CHAR_WS))
		v.len--;
	return v;
}

/** Skip white space, then c, then white space. @return false (nothing moved) if c is not there. */
static inline bool sip_skip_char(struct str_view *v, char c)
{
	struct str_view w = *v;

	sip_skip_ws(&w);
	if (w.len == 0 || w.p[0] != c)
		return false;
	sip_view_skip(&w, 1);
	sip_skip_ws(&w);
	*v = w;
	return true;
}

/** Take the first n bytes off v. */
static inline struct str_view sip_view_take(struct str_view *v, size_t n)
{
	struct str_view out = {v->p, n};

	sip_view_skip(v, n);
	return out;
}

/** Bytes of the quoted string at the start of v, both quotes included; 0 when it does not end. */
size_t sip_quoted_span(struct str_view v);

/**
 * Take a quoted string off v, which starts with the quote.
 * @param out  the inside, still escaped. @return 0, or -EBADMSG when it does not end.
 */
static inline int sip_quoted_take(struct str_view *v, struct str_view *out)
{
	size_t n = sip_quoted_span(*v);

	if (n == 0)
		return -EBADMSG;
	*out = (struct str_view){v->p + 1, n - 2};
	sip_view_skip(v, n);
	return 0;
}

/**
 * Take a host off v: a name, an IPv4 address, or an IPv6 address in brackets (RFC 3261 section
 * 25.1). What looks like a number but is no IPv4 address is refused.
 * @return 0 or -EBADMSG.
 */
int sip_host_take(struct str_view *v, struct str_view *host, bool *v6);

/** Take 1*DIGIT off v, 1..65535. @return 0 or -EBADMSG. */
int sip_port_take(struct str_view *v, uint16_t *port);

#endif
