/*
 * handover: packets onto the rings of the workers that own their flow or source. What was looked
 * up for them may be gone by the time that they arrive, since a packet on a ring holds no grace
 * period up: there they start again at their IP header (from_worker).
 */
#include "nodes_priv.h"

/* The packets for one worker, in their order. @return how many were put into `to`. */
static inline uint16_t packets_of(
	unsigned int owner, struct rte_mbuf **m, uint16_t n, uint8_t from, void **to)
{
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct pkt_meta *meta = pkt_meta(m[i]);

		if (meta->owner != owner)
			continue;
		/* The first worker stays: it is its queue that the flow is to follow. */
		if (meta->from == 0)
			meta->from = from;
		to[count++] = m[i];
	}
	return count;
}

static void handover_chunk(struct rte_graph *graph, struct rte_node *node, struct worker *w,
	struct rte_mbuf **m, uint16_t n)
{
	uint64_t owners = 0;
	void *some[NODE_CHUNK];

	static_assert(API_WORKERS_MAX <= 64, "bits of owners");
	for (uint16_t i = 0; i < n; i++)
		owners |= UINT64_C(1) << pkt_meta(m[i])->owner;
	for (; owners != 0; owners &= owners - 1) {
		unsigned int owner = (unsigned int)__builtin_ctzll(owners);
		uint16_t count = packets_of(owner, m, n, (uint8_t)(w->index + 1), some);
		struct rte_ring *ring = workers[owner].handover;
		uint16_t put = (uint16_t)rte_ring_enqueue_burst(ring, some, count, NULL);

		w->stats->handed_over += put;
		worker_wake(&workers[owner]);
		for (uint16_t i = put; i < count; i++)
			pkt_drop(some[i], DROP_HANDOVER_FULL);
		if (put < count)
			rte_node_enqueue(
				graph, node, EDGE_DROP, &some[put], (uint16_t)(count - put));
	}
}

static uint16_t handover_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();

	for (uint16_t done = 0; done < n; done += NODE_CHUNK)
		handover_chunk(graph, node, w, (struct rte_mbuf **)&objs[done],
			RTE_MIN((uint16_t)(n - done), (uint16_t)NODE_CHUNK));
	return n;
}

struct rte_node_register node_handover = {
	.name = "handover",
	.process = handover_process,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
