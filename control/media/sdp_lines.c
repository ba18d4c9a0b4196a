#include "sdp_lines.h"

#include "sdp.h"

bool sdp_line_next(struct str_view *rest, struct str_view *line)
{
	const char *lf;

	if (rest->len == 0)
		return false;
	lf = memchr(rest->p, '\n', rest->len);
	line->p = rest->p;
	line->len = lf ? (size_t)(lf - rest->p) : rest->len;
	rest->p += line->len + (lf != NULL);
	rest->len -= line->len + (lf != NULL);
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	while (line->len > 0 && (line->p[line->len - 1] == ' ' || line->p[line->len - 1] == '\t'))
		line->len--;
	return true;
}

struct str_view sdp_cut(struct str_view *rest, char sep)
{
	struct str_view word = *rest;
	const char *at = rest->len ? memchr(rest->p, sep, rest->len) : NULL;

	if (at == NULL) {
		*rest = (struct str_view){NULL, 0};
		return word;
	}
	word.len = (size_t)(at - word.p);
	rest->p += word.len + 1;
	rest->len -= word.len + 1;
	return word;
}

bool sdp_number(struct str_view text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (n > max)
		return false;
	*out = (uint32_t)n;
	return true;
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

bool sdp_is_token(struct str_view t, bool slash)
{
	bool all = true;

	if (t.len == 0 || t.len > SDP_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++)
		all &= token_char[(unsigned char)t.p[i]] || (slash && t.p[i] == '/');
	return all;
}
