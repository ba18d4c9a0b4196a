/* 3xx, followed or passed by the peer's policy, and INVITEs that come back (RFC 3261 section 16.3).
 */
#include "lab.h"

#define SECOND 2 /* a second server of the core, where the lab has its IPv6 one */

static int setup(void **state)
{
	lab_init(&lab);
	lab.peers[0].redirect_follow = true;
	lab.peers[SECOND].redirect_follow = true;
	lab.peers[SECOND].remote = lab.peers[0].remote;
	lab.peers[SECOND].remote.port = 5070;
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

/* Answer with these Contacts alone. */
static void redirect(struct ua *u, const char *invite, unsigned int status, const char *contacts)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
		"SIP/2.0 %u Moved\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=%s\r\n", status,
		lab_header(invite, "Via"), lab_header(invite, "From"), lab_header(invite, "To"),
		u->tag);

	n += snprintf(text + n, sizeof(text) - (size_t)n,
		"Call-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		lab_header(invite, "Call-ID"), lab_header(invite, "CSeq"), contacts);
	lab_feed(&lab, INSIDE, u->addr, text, (size_t)n);
	lab_expect(&lab, INSIDE, "ACK ");
}

static void test_followed(void **state)
{
	struct ua caller, first, callee;
	const char *invite, *next, *ok;

	lab.peers[SECOND].max_calls = 1;
	first = lab_call(&lab, &caller, &invite);
	ua_respond(&first, invite, 180, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 180");
	/* The first of the Contacts that is a peer of the core. */
	redirect(&first, invite, 302,
		"Contact: <tel:+4930>, <sip:x@10.0.0.99:5070>, <sip:y@192.0.2.66>\r\n"
		"Contact: \"Z\" <sip:carol@10.0.0.10:5070;transport=udp>;q=0.5\r\n");
	next = lab_expect(&lab, INSIDE, "INVITE sip:carol@10.0.0.10:5070 SIP/2.0\r\n");
	assert_int_equal(lab.msg[lab.n_msgs - 1].path.remote.port, 5070);
	assert_string_equal(lab_header(next, "To"), "<sip:bob@10.0.0.10:5070>");
	assert_string_equal(lab_header(next, "Max-Forwards"), "69");
	assert_string_not_equal(lab_header(next, "Call-ID"), first.call_id);
	assert_string_equal(lab_body(next), lab_body(invite));
	lab_expect_none(&lab, OUTSIDE);
	callee = ua_callee(&lab, next);
	snprintf(callee.addr, sizeof(callee.addr), "10.0.0.10:5070");
	ua_respond(&callee, next, 200, INSIDE_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	/* It counts at the peer that has it, and no more at the one that had it. */
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE "), 2);
	lab_hang_up(&lab, &caller, &callee);
	assert_int_equal(lab.n_cdrs, 1);
	assert_string_equal(lab_cdr_text(&lab, 0, "to"), "sip:bob@192.0.2.1");
}

/* A server that sheds load: the call takes its next route, each once. */
static void test_next_route(void **state)
{
	struct ua caller, first, second;
	const char *invite, *next, *ok;

	for (unsigned int i = 0; i < 2; i++) {
		lab.routes[2] = lab.routes[0];
		lab.routes[2].to_peer = SECOND;
		first = lab_call(&lab, &caller, &invite);
		ua_respond(&first, invite, 503, NULL, "Retry-After: 60\r\n");
		lab_expect(&lab, INSIDE, "ACK ");
		next = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5070 SIP/2.0\r\n");
		lab_expect_none(&lab, OUTSIDE);
		second = ua_callee(&lab, next);
		snprintf(second.addr, sizeof(second.addr), "10.0.0.10:5070");
		if (i == 0) {
			ua_respond(&second, next, 503, NULL, NULL);
			lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
			lab_expect(&lab, INSIDE, "ACK ");
			lab_expect_none(&lab, INSIDE);
			continue;
		}
		ua_respond(&second, next, 200, INSIDE_SDP, NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		lab_expect(&lab, INSIDE, "ACK ");
		ua_learn(&caller, ok);
		ua_request(&caller, "ACK", 1, NULL, NULL);
		lab_hang_up(&lab, &caller, &second);
	}
}

/* A server that is not there: the same when timer B says so. One that has said 100 is. */
static void test_silent_server(void **state)
{
	struct ua caller, first, second;
	const char *invite, *next;

	lab.routes[2] = lab.routes[0];
	lab.routes[2].to_peer = SECOND;
	first = lab_call(&lab, &caller, &invite);
	lab_run(&lab, 31999);
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5060 "), 7);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 100 ");
	lab_run(&lab, 1);
	next = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5070 SIP/2.0\r\n");
	lab_expect_none(&lab, OUTSIDE);
	second = ua_callee(&lab, next);
	snprintf(second.addr, sizeof(second.addr), "10.0.0.10:5070");
	ua_respond(&second, next, 200, INSIDE_SDP, NULL);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &second);
	lab_forget(&lab);
	first = lab_call(&lab, &caller, &invite);
	ua_respond(&first, invite, 100, NULL, NULL);
	lab_run(&lab, 50000);
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE "), 1);
	lab_run(&lab, 100000);
	/* Nobody is left: it is over. */
	lab_forget(&lab);
	first = lab_call(&lab, &caller, &invite);
	lab_run(&lab, 63999);
	assert_int_equal(lab_count(&lab, INSIDE, "INVITE "), 14);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 408 "), 0);
	lab_run(&lab, 1);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 408 "), 1);
}

/* Another route to a peer that had the call before is none, whichever way the call came to it. */
static void test_nobody_twice(void **state)
{
	struct ua caller, first, second;
	const char *invite, *next;

	for (unsigned int i = 0; i < 2; i++) {
		bool redirects = i == 1;

		lab.routes[1] = lab.routes[0];
		lab.routes[1].to_peer = SECOND;
		lab.routes[2] = lab.routes[0];
		first = lab_call(&lab, &caller, &invite);
		if (redirects) {
			redirect(&first, invite, 302, "Contact: <sip:bob@10.0.0.10:5070>\r\n");
		} else {
			ua_respond(&first, invite, 503, NULL, NULL);
			lab_expect(&lab, INSIDE, "ACK ");
		}
		next = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5070 SIP/2.0\r\n");
		second = ua_callee(&lab, next);
		snprintf(second.addr, sizeof(second.addr), "10.0.0.10:5070");
		ua_respond(&second, next, 503, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
		lab_expect_none(&lab, INSIDE);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* What is not followed reaches the caller, without a Contact. */
static void test_passed(void **state)
{
	static const struct {
		bool follow;
		unsigned int status;
		const char *contacts;
	} cases[] = {
		{false, 302, "Contact: <sip:carol@10.0.0.10:5070>\r\n"},
		{true, 302, ""},
		{true, 302, "Contact: *\r\n"},
		{true, 302, "Contact: <sip:carol@10.0.0.11:5070>\r\n"}, /* nobody's */
		{true, 302, "Contact: <sip:carol@10.0.0.10:5071>\r\n"},
		{true, 302, "Contact: <sips:carol@10.0.0.10:5070>\r\n"},
		{true, 302, "Contact: <sip:carol@inside.example>\r\n"},
		{true, 301, "Contact: <sip:alice@192.0.2.66>\r\n"}, /* of another realm */
		{true, 305, "Contact: <sip:carol@10.0.0.10:5070>\r\n"},
		{true, 380, "Contact: <sip:carol@10.0.0.10:5070>\r\n"},
	};

	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua caller, callee;
		const char *invite, *final;
		char line[32];

		print_message("row %u\n", i);
		lab.peers[0].redirect_follow = cases[i].follow;
		callee = lab_call(&lab, &caller, &invite);
		redirect(&callee, invite, cases[i].status, cases[i].contacts);
		lab_expect_none(&lab, INSIDE);
		snprintf(line, sizeof(line), "SIP/2.0 %u", cases[i].status);
		final = lab_expect(&lab, OUTSIDE, line);
		/* By way of the box, or not at all; what else it says stays behind. */
		if (lab_header(final, "Contact")[0] != '\0')
			assert_non_null(strstr(lab_header(final, "Contact"), "@192.0.2.1>"));
		assert_true(cases[i].status <= 302 || lab_header(final, "Contact")[0] == '\0');
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* Two servers that send a call to each other. */
static void test_in_circles(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	for (unsigned int i = 0; i < 5; i++) {
		redirect(&callee, invite, 302,
			i % 2 == 0 ? "Contact: <sip:bob@10.0.0.10:5070>\r\n"
				   : "Contact: <sip:bob@10.0.0.10>\r\n");
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		callee = ua_callee(&lab, invite);
	}
	redirect(&callee, invite, 302, "Contact: <sip:bob@10.0.0.10>\r\n");
	lab_expect_none(&lab, INSIDE);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 302");
}

/* The new peer has calls enough; or the caller gives up meanwhile. */
static void test_ends_on_the_way(void **state)
{
	struct ua caller, callee, other, busy;
	const char *invite, *next;

	lab.peers[SECOND].max_calls = 1;
	other = lab_call(&lab, &busy, &invite);
	redirect(&other, invite, 302, "Contact: <sip:carol@10.0.0.10:5070>\r\n");
	next = lab_expect(&lab, INSIDE, "INVITE sip:carol");
	callee = lab_call(&lab, &caller, &invite);
	redirect(&callee, invite, 302, "Contact: <sip:carol@10.0.0.10:5070>\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	other = ua_callee(&lab, next);
	ua_respond(&other, next, 180, NULL, NULL);
	ua_request(&busy, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	lab_expect(&lab, INSIDE, "CANCEL sip:carol@10.0.0.10:5070");
	ua_respond(&other, next, 487, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 2);
}

/* --- loops --- */

/* Our INVITE as a proxy would send it on to us, from that side and for that user. */
static void send_back(const char *invite, unsigned int side, const char *user)
{
	static unsigned int serial;
	const char *from = side == OUTSIDE ? "192.0.2.66:5060" : "10.0.0.10:5060";
	char text[4096];
	int n = snprintf(text, sizeof(text),
		"INVITE sip:%s@box SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKproxy-%u\r\n"
		"Via: %s\r\nMax-Forwards: %lu\r\nFrom: %s\r\n",
		user, from, ++serial, lab_header(invite, "Via"),
		strtoul(lab_header(invite, "Max-Forwards"), NULL, 10) - 1,
		lab_header(invite, "From"));

	n += snprintf(text + n, sizeof(text) - (size_t)n,
		"To: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s\r\nContent-Length: 0\r\n\r\n",
		lab_header(invite, "To"), lab_header(invite, "Call-ID"), lab_header(invite, "CSeq"),
		lab_header(invite, "Contact"));
	lab_feed(&lab, side, from, text, (size_t)n);
}

static void test_loops(void **state)
{
	struct ua caller;
	const char *invite, *hairpin;

	lab.leaks_allowed = true; /* a proxy that spans both sides carries names across */
	lab_call(&lab, &caller, &invite);
	send_back(invite, OUTSIDE, "bob");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 482 Loop Detected");
	/* The core sends the call on to a phone: no loop, but a call of its own. */
	send_back(invite, INSIDE, "bob");
	hairpin = lab_expect(&lab, OUTSIDE, "INVITE sip:bob@192.0.2.66:5060");
	assert_string_equal(lab_header(hairpin, "Max-Forwards"), "67");
	/* That one comes back from the core again: a loop. */
	send_back(hairpin, INSIDE, "bob");
	lab_expect(&lab, INSIDE, "SIP/2.0 482 ");
	/* For somebody else it is a spiral, which is allowed. */
	lab_call(&lab, &caller, &invite);
	send_back(invite, OUTSIDE, "bonnie");
	lab_expect(&lab, INSIDE, "INVITE sip:bonnie@10.0.0.10:5060");
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_total, 4);
	b2bua_stop(lab.b2bua);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_followed),
		CASE(test_next_route),
		CASE(test_silent_server),
		CASE(test_nobody_twice),
		CASE(test_passed),
		CASE(test_in_circles),
		CASE(test_ends_on_the_way),
		CASE(test_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
