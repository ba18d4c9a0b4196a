/*
 * Signals, and finishing cleanly: refuse new calls, give the others time, hang up the
 * rest, leave. A second SIGTERM skips the time.
 */
#include <errno.h>
#include <signal.h>

#include "control.h"
#include "log.h"

#define POLL_MS 50
/* For the answers to BYE; one lost datagram is sent again after 500 ms (RFC 3261 timer E). */
#define HANGUP_MS 3000

static struct {
	struct event *term, *interrupt, *hangup, *timer;
	uint64_t deadline_ms;
} stop;

uint64_t control_calls_active(const struct control *c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < c->n_shards; i++)
		sum += shard_calls_active(c->shards[i]);
	return sum;
}

/* No call, and nobody who may have missed that it is over. */
static bool is_idle(const struct control *c)
{
	uint64_t open = 0;

	for (unsigned int i = 0; i < c->n_shards; i++)
		open += shard_requests_open(c->shards[i]);
	return open == 0 && control_calls_active(c) == 0;
}

static void poll_again(void)
{
	const struct timeval tv = {.tv_usec = POLL_MS * 1000};

	evtimer_add(stop.timer, &tv);
}

static void hangup_start(struct control *c)
{
	c->phase = CONTROL_HANGUP;
	stop.deadline_ms = shard_clock_ms() + HANGUP_MS;
	log_info("hanging up calls=%llu", (unsigned long long)control_calls_active(c));
	for (unsigned int i = 0; i < c->n_shards; i++)
		shard_stop_calls(c->shards[i]);
	poll_again();
}

static void drain_start(struct control *c)
{
	c->phase = CONTROL_DRAINING;
	stop.deadline_ms = shard_clock_ms() + c->config->ops.stop_timeout_s * 1000ull;
	log_info("stopping: new calls are refused calls=%llu timeout_s=%u",
		(unsigned long long)control_calls_active(c), c->config->ops.stop_timeout_s);
	for (unsigned int i = 0; i < c->n_shards; i++)
		shard_drain(c->shards[i]);
	poll_again();
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct control *c = ctx;
	bool over = shard_clock_ms() >= stop.deadline_ms, idle = is_idle(c);

	if (!over && !idle)
		poll_again();
	else if (c->phase == CONTROL_DRAINING && !idle)
		hangup_start(c);
	else
		event_base_loopexit(c->base, NULL);
}

static void on_term(evutil_socket_t sig, short what, void *ctx)
{
	struct control *c = ctx;

	if (c->phase == CONTROL_RUNNING)
		drain_start(c);
	else if (c->phase == CONTROL_DRAINING)
		hangup_start(c);
	else
		event_base_loopexit(c->base, NULL);
}

static void on_hup(evutil_socket_t sig, short what, void *ctx)
{
	log_info("SIGHUP ignored: the configuration is read at the start only");
}

int control_stop_init(struct control *c)
{
	signal(SIGPIPE, SIG_IGN);
	stop.term = evsignal_new(c->base, SIGTERM, on_term, c);
	stop.interrupt = evsignal_new(c->base, SIGINT, on_term, c);
	stop.hangup = evsignal_new(c->base, SIGHUP, on_hup, c);
	stop.timer = evtimer_new(c->base, on_timer, c);
	if (stop.term == NULL || stop.interrupt == NULL || stop.hangup == NULL ||
		stop.timer == NULL)
		return -ENOMEM;
	evsignal_add(stop.term, NULL);
	evsignal_add(stop.interrupt, NULL);
	evsignal_add(stop.hangup, NULL);
	return 0;
}

void control_stop_fini(struct control *c)
{
	struct event *const all[] = {stop.term, stop.interrupt, stop.hangup, stop.timer};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] != NULL)
			event_free(all[i]);
}
