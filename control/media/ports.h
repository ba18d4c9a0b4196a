/*
 * Media port pairs of one range at one address that one shard may hand out. The even
 * port is RTP, the odd one RTCP. Which pair comes next is random (threats.md row 25).
 */
#ifndef SALLYPORT_CONTROL_PORTS_H
#define SALLYPORT_CONTROL_PORTS_H

#include "addr.h"

struct port_pool {
	struct net_addr addr; /* where the ports are */
	uint16_t min;	      /* even: first port of the range */
	unsigned int shard;   /* own pairs are those with pair % shards == shard */
	unsigned int shards;
	unsigned int n;	   /* own pairs */
	unsigned int used; /* by calls, or kept out for orphans */
	uint64_t *total;   /* `used` of all pools, kept by each */
	uint8_t *flags;	   /* enum port_flags of each own pair */
};

/**
 * @param addr   copied.
 * @param max    last port of the range. A range without a pair for us is empty, not an error.
 * @param total  counts used pairs of all pools that share it.
 * @return 0 or -ENOMEM.
 */
int port_pool_init(struct port_pool *p, const struct net_addr *addr, uint16_t min, uint16_t max,
	unsigned int shard, unsigned int shards, uint64_t *total);
void port_pool_fini(struct port_pool *p);

/** @return the even port of a free pair, or 0: none left. */
uint16_t port_pool_take(struct port_pool *p);
/** Give back what port_pool_take() returned. */
void port_pool_put(struct port_pool *p, uint16_t port);

/** Is this port, even or odd, one of those that we may hand out? */
bool port_pool_has(const struct port_pool *p, uint16_t port);

/** A stream of an earlier control holds this port (RTP or RTCP). Ports of other shards or
 * outside the range are ignored; saying it twice does nothing. */
void port_pool_orphan_add(struct port_pool *p, uint16_t port);
void port_pool_orphan_del(struct port_pool *p, uint16_t port);
/** Forget all of them. */
void port_pool_orphan_clear(struct port_pool *p);

#endif
