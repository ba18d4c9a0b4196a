/*
 * `sally source deny|permit|forget`: the operator's word about a source, put on the main command
 * ring, answered when the dataplane has. Main thread.
 */
#ifndef SALLYPORT_CONTROL_SOURCE_COMMAND_H
#define SALLYPORT_CONTROL_SOURCE_COMMAND_H

#include "control.h"

#define SOURCE_SECONDS_DEFAULT 3600

/**
 * The method "source": {action: "deny"|"permit"|"forget", source: "ADDRESS[:PORT]", seconds
 * (optional, not for forget), realm (optional: all)}.
 */
void source_command(void *ctx, struct rpc_call *call, const json_t *params);

/**
 * What the parameters mean; the record's realm stays unset.
 * @param realm  set to an index, or API_REALM_ANY.
 * @param why    set on failure, a sentence for the operator.
 * @return 0 or -EINVAL.
 */
int source_command_parse(const struct config *config, const json_t *params,
	struct rec_source_set *rec, uint16_t *realm, const char **why);

#endif
