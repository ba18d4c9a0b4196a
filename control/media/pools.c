/* Which address and port of a realm a stream gets. */
#include <errno.h>

#include "media_priv.h"

int media_pools_init(struct media *m, const struct config_realm *r, struct media_pools *p)
{
	for (; p->n < r->n_media; p->n++) {
		const struct config_media *c = &r->media[p->n];

		if (port_pool_init(&p->pool[p->n], &c->addr, c->port_min, c->port_max, m->env.shard,
			    m->env.shards, &m->stats.ports_used) != 0)
			return -ENOMEM;
	}
	return 0;
}

void media_pools_fini(struct media_pools *p)
{
	while (p->n > 0)
		port_pool_fini(&p->pool[--p->n]);
}

bool media_pools_have(const struct media_pools *p, unsigned int family)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (p->pool[i].addr.family == family)
			return true;
	return false;
}

uint16_t media_pools_take(struct media_pools *p, unsigned int family, struct port_pool *prefer,
	struct port_pool **pool)
{
	uint16_t port = 0;

	*pool = prefer;
	if (prefer != NULL && prefer->addr.family == family)
		port = port_pool_take(prefer);
	for (unsigned int i = 0; port == 0 && i < p->n; i++) {
		*pool = &p->pool[p->next];
		p->next = (p->next + 1) % p->n;
		if ((*pool)->addr.family == family)
			port = port_pool_take(*pool);
	}
	return port;
}

struct port_pool *media_pools_find(struct media_pools *p, const struct net_endpoint *local)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (net_addr_eq(&p->pool[i].addr, &local->addr) &&
			port_pool_has(&p->pool[i], local->port))
			return &p->pool[i];
	return NULL;
}
