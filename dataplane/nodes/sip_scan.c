/*
 * sip_scan: stage 1 of the parser over each message to a listener. What nobody can
 * answer ends here. In: meta.value is the realm; out: meta.value2 is the index slot.
 */
#include "sip_scan.h"

#include "checksum.h"
#include "local.h"
#include "nodes_priv.h"
#include "sip_payload.h"

enum { SIP_SCAN_DROP, SIP_SCAN_POLICE };

static bool has_header(const struct sip_index *idx, enum sip_header_id id)
{
	for (unsigned int i = 0; i < idx->n_headers; i++) {
		if (idx->headers[i].id == id)
			return true;
	}
	return false;
}

/* RFC 3261 section 8.2.6.2: an answer is built from these; ACK and responses get none. */
static bool answerable(const struct sip_index *idx)
{
	return idx->status == 0 && idx->method != SIP_ACK && idx->n_vias > 0 &&
	       idx->call_id.len > 0 && has_header(idx, SIP_HDR_FROM) &&
	       has_header(idx, SIP_HDR_TO) && has_header(idx, SIP_HDR_CSEQ);
}

/* IPv4 may come without; ip6 drops what does. */
static bool checksum_valid(const struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp = pkt_udp(m);

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD ||
		udp->dgram_cksum == 0)
		return true;
	if (pkt_is_v6(m))
		return checksum_udp_valid(
			rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *)->src_addr, 32, udp,
			rte_be_to_cpu_16(udp->dgram_len));
	return checksum_udp_valid(&rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->src_addr, 8,
		udp, rte_be_to_cpu_16(udp->dgram_len));
}

static rte_edge_t sip_scan_one(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct str_view msg = sip_payload(m);
	enum sip_scan_error error;
	struct sip_index *idx;

	if (!checksum_valid(m))
		return pkt_drop(m, DROP_UDP_CHECKSUM);
	/* A packet that says it comes from us was forged. */
	if (pkt_from_us(m))
		return pkt_drop(m, DROP_IP_SOURCE);
	if (w->n_scans == w->scans_max)
		return pkt_drop(m, DROP_UP_FULL);
	idx = &w->scans[w->n_scans];
	static_assert(SIP_SCAN_COUNT <= API_SIP_ERRORS_MAX, "a counter for each");
	error = sip_scan_lines(msg.p, msg.len, idx);
	w->stats->sip_errors[error] += error != SIP_SCAN_NONE;
	switch (error) {
	case SIP_SCAN_NONE:
		break;
	case SIP_SCAN_EMPTY:
		return pkt_drop(m, DROP_SIP_KEEPALIVE);
	default:
		if (!answerable(idx))
			return pkt_drop(m, DROP_SIP_MALFORMED);
		break;
	}
	meta->value2 = w->n_scans++;
	return SIP_SCAN_POLICE;
}

/* A burst of messages is more than the first-level cache holds. */
static inline void message_fetch(const struct rte_mbuf *m)
{
	const char *p = rte_pktmbuf_mtod(m, const char *);

	for (uint32_t at = 0; at < m->data_len; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(p + at);
}

static inline void sip_scan_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (i + 1 < n)
			message_fetch(m[i + 1]);
		next[i] = sip_scan_one(w, m[i]);
	}
}

static uint16_t sip_scan_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, sip_scan_chunk);
}

struct rte_node_register node_sip_scan = {
	.name = "sip_scan",
	.process = sip_scan_process,
	.nb_edges = 2,
	.next_nodes = {[SIP_SCAN_DROP] = "drop", [SIP_SCAN_POLICE] = "sip_police"},
};
