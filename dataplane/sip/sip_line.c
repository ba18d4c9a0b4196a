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
	return (uint32_t)_mm256_movemask_epi8(ctl) | sip_bits_of(x, 0x7f);
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
	bool bare_cr = false, control = false;
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
		} else if (*stop != '\n') {
			if (*stop == '\r')
				bare_cr = true;
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
	line->bad_char = bare_cr || (control && !controls_are_quoted(line->text));
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

void sip_controls_find(struct sip_controls *c, const char *p, const char *end)
{
	c->start = p;
	c->len = 0;
#if defined(__AVX2__)
	for (unsigned int i = 0; i < ARRAY_LEN(c->bits) && end - p >= 64; i++, p += 64) {
		c->bits[i] = control_bits(sip_load32(p)) |
			     (uint64_t)control_bits(sip_load32(p + 32)) << 32;
		c->len += 64;
	}
	/* The rest of it, with blanks behind the end. */
	if (c->len < 64 * ARRAY_LEN(c->bits) && p < end) {
		char rest[64];

		memset(rest, ' ', sizeof(rest));
		memcpy(rest, p, (size_t)(end - p));
		c->bits[c->len / 64] = control_bits(sip_load32(rest)) |
				       (uint64_t)control_bits(sip_load32(rest + 32)) << 32;
		c->len += 64;
	}
#endif
}

/* First control character at or behind this offset; c->len if none is known. */
static inline size_t controls_next(const struct sip_controls *c, size_t at)
{
	size_t word = at / 64;
	uint64_t bits;

	if (at >= c->len)
		return c->len;
	bits = c->bits[word] >> (at % 64);
	if (bits != 0)
		return at + (size_t)__builtin_ctzll(bits);
	while (++word < c->len / 64) {
		if (c->bits[word] != 0)
			return word * 64 + (size_t)__builtin_ctzll(c->bits[word]);
	}
	return c->len;
}

bool sip_line_plain(const struct sip_controls *c, const char *p, const char *end,
	struct str_view *name, struct str_view *value)
{
#if defined(__AVX2__)
	const char *colon, *from, *to;
	uint32_t others;

	if (!sip_can_load32(p, end))
		return false;
	others = ~sip_class_bits(sip_load32(p), CHAR_TOKEN);
	if (others == 0 || others & 1)
		return false;
	colon = p + __builtin_ctz(others);
	to = c->start + controls_next(c, (size_t)(p - c->start));
	/* The line end and the first character behind it are there. */
	if (end - to < 3 || to - colon < 2 || *colon != ':')
		return false;
	if (to[0] != '\r' || to[1] != '\n' || to[2] == ' ' || to[2] == '\t')
		return false;
	from = colon + 1 + (colon[1] == ' ');
	if (from == to || sip_char_is(*from, CHAR_WS) || sip_char_is(to[-1], CHAR_WS))
		return false;
	*name = (struct str_view){p, (size_t)(colon - p)};
	*value = (struct str_view){from, (size_t)(to - from)};
	return true;
#else
	return false;
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
