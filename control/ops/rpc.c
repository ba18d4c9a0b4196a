/*
 * JSON-RPC 2.0 (jsonrpc.org/specification), one object a line: clients, framing,
 * dispatch. Batches are not supported.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "rpc.h"
#include "rpc_socket.h"

#include "log.h"

struct client {
	struct client *next, *prev;
	struct rpc_server *server;
	struct bufferevent *bev;
	struct rpc_call *calls; /* without an answer yet */
	unsigned int pending;
	bool closing; /* sends no more; stays until its answers are out */
};

struct rpc_call {
	struct rpc_call *next, *prev;
	struct client *client; /* NULL: gone, nobody wants the answer */
	json_t *id;	       /* NULL: a notification, never answered */
};

struct rpc_server {
	struct event_base *base;
	struct evconnlistener *listener;
	char path[108];
	const struct rpc_method *methods;
	void *ctx;
	struct client *clients;
	struct rpc_stats stats;
};

static void client_free(struct client *c)
{
	struct rpc_server *s = c->server;

	for (struct rpc_call *call = c->calls; call != NULL; call = call->next)
		call->client = NULL;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->stats.clients--;
	bufferevent_free(c->bev);
	free(c);
}

static void call_unlink(struct rpc_call *call)
{
	struct client *c = call->client;

	if (c == NULL)
		return;
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		c->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	c->pending--;
}

static void call_free(struct rpc_call *call)
{
	call_unlink(call);
	json_decref(call->id);
	free(call);
}

/* Put one object on the client's queue; takes ownership of it. The client stays: who does
 * not read is closed by the write timeout, or before the next request. */
static void client_send(struct client *c, json_t *object)
{
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (text == NULL)
		return;
	bufferevent_write(c->bev, text, strlen(text));
	bufferevent_write(c->bev, "\n", 1);
	free(text);
}

static void call_answer(struct rpc_call *call, const char *key, json_t *value)
{
	if (call->client != NULL && call->id != NULL)
		client_send(call->client,
			json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", call->id, key, value));
	else
		json_decref(value);
	call_free(call);
}

void rpc_result(struct rpc_call *call, json_t *result)
{
	if (result == NULL)
		rpc_fail(call, RPC_INTERNAL, "out of memory");
	else
		call_answer(call, "result", result);
}

static json_t *error_json(int code, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	return json_pack("{s:i, s:s}", "code", code, "message", text);
}

void rpc_fail(struct rpc_call *call, int code, const char *fmt, ...)
{
	va_list ap;
	json_t *error;

	va_start(ap, fmt);
	error = error_json(code, fmt, ap);
	va_end(ap);
	call_answer(call, "error", error);
}

/* An error without a request that could be answered (JSON-RPC section 5: id null). */
static void client_complain(struct client *c, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void client_complain(struct client *c, int code, const char *fmt, ...)
{
	va_list ap;
	json_t *error;

	c->server->stats.bad_requests++;
	va_start(ap, fmt);
	error = error_json(code, fmt, ap);
	va_end(ap);
	client_send(c, json_pack("{s:s, s:n, s:o}", "jsonrpc", "2.0", "id", "error", error));
}

static struct rpc_call *call_new(struct client *c, json_t *id)
{
	struct rpc_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->client = c;
	call->id = json_incref(id);
	call->next = c->calls;
	if (c->calls != NULL)
		c->calls->prev = call;
	c->calls = call;
	c->pending++;
	return call;
}

static bool id_valid(const json_t *id)
{
	return id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);
}

static void client_request(struct client *c, json_t *request)
{
	const struct rpc_method *m = c->server->methods;
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const char *method = json_string_value(json_object_get(request, "method"));
	json_t *params = json_object_get(request, "params"), *id = json_object_get(request, "id");
	struct rpc_call *call;

	if (version == NULL || strcmp(version, "2.0") != 0 || method == NULL || !id_valid(id) ||
		(params != NULL && !json_is_object(params))) {
		client_complain(c, RPC_INVALID_REQUEST,
			"not a request: one object with jsonrpc \"2.0\", id, method, and params as "
			"an object");
		return;
	}
	c->server->stats.requests++;
	call = call_new(c, id);
	if (call == NULL) {
		client_complain(c, RPC_INTERNAL, "out of memory");
		return;
	}
	if (c->pending > RPC_PENDING_MAX) {
		rpc_fail(call, RPC_REFUSED, "more than %d requests at once", RPC_PENDING_MAX);
		return;
	}
	while (m->name != NULL && strcmp(m->name, method) != 0)
		m++;
	if (m->name == NULL)
		rpc_fail(call, RPC_NO_METHOD, "no such method");
	else
		m->fn(c->server->ctx, call, params);
}

static void client_line(struct client *c, const char *line, size_t len)
{
	json_error_t error;
	json_t *request;

	if (len == 0)
		return;
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (request == NULL)
		client_complain(c, RPC_PARSE_ERROR, "not JSON: %s", error.text);
	else
		client_request(c, request);
	json_decref(request);
}

static void client_close(struct client *c)
{
	c->server->stats.closed++;
	client_free(c);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = ctx;
	char *line;
	size_t len;

	while ((line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF)) != NULL) {
		client_line(c, line, len);
		free(line);
		if (evbuffer_get_length(bufferevent_get_output(bev)) > RPC_QUEUE_MAX) {
			client_close(c);
			return;
		}
	}
	if (evbuffer_get_length(in) >= RPC_LINE_MAX)
		client_close(c);
}

static void on_drained(struct bufferevent *bev, void *ctx)
{
	struct client *c = ctx;

	if (c->closing && c->pending == 0)
		client_free(c);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct client *c = ctx;

	/* A reading timeout while an answer is on its way is no idleness. */
	if ((what & BEV_EVENT_TIMEOUT) != 0 && (what & BEV_EVENT_READING) != 0 && c->pending > 0) {
		bufferevent_enable(bev, EV_READ);
		return;
	}
	if ((what & BEV_EVENT_TIMEOUT) != 0)
		client_close(c);
	else if ((what & BEV_EVENT_EOF) != 0 && !c->closing &&
		 (c->pending > 0 || evbuffer_get_length(bufferevent_get_output(bev)) > 0))
		c->closing = true;
	else
		client_free(c);
}

int rpc_server_adopt(struct rpc_server *s, int fd)
{
	const struct timeval idle = {.tv_sec = RPC_IDLE_S}, slow = {.tv_sec = RPC_WRITE_S};
	struct client *c;

	if (s->stats.clients >= RPC_CLIENTS_MAX) {
		s->stats.refused_clients++;
		close(fd);
		return -ENOSPC;
	}
	c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		close(fd);
		return -ENOMEM;
	}
	c->server = s;
	c->next = s->clients;
	if (s->clients != NULL)
		s->clients->prev = c;
	s->clients = c;
	s->stats.clients++;
	bufferevent_setcb(c->bev, on_read, on_drained, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, RPC_LINE_MAX);
	bufferevent_set_timeouts(c->bev, &idle, &slow);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return 0;
}

static void on_accept(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
	struct rpc_server *s = ctx;

	if (!rpc_socket_peer_allowed(fd)) {
		s->stats.refused_clients++;
		close(fd);
		return;
	}
	rpc_server_adopt(s, fd);
}

struct rpc_server *rpc_server_new(struct event_base *base, const char *path,
	const struct rpc_method *methods, void *ctx, char *why, size_t why_size)
{
	struct rpc_server *s = calloc(1, sizeof(*s));
	int fd;

	if (s == NULL) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	s->base = base;
	s->methods = methods;
	s->ctx = ctx;
	if (path == NULL)
		return s;
	fd = rpc_socket_listen(path, why, why_size);
	if (fd < 0) {
		free(s);
		return NULL;
	}
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->listener = evconnlistener_new(
		base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (s->listener == NULL) {
		snprintf(why, why_size, "cannot serve %s: out of memory", path);
		close(fd);
		rpc_server_free(s);
		return NULL;
	}
	return s;
}

void rpc_server_free(struct rpc_server *s)
{
	if (s == NULL)
		return;
	while (s->clients != NULL)
		client_free(s->clients);
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->path[0] != '\0')
		unlink(s->path);
	free(s);
}

const struct rpc_stats *rpc_server_stats(const struct rpc_server *s)
{
	return &s->stats;
}
