/*
 * ip_output: a packet of our own, complete from the IP header on, looks for its way
 * out of its realm.
 */
#include "local.h"
#include "nodes_priv.h"

static inline void ip_output_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m[i], const struct rte_ipv4_hdr *);

		uint16_t realm = (uint16_t)pkt_meta(m[i])->value;

		next[i] = nexthop_send(m[i], route_find_realm_v4(ip->dst_addr, realm),
			RTE_ETHER_TYPE_IPV4, IP_OUTPUT_GLEAN, IP_OUTPUT_TX);
	}
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
