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

static bool matches(
	const struct config_route *r, uint16_t realm, int from_peer, struct str_view user)
{
	size_t prefix = strnlen(r->user_prefix, sizeof(r->user_prefix));

	return r->from_realm == realm && (r->from_peer < 0 || r->from_peer == from_peer) &&
	       user.len >= prefix && memcmp(user.p ? user.p : "", r->user_prefix, prefix) == 0;
}

/* Of those for emergency calls, or of the others. */
static const struct config_route *find(const struct config *c, const struct config_route *after,
	uint16_t realm, int from_peer, struct str_view user, bool emergency)
{
	for (unsigned int i = after != NULL ? (unsigned int)(after - c->routes) + 1 : 0;
		i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];

		if (r->emergency == emergency && matches(r, realm, from_peer, user))
			return r;
	}
	return NULL;
}

bool route_is_emergency(const struct config *c, uint16_t realm, const struct net_endpoint *source,
	struct str_view uri, struct str_view user)
{
	for (unsigned int i = 0; i < c->ops.overload.n_emergency; i++) {
		const char *number = c->ops.overload.emergency[i];

		if (sv_eq(user, (struct str_view){number, strlen(number)}))
			return true;
	}
	/* A service that nobody has made arrangements for is no way past the limits. */
	return sip_uri_is_sos(uri) &&
	       find(c, NULL, realm, route_peer_find(c, realm, source), user, true) != NULL;
}

const struct config_route *route_find(const struct config *c, const struct config_route *after,
	uint16_t realm, int from_peer, struct str_view user, bool emergency)
{
	const struct config_route *r;

	if (emergency && (after == NULL || after->emergency)) {
		r = find(c, after, realm, from_peer, user, true);
		if (r != NULL)
			return r;
		after = NULL;
	}
	return find(c, after, realm, from_peer, user, false);
}
