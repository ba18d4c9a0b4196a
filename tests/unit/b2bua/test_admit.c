/* Too many calls: who is refused, at what cost, and who is not. */
#include "b2bua_priv.h"
#include "lab.h"
#include "overload.h"
#include "peer_overload.h"

static struct overload *overload;
static struct peer_overload *peers;

/* A box that takes one call a second, and has taken it. */
static int setup(void **state)
{
	lab_init(&lab);
	lab.config.ops.overload.call_rate = 1;
	snprintf(lab.config.ops.overload.emergency[0], CONFIG_EMERGENCY_LEN, "112");
	lab.config.ops.overload.n_emergency = 1;
	overload = overload_new(&lab.config, 1, lab.timers.now_ms);
	assert_non_null(overload);
	lab.b2bua->env.overload = overload;
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	overload_free(overload);
	peer_overload_free(peers);
	peers = NULL;
	return 0;
}

static void test_refused(void **state)
{
	const struct txn_stats *t = txn_layer_stats(b2bua_txn_layer(lab.b2bua));
	struct ua first, callee, caller = ua_caller(&lab, "bob");
	const char *refusal;
	uint64_t servers;
	uint32_t retry_s;
	char tag[64];

	lab_establish(&lab, &first, &callee);
	servers = t->servers;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	refusal = lab_expect(&lab, OUTSIDE, "SIP/2.0 503 Service Unavailable\r\n");
	snprintf(tag, sizeof(tag), "%s", lab_header(refusal, "Retry-After"));
	assert_int_equal(sip_uint_parse((struct str_view){tag, strlen(tag)}, 60, &retry_s), 0);
	assert_in_range(retry_s, 2, 10);
	/* Nothing was made of it, and its ACK makes nothing. */
	assert_int_equal(t->servers, servers);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_expect_none(&lab, OUTSIDE);
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_total, 1);
	/* The call that is there goes on: re-INVITE, BYE. */
	ua_request(&first, "INVITE", ++first.cseq, OUTSIDE_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_request(&first, "ACK", first.cseq, NULL, NULL);
	lab_hang_up(&lab, &first, &callee);
	/* A second later there is room again, for another call. */
	lab_run(&lab, 1000);
	lab_establish(&lab, &first, &callee);
	lab_hang_up(&lab, &first, &callee);
}

/* Its INVITE again gets the same answer, though there is room by then. */
static void test_refused_again(void **state)
{
	struct ua first, callee, caller = ua_caller(&lab, "bob");

	lab_establish(&lab, &first, &callee);
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	lab_run(&lab, 1500);
	caller.branch--;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
	assert_int_equal(overload_get_stats(overload)->refused_again, 1);
	/* The caller's next attempt is a new one. */
	ua_request(&caller, "INVITE", 2, OUTSIDE_SDP, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
	lab_hang_up(&lab, &first, &callee);
}

static void test_not_refused(void **state)
{
	struct ua first, callee, caller = ua_caller(&lab, "112");
	struct ua other = ua_caller(&lab, "bob");

	snprintf(lab.routes[0].user_prefix, sizeof(lab.routes[0].user_prefix), "%s", "");
	lab_establish(&lab, &first, &callee);
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	callee = ua_callee(&lab, lab_expect(&lab, INSIDE, "INVITE sip:112@"));
	assert_int_equal(overload_get_stats(overload)->emergency, 1);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487 ");
	ua_request(&other, "OPTIONS", 1, NULL, NULL);
	lab_expect(&lab, INSIDE, "OPTIONS sip:bob@");
	assert_int_equal(overload_get_stats(overload)->refused_rate, 0);
	ua_request(&first, "BYE", ++first.cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 ");
}

/* The service is no way past the limit where nobody has a route for it, nor is another method. */
static void test_service(void **state)
{
	static const struct {
		const char *method, *target;
		bool route, refused;
	} cases[] = {
		{"INVITE", "urn:service:sos", false, true},
		{"INVITE", "urn:service:sos", true, false},
		{"INVITE", "sip:112@192.0.2.1", false, false},
		{"MESSAGE", "urn:service:sos", true, true},
		{"MESSAGE", "sip:112@192.0.2.1", true, true},
		{"SUBSCRIBE", "urn:service:sos", true, true},
	};
	struct ua first, callee;
	unsigned int emergencies = 0;

	peers = peer_overload_new(&lab.config, 1);
	assert_non_null(peers);
	lab.b2bua->env.peer_overload = peers;
	lab.peers[1].methods.known |= LAB_METHODS;
	lab_establish(&lab, &first, &callee);
	/* The rate is for calls alone, this is for all. */
	lab.config.ops.overload.delay_ms = 100;
	for (unsigned int i = 0; i < 200; i++) {
		overload_note_wait(overload, 10000000);
		overload_tick(overload, lab.timers.now_ms + (uint64_t)i * OVERLOAD_INTERVAL_MS);
	}
	lab.routes[2] = lab.routes[0];
	lab.routes[2].user_prefix[0] = '\0';
	lab_forget(&lab);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua u = ua_caller(&lab, "");

		print_message("row %zu\n", i);
		lab.routes[2].emergency = cases[i].route;
		snprintf(u.target, sizeof(u.target), "%s", cases[i].target);
		snprintf(u.to, sizeof(u.to), "<%s>", cases[i].target);
		ua_request(&u, cases[i].method, 1, NULL, NULL);
		assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 503 "), cases[i].refused);
		assert_int_equal(lab_count(&lab, INSIDE, cases[i].method), !cases[i].refused);
		emergencies += !cases[i].refused;
		/* Once, however many ask for it on its way. */
		assert_int_equal(overload_get_stats(overload)->emergency, emergencies);
		lab_forget(&lab);
	}
	lab_hang_up(&lab, &first, &callee);
}

/* The limits of realms and peers hold no emergency call, and count it: the others wait for it. */
static void test_limits_of_calls(void **state)
{
	uint32_t *const limits[] = {&lab.realms[OUTSIDE].max_calls, &lab.realms[INSIDE].max_calls,
		&lab.peers[0].max_calls};
	struct ua first, callee, other = ua_caller(&lab, "bob");

	lab.b2bua->env.overload = NULL;
	snprintf(lab.routes[0].user_prefix, sizeof(lab.routes[0].user_prefix), "%s", "");
	lab_establish(&lab, &first, &callee);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct ua caller = ua_caller(&lab, "112"), there;
		const char *invite;

		*limits[i] = 1;
		ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE sip:112@");
		there = ua_callee(&lab, invite);
		*limits[i] = 2;
		ua_request(&other, "INVITE", ++other.cseq, OUTSIDE_SDP, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 503 ");
		lab_expect_none(&lab, INSIDE);
		ua_respond(&there, invite, 486, NULL, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
		lab_expect(&lab, INSIDE, "ACK ");
		lab_run(&lab, 2000);
		/* It has left. */
		ua_request(&other, "INVITE", ++other.cseq, OUTSIDE_SDP, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE sip:bob@");
		there = ua_callee(&lab, invite);
		ua_respond(&there, invite, 486, NULL, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
		lab_run(&lab, 2000);
		*limits[i] = 0;
		lab_forget(&lab);
	}
	lab_hang_up(&lab, &first, &callee);
}

/* A box without limits of its own, whose server was asked. */
static int setup_peer(void **state)
{
	int rc = setup(state);

	lab.b2bua->env.overload = NULL;
	lab.peers[0].overload_control = true;
	peers = peer_overload_new(&lab.config, 1);
	assert_non_null(peers);
	lab.b2bua->env.peer_overload = peers;
	return rc;
}

/* The server answers a call with these parameters in its Via. */
static void server_says(const char *params)
{
	struct ua caller, callee;
	char text[2048], via[256];
	const char *invite;
	int n;

	callee = lab_call(&lab, &caller, &invite);
	snprintf(via, sizeof(via), "%s", lab_header(invite, "Via"));
	assert_non_null(strstr(via, SIP_OC_OFFER));
	n = snprintf(text, sizeof(text),
		"SIP/2.0 486 Busy\r\nVia: %.*s%s\r\nFrom: %s\r\nTo: %s;tag=t\r\nCall-ID: %s\r\n"
		"CSeq: %s\r\nContent-Length: 0\r\n\r\n",
		(int)(strstr(via, ";oc") - via), via, params, lab_header(invite, "From"),
		lab_header(invite, "To"), lab_header(invite, "Call-ID"),
		lab_header(invite, "CSeq"));
	lab_feed(&lab, INSIDE, callee.addr, text, (size_t)n);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486 ");
	ua_request(&caller, "ACK", 1, NULL, NULL);
}

/* Of n new calls; each is 100 ms after the other. @return how many went to the server. */
static unsigned int calls_through(unsigned int n)
{
	unsigned int through = 0;

	lab_forget(&lab);
	for (unsigned int i = 0; i < n; i++) {
		struct ua caller = ua_caller(&lab, "bob");

		ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
		if (lab_count(&lab, OUTSIDE, "SIP/2.0 503 ") == 0) {
			through++;
			ua_respond(&(struct ua){.lab = &lab,
					   .side = INSIDE,
					   .addr = "10.0.0.10:5060",
					   .tag = "t"},
				lab_expect(&lab, INSIDE, "INVITE "), 486, NULL, NULL);
		}
		lab_run(&lab, 100);
		lab_forget(&lab);
	}
	return through;
}

static void test_peer_wants_less(void **state)
{
	server_says(";oc=75;oc-algo=\"loss\";oc-validity=4000;oc-seq=10.5");
	assert_int_equal(calls_through(20), 5);
	assert_true(peer_overload_get(peers, lab.timers.now_ms, 0).limited);
	/* An older word does not count, a younger one does. */
	peer_overload_says(
		peers, lab.timers.now_ms, 0, &(struct sip_oc){SIP_OC_LOSS, 0, 4000, 1000000});
	assert_int_equal(calls_through(8), 2);
	/* It is true as long as it said. */
	lab_run(&lab, 4000);
	assert_int_equal(calls_through(20), 20);
	assert_int_equal(peer_overload_get(peers, lab.timers.now_ms, 0).refused, 21);
	server_says(";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=11.5");
	assert_int_equal(calls_through(10), 0);
	peer_overload_says(
		peers, lab.timers.now_ms, 0, &(struct sip_oc){SIP_OC_LOSS, 100, 0, 1200000});
	assert_int_equal(calls_through(10), 10);
}

/* What one peer does not want goes to the next that the routes name. */
static void test_next_route(void **state)
{
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite;

	lab.peers[2].remote = lab.peers[0].remote;
	lab.peers[2].remote.port = 5070;
	lab.routes[2] = lab.routes[0];
	lab.routes[2].to_peer = 2;
	server_says(";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=10.5");
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5070 SIP/2.0\r\n");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	assert_int_equal(peer_overload_get(peers, lab.timers.now_ms, 0).refused, 1);
}

/* Whom a 503 does not take the call to is not charged for it: peers that are not like the one that
 * had it (here of the other family). */
static void test_next_route_not_alike(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab.routes[2] = lab.routes[0];
	lab.routes[2].to_peer = 2;
	peer_overload_says(
		peers, lab.timers.now_ms, 2, &(struct sip_oc){SIP_OC_LOSS, 100, 60000, 1000000});
	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 503, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	lab_expect_none(&lab, INSIDE);
	assert_int_equal(peer_overload_get(peers, lab.timers.now_ms, 2).refused, 0);
}

static void test_peer_wants_a_rate(void **state)
{
	unsigned int through;

	server_says(";oc=2;oc-algo=\"rate\";oc-validity=60000;oc-seq=10.5");
	through = calls_through(100); /* in 10 s */
	assert_in_range(through, 19, 21);
	peer_overload_says(
		peers, lab.timers.now_ms, 0, &(struct sip_oc){SIP_OC_RATE, 0, 60000, 1100000});
	assert_int_equal(calls_through(10), 0);
}

/* Whom we do not ask has no say. */
static void test_peer_is_not_asked(void **state)
{
	struct ua caller, callee;
	const char *invite;

	lab.peers[0].overload_control = false;
	callee = lab_call(&lab, &caller, &invite);
	assert_null(strstr(lab_header(invite, "Via"), "oc"));
	ua_respond(&callee, invite, 486, NULL, NULL);
	assert_int_equal(calls_through(10), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_service, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_of_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_wants_less, setup_peer, teardown),
		cmocka_unit_test_setup_teardown(test_next_route, setup_peer, teardown),
		cmocka_unit_test_setup_teardown(test_next_route_not_alike, setup_peer, teardown),
		cmocka_unit_test_setup_teardown(test_peer_wants_a_rate, setup_peer, teardown),
		cmocka_unit_test_setup_teardown(test_peer_is_not_asked, setup_peer, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
