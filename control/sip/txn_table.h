/*
 * Transactions by key: slots in one array, each with half of its key, so that looking for what is
 * not there (as of each new request) touches one or two lines of memory and no transaction.
 * One thread.
 */
#ifndef SALLYPORT_CONTROL_TXN_TABLE_H
#define SALLYPORT_CONTROL_TXN_TABLE_H

#include "txn_key.h"

struct txn_slot {
	uint64_t h;		   /* h[0] of the key */
	const struct txn_key *key; /* NULL: free */
};

/** All zero: empty. */
struct txn_table {
	struct txn_slot *slot; /* NULL: none yet */
	size_t size;	       /* a power of two; at most half of it is in use */
	size_t n;
};

void txn_table_fini(struct txn_table *t);

/** @return the key that was added, by which its owner is found; NULL: not here. */
const struct txn_key *txn_table_find(const struct txn_table *t, const struct txn_key *key);

/**
 * @param key  not here yet; borrowed until it is taken out.
 * @return 0 or -ENOMEM.
 */
int txn_table_add(struct txn_table *t, const struct txn_key *key);

/** @param key  one that was added: the pointer counts. */
void txn_table_del(struct txn_table *t, const struct txn_key *key);

#endif
