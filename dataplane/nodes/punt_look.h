/*
 * What a kernel-bound packet is, alone, so that a test can judge it.
 */
#ifndef SALLYPORT_NODES_PUNT_LOOK_H
#define SALLYPORT_NODES_PUNT_LOOK_H

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_tcp.h>

#include "nodes_priv.h"

/** Each has a share of the port's rate of its own, so that a storm of one starves none. */
enum punt_share { PUNT_SHARE_ARP, PUNT_SHARE_ND, PUNT_SHARE_ICMP, PUNT_SHARE_REST };
static_assert(PUNT_SHARE_REST + 1 == WORKER_PUNT_SHARES, "one bucket each");

/** RFC 4861 section 4: router and neighbour solicitation and advertisement, redirect. */
#define ND_TYPE_FIRST 133
#define ND_TYPE_LAST 137

struct punt_look {
	enum punt_share share;
	bool tcp, syn;	     /* syn: it asks for a connection */
	bool has_src;	     /* IP behind the checks of ip4 or ip6 */
	struct net_addr src; /* where has_src */
};

static inline void punt_look_upper(
	const struct rte_mbuf *m, size_t off, uint8_t proto, struct punt_look *out)
{
	const struct rte_tcp_hdr *tcp;
	const uint8_t *type;

	switch (proto) {
	case IPPROTO_TCP:
		tcp = pkt_hdr(m, off, sizeof(*tcp));
		out->tcp = true;
		out->syn =
			tcp != NULL && (tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) ==
					       RTE_TCP_SYN_FLAG;
		break;
	case IPPROTO_ICMP:
		out->share = PUNT_SHARE_ICMP;
		break;
	case IPPROTO_ICMPV6:
		type = pkt_hdr(m, off, sizeof(*type));
		out->share = type != NULL && *type >= ND_TYPE_FIRST && *type <= ND_TYPE_LAST
				     ? PUNT_SHARE_ND
				     : PUNT_SHARE_ICMP;
		break;
	default:
		break;
	}
}

static inline void punt_look_ip(const struct rte_mbuf *m, size_t off, struct punt_look *out)
{
	const struct rte_ipv4_hdr *ip = pkt_hdr(m, off, sizeof(*ip));
	const struct rte_ipv6_hdr *ip6 = pkt_hdr(m, off, sizeof(*ip6));

	if (ip == NULL)
		return;
	if (ip->version_ihl >> 4 == 4)
		punt_look_upper(m, off + rte_ipv4_hdr_len(ip), ip->next_proto_id, out);
	else if (ip6 != NULL)
		punt_look_upper(m, off + sizeof(*ip6), ip6->proto, out);
}

/**
 * @param m  a whole frame, or one that eth took the Ethernet header off (l2_len is not 0).
 * @return nothing is read beyond the packet; what is not understood is of PUNT_SHARE_REST.
 */
static inline struct punt_look punt_look(const struct rte_mbuf *m)
{
	struct punt_look out = {.share = PUNT_SHARE_REST};
	const struct rte_ether_hdr *eth;
	const struct rte_vlan_hdr *vlan;
	size_t off = sizeof(*eth);
	rte_be16_t type;

	if (m->l2_len != 0) {
		punt_look_ip(m, 0, &out);
		out.has_src = true;
		pkt_src(m, &out.src);
		return out;
	}
	eth = pkt_hdr(m, 0, sizeof(*eth));
	if (eth == NULL)
		return out;
	type = eth->ether_type;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) &&
		(vlan = pkt_hdr(m, off, sizeof(*vlan))) != NULL) {
		type = vlan->eth_proto;
		off += sizeof(*vlan);
	}
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
		out.share = PUNT_SHARE_ARP;
	else if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
		 type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		punt_look_ip(m, off, &out);
	return out;
}

#endif
