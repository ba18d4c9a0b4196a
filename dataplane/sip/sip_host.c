/*
 * Hosts and ports, of URIs and of Via.
 */
#include <errno.h>

#include "addr.h"
#include "sip_parse.h"
#include "sip_text64_priv.h"

#define HOST_LEN_MAX 255 /* RFC 1035 section 2.3.4 */
#define LABEL_LEN_MAX 63

/* RFC 5118 section 4.10: the grammar of RFC 3261 let ":::" stand before an IPv4 part. */
static bool is_v6(struct str_view text)
{
	char fixed[NET_ADDR_STRLEN];
	struct net_addr a;

	if (memchr(text.p, ':', text.len) == NULL)
		return false;
	if (net_addr_parse(text, &a) == 0)
		return a.family == NET_FAMILY_V6;
	if (text.len >= sizeof(fixed) || memchr(text.p, '.', text.len) == NULL)
		return false;
	for (size_t i = 0; i + 2 < text.len; i++) {
		if (memcmp(text.p + i, ":::", 3) != 0)
			continue;
		memcpy(fixed, text.p, i);
		memcpy(fixed + i, text.p + i + 1, text.len - i - 1);
		return net_addr_parse((struct str_view){fixed, text.len - 1}, &a) == 0;
	}
	return false;
}

/* Four numbers up to 255 without leading zeros, as inet_pton() takes them. */
static bool is_v4(struct str_view text)
{
	unsigned int dots = 0, digits = 0, value = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '.' && digits > 0 && dots < 3) {
			dots++;
			digits = value = 0;
		} else if (sip_char_is(c, CHAR_DIGIT) && (digits == 0 || value != 0)) {
			digits++;
			value = value * 10 + (unsigned int)(c - '0');
		} else {
			return false;
		}
		if (value > 255)
			return false;
	}
	return dots == 3 && digits > 0;
}

/* hostname of RFC 3261 section 25.1, and "_" as it occurs inside networks. */
static bool is_host_name(struct str_view name)
{
	struct str_view label;

	if (name.len > HOST_LEN_MAX)
		return false;
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	while (true) {
		const char *dot = name.len > 0 ? memchr(name.p, '.', name.len) : NULL;

		label = sip_view_take(&name, dot != NULL ? (size_t)(dot - name.p) : name.len);
		if (label.len == 0 || label.len > LABEL_LEN_MAX || label.p[0] == '-' ||
			label.p[label.len - 1] == '-')
			return false;
		if (dot == NULL)
			break;
		sip_view_skip(&name, 1);
	}
	/* A top label that starts with a digit is a number, not a name. */
	return !sip_char_is(label.p[0], CHAR_DIGIT);
}

#if defined(__AVX2__)
static inline unsigned int bits16(__m128i x)
{
	return (unsigned int)_mm_movemask_epi8(x);
}

/* Four numbers up to 255 without leading zeros, in 15 characters at most of CHAR_HOST.
 * @param end  of what may be read. */
static inline bool host16_is_v4(const char *p, size_t len, const char *end)
{
	unsigned int range = (1U << len) - 1, digits, dots, starts, three, above5, over;
	__m128i x;

	if (!load_fits(p, end, 16))
		return is_v4((struct str_view){p, len});
	x = _mm_loadu_si128((const __m128i *)(const void *)p);
	dots = bits16(_mm_cmpeq_epi8(x, _mm_set1_epi8('.'))) & range;
	x = _mm_sub_epi8(x, _mm_set1_epi8('0'));
	digits = bits16(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x)) & range;
	starts = dots << 1 | 1;
	three = starts & digits >> 1 & digits >> 2;
	/* Those of three digits that are 256 or more. */
	above5 = bits16(_mm_cmpgt_epi8(x, _mm_set1_epi8(5)));
	over = bits16(_mm_cmpeq_epi8(x, _mm_set1_epi8(5))) >> 1 & above5 >> 2;
	over = bits16(_mm_cmpgt_epi8(x, _mm_set1_epi8(2))) |
	       (bits16(_mm_cmpeq_epi8(x, _mm_set1_epi8(2))) & (above5 >> 1 | over));
	return (digits | dots) == range && __builtin_popcount(dots) == 3 &&
	       (starts & ~digits) == 0 && (three & (over | digits >> 3)) == 0 &&
	       (starts & bits16(_mm_cmpeq_epi8(x, _mm_setzero_si128())) & digits >> 1) == 0;
}

bool sip_host64_is_good(__m256i low, __m256i high, struct str_view text, size_t from, size_t to)
{
	const struct sip_text64 t = {low, high};
	uint64_t dots, range, starts, ends, no_edge;

	if (sip_char_is(text.p[from], CHAR_DIGIT) && to - from < 16 &&
		host16_is_v4(text.p + from, to - from, text.p + text.len))
		return true;
	dots = sip_text64_is(t, '.');
	/* "example.com." */
	to -= to - from > 1 && (dots >> (to - 1) & 1) != 0;
	range = sip_bits_range(from, to);
	dots &= range;
	starts = dots << 1 | 1ULL << from;
	ends = dots >> 1 | 1ULL << (to - 1);
	no_edge = dots | (sip_text64_is(t, '-') & range);
	/* A top label that starts with a digit is a number, not a name. */
	return ((starts | ends) & no_edge) == 0 &&
	       !sip_char_is(text.p[63 - __builtin_clzll(starts)], CHAR_DIGIT);
}
#endif

/* Bytes of the host at the start of v, 0 if that is none. */
static size_t host_span(struct str_view v)
{
	struct str_view host;

#if defined(__AVX2__)
	struct sip_text64 t = sip_text64_load(v);
	uint64_t stops = ~sip_text64_class(t, CHAR_HOST);
	size_t n;

	if (v.len < 64)
		stops |= 1ULL << v.len;
	if (stops != 0) {
		n = sip_bits_first(stops, 0);
		return n > 0 && sip_host64_is_good(t.low, t.high, v, 0, n) ? n : 0;
	}
#endif
	host = (struct str_view){v.p, sip_chars_span(v, CHAR_HOST)};
	return is_v4(host) || is_host_name(host) ? host.len : 0;
}

int sip_host_take(struct str_view *v, struct str_view *host, bool *v6)
{
	size_t n;

	if (v->len == 0)
		return -EBADMSG;
	if (v->p[0] == '[') {
		const char *end = memchr(v->p, ']', v->len);

		if (end == NULL)
			return -EBADMSG;
		*host = (struct str_view){v->p + 1, (size_t)(end - v->p) - 1};
		if (host->len == 0 || host->p[0] == '[' || !is_v6(*host))
			return -EBADMSG;
		*v6 = true;
		sip_view_skip(v, host->len + 2);
		return 0;
	}
	n = host_span(*v);
	if (n == 0)
		return -EBADMSG;
	*host = sip_view_take(v, n);
	*v6 = false;
	return 0;
}

int sip_port_take(struct str_view *v, uint16_t *port)
{
	uint64_t value;
	size_t n = decimal_span(*v, &value);

	/* 0 would read as "no port". */
	if (n == 0 || value == 0 || value > UINT16_MAX)
		return -EBADMSG;
	*port = (uint16_t)value;
	sip_view_skip(v, n);
	return 0;
}
