/*
 * The methods of the control socket. What needs the shards is collected from them;
 * the rest is read from the statistics mapping. Main thread.
 */
#include <unistd.h>

#include "capture_requests.h"
#include "collect.h"
#include "heap.h"
#include "media_session.h"
#include "overload_request.h"
#include "show.h"
#include "source_command.h"
#include "transactions.h"

#define CALLS_DEFAULT 100
#define CALLS_MAX 100000
/* Of so many a list tells the media too; of more it would not fit an answer (RPC_QUEUE_MAX). */
#define CALLS_MEDIA_MAX 1000

static const struct stats *stats_or_fail(struct control *c, struct rpc_call *call)
{
	const struct stats *s = dataplane_link_stats_map(c->link);

	if (s == NULL)
		rpc_fail(call, RPC_REFUSED, "no dataplane is attached: %s",
			dataplane_link_why(c->link));
	return s;
}

/* Sum flat objects of counters. */
static json_t *counters_sum(json_t *const *results, unsigned int n)
{
	json_t *sum = json_object(), *value;
	const char *key;

	for (unsigned int i = 0; i < n; i++)
		json_object_foreach(results[i], key, value)
		{
			json_int_t v = json_integer_value(value) +
				       json_integer_value(json_object_get(sum, key));

			json_object_set_new(sum, key, json_integer(v));
		}
	return sum;
}

static json_t *ask_counters(struct shard *s, const char *text, unsigned int number)
{
	return shard_counters(s);
}

/* --- status --- */

static void answer_status(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number)
{
	const struct stats *s = dataplane_link_stats_map(c->link);
	json_t *sum = counters_sum(results, n), *o;
	uint64_t now = shard_clock_ms();

	o = json_pack("{s:s, s:i, s:I, s:s, s:i, s:b, s:b, s:s, s:I}", "version", SALLYPORT_VERSION,
		"pid", (int)getpid(), "uptime_s", (json_int_t)((now - c->start_ms) / 1000),
		"config", c->config->file, "shards", (int)c->n_shards, "draining",
		c->phase != CONTROL_RUNNING, "attached", dataplane_link_is_up(c->link), "away",
		s != NULL ? "" : dataplane_link_why(c->link), "attaches",
		(json_int_t)dataplane_link_get_stats(c->link)->attaches);
	json_object_set_new(o, "calls",
		json_pack("{s:O, s:O, s:O, s:O, s:O, s:O}", "active",
			json_object_get(sum, "calls_active"), "answered_active",
			json_object_get(sum, "calls_answered_active"), "total",
			json_object_get(sum, "calls_total"), "answered",
			json_object_get(sum, "calls_answered"), "failed",
			json_object_get(sum, "calls_failed"), "refused",
			json_object_get(sum, "calls_refused")));
	json_object_set_new(o, "media",
		json_pack("{s:O, s:O, s:O}", "sessions", json_object_get(sum, "media_sessions"),
			"streams", json_object_get(sum, "media_streams"), "ports_used",
			json_object_get(sum, "media_ports_used")));
	json_object_set_new(o, "dataplane", s != NULL ? show_dataplane(s, now) : json_null());
	json_object_set_new(o, "workers", s != NULL ? show_workers(s, now) : json_array());
	json_decref(sum);
	rpc_result(call, o);
}

static void status(void *ctx, struct rpc_call *call, const json_t *params)
{
	collect(ctx, call, ask_counters, answer_status, NULL, 0);
}

/* --- calls --- */

static json_t *ask_calls(struct shard *s, const char *text, unsigned int max)
{
	return b2bua_calls_json(shard_b2bua(s), max, max <= CALLS_MEDIA_MAX);
}

/* What the streams count now, and what it means. */
static void call_live(struct control *c, json_t *call)
{
	const struct stats *s = dataplane_link_stats_map(c->link);

	if (s != NULL)
		show_call_live(s, dataplane_link_stats_bytes(c->link), call);
	media_json_grade(json_object_get(call, "media"));
}

static void answer_calls(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int max)
{
	json_t *list = json_array(), *one;
	size_t k;

	for (unsigned int i = 0; i < n; i++)
		for (k = 0; k < json_array_size(results[i]) && json_array_size(list) < max; k++)
			json_array_append(list, json_array_get(results[i], k));
	json_array_foreach(list, k, one) call_live(c, one);
	rpc_result(call, json_pack("{s:I, s:o}", "total", (json_int_t)control_calls_active(c),
				 "calls", list));
}

static void calls(void *ctx, struct rpc_call *call, const json_t *params)
{
	const json_t *max = json_object_get(params, "max");
	struct control *c = ctx;
	json_int_t n = max != NULL ? json_integer_value(max) : CALLS_DEFAULT;

	if (n < 1 || n > CALLS_MAX) {
		rpc_fail(call, RPC_INVALID_PARAMS, "max: a number from 1 to %d", CALLS_MAX);
		return;
	}
	/* Each shard tells so many: it may have them all. */
	collect(c, call, ask_calls, answer_calls, NULL, (unsigned int)n);
}

static json_t *ask_call(struct shard *s, const char *id, unsigned int number)
{
	return b2bua_call_json(shard_b2bua(s), id);
}

static void answer_call(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number)
{
	for (unsigned int i = 0; i < n; i++) {
		if (results[i] == NULL)
			continue;
		call_live(c, results[i]);
		rpc_result(call, json_incref(results[i]));
		return;
	}
	rpc_fail(call, RPC_NOT_FOUND, "no such call in progress; \"show calls\" lists them");
}

static void call(void *ctx, struct rpc_call *rpc, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "id"));

	if (id == NULL || id[0] == '\0' || strlen(id) > 255)
		rpc_fail(rpc, RPC_INVALID_PARAMS, "id: the identifier that \"calls\" shows");
	else
		collect(ctx, rpc, ask_call, answer_call, id, 0);
}

static json_t *ask_trace(struct shard *s, const char *id, unsigned int number)
{
	return b2bua_trace_json(shard_b2bua(s), id);
}

static void answer_trace(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number)
{
	for (unsigned int i = 0; i < n; i++) {
		if (results[i] == NULL)
			continue;
		rpc_result(call, json_incref(results[i]));
		return;
	}
	rpc_fail(call, RPC_NOT_FOUND,
		"no trace of such a call; ops.trace_calls says how many are kept");
}

static void trace(void *ctx, struct rpc_call *rpc, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "id"));

	if (id == NULL || id[0] == '\0' || strlen(id) > 255)
		rpc_fail(rpc, RPC_INVALID_PARAMS,
			"id: the identifier that \"calls\" and call records show, or a Call-ID");
	else
		collect(ctx, rpc, ask_trace, answer_trace, id, 0);
}

/* --- stats, memory --- */

static void answer_stats(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number)
{
	const struct dataplane_link_stats *link = dataplane_link_get_stats(c->link);
	const struct stats *s = dataplane_link_stats_map(c->link);
	const struct rpc_stats *rpc = rpc_server_stats(c->rpc);
	struct cdr_file_stats cdr = cdr_file_get_stats(c->cdr);
	const struct {
		const char *name;
		uint64_t value;
	} own[] = {
		{"control_attached", s != NULL},
		{"control_attaches", link->attaches},
		{"control_commands_failed", link->commands_failed},
		{"control_records_malformed", link->records_malformed},
		{"cdr_written", cdr.written},
		{"cdr_failed", cdr.failed},
		{"rpc_clients", rpc->clients},
		{"rpc_requests", rpc->requests},
		{"rpc_bad_requests", rpc->bad_requests},
		{"rpc_refused_clients", rpc->refused_clients},
		{"rpc_closed", rpc->closed},
	};
	json_t *o = counters_sum(results, n), *flat;

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		json_object_set_new(o, own[i].name, json_integer((json_int_t)own[i].value));
	if (s != NULL) {
		show_limits_flat(o, c->config, s);
		flat = show_flat(s);
		json_object_update(o, flat);
		json_decref(flat);
	}
	rpc_result(call, o);
}

static void stats(void *ctx, struct rpc_call *call, const json_t *params)
{
	collect(ctx, call, ask_counters, answer_stats, NULL, 0);
}

static json_t *ask_flush(struct shard *s, const char *text, unsigned int number)
{
	heap_flush();
	return NULL;
}

static void answer_memory(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number)
{
	const struct stats *s = dataplane_link_stats_map(c->link);

	rpc_result(call, json_pack("{s:o, s:o}", "pools", s != NULL ? show_pools(s) : json_array(),
				 "heap", heap_json()));
}

static void memory(void *ctx, struct rpc_call *call, const json_t *params)
{
	/* The shards give their caches back first: then the figures are what is in use. */
	collect(ctx, call, ask_flush, answer_memory, NULL, 0);
}

/* --- the statistics mapping alone --- */

static void ports(void *ctx, struct rpc_call *call, const json_t *params)
{
	const struct stats *s = stats_or_fail(ctx, call);

	if (s != NULL)
		rpc_result(call, show_ports(s));
}

static void graph(void *ctx, struct rpc_call *call, const json_t *params)
{
	const struct stats *s = stats_or_fail(ctx, call);

	if (s != NULL)
		rpc_result(call, show_graph(s));
}

static void drops(void *ctx, struct rpc_call *call, const json_t *params)
{
	const struct stats *s = stats_or_fail(ctx, call);

	if (s != NULL)
		rpc_result(call, show_drops(s, json_is_true(json_object_get(params, "all"))));
}

static void limits(void *ctx, struct rpc_call *call, const json_t *params)
{
	const struct stats *s = stats_or_fail(ctx, call);

	if (s != NULL)
		rpc_result(call, show_limits(((struct control *)ctx)->config, s));
}

static void sources(void *ctx, struct rpc_call *call, const json_t *params)
{
	const struct stats *s = stats_or_fail(ctx, call);

	if (s != NULL)
		rpc_result(call, show_sources(((struct control *)ctx)->config, s));
}

const struct rpc_method control_methods[] = {
	{"status", status},
	{"ports", ports},
	{"graph", graph},
	{"calls", calls},
	{"call", call},
	{"trace", trace},
	{"drops", drops},
	{"limits", limits},
	{"sources", sources},
	{"transactions", transactions_request},
	{"overload", overload_request},
	{"source", source_command},
	{"stats", stats},
	{"memory", memory},
	{"capture", capture_request},
	{"capture_start", capture_start_request},
	{"capture_stop", capture_stop_request},
	{NULL, NULL},
};
