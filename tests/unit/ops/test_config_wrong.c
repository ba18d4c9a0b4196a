/*
 * The configuration loader: a good file with one mistake at a time, and the one line that each
 * must give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_good.h"
#include "config_priv.h"

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
	{"no such way with REFER", "latch_prefix: 24", "refer: refuse", 27, "realms[1].refer",
		"one of pass, execute"},
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
	{"no content type", "    trust: trusted", "    bodies: [text/plain, text]", 19,
		"realms[1].bodies[1]", "write it as text/plain"},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
