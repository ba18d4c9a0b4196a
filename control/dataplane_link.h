/*
 * The attached dataplane, as control's main thread sees it: connects and connects
 * again, puts the configuration, hands the rings to the shards and takes them back.
 */
#ifndef SALLYPORT_CONTROL_DATAPLANE_LINK_H
#define SALLYPORT_CONTROL_DATAPLANE_LINK_H

#include <event2/event.h>

#include "attach.h"
#include "config.h"
#include "mailbox.h"
#include "shard.h"
#include "stats.h"

struct dataplane_link;

struct dataplane_link_env {
	const struct config *config;
	struct event_base *base;
	struct mailbox *main; /* the main thread's */
	struct shard **shards;
	unsigned int n_shards;
	struct attach_keys keys;
};

struct dataplane_link_stats {
	uint64_t attaches;
	uint64_t commands_failed; /* configuration that the dataplane refused */
	uint64_t records_malformed;
};

/** Starts connecting by itself. @return NULL when out of memory. */
struct dataplane_link *dataplane_link_new(const struct dataplane_link_env *env);
/** The shards must be gone. */
void dataplane_link_free(struct dataplane_link *l);

/** Attached, and the dataplane has answered for the whole configuration. */
bool dataplane_link_is_up(const struct dataplane_link *l);

/** The statistics mapping; NULL while away. Valid until control returns to the event loop. */
const struct stats *dataplane_link_stats_map(const struct dataplane_link *l);
/** Size of that mapping; 0 while away. */
size_t dataplane_link_stats_bytes(const struct dataplane_link *l);
/** Why it is away, a sentence. */
const char *dataplane_link_why(const struct dataplane_link *l);
/** @param status  0 or negative errno: the dataplane's answer, -ENOTCONN when it went away,
 * -ETIMEDOUT when it did not answer. */
typedef void (*dataplane_link_done_fn)(void *ctx, int status);

/**
 * Put one command of an operator's on the main thread's ring.
 * @param cmd   the record; type and version are filled in by the caller, the cookie here.
 * @param done  called once, later, when 0 was returned.
 * @return 0; -ENOTCONN (nobody attached), -EBUSY (too many unanswered), -ENOBUFS (ring full).
 */
int dataplane_link_ask(struct dataplane_link *l, struct cmd_hdr *cmd, size_t len,
	dataplane_link_done_fn done, void *ctx);

const struct dataplane_link_stats *dataplane_link_get_stats(const struct dataplane_link *l);

#endif
