/*
 * punt: whole frames to the port's kernel twin, at a bounded rate.
 */
#include "kernel_path.h"
#include "nodes_priv.h"
#include "token.h"

/* Burst: what comes within a tenth of a second. */
static inline bool punt_allowed(struct worker *w, uint16_t port)
{
	return token_take(
		&w->punt_full_ns[port], w->punt_rate[port], w->punt_rate[port] / 10, w->now_ns);
}

static uint16_t punt_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		struct pkt_meta *meta = pkt_meta(m);

		if (!punt_allowed(w, meta->port)) {
			rte_node_enqueue_x1(graph, node, pkt_drop(m, DROP_PUNT_RATE), m);
			continue;
		}
		pkt_restore_frame(m);
		meta->value = KERNEL_TWIN;
		objs[kept++] = m;
	}
	to_kernel(graph, node, objs, kept);
	return n;
}

struct rte_node_register node_punt = {
	.name = "punt",
	.process = punt_process,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
