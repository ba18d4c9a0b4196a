/*
 * Calls and subscriptions that each realm and each peer has, counted over all shards. Never one too
 * many but of emergencies: a call is counted in before it is judged, and out again if it does not
 * fit.
 */
#include <stdatomic.h>

#include "b2bua_priv.h"

struct b2bua_limits {
	const struct config *config;
	_Atomic uint32_t *realm, *peer;	 /* calls; shards: rw */
	_Atomic uint32_t *subscriptions; /* of each realm; shards: rw */
};

struct b2bua_limits *b2bua_limits_new(const struct config *c)
{
	struct b2bua_limits *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->config = c;
	l->realm = calloc(c->n_realms + 1, sizeof(l->realm[0]));
	l->peer = calloc(c->n_peers + 1, sizeof(l->peer[0]));
	l->subscriptions = calloc(c->n_realms + 1, sizeof(l->subscriptions[0]));
	if (l->realm != NULL && l->peer != NULL && l->subscriptions != NULL)
		return l;
	b2bua_limits_free(l);
	return NULL;
}

void b2bua_limits_free(struct b2bua_limits *l)
{
	if (l == NULL)
		return;
	free(l->realm);
	free(l->peer);
	free(l->subscriptions);
	free(l);
}

/* @return false when that is more than max; 0 is no limit. */
static bool count(_Atomic uint32_t *n, uint32_t max, bool in)
{
	uint32_t now = in ? atomic_fetch_add_explicit(n, 1, memory_order_relaxed) + 1
			  : atomic_fetch_sub_explicit(n, 1, memory_order_relaxed) - 1;

	return max == 0 || now <= max;
}

/* A call within one realm, or back to its own peer, counts once there. */
static bool is_first(const int ids[], size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (ids[j] == ids[i])
			return false;
	return ids[i] >= 0;
}

/* Also for who had the box make it: else a REFER would be a way around the limits. */
static bool count_call(struct b2bua_limits *l, const struct call *c, bool in)
{
	const struct dialog *x = c->leg[SIDE_CALLER].dialog, *y = c->leg[SIDE_CALLEE].dialog;
	const int realms[] = {x->realm, y->realm, c->by_realm};
	const int peers[] = {x->peer, y->peer, c->by_peer};
	bool fits = true;

	for (size_t i = 0; i < ARRAY_LEN(realms); i++)
		if (is_first(realms, i))
			fits &= count(
				&l->realm[realms[i]], l->config->realms[realms[i]].max_calls, in);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		if (is_first(peers, i))
			fits &= count(&l->peer[peers[i]], l->config->peers[peers[i]].max_calls, in);
	return fits;
}

bool call_admit(struct call *c)
{
	c->admitted = count_call(c->b->env.limits, c, true) || c->emergency;
	if (!c->admitted)
		(void)count_call(c->b->env.limits, c, false);
	return c->admitted;
}

void call_dismiss(struct call *c)
{
	if (c->admitted)
		(void)count_call(c->b->env.limits, c, false);
	c->admitted = false;
}

bool limits_subscribe(struct b2bua_limits *l, uint16_t realm)
{
	if (count(&l->subscriptions[realm], l->config->realms[realm].max_subscriptions, true))
		return true;
	limits_unsubscribe(l, realm);
	return false;
}

void limits_unsubscribe(struct b2bua_limits *l, uint16_t realm)
{
	(void)count(&l->subscriptions[realm], 0, false);
}
