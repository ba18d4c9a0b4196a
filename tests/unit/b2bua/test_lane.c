/*
 * Tags: whatever goes to a peer carries one that is in the dialog lane for that peer and for
 * nobody else, in a call as in a refusal. (Branches are checked on the lab's wire, always.)
 */
#include "b2bua_priv.h"
#include "lab.h"
#include "lane.h"

static const uint64_t key[2] = {3, 4}; /* of the lab */

static int setup(void **state)
{
	lab_init(&lab);
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static bool in_lane(const char *tag, const char *addr, uint64_t *nonce)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse((struct str_view){addr, strlen(addr)}, &a), 0);
	return lane_token_check(key, &a, (struct str_view){tag, strlen(tag)}, nonce);
}

/* @return its nonce. */
static uint64_t expect_outside(const char *tag)
{
	uint64_t nonce = 0;

	assert_true(in_lane(tag, "192.0.2.66", &nonce));
	assert_false(in_lane(tag, "192.0.2.67", NULL));
	assert_false(in_lane(tag, "10.0.0.10", NULL));
	return nonce;
}

static uint64_t expect_inside(const char *tag)
{
	uint64_t nonce = 0;

	assert_true(in_lane(tag, "10.0.0.10", &nonce));
	assert_false(in_lane(tag, "10.0.0.11", NULL));
	assert_false(in_lane(tag, "192.0.2.66", NULL));
	return nonce;
}

static void test_call(void **state)
{
	struct ua caller, callee;
	const char *invite, *ringing, *bye;
	char tag[64];

	callee = lab_call(&lab, &caller, &invite);
	expect_inside(lab_tag(lab_header(invite, "From")));
	ua_respond(&callee, invite, 180, NULL, NULL);
	ringing = lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	snprintf(tag, sizeof(tag), "%s", lab_tag(lab_header(ringing, "To")));
	expect_outside(tag);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	assert_string_equal(lab_tag(lab_header(lab_expect(&lab, INSIDE, "ACK "), "From")),
		lab_tag(lab_header(invite, "From")));
	ringing = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_tag(lab_header(ringing, "To")), tag);
	ua_learn(&caller, ringing);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	/* Hung up by the callee: its BYE brings our tag back, ours to the caller carries it. */
	ua_request(&callee, "BYE", 101, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	bye = lab_expect(&lab, OUTSIDE, "BYE ");
	assert_string_equal(lab_tag(lab_header(bye, "From")), tag);
	ua_respond(&caller, bye, 200, NULL, NULL);
}

static void test_calls_have_their_own(void **state)
{
	struct ua caller[2], callee[2];
	uint64_t nonce[2];

	for (unsigned int i = 0; i < 2; i++) {
		lab_establish(&lab, &caller[i], &callee[i]);
		nonce[i] = expect_outside(caller[i].remote_tag);
		assert_true(nonce[i] != expect_inside(callee[i].remote_tag));
	}
	assert_true(nonce[0] != nonce[1]);
	for (unsigned int i = 0; i < 2; i++)
		lab_hang_up(&lab, &caller[i], &callee[i]);
}

/* A refusal opens the lane for its ACK, but each further one opens it no wider; and what has no ACK
 * does not open it. */
static void test_refusals(void **state)
{
	static const struct {
		const char *method, *user, *extra, *answer;
	} cases[] = {
		{"INVITE", "nobody", NULL, "SIP/2.0 404 "},
		{"INVITE", "nobody", NULL, "SIP/2.0 404 "},
		{"INVITE", "bob", "Require: magic\r\n", "SIP/2.0 420 "},
		{"OPTIONS", "nobody", NULL, "SIP/2.0 404 "},
		{"MESSAGE", "bob", NULL, "SIP/2.0 405 "},
		{"CANCEL", "bob", NULL, "SIP/2.0 481 "},
		{"BYE", "bob", NULL, "SIP/2.0 481 "},
	};
	uint64_t first = 0, nonce;
	char seen[ARRAY_LEN(cases)][64];

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller = ua_caller(&lab, cases[i].user);
		const char *answer;

		ua_request(&caller, cases[i].method, 1, NULL, cases[i].extra);
		answer = lab_expect(&lab, OUTSIDE, cases[i].answer);
		snprintf(seen[i], sizeof(seen[i]), "%s", lab_tag(lab_header(answer, "To")));
		if (strcmp(cases[i].method, "INVITE") != 0) {
			assert_int_equal(strlen(seen[i]), TXN_TAG_OWN_LEN);
		} else {
			nonce = expect_outside(seen[i]);
			if (i == 0)
				first = nonce;
			assert_true(nonce == first);
		}
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
	}
	/* Another port of that address has its own. */
	{
		struct ua caller = ua_caller(&lab, "nobody");
		const char *answer;

		snprintf(caller.addr, sizeof(caller.addr), "192.0.2.66:5099");
		ua_request(&caller, "INVITE", 1, NULL, NULL);
		answer = lab_expect(&lab, OUTSIDE, "SIP/2.0 404 ");
		assert_true(expect_outside(lab_tag(lab_header(answer, "To"))) != first);
	}
}

static void test_cancel(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	assert_true(lab_tag(lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK"), "To"))[0] != 0);
	expect_outside(lab_tag(lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 487"), "To")));
	ua_respond(&callee, invite, 180, NULL, NULL);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&callee, invite, 487, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls_have_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
