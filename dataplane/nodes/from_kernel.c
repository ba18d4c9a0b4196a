/*
 * from_kernel: frames that the kernel sent on a twin leave by its port, and packets
 * that other workers handed over leave by the queues that this one owns.
 */
#include "nodes_priv.h"
#include "tx.h"

static uint16_t handed_over_send(struct rte_graph *graph, struct rte_node *node, struct worker *w)
{
	void *m[HANDOVER_BURST];
	uint16_t total = 0;

	for (uint16_t p = 0; p < n_ports; p++) {
		uint16_t n, sent;

		if (ports[p].tx_ring == NULL || ports[p].tx_owner != w->index)
			continue;
		n = (uint16_t)rte_ring_sc_dequeue_burst(ports[p].tx_ring, m, HANDOVER_BURST, NULL);
		sent = tx_send(w, p, (struct rte_mbuf **)m, n);
		for (uint16_t i = sent; i < n; i++)
			pkt_drop(m[i], DROP_TX_FULL);
		if (sent < n)
			rte_node_enqueue(graph, node, EDGE_DROP, &m[sent], (uint16_t)(n - sent));
		total += n;
	}
	return total;
}

static uint16_t from_kernel_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	void *m[PORT_BURST];
	rte_edge_t next[PORT_BURST];
	uint16_t handed = handed_over_send(graph, node, w);

	n = (uint16_t)rte_ring_sc_dequeue_burst(w->from_kernel, m, PORT_BURST, NULL);
	for (uint16_t i = 0; i < n; i++)
		next[i] = (rte_edge_t)(FROM_KERNEL_TX + pkt_meta(m[i])->port);
	if (n > 0)
		nodes_send(graph, node, m, next, n);
	w->packets += (uint32_t)(handed + n);
	return (uint16_t)(handed + n);
}

struct rte_node_register node_from_kernel = {
	.name = "from_kernel",
	.flags = RTE_NODE_SOURCE_F,
	.process = from_kernel_process,
	.nb_edges = 1,
	.next_nodes = {[FROM_KERNEL_DROP] = "drop"},
};
