/*
 * Lines: where they end, whether they hold what no header may hold, and where
 * the name stops and the value starts.
 */
#include "sip_line_priv.h"

#include "sip_chars_priv.h"

static bool is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

#if defined(__AVX2__)
/* Which of 32 characters is_control() names. */
static inline uint32_t control_bits(__m256i x)
{
	const __m256i low = _mm256_set1_epi8(0x1f), tab = _mm256_set1_epi8('\t');
	__m256i ctl = _mm256_cmpeq_epi8(_mm256_min_epu8(x, low), x);

	ctl = _mm256_andnot_si256(_mm256_cmpeq_epi8(x, tab), ctl);
	ctl = _mm256_or_si256(ctl, _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));
	return (uint32_t)_mm256_movemask_epi8(ctl);
}
#endif

/* First control character but HT, or end: line ends are found by the same pass that sees NUL and
 * its like. Never reads at or behind end. */
static const char *find_control(const char *p, const char *end)
{
#if defined(__AVX2__)
	for (; end - p >= 32; p += 32) {
		uint32_t bits = control_bits(sip_load32(p));

		if (bits != 0)
			return p + __builtin_ctz(bits);
	}
#endif
	while (p < end && !is_control(*p))
		p++;
	return p;
}

/* RFC 3261 section 25.1: a quoted-pair may hold any ASCII character but CR and LF, and only inside
 * a quoted string. Line ends in the text are those of folding. */
static bool controls_are_quoted(struct str_view text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (quoted && c == '\\' && i + 1 < text.len) {
			i++;
			if (text.p[i] == '\r' || text.p[i] == '\n')
				return false;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (is_control(c) && c != '\r' && c != '\n') {
			return false;
		}
	}
	return true;
}

bool sip_line_read(const char *p, const char *end, bool fold, struct sip_line *line)
{
	bool bare = false, control = false;
	const char *at = p;

	if (p >= end)
		return false;
	*line = (struct sip_line){.next = end};
	while (true) {
		const char *stop = find_control(at, end);

		if (stop == end) {
			line->text = (struct str_view){p, (size_t)(end - p)};
			break;
		}
		at = stop + 1;
		if (*stop == '\r' && at < end && *at == '\n') {
			at++;
		} else if (*stop == '\n') {
			/* It ends the line for whoever reads on, and makes it a bad one: others
			 * might not take it for an end. */
			bare = true;
		} else {
			if (*stop == '\r')
				bare = true;
			else
				control = true;
			continue;
		}
		/* An empty line is never folded: it ends the header lines. */
		if (fold && stop != p && at < end && (*at == ' ' || *at == '\t'))
			continue;
		line->text = (struct str_view){p, (size_t)(stop - p)};
		line->next = at;
		line->ended = true;
		break;
	}
	line->bad_char = bare || (control && !controls_are_quoted(line->text));
	return true;
}

bool sip_line_split(struct str_view text, struct str_view *name, struct str_view *value)
{
	size_t n = sip_chars_span(text, CHAR_TOKEN);

	*name = sip_view_take(&text, n);
	/* HCOLON: blanks may stand before the colon, a folded line may not. */
	while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
		sip_view_skip(&text, 1);
	if (n == 0 || text.len == 0 || text.p[0] != ':')
		return false;
	sip_view_skip(&text, 1);
	*value = sip_trim(text);
	return true;
}

#if defined(__AVX2__)
/* Which of 64 characters are below SP, HT too; and the largest of them as signed bytes, of which
 * DEL is the largest there is, is kept in `most`. */
static inline uint64_t low_bits64(const char *p, __m256i *most)
{
	const __m256i low = _mm256_set1_epi8(0x1f);
	__m256i a = sip_load32(p), b = sip_load32(p + 32);

	*most = _mm256_max_epi8(_mm256_max_epi8(*most, a), b);
	a = _mm256_cmpeq_epi8(_mm256_min_epu8(a, low), a);
	b = _mm256_cmpeq_epi8(_mm256_min_epu8(b, low), b);
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b)
							   << 32;
}

/* Where runs start in the word at `at`. @return behind the last of them. */
static inline uint16_t *starts_write(uint16_t *to, size_t at, uint64_t starts)
{
	size_t found = (size_t)__builtin_popcountll(starts);

	to[0] = (uint16_t)(at + (size_t)__builtin_ia32_tzcnt_u64(starts));
	starts = _blsr_u64(starts);
	to[1] = (uint16_t)(at + (size_t)__builtin_ia32_tzcnt_u64(starts));
	/* Few lines are so short that there are more than two in a word. */
	for (size_t i = 2; i < found; i++) {
		starts = _blsr_u64(starts);
		to[i] = (uint16_t)(at + (size_t)__builtin_ia32_tzcnt_u64(starts));
	}
	return to + found;
}

static unsigned int ends_write(uint16_t *to, const char *p, size_t len)
{
	const uint16_t *const first = to, *const last = to + SIP_LINE_ENDS_MAX;
	__m256i most = _mm256_set1_epi8(-128);
	uint64_t bits, starts, empty, before = 0; /* the last bit of the word before */
	size_t at = 0;

	if (len < 64)
		return 0;
	/* Up to an empty line, or one of a single character: what follows is most often the body.
	 */
	do {
		bits = low_bits64(p + at, &most);
		starts = bits & ~(bits << 1 | before);
		before = bits >> 63;
		to = starts_write(to, at, starts);
		at += 64;
	} while ((bits & bits >> 2) == 0 && to < last && len - at >= 64);
	if ((bits & bits >> 2) == 0 && to < last && at < len) {
		bits = low_bits64(p + len - 64, &most) >> (64 - (len - at));
		starts = bits & ~(bits << 1 | before);
		to = starts_write(to, at, starts);
	}
	/* Lines behind an empty one need not be looked at. */
	empty = bits & bits >> 1 & bits >> 2;
	if (empty != 0)
		to -= __builtin_popcountll(starts & ~_blsmsk_u64(empty));
	return _mm256_movemask_epi8(_mm256_cmpeq_epi8(most, _mm256_set1_epi8(0x7f))) == 0
		       ? (unsigned int)(to - first)
		       : 0;
}
#endif

void sip_line_ends_find(struct sip_line_ends *e, const char *p, const char *end)
{
#if defined(__AVX2__)
	e->n = ends_write(e->at, p, (size_t)(end - p));
#else
	e->n = 0;
#endif
}

const char *sip_line_skip_empty(const char *p, const char *end)
{
	while (p < end) {
		if (*p == '\n')
			p++;
		else if (*p == '\r' && end - p >= 2 && p[1] == '\n')
			p += 2;
		else
			break;
	}
	return p;
}
