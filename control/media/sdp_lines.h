/*
 * Walking SDP text by lines and words; shared by the parser and the builder.
 */
#ifndef SALLYPORT_CONTROL_SDP_LINES_H
#define SALLYPORT_CONTROL_SDP_LINES_H

#include "find.h"
#include "sdp.h"

/** Where the lines of a description end: places of each LF, of those up to the cap and some more.
 */
struct sdp_line_ends {
	unsigned int n;
	uint16_t at[SDP_LINES_MAX + 64];
};

/**
 * Find them all at once.
 * @param text  at most SDP_LEN_MAX bytes.
 * @return false if there is a control character but tab and line ends, or a CR without its LF that
 *         is not the very last character.
 */
bool sdp_line_ends_find(struct str_view text, struct sdp_line_ends *e);

/**
 * Next line (ends with LF or CRLF; the last one may lack it).
 * @param i     its number, from 0 on.
 * @param from  where it starts; written: where the next one does.
 * @return true if there was one; without its line end and the spaces before it.
 */
static inline bool sdp_line_next(struct str_view text, const struct sdp_line_ends *e,
	unsigned int i, size_t *from, struct str_view *line)
{
	size_t to = i < e->n ? e->at[i] : text.len;
	const char *p, *end;

	if (*from >= text.len)
		return false;
	p = text.p + *from;
	end = text.p + to;
	*from = to + 1;
	if (end > p && end[-1] == '\r')
		end--;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*line = (struct str_view){p, (size_t)(end - p)};
	return true;
}

/** Cut at the first `sep`. @return what stands before it; rest is what follows, p NULL if there
 * was no `sep`. */
static inline struct str_view sdp_cut(struct str_view *rest, char sep)
{
	struct str_view word = {rest->p, sv_find(*rest, sep)};

	if (word.len == rest->len) {
		rest->p = NULL;
		rest->len = 0;
	} else {
		rest->p += word.len + 1;
		rest->len -= word.len + 1;
	}
	return word;
}

/** Digits only, at most max. @return false otherwise. */
bool sdp_number(struct str_view text, uint32_t max, uint32_t *out);

/** RFC 8866 section 9 "token", of at most SDP_TOKEN_MAX bytes; with slashes if it is a protocol. */
bool sdp_is_token(struct str_view t, bool slash);

#endif
