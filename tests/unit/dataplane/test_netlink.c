/*
 * The mirror against a real kernel: its routes and neighbours.
 */
#include <time.h>
#include <unistd.h>

#include "twins.h"

static void test_connected_and_gateway_routes(void **state)
{
	struct net_addr gw = test_addr("192.0.2.1");

	ip("addr add 192.0.2.10/24 dev twin0");
	ip("addr add 198.51.100.10/24 dev twin1");
	ip("route add 10.0.0.0/8 via 198.51.100.1");
	settle();
	assert_int_equal(route("192.0.2.77")->type, NEXTHOP_CONNECTED);
	assert_int_equal(route("192.0.2.77")->port, 0);
	assert_int_equal(route("10.9.9.9")->type, NEXTHOP_NEIGHBOUR);
	assert_int_equal(route("10.9.9.9")->port, 1);
	assert_int_equal(route("203.0.113.1")->type, NEXTHOP_UNUSED);

	/* Two default routes: the lower metric counts, the other takes over. */
	ip("route add default via 192.0.2.1 metric 50");
	ip("route add default via 198.51.100.1 metric 60");
	settle();
	assert_true(net_addr_eq(&route("203.0.113.1")->addr, &gw));
	ip("route del default via 192.0.2.1 metric 50");
	settle();
	assert_int_equal(route("203.0.113.1")->port, 1);
	ip("route del default via 198.51.100.1");
	ip("route del 10.0.0.0/8");
	ip("addr del 192.0.2.10/24 dev twin0");
	settle();
	assert_int_equal(route("203.0.113.1")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("10.9.9.9")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("192.0.2.77")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("198.51.100.77")->type, NEXTHOP_CONNECTED);
}

static void test_neighbours_come_and_go(void **state)
{
	ip("addr add 192.0.2.10/24 dev twin0");
	ip("neigh add 192.0.2.5 lladdr 02:aa:bb:cc:dd:01 dev twin0 nud permanent");
	settle();
	assert_int_equal(route("192.0.2.5")->type, NEXTHOP_NEIGHBOUR);
	assert_true(linked_to(route("192.0.2.5"), peer_mac));
	assert_int_equal(route("192.0.2.6")->type, NEXTHOP_CONNECTED);
	ip("neigh replace 192.0.2.5 lladdr 02:00:00:00:00:07 dev twin0 nud permanent");
	settle();
	assert_true(linked_to(route("192.0.2.5"), (const uint8_t[]){2, 0, 0, 0, 0, 7}));
	ip("neigh del 192.0.2.5 dev twin0");
	settle();
	assert_int_equal(route("192.0.2.5")->type, NEXTHOP_CONNECTED);
	assert_int_equal(nexthop_used(), 1);
}

/* The kernel may note any sender of an ARP request: it must not get a route for that. */
static void test_neighbour_off_link_gets_no_route(void **state)
{
	ip("addr add 192.0.2.10/24 dev twin0");
	ip("addr add 198.51.100.10/24 dev twin1");
	ip("neigh add 8.8.8.8 lladdr 02:aa:bb:cc:dd:01 dev twin0 nud reachable");
	ip("neigh add 198.51.100.20 lladdr 02:aa:bb:cc:dd:01 dev twin0 nud reachable");
	settle();
	assert_int_equal(route("8.8.8.8")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("198.51.100.20")->type, NEXTHOP_CONNECTED);
	assert_int_equal(route("198.51.100.20")->port, 1);
}

static void test_what_was_there_before_the_start(void **state)
{
	netlink_fini();
	ip("addr add 192.0.2.10/24 dev twin0");
	ip("route add 10.0.0.0/8 via 192.0.2.5");
	ip("neigh add 192.0.2.5 lladdr 02:aa:bb:cc:dd:01 dev twin0 nud reachable");
	assert_int_equal(netlink_init(), 0);
	assert_true(linked_to(route("192.0.2.5"), peer_mac));
	assert_true(linked_to(route("10.1.1.1"), peer_mac));
	assert_ptr_equal(route("10.1.1.1"), route("192.0.2.5"));
}

static void test_a_probe_resolves(void **state)
{
	struct net_addr peer = test_addr("192.0.2.5");

	ip("addr add 192.0.2.10/24 dev twin0");
	settle();
	assert_int_equal(netlink_neighbour_probe(0, &peer), 0);
	assert_true(answer_arp(taps[0], "192.0.2.5"));
	settle();
	assert_true(linked_to(route("192.0.2.5"), peer_mac));
	assert_int_equal(netlink_neighbour_probe(7, &peer), -ENODEV);
}

/* A route that flaps without end does not keep others from being seen. */
static void test_flapping_route(void **state)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	FILE *f = popen("ip -batch -", "w");

	assert_non_null(f);
	ip("addr add 192.0.2.10/24 dev twin0");
	settle();
	ip("route add 203.0.113.0/24 via 192.0.2.1 dev twin0");
	for (unsigned int i = 0; i < 60; i++) {
		fprintf(f, "route %s 198.51.100.1/32 dev twin0\n", i % 2 == 0 ? "add" : "del");
		fflush(f);
		nanosleep(&pause, NULL);
		netlink_process();
		if (route("203.0.113.5")->type == NEXTHOP_NEIGHBOUR)
			break;
	}
	assert_int_equal(route("203.0.113.5")->type, NEXTHOP_NEIGHBOUR);
	assert_int_equal(pclose(f), 0);
}

/* More events than the socket holds: everything is read again. */
static void test_overrun(void **state)
{
	char path[] = "/tmp/sallyport-neigh-XXXXXX", args[64];
	FILE *f = fdopen(mkstemp(path), "w");

	assert_non_null(f);
	ip("addr add 10.0.0.1/8 dev twin0");
	settle();
	/* 20,000 events of about 200 bytes; the socket takes 2 MiB. */
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 1000; i++)
			fprintf(f,
				"neigh replace 10.1.%u.%u lladdr 02:00:00:00:%02x:%02x dev twin0 "
				"nud "
				"permanent\n",
				i / 250, 1 + i % 250, round, i & 255);
	}
	fclose(f);
	snprintf(args, sizeof(args), "-batch %s", path);
	ip(args);
	unlink(path);
	settle();
	assert_true(linked_to(route("10.1.0.1"), (const uint8_t[]){2, 0, 0, 0, 19, 0}));
	assert_true(linked_to(route("10.1.3.250"), (const uint8_t[]){2, 0, 0, 0, 19, 999 & 255}));
	assert_int_equal(nexthop_used(), 1001);
	ip("link set twin0 down");
	settle();
	assert_int_equal(nexthop_used(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_connected_and_gateway_routes),
		T(test_neighbours_come_and_go),
		T(test_neighbour_off_link_gets_no_route),
		T(test_what_was_there_before_the_start),
		T(test_a_probe_resolves),
		T(test_flapping_route),
		T(test_overrun),
	};

	if (!twins_here())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
