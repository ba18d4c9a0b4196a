/*
 * Whether an ARP packet would move a gateway to another MAC address, alone, so that a test can
 * judge it.
 */
#ifndef SALLYPORT_NODES_ARP_PIN_H
#define SALLYPORT_NODES_ARP_PIN_H

#include <rte_arp.h>

#include "local.h"
#include "nodes_priv.h"

/* Behind the Ethernet header and perhaps a VLAN tag; NULL: too short. */
static inline const struct rte_arp_hdr *arp_find(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = pkt_hdr(m, 0, sizeof(*eth));
	size_t off = sizeof(*eth);

	if (eth == NULL)
		return NULL;
	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN))
		off += sizeof(struct rte_vlan_hdr);
	return pkt_hdr(m, off, sizeof(struct rte_arp_hdr));
}

/**
 * Does it say that a gateway of a realm of this interface has another MAC address than it has?
 *
 * The gateway's address stays as long as the kernel finds the gateway there: when that does not
 * answer any more the neighbour fails, its link is 0, and the next one is believed.
 *
 * @param m  a whole frame with ARP.
 * @param netif  where it came (netif.h): another VLAN of the port has its own addresses.
 */
static inline bool arp_moves_gateway(const struct rte_mbuf *m, uint16_t netif)
{
	const struct rte_arp_hdr *arp = arp_find(m);

	if (arp == NULL)
		return false;
	for (unsigned int i = 0; i < API_REALMS_MAX; i++) {
		const struct local_realm *r = &local_realms[i];
		const struct nexthop *n;
		uint64_t link;

		if (!r->used || r->netif != netif)
			continue;
		n = &nexthops[atomic_load_explicit(
			(_Atomic uint32_t *)(uintptr_t)&r->gateway, memory_order_acquire)];
		link = atomic_load_explicit(
			(_Atomic uint64_t *)(uintptr_t)&n->link, memory_order_relaxed);
		if (link != 0 && n->type == NEXTHOP_NEIGHBOUR && n->addr.family == NET_FAMILY_V4 &&
			memcmp(n->addr.bytes, &arp->arp_data.arp_sip, sizeof(rte_be32_t)) == 0 &&
			memcmp(&link, &arp->arp_data.arp_sha, RTE_ETHER_ADDR_LEN) != 0)
			return true;
	}
	return false;
}

#endif
