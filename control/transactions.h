/*
 * The SIP transactions of every shard, over the control socket. Main thread; ctx is struct control.
 */
#ifndef SALLYPORT_CONTROL_TRANSACTIONS_H
#define SALLYPORT_CONTROL_TRANSACTIONS_H

#include "rpc.h"

/**
 * {shards: [{shard, room, servers, clients, lingering_room, lingering_servers, lingering_clients,
 * retransmits_in, retransmits_out, timeouts, refused, oldest: [{kind, method, state, age_ms}],
 * transactions: [{kind, method, total, trying, ...}]}]}. servers and clients are all that are
 * alive; those that linger have room of their own, room is for the others of each kind.
 * At most two rows a method and shard, however many transactions there are.
 */
void transactions_request(void *ctx, struct rpc_call *call, const json_t *params);

#endif
