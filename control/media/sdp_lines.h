/*
 * Walking SDP text by lines and words; shared by the parser and the builder.
 */
#ifndef SALLYPORT_CONTROL_SDP_LINES_H
#define SALLYPORT_CONTROL_SDP_LINES_H

#include "find.h"

/**
 * Next line (ends with LF or CRLF; the last one may lack it).
 * @return true if there was one; without its line end and the spaces before it.
 */
bool sdp_line_next(struct str_view *rest, struct str_view *line);

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
