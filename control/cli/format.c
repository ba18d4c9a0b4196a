/*
 * How each result looks to people: columns and headings, nothing else.
 */
#include "cli.h"

static const json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

static json_int_t get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void row(const struct cli *cli, const char *name, const json_t *v, enum column_kind kind)
{
	char text[128];

	fprintf(cli->out, "%-14s%s\n", name, value_text(v, kind, text, sizeof(text)));
}

static void seconds(json_int_t s, char *buf, size_t size)
{
	if (s >= 86400)
		snprintf(buf, size, "%lld d %lld h", (long long)(s / 86400),
			(long long)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(buf, size, "%lld h %lld min", (long long)(s / 3600),
			(long long)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(buf, size, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(buf, size, "%lld s", (long long)s);
}

static void status_dataplane(const struct cli *cli, const json_t *r)
{
	const json_t *d = get(r, "dataplane");
	char up[48], memory[80];

	if (!json_is_true(get(r, "attached"))) {
		row(cli, "dataplane", get(r, "away"), COLUMN_TEXT);
		return;
	}
	seconds(get_int(d, "uptime_s"), up, sizeof(up));
	fprintf(cli->out, "%-14sattached, pid %lld, up %s, epoch %lld\n", "dataplane",
		(long long)get_int(d, "pid"), up, (long long)get_int(d, "epoch"));
	fprintf(cli->out, "%-14s%s\n", "memory",
		value_text(get(d, "memory"), COLUMN_TEXT, memory, sizeof(memory)));
	fprintf(cli->out, "%-14s%lld, %lld of %lld flows\n", "streams",
		(long long)get_int(d, "streams"), (long long)get_int(d, "flows_used"),
		(long long)get_int(d, "flows"));
}

void format_status(const struct cli *cli, const json_t *r)
{
	static const struct column workers[] = {
		{"WORKER", "worker", COLUMN_NUMBER},
		{"CORE", "lcore", COLUMN_NUMBER},
		{"BUSY %", "busy_percent", COLUMN_TENTHS},
		{"SLEEPS", "sleeps", COLUMN_NUMBER},
		{"HANDED OVER", "handed_over", COLUMN_NUMBER},
		{"TAKEN OVER", "taken_over", COLUMN_NUMBER},
		{"HEARTBEAT MS AGO", "heartbeat_age_ms", COLUMN_NUMBER},
	};
	const json_t *calls = get(r, "calls");
	char up[48], version[64];

	seconds(get_int(r, "uptime_s"), up, sizeof(up));
	fprintf(cli->out, "%-14ssallyport %s, pid %lld, up %s%s\n", "control",
		value_text(get(r, "version"), COLUMN_TEXT, version, sizeof(version)),
		(long long)get_int(r, "pid"), up,
		json_is_true(get(r, "draining")) ? ", draining" : "");
	row(cli, "configuration", get(r, "config"), COLUMN_TEXT);
	fprintf(cli->out,
		"%-14s%lld active, %lld answered now; ever: %lld, answered %lld, failed %lld, "
		"refused %lld\n",
		"calls", (long long)get_int(calls, "active"),
		(long long)get_int(calls, "answered_active"), (long long)get_int(calls, "total"),
		(long long)get_int(calls, "answered"), (long long)get_int(calls, "failed"),
		(long long)get_int(calls, "refused"));
	status_dataplane(cli, r);
	if (json_array_size(get(r, "workers")) > 0) {
		fputc('\n', cli->out);
		table_print(cli, get(r, "workers"), workers, ARRAY_LEN(workers));
	}
}

void format_ports(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"PORT", "name", COLUMN_TEXT},
		{"LINK", "link", COLUMN_TEXT},
		{"QUEUES", "queues", COLUMN_NUMBER},
		{"RX PACKETS", "rx_packets", COLUMN_NUMBER},
		{"TX PACKETS", "tx_packets", COLUMN_NUMBER},
		{"RX", "rx_bytes", COLUMN_BYTES},
		{"TX", "tx_bytes", COLUMN_BYTES},
		{"FORWARDED", "forwarded", COLUMN_NUMBER},
		{"SIP UP", "sip_up", COLUMN_NUMBER},
		{"TO KERNEL", "punted", COLUMN_NUMBER},
		{"DROPPED", "dropped", COLUMN_NUMBER},
		{"MTU", "mtu", COLUMN_NUMBER},
		{"MAC", "mac", COLUMN_TEXT},
		{"TWIN", "twin", COLUMN_TEXT},
		{"DEVICE", "device", COLUMN_TEXT},
	};

	static const struct column account[] = {
		{"PORT", "name", COLUMN_TEXT},
		{"IN", "in", COLUMN_NUMBER},
		{"= OUT", "out", COLUMN_NUMBER},
		{"+ DROPPED", "dropped", COLUMN_NUMBER},
		{"+ DIFFERENCE", "difference", COLUMN_NUMBER},
	};

	table_print(cli, r, columns, ARRAY_LEN(columns));
	fprintf(cli->out,
		"\nin: received, from the kernel, from control; out: forwarded, sent for these "
		"two, "
		"to\nthe kernel, SIP up; the difference is what is under way, 0 when idle\n");
	table_print(cli, r, account, ARRAY_LEN(account));
}

struct graph {
	const json_t *nodes;
	json_t *rows;
	bool shown[64];
};

static size_t graph_find(const struct graph *g, const char *name)
{
	size_t i;
	json_t *n;

	json_array_foreach(g->nodes, i, n)
	{
		const char *other = json_string_value(get(n, "name"));

		if (name != NULL && other != NULL && strcmp(other, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

static bool graph_shown(const struct graph *g, size_t i)
{
	return i < ARRAY_LEN(g->shown) && g->shown[i];
}

/* Successors that stand elsewhere in the picture already, on one line. */
static void graph_elsewhere(struct graph *g, const json_t *edges, unsigned int depth)
{
	char line[128];
	size_t e, at, start;
	json_t *edge;

	snprintf(line, sizeof(line), "%*s-> ", (int)depth * 3, "");
	start = strlen(line);
	json_array_foreach(edges, e, edge)
	{
		size_t to = graph_find(g, json_string_value(edge));

		at = strlen(line);
		if (to != SIZE_MAX && graph_shown(g, to))
			snprintf(line + at, sizeof(line) - at, "%s%s", at > start ? ", " : "",
				json_string_value(edge));
	}
	if (strlen(line) > start)
		json_array_append_new(g->rows, json_pack("{s:s}", "name", line));
}

/* One line for the node, then its successors below it; each node's own are shown once. */
static void graph_walk(struct graph *g, size_t i, unsigned int depth)
{
	const json_t *n = json_array_get(g->nodes, i), *edges = get(n, "edges");
	json_int_t packets = get_int(n, "packets"), calls = get_int(n, "calls");
	char name[128];
	size_t e;
	json_t *edge;

	if (i >= ARRAY_LEN(g->shown) || depth > ARRAY_LEN(g->shown))
		return;
	g->shown[i] = true;
	snprintf(name, sizeof(name), "%*s%s%s", (int)depth * 3, "", depth > 0 ? "-> " : "",
		json_string_value(get(n, "name")));
	json_array_append_new(g->rows,
		json_pack("{s:s, s:I, s:I, s:f, s:f}", "name", name, "packets", packets, "calls",
			calls, "per_call", calls > 0 ? (double)packets / (double)calls : 0.0,
			"per_packet",
			packets > 0 ? (double)get_int(n, "cycles") / (double)packets : 0.0));
	graph_elsewhere(g, edges, depth + 1);
	json_array_foreach(edges, e, edge)
	{
		size_t to = graph_find(g, json_string_value(edge));

		if (to != SIZE_MAX && !graph_shown(g, to))
			graph_walk(g, to, depth + 1);
	}
}

static bool graph_has_source(const struct graph *g, size_t to)
{
	const char *name = json_string_value(get(json_array_get(g->nodes, to), "name"));
	size_t i, e;
	json_t *n, *edge;

	json_array_foreach(g->nodes, i, n) json_array_foreach(get(n, "edges"), e,
		edge) if (i != to && name != NULL &&
			  strcmp(json_string_value(edge) != NULL ? json_string_value(edge) : "",
				  name) == 0) return true;
	return false;
}

static bool graph_is_rx(const struct graph *g, size_t i)
{
	const char *name = json_string_value(get(json_array_get(g->nodes, i), "name"));

	return name != NULL && strncmp(name, "rx", 2) == 0;
}

void format_graph(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"NODE", "name", COLUMN_TEXT},
		{"PACKETS", "packets", COLUMN_NUMBER},
		{"CALLS", "calls", COLUMN_NUMBER},
		{"PACKETS/CALL", "per_call", COLUMN_TENTHS},
		{"CYCLES/PACKET", "per_packet", COLUMN_TENTHS},
	};
	struct graph g = {.nodes = r, .rows = json_array()};
	size_t n = json_array_size(r);

	/* The wire first, then the other ways in, then what only a cycle leads to. */
	for (size_t i = 0; i < n; i++)
		if (!graph_has_source(&g, i) && !graph_shown(&g, i) && graph_is_rx(&g, i))
			graph_walk(&g, i, 0);
	for (size_t i = 0; i < n; i++)
		if (!graph_has_source(&g, i) && !graph_shown(&g, i))
			graph_walk(&g, i, 0);
	for (size_t i = 0; i < n; i++)
		if (!graph_shown(&g, i))
			graph_walk(&g, i, 0);
	table_print(cli, g.rows, columns, ARRAY_LEN(columns));
	json_decref(g.rows);
}

void format_calls(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"ID", "id", COLUMN_TEXT},
		{"STATE", "state", COLUMN_TEXT},
		{"SECONDS", "duration_ms", COLUMN_SECONDS},
		{"FROM", "from", COLUMN_TEXT},
		{"TO", "to", COLUMN_TEXT},
		{"REALM", "from_realm", COLUMN_TEXT},
		{"PEER", "to_peer", COLUMN_TEXT},
	};
	const json_t *calls = get(r, "calls");

	table_print(cli, calls, columns, ARRAY_LEN(columns));
	fprintf(cli->out, "%lld calls, %zu shown\n", (long long)get_int(r, "total"),
		json_array_size(calls));
}

void format_call(const struct cli *cli, const json_t *r)
{
	tree_print(cli, r, 0);
}

void format_drops(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"PORT", "port", COLUMN_TEXT},
		{"REASON", "reason", COLUMN_TEXT},
		{"PACKETS", "packets", COLUMN_NUMBER},
		{"WHAT IT MEANS", "help", COLUMN_TEXT},
	};

	if (json_array_size(r) == 0)
		fprintf(cli->out, "nothing was dropped\n");
	else
		table_print(cli, r, columns, ARRAY_LEN(columns));
}

void format_stats(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"COUNTER", "name", COLUMN_TEXT},
		{"VALUE", "value", COLUMN_NUMBER},
	};
	json_t *rows = json_array(), *v;
	const char *key;

	json_object_foreach((json_t *)r, key, v)
		json_array_append_new(rows, json_pack("{s:s, s:O}", "name", key, "value", v));
	table_print(cli, rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

void format_memory(const struct cli *cli, const json_t *r)
{
	static const struct column pools[] = {
		{"POOL", "name", COLUMN_TEXT},
		{"USED", "used", COLUMN_NUMBER},
		{"SIZE", "size", COLUMN_NUMBER},
		{"MEMORY", "bytes", COLUMN_BYTES},
	};
	static const struct column arenas[] = {
		{"ARENA", "arena", COLUMN_NUMBER},
		{"ALLOCATED", "allocated", COLUMN_BYTES},
	};
	const json_t *heap = get(r, "heap");

	if (json_array_size(get(r, "pools")) > 0) {
		fprintf(cli->out, "dataplane\n");
		table_print(cli, get(r, "pools"), pools, ARRAY_LEN(pools));
		fputc('\n', cli->out);
	}
	fprintf(cli->out, "control\n");
	row(cli, "allocator", get(heap, "allocator"), COLUMN_TEXT);
	row(cli, "allocated", get(heap, "allocated"), COLUMN_BYTES);
	row(cli, "active", get(heap, "active"), COLUMN_BYTES);
	row(cli, "resident", get(heap, "resident"), COLUMN_BYTES);
	if (json_array_size(get(heap, "arenas")) > 0)
		table_print(cli, get(heap, "arenas"), arenas, ARRAY_LEN(arenas));
}

void format_capture(const struct cli *cli, const json_t *r)
{
	if (json_object_size(r) == 0) {
		fprintf(cli->out, "no capture; \"sally capture start [FILTER] FILE\" begins one\n");
		return;
	}
	row(cli, "file", get(r, "file"), COLUMN_TEXT);
	row(cli, "running", get(r, "running"), COLUMN_TEXT);
	if (json_is_true(get(r, "writing")))
		fprintf(cli->out, "still writing to the disk; the file is not complete\n");
	row(cli, "packets", get(r, "packets"), COLUMN_NUMBER);
	row(cli, "size", get(r, "bytes"), COLUMN_BYTES);
	row(cli, "missed", get(r, "missed"), COLUMN_NUMBER);
	if (json_is_true(get(r, "running")))
		row(cli, "seconds", get(r, "seconds"), COLUMN_NUMBER);
	else
		row(cli, "ended by", get(r, "ended"), COLUMN_TEXT);
}
