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

/* The last characters of a text, less than 64 of them. */
static struct word last_read(struct str_view text, size_t at)
{
	char rest[64];
	struct word w;

	if (text.len >= sizeof(rest)) {
		size_t before = sizeof(rest) - (text.len - at);

		w = word_read(text.p + text.len - sizeof(rest));
		return (struct word){w.lf >> before, w.cr >> before, w.bad >> before};
	}
	memset(rest, ' ', sizeof(rest));
	memcpy(rest, text.p + at, text.len - at);
	return word_read(rest);
}

/* Of 0 any. */
static inline size_t first_bit(uint64_t bits)
{
#if defined(__AVX2__)
	return __builtin_ia32_tzcnt_u64(bits);
#else
	return bits != 0 ? (size_t)__builtin_ctzll(bits) : 0;
#endif
}

/* Few lines are so short that there are more than four in a word. @param to  room for 64. */
static inline unsigned int ends_write(uint16_t *to, size_t at, uint64_t lf)
{
	unsigned int n = (unsigned int)__builtin_popcountll(lf);

	for (unsigned int i = 0; i < 4; i++, lf &= lf - 1)
		to[i] = (uint16_t)(at + first_bit(lf));
	for (unsigned int i = 4; i < n; i++, lf &= lf - 1)
		to[i] = (uint16_t)(at + (size_t)__builtin_ctzll(lf));
	return n;
}

bool sdp_line_ends_find(struct str_view text, struct sdp_line_ends *e)
{
	uint64_t bad = 0, after = 0; /* after: behind a CR */
	unsigned int n = 0;
	size_t at = 0;

	for (; text.len - at >= 64; at += 64) {
		struct word w = word_read(text.p + at);

		bad |= w.bad | ((w.cr << 1 | after) & ~w.lf);
		after = w.cr >> 63;
		if (n <= SDP_LINES_MAX)
			n += ends_write(e->at + n, at, w.lf);
	}
	if (at < text.len) {
		struct word w = last_read(text, at);

		bad |= w.bad | ((w.cr << 1 | after) & ~w.lf & ((1ULL << (text.len - at)) - 1));
		if (n <= SDP_LINES_MAX)
			n += ends_write(e->at + n, at, w.lf);
	}
	if (text.len > 0 && text.p[text.len - 1] != '\n')
		e->at[n++] = (uint16_t)text.len;
	e->n = n;
	return bad == 0;
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

#if defined(__AVX2__)
uint8_t sdp_token_low[16];

/* Before main(), and threads only read. */
static void __attribute__((constructor)) token_table_make(void)
{
	for (unsigned int c = 0; c < 128; c++)
		sdp_token_low[c & 15] |= (uint8_t)(token_char[c] << (c >> 4));
}
#endif

size_t sdp_token_span_rest(struct str_view v, size_t n)
{
	while (n < v.len && token_char[(unsigned char)v.p[n]])
		n++;
	return n;
}

bool sdp_is_path(struct str_view t)
{
	size_t n = 0;

	if (t.len == 0 || t.len > SDP_TOKEN_MAX)
		return false;
	while (n < t.len) {
		n = sdp_token_span_rest(t, n);
		if (n < t.len && t.p[n++] != '/')
			return false;
	}
	return true;
}
