/*
 * Walking SDP text by lines and words; shared by the parser and the builder.
 */
#ifndef SALLYPORT_CONTROL_SDP_LINES_H
#define SALLYPORT_CONTROL_SDP_LINES_H

#include "sdp.h"

/**
 * Next line (ends with LF or CRLF; the last one may lack it).
 * @return true if there was one; without its line end.
 */
bool sdp_line_next(struct str_view *rest, struct str_view *line);

/** Cut at the first `sep`. @return what stands before it; rest is what follows, p NULL if there
 * was no `sep`. */
struct str_view sdp_cut(struct str_view *rest, char sep);

/** Digits only, at most max. @return false otherwise. */
bool sdp_number(struct str_view text, uint32_t max, uint32_t *out);

/** Attribute line "a=name[:value]" taken apart. @return false if it is none. */
bool sdp_attribute(struct str_view line, struct str_view *name, struct str_view *value);

/** sendrecv, sendonly, recvonly, inactive; SDP_DIRECTION_NONE for any other name. */
enum sdp_direction sdp_direction_parse(struct str_view name);

#endif
