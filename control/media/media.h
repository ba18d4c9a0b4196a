/*
 * Media sessions of one shard: local ports, and the streams that the dataplane
 * relays for a call. Speaks to the dataplane by commands and events only and never
 * waits for an answer; after a new attach it says everything again.
 */
#ifndef SALLYPORT_CONTROL_MEDIA_H
#define SALLYPORT_CONTROL_MEDIA_H

#include "config.h"
#include "records.h"

struct media;

struct media_env {
	const struct config *config;
	unsigned int shard; /* this shard uses the port pairs with pair % shards == shard */
	unsigned int shards;
	/** Put one command on this shard's ring. @return 0, or -ENOBUFS / -ENOTCONN. */
	int (*send)(void *ctx, struct cmd_hdr *cmd, size_t len);
	void *ctx;
};

struct media_stats {
	uint64_t sessions;	  /* alive now */
	uint64_t streams;	  /* set now */
	uint64_t ports_used;	  /* pairs, calls and orphans */
	uint64_t ports_exhausted; /* sessions refused for want of a port */
	uint64_t commands_failed; /* REC_DONE with a status, or ring full (said again later) */
};

struct media *media_new(const struct media_env *env);
void media_free(struct media *m);
const struct media_stats *media_get_stats(const struct media *m);

/** A record from the event ring (copied, not yet validated). Unknown or malformed ones: -EBADMSG.
 */
int media_on_event(struct media *m, const struct record_hdr *rec, size_t len);

/** A dataplane is attached: say every stream again (claims them, or creates them anew). */
void media_on_attach(struct media *m);

/** The dataplane is gone. Which streams of others it has is told anew by the next one. */
void media_on_detach(struct media *m);

/** Say again what could not be said (ring was full); called by the shard after each loop. */
void media_flush(struct media *m);

/** A stream of an earlier control owns this local endpoint: keep it out of the allocator. */
void media_orphan_add(struct media *m, uint16_t realm, const struct net_endpoint *local);
/** That stream is gone. */
void media_orphan_del(struct media *m, uint16_t realm, const struct net_endpoint *local);

#endif
