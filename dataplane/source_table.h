/*
 * Token buckets by source address and realm, bounded: sets of eight, and one shared
 * bucket a set for those who find no place. One table a worker; nothing is shared.
 */
#ifndef SALLYPORT_SOURCE_TABLE_H
#define SALLYPORT_SOURCE_TABLE_H

#include "addr.h"

struct source_table;

/**
 * @param sources  buckets wanted; rounded up to whole sets, a power of two of them.
 * @param key      random: where a source lands cannot be aimed at from outside.
 * @return NULL when out of memory. Caller frees with source_table_free().
 */
struct source_table *source_table_new(uint32_t sources, const uint64_t key[2]);
void source_table_free(struct source_table *t);

/**
 * Take one token of this source.
 *
 * A full bucket is the same as none, so its place may be taken. When all eight of a set are in
 * use, newcomers share the set's overflow bucket.
 *
 * @param rate, burst  as in token_take().
 * @param now_ns       monotonic; passed in.
 * @return true if the packet may pass. Never allocates. The owning worker only.
 */
bool source_table_take(struct source_table *t, const struct net_addr *addr, uint16_t realm,
	uint32_t rate, uint32_t burst, uint64_t now_ns);

/** Places taken now or once (an estimate for statistics), and all there are. Any thread. */
uint32_t source_table_used(const struct source_table *t);
uint32_t source_table_size(const struct source_table *t);
size_t source_table_bytes(const struct source_table *t);

#endif
