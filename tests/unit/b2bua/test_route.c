/* Which peer a packet is from, and which route a call takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route.h"

static struct net_endpoint endpoint(const char *addr, uint16_t port)
{
	struct net_endpoint e = {.port = port};

	assert_int_equal(net_addr_parse((struct str_view){addr, strlen(addr)}, &e.addr), 0);
	return e;
}

static void test_peer(void **state)
{
	struct config_peer peers[] = {
		{.name = "a", .realm = 0, .remote = endpoint("192.0.2.10", 5060)},
		{.name = "b", .realm = 0, .remote = endpoint("192.0.2.10", 5070)},
		{.name = "c", .realm = 1, .remote = endpoint("192.0.2.11", 5060)},
	};
	struct config c = {.peers = peers, .n_peers = 3};
	const struct {
		uint16_t realm;
		const char *addr;
		uint16_t port;
		int peer;
	} cases[] = {
		{0, "192.0.2.10", 5060, 0},
		{0, "192.0.2.10", 5070, 1},
		{0, "192.0.2.10", 40000, 0},		  /* the first with that address */
		{0, "192.0.2.11", 5060, ROUTE_PEER_NONE}, /* another realm's */
		{1, "192.0.2.11", 1234, 2},
		{1, "2001:db8::1", 5060, ROUTE_PEER_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_endpoint e = endpoint(cases[i].addr, cases[i].port);

		assert_int_equal(route_peer_find(&c, cases[i].realm, &e), cases[i].peer);
	}
}

static void test_route(void **state)
{
	struct config_route routes[] = {
		{.from_realm = 0, .from_peer = -1, .emergency = true, .to_peer = 9},
		{.from_realm = 0, .from_peer = 1, .user_prefix = "+49", .to_peer = 10},
		{.from_realm = 0, .from_peer = -1, .user_prefix = "+4930", .to_peer = 11},
		{.from_realm = 0, .from_peer = -1, .user_prefix = "+49", .to_peer = 12},
		{.from_realm = 1, .from_peer = -1, .user_prefix = "", .to_peer = 13},
	};
	struct config c = {.routes = routes, .n_routes = 5};
	const struct {
		uint16_t realm;
		int peer;
		const char *user;
		int to_peer; /* -1: none */
	} cases[] = {
		{0, 1, "+4930123", 10},
		{0, 2, "+4930123", 11},
		{0, ROUTE_PEER_NONE, "+4940", 12},
		{0, ROUTE_PEER_NONE, "+4", -1}, /* shorter than every prefix */
		{0, ROUTE_PEER_NONE, "", -1},
		{1, ROUTE_PEER_NONE, "", 13},
		{1, 7, "anyone", 13},
		{2, 1, "+4930123", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config_route *r = route_find(&c, NULL, cases[i].realm, cases[i].peer,
			(struct str_view){cases[i].user, strlen(cases[i].user)}, false);

		if (cases[i].to_peer < 0) {
			assert_null(r);
		} else {
			assert_non_null(r);
			assert_int_equal(r->to_peer, cases[i].to_peer);
		}
	}
	assert_null(route_find(&c, NULL, 0, 1, (struct str_view){NULL, 0}, false));
	assert_int_equal(route_find(&c, NULL, 0, 1, (struct str_view){NULL, 0}, true)->to_peer, 9);
	assert_int_equal(route_find(&c, NULL, 1, 1, (struct str_view){NULL, 0}, true)->to_peer, 13);
	/* And those behind it. */
	assert_ptr_equal(route_find(&c, &routes[1], 0, 1, SV("+4930"), false), &routes[2]);
	assert_ptr_equal(route_find(&c, &routes[2], 0, 1, SV("+4930"), false), &routes[3]);
	assert_null(route_find(&c, &routes[3], 0, 1, SV("+4930"), false));
}

/* Numbers as configured; the service where its calls have a route. */
static void test_emergency(void **state)
{
	static const struct {
		uint16_t realm;
		uint16_t port; /* of the source */
		struct str_view uri, user;
		bool is;
	} cases[] = {
		{0, 5060, {"urn:service:sos", 15}, {NULL, 0}, true},
		{0, 5060, {"URN:Service:SOS", 15}, {NULL, 0}, true},
		{0, 5060, {"urn:service:sos.fire", 20}, {NULL, 0}, true},
		{0, 5060, {"urn:service:sosx", 16}, {NULL, 0}, false},
		{0, 5060, {"urn:service:so", 14}, {NULL, 0}, false},
		{0, 5060, {"sip:112@x", 9}, {"112", 3}, true},
		{0, 5060, {"sip:1123@x", 10}, {"1123", 4}, false},
		{0, 5060, {"sip:11@x", 8}, {"11", 2}, false},
		{0, 5060, {"sip:x", 5}, {NULL, 0}, false},
		{1, 5060, {"urn:service:sos", 15}, {NULL, 0}, false},
		{1, 5060, {"sip:112@x", 9}, {"112", 3}, true},
		/* The route of one peer is no one else's. */
		{2, 5060, {"urn:service:sos", 15}, {NULL, 0}, false},
		{2, 5070, {"urn:service:sos", 15}, {NULL, 0}, true},
		/* Nor is that for a number the service's, which has none. */
		{3, 5060, {"urn:service:sos", 15}, {NULL, 0}, false},
	};
	const struct net_addr addr = net_addr_v4((const uint8_t[]){192, 0, 2, 9});
	struct config_peer peers[] = {
		{.realm = 2, .remote = {.addr = addr, .port = 5060}},
		{.realm = 2, .remote = {.addr = addr, .port = 5070}},
	};
	struct config_route routes[] = {
		{.from_realm = 1, .from_peer = -1},
		{.from_realm = 0, .from_peer = -1, .emergency = true},
		{.from_realm = 2, .from_peer = 1, .emergency = true},
		{.from_realm = 3, .from_peer = -1, .user_prefix = "11", .emergency = true},
	};
	struct config c = {.routes = routes,
		.n_routes = ARRAY_LEN(routes),
		.peers = peers,
		.n_peers = ARRAY_LEN(peers),
		.ops.overload.emergency = {"911", "112"},
		.ops.overload.n_emergency = 2};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_endpoint source = {.addr = addr, .port = cases[i].port};

		if (route_is_emergency(&c, cases[i].realm, &source, cases[i].uri, cases[i].user) !=
			cases[i].is)
			fail_msg("case %zu", i);
	}
}

/* Theirs come first wherever they stand, the others behind; nobody else takes theirs. */
static void test_emergency_order(void **state)
{
	struct config_route routes[] = {
		{.from_realm = 0, .from_peer = -1},
		{.from_realm = 0, .from_peer = -1, .user_prefix = "11", .emergency = true},
		{.from_realm = 0, .from_peer = 3, .emergency = true},
		{.from_realm = 1, .from_peer = -1, .emergency = true},
		{.from_realm = 0, .from_peer = -1},
	};
	static const struct {
		int peer;
		const char *user;
		bool emergency;
		int order[5]; /* -1: no more */
	} cases[] = {
		{3, "112", true, {1, 2, 0, 4, -1}},
		{2, "112", true, {1, 0, 4, -1}},
		{3, "", true, {2, 0, 4, -1}},
		{2, "911", true, {0, 4, -1}},
		{3, "112", false, {0, 4, -1}},
	};
	struct config c = {.routes = routes, .n_routes = ARRAY_LEN(routes)};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config_route *r = NULL;
		size_t k = 0;

		do {
			r = route_find(&c, r, 0, cases[i].peer,
				(struct str_view){cases[i].user, strlen(cases[i].user)},
				cases[i].emergency);
			if ((r != NULL ? (int)(r - routes) : -1) != cases[i].order[k])
				fail_msg("case %zu, step %zu", i, k);
		} while (cases[i].order[k++] >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_emergency),
		cmocka_unit_test(test_emergency_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
