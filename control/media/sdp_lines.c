#include "sdp_lines.h"

#include "sdp.h"

bool sdp_line_next(struct str_view *rest, struct str_view *line)
{
	size_t n, len;

	if (rest->len == 0)
		return false;
	n = len = sv_find(*rest, '\n');
	line->p = rest->p;
	n += n < rest->len;
	rest->p += n;
	rest->len -= n;
	if (len > 0 && line->p[len - 1] == '\r')
		len--;
	while (len > 0 && (line->p[len - 1] == ' ' || line->p[len - 1] == '\t'))
		len--;
	line->len = len;
	return true;
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
