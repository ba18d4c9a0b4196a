#include <time.h>

#include "local.h"
#include "nexthop.h"
#include "streams.h"

struct event_sent events[64];
unsigned int n_events;

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

int setup(void **state)
{
	return setup_flows(state, FLOWS);
}

int setup_many(void **state)
{
	return setup_flows(state, 4096);
}

int teardown(void **state)
{
	stream_fini();
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

uint32_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

struct rec_stream_set stream(uint64_t id, uint16_t port)
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

int set(const struct rec_stream_set *r, uint32_t flow[2])
{
	return stream_set(r, 1, 0, flow);
}

uint32_t slot(const char *addr, uint16_t port)
{
	struct net_addr a = test_addr(addr);

	return local_slot((uint16_t)local_addr_find(&a), port);
}

const struct latch_policy *policy(const char *addr, uint16_t port)
{
	return &flow_policies[slot(addr, port) & LOCAL_VALUE_MASK];
}

const struct flow_action *action(const char *addr, uint16_t port)
{
	uint32_t s = slot(addr, port);

	assert_int_equal(local_slot_kind(s), LOCAL_FLOW);
	return &flow_actions[s & LOCAL_VALUE_MASK];
}
