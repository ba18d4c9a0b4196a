/* Media of a call: ports, limits, refusals, and what the dataplane does in between. */
#include <errno.h>

#include "attach.h"

#include "lab.h"

#define SDP_WITH(c, m) "v=0\r\no=a 7 7 IN IP4 1.2.3.4\r\ns=-\r\n" c "t=0 0\r\n" m
#define C_GOOD "c=IN IP4 192.0.2.66\r\n"
#define M_GOOD "m=audio 40000 RTP/AVP 0\r\n"

/* An offer that cannot be used is refused before the callee hears of it. */
static void test_offer_refused(void **state)
{
	static const struct {
		const char *sdp, *answer;
	} cases[] = {
		{SDP_WITH("c=IN IP4 127.0.0.1\r\n", M_GOOD), "SIP/2.0 488 Not Acceptable Here"},
		{SDP_WITH("c=IN IP4 224.0.0.1\r\n", M_GOOD), "SIP/2.0 488"},
		{SDP_WITH("c=IN IP4 255.255.255.255\r\n", M_GOOD), "SIP/2.0 488"},
		{SDP_WITH("c=IN IP4 192.0.2.1\r\n", M_GOOD), "SIP/2.0 488"}, /* ourselves */
		{SDP_WITH("c=IN IP4 10.0.0.1\r\n", M_GOOD), "SIP/2.0 488"}, /* the far side of us */
		{SDP_WITH("c=IN IP6 ::ffff:127.0.0.1\r\n", M_GOOD), "SIP/2.0 488"},
		{SDP_WITH("c=IN IP4 phone.example\r\n", M_GOOD), "SIP/2.0 488"},
		{SDP_WITH("", M_GOOD), "SIP/2.0 488"},
		{SDP_WITH(C_GOOD, "m=audio 40000 RTP/SAVP 0\r\n"), "SIP/2.0 488"},
		{SDP_WITH(C_GOOD, "m=image 40000 TCP t38\r\n"), "SIP/2.0 488"},
		{"v=1\r\n", "SIP/2.0 400"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller = ua_caller(&lab, "bob");

		ua_request(&caller, "INVITE", 1, cases[i].sdp, NULL);
		lab_expect(&lab, OUTSIDE, cases[i].answer);
		assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_refused, i + 1);
		assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
	}
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 0);
}

/* The answer cannot be used: the callee is hung up on, the caller is told. */
static void test_answer_refused(void **state)
{
	static const char bad[] =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		"m=audio 50000 RTP/AVP 0\r\n";
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 200, bad, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "bad_sdp");
}

static void test_other_body(void **state)
{
	struct ua caller = ua_caller(&lab, "bob");
	char text[1024];
	int n = snprintf(text, sizeof(text),
		"INVITE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		"192.0.2.66;branch=z9hG4bKbody\r\n"
		"From: <sip:a@b>;tag=outside-x\r\nTo: <sip:bob@192.0.2.1>\r\nCall-ID: outside-x\r\n"
		"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.66>\r\nContent-Type: multipart/mixed;"
		"boundary=x\r\nContent-Length: 5\r\n\r\n--x--");

	lab_feed(&lab, OUTSIDE, caller.addr, text, (size_t)n);
	assert_string_equal(lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 415"), "Accept"),
		"application/sdp, multipart/mixed");
}

/* Who takes no SDP gets no call (RFC 3261 section 21.4.7). */
static void test_accept(void **state)
{
	static const struct {
		const char *lines;
		bool good;
	} cases[] = {
		{"Accept: application/sdp\r\n", true},
		{"Accept: text/plain\r\nAccept: text/html , Application/SDP;level=1\r\n", true},
		{"Accept: application/*;q=0.5\r\n", true},
		{"Accept: */*\r\n", true},
		{"Accept: text/nobodyKnowsThis\r\n", false},
		{"Accept: text/*, application/isup\r\n", false},
		{"Accept: \r\n", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller = ua_caller(&lab, "bob");

		print_message("case %zu\n", i);
		ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, cases[i].lines);
		assert_int_equal(lab_count(&lab, INSIDE, "INVITE "), cases[i].good);
		assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 406 "), !cases[i].good);
		if (cases[i].good) {
			const char *invite = lab_expect(&lab, INSIDE, "INVITE ");
			struct ua callee = ua_callee(&lab, invite);

			ua_respond(&callee, invite, 486, NULL, NULL);
		}
		lab_forget(&lab);
	}
}

/* Several lines: what we relay goes on, the rest is refused with port 0 on both sides. */
static void test_lines(void **state)
{
	static const char offer[] = SDP_WITH(C_GOOD,
		M_GOOD "m=video 40002 RTP/AVPF 99\r\na=rtpmap:99 VP8/90000\r\na=rtcp-fb:99 nack\r\n"
		       "m=image 40004 udptl t38\r\na=T38FaxVersion:0\r\n"
		       "m=application 40006 UDP/BFCP *\r\nm=audio 0 RTP/AVP 0\r\n");
	static const char answer[] =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 50000 RTP/AVP 0\r\nm=video 0 RTP/AVPF 99\r\nm=image 50004 udptl t38\r\n"
		"m=application 0 UDP/BFCP *\r\nm=audio 0 RTP/AVP 0\r\n";
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *ok;

	ua_request(&caller, "INVITE", 1, offer, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_null(strstr(invite, "m=video 0 "));
	assert_non_null(strstr(invite, "a=rtcp-fb:99 nack\r\n"));
	assert_non_null(strstr(invite, "a=T38FaxVersion:0\r\n"));
	assert_non_null(strstr(invite, "m=application 0 UDP/BFCP *\r\nm=audio 0 RTP/AVP 0\r\n"));
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, answer, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(ok, "m=video 0 RTP/AVPF 99\r\nm=image "));
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	/* Audio RTP and RTCP, T.38; nothing for the rest. */
	assert_int_equal(lab.n_streams, 3);
	assert_int_equal(lab_stream(&lab, STREAM_ANY)->set.end[1].remote.port, 50004);
	/* Fewer m= lines in a new offer: RFC 3264 section 8. */
	ua_request(&caller, "INVITE", 2, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
	caller.branch--;
	ua_request(&caller, "ACK", 2, NULL, NULL);
	assert_int_equal(lab.n_streams, 3);
	lab_hang_up(&lab, &caller, &callee);
}

/* A line is added and another one ended by re-INVITE. */
static void test_lines_change(void **state)
{
	static const char offer[] =
		SDP_WITH(C_GOOD, "m=audio 0 RTP/AVP 0\r\nm=image 40004 udptl t38\r\n");
	static const char answer[] =
		"v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 0 RTP/AVP 0\r\nm=image 50004 udptl t38\r\n";
	struct ua caller, callee;
	const char *invite;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "INVITE", 2, offer, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&callee, invite, 200, answer, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&caller, "ACK", 2, NULL, NULL);
	assert_int_equal(lab.n_streams, 1);
	assert_non_null(lab_stream(&lab, STREAM_ANY));
	caller.cseq = 2;
	lab_hang_up(&lab, &caller, &callee);
}

#define MUX "a=rtcp-mux\r\n"

/* RTCP on the port of RTP: only when both say so, and each is told what the other said. */
static void test_rtcp_mux(void **state)
{
	static const struct {
		const char *offer, *answer;
		bool mux;
	} cases[] = {{"", "", false}, {MUX, "", false}, {"", MUX, false}, {MUX, MUX, true}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char offer[512], answer[512];
		struct ua caller = ua_caller(&lab, "bob"), callee;
		const char *invite, *ok;

		snprintf(offer, sizeof(offer), SDP_WITH(C_GOOD, M_GOOD "%s"), cases[i].offer);
		snprintf(answer, sizeof(answer), "%s%s", INSIDE_SDP, cases[i].answer);
		ua_request(&caller, "INVITE", 1, offer, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		assert_int_equal(strstr(invite, MUX) != NULL, cases[i].offer[0] != '\0');
		callee = ua_callee(&lab, invite);
		ua_respond(&callee, invite, 200, answer, NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		assert_int_equal(strstr(ok, MUX) != NULL, cases[i].mux);
		ua_learn(&caller, ok);
		ua_request(&caller, "ACK", 1, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		assert_int_equal(lab.n_streams, cases[i].mux ? 1 : 2);
		assert_int_equal(lab_stream(&lab, STREAM_RTP_MUX) != NULL, cases[i].mux);
		assert_int_equal(lab_stream(&lab, STREAM_RTCP) != NULL, !cases[i].mux);
		lab_hang_up(&lab, &caller, &callee);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* What either may send follows from the answer. */
static void test_rates(void **state)
{
	struct ua caller, callee;
	const struct lab_stream *st;

	lab_establish(&lab, &caller, &callee);
	st = lab_stream(&lab, STREAM_RTP);
	for (unsigned int end = 0; end < 2; end++) {
		assert_int_equal(st->set.end[end].clock_hz, 8000);
		/* G.711 of 20 ms is 50 packets of 172 bytes. */
		assert_in_range(st->set.end[end].packets.rate, 51, 55);
		assert_in_range(st->set.end[end].bytes.rate, 50 * 172 + 50, 50 * 172 * 105 / 100);
		assert_in_range(st->set.end[end].bytes.burst, 1720, 2600);
	}
	st = lab_stream(&lab, STREAM_RTCP);
	assert_true(st->set.end[0].packets.rate > 0 && st->set.end[0].bytes.rate > 0);
	assert_int_equal(st->set.end[0].clock_hz, 0);
	lab_hang_up(&lab, &caller, &callee);
}

static const json_t *cdr_side(unsigned int i, const char *side)
{
	return json_object_get(json_array_get(json_object_get(lab.cdr[i], "media"), 0), side);
}

/* Silence and what the dataplane measured are in the CDR. */
static void test_quality_in_the_cdr(void **state)
{
	struct ua caller, callee;
	const struct lab_stream *st;
	struct rec_stream_event ev = {
		.hdr = {.len = sizeof(ev), .type = REC_STREAM_SILENT, .version = API_VERSION},
		.latched_end = 1};

	lab_establish(&lab, &caller, &callee);
	st = lab_stream(&lab, STREAM_RTP);
	ev.id = st->set.id;
	lab_event(&lab, &ev, sizeof(ev));
	lab_event(&lab, &ev, sizeof(ev));
	ev.hdr.type = REC_STREAM_GONE;
	ev.reason = STREAM_GONE_DELETED;
	ev.counts[0] = (struct stream_counts){.packets = 892, /* and 100 at the end of the call */
		.bytes = 892 * 172,
		.policed = 4,
		.lost = 10,
		.duplicates = 6,
		.reordered = 3,
		.late_gaps = 5,
		.jitter_us = 1500,
		.jitter_max_us = 20250};
	lab_event(&lab, &ev, sizeof(ev));
	lab_hang_up(&lab, &caller, &callee);
	lab_run(&lab, 40000);
	assert_int_equal(json_integer_value(json_object_get(cdr_side(0, "caller"), "silences")), 0);
	assert_int_equal(json_integer_value(json_object_get(cdr_side(0, "callee"), "silences")), 2);
	static const struct {
		const char *key;
		int value;
	} want[] = {{"packets", 992}, {"policed", 4}, {"lost", 10}, {"duplicates", 6},
		{"reordered", 3}, {"late_gaps", 5}};
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(
			json_integer_value(json_object_get(cdr_side(0, "caller"), want[i].key)),
			want[i].value);
	assert_int_equal((int)(1000 * json_real_value(json_object_get(
					      cdr_side(0, "caller"), "loss_percent"))),
		1000);
	assert_in_range((int)(100 * json_real_value(json_object_get(cdr_side(0, "caller"), "mos"))),
		420, 435);
	assert_in_range((int)(100 * json_real_value(json_object_get(cdr_side(0, "callee"), "mos"))),
		439, 441);
}

static void test_limits(void **state)
{
	struct ua caller[3], callee[2];

	lab.peers[0].max_calls = 2;
	for (unsigned int i = 0; i < 2; i++)
		lab_establish(&lab, &caller[i], &callee[i]);
	caller[2] = ua_caller(&lab, "bob");
	ua_request(&caller[2], "INVITE", 1, OUTSIDE_SDP, NULL);
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 503"), "Retry-After"), "10");
	lab_hang_up(&lab, &caller[0], &callee[0]);
	lab_establish(&lab, &caller[0], &callee[0]);
	lab.peers[0].max_calls = 0;
	lab.realms[OUTSIDE].max_calls = 2;
	caller[2] = ua_caller(&lab, "bob");
	ua_request(&caller[2], "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_refused, 2);
	for (unsigned int i = 0; i < 2; i++)
		lab_hang_up(&lab, &caller[i], &callee[i]);
}

static void test_not_routed(void **state)
{
	struct ua caller = ua_caller(&lab, "zoe");

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 404 Not Found");
	b2bua_drain(lab.b2bua);
	caller = ua_caller(&lab, "bob");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 503"), "Retry-After"), "10");
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_refused, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_offer_refused),
		LAB_CASE(test_answer_refused),
		LAB_CASE(test_other_body),
		LAB_CASE(test_accept),
		LAB_CASE(test_lines),
		LAB_CASE(test_rtcp_mux),
		LAB_CASE(test_rates),
		LAB_CASE(test_quality_in_the_cdr),
		LAB_CASE(test_lines_change),
		LAB_CASE(test_limits),
		LAB_CASE(test_not_routed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
