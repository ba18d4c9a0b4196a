/*
 * tx: gives packets to one port. One clone a port. Where the device has fewer queues
 * than there are workers, one of them owns the queue and the others hand over.
 */
#include <rte_ethdev.h>

#include "nodes_priv.h"
#include "tx.h"

/* What is counted about a packet, kept because sending gives the packet away. */
struct tx_note {
	uint32_t len;
	uint32_t from; /* port << 8 | origin */
};

static inline void from_count(struct stats_port_counts *counts, uint32_t from, uint16_t n)
{
	if (likely((from & 0xff) == PKT_WIRE))
		counts[from >> 8].forwarded += n;
	else
		counts[from >> 8].originated += n;
}

/* Packets from one place are counted at once: most bursts are one run. */
static inline void sent_count(
	struct worker *w, uint16_t out, const struct tx_note *note, uint16_t sent)
{
	struct stats_port_counts *counts = w->stats->port;
	uint64_t bytes = 0;
	uint16_t start = 0;

	for (uint16_t i = 0; i < sent; i++) {
		bytes += note[i].len;
		if (likely(note[i].from == note[start].from))
			continue;
		from_count(counts, note[start].from, (uint16_t)(i - start));
		start = i;
	}
	if (likely(sent > 0))
		from_count(counts, note[start].from, (uint16_t)(sent - start));
	counts[out].tx_packets += sent;
	counts[out].tx_bytes += bytes;
}

uint16_t tx_send(struct worker *w, uint16_t out, struct rte_mbuf **m, uint16_t n)
{
	const struct port *p = &ports[out];
	struct tx_note note[PORT_BURST];
	uint16_t done = 0;

	while (done < n) {
		uint16_t some = RTE_MIN((uint16_t)(n - done), (uint16_t)PORT_BURST), sent;

		for (uint16_t i = 0; i < some; i++) {
			const struct pkt_meta *meta = pkt_meta(m[done + i]);

			note[i] = (struct tx_note){
				m[done + i]->pkt_len, (uint32_t)meta->port << 8 | meta->origin};
		}
		sent = rte_eth_tx_burst(
			p->eth_id, p->n_tx > w->index ? w->index : 0, &m[done], some);
		sent_count(w, out, note, sent);
		done += sent;
		if (sent < some)
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
