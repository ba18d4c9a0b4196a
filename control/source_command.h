/*
 * `sally source deny|permit|forget`: the operator's word about a source, put on the main command
 * ring, answered when the dataplane has. Main thread.
 */
#ifndef SALLYPORT_CONTROL_SOURCE_COMMAND_H
#define SALLYPORT_CONTROL_SOURCE_COMMAND_H

#include "control.h"

struct source_request;

#define SOURCE_SECONDS_DEFAULT 3600
#define SOURCE_ANSWER_MS 2000
#define SOURCE_REQUESTS_MAX 64 /* that wait for the dataplane at a time */

/**
 * The method "source": {action: "deny"|"permit"|"forget", source: "ADDRESS[:PORT]", seconds
 * (optional, not for forget), realm (optional: all)}.
 */
void source_command(void *ctx, struct rpc_call *call, const json_t *params);

/** A REC_DONE for one of the commands; ctx is struct control. */
void source_command_done(void *ctx, uint64_t cookie, int status);

/** Answers what still waits. */
void source_command_fini(struct control *c);

/**
 * What the parameters mean; the record's realm stays unset.
 * @param realm  set to an index, or API_REALM_ANY.
 * @param why    set on failure, a sentence for the operator.
 * @return 0 or -EINVAL.
 */
int source_command_parse(const struct config *config, const json_t *params,
	struct rec_source_set *rec, uint16_t *realm, const char **why);

#endif
