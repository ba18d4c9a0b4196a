/*
 * How much peers want, by what they say in their answers (RFC 7339 by percentage, RFC 7415 by
 * rate). One table a shard, one thread.
 */
#ifndef SALLYPORT_CONTROL_PEER_OVERLOAD_H
#define SALLYPORT_CONTROL_PEER_OVERLOAD_H

#include "config.h"
#include "sip_oc.h"

struct peer_overload;

struct peer_overload_state {
	bool limited; /* now */
	enum sip_oc_algo algo;
	uint32_t value;	  /* percent left out; requests a second, of all shards */
	uint64_t refused; /* calls, ever */
};

/** @param shards  of which this is one: each has its share of a rate. @return NULL: out of memory.
 */
struct peer_overload *peer_overload_new(const struct config *config, unsigned int shards);
void peer_overload_free(struct peer_overload *p);

/** The peer has said so. What is older than what it said before does not count. */
void peer_overload_says(
	struct peer_overload *p, uint64_t now_ms, unsigned int peer, const struct sip_oc *oc);

/** May a new request go to it? Counts it. */
bool peer_overload_takes(struct peer_overload *p, uint64_t now_ms, unsigned int peer);

struct peer_overload_state peer_overload_get(
	const struct peer_overload *p, uint64_t now_ms, unsigned int peer);

#endif
