/*
 * Packet capture over the control socket. Main thread; ctx is struct control.
 */
#ifndef SALLYPORT_CONTROL_CAPTURE_REQUESTS_H
#define SALLYPORT_CONTROL_CAPTURE_REQUESTS_H

#include "rpc.h"

struct control;

/** {file, [filter: [[code, jt, jf, k]]], [seconds], [mib], [snaplen]}: begin. */
void capture_start_request(void *ctx, struct rpc_call *call, const json_t *params);
/** End the one that runs. */
void capture_stop_request(void *ctx, struct rpc_call *call, const json_t *params);
/** Forget those that still wait: the program ends, and their connections are closed. */
void capture_requests_fini(struct control *c);
/** {running, file, packets, bytes, missed, seconds, ended}: the one that runs, or the last. */
void capture_request(void *ctx, struct rpc_call *call, const json_t *params);

#endif
