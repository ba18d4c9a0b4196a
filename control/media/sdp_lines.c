#include "sdp_lines.h"

/* What 64 characters are: a bit each. */
struct word {
	uint64_t lf, cr;
	uint64_t bad; /* any other control character but tab */
};

#if defined(__AVX2__)
static inline uint64_t bits64(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b)
							   << 32;
}

static inline __m256i is_control(__m256i x)
{
	const __m256i low = _mm256_set1_epi8(0x1f);
	__m256i in = _mm256_cmpeq_epi8(_mm256_min_epu8(x, low), x);

	in = _mm256_andnot_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('\t')), in);
	return _mm256_or_si256(in, _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));
}

static inline struct word word_read(const char *p)
{
	const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
	struct word w;

	w.lf = bits64(_mm256_cmpeq_epi8(a, lf), _mm256_cmpeq_epi8(b, lf));
	w.cr = bits64(_mm256_cmpeq_epi8(a, cr), _mm256_cmpeq_epi8(b, cr));
	w.bad = bits64(is_control(a), is_control(b)) & ~(w.lf | w.cr);
	return w;
}
#else
static struct word word_read(const char *p)
{
	struct word w = {0, 0, 0};

	for (unsigned int i = 0; i < 64; i++) {
		unsigned char c = (unsigned char)p[i];
		uint64_t bit = 1ULL << i;

		if (c == '\n')
			w.lf |= bit;
		else if (c == '\r')
			w.cr |= bit;
		else if ((c < ' ' && c != '\t') || c == 0x7f)
			w.bad |= bit;
	}
	return w;
}
#endif

bool sdp_line_ends_find(struct str_view text, struct sdp_line_ends *e)
{
	uint64_t bad = 0, after = 0; /* after: behind a CR */
	unsigned int n = 0;

	for (size_t at = 0; at < text.len; at += 64) {
		size_t left = text.len - at;
		char rest[64];
		struct word w;

		if (left >= sizeof(rest)) {
			w = word_read(text.p + at);
			bad |= (w.cr << 1 | after) & ~w.lf;
		} else {
			memset(rest, ' ', sizeof(rest));
			memcpy(rest, text.p + at, left);
			w = word_read(rest);
			bad |= (w.cr << 1 | after) & ~w.lf & ((1ULL << left) - 1);
		}
		bad |= w.bad;
		after = w.cr >> 63;
		for (; w.lf != 0 && n < ARRAY_LEN(e->at); w.lf &= w.lf - 1)
			e->at[n++] = (uint16_t)(at + (size_t)__builtin_ctzll(w.lf));
	}
	e->n = n;
	return bad == 0;
}

bool sdp_number(struct str_view text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* Visible ASCII but for the separators of RFC 8866 section 9. */
static const bool token_char[256] = {
	['!'] = true,
	['#'] = true,
	['$'] = true,
	['%'] = true,
	['&'] = true,
	['\''] = true,
	['*'] = true,
	['+'] = true,
	['-'] = true,
	['.'] = true,
	['0' ... '9'] = true,
	['A' ... 'Z'] = true,
	['^'] = true,
	['_'] = true,
	['`'] = true,
	['a' ... 'z'] = true,
	['{'] = true,
	['|'] = true,
	['}'] = true,
	['~'] = true,
};

bool sdp_is_token(struct str_view t, bool slash)
{
	bool all = true;

	if (t.len == 0 || t.len > SDP_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++)
		all &= token_char[(unsigned char)t.p[i]] || (slash && t.p[i] == '/');
	return all;
}
