/* re-INVITE: hold and resume, media that moves, and how it can fail (RFC 3261 section 14). */
#include "lab.h"

#define HOLD_SDP \
	"v=0\r\no=alice 7 8 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n" \
	"m=audio 40000 RTP/AVP 0\r\na=sendonly\r\n"
#define HELD_SDP \
	"v=0\r\no=bob 3 4 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n" \
	"m=audio 50000 RTP/AVP 0\r\na=recvonly\r\n"

/* The origin line of an SDP: "o=- ID VERSION IN". */
static void origin(const char *msg, unsigned long long *id, unsigned long long *version)
{
	assert_int_equal(sscanf(strstr(msg, "o=- "), "o=- %llu %llu IN", id, version), 2);
}

static unsigned int audio_port(const char *msg)
{
	return (unsigned int)strtoul(strstr(msg, "m=audio ") + 8, NULL, 10);
}

static unsigned int flags_of(unsigned int kind, unsigned int end)
{
	return lab_stream(&lab, kind)->set.end[end].flags;
}

static void test_hold_and_resume(void **state)
{
	struct ua caller, callee;
	unsigned long long id, version, id2, version2;
	const char *first, *invite, *ok;
	unsigned int sets;

	callee = lab_call(&lab, &caller, &first);
	ua_respond(&callee, first, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	origin(first, &id, &version);
	sets = lab_stream(&lab, STREAM_RTP)->sets;

	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:inside@10.0.0.10:5060");
	assert_string_equal(lab_tag(lab_header(invite, "To")), callee.tag);
	assert_string_equal(lab_header(invite, "CSeq"), "2 INVITE");
	assert_non_null(strstr(lab_body(invite), "a=sendonly\r\n"));
	origin(invite, &id2, &version2);
	assert_true(id2 == id && version2 == version + 1);
	assert_int_equal(audio_port(invite), audio_port(first));
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(lab_body(ok), "a=recvonly\r\n"));
	ua_request(&caller, "ACK", 2, NULL, NULL);
	/* The caller may send (music), the callee may not; RTCP goes both ways. */
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->sets, sets + 1);
	assert_int_equal(flags_of(STREAM_RTP, 0), STREAM_END_RECEIVE | STREAM_END_LEARN_PORT);
	assert_int_equal(flags_of(STREAM_RTP, 1), 0);
	assert_int_equal(flags_of(STREAM_RTCP, 1), STREAM_END_RECEIVE);
	/* Silence of a held line ends nothing. */
	lab_stream_silent(&lab, STREAM_RTP);
	assert_non_null(lab_stream(&lab, STREAM_RTP));
	assert_int_equal(lab.n_cdrs, 0);

	ua_request(&callee, "INVITE", 101, INSIDE_SDP, NULL);
	invite = lab_expect(&lab, OUTSIDE, "INVITE sip:outside@192.0.2.66:5060");
	assert_non_null(strstr(lab_body(invite), "a=sendrecv\r\n"));
	ua_respond(&caller, invite, 200, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "ACK ");
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	ua_request(&callee, "ACK", 101, NULL, NULL);
	assert_int_equal(flags_of(STREAM_RTP, 1), STREAM_END_RECEIVE);
	lab_hang_up(&lab, &caller, &callee);
	assert_int_equal(lab.n_cdrs, 1);
}

/* RFC 2543 hold: c=0.0.0.0. The far side sees our address and sendonly. */
static void test_hold_by_address(void **state)
{
	static const char hold[] = "v=0\r\no=- 7 8 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 0.0.0.0\r\n"
				   "t=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, hold, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_non_null(strstr(lab_body(invite), "c=IN IP4 10.0.0.1\r\n"));
	assert_non_null(strstr(lab_body(invite), "a=sendonly\r\n"));
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	ua_request(&caller, "ACK", 2, NULL, NULL);
	assert_int_equal(
		lab_stream(&lab, STREAM_RTP)->set.end[0].remote.addr.family, NET_FAMILY_NONE);
	assert_int_equal(flags_of(STREAM_RTP, 0), STREAM_END_RECEIVE | STREAM_END_LEARN_PORT);
	assert_int_equal(flags_of(STREAM_RTP, 1), 0);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_reinvite_moves_media(void **state)
{
	static const char moved[] =
		"v=0\r\no=- 3 5 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\n"
		"t=0 0\r\nm=audio 51000 RTP/AVP 8\r\n";
	struct ua caller, callee;
	const struct stream_end *e;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&callee, "INVITE", 101, moved, NULL);
	invite = lab_expect(&lab, OUTSIDE, "INVITE ");
	assert_non_null(strstr(lab_body(invite), "RTP/AVP 8\r\n"));
	/* Nothing moves before the answer. */
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[1].remote.port, 50000);
	ua_respond(&caller, invite, 200, OUTSIDE_SDP, NULL);
	ua_request(&callee, "ACK", 101, NULL, NULL);
	e = lab_stream(&lab, STREAM_RTP)->set.end;
	assert_int_equal(e[1].remote.port, 51000);
	assert_int_equal(e[1].allowed.bytes[3], 11);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_reinvite_refused(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 488, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
	caller.branch--;
	ua_request(&caller, "ACK", 2, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 0);
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[0].remote.port, 40000);
	/* And the next one goes through. */
	ua_request(&caller, "INVITE", 3, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&caller, "ACK", 3, NULL, NULL);
	caller.cseq = 3;
	lab_hang_up(&lab, &caller, &callee);
}

/* The dialog is unknown to the far side: the call is over (section 12.2.1.2). */
static void test_reinvite_481(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 481, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 481, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "dialog_lost");
}

/* The far side is silent: 408, and the call is over. */
static void test_reinvite_timeout(void **state)
{
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	lab_run(&lab, 32100);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 408");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "BYE ");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "dialog_lost");
}

/* Taken back before it was answered: the session stays as it is (section 14.1). */
static void test_reinvite_cancelled(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 180, NULL, NULL);
	ua_request(&caller, "CANCEL", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&callee, invite, 487, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	assert_int_equal(lab.n_cdrs, 0);
	caller.cseq = 2;
	lab_hang_up(&lab, &caller, &callee);
}

static void test_glare(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_request(&callee, "INVITE", 101, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 491 Request Pending\r\n");
	callee.branch--;
	ua_request(&callee, "ACK", 101, NULL, NULL);
	/* A second one of the same side before the first is answered: section 14.2. */
	ua_request(&caller, "INVITE", 3, HOLD_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&caller, "ACK", 2, NULL, NULL);
	caller.cseq = 3;
	lab_hang_up(&lab, &caller, &callee);
}

/* The callee may answer what a BYE overtakes: section 13.2.2.4 wants an ACK all the same. */
static void test_bye_overtakes_answer(void **state)
{
	struct ua caller, callee;
	const char *invite, *bye;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, HOLD_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_request(&caller, "BYE", 3, NULL, NULL);
	bye = lab_expect(&lab, INSIDE, "BYE ");
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 1);
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	assert_string_equal(lab_header(lab_expect(&lab, INSIDE, "ACK "), "CSeq"), "2 ACK");
	ua_respond(&callee, invite, 200, HELD_SDP, NULL);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 3);
	ua_respond(&callee, bye, 200, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_hold_and_resume),
		LAB_CASE(test_hold_by_address),
		LAB_CASE(test_reinvite_moves_media),
		LAB_CASE(test_reinvite_refused),
		LAB_CASE(test_reinvite_481),
		LAB_CASE(test_reinvite_timeout),
		LAB_CASE(test_reinvite_cancelled),
		LAB_CASE(test_glare),
		LAB_CASE(test_bye_overtakes_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
