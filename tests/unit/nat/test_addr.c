/*
 * Addresses: what is accepted and refused as text, prefixes, classes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "addr.h"

static struct net_addr must_parse(const char *text)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a), 0);
	return a;
}

static void test_parse_format(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:db8::1", "2001:db8::1"},
		{"[2001:DB8:0::1]", "2001:db8::1"},
		{"::", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char buf[NET_ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct net_addr a = must_parse(good[i].in);

		assert_string_equal(net_addr_format(&a, buf), good[i].out);
	}
}

static void test_parse_refuses(void **state)
{
	static const struct str_view bad[] = {
		{NULL, 0},
		SV(""),
		SV("[]"),
		SV("["),
		SV("10.1"),
		SV("010.0.0.1"),
		SV("0x7f.0.0.1"),
		SV("256.0.0.1"),
		SV("1.2.3.4.5"),
		SV("1.2.3.4 "),
		SV(" 1.2.3.4"),
		SV("1.2.3.4\0"),
		SV("1.2.3.4\0.evil"),
		SV("[192.0.2.1]"),
		SV("[::1"),
		SV("::1]"),
		SV(":::"),
		SV("fe80::1%eth0"),
		SV("localhost"),
		SV("1:2:3:4:5:6:7:8:9"),
		SV("00000000000000000000000000000000000000000000000000000000000001"),
	};
	struct net_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(net_addr_parse(bad[i], &a), 0);
}

static void test_each_byte_of_v4(void **state)
{
	for (unsigned int i = 0; i < 4 * 256; i++) {
		uint8_t bytes[4] = {9, 99, 199, 0};
		char expected[NET_ADDR_STRLEN], buf[NET_ADDR_STRLEN];
		struct net_addr a;

		bytes[i % 4] = (uint8_t)(i / 4);
		a = net_addr_v4(bytes);
		snprintf(expected, sizeof(expected), "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2],
			bytes[3]);
		assert_string_equal(net_addr_format(&a, buf), expected);
	}
}

static void test_endpoint_format(void **state)
{
	struct net_endpoint e = {.addr = must_parse("192.0.2.1"), .port = 5060};
	char buf[NET_ENDPOINT_STRLEN];

	(void)state;
	assert_string_equal(net_endpoint_format(&e, buf), "192.0.2.1:5060");
	e.addr = must_parse("2001:db8::1");
	e.port = 65535;
	assert_string_equal(net_endpoint_format(&e, buf), "[2001:db8::1]:65535");
	e.addr = (struct net_addr){0};
	assert_string_equal(net_endpoint_format(&e, buf), "any:65535");
}

static void test_prefix(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} cases[] = {
		{"10.0.0.0/8", "10.255.1.2", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.1/32", "192.0.2.1", true},
		{"192.0.2.1/32", "192.0.2.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::2", false},
		{"::/0", "2001:db8::2", true},
	};
	static const char *const bad[] = {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "::/-1",
		"::/0001", "::/01", "::/1x", "/8", "10.0.0.0/8/8", "::/999"};
	struct net_addr net, a;
	uint8_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view v = {cases[i].prefix, strlen(cases[i].prefix)};

		assert_int_equal(net_prefix_parse(v, &net, &len), 0);
		a = must_parse(cases[i].addr);
		assert_int_equal(net_addr_in_prefix(&a, &net, len), cases[i].in);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(
			net_prefix_parse((struct str_view){bad[i], strlen(bad[i])}, &net, &len), 0);
	a = must_parse("192.0.2.1");
	net = must_parse("192.0.2.1");
	assert_true(net_addr_in_prefix(&a, &net, 255));
	net = must_parse("192.0.2.2");
	assert_false(net_addr_in_prefix(&a, &net, 255));
}

static void test_class(void **state)
{
	static const struct {
		const char *addr;
		enum net_class class;
		bool peer;
	} cases[] = {
		{"8.8.8.8", NET_CLASS_GLOBAL, true},
		{"10.0.0.1", NET_CLASS_PRIVATE, true},
		{"172.31.255.255", NET_CLASS_PRIVATE, true},
		{"172.32.0.0", NET_CLASS_GLOBAL, true},
		{"192.168.1.1", NET_CLASS_PRIVATE, true},
		{"100.64.0.1", NET_CLASS_PRIVATE, true},
		{"100.128.0.1", NET_CLASS_GLOBAL, true},
		{"169.254.1.1", NET_CLASS_LINK_LOCAL, false},
		{"127.0.0.1", NET_CLASS_LOOPBACK, false},
		{"127.255.255.255", NET_CLASS_LOOPBACK, false},
		{"0.0.0.0", NET_CLASS_UNSPECIFIED, false},
		{"0.1.2.3", NET_CLASS_UNSPECIFIED, false},
		{"224.0.0.1", NET_CLASS_MULTICAST, false},
		{"239.255.255.255", NET_CLASS_MULTICAST, false},
		{"240.0.0.1", NET_CLASS_RESERVED, false},
		{"255.255.255.255", NET_CLASS_RESERVED, false},
		{"::", NET_CLASS_UNSPECIFIED, false},
		{"::1", NET_CLASS_LOOPBACK, false},
		{"::7f00:1", NET_CLASS_RESERVED, false},
		{"::ffff:127.0.0.1", NET_CLASS_LOOPBACK, false},
		{"::ffff:0.0.0.0", NET_CLASS_UNSPECIFIED, false},
		{"::ffff:192.0.2.1", NET_CLASS_GLOBAL, true},
		{"fe80::1", NET_CLASS_LINK_LOCAL, false},
		{"febf::1", NET_CLASS_LINK_LOCAL, false},
		{"fd00::1", NET_CLASS_PRIVATE, true},
		{"ff02::1", NET_CLASS_MULTICAST, false},
		{"2001:db8::1", NET_CLASS_GLOBAL, true},
	};
	struct net_addr none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_addr a = must_parse(cases[i].addr);

		assert_int_equal(net_addr_class(&a), cases[i].class);
		assert_int_equal(net_addr_is_unicast_peer(&a), cases[i].peer);
	}
	assert_false(net_addr_is_unicast_peer(&none));
}

static void test_normalise(void **state)
{
	struct net_addr mapped = must_parse("::ffff:192.0.2.1"), v4 = must_parse("192.0.2.1");
	struct net_addr v6 = must_parse("2001:db8::1"), out;

	(void)state;
	out = net_addr_normalise(&mapped);
	assert_true(net_addr_eq(&out, &v4));
	out = net_addr_normalise(&v6);
	assert_true(net_addr_eq(&out, &v6));
	assert_false(net_addr_eq(&mapped, &v4));
}

/* In texts: what is an address for somebody who reads them, and what only looks like one. */
static void test_named(void **state)
{
	static const struct {
		const char *text;
		bool named;
	} cases[] = {{"", false}, {"call from 10.0.0.7", true}, {"10.0.0.7:5060", true},
		{"at=[2001:db8::7]", true}, {"sip:10.0.0.7", true}, {"Call 10.0.0.7.", true},
		{"::1", true}, {"a%4010.0.0.7", true}, {"+49.89.123.45", false},
		{"v10.0.0.7", false}, {"1.2.3", false}, {"1.2.3.4.5", false}, {"12:30:45", false},
		{"profile-level-id=42e01f;packetization-mode=1", false},
		{"sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB", false},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20",
			false}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			net_addr_is_named((struct str_view){cases[i].text, strlen(cases[i].text)}),
			cases[i].named);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_format),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_endpoint_format),
		cmocka_unit_test(test_each_byte_of_v4),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
