/*
 * Via, From and To without a step for each character.
 */
#include "sip_plain_priv.h"

#include "sip_chars_priv.h"

#if defined(__AVX2__)
/* A text of at most 63 characters, as bits: what ends a name or a value of a parameter. */
struct params {
	const char *p;
	size_t at, len;
	uint64_t no_name, no_value;
};

static inline uint64_t class_bits64(const char *p, unsigned int class)
{
	return sip_class_bits(sip_load32(p), class) |
	       (uint64_t)sip_class_bits(sip_load32(p + 32), class) << 32;
}

static inline uint64_t bits64_of(const char *p, char c)
{
	return sip_bits_of(sip_load32(p), c) | (uint64_t)sip_bits_of(sip_load32(p + 32), c) << 32;
}

static inline size_t first_bit(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits);
}

static bool params_start(struct params *s, struct str_view v, const char *end)
{
	*s = (struct params){.p = v.p, .len = v.len};
	if (v.len == 0)
		return true;
	if (v.len > 63 || !sip_can_load64(v.p, end))
		return false;
	/* One bit behind the text stops both. */
	s->no_name = ~class_bits64(v.p, CHAR_NAME) | 1ULL << v.len;
	s->no_value = (s->no_name & ~bits64_of(v.p, '=')) | 1ULL << v.len;
	return true;
}

/* @return 1, 0 at the end, -1 if it is not plain. value.p NULL: no "=". */
static inline int params_next(struct params *s, struct str_view *name, struct str_view *value)
{
	size_t from = s->at + 1, to;

	if (s->at == s->len)
		return 0;
	if (s->p[s->at] != ';' || from == s->len)
		return -1;
	to = first_bit(s->no_name & ~0ULL << from);
	*name = (struct str_view){s->p + from, to - from};
	*value = (struct str_view){NULL, 0};
	s->at = to;
	if (to == from)
		return -1;
	if (to == s->len || s->p[to] == ';')
		return 1;
	from = to + 1;
	if (s->p[to] != '=' || from == s->len)
		return -1;
	to = first_bit(s->no_value & ~0ULL << from);
	*value = (struct str_view){s->p + from, to - from};
	s->at = to;
	return to > from && (to == s->len || s->p[to] == ';') ? 1 : -1;
}

/* The letters of "branch" and "tag" fold to themselves only. */
static inline bool is_branch(struct str_view name)
{
	uint32_t head;
	uint16_t tail;

	if (name.len != 6)
		return false;
	memcpy(&head, name.p, sizeof(head));
	memcpy(&tail, name.p + 4, sizeof(tail));
	return (head | 0x20202020) == ('b' | 'r' << 8 | 'a' << 16 | 'n' << 24) &&
	       (tail | 0x2020) == ('c' | 'h' << 8);
}

static inline bool is_tag(struct str_view name)
{
	return name.len == 3 && (name.p[0] | 0x20) == 't' && (name.p[1] | 0x20) == 'a' &&
	       (name.p[2] | 0x20) == 'g';
}
#endif

bool sip_plain_via(struct str_view value, const char *end, struct str_view *branch)
{
#if defined(__AVX2__)
	const struct str_view usual = SV("SIP/2.0/UDP ");
	struct str_view v = value, host, name, text;
	struct params params;
	uint16_t port;
	bool v6;
	int got;

	*branch = (struct str_view){NULL, 0};
	if (v.len <= usual.len || memcmp(v.p, usual.p, usual.len) != 0)
		return false;
	sip_view_skip(&v, usual.len);
	if (sip_host_take(&v, &host, &v6) != 0)
		return false;
	if (v.len > 0 && v.p[0] == ':') {
		sip_view_skip(&v, 1);
		if (sip_port_take(&v, &port) != 0)
			return false;
	}
	if (!params_start(&params, v, end))
		return false;
	while ((got = params_next(&params, &name, &text)) > 0) {
		if (is_branch(name)) {
			if (branch->p != NULL || text.p == NULL)
				return false;
			*branch = text;
		} else if (name.len == 5 && text.p != NULL && (name.p[0] | 0x20) == 'r') {
			return false; /* rport with a value, which may be wrong */
		}
	}
	return got == 0;
#else
	return false;
#endif
}

bool sip_plain_tag(struct str_view value, const char *end, struct str_view *tag)
{
#if defined(__AVX2__)
	const __m256i space = _mm256_set1_epi8(' ');
	struct str_view v = value, name, text;
	struct params params;
	uint64_t stop = 0;
	size_t at = 0;
	int got;

	*tag = (struct str_view){NULL, 0};
	if (v.len < 3 || !sip_can_load64(v.p, end))
		return false;
	if (v.p[0] == '"') {
		uint64_t quotes = bits64_of(v.p, '"') & ~1ULL;

		if (quotes == 0)
			return false;
		at = first_bit(quotes) + 1;
		/* A backslash might make that quote part of the name. */
		if ((bits64_of(v.p, '\\') & ((1ULL << (at - 1)) - 1)) != 0)
			return false;
		if (at < v.len && v.p[at] == ' ')
			at++;
	}
	if (at >= v.len || at > 60 || v.p[at] != '<')
		return false;
	for (unsigned int half = 0; half < 2; half++) {
		__m256i x = sip_load32(v.p + 32 * (size_t)half);
		__m256i no = _mm256_cmpeq_epi8(_mm256_min_epu8(x, space), x);

		no = _mm256_or_si256(no, _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));
		no = _mm256_or_si256(no, _mm256_cmpeq_epi8(x, _mm256_set1_epi8('<')));
		no = _mm256_or_si256(no, _mm256_cmpeq_epi8(x, _mm256_set1_epi8('>')));
		no = _mm256_or_si256(no, _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"')));
		stop |= (uint64_t)(uint32_t)_mm256_movemask_epi8(no) << (32 * half);
	}
	stop &= ~0ULL << (at + 1);
	if (stop == 0)
		return false;
	stop = first_bit(stop);
	if (stop >= v.len || v.p[stop] != '>' || stop == at + 1)
		return false;
	sip_view_skip(&v, stop + 1);
	if (!params_start(&params, v, end))
		return false;
	while ((got = params_next(&params, &name, &text)) > 0) {
		if (!is_tag(name))
			continue;
		if (tag->p != NULL || text.p == NULL || !sip_chars_all(text, CHAR_TOKEN))
			return false;
		*tag = text;
	}
	return got == 0;
#else
	return false;
#endif
}
