#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach.h"
#include "boundary.h"
#include "boundary_priv.h"
#include "flow.h"
#include "log.h"
#include "wakeup.h"

/* Connections that have not said hello yet; the oldest gives way. */
#define PENDING_MAX 4
/* Commands of one group, and streams of the dump, in one call of boundary_process(). */
#define COMMAND_BUDGET 256
#define DUMP_BUDGET 256
/* Event ring too full to go on: look again after this time. */
#define RETRY_NS 2000000
/* Share of main's event ring that the dump leaves to the answers of commands. */
#define DUMP_RESERVE_PERCENT 50

enum boundary_source { SRC_LISTEN, SRC_SESSION, SRC_WAKE, SRC_TIMER, SRC_PENDING };

static int epoll_fd = -1, listen_fd = -1, timer_fd = -1;
static int pending[PENDING_MAX];
static unsigned int pending_next;
static char socket_file[sizeof(((struct sockaddr_un *)0)->sun_path)];

static struct {
	bool active;
	uint64_t cursor, told;
	unsigned int budget;
} dump;

static int watch(int fd, uint32_t source)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = source};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* --- listening --- */

/* Does anybody serve this socket? Then we must not take its place. */
static bool socket_is_live(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool live = fd >= 0 &&
		    (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return live;
}

/* Clear the way: make the folder, remove what a dead dataplane left. @return 0 or -errno. */
static int socket_prepare(const struct sockaddr_un *sa)
{
	char *slash = strrchr(socket_file, '/');
	struct stat st;

	if (slash != NULL && slash != socket_file) {
		*slash = '\0';
		if (mkdir(socket_file, 0755) < 0 && errno != EEXIST)
			log_debug("mkdir path=%s error=\"%s\"", socket_file, strerror(errno));
		*slash = '/';
	}
	if (lstat(socket_file, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s exists and is no socket: remove it or change dataplane.socket",
			socket_file);
		return -EEXIST;
	}
	if (socket_is_live(sa)) {
		log_error("another dataplane serves %s: stop it, or change dataplane.socket",
			socket_file);
		return -EADDRINUSE;
	}
	return unlink(socket_file) < 0 ? -errno : 0;
}

static int socket_listen(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int rc;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		log_error("dataplane.socket is longer than %zu characters: %s",
			sizeof(sa.sun_path) - 1, path);
		return -ENAMETOOLONG;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	memcpy(socket_file, sa.sun_path, sizeof(socket_file));
	rc = socket_prepare(&sa);
	if (rc < 0) {
		socket_file[0] = '\0';
		return rc;
	}
	listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the socket becomes that of the file: nobody else ever gets a chance. */
	if (listen_fd < 0 || fchmod(listen_fd, 0660) < 0 ||
		bind(listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, 0660) < 0 ||
		listen(listen_fd, PENDING_MAX) < 0) {
		rc = -errno;
		log_error("cannot listen at %s: %s", path, strerror(-rc));
		return rc;
	}
	return 0;
}

int boundary_init(const char *socket_path)
{
	int rc;

	for (unsigned int i = 0; i < PENDING_MAX; i++)
		pending[i] = -1;
	dump.active = false;
	rc = socket_listen(socket_path);
	if (rc < 0)
		goto fail;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	rc = epoll_fd < 0 || timer_fd < 0 ? -errno : watch(listen_fd, SRC_LISTEN);
	if (rc == 0)
		rc = watch(timer_fd, SRC_TIMER);
	if (rc == 0)
		return 0;
	log_error("cannot watch %s: %s", socket_path, strerror(-rc));
fail:
	boundary_fini();
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void boundary_fini(void)
{
	session_close();
	for (unsigned int i = 0; i < PENDING_MAX; i++)
		close_fd(&pending[i]);
	if (listen_fd >= 0 && socket_file[0] != '\0')
		unlink(socket_file);
	close_fd(&listen_fd);
	close_fd(&timer_fd);
	close_fd(&epoll_fd);
	dump.active = false;
}

int boundary_fd(void)
{
	return epoll_fd;
}

/* --- hello and goodbye --- */

/* EOF, or talk where there is none to be: over. Media goes on without. */
static void boundary_session(void)
{
	char byte;
	ssize_t n = recv(session.fd, &byte, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	log_warn("control detached, media goes on epoch=%u streams=%llu events_lost=%llu reason=%s",
		session.epoch, (unsigned long long)stats_region->streams,
		(unsigned long long)session.events_lost,
		n == 0 ? "closed" : (n > 0 ? "protocol" : "error"));
	dump.active = false;
	session_close();
}

static void boundary_accept(void)
{
	unsigned int i = pending_next;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned int n = 0; n < PENDING_MAX; n++) {
		if (pending[n] < 0) {
			i = n;
			break;
		}
	}
	if (pending[i] >= 0)
		pending_next = (i + 1) % PENDING_MAX;
	close_fd(&pending[i]);
	if (watch(fd, SRC_PENDING + i) < 0)
		close(fd);
	else
		pending[i] = fd;
}

/* @return 0 when this hello may attach, else why not. */
static int hello_check(const struct attach_hello *h, ssize_t len)
{
	if (len < (ssize_t)offsetof(struct attach_hello, shards) || h->magic != API_MAGIC)
		return -EINVAL;
	/* Before the length: other versions may be longer. */
	if (h->version != API_VERSION)
		return -EPROTO;
	if (len != sizeof(*h) || h->shards < 1 || h->shards > API_SHARDS_MAX)
		return -EINVAL;
	return session.fd >= 0 ? -EBUSY : 0;
}

static void hello_refuse(int fd, int status, const struct attach_hello *h)
{
	struct attach_welcome w = {.magic = API_MAGIC, .version = API_VERSION, .status = status};

	log_warn("refused to attach a control reason=\"%s\" version=%u own_version=%u pid=%u",
		strerror(-status), h->version, API_VERSION, h->pid);
	if (send(fd, &w, sizeof(w), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("refusal not sent error=\"%s\"", strerror(errno));
	close(fd);
}

static void session_started(const struct attach_hello *h)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	getsockopt(session.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	log_info("control attached epoch=%u pid=%d uid=%u gid=%u shards=%u", session.epoch,
		peer.pid, peer.uid, peer.gid, h->shards);
	dump.active = true;
	dump.cursor = dump.told = 0;
}

static void boundary_hello(unsigned int i)
{
	struct attach_hello h = {0};
	int fd = pending[i], rc;
	ssize_t n = recv(fd, &h, sizeof(h), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && errno == EAGAIN)
		return;
	pending[i] = -1;
	if (n <= 0) {
		close(fd);
		return;
	}
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	/* A control that was just restarted: its predecessor's end may not be noticed yet. */
	if (session.fd >= 0)
		boundary_session();
	rc = hello_check(&h, n);
	if (rc == 0)
		rc = session_open(fd, &h);
	if (rc < 0) {
		hello_refuse(fd, rc, &h);
		return;
	}
	if (watch(session.fd, SRC_SESSION) < 0 || watch(session.wake_fd, SRC_WAKE) < 0) {
		log_error("cannot watch the session: %s", strerror(errno));
		session_close();
		return;
	}
	session_started(&h);
}

/* --- the session --- */

static int dump_visit(void *ctx, const struct rec_stream_event *info)
{
	struct rec_stream_event ev = *info;

	if (dump.budget == 0)
		return 1;
	if (ring_free_percent(&session.group[0].event) < DUMP_RESERVE_PERCENT)
		return 1;
	dump.budget--;
	boundary_event(ATTACH_SHARD_MAIN, &ev, sizeof(ev));
	dump.told++;
	return 0;
}

static void dump_go_on(void)
{
	struct rec_info_end end = {
		.hdr = {.len = sizeof(end), .type = REC_INFO_END, .version = API_VERSION}};

	dump.budget = DUMP_BUDGET;
	if (!stream_dump(&dump.cursor, dump_visit, NULL) ||
		ring_free_percent(&session.group[0].event) < DUMP_RESERVE_PERCENT)
		return;
	end.streams = dump.told;
	boundary_event(ATTACH_SHARD_MAIN, &end, sizeof(end));
	dump.active = false;
}

/* Have boundary_fd() readable again after ns nanoseconds. */
static void boundary_again(long ns)
{
	struct itimerspec t = {.it_value.tv_nsec = ns};

	timerfd_settime(timer_fd, 0, &t, NULL);
}

static void boundary_commands(void)
{
	bool more = false, blocked = false;

	for (unsigned int g = 0; g <= session.shards; g++) {
		struct boundary_group *group = &session.group[g];
		unsigned int n = commands_take(group, session.epoch, COMMAND_BUDGET);

		if (n == COMMAND_BUDGET)
			more = true;
		else if (!ring_sleep(&group->cmd))
			blocked = true; /* its event ring is full, or one came just now */
	}
	if (dump.active)
		dump_go_on();
	if (more || (dump.active && dump.budget == 0))
		boundary_again(1);
	else if (blocked || dump.active)
		boundary_again(RETRY_NS);
}

void boundary_process(void)
{
	struct epoll_event ev[SRC_PENDING + PENDING_MAX];
	int n = epoll_wait(epoll_fd, ev, ARRAY_LEN(ev), 0);
	uint64_t count;

	for (int i = 0; i < n; i++) {
		uint32_t source = ev[i].data.u32;

		if (source == SRC_LISTEN)
			boundary_accept();
		else if (source == SRC_SESSION && session.fd >= 0)
			boundary_session();
		else if (source == SRC_TIMER && read(timer_fd, &count, sizeof(count)) < 0)
			continue;
		else if (source >= SRC_PENDING && pending[source - SRC_PENDING] >= 0)
			boundary_hello(source - SRC_PENDING);
	}
	if (session.fd < 0)
		return;
	/* Cleared before the rings are read, so that what comes in meanwhile sets it again. */
	(void)wakeup_take(session.wake_fd);
	boundary_commands();
}
