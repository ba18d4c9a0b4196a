/*
 * media: may this packet of this flow pass? Shape (RFC 3550), direction, source, rate; and
 * the RTP of the right source is measured. What it needs is one action line, read only, and two
 * live lines, this worker's.
 */
#include "checksum.h"
#include "flow.h"
#include "media_shape.h"
#include "nodes_priv.h"
#include "rtp_measure.h"

enum { MEDIA_DROP, MEDIA_REWRITE };

#define MEDIA_OK DROP_COUNT

static inline unsigned int flow_kind(uint8_t flags)
{
	return flags >> FLOW_KIND_SHIFT & 3;
}

/* How this packet would continue what the locked source sent. */
static struct latch_claim claim_of(const struct stats_flow *live, enum media_shape shape,
	const uint8_t *payload, uint32_t now_ms)
{
	uint32_t silent_ms = now_ms - live->last_ms;
	/* A flow's last owner may have had a clock that was a little ahead. */
	struct latch_claim claim = {.silent_ms = (int32_t)silent_ms > 0 ? silent_ms : 0};

	if (shape == SHAPE_RTP && live->quality.received != 0) {
		claim.same_ssrc = rtp_load32(payload + 8) == live->quality.ssrc;
		claim.ahead = (uint16_t)(rtp_load16(payload + 2) - live->quality.max_seq);
	}
	return claim;
}

/* Not the locked source: let nat/ decide, and tell main when answers should go elsewhere now. */
static enum drop_reason source_decide(struct worker *w, struct stats_flow *live, uint32_t slot,
	const struct rte_mbuf *m, enum media_shape shape)
{
	const struct rte_udp_hdr *udp = pkt_udp(m);
	struct latch_claim claim = claim_of(live, shape, (const uint8_t *)(udp + 1), w->now_ms);
	struct net_addr src;

	pkt_src(m, &src);
	/* A change that main could not hear of must not happen. */
	if (rte_ring_full(w->latched))
		return DROP_MEDIA_NO_REMOTE;
	switch (latch_decide(&flow_policies[slot], &live->latch, &src,
		rte_be_to_cpu_16(udp->src_port), &claim, w->now_ms)) {
	case LATCH_ACCEPT_NEW:
		rte_ring_sp_enqueue(w->latched, (void *)(uintptr_t)flow_of_place(slot));
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

static inline void media_count(struct worker *w, const struct flow_action *action,
	struct stats_flow *live, enum media_shape shape, size_t len)
{
	/* RTCP beside RTP is no sign of media, and it would hide a gap. */
	if (shape == SHAPE_RTP || live->packets == 0 || flow_kind(action->flags) != STREAM_RTP_MUX)
		live->last_ms = w->now_ms;
	live->packets++;
	live->bytes += len;
}

static inline enum drop_reason media_decide(
	struct worker *w, struct stats_flow *live, uint32_t slot, const struct rte_mbuf *m)
{
	const struct flow_action *action = &flow_actions[slot];
	const struct rte_udp_hdr *udp = pkt_udp(m);
	const uint8_t *payload = (const uint8_t *)(udp + 1);
	size_t len = rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp);
	enum media_shape shape = media_shape_of(flow_kind(action->flags), payload, len);
	enum drop_reason verdict;

	/* RFC 3264 section 6.1: RTCP goes on while RTP is held, on one port with it too. */
	if (unlikely((action->flags & FLOW_RECEIVE) == 0) &&
		(shape != SHAPE_OTHER || flow_kind(action->flags) != STREAM_RTP_MUX))
		return DROP_MEDIA_INACTIVE;
	if (unlikely(shape == SHAPE_BAD))
		return DROP_MEDIA_MALFORMED;
	if (unlikely(!source_locked(&live->latch, m, rte_be_to_cpu_16(udp->src_port)))) {
		verdict = source_decide(w, live, slot, m, shape);
		if (verdict != MEDIA_OK)
			return verdict;
	}
	/* Before the rate: what is policed did not get lost on its way here. */
	if (likely(shape == SHAPE_RTP)) {
		rtp_measure(live, payload, action->clock_mult, w->now_ns, w->now_ms);
		live->last_ms = w->now_ms; /* a gap is one between measured packets */
	}
	/* After the source: who may not send here takes nothing from who may. */
	if (unlikely(!flow_police(&live->quality, &action->rate, (uint32_t)len, w->now_ns)))
		return DROP_MEDIA_RATE;
	media_count(w, action, live, shape, len);
	return (action->flags & FLOW_HAVE_REMOTE) != 0 ? MEDIA_OK : DROP_MEDIA_NO_REMOTE;
}

static inline bool counts_as_refused(enum drop_reason reason)
{
	return reason != MEDIA_OK && reason != DROP_MEDIA_NO_REMOTE && reason != DROP_MEDIA_RATE;
}

static inline void media_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint32_t slot = pkt_meta(m[i])->value;
		struct stats_flow *live = &flow_live[flow_of_place(slot)];
		enum drop_reason verdict = media_decide(w, live, slot, m[i]);

		next[i] = MEDIA_REWRITE;
		if (likely(verdict == MEDIA_OK))
			continue;
		live->refused += counts_as_refused(verdict);
		live->policed += verdict == DROP_MEDIA_RATE;
		next[i] = pkt_drop(m[i], verdict);
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
