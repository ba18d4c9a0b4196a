/*
 * What control wants sent: datagrams of either family, whole or in fragments, put together and
 * judged here by the book; what it may not have sent is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include <rte_eal.h>

#include "attach.h"
#include "boundary.h"
#include "netif.h"
#include "nodes_priv.h"

#define RING_BYTES (1u << 20)
#define REALM 7
#define PORT 1
#define PACKETS_MAX 4096

static struct rte_graph *graph;
static struct ring down; /* control's end */
static struct worker_rings rings;
static struct rte_mbuf *seen[PACKETS_MAX];
static unsigned int n_seen;
static uint8_t message[API_SIP_MSG_MAX];

/* --- around the node --- */

static uint16_t sink_process(struct rte_graph *g, struct rte_node *node, void **objs, uint16_t n)
{
	assert_true(n_seen + n <= PACKETS_MAX);
	memcpy(&seen[n_seen], objs, n * sizeof(objs[0]));
	n_seen += n;
	return n;
}

static struct rte_node_register sinks[] = {
	{.name = "drop", .process = sink_process},
	{.name = "ip_output", .process = sink_process},
};

static void node_register(struct rte_node_register *r)
{
	r->parent_id = RTE_NODE_ID_INVALID;
	r->id = __rte_node_register(r);
	assert_int_not_equal(r->id, RTE_NODE_ID_INVALID);
}

static void graph_make(void)
{
	const char *patterns[] = {"from_control"};
	struct rte_graph_param param = {
		.socket_id = SOCKET_ID_ANY, .node_patterns = patterns, .nb_node_patterns = 1};

	for (unsigned int i = 0; i < ARRAY_LEN(sinks); i++)
		node_register(&sinks[i]);
	node_register(&node_from_control);
	assert_int_not_equal(rte_graph_create("test", &param), RTE_GRAPH_ID_INVALID);
	graph = rte_graph_lookup("test");
}

static struct net_addr addr_of(const char *text)
{
	struct net_addr a = {0};

	assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a), 0);
	return a;
}

static void listener_make(uint16_t idx, const char *text)
{
	struct local_addr *a = &local_addrs[idx];
	int hop;

	a->addr = addr_of(text);
	a->realm = REALM;
	a->used = true;
	a->slots = calloc(65536, sizeof(*a->slots));
	assert_non_null(a->slots);
	local_slot_write(idx, 5060, LOCAL_LISTENER, REALM);
	hop = nexthop_get(NEXTHOP_LOCAL, PORT, &a->addr, idx);
	assert_true(hop > 0);
	assert_int_equal(
		route_add(&a->addr, a->addr.family == NET_FAMILY_V6 ? 128 : 32, (uint32_t)hop), 0);
}

static void worker_make(void)
{
	struct ring_shared *shared = aligned_alloc(64, ring_footprint(RING_BYTES));

	assert_non_null(shared);
	ring_format(shared);
	assert_int_equal(ring_init(&down, shared, RING_BYTES, -1), 0);
	assert_int_equal(ring_init(&rings.down[0], shared, RING_BYTES, -1), 0);
	rings.n_down = 1;
	RTE_PER_LCORE(worker_self) = &workers[0];
	workers[0].stats = &stats_region->worker[0];
	workers[0].scratch = aligned_alloc(64, RTE_ALIGN_CEIL(WORKER_SCRATCH, 64));
	atomic_store(&workers[0].rings, &rings);
}

static int group_setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	if (rte_eal_init(ARRAY_LEN(argv), argv) < 0)
		fail_msg("EAL does not start");
	packet_pool = rte_pktmbuf_pool_create("test", 1023, 0, 0, 9000 + 128 + 128, 0);
	assert_non_null(packet_pool);
	assert_int_equal(stats_region_init(16, 1, false), 0);
	snprintf(stats_region->port[PORT].name, API_NAME_MAX, "port1");
	n_ports = 2;
	assert_int_equal(netif_init(), 0);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	local_realms[REALM] = (struct local_realm){.used = true, .port = PORT, .dscp_sip = 24};
	listener_make(0, "192.0.2.1");
	listener_make(1, "2001:db8::1");
	worker_make();
	graph_make();
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 2654435761u >> 13);
	return 0;
}

static struct rec_sip_down record_of(bool v6)
{
	return (struct rec_sip_down){
		.hdr = {.type = REC_SIP_DOWN, .version = API_VERSION},
		.local = {.addr = addr_of(v6 ? "2001:db8::1" : "192.0.2.1"), .port = 5060},
		.remote = {.addr = addr_of(v6 ? "2001:db8::9" : "192.0.2.9"), .port = 5070},
		.realm = REALM,
	};
}

static void record_put(struct rec_sip_down r, size_t len)
{
	const struct str_view pieces[] = {
		{(const char *)&r, sizeof(r)}, {(const char *)message, len}};

	r.msg_len = (uint32_t)len;
	assert_int_equal(ring_put(&down, pieces, ARRAY_LEN(pieces)), 0);
}

static void walk(void)
{
	memset(&stats_region->worker[0].port, 0, sizeof(stats_region->worker[0].port));
	n_seen = 0;
	ring_publish(&down);
	rte_graph_walk(graph);
}

static void seen_free(void)
{
	rte_pktmbuf_free_bulk(seen, n_seen);
	n_seen = 0;
	assert_int_equal(rte_mempool_in_use_count(packet_pool), 0);
}

/* --- judging --- */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t sum_add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static bool sum_good(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* Header of a packet at p. @return its length; where its data go, and whether others follow. */
static size_t header_check(
	const uint8_t *p, size_t len, bool v6, bool cut, uint32_t *off, bool *more)
{
	*off = 0;
	*more = false;
	if (!v6) {
		assert_int_equal(p[0], 0x45);
		assert_int_equal(p[1], 24 << 2);
		assert_int_equal(get16(p + 2), len);
		assert_int_equal(p[8], 64);
		assert_int_equal(p[9], 17);
		assert_true(sum_good(sum_add(0, p, 20)));
		*off = (get16(p + 6) & 0x1fffu) * 8;
		*more = (p[6] & 0x20) != 0;
		return 20;
	}
	assert_int_equal(get16(p), 0x6000 | 24 << 6);
	assert_int_equal(get16(p + 2), 0);
	assert_int_equal(get16(p + 4), len - 40);
	assert_int_equal(p[7], 64);
	assert_int_equal(p[6], cut ? 44 : 17);
	if (!cut)
		return 40;
	assert_int_equal(p[40], 17);
	*off = get16(p + 42) & 0xfff8u;
	*more = (p[43] & 1) != 0;
	return 48;
}

/* What was seen is one datagram of this message. */
static void datagram_check(bool v6, size_t len, uint32_t mtu)
{
	static uint8_t whole[65536 + 8];
	const uint8_t *first = rte_pktmbuf_mtod(seen[0], const uint8_t *);
	size_t addrs = v6 ? 32 : 8, have = 0;
	uint32_t sum = 0;

	for (unsigned int i = 0; i < n_seen; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(seen[i], const uint8_t *);
		uint32_t off;
		bool more;
		size_t h = header_check(p, seen[i]->pkt_len, v6, n_seen > 1, &off, &more);

		assert_true(seen[i]->pkt_len <= mtu);
		assert_int_equal(off, have);
		assert_int_equal(more, i + 1 < n_seen);
		assert_memory_equal(p + (v6 ? 8 : 12), first + (v6 ? 8 : 12), addrs);
		if (n_seen > 1)
			assert_memory_equal(p + (v6 ? 44 : 4), first + (v6 ? 44 : 4), v6 ? 4 : 2);
		assert_int_equal(pkt_meta(seen[i])->port, PORT);
		assert_int_equal(pkt_meta(seen[i])->origin, PKT_CONTROL);
		assert_int_equal(pkt_meta(seen[i])->value, REALM);
		memcpy(whole + have, p + h, seen[i]->pkt_len - h);
		have += seen[i]->pkt_len - h;
	}
	assert_int_equal(have, 8 + len);
	assert_int_equal(get16(whole), 5060);
	assert_int_equal(get16(whole + 2), 5070);
	assert_int_equal(get16(whole + 4), have);
	assert_int_not_equal(get16(whole + 6), 0);
	sum = sum_add((uint32_t)(17 + have), first + (v6 ? 8 : 12), addrs);
	assert_true(sum_good(sum_add(sum, whole, have)));
	assert_memory_equal(whole + 8, message, len);
}

static void cut_to_the_mtu(void **state)
{
	static const uint16_t mtus[] = {576, 1280, 1500, 9000};

	for (unsigned int m = 0; m < ARRAY_LEN(mtus); m++) {
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			size_t most = mtus[m] - (v6 ? 48u : 28u);
			const size_t lens[] = {1, 2, 333, most - 1, most, most + 1, 2 * most, 4001,
				65000, API_SIP_UDP_MAX};

			ports[PORT].mtu = mtus[m];
			for (unsigned int i = 0; i < ARRAY_LEN(lens); i++) {
				record_put(record_of(v6), lens[i]);
				walk();
				assert_int_equal(n_seen > 1, lens[i] > most);
				datagram_check(v6, lens[i], mtus[m]);
				assert_int_equal(workers[0].stats->port[PORT].from_control, n_seen);
				seen_free();
			}
		}
	}
}

/* More fragments than go on at once. */
static void many_at_once(void **state)
{
	ports[PORT].mtu = 576;
	for (unsigned int i = 0; i < 6; i++)
		record_put(record_of(i % 2), 60000);
	walk();
	assert_true(n_seen > 600);
	assert_int_equal(workers[0].stats->port[PORT].from_control, n_seen);
	seen_free();
}

/* All fragments or none. */
static void buffers_run_out(void **state)
{
	struct rte_mbuf *kept[1020];

	ports[PORT].mtu = 1500;
	assert_int_equal(rte_pktmbuf_alloc_bulk(packet_pool, kept, ARRAY_LEN(kept)), 0);
	record_put(record_of(true), 6000);
	record_put(record_of(true), 3000);
	walk();
	assert_int_equal(n_seen, 3);
	datagram_check(true, 3000, 1500);
	assert_int_equal(workers[0].stats->port[PORT].from_control, 4);
	assert_int_equal(workers[0].stats->port[PORT].drops[DROP_NO_MBUF], 1);
	rte_pktmbuf_free_bulk(kept, ARRAY_LEN(kept));
	seen_free();
}

static void refused(void **state)
{
	static const struct {
		const char *local, *remote;
		uint16_t local_port, remote_port;
		size_t len;
		enum drop_reason reason;
	} cases[] = {
		{"192.0.2.1", "192.0.2.9", 5060, 5070, 0, DROP_RECORD_MALFORMED},
		{"192.0.2.2", "192.0.2.9", 5060, 5070, 9, DROP_RECORD_MALFORMED},
		{"2001:db8::2", "2001:db8::9", 5060, 5070, 9, DROP_RECORD_MALFORMED},
		{"2001:db8::1", "2001:db8::9", 5061, 5070, 9, DROP_RECORD_MALFORMED},
		{"2001:db8::1", "192.0.2.9", 5060, 5070, 9, DROP_OUT_NO_ROUTE},
		{"192.0.2.1", "2001:db8::9", 5060, 5070, 9, DROP_OUT_NO_ROUTE},
		{"2001:db8::1", "ff02::1", 5060, 5070, 9, DROP_OUT_REFUSED},
		{"2001:db8::1", "::1", 5060, 5070, 9, DROP_OUT_REFUSED},
		{"2001:db8::1", "2001:db8::9", 5060, 0, 9, DROP_OUT_REFUSED},
		{"192.0.2.1", "192.0.2.9", 5060, 5070, API_SIP_UDP_MAX + 1, DROP_OUT_TOO_LONG},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_sip_down r = record_of(false);

		r.local.addr = addr_of(cases[i].local);
		r.local.port = cases[i].local_port;
		r.remote.addr = addr_of(cases[i].remote);
		r.remote.port = cases[i].remote_port;
		record_put(r, cases[i].len);
		walk();
		assert_int_equal(n_seen, 0);
		assert_int_equal(workers[0].stats->port[PORT].from_control, 1);
		assert_int_equal(workers[0].stats->port[PORT].drops[cases[i].reason], 1);
	}
	seen_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_to_the_mtu),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(buffers_run_out),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
