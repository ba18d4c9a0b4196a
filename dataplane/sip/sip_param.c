/*
 * Lists and parameters: what stands between commas and between semicolons.
 */
#include <errno.h>

#include "sip_chars_priv.h"
#include "sip_parse.h"

/* Nothing in it that item_len() looks for: one element. */
static bool item_is_plain(struct str_view v)
{
#if defined(__AVX2__)
	for (size_t n = 0; n < v.len; n += 32) {
		uint32_t found;
		__m256i x;

		if (!sip_can_load32(v.p + n, v.p + v.len))
			return false;
		x = sip_load32(v.p + n);
		found = sip_bits_of(x, ',') | sip_bits_of(x, '"') | sip_bits_of(x, '<');
		if (v.len - n < 32)
			found &= (1u << (v.len - n)) - 1;
		if (found != 0)
			return false;
	}
	return true;
#else
	return false;
#endif
}

/* Bytes up to the first comma outside of quotes and <>. A quote or bracket that does not end takes
 * all the rest, which the element's own parser then refuses. */
static size_t item_len(struct str_view v)
{
	bool quoted = false, angle = false;

	if (item_is_plain(v))
		return v.len;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (angle) {
			angle = c != '>';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '<') {
			angle = true;
		} else if (c == ',') {
			return i;
		}
	}
	return v.len;
}

bool sip_list_next(struct str_view *rest, struct str_view *item)
{
	struct str_view v = sip_trim(*rest), comma, after;

	if (v.len == 0)
		return false;
	*item = sip_trim(sip_view_take(&v, item_len(v)));
	*rest = v;
	if (v.len == 0)
		return true;
	/* An empty element behind the last comma must be seen, so that comma stays; behind an empty
	 * element it goes, so that this ends. */
	comma = sip_view_take(&v, 1);
	after = sip_trim(v);
	if (after.len > 0 || item->len == 0)
		*rest = after;
	else
		*rest = comma;
	return true;
}

/* ";name" or ";name=value" without white space and quotes, which is how they come. */
static bool param_plain(struct str_view *rest, struct sip_param *out)
{
	struct str_view v = {rest->p + 1, rest->len - 1};
	size_t n = sip_chars_span(v, CHAR_NAME);

	if (n == 0)
		return false;
	out->name = (struct str_view){v.p, n};
	v = (struct str_view){v.p + n, v.len - n};
	if (v.len > 1 && v.p[0] == '=') {
		n = sip_chars_span((struct str_view){v.p + 1, v.len - 1}, CHAR_VALUE);
		if (n == 0)
			return false;
		out->value = (struct str_view){v.p + 1, n};
		v = (struct str_view){v.p + 1 + n, v.len - 1 - n};
	}
	if (v.len > 0 && v.p[0] != ';')
		return false;
	*rest = v;
	return true;
}

int sip_param_next(struct str_view *rest, struct sip_param *out)
{
	struct str_view v = *rest;
	size_t n;

	*out = (struct sip_param){{NULL, 0}, {NULL, 0}};
	if (v.len > 1 && v.p[0] == ';') {
		if (param_plain(rest, out))
			return 1;
		*out = (struct sip_param){{NULL, 0}, {NULL, 0}};
	}
	sip_skip_ws(&v);
	if (v.len == 0) {
		*rest = v;
		return 0;
	}
	if (!sip_skip_char(&v, ';'))
		return -EBADMSG;
	n = sip_chars_span(v, CHAR_NAME);
	if (n == 0)
		return -EBADMSG;
	out->name = sip_view_take(&v, n);
	if (sip_skip_char(&v, '=')) {
		if (v.len > 0 && v.p[0] == '"') {
			if (sip_quoted_take(&v, &out->value) != 0)
				return -EBADMSG;
		} else {
			out->value = sip_view_take(&v, sip_chars_span(v, CHAR_VALUE));
		}
	}
	sip_skip_ws(&v);
	if (v.len > 0 && v.p[0] != ';')
		return -EBADMSG;
	*rest = v;
	return 1;
}

bool sip_param_find(struct str_view params, struct str_view name, struct str_view *value)
{
	struct sip_param param;

	while (sip_param_next(&params, &param) > 0) {
		if (sv_eq_nocase(param.name, name)) {
			*value = param.value;
			return true;
		}
	}
	return false;
}
