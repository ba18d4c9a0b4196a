/*
 * The policer: levels and their order, denial and demotion, lists, lane, kernel-bound limits,
 * a million sources.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include <rte_eal.h>
#include <rte_ring_elem.h>

#include "boundary.h"
#include "police.h"
#include "worker.h"

#define SECOND 1000000000ull
#define MS 1000000ull
#define REALM 3

static const uint64_t key[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};
static struct police *police;
static uint64_t now_ns;

/* --- */

static struct net_addr ipv4(uint32_t ip)
{
	ip = rte_cpu_to_be_32(ip);
	return net_addr_v4(&ip);
}

/* One message. */
static int send_one(const struct realm_police *limits, uint32_t ip, uint16_t port,
	enum police_method method, enum source_class *source_class)
{
	struct police_message m = {.method = (uint8_t)method, .sip_class = SIP_CLASS_NEW};
	struct net_addr addr = ipv4(ip);
	enum source_class ignored;

	police_prepare(police, &m, &addr, port, REALM);
	police_fetch(police, &m);
	m.listed = source_list_find(&addr, REALM, port);
	return police_sip(police, &m, limits, now_ns, source_class ? source_class : &ignored);
}

static unsigned int passes(
	const struct realm_police *limits, uint32_t ip, uint16_t port, unsigned int n)
{
	unsigned int passed = 0;

	for (unsigned int i = 0; i < n; i++)
		passed += send_one(limits, ip, port, POLICE_METHOD_COUNT, NULL) == POLICE_PASS;
	return passed;
}

/* Would sip_admit let it through? */
static bool denied(uint32_t ip, uint16_t port)
{
	struct net_addr addr = ipv4(ip);
	struct source_key own, address;

	source_key(police->sources, &addr, port, REALM, SOURCE_PORT, &own);
	source_key(police->sources, &addr, 0, REALM, SOURCE_ADDRESS, &address);
	return police_denied(police, police_denies_ports(police) ? &own : NULL,
		police_denies_addresses(police) ? &address : NULL,
		source_list_find(&addr, REALM, port), source_clock(now_ns));
}

static bool event_take(struct police_note *note)
{
	return rte_ring_sc_dequeue_elem(police->event, note, sizeof(*note)) == 0;
}

/* Control's word, all the way through the ring. */
static void control_says(uint32_t ip, uint16_t port, enum source_class source_class,
	enum source_reason reason, uint32_t seconds)
{
	struct rec_source_set r = {.source = {.addr = ipv4(ip), .port = port},
		.realm = REALM,
		.source_class = (uint8_t)source_class,
		.reason = (uint8_t)reason,
		.seconds = seconds};

	assert_int_equal(police_source_set(&r), 0);
	police_poll(police, now_ns);
}

static void list(const char *prefix, uint16_t port, enum list_action action, uint32_t rate)
{
	struct rec_source_list_set r = {.realm = API_REALM_ANY,
		.port = port,
		.action = (uint8_t)action,
		.limit = {rate, rate}};

	assert_int_equal(
		net_prefix_parse((struct str_view){prefix, strlen(prefix)}, &r.addr, &r.prefix_len),
		0);
	assert_int_equal(source_list_set(&r, 1), 0);
}

static int fresh(void **state)
{
	police = police_new(0, 1, 4096, key);
	assert_non_null(police);
	workers[0].police = police;
	n_workers = 1;
	now_ns = 1000 * SECOND;
	return 0;
}

static int gone(void **state)
{
	source_list_sync(2);
	police_free(police);
	n_workers = 0;
	return 0;
}

/* --- levels --- */

/* A burst from `hosts` hosts of `nets` networks and `ports` ports each, `each` messages from
 * every port, with one level limited to 10: how many pass, and why not the others. */
static void each_level_alone(void **state)
{
	static const struct rate_limit ten = {1, 10};
	static const struct {
		struct realm_police limits;
		unsigned int nets, hosts, ports, each;
		unsigned int passed;
		int reason;
	} cases[] = {
		{{.sip_prefix.rate = 0}, 2, 2, 2, 50, 400, POLICE_PASS},
		{{.sip = ten}, 2, 2, 2, 50, 80, DROP_SIP_RATE},
		{{.sip_address = ten}, 2, 2, 2, 50, 40, DROP_SIP_ADDRESS_RATE},
		{{.sip_prefix = ten}, 2, 2, 2, 50, 20, DROP_SIP_PREFIX_RATE},
		{{.sip_untrusted = ten}, 2, 2, 2, 50, 10, DROP_SIP_UNTRUSTED_RATE},
		{{.sip_method[POLICE_OPTIONS] = ten}, 2, 2, 2, 50, 80, DROP_SIP_METHOD_RATE},
		{{.sip_method[POLICE_INVITE] = ten}, 2, 2, 2, 50, 400, POLICE_PASS},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int passed = 0;

		for (unsigned int n = 0; n < cases[i].nets * cases[i].hosts; n++) {
			uint32_t ip = 0x0a000001 + (n / cases[i].hosts << 8) + n % cases[i].hosts;

			for (unsigned int k = 0; k < cases[i].ports * cases[i].each; k++) {
				int rc = send_one(&cases[i].limits, ip,
					(uint16_t)(5060 + k % cases[i].ports), POLICE_OPTIONS,
					NULL);

				passed += rc == POLICE_PASS;
				assert_true(rc == POLICE_PASS || rc == cases[i].reason);
			}
		}
		assert_int_equal(passed, cases[i].passed);
		gone(state);
		fresh(state);
	}
}

/* Threat 4: one bad phone behind a NAT, far above its own rate. */
static void a_refusal_eats_nobodys_tokens(void **state)
{
	const struct realm_police limits = {.sip = {10, 10},
		.sip_address = {20, 20},
		.sip_prefix = {30, 30},
		.sip_untrusted = {40, 40}};

	assert_int_equal(passes(&limits, 0x0a000001, 6000, 10000), 10);
	assert_int_equal(passes(&limits, 0x0a000001, 6001, 10), 10);
	/* the address has none left, its neighbour does */
	assert_int_equal(passes(&limits, 0x0a000001, 6002, 10000), 0);
	assert_int_equal(passes(&limits, 0x0a000002, 6000, 10000), 10);
	assert_int_equal(passes(&limits, 0x0a000003, 6000, 10000), 0);
	assert_int_equal(passes(&limits, 0x0b000001, 6000, 10000), 10);
	assert_int_equal(passes(&limits, 0x0c000001, 6000, 10000), 0);
}

static void only_the_offender_behind_a_nat_is_denied(void **state)
{
	const struct realm_police limits = {.sip = {10, 10},
		.sip_address = {100000, 100000},
		.deny_after = 20,
		.deny_window_s = 10,
		.deny_s = 60};
	const uint32_t nat = 0x0a000001;

	for (unsigned int ms = 0; ms < 5000; ms += 100, now_ns += 100 * MS) {
		for (uint16_t phone = 0; phone < 1000; phone += 50)
			assert_int_equal(passes(&limits, nat, (uint16_t)(10000 + phone), 1), 1);
		passes(&limits, nat, 9999, 50);
	}
	assert_true(denied(nat, 9999));
	for (uint16_t phone = 0; phone < 1000; phone++)
		assert_false(denied(nat, (uint16_t)(10000 + phone)));
}

/* --- denial, demotion --- */

static const struct realm_police strict = {
	.sip = {10, 10}, .deny_after = 5, .deny_window_s = 10, .deny_s = 30};

static void denial_begins_and_ends(void **state)
{
	struct net_addr expected = ipv4(1);
	struct police_note note;

	assert_int_equal(passes(&strict, 1, 5060, 14), 10); /* four refusals */
	assert_false(denied(1, 5060));
	assert_false(event_take(&note));
	assert_int_equal(send_one(&strict, 1, 5060, POLICE_OTHER, NULL), DROP_SIP_RATE);
	assert_true(denied(1, 5060));
	assert_false(denied(1, 5061));
	assert_false(denied(2, 5060));
	assert_true(event_take(&note));
	assert_int_equal(note.source.port, 5060);
	assert_int_equal(note.realm, REALM);
	assert_int_equal(note.source_class, SOURCE_DENIED);
	assert_int_equal(note.reason, SOURCE_REASON_RATE);
	assert_int_equal(note.seconds, 30);
	assert_true(net_addr_eq(&note.source.addr, &expected));
	assert_false(event_take(&note));
	/* behind the scan too */
	assert_int_equal(send_one(&strict, 1, 5060, POLICE_OTHER, NULL), DROP_SIP_DENIED);
	now_ns += 29 * SECOND;
	assert_true(denied(1, 5060));
	now_ns += 2 * SECOND;
	assert_false(denied(1, 5060));
	assert_int_equal(passes(&strict, 1, 5060, 1), 1);
}

static void refusals_count_within_the_window(void **state)
{
	static const struct {
		struct realm_police limits;
		uint64_t apart; /* of refusals */
		unsigned int until_denied;
	} cases[] = {
		{{.sip = {1, 1}, .deny_after = 5, .deny_window_s = 10, .deny_s = 30}, 500 * MS, 5},
		{{.sip = {1, 1}, .deny_after = 5, .deny_window_s = 10, .deny_s = 30}, 3 * SECOND,
			0},
		{{.sip = {1, 1}, .deny_after = 0, .deny_window_s = 10, .deny_s = 30}, 1 * MS, 0},
		{{.sip = {1, 1}, .deny_after = 1, .deny_window_s = 0, .deny_s = 30}, 1 * MS, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int refused = 0;

		for (; refused < 50 && !denied(1, 5060); now_ns += cases[i].apart) {
			while (passes(&cases[i].limits, 1, 5060, 1) == 1)
				;
			refused++;
		}
		assert_int_equal(refused, cases[i].until_denied != 0 ? cases[i].until_denied : 50);
		gone(state);
		fresh(state);
	}
}

/* Threat 3: a flood from a registered address and port. */
static void the_trusted_are_demoted_first(void **state)
{
	enum source_class source_class;
	struct police_note note;
	uint64_t start;

	control_says(1, 5060, SOURCE_TRUSTED, SOURCE_REASON_REGISTERED, 3600);
	send_one(&strict, 1, 5060, POLICE_OTHER, &source_class);
	assert_int_equal(source_class, SOURCE_TRUSTED);
	for (start = now_ns; source_class == SOURCE_TRUSTED; now_ns += MS)
		send_one(&strict, 1, 5060, POLICE_OTHER, &source_class);
	assert_true(now_ns - start < SECOND);
	assert_int_equal(source_class, SOURCE_UNTRUSTED);
	assert_false(denied(1, 5060));
	assert_true(event_take(&note));
	assert_int_equal(note.source_class, SOURCE_UNTRUSTED);
	assert_int_equal(note.reason, SOURCE_REASON_RATE);
	passes(&strict, 1, 5060, 100);
	assert_true(event_take(&note));
	assert_int_equal(note.source_class, SOURCE_DENIED);
	/* It may be forged: read, but nothing of it goes on except the lane. */
	assert_false(denied(1, 5060));
	assert_int_equal(send_one(&strict, 1, 5060, POLICE_OTHER, &source_class), DROP_SIP_DENIED);
	assert_int_equal(source_class, SOURCE_DENIED);
	/* control's denial is meant */
	control_says(1, 5060, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	assert_true(denied(1, 5060));
	/* and its promotion as well */
	control_says(1, 5060, SOURCE_TRUSTED, SOURCE_REASON_CALL, 60);
	assert_false(denied(1, 5060));
	now_ns += 5 * SECOND;
	assert_int_equal(send_one(&strict, 1, 5060, POLICE_OTHER, &source_class), POLICE_PASS);
	assert_int_equal(source_class, SOURCE_TRUSTED);
}

/* Whose entry decides: by address and port first, but what control denied is denied. */
static void classes_of_address_and_port(void **state)
{
	static const struct {
		enum source_class port, address;
		enum source_reason reason;
		bool denied;
	} cases[] = {
		{SOURCE_UNTRUSTED, SOURCE_UNTRUSTED, SOURCE_REASON_NONE, false},
		{SOURCE_DENIED, SOURCE_UNTRUSTED, SOURCE_REASON_AUTH, true},
		{SOURCE_DENIED, SOURCE_TRUSTED, SOURCE_REASON_AUTH, true},
		{SOURCE_UNTRUSTED, SOURCE_DENIED, SOURCE_REASON_RATE, true},
		{SOURCE_TRUSTED, SOURCE_DENIED, SOURCE_REASON_RATE, false},
		{SOURCE_TRUSTED, SOURCE_DENIED, SOURCE_REASON_SCAN, true},
		{SOURCE_TRUSTED, SOURCE_DENIED, SOURCE_REASON_OPERATOR, true},
		{SOURCE_TRUSTED, SOURCE_TRUSTED, SOURCE_REASON_CALL, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].port != SOURCE_UNTRUSTED)
			control_says(1, 5060, cases[i].port, cases[i].reason, 60);
		if (cases[i].address != SOURCE_UNTRUSTED)
			control_says(1, 0, cases[i].address, cases[i].reason, 60);
		assert_int_equal(denied(1, 5060), cases[i].denied);
		gone(state);
		fresh(state);
	}
}

/* An attacker who changes ports is refused by the address's bucket, and that is denied. */
static void hopping_over_ports_denies_the_address(void **state)
{
	const struct realm_police limits = {.sip = {10, 10},
		.sip_address = {20, 20},
		.deny_after = 50,
		.deny_window_s = 10,
		.deny_s = 30};

	control_says(1, 5060, SOURCE_TRUSTED, SOURCE_REASON_CALL, 600);
	for (uint16_t port = 10000; port < 10100; port++)
		passes(&limits, 1, port, 1);
	assert_true(denied(1, 20000));
	assert_false(denied(1, 5060)); /* trusted, behind the same NAT */
	assert_int_equal(passes(&limits, 1, 5060, 5), 5);
}

static void control_forgets(void **state)
{
	control_says(1, 0, SOURCE_DENIED, SOURCE_REASON_OPERATOR, 60);
	assert_true(denied(1, 1));
	control_says(1, 0, SOURCE_UNTRUSTED, SOURCE_REASON_OPERATOR, 1);
	assert_false(denied(1, 1));
	/* nobody is made by it */
	control_says(2, 5060, SOURCE_UNTRUSTED, SOURCE_REASON_NONE, 1);
	assert_int_equal(source_table_used(police->sources), 1);
}

/* --- lists --- */

static void listed_sources(void **state)
{
	struct realm_police limits = strict;
	enum source_class source_class;

	limits.sip_untrusted = (struct rate_limit){1, 1};
	list("0.0.1.0/24", 0, LIST_PEER, 100);
	list("0.0.2.0/24", 0, LIST_PERMIT, 0);
	list("0.0.3.1/32", 5060, LIST_PEER, 7);
	/* a peer's limit is for the prefix as a whole, and nothing else counts */
	assert_int_equal(passes(&limits, 0x101, 5060, 70), 70);
	assert_int_equal(passes(&limits, 0x102, 5061, 70), 30);
	assert_int_equal(
		send_one(&limits, 0x103, 1, POLICE_OTHER, &source_class), DROP_SIP_PEER_RATE);
	assert_int_equal(source_class, SOURCE_TRUSTED);
	assert_int_equal(passes(&limits, 0x101, 5060, 5000), 0);
	assert_int_equal(passes(&limits, 0x201, 5060, 5000), 5000);
	assert_int_equal(passes(&limits, 0x301, 5060, 5000), 7);
	assert_int_equal(passes(&limits, 0x301, 5061, 5000), 1); /* another port: a stranger */
	/* never denied, but by the operator */
	control_says(0x101, 5060, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	assert_false(denied(0x101, 5060));
	control_says(0x101, 5060, SOURCE_DENIED, SOURCE_REASON_OPERATOR, 60);
	assert_true(denied(0x101, 5060));
}

/* --- lane --- */

static int lane_send(const struct realm_police *limits, uint32_t ip, uint64_t nonce)
{
	struct police_message m = {
		.method = POLICE_METHOD_COUNT, .sip_class = SIP_CLASS_LANE, .nonce = nonce};
	struct net_addr addr = ipv4(ip);
	enum source_class source_class;

	police_prepare(police, &m, &addr, 5060, REALM);
	return police_sip(police, &m, limits, now_ns, &source_class);
}

static void the_lane_has_its_own_rate(void **state)
{
	struct realm_police limits = strict;
	unsigned int passed = 0;

	limits.sip_dialog = (struct rate_limit){5, 20};
	limits.sip_untrusted = (struct rate_limit){1, 1};
	passes(&limits, 1, 5060, 1000); /* no tokens anywhere, and denied */
	for (unsigned int i = 0; i < 100; i++) {
		int rc = lane_send(&limits, 1, 0x1111);

		passed += rc == POLICE_PASS;
		assert_true(rc == POLICE_PASS || rc == DROP_SIP_DIALOG_RATE);
	}
	assert_int_equal(passed, 20);
	assert_int_equal(lane_send(&limits, 1, 0x2222), POLICE_PASS);
	now_ns += SECOND;
	for (passed = 0; lane_send(&limits, 1, 0x1111) == POLICE_PASS;)
		passed++;
	assert_int_equal(passed, 5);
}

static void many_dialogs_are_bounded(void **state)
{
	struct realm_police limits = {.sip_dialog = {1, 2}};
	uint64_t nonce = 88172645463325252ull;
	unsigned int passed = 0;

	/* more than there are places, each once: nobody is refused for lack of one */
	for (unsigned int i = 0; i < 200000; i++) {
		nonce ^= nonce << 13;
		nonce ^= nonce >> 7;
		nonce ^= nonce << 17;
		passed += lane_send(&limits, 1, nonce) == POLICE_PASS;
	}
	assert_int_equal(passed, 200000);
}

/* --- a million --- */

/* Threat 2: a spoofed flood takes the untrusted share and no more, in the memory that is there. */
static void a_spoofed_flood_takes_the_untrusted_share(void **state)
{
	struct realm_police limits = {.sip = {50, 100},
		.sip_address = {200, 400},
		.sip_prefix = {1000, 2000},
		.sip_untrusted = {2000, 2000},
		.deny_after = 100,
		.deny_window_s = 10,
		.deny_s = 60};
	size_t bytes = source_table_bytes(police->sources);
	unsigned int passed = 0, trusted = 0, sent_trusted = 0;

	control_says(0x7f000001, 5060, SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
	for (uint32_t i = 0; i < 1000000; i++, now_ns += 2000) { /* two seconds */
		uint32_t ip = i * 2654435761u;

		passed += send_one(&limits, ip, (uint16_t)i, POLICE_INVITE, NULL) == POLICE_PASS;
		if (i % 50000 == 0) {
			sent_trusted++;
			trusted += passes(&limits, 0x7f000001, 5060, 1);
		}
	}
	assert_int_equal(trusted, sent_trusted);
	assert_in_range(passed, 5990, 6001);
	/* no entries for what the share refused */
	assert_true(source_table_used(police->sources) <= 3 * passed + 1);
	assert_true(source_table_used(police->sources) <= source_table_size(police->sources));
	assert_int_equal(source_table_bytes(police->sources), bytes);
}

/* Without a share the table fills: strangers get what the sets' overflow buckets give, those who
 * were there keep their own. */
static void a_full_table_is_shared_by_newcomers(void **state)
{
	struct realm_police limits = {.sip = {1, 10}};
	unsigned int sets = police->sources->sets, full = 0;

	assert_int_equal(passes(&limits, 1, 5060, 5), 5);
	for (uint32_t i = 0; i < 100000; i++) {
		int rc = send_one(&limits, 0x0a000000 + i, 5060, POLICE_OTHER, NULL);

		full += rc == DROP_SIP_SOURCES_FULL;
		assert_true(rc == POLICE_PASS || rc == DROP_SIP_SOURCES_FULL);
	}
	assert_int_equal(full, 100001 - source_table_size(police->sources) - 10 * sets);
	assert_int_equal(passes(&limits, 1, 5060, 100), 5);
}

/* --- kernel-bound --- */

static void kernel_bound_limits(void **state)
{
	const struct realm_police limits = {
		.tcp_syn = {10, 10}, .tcp_bytes = {1000, 10000}, .icmp = {5, 5}};
	static const struct {
		enum police_kernel kind;
		uint32_t bytes, passed;
		int reason;
	} cases[] = {
		{POLICE_TCP_SYN, 60, 10, DROP_PUNT_SYN},
		{POLICE_TCP, 1000, 10, DROP_PUNT_TCP},
		{POLICE_ICMP, 84, 5, DROP_PUNT_ICMP},
		{POLICE_KERNEL_OTHER, 1000, 100, POLICE_PASS},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_addr addr = ipv4(0x0a000000 + (uint32_t)i);
		struct net_addr other = ipv4(0x0b000000 + (uint32_t)i);
		unsigned int passed = 0;

		for (unsigned int k = 0; k < 100; k++) {
			int rc = police_kernel(police, &addr, REALM, &limits, cases[i].kind,
				cases[i].bytes, now_ns);

			passed += rc == POLICE_PASS;
			assert_true(rc == POLICE_PASS || rc == cases[i].reason);
		}
		assert_int_equal(passed, cases[i].passed);
		assert_int_equal(police_kernel(police, &other, REALM, &limits, cases[i].kind,
					 cases[i].bytes, now_ns),
			POLICE_PASS);
	}
}

static void kernel_bound_denial(void **state)
{
	const struct realm_police limits = {.tcp_syn = {1, 1}};
	static const struct {
		uint32_t ip;
		int expected;
	} cases[] = {
		{0x101, DROP_PUNT_DENIED}, /* listed */
		{0x201, POLICE_PASS},	   /* permitted: no limits */
		{0x301, DROP_PUNT_DENIED}, /* denied by control */
		{0x401, POLICE_PASS},	   /* one port of it is */
		{0x501, POLICE_PASS},
	};

	list("0.0.1.0/24", 0, LIST_DENY, 0);
	list("0.0.2.0/24", 0, LIST_PERMIT, 0);
	control_says(0x301, 0, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	control_says(0x401, 5060, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_addr addr = ipv4(cases[i].ip);

		assert_int_equal(
			police_kernel(police, &addr, REALM, &limits, POLICE_TCP_SYN, 60, now_ns),
			cases[i].expected);
	}
	for (unsigned int i = 0; i < 100; i++) {
		struct net_addr addr = ipv4(0x201);

		assert_int_equal(
			police_kernel(police, &addr, REALM, &limits, POLICE_TCP_SYN, 60, now_ns),
			POLICE_PASS);
	}
}

/* --- what main shows --- */

static void denied_sources_are_shown_first(void **state)
{
	const struct stats_source *s = stats_region->source;
	struct realm_police limits = {.sip = {1, 1}};

	/* source i is refused i times */
	for (uint32_t i = 1; i <= 200; i++)
		passes(&limits, i, 5060, i + 1);
	control_says(7, 0, SOURCE_DENIED, SOURCE_REASON_OPERATOR, 90);
	police_top_refresh(now_ns + 10 * SECOND);
	assert_int_equal(s[0].source_class, SOURCE_DENIED);
	assert_int_equal(s[0].reason, SOURCE_REASON_OPERATOR);
	assert_int_equal(s[0].left_s, 80);
	assert_int_equal(s[0].source.port, 0);
	assert_int_equal(s[0].source.addr.bytes[3], 7);
	for (unsigned int i = 1; i < STATS_SOURCES_MAX; i++) {
		assert_int_equal(s[i].refused, 201 - i);
		assert_int_equal(s[i].messages, 1);
		assert_int_equal(s[i].source.addr.bytes[3], (201 - i) & 0xff);
		assert_int_equal(s[i].source.port, 5060);
		assert_int_equal(s[i].realm, REALM);
		assert_int_equal(s[i].left_s, 0);
	}
	now_ns += 1000 * SECOND;
	for (unsigned int i = 0; i < 10000; i++, now_ns += 5 * MS)
		police_poll(police, now_ns);
	police_top_refresh(now_ns);
	assert_int_equal(s[0].source.addr.family, NET_FAMILY_NONE);
	assert_int_equal(source_table_used(police->sources), 0);
}

/* Nobody is shown for what the source did that had its place before. */
static void places_that_changed_hands_are_not_shown(void **state)
{
	const struct realm_police tight = {.sip = {1, 1}}, wide = {.sip = {1000, 1000}};
	uint32_t places = source_table_size(police->sources);

	for (uint32_t i = 0; i < places; i++)
		passes(&tight, i, 5060, 2);
	now_ns += 1000 * SECOND;
	for (unsigned int i = 0; i < 10000; i++, now_ns += 5 * MS)
		police_poll(police, now_ns);
	passes(&tight, 7, 5060, 9);
	for (uint32_t i = 0; i < places; i++)
		passes(&wide, 0x01000000 + i, 5060, 2);
	police_top_refresh(now_ns);
	assert_int_equal(stats_region->source[0].source.addr.bytes[3], 7);
	assert_int_equal(stats_region->source[1].source.addr.family, NET_FAMILY_NONE);
}

static void rings_that_are_full(void **state)
{
	struct rec_source_set r = {.source = {.addr = ipv4(1), .port = 1},
		.source_class = SOURCE_DENIED,
		.seconds = 60};
	unsigned int n = 0;

	while (police_source_set(&r) == 0) {
		r.source.port++;
		n++;
	}
	assert_int_equal(police_source_set(&r), -EAGAIN);
	assert_in_range(n, 8000, 8192);
	for (unsigned int i = 0; i < 32; i++)
		police_poll(police, now_ns);
	/* nearly all: of a set full of denied ones, one gives way */
	assert_in_range(source_table_used(police->sources), n / 10 * 8, n);
	assert_int_equal(police_source_set(&r), 0);
}

/* Trust and denial take room where the source's packets come, and nowhere else. */
static void told_to_the_owner_alone(void **state)
{
	struct rec_source_set r = {
		.source = {.addr = ipv4(0)}, .source_class = SOURCE_TRUSTED, .seconds = 60};
	struct police *other = police_new(1, 2, 4096, key);
	uint32_t used[2];

	assert_non_null(other);
	workers[1].police = other;
	n_workers = 2;
	worker_source_key[1] = 0x9e3779b97f4a7c15ull;
	for (uint32_t n = 0; n < 200; n++) {
		r.source.addr.bytes[2] = (uint8_t)(n + 1);
		assert_int_equal(police_source_set(&r), 0);
	}
	police_poll(police, now_ns);
	police_poll(other, now_ns);
	used[0] = source_table_used(police->sources);
	used[1] = source_table_used(other->sources);
	n_workers = 1;
	workers[1].police = NULL;
	police_free(other);
	assert_int_equal(used[0] + used[1], 200);
	assert_in_range(used[0], 50, 150);
}

static int setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	assert_true(rte_eal_init(ARRAY_LEN(argv), argv) >= 0);
	source_list_init();
	return stats_region_init(64, 1, false);
}

#define POLICE_TEST(f) cmocka_unit_test_setup_teardown(f, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLICE_TEST(each_level_alone),
		POLICE_TEST(a_refusal_eats_nobodys_tokens),
		POLICE_TEST(only_the_offender_behind_a_nat_is_denied),
		POLICE_TEST(denial_begins_and_ends),
		POLICE_TEST(refusals_count_within_the_window),
		POLICE_TEST(the_trusted_are_demoted_first),
		POLICE_TEST(classes_of_address_and_port),
		POLICE_TEST(hopping_over_ports_denies_the_address),
		POLICE_TEST(control_forgets),
		POLICE_TEST(listed_sources),
		POLICE_TEST(the_lane_has_its_own_rate),
		POLICE_TEST(many_dialogs_are_bounded),
		POLICE_TEST(a_spoofed_flood_takes_the_untrusted_share),
		POLICE_TEST(a_full_table_is_shared_by_newcomers),
		POLICE_TEST(kernel_bound_limits),
		POLICE_TEST(kernel_bound_denial),
		POLICE_TEST(denied_sources_are_shown_first),
		POLICE_TEST(places_that_changed_hands_are_not_shown),
		POLICE_TEST(rings_that_are_full),
		POLICE_TEST(told_to_the_owner_alone),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
