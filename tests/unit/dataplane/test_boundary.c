/* The boundary end to end: attach, commands, back-pressure, detach, a second epoch, bad peers. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach.h"
#include "boundary.h"
#include "doubles.h"
#include "flow.h"
#include "nexthop.h"
#include "worker.h"

#define SHARDS 2

static char path[64];

static int setup(void **state)
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

static int teardown(void **state)
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

/* --- a control --- */

struct control {
	struct attach_session s;
	char why[256];
	int rc;
	unsigned int shards;
	_Atomic bool done;
};

static const struct attach_keys keys = {{1, 2}, {3, 4}};

static void *control_main(void *arg)
{
	struct control *c = arg;

	c->rc = attach_connect(path, c->shards, &keys, &c->s, c->why, sizeof(c->why));
	atomic_store(&c->done, true);
	return NULL;
}

/* Run what boundary_fd() calls for, as the main loop does. */
static bool turn(int timeout_ms)
{
	struct pollfd p = {.fd = boundary_fd(), .events = POLLIN};

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	boundary_process();
	return true;
}

static int connect_control(struct control *c)
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

static void send_record(struct attach_group *g, void *rec, size_t len, uint16_t type)
{
	struct record_hdr *hdr = rec;
	struct str_view piece = {rec, len};

	hdr->type = type;
	hdr->version = API_VERSION;
	assert_int_equal(ring_put(&g->cmd, &piece, 1), 0);
	ring_publish(&g->cmd);
}

union event {
	struct record_hdr hdr;
	struct rec_done done;
	struct rec_stream_event stream;
	struct rec_info_end end;
	uint8_t bytes[API_RECORD_MAX];
};

static int next_event(struct attach_group *g, union event *ev)
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

/* One command and its REC_DONE. */
static int command(struct attach_group *g, void *rec, size_t len, uint16_t type)
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

#define COMMAND(g, rec, type) command(g, &(rec), sizeof(rec), type)

static void configure(struct attach_group *g)
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

static struct rec_stream_set stream(uint64_t id, uint16_t port)
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

/* --- tests --- */

static void test_attach_gives_what_it_promises(void **state)
{
	struct control c;
	struct worker_rings *w;
	union event ev;
	struct record_hdr up = {.type = REC_SIP_UP};
	struct str_view piece = {(const char *)&up, sizeof(up)};
	void *p;

	assert_int_equal(connect_control(&c), 0);
	assert_int_equal(c.s.epoch, 1);
	assert_int_equal(c.s.workers, 2);
	assert_int_equal(stats_region->attached, 1);
	w = atomic_load(&workers[0].rings);
	assert_memory_equal(&w->keys, &keys, sizeof(keys));
	assert_int_equal(next_event(&c.s.main, &ev), sizeof(struct rec_info_end));
	assert_int_equal(ev.hdr.type, REC_INFO_END);
	assert_int_equal(ev.end.streams, 0);

	/* Statistics: seen by control, not writable by it in any way. */
	stats_region->streams = 77;
	assert_int_equal(c.s.stats->streams, 77);
	stats_region->streams = 0;
	p = mmap(NULL, c.s.stats_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c.s.fds[1], 0);
	assert_ptr_equal(p, MAP_FAILED);
	assert_true(ftruncate(c.s.fds[1], 0) < 0);
	assert_true(ftruncate(c.s.fds[0], 0) < 0);

	/* Worker to shard, with a wake-up. */
	w = atomic_load(&workers[1].rings);
	assert_non_null(w);
	assert_true(ring_sleep(&c.s.shard[1].up[1]));
	assert_int_equal(ring_put(&w->up[1], &piece, 1), 0);
	assert_true(ring_publish(&w->up[1]));
	assert_int_equal(ring_get(&c.s.shard[1].up[1], &ev, sizeof(ev)), sizeof(up));
	assert_int_equal(ring_get(&c.s.shard[0].up[1], &ev, sizeof(ev)), 0);
	assert_int_equal(read(c.s.shard[1].event_fd, &ev, 8), 8);

	/* Shard to worker: shard 1 belongs to worker 1. */
	assert_int_equal(w->n_down, 1);
	assert_int_equal(w->down_shard[0], 1);
	assert_true(ring_sleep(&w->down[0]));
	assert_int_equal(ring_put(&c.s.shard[1].down, &piece, 1), 0);
	assert_true(ring_publish(&c.s.shard[1].down));
	assert_int_equal(ring_get(&w->down[0], &ev, sizeof(ev)), sizeof(up));
	assert_int_equal(read(workers[1].wake_fd, &ev, 8), 8);
	attach_fini(&c.s);
}

static void test_one_control_at_a_time(void **state)
{
	struct control first, second;

	assert_int_equal(connect_control(&first), 0);
	assert_int_equal(connect_control(&second), -EBUSY);
	assert_non_null(strstr(second.why, "another control"));
	assert_int_equal(stats_region->epoch, 1);
	attach_fini(&first.s);
	/* At once, although the end of the first was not noticed yet. */
	assert_int_equal(connect_control(&second), 0);
	assert_int_equal(second.s.epoch, 2);
	attach_fini(&second.s);
}

static int raw_connect(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void test_bad_hellos(void **state)
{
	static const struct {
		struct attach_hello h;
		size_t len;
		int status;
	} cases[] = {
		{{.magic = API_MAGIC, .version = API_VERSION + 1, .shards = 1},
			sizeof(struct attach_hello), -EPROTO},
		{{.magic = API_MAGIC, .version = 0, .shards = 1}, 6, -EPROTO},
		{{.magic = 1, .version = API_VERSION, .shards = 1}, sizeof(struct attach_hello),
			-EINVAL},
		{{.magic = API_MAGIC, .version = API_VERSION, .shards = 0},
			sizeof(struct attach_hello), -EINVAL},
		{{.magic = API_MAGIC, .version = API_VERSION, .shards = API_SHARDS_MAX + 1},
			sizeof(struct attach_hello), -EINVAL},
		{{.magic = API_MAGIC, .version = API_VERSION, .shards = 1}, 8, -EINVAL},
		{{.magic = API_MAGIC}, 3, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct attach_welcome w = {0};
		int fd = raw_connect();

		assert_int_equal(send(fd, &cases[i].h, cases[i].len, 0), cases[i].len);
		while (turn(20))
			;
		assert_int_equal(recv(fd, &w, sizeof(w), MSG_DONTWAIT), sizeof(w));
		assert_int_equal(w.status, cases[i].status);
		assert_int_equal(w.version, API_VERSION);
		assert_int_equal(recv(fd, &w, sizeof(w), MSG_DONTWAIT), 0);
		close(fd);
	}
	assert_int_equal(stats_region->attached, 0);
	assert_int_equal(stats_region->epoch, 0);
}

static void test_silent_connections_do_not_lock_control_out(void **state)
{
	struct control c;
	int fds[8];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = raw_connect();
		while (turn(5))
			;
	}
	assert_int_equal(connect_control(&c), 0);
	attach_fini(&c.s);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void test_commands_and_their_answers(void **state)
{
	struct rec_stream_del d = {.id = 9, .local = test_endpoint("192.0.2.10", 10000)};
	struct rec_stream_set r = stream(9, 10000);
	struct control c;
	union event ev;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	/* A shard's stream: answers and events come on that shard's ring. */
	assert_int_equal(COMMAND(&c.s.shard[1], r, REC_STREAM_SET), 0);
	assert_int_equal(stats_region->streams, 1);
	d.cmd.cookie = 5;
	send_record(&c.s.shard[1], &d, sizeof(d), REC_STREAM_DEL);
	assert_int_equal(next_event(&c.s.shard[1], &ev), sizeof(ev.stream));
	assert_int_equal(ev.hdr.type, REC_STREAM_GONE);
	assert_int_equal(ev.stream.id, 9);
	assert_int_equal(next_event(&c.s.shard[1], &ev), sizeof(ev.done));
	assert_int_equal(ev.done.cookie, 5);
	assert_int_equal(ev.done.status, 0);
	assert_int_equal(COMMAND(&c.s.shard[1], d, REC_STREAM_DEL), -ENOENT);
	assert_int_equal(stats_region->records_malformed, 0);
	attach_fini(&c.s);
}

/* threats.md row 28: where media must never go, in any spelling. */
static void test_forbidden_remotes(void **state)
{
	static const struct {
		const char *addr;
		int status;
	} cases[] = {{"127.0.0.1", -EACCES}, {"0.0.0.0", -EACCES}, {"224.0.0.1", -EACCES},
		{"255.255.255.255", -EACCES}, {"169.254.1.1", -EACCES}, {"::", -EACCES},
		{"::1", -EACCES}, {"ff02::1", -EACCES}, {"::ffff:127.0.0.1", -EACCES},
		{"::ffff:203.0.113.5", -EINVAL}, {"2001:db8::5", -EAFNOSUPPORT},
		{"192.0.2.10", -EACCES}, {"198.51.100.10", -EACCES}, {"203.0.113.6", 0},
		{"10.0.0.1", 0}};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_stream_set r = stream(9, 10000);
		int status;

		r.end[0].remote.addr = test_addr(cases[i].addr);
		status = COMMAND(&c.s.main, r, REC_STREAM_SET);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].addr, status);
	}
	attach_fini(&c.s);
}

static int address_v6(struct control *c, uint16_t realm, const char *addr, const char *gateway)
{
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = 64};

	if (gateway != NULL)
		a.gateway = test_addr(gateway);
	return COMMAND(&c->s.main, a, REC_ADDRESS_SET);
}

static void test_forbidden_remotes_v6(void **state)
{
	static const struct {
		const char *addr;
		int status;
	} cases[] = {{"::", -EACCES}, {"::1", -EACCES}, {"::127.0.0.1", -EACCES},
		{"::ffff:127.0.0.1", -EACCES}, {"::ffff:0.0.0.0", -EACCES},
		{"::ffff:192.0.2.10", -EACCES}, {"::ffff:203.0.113.5", -EINVAL},
		{"fe80::1", -EACCES}, {"febf::1", -EACCES}, {"ff02::1", -EACCES},
		{"ff0e::1", -EACCES}, {"2001:db8:1::10", -EACCES}, {"2001:db8:2::10", -EACCES},
		{"203.0.113.6", -EAFNOSUPPORT}, {"2001:db8:1::11", 0}, {"2001:db8:9::5", 0},
		{"fd00::1", 0}};
	struct rec_media_range_set m = {.addr = test_addr("2001:db8:1::10"),
		.realm = 0,
		.port_min = 10000,
		.port_max = 10999};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	assert_int_equal(address_v6(&c, 0, "2001:db8:1::10", NULL), 0);
	assert_int_equal(address_v6(&c, 1, "2001:db8:2::10", NULL), 0);
	assert_int_equal(COMMAND(&c.s.main, m, REC_MEDIA_RANGE_SET), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_stream_set r = stream(9, 10000);
		int status;

		r.end[0].local.addr = m.addr;
		r.end[0].allowed = test_addr("2001:db8:9::5");
		r.end[0].remote.addr = test_addr(cases[i].addr);
		status = COMMAND(&c.s.main, r, REC_STREAM_SET);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].addr, status);
	}
	attach_fini(&c.s);
}

static void test_addresses_and_gateways_v6(void **state)
{
	static const struct {
		const char *addr, *gateway;
		int status;
	} cases[] = {{"2001:db8:1::10", "fe80::1", 0}, {"2001:db8:1::10", "2001:db8:ffff::1", 0},
		{"2001:db8:1::10", "ff02::2", -EINVAL}, {"2001:db8:1::10", "::", -EINVAL},
		{"2001:db8:1::10", "::1", -EINVAL}, {"2001:db8:1::10", "192.0.2.1", -EINVAL},
		{"2001:db8:1::10", "::ffff:192.0.2.1", -EINVAL},
		{"2001:db8:1::10", "2001:db8:1::10", -EINVAL}, {"192.0.2.77", "fe80::1", -EINVAL},
		{"192.0.2.77", "169.254.0.1", -EINVAL}, {"fe80::10", NULL, -EINVAL},
		{"ff02::10", NULL, -EINVAL}, {"::1", NULL, -EINVAL},
		{"::ffff:192.0.2.77", NULL, -EINVAL}};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_address_set a = {
			.addr = test_addr(cases[i].addr), .realm = 0, .prefix_len = 24};
		int status;

		if (cases[i].gateway != NULL)
			a.gateway = test_addr(cases[i].gateway);
		status = COMMAND(&c.s.main, a, REC_ADDRESS_SET);
		if (status != cases[i].status)
			fail_msg("%s via %s: %d", cases[i].addr, cases[i].gateway, status);
	}
	attach_fini(&c.s);
}

static void test_values_out_of_range(void **state)
{
	struct control c;
	struct rec_realm_set realm = {.name = "realm", .realm = 0, .port = 0};
	struct rec_stream_set r;
	struct rec_address_set a = {.addr = test_addr("192.0.2.77"), .realm = 0, .prefix_len = 33};

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	memset(realm.name, 'x', sizeof(realm.name)); /* no NUL */
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -EINVAL);
	memcpy(realm.name, "ok", 3);
	realm.port = 5; /* no such port */
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -ENODEV);
	realm.port = 0;
	realm.realm = API_REALMS_MAX;
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -EINVAL);
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EINVAL);
	a.prefix_len = 24;
	a.addr.family = 5;
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EAFNOSUPPORT);
	a.addr = test_addr("192.0.2.77");
	a.addr.bytes[9] = 1; /* not all of the rest zero */
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EINVAL);
	a.addr = test_addr("192.0.2.77");
	a.realm = 9;
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -ENOENT);

#define REFUSED(change, code) \
	do { \
		r = stream(9, 10000); \
		change; \
		assert_int_equal(COMMAND(&c.s.main, r, REC_STREAM_SET), code); \
	} while (0)
	REFUSED(r.kind = STREAM_KIND_COUNT, -EINVAL);
	REFUSED(r.end[0].flags = 0x80, -EINVAL);
	REFUSED(r.end[0].local.port = 0, -EINVAL);
	REFUSED(r.end[0].remote.port = 0, -EINVAL);
	REFUSED(r.end[1].remote.port = 1, -EINVAL);
	REFUSED(r.end[0].prefix_len = 33, -EINVAL);
	REFUSED(r.end[0].realm = 77, -ENOENT);
	REFUSED(r.end[0].realm = API_REALMS_MAX, -EINVAL);
	REFUSED(r.end[0].allowed = test_addr("2001:db8::1"), -EAFNOSUPPORT);
	assert_int_equal(stats_region->streams, 0);
	attach_fini(&c.s);
}

static void test_malformed_records_are_counted_and_dropped(void **state)
{
	struct rec_sync sync = {0};
	struct rec_stream_set r = stream(9, 10000);
	struct control c;
	union event ev;
	uint32_t seed = 7;

	assert_int_equal(connect_control(&c), 0);
	assert_true(next_event(&c.s.main, &ev) > 0); /* the end of the dump */
	send_record(&c.s.main, &sync, sizeof(sync), REC_NONE);
	send_record(&c.s.main, &sync, sizeof(sync), REC_DONE);
	send_record(&c.s.main, &sync, sizeof(sync), 0xffff);
	send_record(&c.s.main, &sync, sizeof(struct record_hdr), REC_SYNC);
	send_record(&c.s.main, &r, sizeof(r) - 8, REC_STREAM_SET);
	send_record(&c.s.main, &r, sizeof(r), REC_SYNC);
	assert_int_equal(next_event(&c.s.main, &ev), 0);
	assert_int_equal(stats_region->records_malformed, 6);

	/* Noise over the whole ring, cursors included: the other side stays up and sane. */
	for (unsigned int round = 0; round < 200; round++) {
		uint8_t *bytes = (uint8_t *)c.s.main.cmd.shared;

		for (size_t i = 0; i < 256 + 4096; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		c.s.main.cmd.shared->asleep = 0;
		boundary_process();
	}
	assert_true(stats_region->records_malformed > 100);
	/* The other groups are served as ever. */
	assert_int_equal(COMMAND(&c.s.shard[0], sync, REC_SYNC), 0);
	attach_fini(&c.s);
}

static void test_full_event_ring_holds_commands_back(void **state)
{
	struct control c;
	unsigned int sent = 0, answered = 0, quiet = 0;
	union event ev;

	assert_int_equal(connect_control(&c), 0);
	assert_true(next_event(&c.s.main, &ev) > 0);
	/* Nobody reads events: the command ring fills up, nobody waits for anybody. */
	for (;;) {
		struct rec_sync sync = {
			.cmd = {.hdr = {.type = REC_SYNC, .version = API_VERSION}, .cookie = sent}};
		struct str_view piece = {(const char *)&sync, sizeof(sync)};

		if (ring_put(&c.s.main.cmd, &piece, 1) < 0) {
			boundary_process();
			if (ring_put(&c.s.main.cmd, &piece, 1) < 0 && ++quiet > 5)
				break;
			if (quiet > 0)
				continue;
		}
		ring_publish(&c.s.main.cmd);
		sent++;
		quiet = 0;
	}
	assert_true(ring_free_percent(&c.s.main.cmd) < 10);
	/* Every command is answered in the end, in order. */
	while (next_event(&c.s.main, &ev) > 0) {
		assert_int_equal(ev.hdr.type, REC_DONE);
		assert_int_equal(ev.done.cookie, answered);
		answered++;
	}
	assert_true(answered == sent || answered == sent + 1);
	attach_fini(&c.s);
}

static void test_media_outlives_control(void **state)
{
	struct rec_stream_set r = stream(0x1234, 10000);
	unsigned int waits;
	struct control c;
	union event ev;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	assert_int_equal(COMMAND(&c.s.shard[0], r, REC_STREAM_SET), 0);
	waits = graces;
	attach_fini(&c.s);
	while (turn(20))
		;
	assert_null(atomic_load(&workers[0].rings));
	assert_null(atomic_load(&workers[1].rings));
	assert_true(graces > waits);
	assert_int_equal(stats_region->attached, 0);
	assert_int_equal(stats_region->streams, 1);

	assert_int_equal(connect_control(&c), 0);
	assert_int_equal(c.s.epoch, 2);
	assert_int_equal(next_event(&c.s.main, &ev), sizeof(ev.stream));
	assert_int_equal(ev.hdr.type, REC_STREAM_INFO);
	assert_int_equal(ev.stream.id, 0x1234);
	assert_int_equal(ev.stream.epoch, 1);
	assert_true(next_event(&c.s.main, &ev) > 0);
	assert_int_equal(ev.hdr.type, REC_INFO_END);
	assert_int_equal(ev.end.streams, 1);
	/* Claimed under the new epoch. */
	configure(&c.s.main);
	assert_int_equal(COMMAND(&c.s.shard[1], r, REC_STREAM_SET), 0);
	assert_int_equal(stats_region->streams, 1);
	attach_fini(&c.s);
}

static void test_socket_file(void **state)
{
	struct stat st;
	char other[80];
	int fd;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* Ours is alive: a second dataplane keeps off. */
	int before = boundary_fd();

	assert_true(before >= 0);
	snprintf(other, sizeof(other), "%s.old", path);
	boundary_fini();
	assert_int_not_equal(stat(path, &st), 0);

	/* What a dead one left is replaced; a file that is no socket is not. */
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(boundary_init(path), -EADDRINUSE);
	close(fd);
	assert_int_equal(boundary_init(path), 0);
	boundary_fini();
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(boundary_init(path), -EEXIST);
	unlink(path);
	assert_int_equal(boundary_init(path), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_attach_gives_what_it_promises),
		T(test_one_control_at_a_time),
		T(test_bad_hellos),
		T(test_silent_connections_do_not_lock_control_out),
		T(test_commands_and_their_answers),
		T(test_forbidden_remotes),
		T(test_forbidden_remotes_v6),
		T(test_addresses_and_gateways_v6),
		T(test_values_out_of_range),
		T(test_malformed_records_are_counted_and_dropped),
		T(test_full_event_ring_holds_commands_back),
		T(test_media_outlives_control),
		T(test_socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
