/* The policer: what is not of one source. The lane, a million sources, kernel-bound limits. */
#include "police_lab.h"

/* --- lane --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLICE_TEST(the_lane_has_its_own_rate),
		POLICE_TEST(many_dialogs_are_bounded),
		POLICE_TEST(a_spoofed_flood_takes_the_untrusted_share),
		POLICE_TEST(a_full_table_is_shared_by_newcomers),
		POLICE_TEST(kernel_bound_limits),
		POLICE_TEST(kernel_bound_denial),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
