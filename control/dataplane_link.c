/*
 * Order after an attach: the dataplane tells the streams that it has (orphans of an
 * earlier control among them), control puts the configuration and REC_SYNC, and when
 * that is answered the shards get their rings and say their streams again. Order
 * after a loss: every shard gives its rings back, then they are unmapped, then retry.
 */
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "dataplane_link.h"
#include "log.h"
#include "realm_commands.h"
#include "records.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 1000
/* Events handled in one turn of the main loop, so that the control socket stays quick. */
#define EVENTS_BURST 256
/* For its list of streams, then for the end of the configuration; then go on without. */
#define ANSWER_TIMEOUT_MS 5000

enum link_state {
	LINK_AWAY,	/* timer: try to connect */
	LINK_DUMP,	/* reading REC_STREAM_INFO until REC_INFO_END */
	LINK_CONFIGURE, /* putting commands, waiting for the answer to REC_SYNC */
	LINK_UP,	/* shards use their rings */
	LINK_DETACHING, /* waiting for the shards to let go */
};

/* Cookies of operators' commands have this bit; those of the configuration name a realm. */
#define COOKIE_ASK (1ull << 63)
#define ASKS_MAX (2 * API_REALMS_MAX) /* a source may be denied in every realm */
#define ASK_TIMEOUT_MS 2000

/* A command that waits for its answer. */
struct ask {
	uint64_t cookie; /* 0: free */
	uint64_t until_ms;
	dataplane_link_done_fn done;
	void *ctx;
};

struct dataplane_link {
	struct dataplane_link_env env;
	enum link_state state;
	struct attach_session *session; /* NULL in LINK_AWAY */
	struct event *timer, *socket_event, *ring_event, *ask_timer;
	unsigned int retry_ms;
	char why[256];
	bool complained;	  /* "away" was logged */
	unsigned int shards_busy; /* LINK_DETACHING: that have not answered yet */
	struct realm_commands at;
	uint64_t told; /* streams of the dump */
	struct ask asks[ASKS_MAX];
	uint64_t asked; /* makes cookies */
	struct dataplane_link_stats stats;
};

static void link_connect(struct dataplane_link *l);
static void link_lost(struct dataplane_link *l);

static void timer_after(struct dataplane_link *l, unsigned int ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	evtimer_add(l->timer, &tv);
}

static void events_free(struct dataplane_link *l)
{
	if (l->socket_event != NULL)
		event_free(l->socket_event);
	if (l->ring_event != NULL)
		event_free(l->ring_event);
	l->socket_event = l->ring_event = NULL;
}

static void session_free(struct dataplane_link *l)
{
	events_free(l);
	if (l->session != NULL)
		attach_fini(l->session);
	free(l->session);
	l->session = NULL;
}

static void link_retry(struct dataplane_link *l)
{
	l->state = LINK_AWAY;
	timer_after(l, l->retry_ms);
	l->retry_ms = l->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : l->retry_ms * 2;
}

/* --- configuration --- */

static void shards_attach(struct dataplane_link *l)
{
	evtimer_del(l->timer);
	l->state = LINK_UP;
	l->retry_ms = RETRY_FIRST_MS;
	l->complained = false;
	l->stats.attaches++;
	log_info("attached epoch=%u dataplane_pid=%u workers=%u streams=%llu", l->session->epoch,
		l->session->stats->pid, l->session->workers, (unsigned long long)l->told);
	for (unsigned int i = 0; i < l->env.n_shards; i++) {
		if (shard_attach(l->env.shards[i], l->session) < 0) {
			snprintf(l->why, sizeof(l->why), "out of memory");
			link_lost(l);
			return;
		}
	}
}

/* Put as much as the ring takes; the answers bring us back for the rest. */
static void commands_put(struct dataplane_link *l)
{
	struct ring *cmd = &l->session->main.cmd;
	union realm_command rec;

	for (;;) {
		struct realm_commands before = l->at;
		size_t len = realm_commands_next(&l->at, l->env.config, l->session->stats, &rec);
		const struct str_view piece = {(const char *)&rec, len};

		if (len == 0)
			break;
		if (ring_put(cmd, &piece, 1) < 0) {
			l->at = before;
			break;
		}
	}
	ring_publish(cmd);
}

static void configure_start(struct dataplane_link *l)
{
	timer_after(l, ANSWER_TIMEOUT_MS);
	l->state = LINK_CONFIGURE;
	l->at = (struct realm_commands){0};
	commands_put(l);
}

/* --- events --- */

static void asks_answer(struct dataplane_link *l, uint64_t cookie, int status)
{
	for (unsigned int i = 0; i < ASKS_MAX; i++) {
		struct ask a = l->asks[i];

		if (a.cookie != cookie)
			continue;
		l->asks[i].cookie = 0;
		a.done(a.ctx, status);
		return;
	}
}

static void asks_fail(struct dataplane_link *l)
{
	for (unsigned int i = 0; i < ASKS_MAX; i++) {
		if (l->asks[i].cookie != 0)
			asks_answer(l, l->asks[i].cookie, -ENOTCONN);
	}
}

static void ask_timer_start(struct dataplane_link *l)
{
	const struct timeval tv = {.tv_sec = ASK_TIMEOUT_MS / 1000};

	if (!evtimer_pending(l->ask_timer, NULL))
		evtimer_add(l->ask_timer, &tv);
}

/* Looks once a timeout, so that an answer is given up after one to two of them. */
static void on_ask_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct dataplane_link *l = ctx;
	uint64_t now = shard_clock_ms();
	bool waiting = false;

	for (unsigned int i = 0; i < ASKS_MAX; i++) {
		if (l->asks[i].cookie == 0)
			continue;
		if (l->asks[i].until_ms <= now)
			asks_answer(l, l->asks[i].cookie, -ETIMEDOUT);
		else
			waiting = true;
	}
	if (waiting)
		ask_timer_start(l);
}

int dataplane_link_ask(struct dataplane_link *l, struct cmd_hdr *cmd, size_t len,
	dataplane_link_done_fn done, void *ctx)
{
	const struct str_view piece = {(const char *)cmd, len};
	struct ask *a = l->asks;

	if (l->state != LINK_UP)
		return -ENOTCONN;
	while (a < l->asks + ASKS_MAX && a->cookie != 0)
		a++;
	if (a == l->asks + ASKS_MAX)
		return -EBUSY;
	cmd->cookie = COOKIE_ASK | ++l->asked;
	if (ring_put(&l->session->main.cmd, &piece, 1) < 0)
		return -ENOBUFS;
	*a = (struct ask){cmd->cookie, shard_clock_ms() + ASK_TIMEOUT_MS, done, ctx};
	ring_publish(&l->session->main.cmd);
	ask_timer_start(l);
	return 0;
}

static void done_take(struct dataplane_link *l, const struct record_hdr *rec, size_t len)
{
	struct rec_done done;
	char what[128];

	if (len != sizeof(done)) {
		l->stats.records_malformed++;
		return;
	}
	memcpy(&done, rec, sizeof(done));
	if ((done.cookie & COOKIE_ASK) != 0) {
		asks_answer(l, done.cookie,
			done.status <= 0 && done.status > -4096 ? done.status : -EIO);
		return;
	}
	if (done.status != 0) {
		l->stats.commands_failed++;
		log_error("the dataplane refused %s error=\"%s\"",
			realm_command_describe(
				l->env.config, done.command, done.cookie, what, sizeof(what)),
			done.status < 0 && done.status > -4096 ? strerror(-done.status)
							       : "unknown");
	}
	if (l->state != LINK_CONFIGURE)
		return;
	if (done.command == REC_SYNC)
		shards_attach(l);
	else
		commands_put(l);
}

/* The dataplane denied or demoted a source by itself. */
static void source_take(struct dataplane_link *l, const struct record_hdr *rec, size_t len)
{
	static struct log_limit limit;
	struct rec_source_event event;

	if (len != sizeof(event)) {
		l->stats.records_malformed++;
		return;
	}
	memcpy(&event, rec, sizeof(event));
	if (event.source.addr.family != NET_FAMILY_V4 && event.source.addr.family != NET_FAMILY_V6)
		l->stats.records_malformed++;
	else
		source_log_put(&limit, l->env.config, "fast path", &event);
}

static void event_take(struct dataplane_link *l, const struct record_hdr *rec, size_t len)
{
	switch (rec->version == API_VERSION ? rec->type : REC_NONE) {
	case REC_DONE:
		done_take(l, rec, len);
		break;
	case REC_STREAM_INFO:
	case REC_STREAM_GONE:
	case REC_STREAM_LATCHED:
	case REC_STREAM_SILENT:
		if (len != sizeof(struct rec_stream_event)) {
			l->stats.records_malformed++;
			break;
		}
		l->told += rec->type == REC_STREAM_INFO;
		/* Nobody of ours owns it, or its owner's ring was full: each shard looks. */
		for (unsigned int i = 0; i < l->env.n_shards; i++)
			shard_media_event(l->env.shards[i], rec, len);
		break;
	case REC_SOURCE_EVENT:
		source_take(l, rec, len);
		break;
	case REC_INFO_END:
		if (l->state == LINK_DUMP)
			configure_start(l);
		break;
	default:
		l->stats.records_malformed++;
	}
}

/* @return true when the burst was used up. */
static bool events_poll(struct dataplane_link *l)
{
	_Alignas(8) uint8_t buf[API_RECORD_MAX];
	struct ring *r = &l->session->main.event;
	unsigned int n;

	for (n = 0; n < EVENTS_BURST && l->session != NULL && l->state != LINK_DETACHING; n++) {
		int len = ring_get(r, buf, sizeof(buf));

		if (len == 0)
			break;
		if (len < 0)
			l->stats.records_malformed++;
		else
			event_take(l, (const struct record_hdr *)buf, (size_t)len);
	}
	if (l->session != NULL && n > 0)
		ring_release(r);
	return n == EVENTS_BURST;
}

static void on_ring(evutil_socket_t fd, short what, void *ctx)
{
	struct dataplane_link *l = ctx;
	eventfd_t count;
	bool more;

	eventfd_read(fd, &count);
	more = events_poll(l);
	if (l->session == NULL || l->state == LINK_DETACHING)
		return;
	if (more || !ring_sleep(&l->session->main.event))
		event_active(l->ring_event, EV_READ, 0);
}

/* The dataplane says nothing on the socket: readable means that it is gone. */
static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct dataplane_link *l = ctx;
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	snprintf(l->why, sizeof(l->why), "the dataplane closed the connection");
	link_lost(l);
}

/* --- connecting and losing --- */

static void lost_done(struct dataplane_link *l)
{
	session_free(l);
	link_retry(l);
}

static void on_shard_detached(void *owner, void *arg)
{
	struct dataplane_link *l = arg;

	if (--l->shards_busy == 0)
		lost_done(l);
}

static void link_lost(struct dataplane_link *l)
{
	log_warn("dataplane away, media continues if it lives; trying again reason=\"%s\"", l->why);
	l->complained = true;
	l->state = LINK_DETACHING;
	evtimer_del(l->timer);
	events_free(l);
	asks_fail(l);
	/* All of them, with rings or without: they forget what the dump had told, too. */
	l->shards_busy = l->env.n_shards;
	for (unsigned int i = 0; i < l->env.n_shards; i++)
		while (shard_detach(l->env.shards[i], l->env.main, on_shard_detached, l) < 0)
			sched_yield(); /* the rings must not stay in use: wait for memory */
}

static void link_connect(struct dataplane_link *l)
{
	char why[sizeof(l->why)] = "";
	int rc = -ENOMEM;

	l->session = malloc(sizeof(*l->session));
	if (l->session != NULL)
		rc = attach_connect(l->env.config->dataplane.socket, l->env.n_shards, &l->env.keys,
			l->session, why, sizeof(why));
	if (rc < 0) {
		free(l->session);
		l->session = NULL;
		/* Once; but a reason that only the operator can mend is worth its own line. */
		if (!l->complained || ((rc == -EPROTO || rc == -EBUSY || rc == -EACCES) &&
					      strcmp(why, l->why) != 0))
			log_warn("dataplane away, trying again reason=\"%s\"", why);
		l->complained = true;
		snprintf(l->why, sizeof(l->why), "%s", why);
		link_retry(l);
		return;
	}
	l->state = LINK_DUMP;
	l->told = 0;
	timer_after(l, ANSWER_TIMEOUT_MS);
	l->socket_event =
		event_new(l->env.base, l->session->fd, EV_READ | EV_PERSIST, on_socket, l);
	l->ring_event =
		event_new(l->env.base, l->session->main.event_fd, EV_READ | EV_PERSIST, on_ring, l);
	if (l->socket_event == NULL || l->ring_event == NULL ||
		event_add(l->socket_event, NULL) < 0 || event_add(l->ring_event, NULL) < 0) {
		snprintf(l->why, sizeof(l->why), "out of memory");
		lost_done(l);
		return;
	}
	/* What was put before we slept: look without being woken. */
	event_active(l->ring_event, EV_READ, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct dataplane_link *l = ctx;

	if (l->state == LINK_AWAY) {
		link_connect(l);
	} else if (l->state == LINK_DUMP) {
		log_warn("the dataplane did not end its list of streams, going on streams=%llu",
			(unsigned long long)l->told);
		configure_start(l);
	} else if (l->state == LINK_CONFIGURE) {
		log_warn("the dataplane did not confirm the configuration, going on");
		shards_attach(l);
	}
}

struct dataplane_link *dataplane_link_new(const struct dataplane_link_env *env)
{
	struct dataplane_link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->env = *env;
	l->retry_ms = RETRY_FIRST_MS;
	snprintf(l->why, sizeof(l->why), "not attached yet");
	l->timer = evtimer_new(env->base, on_timer, l);
	l->ask_timer = evtimer_new(env->base, on_ask_timer, l);
	if (l->timer == NULL || l->ask_timer == NULL) {
		if (l->timer != NULL)
			event_free(l->timer);
		free(l);
		return NULL;
	}
	timer_after(l, 0);
	return l;
}

void dataplane_link_free(struct dataplane_link *l)
{
	if (l == NULL)
		return;
	asks_fail(l);
	session_free(l);
	event_free(l->timer);
	event_free(l->ask_timer);
	free(l);
}

bool dataplane_link_is_up(const struct dataplane_link *l)
{
	return l->state == LINK_UP;
}

const struct stats *dataplane_link_stats_map(const struct dataplane_link *l)
{
	bool away = l->state == LINK_AWAY || l->state == LINK_DETACHING;

	return away || l->session == NULL ? NULL : l->session->stats;
}

size_t dataplane_link_stats_bytes(const struct dataplane_link *l)
{
	return dataplane_link_stats_map(l) != NULL ? l->session->stats_bytes : 0;
}

const char *dataplane_link_why(const struct dataplane_link *l)
{
	return l->why;
}

const struct dataplane_link_stats *dataplane_link_get_stats(const struct dataplane_link *l)
{
	return &l->stats;
}
