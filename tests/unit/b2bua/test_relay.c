/*
 * Requests other than INVITE through the box: within a call in either direction, and outside of
 * dialogs. The lab searches whatever leaves for tokens of the other side.
 */
#include "lab.h"
#include "b2bua_priv.h"
#include "relay.h"

#define TEXT "Content-Type: text/plain\r\n"

static struct ua caller, callee;

static int setup(void **state)
{
	lab_init(&lab);
	return 0;
}

static int setup_call(void **state)
{
	lab_init(&lab);
	lab_establish(&lab, &caller, &callee);
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static int teardown_call(void **state)
{
	caller.cseq = 1000;
	lab_hang_up(&lab, &caller, &callee);
	lab_fini(&lab);
	return 0;
}

/* A stranger in the trusted realm, who takes all methods. */
static struct ua inner(const char *user)
{
	struct ua u = {.lab = &lab, .side = INSIDE, .cseq = 1};
	static unsigned int serial;

	serial++;
	snprintf(u.addr, sizeof(u.addr), "10.0.0.10:5060");
	snprintf(u.call_id, sizeof(u.call_id), "inside-call-%u", serial);
	snprintf(u.tag, sizeof(u.tag), "inside-out-%u", serial);
	snprintf(u.target, sizeof(u.target), "sip:%s@10.0.0.1", user);
	snprintf(u.from, sizeof(u.from), "<sip:carol@10.0.0.10>");
	snprintf(u.to, sizeof(u.to), "<sip:%s@10.0.0.1>", user);
	return u;
}

static void expect_header(const char *msg, const char *name, const char *want)
{
	assert_string_equal(lab_header(msg, name), want);
}

/* --- within a call --- */

static const char *const methods[] = {"INFO", "MESSAGE", "NOTIFY", "OPTIONS", "REFER", "SUBSCRIBE"};

/* Both ways: own CSeq, Call-ID and tags, the body untouched, the answer with its body. */
static void test_in_dialog(void **state)
{
	static const unsigned int statuses[] = {200, 202, 302, 404, 488, 500, 603};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		for (unsigned int dir = 0; dir < 2; dir++) {
			struct ua *from = dir == 0 ? &caller : &callee;
			struct ua *to = dir == 0 ? &callee : &caller;
			unsigned int status = statuses[(2 * i + dir) % ARRAY_LEN(statuses)];
			const char *req, *resp;
			char first[64], want[64];

			snprintf(first, sizeof(first), "%s sip:%s@", methods[i],
				dir == 0 ? "inside" : "outside");
			ua_request(from, methods[i], ++from->cseq, "hello",
				TEXT "Event: refer\r\nSubscription-State: active;expires=60\r\n"
				     "Refer-To: <sip:eve@192.0.2.9>\r\nX-Extra: 1\r\n");
			req = lab_expect(&lab, to->side, first);
			expect_header(req, "Call-ID", to->call_id);
			assert_string_equal(lab_tag(lab_header(req, "To")), to->tag);
			assert_string_equal(lab_tag(lab_header(req, "From")), to->remote_tag);
			expect_header(req, "Content-Type", "text/plain");
			expect_header(req, "Max-Forwards", "69");
			assert_string_equal(lab_body(req), "hello");
			assert_null(strstr(req, "X-Extra"));
			ua_respond(to, req, status, "world", TEXT "X-Extra: 1\r\n");
			snprintf(want, sizeof(want), "SIP/2.0 %u ", status);
			resp = lab_expect(&lab, from->side, want);
			expect_header(resp, "Call-ID", from->call_id);
			snprintf(want, sizeof(want), "%u %s", from->cseq, methods[i]);
			expect_header(resp, "CSeq", want);
			assert_string_equal(lab_tag(lab_header(resp, "To")), from->remote_tag);
			assert_string_equal(lab_body(resp), "world");
			assert_null(strstr(resp, "X-Extra"));
			lab_expect_none(&lab, OUTSIDE);
			lab_expect_none(&lab, INSIDE);
		}
	assert_int_equal(lab.n_cdrs, 0);
	assert_null(lab.b2bua->relays);
}

/* Several at once: each answer finds its request, in whatever order; ours count up. */
static void test_overlapping(void **state)
{
	const char *req[3], *resp;
	char cseq[32];

	for (unsigned int i = 0; i < 3; i++) {
		ua_request(&caller, "INFO", 10 + i, NULL, NULL);
		req[i] = lab_expect(&lab, INSIDE, "INFO ");
		snprintf(cseq, sizeof(cseq), "%u INFO", 2 + i);
		expect_header(req[i], "CSeq", cseq);
	}
	for (unsigned int i = 3; i-- > 0;) {
		ua_respond(&callee, req[i], 200 + i, NULL, NULL);
		resp = lab_expect(&lab, OUTSIDE, "SIP/2.0 20");
		snprintf(cseq, sizeof(cseq), "%u INFO", 10 + i);
		expect_header(resp, "CSeq", cseq);
	}
}

/* Nobody answers: many wait, more are refused, and all hear of it. The call goes on. */
static void test_silence(void **state)
{
	for (unsigned int i = 0; i < RELAY_PER_DIALOG_MAX + 1; i++)
		ua_request(&caller, "INFO", 10 + i, NULL, NULL);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 503"), 1);
	assert_int_equal(lab_count(&lab, INSIDE, "INFO "), RELAY_PER_DIALOG_MAX);
	lab_run(&lab, 32100);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 504"), RELAY_PER_DIALOG_MAX);
	assert_int_equal(lab.n_cdrs, 0);
	assert_null(lab.b2bua->relays);
}

/* Failures of requests end no call, but for an INFO that finds no session at the far side. */
static void test_481(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		ua_request(&caller, methods[i], ++caller.cseq, NULL,
			"Refer-To: <sip:eve@192.0.2.9>\r\n");
		ua_respond(&callee, lab_expect(&lab, INSIDE, methods[i]),
			strcmp(methods[i], "INFO") == 0 ? 408 : 481, NULL, NULL);
		lab_expect(&lab, OUTSIDE, i == 0 ? "SIP/2.0 408" : "SIP/2.0 481");
	}
	assert_int_equal(lab.n_cdrs, 0);
	ua_request(&caller, "INFO", ++caller.cseq, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INFO "), 481, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 481, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "dialog_lost");
}

/* The call ends under a request that waits. */
static void test_bye_under_it(void **state)
{
	ua_request(&caller, "INFO", ++caller.cseq, NULL, NULL);
	lab_expect(&lab, INSIDE, "INFO ");
	ua_request(&caller, "BYE", ++caller.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	lab_run(&lab, 6000);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	/* And what comes now belongs to nothing. */
	ua_request(&caller, "INFO", ++caller.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
}

/* In the early dialog of one fork: it goes to that fork, and nowhere before the fork is known. */
static void test_early(void **state)
{
	struct ua phone, first, second;
	const char *invite, *req;

	first = lab_call(&lab, &phone, &invite);
	second = ua_callee(&lab, invite);
	ua_respond(&first, invite, 180, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ua_respond(&second, invite, 183, NULL, NULL);
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 183"));
	ua_request(&phone, "INFO", 2, NULL, NULL);
	req = lab_expect(&lab, INSIDE, "INFO ");
	assert_string_equal(lab_tag(lab_header(req, "To")), second.tag);
	ua_respond(&second, req, 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&first, "INFO", 101, NULL, NULL);
	req = lab_expect(&lab, OUTSIDE, "INFO ");
	assert_string_not_equal(lab_tag(lab_header(req, "From")), phone.remote_tag);
	/* The fork loses: what waited for an answer in its dialog has one. */
	ua_respond(&second, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 487");
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&phone, "ACK", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	phone.cseq = 2;
	lab_hang_up(&lab, &phone, &second);
}

/* Only what is taken from this peer, be it known or not; and no method smuggles an offer. */
static void test_policy_in_dialog(void **state)
{
	struct config_methods *list = &lab.peers[1].dialog_methods;
	static char large[RELAY_BODY_MAX + 2];
	const char *req;

	ua_request(&caller, "JUMP", ++caller.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 501");
	list->known &= ~(1u << SIP_REFER);
	ua_request(&caller, "REFER", ++caller.cseq, NULL, "Refer-To: <sip:eve@192.0.2.1>\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 405");
	ua_request(&caller, "INFO", ++caller.cseq, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	memset(large, 'x', sizeof(large) - 1);
	ua_request(&caller, "INFO", ++caller.cseq, large, TEXT);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 413");
	lab_expect_none(&lab, INSIDE);
	snprintf(list->other[list->n_other++], sizeof(list->other[0]), "JUMP");
	ua_request(&caller, "JUMP", ++caller.cseq, "far", TEXT);
	req = lab_expect(&lab, INSIDE, "JUMP sip:inside@10.0.0.10:5060 SIP/2.0\r\n");
	assert_non_null(strstr(lab_header(req, "CSeq"), " JUMP"));
	ua_respond(&callee, req, 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
}

/* Who is no peer may call, and has no more rights in its call. */
static void test_stranger_in_dialog(void **state)
{
	static const char *const methods[] = {"MESSAGE", "REFER", "SUBSCRIBE"};
	struct ua stranger = ua_caller(&lab, "bob"), party;
	const char *invite, *ok;

	snprintf(stranger.addr, sizeof(stranger.addr), "192.0.2.77:5060");
	ua_request(&stranger, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	party = ua_callee(&lab, invite);
	ua_respond(&party, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_null(strstr(lab_header(ok, "Allow"), "REFER"));
	ua_learn(&stranger, ok);
	ua_request(&stranger, "ACK", 1, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		const char *answer;

		ua_request(&stranger, methods[i], ++stranger.cseq, NULL,
			"Refer-To: <sip:eve@192.0.2.1>\r\nEvent: presence\r\n");
		answer = lab_expect(&lab, OUTSIDE, "SIP/2.0 405");
		assert_null(strstr(lab_header(answer, "Allow"), methods[i]));
	}
	lab_expect_none(&lab, INSIDE);
	lab_hang_up(&lab, &stranger, &party);
}

/* What lists addresses of a side, or may hold anything, does not get to the other one. */
static void test_bodies(void **state)
{
	static const struct {
		const char *type;
		bool passes;
	} cases[] = {
		{"text/plain;charset=utf-8", true},
		{"Text / Plain", true},
		{"application/dtmf-relay", true},
		{"text/html", false},
		{"application/dialog-info+xml", false},
		{"application/reginfo+xml", false},
		{"application/pidf+xml", false},
		{"multipart/mixed;boundary=x", false},
		{"message/sip", false},
		{"application/x-own", true},
		{"image/png", true},
	};
	static const char accepted[] =
		"text/plain, application/dtmf, application/dtmf-relay, "
		"application/im-iscomposing+xml, application/media_control+xml, "
		"application/simple-message-summary, application/x-own, "
		"image/*";
	struct config_realm *r = &lab.realms[OUTSIDE];
	const char *refusal;

	snprintf(r->bodies[r->n_bodies++], CONFIG_BODY_LEN, "application/x-own");
	snprintf(r->bodies[r->n_bodies++], CONFIG_BODY_LEN, "image/*");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char type[128];
		const char *req;

		snprintf(type, sizeof(type), "Content-Type: %s\r\n", cases[i].type);
		ua_request(&callee, "INFO", ++callee.cseq, "far", type);
		if (!cases[i].passes) {
			refusal = lab_expect(&lab, INSIDE, "SIP/2.0 415");
			assert_string_equal(lab_header(refusal, "Accept"), accepted);
			lab_expect_none(&lab, OUTSIDE);
			continue;
		}
		req = lab_expect(&lab, OUTSIDE, "INFO ");
		assert_string_equal(lab_body(req), "far");
		ua_respond(&caller, req, 200, "near", "Content-Type: multipart/mixed\r\n");
		assert_string_equal(lab_body(lab_expect(&lab, INSIDE, "SIP/2.0 200")), "");
	}
}

/* RFC 3515: of how a transfer fares the other side hears the status alone. */
static void test_sipfrag(void **state)
{
	const char *req;

	ua_request(&callee, "NOTIFY", ++callee.cseq,
		"SIP/2.0 200 inside\r\nContact: <sip:inside@10.0.0.99>\r\n",
		"Content-Type: message/sipfrag;version=2.0\r\nEvent: refer;id=93\r\n"
		"Subscription-State: terminated;reason=noresource\r\n");
	req = lab_expect(&lab, OUTSIDE, "NOTIFY ");
	assert_string_equal(lab_body(req), "SIP/2.0 200 OK\r\n");
	expect_header(req, "Event", "refer;id=93");
	expect_header(req, "Subscription-State", "terminated;reason=noresource");
	expect_header(req, "Contact", "<sip:192.0.2.1:5060>");
	ua_respond(&caller, req, 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	ua_request(
		&callee, "NOTIFY", ++callee.cseq, "at inside", "Content-Type: message/sipfrag\r\n");
	req = lab_expect(&lab, OUTSIDE, "NOTIFY ");
	assert_string_equal(lab_body(req), "");
	ua_respond(&caller, req, 200, NULL, NULL);
}

/* RFC 3842: whose messages wait, by the name that the other side knows, and how many. */
static void test_message_summary(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vm.inside:5070;x=inside\r\n"
		 "Voice-Message: 2/8 (0/2)\r\nX-Store: inside\r\nbad name: 1/1\r\n"
		 "Fax-Message:1/0\r\n\r\nFrom: <sip:bob@inside>\r\nText-Message: 1/1\r\n",
			"Messages-Waiting: yes\r\nMessage-Account: sip:alice@192.0.2.1:5060\r\n"
			"Voice-Message: 2/8 (0/2)\r\nFax-Message: 1/0\r\n"},
		{"messages-waiting : NO\n", "Messages-Waiting: no\r\n"},
		{"Messages-Waiting: yes\r\nMessage-Account: sip:alice%40vm.inside@vm.inside\r\n"
		 "Voice-Message: 1/0\r\n",
			"Messages-Waiting: yes\r\nVoice-Message: 1/0\r\n"},
		{"Messages-Waiting: yes\r\nMessage-Account: sip:10.0.0.10@inside\r\n",
			"Messages-Waiting: yes\r\n"},
		{"Messages-Waiting: inside\r\nMessage-Account: inside\r\n",
			"Messages-Waiting: no\r\n"},
		{"From: inside\r\nMessages-Waiting: yes\r\n", ""},
		{"\r\n", ""},
		{"inside", ""},
	};
	const char *req;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("row %zu\n", i);
		ua_request(&callee, "NOTIFY", ++callee.cseq, cases[i].in,
			"Content-Type: application/simple-message-summary\r\n"
			"Event: message-summary\r\nSubscription-State: active\r\n");
		req = lab_expect(&lab, OUTSIDE, "NOTIFY ");
		assert_string_equal(lab_body(req), cases[i].out);
		ua_respond(&caller, req, 200, NULL, NULL);
		lab_expect(&lab, INSIDE, "SIP/2.0 200");
	}
}

/* --- outside of dialogs --- */

/* By default strangers may only call and ping; all refusals look alike. */
static void test_policy_outside(void **state)
{
	static const struct {
		const char *method, *answer;
	} cases[] = {
		{"MESSAGE", "SIP/2.0 405"},
		{"SUBSCRIBE", "SIP/2.0 405"},
		{"REFER", "SIP/2.0 405"},
		{"PUBLISH", "SIP/2.0 405"},
		{"NOTIFY", "SIP/2.0 405"},
		{"REGISTER", "SIP/2.0 405"},
		{"INFO", "SIP/2.0 405"},
		{"JUMP", "SIP/2.0 501"},
		{"BYE", "SIP/2.0 481"},
		{"UPDATE", "SIP/2.0 481"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned int known = 0; known < 2; known++) {
			struct ua u = ua_caller(&lab, known ? "bob" : "nobody");

			ua_request(&u, cases[i].method, 1, NULL, "Event: presence\r\n");
			lab_expect(&lab, OUTSIDE, cases[i].answer);
		}
	lab_expect_none(&lab, INSIDE);
}

/* Routed as a call is, with names of the side that it goes to. */
static void test_message(void **state)
{
	struct ua u = inner("alice"), phone = {.lab = &lab, .side = OUTSIDE};
	const char *req, *resp;

	snprintf(phone.addr, sizeof(phone.addr), "192.0.2.66:5060");
	snprintf(phone.tag, sizeof(phone.tag), "outside-1");
	ua_request(&u, "MESSAGE", 7, "tea?", TEXT "Expires: 60\r\nSubject: tea\r\n");
	req = lab_expect(&lab, OUTSIDE, "MESSAGE sip:alice@192.0.2.66:5060 SIP/2.0\r\n");
	assert_string_equal(lab_body(req), "tea?");
	expect_header(req, "Contact", "");
	expect_header(req, "Expires", "60");
	expect_header(req, "CSeq", "1 MESSAGE");
	assert_int_equal(strncmp(lab_header(req, "From"), "<sip:carol@192.0.2.1>;tag=", 26), 0);
	expect_header(req, "To", "<sip:alice@192.0.2.66>");
	ua_respond(&phone, req, 200, NULL, NULL);
	resp = lab_expect(&lab, INSIDE, "SIP/2.0 200");
	expect_header(resp, "CSeq", "7 MESSAGE");
	expect_header(resp, "Contact", "");
	assert_string_not_equal(lab_tag(lab_header(resp, "To")), "");
	assert_null(lab.b2bua->dialogs);
}

/* Sections 8.1.1.6 and 16.3: a hop less, none left, and one of ours that came back. */
static void test_hops(void **state)
{
	struct ua u = inner("alice"), phone = {.lab = &lab, .side = OUTSIDE};
	const char *req;
	char *zero, *text;

	snprintf(phone.addr, sizeof(phone.addr), "192.0.2.66:5060");
	snprintf(phone.tag, sizeof(phone.tag), "outside-1");
	lab.peers[1].methods.known |= LAB_METHODS;
	ua_request(&u, "MESSAGE", 7, "tea?", TEXT);
	req = lab_expect(&lab, OUTSIDE, "MESSAGE sip:alice@192.0.2.66:5060 SIP/2.0\r\n");
	expect_header(req, "Max-Forwards", "69");
	lab_feed(&lab, OUTSIDE, phone.addr, req, strlen(req));
	lab_expect(&lab, OUTSIDE, "SIP/2.0 482 Loop Detected");
	text = strdup(req);
	assert_non_null(text);
	zero = strstr(text, "Max-Forwards: 69");
	memcpy(zero + 14, "00", 2);
	memcpy(strstr(text, "z9hG4bK") + 7, "another", 7);
	memcpy(strstr(text, "Call-ID: ") + 9, "another", 7);
	lab_feed(&lab, OUTSIDE, phone.addr, text, strlen(text));
	free(text);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 483 Too Many Hops");
	ua_respond(&phone, req, 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
}

/* Whoever gets a MESSAGE may send back what makes no sense in it. */
static void test_strange_answers(void **state)
{
	struct ua u = inner("alice"), phone = {.lab = &lab, .side = OUTSIDE, .cseq = 1};
	const char *req;

	ua_request(&u, "MESSAGE", 1, NULL, NULL);
	req = lab_expect(&lab, OUTSIDE, "MESSAGE ");
	snprintf(phone.addr, sizeof(phone.addr), "192.0.2.66:5060");
	snprintf(phone.call_id, sizeof(phone.call_id), "%s", lab_header(req, "Call-ID"));
	snprintf(phone.tag, sizeof(phone.tag), "outside-9");
	snprintf(
		phone.remote_tag, sizeof(phone.remote_tag), "%s", lab_tag(lab_header(req, "From")));
	snprintf(phone.from, sizeof(phone.from), "%s", lab_header(req, "To"));
	snprintf(phone.to, sizeof(phone.to), "<sip:carol@192.0.2.1>");
	snprintf(phone.target, sizeof(phone.target), "sip:192.0.2.1");
	ua_request(&phone, "ACK", 1, NULL, NULL);
	ua_request(&phone, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&phone, "INVITE", 3, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&phone, "NOTIFY", 4, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_respond(&phone, req, 180, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 180");
	ua_respond(&phone, req, 202, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 202");
	ua_respond(&phone, req, 200, NULL, NULL);
	lab_expect_none(&lab, INSIDE);
}

/* A publication keeps its entity tag, which makes it the same one when it is refreshed. */
static void test_publish(void **state)
{
	struct ua u = inner("alice"), phone = {.lab = &lab, .side = OUTSIDE};
	struct config_realm *to = &lab.realms[OUTSIDE];
	const char *req, *resp;

	snprintf(to->bodies[to->n_bodies++], CONFIG_BODY_LEN, "application/pidf+xml");
	snprintf(phone.addr, sizeof(phone.addr), "192.0.2.66:5060");
	snprintf(phone.tag, sizeof(phone.tag), "outside-2");
	ua_request(&u, "PUBLISH", 1, "<presence/>",
		"Content-Type: application/pidf+xml\r\nEvent: presence\r\nExpires: 3600\r\n"
		"SIP-If-Match: x7\r\n");
	req = lab_expect(&lab, OUTSIDE, "PUBLISH ");
	expect_header(req, "SIP-If-Match", "x7");
	expect_header(req, "Event", "presence");
	expect_header(req, "Content-Type", "application/pidf+xml");
	ua_respond(&phone, req, 200, NULL, "SIP-ETag: y8\r\nExpires: 1800\r\n");
	resp = lab_expect(&lab, INSIDE, "SIP/2.0 200");
	expect_header(resp, "SIP-ETag", "y8");
	expect_header(resp, "Expires", "1800");
}

static void test_no_route(void **state)
{
	struct ua u = ua_caller(&lab, "nobody");
	const char *req;

	lab.peers[1].methods.known |= LAB_METHODS;
	ua_request(&u, "MESSAGE", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 404");
	snprintf(u.target, sizeof(u.target), "sips:bob@192.0.2.1");
	ua_request(&u, "MESSAGE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 416");
	snprintf(u.target, sizeof(u.target), "sip:bob@192.0.2.1");
	lab.realms[INSIDE].n_bodies = 1;
	ua_request(&u, "MESSAGE", 3, OUTSIDE_SDP, NULL);
	req = lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	assert_string_equal(lab_header(req, "Accept"), "text/plain");
	lab.realms[INSIDE].n_bodies = 0;
	ua_request(&u, "MESSAGE", 4, OUTSIDE_SDP, NULL);
	req = lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	assert_non_null(strstr(req, "\r\nAccept:\r\n"));
	ua_request(&u, "SUBSCRIBE", 5, OUTSIDE_SDP, "Event: presence\r\n");
	req = lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	assert_non_null(strstr(req, "\r\nAccept:\r\n"));
	lab_expect_none(&lab, INSIDE);
}

/* The box answers for itself; for others only to those that it knows. */
static void test_options(void **state)
{
	struct ua u = ua_caller(&lab, "bob");
	const char *req;

	snprintf(u.target, sizeof(u.target), "sip:192.0.2.1");
	ua_request(&u, "OPTIONS", 1, NULL, NULL);
	expect_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 200"), "Allow", LAB_ALLOW_OUTSIDE);
	u = ua_caller(&lab, "bob");
	ua_request(&u, "OPTIONS", 1, NULL, "Accept: application/sdp\r\n");
	req = lab_expect(&lab, INSIDE, "OPTIONS sip:bob@10.0.0.10:5060 ");
	callee = ua_callee(&lab, req);
	ua_respond(&callee, req, 200, INSIDE_SDP, "Allow: INVITE, JUMP\r\n");
	req = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	expect_header(req, "Allow", LAB_ALLOW_OUTSIDE);
	expect_header(req, "Contact", "<sip:192.0.2.1:5060>");
	assert_string_equal(lab_body(req), "");
	u = ua_caller(&lab, "bob");
	snprintf(u.addr, sizeof(u.addr), "192.0.2.77:5060");
	ua_request(&u, "OPTIONS", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect_none(&lab, INSIDE);
}

static struct ua phone_that_registers(void)
{
	struct ua u = ua_caller(&lab, "bob");

	lab.peers[1].methods.known |= LAB_METHODS;
	snprintf(u.target, sizeof(u.target), "sip:192.0.2.1");
	snprintf(u.from, sizeof(u.from), "<sip:bob@192.0.2.1>");
	snprintf(u.to, sizeof(u.to), "<sip:bob@192.0.2.1>");
	return u;
}

/* The registrar binds the box; the phone finds its own Contact in the answer. */
static void test_register(void **state)
{
	struct ua u = phone_that_registers(), registrar;
	const char *req, *resp;

	ua_request(&u, "REGISTER", 1, NULL, "Expires: 600\r\n");
	req = lab_expect(&lab, INSIDE, "REGISTER sip:10.0.0.10:5060 SIP/2.0\r\n");
	expect_header(req, "Contact", "<sip:bob@10.0.0.1>");
	expect_header(req, "To", "<sip:bob@10.0.0.10>");
	assert_int_equal(strncmp(lab_header(req, "From"), "<sip:bob@10.0.0.10>;", 20), 0);
	expect_header(req, "Expires", "600");
	registrar = ua_callee(&lab, req);
	/* Its own Contact, which the lab writes, is another binding of bob. */
	ua_respond(&registrar, req, 200, NULL,
		"Contact: <sip:bob@10.0.0.77>;expires=5, <sip:bob@10.0.0.1>;expires=500\r\n");
	resp = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	expect_header(resp, "Contact", "<sip:outside@192.0.2.66:5060>;expires=500");
	ua_request(&u, "REGISTER", 2, NULL, NULL);
	req = lab_expect(&lab, INSIDE, "REGISTER ");
	ua_respond(&registrar, req, 401, NULL,
		"WWW-Authenticate: Digest realm=\"x\", domain=\"sip:inside\", nonce=\"1\"\r\n");
	expect_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 401"), "WWW-Authenticate",
		"Digest realm=\"x\", nonce=\"1\"");
}

static void test_register_odd(void **state)
{
	struct ua u = phone_that_registers();

	ua_request(&u, "REGISTER", 1, NULL, "Contact: <sip:b@192.0.2.66>\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 403");
	/* Section 10.2: an address of record is a SIP or SIPS URI. */
	snprintf(u.to, sizeof(u.to), "<isbn:2983792873>");
	ua_request(&u, "REGISTER", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 400");
	lab_expect_none(&lab, INSIDE);
}

/* Accounts that are an address of mail, or named after their domain: the registrar knows them by
 * nothing else. */
static void test_register_user(void **state)
{
	static const struct {
		const char *user, *host;
	} cases[] = {
		{"bob%40example.com", "example.com"},
		{"bo.example.com", "bo.example.com"},
		{"bo.49.89.12.34", "example.com"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua u = phone_that_registers(), registrar;
		const char *user = cases[i].user;
		const char *req, *resp;
		char text[128];

		snprintf(u.from, sizeof(u.from), "<sip:%s@%s>", user, cases[i].host);
		snprintf(u.to, sizeof(u.to), "<sip:%s@%s>", user, cases[i].host);
		ua_request(&u, "REGISTER", 1, NULL, "Expires: 600\r\n");
		req = lab_expect(&lab, INSIDE, "REGISTER sip:10.0.0.10:5060 ");
		snprintf(text, sizeof(text), "<sip:%s@10.0.0.10>", user);
		expect_header(req, "To", text);
		assert_int_equal(strncmp(lab_header(req, "From"), text, strlen(text)), 0);
		snprintf(text, sizeof(text), "<sip:%s@10.0.0.1>", user);
		expect_header(req, "Contact", text);
		registrar = ua_callee(&lab, req);
		snprintf(text, sizeof(text), "Contact: <sip:%s@10.0.0.1>;expires=500\r\n", user);
		ua_respond(&registrar, req, 200, NULL, text);
		resp = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		expect_header(resp, "Contact", "<sip:outside@192.0.2.66:5060>;expires=500");
	}
}

/* A server of the core that has an account outside: its name there, but no other. */
static void test_register_from_inside(void **state)
{
	struct ua u = inner("alice");
	const char *req;

	lab.peers[1].methods.known |= LAB_METHODS;
	snprintf(u.from, sizeof(u.from), "\"PBX.example.com\" <sip:example.com@example.com>");
	snprintf(u.to, sizeof(u.to), "\"PBX.example.com\" <sip:example.com@example.com>");
	ua_request(&u, "REGISTER", 1, NULL, NULL);
	req = lab_expect(&lab, OUTSIDE, "REGISTER ");
	expect_header(req, "To", "<sip:example.com@192.0.2.66>");
	assert_int_equal(strncmp(lab_header(req, "From"), "<sip:example.com@192.0.2.66>;", 29), 0);
	expect_header(req, "Contact", "<sip:example.com@192.0.2.1>");
}

#define CALL_CASE(fn) cmocka_unit_test_setup_teardown(fn, setup_call, teardown_call)
#define GONE_CASE(fn) cmocka_unit_test_setup_teardown(fn, setup_call, teardown)
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CASE(test_in_dialog),
		CALL_CASE(test_overlapping),
		CALL_CASE(test_silence),
		GONE_CASE(test_481),
		GONE_CASE(test_bye_under_it),
		CASE(test_early),
		CALL_CASE(test_policy_in_dialog),
		CASE(test_stranger_in_dialog),
		CALL_CASE(test_bodies),
		CALL_CASE(test_sipfrag),
		CALL_CASE(test_message_summary),
		CASE(test_policy_outside),
		CASE(test_message),
		CASE(test_hops),
		CASE(test_strange_answers),
		CASE(test_publish),
		CASE(test_no_route),
		CASE(test_options),
		CASE(test_register),
		CASE(test_register_odd),
		CASE(test_register_user),
		CASE(test_register_from_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
