#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "boundary.h"
#include "boundary_priv.h"
#include "log.h"
#include "wakeup.h"
#include "worker.h"

struct session session = {.fd = -1, .rings_fd = -1, .wake_fd = -1};

/* The welcome as it goes out, and how far the ring memory is handed out. */
struct welcome_draft {
	struct attach_welcome head;
	struct attach_ring rings[ATTACH_RINGS_MAX];
	uint64_t bytes;
	struct attach_keys keys;
};

static void draft_ring(
	struct welcome_draft *d, enum ring_kind kind, uint8_t shard, uint8_t worker, uint32_t size)
{
	d->rings[d->head.n_rings++] = (struct attach_ring){.offset = d->bytes,
		.size = size,
		.kind = (uint8_t)kind,
		.shard = shard,
		.worker = worker};
	/* Next one on a page of its own. */
	d->bytes += (ring_footprint(size) + 4095) & ~4095ull;
}

static void draft_layout(struct welcome_draft *d, uint16_t shards)
{
	for (unsigned int g = 0; g <= shards; g++) {
		uint8_t shard = g == 0 ? ATTACH_SHARD_MAIN : (uint8_t)(g - 1);

		draft_ring(d, RING_CMD, shard, 0, ATTACH_CMD_BYTES);
		draft_ring(d, RING_EVENT, shard, 0, ATTACH_EVENT_BYTES);
	}
	for (unsigned int s = 0; n_workers > 0 && s < shards; s++) {
		draft_ring(d, RING_DOWN, (uint8_t)s, (uint8_t)(s % n_workers), ATTACH_DOWN_BYTES);
		for (unsigned int w = 0; w < n_workers; w++)
			draft_ring(d, RING_UP, (uint8_t)s, (uint8_t)w, ATTACH_UP_BYTES);
	}
}

static int session_map(uint64_t bytes)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	session.rings_fd = memfd_create("sallyport-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (session.rings_fd < 0)
		return -errno;
	/* Allocated now: a page that cannot be had later would be a SIGBUS in a worker. */
	if (fallocate(session.rings_fd, 0, 0, (off_t)bytes) < 0 ||
		fcntl(session.rings_fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	session.rings = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		session.rings_fd, 0);
	if (session.rings == MAP_FAILED) {
		session.rings = NULL;
		return -errno;
	}
	session.rings_bytes = bytes;
	return 0;
}

static int session_make_fds(uint16_t shards)
{
	session.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (session.wake_fd < 0)
		return -errno;
	for (unsigned int g = 0; g <= shards; g++) {
		int rc = wakeup_open(session.group_fd[g]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The handle that this side uses for a ring of the layout. */
static struct ring *session_handle(const struct attach_ring *a, int *event_fd)
{
	unsigned int g = a->shard == ATTACH_SHARD_MAIN ? 0 : a->shard + 1u;
	struct worker_rings *w = session.worker[a->worker];

	*event_fd = -1;
	switch ((enum ring_kind)a->kind) {
	case RING_CMD:
		session.group[g].id = a->shard;
		return &session.group[g].cmd;
	case RING_EVENT:
		*event_fd = session.group_fd[g][1];
		return &session.group[g].event;
	case RING_UP:
		*event_fd = session.group_fd[g][1];
		return &w->up[a->shard];
	default:
		w->down_shard[w->n_down] = a->shard;
		return &w->down[w->n_down++];
	}
}

static int session_bind(const struct welcome_draft *d)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		struct worker_rings *w = calloc(1, sizeof(*w));

		if (w == NULL)
			return -ENOMEM;
		w->epoch = d->head.epoch;
		w->shards = d->head.shards;
		w->keys = d->keys;
		session.worker[i] = w;
	}
	for (unsigned int i = 0; i < d->head.n_rings; i++) {
		const struct attach_ring *a = &d->rings[i];
		void *shared = (char *)session.rings + a->offset;
		int event_fd;
		struct ring *r = session_handle(a, &event_fd);
		int rc;

		ring_format(shared);
		rc = ring_init(r, shared, a->size, event_fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int session_welcome(int fd, const struct welcome_draft *d, int stats_fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * ATTACH_FDS_MAX)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)&d->head,
		.iov_len = sizeof(d->head) + d->head.n_rings * sizeof(d->rings[0])};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
	int fds[ATTACH_FDS_MAX];
	unsigned int n = 0;
	struct cmsghdr *c;

	fds[n++] = session.rings_fd;
	fds[n++] = stats_fd;
	fds[n++] = session.wake_fd;
	for (unsigned int i = 0; i < n_workers; i++)
		fds[n++] = workers[i].wake_fd;
	for (unsigned int g = 0; g <= d->head.shards; g++)
		fds[n++] = session.group_fd[g][0];
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static_assert(offsetof(struct welcome_draft, rings) == sizeof(struct attach_welcome),
	"sent as one piece");

int session_open(int fd, const struct attach_hello *h)
{
	struct welcome_draft *d = calloc(1, sizeof(*d));
	size_t stats_bytes;
	int stats_fd = stats_region_fd(&stats_bytes), rc = -ENOMEM;

	if (d == NULL)
		goto fail;
	for (unsigned int g = 0; g < ARRAY_LEN(session.group_fd); g++)
		session.group_fd[g][0] = session.group_fd[g][1] = -1;
	d->head.magic = API_MAGIC;
	d->head.version = API_VERSION;
	d->head.workers = (uint16_t)n_workers;
	d->head.epoch = stats_region->epoch + 1;
	d->head.shards = h->shards;
	d->head.stats_bytes = stats_bytes;
	draft_layout(d, h->shards);
	d->head.rings_bytes = d->bytes;
	d->keys = h->keys;
	rc = session_map(d->bytes);
	if (rc == 0)
		rc = session_make_fds(h->shards);
	if (rc == 0)
		rc = session_bind(d);
	if (rc == 0)
		rc = session_welcome(fd, d, stats_fd);
	if (rc < 0)
		goto fail;
	session.fd = fd;
	session.shards = h->shards;
	session.epoch = d->head.epoch;
	session.events_lost = 0;
	stats_region->epoch = session.epoch;
	stats_region->attaches++;
	stats_region->attached = 1;
	for (unsigned int i = 0; i < n_workers; i++)
		atomic_store_explicit(&workers[i].rings, session.worker[i], memory_order_release);
	free(d);
	return 0;
fail:
	log_error("cannot set up the rings for control (%llu MiB): %s",
		d != NULL ? (unsigned long long)d->bytes >> 20 : 0ull, strerror(-rc));
	free(d);
	session_close();
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void session_close(void)
{
	if (session.fd >= 0) {
		for (unsigned int i = 0; i < n_workers; i++)
			atomic_store_explicit(&workers[i].rings, NULL, memory_order_release);
		/* A worker in the middle of a burst still writes to the rings. */
		worker_grace();
		stats_region->attached = 0;
	}
	for (unsigned int i = 0; i < API_WORKERS_MAX; i++) {
		free(session.worker[i]);
		session.worker[i] = NULL;
	}
	if (session.rings != NULL)
		munmap(session.rings, session.rings_bytes);
	session.rings = NULL;
	for (unsigned int g = 0; g < ARRAY_LEN(session.group_fd); g++) {
		close_fd(&session.group_fd[g][0]);
		close_fd(&session.group_fd[g][1]);
	}
	close_fd(&session.rings_fd);
	close_fd(&session.wake_fd);
	close_fd(&session.fd);
	memset(session.group, 0, sizeof(session.group));
	session.shards = 0;
}

void boundary_event(uint8_t group, void *record, size_t len)
{
	struct str_view piece = {record, len};
	struct boundary_group *g = &session.group[0];

	if (session.fd < 0)
		return;
	if (group < session.shards)
		g = &session.group[group + 1];
	if (ring_put(&g->event, &piece, 1) < 0) {
		struct boundary_group *main = &session.group[0];

		if (g == main || ring_put(&main->event, &piece, 1) < 0) {
			session.events_lost++;
			return;
		}
		g = main;
	}
	ring_publish(&g->event);
}
