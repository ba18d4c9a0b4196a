/*
 * ip4: header checks in the order of RFC 1812 section 5.2.2, then: is it ours?
 * Passes the local address's index on in meta.value2.
 */
#include "local.h"
#include "checksum.h"
#include "nodes_priv.h"

enum { IP4_DROP, IP4_PUNT, IP4_UDP, IP4_REASSEMBLE };

#define IP4_OK DROP_COUNT

/* 0/8, 127/8, 224/4 and above: no packet may come from there (RFC 1812 section 5.3.7). */
static inline bool source_bad(rte_be32_t src_be)
{
	uint8_t first = (uint8_t)(rte_be_to_cpu_32(src_be) >> 24);

	return first == 0 || first == 127 || first >= 224;
}

/* RFC 1071 over a header without options, by 32-bit words. */
static inline bool checksum_valid(const struct rte_ipv4_hdr *ip)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < sizeof(*ip); i += sizeof(uint32_t))
		sum += load32((const uint8_t *)ip + i);
	return checksum_fold(sum) == 0xffff;
}

/* @return IP4_OK or the reason to drop. Cuts Ethernet's padding off. */
static inline enum drop_reason header_check(struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = pkt_hdr(m, 0, sizeof(*ip));
	uint64_t checked = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint16_t len;

	if (unlikely(ip == NULL))
		return DROP_ETH_SHORT;
	/* Options are refused whole: RFC 7126 section 3 finds none that the edge must carry. */
	if (unlikely(ip->version_ihl != RTE_IPV4_VHL_DEF))
		return DROP_IP_HEADER;
	len = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(len < sizeof(*ip) || len > m->data_len))
		return DROP_IP_HEADER;
	if (unlikely(checked == RTE_MBUF_F_RX_IP_CKSUM_BAD))
		return DROP_IP_CHECKSUM;
	if (checked != RTE_MBUF_F_RX_IP_CKSUM_GOOD && unlikely(!checksum_valid(ip)))
		return DROP_IP_CHECKSUM;
	if (unlikely(source_bad(ip->src_addr) || ip->src_addr == ip->dst_addr))
		return DROP_IP_SOURCE;
	if (unlikely(ip->time_to_live == 0))
		return DROP_IP_TTL;
	if (unlikely(len != m->data_len)) {
		m->data_len = len;
		m->pkt_len = len;
	}
	m->l3_len = sizeof(*ip);
	return IP4_OK;
}

static inline rte_edge_t local_check(struct rte_mbuf *m, uint64_t hop)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	const struct nexthop *nh = &nexthops[hop];
	struct pkt_meta *meta = pkt_meta(m);

	if (unlikely(nh->type != NEXTHOP_LOCAL || local_addrs[nh->local].netif != meta->netif))
		return pkt_drop(m, DROP_IP_NOT_LOCAL);
	meta->value2 = nh->local;
	/* The kernel gets its own as they come, fragments too. */
	if (unlikely(ip->next_proto_id != IPPROTO_UDP))
		return IP4_PUNT;
	return likely((ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG |
							      RTE_IPV4_HDR_OFFSET_MASK)) == 0)
		       ? IP4_UDP
		       : IP4_REASSEMBLE;
}

static inline void ip4_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	enum drop_reason verdict[NODE_CHUNK];
	uint32_t dst[NODE_CHUNK];
	uint64_t hop[NODE_CHUNK];

	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m[i], const struct rte_ipv4_hdr *);

		verdict[i] = header_check(m[i]);
		dst[i] = verdict[i] == IP4_OK ? rte_be_to_cpu_32(ip->dst_addr) : 0;
	}
	rte_fib_lookup_bulk(route_fib, dst, hop, n);
	for (uint16_t i = 0; i < n; i++) {
		next[i] = likely(verdict[i] == IP4_OK) ? local_check(m[i], hop[i])
						       : pkt_drop(m[i], verdict[i]);
	}
}

static uint16_t ip4_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, ip4_chunk);
}

struct rte_node_register node_ip4 = {
	.name = "ip4",
	.process = ip4_process,
	.nb_edges = 4,
	.next_nodes = {[IP4_DROP] = "drop",
		[IP4_PUNT] = "punt",
		[IP4_UDP] = "udp",
		[IP4_REASSEMBLE] = "reassemble"},
};
