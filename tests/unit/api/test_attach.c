/* Control's side of attach against a dataplane that lies: every welcome is checked. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach.h"
#include "stats.h"

#define FLOWS 4
#define FLOW_OFFSET ((sizeof(struct stats) + 63) & ~63ul)
#define RINGS_MAX 8

/* A welcome for one worker and one shard, as a test wants it spoiled. */
struct fake {
	struct {
		struct attach_welcome w;
		struct attach_ring rings[RINGS_MAX];
	} msg;
	size_t len;
	int seals;
	unsigned int n_fds;
	struct stats stats;
	off_t rings_bytes, stats_bytes;
	bool silent; /* close without a word */
};

typedef void (*spoil_fn)(struct fake *f);

static char path[64];

static void add_ring(struct fake *f, enum ring_kind kind, uint8_t shard, uint32_t size)
{
	unsigned int n = f->msg.w.n_rings++;

	f->msg.rings[n] = (struct attach_ring){.offset = (uint64_t)f->rings_bytes,
		.size = size,
		.kind = (uint8_t)kind,
		.shard = shard};
	f->rings_bytes += (off_t)((ring_footprint(size) + 4095) & ~4095ull);
}

static void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->msg.w = (struct attach_welcome){
		.magic = API_MAGIC, .version = API_VERSION, .workers = 1, .epoch = 3, .shards = 1};
	add_ring(f, RING_CMD, ATTACH_SHARD_MAIN, 4096);
	add_ring(f, RING_EVENT, ATTACH_SHARD_MAIN, 4096);
	add_ring(f, RING_CMD, 0, 4096);
	add_ring(f, RING_EVENT, 0, 4096);
	add_ring(f, RING_DOWN, 0, 8192);
	add_ring(f, RING_UP, 0, 8192);
	f->stats_bytes = FLOW_OFFSET + FLOWS * sizeof(struct stats_flow);
	f->msg.w.rings_bytes = (uint64_t)f->rings_bytes;
	f->msg.w.stats_bytes = (uint64_t)f->stats_bytes;
	f->len = sizeof(f->msg.w) + 6 * sizeof(struct attach_ring);
	f->seals = F_SEAL_SHRINK;
	f->n_fds = 6;
	f->stats.magic = API_MAGIC;
	f->stats.version = API_VERSION;
	f->stats.flow_offset = FLOW_OFFSET;
	f->stats.flows = FLOWS;
}

static int memory(off_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, bytes), 0);
	if (seals != 0)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void answer(int fd, const struct fake *f)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 8)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)&f->msg, .iov_len = f->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[8];

	fds[0] = memory(f->rings_bytes, f->seals);
	fds[1] = memory(f->stats_bytes, 0);
	assert_true(pwrite(fds[1], &f->stats, sizeof(f->stats), 0) > 0);
	assert_int_equal(fcntl(fds[1], F_ADD_SEALS, F_SEAL_SHRINK), 0);
	for (unsigned int i = 2; i < f->n_fds; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	if (f->n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(f->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(f->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, f->n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), f->len);
	for (unsigned int i = 0; i < f->n_fds || i < 2; i++)
		close(fds[i]);
}

static const struct attach_keys keys = {{1, 2}, {3, 4}};

struct server {
	int listen_fd;
	struct fake fake;
};

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct attach_hello h;
	int fd = accept(s->listen_fd, NULL, NULL);

	if (recv(fd, &h, sizeof(h), 0) == sizeof(h) && memcmp(&h.keys, &keys, sizeof(keys)) == 0 &&
		!s->fake.silent)
		answer(fd, &s->fake);
	close(fd);
	return NULL;
}

static int attach_to(struct fake *f, struct attach_session *s, char *why, size_t why_size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct server server = {.fake = *f};
	pthread_t t;
	int rc;

	snprintf(path, sizeof(path), "/tmp/sallyport-attach-%d.sock", (int)getpid());
	unlink(path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	server.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(server.listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(server.listen_fd, 1), 0);
	assert_int_equal(pthread_create(&t, NULL, server_main, &server), 0);
	why[0] = '\0';
	rc = attach_connect(path, 1, &keys, s, why, why_size);
	pthread_join(t, NULL);
	close(server.listen_fd);
	unlink(path);
	return rc;
}

static void nothing(struct fake *f)
{
}

static void no_word(struct fake *f)
{
	f->silent = true;
}

static void short_message(struct fake *f)
{
	f->len = 20;
	f->n_fds = 0;
}

static void wrong_magic(struct fake *f)
{
	f->msg.w.magic = 1;
}

static void newer(struct fake *f)
{
	f->msg.w.version = API_VERSION + 1;
}

static void busy(struct fake *f)
{
	f->msg.w.status = -EBUSY;
	f->len = sizeof(f->msg.w);
	f->n_fds = 0;
}

static void strange_status(struct fake *f)
{
	f->msg.w.status = INT32_MIN;
}

static void too_many_workers(struct fake *f)
{
	f->msg.w.workers = API_WORKERS_MAX + 1;
}

static void other_shards(struct fake *f)
{
	f->msg.w.shards = 2;
}

static void ring_missing(struct fake *f)
{
	f->msg.w.n_rings--;
	f->len -= sizeof(struct attach_ring);
}

static void message_too_short_for_rings(struct fake *f)
{
	f->len -= sizeof(struct attach_ring);
}

static void ring_twice(struct fake *f)
{
	f->msg.rings[5] = f->msg.rings[4];
}

static void ring_beyond(struct fake *f)
{
	f->msg.rings[5].offset = (uint64_t)f->rings_bytes - 4096;
}

static void ring_far_beyond(struct fake *f)
{
	f->msg.rings[5].offset = UINT64_MAX - 63;
}

static void ring_unaligned(struct fake *f)
{
	f->msg.rings[0].offset = 8;
}

static void ring_no_power_of_two(struct fake *f)
{
	f->msg.rings[0].size = 4097;
}

static void ring_huge(struct fake *f)
{
	f->msg.rings[0].size = 0x80000000u;
}

static void ring_of_other_shard(struct fake *f)
{
	f->msg.rings[5].shard = 1;
}

static void ring_of_other_worker(struct fake *f)
{
	f->msg.rings[5].worker = 1;
}

static void ring_of_no_kind(struct fake *f)
{
	f->msg.rings[5].kind = RING_KIND_COUNT;
}

static void up_ring_of_main(struct fake *f)
{
	f->msg.rings[5].shard = ATTACH_SHARD_MAIN;
}

static void no_seal(struct fake *f)
{
	f->seals = 0;
}

static void fewer_fds(struct fake *f)
{
	f->n_fds = 5;
}

static void more_fds(struct fake *f)
{
	f->n_fds = 7;
}

static void no_fds(struct fake *f)
{
	f->n_fds = 0;
}

static void rings_size_lies(struct fake *f)
{
	f->msg.w.rings_bytes += 4096;
}

static void stats_size_lies(struct fake *f)
{
	f->msg.w.stats_bytes += 4096;
}

static void stats_too_small(struct fake *f)
{
	f->stats_bytes = 4096;
	f->msg.w.stats_bytes = 4096;
}

static void stats_version(struct fake *f)
{
	f->stats.version = 0;
}

static void stats_flows_beyond(struct fake *f)
{
	f->stats.flows = FLOWS + 1;
}

static void stats_offset_unaligned(struct fake *f)
{
	f->stats.flow_offset += 8;
	f->stats.flows = 1;
}

static void stats_offset_beyond(struct fake *f)
{
	f->stats.flow_offset = UINT64_MAX - 63;
}

static void test_welcomes(void **state)
{
#define CASE(fn, rc) \
	{ \
#fn, fn, rc \
	}
	static const struct {
		const char *name;
		spoil_fn spoil;
		int rc;
	} cases[] = {CASE(nothing, 0), CASE(no_word, -ECONNRESET), CASE(short_message, -EBADMSG),
		CASE(wrong_magic, -EBADMSG), CASE(newer, -EPROTO), CASE(busy, -EBUSY),
		CASE(strange_status, -EBADMSG), CASE(too_many_workers, -EBADMSG),
		CASE(other_shards, -EBADMSG), CASE(ring_missing, -EBADMSG),
		CASE(message_too_short_for_rings, -EBADMSG), CASE(ring_twice, -EBADMSG),
		CASE(ring_beyond, -EBADMSG), CASE(ring_far_beyond, -EBADMSG),
		CASE(ring_unaligned, -EBADMSG), CASE(ring_no_power_of_two, -EBADMSG),
		CASE(ring_huge, -EBADMSG), CASE(ring_of_other_shard, -EBADMSG),
		CASE(ring_of_other_worker, -EBADMSG), CASE(ring_of_no_kind, -EBADMSG),
		CASE(up_ring_of_main, -EBADMSG), CASE(no_seal, -EBADMSG), CASE(fewer_fds, -EBADMSG),
		CASE(more_fds, -EBADMSG), CASE(no_fds, -EBADMSG), CASE(rings_size_lies, -EBADMSG),
		CASE(stats_size_lies, -EBADMSG), CASE(stats_too_small, -EBADMSG),
		CASE(stats_version, -EBADMSG), CASE(stats_flows_beyond, -EBADMSG),
		CASE(stats_offset_beyond, -EBADMSG), CASE(stats_offset_unaligned, -EBADMSG)};
	static struct attach_session s;
	char why[256];
	int first = dup(0);

	close(first);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static struct fake f;
		int fd, rc;

		fake_init(&f);
		cases[i].spoil(&f);
		rc = attach_to(&f, &s, why, sizeof(why));
		if (rc != cases[i].rc)
			fail_msg("%s: %d instead of %d (%s)", cases[i].name, rc, cases[i].rc, why);
		if (rc == 0) {
			assert_int_equal(s.epoch, 3);
			assert_int_equal(s.shard[0].up[0].size, 8192);
			assert_int_equal(s.shard[0].down.event_fd, s.fds[3]);
			assert_int_equal(s.main.cmd.event_fd, s.fds[2]);
			assert_int_equal(s.main.event_fd, s.fds[4]);
			assert_int_equal(s.shard[0].event_fd, s.fds[5]);
			attach_fini(&s);
		} else {
			assert_true(strlen(why) > 10);
		}
		/* Nothing stays open, whatever came. */
		fd = dup(0);
		assert_int_equal(fd, first);
		close(fd);
	}
}

static void test_nobody_there(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	static struct attach_session s;
	char why[256], longer[200];
	int fd;

	snprintf(path, sizeof(path), "/tmp/sallyport-attach-%d.none", (int)getpid());
	assert_int_equal(attach_connect(path, 1, &keys, &s, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "start sallyport-dataplane"));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(attach_connect(path, 1, &keys, &s, why, sizeof(why)), -ECONNREFUSED);
	close(fd);
	unlink(path);
	assert_int_equal(attach_connect(path, 0, &keys, &s, why, sizeof(why)), -EINVAL);
	assert_int_equal(
		attach_connect(path, API_SHARDS_MAX + 1, &keys, &s, why, sizeof(why)), -EINVAL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(attach_connect(longer, 1, &keys, &s, why, sizeof(why)), -EINVAL);
}

/* A dataplane that is stopped accepts (the kernel does) but does not answer. */
static void test_timeout(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	static struct attach_session s;
	char why[256];
	int fd;

	snprintf(path, sizeof(path), "/tmp/sallyport-attach-%d.slow", (int)getpid());
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(attach_connect(path, 1, &keys, &s, why, sizeof(why)), -ETIMEDOUT);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_welcomes),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
