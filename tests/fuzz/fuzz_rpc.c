/*
 * Fuzz target: what a client writes to the control socket. Each request with an id is
 * answered by one line of JSON or the client is closed; nothing stays behind.
 */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

static struct rpc_call *held;

static void echo(void *ctx, struct rpc_call *call, const json_t *params)
{
	rpc_result(call, params != NULL ? json_deep_copy(params) : json_null());
}

/* Answered late, when the client may be gone. */
static void hold(void *ctx, struct rpc_call *call, const json_t *params)
{
	if (held != NULL)
		rpc_fail(held, RPC_REFUSED, "the next one came");
	held = call;
}

static const struct rpc_method methods[] = {
	{"echo", echo},
	{"hold", hold},
	{"status", echo},
	{NULL, NULL},
};

/* Answers as they come from the socket: the last line may be cut. */
static struct {
	char buf[1 << 20];
	size_t len;
} answers;

static void answer_check(const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, 0, NULL);

	MUST(json_is_object(o) && json_object_get(o, "id") != NULL);
	MUST((json_object_get(o, "result") != NULL) != (json_object_get(o, "error") != NULL));
	json_decref(o);
}

static void answers_check(int fd)
{
	ssize_t n = recv(
		fd, answers.buf + answers.len, sizeof(answers.buf) - answers.len, MSG_DONTWAIT);
	char *end;

	if (n <= 0)
		return;
	answers.len += (size_t)n;
	while ((end = memchr(answers.buf, '\n', answers.len)) != NULL) {
		size_t line = (size_t)(end - answers.buf) + 1;

		answer_check(answers.buf, line - 1);
		answers.len -= line;
		memmove(answers.buf, end + 1, answers.len);
	}
	MUST(answers.len < sizeof(answers.buf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct event_base *base = event_base_new();
	struct rpc_server *s;
	char why[64];
	int fds[2];

	answers.len = 0;
	signal(SIGPIPE, SIG_IGN);
	MUST(base != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	s = rpc_server_new(base, NULL, methods, NULL, why, sizeof(why));
	MUST(s != NULL && rpc_server_adopt(s, fds[1]) == 0);
	for (size_t at = 0; at < len && rpc_server_stats(s)->clients > 0;) {
		ssize_t n = send(fds[0], data + at, len - at, MSG_NOSIGNAL);

		at += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		answers_check(fds[0]);
		if (n < 0 && rpc_server_stats(s)->clients == 0)
			break;
	}
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	answers_check(fds[0]);
	close(fds[0]);
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (held != NULL)
		rpc_result(held, json_true());
	held = NULL;
	rpc_server_free(s);
	event_base_free(base);
	return 0;
}
