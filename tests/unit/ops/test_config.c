/*
 * The configuration loader: a good file with one mistake at a time, and the one line
 * that each must give; the samples in configs/ must load.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_priv.h"
#include "log.h"

/* Line numbers in the table below are of this text. */
static const char good[] = "dataplane:\n"					    /* 1 */
			   "  cores: \"1\"\n"					    /* 2 */
			   "  idle: adaptive\n"					    /* 3 */
			   "  ports:\n"						    /* 4 */
			   "    - {name: access, device: \"net_af_xdp,iface=a\"}\n" /* 5 */
			   "    - {name: core, device: \"net_af_xdp,iface=b\"}\n"   /* 6 */
			   "realms:\n"						    /* 7 */
			   "  - name: access\n"					    /* 8 */
			   "    port: access\n"					    /* 9 */
			   "    trust: untrusted\n"				    /* 10 */
			   "    nat: auto\n"					    /* 11 */
			   "    addresses: [192.0.2.1/24, 192.0.2.2/24]\n"	    /* 12 */
			   "    gateway: 192.0.2.254\n"				    /* 13 */
			   "    sip: [\"192.0.2.1:5060\"]\n"			    /* 14 */
			   "    media: {address: 192.0.2.2, ports: 20000-29999}\n"  /* 15 */
			   "    limits: {sip_rate: 70, sip_burst: 140, calls: 9}\n" /* 16 */
			   "  - name: core\n"					    /* 17 */
			   "    port: core\n"					    /* 18 */
			   "    trust: trusted\n"				    /* 19 */
			   "    nat: never\n"					    /* 20 */
			   "    addresses: [198.51.100.1/24]\n"			    /* 21 */
			   "    sip: [\"198.51.100.1:5060\"]\n"			    /* 22 */
			   "    media:\n"					    /* 23 */
			   "      address: 198.51.100.1\n"			    /* 24 */
			   "      ports: 30000-39999\n"				    /* 25 */
			   "    media_timeout_s: 30\n"				    /* 26 */
			   "    latch_prefix: 24\n"				    /* 27 */
			   "peers:\n"						    /* 28 */
			   "  - name: softswitch\n"				    /* 29 */
			   "    realm: core\n"					    /* 30 */
			   "    address: 198.51.100.2\n"			    /* 31 */
			   "  - name: phones\n"					    /* 32 */
			   "    realm: access\n"				    /* 33 */
			   "    address: 192.0.2.9\n"				    /* 34 */
			   "    port: 5080\n"					    /* 35 */
			   "routes:\n"						    /* 36 */
			   "  - {from: access, to: softswitch}\n"		    /* 37 */
			   "  - from: core\n"					    /* 38 */
			   "    from_peer: softswitch\n"			    /* 39 */
			   "    user_prefix: \"1\"\n"				    /* 40 */
			   "    to: phones\n"					    /* 41 */
			   "ops:\n"						    /* 42 */
			   "  control_socket: /tmp/control.sock\n"		    /* 43 */
			   "  shards: 2\n"					    /* 44 */
			   "  log_level: debug\n";				    /* 45 */

struct wrong {
	const char *what;
	const char *find, *replace; /* find NULL: replace is the whole file */
	unsigned int line;
	const char *path; /* as it stands between the line and the sentence */
	const char *says; /* a part of the sentence */
};

/* In front of the last section, from line 42 on. */
#define POLICY(lines) "policies:\n  - " lines "\nops:\n"

static const struct wrong wrongs[] = {
	{"not YAML", "  cores: \"1\"", "  cores: \"1", 5, "yaml", "check indentation"},
	{"tab", "    port: access", "\tport: access", 9, "yaml", ""},
	{"empty file", NULL, "", 1, "yaml", "empty"},
	{"only a comment", NULL, "# nothing\n", 1, "yaml", "empty"},
	{"no mapping", NULL, "hello\n", 1, "(file)", "not a mapping"},
	{"two documents", "ops:\n", "---\nops:\n", 42, "yaml", "second document"},
	{"binary", "idle: adaptive", "idle: \x01", 3, "yaml", "UTF-8"},
	{"alias", "nat: never", "nat: &a never\n    gateway: *a", 21, "yaml", "alias"},
	{"unknown section", "routes:", "router:", 36, "router", "did you mean \"routes\""},
	{"unknown key", "    trust: trusted", "    turst: trusted", 19, "realms[1].turst",
		"did you mean \"trust\""},
	{"unknown key, nothing near", "  idle: adaptive", "  colour: red", 3, "dataplane.colour",
		"the keys here are"},
	{"unknown key in a port", "name: core, device", "name: core, devices: 1, device", 6,
		"dataplane.ports[1].devices", "did you mean \"device\""},
	{"control characters in a key", "  idle: adaptive", "  \"\\e[2J\": 1", 3, "dataplane.?[2J",
		"unknown key"},
	{"key twice", "    nat: never", "    nat: never\n    nat: auto", 21, "realms[1].nat",
		"given twice (first on line 20)"},
	{"missing section", "dataplane:\n  cores: \"1\"\n  idle: adaptive\n  ports:\n", "x:\n", 1,
		"x", "unknown key"},
	{"missing realms", NULL, "dataplane:\n  ports: [{name: a, device: \"net_null0\"}]\n", 1,
		"realms", "must be given"},
	{"missing key", "    port: core\n", "", 17, "realms[1].port", "must be given"},
	{"missing nested key", "      address: 198.51.100.1\n", "", 24, "realms[1].media.address",
		"must be given"},
	{"mapping for a list", "addresses: [198.51.100.1/24]", "addresses: 198.51.100.1/24", 21,
		"realms[1].addresses", "not a list"},
	{"list for a value", "    realm: core", "    realm: [core]", 30, "peers[0].realm",
		"single value"},
	{"value for a mapping", "media:\n      address: 198.51.100.1\n      ports: 30000-39999",
		"media: yes", 23, "realms[1].media", "not a mapping"},
	{"sockets clash", "control_socket: /tmp/control.sock",
		"control_socket: /run/sallyport/dataplane.sock", 43, "ops.control_socket",
		"give another path"},
	{"CDRs to a socket", "  shards: 2", "  cdr_file: /tmp/control.sock", 44, "ops.cdr_file",
		"give another path"},
	{"empty list", "addresses: [198.51.100.1/24]", "addresses: []", 21, "realms[1].addresses",
		"at least 1"},
	{"empty value", "    port: core", "    port:", 18, "realms[1].port", "empty"},
	{"enum", "nat: never", "nat: nerver", 20, "realms[1].nat", "one of auto, never"},
	{"number", "shards: 2", "shards: two", 44, "ops.shards", "not a whole number"},
	{"octal", "shards: 2", "shards: 02", 44, "ops.shards", "not a whole number"},
	{"negative", "shards: 2", "shards: -2", 44, "ops.shards", "not a whole number"},
	{"number too large for its type", "shards: 2", "shards: 4294967296", 44, "ops.shards",
		"out of range"},
	{"emergency number", "shards: 2", "overload: {emergency: [\"112\", sos]}", 44,
		"ops.overload.emergency[1]", "\"sos\" is not a number"},
	{"delay", "shards: 2", "overload: {delay_ms: 10001}", 44, "ops.overload.delay_ms",
		"0 to 10000"},
	{"number out of range", "shards: 2", "shards: 33", 44, "ops.shards", "1 to 32"},
	{"latch prefix out of range", "latch_prefix: 24", "latch_prefix: 33", 27,
		"realms[1].latch_prefix", "8 to 32"},
	{"session too short", "latch_prefix: 24", "session_expires_s: 80", 27,
		"realms[1].session_expires_s", "session_expires_s is 80 and min_se_s 90"},
	{"session longer than asked for", "latch_prefix: 24", "min_se_s: 1801", 27,
		"realms[1].min_se_s", "sessions may not be shorter"},
	{"no such policy of redirection", "latch_prefix: 24", "redirect: follow", 27,
		"realms[1].redirect", "unknown key"},
	{"least session out of range", "latch_prefix: 24", "min_se_s: 89", 27, "realms[1].min_se_s",
		"90 to 86400"},
	{"limit out of range", "sip_burst: 140", "sip_burst: 0", 16, "realms[0].limits.sip_burst",
		"1 to 1000000"},
	{"port of a peer", "port: 5080", "port: 65536", 35, "peers[1].port", "1 to 65535"},
	{"port name twice", "name: core, device", "name: access, device", 6,
		"dataplane.ports[1].name", "access"},
	{"bad cores", "cores: \"1\"", "cores: \"x\"", 2, "dataplane.cores", "CPU"},
	{"long name", "  - name: core", "  - name: core-of-the-network", 17, "realms[1].name",
		"at most 15"},
	{"name with a space", "  - name: core", "  - name: \"the core\"", 17, "realms[1].name",
		"may not have"},
	{"realm name twice", "  - name: core", "  - name: access", 17, "realms[1].name",
		"names realms[0] already"},
	{"peer name twice", "  - name: phones", "  - name: softswitch", 32, "peers[1].name",
		"names peers[0] already"},
	{"unknown port", "    port: core", "    port: cora", 18, "realms[1].port",
		"there is access, core"},
	{"unknown realm of a peer", "    realm: core", "    realm: inside", 30, "peers[0].realm",
		"there is access, core"},
	{"unknown realm in a route", "{from: access,", "{from: acces,", 37, "routes[0].from",
		"no realm \"acces\""},
	{"unknown peer in a route", "to: softswitch}", "to: softswich}", 37, "routes[0].to",
		"there is softswitch, phones"},
	{"unknown from_peer", "from_peer: softswitch", "from_peer: nobody", 39,
		"routes[1].from_peer", "no peer \"nobody\""},
	{"from_peer of another realm", "from_peer: softswitch", "from_peer: phones", 39,
		"routes[1].from_peer", "in realm \"access\""},
	{"bad address", "    address: 198.51.100.2", "    address: 198.51.100", 31,
		"peers[0].address", "not an IP address"},
	{"host name", "    address: 198.51.100.2", "    address: example.com", 31,
		"peers[0].address", "not an IP address"},
	{"IPv6", "    address: 198.51.100.2", "    address: \"2001:db8::2\"", 31,
		"peers[0].address", "takes no SIP over IPv6"},
	{"address without a length", "[198.51.100.1/24]", "[198.51.100.1]", 21,
		"realms[1].addresses[0]", "ADDRESS/LENGTH"},
	{"length out of range", "[198.51.100.1/24]", "[198.51.100.1/33]", 21,
		"realms[1].addresses[0]", "ADDRESS/LENGTH"},
	{"loopback realm address", "[198.51.100.1/24]", "[127.0.0.1/8]", 21,
		"realms[1].addresses[0]", "loopback"},
	{"address twice in a realm", "192.0.2.2/24]", "192.0.2.2/24, 192.0.2.1/24]", 12,
		"realms[0].addresses[2]", "given twice"},
	{"address in two realms", "[198.51.100.1/24]", "[198.51.100.1/24, 192.0.2.1/24]", 21,
		"realms[1].addresses[1]", "realm \"access\" has this address"},
	{"gateway elsewhere", "gateway: 192.0.2.254", "gateway: 192.0.3.254", 13,
		"realms[0].gateway", "none of the realm's networks"},
	{"gateway is ours", "gateway: 192.0.2.254", "gateway: 192.0.2.1", 13, "realms[0].gateway",
		"own address"},
	{"listener without a port", "\"192.0.2.1:5060\"", "\"192.0.2.1\"", 14, "realms[0].sip[0]",
		"ADDRESS:PORT"},
	{"listener port", "\"192.0.2.1:5060\"", "\"192.0.2.1:70000\"", 14, "realms[0].sip[0]",
		"1 to 65535"},
	{"listener elsewhere", "\"192.0.2.1:5060\"", "\"192.0.2.3:5060\"", 14, "realms[0].sip[0]",
		"not at one of the realm's addresses"},
	{"listener twice", "\"192.0.2.1:5060\"", "\"192.0.2.1:5060\", \"192.0.2.1:5060\"", 14,
		"realms[0].sip[1]", "listed twice"},
	{"listener in the media ports", "\"198.51.100.1:5060\"", "\"198.51.100.1:30001\"", 22,
		"realms[1].sip[0]", "media ports 30000-39999"},
	{"media address elsewhere", "address: 192.0.2.2, ports", "address: 192.0.2.3, ports", 15,
		"realms[0].media.address", "not one of the realm's addresses"},
	{"media range", "ports: 30000-39999", "ports: 30000", 25, "realms[1].media.ports",
		"not a range"},
	{"media range backwards", "ports: 30000-39999", "ports: 39998-30001", 25,
		"realms[1].media.ports", "lower port first"},
	{"media range odd", "ports: 30000-39999", "ports: 30001-39999", 25, "realms[1].media.ports",
		"30002-39999"},
	{"media range low", "ports: 30000-39999", "ports: 1000-1999", 25, "realms[1].media.ports",
		"1024"},
	{"overlapping media ranges", "      address: 198.51.100.1\n      ports: 30000-39999",
		"      address: 192.0.2.2\n      ports: 29998-39999", 25, "realms[1].media.ports",
		"overlaps 20000-29999 of realm \"access\""},
	{"peer is ours", "    address: 198.51.100.2", "    address: 192.0.2.1", 31,
		"peers[0].address", "our own address in realm \"access\""},
	{"peer is loopback", "    address: 198.51.100.2", "    address: 127.0.0.1", 31,
		"peers[0].address", "loopback"},
	{"peer is multicast", "    address: 198.51.100.2", "    address: 239.1.1.1", 31,
		"peers[0].address", "multicast"},
	{"peer address twice", "    realm: access\n    address: 192.0.2.9\n    port: 5080",
		"    realm: core\n    address: 198.51.100.2\n    port: 5060", 34,
		"peers[1].address", "peer \"softswitch\" already"},
	{"rate out of range", "sip_burst: 140", "invite_rate: 1000001", 16,
		"realms[0].limits.invite_rate", "0 to 1000000"},
	{"bytes out of range", "sip_burst: 140", "tcp_byte_rate: 1000000001", 16,
		"realms[0].limits.tcp_byte_rate", "0 to 1000000000"},
	{"burst out of range", "sip_burst: 140", "burst_s: 0", 16, "realms[0].limits.burst_s",
		"1 to 60"},
	{"denied too long", "sip_burst: 140", "deny_s: 604801", 16, "realms[0].limits.deny_s",
		"1 to 604800"},
	{"denied for no time", "sip_burst: 140", "deny_s: 0", 16, "realms[0].limits.deny_s",
		"1 to 604800"},
	{"window out of range", "sip_burst: 140", "deny_window_s: 0", 16,
		"realms[0].limits.deny_window_s", "1 to 3600"},
	{"no prefix", "    trust: trusted", "    deny: [example.com]", 19, "realms[1].deny[0]",
		"ADDRESS/LENGTH"},
	{"prefix too long", "    trust: trusted", "    deny: [192.0.2.0/33]", 19,
		"realms[1].deny[0]", "ADDRESS/LENGTH"},
	{"bits behind the length", "    trust: trusted", "    permit: [10.0.0.0/8, 192.0.2.77/28]",
		19, "realms[1].permit[1]", "write 192.0.2.64/28"},
	{"bits behind the length, IPv6", "    trust: trusted",
		"    permit: [\"2001:db8:0:0:8000::/64\"]", 19, "realms[1].permit[0]",
		"write 2001:db8::/64"},
	{"listed twice", "    trust: trusted", "    permit: [10.0.0.1, 10.0.0.1/32]", 19,
		"realms[1].permit[1]", "listed twice"},
	{"no method", "    trust: trusted", "    methods: [INVITE, \"a b\"]", 19,
		"realms[1].methods[1]", "such as MESSAGE"},
	{"method too long", "    trust: trusted",
		"    dialog_methods: [A0123456789012345678901234567890]", 19,
		"realms[1].dialog_methods[0]", "at most 31"},
	{"method listed twice", "    trust: trusted", "    methods: [MESSAGE, JUMP, JUMP]", 19,
		"realms[1].methods[2]", "listed twice"},
	{"method of dialogs", "    trust: trusted", "    methods: [INFO]", 19,
		"realms[1].methods[0]", "belongs to a dialog"},
	{"method of no dialog", "    trust: trusted", "    dialog_methods: [INFO, PUBLISH]", 19,
		"realms[1].dialog_methods[1]", "belongs to no dialog"},
	{"method that is always taken", "    trust: trusted", "    dialog_methods: [BYE]", 19,
		"realms[1].dialog_methods[0]", "always taken"},
	{"many unusual methods", "    trust: trusted", "    methods: [A, B, C, D, E, F, G, H, I]",
		19, "realms[1].methods[8]", "at most 8"},
	{"method of a peer", "    port: 5080", "    methods: [ACK]", 35, "peers[1].methods[0]",
		"belongs to a dialog"},
	{"permitted and denied", "    trust: trusted",
		"    permit: [10.0.0.0/8]\n    deny: [192.0.2.9, 10.0.0.0/8]", 20,
		"realms[1].deny[1]", "in permit[0] too"},
	{"peer denied", "    trust: trusted", "    deny: [198.51.100.2]", 19, "realms[1].deny[0]",
		"is peer \"softswitch\""},
	{"rate of a peer", "    port: 5080", "    limits: {sip_rate: 1000001}", 35,
		"peers[1].limits.sip_rate", "0 to 1000000"},
	{"two rates for one address", "    realm: access\n    address: 192.0.2.9\n    port: 5080",
		"    realm: core\n    address: 198.51.100.2\n    limits: {sip_rate: 9}\n"
		"    port: 5080",
		35, "peers[1].limits", "peer \"softswitch\" has the same address"},
	{"long user prefix", "user_prefix: \"1\"",
		"user_prefix: \"00000000000000000000000000000000\"", 40, "routes[1].user_prefix",
		"at most 31"},
	{"policy of a realm", "    trust: trusted", "    policy: fines", 19, "realms[1].policy",
		"there is no policy \"fines\"; there is none"},
	{"policy of a peer", "    port: 5080\n", "    policy: fines\npolicies: [{name: fine}]\n",
		35, "peers[1].policy", "there is fine"},
	{"policy without a name", "ops:\n", POLICY("srtp: pass"), 43, "policies[0].name",
		"missing"},
	{"policy named twice", "ops:\n", "policies:\n  - name: a\n  - name: a\nops:\n", 44,
		"policies[1].name", "names policies[0] already"},
	{"srtp", "ops:\n", POLICY("name: a\n    srtp: maybe"), 44, "policies[0].srtp",
		"refuse, pass"},
	{"codec list", "ops:\n", POLICY("name: a\n    codecs: {allows: [PCMA]}"), 44,
		"policies[0].codecs.allows", "did you mean \"allow\""},
	{"empty list", "ops:\n", POLICY("name: a\n    codecs: {allow: []}"), 44,
		"policies[0].codecs.allow", ""},
	{"codec name", "ops:\n", POLICY("name: a\n    codecs: {deny: [PCMA, \"PC MU\"]}"), 44,
		"policies[0].codecs.deny[1]", "\"PC MU\" is no codec"},
	{"codec by its number", "ops:\n", POLICY("name: a\n    codecs: {deny: [\"/8000\"]}"), 44,
		"policies[0].codecs.deny[0]", "is no codec"},
	{"long codec name", "ops:\n",
		POLICY("name: a\n    codecs: {order: [abcdefghijklmnopqrstuvwxyz012345]}"), 44,
		"policies[0].codecs.order[0]", "at most 31"},
	{"clock rate", "ops:\n", POLICY("name: a\n    codecs: {order: [L16/16k]}"), 44,
		"policies[0].codecs.order[0]", "\"16k\" is no clock rate"},
	{"clock rate out of range", "ops:\n",
		POLICY("name: a\n    codecs: {order: [L16/99999999999999999999]}"), 44,
		"policies[0].codecs.order[0]", "1000 to 1000000 Hz"},
	{"codec twice", "ops:\n",
		POLICY("name: a\n    codecs:\n      allow:\n        - L16\n        - l16/8000"), 47,
		"policies[0].codecs.allow[1]", "on this list already"},
	{"allowed and denied", "ops:\n",
		POLICY("name: a\n    codecs:\n      allow: [GSM]\n      deny: [gsm]"), 45,
		"policies[0].codecs.allow[0]", "denied too"},
	{"ordered and denied", "ops:\n",
		POLICY("name: a\n    codecs:\n      deny: [L16]\n      order: [PCMA, L16/16000]"),
		46, "policies[0].codecs.order[1]", "denied too"},
};

/* The good text with one part replaced. Caller frees. */
static char *text_replace(const struct wrong *w)
{
	size_t size = sizeof(good) + strlen(w->replace) + 1;
	char *out = malloc(size);
	const char *at;

	assert_non_null(out);
	if (w->find == NULL) {
		snprintf(out, size, "%s", w->replace);
		return out;
	}
	at = strstr(good, w->find);
	if (at == NULL)
		fail_msg("%s: \"%s\" is not in the good file", w->what, w->find);
	snprintf(out, size, "%.*s%s%s", (int)(at - good), good, w->replace, at + strlen(w->find));
	return out;
}

/* @return true when this mistake gives its line. */
static bool wrong_is_told(const struct wrong *w)
{
	char error[CONFIG_ERROR_LEN], start[160];
	char *text = text_replace(w);
	struct config *c = config_load_data("t.yaml", text, strlen(text), error);
	bool ok;

	free(text);
	if (c != NULL) {
		print_error("%s: was accepted\n", w->what);
		config_free(c);
		return false;
	}
	snprintf(start, sizeof(start), "t.yaml:%u: %s: ", w->line, w->path);
	ok = strncmp(error, start, strlen(start)) == 0 && strstr(error, w->says) != NULL &&
	     strchr(error, '\n') == NULL && strchr(error, ';') != NULL;
	if (!ok)
		print_error("%s: got \"%s\", want \"%s...%s\"\n", w->what, error, start, w->says);
	return ok;
}

static void test_wrong_configurations(void **state)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++)
		bad += !wrong_is_told(&wrongs[i]);
	assert_int_equal(bad, 0);
}

static void test_good_configuration(void **state)
{
	char error[CONFIG_ERROR_LEN], text[NET_ENDPOINT_STRLEN];
	struct config *c = config_load_data("t.yaml", good, strlen(good), error);

	if (c == NULL)
		fail_msg("%s", error);
	assert_string_equal(c->file, "t.yaml");
	assert_int_equal(c->dataplane.ports_count, 2);
	assert_string_equal(c->dataplane.ports[1].name, "core");
	assert_int_equal(c->dataplane.flows, 65536);
	assert_int_equal(c->n_realms, 2);
	assert_int_equal(c->realms[1].id, 1);
	assert_string_equal(c->realms[1].port, "core");
	assert_int_equal(c->realms[0].trust, TRUST_UNTRUSTED);
	assert_int_equal(c->realms[1].trust, TRUST_TRUSTED);
	assert_int_equal(c->realms[1].nat, NAT_NEVER);
	assert_int_equal(c->realms[0].n_addresses, 2);
	assert_int_equal(c->realms[0].addresses[1].prefix_len, 24);
	assert_string_equal(net_addr_format(&c->realms[0].gateways[0], text), "192.0.2.254");
	assert_int_equal(c->realms[1].n_gateways, 0);
	assert_string_equal(
		net_endpoint_format(&c->realms[0].listeners[0].local, text), "192.0.2.1:5060");
	assert_string_equal(net_addr_format(&c->realms[0].media[0].addr, text), "192.0.2.2");
	assert_int_equal(c->realms[1].media[0].port_min, 30000);
	assert_int_equal(c->realms[1].media[0].port_max, 39999);
	assert_int_equal(c->realms[0].media_timeout_ms, 60000);
	assert_int_equal(c->realms[0].media_silent_ms, 10000);
	assert_int_equal(c->realms[1].media_timeout_ms, 30000);
	assert_int_equal(c->realms[0].latch_prefix_v4, 32);
	assert_int_equal(c->realms[1].latch_prefix_v4, 24);
	assert_int_equal(c->realms[0].latch_prefix_v6, 128);
	assert_int_equal(c->realms[0].police.sip.rate, 70);
	assert_int_equal(c->realms[0].police.sip.burst, 140);
	assert_int_equal(c->realms[0].max_calls, 9);
	assert_int_equal(c->realms[1].police.sip.rate, 0); /* trusted */
	assert_int_equal(c->realms[0].dscp_media, 46);
	assert_int_equal(c->n_peers, 2);
	assert_int_equal(c->peers[0].realm, 1);
	assert_string_equal(net_endpoint_format(&c->peers[0].remote, text), "198.51.100.2:5060");
	assert_int_equal(c->peers[1].remote.port, 5080);
	assert_int_equal(c->peers[0].no_answer_s, 180);
	assert_int_equal(c->realms[0].session.expires_s, 1800);
	assert_int_equal(c->realms[0].session.min_s, 90);
	assert_int_equal(c->peers[0].session.expires_s, 1800);
	assert_false(c->peers[0].redirect_follow);
	assert_int_equal(c->n_routes, 2);
	assert_int_equal(c->routes[0].from_realm, 0);
	assert_int_equal(c->routes[0].from_peer, -1);
	assert_string_equal(c->routes[0].user_prefix, "");
	assert_int_equal(c->routes[0].to_peer, 0);
	assert_int_equal(c->routes[1].from_peer, 0);
	assert_string_equal(c->routes[1].user_prefix, "1");
	assert_int_equal(c->routes[1].to_peer, 1);
	assert_string_equal(c->ops.control_socket, "/tmp/control.sock");
	assert_string_equal(c->ops.cdr_file, "");
	assert_int_equal(c->ops.shards, 2);
	assert_int_equal(c->ops.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->ops.stop_timeout_s, 5);
	config_free(c);
}

/* One realm with these lines, and a peer in it. */
static struct config *realm_load(const char *lines)
{
	char error[CONFIG_ERROR_LEN], text[1024];
	struct config *c;

	snprintf(text, sizeof(text),
		"dataplane: {ports: [{name: a, device: net_null0}]}\n"
		"realms:\n"
		"  - {name: one, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"],\n"
		"     media: {address: 192.0.2.1, ports: 20000-20099}, %s}\n"
		"peers:\n"
		"  - {name: first, realm: one, address: 192.0.2.9}\n"
		"  - {name: second, realm: one, address: 192.0.2.9, port: 5070}\n",
		lines);
	c = config_load_data("t.yaml", text, strlen(text), error);
	if (c == NULL)
		fail_msg("%s", error);
	return c;
}

/* Names, clocks and who has which policy. */
static void test_policies(void **state)
{
	static const char text[] =
		"dataplane: {ports: [{name: a, device: net_null0}]}\n"
		"realms:\n"
		"  - {name: one, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"],\n"
		"     media: {address: 192.0.2.1, ports: 20000-20099}, policy: second}\n"
		"peers:\n"
		"  - {name: own, realm: one, address: 192.0.2.9, policy: first}\n"
		"  - {name: realms, realm: one, address: 192.0.2.10}\n"
		"policies:\n"
		"  - {name: first, srtp: pass}\n"
		"  - name: second\n"
		"    codecs: {allow: [PCMA, L16/16000], deny: [telephone-event], order: "
		"[AMR-WB]}\n";
	char error[CONFIG_ERROR_LEN];
	struct config *c = config_load_data("t.yaml", text, sizeof(text) - 1, error);
	const struct config_policy *p;

	if (c == NULL)
		fail_msg("%s", error);
	assert_int_equal(c->n_policies, 2);
	assert_ptr_equal(c->realms[0].policy, &c->policies[1]);
	assert_ptr_equal(c->peers[0].policy, &c->policies[0]);
	assert_ptr_equal(c->peers[1].policy, &c->policies[1]);
	p = &c->policies[0];
	assert_int_equal(p->srtp, SRTP_PASS);
	assert_int_equal(p->allow.n + p->deny.n + p->order.n, 0);
	p = &c->policies[1];
	assert_int_equal(p->srtp, SRTP_REFUSE);
	assert_int_equal(p->allow.n, 2);
	assert_string_equal(p->allow.codec[0].name, "PCMA");
	assert_int_equal(p->allow.codec[0].clock_hz, 0);
	assert_string_equal(p->allow.codec[1].name, "L16");
	assert_int_equal(p->allow.codec[1].clock_hz, 16000);
	assert_string_equal(p->deny.codec[0].name, "telephone-event");
	assert_string_equal(p->order.codec[0].name, "AMR-WB");
	config_free(c);
}

#define BUCKETS(p) \
	{ \
		(p)->sip, (p)->sip_address, (p)->sip_prefix, (p)->sip_untrusted, \
			(p)->sip_method[POLICE_INVITE], (p)->sip_method[POLICE_REGISTER], \
			(p)->sip_method[POLICE_OPTIONS], (p)->sip_method[POLICE_OTHER], \
			(p)->sip_dialog, (p)->tcp_syn, (p)->tcp_bytes, (p)->icmp, \
	}
#define N_BUCKETS 12

/* Rates in the order of BUCKETS. */
static void test_derived_limits(void **state)
{
	static const struct {
		const char *lines;
		uint32_t rate[N_BUCKETS];
		uint32_t burst_s; /* of all, when not 0 */
		uint32_t deny_after, peer;
	} cases[] = {
		{"trust: untrusted", {50, 1000, 2000, 10000, 10, 10, 10, 10, 20, 20, 1000000, 20},
			2, 500, 1000},
		{"trust: trusted", {0, 0, 0, 0, 0, 0, 0, 0, 100, 1000, 0, 1000}, 0, 0, 0},
		{"limits: {sip_rate: 5000}",
			{5000, 100000, 200000, 20000, 1000, 1000, 1000, 1000, 20, 20, 1000000, 20},
			2, 50000, 100000},
		{"limits: {sip_rate: 3, burst_s: 5}",
			{3, 60, 120, 10000, 1, 1, 1, 1, 20, 20, 1000000, 20}, 5, 30, 60},
		/* No limit of one source is none of its parts, but strangers together have one. */
		{"limits: {sip_rate: 0}", {0, 0, 0, 10000, 0, 0, 0, 0, 20, 20, 1000000, 20}, 0, 500,
			0},
		{"limits: {sip_rate: 1000000}",
			{1000000, 1000000, 1000000, 1000000, 200000, 200000, 200000, 200000, 20, 20,
				1000000, 20},
			0, 1000000, 1000000},
		{"limits: {address_rate: 0, other_rate: 7, icmp_rate: 1, deny_after: 0}",
			{50, 0, 2000, 10000, 10, 10, 10, 7, 20, 20, 1000000, 1}, 2, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = realm_load(cases[i].lines);
		const struct realm_police *p = &c->realms[0].police;
		const struct rate_limit got[N_BUCKETS] = BUCKETS(p);

		for (size_t b = 0; b < N_BUCKETS; b++) {
			if (got[b].rate != cases[i].rate[b])
				fail_msg("%s: bucket %zu has rate %u", cases[i].lines, b,
					got[b].rate);
			if (cases[i].burst_s != 0)
				assert_int_equal(got[b].burst, got[b].rate * cases[i].burst_s);
		}
		assert_int_equal(p->deny_after, cases[i].deny_after);
		assert_int_equal(p->deny_window_s, 10);
		assert_int_equal(p->deny_s, 60);
		assert_int_equal(c->realms[0].trusted_s, 3600);
		assert_int_equal(c->realms[0].media_silent_ms, 10000);
		assert_int_equal(c->peers[0].sip.rate, cases[i].peer);
		assert_false(c->peers[0].same_address);
		assert_true(c->peers[1].same_address);
		config_free(c);
	}
}

static void test_lists(void **state)
{
	struct config *c = realm_load("permit: [192.0.2.128/28, 0.0.0.0/0], "
				      "deny: [10.1.2.3, \"2001:db8::/33\"], media_silent_s: 0");
	const struct config_realm *r = &c->realms[0];
	char text[NET_ADDR_STRLEN];

	assert_int_equal(r->n_permit, 2);
	assert_string_equal(net_addr_format(&r->permit[0].addr, text), "192.0.2.128");
	assert_int_equal(r->permit[0].len, 28);
	assert_int_equal(r->permit[1].len, 0);
	assert_int_equal(r->n_deny, 2);
	assert_string_equal(net_addr_format(&r->deny[1].addr, text), "2001:db8::");
	assert_int_equal(r->deny[1].len, 33);
	assert_string_equal(net_addr_format(&r->deny[0].addr, text), "10.1.2.3");
	assert_int_equal(r->deny[0].len, 32);
	assert_int_equal(r->media_silent_ms, 0);
	config_free(c);
}

static bool takes(const struct config_methods *m, const char *name)
{
	struct str_view v = {name, strlen(name)};

	return config_methods_have(m, sip_method_parse(v), v);
}

/* Strangers may call and ping, no more, unless the realm or the peer says so. */
static void test_methods(void **state)
{
	static const struct {
		const char *lines;
		const char *methods, *refused;		     /* of the realm, and of its peers */
		const char *dialog_methods, *dialog_refused; /* words with a blank behind each */
	} cases[] = {
		{"trust: untrusted", "INVITE OPTIONS ",
			"REGISTER MESSAGE NOTIFY PUBLISH REFER SUBSCRIBE INFO BYE JUMP ",
			"INVITE ACK BYE CANCEL PRACK UPDATE INFO MESSAGE NOTIFY OPTIONS REFER "
			"SUBSCRIBE ",
			"REGISTER PUBLISH JUMP "},
		{"trust: trusted",
			"INVITE OPTIONS REGISTER MESSAGE NOTIFY PUBLISH REFER SUBSCRIBE ",
			"INFO BYE PRACK UPDATE JUMP ", "INFO REFER BYE ", "JUMP "},
		{"methods: [OPTIONS, JUMP], dialog_methods: [LEAP]", "OPTIONS JUMP ",
			"INVITE LEAP jump ", "BYE LEAP ", "INFO REFER JUMP "},
		{"methods: [], dialog_methods: []", "", "INVITE OPTIONS ", "INVITE BYE ", "INFO "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = realm_load(cases[i].lines);
		const struct {
			const struct config_methods *list;
			const char *words;
			bool want;
		} checks[] = {
			{&c->realms[0].methods, cases[i].methods, true},
			{&c->realms[0].methods, cases[i].refused, false},
			{&c->peers[0].methods, cases[i].methods, true},
			{&c->peers[0].methods, cases[i].refused, false},
			{&c->realms[0].dialog_methods, cases[i].dialog_methods, true},
			{&c->realms[0].dialog_methods, cases[i].dialog_refused, false},
		};

		for (size_t k = 0; k < ARRAY_LEN(checks); k++)
			for (const char *w = checks[k].words; *w != '\0';
				w += strcspn(w, " ") + 1) {
				char word[32];

				snprintf(word, sizeof(word), "%.*s", (int)strcspn(w, " "), w);
				if (takes(checks[k].list, word) != checks[k].want)
					fail_msg("%s: %s, check %zu", cases[i].lines, word, k);
			}
		config_free(c);
	}
}

/* No cut of a good file crashes; most are refused, those at a section's end are not. */
static void test_truncated(void **state)
{
	unsigned int refused = 0;

	for (size_t len = 0; len < strlen(good); len++) {
		char error[CONFIG_ERROR_LEN];
		struct config *c = config_load_data("t.yaml", good, len, error);

		if (c == NULL) {
			assert_int_equal(strncmp(error, "t.yaml:", 7), 0);
			refused++;
		}
		config_free(c);
	}
	assert_true(refused > strlen(good) / 2);
}

static void expect_file_error(const char *file, const char *want)
{
	char error[CONFIG_ERROR_LEN];

	assert_null(config_load(file, error));
	if (strstr(error, want) == NULL)
		fail_msg("got \"%s\", want \"%s\"", error, want);
}

static void test_files_that_are_none(void **state)
{
	char name[] = "/tmp/sallyport-config-XXXXXX";
	int fd;

	expect_file_error("/nonexistent.yaml",
		"/nonexistent.yaml: No such file or directory; name a readable file");
	expect_file_error("/", "not a regular file");
	expect_file_error("/dev/null", "not a regular file");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	expect_file_error(name, "larger than 1 MiB");
	close(fd);
	unlink(name);
}

static void test_samples_load(void **state)
{
	const char *dir = getenv("SALLYPORT_CONFIGS");
	unsigned int n = 0;
	struct dirent *e;
	DIR *d;

	assert_non_null(dir);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[512], error[CONFIG_ERROR_LEN];
		struct config *c;
		size_t len = strlen(e->d_name);

		if (len < 5 || strcmp(e->d_name + len - 5, ".yaml") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		c = config_load(path, error);
		if (c == NULL)
			fail_msg("%s", error);
		config_free(c);
		n++;
	}
	closedir(d);
	assert_true(n >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_configuration),
		cmocka_unit_test(test_wrong_configurations),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_derived_limits),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_samples_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
