/* Forking behind the box (RFC 3261 sections 12.1, 13.2.2.4): each early dialog by itself. */
#include "lab.h"

#define FORK_SDP(port) \
	"v=0\r\no=bob 3 3 IN IP4 10.0.0.10\r\ns=inside\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n" \
	"m=audio " port " RTP/AVP 0\r\n"

/* Its To tag at the caller. */
static const char *ring(struct ua *u, const char *invite, unsigned int status, const char *sdp)
{
	char line[16];

	ua_respond(u, invite, status, sdp, NULL);
	snprintf(line, sizeof(line), "SIP/2.0 %u", status);
	return lab_tag(lab_header(lab_expect(&lab, OUTSIDE, line), "To"));
}

static unsigned int media_port(void)
{
	return lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].remote.port;
}

/* Both ring, with media; either may win. */
static void test_either_wins(void **state)
{
	for (unsigned int winner = 0; winner < 2; winner++) {
		struct ua caller, fork[2];
		const char *invite, *ok, *ack, *bye;
		char tag[2][64];

		fork[0] = lab_call(&lab, &caller, &invite);
		fork[1] = ua_callee(&lab, invite);
		snprintf(tag[0], 64, "%s", ring(&fork[0], invite, 180, NULL));
		snprintf(tag[1], 64, "%s", ring(&fork[1], invite, 183, FORK_SDP("52000")));
		assert_int_equal(media_port(), 52000);
		assert_string_not_equal(tag[0], tag[1]);
		/* Again: the same dialogs. */
		assert_string_equal(ring(&fork[0], invite, 183, FORK_SDP("51000")), tag[0]);
		assert_int_equal(media_port(), 51000);
		assert_string_equal(ring(&fork[1], invite, 180, NULL), tag[1]);

		/* The answer is known from its 183. */
		if (winner == 1)
			assert_string_equal(ring(&fork[0], invite, 180, NULL), tag[0]);
		ua_respond(&fork[winner], invite, 200,
			winner == 0 ? FORK_SDP("51000") : FORK_SDP("52000"), NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		assert_string_equal(lab_tag(lab_header(ok, "To")), tag[winner]);
		assert_int_equal(media_port(), winner == 0 ? 51000 : 52000);
		ack = lab_expect(&lab, INSIDE, "ACK ");
		assert_string_equal(lab_tag(lab_header(ack, "To")), fork[winner].tag);
		ua_learn(&caller, ok);
		ua_request(&caller, "ACK", 1, NULL, NULL);

		/* The other answers, too, now and much later. */
		for (unsigned int i = 0; i < 2; i++) {
			ua_respond(&fork[!winner], invite, 200, FORK_SDP("59000"), NULL);
			ack = lab_expect(&lab, INSIDE, "ACK ");
			assert_string_equal(lab_tag(lab_header(ack, "To")), fork[!winner].tag);
			assert_string_equal(lab_header(ack, "CSeq"), "1 ACK");
			bye = lab_expect(&lab, INSIDE, "BYE ");
			assert_string_equal(lab_tag(lab_header(bye, "To")), fork[!winner].tag);
			ua_respond(&fork[!winner], bye, 200, NULL, NULL);
			lab_run(&lab, 40000);
		}
		assert_int_equal(media_port(), winner == 0 ? 51000 : 52000);
		assert_int_equal(lab.n_cdrs, winner);
		assert_int_equal(b2bua_get_stats(lab.b2bua)->dialogs, 2);
		/* The early dialog that lost is gone. */
		snprintf(caller.remote_tag, sizeof(caller.remote_tag), "%s", tag[!winner]);
		ua_request(&caller, "BYE", 2, NULL, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
		snprintf(caller.remote_tag, sizeof(caller.remote_tag), "%s", tag[winner]);
		caller.cseq = 2;
		lab_hang_up(&lab, &caller, &fork[winner]);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* The answer stood in its 183 alone, and another fork has had the media since. */
static void test_media_returns_to_the_winner(void **state)
{
	struct ua caller, a, b;
	const char *invite, *ok;

	a = lab_call(&lab, &caller, &invite);
	b = ua_callee(&lab, invite);
	ring(&a, invite, 183, FORK_SDP("51000"));
	ring(&b, invite, 183, FORK_SDP("52000"));
	assert_int_equal(media_port(), 52000);
	ua_respond(&a, invite, 200, NULL, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(lab_body(ok), "m=audio "));
	assert_int_equal(media_port(), 51000);
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &a);
}

/* INVITE without SDP: each fork offers what it has, and the one with fewer m= lines may win. */
static void test_late_offers_differ(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), a, b;
	const char *invite, *got;
	char rack[64];

	ua_request(&caller, "INVITE", 1, NULL, "Supported: 100rel\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	a = ua_callee(&lab, invite);
	b = ua_callee(&lab, invite);
	ua_respond(&a, invite, 183, FORK_SDP("51000") "m=video 51002 RTP/AVP 34\r\n",
		"Require: 100rel\r\nRSeq: 9\r\n");
	got = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	ua_learn(&caller, got);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(got, "RSeq"));
	ua_request(
		&caller, "PRACK", ++caller.cseq, OUTSIDE_SDP "m=video 40002 RTP/AVP 34\r\n", rack);
	ua_respond(&a, lab_expect(&lab, INSIDE, "PRACK "), 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_int_equal(lab.n_streams, 4);

	ua_respond(&b, invite, 200, FORK_SDP("52000"), NULL);
	got = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_null(strstr(lab_body(got), "m=video"));
	ua_learn(&caller, got);
	ua_request(&caller, "ACK", 1, OUTSIDE_SDP, NULL);
	assert_non_null(strstr(lab_body(lab_expect(&lab, INSIDE, "ACK ")), "m=audio "));
	assert_int_equal(media_port(), 52000);
	assert_int_equal(lab.n_streams, 2); /* nobody has the video any more */
	lab_hang_up(&lab, &caller, &b);
}

/* Who rings with ever new tags fills nothing, and an answer is taken all the same. */
static void test_many(void **state)
{
	struct ua caller, last;
	const char *invite, *ok;
	char seen[32][64];
	unsigned int n = 0;

	last = lab_call(&lab, &caller, &invite);
	for (unsigned int i = 0; i < 30; i++) {
		last = ua_callee(&lab, invite);
		ua_respond(&last, invite, 180, NULL, NULL);
	}
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 180"), 8);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->forks_ignored, 22);
	for (; n < 8; n++) {
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
		snprintf(seen[n], 64, "%s", lab_tag(lab_header(ok, "To")));
		for (unsigned int i = 0; i < n; i++)
			assert_string_not_equal(seen[i], seen[n]);
	}
	ua_respond(&last, invite, 200, INSIDE_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_string_equal(lab_tag(lab_header(lab_expect(&lab, INSIDE, "ACK "), "To")), last.tag);
	lab_hang_up(&lab, &caller, &last);
}

/* All ring, then all are refused by one answer; or the caller gives up. */
static void test_nobody_wins(void **state)
{
	struct ua caller, a, b;
	const char *invite;

	a = lab_call(&lab, &caller, &invite);
	b = ua_callee(&lab, invite);
	ring(&a, invite, 183, FORK_SDP("51000"));
	ring(&b, invite, 183, FORK_SDP("52000"));
	ua_respond(&b, invite, 486, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	assert_null(lab_stream(&lab, STREAM_RTP));

	a = lab_call(&lab, &caller, &invite);
	b = ua_callee(&lab, invite);
	ring(&a, invite, 180, NULL);
	ring(&b, invite, 180, NULL);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	ua_respond(&a, lab_expect(&lab, INSIDE, "CANCEL "), 200, NULL, NULL);
	/* The second one's answer crosses the CANCEL. */
	ua_respond(&b, invite, 200, INSIDE_SDP, NULL);
	assert_string_equal(
		lab_tag(lab_header(lab_expect(&lab, INSIDE, "ACK sip:inside"), "To")), b.tag);
	ua_respond(&b, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 2);
	lab_run(&lab, 40000);
	lab_forget(&lab);

	/* Or that of one that never rang. */
	a = lab_call(&lab, &caller, &invite);
	b = ua_callee(&lab, invite);
	ring(&a, invite, 180, NULL);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&b, invite, 200, INSIDE_SDP, NULL);
	assert_string_equal(
		lab_tag(lab_header(lab_expect(&lab, INSIDE, "ACK sip:inside"), "To")), b.tag);
	ua_respond(&b, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_either_wins),
		LAB_CASE(test_media_returns_to_the_winner),
		LAB_CASE(test_late_offers_differ),
		LAB_CASE(test_many),
		LAB_CASE(test_nobody_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
