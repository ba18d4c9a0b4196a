/*
 * What is known of each codec: its RTP clock, the most that it sends, its smallest packet,
 * and how it stands loss.
 */
#ifndef SALLYPORT_CONTROL_CODEC_H
#define SALLYPORT_CONTROL_CODEC_H

#include "base.h"

struct codec {
	const char *name;
	uint32_t clock_hz;	  /* of its timestamps */
	uint32_t bit_rate;	  /* most of payload, with its own headers; 0: see sample_bits */
	uint8_t sample_bits;	  /* bit rate is the clock times this; 0: see bit_rate */
	uint8_t frame_ms;	  /* shortest packet */
	bool speech;		  /* false: events and noise, which come instead of or beside it */
	uint8_t ie;		  /* equipment impairment, ITU-T G.113 appendix I */
	uint16_t loss_robustness; /* Bpl, tenths, likewise; random loss */
};

/** By encoding name, any case (RFC 4855 section 3). NULL: unknown. */
const struct codec *codec_find(struct str_view name);

/** By static payload type (RFC 3551 section 6). NULL: none, or dynamic. */
const struct codec *codec_static(uint8_t payload_type);

#endif
