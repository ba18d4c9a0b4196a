/*
 * eth: is the frame for us, on which network interface did it come (its VLAN, IEEE 802.1Q),
 * and what is in it. Takes the frame's header, tag included, off IP packets.
 */
#include "netif.h"
#include "nodes_priv.h"

enum { ETH_DROP, ETH_PUNT, ETH_IP4, ETH_IP6 };

#define VLAN_ID_MASK 0x0fff

/* What is in a frame with one tag. One with two is nobody's here. */
static rte_edge_t eth_vlan(struct rte_mbuf *m)
{
	const size_t off = sizeof(struct rte_ether_hdr);
	const struct rte_vlan_hdr *tag = pkt_hdr(m, off, sizeof(*tag));
	struct pkt_meta *meta = pkt_meta(m);

	if (tag == NULL)
		return pkt_drop(m, DROP_ETH_SHORT);
	/* Id 0 is a priority on an untagged frame. */
	meta->netif = netif_of(meta->port, rte_be_to_cpu_16(tag->vlan_tci) & VLAN_ID_MASK);
	if (meta->netif == NETIF_NONE)
		return pkt_drop(m, DROP_ETH_VLAN);
	switch (rte_be_to_cpu_16(tag->eth_proto)) {
	case RTE_ETHER_TYPE_IPV4:
		pkt_strip_frame(m, off + sizeof(*tag));
		return ETH_IP4;
	case RTE_ETHER_TYPE_IPV6:
		pkt_strip_frame(m, off + sizeof(*tag));
		return ETH_IP6;
	case RTE_ETHER_TYPE_ARP:
		return ETH_PUNT;
	case RTE_ETHER_TYPE_VLAN:
	case RTE_ETHER_TYPE_QINQ:
		return pkt_drop(m, DROP_ETH_QINQ);
	default:
		return pkt_drop(m, DROP_ETH_TYPE);
	}
}

static inline rte_edge_t eth_one(struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = pkt_hdr(m, 0, sizeof(*eth));

	if (unlikely(eth == NULL))
		return pkt_drop(m, DROP_ETH_SHORT);
	/* Some drivers (memif, virtio) chain buffers unasked; from here on one holds all. */
	if (unlikely(m->nb_segs != 1))
		return pkt_drop(m, DROP_ETH_LONG);
	if (unlikely(!rte_is_same_ether_addr(&eth->dst_addr, &ports[pkt_meta(m)->port].mac) &&
		     !rte_is_multicast_ether_addr(&eth->dst_addr)))
		return pkt_drop(m, DROP_ETH_NOT_OURS);
	switch (rte_be_to_cpu_16(eth->ether_type)) {
	case RTE_ETHER_TYPE_IPV4:
		pkt_strip_frame(m, sizeof(*eth));
		return ETH_IP4;
	case RTE_ETHER_TYPE_IPV6:
		pkt_strip_frame(m, sizeof(*eth));
		return ETH_IP6;
	case RTE_ETHER_TYPE_VLAN:
		return eth_vlan(m);
	case RTE_ETHER_TYPE_ARP:
		return ETH_PUNT;
	case RTE_ETHER_TYPE_QINQ:
		return pkt_drop(m, DROP_ETH_QINQ);
	default:
		return pkt_drop(m, DROP_ETH_TYPE);
	}
}

static inline void eth_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + PREFETCH_AHEAD], void *));
		next[i] = eth_one(m[i]);
	}
}

static uint16_t eth_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, eth_chunk);
}

struct rte_node_register node_eth = {
	.name = "eth",
	.process = eth_process,
	.nb_edges = 4,
	.next_nodes =
		{[ETH_DROP] = "drop", [ETH_PUNT] = "punt", [ETH_IP4] = "ip4", [ETH_IP6] = "ip6"},
};
