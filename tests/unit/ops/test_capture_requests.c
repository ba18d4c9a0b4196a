/* `sally capture stop` while the disk is slow, with a double of the link to the dataplane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture_requests.h"
#include "control.h"

static struct stats stats = {.capture.state = CAPTURE_WRITING};
static dataplane_link_done_fn asked;
static void *asked_ctx;

const struct stats *dataplane_link_stats_map(const struct dataplane_link *l)
{
	return &stats;
}

const char *dataplane_link_why(const struct dataplane_link *l)
{
	return "";
}

int dataplane_link_ask(struct dataplane_link *l, struct cmd_hdr *cmd, size_t len,
	dataplane_link_done_fn done, void *ctx)
{
	asked = done;
	asked_ctx = ctx;
	return 0;
}

uint64_t shard_clock_ms(void)
{
	return 1000;
}

static const struct rpc_method methods[] = {{"capture_stop", capture_stop_request}, {NULL, NULL}};

/* The program ends when the dataplane has answered, or (`done` false) before: nothing is left that
 * waits, and no timer of it (the memory is for the sanitizers to miss). */
static void end_while_stopping(bool done)
{
	static const char line[] =
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"capture_stop\"}\n";
	struct control c = {.base = event_base_new()};
	char why[256];
	int fds[2];

	assert_non_null(c.base);
	c.rpc = rpc_server_new(c.base, NULL, methods, &c, why, sizeof(why));
	assert_non_null(c.rpc);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(rpc_server_adopt(c.rpc, fds[1]), 0);
	assert_int_equal(write(fds[0], line, sizeof(line) - 1), sizeof(line) - 1);
	asked = NULL;
	for (unsigned int i = 0; i < 100 && asked == NULL; i++)
		event_base_loop(c.base, EVLOOP_ONCE);
	assert_non_null(asked);
	if (done)
		asked(asked_ctx, 0);
	assert_int_equal(c.capture_stops != NULL, done);
	rpc_server_free(c.rpc);
	capture_requests_fini(&c);
	if (!done)
		asked(asked_ctx, -ENOTCONN); /* as the link does when it goes */
	assert_null(c.capture_stops);
	event_base_loop(c.base, EVLOOP_NONBLOCK); /* what the closed socket left behind */
	assert_int_equal(event_base_get_num_events(c.base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(c.base);
	close(fds[0]);
}

static void test_end_while_stopping(void **state)
{
	end_while_stopping(true);
	end_while_stopping(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_end_while_stopping)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
