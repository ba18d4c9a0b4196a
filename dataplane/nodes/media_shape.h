/*
 * Does a payload have the shape of what its flow carries? Alone, so that a test can judge it.
 */
#ifndef SALLYPORT_NODES_MEDIA_SHAPE_H
#define SALLYPORT_NODES_MEDIA_SHAPE_H

#include "records.h"

enum media_shape {
	SHAPE_BAD,
	SHAPE_RTP,   /* its fixed header is there, with its CSRCs and its extension */
	SHAPE_OTHER, /* RTCP, or anything where anything may come */
};

/* RFC 3550 section 5.1 and 5.3.1: the header with its CSRCs and its extension is there. */
static inline bool rtp_header_valid(const uint8_t *payload, size_t len)
{
	size_t need = 12;

	if (len < need || payload[0] >> 6 != 2)
		return false;
	need += 4u * (payload[0] & 0x0f);
	if ((payload[0] & 0x10) != 0) {
		if (len < need + 4)
			return false;
		need += 4 + 4u * (payload[need + 2] << 8 | payload[need + 3]);
	}
	return len >= need;
}

/* RFC 3550 section 6.1. */
static inline bool rtcp_header_valid(const uint8_t *payload, size_t len)
{
	return len >= 8 && payload[0] >> 6 == 2;
}

/**
 * @param kind  enum stream_kind.
 * @param len   bytes of payload; none beyond them is read.
 */
static inline enum media_shape media_shape_of(unsigned int kind, const uint8_t *payload, size_t len)
{
	switch (kind) {
	case STREAM_RTP_MUX:
		/* RFC 5761 section 4: payload types 64 to 95 are RTCP packet types 192 to 223. */
		if (len >= 2 && (payload[1] & 0x60) == 0x40)
			return rtcp_header_valid(payload, len) ? SHAPE_OTHER : SHAPE_BAD;
		return rtp_header_valid(payload, len) ? SHAPE_RTP : SHAPE_BAD;
	case STREAM_RTP:
		return rtp_header_valid(payload, len) ? SHAPE_RTP : SHAPE_BAD;
	case STREAM_RTCP:
		return rtcp_header_valid(payload, len) ? SHAPE_OTHER : SHAPE_BAD;
	default:
		return SHAPE_OTHER;
	}
}

#endif
