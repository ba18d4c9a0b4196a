/* Next hops, and the routes that lead to them. */
#include "netif.h"
#include "tables.h"

static uint32_t find(const char *text)
{
	struct net_addr a = test_addr(text);

	return route_find(&a);
}

static void test_longest_prefix_wins(void **state)
{
	static const struct {
		const char *net;
		uint8_t len;
	} routes[] = {{"0.0.0.0", 0}, {"10.0.0.0", 8}, {"10.1.0.0", 16}, {"10.1.2.0", 24},
		{"10.1.2.128", 25}, {"10.1.2.200", 32}};
	static const struct {
		const char *dst;
		int route; /* index above */
	} cases[] = {{"192.0.2.1", 0}, {"10.200.0.1", 1}, {"10.1.200.1", 2}, {"10.1.2.127", 3},
		{"10.1.2.129", 4}, {"10.1.2.200", 5}, {"10.1.2.201", 4}};
	uint32_t hops[ARRAY_LEN(routes)];

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct net_addr a = test_addr(routes[i].net), gw = test_addr("192.0.2.250");
		int hop;

		gw.bytes[3] = (uint8_t)(200 + i);
		hop = nexthop_get(NEXTHOP_NEIGHBOUR, 0, &gw, 0);
		assert_true(hop > 0);
		hops[i] = (uint32_t)hop;
		assert_int_equal(route_add(&a, routes[i].len, hops[i]), 0);
		/* Again: nothing changes. */
		assert_int_equal(route_add(&a, routes[i].len, hops[i]), 0);
		nexthop_put(hops[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(find(cases[i].dst), hops[cases[i].route]);
	assert_int_equal(nexthop_used(), ARRAY_LEN(routes));
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct net_addr a = test_addr(routes[i].net);

		assert_int_equal(route_del(&a, routes[i].len), 0);
		assert_int_equal(route_del(&a, routes[i].len), -ENOENT);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(find(cases[i].dst), NEXTHOP_NONE);
	assert_int_equal(nexthop_used(), 0);
}

static void test_longest_prefix_wins_v6(void **state)
{
	static const struct {
		const char *net;
		uint8_t len;
	} routes[] = {{"::", 0}, {"2001:db8::", 32}, {"2001:db8:0:1::", 64}, {"2001:db8:0:1::", 65},
		{"2001:db8:0:1::10", 127}, {"2001:db8:0:1::10", 128}, {"8000::", 1}};
	static const struct {
		const char *dst;
		int route; /* index above */
	} cases[] = {{"3fff::1", 0}, {"fd00::1", 6}, {"2001:db8:0:2::1", 1},
		{"2001:db8:0:1:8000::1", 2}, {"2001:db8:0:1:7fff::1", 3}, {"2001:db8:0:1::11", 4},
		{"2001:db8:0:1::10", 5}, {"2001:db8:0:1::12", 3}};
	uint32_t hops[ARRAY_LEN(routes)];

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct net_addr a = test_addr(routes[i].net), gw = test_addr("fe80::1");
		int hop;

		gw.bytes[15] = (uint8_t)(1 + i);
		hop = nexthop_get(NEXTHOP_NEIGHBOUR, 0, &gw, 0);
		assert_true(hop > 0);
		hops[i] = (uint32_t)hop;
		a.bytes[15] |= routes[i].len == 64; /* host bits do not count */
		assert_int_equal(route_add(&a, routes[i].len, hops[i]), 0);
		assert_int_equal(route_add(&a, routes[i].len, hops[i]), 0);
		nexthop_put(hops[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(find(cases[i].dst), hops[cases[i].route]);
	assert_int_equal(nexthop_used(), ARRAY_LEN(routes));
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct net_addr a = test_addr(routes[i].net);

		assert_int_equal(route_exact(&a, routes[i].len), hops[i]);
		assert_int_equal(route_del(&a, routes[i].len), 0);
		assert_int_equal(route_del(&a, routes[i].len), -ENOENT);
		assert_int_equal(route_exact(&a, routes[i].len), NEXTHOP_NONE);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(find(cases[i].dst), NEXTHOP_NONE);
	assert_int_equal(nexthop_used(), 0);
}

/* --- IPv6 routes beside a plain list of them --- */

#define MODEL_ROUTES 400

static struct model_route {
	struct net_addr net;
	uint8_t len;
	uint32_t hop;
} model[MODEL_ROUTES];

static uint32_t model_find(const struct net_addr *a)
{
	const struct model_route *best = NULL;

	for (size_t i = 0; i < MODEL_ROUTES; i++) {
		if (model[i].hop != 0 && net_addr_in_prefix(a, &model[i].net, model[i].len) &&
			(best == NULL || model[i].len > best->len))
			best = &model[i];
	}
	return best == NULL ? NEXTHOP_NONE : best->hop;
}

/* Few different bits, so that prefixes lie in each other. */
static struct net_addr random_addr(void)
{
	struct net_addr a = test_addr("2001:db8::");

	a.bytes[6] = (uint8_t)(rand() & 3);
	a.bytes[8] = (uint8_t)(rand() & 0xc0);
	a.bytes[15] = (uint8_t)(rand() & 7);
	return a;
}

static void model_change(const uint32_t hops[4])
{
	static const uint8_t lens[] = {0, 32, 56, 64, 65, 66, 126, 127, 128};
	struct net_addr a = random_addr();
	uint8_t len = lens[(unsigned int)rand() % ARRAY_LEN(lens)];
	struct model_route *at = NULL;

	for (size_t i = 0; i < MODEL_ROUTES; i++) {
		if (model[i].hop != 0 && model[i].len == len &&
			net_addr_in_prefix(&a, &model[i].net, len))
			at = &model[i];
	}
	if (at != NULL && rand() % 2 == 0) {
		assert_int_equal(route_del(&a, len), 0);
		at->hop = 0;
		return;
	}
	for (size_t i = 0; at == NULL && i < MODEL_ROUTES; i++) {
		if (model[i].hop == 0)
			at = &model[i];
	}
	assert_non_null(at);
	*at = (struct model_route){a, len, hops[rand() % 4]};
	assert_int_equal(route_add(&a, len, at->hop), 0);
}

static void test_v6_routes_are_those_of_a_plain_list(void **state)
{
	uint32_t hops[4];

	srand(1);
	memset(model, 0, sizeof(model));
	for (uint8_t i = 0; i < 4; i++) {
		struct net_addr gw = test_addr("fe80::1");

		gw.bytes[15] = i;
		hops[i] = (uint32_t)nexthop_get(NEXTHOP_NEIGHBOUR, 0, &gw, 0);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		struct net_addr a = random_addr();

		model_change(hops);
		assert_int_equal(route_find(&a), model_find(&a));
	}
	for (size_t i = 0; i < MODEL_ROUTES; i++) {
		if (model[i].hop != 0)
			assert_int_equal(route_del(&model[i].net, model[i].len), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(route_v6.lens); i++)
		assert_true(atomic_load(&route_v6.lens[i]) == 0);
}

/* Neighbours that come and go for months take no room, and a full table no longer a search. */
static void test_v6_routes_come_and_go(void **state)
{
	static struct net_addr host[ROUTES_V6_MAX];
	struct net_addr net = test_addr("2001:db8::"), gw = test_addr("fe80::1");
	uint32_t on_link = (uint32_t)nexthop_get(NEXTHOP_CONNECTED, 0, &net, 0);
	uint32_t hop = (uint32_t)nexthop_get(NEXTHOP_NEIGHBOUR, 0, &gw, 0);
	unsigned int before, n = 0;
	int rc = 0;

	srand(1);
	assert_int_equal(route_add(&net, 64, on_link), 0);
	for (unsigned int i = 0; i < 100000; i++) {
		struct net_addr a = net;

		for (unsigned int b = 8; b < 16; b++)
			a.bytes[b] = (uint8_t)rand();
		assert_int_equal(route_add(&a, 128, hop), 0);
		assert_int_equal(route_find(&a), hop);
		assert_int_equal(route_del(&a, 128), 0);
		assert_int_equal(route_find(&a), on_link);
	}
	for (unsigned int round = 0; round < 2; round++) {
		for (n = 0; rc == 0 && n < ROUTES_V6_MAX; n += rc == 0) {
			host[n] = net;
			for (unsigned int b = 8; b < 16; b++)
				host[n].bytes[b] = (uint8_t)rand();
			rc = route_add(&host[n], 128, hop);
		}
		/* All but entry 0 and the /64. */
		assert_int_equal(rc, -ENOSPC);
		assert_int_equal(n, ROUTES_V6_MAX - 2);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(route_find(&host[i]), hop);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(route_del(&host[i], 128), 0);
		/* What workers may still be reading is not written before they have moved on. */
		before = graces;
		rc = route_add(&host[0], 128, hop);
		assert_int_equal(rc, 0);
		assert_int_equal(graces, before + 1);
		assert_int_equal(route_del(&host[0], 128), 0);
	}
}

static void test_route_refusals(void **state)
{
	struct net_addr v4 = test_addr("192.0.2.0"), v6 = test_addr("2001:db8::");
	int hop = nexthop_get(NEXTHOP_CONNECTED, 0, &v4, 0);

	assert_int_equal(route_find(&v6), NEXTHOP_NONE);
	assert_int_equal(route_add(&v6, 129, (uint32_t)hop), -EINVAL);
	assert_int_equal(route_del(&v6, 129), -EINVAL);
	assert_int_equal(route_add(&v4, 33, (uint32_t)hop), -EINVAL);
	assert_int_equal(route_add(&v4, 24, NEXTHOP_NONE), -EINVAL);
	assert_int_equal(route_add(&v4, 24, NEXTHOPS_MAX + 1), -EINVAL);
	assert_int_equal(nexthop_get(NEXTHOP_CONNECTED, API_PORTS_MAX, &v4, 0), -EINVAL);
	nexthop_put((uint32_t)hop);
	/* Dropped: no longer a next hop to route to. */
	assert_int_equal(route_add(&v4, 24, (uint32_t)hop), -EINVAL);
}

static void test_next_hops_are_shared_and_counted(void **state)
{
	static const struct rte_ether_addr mac = {{0x02, 1, 2, 3, 4, 5}};
	struct net_addr a = test_addr("192.0.2.1");
	int hop = nexthop_get(NEXTHOP_NEIGHBOUR, 1, &a, 0);
	const struct nexthop *n = &nexthops[hop];

	assert_int_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 1, &a, 0), hop);
	assert_int_not_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 0, &a, 0), hop);
	assert_int_equal(n->mtu, 1500);
	assert_memory_equal(n->src_mac.addr_bytes, stats_region->port[1].mac, 6);
	assert_true(atomic_load(&n->link) == 0);
	nexthop_set_link((uint32_t)hop, &mac);
	assert_true((atomic_load(&n->link) & NEXTHOP_LINK_VALID) != 0);
	assert_memory_equal(&n->link, mac.addr_bytes, 6);
	nexthop_put((uint32_t)hop);
	assert_int_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 1, &a, 0), hop);
}

static void test_slots_are_reused_after_a_grace_period_only(void **state)
{
	struct net_addr a = test_addr("10.0.0.0");
	unsigned int before = graces;
	int last = 0;

	for (uint32_t i = 0; i < NEXTHOPS_MAX; i++) {
		memcpy(a.bytes + 1, &i, 3);
		last = nexthop_get(NEXTHOP_NEIGHBOUR, 0, &a, 0);
		assert_true(last > 0);
	}
	assert_int_equal(nexthop_used(), NEXTHOPS_MAX);
	a.bytes[0] = 11;
	assert_int_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 0, &a, 0), -ENOSPC);
	assert_int_equal(graces, before);
	nexthop_put((uint32_t)last);
	nexthop_put((uint32_t)last - 1);
	assert_int_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 0, &a, 0), last);
	a.bytes[0] = 12;
	assert_int_equal(nexthop_get(NEXTHOP_NEIGHBOUR, 0, &a, 0), last - 1);
	/* One wait served both. */
	assert_int_equal(graces, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLES_CASE(test_longest_prefix_wins),
		TABLES_CASE(test_longest_prefix_wins_v6),
		TABLES_CASE(test_v6_routes_are_those_of_a_plain_list),
		TABLES_CASE(test_v6_routes_come_and_go),
		TABLES_CASE(test_route_refusals),
		TABLES_CASE(test_next_hops_are_shared_and_counted),
		TABLES_CASE(test_slots_are_reused_after_a_grace_period_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
