/*
 * The control socket: every kind of request and what it gets, the bounds on clients,
 * and the socket file itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc.h"
#include "rpc_socket.h"

static struct rpc_call *held[RPC_PENDING_MAX * 2];
static unsigned int n_held;

static void echo(void *ctx, struct rpc_call *call, const json_t *params)
{
	rpc_result(call, params != NULL ? json_deep_copy(params) : json_string("nothing"));
}

static void refuse(void *ctx, struct rpc_call *call, const json_t *params)
{
	rpc_fail(call, RPC_NOT_FOUND, "no such %s", "thing");
}

static void hold(void *ctx, struct rpc_call *call, const json_t *params)
{
	assert_true(n_held < ARRAY_LEN(held));
	held[n_held++] = call;
}

static void big(void *ctx, struct rpc_call *call, const json_t *params)
{
	static char text[1 << 20];

	memset(text, 'x', sizeof(text));
	rpc_result(call, json_stringn(text, sizeof(text)));
}

static const struct rpc_method methods[] = {
	{"echo", echo},
	{"refuse", refuse},
	{"hold", hold},
	{"big", big},
	{NULL, NULL},
};

struct bed {
	struct event_base *base;
	struct rpc_server *server;
	int fd; /* the client's end */
};

static void turn(struct bed *b)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static int connect_one(struct bed *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (rpc_server_adopt(b->server, fds[1]) < 0) {
		close(fds[0]);
		return -1;
	}
	return fds[0];
}

static int setup(void **state)
{
	static struct bed b;
	char why[256];

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	n_held = 0;
	b.base = event_base_new();
	b.server = rpc_server_new(b.base, NULL, methods, &b, why, sizeof(why));
	assert_non_null(b.server);
	b.fd = connect_one(&b);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	if (b->fd >= 0)
		close(b->fd);
	rpc_server_free(b->server);
	event_base_free(b->base);
	return 0;
}

static void say(struct bed *b, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(b->fd, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return;
		}
		turn(b);
	}
	turn(b);
}

/* What came back so far. */
static const char *hear(struct bed *b)
{
	static char buf[65536];
	ssize_t n;

	turn(b);
	n = recv(b->fd, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static bool is_closed(struct bed *b)
{
	char byte;

	turn(b);
	/* ECONNRESET: closed with bytes of ours unread. */
	return recv(b->fd, &byte, 1, 0) == 0 || errno == ECONNRESET;
}

struct exchange {
	const char *request, *answer; /* without their ends of line; "" is no answer */
};

static const struct exchange exchanges[] = {
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"a\":1}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}"},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":\"nothing\"}"},
	{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"refuse\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"no such "
		"thing\"}}"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", ""}, /* a notification */
	{"{\"jsonrpc\":\"2.0\",\"method\":\"nosuch\"}", ""},
	{"", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"nosuch\"}", "-32601"},
	{"nonsense", "-32700"},
	{"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"echo\"", "-32700"},
	{"{\"a\":1,\"a\":2}", "-32700"},
	{"\xff\xfe", "-32700"},
	{"[]", "-32600"},
	{"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]", "-32600"}, /* no batches */
	{"null", "-32700"},
	{"{}", "-32600"},
	{"{\"jsonrpc\":\"1.0\",\"id\":4,\"method\":\"echo\"}", "-32600"},
	{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}", "-32600"},
	{"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":7}", "-32600"},
	{"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"echo\",\"params\":[1]}", "-32600"},
};

static void expect_answer(const struct exchange *x, const char *got)
{
	size_t len = strlen(got);

	if (x->answer[0] == '\0') {
		assert_string_equal(got, "");
		return;
	}
	if (strstr(got, x->answer) == NULL || strchr(got, '\n') != got + len - 1)
		fail_msg("%s: got %s, want %s", x->request, got, x->answer);
}

static void test_exchanges(void **state)
{
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		say(b, exchanges[i].request, strlen(exchanges[i].request));
		assert_string_equal(hear(b), "");
		say(b, "\n", 1);
		expect_answer(&exchanges[i], hear(b));
	}
	assert_int_equal(rpc_server_stats(b->server)->clients, 1);
}

static void test_split_at_every_byte(void **state)
{
	struct bed *b = *state;
	char line[256];

	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		int n = snprintf(line, sizeof(line), "%s\n", exchanges[i].request);

		for (int at = 0; at < n; at++)
			say(b, line + at, 1);
		expect_answer(&exchanges[i], hear(b));
	}
}

static void test_several_in_one_write(void **state)
{
	static const char two[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\"}\n";
	struct bed *b = *state;
	const char *got;

	say(b, two, strlen(two));
	got = hear(b);
	assert_non_null(strstr(got, "\"id\":1"));
	assert_non_null(strstr(got, "\"id\":2"));
}

static void test_long_line_closes(void **state)
{
	struct bed *b = *state;
	static char line[RPC_LINE_MAX + 10];

	memset(line, ' ', sizeof(line));
	say(b, line, sizeof(line));
	assert_true(is_closed(b));
	assert_int_equal(rpc_server_stats(b->server)->closed, 1);
	assert_int_equal(rpc_server_stats(b->server)->clients, 0);
}

static void test_too_many_clients(void **state)
{
	struct bed *b = *state;
	int fds[RPC_CLIENTS_MAX];

	for (unsigned int i = 1; i < RPC_CLIENTS_MAX; i++)
		assert_true((fds[i] = connect_one(b)) >= 0);
	assert_int_equal(connect_one(b), -1);
	assert_int_equal(rpc_server_stats(b->server)->refused_clients, 1);
	close(fds[1]);
	turn(b);
	fds[1] = connect_one(b);
	assert_true(fds[1] >= 0);
	for (unsigned int i = 1; i < RPC_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void test_too_many_requests(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n";
	struct bed *b = *state;

	for (unsigned int i = 0; i < RPC_PENDING_MAX; i++)
		say(b, request, strlen(request));
	assert_string_equal(hear(b), "");
	say(b, request, strlen(request));
	assert_non_null(strstr(hear(b), "-32000"));
	assert_int_equal(n_held, RPC_PENDING_MAX);
	for (unsigned int i = 0; i < n_held; i++)
		rpc_result(held[i], json_true());
	assert_non_null(strstr(hear(b), "true"));
	say(b, request, strlen(request));
	assert_int_equal(n_held, RPC_PENDING_MAX + 1);
	rpc_result(held[n_held - 1], NULL);
	assert_non_null(strstr(hear(b), "-32603"));
}

static void test_client_gone_before_its_answer(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n";
	struct bed *b = *state;

	say(b, request, strlen(request));
	assert_int_equal(n_held, 1);
	close(b->fd);
	b->fd = -1;
	turn(b);
	rpc_result(held[0], json_true());
	turn(b);
	assert_int_equal(rpc_server_stats(b->server)->clients, 0);
}

/* `echo ... | nc -N -U socket`: the answer comes though the client writes no more. */
static void test_half_closed_client_is_answered(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n";
	struct bed *b = *state;

	say(b, request, strlen(request));
	shutdown(b->fd, SHUT_WR);
	turn(b);
	rpc_result(held[0], json_true());
	assert_non_null(strstr(hear(b), "\"result\":true"));
	assert_true(is_closed(b));
}

static void test_answers_owed_when_the_server_ends(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n";
	struct bed *b = *state;
	char why[256];

	say(b, request, strlen(request));
	assert_int_equal(n_held, 1);
	rpc_server_free(b->server);
	rpc_fail(held[0], RPC_REFUSED, "late");
	b->server = rpc_server_new(b->base, NULL, methods, b, why, sizeof(why));
	assert_non_null(b->server);
}

static void test_client_that_does_not_read_is_closed(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\"}\n";
	struct bed *b = *state;

	for (unsigned int i = 0; i < 64 && rpc_server_stats(b->server)->clients > 0; i++)
		say(b, request, strlen(request));
	assert_int_equal(rpc_server_stats(b->server)->clients, 0);
	assert_int_equal(rpc_server_stats(b->server)->closed, 1);
}

static void test_socket_file(void **state)
{
	char dir[] = "/tmp/sallyport-rpc-XXXXXX", path[64], why[256] = "";
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct bed *b = *state;
	struct rpc_server *s;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/new/control.sock", dir);
	s = rpc_server_new(b->base, path, methods, b, why, sizeof(why));
	if (s == NULL)
		fail_msg("%s", why);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(rpc_server_new(b->base, path, methods, b, why, sizeof(why)));
	assert_non_null(strstr(why, "another sallyport-control"));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(rpc_socket_peer_allowed(fd));
	turn(b);
	assert_int_equal(rpc_server_stats(s)->clients, 1);
	close(fd);
	rpc_server_free(s);
	assert_int_equal(stat(path, &st), -1);
	/* One that a crash left behind is taken over. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	s = rpc_server_new(b->base, path, methods, b, why, sizeof(why));
	assert_non_null(s);
	rpc_server_free(s);
	/* What is no socket is left alone. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_null(rpc_server_new(b->base, path, methods, b, why, sizeof(why)));
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new", dir);
	rmdir(path);
	rmdir(dir);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED(test_exchanges),
		BED(test_split_at_every_byte),
		BED(test_several_in_one_write),
		BED(test_long_line_closes),
		BED(test_too_many_clients),
		BED(test_too_many_requests),
		BED(test_client_gone_before_its_answer),
		BED(test_half_closed_client_is_answered),
		BED(test_answers_owed_when_the_server_ends),
		BED(test_client_that_does_not_read_is_closed),
		BED(test_socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
