/*
 * Lists and parameters: what stands between commas and between semicolons.
 */
#include <errno.h>

#include "sip_parse.h"
#include "sip_text64_priv.h"

/* Bytes up to the first comma outside of quotes and <>, from n on, which is outside. A quote or
 * bracket that does not end takes all the rest, which the element's own parser then refuses. */
static size_t item_len_rest(struct str_view v, size_t n)
{
	bool quoted = false, angle = false;

	for (; n < v.len; n++) {
		char c = v.p[n];

		if (quoted) {
			if (c == '\\')
				n++;
			else if (c == '"')
				quoted = false;
		} else if (angle) {
			angle = c != '>';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '<') {
			angle = true;
		} else if (c == ',') {
			return n;
		}
	}
	return v.len;
}

static size_t item_len(struct str_view v)
{
	size_t n = 0;

#if defined(__AVX2__)
	while (n < v.len) {
		struct sip_text64 t = sip_text64_load((struct str_view){v.p + n, v.len - n});
		uint64_t marks =
			sip_text64_is(t, ',') | sip_text64_is(t, '"') | sip_text64_is(t, '<');
		uint64_t closed;
		size_t at;

		if (v.len - n < 64)
			marks &= (1ULL << (v.len - n)) - 1;
		if (marks == 0) {
			n += 64;
			continue;
		}
		at = sip_bits_first(marks, 0);
		if (v.p[n + at] == ',')
			return n + at;
		/* A URI in <> is taken at once, where it ends in these 64. */
		closed = sip_text64_is(t, '>') & ~0ULL << at;
		if (v.p[n + at] == '"' || closed == 0)
			return item_len_rest(v, n + at);
		n += sip_bits_first(closed, 0) + 1;
	}
	return v.len;
#else
	return item_len_rest(v, n);
#endif
}

bool sip_list_next(struct str_view *rest, struct str_view *item)
{
	struct str_view v = *rest, comma, after;
	size_t n;

	if (v.len == 0)
		return false;
	v = sip_trim(v);
	if (v.len == 0)
		return false;
	n = item_len(v);
	*item = sip_view_take(&v, n);
	*rest = v;
	if (v.len == 0)
		return true;
	*item = sip_trim(*item);
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
