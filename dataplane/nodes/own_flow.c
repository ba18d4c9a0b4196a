/*
 * own_flow: a flow's live line has one writer, so its packets go to the worker that owns it.
 * In front of media where there are several workers; see flow_owner.h.
 */
#include "flow.h"
#include "flow_owner.h"
#include "nodes_priv.h"

enum { OWN_FLOW_DROP, OWN_FLOW_HANDOVER, OWN_FLOW_MEDIA };

/* Where queues are fewer than workers somebody must share the work out; else the device did. */
static inline uint16_t owner_wanted(const struct worker *w, const struct port *p, uint32_t flow)
{
	return (uint16_t)((p->spread ? w->index : flow % n_workers) + 1);
}

/* One that does not fit is noted again when its run is full the next time. */
static inline void give_note(struct worker *w, uint32_t flow, uint16_t to)
{
	if (w->n_gives < WORKER_GIVES_MAX)
		w->gives[w->n_gives++] = (struct flow_give){flow, to};
}

static inline rte_edge_t own_flow_one(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct port *p = &ports[meta->port];
	uint32_t flow = flow_of_place(meta->value);
	struct stats_flow *live = &flow_live[flow];
	uint16_t owner = flow_owner_get(live, owner_wanted(w, p, flow));
	uint8_t from;

	if (owner != w->index + 1) {
		meta->owner = (uint8_t)(owner - 1);
		return OWN_FLOW_HANDOVER;
	}
	/* It may have come by here before, to look for an owner that had just changed. */
	from = meta->from == owner ? 0 : meta->from;
	if (flow_owner_note(&flow_runs[flow], from) && p->spread)
		give_note(w, flow, from);
	return OWN_FLOW_MEDIA;
}

static inline void own_flow_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = own_flow_one(w, m[i]);
}

static uint16_t own_flow_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, own_flow_chunk);
}

struct rte_node_register node_own_flow = {
	.name = "own_flow",
	.process = own_flow_process,
	.nb_edges = 3,
	.next_nodes = {[OWN_FLOW_DROP] = "drop",
		[OWN_FLOW_HANDOVER] = "handover",
		[OWN_FLOW_MEDIA] = "media"},
};
