/* Realms, addresses and their port tables; which way a packet leaves a realm. */
#include "netif.h"
#include "tables.h"

static uint32_t find(const char *text)
{
	struct net_addr a = test_addr(text);

	return route_find(&a);
}

static enum local_kind kind_at(int idx, uint16_t port)
{
	return local_slot_kind(local_slot((uint16_t)idx, port));
}

static void test_address_and_its_ports(void **state)
{
	struct rec_listener_set l = {.realm = 3, .local = test_endpoint("192.0.2.10", 5060)};
	struct net_addr a = test_addr("192.0.2.10");
	uint32_t hop;
	int idx;

	test_realm(3, 1, "192.0.2.10", 0, 1);
	idx = local_addr_find(&a);
	assert_true(idx >= 0);
	hop = find("192.0.2.10");
	assert_int_equal(nexthops[hop].type, NEXTHOP_LOCAL);
	assert_int_equal(nexthops[hop].local, idx);
	assert_int_equal(nexthops[hop].port, 1);
	assert_int_equal(find("192.0.2.11"), NEXTHOP_NONE);
	assert_int_equal(kernel_addrs, 1);

	assert_int_equal(local_listener_set(&l, 1), 0);
	assert_int_equal(local_listener_set(&l, 1), 0);
	assert_int_equal(local_slot((uint16_t)idx, 5060), (uint32_t)LOCAL_LISTENER << 30 | 3);
	assert_int_equal(kind_at(idx, 5061), LOCAL_KERNEL);
	assert_int_equal(kind_at(idx, 9999), LOCAL_KERNEL);
	assert_int_equal(kind_at(idx, 10000), LOCAL_MEDIA);
	assert_int_equal(kind_at(idx, 10999), LOCAL_MEDIA);
	assert_int_equal(kind_at(idx, 11000), LOCAL_KERNEL);
	assert_int_equal(kind_at(idx, 65535), LOCAL_KERNEL);
}

static void test_range_to_the_last_port(void **state)
{
	struct rec_media_range_set m = {.realm = 0, .port_min = 65000, .port_max = 65535};
	int idx;

	test_realm(0, 0, "192.0.2.10", 0, 1);
	m.addr = test_addr("192.0.2.10");
	assert_int_equal(local_media_range_set(&m, 1), 0);
	idx = local_addr_find(&m.addr);
	assert_int_equal(kind_at(idx, 65535), LOCAL_MEDIA);
	assert_int_equal(kind_at(idx, 0), LOCAL_KERNEL);
}

static void test_configuration_refusals(void **state)
{
	struct rec_address_set a = {.addr = test_addr("192.0.2.10"), .realm = 7, .prefix_len = 24};
	struct rec_listener_set l = {.realm = 0, .local = test_endpoint("192.0.2.10", 10500)};
	struct rec_media_range_set m = {.realm = 0, .port_min = 10500, .port_max = 12000};

	m.addr = a.addr;
	assert_int_equal(local_address_set(&a, 1), -ENOENT); /* no such realm */
	test_realm(0, 0, "192.0.2.10", 0, 1);
	test_realm(1, 1, "198.51.100.10", 0, 1);
	assert_int_equal(local_listener_set(&l, 1), -EEXIST); /* inside the media range */
	assert_int_equal(local_media_range_set(&m, 1), -EEXIST);
	m.port_min = 12001;
	assert_int_equal(local_media_range_set(&m, 1), -EINVAL);
	a.realm = 1;
	assert_int_equal(local_address_set(&a, 1), -EEXIST); /* another realm's */
	l.realm = 1;
	l.local.port = 5060;
	assert_int_equal(local_listener_set(&l, 1), -EINVAL);
	l.local.addr = test_addr("203.0.113.1");
	assert_int_equal(local_listener_set(&l, 1), -EADDRNOTAVAIL);
}

static void test_sync_removes_what_the_new_epoch_did_not_set(void **state)
{
	struct rec_listener_set l = {.realm = 0, .local = test_endpoint("192.0.2.10", 5060)};
	struct rec_realm_set r = {.name = "realm", .realm = 0, .port = 0};
	struct rec_address_set a = {.addr = test_addr("192.0.2.10"), .realm = 0, .prefix_len = 24};
	struct net_addr other = test_addr("198.51.100.10");
	int idx;

	test_realm(0, 0, "192.0.2.10", 0, 1);
	test_realm(1, 1, "198.51.100.10", 0, 1);
	assert_int_equal(local_listener_set(&l, 1), 0);
	assert_int_equal(local_sync(1), 0);
	assert_int_equal(kernel_addrs, 2);

	assert_int_equal(local_realm_set(&r, 2), 0);
	assert_int_equal(local_address_set(&a, 2), 0);
	l.local.port = 5062;
	assert_int_equal(local_listener_set(&l, 2), 0);
	assert_int_equal(local_sync(2), 0);
	idx = local_addr_find(&a.addr);
	assert_int_equal(kind_at(idx, 5060), LOCAL_KERNEL);
	assert_int_equal(kind_at(idx, 5062), LOCAL_LISTENER);
	assert_int_equal(kind_at(idx, 10000), LOCAL_KERNEL);
	assert_int_equal(local_addr_find(&other), -ENOENT);
	assert_int_equal(find("198.51.100.10"), NEXTHOP_NONE);
	assert_false(local_realms[1].used);
	assert_true(local_realms[0].used);
}

static void test_realm_moves_to_another_port(void **state)
{
	struct rec_realm_set r = {.name = "realm", .realm = 0, .port = 1};

	test_realm(0, 0, "192.0.2.10", 0, 1);
	assert_int_equal(local_realm_set(&r, 2), 0);
	assert_int_equal(nexthops[find("192.0.2.10")].port, 1);
	assert_int_equal(kernel_addrs, 1);
}

static void test_address_with_flows_stays_until_the_last(void **state)
{
	struct net_addr a = test_addr("192.0.2.10");
	int idx;

	test_realm(0, 0, "192.0.2.10", 0, 1);
	idx = local_addr_find(&a);
	local_slot_write((uint16_t)idx, 10000, LOCAL_FLOW, 2);
	local_slot_write((uint16_t)idx, 10000, LOCAL_FLOW, 3);
	local_slot_write((uint16_t)idx, 10001, LOCAL_FLOW, 4);
	assert_int_equal(local_sync(2), 0);
	assert_int_equal(local_addr_find(&a), idx);
	assert_true(local_realms[0].used);
	assert_int_equal(local_slot((uint16_t)idx, 10000), (uint32_t)LOCAL_FLOW << 30 | 3);
	local_flow_del((uint16_t)idx, 10000);
	/* Its range is gone: the port is the kernel's. */
	assert_int_equal(kind_at(idx, 10000), LOCAL_KERNEL);
	assert_int_equal(local_addr_find(&a), idx);
	local_flow_del((uint16_t)idx, 10001);
	assert_int_equal(local_addr_find(&a), -ENOENT);
	assert_int_equal(kernel_addrs, 0);
	assert_int_equal(find("192.0.2.10"), NEXTHOP_NONE);
}

/* --- what leaves a realm leaves by its port --- */

#define ACCESS "192.0.2.10"
#define CORE "198.51.100.10"
#define ACCESS_GATEWAY "192.0.2.1"
#define CORE_GATEWAY "198.51.100.1"

static uint32_t find_realm(const char *text, uint16_t realm)
{
	struct net_addr a = test_addr(text);

	return route_find_realm(&a, realm);
}

static bool leads_to(uint32_t hop, uint16_t port, const char *gateway)
{
	struct net_addr a = test_addr(gateway);

	return nexthops[hop].type == NEXTHOP_NEIGHBOUR && nexthops[hop].port == port &&
	       net_addr_eq(&nexthops[hop].addr, &a);
}

/* What the kernel makes of two default routes: the one of port 0 has the lower metric. */
static void default_by_access(void)
{
	struct net_addr any = test_addr("0.0.0.0"), gw = test_addr(ACCESS_GATEWAY);
	int hop = nexthop_get(NEXTHOP_NEIGHBOUR, 0, &gw, 0);

	assert_int_equal(route_add(&any, 0, (uint32_t)hop), 0);
	nexthop_put((uint32_t)hop);
}

static void two_realms(void)
{
	test_realm(0, 0, ACCESS, 0, 1);
	test_realm(1, 1, CORE, 0, 1);
	test_connected("192.0.2.0", 24, 0);
	test_connected("198.51.100.0", 24, 1);
	default_by_access();
}

static void test_each_realm_has_its_gateway(void **state)
{
	two_realms();
	test_gateway(0, ACCESS, ACCESS_GATEWAY, 1);
	test_gateway(1, CORE, CORE_GATEWAY, 1);
	assert_int_equal(kernel_probes, 2);
	assert_true(leads_to(find_realm("203.0.113.5", 0), 0, ACCESS_GATEWAY));
	assert_true(leads_to(find_realm("203.0.113.5", 1), 1, CORE_GATEWAY));
	/* On link of the realm's port, and of the other's. */
	assert_int_equal(find_realm("192.0.2.5", 0), find("192.0.2.5"));
	assert_int_equal(nexthops[find_realm("198.51.100.5", 1)].type, NEXTHOP_CONNECTED);
	assert_true(leads_to(find_realm("192.0.2.5", 1), 1, CORE_GATEWAY));
	/* Ours is not sent to anybody's gateway. */
	assert_int_equal(nexthops[find_realm(ACCESS, 1)].type, NEXTHOP_LOCAL);
	assert_int_equal(find_realm("2001:db8::1", 1), NEXTHOP_NONE);
}

static void test_a_route_by_the_realms_port_goes_before_its_gateway(void **state)
{
	struct net_addr net = test_addr("10.0.0.0"), gw = test_addr("198.51.100.9");
	int hop;

	two_realms();
	test_gateway(1, CORE, CORE_GATEWAY, 1);
	hop = nexthop_get(NEXTHOP_NEIGHBOUR, 1, &gw, 0);
	assert_int_equal(route_add(&net, 8, (uint32_t)hop), 0);
	nexthop_put((uint32_t)hop);
	assert_int_equal(find_realm("10.1.1.1", 1), hop);
	assert_true(leads_to(find_realm("11.1.1.1", 1), 1, CORE_GATEWAY));
	/* The access side has no gateway of its own and does not borrow. */
	assert_int_equal(find_realm("10.1.1.1", 0), NEXTHOP_NONE);
}

static void set_vlan_realm(uint16_t realm, uint16_t vlan, const char *addr, const char *gateway)
{
	struct rec_realm_set r = {.name = "realm", .realm = realm, .port = 0, .vlan = vlan};
	struct rec_address_set a = {.addr = test_addr(addr),
		.gateway = test_addr(gateway),
		.realm = realm,
		.prefix_len = 24};

	assert_int_equal(local_realm_set(&r, 1), 0);
	assert_int_equal(local_address_set(&a, 1), 0);
}

/* Two VLANs of one port are as far from each other as two ports are. */
static void test_vlans_are_ways_of_their_own(void **state)
{
	struct net_addr own = test_addr("2001:db8:1::10");

	set_vlan_realm(0, 100, ACCESS, ACCESS_GATEWAY);
	set_vlan_realm(1, 200, CORE, CORE_GATEWAY);
	set_vlan_realm(1, 200, "2001:db8:1::10", "fe80::1");
	assert_int_equal(kernel_vlans, 2);
	test_connected("192.0.2.0", 24, netif_of(0, 100));
	test_connected("198.51.100.0", 24, netif_of(0, 200));
	test_connected("2001:db8:1::", 64, netif_of(0, 200));
	assert_int_equal(nexthops[find_realm("192.0.2.5", 0)].type, NEXTHOP_CONNECTED);
	assert_int_equal(nexthops[find_realm("192.0.2.5", 0)].vlan, 100);
	assert_true(leads_to(find_realm("192.0.2.5", 1), 0, CORE_GATEWAY));
	assert_int_equal(nexthops[find_realm("192.0.2.5", 1)].vlan, 200);
	/* A gateway for each family; the first realm has none for IPv6. */
	assert_true(leads_to(find_realm("203.0.113.5", 1), 0, CORE_GATEWAY));
	assert_true(leads_to(find_realm("2001:db8:9::5", 1), 0, "fe80::1"));
	assert_int_equal(nexthops[find_realm("2001:db8:9::5", 1)].vlan, 200);
	assert_int_equal(nexthops[find_realm("2001:db8:1::5", 1)].type, NEXTHOP_CONNECTED);
	assert_int_equal(find_realm("2001:db8:1::5", 0), NEXTHOP_NONE);
	assert_int_equal(find_realm("2001:db8:9::5", 0), NEXTHOP_NONE);
	assert_int_equal(local_find_v6(own.bytes), local_addr_find(&own));
	assert_int_equal(nexthops[find("2001:db8:1::10")].netif, netif_of(0, 200));
	own.bytes[15]++;
	assert_int_equal(local_find_v6(own.bytes), -1);
	own.bytes[15]--;
	assert_int_equal(local_sync(2), 0);
	assert_int_equal(local_find_v6(own.bytes), -1);
	assert_int_equal(kernel_vlans, 0);
	assert_int_equal(netif_of(0, 100), NETIF_NONE);
}

static void test_network_interfaces(void **state)
{
	int first = netif_get(0, 100), n = 1;

	assert_true(first >= API_PORTS_MAX);
	assert_string_equal(netifs[first].name, "port0.100");
	assert_int_equal(netif_get(0, 100), first);
	assert_int_equal(netif_get(0, 0), 0);
	assert_int_equal(netif_get(0, 4095), -EINVAL);
	assert_int_equal(netif_get(7, 0), -EINVAL);
	assert_int_equal(netif_get(API_PORTS_MAX, 0), -EINVAL);
	netif_put((uint16_t)first);
	netif_put((uint16_t)first);
	assert_int_equal(netif_of(0, 100), NETIF_NONE);
	/* The port's own never goes. */
	netif_put(0);
	assert_int_equal(netif_of(0, 0), 0);
	/* Packets on their way may name it: it is not another's at once. */
	assert_int_not_equal(netif_get(0, 101), first);
	while (netif_get(1, (uint16_t)n) >= 0)
		n++;
	assert_int_equal(n, API_REALMS_MAX);
	assert_int_equal(netif_get(1, 4000), -ENOSPC);
	assert_int_equal(kernel_vlans, API_REALMS_MAX);
	netif_put(netif_of(1, 7));
	assert_true(netif_get(1, 4000) >= 0);
}

static void test_long_port_names(void **state)
{
	snprintf(stats_region->port[0].name, API_NAME_MAX, "abcdefghijklmno");
	assert_int_equal(netif_init(), 0);
	assert_string_equal(netifs[netif_get(0, 7)].name, "abcdefghijklm.7");
	assert_string_equal(netifs[netif_get(0, 4094)].name, "abcdefghij.4094");
}

static void test_no_way_out_of_a_realm(void **state)
{
	struct net_addr any = test_addr("0.0.0.0");

	two_realms();
	assert_int_equal(find_realm("203.0.113.5", 1), NEXTHOP_NONE);
	assert_int_equal(find_realm("192.0.2.5", 1), NEXTHOP_NONE);
	assert_true(leads_to(find_realm("203.0.113.5", 0), 0, ACCESS_GATEWAY));
	/* "No route" is no next hop by port 0. */
	assert_int_equal(route_del(&any, 0), 0);
	assert_int_equal(find_realm("203.0.113.5", 0), NEXTHOP_NONE);
	test_gateway(0, ACCESS, ACCESS_GATEWAY, 1);
	assert_true(leads_to(find_realm("203.0.113.5", 0), 0, ACCESS_GATEWAY));
}

static void test_the_gateway_follows_the_configuration(void **state)
{
	struct rec_realm_set r = {.name = "realm", .realm = 1, .port = 0};
	uint32_t hop;

	test_realm(1, 1, CORE, 0, 1);
	assert_false(local_ways_changed());
	test_gateway(1, CORE, CORE_GATEWAY, 1);
	assert_true(local_ways_changed());
	test_gateway(1, CORE, CORE_GATEWAY, 1);
	assert_false(local_ways_changed());
	hop = find_realm("203.0.113.5", 1);
	assert_int_equal(nexthops[hop].refs, 1);
	test_gateway(1, CORE, "198.51.100.2", 1);
	assert_true(local_ways_changed());
	assert_int_equal(nexthops[hop].refs, 0);
	assert_true(leads_to(find_realm("203.0.113.5", 1), 1, "198.51.100.2"));

	/* The realm moves to another port, and its gateway with it. */
	r.port = 0;
	assert_int_equal(local_realm_set(&r, 2), 0);
	assert_true(local_ways_changed());
	assert_true(leads_to(find_realm("203.0.113.5", 1), 0, "198.51.100.2"));
	/* A new address takes over from one that leaves. */
	test_gateway(1, "203.0.113.10", "203.0.113.1", 2);
	assert_true(leads_to(find_realm("8.8.8.8", 1), 0, "203.0.113.1"));
	assert_int_equal(local_sync(2), 0);
	assert_true(leads_to(find_realm("8.8.8.8", 1), 0, "203.0.113.1"));
	test_gateway(1, "203.0.113.10", NULL, 2);
	assert_int_equal(find_realm("8.8.8.8", 1), NEXTHOP_NONE);
	test_gateway(1, "203.0.113.10", "203.0.113.1", 2);
	assert_int_equal(local_sync(3), 0);
	assert_int_equal(nexthop_used(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLES_CASE(test_address_and_its_ports),
		TABLES_CASE(test_range_to_the_last_port),
		TABLES_CASE(test_configuration_refusals),
		TABLES_CASE(test_sync_removes_what_the_new_epoch_did_not_set),
		TABLES_CASE(test_realm_moves_to_another_port),
		TABLES_CASE(test_address_with_flows_stays_until_the_last),
		TABLES_CASE(test_each_realm_has_its_gateway),
		TABLES_CASE(test_a_route_by_the_realms_port_goes_before_its_gateway),
		TABLES_CASE(test_vlans_are_ways_of_their_own),
		TABLES_CASE(test_network_interfaces),
		TABLES_CASE(test_long_port_names),
		TABLES_CASE(test_no_way_out_of_a_realm),
		TABLES_CASE(test_the_gateway_follows_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
