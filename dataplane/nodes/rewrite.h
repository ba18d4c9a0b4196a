/*
 * The header rewrite of a relayed IPv4 UDP packet, alone, so that a test can judge it.
 */
#ifndef SALLYPORT_NODES_REWRITE_H
#define SALLYPORT_NODES_REWRITE_H

#include <rte_ip.h>
#include <rte_udp.h>

#include "checksum.h"
#include "flow.h"

/** TTL of what leaves: the relay ends the old path, so it starts anew (RFC 1700's default). */
#define REWRITE_TTL 64

/**
 * Give a UDP packet the addresses, ports, TTL and DSCP of an action.
 * @param ip  header without options, UDP behind it; both checked before.
 */
static inline void rewrite_v4(struct rte_ipv4_hdr *ip, const struct flow_action *action)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint32_t src = load32(action->src), dst = load32(action->dst);
	uint32_t ports = load32(&action->src_port);
	uint8_t tos = (uint8_t)(action->dscp << 2);
	uint64_t addresses, change;
	uint16_t checksum;

	addresses = checksum_change(ip->src_addr, src) + checksum_change(ip->dst_addr, dst);
	/* RFC 768: zero says that the sender made none; a sum of zero is sent as all ones. */
	if (udp->dgram_cksum != 0) {
		change = addresses + checksum_change(load32(&udp->src_port), ports);
		checksum = checksum_update(udp->dgram_cksum, change);
		udp->dgram_cksum = checksum != 0 ? checksum : 0xffff;
	}
	memcpy(&udp->src_port, &ports, sizeof(ports));

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

#endif
