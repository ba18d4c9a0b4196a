/*
 * Every reason for which the dataplane drops a packet or refuses a record: the
 * one list from which the enum, the names and the metrics come.
 */
#ifndef SALLYPORT_API_DROPS_H
#define SALLYPORT_API_DROPS_H

/* X(ENUM, name, what it means and what to look at) */
#define DROP_LIST(X) \
	X(ETH_SHORT, "eth_short", "frame shorter than its headers") \
	X(ETH_LONG, "eth_long", "frame longer than a packet buffer; see the port's mtu") \
	X(ETH_NOT_OURS, "eth_not_ours", "unicast frame for another MAC address") \
	X(ETH_TYPE, "eth_type", "EtherType that is neither IP nor ARP") \
	X(ETH_VLAN, "eth_vlan", "802.1Q tag of a VLAN that no realm is on") \
	X(ETH_QINQ, "eth_qinq", "frame with two VLAN tags, or a service tag (802.1ad)") \
	X(IP_HEADER, "ip_header", "bad IP version, header length or total length") \
	X(IP_EXTENSION, "ip_extension", "IPv6 extension header that an edge has no use for") \
	X(IP_CHECKSUM, "ip_checksum", "bad IPv4 header checksum") \
	X(IP_TTL, "ip_ttl", "TTL or hop limit ran out") \
	X(IP_SOURCE, "ip_source", \
		"source address that no packet may have (loopback, multicast, own)") \
	X(IP_NOT_LOCAL, "ip_not_local", "destination is no address of this port's realms") \
	X(FRAG_SHAPE, "frag_shape", \
		"IP fragment of an impossible size or place, or one of too many") \
	X(FRAG_OVERLAP, "frag_overlap", "datagram whose IP fragments overlap") \
	X(FRAG_DUPLICATE, "frag_duplicate", "IP fragment that came twice") \
	X(FRAG_TIMEOUT, "frag_timeout", "IP fragment whose others did not come") \
	X(FRAG_EVICTED, "frag_evicted", "IP fragment that gave way to newer ones") \
	X(FRAG_RATE, "frag_rate", "source above the rate of IP fragments") \
	X(UDP_HEADER, "udp_header", "bad UDP length") \
	X(UDP_CHECKSUM, "udp_checksum", "bad UDP checksum") \
	X(PUNT_RATE, "punt_rate", "kernel-bound packets above the port's rate") \
	X(PUNT_ARP, "punt_arp", "ARP above its share of the port's rate to the kernel") \
	X(PUNT_ND, "punt_nd", \
		"IPv6 neighbour discovery above its share of the port's rate to the kernel") \
	X(PUNT_ICMP, "punt_icmp", "ICMP of a source above its rate, or of all above their share") \
	X(PUNT_SYN, "punt_syn", "TCP connections of a source above its rate") \
	X(PUNT_TCP, "punt_tcp", "TCP bytes of a source above its rate") \
	X(PUNT_DENIED, "punt_denied", "kernel-bound packet of a denied source") \
	X(PUNT_FULL, "punt_full", "queue to the kernel twin full") \
	X(TWIN_FULL, "twin_full", "kernel twin refused the packet") \
	X(MEDIA_NO_FLOW, "media_no_flow", "media port without a call") \
	X(MEDIA_MALFORMED, "media_malformed", "not RTP or RTCP of RFC 3550, or too short") \
	X(MEDIA_SOURCE, "media_source", "media from an address that was not signalled") \
	X(MEDIA_LOCKED, "media_locked", "media from another source after the flow locked") \
	X(MEDIA_INACTIVE, "media_inactive", "signalling set this direction to not receive (hold)") \
	X(MEDIA_RATE, "media_rate", "media above the rate of what signalling agreed on") \
	X(MEDIA_NO_REMOTE, "media_no_remote", "the far side's address is not known yet") \
	X(SIP_MALFORMED, "sip_malformed", \
		"not SIP that can be answered; by reason in `sally show stats`") \
	X(SIP_DENY_LIST, "sip_deny_list", "source on a deny list") \
	X(SIP_DENIED, "sip_denied", "source denied for a time; see `sally show sources`") \
	X(SIP_RATE, "sip_rate", "source above its SIP message rate") \
	X(SIP_METHOD_RATE, "sip_method_rate", "source above its rate of one SIP method") \
	X(SIP_ADDRESS_RATE, "sip_address_rate", "address above its SIP message rate, all ports") \
	X(SIP_PREFIX_RATE, "sip_prefix_rate", "/24 or /64 above its SIP message rate") \
	X(SIP_UNTRUSTED_RATE, "sip_untrusted_rate", \
		"untrusted sources of the realm together above their SIP message rate") \
	X(SIP_PEER_RATE, "sip_peer_rate", "peer or permitted prefix above its SIP message rate") \
	X(SIP_DIALOG_RATE, "sip_dialog_rate", "dialog above its SIP message rate") \
	X(SIP_SOURCES_FULL, "sip_sources_full", \
		"new source that finds no place; raise dataplane.sources") \
	X(SIP_KEEPALIVE, "sip_keepalive", "CRLF keep-alive or empty datagram, done with") \
	X(SIP_NO_CONTROL, "sip_no_control", "no control process attached") \
	X(UP_FULL_NEW, "up_full_new", "ring to control too full for new calls") \
	X(UP_FULL_OUT, "up_full_out", "ring to control too full for out-of-dialog messages") \
	X(UP_FULL_TRUSTED, "up_full_trusted", \
		"ring to control too full for new calls of trusted sources") \
	X(UP_FULL, "up_full", "ring to control too full for unproven messages of dialogs") \
	X(UP_FULL_LANE, "up_full_lane", "ring to control full: even proven messages of dialogs") \
	X(OUT_NO_ROUTE, "out_no_route", "no route to the destination; see `ip route`") \
	X(OUT_NO_NEIGHBOUR, "out_no_neighbour", "neighbour did not resolve; see `ip neigh`") \
	X(OUT_REFUSED, "out_refused", \
		"destination that nothing may be sent to (loopback, multicast)") \
	X(OUT_TOO_LONG, "out_too_long", "packet longer than the port's MTU") \
	X(TX_FULL, "tx_full", "transmit queue of the port full") \
	X(HANDOVER_FULL, "handover_full", "queue to the worker that owns the flow or source full") \
	X(NO_MBUF, "no_mbuf", "packet buffer pool empty") \
	X(RECORD_MALFORMED, "record_malformed", "ring record from control that does not validate")

#define DROP_ENUM_(id, name, help) DROP_##id,
enum drop_reason { DROP_LIST(DROP_ENUM_) DROP_COUNT };
#undef DROP_ENUM_

/** "ip_checksum"; "unknown" when out of range. */
const char *drop_reason_name(unsigned int reason);
/** One sentence for the operator. */
const char *drop_reason_help(unsigned int reason);

#endif
