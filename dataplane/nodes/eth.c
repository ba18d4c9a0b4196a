/*
 * eth: is the frame for us, and what is in it. Takes the Ethernet header off IPv4.
 */
#include "nodes_priv.h"

enum { ETH_DROP, ETH_PUNT, ETH_IP4 };

static inline rte_edge_t eth_one(struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = pkt_hdr(m, 0, sizeof(*eth));

	if (unlikely(eth == NULL))
		return pkt_drop(m, DROP_ETH_SHORT);
	if (unlikely(!rte_is_same_ether_addr(&eth->dst_addr, &ports[pkt_meta(m)->port].mac) &&
		     !rte_is_multicast_ether_addr(&eth->dst_addr)))
		return pkt_drop(m, DROP_ETH_NOT_OURS);
	switch (rte_be_to_cpu_16(eth->ether_type)) {
	case RTE_ETHER_TYPE_IPV4:
		pkt_strip_frame(m, sizeof(*eth));
		return ETH_IP4;
	case RTE_ETHER_TYPE_ARP:
	case RTE_ETHER_TYPE_IPV6: /* the kernel's until it is forwarded here */
		return ETH_PUNT;
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
	.nb_edges = 3,
	.next_nodes = {[ETH_DROP] = "drop", [ETH_PUNT] = "punt", [ETH_IP4] = "ip4"},
};
