/*
 * Sizes and caps of the boundary between dataplane and control. Changing one
 * that shapes a record or a mapping means a new API_VERSION (attach.h).
 */
#ifndef SALLYPORT_API_LIMITS_H
#define SALLYPORT_API_LIMITS_H

#define API_NAME_MAX 16	   /* port and realm names with the NUL; a Linux interface name */
#define API_PORTS_MAX 16   /* device ports */
#define API_QUEUES_MAX 16  /* receive queues of a port */
#define API_REALMS_MAX 256 /* sides of the border */
#define API_FILE_MAX 64	   /* name of a capture file with the NUL */
#define API_SNAPLEN_MAX 9216
#define API_REALM_ANY 0xffff
#define API_SOURCE_SECONDS_MAX \
	604800		   /* a week: the longest time that a source is promoted or denied */
#define API_LIST_MAX 8192  /* prefixes on the permit and deny lists, peers too */
#define API_ADDRS_MAX 1024 /* local addresses over all realms */
#define API_WORKERS_MAX 64 /* forwarding lcores */
#define API_SHARDS_MAX 32  /* control's shard threads */
#define API_NODES_MAX 64   /* graph nodes shown in statistics */
#define API_NODE_NAME_MAX 32
#define API_SIP_ERRORS_MAX 32 /* reasons of a malformed SIP message: enum sip_scan_error */
/* One SIP message in one UDP datagram of IPv4: 65,535 bytes without its headers. */
#define API_SIP_UDP_MAX 65507
#define API_SIP_MSG_MAX \
	65535 /* one SIP message over the rings, bytes; offsets in it fit 16 bits \
	       */

/* RTP timestamp clocks, Hz. */
#define API_CLOCK_HZ_MAX 1000000

#endif
