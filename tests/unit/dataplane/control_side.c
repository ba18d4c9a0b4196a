#include "control_side.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "flow.h"
#include "nexthop.h"
#include "worker.h"

char path[64];
const struct attach_keys keys = {{1, 2}, {3, 4}};

int setup(void **state)
{
	snprintf(path, sizeof(path), "/tmp/sallyport-%d.sock", (int)getpid());
	dataplane_setup(64);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(64, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	n_workers = 2;
	for (unsigned int i = 0; i < n_workers; i++) {
		workers[i].wake_fd = eventfd(0, EFD_NONBLOCK);
		atomic_store(&workers[i].rings, NULL);
	}
	assert_int_equal(boundary_init(path), 0);
	return 0;
}

int teardown(void **state)
{
	boundary_fini();
	for (unsigned int i = 0; i < n_workers; i++) {
		assert_null(atomic_load(&workers[i].rings));
		close(workers[i].wake_fd);
	}
	n_workers = 0;
	stream_fini();
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

void *control_main(void *arg)
{
	struct control *c = arg;

	c->rc = attach_connect(path, c->shards, &keys, &c->s, c->why, sizeof(c->why));
	atomic_store(&c->done, true);
	return NULL;
}

bool turn(int timeout_ms)
{
	struct pollfd p = {.fd = boundary_fd(), .events = POLLIN};

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	boundary_process();
	return true;
}

int connect_control(struct control *c)
{
	pthread_t t;

	memset(c, 0, sizeof(*c));
	c->shards = SHARDS;
	assert_int_equal(pthread_create(&t, NULL, control_main, c), 0);
	while (!atomic_load(&c->done))
		turn(10);
	pthread_join(t, NULL);
	while (turn(0))
		;
	return c->rc;
}

void send_record(struct attach_group *g, void *rec, size_t len, uint16_t type)
{
	struct record_hdr *hdr = rec;
	struct str_view piece = {rec, len};

	hdr->type = type;
	hdr->version = API_VERSION;
	assert_int_equal(ring_put(&g->cmd, &piece, 1), 0);
	ring_publish(&g->cmd);
}

int next_event(struct attach_group *g, union event *ev)
{
	for (unsigned int i = 0; i < 50; i++) {
		int n = ring_get(&g->event, ev, sizeof(*ev));

		ring_release(&g->event);
		if (n != 0)
			return n;
		turn(10);
	}
	return 0;
}

int command(struct attach_group *g, void *rec, size_t len, uint16_t type)
{
	static uint64_t cookie = 1000;
	struct cmd_hdr *cmd = rec;
	union event ev;

	cmd->cookie = ++cookie;
	send_record(g, rec, len, type);
	do {
		assert_true(next_event(g, &ev) > 0);
	} while (ev.hdr.type != REC_DONE);
	assert_int_equal(ev.done.cookie, cookie);
	assert_int_equal(ev.done.command, type);
	return ev.done.status;
}

void configure(struct attach_group *g)
{
	static const char *const addrs[] = {"192.0.2.10", "198.51.100.10"};
	struct rec_sync sync = {0};

	for (uint16_t i = 0; i < 2; i++) {
		struct rec_realm_set r = {.name = "realm", .realm = i, .port = i};
		struct rec_address_set a = {
			.addr = test_addr(addrs[i]), .realm = i, .prefix_len = 24};
		struct rec_media_range_set m = {
			.addr = a.addr, .realm = i, .port_min = 10000, .port_max = 10999};

		assert_int_equal(COMMAND(g, r, REC_REALM_SET), 0);
		assert_int_equal(COMMAND(g, a, REC_ADDRESS_SET), 0);
		assert_int_equal(COMMAND(g, m, REC_MEDIA_RANGE_SET), 0);
	}
	assert_int_equal(COMMAND(g, sync, REC_SYNC), 0);
}

struct rec_stream_set stream(uint64_t id, uint16_t port)
{
	struct rec_stream_set r = {.id = id, .kind = STREAM_RTP};

	r.end[0] = (struct stream_end){.local = test_endpoint("192.0.2.10", port),
		.remote = test_endpoint("203.0.113.5", 4000),
		.allowed = test_addr("203.0.113.5"),
		.prefix_len = 32,
		.flags = STREAM_END_RECEIVE};
	r.end[1] = (struct stream_end){.local = test_endpoint("198.51.100.10", port),
		.realm = 1,
		.flags = STREAM_END_RECEIVE};
	return r;
}
