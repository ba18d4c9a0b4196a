/* Session timers (RFC 4028): each side of a call by itself. */
#include "b2bua_priv.h"
#include "lab.h"

static int setup(void **state)
{
	lab_init(&lab);
	for (unsigned int i = 0; i < 2; i++)
		lab.realms[i].session = (struct config_session){1800, 90};
	for (unsigned int i = 0; i < ARRAY_LEN(lab.peers); i++)
		lab.peers[i].session = (struct config_session){1800, 90};
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

/* A call whose INVITE and 2xx say this of timers. @return the 2xx at the caller. */
static const char *establish(
	struct ua *caller, struct ua *callee, const char *request, const char *answer)
{
	const char *invite, *ok;

	*caller = ua_caller(&lab, "bob");
	ua_request(caller, "INVITE", 1, OUTSIDE_SDP, request);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	*callee = ua_callee(&lab, invite);
	ua_respond(callee, invite, 200, INSIDE_SDP, answer);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_learn(caller, ok);
	ua_request(caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	return ok;
}

/* Section 9, table 2, and what the box asks for by itself. */
static void test_answer_to_the_caller(void **state)
{
	static const struct {
		uint32_t expires_s;
		const char *request, *answer, *require;
	} cases[] = {
		{1800, NULL, "", ""},
		{1800, "Supported: timer\r\n", "1800;refresher=uac", "timer"},
		{0, "Supported: timer\r\n", "", ""},
		{1800, "Supported: timer\r\nSession-Expires: 600\r\n", "600;refresher=uac",
			"timer"},
		{1800, "k: timer\r\nx: 600;refresher=uas\r\n", "600;refresher=uas", ""},
		{1800, "Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n",
			"1800;refresher=uac", "timer"},
		{0, "Supported: timer\r\nSession-Expires: 7200\r\n", "7200;refresher=uac", "timer"},
		{1800, "Supported: timer\r\nSession-Expires: 7200\r\nMin-SE: 3600\r\n",
			"3600;refresher=uac", "timer"},
		/* A proxy of the caller's asks; the caller knows nothing of it. */
		{1800, "Session-Expires: 600;refresher=uac\r\n", "600;refresher=uas", ""},
		{1800, "Session-Expires: 5\r\n", "90;refresher=uas", ""},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *ok;

		print_message("row %u\n", i);
		lab.realms[OUTSIDE].session.expires_s = cases[i].expires_s;
		lab.peers[1].session.expires_s = cases[i].expires_s;
		ok = establish(&caller, &callee, cases[i].request, NULL);
		assert_string_equal(lab_header(ok, "Session-Expires"), cases[i].answer);
		assert_string_equal(lab_header(ok, "Require"), cases[i].require);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

static void test_too_short(void **state)
{
	struct ua caller, callee;
	const char *final;

	lab.peers[1].session.min_s = 300;
	caller = ua_caller(&lab, "bob");
	ua_request(
		&caller, "INVITE", 1, OUTSIDE_SDP, "Supported: timer\r\nSession-Expires: 299\r\n");
	final = lab_expect(&lab, OUTSIDE, "SIP/2.0 422 ");
	assert_string_equal(lab_header(final, "Min-SE"), "300");
	lab_expect_none(&lab, INSIDE);
	/* In a dialog, too, and the call goes on. */
	establish(&caller, &callee, NULL, NULL);
	ua_request(&caller, "UPDATE", 2, NULL, "Supported: timer\r\nSession-Expires: 100\r\n");
	assert_string_equal(lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 422 "), "Min-SE"), "300");
	ua_request(
		&caller, "INVITE", 3, OUTSIDE_SDP, "Supported: timer\r\nSession-Expires: 100\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 422 ");
	caller.cseq = 3;
	lab_hang_up(&lab, &caller, &callee);
}

/* Section 7.3: asked again for longer, and not for ever. */
static void test_callee_wants_longer(void **state)
{
	static const char *const min[] = {"2000", "3000", "4000", "5000"};
	struct ua caller, callee;
	const char *invite;
	char extra[32];

	callee = lab_call(&lab, &caller, &invite);
	assert_string_equal(lab_header(invite, "Session-Expires"), "1800");
	assert_string_equal(lab_header(invite, "Min-SE"), "");
	assert_string_equal(lab_header(invite, "Supported"), "100rel, timer");
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(extra, sizeof(extra), "Min-SE: %s\r\n", min[i]);
		ua_respond(&callee, invite, 422, NULL, extra);
		lab_expect(&lab, INSIDE, "ACK ");
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		assert_string_equal(lab_header(invite, "Session-Expires"), min[i]);
		assert_string_equal(lab_header(invite, "Min-SE"), min[i]);
		assert_int_equal(strtoul(lab_header(invite, "CSeq"), NULL, 10), i + 2);
		assert_string_equal(lab_tag(lab_header(invite, "To")), "");
		assert_string_equal(lab_header(invite, "Call-ID"), callee.call_id);
	}
	lab_expect_none(&lab, OUTSIDE);
	snprintf(extra, sizeof(extra), "Min-SE: %s\r\n", min[3]);
	ua_respond(&callee, invite, 422, NULL, extra);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 422 ");
	lab_run(&lab, 40000);
	lab_forget(&lab);

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 422, NULL, "Min-SE: 2000\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 200, INSIDE_SDP, "Session-Expires: 2000;refresher=uas\r\n");
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* The box refreshes at half the time: by UPDATE where it is allowed, else by the same offer. */
static void test_box_refreshes(void **state)
{
	static const struct {
		const char *allow, *method;
	} cases[] = {
		{"Allow: INVITE, UPDATE\r\n", "UPDATE "},
		{"Allow: INVITE, ACK\r\n", "INVITE "},
		{"", "INVITE "},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *refresh, *ack;
		char extra[128];

		print_message("row %u\n", i);
		snprintf(extra, sizeof(extra), "Session-Expires: 600;refresher=uac\r\n%s",
			cases[i].allow);
		establish(&caller, &callee, NULL, extra);
		for (unsigned int n = 0; n < 3; n++) {
			lab_run(&lab, 299000);
			lab_expect_none(&lab, INSIDE);
			lab_run(&lab, 1000);
			refresh = lab_expect(&lab, INSIDE, cases[i].method);
			assert_string_equal(
				lab_header(refresh, "Session-Expires"), "600;refresher=uac");
			assert_string_equal(lab_tag(lab_header(refresh, "To")), callee.tag);
			if (cases[i].method[0] == 'U') {
				assert_string_equal(lab_body(refresh), "");
				ua_respond(&callee, refresh, 200, NULL, extra);
				continue;
			}
			assert_non_null(strstr(lab_body(refresh), "c=IN IP4 10.0.0.1\r\n"));
			/* Meanwhile nobody else may offer. */
			ua_request(&callee, "INVITE", 101 + n, INSIDE_SDP, NULL);
			lab_expect(&lab, INSIDE, "SIP/2.0 491");
			callee.branch--;
			ua_request(&callee, "ACK", 101 + n, NULL, NULL);
			ua_respond(&callee, refresh, 200, INSIDE_SDP, extra);
			ack = lab_expect(&lab, INSIDE, "ACK ");
			assert_int_equal(strtoul(lab_header(ack, "CSeq"), NULL, 10), n + 2);
			ua_respond(&callee, refresh, 200, INSIDE_SDP, extra);
			lab_expect(&lab, INSIDE, "ACK ");
		}
		lab_expect_none(&lab, OUTSIDE);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* What a refresh of the box is answered with, and what comes of it. */
static void test_refresh_refused(void **state)
{
	static const struct {
		unsigned int status;
		const char *next, *cause; /* what it sends within 4 s; how the call ends, if so */
	} cases[] = {
		{491, "UPDATE ", NULL},
		{500, "UPDATE ", NULL},
		{405, "INVITE ", NULL},
		{501, "INVITE ", NULL},
		{481, "BYE ", "dialog_lost"},
		{408, "BYE ", "dialog_lost"},
	};
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		static const char extra[] =
			"Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n";
		struct ua caller, callee;

		print_message("row %u\n", i);
		establish(&caller, &callee, NULL, extra);
		lab_run(&lab, 300000);
		ua_respond(
			&callee, lab_expect(&lab, INSIDE, "UPDATE "), cases[i].status, NULL, NULL);
		lab_run(&lab, 4000);
		ua_respond(&callee, lab_expect(&lab, INSIDE, cases[i].next), 200,
			cases[i].next[0] == 'I' ? INSIDE_SDP : NULL, extra);
		if (cases[i].cause != NULL) {
			ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
			assert_string_equal(lab_cdr_text(&lab, i, "cause"), cases[i].cause);
		} else {
			lab_run(&lab, 290000);
			lab_hang_up(&lab, &caller, &callee);
		}
		assert_int_equal(lab.n_cdrs, i + 1);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* Nobody refreshes: BYE to both, min(32 s, a third) before the end. */
static void test_expires(void **state)
{
	static const struct {
		const char *request, *answer;
		uint64_t ms;
	} cases[] = {
		{NULL, "Session-Expires: 600;refresher=uas\r\n", 568000},
		{NULL, "Session-Expires: 90;refresher=uas\r\n", 60000},
		{"Supported: timer\r\nSession-Expires: 300\r\n", NULL, 268000},
		/* The callee does not answer our refreshes: timer F ends it. */
		{NULL, "Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n", 332000},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;

		print_message("row %u\n", i);
		establish(&caller, &callee, cases[i].request, cases[i].answer);
		lab_run(&lab, cases[i].ms - 1000);
		assert_int_equal(lab.n_cdrs, i);
		assert_int_equal(lab_count(&lab, OUTSIDE, "BYE "), 0);
		lab_run(&lab, 1000);
		ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
		ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
		assert_string_equal(
			lab_cdr_text(&lab, i, "cause"), i < 3 ? "session_expired" : "dialog_lost");
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* Section 7.2, the box as the UAC: what an answer puts in force, and what the box does first. */
static void test_answer_of_the_callee(void **state)
{
	static const struct {
		const char *answer;
		const char *first; /* "": nothing in a day */
		uint64_t ms;
	} cases[] = {
		{NULL, "", 86400000},
		{"Session-Expires: soon;refresher=uac\r\n", "", 86400000},
		{"Session-Expires: 600;refresher=uac\r\n", "INVITE ", 300000},
		{"Session-Expires: 600;refresher=uac\r\nAllow: INVITE, UPDATE\r\n", "UPDATE ",
			300000},
		{"Session-Expires: 600;refresher=uas\r\n", "BYE ", 568000},
		/* Who does not say who does it leaves it to the box. */
		{"x: 600\r\n", "INVITE ", 300000},
		{"Session-Expires: 600;refresher=me\r\n", "INVITE ", 300000},
		/* No less than section 4 allows, and no more than a day. */
		{"Session-Expires: 5;refresher=uac\r\n", "INVITE ", 45000},
		{"Session-Expires: 5;refresher=uas\r\n", "BYE ", 60000},
		{"Session-Expires: 4294967295;refresher=uas\r\n", "BYE ", 86368000},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;

		print_message("row %u\n", i);
		establish(&caller, &callee, NULL, cases[i].answer);
		lab_run(&lab, cases[i].ms - 1);
		lab_expect_none(&lab, INSIDE);
		lab_run(&lab, 1);
		if (cases[i].first[0] != '\0')
			lab_expect(&lab, INSIDE, cases[i].first);
		else
			lab_expect_none(&lab, INSIDE);
		b2bua_stop(lab.b2bua);
		lab.b2bua->draining = false;
		lab_run(&lab, 100000);
		lab_forget(&lab);
	}
}

/* Any refresh of the peer's counts, and may change who does it. */
static void test_peer_refreshes(void **state)
{
	static const char se[] = "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n";
	struct ua caller, callee;
	const char *invite, *ok;

	establish(&caller, &callee, se, "Session-Expires: 300;refresher=uas\r\n");
	lab_run(&lab, 250000);
	ua_request(&caller, "UPDATE", 2, NULL, se);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "Session-Expires"), "300;refresher=uac");
	/* A re-INVITE of the callee's refreshes the caller's side as well. */
	ua_request(&callee, "INVITE", 101, INSIDE_SDP, se);
	invite = lab_expect(&lab, OUTSIDE, "INVITE ");
	assert_string_equal(lab_header(invite, "Session-Expires"), "300;refresher=uas");
	ua_respond(&caller, invite, 200, OUTSIDE_SDP, "Session-Expires: 300;refresher=uas\r\n");
	ok = lab_expect(&lab, INSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "Session-Expires"), "300;refresher=uac");
	ua_request(&callee, "ACK", 101, NULL, NULL);
	lab_run(&lab, 267000);
	assert_int_equal(lab.n_cdrs, 0);
	lab_run(&lab, 1000);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "session_expired");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_answer_to_the_caller),
		CASE(test_answer_of_the_callee),
		CASE(test_too_short),
		CASE(test_callee_wants_longer),
		CASE(test_box_refreshes),
		CASE(test_refresh_refused),
		CASE(test_expires),
		CASE(test_peer_refreshes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
