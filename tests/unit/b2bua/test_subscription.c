/*
 * Subscriptions with dialogs of their own (RFC 6665), a phone outside being the subscriber and the
 * server inside the notifier; and REFER outside of a call (RFC 3515).
 */
#include "lab.h"
#include "b2bua_priv.h"
#include "subscription.h"

#define ACTIVE "Subscription-State: active;expires=600\r\n"
#define TERMINATED "Subscription-State: terminated;reason=timeout\r\n"
#define PRESENCE "Event: presence\r\nContent-Type: text/plain\r\n"

static struct ua phone, server;

static int setup(void **state)
{
	lab_init(&lab);
	lab.peers[1].methods.known |= LAB_METHODS;
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static uint64_t alive(void)
{
	return b2bua_get_stats(lab.b2bua)->subscriptions;
}

/* The first SUBSCRIBE as the server gets it. */
static const char *subscribe(const char *extra)
{
	const char *req;

	phone = ua_caller(&lab, "bob");
	ua_request(&phone, "SUBSCRIBE", phone.cseq, NULL, extra);
	req = lab_expect(&lab, INSIDE, "SUBSCRIBE sip:bob@10.0.0.10:5060 SIP/2.0\r\n");
	server = ua_callee(&lab, req);
	return req;
}

static void establish(const char *extra)
{
	const char *req = subscribe(extra), *ok;

	ua_respond(&server, req, 200, NULL, "Expires: 600\r\n");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(lab_header(ok, "Expires"), "600");
	assert_string_equal(lab_header(ok, "Contact"), "<sip:192.0.2.1:5060>");
	ua_learn(&phone, ok);
}

/* One NOTIFY through, and its answer. */
static const char *notify(const char *extra, const char *body, unsigned int status)
{
	const char *req;
	char want[32];

	ua_request(&server, "NOTIFY", ++server.cseq, body, extra);
	req = lab_expect(&lab, OUTSIDE, "NOTIFY sip:outside@192.0.2.66:5060 SIP/2.0\r\n");
	ua_respond(&phone, req, status, NULL, NULL);
	snprintf(want, sizeof(want), "SIP/2.0 %u ", status);
	lab_expect(&lab, INSIDE, want);
	return req;
}

static void test_whole_life(void **state)
{
	const char *req;

	establish("Event: presence\r\nExpires: 3600\r\nAccept: text/plain\r\n");
	req = notify(PRESENCE ACTIVE, "present", 200);
	assert_string_equal(lab_header(req, "Call-ID"), phone.call_id);
	assert_string_equal(lab_tag(lab_header(req, "To")), phone.tag);
	assert_string_equal(lab_tag(lab_header(req, "From")), phone.remote_tag);
	assert_string_equal(lab_header(req, "Event"), "presence");
	assert_string_equal(lab_header(req, "Subscription-State"), "active;expires=600");
	assert_string_equal(lab_header(req, "Contact"), "<sip:192.0.2.1:5060>");
	assert_string_equal(lab_body(req), "present");
	/* Refreshed: it lives on beyond the first 600 s. */
	lab_run(&lab, 500000);
	ua_request(&phone, "SUBSCRIBE", 2, NULL, "Event: presence\r\nExpires: 3600\r\n");
	req = lab_expect(&lab, INSIDE, "SUBSCRIBE sip:inside@10.0.0.10:5060 ");
	assert_string_equal(lab_tag(lab_header(req, "To")), server.tag);
	assert_string_equal(lab_header(req, "CSeq"), "2 SUBSCRIBE");
	ua_respond(&server, req, 200, NULL, "Expires: 600\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_run(&lab, 500000);
	assert_int_equal(alive(), 1);
	/* Un-SUBSCRIBE, and the last NOTIFY. */
	ua_request(&phone, "SUBSCRIBE", 3, NULL, "Event: presence\r\nExpires: 0\r\n");
	ua_respond(&server, lab_expect(&lab, INSIDE, "SUBSCRIBE "), 200, NULL, "Expires: 0\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
	lab_expect_none(&lab, OUTSIDE);
	lab_expect_none(&lab, INSIDE);
	/* Nothing is left of it. */
	ua_request(&server, "NOTIFY", ++server.cseq, NULL, "Event: presence\r\n" ACTIVE);
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	ua_request(&phone, "SUBSCRIBE", 4, NULL, "Event: presence\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
}

/* The NOTIFY is first: it makes the dialog, and the phone learns of it by the same tag. */
static void test_notify_overtakes(void **state)
{
	const char *req = subscribe("Event: presence\r\n"), *ok, *first;

	first = notify(PRESENCE ACTIVE, "present", 200);
	ua_respond(&server, req, 202, NULL, "Expires: 600\r\n");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	assert_string_equal(lab_tag(lab_header(ok, "To")), lab_tag(lab_header(first, "From")));
	ua_learn(&phone, ok);
	ua_request(&phone, "SUBSCRIBE", 2, NULL, "Event: presence\r\nExpires: 0\r\n");
	ua_respond(&server, lab_expect(&lab, INSIDE, "SUBSCRIBE "), 200, NULL, "Expires: 0\r\n");
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
}

/* A poll: the only NOTIFY ends what the answer to the SUBSCRIBE has yet to confirm. */
static void test_poll(void **state)
{
	const char *req = subscribe("Event: presence\r\nExpires: 0\r\n");

	notify(PRESENCE TERMINATED, "present", 200);
	ua_respond(&server, req, 200, NULL, "Expires: 0\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
}

/* Two notifiers behind a forking proxy: the first is the subscription's, the other gets 481. */
static void test_forked_notify(void **state)
{
	const char *req = subscribe("Event: presence\r\n");
	struct ua other = server;

	snprintf(other.tag, sizeof(other.tag), "inside-other");
	notify(PRESENCE ACTIVE, "present", 200);
	ua_request(&other, "NOTIFY", 7, "present", PRESENCE ACTIVE);
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	/* The answer to the SUBSCRIBE may be the other's. */
	ua_respond(&other, req, 200, NULL, "Expires: 600\r\n");
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&phone, "SUBSCRIBE", 2, NULL, "Event: presence\r\nExpires: 0\r\n");
	req = lab_expect(&lab, INSIDE, "SUBSCRIBE ");
	assert_string_equal(lab_tag(lab_header(req, "To")), server.tag);
	ua_respond(&server, req, 481, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
}

/* Both fall silent: it ends by itself, a little after its time. */
static void test_expiry(void **state)
{
	establish("Event: presence\r\n");
	notify(PRESENCE "Subscription-State: active;expires=60\r\n", "present", 200);
	lab_run(&lab, 60000);
	assert_int_equal(alive(), 1);
	lab_run(&lab, SUBSCRIPTION_GRACE_MS);
	assert_int_equal(alive(), 0);
}

/* Refused, unanswered, or unknown at either end: nothing stays. */
static void test_failures(void **state)
{
	const char *req = subscribe("Event: presence\r\n");

	ua_respond(&server, req, 489, NULL, "Allow-Events: dialog\r\n");
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 489"), "Allow-Events"), "dialog");
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);

	(void)subscribe("Event: presence\r\n");
	lab_run(&lab, 32100);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 504");
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
	lab_forget(&lab);

	establish("Event: presence\r\n");
	notify(PRESENCE ACTIVE, "present", 481);
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);

	establish("Event: presence\r\n");
	ua_request(&phone, "SUBSCRIBE", 2, NULL, "Event: presence\r\nExpires: 1\r\n");
	ua_respond(
		&server, lab_expect(&lab, INSIDE, "SUBSCRIBE "), 423, NULL, "Min-Expires: 60\r\n");
	assert_string_equal(
		lab_header(lab_expect(&lab, OUTSIDE, "SIP/2.0 423"), "Min-Expires"), "60");
	assert_int_equal(alive(), 1); /* only this refresh failed */
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
}

/* What has no place in it, or comes too early. */
static void test_wrong_requests(void **state)
{
	const char *req = subscribe("Event: presence\r\n");

	ua_request(&server, "MESSAGE", ++server.cseq, NULL, NULL);
	lab_expect(&lab, INSIDE, "SIP/2.0 500");
	ua_respond(&server, req, 200, NULL, "Expires: 600\r\n");
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&phone, "BYE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&phone, "INVITE", 3, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	ua_request(&phone, "ACK", 3, NULL, NULL);
	ua_request(&phone, "JUMP", 4, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 501");
	ua_request(&phone, "OPTIONS", 5, NULL, NULL);
	ua_respond(&server, lab_expect(&lab, INSIDE, "OPTIONS "), 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_int_equal(alive(), 1);
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
}

/* A source, and a realm, have so many and no more; what ends makes room. */
static void test_limits(void **state)
{
	struct ua extra;

	lab.realms[OUTSIDE].max_source_subscriptions = 1;
	lab.realms[OUTSIDE].max_subscriptions = 2;
	establish("Event: presence\r\n");
	extra = ua_caller(&lab, "bob");
	ua_request(&extra, "SUBSCRIBE", 1, NULL, "Event: presence\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	for (unsigned int port = 6001; port < 6003; port++) {
		extra = ua_caller(&lab, "bob");
		snprintf(extra.addr, sizeof(extra.addr), "192.0.2.66:%u", port);
		ua_request(&extra, "SUBSCRIBE", 1, NULL, "Event: presence\r\n");
	}
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 503"), 2);
	ua_respond(&server, lab_expect(&lab, INSIDE, "SUBSCRIBE "), 403, NULL, NULL);
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
	establish("Event: presence\r\n");
	notify("Event: presence\r\n" TERMINATED, NULL, 200);
}

/* REFER makes a subscription without saying how long. */
static void test_refer(void **state)
{
	const char *req;

	phone = ua_caller(&lab, "bob");
	ua_request(&phone, "REFER", 1, NULL, "Refer-To: <sip:bob@192.0.2.1>\r\n");
	req = lab_expect(&lab, INSIDE, "REFER sip:bob@10.0.0.10:5060 ");
	server = ua_callee(&lab, req);
	ua_respond(&server, req, 202, NULL, NULL);
	ua_learn(&phone, lab_expect(&lab, OUTSIDE, "SIP/2.0 202"));
	req = notify("Event: refer\r\nContent-Type: message/sipfrag\r\n"
		     "Subscription-State: active;expires=60\r\n",
		"SIP/2.0 100 Trying", 200);
	assert_string_equal(lab_body(req), "SIP/2.0 100 Trying\r\n");
	notify("Event: refer\r\nContent-Type: message/sipfrag\r\n" TERMINATED, "SIP/2.0 200 OK",
		200);
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
	/* RFC 4488: neither side wants one. */
	ua_request(&phone, "SUBSCRIBE", 2, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 481");
	phone = ua_caller(&lab, "bob");
	ua_request(
		&phone, "REFER", 1, NULL, "Refer-Sub: false\r\nRefer-To: <sip:bob@192.0.2.1>\r\n");
	req = lab_expect(&lab, INSIDE, "REFER ");
	assert_string_equal(lab_header(req, "Refer-Sub"), "false");
	server = ua_callee(&lab, req);
	ua_respond(&server, req, 200, NULL, "Refer-Sub: false\r\n");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_run(&lab, 0);
	assert_int_equal(alive(), 0);
}

/* The program ends under subscriptions and requests that wait. */
static void test_abandoned(void **state)
{
	establish("Event: presence\r\n");
	ua_request(&server, "NOTIFY", ++server.cseq, NULL, "Event: presence\r\n" ACTIVE);
	(void)subscribe("Event: presence\r\n");
	b2bua_free(lab.b2bua);
	lab.b2bua = NULL;
}

static int teardown_abandoned(void **state)
{
	b2bua_limits_free(lab.limits);
	reputation_free(lab.reputation);
	media_free(lab.media);
	timers_fini(&lab.timers);
	lab_forget(&lab);
	return 0;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_whole_life),
		CASE(test_notify_overtakes),
		CASE(test_poll),
		CASE(test_forked_notify),
		CASE(test_expiry),
		CASE(test_failures),
		CASE(test_wrong_requests),
		CASE(test_limits),
		CASE(test_refer),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
