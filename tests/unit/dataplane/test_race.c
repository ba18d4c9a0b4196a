/*
 * A worker looks at flows while main changes them: whatever it finds by a slot must be
 * whole until its next quiescent report, whichever way the change was made.
 */
#include <pthread.h>
#include <sched.h>

#include <rte_malloc.h>

#include "boundary.h"
#include "doubles.h"
#include "flow.h"
#include "nexthop.h"
#include "rtp_measure.h"
#include "worker.h"

#define FLOWS 64
#define CHANGES 1500

static _Atomic bool stop;
static _Atomic unsigned long looks;
static _Atomic unsigned int torn;

void boundary_event(uint8_t group, void *record, size_t len)
{
}

/* What set_stream() below writes into one action belongs together. */
static bool whole(const struct flow_action *a, const struct latch_policy *p)
{
	volatile const struct flow_action *v = a;
	volatile const struct latch_policy *policy = p;
	unsigned int kind = v->flags >> FLOW_KIND_SHIFT;
	uint16_t port = policy->port;

	/* Give main time to do wrong. */
	for (volatile int i = 0; i < 20000; i++)
		;
	return policy->prefix_len == port % 33 && policy->allowed.bytes[3] == (uint8_t)port &&
	       policy->learn_port == (kind == 2) && v->clock_mult == rtp_clock_mult(kind * 8000u) &&
	       ((v->flags & FLOW_RECEIVE) != 0) == (kind >= 1);
}

static void *worker_main(void *arg)
{
	cpu_set_t all;

	/* EAL pinned main to one CPU, and we inherited that. */
	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	rte_rcu_qsbr_thread_register(worker_qsbr, 0);
	rte_rcu_qsbr_thread_online(worker_qsbr, 0);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t slot = local_slot(0, 10000);

		if (local_slot_kind(slot) == LOCAL_FLOW) {
			uint32_t i = slot & LOCAL_VALUE_MASK;

			if (!whole(&flow_actions[i], &flow_policies[i]))
				atomic_fetch_add(&torn, 1);
			atomic_fetch_add_explicit(&looks, 1, memory_order_relaxed);
		}
		rte_rcu_qsbr_quiescent(worker_qsbr, 0);
		if (atomic_load_explicit(&looks, memory_order_relaxed) % 16 == 0)
			sched_yield();
	}
	rte_rcu_qsbr_thread_offline(worker_qsbr, 0);
	rte_rcu_qsbr_thread_unregister(worker_qsbr, 0);
	return NULL;
}

/* Three kinds: with two, either copy of a flow would always be written as it was. */
static void set_stream(uint16_t port, uint8_t kind)
{
	struct rec_stream_set r = {.id = 1, .kind = kind};
	uint32_t flow[2];

	r.end[0] = (struct stream_end){.local = test_endpoint("192.0.2.10", 10000),
		.remote = test_endpoint("203.0.113.0", port),
		.allowed = test_addr("203.0.113.0"),
		.prefix_len = (uint8_t)(port % 33),
		.flags = (uint8_t)((kind >= 1 ? STREAM_END_RECEIVE : 0) |
				   (kind == 2 ? STREAM_END_LEARN_PORT : 0))};
	r.end[0].allowed.bytes[3] = (uint8_t)port;
	r.end[0].clock_hz = kind * 8000u;
	r.end[1] = (struct stream_end){.local = test_endpoint("198.51.100.10", 10000), .realm = 1};
	assert_int_equal(stream_set(&r, 1, 0, flow), 0);
}

static void del_stream(void)
{
	struct rec_stream_del d = {.id = 1, .local = test_endpoint("192.0.2.10", 10000)};
	struct rec_stream_event gone;

	assert_int_equal(stream_del(&d, &gone), 0);
}

static void test_actions_are_whole(void **state)
{
	uint32_t seed = 1;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, worker_main, NULL), 0);
	while (atomic_load(&looks) == 0) {
		set_stream(5000, STREAM_RTP);
		sched_yield();
	}
	for (unsigned int i = 0; i < CHANGES || atomic_load(&looks) < 2000; i++) {
		seed = seed * 1664525 + 1013904223;
		/* Mostly the two copies of one flow, sometimes another flow, or none for a while.
		 */
		set_stream(
			(uint16_t)(5000 + (seed >> 16) % 8 / 7 * (seed >> 24)), (seed >> 12) % 3);
		if ((seed >> 8) % 64 == 0) {
			del_stream();
			stream_expire(0);
		}
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	assert_int_equal(torn, 0);

	assert_true(graces > CHANGES / 10);
	print_message(
		"%lu looks, %u changes, %u grace periods\n", (unsigned long)looks, CHANGES, graces);
}

static int setup(void **state)
{
	dataplane_setup(FLOWS);
	worker_qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	assert_non_null(worker_qsbr);
	assert_int_equal(rte_rcu_qsbr_init(worker_qsbr, 1), 0);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(FLOWS, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	test_realm(0, 0, "192.0.2.10", 0, 1);
	test_realm(1, 1, "198.51.100.10", 0, 1);
	return 0;
}

static int teardown(void **state)
{
	stream_fini();
	local_fini();
	nexthop_fini();
	rte_free(worker_qsbr);
	worker_qsbr = NULL;
	stats_region_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_actions_are_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
