/*
 * tx: gives packets to one port. One clone a port. Where the device has fewer queues
 * than there are workers, one of them owns the queue and the others hand over.
 */
#include <rte_ethdev.h>

#include "nodes_priv.h"
#include "tx.h"

/* Packets from the head on that came from one place: counted at once, and most bursts are one. */
static inline uint16_t run_length(struct rte_mbuf **m, uint16_t n)
{
	const struct pkt_meta *head = pkt_meta(m[0]);
	uint16_t i = 1;

	while (i < n && pkt_meta(m[i])->port == head->port &&
		pkt_meta(m[i])->origin == head->origin)
		i++;
	return i;
}

static inline uint64_t bytes_of(struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	return bytes;
}

uint16_t tx_send(struct worker *w, uint16_t out, struct rte_mbuf **m, uint16_t n)
{
	const struct port *p = &ports[out];
	const uint16_t queue = p->n_tx > w->index ? w->index : 0;
	uint16_t done = 0;

	while (done < n) {
		uint16_t run = run_length(&m[done], RTE_MIN((uint16_t)(n - done), PORT_BURST));
		const struct pkt_meta from = *pkt_meta(m[done]);
		struct stats_port_counts *counts = w->stats->port;
		uint64_t bytes = bytes_of(&m[done], run);
		uint16_t sent = rte_eth_tx_burst(p->eth_id, queue, &m[done], run);

		/* What was sent is not ours any more; the rest is. */
		bytes -= bytes_of(&m[done + sent], (uint16_t)(run - sent));
		counts[out].tx_packets += sent;
		counts[out].tx_bytes += bytes;
		if (likely(from.origin == PKT_WIRE))
			counts[from.port].forwarded += sent;
		else
			counts[from.port].originated += sent;
		done += sent;
		if (unlikely(sent < run))
			break;
	}
	return done;
}

static uint16_t tx_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	const struct node_port_ctx *ctx = (const struct node_port_ctx *)node->ctx;
	const struct port *p = &ports[ctx->port];
	struct worker *w = worker_get();
	uint16_t sent;

	if (unlikely(p->tx_ring != NULL && p->tx_owner != w->index)) {
		sent = (uint16_t)rte_ring_mp_enqueue_burst(p->tx_ring, objs, n, NULL);
		worker_wake(&workers[p->tx_owner]);
	} else {
		sent = tx_send(w, ctx->port, (struct rte_mbuf **)objs, n);
	}
	for (uint16_t i = sent; i < n; i++)
		pkt_drop(objs[i], DROP_TX_FULL);
	if (unlikely(sent < n))
		rte_node_enqueue(graph, node, EDGE_DROP, &objs[sent], (uint16_t)(n - sent));
	return n;
}

struct rte_node_register node_tx = {
	.name = "tx",
	.process = tx_process,
	.init = node_port_init,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
