/*
 * tx: gives packets to one port. One clone a port. Where the device has fewer queues
 * than there are workers, one of them owns the queue and the others hand over.
 */
#include <rte_ethdev.h>

#include "nodes_priv.h"
#include "tx.h"

/* Packets that came from one place, kept because sending gives them away. Most bursts are one run.
 */
struct tx_run {
	uint16_t port;
	uint8_t origin; /* enum pkt_origin */
	uint16_t n;
};

static inline void runs_note(struct tx_run run[PORT_BURST], struct rte_mbuf **m, uint16_t n)
{
	uint16_t last = 0;

	run[0] = (struct tx_run){pkt_meta(m[0])->port, pkt_meta(m[0])->origin, 1};
	for (uint16_t i = 1; i < n; i++) {
		const struct pkt_meta *meta = pkt_meta(m[i]);

		if (likely(meta->port == run[last].port && meta->origin == run[last].origin))
			run[last].n++;
		else
			run[++last] = (struct tx_run){meta->port, meta->origin, 1};
	}
}

/* The first `sent` packets of these runs. */
static inline void runs_count(
	struct stats_port_counts *counts, const struct tx_run *run, uint16_t sent)
{
	for (; sent > 0; run++) {
		uint16_t some = RTE_MIN(run->n, sent);

		if (likely(run->origin == PKT_WIRE))
			counts[run->port].forwarded += some;
		else
			counts[run->port].originated += some;
		sent = (uint16_t)(sent - some);
	}
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
	struct stats_port_counts *counts = w->stats->port;
	struct tx_run run[PORT_BURST];
	uint16_t done = 0;

	while (done < n) {
		uint16_t some = RTE_MIN((uint16_t)(n - done), (uint16_t)PORT_BURST), sent;
		uint64_t bytes = bytes_of(&m[done], some);

		runs_note(run, &m[done], some);
		sent = rte_eth_tx_burst(p->eth_id, queue, &m[done], some);
		/* What was sent is not ours any more; the rest is. */
		bytes -= bytes_of(&m[done + sent], (uint16_t)(some - sent));
		runs_count(counts, run, sent);
		counts[out].tx_packets += sent;
		counts[out].tx_bytes += bytes;
		done += sent;
		if (unlikely(sent < some))
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
