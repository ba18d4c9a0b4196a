/*
 * Addresses of both families, VLANs, routers and media addresses of a realm: what a
 * configuration with all of them means, and what each mistake says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_priv.h"

/* Line numbers in the table below are of this text. */
static const char good[] =
	"dataplane:\n"							      /* 1 */
	"  ports: [{name: edge, device: \"net_af_xdp,iface=a\"}]\n"	      /* 2 */
	"realms:\n"							      /* 3 */
	"  - name: access\n"						      /* 4 */
	"    port: edge\n"						      /* 5 */
	"    vlan: 100\n"						      /* 6 */
	"    addresses: [192.0.2.1/24, 2001:db8:1::1/64, 2001:db8:1::2/64]\n" /* 7 */
	"    gateway: [192.0.2.254, fe80::1]\n"				      /* 8 */
	"    sip: [\"192.0.2.1:5060\", \"[2001:db8:1::1]:5060\"]\n"	      /* 9 */
	"    media:\n"							      /* 10 */
	"      - {address: 192.0.2.1, ports: 20000-29999}\n"		      /* 11 */
	"      - {address: 2001:db8:1::1, ports: 20000-29999}\n"	      /* 12 */
	"      - {address: \"2001:db8:1::2\", ports: 1024-65535}\n"	      /* 13 */
	"  - name: core\n"						      /* 14 */
	"    port: edge\n"						      /* 15 */
	"    vlan: 4094\n"						      /* 16 */
	"    nat: never\n"						      /* 17 */
	"    addresses: [2001:db8:2::1/64]\n"				      /* 18 */
	"    gateway: 2001:db8:2::fe\n"					      /* 19 */
	"    sip: [\"[2001:db8:2::1]:5060\"]\n"				      /* 20 */
	"    media: {address: 2001:db8:2::1, ports: 20000-29999}\n"	      /* 21 */
	"  - name: plain\n"						      /* 22 */
	"    port: edge\n"						      /* 23 */
	"    addresses: [198.51.100.1/24]\n"				      /* 24 */
	"    sip: [\"198.51.100.1:5060\"]\n"				      /* 25 */
	"    media: {address: 198.51.100.1, ports: 20000-29999}\n"	      /* 26 */
	"peers:\n"							      /* 27 */
	"  - {name: six, realm: core, address: \"2001:DB8:2:0::10\"}\n"	      /* 28 */
	"  - {name: four, realm: access, address: 192.0.2.9}\n";	      /* 29 */

static const struct {
	const char *find, *replace;
	const char *line; /* what follows the file's name */
} wrongs[] = {
	{"vlan: 100", "vlan: 4095",
		":6: realms[0].vlan: 4095 is out of range; 0 to 4094 (0: untagged) (default 0)"},
	{"vlan: 100", "vlan: -1",
		":6: realms[0].vlan: \"-1\" is not a whole number; write decimal digits"},
	{"2001:db8:1::2/64]", "2001:db8:1::2/129]",
		":7: realms[0].addresses[2]: \"2001:db8:1::2/129\" is not ADDRESS/LENGTH; write it "
		"such as 192.0.2.1/24 or 2001:db8::1/64"},
	{"2001:db8:1::2/64]", "\"::ffff:192.0.2.2/120\"]",
		":7: realms[0].addresses[2]: an IPv4 address written as IPv6; write it as "
		"192.0.2.2"},
	{"2001:db8:1::2/64]", "fe80::2/64]",
		":7: realms[0].addresses[2]: fe80::2 is a link-local address; give a global or "
		"private unicast one"},
	{"2001:db8:1::2/64]", "ff02::2/64]",
		":7: realms[0].addresses[2]: ff02::2 is a multicast address; give a global or "
		"private unicast one"},
	{"2001:db8:1::2/64]", "\"::1/128\"]",
		":7: realms[0].addresses[2]: ::1 is a loopback address; give a global or private "
		"unicast one"},
	{"[2001:db8:2::1/64]", "[2001:db8:2::1/64, 2001:db8:1::1/64]",
		":18: realms[1].addresses[1]: realm \"access\" has this address too; each realm "
		"needs its own"},
	{"[192.0.2.254, fe80::1]", "[192.0.2.254, 192.0.2.253]",
		":8: realms[0].gateway[1]: two routers of one family; give one IPv4 and one IPv6 "
		"router"},
	{"[192.0.2.254, fe80::1]", "[192.0.2.254, fe80::1, fe80::2]",
		":8: realms[0].gateway: list with 3 entries; at most 2 are allowed"},
	{"[192.0.2.254, fe80::1]", "[192.0.2.254, 2001:db8:9::1]",
		":8: realms[0].gateway[1]: 2001:db8:9::1 is in none of the realm's networks; give "
		"a router on its own network"},
	{"gateway: [192.0.2.254, fe80::1]", "gateway: {v4: 192.0.2.254}",
		":8: realms[0].gateway: a list or mapping; a single value belongs here"},
	{"gateway: [192.0.2.254, fe80::1]", "gateway: \"::1\"",
		":8: realms[0].gateway: ::1 is a loopback address; give a global or private "
		"unicast one"},
	{"gateway: [192.0.2.254, fe80::1]", "gateway: 2001:db8:1::1",
		":8: realms[0].gateway: 2001:db8:1::1 is this realm's own address; give the "
		"router's address"},
	{"gateway: 2001:db8:2::fe", "gateway: 192.0.2.254",
		":19: realms[1].gateway: 192.0.2.254 is in none of the realm's networks; give a "
		"router on its own network"},
	{"\"[2001:db8:1::1]:5060\"", "\"2001:db8:1::1:5060\"",
		":9: realms[0].sip[1]: \"2001:db8:1::1:5060\" is not ADDRESS:PORT; write it such "
		"as 192.0.2.1:5060 or [2001:db8::1]:5060"},
	{"\"[2001:db8:1::1]:5060\"", "\"[2001:db8:1::9]:5060\"",
		":9: realms[0].sip[1]: [2001:db8:1::9]:5060 is not at one of the realm's "
		"addresses; list it in addresses"},
	{"\"[2001:db8:1::1]:5060\"", "\"[2001:db8:1::2]:5060\"",
		":9: realms[0].sip[1]: port 5060 lies in this address's media ports 1024-65535; "
		"use one outside"},
	{"- {address: 192.0.2.1, ports: 20000-29999}", "- {address: 192.0.2.1, port: 20000-29999}",
		":11: realms[0].media[0].port: unknown key; did you mean \"ports\"?"},
	{"- {address: 192.0.2.1, ports: 20000-29999}", "- {address: 192.0.2.1}",
		":11: realms[0].media[0].ports: missing; this key must be given"},
	{"{address: 2001:db8:1::1, ports: 20000-29999}",
		"{address: 2001:db8:1::1, ports: 20001-29999}",
		":12: realms[0].media[1].ports: 20001-29999 does not hold whole pairs; begin at an "
		"even port and end at an odd one, such as 20002-29999"},
	{"{address: 2001:db8:1::1, ports: 20000-29999}",
		"{address: 2001:db8:1::2, ports: 20000-29999}",
		":13: realms[0].media[2].ports: 1024-65535 overlaps 20000-29999 of realm "
		"\"access\" at the same address; give each realm its own address"},
	{"{address: 2001:db8:1::1, ports: 20000-29999}",
		"{address: 2001:db8:1::9, ports: 20000-29999}",
		":12: realms[0].media[1].address: 2001:db8:1::9 is not one of the realm's "
		"addresses; list it in addresses"},
	{"\n      - {address: 192.0.2.1, ports: 20000-29999}", "",
		":10: realms[0].media: no IPv4 address, but SIP is taken at 192.0.2.1:5060; add "
		"one for its media"},
	{"media: {address: 2001:db8:2::1, ports: 20000-29999}", "media: []",
		":21: realms[1].media: list with 0 entries; at least 1 must be given"},
	{"media: {address: 2001:db8:2::1, ports: 20000-29999}", "media: none",
		":21: realms[1].media: not a mapping; write keys and values below it"},
	{"    media: {address: 2001:db8:2::1, ports: 20000-29999}\n", "",
		":14: realms[1].media: missing; this key must be given"},
	{"realm: core, address: \"2001:DB8:2:0::10\"", "realm: core, address: 198.51.100.9",
		":28: peers[0].address: an IPv4 address, but realm \"core\" takes no SIP over "
		"IPv4; add such an address to its sip"},
	{"address: 192.0.2.9", "address: \"::ffff:192.0.2.9\"",
		":29: peers[1].address: an IPv4 address written as IPv6; write it as 192.0.2.9"},
	{"address: 192.0.2.9", "address: \"2001:db8:1::2\"",
		":29: peers[1].address: 2001:db8:1::2 is our own address in realm \"access\"; give "
		"the peer's"},
};

static void test_wrong(void **state)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		const char *at = strstr(good, wrongs[i].find);
		char text[4096], error[CONFIG_ERROR_LEN];
		struct config *c;

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, wrongs[i].replace,
			at + strlen(wrongs[i].find));
		c = config_load_data("t.yaml", text, strlen(text), error);
		if (c == NULL && strcmp(error + strlen("t.yaml"), wrongs[i].line) == 0)
			continue;
		print_error("%s: got \"%s\"\n", wrongs[i].replace, c != NULL ? "OK" : error);
		config_free(c);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void test_good(void **state)
{
	char error[CONFIG_ERROR_LEN], text[NET_ENDPOINT_STRLEN];
	struct config *c = config_load_data("t.yaml", good, strlen(good), error);
	const struct config_realm *r;

	if (c == NULL)
		fail_msg("%s", error);
	r = c->realms;
	assert_int_equal(r[0].vlan, 100);
	assert_int_equal(r[1].vlan, 4094);
	assert_int_equal(r[2].vlan, 0);
	assert_int_equal(r[0].n_addresses, 3);
	assert_string_equal(net_addr_format(&r[0].addresses[2].addr, text), "2001:db8:1::2");
	assert_int_equal(r[0].addresses[2].prefix_len, 64);
	assert_int_equal(r[0].n_gateways, 2);
	assert_string_equal(net_addr_format(&r[0].gateways[1], text), "fe80::1");
	assert_int_equal(r[1].n_gateways, 1);
	assert_string_equal(net_addr_format(&r[1].gateways[0], text), "2001:db8:2::fe");
	assert_string_equal(
		net_endpoint_format(&r[0].listeners[1].local, text), "[2001:db8:1::1]:5060");
	assert_int_equal(r[0].n_media, 3);
	assert_int_equal(r[0].media[0].addr.family, NET_FAMILY_V4);
	assert_string_equal(net_addr_format(&r[0].media[2].addr, text), "2001:db8:1::2");
	assert_int_equal(r[0].media[2].port_min, 1024);
	assert_int_equal(r[0].media[2].port_max, 65535);
	assert_int_equal(r[1].n_media, 1);
	assert_int_equal(r[1].media[0].port_max, 29999);
	assert_string_equal(
		net_endpoint_format(&c->peers[0].remote, text), "[2001:db8:2::10]:5060");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
