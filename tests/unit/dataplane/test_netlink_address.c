/*
 * The mirror against a real kernel: the addresses, gateways and VLANs of realms.
 */
#include "netif.h"
#include "twins.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_configured_address_and_stream),
		T(test_v6_is_silent_until_it_is_used),
		T(test_v6_address_gateway_and_stream),
		T(test_vlan_interfaces),
		T(test_vlan_refusals),
	};

	if (!twins_here())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
