/* The boundary end to end: attach, back-pressure, detach, a second epoch, bad peers. */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_side.h"
#include "flow.h"
#include "worker.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_attach_gives_what_it_promises),
		T(test_one_control_at_a_time),
		T(test_bad_hellos),
		T(test_silent_connections_do_not_lock_control_out),
		T(test_full_event_ring_holds_commands_back),
		T(test_media_outlives_control),
		T(test_socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
