/*
 * The SIP message in a packet that ip4 and udp have checked.
 */
#ifndef SALLYPORT_NODES_SIP_PAYLOAD_H
#define SALLYPORT_NODES_SIP_PAYLOAD_H

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "base.h"

/** Borrowed until the packet goes. */
static inline struct str_view sip_payload(const struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, m->l3_len);

	return (struct str_view){
		(const char *)(udp + 1), rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp)};
}

#endif
