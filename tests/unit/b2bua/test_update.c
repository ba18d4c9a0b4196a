/* UPDATE (RFC 3311), early and confirmed, and offers that meet (RFC 3261 section 14, RFC 6337). */
#include "lab.h"

#define REL "Require: 100rel\r\nRSeq: 9\r\n"
#define MOVED_SDP \
	"v=0\r\no=alice 7 8 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n" \
	"m=audio 41000 RTP/AVP 0\r\n"
#define INSIDE_MOVED_SDP \
	"v=0\r\no=bob 3 4 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n" \
	"m=audio 51000 RTP/AVP 0\r\n"

static unsigned int port(unsigned int side)
{
	return lab_stream(&lab, STREAM_RTP)->set.end[side].remote.port;
}

static unsigned int retry_after(const char *msg)
{
	assert_string_not_equal(lab_header(msg, "Retry-After"), "");
	return (unsigned int)strtoul(lab_header(msg, "Retry-After"), NULL, 10);
}

/* Both sides move their media, one after the other. */
static void test_confirmed(void **state)
{
	struct ua caller, callee;
	const char *update, *ok;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	update = lab_expect(&lab, INSIDE, "UPDATE sip:inside@10.0.0.10:5060 SIP/2.0\r\n");
	assert_string_equal(lab_header(update, "Contact"), "<sip:10.0.0.1:5060>");
	assert_string_equal(lab_header(update, "CSeq"), "2 UPDATE");
	assert_string_equal(lab_tag(lab_header(update, "To")), callee.tag);
	assert_non_null(strstr(lab_body(update), "c=IN IP4 10.0.0.1\r\n"));
	assert_int_equal(port(OUTSIDE), 40000); /* nothing moves before the answer */
	ua_respond(&callee, update, 200, INSIDE_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "CSeq"), "2 UPDATE");
	assert_string_equal(lab_header(ok, "Contact"), "<sip:192.0.2.1:5060>");
	assert_non_null(strstr(lab_body(ok), "c=IN IP4 192.0.2.1\r\n"));
	assert_int_equal(port(OUTSIDE), 41000);

	ua_request(&callee, "UPDATE", 101, INSIDE_MOVED_SDP, NULL);
	update = lab_expect(&lab, OUTSIDE, "UPDATE sip:outside@192.0.2.66:5060 SIP/2.0\r\n");
	ua_respond(&caller, update, 200, MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	assert_int_equal(port(INSIDE), 51000);
	caller.cseq = 2;
	lab_hang_up(&lab, &caller, &callee);
}

/* Without SDP it concerns one side: answered here, and the target is a new one. */
static void test_target_refresh(void **state)
{
	struct ua caller, callee;
	const char *ok, *bye;

	lab_establish(&lab, &caller, &callee);
	snprintf(caller.addr, sizeof(caller.addr), "192.0.2.66:5099");
	ua_request(&caller, "UPDATE", 2, NULL, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "Contact"), "<sip:192.0.2.1:5060>");
	lab_expect_none(&lab, INSIDE);
	ua_request(&callee, "BYE", 101, NULL, NULL);
	bye = lab_expect(&lab, OUTSIDE, "BYE sip:outside@192.0.2.66:5099 ");
	assert_int_equal(lab.msg[lab.n_msgs - 1].path.remote.port, 5099);
	ua_respond(&caller, bye, 200, NULL, NULL);
}

/* What the far side says to an offer: it crosses, and the session is as it was. */
static void test_refused(void **state)
{
	static const unsigned int status[] = {488, 491, 405, 500, 504};
	struct ua caller, callee;
	const char *update;
	char line[32];

	lab_establish(&lab, &caller, &callee);
	for (unsigned int i = 0; i < ARRAY_LEN(status); i++) {
		ua_request(&caller, "UPDATE", ++caller.cseq, MOVED_SDP, NULL);
		update = lab_expect(&lab, INSIDE, "UPDATE ");
		ua_respond(&callee, update, status[i], NULL, NULL);
		snprintf(line, sizeof(line), "SIP/2.0 %u", status[i]);
		lab_expect(&lab, OUTSIDE, line);
		assert_int_equal(port(OUTSIDE), 40000);
	}
	/* A 2xx without an answer is none. */
	ua_request(&caller, "UPDATE", ++caller.cseq, MOVED_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "UPDATE "), 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
	/* Nor does a body that is no SDP get through. */
	ua_request(&caller, "UPDATE", ++caller.cseq, "v=1\r\n", NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 400");
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* The far side knows the dialog no more, or says nothing: the call is over. */
static void test_dialog_lost(void **state)
{
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "UPDATE "), 481, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "BYE ");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "dialog_lost");
	lab_run(&lab, 40000);
	lab_forget(&lab);

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	lab_run(&lab, 32100);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 408");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 1, "cause"), "dialog_lost");
}

/* The call ends under it. */
static void test_bye_overtakes(void **state)
{
	struct ua caller, callee;
	const char *update;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	update = lab_expect(&lab, INSIDE, "UPDATE ");
	ua_request(&callee, "BYE", 101, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, update, 200, INSIDE_SDP, NULL);
	lab_expect_none(&lab, OUTSIDE);
}

/*
 * Which offer meets which: `first` is open at the callee when `second` comes. RFC 3311 section 5.2
 * and RFC 3261 section 14.2: 491 if it comes from the other side, else 500 with Retry-After.
 */
static void test_glare(void **state)
{
	static const struct {
		const char *first;
		unsigned int side;
		const char *second;
		unsigned int status;
	} cases[] = {
		{"UPDATE", INSIDE, "UPDATE", 491},
		{"UPDATE", INSIDE, "INVITE", 491},
		{"UPDATE", OUTSIDE, "UPDATE", 500},
		{"UPDATE", OUTSIDE, "INVITE", 500},
		{"INVITE", INSIDE, "UPDATE", 491},
		{"INVITE", INSIDE, "INVITE", 491},
		{"INVITE", OUTSIDE, "UPDATE", 500},
		{"INVITE", OUTSIDE, "INVITE", 500},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		bool inside = cases[i].side == INSIDE, invite;
		const char *open, *answer;
		char line[32];

		print_message("row %u\n", i);
		lab_establish(&lab, &caller, &callee);
		ua_request(&caller, cases[i].first, 2, MOVED_SDP, NULL);
		open = lab_expect(&lab, INSIDE, cases[i].first);
		ua_request(inside ? &callee : &caller, cases[i].second, inside ? 101 : 3,
			inside ? INSIDE_MOVED_SDP : MOVED_SDP, NULL);
		snprintf(line, sizeof(line), "SIP/2.0 %u", cases[i].status);
		answer = lab_expect(&lab, cases[i].side, line);
		if (cases[i].status == 500)
			assert_true(retry_after(answer) <= 10);
		lab_expect_none(&lab, OUTSIDE);
		/* A target refresh disturbs nobody. */
		ua_request(&callee, "UPDATE", 102, NULL, NULL);
		lab_expect(&lab, INSIDE, "SIP/2.0 200");
		/* And the first one goes through as if nothing had been. */
		ua_respond(&callee, open, 200, INSIDE_MOVED_SDP, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		invite = strcmp(cases[i].first, "INVITE") == 0;
		if (invite)
			ua_request(&caller, "ACK", 2, NULL, NULL);
		assert_int_equal(port(OUTSIDE), 41000);
		assert_int_equal(port(INSIDE), 51000);
		caller.cseq = 10;
		lab_run(&lab, 40000);
		lab_forget(&lab);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* The far side says that it knows no UPDATE: it gets a re-INVITE, ACKed by the box. */
static void test_far_side_without_update(void **state)
{
	struct ua caller, callee;
	const char *invite, *ok;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, "Allow: INVITE, ACK, BYE\r\n");
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:inside@10.0.0.10:5060");
	assert_string_equal(lab_header(invite, "CSeq"), "2 INVITE");
	ua_request(&callee, "INVITE", 101, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491");
	callee.branch--;
	ua_request(&callee, "ACK", 101, NULL, NULL);
	ua_respond(&callee, invite, 100, NULL, NULL);
	ua_respond(&callee, invite, 200, INSIDE_MOVED_SDP, NULL);
	assert_string_equal(lab_header(lab_expect(&lab, INSIDE, "ACK "), "CSeq"), "2 ACK");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "CSeq"), "2 UPDATE");
	assert_int_equal(port(OUTSIDE), 41000);
	assert_int_equal(port(INSIDE), 51000);
	ua_respond(&callee, invite, 200, INSIDE_MOVED_SDP, NULL); /* the ACK was lost */
	lab_expect(&lab, INSIDE, "ACK ");
	/* Refused: the session stays. */
	ua_request(&caller, "UPDATE", 3, OUTSIDE_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 488, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
	assert_int_equal(port(OUTSIDE), 41000);
	/* The call ends before the answer: it gets an ACK all the same. */
	ua_request(&caller, "UPDATE", 4, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_request(&caller, "BYE", 5, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	lab_expect_none(&lab, INSIDE);
}

/* A re-INVITE without SDP: its 2xx offers, its ACK answers, and nobody else may offer between. */
static void test_reinvite_asks_for_an_offer(void **state)
{
	struct ua caller, callee;
	const char *invite, *ack;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, NULL, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_body(invite), "");
	ua_request(&callee, "UPDATE", 101, INSIDE_MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491");
	ua_respond(&callee, invite, 200, INSIDE_MOVED_SDP, NULL);
	assert_non_null(strstr(
		lab_body(lab_expect(&lab, OUTSIDE, "SIP/2.0 200")), "c=IN IP4 192.0.2.1\r\n"));
	ua_request(&callee, "UPDATE", 102, INSIDE_SDP, NULL);
	assert_true(retry_after(lab_expect(&lab, INSIDE, "SIP/2.0 500")) <= 10);
	ua_request(&caller, "UPDATE", 3, MOVED_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 491");
	assert_int_equal(port(INSIDE), 50000);
	ua_request(&caller, "ACK", 2, MOVED_SDP, NULL);
	ack = lab_expect(&lab, INSIDE, "ACK ");
	assert_non_null(strstr(lab_body(ack), "c=IN IP4 10.0.0.1\r\n"));
	assert_int_equal(port(INSIDE), 51000);
	assert_int_equal(port(OUTSIDE), 41000);
	ua_request(&callee, "UPDATE", 103, INSIDE_SDP, NULL);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "UPDATE "), 200, MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	caller.cseq = 3;
	lab_hang_up(&lab, &caller, &callee);
}

/* Early: only when both sides have the first answer for good. */
static void test_early(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *progress, *update, *ok;
	char rack[64];

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, "Supported: 100rel\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 180"));
	ua_request(&caller, "UPDATE", 2, MOVED_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500"); /* its own offer is open */
	ua_request(&callee, "UPDATE", 101, INSIDE_MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491");
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL);
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	ua_request(&callee, "UPDATE", 102, INSIDE_MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491"); /* the caller may not have the answer */
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(progress, "RSeq"));
	ua_request(&caller, "PRACK", 3, NULL, rack);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "PRACK "), 200, NULL, NULL);

	ua_request(&caller, "UPDATE", 4, MOVED_SDP, NULL);
	update = lab_expect(&lab, INSIDE, "UPDATE ");
	ua_respond(&callee, update, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_int_equal(port(OUTSIDE), 41000);
	ua_request(&callee, "UPDATE", 103, INSIDE_MOVED_SDP, NULL);
	update = lab_expect(&lab, OUTSIDE, "UPDATE ");
	ua_respond(&caller, update, 200, MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	assert_int_equal(port(INSIDE), 51000);

	ua_respond(&callee, invite, 200, NULL, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_body(ok), "");
	assert_int_equal(port(INSIDE), 51000);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	caller.cseq = 4;
	lab_hang_up(&lab, &caller, &callee);
}

/* The caller has its answer for good only with the 2xx: the callee may not offer before. */
static void test_early_without_100rel(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "PRACK "), 200, NULL, NULL);
	ua_request(&callee, "UPDATE", 101, INSIDE_MOVED_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491");
	ua_respond(&callee, invite, 200, NULL, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* Two forks, each with an offer of its own after the first: media has what the winner agreed. */
static void test_forks(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), a, b, to_a, to_b;
	const char *invite, *one, *two;
	char rack[64];

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, "Supported: 100rel\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	a = ua_callee(&lab, invite);
	b = ua_callee(&lab, invite);
	ua_respond(&a, invite, 183, INSIDE_SDP, REL);
	ua_respond(&b, invite, 183, INSIDE_MOVED_SDP, REL);
	one = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	two = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	to_a = to_b = caller;
	to_b.branch = 100;
	ua_learn(&to_a, one);
	ua_learn(&to_b, two);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(one, "RSeq"));
	ua_request(&to_a, "PRACK", 2, NULL, rack);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(two, "RSeq"));
	ua_request(&to_b, "PRACK", 2, NULL, rack);
	/* The first fork offers, and has its answer; the second one's offer is still open. */
	ua_request(&a, "UPDATE", 101, INSIDE_SDP, NULL);
	ua_respond(&to_a, lab_expect(&lab, OUTSIDE, "UPDATE "), 200, MOVED_SDP, NULL);
	assert_int_equal(port(OUTSIDE), 41000);
	assert_int_equal(port(INSIDE), 50000);
	ua_request(&b, "UPDATE", 101, INSIDE_MOVED_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "UPDATE ");
	ua_respond(&a, invite, 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	lab_expect(&lab, INSIDE, "SIP/2.0 487"); /* the one that lost */
	assert_int_equal(port(OUTSIDE), 41000);
	assert_int_equal(port(INSIDE), 50000);
	ua_request(&to_a, "ACK", 1, NULL, NULL);
	to_a.cseq = 2;
	lab_hang_up(&lab, &to_a, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_confirmed),
		LAB_CASE(test_target_refresh),
		LAB_CASE(test_refused),
		LAB_CASE(test_dialog_lost),
		LAB_CASE(test_bye_overtakes),
		LAB_CASE(test_glare),
		LAB_CASE(test_far_side_without_update),
		LAB_CASE(test_reinvite_asks_for_an_offer),
		LAB_CASE(test_early),
		LAB_CASE(test_early_without_100rel),
		LAB_CASE(test_forks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
