/*
 * reassemble: UDP fragments to an address of ours wait here for their like. Whole ones go on
 * as one packet, or to the kernel as the fragments that they came as.
 */
#include "local.h"
#include "nodes.h"
#include "nodes_priv.h"
#include "reassembly.h"

enum { REASSEMBLE_DROP, REASSEMBLE_UDP, REASSEMBLE_PUNT };

static struct fragment fragment_of(const struct rte_mbuf *m)
{
	struct fragment f = {0};

	pkt_src(m, &f.src);
	pkt_dst(m, &f.dst);
	if (pkt_is_v6(m)) {
		const struct rte_ipv6_fragment_ext *ext = rte_pktmbuf_mtod_offset(
			m, const struct rte_ipv6_fragment_ext *, sizeof(struct rte_ipv6_hdr));
		uint16_t data = rte_be_to_cpu_16(ext->frag_data);

		f.id = ext->id;
		f.offset = data & RTE_IPV6_EHDR_FO_MASK;
		f.more = (data & RTE_IPV6_EHDR_MF_MASK) != 0;
	} else {
		const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
		uint16_t data = rte_be_to_cpu_16(ip->fragment_offset);

		f.id = ip->packet_id;
		f.offset =
			(uint16_t)((data & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS);
		f.more = (data & RTE_IPV4_HDR_MF_FLAG) != 0;
	}
	return f;
}

static void fragments_send(
	struct rte_graph *graph, struct rte_node *node, rte_edge_t edge, struct rte_mbuf *datagram)
{
	struct rte_mbuf *m;

	while ((m = reassembly_next(&datagram)) != NULL)
		rte_node_enqueue_x1(graph, node, edge, m);
}

static void fragments_drop(struct rte_graph *graph, struct rte_node *node,
	struct rte_mbuf *datagram, enum drop_reason reason)
{
	struct rte_mbuf *m;

	while ((m = reassembly_next(&datagram)) != NULL)
		rte_node_enqueue_x1(graph, node, pkt_drop(m, reason), m);
}

/* All fragments but one become part of another packet. */
static void fragments_used(struct rte_mbuf *datagram)
{
	struct stats_port_counts *counts = port_counts(datagram);
	struct rte_mbuf *m;

	counts->reassembled--;
	while ((m = reassembly_next(&datagram)) != NULL) {
		counts->reassembled++;
		rte_pktmbuf_free(m);
	}
}

static void datagram_send(struct rte_graph *graph, struct rte_node *node, struct rte_mbuf *datagram)
{
	/* The first fragment holds the UDP header: reassembly_add() lets none in without. */
	const struct rte_udp_hdr *udp = pkt_udp(datagram);
	uint32_t slot =
		local_slot((uint16_t)pkt_meta(datagram)->value2, rte_be_to_cpu_16(udp->dst_port));
	struct rte_mbuf *m;

	if (local_slot_kind(slot) == LOCAL_KERNEL) {
		fragments_send(graph, node, REASSEMBLE_PUNT, datagram);
		return;
	}
	/* RFC 8200 section 8.1. */
	if (pkt_is_v6(datagram) && udp->dgram_cksum == 0) {
		fragments_drop(graph, node, datagram, DROP_UDP_CHECKSUM);
		return;
	}
	m = reassembly_join(datagram, packet_pool, reassembly_pool);
	if (m == NULL) {
		fragments_drop(graph, node, datagram, DROP_NO_MBUF);
		return;
	}
	fragments_used(datagram);
	rte_node_enqueue_x1(graph, node, REASSEMBLE_UDP, m);
}

static uint16_t reassemble_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	struct rte_mbuf *m;

	for (uint16_t i = 0; i < n; i++) {
		struct fragment f = fragment_of(objs[i]);
		uint32_t local = pkt_meta(objs[i])->value2;
		struct rte_mbuf *datagram = reassembly_add(w->reassembly, &f, objs[i], w->now_ns);

		if (datagram == NULL)
			continue;
		/* The first fragment's may be from before a grace period, and of an address gone.
		 */
		pkt_meta(datagram)->value2 = local;
		datagram_send(graph, node, datagram);
	}
	while ((m = reassembly_gone(w->reassembly)) != NULL)
		rte_node_enqueue_x1(graph, node, REASSEMBLE_DROP, m);
	return n;
}

void nodes_expire(struct worker *w)
{
	struct rte_mbuf *m;

	reassembly_expire(w->reassembly, w->now_ns);
	while ((m = reassembly_gone(w->reassembly)) != NULL) {
		port_counts(m)->drops[pkt_meta(m)->drop]++;
		rte_pktmbuf_free(m);
	}
}

struct rte_node_register node_reassemble = {
	.name = "reassemble",
	.process = reassemble_process,
	.nb_edges = 3,
	.next_nodes =
		{[REASSEMBLE_DROP] = "drop", [REASSEMBLE_UDP] = "udp", [REASSEMBLE_PUNT] = "punt"},
};
