/* Policies of realms and peers for codecs and SRTP, in whole calls. */
#include "lab.h"

#define SDP_WITH(c, m) "v=0\r\no=a 7 7 IN IP4 1.2.3.4\r\ns=-\r\n" c "t=0 0\r\n" m
#define C_GOOD "c=IN IP4 192.0.2.66\r\n"
#define M_GOOD "m=audio 40000 RTP/AVP 0\r\n"
#define KEY "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
#define PRINT "a=setup:actpass\r\na=fingerprint:sha-256 AA:BB\r\n"

static const json_t *cdr_side(unsigned int i, const char *side)
{
	return json_object_get(json_array_get(json_object_get(lab.cdr[i], "media"), 0), side);
}

/* Codecs in both legs as both sides' policies say, the peer's before its realm's. */
static void test_codec_policy(void **state)
{
	static const struct config_policy none,
		phones = {.deny = {{{"G729", 0}}, 1}},
		server = {.allow = {{{"PCMA", 0}, {"PCMU", 0}, {"G729", 0}}, 3},
			.order = {{{"PCMA", 0}}, 1}};
	static const char offer[] =
		SDP_WITH(C_GOOD, "m=audio 40000 RTP/AVP 18 0 9 8 101\r\na=fmtp:18 annexb=no\r\n"
				 "a=rtpmap:101 telephone-event/8000\r\n");
	static const char answer[] =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 50000 RTP/AVP 0 18 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *ok;

	lab.realms[OUTSIDE].policy = &phones;
	lab.peers[1].policy = &phones; /* the caller's address is this peer's */
	lab.realms[INSIDE].policy = &none;
	lab.peers[0].policy = &server;
	ua_request(&caller, "INVITE", 1, offer, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_non_null(strstr(invite, " RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
				       "a=sendrecv\r\n"));
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, answer, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(ok, " RTP/AVP 0 8 101\r\n")); /* the answerer's order */
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
	caller = ua_caller(&lab, "bob");
	ua_request(&caller, "INVITE", 1, SDP_WITH(C_GOOD, "m=audio 40000 RTP/AVP 9 18\r\n"), NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488 Not Acceptable Here");
	/* An answer with nothing but what is denied ends the call. */
	caller = ua_caller(&lab, "bob");
	ua_request(&caller, "INVITE", 1, offer, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200,
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 50000 RTP/AVP 18\r\n",
		NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, INSIDE, "BYE ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
}

/* Keys that only the ends have: the line goes on where both policies pass it, and its packets
 * may be longer. */
static void test_srtp_policy(void **state)
{
	static const struct config_policy pass = {.srtp = SRTP_PASS},
					  refuse = {.srtp = SRTP_REFUSE};
	static const struct {
		const struct config_policy *caller, *callee;
		const char *proto, *lines;
		unsigned int kind; /* of the stream; STREAM_KIND_COUNT: refused */
	} cases[] = {
		{&pass, &pass, "RTP/SAVP", KEY, STREAM_RTP},
		{&pass, &pass, "RTP/SAVPF", KEY, STREAM_RTP},
		{&pass, &pass, "UDP/TLS/RTP/SAVP", PRINT, STREAM_ANY},
		{&pass, &pass, "UDP/TLS/RTP/SAVPF", PRINT, STREAM_ANY},
		{&pass, &refuse, "RTP/SAVP", KEY, STREAM_KIND_COUNT},
		{NULL, &pass, "RTP/SAVP", KEY, STREAM_KIND_COUNT},
		{&refuse, &refuse, "UDP/TLS/RTP/SAVP", PRINT, STREAM_KIND_COUNT},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller = ua_caller(&lab, "bob"), callee;
		char offer[512], answer[512];
		const struct lab_stream *st;
		const char *invite, *ok;

		print_message("case %zu\n", i);
		lab.peers[1].policy = cases[i].caller;
		lab.peers[0].policy = cases[i].callee;
		snprintf(offer, sizeof(offer), SDP_WITH(C_GOOD, "m=audio 40000 %s 0\r\n%s"),
			cases[i].proto, cases[i].lines);
		ua_request(&caller, "INVITE", 1, offer, NULL);
		if (cases[i].kind == STREAM_KIND_COUNT) {
			lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
			continue;
		}
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		assert_non_null(strstr(invite, cases[i].proto));
		assert_non_null(strstr(invite, cases[i].lines));
		callee = ua_callee(&lab, invite);
		snprintf(answer, sizeof(answer),
			"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
			"m=audio 50000 %s 0\r\na=ptime:20\r\n%s",
			cases[i].proto, cases[i].lines);
		ua_respond(&callee, invite, 200, answer, NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		assert_non_null(strstr(ok, cases[i].lines));
		ua_learn(&caller, ok);
		ua_request(&caller, "ACK", 1, NULL, NULL);
		st = lab_stream(&lab, cases[i].kind);
		assert_non_null(st);
		/* 50 packets of 160 bytes, a header, and a tag of 16. */
		assert_in_range(st->set.end[0].bytes.rate, 50 * 188, 50 * 210);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		/* No score for what is not measured. */
		assert_int_equal(
			json_is_null(json_object_get(cdr_side(lab.n_cdrs - 1, "caller"), "mos")),
			cases[i].kind == STREAM_ANY);
	}
}

/* An answer of less security than the offer is none. */
static void test_srtp_is_not_taken_away(void **state)
{
	static const struct config_policy pass = {.srtp = SRTP_PASS};
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite;

	lab.peers[0].policy = lab.peers[1].policy = &pass;
	ua_request(&caller, "INVITE", 1,
		SDP_WITH(C_GOOD, "m=audio 40000 RTP/SAVP 0\r\n" KEY M_GOOD), NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200,
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 50000 RTP/AVP 0\r\nm=audio 50002 RTP/AVP 0\r\n",
		NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_int_equal(lab.n_streams, 2); /* of the second line */
	assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].remote.port, 50002);
	lab_hang_up(&lab, &caller, &callee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_codec_policy),
		LAB_CASE(test_srtp_policy),
		LAB_CASE(test_srtp_is_not_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
