/*
 * From what peers do to what the fast path is told of them: calls that succeed, calls that fail,
 * scans by any method, garbage. The caller is no configured peer here.
 */
#include "lab.h"

#define STRANGER "192.0.2.77"

static int setup(void **state)
{
	lab_init(&lab);
	lab.realms[OUTSIDE].trusted_s = 600;
	lab.realms[OUTSIDE].police.deny_after = 500;
	lab.realms[OUTSIDE].police.deny_s = 60;
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static struct ua stranger(const char *user)
{
	struct ua u = ua_caller(&lab, user);

	snprintf(u.addr, sizeof(u.addr), "%s:5060", STRANGER);
	return u;
}

static void expect_told(enum source_class class, enum source_reason reason, uint16_t port)
{
	char text[NET_ADDR_STRLEN];

	assert_int_equal(lab.n_told, 1);
	assert_string_equal(net_addr_format(&lab.told[0].source.addr, text), STRANGER);
	assert_int_equal(lab.told[0].source.port, port);
	assert_int_equal(lab.told[0].realm, OUTSIDE);
	assert_int_equal(lab.told[0].source_class, class);
	assert_int_equal(lab.told[0].reason, reason);
}

/* Up to the 2xx, whose ACK is not sent. */
static void call_answered(struct ua *caller, struct ua *callee)
{
	const char *invite;

	*caller = stranger("bob");
	ua_request(caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	*callee = ua_callee(&lab, invite);
	ua_respond(callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_learn(caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n"));
}

static void test_call(void **state)
{
	struct ua caller, callee;

	call_answered(&caller, &callee);
	assert_int_equal(lab.n_told, 0); /* its address is not proven before the ACK */
	ua_request(&caller, "ACK", 1, NULL, NULL);
	expect_told(SOURCE_TRUSTED, SOURCE_REASON_CALL, 5060);
	assert_int_equal(lab.told[0].seconds, 600);
	lab_hang_up(&lab, &caller, &callee);
	assert_int_equal(lab.n_told, 1);
}

static void test_ack_from_elsewhere_proves_nothing(void **state)
{
	struct ua caller, callee;

	call_answered(&caller, &callee);
	snprintf(caller.addr, sizeof(caller.addr), "192.0.2.78:5060");
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_int_equal(lab.n_told, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* The same scan by every method that scanners use, and calls that just do not come about. */
static void test_scans(void **state)
{
	static const struct {
		const char *method, *ruri, *to; /* with %u for the user */
		bool scan;
	} cases[] = {
		{"INVITE", "sip:9%u@192.0.2.1", "<sip:9%u@192.0.2.1>", true},
		{"REGISTER", "sip:192.0.2.1", "<sip:9%u@192.0.2.1>", true},
		{"OPTIONS", "sip:9%u@192.0.2.1", "<sip:9%u@192.0.2.1>", true},
		{"MESSAGE", "sip:9%u@192.0.2.1", "<sip:9%u@192.0.2.1>", true},
		{"OPTIONS", "sip:192.0.2.1", "<sip:192.0.2.1>", false},
		{"OPTIONS", "sip:alice@192.0.2.1", "<sip:alice@192.0.2.1>", false},
		{"REGISTER", "sip:192.0.2.1", "<sip:alice@192.0.2.1>", false},
	};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		for (unsigned int i = 0; i < 30; i++) {
			struct ua u = stranger("x");

			snprintf(u.addr, sizeof(u.addr), "%s:%zu", STRANGER, 6000 + c);
			snprintf(u.target, sizeof(u.target), cases[c].ruri, i);
			snprintf(u.to, sizeof(u.to), cases[c].to, i);
			ua_request(&u, cases[c].method, 1, NULL, NULL);
		}
		if (!cases[c].scan) {
			assert_int_equal(lab.n_told, 0);
			continue;
		}
		expect_told(SOURCE_DENIED, SOURCE_REASON_SCAN, (uint16_t)(6000 + c));
		assert_int_equal(lab.told[0].seconds, 60);
		reputation_forget(lab.reputation, API_REALM_ANY,
			&(struct net_endpoint){.addr = lab.told[0].source.addr});
		lab.n_told = 0;
	}
}

/* Ten INVITEs for users that do not exist. @param acked  the refusals are acknowledged. */
static void scan_once(bool acked)
{
	for (unsigned int i = 0; i < 10; i++) {
		struct ua u = stranger("x");

		snprintf(u.target, sizeof(u.target), "sip:9%u@192.0.2.1", i);
		ua_request(&u, "INVITE", 1, OUTSIDE_SDP, NULL);
		ua_learn(&u, lab_expect(&lab, OUTSIDE, "SIP/2.0 404 "));
		u.branch--; /* the ACK has the branch of its INVITE */
		if (acked)
			ua_request(&u, "ACK", 1, NULL, NULL);
	}
}

/* Who acknowledges its refusals is there itself, and is denied longer each time. */
static void test_proven_scanner(void **state)
{
	static const struct {
		bool acked;
		unsigned int seconds;
	} rounds[] = {{true, 60}, {true, 120}, {false, 60}, {true, 240}};

	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		scan_once(rounds[i].acked);
		expect_told(SOURCE_DENIED, SOURCE_REASON_SCAN, 5060);
		assert_int_equal(lab.told[0].seconds, rounds[i].seconds);
		lab.n_told = 0;
		lab_run(&lab, rounds[i].seconds * 1000 + REPUTATION_WINDOW_MS);
	}
}

static void expect_neutral(unsigned int status)
{
	for (unsigned int i = 0; i < 30; i++) {
		struct ua caller = stranger("x"), callee;
		const char *invite;

		snprintf(caller.target, sizeof(caller.target), "sip:bob%u@192.0.2.1", i);
		ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		callee = ua_callee(&lab, invite);
		ua_respond(&callee, invite, status, NULL, NULL);
	}
	assert_int_equal(lab.n_told, 0);
}

static void test_busy_callees(void **state)
{
	expect_neutral(486);
}

/* A number digit by digit (RFC 3578): each is another user, of which none exists but the last. */
static void test_overlap_dialling(void **state)
{
	expect_neutral(484);
}

static void feed_garbage(unsigned int n)
{
	static const char text[] = "INVITE sip:a SIP/2.0\r\nVia: nonsense\r\nFrom: \r\n\r\n";

	for (unsigned int i = 0; i < n; i++)
		lab_feed(&lab, OUTSIDE, STRANGER ":5060", text, sizeof(text) - 1);
}

static void test_garbage(void **state)
{
	feed_garbage(49);
	assert_int_equal(lab.n_told, 0);
	feed_garbage(1);
	expect_told(SOURCE_DENIED, SOURCE_REASON_MALFORMED, 5060);
}

/* Somebody forges the address of who is in a call for two hours, and was until lately. */
static void test_long_call(void **state)
{
	struct ua caller, callee;

	call_answered(&caller, &callee);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_run(&lab, 7200000);
	assert_true(lab.n_told > 7200 / 600); /* trusted all the time */
	lab.n_told = 0;
	feed_garbage(500);
	expect_told(SOURCE_UNTRUSTED, SOURCE_REASON_MALFORMED, 5060);
	lab_hang_up(&lab, &caller, &callee);
	lab_run(&lab, 3500000);
	feed_garbage(500);
	assert_int_equal(lab.n_told, 1);
	lab_run(&lab, 200000);
	lab.n_told = 0;
	feed_garbage(50);
	expect_told(SOURCE_DENIED, SOURCE_REASON_MALFORMED, 5060);
}

/* One REGISTER with these credentials, answered so. */
static void try_register(
	struct ua *u, const char *credentials, unsigned int status, const char *challenge)
{
	char answer[32];
	const char *req;
	struct ua registrar;

	ua_request(u, "REGISTER", ++u->cseq, NULL, credentials);
	req = lab_expect(&lab, INSIDE, "REGISTER ");
	registrar = ua_callee(&lab, req);
	ua_respond(&registrar, req, status, NULL, challenge);
	snprintf(answer, sizeof(answer), "SIP/2.0 %u", status);
	lab_expect(&lab, OUTSIDE, answer);
}

#define CREDENTIALS(nonce) \
	"Authorization: Digest username=\"bob\", realm=\"x\", nonce=\"" nonce "\", " \
	"response=\"00000000000000000000000000000000\"\r\n"
#define CHALLENGE(nonce, more) \
	"WWW-Authenticate: Digest realm=\"x\", nonce=\"" nonce "\"" more "\r\n"

static struct ua phone(void)
{
	struct ua u = stranger("bob");

	lab.realms[OUTSIDE].methods.known |= 1u << SIP_REGISTER;
	snprintf(u.target, sizeof(u.target), "sip:192.0.2.1");
	return u;
}

/* Ten wrong passwords in a minute. */
static void test_wrong_passwords(void **state)
{
	static const struct {
		unsigned int status;
		const char *credentials, *challenge;
		bool denied;
	} cases[] = {
		{401, CREDENTIALS("1"), CHALLENGE("1", ""), true},
		{403, CREDENTIALS("1"), NULL, true},
		{407, "Proxy-" CREDENTIALS("1"), "Proxy-Authenticate: Digest nonce=\"1\"\r\n",
			true},
		{401, CREDENTIALS("1"), CHALLENGE("1", ", stale=true"), false},
		{401, CREDENTIALS("1"), CHALLENGE("1", ", stale=\"TRUE\""), false},
		{401, CREDENTIALS("1"), CHALLENGE("1", ", stale=false"), true},
		{401, CREDENTIALS("1"), CHALLENGE("1", ", Digest nonce=\"2\", stale=true"), false},
		{401, NULL, CHALLENGE("1", ""), false},
		{503, CREDENTIALS("1"), NULL, false},
	};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct ua u = phone();

		print_message("row %zu\n", c);
		snprintf(u.addr, sizeof(u.addr), "%s:%zu", STRANGER, 6000 + c);
		for (unsigned int i = 0; i < 10; i++)
			try_register(&u, cases[c].credentials, cases[c].status, cases[c].challenge);
		assert_int_equal(lab.n_told, cases[c].denied);
		if (cases[c].denied)
			expect_told(SOURCE_DENIED, SOURCE_REASON_AUTH, (uint16_t)(6000 + c));
		reputation_forget(lab.reputation, API_REALM_ANY,
			&(struct net_endpoint){.addr = lab.told[0].source.addr});
		lab.n_told = 0;
	}
}

/* Trusted is who brings back the nonce that only it was sent, and no forged address. */
static void test_registered(void **state)
{
	struct ua u = phone(), other = phone();

	try_register(&u, NULL, 401, CHALLENGE("7", ""));
	snprintf(other.addr, sizeof(other.addr), "192.0.2.78:5060");
	try_register(&other, CREDENTIALS("7"), 200, NULL);
	assert_int_equal(lab.n_told, 0);
	try_register(&u, CREDENTIALS("7"), 200, NULL);
	expect_told(SOURCE_TRUSTED, SOURCE_REASON_REGISTERED, 5060);
}

/* The registrar gives one nonce to all that it challenges in a second, whatever they ask for. */
static void test_nonce_is_known_to_others(void **state)
{
	static const struct {
		const char *method, *sdp, *challenge, *of_other, *credentials;
	} rows[] = {
		{"REGISTER", NULL, CHALLENGE("1", ""), CHALLENGE("1", ""), CREDENTIALS("1")},
		{"INVITE", OUTSIDE_SDP, CHALLENGE("2", ""),
			"Proxy-Authenticate: Digest realm=\"x\", nonce=\"2\"\r\n",
			CREDENTIALS("2")},
		{"INVITE", OUTSIDE_SDP, CHALLENGE("3", ""),
			"Proxy-Authenticate: Digest realm=\"y\", nonce=\"4\"\r\n"
			"Proxy-Authenticate: Digest realm=\"x\", nonce=\"3\"\r\n",
			CREDENTIALS("3")},
		{"REGISTER", NULL, CHALLENGE("5", ""),
			CHALLENGE("6", ", algorithm=SHA-256, Digest nonce=\"5\""),
			CREDENTIALS("5")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ua u = phone(), other = rows[i].sdp == NULL ? phone() : stranger("bob"),
			  server;
		const char *req;

		print_message("row %zu\n", i);
		snprintf(other.addr, sizeof(other.addr), "192.0.2.78:5060");
		try_register(&u, NULL, 401, rows[i].challenge);
		ua_request(&other, rows[i].method, 1, rows[i].sdp, NULL);
		req = lab_expect(&lab, INSIDE, rows[i].method);
		server = ua_callee(&lab, req);
		ua_respond(&server, req, 407, NULL, rows[i].of_other);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 407");
		try_register(&u, rows[i].credentials, 200, NULL);
		assert_int_equal(lab.n_told, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_ack_from_elsewhere_proves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scans, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proven_scanner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_callees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlap_dialling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_passwords, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonce_is_known_to_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
