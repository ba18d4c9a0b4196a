/*
 * The static permit and deny lists, peers among them: prefixes of sources, longest match
 * (rte_fib, rte_fib6). Main writes, workers read.
 */
#ifndef SALLYPORT_SOURCE_LIST_H
#define SALLYPORT_SOURCE_LIST_H

#include <stdatomic.h>

#include <rte_fib.h>
#include <rte_fib6.h>

#include "addr.h"
#include "records.h"

/** No entry: the lists say nothing of the source. */
#define SOURCE_UNLISTED 0

/** What REC_SOURCE_LIST_SET gave. A slot is reused only after a grace period. */
struct source_entry {
	_Atomic uint16_t next;	/* of the same prefix, the more particular first; 0: end */
	uint16_t realm;		/* or API_REALM_ANY */
	uint16_t port;		/* 0: any */
	_Atomic uint8_t action; /* enum list_action */
	struct rate_limit limit;
};

/** A prefix, the next hop of the FIBs. */
struct source_prefix {
	_Atomic uint16_t first;	 /* entry */
	_Atomic uint16_t parent; /* the next shorter prefix that covers this one; 0: none */
};

extern struct source_entry source_entries[API_LIST_MAX + 1];   /* slot 0: none */
extern struct source_prefix source_prefixes[API_LIST_MAX + 1]; /* slot 0: no match */
/** NULL as long as there was never a prefix of the family. */
extern _Atomic(struct rte_fib *) source_fib;
extern _Atomic(struct rte_fib6 *) source_fib6;

/** Any port: what is asked about is not SIP over UDP. */
#define SOURCE_PORT_ANY (-1)

/**
 * The entry that counts for a source of a realm: of the longest prefix that has one for the
 * realm and port, so that an entry for another realm hides nothing.
 * @param prefix  next hop that a FIB gave, 0: no match.
 * @return index into source_entries, SOURCE_UNLISTED if there is none. Any worker.
 */
static inline uint16_t source_list_match(uint64_t prefix, uint16_t realm, int port)
{
	uint16_t p = (uint16_t)prefix;

	for (; p != 0; p = atomic_load_explicit(&source_prefixes[p].parent, memory_order_acquire)) {
		uint16_t e = atomic_load_explicit(&source_prefixes[p].first, memory_order_acquire);

		for (; e != 0;
			e = atomic_load_explicit(&source_entries[e].next, memory_order_acquire)) {
			const struct source_entry *entry = &source_entries[e];

			if ((entry->realm == API_REALM_ANY || entry->realm == realm) &&
				(entry->port == 0 || port == SOURCE_PORT_ANY ||
					entry->port == port))
				return e;
		}
	}
	return SOURCE_UNLISTED;
}

static inline enum list_action source_list_action(uint16_t entry)
{
	return (enum list_action)atomic_load_explicit(
		&source_entries[entry].action, memory_order_relaxed);
}

/** One source, either family. @return as source_list_match(). Any worker. */
uint16_t source_list_find(const struct net_addr *addr, uint16_t realm, int port);

/* --- main thread --- */

void source_list_init(void);
void source_list_fini(void);

/**
 * Add or change an entry: keyed by prefix, realm and port. Idempotent.
 * @param r  validated; host bits of the address do not matter.
 * @return 0, -ENOSPC (API_LIST_MAX entries), -ENOMEM.
 */
int source_list_set(const struct rec_source_list_set *r, uint32_t epoch);
/** REC_SYNC: remove entries of other epochs. */
void source_list_sync(uint32_t epoch);
/** Entries now. */
unsigned int source_list_used(void);

#endif
