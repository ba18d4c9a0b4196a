/*
 * rewrite: a relayed packet gets the far side's addresses, ports, TTL and DSCP, with
 * checksums to match, and goes to the flow's next hop.
 */
#include "flow.h"
#include "nodes_priv.h"
#include "rewrite.h"

static inline rte_edge_t rewrite_one(struct rte_mbuf *m)
{
	const struct flow_action *action = &flow_actions[pkt_meta(m)->value];

	rewrite_v4(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *), action);
	return nexthop_send(m, action->nexthop, REWRITE_GLEAN, REWRITE_TX);
}

static inline void rewrite_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = rewrite_one(m[i]);
}

static uint16_t rewrite_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, rewrite_chunk);
}

struct rte_node_register node_rewrite = {
	.name = "rewrite",
	.process = rewrite_process,
	.nb_edges = 2,
	.next_nodes = {[REWRITE_DROP] = "drop", [REWRITE_GLEAN] = "glean"},
};
