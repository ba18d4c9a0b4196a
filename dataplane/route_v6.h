/*
 * IPv6 routes: one open-addressed table for the prefixes of all lengths, looked into once for
 * each length that is in use, the longest first. Main writes, workers read.
 *
 * Not rte_fib6: that of 22.11 never gives back the second-level tables which a deleted route
 * had reserved (a host route takes 13, 8 below a /64), so that some thousand neighbours or
 * link changes fill it for good; and each byte behind a prefix's third costs it a load.
 */
#ifndef SALLYPORT_ROUTE_V6_H
#define SALLYPORT_ROUTE_V6_H

#include <stdatomic.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "base.h"

#define ROUTES_V6_MAX 16384
#define ROUTE_V6_SLOTS (4 * ROUTES_V6_MAX) /* power of two: a quarter full at most */
/* No route lies farther from its place; -ENOSPC if one had to. */
#define ROUTE_V6_PROBES 32
#define ROUTE_V6_EMPTY 0
#define ROUTE_V6_GONE 0xffff /* was taken: what lies behind it is still to be found */
static_assert(ROUTES_V6_MAX < ROUTE_V6_GONE, "entries and two marks fit 16 bits");

/** A prefix in host order, host bits zero. It changes only while no worker can find it. */
struct route_v6_entry {
	uint64_t high, low;
	uint8_t len;
	_Atomic uint16_t hop; /* next hop index */
};

struct route_v6_table {
	uint64_t key[2];	  /* odd, random at start: nobody can aim at a place */
	_Atomic uint64_t lens[3]; /* bit len % 64 of word len / 64: there are some */
	_Atomic uint16_t slots[ROUTE_V6_SLOTS]; /* index in entries, from 1 on */
	struct route_v6_entry entries[ROUTES_V6_MAX];
};
extern struct route_v6_table route_v6;

static inline void route_v6_mask(uint8_t len, uint64_t *high, uint64_t *low)
{
	*high &= len >= 64 ? UINT64_MAX : len == 0 ? 0 : UINT64_MAX << (64 - len);
	*low &= len <= 64 ? 0 : UINT64_MAX << (128 - len);
}

/** Where the search for a prefix begins. */
static inline uint32_t route_v6_place(uint64_t high, uint64_t low, uint8_t len)
{
	uint64_t h = (high ^ route_v6.key[0]) * route_v6.key[1];

	h = ((h >> 32 | h << 32) ^ low) * route_v6.key[0];
	h = ((h >> 32 | h << 32) + len) * route_v6.key[1];
	return (uint32_t)(h >> 32) & (ROUTE_V6_SLOTS - 1);
}

/** Next hop index of exactly this masked prefix; 0 if there is none. Any thread. */
static inline uint32_t route_v6_exact(uint64_t high, uint64_t low, uint8_t len)
{
	uint32_t at = route_v6_place(high, low, len);

	for (uint32_t i = 0; i < ROUTE_V6_PROBES; i++) {
		uint16_t slot = atomic_load_explicit(
			&route_v6.slots[(at + i) & (ROUTE_V6_SLOTS - 1)], memory_order_acquire);
		struct route_v6_entry *e;

		if (slot == ROUTE_V6_EMPTY)
			break;
		if (unlikely(slot == ROUTE_V6_GONE))
			continue;
		e = &route_v6.entries[slot];
		if (likely(e->low == low && e->high == high && e->len == len))
			return atomic_load_explicit(&e->hop, memory_order_acquire);
	}
	return 0;
}

static inline void route_v6_load(const uint8_t addr[16], uint64_t *high, uint64_t *low)
{
	memcpy(high, addr, sizeof(*high));
	memcpy(low, addr + 8, sizeof(*low));
	*high = rte_be_to_cpu_64(*high);
	*low = rte_be_to_cpu_64(*low);
}

/** Next hop index of an address by the longest prefix; 0 if there is no route. Any worker. */
static inline uint32_t route_v6_find(const uint8_t addr[16])
{
	uint64_t high, low;

	route_v6_load(addr, &high, &low);
	for (int word = 2; word >= 0; word--) {
		uint64_t lens = atomic_load_explicit(&route_v6.lens[word], memory_order_acquire);

		while (lens != 0) {
			uint8_t bit = (uint8_t)(63 - __builtin_clzll(lens));
			uint8_t len = (uint8_t)(word * 64 + bit);
			uint64_t h = high, l = low;
			uint32_t hop;

			route_v6_mask(len, &h, &l);
			hop = route_v6_exact(h, l, len);
			if (hop != 0)
				return hop;
			lens &= ~(1ull << bit);
		}
	}
	return 0;
}

/* --- main thread --- */

void route_v6_init(void);

/** Add a prefix or give it another next hop: one store, so that workers see the old or the new.
 * @param addr  host bits are ignored. @return 0 or -ENOSPC. */
int route_v6_set(const uint8_t addr[16], uint8_t len, uint16_t hop);
/** @return 0 or -ENOENT. */
int route_v6_del(const uint8_t addr[16], uint8_t len);

#endif
