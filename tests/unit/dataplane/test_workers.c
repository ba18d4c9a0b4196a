/*
 * Two workers and the whole graph on ports made of rings: packets of a flow come by any queue,
 * and are relayed, counted and accounted for exactly once. The number of receive queues a port is
 * the argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_graph_worker.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "boundary.h"
#include "cpu_list.h"
#include "dataplane_config.h"
#include "flow.h"
#include "flow_police.h"
#include "netif.h"
#include "nexthop.h"
#include "nodes.h"
#include "police.h"
#include "ports.h"
#include "reassembly.h"
#include "worker.h"

#define WORKERS 2
#define RING 8192
#define MBUFS 16383
#define FLOWS 64
#define STREAMS 2
#define WAIT_S 20

static const struct dataplane_config config = {
	.idle = IDLE_ADAPTIVE, .memory_mib = 256, .mbufs = MBUFS, .flows = FLOWS, .sources = 64};
static uint16_t n_queues;
static struct rte_ring *rx[2][WORKERS], *tx[2][WORKERS];

/* What left port 1, by stream. */
static struct {
	uint64_t packets;
	uint64_t disordered;
	uint32_t next; /* sequence number */
	uint64_t misled;
} out[STREAMS];
static uint32_t sequence[STREAMS];

static struct net_addr addr(const char *text)
{
	struct net_addr a = {0};

	assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a), 0);
	return a;
}

/* --- set up --- */

static void eal_start(void)
{
	char prefix[64], lcores[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "--lcores", lcores, "--log-level=3", "--file-prefix", prefix};
	struct cpu_list cpus;

	assert_int_equal(cpu_list_affinity(&cpus), 0);
	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	snprintf(lcores, sizeof(lcores), "0@%u,1@%u,2@%u", cpus.cpu[0], cpus.cpu[0],
		cpus.cpu[1 % cpus.n]);
	if (rte_eal_init(ARRAY_LEN(argv), argv) < 0)
		fail_msg("EAL does not start");
}

static void pool_make(void)
{
	static const struct rte_mbuf_dynfield field = {.name = "sallyport_pkt_meta",
		.size = sizeof(struct pkt_meta),
		.align = _Alignof(struct pkt_meta)};

	assert_true(rte_mbuf_dynfield_register_offset(&field, PKT_META_OFFSET) >= 0);
	packet_pool = rte_pktmbuf_pool_create("packets", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(packet_pool);
}

static struct rte_ring *ring(const char *what, unsigned int port, unsigned int queue)
{
	char name[32];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "%s%u-%u", what, port, queue);
	r = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
	assert_non_null(r);
	return r;
}

static void port_make(uint16_t i)
{
	struct stats_port *s = &stats_region->port[i];
	struct port *p = &ports[i];
	int eth;

	snprintf(p->name, sizeof(p->name), "port%u", i);
	for (uint16_t q = 0; q < n_queues; q++)
		rx[i][q] = ring("rx", i, q);
	for (uint16_t q = 0; q < WORKERS; q++)
		tx[i][q] = ring("tx", i, q);
	eth = rte_eth_from_rings(p->name, rx[i], n_queues, tx[i], WORKERS, 0);
	assert_true(eth >= 0);
	p->eth_id = (uint16_t)eth;
	p->mtu = 1500;
	p->n_rx = n_queues;
	p->n_tx = WORKERS;
	p->spread = n_queues >= WORKERS;
	p->punt_rate = 1000;
	assert_int_equal(port_start(p->eth_id, p->n_rx, p->n_tx, p->mtu, false), 0);
	assert_int_equal(rte_eth_macaddr_get(p->eth_id, &p->mac), 0);
	snprintf(s->name, sizeof(s->name), "%s", p->name);
	s->mtu = p->mtu;
	memcpy(s->mac, &p->mac, sizeof(s->mac));
	n_ports++;
}

static void realm_make(uint16_t realm, const char *local, const char *peer)
{
	struct rec_realm_set r = {.name = "realm", .realm = realm, .port = realm};
	struct rec_address_set a = {.addr = addr(local), .realm = realm, .prefix_len = 24};
	struct rec_media_range_set m = {
		.addr = a.addr, .realm = realm, .port_min = 10000, .port_max = 10999};
	const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
	struct net_addr host = addr(peer);
	int hop;

	assert_int_equal(local_realm_set(&r, 1), 0);
	assert_int_equal(local_address_set(&a, 1), 0);
	assert_int_equal(local_media_range_set(&m, 1), 0);
	hop = nexthop_get(NEXTHOP_NEIGHBOUR, realm, &host, 0);
	assert_true(hop > 0);
	nexthop_set_link((uint32_t)hop, &mac);
	assert_int_equal(route_add(&host, 32, (uint32_t)hop), 0);
}

/* Stream i: access port 10000 + 2i, sent on to port 7000 + i. @return the flow from access. */
static uint32_t stream_make(unsigned int i)
{
	struct rec_stream_set r = {.id = i + 1, .kind = STREAM_RTP};
	const uint16_t local = (uint16_t)(10000 + 2 * i);
	uint32_t flow[2];

	for (unsigned int e = 0; e < 2; e++) {
		struct stream_end *end = &r.end[e];

		end->realm = (uint16_t)e;
		end->local.addr = addr(e == 0 ? "192.0.2.10" : "198.51.100.10");
		end->local.port = local;
		end->remote.addr = addr(e == 0 ? "192.0.2.2" : "198.51.100.2");
		end->remote.port = (uint16_t)((e == 0 ? 6000 : 7000) + i);
		end->allowed = end->remote.addr;
		end->prefix_len = 32;
		end->flags = STREAM_END_RECEIVE;
	}
	assert_int_equal(stream_set(&r, 1, 0, flow), 0);
	return flow[0];
}

static void stream_unmake(unsigned int i)
{
	struct rec_stream_del d = {.id = i + 1};
	struct rec_stream_event gone;

	d.local.addr = addr("192.0.2.10");
	d.local.port = (uint16_t)(10000 + 2 * i);
	assert_int_equal(stream_del(&d, &gone), 0);
}

static int setup(void **state)
{
	eal_start();
	assert_int_equal(worker_init(&config), 0);
	assert_int_equal(n_workers, WORKERS);
	assert_int_equal(stats_region_init(FLOWS, n_workers, false), 0);
	pool_make();
	port_make(0);
	port_make(1);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(netif_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(FLOWS, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	realm_make(0, "192.0.2.10", "192.0.2.2");
	realm_make(1, "198.51.100.10", "198.51.100.2");
	assert_int_equal(nodes_init(), 0);
	assert_int_equal(worker_prepare(&config), 0);
	assert_int_equal(reassembly_pool_init(), 0);
	assert_int_equal(reassembly_init(&config), 0);
	assert_int_equal(worker_start(), 0);
	return 0;
}

static int teardown(void **state)
{
	stream_fini();
	local_fini();
	nexthop_fini();
	reassembly_fini();
	worker_fini();
	reassembly_pool_fini();
	stats_region_fini();
	return 0;
}

/* --- the wire --- */

/* RTP from the phone of a stream, with the next sequence number. */
static struct rte_mbuf *packet(unsigned int stream)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packet_pool);
	struct {
		struct rte_ether_hdr eth;
		struct rte_ipv4_hdr ip;
		struct rte_udp_hdr udp;
		uint8_t rtp[16]; /* header, then the whole sequence number */
	} * f;
	const rte_be32_t words[] = {rte_cpu_to_be_32(stream), rte_cpu_to_be_32(sequence[stream])};

	assert_non_null(m);
	f = (void *)rte_pktmbuf_append(m, sizeof(*f));
	memset(f, 0, sizeof(*f));
	f->eth.dst_addr = ports[0].mac;
	f->eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	f->ip.version_ihl = RTE_IPV4_VHL_DEF;
	f->ip.total_length = rte_cpu_to_be_16(sizeof(*f) - sizeof(f->eth));
	f->ip.time_to_live = 9;
	f->ip.next_proto_id = IPPROTO_UDP;
	f->ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(192u, 0, 2, 2));
	f->ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(192u, 0, 2, 10));
	f->ip.hdr_checksum = rte_ipv4_cksum(&f->ip);
	f->udp.src_port = rte_cpu_to_be_16((uint16_t)(6000 + stream));
	f->udp.dst_port = rte_cpu_to_be_16((uint16_t)(10000 + 2 * stream));
	f->udp.dgram_len = rte_cpu_to_be_16(sizeof(*f) - offsetof(typeof(*f), udp));
	f->rtp[0] = 0x80;
	memcpy(&f->rtp[8], words, sizeof(words));
	f->rtp[2] = (uint8_t)(sequence[stream] >> 8);
	f->rtp[3] = (uint8_t)sequence[stream]++;
	return m;
}

static void received(struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct rte_ether_hdr));
	const struct rte_udp_hdr *udp = (const void *)(ip + sizeof(struct rte_ipv4_hdr));
	uint32_t word[2], stream, number;

	memcpy(word, (const uint8_t *)(udp + 1) + 8, sizeof(word));
	stream = rte_be_to_cpu_32(word[0]);
	number = rte_be_to_cpu_32(word[1]);
	assert_in_range(stream, 0, STREAMS - 1);
	out[stream].packets++;
	out[stream].disordered += number != out[stream].next;
	out[stream].next = number + 1;
	out[stream].misled += rte_be_to_cpu_16(udp->dst_port) != 7000 + stream;
	rte_pktmbuf_free(m);
}

static void collect(void)
{
	void *m;

	for (unsigned int q = 0; q < WORKERS; q++) {
		while (rte_ring_dequeue(tx[1][q], &m) == 0)
			received(m);
		while (rte_ring_dequeue(tx[0][q], &m) == 0)
			rte_pktmbuf_free(m);
	}
}

/* Not more at a time than rings and pool hold. */
static void send_to(unsigned int queue, unsigned int stream)
{
	while (rte_mempool_in_use_count(packet_pool) > 2000)
		collect();
	assert_int_equal(rte_ring_enqueue(rx[0][queue % n_queues], packet(stream)), 0);
	collect();
}

/* Port 0's counters, and where all of its packets went. */
static uint64_t went(struct stats_port_counts *c)
{
	uint64_t sum;

	stats_port_sum(stats_region, 0, c);
	sum = c->forwarded + c->originated + c->punted + c->sip_up + c->gleaned;
	for (unsigned int i = 0; i < DROP_COUNT; i++)
		sum += c->drops[i];
	return sum;
}

/* A packet is counted after it left, so that counters lag a little behind the rings. */
static bool counted(void)
{
	const struct stats_worker *w = stats_region->worker;
	struct stats_port_counts c;
	uint64_t sum = went(&c);

	return c.rx_packets == (uint64_t)sequence[0] + sequence[1] && c.rx_packets == sum &&
	       w[0].handed_over + w[1].handed_over == w[0].taken_over + w[1].taken_over;
}

/* Until no packet is anywhere and each is counted once. */
static void settle(void)
{
	time_t end = time(NULL) + WAIT_S;
	struct stats_port_counts c;
	uint64_t sum;

	do {
		collect();
		sum = went(&c);
		if (time(NULL) > end)
			fail_msg("%u packets in use; sent %u, received %lu, accounted for %lu",
				rte_mempool_in_use_count(packet_pool), sequence[0] + sequence[1],
				(unsigned long)c.rx_packets, (unsigned long)sum);
	} while (rte_mempool_in_use_count(packet_pool) != 0 || !counted());
	assert_int_equal(c.forwarded, out[0].packets + out[1].packets);
}

static void begin(void)
{
	memset(out, 0, sizeof(out));
	for (unsigned int s = 0; s < STREAMS; s++)
		out[s].next = sequence[s];
}

static uint64_t given(void)
{
	return stats_region->worker[0].flows_given + stats_region->worker[1].flows_given;
}

/* --- the tests; each goes on where the last one ended --- */

static void in_order_by_one_queue(void **state)
{
	uint32_t flow[STREAMS] = {stream_make(0), stream_make(1)};

	begin();
	for (unsigned int i = 0; i < 5000; i++)
		send_to(0, i % STREAMS);
	settle();
	for (unsigned int s = 0; s < STREAMS; s++) {
		assert_int_equal(out[s].packets, 2500);
		assert_int_equal(out[s].disordered, 0);
		assert_int_equal(out[s].misled, 0);
		assert_int_equal(flow_live[flow[s]].packets, 2500);
		if (n_queues < WORKERS)
			assert_int_equal(flow_live[flow[s]].owner, flow[s] % WORKERS + 1);
		else
			assert_int_equal(flow_live[flow[s]].owner, 1);
	}
	assert_int_equal(given(), 0);
}

/* The device moves both flows to its other queue: so does ownership, once for each. */
static void follows_the_queue(void **state)
{
	uint32_t flow[STREAMS] = {stream_make(0), stream_make(1)};
	uint64_t handed;

	for (unsigned int i = 0; i < 5000; i++)
		send_to(1, i % STREAMS);
	settle();
	assert_int_equal(out[0].packets + out[1].packets, 10000);
	if (n_queues < WORKERS)
		return;
	assert_int_equal(given(), STREAMS);
	handed = stats_region->worker[1].handed_over;
	assert_in_range(handed, STREAMS * 64, 5000);
	/* From here on in order, and without a detour. */
	for (unsigned int s = 0; s < STREAMS; s++) {
		assert_int_equal(flow_live[flow[s]].owner, 2);
		assert_int_equal(flow_live[flow[s]].packets, 5000);
		out[s].disordered = 0;
		out[s].next = sequence[s];
	}
	for (unsigned int i = 0; i < 5000; i++)
		send_to(1, i % STREAMS);
	settle();
	assert_int_equal(out[0].disordered + out[1].disordered, 0);
	assert_int_equal(stats_region->worker[1].handed_over, handed);
}

/* Every packet is counted whichever queue it takes, in runs long and short. */
static void exact_on_any_queue(void **state)
{
	uint32_t flow[STREAMS] = {stream_make(0), stream_make(1)}, seed = 7;

	for (unsigned int run = 0; run < 400; run++) {
		seed = seed * 1664525 + 1013904223;
		for (unsigned int i = 0; i < 1 + (seed >> 24) % 100; i++)
			send_to(run % 2, (seed >> 16) % STREAMS);
	}
	settle();
	for (unsigned int s = 0; s < STREAMS; s++) {
		assert_int_equal(out[s].packets, sequence[s]);
		assert_int_equal(flow_live[flow[s]].packets, sequence[s]);
		assert_int_equal(out[s].misled, 0);
	}
}

/* Flows come and go and take each other's slots while their packets are on the way. */
static void slots_change_hands(void **state)
{
	uint64_t before = out[0].packets + out[1].packets;

	for (unsigned int i = 0; i < 20000; i++) {
		send_to(i / 7, i % STREAMS);
		if (i % 50 != 0)
			continue;
		stream_unmake(0);
		stream_unmake(1);
		stream_expire((uint32_t)i);
		stream_make((i / 50) % STREAMS);
		stream_make((i / 50 + 1) % STREAMS);
	}
	settle();
	assert_int_equal(out[0].misled + out[1].misled, 0);
	assert_true(out[0].packets + out[1].packets > before);
}

/* --- by hand, after the workers stopped --- */

static void walk(unsigned int worker)
{
	struct worker *w = &workers[worker];

	RTE_PER_LCORE(worker_self) = w;
	for (w->rx_turn = 0; w->rx_turn == 0 || w->rx_turn < w->n_rx; w->rx_turn++)
		rte_graph_walk(w->graph);
}

/* The flow that a packet had when it was handed over is another stream's when it arrives. */
static void late_packets_are_looked_up_again(void **state)
{
	uint32_t flow = stream_make(0);

	worker_stop();
	begin();
	flow_live[flow].owner = 2;
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(rte_ring_enqueue(rx[0][0], packet(0)), 0);
	walk(0);
	assert_int_equal(rte_ring_count(workers[1].handover), 10);
	stream_unmake(0);
	stream_unmake(1);
	stream_expire(0);
	assert_int_equal(stream_flows_used(), 0);
	stream_make(1);
	flow_live[stream_make(0)].owner = 2;
	walk(1);
	collect();
	assert_int_equal(out[0].packets, 10);
	assert_int_equal(out[0].misled + out[0].disordered, 0);
}

/* A ping from any address. */
static struct rte_mbuf *ping(uint32_t from)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packet_pool);
	struct {
		struct rte_ether_hdr eth;
		struct rte_ipv4_hdr ip;
		uint8_t icmp[26];
	} * f;

	assert_non_null(m);
	f = (void *)rte_pktmbuf_append(m, sizeof(*f));
	memset(f, 0, sizeof(*f));
	f->eth.dst_addr = ports[0].mac;
	f->eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	f->ip.version_ihl = RTE_IPV4_VHL_DEF;
	f->ip.total_length = rte_cpu_to_be_16(sizeof(*f) - sizeof(f->eth));
	f->ip.time_to_live = 9;
	f->ip.next_proto_id = IPPROTO_ICMP;
	f->ip.src_addr = rte_cpu_to_be_32(from);
	f->ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(192u, 0, 2, 10));
	f->ip.hdr_checksum = rte_ipv4_cksum(&f->ip);
	f->icmp[0] = 8;
	return m;
}

static unsigned int take_to_kernel(struct worker *w)
{
	unsigned int n = 0;
	void *m;

	for (; rte_ring_dequeue(w->to_kernel, &m) == 0; n++)
		rte_pktmbuf_free(m);
	return n;
}

/* What is above the rate is policed, and nothing else: it did arrive. */
static void policed_is_not_lost(void **state)
{
	uint32_t flow = stream_make(0);
	const struct rate_limit packets = {.rate = 50, .burst = 10}, bytes = {0};
	struct stats_flow *live = &flow_live[flow];
	uint64_t passed = live->packets, policed = live->policed;

	live->owner = 1;
	live->lost = 0;
	live->quality = (struct rtp_quality){0};
	flow_actions[flow_place(flow, 0)].rate = flow_rate_make(&packets, &bytes);
	flow_actions[flow_place(flow, 1)].rate = flow_rate_make(&packets, &bytes);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(rte_ring_enqueue(rx[0][0], packet(0)), 0);
		walk(0);
	}
	collect();
	assert_int_equal(live->packets - passed, 10);
	assert_int_equal(live->policed - policed, 90);
	assert_int_equal(live->lost + rtp_quality_lost(&live->quality), 0);
	assert_int_equal(live->quality.received, 100);
	stream_unmake(0);
	stream_expire(0);
}

/* A thousand forged sources make no more entries than pings that the kernel gets. */
static void a_storm_of_pings_makes_no_entries(void **state)
{
	unsigned int entries = 0, passed = 0;

	local_realms[0].police.icmp = (struct rate_limit){5, 5};
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(
			rte_ring_enqueue(rx[0][0], ping(RTE_IPV4(192u, 0, 2, 0) + (i << 8))), 0);
		walk(0);
		walk(1);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		passed += take_to_kernel(&workers[i]);
		entries += source_table_used(workers[i].police->sources);
	}
	assert_in_range(passed, 1, 50);
	assert_int_equal(entries, passed);
}

/* A system call for the first packet that a sleeping worker gets, and for no other. */
static void a_sleeper_is_woken_once(void **state)
{
	struct worker *w = &workers[1];
	uint64_t count;

	flow_live[stream_make(0)].owner = 2;
	(void)!read(w->main_fd, &count, sizeof(count));
	for (unsigned int i = 0; i < 3; i++) {
		atomic_store(&w->asleep, i == 1);
		assert_int_equal(rte_ring_enqueue(rx[0][0], packet(0)), 0);
		walk(0);
		assert_false(atomic_load(&w->asleep));
	}
	assert_int_equal(read(w->main_fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	walk(1);
	if (n_queues < WORKERS)
		walk(0);
	collect();
}

/* A worker that does not take what it is given costs a bounded number of packets, and counted. */
static void full_ring_drops(void **state)
{
	uint32_t flow = stream_make(0);
	struct stats_port_counts c;
	const unsigned int extra = 500;
	unsigned int room;

	room = rte_ring_get_capacity(workers[1].handover);
	flow_live[flow].owner = 2;
	for (unsigned int i = 0; i < room + extra; i++) {
		assert_int_equal(rte_ring_enqueue(rx[0][0], packet(0)), 0);
		walk(0);
	}
	stats_port_sum(stats_region, 0, &c);
	assert_int_equal(c.drops[DROP_HANDOVER_FULL], extra);
	assert_int_equal(rte_mempool_in_use_count(packet_pool), room);
	reassembly_fini();
	worker_release();
	assert_int_equal(rte_mempool_in_use_count(packet_pool), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_by_one_queue),
		cmocka_unit_test(follows_the_queue),
		cmocka_unit_test(exact_on_any_queue),
		cmocka_unit_test(slots_change_hands),
		cmocka_unit_test(late_packets_are_looked_up_again),
		cmocka_unit_test(policed_is_not_lost),
		cmocka_unit_test(a_storm_of_pings_makes_no_entries),
		cmocka_unit_test(a_sleeper_is_woken_once),
		cmocka_unit_test(full_ring_drops),
	};

	n_queues = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : WORKERS;
	return cmocka_run_group_tests(tests, setup, teardown);
}
