/*
 * From, To and Via as policing reads them.
 */
#include "sip_peek_priv.h"

#include <errno.h>

#include "sip_chars_priv.h"
#include "sip_parse.h"

int sip_tag_read(struct str_view value, struct str_view *tag)
{
	struct sip_name_addr na;
	struct sip_param param;
	int got, rc = 0;

	*tag = (struct str_view){NULL, 0};
	if (sip_name_addr_take(value, &na) != 0 || na.star)
		return -EBADMSG;
	while ((got = sip_param_next(&na.params, &param)) > 0) {
		if (param.name.len != 3 || !sv_eq_nocase(param.name, SV("tag")))
			continue;
		if (tag->p != NULL || !sip_is_token(param.value))
			rc = -EBADMSG;
		else
			*tag = param.value;
	}
	if (got == 0 && rc == 0)
		return 0;
	*tag = (struct str_view){NULL, 0};
	return -EBADMSG;
}

/* ";tag=" in any case: none of these becomes another character by the bit but "\x1b" and the
 * like, which stand in no header line. */
static inline bool is_tag(const char *p)
{
	uint32_t head;

	memcpy(&head, p, sizeof(head));
	return (head | 0x20202000) == (';' | 't' << 8 | 'a' << 16 | (uint32_t)'g' << 24) &&
	       p[4] == '=';
}

#if defined(__AVX2__)
/* What follows the last ">", if that is among the last 64 characters and no quote stands behind
 * it: one that is quoted has a quote behind it. */
static inline bool params_find(struct str_view value, const char *msg, struct str_view *params)
{
	const char *end = value.p + value.len, *window = end - 64;
	uint64_t close = 0, quotes = 0;
	unsigned int at;

	if (value.p - msg < 64)
		return false;
	for (unsigned int half = 0; half < 2; half++) {
		__m256i x = sip_load32(window + 32 * (size_t)half);

		close |= (uint64_t)sip_bits_of(x, '>') << (32 * half);
		quotes |= (uint64_t)sip_bits_of(x, '"') << (32 * half);
	}
	if (close == 0)
		return false;
	at = 63 - (unsigned int)__builtin_clzll(close);
	*params = (struct str_view){window + at + 1, 63 - at};
	return quotes >> at == 0 && params->p > value.p;
}
#endif

bool sip_peek_tag(struct str_view value, const char *msg, struct str_view *tag)
{
#if defined(__AVX2__)
	struct str_view params;
#endif

	if (value.p == NULL)
		return false;
#if defined(__AVX2__)
	if (params_find(value, msg, &params)) {
		if (params.len == 0)
			return false;
		if (params.len > 5 && is_tag(params.p)) {
			size_t n;

			sip_view_skip(&params, 5);
			n = sip_chars_span(params, CHAR_TOKEN);
			if (n > 0 && (n == params.len || params.p[n] == ';')) {
				*tag = (struct str_view){params.p, n};
				return true;
			}
		}
	}
#endif
	return sip_tag_read(value, tag) == 0 && tag->p != NULL;
}

/* ";branch=" in any case. */
static inline bool is_branch(const char *p)
{
	const uint64_t name = 0x3d68636e6172623b, letters = 0x0020202020202000;
	uint64_t head;

	memcpy(&head, p, sizeof(head));
	return (head | letters) == name;
}

bool sip_peek_branch(struct str_view value, struct str_view *branch)
{
	for (size_t at = 8; at < value.len; at++) {
		const char *found = memchr(value.p + at - 1, '=', value.len - at);

		if (found == NULL)
			return false;
		at = (size_t)(found - value.p) + 1;
		if (is_branch(value.p + at - 8)) {
			*branch = (struct str_view){value.p + at, value.len - at};
			return true;
		}
	}
	return false;
}
