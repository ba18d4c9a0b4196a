/*
 * Who a message is from, and where a call goes: look-ups in the configuration's
 * peers and routes. Pure functions of the snapshot; any thread.
 */
#ifndef SALLYPORT_CONTROL_ROUTE_H
#define SALLYPORT_CONTROL_ROUTE_H

#include "config.h"

/** ROUTE_PEER_NONE: a source that is no configured peer. */
#define ROUTE_PEER_NONE (-1)

/**
 * The peer of this realm that a packet comes from: address and port, else the first with
 * that address (peers send from other ports than they listen on).
 * @return index in config.peers, or ROUTE_PEER_NONE.
 */
int route_peer_find(const struct config *c, uint16_t realm, const struct net_endpoint *source);

/**
 * Is the user of this Request-URI one of the configured numbers, or is it an emergency service
 * (RFC 5031) for which there is a route from this source?
 * @param realm  that it comes from. @param user  its user part, as written; empty: none.
 */
bool route_is_emergency(const struct config *c, uint16_t realm, const struct net_endpoint *source,
	struct str_view uri, struct str_view user);

/**
 * The first route that matches. Emergency calls take those for them, wherever they stand in the
 * list, and the others behind the last of these.
 * @param after  the one before, for another one that matches, too; NULL: from the first.
 * @param user  user part of the Request-URI, as written. @param emergency  route_is_emergency().
 * @return borrowed from the configuration, or NULL.
 */
const struct config_route *route_find(const struct config *c, const struct config_route *after,
	uint16_t realm, int from_peer, struct str_view user, bool emergency);

#endif
