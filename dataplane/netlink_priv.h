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
/** Run cb over everything of one kind (RTM_GETROUTE, RTM_GETNEIGH), both families. @return 0 or
 * -errno. */
int netlink_dump(uint16_t type, mnl_cb_t cb);

/** Give the kernel a neighbour's link address back and let it ask there (unicast) at once. */
int netlink_neighbour_confirm(uint16_t netif, const struct net_addr *addr, const uint8_t mac[6]);

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

/** What the kernel thinks of a neighbour. */
enum mirror_state {
	MIRROR_DELETED,
	MIRROR_FAILED,	  /* no answer, or none yet */
	MIRROR_STALE,	  /* wants confirmation */
	MIRROR_ASKED,	  /* is being confirmed */
	MIRROR_REACHABLE, /* was just confirmed */
	MIRROR_PERMANENT, /* written by somebody */
};

/** The kernel knows (mac) or does not know (mac NULL) a neighbour. */
void mirror_neighbour(uint16_t netif, const struct net_addr *addr, const struct rte_ether_addr *mac,
	enum mirror_state state);

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
