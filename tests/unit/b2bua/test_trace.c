/* The trace of a call has every message of both legs, in order, with what became of it. */
#include "lab.h"

/* "in caller INVITE", "out callee 200 BYE"; with " SDP" and " again". */
static void line_of(const json_t *m, char out[128])
{
	json_int_t status = json_integer_value(json_object_get(m, "status"));
	char code[8] = "";

	if (status != 0)
		snprintf(code, sizeof(code), "%d ", (int)status);
	snprintf(out, 128, "%s %s %s%s%s%s", json_string_value(json_object_get(m, "direction")),
		json_string_value(json_object_get(m, "leg")), code,
		json_string_value(json_object_get(m, "method")),
		json_is_true(json_object_get(m, "sdp")) ? " SDP" : "",
		json_is_true(json_object_get(m, "again")) ? " again" : "");
}

static void expect_lines(const char *id, const char *const *lines, size_t n)
{
	json_t *o = b2bua_trace_json(lab.b2bua, id), *m;
	char line[128];
	size_t i;

	assert_non_null(o);
	json_array_foreach(json_object_get(o, "messages"), i, m)
	{
		line_of(m, line);
		if (i >= n || strcmp(line, lines[i]) != 0)
			fail_msg("message %zu is \"%s\", not \"%s\"", i, line,
				i < n ? lines[i] : "");
	}
	assert_int_equal(i, n);
	json_decref(o);
}

#define EXPECT_LINES(id, ...) \
	expect_lines((id), (const char *const[]){__VA_ARGS__}, \
		ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

#define SET_UP \
	"in caller INVITE SDP", "out callee INVITE SDP", "in callee 180 INVITE", \
		"out caller 180 INVITE", "in callee 200 INVITE SDP", "out callee ACK", \
		"out caller 200 INVITE SDP", "in caller ACK"

static void test_answered(void **state)
{
	struct ua caller, callee;
	json_t *o;

	lab_establish(&lab, &caller, &callee);
	EXPECT_LINES(caller.call_id, SET_UP);
	o = b2bua_trace_json(lab.b2bua, callee.call_id);
	assert_string_equal(text_of(o, "state"), "established");
	assert_true(json_is_null(json_object_get(o, "cause")));
	json_decref(o);
	lab_hang_up(&lab, &caller, &callee);
	lab_run(&lab, 40000);
	/* Long over; by its name of the CDR, and by either Call-ID. */
	assert_int_equal(lab.n_cdrs, 1);
	EXPECT_LINES(lab_cdr_text(&lab, 0, "id"), SET_UP, "in caller BYE", "out caller 200 BYE",
		"out callee BYE", "in callee 200 BYE");
	o = b2bua_trace_json(lab.b2bua, callee.call_id);
	assert_non_null(o);
	assert_string_equal(text_of(o, "id"), lab_cdr_text(&lab, 0, "id"));
	assert_string_equal(text_of(o, "start"), lab_cdr_text(&lab, 0, "start"));
	assert_string_equal(text_of(o, "from"), "sip:alice@192.0.2.66");
	assert_string_equal(text_of(o, "state"), "ended");
	assert_string_equal(text_of(o, "cause"), "normal");
	assert_string_equal(text_of(json_object_get(o, "caller"), "address"), "192.0.2.66:5060");
	assert_string_equal(text_of(json_object_get(o, "callee"), "peer"), "server");
	assert_null(b2bua_trace_json(lab.b2bua, "no such call"));
	json_decref(o);
}

/* 100 by the transaction layer, retransmissions of both sides, their times, a phrase. */
static void test_retransmissions(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite;
	json_t *o, *list;

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	lab_run(&lab, 500);
	caller.branch--;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_run(&lab, 500);
	EXPECT_LINES(caller.call_id, "in caller INVITE SDP", "out callee INVITE SDP",
		"out caller 100 INVITE", "out callee INVITE SDP again",
		"in caller INVITE SDP again", "out caller 100 INVITE again", "in callee 486 INVITE",
		"out callee ACK", "out caller 486 INVITE", "in callee 486 INVITE again",
		"out callee ACK again", "out caller 486 INVITE again");
	o = b2bua_trace_json(lab.b2bua, caller.call_id);
	list = json_object_get(o, "messages");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 2), "ms")), 200);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 3), "ms")), 500);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 11), "ms")), 1000);
	assert_string_equal(text_of(json_array_get(list, 2), "reason"), "Trying");
	assert_string_equal(text_of(json_array_get(list, 6), "reason"), "inside said so");
	assert_string_equal(text_of(json_array_get(list, 8), "reason"), "Busy Here");
	assert_string_equal(text_of(o, "cause"), "busy");
	assert_int_equal(json_integer_value(json_object_get(o, "sip_status")), 486);
	json_decref(o);
}

/* What never became a call has no record, but can be found by its Call-ID. */
static void test_refused(void **state)
{
	struct ua caller = ua_caller(&lab, "nobody");
	json_t *o;

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 404 ");
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 0);
	EXPECT_LINES(
		caller.call_id, "in caller INVITE SDP", "out caller 404 INVITE", "in caller ACK");
	o = b2bua_trace_json(lab.b2bua, caller.call_id);
	assert_string_equal(text_of(o, "state"), "refused");
	json_decref(o);
}

/* A call keeps its beginning and its end, however many messages there were. */
static void test_long_call(void **state)
{
	struct ua caller, callee;
	json_t *o;

	lab_establish(&lab, &caller, &callee);
	for (unsigned int i = 0; i < 100; i++) {
		ua_request(&caller, "OPTIONS", ++caller.cseq, NULL, NULL);
		ua_respond(&callee, lab_expect(&lab, INSIDE, "OPTIONS "), 200, NULL, NULL);
		lab_run(&lab, 1000);
		lab_forget(&lab);
	}
	lab_hang_up(&lab, &caller, &callee);
	o = b2bua_trace_json(lab.b2bua, caller.call_id);
	assert_int_equal(json_array_size(json_object_get(o, "messages")), 32);
	assert_int_equal(json_integer_value(json_object_get(o, "kept_first")), 16);
	assert_int_equal(json_integer_value(json_object_get(o, "left_out")), 8 + 400 + 4 - 32);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_answered),
		LAB_CASE(test_retransmissions),
		LAB_CASE(test_refused),
		LAB_CASE(test_long_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
