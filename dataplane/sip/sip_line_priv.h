/*
 * Header lines as they stand in the bytes: shared by the scan of a datagram and
 * the framing of a stream.
 */
#ifndef SALLYPORT_SIP_LINE_PRIV_H
#define SALLYPORT_SIP_LINE_PRIV_H

#include "base.h"

/** One line, folded lines joined to it. */
struct sip_line {
	struct str_view text; /* without its line end */
	const char *next;     /* first byte behind the line end */
	bool ended;	      /* false: the data ended before a line end */
	bool bad_char;	      /* bare CR, or a control character that is not quoted */
};

/**
 * Read the line at p (CRLF or LF ends it).
 * @param fold  take lines that start with SP or HT as part of this one.
 * @return false at `end`. Linear in the line's length.
 */
bool sip_line_read(const char *p, const char *end, bool fold, struct sip_line *line);

/**
 * Split a header line at its colon (RFC 3261 section 7.3.1).
 * @param value  trimmed. @return false if there is no token before a colon.
 */
bool sip_line_split(struct str_view text, struct str_view *name, struct str_view *value);

/** Where control characters (but HT) are in the first bytes of a text. */
struct sip_controls {
	const char *start;
	size_t len; /* of the text that was looked at, in whole words */
	uint64_t bits[32];
};

/** Look for them all at once. The text ends at end; where it is longer the rest stays unknown. */
void sip_controls_find(struct sip_controls *c, const char *p, const char *end);

/**
 * sip_line_read() and sip_line_split() for the usual header line, "Name: value" CRLF and no
 * folding, in a fraction of their time.
 * @return false if this line is not that plain, nothing is known of it then.
 */
bool sip_line_plain(const struct sip_controls *c, const char *p, const char *end,
	struct str_view *name, struct str_view *value);

/** First byte behind leading empty lines (RFC 3261 section 7.5). */
const char *sip_line_skip_empty(const char *p, const char *end);

#endif
