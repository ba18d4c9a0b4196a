/* The policer: levels and their order, denial and demotion, lists. */
#include "police_lab.h"

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
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
