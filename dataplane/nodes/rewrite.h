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

/* Sum of n 32-bit words. */
static inline uint64_t checksum_words(const void *words, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += load32((const uint8_t *)words + i * sizeof(uint32_t));
	return sum;
}

/* What takes n words out of a sum. */
static inline uint64_t checksum_without(const void *words, unsigned int n)
{
	return (uint64_t)n * UINT32_MAX - checksum_words(words, n);
}

/* RFC 768, RFC 8200 section 8.1: a sum of zero is sent as all ones. */
static inline rte_be16_t udp_checksum_sent(uint16_t checksum)
{
	return checksum != 0 ? checksum : 0xffff;
}

/* The words of an IPv4 header that are the same in each packet of a flow, both addresses but
 * length, identification and fragment fields zero. */
static inline struct rte_ipv4_hdr rewrite_ip4(const struct flow_action *action)
{
	return (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = (uint8_t)(action->dscp << 2),
		.time_to_live = REWRITE_TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = load32(action->src),
		.dst_addr = load32(action->dst),
	};
}

/**
 * The checksums' share that is the same in each packet: to be called when everything else of an
 * action is there. Main thread.
 */
static inline void rewrite_prepare(struct flow_action *action)
{
	const unsigned int words = (action->flags & FLOW_DST_V6) != 0 ? 4 : 1;
	const struct rte_ipv4_hdr ip = rewrite_ip4(action);

	action->udp_sum =
		checksum_fold(checksum_words(action->src, words) +
			      checksum_words(action->dst, words) + load32(&action->src_port));
	action->ip4_sum = checksum_fold(checksum_words(&ip, sizeof(ip) / 4));
}

/**
 * The ports of an action, and the checksum that follows from them. Protocol and length are in
 * both families' pseudo-headers alike, so only addresses and ports make a difference.
 * @param addresses  the packet's, of so many 32-bit words both together.
 */
static inline void rewrite_udp(struct rte_udp_hdr *udp, const struct flow_action *action,
	const void *addresses, unsigned int words)
{
	uint64_t change;

	/* RFC 768: zero says that the sender made none. */
	if (udp->dgram_cksum != 0) {
		change = checksum_without(addresses, words) + checksum_without(&udp->src_port, 1) +
			 action->udp_sum;
		udp->dgram_cksum = udp_checksum_sent(checksum_update(udp->dgram_cksum, change));
	}
	memcpy(&udp->src_port, &action->src_port, 2 * sizeof(udp->src_port));
}

/* The header's checksum, when its length, identification and fragment fields are there. */
static inline rte_be16_t rewrite_ip4_checksum(
	const struct rte_ipv4_hdr *ip, const struct flow_action *action)
{
	return (uint16_t)~checksum_fold(
		(uint64_t)action->ip4_sum + ip->total_length + load32(&ip->packet_id));
}

/**
 * Give a UDP packet the addresses, ports, TTL and DSCP of an action.
 * @param ip  header without options, UDP behind it; both checked before, the checksum too.
 */
static inline void rewrite_v4(struct rte_ipv4_hdr *ip, const struct flow_action *action)
{
	static_assert(offsetof(struct rte_ipv4_hdr, dst_addr) ==
			      offsetof(struct rte_ipv4_hdr, src_addr) + 4,
		"two words in a row");
	rewrite_udp((struct rte_udp_hdr *)(ip + 1), action, &ip->src_addr, 2);
	ip->type_of_service = (uint8_t)(action->dscp << 2);
	ip->time_to_live = REWRITE_TTL;
	ip->hdr_checksum = rewrite_ip4_checksum(ip, action);
	ip->src_addr = load32(action->src);
	ip->dst_addr = load32(action->dst);
}

/* Version, the realm's DSCP, flow label 0 (RFC 6437 section 3: "not labelled"). */
static inline rte_be32_t rewrite_vtc_flow(uint8_t dscp)
{
	return rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)dscp << 22);
}

/** The same for IPv6 on both sides; UDP directly behind the header. */
static inline void rewrite_v6(struct rte_ipv6_hdr *ip, const struct flow_action *action)
{
	static_assert(offsetof(struct rte_ipv6_hdr, dst_addr) ==
			      offsetof(struct rte_ipv6_hdr, src_addr) + 16,
		"eight words in a row");
	rewrite_udp((struct rte_udp_hdr *)(ip + 1), action, ip->src_addr, 8);
	ip->vtc_flow = rewrite_vtc_flow(action->dscp);
	ip->hop_limits = REWRITE_TTL;
	memcpy(ip->src_addr, action->src, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, action->dst, sizeof(ip->dst_addr));
}

/* In full, for a datagram that came without. */
static inline rte_be16_t rewrite_udp6_checksum(
	const struct rte_ipv6_hdr *ip, const struct rte_udp_hdr *udp)
{
	uint64_t sum = checksum_words(ip->src_addr, 8) + udp->dgram_len +
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

	rewrite_udp(udp, action, &old->src_addr, 2);
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

	rewrite_udp(udp, action, old->src_addr, 8);
	*ip = rewrite_ip4(action);
	ip->total_length = rte_cpu_to_be_16((uint16_t)len);
	if (len > REWRITE_DF_ABOVE)
		ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	else
		ip->packet_id = rte_cpu_to_be_16(id);
	ip->hdr_checksum = rewrite_ip4_checksum(ip, action);
}

#endif
