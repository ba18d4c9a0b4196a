/*
 * Transfers that the box executes: the phone outside is in a call with a party inside and refers it
 * to another one there (or the party refers the phone). What each of the three gets, in every
 * order in which they may hang up or refuse.
 */
#include "lab.h"
#include "b2bua_priv.h"

#define TARGET_SDP \
	"v=0\r\no=carol 4 4 IN IP4 10.0.0.10\r\ns=inside\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n" \
	"m=audio 52000 RTP/AVP 0\r\n"

/* Who refers, the other party of its call, and whom it is referred to. */
static struct ua transferor, party, target;
static const char *invite; /* that the target got */

static int setup(void **state)
{
	lab_init(&lab);
	lab.realms[OUTSIDE].refer_execute = true;
	lab_establish(&lab, &transferor, &party);
	return 0;
}

/* The other way round: the party inside refers the phone. */
static int setup_inside(void **state)
{
	lab_init(&lab);
	lab.realms[INSIDE].refer_execute = true;
	lab.routes[1].to_peer = 0; /* calls of the server's stay inside */
	lab_establish(&lab, &party, &transferor);
	return 0;
}

static void ask(const char *refer_to, const char *extra)
{
	char line[1600];

	snprintf(line, sizeof(line), "Refer-To: %s\r\n%s", refer_to, extra);
	ua_request(&transferor, "REFER", ++transferor.cseq, NULL, line);
}

/* The next NOTIFY to the transferor says this; it is answered. */
static const char *notified(const char *status_line, bool last)
{
	const char *req = lab_expect(&lab, transferor.side, "NOTIFY ");
	const char *state;

	assert_string_equal(lab_header(req, "Content-Type"), "message/sipfrag;version=2.0");
	assert_int_equal(strncmp(lab_body(req), status_line, strlen(status_line)), 0);
	assert_string_equal(lab_header(req, "Call-ID"), transferor.call_id);
	assert_string_equal(lab_tag(lab_header(req, "To")), transferor.tag);
	assert_string_equal(lab_tag(lab_header(req, "From")), transferor.remote_tag);
	state = lab_header(req, "Subscription-State");
	if (last)
		assert_string_equal(state, "terminated;reason=noresource");
	else
		assert_int_equal(strncmp(state, "active;expires=1", 16), 0);
	return req;
}

static void notified_ok(const char *status_line, bool last)
{
	ua_respond(&transferor, notified(status_line, last), 200, NULL, NULL);
}

/* REFER up to the ringing target. */
static void refer(const char *to)
{
	char uri[64];

	snprintf(uri, sizeof(uri), "<sip:%s@%s>", to,
		transferor.side == OUTSIDE ? "192.0.2.1" : "10.0.0.1");
	ask(uri, "");
	assert_string_equal(
		lab_header(lab_expect(&lab, transferor.side, "SIP/2.0 202"), "Refer-Sub"), "");
	notified_ok("SIP/2.0 100 Trying\r\n", false);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	target = ua_callee(&lab, invite);
	ua_respond(&target, invite, 180, NULL, NULL);
	notified_ok("SIP/2.0 180 Ringing\r\n", false);
}

/* The target answers; @return what the other party is offered. */
static const char *answer(void)
{
	unsigned int acks = lab_count(&lab, INSIDE, "ACK ");
	const char *offer;

	ua_respond(&target, invite, 200, TARGET_SDP, NULL);
	offer = lab_expect(&lab, party.side, "INVITE ");
	assert_string_equal(lab_header(offer, "Call-ID"), party.call_id);
	assert_string_equal(lab_tag(lab_header(offer, "To")), party.tag);
	assert_string_equal(lab_tag(lab_header(offer, "From")), party.remote_tag);
	assert_non_null(strstr(lab_body(offer), "m=audio "));
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), acks); /* that has the answer */
	return offer;
}

static const char *party_sdp(void)
{
	return party.side == OUTSIDE ? OUTSIDE_SDP : INSIDE_SDP;
}

/* The other party takes it: both are told. */
static void join(const char *offer)
{
	const char *first, *second;

	ua_respond(&party, offer, 200, party_sdp(), NULL);
	first = lab_expect(&lab, party.side, "ACK ");
	second = lab_expect(&lab, INSIDE, "ACK ");
	assert_string_equal(lab_header(first, "Call-ID"), party.call_id);
	assert_string_equal(lab_header(first, "Content-Length"), "0");
	assert_string_equal(lab_header(second, "Call-ID"), target.call_id);
	assert_non_null(strstr(lab_body(second), "m=audio "));
}

static void bye_from(struct ua *from, struct ua *to)
{
	const char *bye;

	from->cseq += 1000;
	ua_request(from, "BYE", from->cseq, NULL, NULL);
	lab_expect(&lab, from->side, "SIP/2.0 200");
	if (to == NULL)
		return;
	bye = lab_expect(&lab, to->side, "BYE ");
	assert_string_equal(lab_header(bye, "Call-ID"), to->call_id);
	ua_respond(to, bye, 200, NULL, NULL);
}

static void byed(struct ua *u)
{
	const char *bye = lab_expect(&lab, u->side, "BYE ");

	assert_string_equal(lab_header(bye, "Call-ID"), u->call_id);
	ua_respond(u, bye, 200, NULL, NULL);
}

/* The first call is as it was. */
static void first_goes_on(void)
{
	const char *req;

	lab_expect_none(&lab, OUTSIDE);
	lab_expect_none(&lab, INSIDE);
	ua_request(&transferor, "INVITE", ++transferor.cseq,
		transferor.side == OUTSIDE ? OUTSIDE_SDP : INSIDE_SDP, NULL);
	req = lab_expect(&lab, party.side, "INVITE ");
	ua_respond(&party, req, 200, party_sdp(), NULL);
	lab_expect(&lab, party.side, "ACK ");
	lab_expect(&lab, transferor.side, "SIP/2.0 200");
	ua_request(&transferor, "ACK", transferor.cseq, NULL, NULL);
	assert_int_equal(lab.n_streams, 2);
	bye_from(&party, &transferor);
}

static uint16_t port_of(const char *sdp)
{
	return (uint16_t)strtoul(strstr(sdp, "m=audio ") + 8, NULL, 10);
}

/* Media goes between these two and by no other stream. */
static void media_is(uint16_t party_port)
{
	const struct rec_stream_set *s;

	assert_int_equal(lab.n_streams, 2);
	s = &lab_stream(&lab, STREAM_RTP)->set;
	assert_int_equal(s->end[0].remote.port, party_port);
	assert_int_equal(s->end[1].remote.port, 52000);
}

/* The transferor waits until it is over. */
static void test_blind(void **state)
{
	const char *offer;
	uint16_t port = party.side == OUTSIDE ? 40000 : 50000;

	refer("bonny");
	assert_int_equal(strncmp(invite, "INVITE sip:bonny@10.0.0.10:5060 ", 32), 0);
	assert_string_equal(lab_header(invite, "Content-Length"), "0");
	assert_string_equal(lab_header(invite, "Max-Forwards"), "69");
	assert_non_null(strstr(lab_header(invite, "From"),
		party.side == OUTSIDE ? "\"Alice A.\" <sip:alice@10.0.0.1>"
				      : "<sip:bob@10.0.0.1>"));
	assert_string_equal(lab_header(invite, "To"), "<sip:bonny@10.0.0.10>");
	offer = answer();
	assert_true(port_of(lab_body(offer)) != 0);
	join(offer);
	notified_ok("SIP/2.0 200 OK\r\n", true);
	byed(&transferor);
	lab_run(&lab, 10);
	media_is(port);
	assert_int_equal(lab.n_cdrs, 1);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "normal");
	assert_string_equal(lab_cdr_text(&lab, 0, "ended_by"),
		transferor.side == OUTSIDE ? "caller" : "callee");
	bye_from(&target, &party);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_cdrs, 2);
	assert_string_equal(lab_cdr_text(&lab, 1, "transfer_of"), lab_cdr_text(&lab, 0, "id"));
	assert_string_equal(lab_cdr_text(&lab, 1, "a_call_id"), party.call_id);
	assert_string_equal(lab_cdr_text(&lab, 1, "b_call_id"), target.call_id);
	assert_string_equal(lab_cdr_text(&lab, 1, "cause"), "normal");
	assert_string_equal(lab_cdr_text(&lab, 1, "ended_by"), "callee");
}

/* What the transferor sends names it to the target; nothing else of it does. */
static void test_referred_by(void **state)
{
	ask("\"C\" <sip:bonny@192.0.2.1;method=INVITE?Subject=outside>",
		"Referred-By: <sip:alice@192.0.2.66>\r\n");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	target = ua_callee(&lab, invite);
	assert_string_equal(lab_header(invite, "Referred-By"), "<sip:alice@10.0.0.1>");
	assert_string_equal(lab_header(invite, "Subject"), "");
	ua_respond(&target, invite, 603, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	notified_ok("SIP/2.0 100", false);
	notified_ok("SIP/2.0 603", true);
	lab_expect(&lab, INSIDE, "ACK ");
	first_goes_on();
}

/* The call that they go on in does all that calls do. */
static void test_goes_on(void **state)
{
	const char *req;

	refer("bonny");
	join(answer());
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	ua_request(&target, "INVITE", ++target.cseq, TARGET_SDP, NULL);
	req = lab_expect(&lab, party.side, "INVITE ");
	ua_respond(&party, req, 200, party_sdp(), NULL);
	lab_expect(&lab, party.side, "ACK ");
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	ua_request(&target, "ACK", target.cseq, NULL, NULL);
	ua_request(&party, "INFO", ++party.cseq, NULL, NULL);
	req = lab_expect(&lab, INSIDE, "INFO ");
	assert_string_equal(lab_header(req, "Call-ID"), target.call_id);
	ua_respond(&target, req, 200, NULL, NULL);
	lab_expect(&lab, party.side, "SIP/2.0 200");
	bye_from(&party, &target);
}

/* A BYE of the transferor's, before the target has answered, after it has, after all. */
static void test_transferor_leaves(void **state)
{
	const char *offer, *req;

	for (unsigned int when = 0; when < 4; when++) {
		if (when > 0)
			(void)setup(NULL);
		refer("bonny");
		if (when == 0)
			bye_from(&transferor, NULL);
		lab_run(&lab, 100);
		offer = answer();
		if (when == 1)
			bye_from(&transferor, NULL);
		join(offer);
		if (when == 2) {
			bye_from(&transferor, NULL);
			notified_ok("SIP/2.0 200", true);
		} else if (when == 3) { /* its BYE meets the box's */
			req = notified("SIP/2.0 200", true);
			ua_respond(&transferor, req, 200, NULL, NULL);
			byed(&transferor);
			bye_from(&transferor, NULL);
		} else {
			notified_ok("SIP/2.0 200", true);
		}
		lab_run(&lab, 10);
		assert_int_equal(lab.n_cdrs, 1);
		media_is(50000);
		lab_expect_none(&lab, OUTSIDE);
		lab_expect_none(&lab, INSIDE);
		bye_from(&party, &target);
		if (when < 3)
			lab_fini(&lab);
	}
}

/* It leaves before the other party's ACK of the first call is here; or in the middle of an offer,
 * which is the end of both. */
static void test_leaves_too_soon(void **state)
{
	const char *first, *ok, *req;

	lab.realms[INSIDE].refer_execute = true;
	lab.routes[1].to_peer = 0;
	for (unsigned int i = 0; i < 2; i++) {
		transferor = lab_call(&lab, &party, &first);
		ua_respond(&transferor, first, 200, INSIDE_SDP, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		ua_learn(&party, ok);
		if (i == 1) {
			ua_request(&party, "ACK", party.cseq, NULL, NULL);
			ua_request(&transferor, "INVITE", ++transferor.cseq, INSIDE_SDP, NULL);
			req = lab_expect(&lab, OUTSIDE, "INVITE ");
			ua_respond(&party, req, 100, NULL, NULL);
		}
		refer("bonny");
		bye_from(&transferor, i == 0 ? NULL : &party);
		if (i == 0) {
			ua_request(&party, "ACK", party.cseq, NULL, NULL);
			join(answer());
			notified_ok("SIP/2.0 200", true);
			bye_from(&party, &target);
			continue;
		}
		lab_expect(&lab, INSIDE, "SIP/2.0 487"); /* its re-INVITE */
		lab_expect(&lab, INSIDE, "CANCEL ");
		ua_respond(&target, invite, 487, NULL, NULL);
		notified_ok("SIP/2.0 487", true);
		ua_respond(&party, req, 487, NULL, NULL);
	}
}

/* It has left, and the target does not want: nobody is there for the other party. */
static void test_nobody_left(void **state)
{
	refer("bonny");
	bye_from(&transferor, NULL);
	ua_respond(&target, invite, 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	byed(&party);
	notified_ok("SIP/2.0 486 Busy Here\r\n", true);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_cdrs, 2);
	assert_string_equal(lab_cdr_text(&lab, 1, "cause"), "busy");
}

/* It has left, and the other party gives up. */
static void test_party_gives_up(void **state)
{
	refer("bonny");
	bye_from(&transferor, NULL);
	bye_from(&party, NULL);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&target, invite, 487, NULL, NULL);
	notified_ok("SIP/2.0 487", true);
}

/* The other party hangs up while the transferor waits. */
static void test_party_leaves(void **state)
{
	refer("bonny");
	bye_from(&party, &transferor);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&target, invite, 487, NULL, NULL);
	notified_ok("SIP/2.0 487", true);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_cdrs, 2);
}

static void test_target_refuses(void **state)
{
	static const unsigned int status[] = {302, 404, 480, 486, 503, 600};
	char line[32];

	for (size_t i = 0; i < ARRAY_LEN(status); i++) {
		if (i > 0)
			(void)setup(NULL);
		refer("bonny");
		ua_respond(&target, invite, status[i], NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		snprintf(line, sizeof(line), "SIP/2.0 %u ", status[i]);
		notified_ok(line, true);
		first_goes_on();
		if (i + 1 < ARRAY_LEN(status))
			lab_fini(&lab);
	}
}

/* From a callee that is faster than the caller's ACK; but not before it has answered. */
static void test_fast(void **state)
{
	const char *first, *ok, *offer;

	lab.realms[INSIDE].refer_execute = true;
	lab.routes[1].to_peer = 0;
	transferor = lab_call(&lab, &party, &first);
	ua_respond(&transferor, first, 180, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	ask("<sip:carol@10.0.0.1>", "");
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	ua_respond(&transferor, first, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	refer("bonny");
	ua_respond(&target, invite, 200, TARGET_SDP, NULL);
	lab_run(&lab, 100);
	lab_expect_none(&lab, OUTSIDE);
	ua_learn(&party, ok);
	ua_request(&party, "ACK", party.cseq, NULL, NULL);
	lab_run(&lab, 500);
	offer = lab_expect(&lab, OUTSIDE, "INVITE ");
	join(offer);
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	bye_from(&party, &target);
}

/* A call that the box does not place at all. */
static void test_not_placed(void **state)
{
	static const struct {
		const char *to, *status_line;
	} cases[] = {
		{"<sip:nobody@192.0.2.1>", "SIP/2.0 404 Not Found\r\n"},
		{"<tel:+4930>", "SIP/2.0 404 Not Found\r\n"},
		{"<sip:bonny@192.0.2.1?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>",
			"SIP/2.0 481 Call/Transaction Does Not Exist\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(cases[i].to, "");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
		notified_ok("SIP/2.0 100", false);
		notified_ok(cases[i].status_line, true);
	}
	/* Limits are those of any call. */
	lab.peers[0].max_calls = 1;
	ask("<sip:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	notified_ok("SIP/2.0 100", false);
	notified_ok("SIP/2.0 503", true);
	lab.peers[0].max_calls = 0;
	/* These are no transfers. */
	ask("<mailto:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 416");
	ask("<sip:bonny@192.0.2.1;method=BYE>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 403");
	ask("<sip:bonny@192.0.2.1?Replaces=x>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 400");
	lab_expect_none(&lab, INSIDE);
	b2bua_drain(lab.b2bua);
	ask("<sip:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	notified_ok("SIP/2.0 100", false);
	notified_ok("SIP/2.0 503", true);
	first_goes_on();
}

/* A realm whose REFERs are passed on. */
static void test_passed(void **state)
{
	const char *req;

	lab.realms[OUTSIDE].refer_execute = false;
	ask("<sip:bonny@192.0.2.1>", "");
	req = lab_expect(&lab, INSIDE, "REFER ");
	ua_respond(&party, req, 603, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 603");
	first_goes_on();
}

/* The other party does not want what the target offers. */
static void test_party_refuses(void **state)
{
	const char *offer;

	refer("bonny");
	offer = answer();
	ua_respond(&party, offer, 488, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK "); /* of either */
	lab_expect(&lab, INSIDE, "ACK ");
	byed(&target);
	notified_ok("SIP/2.0 488", true);
	first_goes_on();
}

/* It takes it with what is no answer: it is told what it had before. */
static void test_bad_answer(void **state)
{
	const char *offer;

	refer("bonny");
	offer = answer();
	ua_respond(&party, offer, 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, INSIDE, "ACK ");
	byed(&target);
	notified_ok("SIP/2.0 488", true);
	offer = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_header(offer, "Call-ID"), party.call_id);
	assert_true(port_of(lab_body(offer)) ==
		    lab_stream(&lab, STREAM_RTP)->set.end[SIDE_CALLEE].local.port);
	ua_respond(&party, offer, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	first_goes_on();
}

/* The target hangs up while the other party thinks. */
static void test_target_leaves(void **state)
{
	const char *offer;

	refer("bonny");
	offer = answer();
	bye_from(&target, NULL);
	notified_ok("SIP/2.0 480", true);
	/* One offer at a time, also now. */
	ua_request(&transferor, "INVITE", ++transferor.cseq, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
	ua_respond(&party, offer, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	offer = lab_expect(&lab, INSIDE, "INVITE ");
	assert_string_equal(lab_header(offer, "Call-ID"), party.call_id);
	ua_respond(&party, offer, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	first_goes_on();
}

/* Another offer in the other party's dialog is waited for. */
static void test_glare(void **state)
{
	const char *offer, *req;

	refer("bonny");
	ua_request(&transferor, "INVITE", ++transferor.cseq, OUTSIDE_SDP, NULL);
	req = lab_expect(&lab, INSIDE, "INVITE ");
	ua_respond(&party, req, 100, NULL, NULL);
	ua_respond(&target, invite, 200, TARGET_SDP, NULL);
	lab_run(&lab, 2000);
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE sip:inside"), 1);
	ua_respond(&party, req, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&transferor, "ACK", transferor.cseq, NULL, NULL);
	lab_run(&lab, 600);
	offer = lab_expect(&lab, INSIDE, "INVITE sip:inside");
	ua_respond(&party, offer, 491, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_run(&lab, 2000);
	lab_expect_none(&lab, INSIDE);
	lab_run(&lab, 2100);
	join(lab_expect(&lab, INSIDE, "INVITE sip:inside"));
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	bye_from(&party, &target);
}

/* @return what the party is offered next, before it is said again; NULL: nothing in 4 s. */
static const char *offered_later(void)
{
	unsigned int before = lab_count(&lab, INSIDE, "INVITE sip:inside");

	for (unsigned int i = 0; i < 41; i++) {
		lab_run(&lab, 100);
		if (lab_count(&lab, INSIDE, "INVITE sip:inside") > before)
			return lab_expect(&lab, INSIDE, "INVITE sip:inside");
	}
	return NULL;
}

/* It is busy for longer than who answered waits. */
static void test_too_busy(void **state)
{
	const char *offer;
	unsigned int n = 0;

	refer("bonny");
	for (offer = answer(); offer != NULL && n < 20; n++) {
		ua_respond(&party, offer, 491, NULL, NULL);
		offer = offered_later();
	}
	assert_in_range(n, 8, 16); /* in 32 s */
	byed(&target);
	notified_ok("SIP/2.0 408", true);
	lab_forget(&lab);
	first_goes_on();
}

/* Nobody answers the re-INVITE: that dialog is lost, and with it all. */
static void test_party_is_gone(void **state)
{
	refer("bonny");
	(void)answer();
	lab_run(&lab, 33000);
	byed(&transferor);
	notified_ok("SIP/2.0 487", true);
	lab_expect(&lab, INSIDE, "BYE "); /* to the target, and to who does not hear it */
	lab_expect(&lab, INSIDE, "BYE ");
}

/* The target rings for longer than the subscription lasts. */
static void test_no_answer(void **state)
{
	lab.peers[0].no_answer_s = 0;
	refer("bonny");
	lab_run(&lab, 181000);
	lab_expect(&lab, INSIDE, "CANCEL ");
	ua_respond(&target, invite, 487, NULL, NULL);
	notified_ok("SIP/2.0 408", true);
	lab_forget(&lab);
	first_goes_on();
}

/* RFC 4488. */
static void test_no_subscription(void **state)
{
	const char *ok;

	ask("<sip:bonny@192.0.2.1>", "Refer-Sub: false\r\nRequire: norefersub\r\n");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	assert_string_equal(lab_header(ok, "Refer-Sub"), "false");
	assert_string_equal(lab_header(ok, "Contact"), "<sip:192.0.2.1:5060>");
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	target = ua_callee(&lab, invite);
	join(answer());
	byed(&transferor);
	lab_expect_none(&lab, OUTSIDE);
	bye_from(&party, &target);
}

static const char *subscribe(const char *headers, const char *status_line)
{
	ua_request(&transferor, "SUBSCRIBE", ++transferor.cseq, NULL, headers);
	return lab_expect(&lab, OUTSIDE, status_line);
}

/* The subscription that the REFER made is the box's: it may be refreshed and ended there. What else
 * is subscribed to is the other party's. */
static void test_subscribe(void **state)
{
	const char *last;

	refer("bonny");
	last = subscribe("Event: refer\r\nExpires: 60\r\n", "SIP/2.0 200 OK\r\n");
	assert_string_equal(lab_header(last, "Expires"), "60");
	notified_ok("SIP/2.0 180 Ringing\r\n", false);
	subscribe("Event: refer;id=9\r\n", "SIP/2.0 481");
	lab_expect_none(&lab, INSIDE);
	ua_request(&transferor, "SUBSCRIBE", ++transferor.cseq, NULL, "Event: presence\r\n");
	ua_respond(&party, lab_expect(&lab, INSIDE, "SUBSCRIBE "), 489, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 489");
	subscribe("Event: refer\r\nExpires: 0\r\n", "SIP/2.0 200 OK\r\n");
	last = lab_expect(&lab, OUTSIDE, "NOTIFY ");
	assert_string_equal(lab_header(last, "Subscription-State"), "terminated;reason=timeout");
	ua_respond(&transferor, last, 200, NULL, NULL);
	subscribe("Event: refer\r\n", "SIP/2.0 481");
	/* The transfer goes on without. */
	join(answer());
	byed(&transferor);
	lab_expect_none(&lab, OUTSIDE);
	bye_from(&party, &target);
}

/* Who does not know NOTIFY gets one, and its BYE all the same; who does not answer it, later. */
static void test_no_notify(void **state)
{
	refer("bonny");
	join(answer());
	ua_respond(&transferor, notified("SIP/2.0 200", true), 481, NULL, NULL);
	byed(&transferor);
	bye_from(&party, &target);
	lab_fini(&lab);

	(void)setup(NULL);
	refer("bonny");
	join(answer());
	(void)notified("SIP/2.0 200", true);
	assert_int_equal(lab_count(&lab, OUTSIDE, "BYE "), 0);
	/* The other party is not its any more. */
	ua_request(&transferor, "INVITE", ++transferor.cseq, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&transferor, "UPDATE", ++transferor.cseq, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&transferor, "INFO", ++transferor.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
	lab_expect_none(&lab, INSIDE);
	lab_run(&lab, 33000);
	byed(&transferor);
	bye_from(&party, &target);
}

/* One at a time; the next one has a name. */
static void test_again(void **state)
{
	const char *req;
	char want[32];

	refer("bonny");
	ask("<sip:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 491");
	ua_respond(&target, invite, 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	req = notified("SIP/2.0 486", true);
	assert_string_equal(lab_header(req, "Event"), "refer");
	ua_respond(&transferor, req, 200, NULL, NULL);
	ask("<sip:bo2@192.0.2.1>", "");
	snprintf(want, sizeof(want), "refer;id=%u", transferor.cseq);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	req = notified("SIP/2.0 100", false);
	assert_string_equal(lab_header(req, "Event"), want);
	ua_respond(&transferor, req, 200, NULL, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:bo2@");
	target = ua_callee(&lab, invite);
	join(answer());
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	bye_from(&party, &target);
}

/* The target is a proxy that forks; the call has its caller already. */
static void test_forks(void **state)
{
	struct ua other;

	refer("bonny");
	bye_from(&transferor, NULL);
	other = target;
	target = ua_callee(&lab, invite);
	ua_respond(&target, invite, 180, NULL, NULL);
	lab_expect_none(&lab, INSIDE);
	/* The party knows nothing of it. */
	ua_request(&target, "INFO", ++target.cseq, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 500");
	lab_expect_none(&lab, INSIDE);
	join(answer());
	assert_string_not_equal(other.tag, target.tag);
	notified_ok("SIP/2.0 200", true);
	bye_from(&party, &target);
}

/* As calls of the transferor's do: 503 of one peer, and the call takes its next route. */
static void test_next_route(void **state)
{
	struct config_peer next = lab.peers[0];

	next.remote.addr.bytes[3] = 11;
	lab.peers[2] = next;
	lab.routes[2] = (struct config_route){
		.from_realm = OUTSIDE, .from_peer = 1, .user_prefix = "bo", .to_peer = 2};
	ask("<sip:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	notified_ok("SIP/2.0 100", false);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:bonny@10.0.0.10:5060");
	target = ua_callee(&lab, invite);
	ua_respond(&target, invite, 503, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	invite = lab_expect(&lab, INSIDE, "INVITE sip:bonny@10.0.0.11:5060");
	target = ua_callee(&lab, invite);
	snprintf(target.addr, sizeof(target.addr), "10.0.0.11:5060");
	join(answer());
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	bye_from(&party, &target);
}

/* %XX for what a URI header may not have. */
static const char *escaped(const char *text)
{
	static char out[512];
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (size_t)snprintf(out + n, sizeof(out) - n,
			strchr("@;=%", *text) != NULL ? "%%%02X" : "%c", *text);
	return out;
}

/* The transferor has another call with the target: what that knows of it stands in Replaces. */
static void test_attended(void **state)
{
	static const char *const headers[] = {"Replaces", "Join"};
	struct ua phone, second;
	char to[700], want[500];

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		if (i > 0)
			(void)setup(NULL);
		lab_establish(&lab, &phone, &second);
		snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s", phone.call_id,
			phone.remote_tag, phone.tag);
		snprintf(to, sizeof(to), "<sip:192.0.2.1?%s=%s>", headers[i], escaped(want));
		ask(to, "");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
		notified_ok("SIP/2.0 100", false);
		invite = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5060");
		snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s", second.call_id, second.tag,
			second.remote_tag);
		assert_string_equal(lab_header(invite, headers[i]), want);
		target = ua_callee(&lab, invite);
		ua_respond(&target, invite, 200, TARGET_SDP, NULL);
		join(lab_expect(&lab, INSIDE, "INVITE sip:inside"));
		bye_from(&second, &phone); /* what was replaced */
		notified_ok("SIP/2.0 200", true);
		byed(&transferor);
		bye_from(&party, &target);
		if (i == 0)
			lab_fini(&lab);
	}
}

/* The second call is transferred as the first one was. */
static void test_chain(void **state)
{
	struct ua before;

	refer("bonny");
	join(answer());
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	before = party;
	lab.realms[INSIDE].refer_execute = true;
	lab.routes[1].to_peer = 0;
	transferor = target; /* sends to the party to somebody else */
	ask("<sip:carol@10.0.0.1>", "");
	lab_expect(&lab, INSIDE, "SIP/2.0 202");
	notified_ok("SIP/2.0 100", false);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:carol@10.0.0.10:5060");
	target = ua_callee(&lab, invite);
	ua_respond(&target, invite, 200, TARGET_SDP, NULL);
	join(lab_expect(&lab, INSIDE, "INVITE sip:inside"));
	assert_string_equal(before.call_id, party.call_id);
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	lab_run(&lab, 10);
	media_is(50000);
	bye_from(&target, &party);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_cdrs, 3);
	assert_string_equal(lab_cdr_text(&lab, 2, "transfer_of"), lab_cdr_text(&lab, 1, "id"));
}

/* The party has taken the offer of a target that is gone. @return what it is offered again. */
static const char *offered_again(const char *extra)
{
	const char *offer;

	refer("bonny");
	offer = answer();
	bye_from(&target, NULL);
	notified_ok("SIP/2.0 480", true);
	ua_respond(&party, offer, 200, INSIDE_SDP, extra);
	lab_expect(&lab, INSIDE, "ACK ");
	return lab_expect(&lab, INSIDE, "INVITE sip:inside");
}

/* That meets another offer, or is not wanted: the call goes on, and the first of these is no reason
 * to leave the party with what it has. */
static void test_offer_again_refused(void **state)
{
	static const struct {
		unsigned int status;
		bool again;
	} cases[] = {{491, true}, {500, true}, {488, false}};
	const char *offer;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (i > 0)
			(void)setup(NULL);
		offer = offered_again(NULL);
		ua_respond(&party, offer, cases[i].status, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		if (cases[i].again) {
			offer = offered_later();
			assert_non_null(offer);
			assert_true(port_of(lab_body(offer)) ==
				    lab_stream(&lab, STREAM_RTP)->set.end[SIDE_CALLEE].local.port);
			ua_respond(&party, offer, 200, INSIDE_SDP, NULL);
			lab_expect(&lab, INSIDE, "ACK ");
		}
		lab_run(&lab, 40000);
		first_goes_on();
		if (i + 1 < ARRAY_LEN(cases))
			lab_fini(&lab);
	}
}

/* It is busy for ever: it is left alone some time. */
static void test_offer_again_busy(void **state)
{
	const char *offer = offered_again(NULL);

	for (unsigned int i = 0; i < SESSION_REOFFERS_MAX; i++) {
		ua_respond(&party, offer, 491, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		offer = offered_later();
		assert_non_null(offer);
	}
	ua_respond(&party, offer, 491, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_run(&lab, 40000);
	first_goes_on();
}

/* A refresh by UPDATE has no offer in it. */
static void test_offer_again_timer(void **state)
{
	struct leg *l = &lab.b2bua->calls->leg[SIDE_CALLEE];
	const char *offer;

	lab.peers[0].session = (struct config_session){.expires_s = 1800, .min_s = 90};
	l->session.update = true;
	offer = offered_again("Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n");
	ua_respond(&party, offer, 491, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_request(&party, "UPDATE", ++party.cseq, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	offer = offered_later();
	assert_non_null(offer);
	ua_respond(&party, offer, 200, INSIDE_SDP,
		"Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n");
	lab_expect(&lab, INSIDE, "ACK ");
	lab_run(&lab, 890000);
	lab_expect_none(&lab, INSIDE);
	lab_run(&lab, 11000);
	ua_respond(&party, lab_expect(&lab, INSIDE, "UPDATE "), 200, NULL, NULL);
	lab_forget(&lab);
	first_goes_on();
}

/* The party says 100 and no more: the target waits for 32 s, the party's INVITE is cancelled. */
static void test_party_thinks(void **state)
{
	const char *offer, *cancel;

	for (unsigned int i = 0; i < 2; i++) {
		if (i > 0)
			(void)setup(NULL);
		refer("bonny");
		offer = answer();
		ua_respond(&party, offer, 100, NULL, NULL);
		lab_run(&lab, 31000);
		assert_int_equal(lab_count(&lab, INSIDE, "BYE "), 0);
		lab_run(&lab, 1100);
		cancel = lab_expect(&lab, INSIDE, "CANCEL ");
		lab_expect(&lab, INSIDE, "ACK ");
		byed(&target);
		notified_ok("SIP/2.0 408", true);
		ua_respond(&party, cancel, 200, NULL, NULL);
		if (i == 0) {
			ua_respond(&party, offer, 487, NULL, NULL);
			lab_expect(&lab, INSIDE, "ACK ");
		} else {
			lab_run(&lab, 33000);
		}
		first_goes_on();
		if (i == 0)
			lab_fini(&lab);
	}
}

/* The same while others leave: nothing is kept for its answer. */
static void test_all_leave(void **state)
{
	for (unsigned int i = 0; i < 3; i++) {
		if (i > 0)
			(void)setup(NULL);
		refer("bonny");
		ua_respond(&party, answer(), 100, NULL, NULL);
		if (i == 0) {
			bye_from(&party, &transferor);
			byed(&target);
			notified_ok("SIP/2.0 487", true);
		} else if (i == 1) {
			bye_from(&target, NULL);
			notified_ok("SIP/2.0 480", true);
			bye_from(&transferor, &party);
		} else {
			bye_from(&transferor, NULL);
			lab_run(&lab, 33000);
			lab_expect(&lab, INSIDE, "BYE ");
			lab_expect(&lab, INSIDE, "BYE ");
			notified_ok("SIP/2.0 408", true);
		}
		lab_run(&lab, 70000);
		assert_int_equal(HASH_COUNT(lab.b2bua->calls), 0);
		if (i < 2)
			lab_fini(&lab);
	}
}

/* However many REFERs and provisional answers: one NOTIFY at a time. */
static void test_many_notifies(void **state)
{
	const char *first;

	for (unsigned int i = 0; i < 100; i++)
		ask("<sip:nobody@192.0.2.1>", "");
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 202"), 1);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 491"), 99);
	assert_int_equal(lab_count(&lab, OUTSIDE, "NOTIFY "), 1);
	notified_ok("SIP/2.0 100", false);
	notified_ok("SIP/2.0 404", true);
	lab_forget(&lab);

	ask("<sip:bonny@192.0.2.1>", "");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	first = notified("SIP/2.0 100", false);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	target = ua_callee(&lab, invite);
	for (unsigned int i = 0; i < 100; i++)
		ua_respond(&target, invite, i % 2 != 0 ? 180 : 183, NULL, NULL);
	lab_expect_none(&lab, OUTSIDE);
	ua_respond(&transferor, first, 200, NULL, NULL);
	notified_ok("SIP/2.0 180", false);
	ua_respond(&target, invite, 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	notified_ok("SIP/2.0 486", true);
	first_goes_on();
}

/* Whoever refers has the calls that come of it, as if it were in them: for its realm, and as the
 * peer that it is. */
static void test_limits(void **state)
{
	uint32_t *const limits[] = {&lab.realms[OUTSIDE].max_calls, &lab.peers[1].max_calls};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct ua first_party, first_target;

		*limits[i] = 2;
		refer("bonny");
		join(answer());
		notified_ok("SIP/2.0 200", true);
		byed(&transferor);
		lab_run(&lab, 10);
		first_party = party;
		first_target = target;
		lab_establish(&lab, &transferor, &party);
		ask("<sip:bonny@192.0.2.1>", "");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
		notified_ok("SIP/2.0 100", false);
		notified_ok("SIP/2.0 503", true);
		lab_expect_none(&lab, INSIDE);
		bye_from(&first_target, &first_party);
		lab_run(&lab, 2000);
		refer("bonny");
		join(answer());
		notified_ok("SIP/2.0 200", true);
		byed(&transferor);
		bye_from(&target, &party);
		lab_run(&lab, 2000);
		/* All have left. */
		*limits[i] = 1;
		lab_establish(&lab, &transferor, &party);
		*limits[i] = 0;
	}
	first_goes_on();
}

/* The program ends in the middle of it. */
static void test_stop(void **state)
{
	refer("bonny");
	b2bua_stop(lab.b2bua);
	lab_expect(&lab, INSIDE, "CANCEL ");
	byed(&party);
	byed(&transferor);
	notified_ok("SIP/2.0 487", true);
	ua_respond(&target, invite, 487, NULL, NULL);
}

/* Without a word, as when it is killed: each record is written all the same. */
static void test_abandoned(void **state)
{
	refer("bonny");
	bye_from(&transferor, NULL);
	b2bua_stop(lab.b2bua);
	byed(&party);
}

/* The other party's session timer goes on where it is now. */
static void test_session_timer(void **state)
{
	const char *offer, *req;

	lab.peers[0].session = (struct config_session){.expires_s = 600, .min_s = 90};
	refer("bonny");
	assert_string_equal(lab_header(invite, "Session-Expires"), "600");
	ua_respond(&target, invite, 200, TARGET_SDP, NULL);
	offer = lab_expect(&lab, INSIDE, "INVITE sip:inside");
	ua_respond(&party, offer, 200, INSIDE_SDP, "Session-Expires: 600;refresher=uac\r\n");
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, INSIDE, "ACK ");
	notified_ok("SIP/2.0 200", true);
	byed(&transferor);
	lab_expect_none(&lab, INSIDE);
	lab_run(&lab, 301000);
	req = lab_expect(&lab, INSIDE, "INVITE sip:inside");
	assert_string_equal(lab_header(req, "Call-ID"), party.call_id);
	assert_true(port_of(lab_body(req)) ==
		    lab_stream(&lab, STREAM_RTP)->set.end[SIDE_CALLER].local.port);
	ua_respond(&party, req, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	bye_from(&party, &target);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, lab_teardown)
#define INSIDE_CASE(fn) \
	{ \
#fn " from inside", fn, setup_inside, lab_teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_blind),
		INSIDE_CASE(test_blind),
		CASE(test_referred_by),
		CASE(test_goes_on),
		INSIDE_CASE(test_goes_on),
		CASE(test_transferor_leaves),
		CASE(test_nobody_left),
		CASE(test_party_gives_up),
		CASE(test_party_leaves),
		INSIDE_CASE(test_party_leaves),
		CASE(test_target_refuses),
		LAB_CASE(test_fast),
		LAB_CASE(test_leaves_too_soon),
		CASE(test_not_placed),
		CASE(test_passed),
		CASE(test_party_refuses),
		CASE(test_bad_answer),
		CASE(test_target_leaves),
		CASE(test_glare),
		CASE(test_too_busy),
		CASE(test_party_is_gone),
		CASE(test_no_answer),
		CASE(test_no_subscription),
		CASE(test_subscribe),
		CASE(test_no_notify),
		CASE(test_again),
		CASE(test_forks),
		CASE(test_next_route),
		CASE(test_attended),
		CASE(test_chain),
		CASE(test_offer_again_refused),
		CASE(test_offer_again_busy),
		CASE(test_offer_again_timer),
		CASE(test_party_thinks),
		CASE(test_all_leave),
		CASE(test_many_notifies),
		CASE(test_limits),
		CASE(test_stop),
		CASE(test_abandoned),
		CASE(test_session_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
