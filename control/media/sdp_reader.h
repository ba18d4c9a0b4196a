/*
 * A description being read: shared by the lines (sdp.c) and the attributes
 * (sdp_attributes.c), whose names the builder uses too.
 */
#ifndef SALLYPORT_CONTROL_SDP_READER_H
#define SALLYPORT_CONTROL_SDP_READER_H

#include "sdp_lines.h"

#define SDP_PAYLOAD_TYPES 128

struct sdp_reader {
	struct sdp *out;
	struct sdp_media *media;      /* NULL: still in the session part */
	struct net_addr session_addr; /* what a line has that says nothing itself */
	enum sdp_direction session_direction;
	bool session_has_addr;
	bool media_has_addr;
	bool have_origin;
	bool ended; /* an empty line was seen */
	bool wide;  /* 32 characters can be read at each of the text */
	/* In the formats of `media`, from 1; 0: not listed. Cleared with each `media`. */
	uint8_t place[SDP_PAYLOAD_TYPES];
};

/** decimal_span() of a part of the text. */
static inline size_t sdp_digits_span(
	const struct sdp_reader *r, struct str_view text, uint64_t *out)
{
	return r->wide ? decimal_span8(text, out) : decimal_span(text, out);
}

/**
 * A payload type at the start of a part of the text.
 * @return its digits, SDP_DIGITS_MAX at most; 0: there is none, or it is too large.
 */
static inline size_t sdp_payload_type_span(
	const struct sdp_reader *r, struct str_view text, uint32_t *pt)
{
	uint64_t value;
	size_t n;

	if (r->wide && text.p != NULL) {
		n = decimal_span4(text, pt);
		if (n < 4)
			return *pt < SDP_PAYLOAD_TYPES ? n : 0;
	}
	n = decimal_span(text, &value);
	if (n == 0 || n > SDP_DIGITS_MAX || value >= SDP_PAYLOAD_TYPES)
		return 0;
	*pt = (uint32_t)value;
	return n;
}

/**
 * One attribute; what is not known or not readable is left out.
 * @param text  what stands behind "a=". @return 0 or -E2BIG.
 */
int sdp_attribute_read(struct sdp_reader *r, struct str_view text);

/** "IN IP4 192.0.2.1": family 0 when it is no address literal of that family. */
struct net_addr sdp_connection_read(struct str_view value);

struct str_view sdp_attribute_name(unsigned int id);

#endif
