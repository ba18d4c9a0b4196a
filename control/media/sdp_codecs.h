/*
 * What an m= line says of its codecs and of how much they send.
 */
#ifndef SALLYPORT_CONTROL_SDP_CODECS_H
#define SALLYPORT_CONTROL_SDP_CODECS_H

#include "codec.h"
#include "sdp.h"

struct sdp_codecs {
	char codec[16];	      /* the first that is speech, or the first; "" when it has no name */
	uint32_t clock_hz;    /* of that one; 0: not known */
	uint32_t bit_rate;    /* payload of the fastest listed; 0: of one it is not known */
	uint32_t bit_rate_to; /* the same of what is sent to the one who wrote this (a=fmtp) */
	uint16_t frame_ms;    /* the shortest packet of any listed */
	uint16_t ptime_ms;    /* of a=ptime, at most a=maxptime; 0: not given */
	bool events;	      /* telephone-event is listed */
	enum sdp_security security; /* its packets carry what SRTP adds */
	uint32_t bandwidth;    /* bit/s of b=TIAS or b=AS, what may be sent to it; 0: not given */
	uint16_t max_datagram; /* of T.38; 0: not given */
};

/** What one payload type stands for. */
struct codec_format {
	struct str_view name;	   /* of a=rtpmap or by its static type; len 0: not known */
	uint32_t clock_hz;	   /* 0: not known */
	uint32_t channels;	   /* at least 1 */
	const struct codec *codec; /* NULL: not known */
};

/** Cannot fail; borrowed as long as the description's text. */
struct codec_format sdp_format_codec(const struct sdp_format *f);

/** Never fails: what cannot be read is as if it was not there. Never allocates. */
void sdp_codecs_read(const struct sdp *sdp, const struct sdp_media *m, struct sdp_codecs *out);

#endif
