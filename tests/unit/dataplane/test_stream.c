/* Streams: what their flows do, latch restarts, limits, the dump. */
#include "rtp_measure.h"
#include "streams.h"

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
		T(test_dump_goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
