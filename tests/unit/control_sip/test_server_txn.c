/* Server transactions: RFC 3261 sections 17.2.1 and 17.2.2, RFC 6026, every timer by the clock. */
#include "world.h"

static struct world w;

static int setup(void **state)
{
	world_init(&w);
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static const struct request invite = {0};
static const struct request options = {.method = "OPTIONS"};
/* To a non-2xx: same branch (17.1.1.3). To a 2xx: its own (13.2.2.4). */
static const struct request ack = {.method = "ACK", .to_tag = "ours"};
static const struct request ack_2xx = {.method = "ACK", .to_tag = "ours", .branch = "z9hG4bKnew"};

static int reply(unsigned int status)
{
	return server_txn_reply(w.server, status, SV("ours"), SV(""));
}

static void test_trying_after_200_ms(void **state)
{
	world_feed(&w, &invite);
	world_expect_event(&w, 0, 0, SAW_REQUEST, SIP_INVITE);
	world_run(&w, 150);
	world_feed(&w, &invite);
	world_run(&w, 5000);
	EXPECT_SENT(&w, 0, 200);
	assert_int_equal(world_sent_status(&w, 0), 100);
	assert_false(world_sent_has(&w, 0, "\r\nTo: <sip:bob@example.com>;tag"));
	world_feed(&w, &invite);
	EXPECT_SENT(&w, 0, 200, 5000);
	assert_string_equal(w.sent[0].text, w.sent[1].text);
	assert_int_equal(w.n_events, 1);
	assert_int_equal(txn_layer_stats(w.layer)->retransmits_in, 2);
}

static void test_no_trying_after_an_early_answer(void **state)
{
	world_feed(&w, &invite);
	world_run(&w, 100);
	assert_int_equal(reply(180), 0);
	world_run(&w, 400);
	EXPECT_SENT(&w, 0, 100);
	assert_int_equal(reply(183), 0);
	world_run(&w, 500);
	world_feed(&w, &invite);
	EXPECT_SENT(&w, 0, 100, 400, 500);
	assert_int_equal(world_sent_status(&w, 2), 183);
	/* Where it came from, and from the listener that took it. */
	assert_int_equal(w.sent[2].path.remote.port, 5070);
	assert_int_equal(w.sent[2].path.local.port, 5060);
	assert_int_equal(w.sent[2].path.realm, 3);
}

static void test_timer_g_doubles_to_t2_until_h(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	assert_int_equal(w.n_events, 2);
	world_expect_event(&w, 1, 32000, SAW_SERVER_END, -ETIMEDOUT);
	assert_int_equal(txn_layer_stats(w.layer)->timeouts, 1);
	assert_int_equal(txn_layer_stats(w.layer)->responses_out, 1);
	assert_int_equal(txn_layer_stats(w.layer)->retransmits_out, 10);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
}

static void test_ack_confirms_until_i(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	world_run(&w, 600);
	world_feed(&w, &invite); /* answered again */
	world_run(&w, 700);
	world_feed(&w, &ack);
	world_feed(&w, &ack);
	world_feed(&w, &invite);
	assert_int_equal(reply(486), -EINVAL);
	world_run(&w, 5699);
	assert_int_equal(w.n_events, 1);
	world_feed(&w, &ack);
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0, 500, 600);
	assert_int_equal(w.n_events, 2);
	world_expect_event(&w, 1, 5700, SAW_SERVER_END, 0);
}

static void test_lost_ack_then_a_late_one(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(500), 0);
	world_run(&w, 8000);
	world_feed(&w, &ack);
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0, 500, 1500, 3500, 7500);
	world_expect_event(&w, 1, 13000, SAW_SERVER_END, 0);
}

static void test_accepted_until_l(void **state)
{
	char again[WORLD_TEXT_MAX];

	world_feed(&w, &invite);
	assert_int_equal(reply(200), 0);
	world_run(&w, 500);
	world_feed(&w, &invite); /* RFC 6026: absorbed without an answer */
	EXPECT_SENT(&w, 0, 0);
	memcpy(again, w.sent[0].text, w.sent[0].len);
	assert_int_equal(server_txn_respond(w.server, (struct str_view){again, w.sent[0].len}), 0);
	EXPECT_SENT(&w, 0, 0, 500);
	assert_int_equal(reply(180), -EINVAL);
	assert_int_equal(reply(486), -EINVAL);
	world_feed(&w, &ack_2xx);
	world_expect_event(&w, 1, 500, SAW_ACK, SIP_ACK);
	world_feed(&w, &ack); /* same branch: wrong, but common */
	world_expect_event(&w, 2, 500, SAW_ACK, SIP_ACK);
	world_run(&w, 100000);
	assert_int_equal(w.n_events, 4);
	world_expect_event(&w, 3, 32000, SAW_SERVER_END, 0);
}

static void test_other_repeats_its_answer_until_j(void **state)
{
	world_feed(&w, &options);
	world_feed(&w, &options); /* Trying: absorbed */
	world_run(&w, 3000);
	assert_int_equal(w.n_sent, 0); /* section 17.2.2: no 100 by itself */
	assert_int_equal(reply(100), 0);
	world_run(&w, 3500);
	world_feed(&w, &options); /* Proceeding: the provisional again */
	EXPECT_SENT(&w, 0, 3000, 3500);
	world_run(&w, 4000);
	assert_int_equal(reply(200), 0);
	assert_int_equal(reply(200), -EINVAL);
	assert_int_equal(reply(100), -EINVAL);
	world_run(&w, 35999);
	world_feed(&w, &options);
	EXPECT_SENT(&w, 0, 3000, 3500, 4000, 35999);
	assert_int_equal(world_sent_status(&w, 3), 200);
	assert_int_equal(w.n_events, 1);
	world_run(&w, 40000);
	world_expect_event(&w, 1, 36000, SAW_SERVER_END, 0);
	world_feed(&w, &options);
	world_expect_event(&w, 2, 40000, SAW_REQUEST, SIP_OPTIONS);
}

static void test_response_must_be_one(void **state)
{
	world_feed(&w, &options);
	assert_int_equal(server_txn_respond(w.server, SV("")), -EINVAL);
	assert_int_equal(server_txn_respond(w.server, SV("SIP/2.0 20")), -EINVAL);
	assert_int_equal(server_txn_respond(w.server, SV("SIP/2.0 099 X\r\n\r\n")), -EINVAL);
	assert_int_equal(server_txn_respond(w.server, SV("SIP/2.0 700 X\r\n\r\n")), -EINVAL);
	assert_int_equal(server_txn_respond(w.server, SV("SIP/2.0 2x0 X\r\n\r\n")), -EINVAL);
	assert_int_equal(server_txn_respond(w.server, SV("OPTIONS sip:a SIP/2.0\r\n")), -EINVAL);
	assert_int_equal(w.n_sent, 0);
}

static void test_reply_has_the_extra_headers(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(server_txn_reply(w.server, 503, SV("ours"), SV("Retry-After: 5\r\n")), 0);
	assert_int_equal(world_sent_status(&w, 0), 503);
	assert_true(world_sent_has(&w, 0, "\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"));
	assert_true(world_sent_has(&w, 0, ";received=192.0.2.1;rport=5070\r\n"));
}

/* RFC 6026 section 7.1: a transport error is told, and the transaction stays. */
static void test_send_failure_is_told_and_heals(void **state)
{
	world_feed(&w, &options);
	w.send_fails = true;
	assert_int_equal(reply(200), -EIO);
	w.send_fails = false;
	world_feed(&w, &options);
	EXPECT_SENT(&w, 0, 0);
	world_run(&w, 100000);
	world_expect_event(&w, 1, 32000, SAW_SERVER_END, 0);
}

static void test_an_ack_makes_up_for_a_failed_send(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	w.send_fails = true;
	world_run(&w, 600);
	w.send_fails = false;
	world_feed(&w, &ack);
	world_run(&w, 10000);
	world_expect_event(&w, 1, 5600, SAW_SERVER_END, 0);
}

static void test_send_failure_to_the_end(void **state)
{
	world_feed(&w, &options);
	w.send_fails = true;
	assert_int_equal(reply(200), -EIO);
	world_run(&w, 100000);
	world_expect_event(&w, 1, 32000, SAW_SERVER_END, -EIO);
	w.n_events = 0;
	world_feed(&w, &invite);
	assert_int_equal(reply(200), -EIO);
	world_run(&w, 200000);
	world_expect_event(&w, 1, 132000, SAW_SERVER_END, -EIO);
}

static void test_detach_before_the_answer_sends_500(void **state)
{
	world_feed(&w, &invite);
	server_txn_detach(w.server);
	server_txn_detach(w.server);
	assert_int_equal(world_sent_status(&w, 0), 500);
	world_feed(&w, &(struct request){.method = "CANCEL"});
	world_run(&w, 100);
	world_feed(&w, &ack);
	world_run(&w, 100000);
	assert_int_equal(w.n_events, 1);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
}

static void test_detach_after_the_answer_is_silent(void **state)
{
	world_feed(&w, &options);
	assert_int_equal(reply(200), 0);
	server_txn_detach(w.server);
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0);
	assert_int_equal(w.n_events, 1);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
}

static void test_data_belongs_to_the_user(void **state)
{
	int mine;

	world_feed(&w, &options);
	assert_null(server_txn_data(w.server));
	server_txn_set_data(w.server, &mine);
	assert_ptr_equal(server_txn_data(w.server), &mine);
}

static void answer_and_detach(struct world *world, enum event_kind kind, void *txn)
{
	if (kind == SAW_REQUEST) {
		assert_int_equal(server_txn_reply(txn, 404, SV("ours"), SV("")), 0);
		server_txn_detach(txn);
	} else if (kind == SAW_SERVER_END) {
		assert_int_equal(server_txn_reply(txn, 404, SV("ours"), SV("")), -EINVAL);
		server_txn_detach(txn);
	}
}

static void end_meddle(struct world *world, enum event_kind kind, void *txn)
{
	if (kind == SAW_SERVER_END) {
		assert_int_equal(server_txn_reply(txn, 404, SV("ours"), SV("")), -EINVAL);
		server_txn_detach(txn);
	}
}

static void test_callbacks_may_meddle(void **state)
{
	w.hook = answer_and_detach;
	world_feed(&w, &invite);
	world_feed(&w, &options);
	world_run(&w, 100000);
	w.hook = end_meddle;
	world_feed(&w, &options);
	assert_int_equal(reply(200), 0);
	world_run(&w, 200000);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
}

static void test_layer_ends_with_live_transactions(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	world_feed(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKb"});
	assert_non_null(world_call(&w, &(struct request){.branch = "z9hG4bKc"}));
	assert_int_equal(txn_layer_stats(w.layer)->servers, 2);
	w.n_events = 0;
	txn_layer_free(w.layer);
	w.layer = NULL; /* world_fini() checks that no timer is left */
	assert_int_equal(w.n_events, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_trying_after_200_ms),
		T(test_no_trying_after_an_early_answer),
		T(test_timer_g_doubles_to_t2_until_h),
		T(test_ack_confirms_until_i),
		T(test_lost_ack_then_a_late_one),
		T(test_accepted_until_l),
		T(test_other_repeats_its_answer_until_j),
		T(test_response_must_be_one),
		T(test_reply_has_the_extra_headers),
		T(test_send_failure_is_told_and_heals),
		T(test_an_ack_makes_up_for_a_failed_send),
		T(test_send_failure_to_the_end),
		T(test_detach_before_the_answer_sends_500),
		T(test_detach_after_the_answer_is_silent),
		T(test_data_belongs_to_the_user),
		T(test_callbacks_may_meddle),
		T(test_layer_ends_with_live_transactions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
