/*
 * What the main thread of sallyport-control holds together.
 */
#ifndef SALLYPORT_CONTROL_CONTROL_H
#define SALLYPORT_CONTROL_CONTROL_H

#include <event2/event.h>

#include "attach.h"
#include "dataplane_link.h"
#include "rpc.h"
#include "sources.h"

enum control_phase {
	CONTROL_RUNNING,
	CONTROL_DRAINING, /* no new calls, the others may end by themselves */
	CONTROL_HANGUP,	  /* BYE was sent to all, waiting for the answers */
};

struct control {
	struct config *config;
	struct event_base *base;
	struct mailbox main; /* work for the main thread */
	struct event *main_event;
	struct cdr_file *cdr;
	struct b2bua_limits *limits;
	struct reputation_table *reputation;
	struct shard *shards[API_SHARDS_MAX];
	unsigned int n_shards;
	struct attach_keys keys; /* drawn once at the start */
	struct dataplane_link *link;
	struct rpc_server *rpc;
	struct capture_stop *capture_stops; /* that wait for their file */
	uint64_t start_ms;
	enum control_phase phase;
};

/** The methods of the control socket; their ctx is struct control. */
extern const struct rpc_method control_methods[];

/** Watch SIGTERM, SIGINT and SIGHUP. @return 0 or -ENOMEM. */
int control_stop_init(struct control *c);
void control_stop_fini(struct control *c);

/** Calls in progress over all shards. */
uint64_t control_calls_active(const struct control *c);

/**
 * No capability, and none to be had by exec: this process parses what strangers send.
 * @return 0 or -errno.
 */
int privilege_drop(void);

#endif
