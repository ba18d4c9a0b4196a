/*
 * A description being read: shared by the lines (sdp.c) and the attributes
 * (sdp_attributes.c), whose names the builder uses too.
 */
#ifndef SALLYPORT_CONTROL_SDP_READER_H
#define SALLYPORT_CONTROL_SDP_READER_H

#include "sdp.h"

#define SDP_PAYLOAD_TYPES 128

struct sdp_reader {
	struct sdp *out;
	struct sdp_media *media;      /* NULL: still in the session part */
	struct net_addr session_addr; /* what a line has that says nothing itself */
	enum sdp_direction session_direction;
	bool session_has_addr;
	bool media_has_addr;
	bool have_origin;
	uint8_t place[SDP_PAYLOAD_TYPES]; /* in the formats of `media`, from 1; 0: not listed */
};

/** One line "a=..."; what is not known or not readable is left out. @return 0 or -E2BIG. */
int sdp_attribute_read(struct sdp_reader *r, struct str_view line);

/** "IN IP4 192.0.2.1": family 0 when it is no address literal of that family. */
struct net_addr sdp_connection_read(struct str_view value);

struct str_view sdp_attribute_name(unsigned int id);

#endif
