/*
 * glean: the next hop's link address is not known. The kernel resolves it and sends
 * the packet; it comes back by the twin.
 */
#include "kernel_path.h"
#include "nodes_priv.h"

static uint16_t glean_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		pkt_meta(objs[i])->value = KERNEL_GLEAN;
	to_kernel(graph, node, objs, n);
	return n;
}

struct rte_node_register node_glean = {
	.name = "glean",
	.process = glean_process,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
