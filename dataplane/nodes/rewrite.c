/*
 * rewrite: a relayed packet gets the far side's addresses, ports, TTL and DSCP, with
 * checksums to match, in the far side's family, and goes to the flow's next hop. From IPv4
 * to IPv6 it grows by 20 bytes; what is too long for the MTU then is dropped.
 */
#include "flow.h"
#include "nodes_priv.h"
#include "rewrite.h"

/* The headers of another family: IPv6's is 20 bytes longer, and there is headroom for it, since
 * eth took the frame's header off and drivers leave more. */
static void family_change(struct worker *w, struct rte_mbuf *m, const struct flow_action *action)
{
	const uint16_t longer = sizeof(struct rte_ipv6_hdr) - sizeof(struct rte_ipv4_hdr);
	struct rte_udp_hdr *udp = pkt_udp(m);

	if ((action->flags & FLOW_DST_V6) != 0) {
		rewrite_v4_to_v6(udp, action);
		pkt_grow(m, longer);
	} else {
		rewrite_v6_to_v4(udp, action, w->ip_id++);
		rte_pktmbuf_adj(m, longer);
	}
}

static inline rte_edge_t rewrite_one(struct worker *w, struct rte_mbuf *m)
{
	const struct flow_action *action = &flow_actions[pkt_meta(m)->value];
	bool to6 = (action->flags & FLOW_DST_V6) != 0, from6 = pkt_is_v6(m);

	if (unlikely(from6 != to6))
		family_change(w, m, action);
	else if (to6)
		rewrite_v6(rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *), action);
	else
		rewrite_v4(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *), action);
	return nexthop_send(m, action->nexthop, to6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4,
		REWRITE_GLEAN, REWRITE_TX);
}

static inline void rewrite_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = rewrite_one(w, m[i]);
}

static uint16_t rewrite_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, rewrite_chunk);
}

struct rte_node_register node_rewrite = {
	.name = "rewrite",
	.process = rewrite_process,
	.nb_edges = 2,
	.next_nodes = {[REWRITE_DROP] = "drop", [REWRITE_GLEAN] = "glean"},
};
