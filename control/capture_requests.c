/*
 * The methods behind `sally capture`: a filter, compiled by the CLI, and a file name go
 * to the dataplane, which writes. Main thread.
 */
#include "capture_requests.h"

#include <errno.h>

#include <utlist.h>

#include "control.h"
#include "dataplane_link.h"
#include "show.h"

#define SECONDS_MAX 86400
#define MIB_MAX 1048576
#define SNAPLEN_DEFAULT 2048

/* How long an answer to "stop" waits for the file to be complete. */
#define STOP_WAIT_MS 3000
#define STOP_LOOK_MS 20

/* A number of params, or its default. @return false after answering. */
static bool number_take(struct rpc_call *call, const json_t *params, const char *key,
	json_int_t min, json_int_t max, json_int_t otherwise, uint32_t *out)
{
	const json_t *v = json_object_get(params, key);
	json_int_t n = v != NULL ? json_integer_value(v) : otherwise;

	if ((v != NULL && !json_is_integer(v)) || n < min || n > max) {
		rpc_fail(call, RPC_INVALID_PARAMS, "%s: a number from %lld to %lld", key,
			(long long)min, (long long)max);
		return false;
	}
	*out = (uint32_t)n;
	return true;
}

/* [code, jt, jf, k] */
static bool step_take(const json_t *v, struct bpf_step *out)
{
	static const json_int_t max[] = {UINT16_MAX, UINT8_MAX, UINT8_MAX, UINT32_MAX};
	json_int_t n[ARRAY_LEN(max)];

	if (!json_is_array(v) || json_array_size(v) != ARRAY_LEN(max))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(max); i++) {
		const json_t *item = json_array_get(v, i);

		n[i] = json_integer_value(item);
		if (!json_is_integer(item) || n[i] < 0 || n[i] > max[i])
			return false;
	}
	*out = (struct bpf_step){(uint16_t)n[0], (uint8_t)n[1], (uint8_t)n[2], (uint32_t)n[3]};
	return true;
}

static bool filter_take(struct rpc_call *call, const json_t *params, struct rec_capture_start *r)
{
	const json_t *filter = json_object_get(params, "filter");
	bool valid = filter == NULL ||
		     (json_is_array(filter) && json_array_size(filter) <= BPF_STEPS_MAX);

	r->n_steps = valid ? (uint32_t)json_array_size(filter) : 0;
	for (size_t i = 0; valid && i < r->n_steps; i++)
		valid = step_take(json_array_get(filter, i), &r->filter[i]);
	if (!valid || !bpf_check(r->filter, r->n_steps)) {
		rpc_fail(call, RPC_INVALID_PARAMS,
			"filter: a packet filter program of at most %d steps", BPF_STEPS_MAX);
		return false;
	}
	return true;
}

static bool file_take(struct rpc_call *call, const json_t *params, struct rec_capture_start *r)
{
	const char *file = json_string_value(json_object_get(params, "file"));

	if (file == NULL || file[0] == '\0' || strlen(file) >= sizeof(r->file)) {
		rpc_fail(call, RPC_INVALID_PARAMS,
			"file: a name of at most %zu characters, without a folder",
			sizeof(r->file) - 1);
		return false;
	}
	memcpy(r->file, file, strlen(file));
	return true;
}

/* What went wrong, as the operator can mend it. */
static void answer(void *ctx, int status)
{
	struct rpc_call *call = ctx;

	switch (status) {
	case 0:
		rpc_result(call, json_pack("{s:b}", "ok", 1));
		break;
	case -EBUSY:
		rpc_fail(call, RPC_REFUSED, "a capture is running; \"sally capture stop\" ends it");
		break;
	case -EINPROGRESS:
		rpc_fail(call, RPC_REFUSED, "the last capture is still being written to its disk");
		break;
	case -EEXIST:
		rpc_fail(call, RPC_REFUSED, "there is a file of that name already");
		break;
	case -EINVAL:
		rpc_fail(call, RPC_REFUSED,
			"file: letters, digits, \"-\", \"_\" and \".\", no folder: it goes to the "
			"folder dataplane.captures");
		break;
	case -ENOENT:
		rpc_fail(call, RPC_REFUSED,
			"no capture is running, or the folder above dataplane.captures is missing");
		break;
	case -ENOTCONN:
		rpc_fail(call, RPC_REFUSED, "no dataplane is attached");
		break;
	default:
		rpc_fail(call, RPC_REFUSED, "the dataplane cannot: %s", strerror(-status));
	}
}

static void ask(struct control *c, struct cmd_hdr *cmd, uint16_t type, size_t len,
	dataplane_link_done_fn done, void *ctx)
{
	int rc;

	cmd->hdr.type = type;
	cmd->hdr.version = API_VERSION;
	rc = dataplane_link_ask(c->link, cmd, len, done, ctx);
	if (rc < 0)
		done(ctx, rc == -EBUSY ? -EAGAIN : rc);
}

void capture_start_request(void *ctx, struct rpc_call *call, const json_t *params)
{
	struct rec_capture_start r = {0};

	if (file_take(call, params, &r) &&
		number_take(call, params, "seconds", 1, SECONDS_MAX, 3600, &r.max_s) &&
		number_take(call, params, "mib", 1, MIB_MAX, 1024, &r.max_mib) &&
		number_take(call, params, "snaplen", 64, API_SNAPLEN_MAX, SNAPLEN_DEFAULT,
			&r.snaplen) &&
		filter_take(call, params, &r))
		ask(ctx, &r.cmd, REC_CAPTURE_START, sizeof(r), answer, call);
}

/* --- stop: the dataplane never waits for the disk, the operator does for a while --- */

struct capture_stop {
	struct control *control;
	struct rpc_call *call;
	struct event *timer;
	uint64_t until_ms;
	struct capture_stop *prev,
		*next; /* control.capture_stops, once the dataplane has answered */
};

static void stop_free(struct capture_stop *stop)
{
	event_free(stop->timer);
	free(stop);
}

static void stop_leave(struct capture_stop *stop)
{
	DL_DELETE(stop->control->capture_stops, stop);
	stop_free(stop);
}

static void stop_look(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval tv = {.tv_usec = STOP_LOOK_MS * 1000};
	struct capture_stop *stop = ctx;
	const struct stats *s = dataplane_link_stats_map(stop->control->link);
	bool writing = s != NULL && s->capture.state == CAPTURE_WRITING;

	if (writing && shard_clock_ms() < stop->until_ms && evtimer_add(stop->timer, &tv) == 0)
		return;
	if (s == NULL)
		answer(stop->call, -ENOTCONN);
	else
		rpc_result(stop->call, json_pack("{s:b, s:b}", "ok", 1, "writing", writing));
	stop_leave(stop);
}

static void stop_done(void *ctx, int status)
{
	struct capture_stop *stop = ctx;

	if (status == 0) {
		DL_APPEND(stop->control->capture_stops, stop);
		stop_look(-1, 0, stop);
		return;
	}
	answer(stop->call, status);
	stop_free(stop);
}

void capture_requests_fini(struct control *c)
{
	struct capture_stop *stop, *tmp;

	DL_FOREACH_SAFE(c->capture_stops, stop, tmp)
	{
		answer(stop->call, -ENOTCONN);
		stop_leave(stop);
	}
}

void capture_stop_request(void *ctx, struct rpc_call *call, const json_t *params)
{
	struct capture_stop *stop = calloc(1, sizeof(*stop));
	struct rec_capture_stop r = {0};
	struct control *c = ctx;

	if (stop != NULL)
		stop->timer = evtimer_new(c->base, stop_look, stop);
	if (stop == NULL || stop->timer == NULL) {
		free(stop);
		rpc_fail(call, RPC_REFUSED, "out of memory");
		return;
	}
	stop->control = c;
	stop->call = call;
	stop->until_ms = shard_clock_ms() + STOP_WAIT_MS;
	ask(c, &r.cmd, REC_CAPTURE_STOP, sizeof(r), stop_done, stop);
}

void capture_request(void *ctx, struct rpc_call *call, const json_t *params)
{
	struct control *c = ctx;
	const struct stats *s = dataplane_link_stats_map(c->link);

	if (s == NULL)
		rpc_fail(call, RPC_REFUSED, "no dataplane is attached: %s",
			dataplane_link_why(c->link));
	else
		rpc_result(call, show_capture(s, shard_clock_ms()));
}
