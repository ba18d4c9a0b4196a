/*
 * The limits of a realm as the policer works with them: divisions made once, not for each packet.
 */
#ifndef SALLYPORT_POLICE_LIMITS_H
#define SALLYPORT_POLICE_LIMITS_H

#include "records.h"
#include "token.h"

/** What one message costs the buckets that it concerns. */
struct police_limits {
	struct token32_cost sip, sip_address, sip_prefix;
	struct token32_cost sip_method[POLICE_METHOD_COUNT];
	struct token_rate sip_untrusted; /* a worker's share */
	struct token_rate sip_dialog;
	uint32_t deny_after, deny_window_s, deny_s; /* as in struct realm_police */
};

/** @param workers  that share what is counted for the realm as a whole. */
static inline struct police_limits police_limits(const struct realm_police *p, uint32_t workers)
{
	uint32_t share = p->sip_untrusted.rate / workers;
	struct police_limits out = {
		.sip = token32_cost(p->sip.rate, p->sip.burst, 1),
		.sip_address = token32_cost(p->sip_address.rate, p->sip_address.burst, 1),
		.sip_prefix = token32_cost(p->sip_prefix.rate, p->sip_prefix.burst, 1),
		.sip_untrusted = token_rate(p->sip_untrusted.rate != 0 && share == 0 ? 1 : share,
			p->sip_untrusted.burst / workers),
		.sip_dialog = token_rate(p->sip_dialog.rate, p->sip_dialog.burst),
		.deny_after = p->deny_after,
		.deny_window_s = p->deny_window_s,
		.deny_s = p->deny_s,
	};

	for (unsigned int i = 0; i < POLICE_METHOD_COUNT; i++)
		out.sip_method[i] = token32_cost(p->sip_method[i].rate, p->sip_method[i].burst, 1);
	return out;
}

#endif
