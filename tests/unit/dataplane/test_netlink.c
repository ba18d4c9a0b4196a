/*
 * The mirror against a real kernel: a network namespace of its own, two TAPs as twins,
 * ordinary `ip` commands. Needs root; says so and is skipped otherwise.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "boundary.h"
#include "doubles.h"
#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "netif.h"
#include "nexthop.h"

#define PORTS 2

static int taps[PORTS];
static const uint8_t peer_mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x01};

void boundary_event(uint8_t group, void *record, size_t len)
{
	fail_msg("no event expected");
}

static void ip(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int tap_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int setup(void **state)
{
	dataplane_setup(64);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(64, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	for (int i = 0; i < PORTS; i++) {
		char name[16], args[64];

		snprintf(name, sizeof(name), "twin%d", i);
		taps[i] = tap_open(name);
		assert_true(taps[i] >= 0);
		snprintf(args, sizeof(args), "link set %s up", name);
		ip(args);
		snprintf(stats_region->port[i].name, API_NAME_MAX, "%s", name);
	}
	assert_int_equal(netif_init(), 0);
	assert_int_equal(netlink_init(), 0);
	return 0;
}

static int teardown(void **state)
{
	netlink_fini();
	netif_fini();
	for (int i = 0; i < PORTS; i++)
		close(taps[i]);
	stream_fini();
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

/* Handle what the kernel says until it has been quiet for a while. */
static void settle(void)
{
	struct pollfd p = {.fd = netlink_fd(), .events = POLLIN};

	while (poll(&p, 1, 60) > 0)
		netlink_process();
}

static const struct nexthop *route(const char *text)
{
	struct net_addr a = test_addr(text);

	return &nexthops[route_find(&a)];
}

static bool linked_to(const struct nexthop *n, const uint8_t mac[6])
{
	uint64_t link = atomic_load(&n->link);

	return (link & NEXTHOP_LINK_VALID) != 0 && memcmp(&link, mac, 6) == 0;
}

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
	ip("neigh replace 192.0.2.5 lladdr 02:00:00:00:00:07 dev twin0 nud stale");
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

/* Who is asked for on the TAP? Answer as that host. */
static bool answer_arp(int tap, const char *who)
{
	struct net_addr a = test_addr(who);
	struct pollfd p = {.fd = tap, .events = POLLIN};
	uint8_t f[1600];

	while (poll(&p, 1, 500) > 0) {
		ssize_t n = read(tap, f, sizeof(f));

		/* Ethernet, ARP request for this address. */
		if (n < 42 || f[12] != 0x08 || f[13] != 0x06 || f[21] != 1 ||
			memcmp(f + 38, a.bytes, 4) != 0)
			continue;
		memcpy(f + 32, f + 22, 6); /* target: who asked */
		memcpy(f, f + 22, 6);
		memcpy(f + 6, peer_mac, 6);
		memcpy(f + 22, peer_mac, 6);
		memcpy(f + 38, f + 28, 4);
		memcpy(f + 28, a.bytes, 4);
		f[21] = 2;
		return write(tap, f, 42) == 42;
	}
	return false;
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

/* Control sets an address with a gateway and a stream: all of it ends up in the kernel. */
static void test_configured_address_and_stream(void **state)
{
	struct rec_realm_set realm = {.name = "access", .realm = 0, .port = 0};
	struct rec_address_set a = {.addr = test_addr("192.0.2.10"),
		.gateway = test_addr("192.0.2.1"),
		.realm = 0,
		.prefix_len = 24};
	struct rec_media_range_set m = {
		.addr = a.addr, .realm = 0, .port_min = 10000, .port_max = 10999};
	struct rec_stream_set r = {.id = 1};
	struct rec_stream_del d = {.id = 1, .local = test_endpoint("192.0.2.10", 10000)};
	struct rec_stream_event gone;
	uint32_t flow[2];
	uint16_t hop;

	assert_int_equal(local_realm_set(&realm, 1), 0);
	assert_int_equal(local_address_set(&a, 1), 0);
	assert_int_equal(local_address_set(&a, 1), 0);
	assert_int_equal(local_media_range_set(&m, 1), 0);
	ip("addr show dev twin0 | grep -q 'inet 192.0.2.10/24'");
	ip("route show default | grep -q 'via 192.0.2.1 dev twin0.*metric 1000'");
	settle();
	assert_int_equal(route("192.0.2.10")->type, NEXTHOP_LOCAL);
	assert_int_equal(route("203.0.113.5")->type, NEXTHOP_NEIGHBOUR);
	assert_true(answer_arp(taps[0], "192.0.2.1"));
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));

	r.end[0] =
		(struct stream_end){.local = d.local, .remote = test_endpoint("192.0.2.55", 4000)};
	r.end[1] = (struct stream_end){.local = test_endpoint("192.0.2.10", 10002)};
	assert_int_equal(stream_set(&r, 1, 0, flow), 0);
	hop = flow_actions[local_slot(0, 10002) & LOCAL_VALUE_MASK].nexthop;
	assert_false(linked_to(&nexthops[hop], peer_mac));
	assert_true(answer_arp(taps[0], "192.0.2.55"));
	settle();
	/* The stream's own next hop has it: nothing to switch. */
	assert_true(linked_to(&nexthops[hop], peer_mac));
	assert_ptr_equal(route("192.0.2.55"), &nexthops[hop]);
	/* Silent while in use: media goes where it went, and the kernel asks again. */
	ip("neigh replace 192.0.2.55 dev twin0 nud failed");
	settle();
	assert_true(linked_to(&nexthops[hop], peer_mac));
	assert_true(answer_arp(taps[0], "192.0.2.55"));
	settle();
	ip("neigh show 192.0.2.55 dev twin0 | grep -q REACHABLE");
	assert_true(linked_to(&nexthops[hop], peer_mac));
	/* Lost while in use: packets go by the kernel, which asks again. */
	ip("neigh del 192.0.2.55 dev twin0");
	settle();
	assert_false(linked_to(&nexthops[hop], peer_mac));
	assert_true(answer_arp(taps[0], "192.0.2.55"));
	settle();
	assert_true(linked_to(&nexthops[hop], peer_mac));

	/* Down and up: the kernel forgot the gateway, we did not. */
	ip("link set twin0 down");
	settle();
	ip("link set twin0 up");
	settle();
	ip("route show default | grep -q 'via 192.0.2.1 dev twin0'");
	/* Somebody takes the address away. */
	ip("addr flush dev twin0");
	settle();
	ip("addr show dev twin0 | grep -q 'inet 192.0.2.10/24'");

	assert_int_equal(stream_del(&d, &gone), 0);
	assert_int_equal(local_sync(2), 0);
	settle();
	ip("addr show dev twin0 | grep -vq 'inet 192.0.2.10/24'");
	assert_int_equal(route("192.0.2.10")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("203.0.113.5")->type, NEXTHOP_UNUSED);
	ip("neigh flush dev twin0");
	settle();
	assert_int_equal(nexthop_used(), 0);
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

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_connected_and_gateway_routes),
		T(test_neighbours_come_and_go),
		T(test_neighbour_off_link_gets_no_route),
		T(test_what_was_there_before_the_start),
		T(test_a_probe_resolves),
		T(test_configured_address_and_stream),
		T(test_flapping_route),
		T(test_overrun),
	};
	int fd;

	if (unshare(CLONE_NEWNET) < 0 || (fd = tap_open("probe0")) < 0) {
		printf("skipped: needs root and /dev/net/tun (%s)\n", strerror(errno));
		return 77;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
