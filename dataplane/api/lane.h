/*
 * The dialog lane: control begins every tag and branch that it makes with a token that
 * is keyed to the peer. A message that brings one back belongs to something that control
 * has with this peer, and no flood can forge it.
 */
#ifndef SALLYPORT_API_LANE_H
#define SALLYPORT_API_LANE_H

#include "addr.h"

/** Length of a token: 64 bits of nonce and 64 of SipHash-2-4, in lower-case hex. */
#define LANE_TOKEN_LEN 32

/**
 * @param key    attach_keys.lane.
 * @param peer   the address (not the port) that will bring it back.
 * @param nonce  random, unique for each dialog and transaction.
 * @param out    LANE_TOKEN_LEN characters, no NUL. Any thread.
 */
void lane_token_build(const uint64_t key[2], const struct net_addr *peer, uint64_t nonce,
	char out[LANE_TOKEN_LEN]);

/* lane_token_check() of a text that is long enough. */
bool lane_token_read(
	const uint64_t key[2], const struct net_addr *peer, const char *text, uint64_t *nonce);

/**
 * Does this text begin with a token of ours for this peer?
 * @param nonce  set when it does: names the dialog, for its rate. May be NULL.
 * @return true if so. Never reads beyond the text; takes the same time for any token. Any thread.
 */
static inline bool lane_token_check(
	const uint64_t key[2], const struct net_addr *peer, struct str_view text, uint64_t *nonce)
{
	return text.len >= LANE_TOKEN_LEN && lane_token_read(key, peer, text.p, nonce);
}

#endif
