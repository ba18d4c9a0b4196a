/*
 * Parts of the main thread: mailboxes between threads, the configuration as commands,
 * the statistics mapping as JSON.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_priv.h"
#include "mailbox.h"
#include "media_session.h"
#include "realm_commands.h"
#include "show.h"
#include "source_command.h"

#define THREADS 4
#define MAILS 5000

static unsigned int next_of[THREADS], taken;

static void take(void *owner, void *arg)
{
	uintptr_t v = (uintptr_t)arg;

	assert_int_equal(next_of[v / MAILS]++, v % MAILS);
	taken++;
}

struct poster {
	struct mailbox *to;
	unsigned int index;
};

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (uintptr_t i = 0; i < MAILS; i++)
		if (mailbox_post(p->to, take, (void *)(p->index * (uintptr_t)MAILS + i)) < 0)
			return arg;
	return NULL;
}

/* All mail arrives, that of one thread in its order, and a wait for the fd never misses any. */
static void test_mailbox(void **state)
{
	struct poster posters[THREADS];
	struct mailbox m;
	pthread_t t[THREADS];
	void *failed;

	assert_int_equal(mailbox_init(&m, NULL), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		posters[i] = (struct poster){&m, i};
		assert_int_equal(pthread_create(&t[i], NULL, post_all, &posters[i]), 0);
	}
	while (taken < THREADS * MAILS) {
		struct pollfd p = {.fd = m.fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		mailbox_run(&m);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(taken, THREADS * MAILS);
	mailbox_fini(&m);
}

static const char config_text[] =
	"dataplane: {ports: [{name: a, device: net_null0}, {name: b, device: net_null1}]}\n"
	"realms:\n"
	"  - {name: one, port: b, addresses: [192.0.2.1/24, 198.51.100.1/24],\n"
	"     gateway: 198.51.100.254, sip: [\"192.0.2.1:5060\"], media_timeout_s: 7, "
	"media_silent_s: 3,\n"
	"     media: {address: 192.0.2.1, ports: 20000-20099}}\n"
	"  - {name: two, port: a, vlan: 100, addresses: [203.0.113.1/28, 2001:db8::1/64],\n"
	"     gateway: [203.0.113.14, fe80::1], nat: never, trust: trusted,\n"
	"     sip: [\"203.0.113.1:5060\", \"203.0.113.1:5070\", \"[2001:db8::1]:5060\"],\n"
	"     permit: [203.0.113.8/29], deny: [192.0.2.0/24, 203.0.113.7], media_silent_s: 3,\n"
	"     media: [{address: 203.0.113.1, ports: 20000-20099},\n"
	"             {address: \"2001:db8::1\", ports: 30000-30099}]}\n"
	"peers:\n"
	"  - {name: trunk, realm: one, address: 192.0.2.9, limits: {sip_rate: 30}}\n"
	"  - {name: same, realm: one, address: 192.0.2.9, port: 5070}\n"
	"  - {name: soft, realm: two, address: 203.0.113.9}\n";

static struct config *config_get(void)
{
	char error[CONFIG_ERROR_LEN];
	struct config *c = config_load_data("t.yaml", config_text, strlen(config_text), error);

	if (c == NULL)
		fail_msg("%s", error);
	return c;
}

/* The i-th of them. */
static void check_list(size_t i, const struct rec_source_list_set *rec)
{
	static const struct {
		const char *addr, *name;
		uint16_t realm;
		uint8_t len, action;
		uint32_t rate;
	} want[] = {
		{"203.0.113.8", "permit", 1, 29, LIST_PERMIT, 0},
		{"192.0.2.0", "deny", 1, 24, LIST_DENY, 0},
		{"203.0.113.7", "deny", 1, 32, LIST_DENY, 0},
		{"192.0.2.9", "trunk", 0, 32, LIST_PEER, 30},
		{"203.0.113.9", "soft", 1, 32, LIST_PEER, 0},
	};
	char text[NET_ADDR_STRLEN];

	assert_true(i < ARRAY_LEN(want));
	assert_string_equal(net_addr_format(&rec->addr, text), want[i].addr);
	assert_string_equal(rec->name, want[i].name);
	assert_int_equal(rec->realm, want[i].realm);
	assert_int_equal(rec->prefix_len, want[i].len);
	assert_int_equal(rec->action, want[i].action);
	assert_int_equal(rec->port, 0);
	assert_int_equal(rec->limit.rate, want[i].rate);
	assert_true(rec->limit.rate == 0 || rec->limit.burst == 2 * want[i].rate);
}

static void test_realm_commands(void **state)
{
	static const struct {
		uint16_t type;
		const char *describes;
	} want[] = {
		{REC_REALM_SET, "realm one"},
		{REC_ADDRESS_SET, "address 192.0.2.1/24 of realm one"},
		{REC_ADDRESS_SET, "address 198.51.100.1/24 of realm one"},
		{REC_LISTENER_SET, "SIP listener 192.0.2.1:5060 of realm one"},
		{REC_MEDIA_RANGE_SET, "media ports 20000-20099 at 192.0.2.1 of realm one"},
		{REC_REALM_SET, "realm two"},
		{REC_ADDRESS_SET, "address 203.0.113.1/28 of realm two"},
		{REC_ADDRESS_SET, "address 2001:db8::1/64 of realm two"},
		{REC_LISTENER_SET, "SIP listener 203.0.113.1:5060 of realm two"},
		{REC_LISTENER_SET, "SIP listener 203.0.113.1:5070 of realm two"},
		{REC_LISTENER_SET, "SIP listener [2001:db8::1]:5060 of realm two"},
		{REC_MEDIA_RANGE_SET, "media ports 20000-20099 at 203.0.113.1 of realm two"},
		{REC_MEDIA_RANGE_SET, "media ports 30000-30099 at 2001:db8::1 of realm two"},
		{REC_SOURCE_LIST_SET, "permit 203.0.113.8/29 of realm two"},
		{REC_SOURCE_LIST_SET, "deny 192.0.2.0/24 of realm two"},
		{REC_SOURCE_LIST_SET, "deny 203.0.113.7/32 of realm two"},
		{REC_SOURCE_LIST_SET, "rate of peer trunk"},
		{REC_SOURCE_LIST_SET, "rate of peer soft"},
		{REC_SYNC, "the end of the configuration"},
	};
	struct stats *s = calloc(1, sizeof(*s));
	struct realm_commands at = {0};
	struct config *c = config_get();
	union realm_command cmd;
	char text[128];

	assert_non_null(s);
	snprintf(s->port[0].name, API_NAME_MAX, "a");
	snprintf(s->port[3].name, API_NAME_MAX, "b");
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(realm_commands_next(&at, c, s, &cmd) > 0);
		assert_int_equal(cmd.cmd.hdr.type, want[i].type);
		assert_string_equal(realm_command_describe(c, cmd.cmd.hdr.type, cmd.cmd.cookie,
					    text, sizeof(text)),
			want[i].describes);
		if (i == 0) {
			assert_int_equal(cmd.realm.port, 3);
			assert_int_equal(cmd.realm.vlan, 0);
			assert_int_equal(cmd.realm.media_idle_ms, 7000);
			assert_int_equal(cmd.realm.media_silent_ms, 3000);
			assert_memory_equal(
				&cmd.realm.police, &c->realms[0].police, sizeof(cmd.realm.police));
			assert_string_equal(cmd.realm.name, "one");
		}
		if (i == 1)
			assert_int_equal(cmd.address.gateway.family, NET_FAMILY_NONE);
		if (i == 2)
			assert_int_equal(cmd.address.gateway.bytes[3], 254);
		if (cmd.cmd.hdr.type == REC_SOURCE_LIST_SET)
			check_list(i - 13, &cmd.list);
		if (i == 5)
			assert_int_equal(cmd.realm.vlan, 100);
		if (i == 6)
			assert_int_equal(cmd.address.gateway.bytes[3], 14);
		if (i == 7) /* a link-local router is on the network of any address */
			assert_int_equal(cmd.address.gateway.bytes[0], 0xfe);
		if (cmd.cmd.hdr.type == REC_MEDIA_RANGE_SET && cmd.range.addr.family != 4)
			assert_int_equal(cmd.range.port_min, 30000);
	}
	assert_int_equal(realm_commands_next(&at, c, s, &cmd), 0);
	/* A cookie from elsewhere is described without reading outside. */
	assert_string_equal(
		realm_command_describe(c, REC_ADDRESS_SET, UINT64_MAX, text, sizeof(text)),
		"command 4");
	assert_string_equal(
		realm_command_describe(c, REC_SOURCE_LIST_SET, UINT64_MAX, text, sizeof(text)),
		"an entry of a list");
	config_free(c);
	free(s);
}

static void test_realm_without_its_port_is_left_out(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	struct realm_commands at = {0};
	struct config *c = config_get();
	union realm_command cmd;
	unsigned int n = 0, realms = 0;

	assert_non_null(s);
	snprintf(s->port[0].name, API_NAME_MAX, "a");
	while (realm_commands_next(&at, c, s, &cmd) > 0) {
		n++;
		realms += cmd.cmd.hdr.type == REC_REALM_SET;
		if (cmd.cmd.hdr.type == REC_REALM_SET)
			assert_int_equal(cmd.realm.realm, 1);
	}
	assert_int_equal(realms, 1);
	assert_int_equal(n, 13); /* with its lists, and the peer that is in it */
	config_free(c);
	free(s);
}

static json_int_t int_at(const json_t *list, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(list, i), key));
}

static void test_show(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	json_t *o;

	assert_non_null(s);
	s->workers = 2;
	snprintf(s->port[1].name, API_NAME_MAX, "core");
	s->worker[0].port[1].rx_packets = 5;
	s->worker[1].port[1].rx_packets = 7;
	s->worker[1].port[1].drops[DROP_SIP_RATE] = 3;
	s->worker[2].port[1].rx_packets = 100; /* no such worker */
	o = show_ports(s);
	assert_int_equal(json_array_size(o), 1);
	assert_int_equal(int_at(o, 0, "rx_packets"), 12);
	assert_int_equal(int_at(o, 0, "dropped"), 3);
	json_decref(o);
	o = show_drops(s, false);
	assert_int_equal(json_array_size(o), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(o, 0), "reason")), "sip_rate");
	assert_int_equal(int_at(o, 0, "packets"), 3);
	json_decref(o);
	o = show_drops(s, true);
	assert_int_equal(json_array_size(o), DROP_COUNT);
	json_decref(o);
	o = show_flat(s);
	assert_int_equal(json_integer_value(json_object_get(o, "port_core_rx_packets")), 12);
	assert_int_equal(json_integer_value(json_object_get(o, "port_core_drop_sip_rate")), 3);
	json_decref(o);
	free(s);
}

/* Every byte of the mapping 0xff: counts are bounded, texts cut and printable. */
/* In, out, dropped, and what is missing between them. */
static void test_show_account(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	json_t *o;

	assert_non_null(s);
	s->workers = 1;
	snprintf(s->port[0].name, API_NAME_MAX, "a");
	s->worker[0].port[0] = (struct stats_port_counts){
		.rx_packets = 100,
		.from_control = 20,
		.forwarded = 50,
		.sip_up = 30,
		.originated = 21,
		.punted = 4,
		.drops = {[DROP_IP_TTL] = 8, [DROP_SIP_RATE] = 9},
	};
	s->main[0] = (struct stats_port_counts){
		.from_twin = 5, .gleaned = 1, .drops = {[DROP_TWIN_FULL] = 2}};
	o = show_ports(s);
	assert_int_equal(int_at(o, 0, "in"), 125);
	assert_int_equal(int_at(o, 0, "out"), 106);
	assert_int_equal(int_at(o, 0, "dropped"), 19);
	assert_int_equal(int_at(o, 0, "difference"), 0);
	json_decref(o);
	s->main[0].gleaned += 3;
	o = show_ports(s);
	assert_int_equal(int_at(o, 0, "difference"), -3);
	json_decref(o);
	free(s);
}

static void test_show_limits(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	struct config *c = config_get();
	json_t *o, *classes, *limits;

	assert_non_null(s);
	s->workers = 2;
	for (unsigned int w = 0; w < 3; w++) { /* there is no third */
		struct stats_realm *r = &s->worker[w].realm[0];

		r->messages[SOURCE_UNTRUSTED][SIP_CLASS_NEW] = 1;
		r->messages[SOURCE_UNTRUSTED][SIP_CLASS_LANE] = 2;
		r->messages[SOURCE_TRUSTED][SIP_CLASS_OUT] = 3;
		r->messages[SOURCE_TRUSTED][SIP_CLASS_DIALOG] = 4;
		r->refused[SOURCE_DENIED] = 5;
	}
	o = show_limits(c, s);
	assert_int_equal(json_array_size(o), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(o, 1), "trust")), "trusted");
	assert_int_equal(int_at(o, 1, "permit"), 1);
	assert_int_equal(int_at(o, 1, "deny"), 2);
	limits = json_object_get(json_array_get(o, 0), "limits");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(limits, "invite_rate"), "rate")),
		10);
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(limits, "invite_rate"), "burst")),
		20);
	assert_int_equal(json_integer_value(json_object_get(limits, "deny_after")), 500);
	classes = json_object_get(json_array_get(o, 0), "classes");
	assert_int_equal(int_at(classes, SOURCE_UNTRUSTED, "new"), 2);
	assert_int_equal(int_at(classes, SOURCE_UNTRUSTED, "lane"), 4);
	assert_int_equal(int_at(classes, SOURCE_TRUSTED, "out_of_dialog"), 6);
	assert_int_equal(int_at(classes, SOURCE_TRUSTED, "dialog"), 8);
	assert_int_equal(int_at(classes, SOURCE_DENIED, "refused"), 10);
	json_decref(o);
	o = json_object();
	show_limits_flat(o, c, s);
	assert_int_equal(
		json_integer_value(json_object_get(o, "realm_one_sip_untrusted_passed")), 6);
	assert_int_equal(
		json_integer_value(json_object_get(o, "realm_one_sip_denied_refused")), 10);
	assert_int_equal(json_integer_value(json_object_get(o, "realm_two_sip_trusted_passed")), 0);
	json_decref(o);
	config_free(c);
	free(s);
}

static const char *text_at(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

static void test_show_sources(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	struct config *c = config_get();
	json_t *o;

	assert_non_null(s);
	s->source[3] = (struct stats_source){
		.source = {.addr = net_addr_v4("\xc0\x00\x02\x07"), .port = 5060},
		.realm = 1,
		.source_class = SOURCE_DENIED,
		.reason = SOURCE_REASON_SCAN,
		.left_s = 59,
		.messages = 10,
		.refused = 1000,
	};
	s->source[9] = s->source[3];
	s->source[9].source.port = 0;
	s->source[9].realm = 77; /* of an earlier configuration */
	o = show_sources(c, s);
	assert_int_equal(json_array_size(o), 2);
	assert_string_equal(text_at(o, 0, "source"), "192.0.2.7:5060");
	assert_string_equal(text_at(o, 0, "realm"), "two");
	assert_string_equal(text_at(o, 0, "class"), "denied");
	assert_string_equal(text_at(o, 0, "reason"), "scan");
	assert_int_equal(int_at(o, 0, "left_s"), 59);
	assert_int_equal(int_at(o, 0, "messages"), 10);
	assert_int_equal(int_at(o, 0, "refused"), 1000);
	assert_string_equal(text_at(o, 1, "source"), "192.0.2.7");
	assert_string_equal(text_at(o, 1, "realm"), "?");
	json_decref(o);
	config_free(c);
	free(s);
}

static void test_source_command(void **state)
{
	static const struct {
		const char *params;
		const char *source; /* NULL: wrong */
		uint8_t class;
		uint32_t seconds;
		uint16_t realm;
		const char *why; /* begins so */
	} cases[] = {
		{"{'action':'deny','source':'192.0.2.7'}", "192.0.2.7", SOURCE_DENIED, 3600,
			API_REALM_ANY, NULL},
		{"{'action':'permit','source':'192.0.2.7:5060','seconds':604800,'realm':'two'}",
			"192.0.2.7:5060", SOURCE_TRUSTED, 604800, 1, NULL},
		{"{'action':'forget','source':'192.0.2.7:65535'}", "192.0.2.7:65535",
			SOURCE_UNTRUSTED, 1, API_REALM_ANY, NULL},
		{"{'action':'deny','source':'2001:db8::1'}", "2001:db8::1", SOURCE_DENIED, 3600,
			API_REALM_ANY, NULL},
		{"{'action':'deny','source':'[2001:db8::1]:5060'}", "[2001:db8::1]:5060",
			SOURCE_DENIED, 3600, API_REALM_ANY, NULL},
		{"{}", NULL, 0, 0, 0, "action"},
		{"{'action':'kill','source':'192.0.2.7'}", NULL, 0, 0, 0, "action"},
		{"{'action':7,'source':'192.0.2.7'}", NULL, 0, 0, 0, "action"},
		{"{'action':'deny'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':''}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'example.com'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'192.0.2.7:'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'192.0.2.7:0'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'192.0.2.7:65536'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'192.0.2.7:5060x'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'127.0.0.1'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'0.0.0.0'}", NULL, 0, 0, 0, "source"},
		{"{'action':'deny','source':'192.0.2.7','seconds':0}", NULL, 0, 0, 0, "seconds"},
		{"{'action':'deny','source':'192.0.2.7','seconds':604801}", NULL, 0, 0, 0,
			"seconds"},
		{"{'action':'deny','source':'192.0.2.7','seconds':'x'}", NULL, 0, 0, 0, "seconds"},
		{"{'action':'deny','source':'192.0.2.7','seconds':-9223372036854775807}", NULL, 0,
			0, 0, "seconds"},
		{"{'action':'deny','source':'192.0.2.7','realm':'three'}", NULL, 0, 0, 0, "realm"},
		{"{'action':'deny','source':'192.0.2.7','realm':1}", NULL, 0, 0, 0, "realm"},
	};
	struct config *c = config_get();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char json[256], text[NET_ENDPOINT_STRLEN];
		struct rec_source_set rec;
		const char *why = NULL;
		uint16_t realm;
		json_t *params;
		int rc;

		snprintf(json, sizeof(json), "%s", cases[i].params);
		for (char *p = json; *p != '\0'; p++)
			if (*p == '\'')
				*p = '"';
		params = json_loads(json, 0, NULL);
		assert_non_null(params);
		rc = source_command_parse(c, params, &rec, &realm, &why);
		json_decref(params);
		if (cases[i].source == NULL) {
			assert_int_equal(rc, -EINVAL);
			if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
				fail_msg("%s: %s", json, why);
			continue;
		}
		if (rc != 0)
			fail_msg("%s: %s", json, why);
		assert_string_equal(source_format(&rec.source, text), cases[i].source);
		assert_int_equal(rec.cmd.hdr.type, REC_SOURCE_SET);
		assert_int_equal(rec.reason, SOURCE_REASON_OPERATOR);
		assert_int_equal(rec.source_class, cases[i].class);
		assert_int_equal(rec.seconds, cases[i].seconds);
		assert_int_equal(realm, cases[i].realm);
	}
	config_free(c);
}

/* A flood of denials, also of what there is not, does not make a flood of lines; an operator's word
 * is always written. */
static void test_source_log(void **state)
{
	struct config *c = config_get();
	struct log_limit limit = {0};
	struct rec_source_event event = {
		.source = {.addr = net_addr_v4("\xc0\x00\x02\x07"), .port = 5060},
		.seconds = 60,
	};
	int saved = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	unsigned int lines = 0;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	for (unsigned int i = 0; i < 1000; i++) {
		event.source_class = (uint8_t)i;
		event.reason = (uint8_t)(i / 3);
		event.realm = (uint16_t)(i * 97);
		source_log_put(i % 10 == 0 ? NULL : &limit, c, "fast path", &event);
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	for (int ch; (ch = fgetc(f)) != EOF;)
		lines += ch == '\n';
	fclose(f);
	assert_in_range(lines, 100 + LOG_LIMIT_BURST, 100 + 5 * LOG_LIMIT_BURST);
	config_free(c);
}

static void test_show_of_a_hostile_mapping(void **state)
{
	struct stats *s = malloc(sizeof(*s));
	struct config *c = config_get();
	json_t *all[11], *call;
	char *text;

	assert_non_null(s);
	memset(s, 0xff, sizeof(*s));
	call = json_pack("{s:[{s:b, s:{s:i}, s:{s:I}}, i]}", "media", "active", 1, "caller", "flow",
		1, "callee", "flow", (json_int_t)INT64_MAX, 1);
	assert_non_null(call);
	show_call_live(s, sizeof(*s), call);
	all[0] = show_dataplane(s, 1);
	all[1] = show_workers(s, 1);
	all[2] = show_ports(s);
	all[3] = show_graph(s);
	all[4] = show_drops(s, true);
	all[5] = show_pools(s);
	all[6] = show_flat(s);
	all[7] = call;
	all[8] = show_limits(c, s);
	all[9] = show_sources(c, s);
	all[10] = json_object();
	show_limits_flat(all[10], c, s);
	assert_int_equal(json_array_size(all[1]), API_WORKERS_MAX);
	assert_int_equal(json_array_size(all[2]), API_PORTS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_non_null(all[i]);
		text = json_dumps(all[i], 0);
		assert_non_null(text);
		for (const char *p = text; *p != '\0'; p++)
			assert_true(*p >= 0x20 && *p < 0x7f);
		free(text);
		json_decref(all[i]);
	}
	config_free(c);
	free(s);
}

static void test_live_counts_of_a_call(void **state)
{
	size_t bytes = sizeof(struct stats) + 3 * sizeof(struct stats_flow);
	struct stats *s = aligned_alloc(64, (bytes + 63) / 64 * 64);
	struct stats_flow *flows;
	json_t *call, *side;

	assert_non_null(s);
	memset(s, 0, bytes);
	s->flow_offset = (sizeof(*s) + 63) / 64 * 64;
	bytes = s->flow_offset + 2 * sizeof(struct stats_flow);
	flows = (struct stats_flow *)((char *)s + s->flow_offset);
	flows[1].packets = 40;
	flows[1].policed = 3;
	flows[1].lost = 2;
	flows[1].quality = (struct rtp_quality){.base_seq = 101,
		.max_seq = 149,
		.received = 40,
		.jitter = 16 * 8,
		.jitter_max = 16 * 80,
		.late_gaps = 5};
	call = json_pack("{s:[{s:s, s:s, s:s, s:i, s:b, s:{s:i, s:i}, s:{s:i, s:i}}]}", "media",
		"media", "audio", "kind", "rtp", "codec", "PCMU", "clock_hz", 8000, "active", 1,
		"caller", "flow", 1, "packets", 2, "callee", "flow", 2, "packets", 3);
	show_call_live(s, bytes, call);
	media_json_grade(json_object_get(call, "media"));
	side = json_object_get(json_array_get(json_object_get(call, "media"), 0), "caller");
	assert_int_equal(json_integer_value(json_object_get(side, "packets")), 42);
	assert_int_equal(json_integer_value(json_object_get(side, "policed")), 3);
	assert_int_equal(json_integer_value(json_object_get(side, "lost")), 2 + 9);
	assert_int_equal(json_integer_value(json_object_get(side, "late_gaps")), 5);
	assert_int_equal((int)(10 * json_real_value(json_object_get(side, "jitter_ms"))), 10);
	assert_int_equal((int)(10 * json_real_value(json_object_get(side, "jitter_max_ms"))), 100);
	/* 11 of 56: what was policed did arrive */
	assert_int_equal((int)(10 * json_real_value(json_object_get(side, "loss_percent"))), 196);
	assert_in_range((int)(10 * json_real_value(json_object_get(side, "mos"))), 20, 30);
	side = json_object_get(json_array_get(json_object_get(call, "media"), 0), "callee");
	assert_int_equal(json_integer_value(json_object_get(side, "packets")), 3); /* outside */
	json_decref(call);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_realm_commands),
		cmocka_unit_test(test_show_account),
		cmocka_unit_test(test_show_limits),
		cmocka_unit_test(test_show_sources),
		cmocka_unit_test(test_source_command),
		cmocka_unit_test(test_source_log),
		cmocka_unit_test(test_realm_without_its_port_is_left_out),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_of_a_hostile_mapping),
		cmocka_unit_test(test_live_counts_of_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
