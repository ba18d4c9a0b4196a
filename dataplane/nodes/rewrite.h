/*
 * The header rewrite of a relayed UDP packet, of either family and between the two, alone,
 * so that a test can judge it.
 */
#ifndef SALLYPORT_NODES_REWRITE_H
#define SALLYPORT_NODES_REWRITE_H

#include <rte_ip.h>
#include <rte_udp.h>

#include "checksum.h"
#include "flow.h"

/** TTL of what leaves: the relay ends the old path, so it starts anew (RFC 1700's default). */
#define REWRITE_TTL 64

/* What RFC 7915 section 5.1 lets a router cut: an IPv4 packet made of a longer IPv6 one says
 * "don't fragment", a shorter one does not and carries an identification. */
#define REWRITE_DF_ABOVE 1260

/** Sums of n 32-bit words for checksum_update(): as they join and as they leave. */
static inline uint64_t checksum_joining(const void *words, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += load32((const uint8_t *)words + i * sizeof(uint32_t));
	return sum;
}

static inline uint64_t checksum_leaving(const void *words, unsigned int n)
{
	return (uint64_t)n * UINT32_MAX - checksum_joining(words, n);
}

/* RFC 768, RFC 8200 section 8.1: a sum of zero is sent as all ones. */
static inline rte_be16_t udp_checksum_sent(uint16_t checksum)
{
	return checksum != 0 ? checksum : 0xffff;
}

/**
 * The ports of an action, and the checksum that follows from them. Protocol and length are in
 * both families' pseudo-headers alike, so only addresses and ports make a difference.
 * @param addresses  sum of the addresses that leave and of those that join.
 */
static inline void rewrite_udp(
	struct rte_udp_hdr *udp, const struct flow_action *action, uint64_t addresses)
{
	uint32_t ports = load32(&action->src_port);
	uint64_t change;

	/* RFC 768: zero says that the sender made none. */
	if (udp->dgram_cksum != 0) {
		change = addresses + checksum_change(load32(&udp->src_port), ports);
		udp->dgram_cksum = udp_checksum_sent(checksum_update(udp->dgram_cksum, change));
	}
	memcpy(&udp->src_port, &ports, sizeof(ports));
}

/**
 * Give a UDP packet the addresses, ports, TTL and DSCP of an action.
 * @param ip  header without options, UDP behind it; both checked before.
 */
static inline void rewrite_v4(struct rte_ipv4_hdr *ip, const struct flow_action *action)
{
	uint32_t src = load32(action->src), dst = load32(action->dst);
	uint8_t tos = (uint8_t)(action->dscp << 2);
	uint64_t addresses, change;

	addresses = checksum_change(ip->src_addr, src) + checksum_change(ip->dst_addr, dst);
	rewrite_udp((struct rte_udp_hdr *)(ip + 1), action, addresses);

	/* TOS is the low half of its 16-bit word, TTL the high half. */
	change = addresses +
		 checksum_change(rte_cpu_to_be_16(ip->type_of_service), rte_cpu_to_be_16(tos)) +
		 checksum_change(rte_cpu_to_be_16((uint16_t)(ip->time_to_live << 8)),
			 rte_cpu_to_be_16(REWRITE_TTL << 8));
	ip->type_of_service = tos;
	ip->time_to_live = REWRITE_TTL;
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, change);
	ip->src_addr = src;
	ip->dst_addr = dst;
}

/* Version, the realm's DSCP, flow label 0 (RFC 6437 section 3: "not labelled"). */
static inline rte_be32_t rewrite_vtc_flow(uint8_t dscp)
{
	return rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)dscp << 22);
}

/** The same for IPv6 on both sides; UDP directly behind the header. */
static inline void rewrite_v6(struct rte_ipv6_hdr *ip, const struct flow_action *action)
{
	uint64_t addresses = checksum_leaving(ip->src_addr, 8) + checksum_joining(action->src, 4) +
			     checksum_joining(action->dst, 4);

	static_assert(offsetof(struct rte_ipv6_hdr, dst_addr) ==
			      offsetof(struct rte_ipv6_hdr, src_addr) + 16,
		"eight words in a row");
	rewrite_udp((struct rte_udp_hdr *)(ip + 1), action, addresses);
	ip->vtc_flow = rewrite_vtc_flow(action->dscp);
	ip->hop_limits = REWRITE_TTL;
	memcpy(ip->src_addr, action->src, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, action->dst, sizeof(ip->dst_addr));
}

/* In full, for a datagram that came without. */
static inline rte_be16_t rewrite_udp6_checksum(
	const struct rte_ipv6_hdr *ip, const struct rte_udp_hdr *udp)
{
	uint64_t sum = checksum_joining(ip->src_addr, 8) + udp->dgram_len +
		       rte_cpu_to_be_16(IPPROTO_UDP) +
		       rte_raw_cksum(udp, rte_be_to_cpu_16(udp->dgram_len));

	return udp_checksum_sent((uint16_t)~checksum_fold(sum));
}

/**
 * From IPv4 to IPv6. The new header takes the place of the old one and the 20 bytes before it.
 * @param udp  behind a header without options; its length has been checked.
 */
static inline void rewrite_v4_to_v6(struct rte_udp_hdr *udp, const struct flow_action *action)
{
	const struct rte_ipv4_hdr *old = (const struct rte_ipv4_hdr *)udp - 1;
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)udp - 1;
	uint16_t len = (uint16_t)(rte_be_to_cpu_16(old->total_length) - sizeof(*old));

	rewrite_udp(udp, action,
		checksum_leaving(&old->src_addr, 2) + checksum_joining(action->src, 4) +
			checksum_joining(action->dst, 4));
	ip->vtc_flow = rewrite_vtc_flow(action->dscp);
	ip->payload_len = rte_cpu_to_be_16(len);
	ip->proto = IPPROTO_UDP;
	ip->hop_limits = REWRITE_TTL;
	memcpy(ip->src_addr, action->src, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, action->dst, sizeof(ip->dst_addr));
	/* RFC 8200 section 8.1 demands one. */
	if (unlikely(udp->dgram_cksum == 0))
		udp->dgram_cksum = rewrite_udp6_checksum(ip, udp);
}

/**
 * From IPv6 to IPv4. The new header is the last 20 bytes of the old one.
 * @param udp  directly behind the IPv6 header.
 * @param id   identification, for a packet that may be fragmented on its way.
 */
static inline void rewrite_v6_to_v4(
	struct rte_udp_hdr *udp, const struct flow_action *action, uint16_t id)
{
	const struct rte_ipv6_hdr *old = (const struct rte_ipv6_hdr *)udp - 1;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)udp - 1;
	uint32_t len = rte_be_to_cpu_16(old->payload_len) + (uint32_t)sizeof(*ip);

	rewrite_udp(udp, action,
		checksum_leaving(old->src_addr, 8) + checksum_joining(action->src, 1) +
			checksum_joining(action->dst, 1));
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = (uint8_t)(action->dscp << 2),
		.total_length = rte_cpu_to_be_16((uint16_t)len),
		.packet_id = len > REWRITE_DF_ABOVE ? 0 : rte_cpu_to_be_16(id),
		.fragment_offset =
			len > REWRITE_DF_ABOVE ? rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = REWRITE_TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = load32(action->src),
		.dst_addr = load32(action->dst),
	};
	ip->hdr_checksum = (uint16_t)~checksum_fold(checksum_joining(ip, sizeof(*ip) / 4));
}

#endif
