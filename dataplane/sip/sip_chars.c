/*
 * The table of character classes, and what several headers are made of:
 * tokens, numbers, quoted strings, hosts, ports.
 */
#include "sip_chars_priv.h"

#include <errno.h>

#include "addr.h"
#include "sip_parse.h"

#define HOST_LEN_MAX 255 /* RFC 1035 section 2.3.4 */
#define LABEL_LEN_MAX 63

/* What unreserved characters may be part of. */
#define VALUE (CHAR_VALUE | CHAR_NAME)
#define URI_PARTS (CHAR_USER | CHAR_PASS | CHAR_PARAM | CHAR_HNV | VALUE)
#define MARK (CHAR_TOKEN | CHAR_WORD | URI_PARTS)
#define ALPHA (MARK | CHAR_ALNUM | CHAR_HOST)

const uint16_t sip_char_class[256] = {
	['0' ... '9'] = ALPHA | CHAR_DIGIT | CHAR_HEX,
	['a' ... 'f'] = ALPHA | CHAR_HEX,
	['g' ... 'z'] = ALPHA,
	['A' ... 'F'] = ALPHA | CHAR_HEX,
	['G' ... 'Z'] = ALPHA,
	['-'] = MARK | CHAR_HOST,
	['_'] = MARK | CHAR_HOST,
	['.'] = MARK | CHAR_HOST,
	['!'] = MARK,
	['~'] = MARK,
	['*'] = MARK,
	['\''] = MARK,
	['+'] = MARK,
	['('] = CHAR_WORD | URI_PARTS,
	[')'] = CHAR_WORD | URI_PARTS,
	['%'] = CHAR_TOKEN | CHAR_WORD | VALUE,
	['`'] = CHAR_TOKEN | CHAR_WORD | VALUE,
	['&'] = CHAR_USER | CHAR_PASS | CHAR_PARAM | VALUE,
	['='] = CHAR_USER | CHAR_PASS | CHAR_PARAM | CHAR_VALUE,
	['$'] = URI_PARTS,
	[','] = CHAR_USER | CHAR_PASS,
	[';'] = CHAR_USER,
	['?'] = CHAR_USER | CHAR_HNV | CHAR_WORD | VALUE,
	['/'] = CHAR_USER | CHAR_PARAM | CHAR_HNV | CHAR_WORD | VALUE,
	['#'] = CHAR_USER | VALUE,
	['['] = CHAR_PARAM | CHAR_HNV | CHAR_WORD | VALUE,
	[']'] = CHAR_PARAM | CHAR_HNV | CHAR_WORD | VALUE,
	[':'] = CHAR_PARAM | CHAR_HNV | CHAR_WORD | VALUE,
	['<'] = CHAR_WORD,
	['>'] = CHAR_WORD,
	['"'] = CHAR_WORD,
	['\\'] = CHAR_WORD,
	['{'] = CHAR_WORD | VALUE,
	['}'] = CHAR_WORD | VALUE,
	['@'] = VALUE,
	['|'] = VALUE,
	['^'] = VALUE,
	[' '] = CHAR_WS,
	['\t'] = CHAR_WS,
	['\r'] = CHAR_WS,
	['\n'] = CHAR_WS,
};

#if defined(__AVX2__)
uint8_t sip_class_low[CHAR_CLASSES][16];

/* Before main(): the library has no other start, and threads only read. */
static void __attribute__((constructor)) class_tables_make(void)
{
	for (unsigned int class = 0; class < CHAR_CLASSES; class ++) {
		for (unsigned int c = 0; c < 128; c++)
			sip_class_low[class][c & 15] |=
				(uint8_t)((sip_char_class[c] >> class & 1) << (c >> 4));
	}
}
#endif

size_t sip_chars_span_rest(struct str_view v, unsigned int class, size_t n)
{
#if defined(__AVX2__)
	for (; v.len - n >= 32; n += 32) {
		uint32_t others = ~sip_class_bits(sip_load32(v.p + n), class);

		if (others != 0)
			return n + (size_t)__builtin_ctz(others);
	}
#endif
	while (n < v.len && sip_char_is(v.p[n], class))
		n++;
	return n;
}

bool sip_is_token(struct str_view text)
{
	return text.len > 0 && sip_chars_all(text, CHAR_TOKEN);
}

int sip_uint_parse(struct str_view text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	text = sip_trim(text);
	if (text.len == 0)
		return -EBADMSG;
	for (size_t i = 0; i < text.len; i++) {
		unsigned int digit = (unsigned char)text.p[i] - (unsigned int)'0';

		if (digit > 9)
			return -EBADMSG;
		n = n * 10 + digit;
		/* Above any max, and far from where it would wrap: the rest only has to be digits.
		 */
		if (n > UINT32_MAX)
			n = (uint64_t)UINT32_MAX + 1;
	}
	if (n > max)
		return -ERANGE;
	*out = (uint32_t)n;
	return 0;
}

int sip_quoted_take(struct str_view *v, struct str_view *out)
{
	for (size_t i = 1; i < v->len; i++) {
		if (v->p[i] == '\\') {
			i++;
		} else if (v->p[i] == '"') {
			*out = (struct str_view){v->p + 1, i - 1};
			sip_view_skip(v, i + 1);
			return 0;
		}
	}
	return -EBADMSG;
}

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

#if defined(__AVX2__)
/* is_v4() of what has 32 readable bytes, without a step for each character. */
static bool is_v4_plain(struct str_view text)
{
	__m256i x = sip_load32(text.p);
	uint32_t mine = (1u << text.len) - 1, dots = sip_bits_of(x, '.') & mine;
	size_t from = 0;

	if (((dots | sip_class_bits(x, CHAR_DIGIT)) & mine) != mine ||
		__builtin_popcount(dots) != 3)
		return false;
	dots |= mine + 1;
	for (unsigned int i = 0; i < 4; i++, dots &= dots - 1) {
		size_t to = (size_t)__builtin_ctz(dots), len = to - from;
		uint32_t number;

		if (len - 1 > 2 || (len > 1 && text.p[from] == '0'))
			return false;
		/* Its digits as one number, which is in their order. */
		memcpy(&number, text.p + from, sizeof(number));
		if (__builtin_bswap32(number) >> (8 * (4 - len)) > 0x323535 && len == 3)
			return false;
		from = to + 1;
	}
	return true;
}
#endif

/* Four numbers up to 255 without leading zeros, as inet_pton() takes them. */
static bool is_v4(struct str_view text)
{
	unsigned int dots = 0, digits = 0, value = 0;

#if defined(__AVX2__)
	/* 255.255.255.255 is the longest; the last number is read with a byte behind it. */
	if (text.len > 0 && text.len <= 15 && sip_can_load32(text.p, text.p + text.len))
		return is_v4_plain(text);
#endif
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

int sip_host_take(struct str_view *v, struct str_view *host, bool *v6)
{
	struct str_view rest = *v;

	if (rest.len > 0 && rest.p[0] == '[') {
		const char *end = memchr(rest.p, ']', rest.len);

		if (end == NULL)
			return -EBADMSG;
		*host = (struct str_view){rest.p + 1, (size_t)(end - rest.p) - 1};
		if (host->len == 0 || host->p[0] == '[' || !is_v6(*host))
			return -EBADMSG;
		*v6 = true;
		sip_view_skip(v, host->len + 2);
		return 0;
	}
	*host = sip_view_take(&rest, sip_chars_span(rest, CHAR_HOST));
	*v6 = false;
	if (!is_v4(*host) && !is_host_name(*host))
		return -EBADMSG;
	*v = rest;
	return 0;
}

int sip_port_take(struct str_view *v, uint16_t *port)
{
	uint32_t n = 0;
	size_t i = 0;

	for (; i < v->len && sip_char_is(v->p[i], CHAR_DIGIT); i++) {
		n = n * 10 + (uint32_t)(v->p[i] - '0');
		if (n > UINT16_MAX)
			return -EBADMSG;
	}
	/* 0 would read as "no port". */
	if (n == 0)
		return -EBADMSG;
	*port = (uint16_t)n;
	sip_view_skip(v, i);
	return 0;
}
