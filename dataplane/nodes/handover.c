/*
 * handover: packets onto the rings of the workers that own their flow or source. What was looked
 * up for them may be gone by the time that they arrive, since a packet on a ring holds no grace
 * period up: there they start again at their IP header (from_worker).
 */
#include "nodes_priv.h"

/* The packets for one worker, in their order. @return how many were put into `to`. */
static inline uint16_t packets_of(
	unsigned int owner, const uint8_t *owners, struct rte_mbuf **m, uint16_t n, void **to)
{
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (owners[i] == owner)
			to[count++] = m[i];
	}
	return count;
}

static void handover_chunk(struct rte_graph *graph, struct rte_node *node, struct worker *w,
	struct rte_mbuf **m, uint16_t n)
{
	uint64_t all = 0;
	uint8_t owners[NODE_CHUNK];
	void *some[NODE_CHUNK];

	static_assert(API_WORKERS_MAX <= 64, "bits of all");
	/* All is read before the first is given away: who has it changes it, or frees it. */
	for (uint16_t i = 0; i < n; i++) {
		struct pkt_meta *meta = pkt_meta(m[i]);

		owners[i] = meta->owner;
		all |= UINT64_C(1) << meta->owner;
		/* The first worker stays: it is its queue that the flow is to follow. */
		if (meta->from == 0)
			meta->from = (uint8_t)(w->index + 1);
	}
	for (; all != 0; all &= all - 1) {
		unsigned int owner = (unsigned int)__builtin_ctzll(all);
		uint16_t count = packets_of(owner, owners, m, n, some);
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
