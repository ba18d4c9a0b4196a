/*
 * sip_up: message and index to the shard that owns the Call-ID. A ring that fills
 * refuses new calls of strangers first and proven messages of a dialog last.
 */
#include "attach.h"
#include "nodes_priv.h"
#include "sip_meta.h"
#include "sip_payload.h"
#include "sip_up.h"

static void record_head(struct rec_sip_up *r, const struct worker *w, struct rte_mbuf *m,
	const struct sip_index *idx, struct str_view msg)
{
	const struct pkt_meta *meta = pkt_meta(m);
	const struct rte_udp_hdr *udp = pkt_udp(m);
	uint32_t index_len = (uint32_t)SIP_INDEX_LEN(idx->n_headers);

	*r = (struct rec_sip_up){
		.hdr = {.len = (uint32_t)(sizeof(*r) + index_len + msg.len),
			.type = REC_SIP_UP,
			.version = API_VERSION},
		.local.port = rte_be_to_cpu_16(udp->dst_port),
		.remote.port = rte_be_to_cpu_16(udp->src_port),
		.rx_ns = w->now_ns,
		.realm = sip_meta_realm(meta),
		.sip_class = (uint8_t)sip_meta_sip_class(meta),
		.error = idx->error,
		.index_len = index_len,
		.msg_len = (uint32_t)msg.len,
		.source_class = (uint8_t)sip_meta_source_class(meta),
	};
	pkt_dst(m, &r->local.addr);
	pkt_src(m, &r->remote.addr);
}

static int record_put(
	struct worker *w, struct ring *ring, struct rte_mbuf *m, const struct sip_index *idx)
{
	size_t index_len = SIP_INDEX_LEN(idx->n_headers);
	struct str_view msg = sip_payload(m);
	struct rec_sip_up *placed = ring_place(ring, sizeof(*placed) + index_len + msg.len), r;

	if (placed == NULL) {
		const struct str_view pieces[] = {
			{(const char *)&r, sizeof(r)}, {(const char *)idx, index_len}, msg};

		record_head(&r, w, m, idx, msg);
		return ring_put(ring, pieces, ARRAY_LEN(pieces));
	}
	record_head(placed, w, m, idx, msg);
	memcpy(placed + 1, idx, index_len);
	memcpy((char *)(placed + 1) + index_len, msg.p, msg.len);
	return 0;
}

/* @return -1 when control has it, or the reason for a drop. */
static int message_up(
	struct worker *w, struct worker_rings *rings, struct rte_mbuf *m, uint32_t *touched)
{
	const struct pkt_meta *meta = pkt_meta(m);
	const struct sip_index *idx = &w->scans[meta->value2];
	enum sip_class sip_class = sip_meta_sip_class(meta);
	enum source_class source_class = sip_meta_source_class(meta);
	const struct sip_up_admission *admission = &sip_up_admission[source_class][sip_class];
	struct stats_realm *realm = &w->stats->realm[sip_meta_realm(meta)];
	struct str_view call_id = sip_span_view(sip_payload(m).p, idx->call_id);
	unsigned int shard;
	struct ring *ring;

	if (rings == NULL)
		return DROP_SIP_NO_CONTROL;
	shard = shard_hash(rings->keys.hash, call_id, rings->shards);
	ring = &rings->up[shard];
	if (ring_free_percent(ring) < admission->free_min || record_put(w, ring, m, idx) < 0) {
		realm->refused[source_class]++;
		return admission->reason;
	}
	realm->messages[source_class][sip_class]++;
	*touched |= 1u << shard;
	w->stats->sip_class[sip_class]++;
	return -1;
}

static uint16_t sip_up_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);
	uint32_t touched = 0;
	uint16_t taken = 0;

	static_assert(API_SHARDS_MAX <= 32, "bits of touched");
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		int reason = message_up(w, rings, m, &touched);

		if (reason >= 0) {
			rte_node_enqueue_x1(graph, node, pkt_drop(m, (enum drop_reason)reason), m);
			continue;
		}
		port_counts(m)->sip_up++;
		objs[taken++] = m;
	}
	for (; touched != 0; touched &= touched - 1)
		ring_publish(&rings->up[__builtin_ctz(touched)]);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, taken);
	return n;
}

struct rte_node_register node_sip_up = {
	.name = "sip_up",
	.process = sip_up_process,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
