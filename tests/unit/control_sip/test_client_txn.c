/* Client transactions: RFC 3261 sections 17.1.1 and 17.1.2, RFC 6026, every timer by the clock. */
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

static void test_timer_a_doubles_until_b(void **state)
{
	assert_non_null(world_call(&w, &invite));
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0, 500, 1500, 3500, 7500, 15500, 31500);
	for (unsigned int i = 1; i < w.n_sent; i++)
		assert_string_equal(w.sent[i].text, w.sent[0].text);
	assert_int_equal(w.n_events, 1);
	world_expect_event(&w, 0, 32000, SAW_CLIENT_END, -ETIMEDOUT);
	assert_int_equal(txn_layer_stats(w.layer)->timeouts, 1);
	assert_int_equal(txn_layer_stats(w.layer)->retransmits_out, 6);
	assert_int_equal(txn_layer_stats(w.layer)->requests_out, 1);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
}

static void test_timer_e_doubles_to_t2_until_f(void **state)
{
	assert_non_null(world_call(&w, &options));
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	world_expect_event(&w, 0, 32000, SAW_CLIENT_END, -ETIMEDOUT);
}

static void test_timer_e_is_t2_after_a_provisional(void **state)
{
	assert_non_null(world_call(&w, &options));
	world_run(&w, 600);
	world_answer(&w, 0, 100, "");
	world_expect_event(&w, 0, 600, SAW_RESPONSE, 100);
	world_run(&w, 100000);
	/* The one already set for 1500 stays; from then on it is T2. F runs on. */
	EXPECT_SENT(&w, 0, 0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500);
	world_expect_event(&w, 1, 32000, SAW_CLIENT_END, -ETIMEDOUT);
}

static void test_provisional_stops_a_and_b(void **state)
{
	assert_non_null(world_call(&w, &invite));
	world_run(&w, 600);
	world_answer(&w, 0, 180, "theirs");
	world_answer(&w, 0, 183, "theirs");
	world_run(&w, 300000);
	EXPECT_SENT(&w, 0, 0, 500);
	assert_int_equal(w.n_events, 2);
	world_expect_event(&w, 0, 600, SAW_RESPONSE, 180);
	world_expect_event(&w, 1, 600, SAW_RESPONSE, 183);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 1);
}

static void test_non_2xx_is_acknowledged_until_d(void **state)
{
	static const struct request routed = {
		.extra = "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"};

	assert_non_null(world_call(&w, &routed));
	world_run(&w, 100);
	world_answer(&w, 0, 486, "theirs");
	/* Section 17.1.1.3, to the letter. */
	assert_int_equal(w.n_sent, 2);
	assert_true(world_sent_has(&w, 1, "ACK sip:bob@example.com SIP/2.0\r\n"));
	assert_true(world_sent_has(&w, 1, "\r\nTo: <sip:bob@example.com>;tag=theirs\r\n"));
	assert_true(world_sent_has(&w, 1, "\r\nFrom: <sip:alice@example.net>;tag=fromtag\r\n"));
	assert_true(world_sent_has(&w, 1, "\r\nCall-ID: call-1@test\r\n"));
	assert_true(world_sent_has(&w, 1, "\r\nCSeq: 1 ACK\r\n"));
	assert_true(world_sent_has(&w, 1, "\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"));
	assert_true(sv_eq(
		world_sent_header(&w, 1, SIP_HDR_VIA), world_sent_header(&w, 0, SIP_HDR_VIA)));
	assert_memory_equal(&w.sent[1].path, &w.sent[0].path, sizeof(struct sip_path));
	/* Repeated finals are acknowledged again, and told once. */
	world_run(&w, 600);
	world_answer(&w, 0, 486, "theirs");
	world_run(&w, 32099);
	world_answer(&w, 0, 486, "theirs");
	EXPECT_SENT(&w, 0, 0, 100, 600, 32099);
	assert_int_equal(w.n_events, 1);
	world_expect_event(&w, 0, 100, SAW_RESPONSE, 486);
	world_run(&w, 100000);
	world_expect_event(&w, 1, 32100, SAW_CLIENT_END, 0);
	world_answer(&w, 0, 486, "theirs");
	world_expect_event(&w, 2, 100000, SAW_STRAY, 486);
	assert_int_equal(w.n_sent, 4);
}

static void test_2xx_is_told_each_time_until_m(void **state)
{
	assert_non_null(world_call(&w, &invite));
	world_answer(&w, 0, 200, "theirs");
	world_run(&w, 500);
	world_answer(&w, 0, 200, "theirs");
	world_answer(&w, 0, 200, "fork");
	world_answer(&w, 0, 180, "fork");
	world_answer(&w, 0, 486, "fork");
	world_run(&w, 40000);
	assert_int_equal(w.n_events, 4);
	world_expect_event(&w, 0, 0, SAW_RESPONSE, 200);
	world_expect_event(&w, 1, 500, SAW_RESPONSE, 200);
	world_expect_event(&w, 2, 500, SAW_RESPONSE, 200);
	world_expect_event(&w, 3, 32000, SAW_CLIENT_END, 0);
	world_answer(&w, 0, 200, "theirs");
	world_expect_event(&w, 4, 40000, SAW_STRAY, 200);
	EXPECT_SENT(&w, 0, 0); /* the ACK is the user's */
}

static void test_other_final_is_absorbed_until_k(void **state)
{
	assert_non_null(world_call(&w, &options));
	world_run(&w, 700);
	world_answer(&w, 0, 200, "theirs");
	world_run(&w, 5699);
	world_answer(&w, 0, 200, "theirs");
	assert_int_equal(w.n_events, 1);
	assert_int_equal(txn_layer_stats(w.layer)->retransmits_in, 1);
	world_run(&w, 6000);
	world_expect_event(&w, 0, 700, SAW_RESPONSE, 200);
	world_expect_event(&w, 1, 5700, SAW_CLIENT_END, 0);
	EXPECT_SENT(&w, 0, 0, 500);
}

static void test_cancel_waits_for_a_provisional(void **state)
{
	struct client_txn *t = world_call(&w, &invite);

	assert_non_null(t);
	assert_int_equal(client_txn_cancel(t), 0);
	assert_int_equal(client_txn_cancel(t), 0);
	world_run(&w, 600);
	EXPECT_SENT(&w, 0, 0, 500);
	world_answer(&w, 0, 180, "theirs");
	assert_int_equal(w.n_sent, 3);
	/* Section 9.1, to the letter. */
	assert_int_equal(world_sent_method(&w, 2), SIP_CANCEL);
	assert_true(world_sent_has(&w, 2, "CANCEL sip:bob@example.com SIP/2.0\r\n"));
	assert_true(world_sent_has(&w, 2, "\r\nCSeq: 1 CANCEL\r\n"));
	assert_true(world_sent_has(&w, 2, "\r\nTo: <sip:bob@example.com>\r\n"));
	assert_true(sv_eq(
		world_sent_header(&w, 2, SIP_HDR_VIA), world_sent_header(&w, 0, SIP_HDR_VIA)));
	world_run(&w, 700);
	world_answer(&w, 2, 200, "theirs");
	world_answer(&w, 0, 487, "theirs");
	assert_int_equal(world_sent_method(&w, 3), SIP_ACK);
	assert_int_equal(w.n_events, 2); /* nothing of the CANCEL's own transaction */
	world_expect_event(&w, 0, 600, SAW_RESPONSE, 180);
	world_expect_event(&w, 1, 700, SAW_RESPONSE, 487);
	assert_int_equal(client_txn_cancel(t), -EINVAL);
	world_run(&w, 100000);
	world_expect_event(&w, 2, 32700, SAW_CLIENT_END, 0);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
}

static void test_cancel_without_an_answer_ends_it(void **state)
{
	struct client_txn *t = world_call(&w, &invite);

	world_answer(&w, 0, 180, "theirs");
	world_run(&w, 1000);
	assert_int_equal(client_txn_cancel(t), 0);
	assert_int_equal(client_txn_cancel(t), 0);
	world_run(&w, 100000);
	assert_int_equal(w.events[1].kind, SAW_CLIENT_END);
	world_expect_event(&w, 1, 33000, SAW_CLIENT_END, -ETIMEDOUT);
	assert_int_equal(w.n_events, 2);
	/* INVITE, then the CANCEL by timer E: 1, 1.5, 2.5, 4.5, 8.5 ... */
	EXPECT_SENT(
		&w, 0, 0, 1000, 1500, 2500, 4500, 8500, 12500, 16500, 20500, 24500, 28500, 32500);
}

static void test_late_2xx_after_cancel(void **state)
{
	struct client_txn *t = world_call(&w, &invite);

	world_answer(&w, 0, 180, "theirs");
	assert_int_equal(client_txn_cancel(t), 0);
	world_run(&w, 20);
	world_answer(&w, 0, 200, "theirs");
	world_expect_event(&w, 1, 20, SAW_RESPONSE, 200);
	assert_int_equal(client_txn_cancel(t), -EINVAL);
	world_answer(&w, 1, 481, "theirs");
	world_run(&w, 100000);
	world_expect_event(&w, 2, 32020, SAW_CLIENT_END, 0);
}

static void test_cancel_is_for_invite_only(void **state)
{
	struct client_txn *t = world_call(&w, &options);

	assert_int_equal(client_txn_cancel(t), -EINVAL);
}

static void test_first_send_failure_ends_it_later(void **state)
{
	struct client_txn *t;

	w.send_fails = true;
	t = world_call(&w, &invite);
	assert_non_null(t);
	assert_int_equal(w.n_events, 0);
	assert_int_equal(client_txn_cancel(t), -EINVAL);
	world_run(&w, 0);
	assert_int_equal(w.n_events, 1);
	world_expect_event(&w, 0, 0, SAW_CLIENT_END, -EIO);
	assert_int_equal(txn_layer_stats(w.layer)->send_errors, 1);
}

static void test_later_send_failures_heal(void **state)
{
	assert_non_null(world_call(&w, &invite));
	w.send_fails = true;
	world_run(&w, 2000);
	w.send_fails = false;
	world_run(&w, 4000);
	EXPECT_SENT(&w, 0, 0, 3500);
	assert_int_equal(txn_layer_stats(w.layer)->send_errors, 2);
	w.send_fails = true;
	world_answer(&w, 0, 404, "theirs");
	w.send_fails = false;
	world_answer(&w, 0, 404, "theirs");
	assert_int_equal(world_sent_method(&w, 2), SIP_ACK);
	world_expect_event(&w, 0, 4000, SAW_RESPONSE, 404);
	assert_int_equal(w.n_events, 1);
}

static void test_detached_invite_is_cancelled_and_its_2xx_is_stray(void **state)
{
	struct client_txn *t = world_call(&w, &invite);

	world_answer(&w, 0, 180, "theirs");
	client_txn_detach(t);
	client_txn_detach(t);
	assert_int_equal(world_sent_method(&w, 1), SIP_CANCEL);
	world_answer(&w, 0, 183, "theirs");
	world_answer(&w, 0, 200, "theirs");
	world_run(&w, 100000);
	assert_int_equal(w.n_events, 2);
	world_expect_event(&w, 1, 0, SAW_STRAY, 200);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
}

static void test_detached_other_ends_silently(void **state)
{
	client_txn_detach(world_call(&w, &options));
	world_answer(&w, 0, 200, "theirs");
	world_run(&w, 100000);
	assert_int_equal(w.n_events, 0);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
}

/* Detach and cancel in every callback, the transaction's own too. */
static void meddle(struct world *world, enum event_kind kind, void *txn)
{
	static struct client_txn *first;

	if (kind == SAW_RESPONSE) {
		first = txn;
		(void)client_txn_cancel(first);
		client_txn_detach(first);
	} else if (kind == SAW_CLIENT_END) {
		(void)client_txn_cancel(txn);
		client_txn_detach(txn);
		assert_non_null(world_call(
			world, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKinside"}));
	}
}

static void test_callbacks_may_meddle(void **state)
{
	static const char *const methods[] = {"INVITE", "OPTIONS"};

	w.hook = meddle;
	for (unsigned int status = 180; status <= 480; status += 100) {
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			unsigned int at = w.n_sent;

			assert_non_null(world_call(&w, &(struct request){.method = methods[i]}));
			world_answer(&w, at, status, "theirs");
			world_run(&w, w.timers.now_ms + 100000);
		}
	}
	w.n_sent = 0;
	assert_non_null(world_call(&w, &options));
	world_run(&w, w.timers.now_ms + 32000);
	w.hook = NULL;
	world_run(&w, w.timers.now_ms + 32000);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
}

static void test_same_branch_twice_is_refused(void **state)
{
	assert_non_null(world_call(&w, &invite));
	assert_null(world_call(&w, &invite));
	assert_null(world_call(&w, &(struct request){.branch = "Z9HG4BKONE"}));
	assert_null(world_call(&w, &(struct request){.method = "ACK"}));
	assert_int_equal(txn_layer_stats(w.layer)->clients, 1);
}

/* Section 17.1.3: branch and CSeq method. Section 8.1.3.3: one Via. */
static void test_only_matching_responses_match(void **state)
{
	static const struct {
		const char *via;
		const char *cseq;
		int event; /* enum event_kind, or -1: ignored */
	} cases[] = {
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtwo", "1 INVITE", SAW_STRAY},
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone", "1 OPTIONS", SAW_STRAY},
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone, SIP/2.0/UDP x;branch=y", "1 INVITE",
			-1},
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone\r\nVia: SIP/2.0/UDP x;branch=y",
			"1 INVITE", -1},
		{"SIP/2.0/UDP 192.0.2.1:5070", "1 INVITE", -1},
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone", "1 INVITE", SAW_RESPONSE},
	};

	assert_non_null(world_call(&w, &invite));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int before = w.n_events;
		char buf[1024];
		int len = snprintf(buf, sizeof(buf),
			"SIP/2.0 180 Ringing\r\nVia: %s\r\nFrom: <sip:a@b>;tag=1\r\n"
			"To: <sip:b@c>;tag=2\r\nCall-ID: x\r\nCSeq: %s\r\n\r\n",
			cases[i].via, cases[i].cseq);

		world_feed_text(&w, (struct str_view){buf, (size_t)len});
		assert_int_equal(w.n_events - before, cases[i].event >= 0);
		if (cases[i].event >= 0)
			assert_int_equal(w.events[before].kind, cases[i].event);
	}
	assert_int_equal(txn_layer_stats(w.layer)->ignored, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_timer_a_doubles_until_b),
		T(test_timer_e_doubles_to_t2_until_f),
		T(test_timer_e_is_t2_after_a_provisional),
		T(test_provisional_stops_a_and_b),
		T(test_non_2xx_is_acknowledged_until_d),
		T(test_2xx_is_told_each_time_until_m),
		T(test_other_final_is_absorbed_until_k),
		T(test_cancel_waits_for_a_provisional),
		T(test_cancel_without_an_answer_ends_it),
		T(test_late_2xx_after_cancel),
		T(test_cancel_is_for_invite_only),
		T(test_first_send_failure_ends_it_later),
		T(test_later_send_failures_heal),
		T(test_detached_invite_is_cancelled_and_its_2xx_is_stray),
		T(test_detached_other_ends_silently),
		T(test_callbacks_may_meddle),
		T(test_same_branch_twice_is_refused),
		T(test_only_matching_responses_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
