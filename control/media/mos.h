/*
 * How speech is likely to be heard: the E-model of ITU-T G.107, simplified to what a relay
 * can measure. An estimate of one direction's network, not of the phones at its ends.
 */
#ifndef SALLYPORT_CONTROL_MOS_H
#define SALLYPORT_CONTROL_MOS_H

#include "codec.h"

struct mos_input {
	const struct codec *codec; /* NULL: as G.711 */
	double loss_percent;	   /* of the packets sent */
	double delay_ms;	   /* one way, mouth to ear */
};

/** Transmission rating R = 93.2 - Id - Ie,eff: 93.2 is the best there is, 0 and less the worst. */
double mos_rating(const struct mos_input *in);

/** Mean opinion score of a rating: 1 to 4.5 (G.107 annex B). */
double mos_from_rating(double r);

/**
 * The score of what arrived.
 * @param jitter_ms  interarrival jitter. Of the delay only the receiver's buffer is known, which
 *                   is taken as twice that, and a packet of 20 ms.
 */
double mos_estimate(const struct codec *codec, double loss_percent, double jitter_ms);

#endif
