/*
 * media: may this packet of this flow pass? Shape (RFC 3550), direction, source.
 * What it needs is one action line, read only, and one live line, this worker's.
 */
#include "checksum.h"
#include "flow.h"
#include "nodes_priv.h"

enum { MEDIA_DROP, MEDIA_REWRITE };

#define MEDIA_OK DROP_COUNT

/* RFC 3550 section 5.1 and 5.3.1: the header with its CSRCs and its extension is there. */
static inline bool rtp_header_valid(const uint8_t *payload, size_t len)
{
	size_t need = 12;

	if (len < need || payload[0] >> 6 != 2)
		return false;
	need += 4u * (payload[0] & 0x0f);
	if ((payload[0] & 0x10) != 0) {
		if (len < need + 4)
			return false;
		need += 4 + 4u * (payload[need + 2] << 8 | payload[need + 3]);
	}
	return len >= need;
}

static inline bool shape_valid(uint8_t flags, const uint8_t *payload, size_t len)
{
	switch ((flags >> FLOW_KIND_SHIFT) & 3) {
	case STREAM_RTP:
		return rtp_header_valid(payload, len);
	case STREAM_RTCP: /* RFC 3550 section 6.1 */
		return len >= 8 && payload[0] >> 6 == 2;
	default:
		return true;
	}
}

/* Not the locked source: let nat/ decide, and tell main when answers should go elsewhere now. */
static enum drop_reason source_decide(struct worker *w, const struct flow_action *action,
	struct stats_flow *live, uint32_t flow, const struct rte_mbuf *m, uint16_t port)
{
	struct net_addr src = pkt_src(m);

	/* A change that main could not hear of must not happen. */
	if (rte_ring_full(w->latched))
		return DROP_MEDIA_NO_REMOTE;
	switch (latch_decide(&action->policy, &live->latch, &src, port, w->now_ms)) {
	case LATCH_ACCEPT_NEW:
		rte_ring_sp_enqueue(w->latched, (void *)(uintptr_t)flow);
		main_wake();
		return MEDIA_OK;
	case LATCH_ACCEPT:
		return MEDIA_OK;
	case LATCH_REFUSE_LOCKED:
		return DROP_MEDIA_LOCKED;
	case LATCH_REFUSE_SOURCE:
	default:
		return DROP_MEDIA_SOURCE;
	}
}

/* The locked source, by far the usual case. Unused bytes of an address are zero everywhere. */
static inline bool source_locked(const struct latch *l, const struct rte_mbuf *m, uint16_t port)
{
	if (unlikely(l->phase != LATCH_LOCKED || l->port != port))
		return false;
	if (pkt_is_v6(m))
		return l->source.family == NET_FAMILY_V6 &&
		       memcmp(l->source.bytes, rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *)->src_addr,
			       sizeof(l->source.bytes)) == 0;
	return l->source.family == NET_FAMILY_V4 &&
	       load32(l->source.bytes) == rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *)->src_addr;
}

static inline enum drop_reason media_decide(struct worker *w, const struct flow_action *action,
	struct stats_flow *live, uint32_t flow, const struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp = pkt_udp(m);
	size_t len = rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp);
	uint16_t port = rte_be_to_cpu_16(udp->src_port);
	enum drop_reason verdict;

	if (unlikely((action->flags & FLOW_RECEIVE) == 0))
		return DROP_MEDIA_INACTIVE;
	if (unlikely(!shape_valid(action->flags, (const uint8_t *)(udp + 1), len)))
		return DROP_MEDIA_MALFORMED;
	if (unlikely(!source_locked(&live->latch, m, port))) {
		verdict = source_decide(w, action, live, flow, m, port);
		if (verdict != MEDIA_OK)
			return verdict;
	}
	live->packets++;
	live->bytes += len;
	live->last_ms = w->now_ms;
	return (action->flags & FLOW_HAVE_REMOTE) != 0 ? MEDIA_OK : DROP_MEDIA_NO_REMOTE;
}

static inline bool counts_as_refused(enum drop_reason reason)
{
	return reason != MEDIA_OK && reason != DROP_MEDIA_NO_REMOTE;
}

static inline void media_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint32_t slot = pkt_meta(m[i])->value;
		struct stats_flow *live = &flow_live[slot >> 1];
		enum drop_reason verdict =
			media_decide(w, &flow_actions[slot], live, slot >> 1, m[i]);

		live->refused += counts_as_refused(verdict);
		next[i] = likely(verdict == MEDIA_OK) ? MEDIA_REWRITE : pkt_drop(m[i], verdict);
	}
}

static uint16_t media_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, media_chunk);
}

struct rte_node_register node_media = {
	.name = "media",
	.process = media_process,
	.nb_edges = 2,
	.next_nodes = {[MEDIA_DROP] = "drop", [MEDIA_REWRITE] = "rewrite"},
};
