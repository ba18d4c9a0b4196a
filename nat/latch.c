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

static bool latch_may_move(const struct latch *l, const struct latch_claim *claim)
{
	return claim->same_ssrc && claim->ahead > 0 && claim->ahead <= LATCH_MOVE_AHEAD_MAX &&
	       claim->silent_ms >= LATCH_MOVE_SILENT_MS && l->seen < LATCH_MOVES_MAX;
}

/* A packet from another source than the locked one, which signalling would allow. */
static enum latch_verdict latch_challenge(
	struct latch *l, const struct net_addr *src, uint16_t port, const struct latch_claim *claim)
{
	if (!latch_may_move(l, claim))
		return LATCH_REFUSE_LOCKED;
	l->source = *src;
	l->port = port;
	l->seen++;
	return LATCH_ACCEPT_NEW;
}

enum latch_verdict latch_decide(const struct latch_policy *policy, struct latch *l,
	const struct net_addr *src, uint16_t port, const struct latch_claim *claim, uint32_t now_ms)
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
		return same ? LATCH_ACCEPT : latch_challenge(l, src, port, claim);

	window_over = now_ms - l->first_ms >= LATCH_WINDOW_MS;
	if (!same) {
		if (window_over)
			return LATCH_REFUSE_LOCKED;
		latch_take(l, src, port);
		return LATCH_ACCEPT_NEW;
	}
	if (++l->seen >= LATCH_LOCK_PACKETS || window_over) {
		l->phase = LATCH_LOCKED;
		l->seen = 0;
	}
	return LATCH_ACCEPT;
}
