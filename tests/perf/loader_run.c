#include <unistd.h>

#include "loader.h"
#include "sip_scan.h"

#define SAMPLE_NS 1000000000ull

static union {
	struct rec_sip_up up;
	uint8_t bytes[sizeof(struct rec_sip_up) + sizeof(struct sip_index) + API_SIP_MSG_MAX];
} record;

static uint64_t drained;

static void sip_answer(void)
{
	const char *msg = (const char *)record.bytes + sizeof(record.up) + record.up.index_len;
	struct rec_sip_down d = {
		.hdr = {.type = REC_SIP_DOWN, .version = API_VERSION},
		.local = record.up.local,
		.remote = record.up.remote,
		.realm = record.up.realm,
		.msg_len = record.up.msg_len,
	};
	const struct str_view pieces[] = {{(const char *)&d, sizeof(d)}, {msg, record.up.msg_len}};

	printf("{\"sip\": %u, \"realm\": %u, \"class\": %u, \"error\": %u}\n", record.up.msg_len,
		record.up.realm, record.up.sip_class, record.up.error);
	ring_put(&loader_session.shard[0].down, pieces, ARRAY_LEN(pieces));
}

/* Everything that is on the up rings now; space goes back every few records. */
static void sip_take(void)
{
	for (uint16_t w = 0; w < loader_session.workers; w++) {
		struct ring *up = &loader_session.shard[0].up[w];

		while (ring_get(up, &record, sizeof(record)) > 0) {
			if (loader_options.echo)
				sip_answer();
			if (++drained % 16 == 0)
				ring_release(up);
		}
		ring_release(up);
	}
	ring_publish(&loader_session.shard[0].down);
}

/* In minus out by the equation of stats.h: 0 at rest. */
static int64_t balance(const struct stats_port_counts *c)
{
	uint64_t out =
		c->forwarded + c->originated + c->punted + c->sip_up + c->gleaned + c->reassembled;

	for (unsigned int d = 0; d < DROP_COUNT; d++)
		out += c->drops[d];
	return (int64_t)(c->rx_packets + c->from_twin + c->from_control - out);
}

static void sample_drops(const struct stats_port_counts counts[2])
{
	const char *comma = "";

	printf(", \"drops\": {");
	for (unsigned int d = 0; d < DROP_COUNT; d++) {
		uint64_t n = counts[0].drops[d] + counts[1].drops[d];

		if (n == 0)
			continue;
		printf("%s\"%s\": %llu", comma, drop_reason_name(d), (unsigned long long)n);
		comma = ", ";
	}
	printf("}");
}

/* Nodes: calls, packets, TSC cycles. Pools: objects, bytes. */
static void sample_tables(void)
{
	const struct stats *s = loader_session.stats;
	const char *comma = "";

	printf(", \"nodes\": {");
	for (unsigned int i = 0; i < API_NODES_MAX && s->node[i].name[0] != '\0'; i++) {
		const struct stats_node *n = &s->node[i];

		printf("%s\"%s\": [%llu, %llu, %llu]", comma, n->name, (unsigned long long)n->calls,
			(unsigned long long)n->packets, (unsigned long long)n->cycles);
		comma = ", ";
	}
	comma = "";
	printf("}, \"pools\": {");
	for (unsigned int i = 0; i < STATS_POOLS_MAX && s->pool[i].name[0] != '\0'; i++) {
		printf("%s\"%s\": [%llu, %llu]", comma, s->pool[i].name,
			(unsigned long long)s->pool[i].size, (unsigned long long)s->pool[i].bytes);
		comma = ", ";
	}
	printf("}");
}

static void sample(uint64_t start)
{
	struct stats_port_counts c[2];
	int64_t under_way = 0;

	for (unsigned int p = 0; p < 2; p++) {
		stats_port_sum(loader_session.stats, p, &c[p]);
		under_way += balance(&c[p]);
	}
	printf("{\"ns\": %llu, \"rx\": %llu, \"tx\": %llu, \"sip_up\": %llu, \"drained\": %llu, "
	       "\"commands\": %llu, \"under_way\": %lld",
		(unsigned long long)(loader_now_ns() - start),
		(unsigned long long)(c[0].rx_packets + c[1].rx_packets),
		(unsigned long long)(c[0].tx_packets + c[1].tx_packets),
		(unsigned long long)(c[0].sip_up + c[1].sip_up), (unsigned long long)drained,
		(unsigned long long)loader_done(), (long long)under_way);
	sample_drops(c);
	sample_tables();
	printf("}\n");
	fflush(stdout);
}

/* Add them all, change a stream that carries media for each, remove them all. */
static void churn_round(void)
{
	static uint8_t flags = STREAM_END_RECEIVE;
	uint32_t first = loader_options.streams;

	flags ^= STREAM_END_LEARN_PORT;
	for (uint32_t i = 0; i < loader_options.churn; i++) {
		loader_stream_set(first + i, STREAM_END_RECEIVE);
		if (i < loader_options.streams)
			loader_stream_set(i, flags);
	}
	for (uint32_t i = 0; i < loader_options.churn; i++)
		loader_stream_del(first + i);
	if (loader_commands_finish() > 0)
		loader_die("a command of the churn failed", -1);
}

void loader_run(void)
{
	uint64_t start = loader_now_ns(), next = start;

	while (next <= start + loader_options.seconds * SAMPLE_NS) {
		if (loader_now_ns() >= next) {
			sample(start);
			next += SAMPLE_NS;
		}
		if (loader_options.echo || loader_options.drain)
			sip_take();
		if (loader_options.churn > 0)
			churn_round();
		loader_events_take();
		if (!loader_options.drain && loader_options.churn == 0)
			usleep(loader_options.echo ? 500 : 10000);
	}
}
