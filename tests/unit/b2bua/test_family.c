/* Calls in IPv6 and between the families: what each side is told, and what the dataplane is. */
#include "lab.h"

#define V4 4
#define V6 6

/* The parties of a call by family: what the caller says, what must stand in what they get. */
static const struct {
	unsigned int caller, callee;
	const char *user, *invite; /* first line at the callee */
	const char *contact[2];	   /* our Contact to the caller, to the callee */
	const char *via, *from, *to, *received;
	const char *c[2]; /* c= to the caller, to the callee */
	const char *remote[2];
} calls[] = {
	{V6, V6, "six", "INVITE sip:six@[2001:db8:2::10]:5060 SIP/2.0\r\n",
		{"<sip:[2001:db8:1::1]:5060>", "<sip:[2001:db8:2::1]:5060>"},
		"SIP/2.0/UDP [2001:db8:2::1]:5060;branch=z9hG4bK", "<sip:alice@[2001:db8:2::1]>",
		"<sip:six@[2001:db8:2::10]>", "SIP/2.0/UDP [2001:db8:1::66]:5060;branch=",
		{"c=IN IP6 2001:db8:1::", "c=IN IP6 2001:db8:2::"},
		{"[2001:db8:1::66]:40000", "[2001:db8:2::10]:50000"}},
	{V4, V6, "six", "INVITE sip:six@[2001:db8:2::10]:5060 SIP/2.0\r\n",
		{"<sip:192.0.2.1:5060>", "<sip:[2001:db8:2::1]:5060>"},
		"SIP/2.0/UDP [2001:db8:2::1]:5060;branch=z9hG4bK", "<sip:alice@[2001:db8:2::1]>",
		"<sip:six@[2001:db8:2::10]>", "SIP/2.0/UDP 192.0.2.66:5060;branch=",
		{"c=IN IP4 192.0.2.1\r\n", "c=IN IP6 2001:db8:2::"},
		{"192.0.2.66:40000", "[2001:db8:2::10]:50000"}},
	{V6, V4, "bob", "INVITE sip:bob@10.0.0.10:5060 SIP/2.0\r\n",
		{"<sip:[2001:db8:1::1]:5060>", "<sip:10.0.0.1:5060>"},
		"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", "<sip:alice@10.0.0.1>",
		"<sip:bob@10.0.0.10>", "SIP/2.0/UDP [2001:db8:1::66]:5060;branch=",
		{"c=IN IP6 2001:db8:1::", "c=IN IP4 10.0.0.1\r\n"},
		{"[2001:db8:1::66]:40000", "10.0.0.10:50000"}},
};

static const char *sdp_of(unsigned int family, unsigned int side)
{
	if (side == OUTSIDE)
		return family == V6 ? OUTSIDE6_SDP : OUTSIDE_SDP;
	return family == V6 ? INSIDE6_SDP : INSIDE_SDP;
}

static struct ua caller_of(unsigned int family, const char *user)
{
	return family == V6 ? ua_caller6(&lab, user) : ua_caller(&lab, user);
}

static void expect_in(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void expect_endpoint(const struct net_endpoint *e, const char *want)
{
	char text[NET_ENDPOINT_STRLEN];

	assert_string_equal(net_endpoint_format(e, text), want);
}

/* The streams of row i: each end in its own family, RTCP where the callee put it. */
static void check_streams(size_t i)
{
	const struct lab_stream *rtp = lab_stream(&lab, STREAM_RTP);
	const struct lab_stream *rtcp = lab_stream(&lab, STREAM_RTCP);
	unsigned int family[2] = {calls[i].caller, calls[i].callee};

	assert_non_null(rtp);
	assert_non_null(rtcp);
	for (unsigned int side = 0; side < 2; side++) {
		const struct stream_end *e = &rtp->set.end[side];

		assert_int_equal(e->local.addr.family, family[side]);
		assert_int_equal(e->allowed.family, family[side]);
		assert_int_equal(e->realm, side);
		assert_int_equal(e->prefix_len, family[side] == V6 ? 128 : 32);
		expect_endpoint(&e->remote, calls[i].remote[side]);
		assert_int_equal(e->flags & STREAM_END_RECEIVE, STREAM_END_RECEIVE);
		assert_true(net_addr_eq(&rtcp->set.end[side].local.addr, &e->local.addr));
		assert_int_equal(rtcp->set.end[side].local.port, e->local.port + 1);
	}
	/* nat: never believes a=rtcp of its side; the caller's, behind nat: auto, is its source. */
	if (calls[i].callee == V6)
		expect_endpoint(&rtcp->set.end[INSIDE].remote, "[2001:db8:2::11]:50011");
	if (calls[i].caller == V6)
		expect_endpoint(&rtcp->set.end[OUTSIDE].remote, "[2001:db8:1::66]:40011");
}

static void establish(size_t i, struct ua *caller, struct ua *callee)
{
	const char *invite, *ok;

	*caller = caller_of(calls[i].caller, calls[i].user);
	ua_request(caller, "INVITE", caller->cseq, sdp_of(calls[i].caller, OUTSIDE), NULL);
	invite = lab_expect(&lab, INSIDE, calls[i].invite);
	expect_in(lab_header(invite, "Via"), calls[i].via);
	expect_in(lab_header(invite, "From"), calls[i].from);
	expect_in(lab_header(invite, "To"), calls[i].to);
	assert_string_equal(lab_header(invite, "Contact"), calls[i].contact[INSIDE]);
	expect_in(lab_body(invite), calls[i].c[INSIDE]);
	*callee = ua_callee(&lab, invite);
	ua_respond(callee, invite, 200, sdp_of(calls[i].callee, INSIDE), NULL);
	expect_in(lab_expect(&lab, INSIDE, "ACK "), calls[i].via);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	expect_in(lab_header(ok, "Via"), calls[i].received);
	assert_string_equal(lab_header(ok, "Contact"), calls[i].contact[OUTSIDE]);
	expect_in(lab_body(ok), calls[i].c[OUTSIDE]);
	ua_learn(caller, ok);
	ua_request(caller, "ACK", caller->cseq, NULL, NULL);
}

static void test_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct ua caller, callee;

		print_message("row %zu\n", i);
		establish(i, &caller, &callee);
		check_streams(i);
		lab_hang_up(&lab, &caller, &callee);
		assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
	}
}

/* c=IN IP6 :: holds as 0.0.0.0 does, from either family; then the callee moves its media. */
static void test_hold_and_move(void **state)
{
	static const char *const held[] = {"c=IN IP6 ::\r\n", "c=IN IP4 0.0.0.0\r\n"};
	static const char moved[] =
		"v=0\r\no=bob 3 3 IN IP6 2001:db8:2::10\r\ns=-\r\nc=IN IP6 2001:db8:2::77\r\n"
		"t=0 0\r\nm=audio 50100 RTP/AVP 0\r\n";
	struct ua caller, callee;

	establish(0, &caller, &callee);
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		char sdp[256];
		const char *re, *ok;

		snprintf(sdp, sizeof(sdp),
			"v=0\r\no=alice 7 7 IN IP6 2001:db8:1::66\r\ns=-\r\n%st=0 0\r\n"
			"m=audio 40000 RTP/AVP 0\r\n",
			held[i]);
		ua_request(&caller, "INVITE", ++caller.cseq, sdp, NULL);
		re = lab_expect(&lab, INSIDE, "INVITE ");
		expect_in(lab_body(re), "a=sendonly\r\n");
		expect_in(lab_body(re), "c=IN IP6 2001:db8:2::");
		ua_respond(&callee, re, 200, INSIDE6_SDP "a=recvonly\r\n", NULL);
		ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
		expect_in(lab_body(ok), "c=IN IP6 2001:db8:1::");
		ua_request(&caller, "ACK", caller.cseq, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[OUTSIDE].remote.addr.family,
			NET_FAMILY_NONE);
		/* What comes behind NAT is still heard, so that it can play music. */
		assert_int_equal(lab_stream(&lab, STREAM_RTP)->set.end[OUTSIDE].allowed.family, V6);
	}
	ua_request(&callee, "INVITE", ++callee.cseq, moved, NULL);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "INVITE "), 200, OUTSIDE6_SDP, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200 OK\r\n");
	ua_request(&callee, "ACK", callee.cseq, NULL, NULL);
	expect_endpoint(
		&lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].remote, "[2001:db8:2::77]:50100");
	lab_expect(&lab, OUTSIDE, "ACK ");
	lab_hang_up(&lab, &caller, &callee);
}

/* Where media may not go, in IPv6 (threats.md row 28), and offers of the family that signalling
 * has nothing to say about. */
static void test_refused(void **state)
{
	static const char *const lines[] = {
		"c=IN IP6 ::1\r\n",
		"c=IN IP6 ::ffff:127.0.0.1\r\n",
		"c=IN IP6 ::ffff:192.0.2.1\r\n",
		"c=IN IP6 ::192.0.2.66\r\n",
		"c=IN IP6 fe80::66\r\n",
		"c=IN IP6 ff1e::66\r\n",
		"c=IN IP6 ff02::1\r\n",
		"c=IN IP6 2001:db8:1::1\r\n", /* ourselves */
		"c=IN IP6 2001:db8:1::3\r\n", /* our second media address */
		"c=IN IP6 2001:db8:2::3\r\n", /* the far side of us */
		"c=IN IP6 2001:db8:1::66%eth0\r\n",
		"c=IN IP6 phone.example\r\n",
		"c=IN IP4 2001:db8:1::66\r\n",
		"c=IN IP4 192.0.2.66\r\n", /* nat: auto, and SIP comes by IPv6 */
		"c=IN IP6 ::ffff:192.0.2.66\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct ua caller = ua_caller6(&lab, "six");
		char sdp[256];

		print_message("%s", lines[i]);
		snprintf(sdp, sizeof(sdp),
			"v=0\r\no=- 1 1 IN IP6 2001:db8:1::66\r\ns=-\r\n%st=0 0\r\n"
			"m=audio 40000 RTP/AVP 0\r\n",
			lines[i]);
		ua_request(&caller, "INVITE", 1, sdp, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 488 Not Acceptable Here");
		assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
	}
	lab_expect_none(&lab, INSIDE);
}

/* The callee answers an offer of one family with the other. */
static void test_answer_of_the_other_family(void **state)
{
	struct ua caller = ua_caller6(&lab, "six"), callee;
	const char *invite;

	ua_request(&caller, "INVITE", 1, OUTSIDE6_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 488");
}

/* A trusted side whose signalling is IPv4 offers IPv6 media: it is believed, and answered in
 * IPv6. */
static void test_media_apart_from_signalling(void **state)
{
	struct ua callee, caller = ua_caller(&lab, "bob");
	const char *invite, *ok;

	ua_request(&caller, "INVITE", 1, NULL, NULL); /* the callee makes the offer */
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE6_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK\r\n");
	expect_in(lab_body(ok), "c=IN IP4 192.0.2.1\r\n");
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, OUTSIDE_SDP, NULL);
	expect_in(lab_body(lab_expect(&lab, INSIDE, "ACK ")), "c=IN IP6 2001:db8:2::");
	expect_endpoint(
		&lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].remote, "[2001:db8:2::10]:50000");
	lab_hang_up(&lab, &caller, &callee);
}

/* Both media addresses of a family take their turn; one that is full is passed over, and every
 * port goes back to where it came from. */
static void test_several_addresses(void **state)
{
	unsigned int used[2] = {0, 0};
	struct net_endpoint e = {.addr = lab.realms[INSIDE].media[2].addr};

	for (unsigned int turn = 0; turn < 8; turn++) {
		const struct net_addr *local;
		struct ua caller, callee;

		if (turn == 4)
			for (e.port = 30000; e.port < 30100; e.port++)
				media_orphan_add(lab.media, INSIDE, &e);
		establish(0, &caller, &callee);
		local = &lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].local.addr;
		for (unsigned int m = 1; m < 3; m++)
			used[m - 1] += net_addr_eq(local, &lab.realms[INSIDE].media[m].addr);
		lab_hang_up(&lab, &caller, &callee);
	}
	assert_int_equal(used[1], 2);
	assert_int_equal(used[0], 6);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 50);
	for (e.port = 30000; e.port < 30100; e.port++)
		media_orphan_del(lab.media, INSIDE, &e);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
}

/* Two lines in one offer stay at one address while it has ports; then the next has the second. */
static void test_lines_of_one_call(void **state)
{
	static const char offer[] =
		"v=0\r\no=alice 7 7 IN IP6 2001:db8:1::66\r\ns=-\r\nc=IN IP6 2001:db8:1::66\r\n"
		"t=0 0\r\nm=audio 40000 RTP/AVP 0\r\nm=audio 40002 RTP/AVP 0\r\n";
	struct net_endpoint e = {.addr = lab.realms[INSIDE].media[1].addr};
	struct ua caller = ua_caller6(&lab, "six"), callee;
	unsigned int split = 0;
	const char *invite;

	ua_request(&caller, "INVITE", 1, offer, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	assert_null(strstr(strstr(lab_body(invite), "\r\nm="), "\r\nc="));
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
	/* All but one pair of one address are taken. */
	for (e.port = 30002; e.port < 30100; e.port++)
		media_orphan_add(lab.media, INSIDE, &e);
	for (unsigned int i = 0; i < 2; i++) {
		caller = ua_caller6(&lab, "six");
		ua_request(&caller, "INVITE", 1, offer, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		callee = ua_callee(&lab, invite);
		ua_respond(&callee, invite, 486, NULL, NULL);
		if (strstr(invite, "\r\nc=IN IP6 2001:db8:2::1\r\n") == NULL)
			continue;
		split++;
		expect_in(strstr(lab_body(invite), "\r\nm=audio 30000 "),
			"\r\nc=IN IP6 2001:db8:2::3\r\n");
	}
	assert_int_equal(split, 1); /* every other call begins there */
	for (e.port = 30002; e.port < 30100; e.port++)
		media_orphan_del(lab.media, INSIDE, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_calls),
		LAB_CASE(test_hold_and_move),
		LAB_CASE(test_refused),
		LAB_CASE(test_answer_of_the_other_family),
		LAB_CASE(test_media_apart_from_signalling),
		LAB_CASE(test_several_addresses),
		LAB_CASE(test_lines_of_one_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
