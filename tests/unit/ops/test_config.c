/*
 * The configuration loader: a good file, what it derives, and files that are none; the samples in
 * configs/ must load. Mistakes are in test_config_wrong.c.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_good.h"
#include "config_priv.h"
#include "log.h"

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

static void test_refer(void **state)
{
	static const struct {
		const char *lines;
		bool execute;
	} cases[] = {{"trust: trusted", false}, {"refer: pass", false}, {"refer: execute", true}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = realm_load(cases[i].lines);

		assert_int_equal(c->realms[0].refer_execute, cases[i].execute);
		config_free(c);
	}
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
		const char *peers; /* what its peers may in dialogs, too */
	} cases[] = {
		{"trust: untrusted", "INVITE OPTIONS ",
			"REGISTER MESSAGE NOTIFY PUBLISH REFER SUBSCRIBE INFO BYE JUMP ",
			"INVITE ACK BYE CANCEL PRACK UPDATE INFO NOTIFY OPTIONS ",
			"MESSAGE REFER SUBSCRIBE REGISTER PUBLISH JUMP ",
			"MESSAGE REFER SUBSCRIBE "},
		{"trust: trusted",
			"INVITE OPTIONS REGISTER MESSAGE NOTIFY PUBLISH REFER SUBSCRIBE ",
			"INFO BYE PRACK UPDATE JUMP ", "INFO REFER BYE ", "JUMP ", "REFER "},
		{"methods: [OPTIONS, JUMP], dialog_methods: [LEAP]", "OPTIONS JUMP ",
			"INVITE LEAP jump ", "BYE LEAP ", "INFO REFER JUMP ", ""},
		{"methods: [], dialog_methods: []", "", "INVITE OPTIONS ", "INVITE BYE ", "INFO ",
			""},
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
			{&c->peers[0].dialog_methods, cases[i].dialog_methods, true},
			{&c->peers[0].dialog_methods, cases[i].peers, true},
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
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_refer),
		cmocka_unit_test(test_derived_limits),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_samples_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
