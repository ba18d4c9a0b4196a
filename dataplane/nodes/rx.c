/*
 * rx: takes packets from the queues of one port that this worker polls. One clone a port.
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
	uint64_t bytes = 0;

	n = 0;
	for (uint16_t q = ctx->queue; q < ctx->queues_end; q += ctx->queue_step)
		n += rte_eth_rx_burst(ctx->eth_id, q, &m[n], ctx->burst);
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
