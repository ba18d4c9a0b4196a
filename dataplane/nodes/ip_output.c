/*
 * ip_output: a packet of our own, complete from the IP header on, looks for its way
 * out of its realm.
 */
#include "local.h"
#include "nodes_priv.h"

static inline rte_edge_t ip_output_one(struct rte_mbuf *m)
{
	uint16_t realm = (uint16_t)pkt_meta(m)->value;
	const struct rte_ipv6_hdr *ip6 = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	const struct rte_ipv4_hdr *ip4 = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	if (pkt_is_v6(m))
		return nexthop_send(m, route_find_realm_v6(ip6->dst_addr, realm),
			RTE_ETHER_TYPE_IPV6, IP_OUTPUT_GLEAN, IP_OUTPUT_TX);
	return nexthop_send(m, route_find_realm_v4(ip4->dst_addr, realm), RTE_ETHER_TYPE_IPV4,
		IP_OUTPUT_GLEAN, IP_OUTPUT_TX);
}

static inline void ip_output_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = ip_output_one(m[i]);
}

static uint16_t ip_output_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, ip_output_chunk);
}

struct rte_node_register node_ip_output = {
	.name = "ip_output",
	.process = ip_output_process,
	.nb_edges = 2,
	.next_nodes = {[IP_OUTPUT_DROP] = "drop", [IP_OUTPUT_GLEAN] = "glean"},
};
