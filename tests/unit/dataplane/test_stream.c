/* Streams: what their flows do, latch restarts, limits, silence, the dump. */
#include <time.h>

#include "attach.h"
#include "boundary.h"
#include "doubles.h"
#include "flow.h"
#include "netif.h"
#include "nexthop.h"
#include "rtp_measure.h"

#define FLOWS 16
#define IDLE_MS 5000
#define ACCESS "192.0.2.10"
#define CORE "198.51.100.10"
#define PHONE "203.0.113.5"
#define SERVER "198.51.100.20"

/* Events that went out, newest last. */
static struct {
	uint8_t group;
	struct rec_stream_event ev;
} events[64];
static unsigned int n_events;

void boundary_event(uint8_t group, void *record, size_t len)
{
	assert_int_equal(len, sizeof(struct rec_stream_event));
	assert_true(n_events < ARRAY_LEN(events));
	events[n_events].group = group;
	memcpy(&events[n_events++].ev, record, len);
}

static int setup_flows(void **state, uint32_t flows)
{
	dataplane_setup(flows);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(flows, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	test_realm(0, 0, ACCESS, IDLE_MS, 1);
	test_realm(1, 1, CORE, 0, 1);
	test_connected("203.0.113.0", 24, 0);
	test_connected("198.51.100.0", 24, 1);
	n_events = 0;
	kernel_probes = kernel_vlans = 0;
	stats_region->epoch = 1;
	return 0;
}

static int setup(void **state)
{
	return setup_flows(state, FLOWS);
}

static int setup_many(void **state)
{
	return setup_flows(state, 4096);
}

static int teardown(void **state)
{
	stream_fini();
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

static uint32_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* A stream between the phone and the server; both ends known, exact, receiving. */
static struct rec_stream_set stream(uint64_t id, uint16_t port)
{
	struct rec_stream_set r = {.id = id, .kind = STREAM_RTP};

	r.end[0] = (struct stream_end){.local = test_endpoint(ACCESS, port),
		.remote = test_endpoint(PHONE, 4000),
		.allowed = test_addr(PHONE),
		.realm = 0,
		.prefix_len = 32,
		.flags = STREAM_END_RECEIVE};
	r.end[1] = (struct stream_end){.local = test_endpoint(CORE, port),
		.remote = test_endpoint(SERVER, 6000),
		.allowed = test_addr(SERVER),
		.realm = 1,
		.prefix_len = 32,
		.flags = STREAM_END_RECEIVE};
	return r;
}

static int set(const struct rec_stream_set *r, uint32_t flow[2])
{
	return stream_set(r, 1, 0, flow);
}

static uint32_t slot(const char *addr, uint16_t port)
{
	struct net_addr a = test_addr(addr);

	return local_slot((uint16_t)local_addr_find(&a), port);
}

/* Who may send to this endpoint. */
static const struct latch_policy *policy(const char *addr, uint16_t port)
{
	return &flow_policies[slot(addr, port) & LOCAL_VALUE_MASK];
}

/* The action that a worker finds for a packet to this endpoint. */
static const struct flow_action *action(const char *addr, uint16_t port)
{
	uint32_t s = slot(addr, port);

	assert_int_equal(local_slot_kind(s), LOCAL_FLOW);
	return &flow_actions[s & LOCAL_VALUE_MASK];
}

static void test_flows_cross_over(void **state)
{
	struct rec_stream_set r = stream(7, 10000);
	struct net_endpoint server = r.end[1].remote;
	const struct flow_action *a;
	uint32_t flow[2];

	assert_int_equal(set(&r, flow), 0);
	assert_int_equal(flow_of_place(slot(ACCESS, 10000) & LOCAL_VALUE_MASK), flow[0]);
	a = action(ACCESS, 10000);
	/* Arrives at the access side from the phone, leaves from the core side to the server. */
	assert_true(net_addr_eq(&policy(ACCESS, 10000)->allowed, &r.end[0].allowed));
	assert_int_equal(policy(ACCESS, 10000)->port, 4000);
	assert_memory_equal(a->src, r.end[1].local.addr.bytes, 16);
	assert_int_equal(rte_be_to_cpu_16(a->src_port), 10000);
	assert_memory_equal(a->dst, server.addr.bytes, 16);
	assert_int_equal(rte_be_to_cpu_16(a->dst_port), 6000);
	assert_int_equal(a->flags, FLOW_RECEIVE | FLOW_HAVE_REMOTE | STREAM_RTP << FLOW_KIND_SHIFT);
	assert_int_equal(a->dscp, 41);
	assert_int_equal(nexthops[a->nexthop].type, NEXTHOP_NEIGHBOUR);
	assert_int_equal(nexthops[a->nexthop].port, 1);
	assert_true(net_addr_eq(&nexthops[a->nexthop].addr, &server.addr));
	assert_int_equal(kernel_probes, 2);
	assert_int_equal(nexthops[action(CORE, 10000)->nexthop].port, 0);
	assert_int_equal(stats_region->streams, 1);
	assert_int_equal(stream_flows_used(), 2);
}

static void test_set_is_idempotent(void **state)
{
	struct rec_stream_set r = stream(7, 10000);
	uint32_t flow[2], again[2], before;
	unsigned int waits = graces;

	assert_int_equal(set(&r, flow), 0);
	before = slot(ACCESS, 10000);
	assert_int_equal(stream_set(&r, 2, 1, again), 0);
	assert_memory_equal(flow, again, sizeof(flow));
	assert_int_equal(slot(ACCESS, 10000), before);
	assert_int_equal(graces, waits);
	assert_int_equal(stats_region->streams, 1);
	assert_int_equal(nexthop_used(), 6); /* two local, two connected, two neighbours */
}

static void test_remote_becomes_known(void **state)
{
	struct rec_stream_set r = stream(7, 10000), early = r;
	uint32_t flow[2], later[2];

	early.end[1].remote = (struct net_endpoint){0};
	early.end[1].allowed = (struct net_addr){0};
	assert_int_equal(set(&early, flow), 0);
	assert_int_equal(action(ACCESS, 10000)->flags & FLOW_HAVE_REMOTE, 0);
	assert_int_equal(policy(CORE, 10000)->allowed.family, NET_FAMILY_NONE);
	assert_int_equal(set(&r, later), 0);
	/* Nobody could have latched before: the flows stay. */
	assert_memory_equal(flow, later, sizeof(flow));
	assert_int_not_equal(action(ACCESS, 10000)->flags & FLOW_HAVE_REMOTE, 0);
	assert_int_equal(policy(CORE, 10000)->port, 6000);
}

static void test_hold_and_resume(void **state)
{
	struct rec_stream_set r = stream(7, 10000), held = r;
	uint32_t flow[2], now[2];
	unsigned int waits = graces;

	held.end[0].flags = 0;
	assert_int_equal(set(&r, flow), 0);
	assert_int_equal(set(&held, now), 0);
	assert_int_equal(action(ACCESS, 10000)->flags & FLOW_RECEIVE, 0);
	assert_int_equal(action(CORE, 10000)->flags & FLOW_RECEIVE, FLOW_RECEIVE);
	assert_int_equal(graces, waits);
	assert_int_equal(set(&r, now), 0);
	assert_int_equal(action(ACCESS, 10000)->flags & FLOW_RECEIVE, FLOW_RECEIVE);
	/* The third write hits the copy that was named before: one wait. */
	assert_int_equal(graces, waits + 1);
	assert_memory_equal(flow, now, sizeof(flow));
}

static void test_changed_remote_restarts_the_latch(void **state)
{
	struct rec_stream_set r = stream(7, 10000);
	struct rec_stream_del d = {.id = 7, .local = r.end[0].local};
	struct rec_stream_event gone;
	uint32_t flow[2], now[2];

	assert_int_equal(set(&r, flow), 0);
	flow_live[flow[0]].latch =
		(struct latch){.source = test_addr(PHONE), .port = 4000, .phase = LATCH_LOCKED};
	flow_live[flow[0]].packets = 10;
	flow_live[flow[0]].bytes = 1720;
	flow_live[flow[0]].owner = 2;
	r.end[0].remote.port = 4100;
	assert_int_equal(set(&r, now), 0);
	assert_int_not_equal(now[0], flow[0]);
	assert_int_equal(now[1], flow[1]);
	assert_int_equal(flow_live[now[0]].latch.phase, LATCH_EMPTY);
	assert_int_equal(flow_of_place(slot(ACCESS, 10000) & LOCAL_VALUE_MASK), now[0]);
	assert_int_equal(rte_be_to_cpu_16(action(CORE, 10000)->dst_port), 4100);
	assert_int_equal(stream_flows_used(), 3);
	assert_int_equal(flow_live[flow[0]].owner, 2);
	stream_expire(now_ms());
	assert_int_equal(stream_flows_used(), 2);
	assert_int_equal(flow_live[flow[0]].packets, 0);
	/* Free for any worker, but not before the grace period. */
	assert_int_equal(flow_live[flow[0]].owner, 0);
	/* The old flow's packets are still the stream's. */
	flow_live[now[0]].packets = 5;
	assert_int_equal(stream_del(&d, &gone), 0);
	assert_int_equal(gone.counts[0].packets, 15);
	assert_int_equal(gone.counts[0].bytes, 1720);
	assert_int_equal(gone.reason, STREAM_GONE_DELETED);
}

/* All that a flow measured is in its stream's counts, and what earlier flows did. */
static void test_counts_of_all_flows(void **state)
{
	struct rec_stream_set r = stream(7, 10000);
	struct rec_stream_del d = {.id = 7, .local = r.end[0].local};
	struct rec_stream_event gone;
	uint32_t flow[2], now[2];
	struct stats_flow *live;

	r.end[0].clock_hz = 8000;
	r.end[0].packets = (struct rate_limit){50, 10};
	r.end[0].bytes = (struct rate_limit){8000, 800};
	assert_int_equal(set(&r, flow), 0);
	assert_int_equal(action(ACCESS, 10000)->clock_mult, rtp_clock_mult(8000));
	assert_int_equal(action(ACCESS, 10000)->rate.packet_step_ns, 20000000);
	assert_int_equal(action(ACCESS, 10000)->rate.packet_slack_ns, 180000000);
	assert_int_equal(action(ACCESS, 10000)->rate.byte_step, 125000 * 256);
	assert_int_equal(action(CORE, 10000)->rate.packet_step_ns, 0);
	live = &flow_live[flow[0]];
	live->packets = 90;
	live->policed = 7;
	live->lost = 3; /* of another SSRC */
	live->quality = (struct rtp_quality){.base_seq = 65536,
		.max_seq = 65536 + 99,
		.received = 90,
		.jitter = 16 * 80,
		.jitter_max = 16 * 400,
		.duplicates = 1,
		.reordered = 2,
		.late_gaps = 4};
	/* The peer moves, with another clock: jitter in microseconds stays what it was. */
	r.end[0].remote.port = 4100;
	r.end[0].clock_hz = 16000;
	assert_int_equal(set(&r, now), 0);
	live = &flow_live[now[0]];
	live->policed = 10;
	live->quality = (struct rtp_quality){.base_seq = 1,
		.max_seq = 2,
		.received = 1,
		.jitter = 16 * 16,
		.jitter_max = 16 * 32,
		.duplicates = 10,
		.reordered = 20,
		.late_gaps = 40};
	assert_int_equal(stream_del(&d, &gone), 0);
	assert_int_equal(gone.counts[0].packets, 90);
	assert_int_equal(gone.counts[0].policed, 17);
	assert_int_equal(gone.counts[0].lost, 3 + 10 + 1);
	assert_int_equal(gone.counts[0].duplicates, 11);
	assert_int_equal(gone.counts[0].reordered, 22);
	assert_int_equal(gone.counts[0].late_gaps, 44);
	assert_int_equal(gone.counts[0].jitter_us, 1000);
	assert_int_equal(gone.counts[0].jitter_max_us, 50000);
	assert_int_equal(gone.counts[1].lost, 0);
}

static void test_latched_source_is_the_far_destination(void **state)
{
	struct rec_stream_set r = stream(7, 10000);
	struct net_endpoint nat = test_endpoint("203.0.113.77", 61000);
	uint32_t flow[2], now[2];

	r.end[0].flags |= STREAM_END_LEARN_PORT;
	r.end[0].prefix_len = 24;
	assert_int_equal(stream_set(&r, 1, 3, flow), 0);
	stream_latched(flow[0]);
	assert_int_equal(n_events, 0); /* nothing latched: an old report */
	flow_live[flow[0]].latch =
		(struct latch){.source = nat.addr, .port = nat.port, .phase = LATCH_LEARNING};
	stream_latched(flow[0]);
	assert_memory_equal(action(CORE, 10000)->dst, nat.addr.bytes, 16);
	assert_int_equal(rte_be_to_cpu_16(action(CORE, 10000)->dst_port), 61000);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0].group, 3);
	assert_int_equal(events[0].ev.hdr.type, REC_STREAM_LATCHED);
	assert_int_equal(events[0].ev.latched_end, 0);
	assert_true(net_endpoint_eq(&events[0].ev.end[0].remote, &nat));
	/* Claimed again as it was signalled: the latched source stays. */
	assert_int_equal(stream_set(&r, 2, 3, now), 0);
	assert_int_equal(rte_be_to_cpu_16(action(CORE, 10000)->dst_port), 61000);
	stream_latched(0);
	stream_latched(FLOWS);
	stream_latched(UINT32_MAX);
	assert_int_equal(n_events, 1);
}

static void test_refusals_change_nothing(void **state)
{
	struct rec_stream_set r = stream(1, 10000), bad;
	uint32_t flow[2];

	assert_int_equal(set(&r, flow), 0);
	bad = stream(2, 10000); /* both endpoints taken */
	assert_int_equal(set(&bad, flow), -EEXIST);
	bad = stream(2, 10002);
	bad.end[1].local.port = 10000; /* one taken */
	assert_int_equal(set(&bad, flow), -EEXIST);
	bad = stream(2, 10002);
	bad.end[1].local = bad.end[0].local;
	bad.end[1].realm = 0;
	assert_int_equal(set(&bad, flow), -EEXIST);
	bad = stream(2, 9998); /* outside the range */
	assert_int_equal(set(&bad, flow), -EADDRNOTAVAIL);
	bad = stream(2, 10002);
	bad.end[0].local.addr = test_addr("192.0.2.99"); /* not ours */
	assert_int_equal(set(&bad, flow), -EADDRNOTAVAIL);
	bad = stream(2, 10002);
	bad.end[0].realm = 1; /* another realm's address */
	assert_int_equal(set(&bad, flow), -EINVAL);
	assert_int_equal(stats_region->streams, 1);
	assert_int_equal(stream_flows_used(), 2);
	assert_int_equal(local_slot_kind(slot(ACCESS, 10002)), LOCAL_MEDIA);
}

static void test_moves_to_another_port(void **state)
{
	struct rec_stream_set r = stream(1, 10000);
	uint32_t flow[2], now[2];

	assert_int_equal(set(&r, flow), 0);
	r.end[0].local.port = 10500;
	assert_int_equal(set(&r, now), 0);
	assert_int_equal(local_slot_kind(slot(ACCESS, 10000)), LOCAL_MEDIA);
	assert_int_equal(flow_of_place(slot(ACCESS, 10500) & LOCAL_VALUE_MASK), now[0]);
	assert_int_equal(rte_be_to_cpu_16(action(CORE, 10000)->src_port), 10500);
	assert_int_equal(now[1], flow[1]);
}

static void test_table_fills_up_and_comes_back(void **state)
{
	struct rec_stream_event gone;
	unsigned int hops = nexthop_used();
	uint32_t flow[2], n = 0;

	/* Slot 0 is unused: 15 flows make 7 streams. */
	for (;; n++) {
		struct rec_stream_set r = stream(100 + n, (uint16_t)(10000 + 2 * n));
		int rc = set(&r, flow);

		if (rc != 0) {
			assert_int_equal(rc, -ENOSPC);
			break;
		}
	}
	assert_int_equal(n, 7);
	assert_int_equal(stream_flows_used(), 14);
	for (uint32_t i = 0; i < n; i++) {
		struct rec_stream_set r = stream(100 + i, (uint16_t)(10000 + 2 * i));
		struct rec_stream_del d = {.id = 100 + i, .local = r.end[1].local};

		assert_int_equal(stream_del(&d, &gone), -ENOENT); /* not its end 0 */
		d.local = r.end[0].local;
		assert_int_equal(stream_del(&d, &gone), 0);
		assert_int_equal(stream_del(&d, &gone), -ENOENT);
		assert_int_equal(local_slot_kind(slot(ACCESS, r.end[0].local.port)), LOCAL_MEDIA);
	}
	/* Retired, not free: without waiting for the timer a new stream finds room. */
	assert_int_equal(stream_flows_used(), 14);
	struct rec_stream_set r = stream(1, 10000);

	assert_int_equal(set(&r, flow), 0);
	struct rec_stream_del d = {.id = 1, .local = r.end[0].local};

	assert_int_equal(stream_del(&d, &gone), 0);
	stream_expire(now_ms());
	assert_int_equal(stream_flows_used(), 0);
	assert_int_equal(stats_region->streams, 0);
	assert_int_equal(stats_region->flows_used, 0);
	assert_int_equal(nexthop_used(), hops);
}

static void test_many_changes_share_their_waits(void **state)
{
	unsigned int waits = graces;
	uint32_t flow[2];

	for (unsigned int round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < 500; i++) {
			struct rec_stream_set r = stream(1 + i, (uint16_t)(10000 + 2 * i));

			r.end[0].flags = round == 1 ? 0 : STREAM_END_RECEIVE;
			assert_int_equal(set(&r, flow), 0);
		}
	}
	assert_in_range(graces - waits, 1, 2);
}

static void test_silent_streams_go(void **state)
{
	struct rec_stream_set quiet = stream(1, 10000), busy = stream(2, 10002);
	uint32_t flow[2], t = now_ms();

	assert_int_equal(stream_set(&quiet, 1, 2, flow), 0);
	assert_int_equal(set(&busy, flow), 0);
	flow_live[flow[1]].packets = 1;
	flow_live[flow[1]].last_ms = t + 4000;
	stream_expire(t + 4000);
	assert_int_equal(n_events, 0);
	stream_expire(t + IDLE_MS + 2000);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0].ev.id, 1);
	assert_int_equal(events[0].group, 2);
	assert_int_equal(events[0].ev.hdr.type, REC_STREAM_GONE);
	assert_int_equal(events[0].ev.reason, STREAM_GONE_INACTIVE);
	assert_int_equal(stats_region->streams_inactive, 1);
	assert_int_equal(local_slot_kind(slot(ACCESS, 10000)), LOCAL_MEDIA);
	/* Talked until 4 s: goes five seconds after that. */
	stream_expire(t + 4000 + IDLE_MS - 1000);
	assert_int_equal(n_events, 1);
	stream_expire(t + 4000 + IDLE_MS + 2000);
	assert_int_equal(n_events, 2);
	assert_int_equal(stats_region->streams, 0);
}

static void test_silence_that_is_no_fault(void **state)
{
	struct rec_stream_set held = stream(1, 10000), rtcp = stream(2, 10002);
	uint32_t flow[2], t = now_ms();

	held.end[0].flags = held.end[1].flags = 0;
	rtcp.kind = STREAM_RTCP;
	stats_region->attached = 1;
	assert_int_equal(set(&held, flow), 0);
	assert_int_equal(set(&rtcp, flow), 0);
	for (unsigned int s = 1; s < 100; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 0);
	/* A new control that claims only one of them. */
	stats_region->epoch = 2;
	assert_int_equal(stream_set(&held, 2, 0, flow), 0);
	for (unsigned int s = 100; s < 140; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0].ev.id, 2);
	/* Its shard was another control's: this one's main is told. */
	assert_int_equal(events[0].group, ATTACH_SHARD_MAIN);
	stats_region->attached = 0;
	for (unsigned int s = 140; s < 180; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 2);
	assert_int_equal(events[1].ev.id, 1);
}

#define SILENT_MS 3000

/* Both realms report silence, none removes. */
static void set_silent_limits(void)
{
	for (uint16_t i = 0; i < 2; i++) {
		struct rec_realm_set r = {
			.name = "realm", .realm = i, .port = i, .media_silent_ms = SILENT_MS};

		assert_int_equal(local_realm_set(&r, 1), 0);
	}
}

static void heard_at(uint32_t flow, uint32_t ms)
{
	flow_live[flow].packets++;
	flow_live[flow].last_ms = ms;
}

static void test_each_silence_is_told_once(void **state)
{
	struct rec_stream_set r = stream(1, 10000);
	uint32_t flow[2], t = now_ms();

	set_silent_limits();
	assert_int_equal(stream_set(&r, 1, 2, flow), 0);
	/* The phone never talks, the server does. */
	for (unsigned int s = 1; s <= 20; s++) {
		heard_at(flow[1], t + s * 1000);
		stream_expire(t + s * 1000);
		if (s != 4) /* the wheel's second may end a little earlier or later */
			assert_int_equal(n_events, s > 4);
	}
	assert_int_equal(events[0].ev.hdr.type, REC_STREAM_SILENT);
	assert_int_equal(events[0].ev.id, 1);
	assert_int_equal(events[0].ev.latched_end, 0);
	assert_int_equal(events[0].group, 2);
	/* One packet of it ends that silence; the next one is told again. */
	heard_at(flow[0], t + 20500);
	for (unsigned int s = 21; s <= 40; s++) {
		heard_at(flow[1], t + s * 1000);
		stream_expire(t + s * 1000);
	}
	assert_int_equal(n_events, 2);
	assert_int_equal(events[1].ev.latched_end, 0);
	/* Now both. */
	for (unsigned int s = 41; s <= 60; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 3);
	assert_int_equal(events[2].ev.latched_end, 1);
	assert_int_equal(stats_region->streams, 1);
}

static void test_hold_is_no_silence(void **state)
{
	struct rec_stream_set held = stream(1, 10000), rtcp = stream(2, 10002);
	uint32_t flow[2], t = now_ms();

	set_silent_limits();
	held.end[1].flags = 0;
	rtcp.kind = STREAM_RTCP;
	assert_int_equal(set(&held, flow), 0);
	assert_int_equal(set(&rtcp, flow), 0);
	for (unsigned int s = 1; s < 100; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 0);
}

static void test_no_limit_never_expires(void **state)
{
	struct rec_realm_set realm = {.name = "realm", .realm = 0, .port = 0};
	struct rec_stream_set r = stream(1, 10000);
	uint32_t flow[2], t = now_ms();

	assert_int_equal(local_realm_set(&realm, 1), 0);
	assert_int_equal(set(&r, flow), 0);
	for (unsigned int s = 1; s < 3000; s++)
		stream_expire(t + s * 1000);
	assert_int_equal(n_events, 0);
	assert_int_equal(stats_region->streams, 1);
}

static void test_routes_change(void **state)
{
	struct net_addr gw = test_addr("198.51.100.1"), net = test_addr("198.51.100.0");
	struct rec_stream_set r = stream(7, 10000);
	uint32_t flow[2];
	int hop;

	assert_int_equal(set(&r, flow), 0);
	hop = nexthop_get(NEXTHOP_NEIGHBOUR, 1, &gw, 0);
	assert_int_equal(route_add(&net, 24, (uint32_t)hop), 0);
	nexthop_put((uint32_t)hop);
	stream_resolve_all();
	assert_int_equal(action(ACCESS, 10000)->nexthop, hop);
	assert_int_equal(route_del(&net, 24), 0);
	stream_resolve_all();
	assert_int_equal(action(ACCESS, 10000)->nexthop, NEXTHOP_NONE);
	/* Dropped by route and stream: gone. */
	assert_int_equal(nexthops[hop].refs, 0);
}

/* Both sides behind a router: media leaves by the port of the realm that it leaves to. */
static void test_gateway_of_the_realm(void **state)
{
	struct net_addr any = test_addr("0.0.0.0");
	struct rec_stream_set r = stream(7, 10000);
	uint32_t flow[2], access, core;

	r.end[0].remote.addr = r.end[0].allowed = test_addr("10.1.0.2");
	r.end[1].remote.addr = r.end[1].allowed = test_addr("10.2.0.2");
	test_gateway(0, ACCESS, "192.0.2.1", 1);
	test_gateway(1, CORE, "198.51.100.1", 1);
	access = local_realms[0].gateway;
	core = local_realms[1].gateway;
	assert_int_equal(nexthops[access].port, 0);
	assert_int_equal(nexthops[core].port, 1);
	assert_int_equal(route_add(&any, 0, access), 0);
	assert_int_equal(set(&r, flow), 0);
	assert_int_equal(action(ACCESS, 10000)->nexthop, core);
	assert_int_equal(action(CORE, 10000)->nexthop, access);

	/* Another gateway: the stream goes there. */
	test_gateway(1, CORE, "198.51.100.2", 1);
	assert_true(local_ways_changed());
	stream_resolve_all();
	assert_int_equal(action(ACCESS, 10000)->nexthop, local_realms[1].gateway);
	assert_int_not_equal(local_realms[1].gateway, core);
	assert_int_equal(nexthops[core].refs, 0);
	/* None: there is no way, and not the other realm's. */
	test_gateway(1, CORE, NULL, 1);
	stream_resolve_all();
	assert_int_equal(action(ACCESS, 10000)->nexthop, NEXTHOP_NONE);
	assert_int_equal(action(CORE, 10000)->nexthop, access);
}

/* The phone has IPv6, the server IPv4; and the routers of both VLANs have the same address. */
static void test_between_the_families(void **state)
{
	struct rec_realm_set realm = {.name = "realm", .realm = 2, .port = 0, .vlan = 100};
	struct rec_address_set a = {.addr = test_addr("2001:db8:1::10"),
		.gateway = test_addr("fe80::1"),
		.realm = 2,
		.prefix_len = 64};
	struct rec_media_range_set m = {
		.addr = a.addr, .realm = 2, .port_min = 10000, .port_max = 10999};
	struct rec_stream_set r = stream(7, 10000);
	const struct flow_action *to_server, *to_phone;
	uint32_t flow[2];

	assert_int_equal(local_realm_set(&realm, 1), 0);
	assert_int_equal(local_address_set(&a, 1), 0);
	assert_int_equal(local_media_range_set(&m, 1), 0);
	realm.realm = 3;
	realm.vlan = 200;
	assert_int_equal(local_realm_set(&realm, 1), 0);
	a.realm = 3;
	a.addr = test_addr("2001:db8:2::10");
	assert_int_equal(local_address_set(&a, 1), 0);

	r.end[0].local.addr = m.addr;
	r.end[0].remote = test_endpoint("2001:db8:9::5", 4000);
	r.end[0].allowed = r.end[0].remote.addr;
	r.end[0].realm = 2;
	r.end[0].prefix_len = 128;
	assert_int_equal(set(&r, flow), 0);
	to_server = action("2001:db8:1::10", 10000);
	to_phone = action(CORE, 10000);
	assert_int_equal(to_server->flags & FLOW_DST_V6, 0);
	assert_memory_equal(to_server->dst, r.end[1].remote.addr.bytes, 16);
	assert_int_equal(nexthops[to_server->nexthop].netif, 1);
	assert_int_equal(to_phone->flags & FLOW_DST_V6, FLOW_DST_V6);
	assert_memory_equal(to_phone->src, m.addr.bytes, 16);
	assert_memory_equal(to_phone->dst, r.end[0].remote.addr.bytes, 16);
	assert_true(net_addr_eq(&nexthops[to_phone->nexthop].addr, &a.gateway));
	assert_int_equal(nexthops[to_phone->nexthop].netif, netif_of(0, 100));
	assert_int_equal(nexthops[to_phone->nexthop].vlan, 100);
	assert_int_not_equal(to_phone->nexthop, atomic_load(&local_realms[3].gateway_v6));

	/* The realm moves to another VLAN: so does what leaves it. */
	realm.realm = 2;
	realm.vlan = 300;
	assert_int_equal(local_realm_set(&realm, 1), 0);
	assert_true(local_ways_changed());
	stream_resolve_all();
	assert_int_equal(nexthops[action(CORE, 10000)->nexthop].vlan, 300);
	assert_int_equal(netif_of(0, 100), NETIF_NONE);
	assert_int_equal(kernel_vlans, 2);
}

struct visited {
	uint64_t ids[8];
	unsigned int n, stop_at;
};

static int visit(void *ctx, const struct rec_stream_event *info)
{
	struct visited *v = ctx;

	assert_int_equal(info->hdr.type, REC_STREAM_INFO);
	if (v->n == v->stop_at)
		return 1;
	v->ids[v->n++] = info->id;
	return 0;
}

static void test_dump_goes_on_where_it_stopped(void **state)
{
	struct visited v = {.stop_at = 2};
	uint64_t cursor = 0;
	uint32_t flow[2];

	for (unsigned int i = 0; i < 5; i++) {
		struct rec_stream_set r = stream(50 + i, (uint16_t)(10000 + 2 * i));

		assert_int_equal(set(&r, flow), 0);
	}
	assert_false(stream_dump(&cursor, visit, &v));
	v.stop_at = 4;
	assert_false(stream_dump(&cursor, visit, &v));
	v.stop_at = 8;
	assert_true(stream_dump(&cursor, visit, &v));
	assert_int_equal(v.n, 5);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(v.ids[i], 50 + i);
	assert_true(stream_dump(&cursor, visit, &v));
	assert_int_equal(v.n, 5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_flows_cross_over),
		T(test_set_is_idempotent),
		T(test_remote_becomes_known),
		T(test_hold_and_resume),
		T(test_changed_remote_restarts_the_latch),
		T(test_counts_of_all_flows),
		T(test_latched_source_is_the_far_destination),
		T(test_refusals_change_nothing),
		T(test_moves_to_another_port),
		T(test_table_fills_up_and_comes_back),
		cmocka_unit_test_setup_teardown(
			test_many_changes_share_their_waits, setup_many, teardown),
		T(test_silent_streams_go),
		T(test_silence_that_is_no_fault),
		T(test_each_silence_is_told_once),
		T(test_hold_is_no_silence),
		T(test_no_limit_never_expires),
		T(test_routes_change),
		T(test_gateway_of_the_realm),
		T(test_between_the_families),
		T(test_dump_goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
