#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach.h"
#include "stats.h"

#define ATTACH_TIMEOUT_S 2

/* Everything that one attach receives, before it is believed. */
struct attach_answer {
	struct attach_welcome welcome;
	struct attach_ring rings[ATTACH_RINGS_MAX];
};

static int attach_open(const char *path, char *why, size_t why_size)
{
	struct timeval tv = {.tv_sec = ATTACH_TIMEOUT_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(why, why_size, "socket path %s is longer than %zu characters", path,
			sizeof(sa.sun_path) - 1);
		return -EINVAL;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = -errno;
		snprintf(why, why_size, "cannot make a socket: %s", strerror(-rc));
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	if (rc == -ENOENT)
		snprintf(why, why_size,
			"no dataplane: %s does not exist; start sallyport-dataplane", path);
	else if (rc == -ECONNREFUSED)
		snprintf(why, why_size,
			"no dataplane: nobody listens at %s; start sallyport-dataplane", path);
	else
		snprintf(why, why_size, "cannot connect to the dataplane at %s: %s", path,
			strerror(-rc));
	return rc;
}

static void attach_take_fds(struct msghdr *msg, struct attach_session *s)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (s->n_fds < ATTACH_FDS_MAX)
				s->fds[s->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* One hello out, one welcome in. @return bytes of the answer, or negative errno. */
static ssize_t attach_exchange(unsigned int shards, const struct attach_keys *keys,
	struct attach_session *s, struct attach_answer *answer)
{
	struct attach_hello hello = {.magic = API_MAGIC,
		.version = API_VERSION,
		.shards = (uint16_t)shards,
		.pid = (uint32_t)getpid(),
		.keys = *keys};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * ATTACH_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = answer, .iov_len = sizeof(*answer)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n;

	/* A refusal may be on its way already (-EBUSY) and the other end closed: read it. */
	if (send(s->fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	do {
		n = recvmsg(s->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	attach_take_fds(&msg, s);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return -EBADMSG;
	return n;
}

/* @return 0, or the refusal with its sentence. */
static int attach_check_status(
	const struct attach_welcome *w, const char *path, char *why, size_t why_size)
{
	if (w->magic != API_MAGIC) {
		snprintf(why, why_size, "what listens at %s is not a Sallyport dataplane", path);
		return -EBADMSG;
	}
	if (w->status == -EPROTO || w->version != API_VERSION) {
		snprintf(why, why_size,
			"the dataplane speaks version %u of the boundary, this control version %u: "
			"the %s is older, upgrade it",
			w->version, API_VERSION,
			w->version < API_VERSION ? "dataplane" : "control");
		return -EPROTO;
	}
	if (w->status == -EBUSY) {
		snprintf(why, why_size,
			"another control is attached to the dataplane at %s; stop it first", path);
		return -EBUSY;
	}
	if (w->status != 0) {
		snprintf(why, why_size, "the dataplane at %s refused to attach: %s", path,
			w->status < 0 && w->status > -4096 ? strerror(-w->status) : "unknown");
		return -EBADMSG;
	}
	return 0;
}

static int attach_map(struct attach_session *s, const struct attach_welcome *w)
{
	struct stat rings, stats;
	const struct stats *st;
	int seals;

	if (fstat(s->fds[0], &rings) < 0 || fstat(s->fds[1], &stats) < 0)
		return -EBADMSG;
	if ((uint64_t)rings.st_size != w->rings_bytes || (uint64_t)stats.st_size != w->stats_bytes)
		return -EBADMSG;
	/* Without the seal the other side could shrink it under us: SIGBUS on the next touch. */
	seals = fcntl(s->fds[0], F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return -EBADMSG;
	seals = fcntl(s->fds[1], F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return -EBADMSG;
	if (w->rings_bytes == 0 || w->stats_bytes < sizeof(struct stats))
		return -EBADMSG;
	s->rings = mmap(NULL, w->rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fds[0], 0);
	if (s->rings == MAP_FAILED) {
		s->rings = NULL;
		return -ENOMEM;
	}
	s->rings_bytes = w->rings_bytes;
	st = mmap(NULL, w->stats_bytes, PROT_READ, MAP_SHARED, s->fds[1], 0);
	if (st == MAP_FAILED)
		return -ENOMEM;
	s->stats = st;
	s->stats_bytes = w->stats_bytes;
	if (st->magic != API_MAGIC || st->version != API_VERSION ||
		st->flow_offset % _Alignof(struct stats_flow) != 0 ||
		st->flow_offset < sizeof(*st) || st->flow_offset > w->stats_bytes ||
		st->flows > (w->stats_bytes - st->flow_offset) / sizeof(struct stats_flow))
		return -EBADMSG;
	return 0;
}

/* Which handle a ring of the welcome belongs to, and the eventfd that its producer writes. */
static struct ring *attach_slot(
	struct attach_session *s, const struct attach_ring *a, int *event_fd)
{
	bool is_main = a->shard == ATTACH_SHARD_MAIN;
	struct attach_group *g;

	if (!is_main && a->shard >= s->shards)
		return NULL;
	g = is_main ? &s->main : &s->shard[a->shard];
	*event_fd = -1;
	switch (a->kind) {
	case RING_UP:
		return is_main || a->worker >= s->workers ? NULL : &g->up[a->worker];
	case RING_DOWN:
		if (is_main || s->workers == 0 || a->worker != a->shard % s->workers)
			return NULL;
		*event_fd = s->fds[3 + a->worker];
		return &g->down;
	case RING_CMD:
		*event_fd = s->fds[2];
		return &g->cmd;
	case RING_EVENT:
		return &g->event;
	default:
		return NULL;
	}
}

static int attach_bind(struct attach_session *s, const struct attach_answer *answer)
{
	const struct attach_welcome *w = &answer->welcome;

	s->main.event_fd = s->fds[3 + s->workers];
	for (unsigned int i = 0; i < s->shards; i++)
		s->shard[i].event_fd = s->fds[4 + s->workers + i];
	for (unsigned int i = 0; i < w->n_rings; i++) {
		const struct attach_ring *a = &answer->rings[i];
		struct ring *r;
		int event_fd;

		r = attach_slot(s, a, &event_fd);
		if (r == NULL || r->shared != NULL)
			return -EBADMSG;
		if (a->offset > s->rings_bytes ||
			ring_footprint(a->size) > s->rings_bytes - a->offset)
			return -EBADMSG;
		if (ring_init(r, (char *)s->rings + a->offset, a->size, event_fd) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* Rings in a complete set; as each is bound once at most, this count means all of them. */
static unsigned int attach_rings_wanted(unsigned int workers, unsigned int shards)
{
	return workers * shards + (workers > 0 ? shards : 0) + 2 * (shards + 1);
}

static int attach_accept_welcome(
	struct attach_session *s, const struct attach_answer *answer, size_t len)
{
	const struct attach_welcome *w = &answer->welcome;
	int rc;

	if (w->workers > API_WORKERS_MAX || w->shards != s->shards ||
		w->n_rings != attach_rings_wanted(w->workers, w->shards) ||
		len != sizeof(*w) + w->n_rings * sizeof(struct attach_ring) ||
		s->n_fds != 4u + w->workers + w->shards)
		return -EBADMSG;
	s->workers = w->workers;
	s->epoch = w->epoch;
	rc = attach_map(s, w);
	return rc < 0 ? rc : attach_bind(s, answer);
}

int attach_connect(const char *path, unsigned int shards, const struct attach_keys *keys,
	struct attach_session *s, char *why, size_t why_size)
{
	struct attach_answer *answer;
	ssize_t n;
	int rc;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (shards < 1 || shards > API_SHARDS_MAX) {
		snprintf(why, why_size, "%u shards; 1..%u would be right", shards, API_SHARDS_MAX);
		return -EINVAL;
	}
	s->shards = (uint16_t)shards;
	s->fd = attach_open(path, why, why_size);
	if (s->fd < 0)
		return s->fd;
	answer = calloc(1, sizeof(*answer));
	if (answer == NULL) {
		snprintf(why, why_size, "out of memory");
		rc = -ENOMEM;
		goto out;
	}
	n = attach_exchange(shards, keys, s, answer);
	if (n >= 0 && n < (ssize_t)sizeof(answer->welcome))
		n = n == 0 ? -ECONNRESET : -EBADMSG;
	if (n < 0) {
		rc = (int)n;
		snprintf(why, why_size, "the dataplane at %s gave no usable answer: %s", path,
			strerror(-rc));
		goto out;
	}
	rc = attach_check_status(&answer->welcome, path, why, why_size);
	if (rc < 0)
		goto out;
	rc = attach_accept_welcome(s, answer, (size_t)n);
	if (rc < 0)
		snprintf(why, why_size, "the welcome of the dataplane at %s does not validate",
			path);
	else if (fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK) < 0)
		rc = -errno;
out:
	free(answer);
	if (rc < 0)
		attach_fini(s);
	return rc;
}

void attach_fini(struct attach_session *s)
{
	if (s->stats != NULL)
		munmap((void *)(uintptr_t)s->stats, s->stats_bytes);
	if (s->rings != NULL)
		munmap(s->rings, s->rings_bytes);
	for (unsigned int i = 0; i < s->n_fds; i++)
		close(s->fds[i]);
	if (s->fd >= 0)
		close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}
