/*
 * The control socket: JSON-RPC 2.0, one object a line, over a UNIX socket that only
 * the owner and root may use. Everything about a client is bounded. Main thread.
 */
#ifndef SALLYPORT_CONTROL_RPC_H
#define SALLYPORT_CONTROL_RPC_H

#include <event2/event.h>
#include <jansson.h>

#include "base.h"

#define RPC_CLIENTS_MAX 64
#define RPC_LINE_MAX (64u << 10)  /* bytes of a request */
#define RPC_PENDING_MAX 16	  /* requests of one client without an answer yet */
#define RPC_QUEUE_MAX (16u << 20) /* bytes of answers that a client has not read: closed */
#define RPC_IDLE_S 60
#define RPC_WRITE_S 10

/* Codes of JSON-RPC 2.0 section 5.1, and ours. */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_REFUSED = -32000,	/* not now: too many requests, no answer in time */
	RPC_NOT_FOUND = -32001, /* no such call */
};

struct rpc_server;
/** One request that is owed an answer. */
struct rpc_call;

/**
 * Answer one request, now or later, by exactly one rpc_result() or rpc_fail().
 * @param params  object or NULL; borrowed for the call.
 */
typedef void (*rpc_handler_fn)(void *ctx, struct rpc_call *call, const json_t *params);

struct rpc_method {
	const char *name; /* NULL ends the table */
	rpc_handler_fn fn;
};

struct rpc_stats {
	uint64_t clients; /* now */
	uint64_t requests;
	uint64_t refused_clients; /* too many, or another user */
	uint64_t bad_requests;
	uint64_t closed; /* idle, too slow, line too long */
};

/**
 * Listen at `path` (mode 0600; its directory is made if just that is missing).
 *
 * @param path     NULL: no socket, see rpc_server_adopt().
 * @param methods  borrowed for the server's life.
 * @param why      on failure a sentence for the operator.
 * @return the server, or NULL. Free with rpc_server_free().
 */
struct rpc_server *rpc_server_new(struct event_base *base, const char *path,
	const struct rpc_method *methods, void *ctx, char *why, size_t why_size);
/** Closes clients, removes the socket. Answers still owed go nowhere. */
void rpc_server_free(struct rpc_server *s);
const struct rpc_stats *rpc_server_stats(const struct rpc_server *s);

/** Serve a connected stream socket; takes ownership of fd. @return 0 or -ENOSPC, -ENOMEM. */
int rpc_server_adopt(struct rpc_server *s, int fd);

/** Answer; takes ownership of both. result NULL means out of memory. */
void rpc_result(struct rpc_call *call, json_t *result);
/** Answer with an error; takes ownership of the call. */
void rpc_fail(struct rpc_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
