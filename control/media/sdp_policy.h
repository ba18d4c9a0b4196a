/*
 * Codec policy: what is taken out of a description before it goes on, and the order of the rest.
 */
#ifndef SALLYPORT_CONTROL_SDP_POLICY_H
#define SALLYPORT_CONTROL_SDP_POLICY_H

#include "config.h"
#include "sdp.h"

/**
 * Take the codecs out that a policy refuses. Events and comfort noise (RFC 4733, RFC 3389) stay
 * with codecs of their clock rate, redundancy and retransmission with what they repeat; `allow`
 * does not count for these. A line of which no codec is left becomes SDP_KIND_REFUSED; its
 * formats stay as they were, since one must be named (RFC 3264 section 6).
 * @param p  NULL: no policy. Never allocates.
 */
void sdp_policy_filter(struct sdp *sdp, const struct config_policy *p);

/** Put the codecs of each line in the policy's order; what it does not list follows. */
void sdp_policy_order(struct sdp *sdp, const struct config_policy *p);

#endif
