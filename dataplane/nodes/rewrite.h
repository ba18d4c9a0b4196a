/*
 * The header rewrite of a relayed IPv4 UDP packet, alone, so that a test can judge it.
 */
#ifndef SALLYPORT_NODES_REWRITE_H
#define SALLYPORT_NODES_REWRITE_H

#include <rte_ip.h>
#include <rte_udp.h>

#include "flow.h"

/* RFC 1624: HC' = ~(~HC + ~m + m'), here over the two address pairs and the ports. */
static inline uint16_t checksum_update(
	uint16_t checksum, const uint16_t *old, const uint16_t *new, unsigned int words)
{
	uint32_t sum = (uint16_t)~checksum;

	for (unsigned int i = 0; i < words; i++)
		sum += (uint32_t)(uint16_t)~old[i] + new[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/** TTL of what leaves: the relay ends the old path, so it starts anew (RFC 1700's default). */
#define REWRITE_TTL 64

/**
 * Give a UDP packet the addresses, ports, TTL and DSCP of an action.
 * @param ip  header without options, UDP behind it; both checked before.
 */
static inline void rewrite_v4(struct rte_ipv4_hdr *ip, const struct flow_action *action)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t old[6], new[6]; /* source, destination, their ports */
	uint16_t ttl_proto_old, ttl_proto_new, tos_old, tos_new;

	memcpy(&old[0], &ip->src_addr, 8);
	memcpy(&old[4], &udp->src_port, 4);
	memcpy(&new[0], action->src, 4);
	memcpy(&new[2], action->dst, 4);
	new[4] = action->src_port;
	new[5] = action->dst_port;
	/* RFC 768: zero says that the sender made none; a sum of zero is sent as all ones. */
	if (udp->dgram_cksum != 0) {
		udp->dgram_cksum = checksum_update(udp->dgram_cksum, old, new, 6);
		if (udp->dgram_cksum == 0)
			udp->dgram_cksum = 0xffff;
	}
	memcpy(&udp->src_port, &new[4], 4);

	memcpy(&tos_old, ip, 2);
	memcpy(&ttl_proto_old, &ip->time_to_live, 2);
	ip->type_of_service = (uint8_t)(action->dscp << 2);
	ip->time_to_live = REWRITE_TTL;
	memcpy(&tos_new, ip, 2);
	memcpy(&ttl_proto_new, &ip->time_to_live, 2);
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, old, new, 4);
	ip->hdr_checksum =
		checksum_update(ip->hdr_checksum, (const uint16_t[]){tos_old, ttl_proto_old},
			(const uint16_t[]){tos_new, ttl_proto_new}, 2);
	memcpy(&ip->src_addr, &new[0], 8);
}

#endif
