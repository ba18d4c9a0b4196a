/*
 * Overload control between neighbours: the oc parameters of the topmost Via (RFC 7339, and the
 * rate algorithm of RFC 7415). A client offers them in its requests, the server says in each
 * response how much it wants less of.
 */
#ifndef SALLYPORT_CONTROL_SIP_OC_H
#define SALLYPORT_CONTROL_SIP_OC_H

#include "sip_build.h"

enum sip_oc_algo { SIP_OC_LOSS, SIP_OC_RATE };

/** What a server says. */
struct sip_oc {
	enum sip_oc_algo algo;
	uint32_t value;	      /* loss: percent to leave out, 0..100; rate: requests a second */
	uint32_t validity_ms; /* 0: it is over */
	uint64_t seq;	      /* oc-seq in 1/100000: a later one counts more */
};

/** What we offer in our Via, as text behind its parameters. */
#define SIP_OC_OFFER ";oc;oc-algo=\"loss,rate\""

/** Does this request's client offer to leave out a percentage (section 4.1: every one that offers
 * anything must be able to)? */
bool sip_oc_is_offered(const struct sip_msg *req);

/** @return true if the response's server says something that can be used. */
bool sip_oc_read(const struct sip_msg *resp, struct sip_oc *out);

/** ";oc=20;oc-algo="loss";oc-validity=1000;oc-seq=1282321615.78200". */
void sip_oc_write(struct sip_writer *w, const struct sip_oc *oc);

/** One of the parameters above, whose place sip_oc_write() takes. */
bool sip_oc_is_param(struct str_view name);

#endif
