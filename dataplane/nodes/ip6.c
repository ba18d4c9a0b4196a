/*
 * ip6: header checks in the order of RFC 8200, then: is it ours? Passes the local address's
 * index on in meta.value2. What the kernel needs of the link (neighbour discovery) is punted.
 */
#include "local.h"
#include "nodes_priv.h"

enum { IP6_DROP, IP6_PUNT, IP6_UDP, IP6_REASSEMBLE };

#define IP6_OK DROP_COUNT

/* Extension headers that rte_ip.h and netinet/in.h have no common name for. */
#define PROTO_HOP_BY_HOP 0
#define PROTO_MOBILITY 135
#define PROTO_HIP 139
#define PROTO_SHIM6 140

static inline uint64_t load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Multicast, and ::/80: unspecified, loopback, IPv4-mapped and -compatible (RFC 4291 section 2). */
static inline bool source_bad(const uint8_t src[16])
{
	return src[0] == 0xff ||
	       (load64(src) == 0 && (load64(src + 8) & rte_cpu_to_be_64(0xffffull << 48)) == 0);
}

static inline bool unspecified(const uint8_t a[16])
{
	return (load64(a) | load64(a + 8)) == 0;
}

static inline bool multicast_of_link(const uint8_t a[16])
{
	return a[0] == 0xff && a[1] == 0x02;
}

/* @return IP6_OK or the reason to drop. Cuts Ethernet's padding off. */
static inline enum drop_reason header_check(struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = pkt_hdr(m, 0, sizeof(*ip));
	uint16_t len;

	if (unlikely(ip == NULL))
		return DROP_ETH_SHORT;
	if (unlikely(!pkt_is_v6(m)))
		return DROP_IP_HEADER;
	len = rte_be_to_cpu_16(ip->payload_len);
	if (unlikely(len > m->data_len - sizeof(*ip)))
		return DROP_IP_HEADER;
	if (unlikely(ip->hop_limits == 0))
		return DROP_IP_TTL;
	/* A host asks whether an address is free without having one (RFC 4862 section 5.4.2). */
	if (unlikely(source_bad(ip->src_addr) &&
		     !(unspecified(ip->src_addr) && ip->proto == IPPROTO_ICMPV6 &&
			     multicast_of_link(ip->dst_addr))))
		return DROP_IP_SOURCE;
	if (unlikely(memcmp(ip->src_addr, ip->dst_addr, sizeof(ip->src_addr)) == 0))
		return DROP_IP_SOURCE;
	if (unlikely(len + sizeof(*ip) != m->data_len)) {
		m->data_len = (uint16_t)(len + sizeof(*ip));
		m->pkt_len = m->data_len;
	}
	m->l3_len = sizeof(*ip);
	return IP6_OK;
}

/* An edge needs none of them, and what they do to middleboxes fills RFC 9098. */
static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case PROTO_HOP_BY_HOP:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return true;
	default:
		return false;
	}
}

static rte_edge_t fragment_one(struct rte_mbuf *m)
{
	const struct rte_ipv6_fragment_ext *frag =
		pkt_hdr(m, sizeof(struct rte_ipv6_hdr), sizeof(*frag));

	if (frag == NULL)
		return pkt_drop(m, DROP_IP_HEADER);
	/* RFC 8200 section 4.5 lets them come before the upper layer; refused like elsewhere. */
	if (is_extension(frag->next_header) || frag->next_header == IPPROTO_FRAGMENT)
		return pkt_drop(m, DROP_IP_EXTENSION);
	/* The kernel puts its own together. */
	if (frag->next_header != IPPROTO_UDP)
		return IP6_PUNT;
	m->l3_len = sizeof(struct rte_ipv6_hdr) + sizeof(*frag);
	return IP6_REASSEMBLE;
}

static inline rte_edge_t udp_one(struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp = pkt_hdr(m, sizeof(struct rte_ipv6_hdr), sizeof(*udp));

	if (unlikely(udp == NULL))
		return pkt_drop(m, DROP_UDP_HEADER);
	/* RFC 8200 section 8.1. */
	if (unlikely(udp->dgram_cksum == 0))
		return pkt_drop(m, DROP_UDP_CHECKSUM);
	return IP6_UDP;
}

/* MLD carries the router alert option (RFC 3810 section 5). Without it, a switch that watches MLD
 * forgets our solicited-node groups. */
static bool is_mld(const struct rte_mbuf *m, const struct rte_ipv6_hdr *ip)
{
	const uint8_t *options = pkt_hdr(m, sizeof(*ip), 8);

	return ip->proto == PROTO_HOP_BY_HOP && options != NULL && options[0] == IPPROTO_ICMPV6 &&
	       options[1] == 0;
}

/* Not to an address of a realm: neighbour discovery and MLD, and what comes to the twin's
 * link-local address (routing daemons), go to the kernel. */
static rte_edge_t link_one(struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);

	if (multicast_of_link(ip->dst_addr) && (ip->proto == IPPROTO_ICMPV6 || is_mld(m, ip)))
		return IP6_PUNT;
	if (ip->dst_addr[0] == 0xfe && (ip->dst_addr[1] & 0xc0) == 0x80 &&
		ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_FRAGMENT)
		return is_extension(ip->proto) ? pkt_drop(m, DROP_IP_EXTENSION) : IP6_PUNT;
	return pkt_drop(m, DROP_IP_NOT_LOCAL);
}

static inline rte_edge_t ip6_one(struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	enum drop_reason verdict = header_check(m);
	struct pkt_meta *meta = pkt_meta(m);
	int local;

	if (unlikely(verdict != IP6_OK))
		return pkt_drop(m, verdict);
	local = local_find_v6(ip->dst_addr);
	if (unlikely(local < 0))
		return link_one(m);
	if (unlikely(local_addrs[local].netif != meta->netif))
		return pkt_drop(m, DROP_IP_NOT_LOCAL);
	meta->value2 = (uint32_t)local;
	if (likely(ip->proto == IPPROTO_UDP))
		return udp_one(m);
	if (ip->proto == IPPROTO_FRAGMENT)
		return fragment_one(m);
	return is_extension(ip->proto) ? pkt_drop(m, DROP_IP_EXTENSION) : IP6_PUNT;
}

static inline void ip6_chunk(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		next[i] = ip6_one(m[i]);
}

static uint16_t ip6_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, ip6_chunk);
}

struct rte_node_register node_ip6 = {
	.name = "ip6",
	.process = ip6_process,
	.nb_edges = 4,
	.next_nodes = {[IP6_DROP] = "drop",
		[IP6_PUNT] = "punt",
		[IP6_UDP] = "udp",
		[IP6_REASSEMBLE] = "reassemble"},
};
