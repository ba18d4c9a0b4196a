/*
 * rx: takes packets from the queues of one port that this worker polls. One clone a port, and
 * one queue a loop: a burst fits the first level cache on its way through the graph, several do
 * not.
 */
#include <rte_ethdev.h>

#include "nodes_priv.h"

enum { RX_ETH };

static uint16_t rx_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	const struct node_port_ctx *ctx = (const struct node_port_ctx *)node->ctx;
	struct worker *w = worker_get();
	struct stats_port_counts *counts = &w->stats->port[ctx->port];
	struct rte_mbuf **m = (struct rte_mbuf **)node->objs;
	uint16_t turn = (uint16_t)(w->rx_turn - ctx->turn);
	uint64_t bytes = 0;

	if (turn >= ctx->queues)
		return 0;
	n = rte_eth_rx_burst(ctx->eth_id, (uint16_t)(ctx->queue + turn * n_workers), m, PORT_BURST);
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + PREFETCH_AHEAD], void *));
		*pkt_meta(m[i]) = (struct pkt_meta){
			.port = ctx->port, .origin = PKT_WIRE, .netif = ctx->port};
		m[i]->tx_offload = 0;
		bytes += m[i]->pkt_len;
	}
	counts->rx_packets += n;
	counts->rx_bytes += bytes;
	w->packets += n;
	node->idx = n;
	rte_node_next_stream_move(graph, node, RX_ETH);
	return n;
}

struct rte_node_register node_rx = {
	.name = "rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = rx_process,
	.init = node_port_init,
	.nb_edges = 1,
	.next_nodes = {[RX_ETH] = "eth"},
};
