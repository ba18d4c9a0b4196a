/* Where the packets of streams go: routes, gateways of realms, both families. */
#include "netif.h"
#include "streams.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_routes_change),
		T(test_gateway_of_the_realm),
		T(test_between_the_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
