#include "route.h"

#include "sip_parse.h"

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

bool route_is_emergency(const struct config *c, struct str_view uri, struct str_view user)
{
	for (unsigned int i = 0; i < c->ops.overload.n_emergency; i++) {
		const char *number = c->ops.overload.emergency[i];

		if (sv_eq(user, (struct str_view){number, strlen(number)}))
			return true;
	}
	return sip_uri_is_sos(uri);
}

const struct config_route *route_find(const struct config *c, const struct config_route *after,
	uint16_t realm, int from_peer, struct str_view user, bool emergency)
{
	for (unsigned int i = after != NULL ? (unsigned int)(after - c->routes) + 1 : 0;
		i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];
		size_t prefix = strnlen(r->user_prefix, sizeof(r->user_prefix));

		if ((r->emergency && !emergency) || r->from_realm != realm ||
			(r->from_peer >= 0 && r->from_peer != from_peer))
			continue;
		if (user.len >= prefix && memcmp(user.p ? user.p : "", r->user_prefix, prefix) == 0)
			return r;
	}
	return NULL;
}
