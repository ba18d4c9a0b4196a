/* Calls from INVITE to the CDR: answered, refused, given up. */
#include <unistd.h>

#include "lab.h"
#include "log.h"

static void test_answered(void **state)
{
	struct ua caller, callee;
	const char *invite, *ok, *ack, *bye;
	const json_t *media;

	callee = lab_call(&lab, &caller, &invite);
	assert_string_equal(lab_header(invite, "To"), "<sip:bob@10.0.0.10>");
	assert_non_null(
		strstr(lab_header(invite, "From"), "\"Alice A.\" <sip:alice@10.0.0.1>;tag="));
	assert_string_equal(lab_header(invite, "Contact"), "<sip:10.0.0.1:5060>");
	assert_string_equal(lab_header(invite, "Max-Forwards"), "69");
	assert_string_equal(lab_header(invite, "User-Agent"), "Sallyport");
	assert_string_equal(lab_header(invite, "Content-Type"), "application/sdp");
	assert_non_null(strstr(lab_body(invite), "c=IN IP4 10.0.0.1\r\n"));
	assert_non_null(strstr(lab_body(invite), "a=rtpmap:101 telephone-event/8000\r\n"));
	assert_null(strstr(lab_body(invite), "a=rtcp"));

	ua_respond(&callee, invite, 180, NULL, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 180 Ringing\r\n");
	assert_string_not_equal(lab_tag(lab_header(ok, "To")), "");
	assert_null(lab_stream(&lab, STREAM_RTP));
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_answered_active, 0);

	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ack = lab_expect(&lab, INSIDE, "ACK sip:inside@10.0.0.10:5060 SIP/2.0\r\n");
	assert_string_equal(lab_tag(lab_header(ack, "To")), callee.tag);
	assert_string_equal(lab_header(ack, "CSeq"), "1 ACK");
	assert_non_null(lab_stream(&lab, STREAM_RTP));
	assert_non_null(lab_stream(&lab, STREAM_RTCP));
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	assert_string_equal(lab_header(ok, "Contact"), "<sip:192.0.2.1:5060>");
	assert_non_null(strstr(lab_body(ok), "c=IN IP4 192.0.2.1\r\n"));
	assert_non_null(strstr(lab_body(ok), "a=ptime:20\r\n"));
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_answered_active, 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->dialogs, 2);
	lab_run(&lab, 40000);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200 OK"), 1);

	ua_request(&caller, "BYE", 2, NULL, "Reason: Q.850;cause=16;text=\"outside\"\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	bye = lab_expect(&lab, INSIDE, "BYE sip:inside@10.0.0.10:5060 SIP/2.0\r\n");
	assert_string_equal(lab_header(bye, "Reason"), "Q.850;cause=16");
	assert_string_equal(lab_header(bye, "CSeq"), "2 BYE");
	ua_respond(&callee, bye, 200, NULL, NULL);
	lab_expect_none(&lab, OUTSIDE);

	assert_int_equal(lab.n_cdrs, 1);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "normal");
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "caller");
	assert_string_equal(lab_cdr_text(&lab, 0, "from"), "sip:alice@192.0.2.66");
	assert_string_equal(lab_cdr_text(&lab, 0, "to"), "sip:bob@192.0.2.1");
	assert_string_equal(lab_cdr_text(&lab, 0, "to_peer"), "server");
	assert_int_equal(json_integer_value(json_object_get(lab.cdr[0], "duration_ms")), 40000);
	assert_string_equal(lab_cdr_text(&lab, 0, "a_call_id"), caller.call_id);
	assert_string_equal(lab_cdr_text(&lab, 0, "b_call_id"), callee.call_id);
	media = json_array_get(json_object_get(lab.cdr[0], "media"), 0);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(media, "caller"), "packets")),
		100);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(media, "callee"), "packets")),
		200);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(media, "callee"), "refused")),
		4);
}

static void test_streams(void **state)
{
	struct ua caller, callee;
	const struct stream_end *e;

	lab_establish(&lab, &caller, &callee);
	e = lab_stream(&lab, STREAM_RTP)->set.end;
	assert_memory_equal(
		&e[0].local.addr, &lab.realms[OUTSIDE].media[0].addr, sizeof(e[0].local.addr));
	assert_true(
		e[0].local.port >= 20000 && e[0].local.port <= 20098 && e[0].local.port % 2 == 0);
	assert_true(
		e[1].local.port >= 30000 && e[1].local.port <= 30098 && e[1].local.port % 2 == 0);
	assert_int_equal(e[0].remote.port, 40000);
	assert_int_equal(e[1].remote.port, 50000);
	assert_int_equal(e[0].flags, STREAM_END_RECEIVE | STREAM_END_LEARN_PORT);
	assert_int_equal(e[1].flags, STREAM_END_RECEIVE);
	assert_int_equal(e[0].prefix_len, 32);
	assert_int_equal(lab_stream(&lab, STREAM_RTCP)->set.end[0].remote.port, 40001);
	assert_int_equal(lab_stream(&lab, STREAM_RTCP)->set.end[1].local.port, e[1].local.port + 1);
	assert_int_equal(lab_stream(&lab, STREAM_RTCP)->set.end[1].remote.port, 50001);
	lab_hang_up(&lab, &caller, &callee);
	assert_null(lab_stream(&lab, STREAM_RTP));
	assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
}

/* Final failures come through with our words, and the call is over. */
static void test_refused(void **state)
{
	static const struct {
		unsigned int status;
		const char *line, *cause;
	} cases[] = {
		{486, "SIP/2.0 486 Busy Here\r\n", "busy"},
		{404, "SIP/2.0 404 Not Found\r\n", "rejected"},
		{302, "SIP/2.0 302 Moved Temporarily\r\n", "rejected"},
		{480, "SIP/2.0 480 Temporarily Unavailable\r\n", "no_answer"},
		{503, "SIP/2.0 503 Service Unavailable\r\n", "rejected"},
		{603, "SIP/2.0 603 Decline\r\n", "rejected"},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *invite, *final;

		callee = lab_call(&lab, &caller, &invite);
		ua_respond(&callee, invite, cases[i].status, NULL, "Retry-After: 7 (inside)\r\n");
		lab_expect(&lab, INSIDE, "ACK ");
		final = lab_expect(&lab, OUTSIDE, cases[i].line);
		assert_string_equal(lab_header(final, "Contact"),
			cases[i].status == 302 ? "<sip:elsewhere@192.0.2.1>" : "");
		assert_string_equal(lab_header(final, "Retry-After"), "7");
		ua_learn(&caller, final);
		caller.branch--; /* the ACK belongs to the INVITE's transaction */
		snprintf(caller.target, sizeof(caller.target), "sip:bob@192.0.2.1");
		ua_request(&caller, "ACK", 1, NULL, NULL);
		assert_int_equal(lab.n_cdrs, i + 1);
		assert_string_equal(lab_cdr_text(&lab, i, "cause"), cases[i].cause);
		assert_string_equal(lab_cdr_text(&lab, i, "ended_by"), "callee");
		assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_failed, i + 1);
	}
}

/* Each provisional answer goes on but that of the hop and that of a lost dialog (RFC 6228); a new
 * one is a call in progress (section 8.1.3.2). */
static void test_provisional(void **state)
{
	static const unsigned int statuses[] = {180, 181, 182, 183, 190, 198};
	struct ua caller, callee;
	const char *invite;
	char line[32];

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 100, NULL, NULL);
	ua_respond(&callee, invite, 199, NULL, NULL);
	lab_expect_none(&lab, OUTSIDE);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		ua_respond(&callee, invite, statuses[i], NULL, NULL);
		snprintf(line, sizeof(line), "SIP/2.0 %u ", statuses[i]);
		lab_expect(&lab, OUTSIDE, line);
	}
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
}

static void test_cancel(void **state)
{
	struct ua caller, callee;
	const char *invite, *cancel;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ua_request(&caller, "CANCEL", 1, NULL, "Reason: SIP;cause=200;text=\"outside\"\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487 Request Terminated\r\n");
	cancel = lab_expect(&lab, INSIDE, "CANCEL sip:bob@10.0.0.10:5060 ");
	assert_string_equal(lab_header(cancel, "Via"), lab_header(invite, "Via"));
	ua_respond(&callee, cancel, 200, NULL, NULL);
	ua_respond(&callee, invite, 487, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "cancel");
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "caller");
	assert_int_equal(json_integer_value(json_object_get(lab.cdr[0], "sip_status")), 487);
}

/* Before any response: the CANCEL waits for one (section 9.1). */
static void test_cancel_early(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	lab_expect_none(&lab, INSIDE);
	ua_respond(&callee, invite, 180, NULL, NULL);
	lab_expect(&lab, INSIDE, "CANCEL ");
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 180"), 0);
	ua_respond(&callee, invite, 487, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
}

static void test_cancel_crosses_200(void **state)
{
	struct ua caller, callee;
	const char *invite, *bye;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK sip:inside@10.0.0.10:5060");
	bye = lab_expect(&lab, INSIDE, "BYE sip:inside@10.0.0.10:5060");
	ua_respond(&callee, bye, 200, NULL, NULL);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200 OK"), 1); /* of the CANCEL */
	assert_int_equal(lab.n_cdrs, 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_answered, 0);
}

/* Our 2xx is out: the CANCEL changes nothing (section 9.2), and the ACK makes the call. */
static void test_cancel_too_late(void **state)
{
	struct ua caller, callee;
	const char *invite, *ok;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK"), "CSeq"), "1 CANCEL");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_run(&lab, 40000);
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* A 2xx of a call that nobody knows any more is left alone: no dialog, no ACK. */
static void test_answer_of_a_forgotten_call(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_run(&lab, 60000);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(lab.n_cdrs, 1);
}

static void test_no_answer(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	lab_run(&lab, 59900);
	assert_int_equal(lab_count(&lab, INSIDE, "CANCEL "), 0);
	lab_run(&lab, 200);
	lab_expect(&lab, INSIDE, "CANCEL ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 408 Request Timeout\r\n");
	/* The callee's last word is waited for, but the call is over. */
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 0);
	ua_respond(&callee, invite, 487, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "no_answer");
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "box");
}

/* Timer B: nothing at all from the callee. */
static void test_unreachable(void **state)
{
	struct ua caller;
	const char *invite;

	lab_call(&lab, &caller, &invite);
	lab_run(&lab, 31900);
	assert_int_equal(lab.n_cdrs, 0);
	lab_run(&lab, 200);
	assert_true(lab_count(&lab, INSIDE, "INVITE ") > 5);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 100 Trying\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 408 Request Timeout\r\n");
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "unreachable");
}

static void test_callee_hangs_up(void **state)
{
	struct ua caller, callee;
	const char *bye;

	lab_establish(&lab, &caller, &callee);
	ua_request(&callee, "BYE", 101, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200 OK\r\n");
	bye = lab_expect(&lab, OUTSIDE, "BYE sip:outside@192.0.2.66:5060 SIP/2.0\r\n");
	assert_string_equal(lab_header(bye, "From"), lab_header(bye, "From"));
	assert_string_equal(lab_tag(lab_header(bye, "To")), caller.tag);
	assert_string_equal(lab_tag(lab_header(bye, "From")), caller.remote_tag);
	assert_string_equal(lab_header(bye, "Call-ID"), caller.call_id);
	ua_respond(&caller, bye, 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "callee");
}

/* Both hang up at once: each BYE is answered 200, none is lost in a forgotten dialog. */
static void test_bye_crosses(void **state)
{
	struct ua caller, callee;
	const char *bye;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	bye = lab_expect(&lab, INSIDE, "BYE ");
	ua_request(&callee, "BYE", 101, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200 OK\r\n");
	ua_respond(&callee, bye, 481, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 0);
}

/* The far side never answers our BYE: the call is over all the same, the CDR does not wait. */
static void test_bye_unanswered(void **state)
{
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	ua_request(&caller, "BYE", 2, NULL, NULL);
	lab_expect(&lab, INSIDE, "BYE ");
	assert_int_equal(lab.n_cdrs, 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 0);
}

/* Passwords are for those that a phone registers at: who challenges our BYE gets nothing, and
 * nobody is asked for it; nor does a BYE take along what the far side's had. */
static void test_bye_challenged(void **state)
{
	static const struct {
		unsigned int status;
		const char *challenge;
	} cases[] = {
		{407, "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"},
		{401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"},
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		bool by_caller = i % 2 == 0;
		struct ua caller, callee, *ends = by_caller ? &caller : &callee;
		struct ua *attacker = by_caller ? &callee : &caller;
		const char *bye;

		lab_establish(&lab, &caller, &callee);
		ua_request(ends, "BYE", 200, NULL,
			"Proxy-Authorization: Digest username=\"a\"\r\n"
			"Authorization: Digest username=\"a\"\r\n");
		lab_expect(&lab, ends->side, "SIP/2.0 200 OK\r\n");
		bye = lab_expect(&lab, attacker->side, "BYE ");
		ua_respond(attacker, bye, cases[i / 2].status, NULL, cases[i / 2].challenge);
		lab_run(&lab, 40000);
		lab_expect_none(&lab, OUTSIDE);
		lab_expect_none(&lab, INSIDE);
	}
	for (unsigned int i = 0; i < lab.n_msgs; i++) {
		assert_null(strstr(lab.msg[i].text, "Authorization:"));
		assert_null(strstr(lab.msg[i].text, "Authenticate:"));
	}
}

static void test_bye_before_answer(void **state)
{
	struct ua caller, callee;
	const char *invite, *ringing;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	ringing = lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ua_learn(&caller, ringing);
	ua_request(&caller, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&callee, invite, 487, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "cancel");
}

static void test_from_inside(void **state)
{
	struct ua caller = {.lab = &lab,
		.side = INSIDE,
		.addr = "10.0.0.10:5060",
		.call_id = "inside-call@10.0.0.10",
		.tag = "inside-tag",
		.cseq = 1,
		.target = "sip:+4930@10.0.0.1",
		.from = "<sip:bob@10.0.0.10>",
		.to = "<sip:+4930@10.0.0.1>"};
	struct ua callee;
	const char *invite, *final;

	ua_request(&caller, "INVITE", 1, INSIDE_SDP, NULL);
	invite = lab_expect(&lab, OUTSIDE, "INVITE sip:+4930@192.0.2.66:5060 SIP/2.0\r\n");
	assert_non_null(strstr(lab_header(invite, "From"), "<sip:bob@192.0.2.1>"));
	callee = ua_callee(&lab, invite);
	callee.side = OUTSIDE;
	snprintf(callee.addr, sizeof(callee.addr), "192.0.2.66:5060");
	snprintf(callee.tag, sizeof(callee.tag), "outside-callee");
	ua_respond(&callee, invite, 486, NULL, NULL);
	final = lab_expect(&lab, INSIDE, "SIP/2.0 486 Busy Here\r\n");
	assert_non_null(final);
}

/* A trunk's account that is named after its domain keeps its name in the core, but not on the way
 * out of it. Whom the call is for stays in any case. */
static void test_user_is_host(void **state)
{
	struct ua caller = ua_caller(&lab, "bo.example.com"), callee, inner;
	const char *invite;

	snprintf(caller.from, sizeof(caller.from), "\"example.com\" <sip:example.com@example.com>");
	snprintf(caller.to, sizeof(caller.to), "<sip:bo.example.com@bo.example.com>");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:bo.example.com@10.0.0.10:5060 ");
	assert_int_equal(strncmp(lab_header(invite, "From"),
				 "\"example.com\" <sip:example.com@10.0.0.1>;", 41),
		0);
	assert_string_equal(lab_header(invite, "To"), "<sip:bo.example.com@10.0.0.10>");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	inner = (struct ua){.lab = &lab,
		.side = INSIDE,
		.addr = "10.0.0.10:5060",
		.call_id = "inside-call@10.0.0.10",
		.tag = "inside-tag",
		.cseq = 1,
		.target = "sip:bob%40example.com@10.0.0.1",
		.from = "\"example.com\" <sip:example.com@example.com>",
		.to = "<sip:bob@10.0.0.1>"};
	ua_request(&inner, "INVITE", 1, INSIDE_SDP, NULL);
	invite = lab_expect(&lab, OUTSIDE, "INVITE sip:bob%40example.com@192.0.2.66:5060 ");
	assert_int_equal(strncmp(lab_header(invite, "From"), "<sip:192.0.2.1>;", 16), 0);
	ua_request(&inner, "CANCEL", 1, NULL, NULL);
}

static void test_media_silent(void **state)
{
	struct ua caller, callee;
	const char *bye;

	lab_establish(&lab, &caller, &callee);
	/* RTCP alone is no sign of death: it is set again. */
	lab_stream_silent(&lab, STREAM_RTCP);
	assert_non_null(lab_stream(&lab, STREAM_RTCP));
	assert_int_equal(lab.n_cdrs, 0);
	lab_stream_silent(&lab, STREAM_RTP);
	bye = lab_expect(&lab, INSIDE, "BYE ");
	ua_respond(&callee, bye, 200, NULL, NULL);
	bye = lab_expect(&lab, OUTSIDE, "BYE ");
	ua_respond(&caller, bye, 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "media_timeout");
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"), "box");
}

/* A phone that falls silent again and again writes no log of any length. */
static void test_silences_are_logged_sparsely(void **state)
{
	struct ua caller, callee;
	struct rec_stream_event ev = {
		.hdr = {.type = REC_STREAM_SILENT, .version = API_VERSION, .len = sizeof(ev)}};
	int saved = dup(STDERR_FILENO);
	unsigned int lines = 0;
	FILE *f = tmpfile();

	lab_establish(&lab, &caller, &callee);
	ev.id = lab_stream(&lab, STREAM_RTP)->set.id;
	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	for (unsigned int i = 0; i < 1000; i++)
		lab_event(&lab, &ev, sizeof(ev));
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	for (int ch; (ch = fgetc(f)) != EOF;)
		lines += ch == '\n';
	fclose(f);
	assert_in_range(lines, LOG_LIMIT_BURST, 5 * LOG_LIMIT_BURST);
	lab_hang_up(&lab, &caller, &callee);
}

static void test_stop(void **state)
{
	struct ua caller, callee, second, other;
	const char *invite, *bye;

	lab_establish(&lab, &caller, &callee);
	other = lab_call(&lab, &second, &invite);
	ua_respond(&other, invite, 180, NULL, NULL);
	b2bua_drain(lab.b2bua);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 2);
	b2bua_stop(lab.b2bua);
	lab_run(&lab, 0);
	bye = lab_expect(&lab, INSIDE, "BYE ");
	ua_respond(&callee, bye, 200, NULL, NULL);
	bye = lab_expect(&lab, OUTSIDE, "BYE ");
	ua_respond(&caller, bye, 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&other, invite, 487, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 2);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "shutdown");
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 0);
}

/* Who stops the program waits for the answers to its BYEs and CANCELs, not for the calls alone. */
static void test_stop_waits(void **state)
{
	const struct b2bua_stats *stats = b2bua_get_stats(lab.b2bua);
	struct ua caller, callee, caller2, callee2;
	const char *invite, *cancel;

	lab_establish(&lab, &caller, &callee);
	callee2 = lab_call(&lab, &caller2, &invite);
	ua_respond(&callee2, invite, 180, NULL, NULL);
	assert_int_equal(stats->requests_open, 1);
	b2bua_stop(lab.b2bua);
	lab_run(&lab, 0);
	assert_int_equal(stats->calls_active, 0);
	assert_int_equal(stats->requests_open, 3);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	assert_int_equal(stats->requests_open, 1);
	cancel = lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&callee2, cancel, 200, NULL, NULL);
	assert_int_equal(stats->requests_open, 1);
	ua_respond(&callee2, invite, 487, NULL, NULL);
	assert_int_equal(stats->requests_open, 0);
}

static void test_show(void **state)
{
	struct ua caller, callee;
	json_t *calls, *one;
	const char *id;

	lab_establish(&lab, &caller, &callee);
	calls = b2bua_calls_json(lab.b2bua, 10, true);
	assert_int_equal(json_array_size(calls), 1);
	id = json_string_value(json_object_get(json_array_get(calls, 0), "id"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(calls, 0), "state")),
		"established");
	one = b2bua_call_json(lab.b2bua, id);
	assert_non_null(one);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(one, "callee"), "remote")),
		"10.0.0.10:5060");
	assert_int_equal(json_array_size(json_object_get(one, "media")), 1);
	json_decref(one);
	json_decref(calls);
	assert_null(b2bua_call_json(lab.b2bua, "0-999-none"));
	lab_hang_up(&lab, &caller, &callee);
}

/* Freed in the middle of calls: nothing is sent, nothing is left (the sanitizer judges). */
static void test_free_under_way(void **state)
{
	struct ua caller, callee, second;
	const char *invite;
	unsigned int sent;

	lab_init(&lab);
	lab_establish(&lab, &caller, &callee);
	lab_call(&lab, &second, &invite);
	sent = lab.n_msgs;
	b2bua_free(lab.b2bua);
	b2bua_limits_free(lab.limits);
	assert_int_equal(lab.n_msgs, sent);
	/* Nobody asked them to end politely, but they did end. */
	assert_int_equal(lab.n_cdrs, 2);
	for (unsigned int i = 0; i < lab.n_cdrs; i++) {
		assert_string_equal(lab_cdr_text(&lab, i, "cause"), "shutdown");
		assert_string_equal(lab_cdr_text(&lab, i, "ended_by"), "box");
		json_decref(lab.cdr[i]);
	}
	lab.silent = true;
	timers_run(&lab.timers, lab.timers.now_ms + 1);
	media_free(lab.media);
	timers_fini(&lab.timers);
	lab_forget(&lab);
}

/* RFC 5031: the service has no user and no host; it goes where emergency calls go, as it is. */
static void test_emergency_service(void **state)
{
	static const struct {
		const char *uri, *answer; /* NULL: goes on */
	} cases[] = {
		{"urn:service:sos", NULL},
		{"URN:service:sos.fire", NULL},
		{"urn:service:counseling", "SIP/2.0 416"},
		{"urn:service:sos;x=inside", "SIP/2.0 416"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller = ua_caller(&lab, ""), callee;
		char start[64];
		const char *invite, *ok;

		lab.routes[0].user_prefix[0] = '\0';
		lab.routes[0].emergency = true;
		snprintf(caller.target, sizeof(caller.target), "%s", cases[i].uri);
		snprintf(caller.to, sizeof(caller.to), "<urn:service:sos>");
		ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
		if (cases[i].answer != NULL) {
			lab_expect(&lab, OUTSIDE, cases[i].answer);
			lab_expect_none(&lab, INSIDE);
			continue;
		}
		snprintf(start, sizeof(start), "INVITE %s SIP/2.0\r\n", cases[i].uri);
		invite = lab_expect(&lab, INSIDE, start);
		assert_string_equal(lab_header(invite, "To"), "<urn:service:sos>");
		callee = ua_callee(&lab, invite);
		ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
		lab_expect(&lab, INSIDE, "ACK sip:inside@10.0.0.10");
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		ua_learn(&caller, ok);
		ua_request(&caller, "ACK", 1, NULL, NULL);
		lab_hang_up(&lab, &caller, &callee);
		lab_forget(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_answered),
		LAB_CASE(test_emergency_service),
		LAB_CASE(test_streams),
		LAB_CASE(test_refused),
		LAB_CASE(test_provisional),
		LAB_CASE(test_cancel),
		LAB_CASE(test_cancel_early),
		LAB_CASE(test_cancel_crosses_200),
		LAB_CASE(test_cancel_too_late),
		LAB_CASE(test_answer_of_a_forgotten_call),
		LAB_CASE(test_no_answer),
		LAB_CASE(test_unreachable),
		LAB_CASE(test_callee_hangs_up),
		LAB_CASE(test_bye_crosses),
		LAB_CASE(test_bye_unanswered),
		LAB_CASE(test_bye_challenged),
		LAB_CASE(test_bye_before_answer),
		LAB_CASE(test_from_inside),
		LAB_CASE(test_user_is_host),
		LAB_CASE(test_media_silent),
		LAB_CASE(test_silences_are_logged_sparsely),
		LAB_CASE(test_stop),
		LAB_CASE(test_stop_waits),
		LAB_CASE(test_show),
		cmocka_unit_test(test_free_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
