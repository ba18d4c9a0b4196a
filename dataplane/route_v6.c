#include <errno.h>

#include <rte_random.h>

#include "grace.h"
#include "route_v6.h"

struct route_v6_table route_v6;

/* What only the main thread needs of an entry. */
static struct {
	uint16_t next;	/* in the free list or in limbo */
	uint64_t stamp; /* in limbo: when it was unlinked */
} route_private[ROUTES_V6_MAX];
static uint16_t route_fresh; /* first entry that was never used */
static uint16_t route_free;
static uint16_t limbo_first, limbo_last; /* oldest first */
static uint16_t len_count[129];

void route_v6_init(void)
{
	memset(&route_v6, 0, sizeof(route_v6));
	memset(len_count, 0, sizeof(len_count));
	route_v6.key[0] = rte_rand() | 1;
	route_v6.key[1] = rte_rand() | 1;
	route_fresh = 1;
	route_free = limbo_first = limbo_last = 0;
}

static _Atomic uint16_t *slot_at(uint32_t i)
{
	return &route_v6.slots[i & (ROUTE_V6_SLOTS - 1)];
}

static void len_mark(uint8_t len, int change)
{
	_Atomic uint64_t *word = &route_v6.lens[len / 64];
	uint64_t bit = 1ull << (len % 64);

	len_count[len] = (uint16_t)(len_count[len] + change);
	if (len_count[len] > 0)
		atomic_fetch_or_explicit(word, bit, memory_order_release);
	else
		atomic_fetch_and_explicit(word, ~bit, memory_order_release);
}

/* An entry that no worker can be looking at; 0 when there is none. */
static uint16_t entry_alloc(void)
{
	uint16_t i = route_free;

	if (i != 0) {
		route_free = route_private[i].next;
		return i;
	}
	if (route_fresh < ROUTES_V6_MAX)
		return route_fresh++;
	i = limbo_first;
	if (i == 0)
		return 0;
	/* Wait for the newest, and every one in limbo becomes free. */
	grace_wait(route_private[limbo_last].stamp);
	route_free = route_private[i].next;
	limbo_first = limbo_last = 0;
	return i;
}

static void entry_retire(uint16_t i)
{
	route_private[i].next = 0;
	route_private[i].stamp = grace_stamp();
	if (limbo_last != 0)
		route_private[limbo_last].next = i;
	else
		limbo_first = i;
	limbo_last = i;
}

/* The place of a prefix in slots; -1 if it is not there. */
static int64_t slot_find(uint64_t high, uint64_t low, uint8_t len)
{
	uint32_t at = route_v6_place(high, low, len);

	for (uint32_t i = 0; i < ROUTE_V6_PROBES; i++) {
		uint16_t slot = atomic_load(slot_at(at + i));
		const struct route_v6_entry *e = &route_v6.entries[slot % ROUTES_V6_MAX];

		if (slot == ROUTE_V6_EMPTY)
			break;
		if (slot != ROUTE_V6_GONE && e->high == high && e->low == low && e->len == len)
			return at + i;
	}
	return -1;
}

/* The first place that is free for a prefix; -1 if it were too far away. */
static int64_t slot_free(uint64_t high, uint64_t low, uint8_t len)
{
	uint32_t at = route_v6_place(high, low, len);

	for (uint32_t i = 0; i < ROUTE_V6_PROBES; i++) {
		uint16_t slot = atomic_load(slot_at(at + i));

		if (slot == ROUTE_V6_EMPTY || slot == ROUTE_V6_GONE)
			return at + i;
	}
	return -1;
}

int route_v6_set(const uint8_t addr[16], uint8_t len, uint16_t hop)
{
	uint64_t high, low;
	int64_t slot;
	uint16_t i;

	route_v6_load(addr, &high, &low);
	route_v6_mask(len, &high, &low);
	slot = slot_find(high, low, len);
	if (slot >= 0) {
		i = atomic_load(slot_at((uint32_t)slot));
		atomic_store_explicit(&route_v6.entries[i].hop, hop, memory_order_release);
		return 0;
	}
	slot = slot_free(high, low, len);
	i = slot < 0 ? 0 : entry_alloc();
	if (i == 0)
		return -ENOSPC;
	route_v6.entries[i] =
		(struct route_v6_entry){.high = high, .low = low, .len = len, .hop = hop};
	atomic_store_explicit(slot_at((uint32_t)slot), i, memory_order_release);
	len_mark(len, 1);
	return 0;
}

/*
 * A worker in the middle of a search must not stop early, so the place stays marked unless
 * nothing lies behind it. One that has found the entry reads it until its next quiescent
 * report.
 */
int route_v6_del(const uint8_t addr[16], uint8_t len)
{
	uint64_t high, low;
	int64_t slot;
	uint32_t at;

	route_v6_load(addr, &high, &low);
	route_v6_mask(len, &high, &low);
	slot = slot_find(high, low, len);
	if (slot < 0)
		return -ENOENT;
	at = (uint32_t)slot;
	entry_retire(atomic_load(slot_at(at)));
	atomic_store(slot_at(at), ROUTE_V6_GONE);
	len_mark(len, -1);
	if (atomic_load(slot_at(at + 1)) != ROUTE_V6_EMPTY)
		return 0;
	for (uint32_t n = 0; n < ROUTE_V6_SLOTS && atomic_load(slot_at(at)) == ROUTE_V6_GONE; n++)
		atomic_store(slot_at(at--), ROUTE_V6_EMPTY);
	return 0;
}
