/*
 * Reassembly of fragmented datagrams to our addresses: one bounded table a worker. Why
 * not rte_ip_frag: see reassembly.c.
 */
#ifndef SALLYPORT_REASSEMBLY_H
#define SALLYPORT_REASSEMBLY_H

#include <rte_mbuf.h>

#include "addr.h"
#include "drops.h"

/** Datagrams under way at once; the oldest gives way to a new one. */
#define REASSEMBLY_DATAGRAMS 4096
/** Half a minute is RFC 791's and RFC 8200's; SIP has sent again by then (timer A). */
#define REASSEMBLY_TIMEOUT_MS 2000
/** A SIP message of 64 KB in packets of 1,500 bytes. */
#define REASSEMBLY_FRAGMENTS_MAX 48
/** Of one source: an address, or a /64. */
#define REASSEMBLY_RATE 2000
#define REASSEMBLY_BURST 500
/** Bytes behind the IP header; with that and the headroom, what a buffer can be long. */
#define REASSEMBLY_BYTES_MAX (65535 - RTE_PKTMBUF_HEADROOM - 64)

/** What the IP header says of a fragment. */
struct fragment {
	struct net_addr src, dst;
	uint32_t id;
	uint16_t offset; /* bytes */
	bool more;	 /* others follow */
};

struct reassembly;

/**
 * @param held_max  packets that may wait at once.
 * @param key       random: nobody can aim at one place of the table.
 * @return NULL when out of memory. Caller frees with reassembly_free(). Main thread.
 */
struct reassembly *reassembly_new(uint32_t held_max, const uint64_t key[2]);
/** Gives the packets back that wait. NULL is fine. */
void reassembly_free(struct reassembly *r);

/**
 * Take a fragment in.
 *
 * Fragments that overlap end their datagram: those that came and those that will (RFC 5722,
 * RFC 8200 section 4.5; done for IPv4 alike). An exact copy is dropped alone.
 *
 * @param m  at its IP header, l3_len up to the fragment's data, which fill the rest. Taken;
 *           pkt_meta.value is the table's.
 * @return the whole datagram when this was what it lacked: its fragments in order, linked by
 *         reassembly_next(), the caller's. Else NULL. The owning worker only; never allocates.
 */
struct rte_mbuf *reassembly_add(
	struct reassembly *r, const struct fragment *f, struct rte_mbuf *m, uint64_t now_ns);

/** Take the first fragment off a whole datagram; it is a packet of its own again. NULL at the end.
 */
struct rte_mbuf *reassembly_next(struct rte_mbuf **datagram);

/**
 * One packet of a whole datagram, in one buffer: the first fragment's header, corrected, and all
 * data. The fragments stay the caller's.
 * @param small, large  pools; the small one where its buffers suffice.
 * @return NULL when the pool is empty. pkt_meta, frame header and l2_len are the first one's;
 *         l3_len is the IP header's.
 */
struct rte_mbuf *reassembly_join(
	struct rte_mbuf *datagram, struct rte_mempool *small, struct rte_mempool *large);

/** What has waited too long goes to the gone ones. Cheap when there is nothing. */
void reassembly_expire(struct reassembly *r, uint64_t now_ns);

/** A packet that the table gave up, the reason in pkt_meta.drop; NULL when there is none. Caller's.
 */
struct rte_mbuf *reassembly_gone(struct reassembly *r);

/** Packets that wait now, how many may, and the memory of a table. Any thread. */
uint32_t reassembly_held(const struct reassembly *r);
uint32_t reassembly_held_max(const struct reassembly *r);
size_t reassembly_bytes(void);

struct dataplane_config;

/** The large buffers; they go when no ring holds one any more. @return 0 or -ENOMEM. Main thread.
 */
int reassembly_pool_init(void);
void reassembly_pool_fini(void);

/** Table of each worker. @return 0 or negative errno. Main thread. */
int reassembly_init(const struct dataplane_config *config);
/** After the workers stopped, before the packet pool goes. */
void reassembly_fini(void);

/** Buffers for datagrams that no packet buffer holds. */
extern struct rte_mempool *reassembly_pool;

#endif
