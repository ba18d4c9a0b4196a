/*
 * Shared by netlink.c (what the kernel says), netlink_request.c (what it is asked for)
 * and mirror.c (what becomes next hops and routes). Main thread.
 */
#ifndef SALLYPORT_NETLINK_PRIV_H
#define SALLYPORT_NETLINK_PRIV_H

#include <libmnl/libmnl.h>
#include <rte_ether.h>

#include "addr.h"

/** A bound route netlink socket with a large buffer; NULL with errno set. */
struct mnl_socket *netlink_socket_open(unsigned int groups);
int netlink_requests_open(void);
void netlink_requests_close(void);
/** Run cb over everything of one kind (RTM_GETROUTE, RTM_GETNEIGH), IPv4. @return 0 or -errno. */
int netlink_dump(uint16_t type, mnl_cb_t cb);

/** One route of the kernel's main table that leaves by an interface of ours. */
struct mirror_route {
	struct net_addr dst;
	uint8_t len;
	uint16_t netif;
	struct net_addr gateway; /* family 0: hosts are on link */
};

int mirror_init(void);
void mirror_fini(void);
/** The interface goes: forget what leads there. */
void mirror_netif_gone(uint16_t netif);

/** The kernel knows (mac) or lost (mac NULL) a neighbour. @param stale  it wants confirmation. */
void mirror_neighbour(uint16_t netif, const struct net_addr *addr, const struct rte_ether_addr *mac,
	bool stale, bool deleted);

/**
 * A dump of all routes: begin, one call a route (the better of two to the same prefix comes
 * first), end. What was not told is removed.
 */
void mirror_routes_begin(void);
void mirror_route(const struct mirror_route *r);
void mirror_routes_end(void);

/** A dump of all neighbours, likewise; those not told are gone. */
void mirror_neighbours_begin(void);
void mirror_neighbours_end(void);

/** Ask for confirmation of stale neighbours that are in use: the kernel sees none of our traffic.
 */
void mirror_keep_alive(void);

#endif
