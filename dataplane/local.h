/*
 * What is ours: realms, local addresses, and for each address one direct table of
 * 65,536 ports that says what a UDP packet to it is. One load finds a media flow.
 * Main writes, workers read.
 */
#ifndef SALLYPORT_LOCAL_H
#define SALLYPORT_LOCAL_H

#include <stdatomic.h>

#include "addr.h"
#include "api_limits.h"
#include "nexthop.h"
#include "police_limits.h"
#include "records.h"

/* A slot of the port table: kind in the top two bits, value below. */
#define LOCAL_KIND_SHIFT 30
#define LOCAL_VALUE_MASK ((1u << LOCAL_KIND_SHIFT) - 1)
enum local_kind {
	LOCAL_KERNEL,	/* neither listener nor media: to the kernel twin */
	LOCAL_MEDIA,	/* in a media range, no call: dropped */
	LOCAL_LISTENER, /* SIP; value: realm id */
	LOCAL_FLOW,	/* value: the place of the flow's valid action (flow.h) */
};

struct local_realm {
	char name[API_NAME_MAX];
	uint16_t port;
	uint16_t vlan;
	uint16_t netif; /* of both (netif.h) */
	uint8_t dscp_sip, dscp_media;
	bool used;
	uint32_t media_idle_ms, media_silent_ms;
	struct realm_police police;
	struct police_limits limits; /* the same for the policer */
	uint32_t epoch;		     /* that last set it */
	_Atomic uint32_t gateway;    /* next hop of its IPv4 gateway, or NEXTHOP_NONE */
	_Atomic uint32_t gateway_v6; /* the same for IPv6 */
};

struct local_addr {
	struct net_addr addr;
	uint16_t realm;
	uint16_t port;	/* device port of the realm */
	uint16_t netif; /* network interface of the realm: what comes by another is not for it */
	uint8_t prefix_len;
	bool used;
	uint32_t epoch;
	_Atomic uint32_t *slots; /* 65,536, index: UDP port in host order */
};

extern struct local_realm local_realms[API_REALMS_MAX];
extern struct local_addr local_addrs[API_ADDRS_MAX];

/** Any worker; idx comes from a NEXTHOP_LOCAL next hop. */
static inline uint32_t local_slot(uint16_t idx, uint16_t port)
{
	return atomic_load_explicit(&local_addrs[idx].slots[port], memory_order_acquire);
}

static inline enum local_kind local_slot_kind(uint32_t slot)
{
	return (enum local_kind)(slot >> LOCAL_KIND_SHIFT);
}

/** Index in local_addrs of an IPv6 address of ours, or -1: all its bits or nothing, so one look
 * into the table of routes. Any worker. */
static inline int local_find_v6(const uint8_t addr[16])
{
	uint64_t high, low;
	const struct nexthop *n;

	route_v6_load(addr, &high, &low);
	n = &nexthops[route_v6_exact(high, low, 128)];
	return n->type == NEXTHOP_LOCAL ? n->local : -1;
}

/* The route if it leads out by the realm's interface, else the realm's gateway. */
static inline uint32_t route_of_realm(
	uint32_t hop, const struct local_realm *r, const _Atomic uint32_t *gateway)
{
	if (hop != NEXTHOP_NONE &&
		(nexthops[hop].netif == r->netif || nexthops[hop].type == NEXTHOP_LOCAL))
		return hop;
	return atomic_load_explicit(gateway, memory_order_acquire);
}

/**
 * Next hop index for what leaves a realm, whose packets leave by its port and VLAN only: the
 * route if it leads there, else the realm's own gateway. An address of ours stays one.
 * @return NEXTHOP_NONE if there is no way. Any worker.
 */
static inline uint32_t route_find_realm_v4(rte_be32_t dst, uint16_t realm)
{
	const struct local_realm *r = &local_realms[realm];

	return route_of_realm(route_find_v4(dst), r, &r->gateway);
}

/** The same for IPv6. */
static inline uint32_t route_find_realm_v6(const uint8_t dst[16], uint16_t realm)
{
	const struct local_realm *r = &local_realms[realm];

	return route_of_realm(route_find_v6(dst), r, &r->gateway_v6);
}

/* --- main thread: idempotent, by the commands of records.h; all return 0 or negative errno --- */

int local_init(void);
void local_fini(void);
int local_realm_set(const struct rec_realm_set *r, uint32_t epoch);
/** -ENOTUNIQ: the prefix overlaps one on another interface; there is one table of routes. */
int local_address_set(const struct rec_address_set *r, uint32_t epoch);
int local_listener_set(const struct rec_listener_set *r, uint32_t epoch);
int local_media_range_set(const struct rec_media_range_set *r, uint32_t epoch);
/** REC_SYNC: remove realms, addresses, listeners and ranges of older epochs. */
int local_sync(uint32_t epoch);
/** Did a realm get another port or gateway since the last call? Streams resolve again then. */
bool local_ways_changed(void);
/** route_find_realm_v4() for either family. */
uint32_t route_find_realm(const struct net_addr *dst, uint16_t realm);
/** Index of a local address; -ENOENT. */
int local_addr_find(const struct net_addr *addr);
void local_slot_write(uint16_t idx, uint16_t port, enum local_kind kind, uint32_t value);
/** An interface lost addresses or routes in the kernel: give it again what is ours. */
void local_kernel_restore(uint16_t netif);
/** A flow left this slot: it becomes what the configuration says again. */
void local_flow_del(uint16_t idx, uint16_t port);

#endif
