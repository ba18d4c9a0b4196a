/*
 * sip_police: what a scanned message is, and the buckets that it is charged to (police.h),
 * before control has any work with it. In: meta.value2 is the index slot.
 */
#include "local.h"
#include "nodes_priv.h"
#include "police.h"
#include "sip_meta.h"
#include "sip_payload.h"
#include "sip_up.h"

enum { SIP_POLICE_DROP, SIP_POLICE_UP };

/* Messages in one go: what is fetched ahead for them fits the first-level cache. */
#define STAGE_MAX 32

static void message_read(struct worker *w, const struct worker_rings *rings, struct rte_mbuf *m,
	struct police_message *out)
{
	const struct pkt_meta *meta = pkt_meta(m);
	const struct sip_index *idx = &w->scans[meta->value2];
	struct net_addr src;

	pkt_src(m, &src);
	police_prepare(
		w->police, out, &src, rte_be_to_cpu_16(pkt_udp(m)->src_port), sip_meta_realm(meta));
	out->listed = sip_meta_listed(meta);
	out->sip_class = (uint8_t)sip_up_class(idx);
	if (out->sip_class == SIP_CLASS_DIALOG && rings != NULL &&
		sip_up_in_lane(rings->keys.lane, &src, sip_payload(m).p, idx, &out->nonce))
		out->sip_class = SIP_CLASS_LANE;
	out->method = (uint8_t)sip_up_method(idx, (enum sip_class)out->sip_class);
}

static void stage_run(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);
	struct source_clock now = source_clock(w->now_ns);
	struct police_message message[STAGE_MAX];

	for (uint16_t i = 0; i < n; i++)
		message_read(w, rings, m[i], &message[i]);
	for (uint16_t i = 0; i < n; i++)
		police_fetch(w->police, &message[i]);
	for (uint16_t i = 0; i < n; i++) {
		const struct police_message *one = &message[i];
		enum source_class source_class;
		int reason = police_sip(
			w->police, one, &local_realms[one->realm].limits, now, &source_class);

		next[i] = SIP_POLICE_UP;
		if (reason != POLICE_PASS) {
			w->stats->realm[one->realm].refused[source_class]++;
			next[i] = pkt_drop(m[i], (enum drop_reason)reason);
		}
		sip_meta_set_classes(pkt_meta(m[i]), source_class, (enum sip_class)one->sip_class);
	}
}

static inline void sip_police_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t done = 0; done < n; done += STAGE_MAX)
		stage_run(w, m + done, next + done,
			RTE_MIN((uint16_t)(n - done), (uint16_t)STAGE_MAX));
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
