/*
 * How much each end of a stream may send, from what both descriptions say. Generous where it
 * is not known; where it is, tight enough that ten times the rate does not pass.
 */
#ifndef SALLYPORT_CONTROL_MEDIA_RATE_H
#define SALLYPORT_CONTROL_MEDIA_RATE_H

#include "records.h"
#include "sdp_codecs.h"

struct media_rates {
	struct rate_limit packets, bytes; /* UDP payload */
};

/**
 * RTP.
 * @param answer    who chose: the codecs that both may send (RFC 3264 section 6.1).
 * @param offer     its packet time counts too: the shorter of both.
 * @param receiver  the one of them who is sent to: its bandwidth counts where a codec's
 *                  is not known.
 * @param mux       RTCP comes with it.
 */
struct media_rates media_rate_rtp(const struct sdp_codecs *answer, const struct sdp_codecs *offer,
	const struct sdp_codecs *receiver, bool mux);

/** RTCP beside RTP of these rates. */
struct media_rates media_rate_rtcp(const struct media_rates *rtp, enum sdp_security security);

/** T.38 to this receiver. */
struct media_rates media_rate_udptl(const struct sdp_codecs *receiver);

#endif
