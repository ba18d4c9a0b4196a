#include "show.h"
#include "sip_scan.h"

/* Text from the mapping: may lack its NUL, may hold anything. */
static json_t *text_json(const char *text, size_t size)
{
	char clean[128];
	size_t n = 0;

	for (; n < size && n < sizeof(clean) - 1 && text[n] != '\0'; n++)
		clean[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	return json_stringn(clean, n);
}

#define TEXT(field) text_json((field), sizeof(field))

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static unsigned int worker_count(const struct stats *s)
{
	unsigned int n = s->workers;

	return n <= API_WORKERS_MAX ? n : API_WORKERS_MAX;
}

json_t *show_dataplane(const struct stats *s, uint64_t now_ms)
{
	uint64_t up_ms = now_ms > s->start_ms ? now_ms - s->start_ms : 0;

	return json_pack("{s:o, s:o, s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
		number(s->pid), "uptime_s", number(up_ms / 1000), "memory", TEXT(s->memory),
		"hugepages", s->huge_pages != 0, "idle", s->idle_poll != 0 ? "poll" : "adaptive",
		"epoch", number(s->epoch), "attaches", number(s->attaches), "streams",
		number(s->streams), "streams_inactive", number(s->streams_inactive), "flows_used",
		number(s->flows_used), "flows", number(s->flows));
}

/* One worker: `worker`, `lcore` and what it did since its start. */
static json_t *worker_json(const struct stats_worker *w, unsigned int index, uint64_t now_ms)
{
	uint64_t beat = w->heartbeat_ms, loops = w->loops, busy = w->busy_loops, sip = 0;

	for (unsigned int c = 0; c < SIP_CLASS_COUNT; c++)
		sip += w->sip_class[c];
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o}", "worker",
		(int)index, "lcore", number(w->lcore), "heartbeat_age_ms",
		number(now_ms > beat ? now_ms - beat : 0), "loops", number(loops), "busy_loops",
		number(busy), "sleeps", number(w->sleeps), "busy_percent",
		loops > 0 ? 100.0 * (double)busy / (double)loops : 0.0, "sip_up", number(sip),
		"handed_over", number(w->handed_over), "taken_over", number(w->taken_over),
		"flows_given", number(w->flows_given));
}

json_t *show_workers(const struct stats *s, uint64_t now_ms)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < worker_count(s); i++)
		json_array_append_new(list, worker_json(&s->worker[i], i, now_ms));
	return list;
}

void show_port_sum(const struct stats *s, unsigned int port, struct show_port_sum *sum)
{
	stats_port_sum(s, port, &sum->counts);
	sum->dropped = 0;
	for (unsigned int i = 0; i < DROP_COUNT; i++)
		sum->dropped += sum->counts.drops[i];
}

/* The counters by name, once for every table and list. */
struct port_counter {
	const char *name;
	size_t offset;
};

#define COUNTER(field) \
	{ \
#field, offsetof(struct stats_port_counts, field) \
	}
static const struct port_counter port_counters[] = {
	COUNTER(rx_packets),
	COUNTER(rx_bytes),
	COUNTER(tx_packets),
	COUNTER(tx_bytes),
	COUNTER(forwarded),
	COUNTER(punted),
	COUNTER(sip_up),
	COUNTER(from_twin),
	COUNTER(from_control),
	COUNTER(originated),
	COUNTER(gleaned),
	COUNTER(reassembled),
};

static uint64_t counter_get(const struct show_port_sum *sum, const struct port_counter *c)
{
	uint64_t v;

	memcpy(&v, (const char *)&sum->counts + c->offset, sizeof(v));
	return v;
}

/* The equation of struct stats_port_counts. */
static void account_add(json_t *port, const struct show_port_sum *sum)
{
	const struct stats_port_counts *c = &sum->counts;
	uint64_t in = c->rx_packets + c->from_twin + c->from_control;
	uint64_t out = c->forwarded + c->originated + c->punted + c->sip_up + c->gleaned;

	json_object_set_new(port, "in", number(in));
	json_object_set_new(port, "out", number(out));
	json_object_set_new(port, "difference", number(in - out - sum->dropped));
}

json_t *show_ports(const struct stats *s)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < API_PORTS_MAX; i++) {
		const struct stats_port *p = &s->port[i];
		struct show_port_sum sum;
		char mac[18];
		json_t *port;

		if (p->name[0] == '\0')
			continue;
		show_port_sum(s, i, &sum);
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1],
			p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
		port = json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o}", "name",
			TEXT(p->name), "device", TEXT(p->device), "driver", TEXT(p->driver), "twin",
			TEXT(p->twin), "mac", mac, "link", p->link_up != 0 ? "up" : "down", "mtu",
			number(p->mtu), "speed_mbps", number(p->speed_mbps), "queues",
			number(p->queues));
		for (size_t c = 0; c < ARRAY_LEN(port_counters); c++)
			json_object_set_new(port, port_counters[c].name,
				number(counter_get(&sum, &port_counters[c])));
		json_object_set_new(port, "dropped", number(sum.dropped));
		account_add(port, &sum);
		json_array_append_new(list, port);
	}
	return list;
}

json_t *show_graph(const struct stats *s)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < API_NODES_MAX; i++) {
		const struct stats_node *n = &s->node[i];
		uint64_t edges = n->edges;
		json_t *to;

		if (n->name[0] == '\0')
			continue;
		to = json_array();
		for (unsigned int e = 0; e < API_NODES_MAX; e++)
			if ((edges >> e & 1) != 0 && s->node[e].name[0] != '\0')
				json_array_append_new(to, TEXT(s->node[e].name));
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", TEXT(n->name), "calls",
				      number(n->calls), "packets", number(n->packets), "cycles",
				      number(n->cycles), "edges", to));
	}
	return list;
}

json_t *show_drops(const struct stats *s, bool all)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < API_PORTS_MAX; i++) {
		struct show_port_sum sum;

		if (s->port[i].name[0] == '\0')
			continue;
		show_port_sum(s, i, &sum);
		for (unsigned int r = 0; r < DROP_COUNT; r++) {
			if (!all && sum.counts.drops[r] == 0)
				continue;
			json_array_append_new(list,
				json_pack("{s:o, s:s, s:o, s:s}", "port", TEXT(s->port[i].name),
					"reason", drop_reason_name(r), "packets",
					number(sum.counts.drops[r]), "help", drop_reason_help(r)));
		}
	}
	return list;
}

json_t *show_capture(const struct stats *s, uint64_t now_ms)
{
	static const char *const ends[CAPTURE_END_COUNT] = {
		[CAPTURE_END_NONE] = "",
		[CAPTURE_END_STOPPED] = "stopped",
		[CAPTURE_END_SIZE] = "its size limit",
		[CAPTURE_END_TIME] = "its time limit",
		[CAPTURE_END_WRITE] = "the file could not be written; is the disk full?",
	};
	const struct stats_capture *c = &s->capture;
	bool running = c->state == CAPTURE_RUNNING;
	unsigned int end = c->end;
	char file[sizeof(c->file)];

	memcpy(file, c->file, sizeof(file));
	file[sizeof(file) - 1] = '\0';
	if (file[0] == '\0')
		return json_object();
	for (size_t i = 0; file[i] != '\0'; i++)
		file[i] = file[i] >= 0x20 && file[i] < 0x7f ? file[i] : '?';
	return json_pack("{s:b, s:b, s:s, s:o, s:o, s:o, s:o, s:s}", "running", running, "writing",
		c->state == CAPTURE_WRITING, "file", file, "packets", number(c->packets), "bytes",
		number(c->bytes), "missed", number(c->missed), "seconds",
		number(running && now_ms > c->start_ms ? (now_ms - c->start_ms) / 1000 : 0),
		"ended", end < CAPTURE_END_COUNT ? ends[end] : "");
}

json_t *show_pools(const struct stats *s)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < STATS_POOLS_MAX; i++) {
		const struct stats_pool *p = &s->pool[i];

		if (p->name[0] != '\0')
			json_array_append_new(
				list, json_pack("{s:o, s:o, s:o, s:o}", "name", TEXT(p->name),
					      "size", number(p->size), "used", number(p->used),
					      "bytes", number(p->bytes)));
	}
	return list;
}

static void flat_add(json_t *o, const char *prefix, const char *name, const char *key, uint64_t v)
{
	char full[96];

	snprintf(full, sizeof(full), "%s_%s%s%s", prefix, name, name[0] != '\0' ? "_" : "", key);
	json_object_set_new(o, full, number(v));
}

static void flat_port(json_t *o, const struct stats *s, unsigned int i)
{
	struct show_port_sum sum;
	char name[API_NAME_MAX], drop[64];

	snprintf(name, sizeof(name), "%.*s", API_NAME_MAX - 1, s->port[i].name);
	for (char *p = name; *p != '\0'; p++)
		if (*p < 0x21 || *p > 0x7e)
			*p = '?';
	show_port_sum(s, i, &sum);
	for (size_t c = 0; c < ARRAY_LEN(port_counters); c++)
		flat_add(o, "port", name, port_counters[c].name,
			counter_get(&sum, &port_counters[c]));
	flat_add(o, "port", name, "dropped", sum.dropped);
	for (unsigned int r = 0; r < DROP_COUNT; r++) {
		snprintf(drop, sizeof(drop), "drop_%s", drop_reason_name(r));
		flat_add(o, "port", name, drop, sum.counts.drops[r]);
	}
}

/* Malformed SIP by reason, whether dropped or answered 400. */
/* Between workers: the sums of handed_over and taken_over differ by what is under way. */
static void flat_handover(json_t *o, const struct stats *s)
{
	uint64_t handed = 0, taken = 0, given = 0;

	for (unsigned int w = 0; w < worker_count(s); w++) {
		handed += s->worker[w].handed_over;
		taken += s->worker[w].taken_over;
		given += s->worker[w].flows_given;
	}
	flat_add(o, "dataplane", "", "handed_over", handed);
	flat_add(o, "dataplane", "", "taken_over", taken);
	flat_add(o, "dataplane", "", "flows_given", given);
}

static void flat_sip_errors(json_t *o, const struct stats *s)
{
	for (unsigned int e = SIP_SCAN_NONE + 1; e < SIP_SCAN_COUNT; e++) {
		uint64_t n = 0;

		for (unsigned int w = 0; w < worker_count(s); w++)
			n += s->worker[w].sip_errors[e];
		flat_add(o, "dataplane", "sip_error", sip_scan_error_name(e), n);
	}
}

json_t *show_flat(const struct stats *s)
{
	uint64_t by_class[SIP_CLASS_COUNT] = {0}, down = 0, loops = 0, busy = 0, sleeps = 0;
	json_t *o = json_object();

	for (unsigned int w = 0; w < worker_count(s); w++) {
		for (unsigned int c = 0; c < SIP_CLASS_COUNT; c++)
			by_class[c] += s->worker[w].sip_class[c];
		down += s->worker[w].down_records;
		loops += s->worker[w].loops;
		busy += s->worker[w].busy_loops;
		sleeps += s->worker[w].sleeps;
	}
	flat_add(o, "dataplane", "", "epoch", s->epoch);
	flat_add(o, "dataplane", "", "attaches", s->attaches);
	flat_add(o, "dataplane", "", "streams", s->streams);
	flat_add(o, "dataplane", "", "streams_inactive", s->streams_inactive);
	flat_add(o, "dataplane", "", "flows_used", s->flows_used);
	flat_add(o, "dataplane", "", "records_malformed", s->records_malformed);
	flat_add(o, "dataplane", "sip_up", "new", by_class[SIP_CLASS_NEW]);
	flat_add(o, "dataplane", "sip_up", "out_of_dialog", by_class[SIP_CLASS_OUT]);
	flat_add(o, "dataplane", "sip_up", "dialog", by_class[SIP_CLASS_DIALOG]);
	flat_add(o, "dataplane", "sip_up", "lane", by_class[SIP_CLASS_LANE]);
	flat_sip_errors(o, s);
	flat_add(o, "dataplane", "", "down_records", down);
	flat_add(o, "dataplane", "", "loops", loops);
	flat_add(o, "dataplane", "", "busy_loops", busy);
	flat_add(o, "dataplane", "", "sleeps", sleeps);
	flat_handover(o, s);
	for (unsigned int i = 0; i < API_PORTS_MAX; i++)
		if (s->port[i].name[0] != '\0')
			flat_port(o, s, i);
	return o;
}

static void counter_add(json_t *o, const char *key, uint64_t v)
{
	json_int_t before = json_integer_value(json_object_get(o, key));

	json_object_set_new(o, key, json_integer(before + (json_int_t)v));
}

/* A flow's live line; the offset is read once and held against the mapping's real size. */
static const struct stats_flow *flow_line(const struct stats *s, size_t bytes, json_int_t flow)
{
	uint64_t offset = *(const volatile uint64_t *)&s->flow_offset, index = (uint64_t)flow;

	if (flow <= 0 || offset > bytes || offset % _Alignof(struct stats_flow) != 0 ||
		index >= (bytes - offset) / sizeof(struct stats_flow))
		return NULL;
	return (const struct stats_flow *)((const char *)s + offset) + index;
}

/* One side of an m= line: what its flow counts now, onto what earlier ones did. */
static void side_live(json_t *side, const struct stats_flow *f, uint32_t clock_hz)
{
	struct rtp_quality q = rtp_quality_read(&f->quality);
	double jitter = rtp_quality_jitter_us(q.jitter, clock_hz) / 1000.0;
	double jitter_max = rtp_quality_jitter_us(q.jitter_max, clock_hz) / 1000.0;

	counter_add(side, "packets", f->packets);
	counter_add(side, "bytes", f->bytes);
	counter_add(side, "refused", f->refused);
	counter_add(side, "policed", f->policed);
	counter_add(side, "lost", (uint64_t)f->lost + rtp_quality_lost(&q));
	counter_add(side, "duplicates", q.duplicates);
	counter_add(side, "reordered", q.reordered);
	counter_add(side, "late_gaps", q.late_gaps);
	if (q.received == 0)
		return;
	json_object_set_new(side, "jitter_ms", json_real(jitter));
	if (jitter_max > json_number_value(json_object_get(side, "jitter_max_ms")))
		json_object_set_new(side, "jitter_max_ms", json_real(jitter_max));
}

void show_call_live(const struct stats *s, size_t bytes, json_t *call)
{
	static const char *const sides[] = {"caller", "callee"};
	json_int_t clock;
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(call, "media"), i, line)
	{
		if (!json_is_true(json_object_get(line, "active")))
			continue;
		clock = json_integer_value(json_object_get(line, "clock_hz"));
		for (size_t n = 0; n < ARRAY_LEN(sides); n++) {
			json_t *side = json_object_get(line, sides[n]);
			const struct stats_flow *f = flow_line(
				s, bytes, json_integer_value(json_object_get(side, "flow")));

			if (f != NULL)
				side_live(side, f, (uint32_t)clock);
		}
	}
}
