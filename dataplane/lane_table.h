/*
 * Token buckets of dialogs in the lane (api/lane.h), bounded. Only who holds a token of ours has
 * one, so that this is for tokens that were stolen.
 */
#ifndef SALLYPORT_LANE_TABLE_H
#define SALLYPORT_LANE_TABLE_H

#include "records.h"
#include "token.h"

#define LANE_WAYS 4
#define LANE_SETS 16384 /* 65,536 dialogs that are not silent, in 1 MiB */

struct lane_dialog {
	uint64_t nonce;
	uint64_t full_ns; /* token.h */
};

struct lane_set {
	_Alignas(64) struct lane_dialog way[LANE_WAYS];
};

/**
 * Take one token of a dialog. When a set has no place, the dialog whose bucket is fullest loses
 * its own, which is nothing if it is full.
 *
 * @param sets   LANE_SETS of them, zeroed at first.
 * @param nonce  of a token that is ours: random, so that it is its own hash.
 * @return true if the message may pass. Never allocates. The owning worker only.
 */
static inline bool lane_table_take(
	struct lane_set *sets, uint64_t nonce, const struct token_rate *limit, uint64_t now_ns)
{
	struct lane_dialog *place = sets[nonce % LANE_SETS].way;

	for (struct lane_dialog *d = place, *end = place + LANE_WAYS; d < end; d++) {
		if (d->nonce == nonce)
			return token_take_of(&d->full_ns, limit, now_ns);
		if (d->full_ns < place->full_ns)
			place = d;
	}
	*place = (struct lane_dialog){.nonce = nonce};
	return token_take_of(&place->full_ns, limit, now_ns);
}

#endif
