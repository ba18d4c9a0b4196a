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
#include "netdev.h"
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
		netdev_sysctls(name);
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

/* --- a host behind a TAP --- */

struct frame {
	uint8_t b[1600];
	size_t len;
};

static bool frame_read(int tap, struct frame *f, int timeout_ms)
{
	struct pollfd p = {.fd = tap, .events = POLLIN};
	ssize_t n;

	memset(f, 0, sizeof(*f));
	if (poll(&p, 1, timeout_ms) <= 0 || (n = read(tap, f->b, sizeof(f->b))) < 14)
		return false;
	f->len = (size_t)n;
	return true;
}

#define L3 14

/* @return where the packet begins. */
static uint8_t *frame_begin(
	struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->b, dst, 6);
	memcpy(f->b + 6, src, 6);
	f->b[12] = (uint8_t)(type >> 8);
	f->b[13] = (uint8_t)type;
	return f->b + L3;
}

#define ARP_REQUEST 1
#define ARP_REPLY 2

static void send_arp(int tap, uint8_t op, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[4], const uint8_t target[4])
{
	struct frame f;
	uint8_t *arp = frame_begin(&f, dst, src, 0x0806);

	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, op}, 8);
	memcpy(arp + 8, src, 6);
	memcpy(arp + 14, sender, 4);
	memcpy(arp + 18, dst, 6);
	memcpy(arp + 24, target, 4);
	assert_int_equal(write(tap, f.b, L3 + 28), L3 + 28);
}

static uint16_t icmp6_sum(const uint8_t *ip, size_t len)
{
	uint32_t sum = 58 + (uint32_t)len;

	for (size_t i = 8; i < 40 + len; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Neighbour advertisement (RFC 4861 section 4.4): override, solicited if it says so. */
static void send_na(int tap, bool solicited, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[16], const uint8_t target[16])
{
	struct frame f;
	uint8_t *p = frame_begin(&f, dst, src, 0x86dd), *icmp = p + 40;
	uint16_t sum;

	p[0] = 0x60;
	p[5] = 32;
	p[6] = 58;
	p[7] = 255;
	memcpy(p + 8, sender, 16);
	memcpy(p + 24, target, 16);
	icmp[0] = 136;
	icmp[4] = solicited ? 0x60 : 0x20;
	memcpy(icmp + 8, sender, 16);
	icmp[24] = 2;
	icmp[25] = 1;
	memcpy(icmp + 26, src, 6);
	sum = icmp6_sum(p, 32);
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	assert_int_equal(write(tap, f.b, L3 + 72), L3 + 72);
}

/* Is the frame a question for this address? */
static bool asks_for(const struct frame *f, const struct net_addr *who)
{
	const uint8_t *p = f->b + L3;

	if (who->family == NET_FAMILY_V4)
		return f->b[12] == 0x08 && f->b[13] == 0x06 && f->len >= L3 + 28 &&
		       p[7] == ARP_REQUEST && memcmp(p + 24, who->bytes, 4) == 0;
	return f->b[12] == 0x86 && f->b[13] == 0xdd && f->len >= L3 + 64 && p[6] == 58 &&
	       p[40] == 135 && memcmp(p + 48, who->bytes, 16) == 0;
}

/* Wait until the kernel asks for a host. @param unicast_to  only such questions; NULL: any. */
static bool asked(
	int tap, const char *who, const uint8_t *unicast_to, int timeout_ms, struct frame *f)
{
	struct net_addr a = test_addr(who);

	while (frame_read(tap, f, timeout_ms)) {
		if (asks_for(f, &a) && (unicast_to == NULL || memcmp(f->b, unicast_to, 6) == 0))
			return true;
	}
	return false;
}

/* Answer such a question as that host, with this link address. */
static bool answer_as(
	int tap, const char *who, const uint8_t mac[6], const uint8_t *unicast_to, int timeout_ms)
{
	struct net_addr a = test_addr(who);
	const uint8_t *p;
	struct frame f;

	if (!asked(tap, who, unicast_to, timeout_ms, &f))
		return false;
	p = f.b + L3;
	if (a.family == NET_FAMILY_V4)
		send_arp(tap, ARP_REPLY, f.b + 6, mac, a.bytes, p + 14);
	else
		send_na(tap, true, f.b + 6, mac, a.bytes, p + 8);
	return true;
}

static bool answer_arp(int tap, const char *who)
{
	return answer_as(tap, who, peer_mac, NULL, 500);
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
	/* Lost while in use: the kernel gets it back, and asks. */
	ip("neigh del 192.0.2.55 dev twin0");
	settle();
	assert_true(linked_to(&nexthops[hop], peer_mac));
	assert_true(answer_as(taps[0], "192.0.2.55", peer_mac, peer_mac, 2000));
	settle();
	ip("neigh show 192.0.2.55 dev twin0 | grep -q REACHABLE");
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

/* --- IPv6 --- */

static void realm_set(uint16_t realm, uint16_t port, uint16_t vlan, uint32_t epoch)
{
	struct rec_realm_set r = {.realm = realm, .port = port, .vlan = vlan};

	snprintf(r.name, sizeof(r.name), "realm%u", realm);
	assert_int_equal(local_realm_set(&r, epoch), 0);
}

static int address_set(uint16_t realm, const char *addr, uint8_t len, const char *gateway)
{
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = len};

	if (gateway != NULL)
		a.gateway = test_addr(gateway);
	return local_address_set(&a, 1);
}

/* Not before an address asks for it does a twin say anything in IPv6. */
static void test_v6_is_silent_until_it_is_used(void **state)
{
	ip("-6 addr show dev twin0 | grep -c inet6 | grep -qx 0");
	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, NULL), 0);
	ip("-6 addr show dev twin0 | grep -c inet6 | grep -qx 0");
	assert_int_equal(address_set(0, "2001:db8:1::10", 64, NULL), 0);
	ip("-6 addr show dev twin0 | grep -q 'inet6 2001:db8:1::10/64 scope global.* nodad'");
	ip("-6 addr show dev twin0 | grep -q 'inet6 fe80::.*scope link'");
	ip("-6 addr show dev twin1 | grep -c inet6 | grep -qx 0");
}

static void test_v6_address_gateway_and_stream(void **state)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 7};
	struct net_addr own = test_addr("2001:db8:1::10"), gw = test_addr("fe80::1");
	struct rec_media_range_set m = {
		.addr = own, .realm = 0, .port_min = 10000, .port_max = 10999};
	struct rec_stream_set r = {.id = 1};
	struct rec_stream_del d = {.id = 1, .local = test_endpoint("2001:db8:1::10", 10000)};
	struct rec_stream_event gone;
	const struct flow_action *action;
	uint32_t flow[2];

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "2001:db8:1::10", 64, "fe80::1"), 0);
	assert_int_equal(address_set(0, "2001:db8:1::10", 64, "fe80::1"), 0);
	assert_int_equal(local_media_range_set(&m, 1), 0);
	ip("-6 route show default | grep -q 'via fe80::1 dev twin0.*metric 1000'");
	settle();
	assert_int_equal(route("2001:db8:1::10")->type, NEXTHOP_LOCAL);
	assert_int_equal(local_find_v6(own.bytes), local_addr_find(&own));
	assert_int_equal(route("2001:db8:1::77")->type, NEXTHOP_CONNECTED);
	assert_int_equal(local_find_v6(test_addr("2001:db8:1::77").bytes), -1);
	assert_int_equal(route("2001:db8:ffff::5")->type, NEXTHOP_NEIGHBOUR);
	assert_true(net_addr_eq(&route("2001:db8:ffff::5")->addr, &gw));
	/* Link-local addresses are on every link: no way to anywhere. */
	assert_int_equal(route("fe80::1")->type, NEXTHOP_NEIGHBOUR); /* the default route */
	assert_true(answer_as(taps[0], "fe80::1", peer_mac, NULL, 3000));
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));

	r.end[0] = (struct stream_end){
		.local = d.local, .remote = test_endpoint("2001:db8:1::55", 4000)};
	r.end[1] = (struct stream_end){.local = test_endpoint("2001:db8:1::10", 10002),
		.remote = test_endpoint("2001:db8:ffff::5", 4000)};
	assert_int_equal(stream_set(&r, 1, 0, flow), 0);
	action = &flow_actions[local_slot(0, 10002) & LOCAL_VALUE_MASK];
	assert_int_equal(action->flags & FLOW_DST_V6, FLOW_DST_V6);
	assert_false(linked_to(&nexthops[action->nexthop], other_mac));
	assert_true(answer_as(taps[0], "2001:db8:1::55", other_mac, NULL, 3000));
	settle();
	assert_true(linked_to(&nexthops[action->nexthop], other_mac));
	assert_ptr_equal(route("2001:db8:1::55"), &nexthops[action->nexthop]);
	action = &flow_actions[local_slot(0, 10000) & LOCAL_VALUE_MASK];
	assert_true(linked_to(&nexthops[action->nexthop], peer_mac));

	/* Down and up, then without its address: all of it comes back. */
	ip("link set twin0 down");
	settle();
	ip("link set twin0 up");
	settle();
	ip("-6 route show default | grep -q 'via fe80::1 dev twin0'");
	ip("-6 addr del 2001:db8:1::10/64 dev twin0");
	settle();
	ip("-6 addr show dev twin0 | grep -q 'inet6 2001:db8:1::10/64'");
	assert_int_equal(route("2001:db8:1::77")->type, NEXTHOP_CONNECTED);

	assert_int_equal(stream_del(&d, &gone), 0);
	assert_int_equal(local_sync(2), 0);
	settle();
	ip("-6 addr show dev twin0 | grep -c 2001:db8 | grep -qx 0");
	assert_int_equal(route("2001:db8:1::10")->type, NEXTHOP_UNUSED);
	assert_int_equal(route("2001:db8:ffff::5")->type, NEXTHOP_UNUSED);
	ip("neigh flush dev twin0");
	settle();
	assert_int_equal(nexthop_used(), 0);
}

/* --- VLANs --- */

static void test_vlan_interfaces(void **state)
{
	realm_set(0, 0, 0, 1);
	realm_set(1, 0, 100, 1);
	realm_set(2, 0, 100, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, NULL), 0);
	assert_int_equal(address_set(1, "198.51.100.10", 24, "198.51.100.1"), 0);
	assert_int_equal(address_set(1, "2001:db8:1::10", 64, NULL), 0);
	ip("link show twin0.100 | grep -q ',UP'");
	ip("addr show dev twin0.100 | grep -q 'inet 198.51.100.10/24'");
	ip("route show default | grep -q 'via 198.51.100.1 dev twin0.100'");
	assert_int_equal(netif_of(0, 0), 0);
	assert_int_equal(netif_of(0, 100), local_realms[1].netif);
	assert_int_equal(local_realms[2].netif, local_realms[1].netif);
	assert_int_equal(netif_of(0, 101), NETIF_NONE);
	assert_int_equal(netif_of(1, 100), NETIF_NONE);
	assert_int_equal(local_addrs[1].netif, local_realms[1].netif);
	settle();
	assert_int_equal(route("198.51.100.77")->type, NEXTHOP_CONNECTED);
	assert_int_equal(route("198.51.100.77")->vlan, 100);
	assert_int_equal(route("198.51.100.77")->port, 0);
	assert_int_equal(route("203.0.113.5")->vlan, 100);
	assert_true(answer_as(vlan_twin_fd(netif_of(0, 100)), "198.51.100.1", peer_mac, NULL, 500));
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	/* A neighbour of that VLAN is none of the port's. */
	assert_int_equal(route_find_realm_v4(0x05007105, 0), NEXTHOP_NONE);

	/* Somebody takes it away. */
	ip("link del twin0.100");
	settle();
	ip("addr show dev twin0.100 | grep -q 'inet 198.51.100.10/24'");
	ip("addr show dev twin0.100 | grep -q 'inet6 2001:db8:1::10/64'");
	assert_int_equal(route("198.51.100.77")->vlan, 100);

	/* The last realm of the VLAN takes it along. */
	realm_set(1, 0, 200, 1);
	ip("link show twin0.100 | grep -q ',UP'");
	ip("addr show dev twin0.200 | grep -q 'inet 198.51.100.10/24'");
	ip("addr show dev twin0.200 | grep -q 'inet6 2001:db8:1::10/64'");
	assert_int_equal(local_addrs[1].netif, netif_of(0, 200));
	realm_set(2, 1, 100, 1);
	ip("link show | grep -c twin0.100 | grep -qx 0");
	ip("link show twin1.100 | grep -q ',UP'");
	assert_int_equal(netif_of(0, 100), NETIF_NONE);
	settle();
	assert_int_equal(route("198.51.100.77")->vlan, 200);
	assert_int_equal(route("198.51.100.77")->netif, netif_of(0, 200));

	assert_int_equal(local_sync(2), 0);
	settle();
	ip("link show | grep -c 'twin[01][.]' | grep -qx 0");
	assert_int_equal(nexthop_used(), 0);
}

static void test_vlan_refusals(void **state)
{
	struct rec_realm_set r = {.name = "realm", .realm = 0, .port = 0, .vlan = 100};

	ip("tuntap add dev twin0.100 mode tap");
	assert_int_equal(local_realm_set(&r, 1), -EEXIST);
	assert_false(local_realms[0].used);
	assert_int_equal(netif_of(0, 100), NETIF_NONE);
	ip("tuntap del dev twin0.100 mode tap");
	assert_int_equal(local_realm_set(&r, 1), 0);
	r.vlan = 4095;
	assert_int_equal(local_realm_set(&r, 1), -EINVAL);
	r = (struct rec_realm_set){.name = "realm", .realm = 1, .port = 7};
	assert_int_equal(local_realm_set(&r, 1), -EINVAL);
	/* One table of routes for all: a prefix is on one link. */
	realm_set(1, 0, 200, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, NULL), 0);
	assert_int_equal(address_set(1, "192.0.2.20", 24, NULL), -ENOTUNIQ);
	assert_int_equal(address_set(1, "192.0.2.130", 25, NULL), -ENOTUNIQ);
	assert_int_equal(address_set(1, "192.0.0.1", 16, NULL), -ENOTUNIQ);
	assert_int_equal(address_set(1, "192.0.3.20", 24, NULL), 0);
	assert_int_equal(address_set(0, "2001:db8::1", 64, NULL), 0);
	assert_int_equal(address_set(1, "2001:db8::1:0:0:1", 64, NULL), -ENOTUNIQ);
	assert_int_equal(local_sync(2), 0);
}

/* --- who speaks for a neighbour (threats.md row 31) --- */

static const uint8_t thief_mac[6] = {0x02, 0x66, 0x66, 0x66, 0x66, 0x66};
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};

static void test_a_spoofed_arp_changes_nothing(void **state)
{
	const uint8_t *gw = (const uint8_t[]){192, 0, 2, 1},
		      *own = (const uint8_t[]){192, 0, 2, 10};

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, "192.0.2.1"), 0);
	settle();
	assert_true(answer_arp(taps[0], "192.0.2.1"));
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	for (unsigned int i = 0; i < 3; i++) {
		/* Announced, asked, answered: each would be taken by the kernel. */
		if (i == 0)
			send_arp(taps[0], ARP_REQUEST, broadcast, thief_mac, gw, gw);
		else if (i == 1)
			send_arp(taps[0], ARP_REPLY, broadcast, thief_mac, gw, gw);
		else
			send_arp(taps[0], ARP_REQUEST, broadcast, thief_mac, gw, own);
		settle();
		assert_true(linked_to(route("203.0.113.5"), peer_mac));
		ip("neigh show 192.0.2.1 dev twin0 | grep -qi 'lladdr 02:aa:bb:cc:dd:01'");
	}
	/* The one that we know is asked, and is there. */
	assert_true(answer_as(taps[0], "192.0.2.1", peer_mac, peer_mac, 2000));
	settle();
	ip("neigh show 192.0.2.1 dev twin0 | grep -q 'lladdr 02:aa:bb:cc:dd:01 REACHABLE'");
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	assert_int_equal(local_sync(2), 0);
}

static void test_a_spoofed_advertisement_changes_nothing(void **state)
{
	struct net_addr gw = test_addr("fe80::1"), all = test_addr("ff02::1"),
			own = test_addr("2001:db8:1::10");
	struct rte_ether_addr twin;
	struct frame f;

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "2001:db8:1::10", 64, "fe80::1"), 0);
	settle();
	assert_true(asked(taps[0], "fe80::1", NULL, 3000, &f));
	memcpy(&twin, f.b + 6, sizeof(twin));
	send_na(taps[0], true, f.b + 6, peer_mac, gw.bytes, f.b + L3 + 8);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	send_na(taps[0], false, all_nodes, thief_mac, gw.bytes, all.bytes);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	send_na(taps[0], true, twin.addr_bytes, thief_mac, gw.bytes, own.bytes);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	ip("neigh show fe80::1 dev twin0 | grep -qi 'lladdr 02:aa:bb:cc:dd:01'");
	assert_true(answer_as(taps[0], "fe80::1", peer_mac, peer_mac, 2000));
	settle();
	ip("neigh show fe80::1 dev twin0 | grep -q 'lladdr 02:aa:bb:cc:dd:01.*REACHABLE'");
	assert_int_equal(local_sync(2), 0);
}

/* A gateway that was replaced: announced, the old one does not answer, the new one does. */
static void test_a_replaced_gateway_is_taken(void **state)
{
	static const uint8_t new_mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x02};
	const uint8_t *gw = (const uint8_t[]){192, 0, 2, 1};
	bool taken = false;

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, "192.0.2.1"), 0);
	settle();
	assert_true(answer_arp(taps[0], "192.0.2.1"));
	settle();
	send_arp(taps[0], ARP_REQUEST, broadcast, new_mac, gw, gw);
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	/* Three questions to the old one, a second apart; then everybody is asked. */
	for (unsigned int i = 0; i < 20 && !taken; i++) {
		settle();
		answer_as(taps[0], "192.0.2.1", new_mac, broadcast, 500);
		settle();
		taken = linked_to(route("203.0.113.5"), new_mac);
	}
	assert_true(taken);
	assert_int_equal(local_sync(2), 0);
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
		T(test_v6_is_silent_until_it_is_used),
		T(test_v6_address_gateway_and_stream),
		T(test_vlan_interfaces),
		T(test_vlan_refusals),
		T(test_a_spoofed_arp_changes_nothing),
		T(test_a_spoofed_advertisement_changes_nothing),
		T(test_a_replaced_gateway_is_taken),
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
