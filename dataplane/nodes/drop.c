/*
 * drop: every packet that goes nowhere ends here, counted by port and reason.
 */
#include "nodes_priv.h"

static uint16_t drop_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct stats_port_counts *counts = worker_get()->stats->port;

	for (uint16_t i = 0; i < n; i++) {
		const struct pkt_meta *meta = pkt_meta(objs[i]);

		counts[meta->port].drops[meta->drop]++;
	}
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, n);
	return n;
}

struct rte_node_register node_drop = {
	.name = "drop",
	.process = drop_process,
};
