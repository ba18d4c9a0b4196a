/*
 * sip_police: one token bucket for each source of a realm, before control has any work
 * with the message.
 */
#include "local.h"
#include "nodes_priv.h"
#include "source_table.h"

enum { SIP_POLICE_DROP, SIP_POLICE_UP };

static inline void sip_police_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t id = (uint16_t)pkt_meta(m[i])->value;
		const struct local_realm *realm = &local_realms[id % API_REALMS_MAX];
		struct net_addr src = pkt_src(m[i]);

		next[i] = source_table_take(w->sources, &src, id, realm->police.sip.rate,
				  realm->police.sip.burst, w->now_ns)
				  ? SIP_POLICE_UP
				  : pkt_drop(m[i], DROP_SIP_RATE);
	}
}

static uint16_t sip_police_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, sip_police_chunk);
}

struct rte_node_register node_sip_police = {
	.name = "sip_police",
	.process = sip_police_process,
	.nb_edges = 2,
	.next_nodes = {[SIP_POLICE_DROP] = "drop", [SIP_POLICE_UP] = "sip_up"},
};
