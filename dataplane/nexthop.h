/*
 * Where a packet goes: next hops, and the routes (rte_fib, route_v6.h) that lead to them.
 * Local addresses are routes too, so one look-up tells "ours" from "elsewhere".
 * Main writes (from the kernel's tables, see netlink.c), workers read.
 */
#ifndef SALLYPORT_NEXTHOP_H
#define SALLYPORT_NEXTHOP_H

#include <stdatomic.h>

#include <rte_ether.h>
#include <rte_fib.h>

#include "addr.h"
#include "route_v6.h"

#define NEXTHOPS_MAX 32767 /* rte_fib with 2-byte entries: 15 bits of next hop */
#define NEXTHOP_NONE 0	   /* index of "no route" */

enum nexthop_type {
	NEXTHOP_UNUSED,
	NEXTHOP_LOCAL,	   /* one of our addresses */
	NEXTHOP_NEIGHBOUR, /* a host or gateway on a port's link */
	NEXTHOP_CONNECTED, /* on link, host not looked up yet: the kernel resolves and sends (glean)
			    */
};

/** nexthop.link: the MAC address in bytes 0..5, byte 6 is 1 when it is valid. One atomic word. */
#define NEXTHOP_LINK_VALID (1ull << 48)

/** One next hop. main: wo, workers: ro. A slot is reused only after a grace period. */
struct nexthop {
	_Alignas(64) _Atomic uint64_t link; /* NEXTHOP_NEIGHBOUR: resolved MAC, or 0 */
	uint8_t type;			    /* enum nexthop_type */
	uint8_t pad;
	uint16_t port; /* index of the device port */
	uint16_t mtu;
	uint16_t local;		       /* NEXTHOP_LOCAL: index in the local table (local.h) */
	struct rte_ether_addr src_mac; /* of the port */
	uint16_t vlan;		       /* 0: untagged */
	uint16_t netif;		       /* netif.h: port and vlan are its */
	struct net_addr addr;
	uint32_t refs; /* main only */
};
static_assert(sizeof(struct nexthop) == 64, "one cache line");

extern struct nexthop *nexthops;  /* NEXTHOPS_MAX + 1 slots */
extern struct rte_fib *route_fib; /* IPv4 */

/** Next hop index for an IPv4 destination (network order); NEXTHOP_NONE if there is no route. Any
 * worker. */
static inline uint32_t route_find_v4(rte_be32_t dst)
{
	uint32_t ip = rte_be_to_cpu_32(dst);
	uint64_t hop;

	rte_fib_lookup_bulk(route_fib, &ip, &hop, 1);
	return (uint32_t)hop;
}

/** The same for an IPv6 destination. */
static inline uint32_t route_find_v6(const uint8_t dst[16])
{
	return route_v6_find(dst);
}

/* --- main thread --- */

/** @return 0 or negative errno. */
int nexthop_init(void);
void nexthop_fini(void);

/** The destination's next hop index, either family. */
uint32_t route_find(const struct net_addr *dst);

/**
 * Add or replace a route.
 * @param hop  next hop index; takes a reference.
 * @return 0, -ENOSPC, -EINVAL.
 */
int route_add(const struct net_addr *dst, uint8_t prefix_len, uint32_t hop);
int route_del(const struct net_addr *dst, uint8_t prefix_len);

/** Next hop of exactly this prefix (host bits are ignored); NEXTHOP_NONE if it is no route. */
uint32_t route_exact(const struct net_addr *dst, uint8_t prefix_len);

/**
 * Find or make a next hop of this type on a network interface (netif.h), whose port and VLAN
 * it takes.
 * @return its index (with a reference), -ENOSPC, or -EINVAL: no such interface.
 */
int nexthop_get(
	enum nexthop_type type, uint16_t netif, const struct net_addr *addr, uint16_t local);
void nexthop_put(uint32_t hop);

/** A neighbour resolved (mac) or failed (mac NULL). */
void nexthop_set_link(uint32_t hop, const struct rte_ether_addr *mac);

/** Counts for the statistics pools. */
unsigned int nexthop_used(void);

#endif
