/* Too many calls: who is refused, at what cost, and who is not. */
#include "b2bua_priv.h"
#include "lab.h"
#include "overload.h"

static struct lab lab;
static struct overload *overload;

/* A box that takes one call a second, and has taken it. */
static int setup(void **state)
{
	lab_init(&lab);
	lab.config.ops.overload.call_rate = 1;
	snprintf(lab.config.ops.overload.emergency[0], CONFIG_EMERGENCY_LEN, "112");
	lab.config.ops.overload.n_emergency = 1;
	overload = overload_new(&lab.config, 1, lab.timers.now_ms);
	assert_non_null(overload);
	lab.b2bua->env.overload = overload;
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	overload_free(overload);
	return 0;
}

static void test_refused(void **state)
{
	const struct txn_stats *t = txn_layer_stats(b2bua_txn_layer(lab.b2bua));
	struct ua first, callee, caller = ua_caller(&lab, "bob");
	const char *refusal;
	uint64_t servers;
	uint32_t retry_s;
	char tag[64];

	lab_establish(&lab, &first, &callee);
	servers = t->servers;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	refusal = lab_expect(&lab, OUTSIDE, "SIP/2.0 503 Service Unavailable\r\n");
	snprintf(tag, sizeof(tag), "%s", lab_header(refusal, "Retry-After"));
	assert_int_equal(sip_uint_parse((struct str_view){tag, strlen(tag)}, 60, &retry_s), 0);
	assert_in_range(retry_s, 2, 10);
	/* Nothing was made of it, and its ACK makes nothing. */
	assert_int_equal(t->servers, servers);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect_none(&lab, OUTSIDE);
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_total, 1);
	/* The call that is there goes on: re-INVITE, BYE. */
	ua_request(&first, "INVITE", ++first.cseq, OUTSIDE_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_request(&first, "ACK", first.cseq, NULL, NULL);
	lab_hang_up(&lab, &first, &callee);
	/* A second later there is room again, for another call. */
	lab_run(&lab, 1000);
	lab_establish(&lab, &first, &callee);
	lab_hang_up(&lab, &first, &callee);
}

/* Its INVITE again gets the same answer, though there is room by then. */
static void test_refused_again(void **state)
{
	struct ua first, callee, caller = ua_caller(&lab, "bob");

	lab_establish(&lab, &first, &callee);
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	lab_run(&lab, 1500);
	caller.branch--;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	assert_int_equal(overload_get_stats(overload)->refused_again, 1);
	/* The caller's next attempt is a new one. */
	ua_request(&caller, "INVITE", 2, OUTSIDE_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
	lab_hang_up(&lab, &first, &callee);
}

static void test_not_refused(void **state)
{
	struct ua first, callee, caller = ua_caller(&lab, "112");
	struct ua other = ua_caller(&lab, "bob");

	snprintf(lab.routes[0].user_prefix, sizeof(lab.routes[0].user_prefix), "%s", "");
	lab_establish(&lab, &first, &callee);
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	callee = ua_callee(&lab, lab_expect(&lab, INSIDE, "INVITE sip:112@"));
	assert_int_equal(overload_get_stats(overload)->emergency, 1);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487 ");
	ua_request(&other, "OPTIONS", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	assert_int_equal(overload_get_stats(overload)->refused_rate, 0);
	ua_request(&first, "BYE", ++first.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
