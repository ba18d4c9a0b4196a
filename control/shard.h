/*
 * One shard: a thread with an event loop that owns its share of the calls, with
 * everything that they need (timers, media sessions, transactions, B2BUA). Other
 * threads reach it by its mailbox.
 */
#ifndef SALLYPORT_CONTROL_SHARD_H
#define SALLYPORT_CONTROL_SHARD_H

#include <jansson.h>

#include "attach.h"
#include "b2bua.h"
#include "cdr_file.h"
#include "config.h"
#include "mailbox.h"
#include "overload.h"
#include "peer_overload.h"
#include "reputation.h"

struct shard;

struct shard_env {
	const struct config *config; /* outlives the shard */
	unsigned int index;
	struct attach_keys keys;
	struct cdr_file *cdr;		     /* outlives the shard */
	struct b2bua_limits *limits;	     /* outlives the shard */
	struct reputation_table *reputation; /* outlives the shard */
	struct shard *const *all; /* of b2bua_env.ask; outlives the shard. NULL: it is alone */
};

/** Make it and start its thread. @return NULL with a log line. Free with shard_free(). */
struct shard *shard_new(const struct shard_env *env);
/** Stop the thread at its next turn, join it. All are stopped before the first is freed. */
void shard_stop(struct shard *s);
/** Run its last mail, free everything. NULL is fine. */
void shard_free(struct shard *s);

/** Any thread: run fn(shard, arg) in the shard's thread. @return 0 or -ENOMEM. */
int shard_post(struct shard *s, mail_fn fn, void *arg);

/** Any thread: calls in progress, as of the shard's last turn. */
uint64_t shard_calls_active(const struct shard *s);

/** Any thread: requests that peers have not answered, as of the shard's last turn. */
uint64_t shard_requests_open(const struct shard *s);

/** CLOCK_MONOTONIC, milliseconds: the clock of timers. Any thread. */
uint64_t shard_clock_ms(void);

/* --- main thread, by mail --- */

/**
 * Use these rings from now on, and say every media stream again.
 * @param session  its shard[index] is the shard's alone until the detach is done.
 */
int shard_attach(struct shard *s, struct attach_session *session);

/** Stop using the rings; then post done(owner, arg) to `reply`. */
int shard_detach(struct shard *s, struct mailbox *reply, mail_fn done, void *arg);

/** An event record that came on the main thread's ring (copied). */
int shard_media_event(struct shard *s, const struct record_hdr *rec, size_t len);

/** Refuse new calls. */
int shard_drain(struct shard *s);
/** The operator decided about a source: forget it, for all shards. @param realm  or
 * API_REALM_ANY. */
int shard_forget_source(struct shard *s, uint16_t realm, const struct net_endpoint *source);
/** Hang up every call. */
int shard_stop_calls(struct shard *s);

/* --- inside the shard's thread, for posted functions --- */

struct b2bua *shard_b2bua(struct shard *s);
const struct config *shard_config(struct shard *s);
const struct overload *shard_overload(struct shard *s);
struct peer_overload_state shard_peer_overload(struct shard *s, unsigned int peer);
/** Every counter, flat: {"calls_total": 1, ...}. @return new reference. */
json_t *shard_counters(struct shard *s);

#endif
