/*
 * Requests other than INVITE, outside of dialogs, whose peer does not take them: they go to the
 * next one that the routes name (RFC 3261 section 16.7, RFC 3263 section 4.3).
 */
#include "b2bua_priv.h"
#include "lab.h"
#include "relay.h"

static const struct {
	const char *method, *extra;
} asks[] = {
	{"MESSAGE", NULL},
	{"OPTIONS", NULL},
	{"PUBLISH", "Event: presence\r\n"},
	{"REGISTER", "Expires: 60\r\n"},
	{"SUBSCRIBE", "Event: presence\r\nExpires: 600\r\n"},
	{"REFER", "Refer-To: <sip:carol@192.0.2.1>\r\n"},
};

/* Two servers at one address, and a phone that may ask them for everything. */
static int setup(void **state)
{
	lab_init(&lab);
	lab.peers[1].methods.known |= LAB_METHODS;
	lab.peers[2].remote = lab.peers[0].remote;
	lab.peers[2].remote.port = 5070;
	lab.routes[2] = lab.routes[0];
	lab.routes[2].to_peer = 2;
	return 0;
}

static int teardown(void **state)
{
	lab_run(&lab, 700000); /* subscriptions expire */
	lab_fini(&lab);
	return 0;
}

static struct ua ask(size_t i)
{
	struct ua u = ua_caller(&lab, "bob");

	print_message("%s\n", asks[i].method);
	ua_request(&u, asks[i].method, 1, NULL, asks[i].extra);
	return u;
}

/* The request as this one of the servers got it. */
static const char *expect_at(const char *method, unsigned int port, struct ua *server)
{
	char line[96];

	*server = (struct ua){.lab = &lab, .side = INSIDE};
	snprintf(server->addr, sizeof(server->addr), "10.0.0.10:%u", port);
	snprintf(server->tag, sizeof(server->tag), "inside-tag-%u", port);
	snprintf(line, sizeof(line), "%s sip:bob@10.0.0.10:%u SIP/2.0\r\n", method, port);
	return lab_expect(&lab, INSIDE, line);
}

/* Its end of the dialog that the request makes. */
static void join_dialog(struct ua *server, const char *req)
{
	struct ua u = ua_callee(&lab, req);

	snprintf(u.addr, sizeof(u.addr), "%s", server->addr);
	snprintf(u.tag, sizeof(u.tag), "%s", server->tag);
	*server = u;
}

/* The second one gets the same, as if it were the first to be asked; the phone hears of it alone.
 */
static void expect_second(size_t i, const char *first)
{
	struct ua second;
	const char *req = expect_at(asks[i].method, 5070, &second), *ok;
	char call_id[128];

	snprintf(call_id, sizeof(call_id), "%s", lab_header(first, "Call-ID"));
	assert_string_not_equal(lab_header(req, "Call-ID"), call_id);
	assert_string_equal(lab_header(req, "Event"), lab_header(first, "Event"));
	if (strcmp(asks[i].method, "REFER") == 0)
		assert_string_equal(lab_header(req, "Refer-To"), lab_header(first, "Refer-To"));
	lab_expect_none(&lab, OUTSIDE);
	ua_respond(&second, req, 202, NULL, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 202 ");
	assert_string_equal(lab_header(ok, "CSeq"), lab_header(first, "CSeq"));
}

static void test_503(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct ua first;
		const char *req;

		(void)ask(i);
		req = expect_at(asks[i].method, 5060, &first);
		ua_respond(&first, req, 503, NULL, "Retry-After: 60\r\n");
		expect_second(i, req);
	}
}

static void test_silence(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct ua first;
		const char *req;

		lab_forget(&lab);
		(void)ask(i);
		req = expect_at(asks[i].method, 5060, &first);
		lab_run(&lab, RELAY_PATIENCE_MS - 1);
		/* 0.5, 1.5, 3.5 and 7.5 s after the first. */
		assert_int_equal(lab_count(&lab, INSIDE, asks[i].method), 5);
		lab_run(&lab, 1);
		expect_second(i, req);
		/* Its answer comes too late to matter. */
		ua_respond(&first, req, 200, NULL, NULL);
		lab_expect_none(&lab, OUTSIDE);
	}
}

/* Who has said anything is there, and has all its time. */
static void test_trying(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct ua first;
		const char *req;

		lab_forget(&lab);
		(void)ask(i);
		req = expect_at(asks[i].method, 5060, &first);
		ua_respond(&first, req, 100, NULL, NULL);
		lab_run(&lab, 31000);
		assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 "), 0);
		ua_respond(&first, req, 200, NULL, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	}
}

/* Each peer once; then the phone hears what the last one said, or that there was none. */
static void test_nobody_left(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct ua first, second;
		const char *req;

		lab.routes[1] = lab.routes[0];
		lab_forget(&lab);
		(void)ask(i);
		req = expect_at(asks[i].method, 5060, &first);
		ua_respond(&first, req, 503, NULL, NULL);
		req = expect_at(asks[i].method, 5070, &second);
		ua_respond(&second, req, 503, NULL, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
		assert_int_equal(lab_count(&lab, INSIDE, asks[i].method), 2);
		(void)ask(i);
		req = expect_at(asks[i].method, 5060, &first);
		lab_run(&lab, RELAY_PATIENCE_MS);
		(void)expect_at(asks[i].method, 5070, &second);
		lab_run(&lab, 32000);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 504 ");
	}
}

/* Another refusal is an answer; a peer of another realm is another matter. */
static void test_not_elsewhere(void **state)
{
	struct ua first;
	const char *req;

	(void)ask(0);
	req = expect_at("MESSAGE", 5060, &first);
	ua_respond(&first, req, 500, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500 ");
	lab.routes[2].to_peer = 1;
	(void)ask(0);
	req = expect_at("MESSAGE", 5060, &first);
	ua_respond(&first, req, 503, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	lab_expect_none(&lab, INSIDE);
}

/* The subscription is that of the second one: its NOTIFY comes through, the first one's does not.
 * Whom a NOTIFY came from has taken it, whatever it answers. */
static void test_subscription(void **state)
{
	static const char active[] =
		"Event: presence\r\nSubscription-State: active;expires=600\r\n";
	struct ua phone, first, second;
	const char *req;

	phone = ask(4);
	req = expect_at("SUBSCRIBE", 5060, &first);
	join_dialog(&first, req);
	ua_respond(&first, req, 503, NULL, NULL);
	req = expect_at("SUBSCRIBE", 5070, &second);
	join_dialog(&second, req);
	ua_respond(&second, req, 200, NULL, "Expires: 600\r\n");
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 200 "));
	ua_request(&first, "NOTIFY", 1, NULL, active);
	lab_expect(&lab, INSIDE, "SIP/2.0 481 ");
	ua_request(&second, "NOTIFY", 1, NULL, active);
	req = lab_expect(&lab, OUTSIDE, "NOTIFY ");
	ua_respond(&phone, req, 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200 ");
	assert_int_equal(b2bua_get_stats(lab.b2bua)->subscriptions, 1);
	phone = ask(4);
	req = expect_at("SUBSCRIBE", 5060, &first);
	join_dialog(&first, req);
	first.branch = 10; /* not the NOTIFY of before again */
	ua_request(&first, "NOTIFY", 1, NULL, active);
	ua_respond(&phone, lab_expect(&lab, OUTSIDE, "NOTIFY "), 200, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 200 ");
	ua_respond(&first, req, 503, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	lab_expect_none(&lab, INSIDE);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_503),
		CASE(test_silence),
		CASE(test_trying),
		CASE(test_nobody_left),
		CASE(test_not_elsewhere),
		CASE(test_subscription),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
