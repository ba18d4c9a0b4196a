#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "loader.h"

#define ANSWER_TIMEOUT_NS 10000000000ull
/* Few enough on the way that their answers and events fit the event ring. */
#define COMMANDS_UNDER_WAY 1024

struct loader_options loader_options = {
	.first_port = 10000, .remote_port = 4000, .streams = 1, .addresses = 1};
struct attach_session loader_session;

static uint64_t sent, done, failed;

uint64_t loader_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void loader_die(const char *what, int rc)
{
	fprintf(stderr, "flow_loader: %s: %s\n", what, strerror(-rc));
	exit(1);
}

uint64_t loader_done(void)
{
	return done;
}

void loader_events_take(void)
{
	union {
		struct record_hdr hdr;
		struct rec_done done;
		uint8_t bytes[API_RECORD_MAX];
	} r;
	int len;

	while ((len = ring_get(&loader_session.main.event, &r, sizeof(r))) != 0) {
		if (len < (int)sizeof(r.done) || r.hdr.type != REC_DONE)
			continue;
		done++;
		if (r.done.status != 0 && failed++ < 5)
			fprintf(stderr, "flow_loader: command %u (number %llu): %s\n",
				r.done.command, (unsigned long long)r.done.cookie,
				strerror(-r.done.status));
	}
	ring_release(&loader_session.main.event);
}

/* A command that the dataplane does not know gets no answer, only a count. */
static void answers_expect(uint64_t limit)
{
	if (loader_session.stats->records_malformed > 0) {
		fprintf(stderr, "flow_loader: the dataplane does not know a command\n");
		exit(LOADER_REFUSED);
	}
	if (loader_now_ns() > limit)
		loader_die("the dataplane does not answer", -ETIMEDOUT);
}

void loader_command(struct cmd_hdr *cmd, size_t len, enum record_type type)
{
	struct str_view piece = {(const char *)cmd, len};
	uint64_t limit = loader_now_ns() + ANSWER_TIMEOUT_NS;

	cmd->hdr = (struct record_hdr){.type = (uint16_t)type, .version = API_VERSION};
	cmd->cookie = sent;
	while (sent - done > COMMANDS_UNDER_WAY ||
		ring_put(&loader_session.main.cmd, &piece, 1) == -ENOBUFS) {
		ring_publish(&loader_session.main.cmd);
		loader_events_take();
		/* The dataplane's main thread may have the same CPU. */
		usleep(50);
		answers_expect(limit);
	}
	sent++;
}

uint64_t loader_commands_finish(void)
{
	uint64_t limit = loader_now_ns() + ANSWER_TIMEOUT_NS;

	ring_publish(&loader_session.main.cmd);
	while (done < sent) {
		loader_events_take();
		usleep(50);
		answers_expect(limit);
	}
	return failed;
}
