/*
 * from_worker: packets that other workers handed over, looked at anew from their IP header on;
 * and the flows that this worker noted in its last loop are given away.
 */
#include "flow.h"
#include "flow_owner.h"
#include "nodes_priv.h"

/* Sources come first in a walk, so nothing of these flows is in the graph now. */
static void flows_give(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_gives; i++) {
		const struct flow_give *g = &w->gives[i];

		w->stats->flows_given +=
			flow_owner_give(&flow_live[g->flow], (uint16_t)(w->index + 1), g->to);
	}
	w->n_gives = 0;
}

static uint16_t from_worker_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	rte_edge_t next[HANDOVER_BURST];
	void *m[HANDOVER_BURST];

	flows_give(w);
	n = (uint16_t)rte_ring_sc_dequeue_burst(w->handover, m, HANDOVER_BURST, NULL);
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(m[i]);
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(
				rte_pktmbuf_mtod((struct rte_mbuf *)m[i + PREFETCH_AHEAD], void *));
		next[i] = pkt_is_v6(m[i]) ? FROM_WORKER_IP6 : FROM_WORKER_IP4;
	}
	w->stats->taken_over += n;
	w->packets += n;
	nodes_send(graph, node, m, next, n);
	return n;
}

struct rte_node_register node_from_worker = {
	.name = "from_worker",
	.flags = RTE_NODE_SOURCE_F,
	.process = from_worker_process,
	.nb_edges = 2,
	.next_nodes = {[FROM_WORKER_IP4] = "ip4", [FROM_WORKER_IP6] = "ip6"},
};
