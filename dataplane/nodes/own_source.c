/*
 * own_source: what is counted by source address has one writer, so a source's packets go to one
 * worker. A clone stands in front of each node that keeps such state, where there are several
 * workers; nodes.c adds its last edge.
 */
#include "nodes_priv.h"

enum { OWN_SOURCE_DROP, OWN_SOURCE_HANDOVER, OWN_SOURCE_NEXT };

/* What is not IP (ARP) still has its frame, and stays where it came in. */
static inline rte_edge_t own_source_one(const struct worker *w, struct rte_mbuf *m)
{
	struct net_addr source;
	unsigned int owner;

	if (unlikely(m->l2_len == 0))
		return OWN_SOURCE_NEXT;
	pkt_src(m, &source);
	owner = worker_of_source(&source);
	if (owner == w->index)
		return OWN_SOURCE_NEXT;
	pkt_meta(m)->owner = (uint8_t)owner;
	return OWN_SOURCE_HANDOVER;
}

static inline void own_source_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = own_source_one(w, m[i]);
}

static uint16_t own_source_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, own_source_chunk);
}

struct rte_node_register node_own_source = {
	.name = "own_source",
	.process = own_source_process,
	.nb_edges = OWN_SOURCE_NEXT,
	.next_nodes = {[OWN_SOURCE_DROP] = "drop", [OWN_SOURCE_HANDOVER] = "handover"},
};
