/*
 * The back-to-back user agent of one shard: calls of two legs, each leg a dialog
 * of its own. The transaction layer calls it; it calls route/, media/ and the CDR
 * writer. One thread.
 */
#ifndef SALLYPORT_CONTROL_B2BUA_H
#define SALLYPORT_CONTROL_B2BUA_H

#include <jansson.h>

#include "attach.h"
#include "config.h"
#include "media.h"
#include "transaction.h"

struct b2bua;

struct b2bua_limits;
struct replaces;
struct overload;
struct peer_overload;
struct reputation;

struct b2bua_env {
	const struct config *config;
	struct timers *timers;
	struct media *media;
	struct b2bua_limits *limits; /* shared by all shards; outlives them */
	unsigned int shard, shards;
	struct attach_keys keys; /* our Call-IDs hash to this shard */
	txn_send_fn send;	 /* the transport (ACK to 2xx goes out without a transaction) */
	void *send_ctx;
	/** Write one finished call: JSON without a line feed (borrowed); p NULL: it could not be
	 * made. NULL: none. */
	void (*cdr)(void *ctx, struct str_view record);
	void *cdr_ctx;
	/**
	 * Have another shard run replaces_answer() on this, then replaces_answered() here; it is
	 * freed afterwards. NULL: there is no other. @return 0, or negative errno: still ours.
	 */
	int (*ask)(void *ctx, unsigned int shard, struct replaces *q);
	void *ask_ctx;
	struct reputation *reputation; /* hears how sources behave; NULL: nobody does */
	struct overload *overload;     /* says which new requests are too many; NULL: none are */
	struct peer_overload *peer_overload; /* and how much peers want; NULL: all */
};

struct b2bua_stats {
	uint64_t calls_active; /* now, from INVITE to the CDR */
	uint64_t calls_answered_active;
	uint64_t calls_total; /* INVITEs that became a call */
	uint64_t calls_answered;
	uint64_t calls_failed;	  /* final answer 3xx-6xx or timeout before an answer */
	uint64_t calls_refused;	  /* no route, no media port, limit, draining */
	uint64_t forks_ignored;	  /* 18x of one early dialog too many */
	uint64_t dialogs;	  /* alive now */
	uint64_t subscriptions;	  /* alive now, with dialogs of their own */
	uint64_t requests_passed; /* to the other side, INVITE apart */
	uint64_t requests_open;	  /* ours without a final answer: INVITE and BYE */
};

/** Counts calls against the limits of realms and peers, any thread. @return NULL: out of memory. */
struct b2bua_limits *b2bua_limits_new(const struct config *config);
void b2bua_limits_free(struct b2bua_limits *l);

/** @return NULL when out of memory. The transaction layer is made inside, see b2bua_txn_layer(). */
struct b2bua *b2bua_new(const struct b2bua_env *env);
/** Ends without messages, but with a CDR a call; see b2bua_stop() for the polite way. */
void b2bua_free(struct b2bua *b);
struct txn_layer *b2bua_txn_layer(struct b2bua *b);
const struct b2bua_stats *b2bua_get_stats(const struct b2bua *b);

/** A media stream of this call fell silent and is gone (media/ calls it). */
void b2bua_on_media_gone(struct b2bua *b, uint64_t call_id);

/** Refuse new calls with 503 and Retry-After from now on. */
void b2bua_drain(struct b2bua *b);
/** BYE (or CANCEL, or 503) to every leg of every call; each call ends with a CDR as usual. */
void b2bua_stop(struct b2bua *b);

/**
 * Calls for `sally show calls`: array of {id, state, from, to, from_realm, to_peer, start,
 * duration_ms, ...}.
 * @param max    at most so many.
 * @param media  with the media of each, as b2bua_call_json() has it.
 * @return new reference, or NULL (out of memory).
 */
json_t *b2bua_calls_json(const struct b2bua *b, unsigned int max, bool media);

/** One call with both legs, SDP endpoints and streams for `sally show call ID`. @return NULL: no
 * such call. */
json_t *b2bua_call_json(const struct b2bua *b, const char *id);

/**
 * The messages of one call, which may be over (trace.h).
 * @param id  as above, or the Call-ID of one of its legs. @return NULL: no such call.
 */
json_t *b2bua_trace_json(const struct b2bua *b, const char *id);

#endif
