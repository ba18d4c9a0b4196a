/* Streams that are silent: told once, removed, or neither. */
#include "attach.h"
#include "streams.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_silent_streams_go),
		T(test_silence_that_is_no_fault),
		T(test_each_silence_is_told_once),
		T(test_hold_is_no_silence),
		T(test_no_limit_never_expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
