/*
 * What control has learned of the sources of SIP, by their behaviour alone: who made a call, or
 * registered, is trusted for a time; who sends garbage, fails to authenticate, or tries many users
 * of whom nearly all fail (a scanner, whatever it calls itself) is denied; if it made a call
 * lately, only not trusted any more, since its address may be forged and its calls are real. A
 * fixed table; old entries give way.
 *
 * All shards share the table, since a source's calls are everywhere: a call on one shard protects
 * from the garbage that another one gets. Each has a `struct reputation` of its own, used by its
 * thread alone, and tells the fast path by its own command ring. A set of eight entries has a
 * lock, held for less than a microsecond.
 *
 * A denial is twice as long as the one before only when most of what speaks against the source is
 * proven to be its own: refusals that it acknowledged. All else may be forged, and would lock out
 * whoever's address it has; so may be wrong credentials, which make no denial longer, neither a
 * port's nor an address's.
 *
 * A registration makes trusted, and protects, when it brings back a nonce that was sent to its
 * source and to no other one through this box. A registrar may make its nonces of time and a secret
 * only (Kamailio does, unless its `nonce_count` or `one_time_nonce` is set): all that it challenges
 * in one second are sent the same one, and know each other's. There a registration counts only
 * when nobody else was challenged in that second; calls make trusted all the same. Who is sent such
 * a nonce past this box is not seen.
 *
 * A source is an address and port; several may stand behind one NAT, so an address as a whole is
 * denied only when the behaviour comes from many of its ports and no call of it succeeded lately.
 * Peers of the configuration and permitted prefixes are never denied.
 */
#ifndef SALLYPORT_CONTROL_REPUTATION_H
#define SALLYPORT_CONTROL_REPUTATION_H

#include "config.h"
#include "sources.h"

#define REPUTATION_ENTRIES 16384 /* sources and addresses that are remembered: 2.5 MiB */
#define REPUTATION_WINDOW_MS 60000
#define REPUTATION_USERS_MIN 8	      /* a scanner tries more than these */
#define REPUTATION_PORTS_MIN 4	      /* an address misbehaves from more than these */
#define REPUTATION_FORGIVE_MS 3600000 /* the next denial is a first one; a call protects */
#define REPUTATION_IN_CALL_MS 1200000 /* at the most: well within the above */
#define REPUTATION_IN_CALL_MIN_MS 60000
#define REPUTATION_DENY_MAX_S 86400 /* where doubling ends */
#define REPUTATION_RETELL_MAX 1024  /* a quarter of the command ring; streams need it too */

struct reputation;
struct reputation_table;

enum reputation_event {
	REPUTATION_NEUTRAL,    /* answered, busy, cancelled, shed: counts as a request */
	REPUTATION_FAILURE,    /* 4xx that says that there is no such thing */
	REPUTATION_PROBE,      /* answered, but proves nothing: OPTIONS */
	REPUTATION_MALFORMED,  /* not SIP that can be served */
	REPUTATION_CHALLENGE,  /* it was sent a challenge, to any request: the nonce */
	REPUTATION_AUTH,       /* wrong credentials */
	REPUTATION_PROVEN,     /* an earlier FAILURE was not forged: its answer was received */
	REPUTATION_CALL,       /* a call was answered, and acknowledged from that address */
	REPUTATION_REGISTERED, /* right credentials: their nonce, which only it was sent */
	REPUTATION_IN_CALL,    /* such a call goes on; said again and again */
	REPUTATION_EVENT_COUNT
};

struct reputation_env {
	const struct config *config;
	struct reputation_table *table; /* of all shards; outlives them */
	unsigned int index, shards;
	/** Put one command on the shard's ring. @return 0 or negative errno. */
	int (*send)(void *ctx, struct cmd_hdr *cmd, size_t len);
	void *ctx;
};

struct reputation_stats {
	uint64_t trusted, demoted, denied; /* told to the fast path */
	uint64_t unsent;		   /* could not be told: said at the next occasion */
	uint64_t evicted;		   /* entries in use that gave way to others */
};

/** @param key  secret: of places and the counting of users. @return NULL when out of memory. */
struct reputation_table *reputation_table_new(const uint64_t key[2]);
/** After the shards. */
void reputation_table_free(struct reputation_table *t);

/** @return NULL when out of memory. Never allocates afterwards. The functions below are for its
 * shard's thread. */
struct reputation *reputation_new(const struct reputation_env *env);
void reputation_free(struct reputation *r);
const struct reputation_stats *reputation_get_stats(const struct reputation *r);

/**
 * Something happened.
 * @param about  whom a request was for, as written; empty: nobody. Of CHALLENGE and REGISTERED,
 *               which come beside the event of the answer itself: a nonce.
 */
void reputation_note(struct reputation *r, uint64_t now_ms, uint16_t realm,
	const struct net_endpoint *source, enum reputation_event event, struct str_view about);

/** How often to say that a call from this realm goes on: before its caller's trust is over. */
uint64_t reputation_in_call_ms(const struct reputation *r, uint16_t realm);

/**
 * The operator decided about this source: what was known of it does not count any more. One shard
 * does it for all.
 * @param realm  or API_REALM_ANY. @param source  port 0: all of the address; the fast path is told
 *               that its ports are neither trusted nor denied by themselves any more.
 */
void reputation_forget(struct reputation *r, uint16_t realm, const struct net_endpoint *source);

/** A dataplane is attached, perhaps a new one: say what still holds, this shard's share of it, at
 * most REPUTATION_RETELL_MAX. */
void reputation_on_attach(struct reputation *r, uint64_t now_ms);

#endif
