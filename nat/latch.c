#include "latch.h"

/* May signalling's words be applied to this source at all? */
static bool latch_allows(
	const struct latch_policy *policy, const struct net_addr *src, uint16_t port)
{
	/* Family 0: signalling has named nobody yet. */
	if (policy->allowed.family == NET_FAMILY_NONE || port == 0)
		return false;
	if (!policy->learn_port && port != policy->port)
		return false;
	return net_addr_in_prefix(src, &policy->allowed, policy->prefix_len);
}

static void latch_take(struct latch *l, const struct net_addr *src, uint16_t port)
{
	l->source = *src;
	l->port = port;
	l->phase = LATCH_LEARNING;
	l->seen = 1;
}

enum latch_verdict latch_decide(const struct latch_policy *policy, struct latch *l,
	const struct net_addr *src, uint16_t port, uint32_t now_ms)
{
	bool same, window_over;

	if (!latch_allows(policy, src, port))
		return LATCH_REFUSE_SOURCE;
	if (l->phase == LATCH_EMPTY) {
		latch_take(l, src, port);
		l->first_ms = now_ms;
		return LATCH_ACCEPT_NEW;
	}
	same = port == l->port && net_addr_eq(src, &l->source);
	if (l->phase == LATCH_LOCKED)
		return same ? LATCH_ACCEPT : LATCH_REFUSE_LOCKED;

	window_over = now_ms - l->first_ms >= LATCH_WINDOW_MS;
	if (!same) {
		if (window_over)
			return LATCH_REFUSE_LOCKED;
		latch_take(l, src, port);
		return LATCH_ACCEPT_NEW;
	}
	if (++l->seen >= LATCH_LOCK_PACKETS || window_over)
		l->phase = LATCH_LOCKED;
	return LATCH_ACCEPT;
}
