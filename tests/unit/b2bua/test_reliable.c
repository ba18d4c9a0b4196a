/* Reliable 18x (RFC 3262) on two sides that each do it or not, and offers around them (RFC 6337).
 */
#include "lab.h"

#define REL(rseq) "Require: 100rel\r\nRSeq: " rseq "\r\n"
#define SUPPORTED "Supported: 100rel\r\n"
#define REQUIRED "Require: 100rel\r\n"
#define MOVED_SDP \
	"v=0\r\no=alice 7 8 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n" \
	"m=audio 41000 RTP/AVP 0\r\n"

static struct ua call(struct ua *caller, const char *sdp, const char *extra, const char **invite)
{
	*caller = ua_caller(&lab, "bob");
	ua_request(caller, "INVITE", 1, sdp, extra);
	*invite = lab_expect(&lab, INSIDE, "INVITE ");
	return ua_callee(&lab, *invite);
}

/* PRACK for this 18x. */
static void prack(struct ua *caller, const char *progress, const char *sdp)
{
	char rack[64];

	assert_string_equal(lab_header(progress, "Require"), "100rel");
	ua_learn(caller, progress);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(progress, "RSeq"));
	ua_request(caller, "PRACK", ++caller->cseq, sdp, rack);
}

static void answer(struct ua *caller, struct ua *callee, const char *invite, const char *sdp)
{
	const char *ok;

	ua_respond(callee, invite, 200, sdp, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
	assert_string_equal(lab_header(ok, "CSeq"), "1 INVITE");
	ua_learn(caller, ok);
	ua_request(caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
}

/* The answer was in a reliable 183 and not in the 200; that of a re-INVITE is in its 200. */
static void test_reinvite_afterwards(void **state)
{
	struct ua caller, callee;
	const char *invite, *progress, *ok;

	callee = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("17"));
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	prack(&caller, progress, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "PRACK "), 200, NULL, NULL);
	answer(&caller, &callee, invite, NULL);
	lab_forget(&lab);
	ua_request(&caller, "INVITE", ++caller.cseq, MOVED_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
	assert_non_null(strstr(lab_body(ok), "m=audio "));
	ua_request(&caller, "ACK", caller.cseq, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* A caller that answers the INVITE that it sent itself makes the box send nothing. */
static void test_answers_of_the_caller(void **state)
{
	struct ua caller, callee;
	const char *ringing, *invite;
	char text[1024];
	int n;

	callee = call(&caller, OUTSIDE_SDP, NULL, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	ringing = lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ua_learn(&caller, ringing);
	n = snprintf(text, sizeof(text),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n"
		"From: <sip:bob@192.0.2.1>;tag=%s\r\nTo: <sip:a@192.0.2.66>;tag=other\r\n"
		"Call-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.66>\r\n"
		"Content-Length: 0\r\n\r\n",
		caller.remote_tag, caller.call_id);
	lab_forget(&lab);
	lab_feed(&lab, OUTSIDE, caller.addr, text, (size_t)n);
	lab_expect_none(&lab, OUTSIDE);
}

/* Who does 100rel on the caller's side, and whether the callee's 18x is reliable: what each gets.
 */
static void test_each_side_by_itself(void **state)
{
	static const struct {
		const char *caller, *callee;
		bool ours_reliable, callee_gets_prack;
	} cases[] = {
		{NULL, NULL, false, false},
		{NULL, REL("17"), false, true},
		{SUPPORTED, NULL, false, false},
		{SUPPORTED, REL("17"), true, true},
		{REQUIRED, NULL, true, false},
		{REQUIRED, REL("17"), true, true},
		/* No RSeq, or no Require: not reliable. */
		{SUPPORTED, "Require: 100rel\r\n", false, false},
		{SUPPORTED, "RSeq: 17\r\n", false, false},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *invite, *progress, *got;

		print_message("row %u\n", i);
		callee = call(&caller, OUTSIDE_SDP, cases[i].caller, &invite);
		assert_string_equal(lab_header(invite, "Supported"), "100rel, timer");
		assert_string_equal(lab_header(invite, "Require"), "");
		ua_respond(&callee, invite, 183, INSIDE_SDP, cases[i].callee);
		progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
		assert_non_null(strstr(lab_body(progress), "m=audio "));
		if (cases[i].ours_reliable) {
			prack(&caller, progress, NULL);
			got = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
			assert_string_equal(lab_header(got, "CSeq"), "2 PRACK");
		} else {
			assert_string_equal(lab_header(progress, "RSeq"), "");
		}
		if (cases[i].callee_gets_prack) {
			got = lab_expect(&lab, INSIDE, "PRACK sip:inside@10.0.0.10:5060 ");
			assert_string_equal(lab_header(got, "RAck"), "17 1 INVITE");
			assert_string_equal(lab_header(got, "CSeq"), "2 PRACK");
			assert_string_equal(lab_tag(lab_header(got, "To")), callee.tag);
			assert_string_equal(lab_header(got, "Call-ID"), callee.call_id);
			ua_respond(&callee, got, 200, NULL, NULL);
		}
		lab_expect_none(&lab, INSIDE);
		answer(&caller, &callee, invite, cases[i].callee_gets_prack ? NULL : INSIDE_SDP);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* Section 3: T1, doubled each time; without a PRACK for 64*T1 the call fails. */
static void check_repeated(unsigned int most)
{
	static const uint64_t want[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
	struct ua caller, callee;
	const char *invite;
	uint64_t begin;
	unsigned int n = 0;

	callee = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	begin = lab.timers.now_ms;
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("1"));
	/* The callee repeats it, too: that changes nothing. */
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("1"));
	/* Out of order: ignored (section 4). */
	ua_respond(&callee, invite, 180, NULL, REL("3"));
	lab_run(&lab, 32000);
	for (unsigned int i = 0; i < lab.n_msgs; i++) {
		if (lab.msg[i].side != OUTSIDE || strncmp(lab.msg[i].text, "SIP/2.0 18", 10) != 0)
			continue;
		assert_true(n < most);
		assert_int_equal(lab.msg[i].at_ms - begin, want[n++]);
	}
	assert_int_equal(n, most);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 504");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "CANCEL "), 200, NULL, NULL);
	ua_respond(&callee, invite, 487, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "no_prack");
	assert_int_equal(lab_count(&lab, INSIDE, "PRACK "), 0);
}

static void test_repeated_until_given_up(void **state)
{
	check_repeated(7);
}

/* Whoever's address it is that a stranger forges gets no more than that. */
static void test_repeated_to_a_stranger(void **state)
{
	lab.unproven = true;
	check_repeated(4);
}

/* One at a time: the next 18x waits for the PRACK, and so does a 2xx behind an SDP. */
static void test_one_at_a_time(void **state)
{
	struct ua caller, callee;
	const char *invite, *first, *second;
	unsigned long rseq;

	callee = call(&caller, OUTSIDE_SDP, REQUIRED, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	first = lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ua_respond(&callee, invite, 183, INSIDE_SDP, NULL);
	lab_expect_none(&lab, OUTSIDE);
	rseq = strtoul(lab_header(first, "RSeq"), NULL, 10);
	assert_true(rseq > 0 && rseq < 1ul << 31);
	prack(&caller, first, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	second = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	assert_int_equal(strtoul(lab_header(second, "RSeq"), NULL, 10), rseq + 1);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 300);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200"), 1);
	/* A PRACK for the one before matches nothing any more. */
	prack(&caller, first, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	prack(&caller, second, NULL);
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 200"), "CSeq"), "4 PRACK");
	second = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(second, "CSeq"), "1 INVITE");
	assert_string_equal(lab_body(second), ""); /* it has been said */
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_hang_up(&lab, &caller, &callee);
}

/* The dataplane is slow, and so is the PRACK: the 2xx goes out when both had their time. */
static void test_slow_streams(void **state)
{
	struct ua caller, callee;
	const char *invite, *progress, *ok;

	lab.silent = true;
	callee = call(&caller, OUTSIDE_SDP, REQUIRED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, NULL);
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 300);
	prack(&caller, progress, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "CSeq"), "1 INVITE");
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab.silent = false;
	media_on_attach(lab.media);
	lab_run(&lab, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* The callee has answered, and the caller owes the PRACK that its 2xx waits for. */
static void test_ends_before_prack(void **state)
{
	static const struct {
		bool cancel;
		const char *final, *cause;
	} cases[] = {{true, "SIP/2.0 487", "cancel"}, {false, "SIP/2.0 504", "no_prack"}};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *invite;

		callee = call(&caller, OUTSIDE_SDP, REQUIRED, &invite);
		ua_respond(&callee, invite, 183, INSIDE_SDP, NULL);
		ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
		lab_expect_none(&lab, INSIDE);
		if (cases[i].cancel)
			ua_request(&caller, "CANCEL", 1, NULL, NULL);
		else
			lab_run(&lab, 32000);
		lab_expect(&lab, OUTSIDE, cases[i].final);
		lab_expect(&lab, INSIDE, "ACK sip:inside@10.0.0.10");
		ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
		assert_string_equal(lab_cdr_text(&lab, i, "cause"), cases[i].cause);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* A failure does not wait; its 18x is repeated no more. */
static void test_refused_meanwhile(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("1"));
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	lab_run(&lab, 20000);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 183"), 1);
}

/* INVITE without SDP: the 18x offers, the PRACK answers. */
static void test_offer_in_18x(void **state)
{
	struct ua caller, callee;
	const char *invite, *progress, *got;

	callee = call(&caller, NULL, SUPPORTED, &invite);
	assert_string_equal(lab_header(invite, "Supported"), "100rel, timer");
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("9"));
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	assert_non_null(strstr(lab_body(progress), "c=IN IP4 192.0.2.1\r\n"));
	assert_null(lab_stream(&lab, STREAM_RTP));
	prack(&caller, progress, OUTSIDE_SDP);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	got = lab_expect(&lab, INSIDE, "PRACK ");
	assert_non_null(strstr(lab_body(got), "c=IN IP4 10.0.0.1\r\n"));
	ua_respond(&callee, got, 200, NULL, NULL);
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[OUTSIDE].remote.port, 40000);
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].remote.port, 50000);
	answer(&caller, &callee, invite, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* The PRACK has no answer: the call cannot go on. */
static void test_offer_in_18x_unanswered(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = call(&caller, NULL, SUPPORTED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("9"));
	prack(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 183"), NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 400");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "CANCEL "), 200, NULL, NULL);
	ua_respond(&callee, invite, 487, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "bad_sdp");
}

/* Neither SDP nor PRACK at the caller: the callee is not told that it could offer so. */
static void test_late_offer_without_100rel(void **state)
{
	struct ua caller, callee;
	const char *invite, *ok;

	callee = call(&caller, NULL, NULL, &invite);
	assert_string_equal(lab_header(invite, "Supported"), "timer");
	ua_respond(&callee, invite, 421, NULL, REQUIRED);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 421 Extension Required");
	assert_string_equal(lab_header(ok, "Require"), "100rel");
}

/* A PRACK with an offer, and its 200 with the answer (section 5). */
static void test_offer_in_prack(void **state)
{
	struct ua caller, callee;
	const char *invite, *progress, *got;

	callee = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("9"));
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	prack(&caller, progress, MOVED_SDP);
	lab_expect_none(&lab, OUTSIDE);
	got = lab_expect(&lab, INSIDE, "PRACK ");
	assert_string_equal(lab_header(got, "RAck"), "9 1 INVITE");
	assert_non_null(strstr(lab_body(got), "c=IN IP4 10.0.0.1\r\n"));
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[OUTSIDE].remote.port, 40000);
	ua_respond(&callee, got, 200, INSIDE_SDP, NULL);
	got = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(got, "CSeq"), "2 PRACK");
	assert_non_null(strstr(lab_body(got), "c=IN IP4 192.0.2.1\r\n"));
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[OUTSIDE].remote.port, 41000);
	answer(&caller, &callee, invite, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* Two forks with a PRACK each; the tags tell them apart. */
static void test_forks(void **state)
{
	struct ua caller, a, b, first, second;
	const char *invite, *one, *two, *got;

	a = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	b = ua_callee(&lab, invite);
	ua_respond(&a, invite, 183, INSIDE_SDP, REL("100"));
	ua_respond(&b, invite, 183, INSIDE_SDP, REL("200"));
	one = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	two = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	first = second = caller;
	prack(&second, two, NULL);
	second.branch += 10;
	got = lab_expect(&lab, INSIDE, "PRACK ");
	assert_string_equal(lab_tag(lab_header(got, "To")), b.tag);
	assert_string_equal(lab_header(got, "RAck"), "200 1 INVITE");
	ua_respond(&b, got, 200, NULL, NULL);
	first.branch += 20;
	prack(&first, one, NULL);
	got = lab_expect(&lab, INSIDE, "PRACK ");
	assert_string_equal(lab_tag(lab_header(got, "To")), a.tag);
	assert_string_equal(lab_header(got, "RAck"), "100 1 INVITE");
	ua_respond(&a, got, 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	second.branch += 30;
	answer(&second, &b, invite, NULL);
	lab_hang_up(&lab, &second, &b);
}

/* What matches no 18x of ours: 481, and the call goes on. */
static void test_wrong_pracks(void **state)
{
	static const char *const wrong[][2] = {
		{"1", "1 INVITE"}, {NULL, "2 INVITE"}, {NULL, "1 PRACK"}, {NULL, "1 INVITE x"}};
	struct ua caller, callee;
	const char *invite, *progress;
	char rack[64];

	callee = call(&caller, OUTSIDE_SDP, SUPPORTED, &invite);
	ua_respond(&callee, invite, 183, INSIDE_SDP, REL("9"));
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	ua_learn(&caller, progress);
	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(rack, sizeof(rack), "RAck: %s %s\r\n",
			wrong[i][0] ? wrong[i][0] : lab_header(progress, "RSeq"), wrong[i][1]);
		ua_request(&caller, "PRACK", ++caller.cseq, NULL, rack);
		lab_expect(&lab, OUTSIDE, i < 3 ? "SIP/2.0 481" : "SIP/2.0 400");
	}
	/* Nor may the callee send one. */
	ua_request(&callee, "PRACK", 101, NULL, "RAck: 9 1 INVITE\r\n");
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	/* Zeros before a number are none of its digits. */
	snprintf(rack, sizeof(rack), "RAck: 00000000000%s 1 INVITE\r\n",
		lab_header(progress, "RSeq"));
	ua_request(&caller, "PRACK", ++caller.cseq, NULL, rack);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect(&lab, INSIDE, "PRACK ");
	answer(&caller, &callee, invite, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_reinvite_afterwards),
		LAB_CASE(test_answers_of_the_caller),
		LAB_CASE(test_each_side_by_itself),
		LAB_CASE(test_repeated_until_given_up),
		LAB_CASE(test_repeated_to_a_stranger),
		LAB_CASE(test_one_at_a_time),
		LAB_CASE(test_slow_streams),
		LAB_CASE(test_ends_before_prack),
		LAB_CASE(test_refused_meanwhile),
		LAB_CASE(test_offer_in_18x),
		LAB_CASE(test_offer_in_18x_unanswered),
		LAB_CASE(test_late_offer_without_100rel),
		LAB_CASE(test_offer_in_prack),
		LAB_CASE(test_forks),
		LAB_CASE(test_wrong_pracks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
