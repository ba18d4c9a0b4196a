#include "route.h"

int route_peer_find(const struct config *c, uint16_t realm, const struct net_endpoint *source)
{
	struct net_addr from = net_addr_normalise(&source->addr);
	int by_addr = ROUTE_PEER_NONE;

	for (unsigned int i = 0; i < c->n_peers; i++) {
		const struct config_peer *p = &c->peers[i];

		if (p->realm != realm || !net_addr_eq(&p->remote.addr, &from))
			continue;
		if (p->remote.port == source->port)
			return (int)i;
		if (by_addr == ROUTE_PEER_NONE)
			by_addr = (int)i;
	}
	return by_addr;
}

const struct config_route *route_find(
	const struct config *c, uint16_t realm, int from_peer, struct str_view user)
{
	for (unsigned int i = 0; i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];
		size_t prefix = strnlen(r->user_prefix, sizeof(r->user_prefix));

		if (r->from_realm != realm || (r->from_peer >= 0 && r->from_peer != from_peer))
			continue;
		if (user.len >= prefix && memcmp(user.p ? user.p : "", r->user_prefix, prefix) == 0)
			return r;
	}
	return NULL;
}
