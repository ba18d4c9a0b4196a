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
	bool bad_char;	      /* bare CR or LF, or a control character that is not quoted */
};

/**
 * Read the line at p (CRLF ends it, and LF a bad one).
 * @param fold  take lines that start with SP or HT as part of this one.
 * @return false at `end`. Linear in the line's length.
 */
bool sip_line_read(const char *p, const char *end, bool fold, struct sip_line *line);

/**
 * Split a header line at its colon (RFC 3261 section 7.3.1).
 * @param value  trimmed. @return false if there is no token before a colon.
 */
bool sip_line_split(struct str_view text, struct str_view *name, struct str_view *value);

#define SIP_LINE_ENDS_MAX 192

/** Where lines may end in the first bytes of a text: the first of each run of characters below SP.
 */
struct sip_line_ends {
	unsigned int n;
	uint16_t at[SIP_LINE_ENDS_MAX + 64]; /* offsets from p, ascending */
};

/**
 * Look for them all at once, up to an empty line or so; what lies behind the last one stays
 * unknown; and all of it where the CPU cannot, or a DEL is among it.
 * @param end  of the text, at most SIP_MSG_LEN_MAX from p.
 */
void sip_line_ends_find(struct sip_line_ends *e, const char *p, const char *end);

/** First byte behind leading empty lines (RFC 3261 section 7.5). */
const char *sip_line_skip_empty(const char *p, const char *end);

#endif
