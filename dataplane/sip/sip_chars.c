/*
 * The table of character classes, and what several headers are made of:
 * tokens, numbers, quoted strings.
 */
#include <errno.h>

#include "sip_parse.h"
#include "sip_text64_priv.h"

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
	['<'] = CHAR_WORD | CHAR_NO_URI,
	['>'] = CHAR_WORD | CHAR_NO_URI,
	['"'] = CHAR_WORD | CHAR_NO_URI,
	['\\'] = CHAR_WORD,
	['{'] = CHAR_WORD | VALUE,
	['}'] = CHAR_WORD | VALUE,
	['@'] = VALUE,
	['|'] = VALUE,
	['^'] = VALUE,
	[' '] = CHAR_WS | CHAR_NO_URI,
	['\t'] = CHAR_WS | CHAR_NO_URI,
	['\n'] = CHAR_WS | CHAR_NO_URI,
	['\r'] = CHAR_WS | CHAR_NO_URI,
	[0x00 ... 0x08] = CHAR_NO_URI,
	[0x0b ... 0x0c] = CHAR_NO_URI,
	[0x0e ... 0x1f] = CHAR_NO_URI,
	[0x7f] = CHAR_NO_URI,
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

__m256i sip_load32_rest(const char *p, size_t len)
{
	char copy[32];

	memset(copy, ' ', sizeof(copy));
	if (len > 0)
		memcpy(copy, p, len < sizeof(copy) ? len : sizeof(copy));
	return sip_load32(copy);
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
	uint64_t value;
	size_t n;

	n = decimal_span(text, &value);
	if (n != text.len) {
		text = sip_trim(text);
		n = decimal_span(text, &value);
	}
	if (n == 0 || n != text.len)
		return -EBADMSG;
	if (value > max)
		return -ERANGE;
	*out = (uint32_t)value;
	return 0;
}

size_t sip_quoted_span(struct str_view v)
{
#if defined(__AVX2__)
	struct sip_text64 t = sip_text64_load(v);
	uint64_t quotes = sip_text64_is(t, '"') & ~1ULL;
	size_t n;

	if (v.len < 64)
		quotes &= (1ULL << v.len) - 1;
	if (quotes != 0) {
		n = sip_bits_first(quotes, 0);
		/* A backslash in front might make it part of the text. */
		if ((sip_text64_is(t, '\\') & sip_bits_range(0, n)) == 0)
			return n + 1;
	}
#endif
	for (size_t i = 1; i < v.len; i++) {
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			return i + 1;
	}
	return 0;
}
