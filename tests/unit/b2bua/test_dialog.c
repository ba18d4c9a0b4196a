/* What happens in dialogs: offers, lost and repeated messages, forks, wrong requests, headers. */
#include "lab.h"

/* No SDP in the INVITE: the callee offers, the ACK answers. */
static void test_late_offer(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *ok, *ack;

	ua_request(&caller, "INVITE", 1, NULL, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_header(invite, "Content-Length"), "0");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect_none(&lab, INSIDE); /* no ACK yet */
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(lab_body(ok), "c=IN IP4 192.0.2.1\r\n"));
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, OUTSIDE_SDP, NULL);
	ack = lab_expect(&lab, INSIDE, "ACK ");
	assert_non_null(strstr(lab_body(ack), "c=IN IP4 10.0.0.1\r\n"));
	lab_run(&lab, 0);
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[0].remote.port, 40000);
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[1].remote.port, 50000);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_late_offer_unanswered(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite;

	ua_request(&caller, "INVITE", 1, NULL, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL); /* nor is there an answer in it */
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "bad_sdp");
}

static void test_early_media(void **state)
{
	struct ua caller, callee;
	const char *invite, *progress;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, NULL);
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183 Session Progress\r\n");
	assert_non_null(strstr(lab_body(progress), "c=IN IP4 192.0.2.1\r\n"));
	assert_non_null(lab_stream(&lab, STREAM_RTP));
	/* Nobody speaks while it rings: that is not the end. */
	lab_stream_silent(&lab, STREAM_RTP);
	assert_non_null(lab_stream(&lab, STREAM_RTP));
	ua_respond(&callee, invite, 200, NULL, NULL); /* the answer is known already */
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* Section 13.3.1.4: 500 ms, 1, 2, 4, 4 ... until 32 s, then BYE on both sides. */
static void test_ack_lost(void **state)
{
	struct ua caller, callee;
	const char *invite;
	uint64_t at[16], begin;
	unsigned int n = 0;

	callee = lab_call(&lab, &caller, &invite);
	begin = lab.timers.now_ms;
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 31999);
	assert_int_equal(lab.n_cdrs, 0);
	for (unsigned int i = 0; i < lab.n_msgs && n < ARRAY_LEN(at); i++)
		if (lab.msg[i].side == OUTSIDE && strncmp(lab.msg[i].text, "SIP/2.0 200", 11) == 0)
			at[n++] = lab.msg[i].at_ms - begin;
	assert_true(n == 11);
	assert_true(at[0] == 0 && at[1] == 500 && at[2] == 1500 && at[3] == 3500 && at[4] == 7500);
	assert_true(at[5] == 11500);
	lab_run(&lab, 4000);
	lab_expect(&lab, INSIDE, "BYE ");
	lab_expect(&lab, OUTSIDE, "BYE ");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "no_ack");
}

/* The callee hangs up while the caller's ACK is under way: our BYE waits for it (section 15). */
static void test_bye_waits_for_ack(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&callee, "BYE", 101, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	lab_expect_none(&lab, OUTSIDE);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "callee");
}

/* Our ACK was lost: each repeated 2xx gets it again, also when the transaction is over. */
static void test_answer_repeated(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 1);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 2);
	lab_run(&lab, 60000);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 3);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200"), 1);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_invite_repeated(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	caller.branch--;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE "), 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_total, 1);
	lab_run(&lab, 200);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 100 Trying\r\n");
	ua_respond(&callee, invite, 486, NULL, NULL);
}

/* Two callees answer: the first one has the call, the other is hung up on (section 13.2.2.4). */
static void test_forked(void **state)
{
	struct ua caller, callee, other;
	const char *invite, *bye;

	callee = lab_call(&lab, &caller, &invite);
	other = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	ua_respond(&other, invite, 180, NULL, NULL);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 180"), 2);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&other, invite, 200, INSIDE_SDP, NULL);
	assert_string_equal(lab_tag(lab_header(lab_expect(&lab, INSIDE, "ACK "), "To")), other.tag);
	bye = lab_expect(&lab, INSIDE, "BYE ");
	assert_string_equal(lab_tag(lab_header(bye, "To")), other.tag);
	ua_respond(&other, bye, 200, NULL, NULL);
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 0);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_wrong_requests(void **state)
{
	static const struct {
		const char *method, *remote_tag;
		unsigned int cseq;
		const char *answer;
	} cases[] = {
		{"BYE", "nobody", 5, "SIP/2.0 481"},
		{"INVITE", "nobodynobodynobo", 5, "SIP/2.0 481"}, {"BYE", "", 5, "SIP/2.0 481"},
		{"OPTIONS", "nobody", 5, "SIP/2.0 481"},
		{"REGISTER", "", 5, "SIP/2.0 405 Method Not Allowed"},
		{"MESSAGE", "", 5, "SIP/2.0 405"}, {"REFER", "", 5, "SIP/2.0 405"},
		{"UPDATE", "", 5, "SIP/2.0 481"}, {"JUMP", "", 5, "SIP/2.0 501 Not Implemented"},
		{"OPTIONS", "", 5, "SIP/2.0 200 OK"},
		{"INVITE", NULL, 0, "SIP/2.0 500"}, /* below the last CSeq of the dialog */
	};
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua u = caller;
		const char *answer;

		u.branch = 100 + i;
		if (cases[i].remote_tag != NULL)
			snprintf(u.remote_tag, sizeof(u.remote_tag), "%s", cases[i].remote_tag);
		ua_request(&u, cases[i].method, cases[i].cseq, NULL, NULL);
		answer = lab_expect(&lab, OUTSIDE, cases[i].answer);
		if (strstr(cases[i].answer, " 405") || strstr(cases[i].answer, " 501") ||
			strstr(cases[i].answer, " 200"))
			assert_string_equal(lab_header(answer, "Allow"), LAB_ALLOW_OUTSIDE);
		assert_string_equal(lab_header(answer, "Server"), "Sallyport");
	}
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 0);
	caller.cseq = 6;
	lab_hang_up(&lab, &caller, &callee);
}

/* Someone else's tags are not enough: Call-ID, both tags and the realm must fit. */
static void test_not_this_dialog(void **state)
{
	struct ua caller, callee, thief;

	lab_establish(&lab, &caller, &callee);
	thief = caller;
	thief.branch = 50;
	snprintf(thief.call_id, sizeof(thief.call_id), "outside-other");
	ua_request(&thief, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	thief = caller;
	thief.branch = 60;
	snprintf(thief.tag, sizeof(thief.tag), "outside-thief");
	ua_request(&thief, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	thief = caller;
	thief.branch = 70;
	thief.side = INSIDE;
	lab.leaks_allowed = true; /* the answer repeats what the thief sent */
	ua_request(&thief, "BYE", 2, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	lab.leaks_allowed = false;
	assert_int_equal(lab.n_cdrs, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* Record-Route: requests go through the recorded proxies, in order. */
static void test_routes(void **state)
{
	struct ua caller, callee;
	const char *invite, *ack, *bye, *ok;

	caller = ua_caller(&lab, "bob");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP,
		"Record-Route: <sip:192.0.2.66:5062;lr>, <sip:192.0.2.70;lr>\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_header(invite, "Route"), "");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP,
		"Record-Route: <sip:10.0.0.22;lr>\r\nRecord-Route: <sip:10.0.0.21:5070;lr>\r\n");
	ack = lab_expect(&lab, INSIDE, "ACK sip:inside@10.0.0.10:5060 SIP/2.0\r\n");
	assert_string_equal(lab_header(ack, "Route"), "<sip:10.0.0.21:5070;lr>");
	assert_non_null(strstr(ack, "Route: <sip:10.0.0.22;lr>\r\n"));
	/* The core is not behind NAT: its first route is where it goes. */
	assert_int_equal(lab.msg[lab.n_msgs - 2].path.remote.addr.bytes[3], 21);
	assert_int_equal(lab.msg[lab.n_msgs - 2].path.remote.port, 5070);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(
		lab_header(ok, "Record-Route"), "<sip:192.0.2.66:5062;lr>, <sip:192.0.2.70;lr>");
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	ua_request(&callee, "BYE", 101, NULL, NULL);
	bye = lab_expect(&lab, OUTSIDE, "BYE sip:outside@192.0.2.66:5060");
	assert_string_equal(lab_header(bye, "Route"), "<sip:192.0.2.66:5062;lr>");
	assert_int_equal(lab.msg[lab.n_msgs - 1].path.remote.port, 5062);
	ua_respond(&caller, bye, 200, NULL, NULL);
}

/* A phone behind NAT: its Contact is private, requests go back to where it sent from. */
static void test_contact_behind_nat(void **state)
{
	struct ua caller, callee;
	const char *bye;

	lab_establish(&lab, &caller, &callee);
	lab_hang_up(&lab, &caller, &callee);
	caller = ua_caller(&lab, "bob");
	snprintf(caller.addr, sizeof(caller.addr), "192.168.1.7:5066");
	{
		char text[2048];
		const char *invite, *ok;
		int n = snprintf(text, sizeof(text),
			"INVITE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.7:5066"
			";branch=z9hG4bKnat;rport\r\nFrom: <sip:a@192.0.2.1>;tag=outside-nat\r\n"
			"To: <sip:bob@192.0.2.1>\r\nCall-ID: outside-nat\r\nCSeq: 1 INVITE\r\n"
			"Contact: <sip:a@192.168.1.7:5066>\r\nContent-Type: application/sdp\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			strlen(OUTSIDE_SDP), OUTSIDE_SDP);

		lab_feed(&lab, OUTSIDE, "192.0.2.99:31000", text, (size_t)n);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		assert_string_equal(lab_header(invite, "Max-Forwards"), "70");
		callee = ua_callee(&lab, invite);
		ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		assert_non_null(strstr(lab_header(ok, "Via"), "received=192.0.2.99;rport=31000"));
		/* Media of a NATed phone: from the NAT's address, whatever its SDP says. */
		assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[0].allowed.bytes[3], 99);
		assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[0].remote.addr.bytes[3], 99);
		n = snprintf(text, sizeof(text),
			"ACK sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.7:5066"
			";branch=z9hG4bKnat2;rport\r\nFrom: <sip:a@192.0.2.1>;tag=outside-nat\r\n"
			"To: <sip:bob@192.0.2.1>;tag=%s\r\nCall-ID: outside-nat\r\nCSeq: 1 ACK\r\n"
			"Content-Length: 0\r\n\r\n",
			lab_tag(lab_header(ok, "To")));
		lab_feed(&lab, OUTSIDE, "192.0.2.99:31000", text, (size_t)n);
	}
	ua_request(&callee, "BYE", 101, NULL, NULL);
	bye = lab_expect(&lab, OUTSIDE, "BYE sip:a@192.168.1.7:5066 SIP/2.0\r\n");
	assert_int_equal(lab.msg[lab.n_msgs - 1].path.remote.addr.bytes[3], 99);
	assert_int_equal(lab.msg[lab.n_msgs - 1].path.remote.port, 31000);
	ua_respond(&caller, bye, 200, NULL, NULL);
}

static void test_headers(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *final;

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP,
		"Subject: tea\r\nPriority: urgent\r\nSupported: 100rel, timer, norefersub\r\n"
		"P-Asserted-Identity: <sip:root@192.0.2.66>\r\nExpires: 120\r\nPrivacy: id\r\n"
		"Diversion: <sip:x@192.0.2.66>\r\nAlert-Info: <http://192.0.2.66/ring>\r\n"
		"History-Info: <sip:x@192.0.2.66>;index=1\r\nAllow: INVITE, PRACK, UPDATE\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_header(invite, "Subject"), "tea");
	assert_string_equal(lab_header(invite, "Priority"), "urgent");
	assert_string_equal(lab_header(invite, "Expires"), "120");
	assert_string_equal(lab_header(invite, "Privacy"), "id");
	assert_non_null(strstr(invite, "\r\nSupported: 100rel, timer\r\n"));
	assert_non_null(strstr(invite, "\r\nSupported: norefersub\r\n"));
	assert_string_equal(lab_header(invite, "P-Asserted-Identity"), "");
	assert_string_equal(lab_header(invite, "Allow"), LAB_ALLOW_INSIDE);
	assert_null(strstr(invite, "Diversion"));
	assert_null(strstr(invite, "X-Secret"));
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 503, NULL, "Reason: Q.850;cause=34;text=\"inside\"\r\n");
	final = lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	assert_string_equal(lab_header(final, "Reason"), "Q.850;cause=34");
	assert_string_equal(lab_header(final, "Warning"), "");
}

/* Identity crosses between trusted realms, with our address in it. */
static void test_identity_trusted(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite;

	lab.realms[OUTSIDE].trust = TRUST_TRUSTED;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP,
		"P-Asserted-Identity: \"A\" <sip:+4930@192.0.2.66>, <tel:+4930>\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(
		lab_header(invite, "P-Asserted-Identity"), "\"A\" <sip:+4930@10.0.0.1>");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
}

/* RFC 4475 section 3.1.1.2: whatever may stand in a user part. */
static void test_user_characters(void **state)
{
	struct ua caller = ua_caller(&lab, "bo1_~(to-be!sure)&isn't+it$/crazy?,/;;*%41");
	const char *invite;

	snprintf(caller.from, sizeof(caller.from), "<sip:a,b;c=d@192.0.2.66>");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE,
		"INVITE sip:bo1_~(to-be!sure)&isn't+it$/crazy?,/;;*%41@10.0.0.10:5060 SIP/2.0\r\n");
	assert_int_equal(strncmp(lab_header(invite, "From"), "<sip:a,b;c=d@10.0.0.1>;tag=", 27), 0);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
}

/* What we cannot call: never in the clear what was to be encrypted, never a URI cut short. */
static void test_request_uri_refused(void **state)
{
	struct ua caller = ua_caller(&lab, "bob");
	char text[2048];
	int n;

	snprintf(caller.target, sizeof(caller.target), "sips:bob@192.0.2.1");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 416 ");
	n = snprintf(text, sizeof(text),
		"INVITE sip:bob@192.0.2.1;x=%01100d SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK-long\r\nMax-Forwards: 70\r\n"
		"From: <sip:a@192.0.2.66>;tag=1\r\nTo: <sip:bob@192.0.2.1>\r\nCall-ID: long\r\n"
		"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.66>\r\nContent-Length: 0\r\n\r\n",
		0);
	lab_feed(&lab, OUTSIDE, caller.addr, text, (size_t)n);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 414 ");
	lab_expect_none(&lab, INSIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_late_offer),
		LAB_CASE(test_late_offer_unanswered),
		LAB_CASE(test_early_media),
		LAB_CASE(test_ack_lost),
		LAB_CASE(test_bye_waits_for_ack),
		LAB_CASE(test_answer_repeated),
		LAB_CASE(test_invite_repeated),
		LAB_CASE(test_forked),
		LAB_CASE(test_wrong_requests),
		LAB_CASE(test_not_this_dialog),
		LAB_CASE(test_routes),
		LAB_CASE(test_contact_behind_nat),
		LAB_CASE(test_headers),
		LAB_CASE(test_identity_trusted),
		LAB_CASE(test_user_characters),
		LAB_CASE(test_request_uri_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
