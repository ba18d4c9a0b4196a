/*
 * Walking SDP text by lines and words; shared by the parser and the builder.
 */
#ifndef SALLYPORT_CONTROL_SDP_LINES_H
#define SALLYPORT_CONTROL_SDP_LINES_H

#include "decimal.h"
#include "find.h"
#include "sdp.h"

/** Where the lines of a description end: places of each LF, of those up to the cap and some more;
 * where the text lacks it behind its last line, that of its end. */
struct sdp_line_ends {
	unsigned int n;
	uint16_t at[SDP_LINES_MAX + 65];
};

/**
 * Find them all at once.
 * @param text  at most SDP_LEN_MAX bytes.
 * @return false if there is a control character but tab and line ends, or a CR without its LF that
 *         is not the very last character.
 */
bool sdp_line_ends_find(struct str_view text, struct sdp_line_ends *e);

/** The line from..to - 1 without the CR of its end and the spaces before it. In front of it stands
 * a character that is none of these. */
static inline struct str_view sdp_line(struct str_view text, size_t from, size_t to)
{
	const char *p = text.p + from, *end = text.p + to;

	if (end[-1] == '\r')
		end--;
	while (end[-1] == ' ' || end[-1] == '\t')
		end--;
	return (struct str_view){p, (size_t)(end - p)};
}

/** Cut at the first `sep`. @return what stands before it; rest is what follows, p NULL if there
 * was no `sep`. */
static inline struct str_view sdp_cut(struct str_view *rest, char sep)
{
	struct str_view word = {rest->p, sv_find(*rest, sep)};

	if (word.len == rest->len) {
		rest->p = NULL;
		rest->len = 0;
	} else {
		rest->p += word.len + 1;
		rest->len -= word.len + 1;
	}
	return word;
}

#define SDP_DIGITS_MAX 10 /* of a number, with zeros in front */

/** Digits only, at most max. @return false otherwise. */
static inline bool sdp_number(struct str_view text, uint32_t max, uint32_t *out)
{
	uint64_t value;
	size_t n = decimal_span(text, &value);

	if (n == 0 || n != text.len || n > SDP_DIGITS_MAX || value > max)
		return false;
	*out = (uint32_t)value;
	return true;
}

/** sdp_token_span() from n on, character by character. */
size_t sdp_token_span_rest(struct str_view v, size_t n);

#if defined(__AVX2__)
/** Bit i of an entry: the character with that low half and the high half i is of a token. */
extern uint8_t sdp_token_low[16];

/** Which of the 32 characters at p are of no token. */
static inline uint32_t sdp_no_token_bits(const char *p)
{
	const __m256i table = _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)(const void *)sdp_token_low));
	const __m256i bit =
		_mm256_broadcastsi128_si256(_mm_set1_epi64x((long long)0x8040201008040201));
	__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p), in;

	/* One above 0x7f finds nothing in the first table: its top bit is set. */
	in = _mm256_shuffle_epi8(
		bit, _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(0x0f)));
	in = _mm256_and_si256(_mm256_shuffle_epi8(table, x), in);
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}
#endif

/** Characters at the start of v that RFC 8866 section 9 takes for a token. @param wide  32 can be
 * read at v.p. */
static inline size_t sdp_token_span(struct str_view v, bool wide)
{
#if defined(__AVX2__)
	if (wide) {
		uint32_t others = sdp_no_token_bits(v.p);

		if (others != 0) {
			size_t n = (size_t)__builtin_ctz(others);

			return n < v.len ? n : v.len;
		}
		return v.len <= 32 ? v.len : sdp_token_span_rest(v, 32);
	}
#endif
	return sdp_token_span_rest(v, 0);
}

/** RFC 8866 section 9 "token", of at most SDP_TOKEN_MAX bytes. */
static inline bool sdp_is_token(struct str_view t)
{
	return t.len > 0 && t.len <= SDP_TOKEN_MAX &&
	       sdp_token_span(t, load_fits(t.p, t.p + t.len, 32)) == t.len;
}

/** Tokens with slashes between, before and behind them: a protocol, a format. */
bool sdp_is_path(struct str_view t);

#endif
