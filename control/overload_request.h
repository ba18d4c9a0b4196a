/*
 * How loaded the shards are, over the control socket. Main thread; ctx is struct control.
 */
#ifndef SALLYPORT_CONTROL_OVERLOAD_REQUEST_H
#define SALLYPORT_CONTROL_OVERLOAD_REQUEST_H

#include "rpc.h"

/**
 * {delay_ms, call_rate, shards: [{shard, wait_ms, refused_percent, refused_delay, refused_rate,
 * refused_again, emergency, peers: [{peer, limited, algorithm, value, refused}]}]}: the limits, and
 * each shard's measure against them.
 */
void overload_request(void *ctx, struct rpc_call *call, const json_t *params);

#endif
