/*
 * The static lists: longest match, realm and port behind it, sweep, bound.
 */
#include "source_list.h"

#include "attach.h"
#include "boundary_priv.h"
#include "doubles.h"
#include "local.h"
#include "nexthop.h"

static void set(const char *prefix, uint16_t realm, uint16_t port, enum list_action action,
	uint32_t rate, uint32_t epoch)
{
	struct rec_source_list_set r = {.realm = realm,
		.port = port,
		.action = (uint8_t)action,
		.limit = {rate, rate},
		.name = "list"};

	assert_int_equal(
		net_prefix_parse((struct str_view){prefix, strlen(prefix)}, &r.addr, &r.prefix_len),
		0);
	assert_int_equal(source_list_set(&r, epoch), 0);
}

/* The rate tells which entry it is; 0: none. */
static uint32_t found(const char *addr, uint16_t realm, int port)
{
	struct net_addr a = test_addr(addr);

	return source_entries[source_list_find(&a, realm, port)].limit.rate;
}

#define ANY API_REALM_ANY
#define NO_PORT SOURCE_PORT_ANY

static const struct {
	const char *prefix;
	uint16_t realm, port;
	uint32_t rate; /* names it */
} lists[] = {
	{"10.0.0.0/8", ANY, 0, 1},
	{"10.1.0.0/16", 1, 0, 2},
	{"10.1.2.0/24", ANY, 5060, 3},
	{"10.1.2.0/24", ANY, 0, 4},
	{"10.1.2.0/24", 2, 0, 5},
	{"10.1.2.3/32", 3, 5070, 6},
	{"2001:db8::/32", ANY, 0, 7},
	{"2001:db8:0:1::/64", 1, 0, 8},
	{"2001:db8:0:1::5/128", ANY, 5060, 9},
	{"192.0.2.128/25", ANY, 0, 10},
};

static const struct {
	const char *addr;
	uint16_t realm;
	int port;
	uint32_t rate;
} lookups[] = {
	{"9.255.255.255", 1, 5060, 0},
	{"10.0.0.1", 1, 5060, 1},
	{"10.255.255.255", 9, 1, 1},
	{"11.0.0.0", 9, 1, 0},
	{"10.1.9.9", 1, 5060, 2},
	{"10.1.9.9", 2, 5060, 1}, /* the /16 counts in realm 1 only */
	{"10.1.2.9", 1, 5060, 3},
	{"10.1.2.9", 2, 5060, 3}, /* the port's before the realm's */
	{"10.1.2.9", 2, 5061, 5},
	{"10.1.2.9", 1, 5061, 4},
	{"10.1.2.3", 3, 5070, 6},
	{"10.1.2.3", 3, 5071, 4},
	{"10.1.2.3", 2, 5070, 5},
	{"10.1.2.3", 3, NO_PORT, 6},
	{"10.1.2.9", 1, NO_PORT, 3},
	{"2001:db7::1", 1, 5060, 0},
	{"2001:db8::1", 1, 5060, 7},
	{"2001:db8:0:1::1", 1, 5060, 8},
	{"2001:db8:0:1::1", 2, 5060, 7},
	{"2001:db8:0:1::5", 2, 5060, 9},
	{"2001:db8:0:1::5", 1, 5061, 8},
	{"2001:db8:0:1::5", 2, 5061, 7},
	{"192.0.2.127", 1, 5060, 0},
	{"192.0.2.128", 1, 5060, 10},
};

static void lookups_check(void)
{
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		uint32_t got = found(lookups[i].addr, lookups[i].realm, lookups[i].port);

		if (got != lookups[i].rate)
			print_error("%s realm %u port %d\n", lookups[i].addr, lookups[i].realm,
				lookups[i].port);
		assert_int_equal(got, lookups[i].rate);
	}
}

static void longest_match(void **state)
{
	source_list_init();
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		set(lists[i].prefix, lists[i].realm, lists[i].port, LIST_PEER, lists[i].rate, 1);
	lookups_check();
	source_list_sync(2);
	assert_int_equal(source_list_used(), 0);
	/* in the other order, and each twice */
	for (size_t i = 2 * ARRAY_LEN(lists); i-- > 0;) {
		size_t k = i % ARRAY_LEN(lists);

		set(lists[k].prefix, lists[k].realm, lists[k].port, LIST_PEER, lists[k].rate, 2);
	}
	assert_int_equal(source_list_used(), ARRAY_LEN(lists));
	lookups_check();
	source_list_sync(2);
	lookups_check();
	source_list_sync(3);
}

static void entries_change_and_go(void **state)
{
	unsigned int before = graces;

	source_list_init();
	set("198.51.100.7/32", ANY, 0, LIST_DENY, 1, 1);
	set("198.51.100.0/24", ANY, 0, LIST_PERMIT, 2, 1);
	set("0.0.0.0/0", ANY, 0, LIST_DENY, 3, 1);
	assert_int_equal(found("198.51.100.7", 0, 1), 1);
	/* host bits do not matter; the same entry with another limit */
	set("198.51.100.99/24", ANY, 0, LIST_DENY, 4, 2);
	assert_int_equal(found("198.51.100.8", 0, 1), 4);
	assert_int_equal(source_list_used(), 3);
	set("0.0.0.0/0", ANY, 0, LIST_DENY, 3, 2);
	/* the /32 was not set in epoch 2: what is around it counts then */
	source_list_sync(2);
	assert_int_equal(source_list_used(), 2);
	assert_int_equal(found("198.51.100.7", 0, 1), 4);
	assert_int_equal(found("203.0.113.1", 0, 1), 3);
	assert_int_equal(graces, before + 1);
	/* nothing to do, nothing waited for */
	source_list_sync(2);
	assert_int_equal(graces, before + 1);
	/* the middle goes: children find the next */
	set("198.51.100.7/32", 5, 0, LIST_DENY, 6, 3);
	set("0.0.0.0/0", ANY, 0, LIST_DENY, 3, 3);
	source_list_sync(3);
	assert_int_equal(found("198.51.100.7", 5, 1), 6);
	assert_int_equal(found("198.51.100.7", 4, 1), 3);
	source_list_sync(4);
	assert_int_equal(found("198.51.100.7", 5, 1), 0);
}

static void bounded(void **state)
{
	struct rec_source_list_set r = {.realm = ANY, .prefix_len = 32, .action = LIST_DENY};
	uint32_t ip;

	source_list_init();
	for (uint32_t i = 0; i < API_LIST_MAX + 5; i++) {
		ip = rte_cpu_to_be_32(0xc6120000 + i * 3);
		r.addr = net_addr_v4(&ip);
		r.limit.rate = i + 1;
		assert_int_equal(source_list_set(&r, 1), i < API_LIST_MAX ? 0 : -ENOSPC);
	}
	for (uint32_t i = 0; i < API_LIST_MAX; i++) {
		ip = rte_cpu_to_be_32(0xc6120000 + i * 3);
		r.addr = net_addr_v4(&ip);
		assert_int_equal(source_entries[source_list_find(&r.addr, 0, 1)].limit.rate, i + 1);
	}
	source_list_sync(2);
	assert_int_equal(source_list_used(), 0);
	/* and all places are there again */
	r.addr = test_addr("2001:db8::1");
	r.prefix_len = 128;
	assert_int_equal(source_list_set(&r, 2), 0);
	source_list_sync(3);
}

/* However often: rte_fib6 itself forgets to give tables back. */
static void entries_come_and_go(void **state)
{
	source_list_init();
	set("2001:db8::/32", ANY, 0, LIST_DENY, 7, 1);
	for (uint32_t i = 1; i < 9000; i++) {
		set(i % 2 == 0 ? "192.0.2.1/32" : "192.0.3.1/32", ANY, 0, LIST_DENY, 9, i);
		set("2001:db8::/32", ANY, 0, LIST_DENY, 7, i);
		set(i % 2 == 0 ? "2001:db8:1::1/128" : "2001:db9::1/128", ANY, 0, LIST_DENY, 8, i);
		source_list_sync(i);
		assert_int_equal(found("2001:db8:1::1", 0, 1), i % 2 == 0 ? 8 : 7);
		assert_int_equal(found("192.0.2.1", 0, 1), i % 2 == 0 ? 9 : 0);
		assert_int_equal(found("2001:db9::1", 0, 1), i % 2 == 0 ? 0 : 8);
	}
	source_list_sync(9000);
}

/* What control sends is judged before it gets there. */
static void records_are_validated(void **state)
{
	struct rec_source_list_set good = {.cmd.hdr = {.len = sizeof(good),
						   .type = REC_SOURCE_LIST_SET,
						   .version = API_VERSION},
		.addr = test_addr("192.0.2.0"),
		.realm = 0,
		.prefix_len = 24,
		.action = LIST_PEER,
		.port = 5060,
		.name = "peer"};
	struct rec_source_set source = {
		.cmd.hdr = {.len = sizeof(source), .type = REC_SOURCE_SET, .version = API_VERSION},
		.source = test_endpoint("192.0.2.1", 5060),
		.source_class = SOURCE_DENIED,
		.reason = SOURCE_REASON_AUTH,
		.seconds = API_SOURCE_SECONDS_MAX};
	struct rec_done done;

	source_list_init();
	test_realm(0, 0, "203.0.113.1", 1000, 1);
#define STATUS(rec, status_) \
	do { \
		assert_int_equal(command_run(&(rec), sizeof(rec), 1, 0, &done), 0); \
		assert_int_equal(done.status, (status_)); \
	} while (0)
#define CASE(rec, field, value, status_) \
	do { \
		__typeof__(rec) bad = (rec); \
		bad.field = (value); \
		STATUS(bad, status_); \
	} while (0)
	STATUS(good, 0);
	CASE(good, realm, API_REALM_ANY, 0);
	CASE(good, realm, 7, -ENOENT);
	CASE(good, realm, API_REALMS_MAX, -EINVAL);
	CASE(good, prefix_len, 33, -EINVAL);
	CASE(good, action, LIST_ACTION_COUNT, -EINVAL);
	CASE(good, action, LIST_DENY, -EINVAL); /* with a port */
	CASE(good, pad, 1, -EINVAL);
	CASE(good, addr.family, 5, -EAFNOSUPPORT);
	CASE(good, addr.bytes[9], 1, -EINVAL);
	CASE(good, name[API_NAME_MAX - 1], 'x', 0);
	memset(good.name, 'x', sizeof(good.name));
	STATUS(good, -EINVAL);
	memset(good.name, 0, sizeof(good.name));
	CASE(good, addr, test_addr("::ffff:192.0.2.0"), -EINVAL);
	STATUS(source, 0);
	CASE(source, realm, 7, -ENOENT);
	CASE(source, realm, API_REALM_ANY, -EINVAL);
	CASE(source, source.addr.family, NET_FAMILY_NONE, -EINVAL);
	CASE(source, source.addr, test_addr("::ffff:192.0.2.1"), -EINVAL);
	CASE(source, source.pad, 1, -EINVAL);
	CASE(source, source_class, SOURCE_CLASS_COUNT, -EINVAL);
	CASE(source, reason, SOURCE_REASON_COUNT, -EINVAL);
	CASE(source, seconds, 0, -EINVAL);
	CASE(source, seconds, API_SOURCE_SECONDS_MAX + 1, -EINVAL);
	CASE(source, source_class, SOURCE_UNTRUSTED, 0);
	source_list_sync(2);
}

static int setup(void **state)
{
	dataplane_setup(64);
	return nexthop_init() == 0 ? local_init() : -1;
}

static int teardown(void **state)
{
	source_list_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_match),
		cmocka_unit_test(entries_change_and_go),
		cmocka_unit_test(bounded),
		cmocka_unit_test(entries_come_and_go),
		cmocka_unit_test(records_are_validated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
