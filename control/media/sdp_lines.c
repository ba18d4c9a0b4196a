#include "sdp_lines.h"

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

bool sdp_attribute(struct str_view line, struct str_view *name, struct str_view *value)
{
	if (line.len < 3 || line.p[0] != 'a')
		return false;
	*value = (struct str_view){line.p + 2, line.len - 2};
	*name = sdp_cut(value, ':');
	return name->len > 0;
}

static const struct str_view direction_names[SDP_DIRECTION_COUNT] = {
	[SDP_SENDRECV] = {"sendrecv", 8},
	[SDP_SENDONLY] = {"sendonly", 8},
	[SDP_RECVONLY] = {"recvonly", 8},
	[SDP_INACTIVE] = {"inactive", 8},
};

enum sdp_direction sdp_direction_parse(struct str_view name)
{
	for (unsigned int d = 0; d < SDP_DIRECTION_COUNT; d++)
		if (sv_eq(name, direction_names[d]))
			return (enum sdp_direction)d;
	return SDP_DIRECTION_NONE;
}

const char *sdp_direction_name(enum sdp_direction d)
{
	return d < SDP_DIRECTION_COUNT ? direction_names[d].p : "none";
}
