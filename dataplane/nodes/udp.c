/*
 * udp: one load from the local address's port table says what a packet is. Passes
 * the slot on in meta.value.
 */
#include "flow.h"
#include "local.h"
#include "nodes_priv.h"

enum { UDP_DROP, UDP_PUNT, UDP_MEDIA, UDP_SIP };

static inline rte_edge_t udp_one(struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp = pkt_hdr(m, m->l3_len, sizeof(*udp));
	struct pkt_meta *meta = pkt_meta(m);
	const struct stats_flow *live;
	uint16_t len;
	uint32_t slot;

	if (unlikely(udp == NULL))
		return pkt_drop(m, DROP_UDP_HEADER);
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (unlikely(len < sizeof(*udp) || len > (size_t)(m->data_len - m->l3_len)))
		return pkt_drop(m, DROP_UDP_HEADER);
	slot = local_slot((uint16_t)meta->value2, rte_be_to_cpu_16(udp->dst_port));
	meta->value = slot & LOCAL_VALUE_MASK;
	switch (local_slot_kind(slot)) {
	case LOCAL_FLOW:
		live = &flow_live[flow_of_place(meta->value)];
		rte_prefetch0(&flow_actions[meta->value]);
		rte_prefetch0(live);
		rte_prefetch0(&live->quality);
		return UDP_MEDIA;
	case LOCAL_LISTENER:
		return UDP_SIP;
	case LOCAL_MEDIA:
		return pkt_drop(m, DROP_MEDIA_NO_FLOW);
	case LOCAL_KERNEL:
	default:
		return UDP_PUNT;
	}
}

static inline void udp_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = udp_one(m[i]);
}

static uint16_t udp_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, udp_chunk);
}

struct rte_node_register node_udp = {
	.name = "udp",
	.process = udp_process,
	.nb_edges = 4,
	.next_nodes = {[UDP_DROP] = "drop",
		[UDP_PUNT] = "punt",
		[UDP_MEDIA] = "media",
		[UDP_SIP] = "sip_admit"},
};
