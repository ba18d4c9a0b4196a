/* Matching (sections 17.1.3, 17.2.3), CANCEL, merged requests, and answers without state. */
#include "txn_priv.h"
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

/* What of a second request makes it the same, another, or a merged one. */
static void test_server_matching(void **state)
{
	enum outcome { SAME, OTHER, MERGED };
	static const struct {
		struct request first, second;
		enum outcome outcome;
	} cases[] = {
		{{0}, {0}, SAME},
		/* branch, sent-by and method; nothing else */
		{{0}, {.from_tag = "x", .call_id = "y@z", .cseq = 9}, SAME},
		{{0}, {.branch = "z9hG4bKONE"}, SAME},
		{{0}, {.branch = "z9hG4bKtwo", .cseq = 2}, OTHER},
		{{0}, {.sent_by = "192.0.2.1:5071", .cseq = 2}, OTHER},
		{{0}, {.method = "OPTIONS"}, OTHER},
		{{.sent_by = "host.Example"}, {.sent_by = "HOST.example:5060"}, SAME},
		/* section 8.2.2.2: another way to us */
		{{0}, {.branch = "z9hG4bKtwo"}, MERGED},
		{{.to_tag = "d"}, {.branch = "z9hG4bKtwo", .to_tag = "d"}, OTHER},
		{{0}, {.branch = "z9hG4bKtwo", .to_tag = "d"}, OTHER},
		{{0}, {.branch = "z9hG4bKtwo", .from_tag = "x"}, OTHER},
		{{0}, {.branch = "z9hG4bKtwo", .call_id = "y@z"}, OTHER},
		/* RFC 2543: no magic cookie */
		{{.branch = "1"}, {.branch = "1"}, SAME},
		{{.branch = ""}, {.branch = ""}, SAME},
		{{.branch = "1"}, {.branch = "2"}, MERGED},
		{{.branch = "1"}, {.branch = "1", .cseq = 2}, OTHER},
		{{.branch = "1"}, {.branch = "1", .call_id = "y@z"}, OTHER},
		{{.branch = "1"}, {.branch = "1", .from_tag = "y"}, OTHER},
		{{.branch = "1"}, {.branch = "1", .uri = "sip:eve@example.com"}, MERGED},
		{{.branch = "1", .method = "BYE", .to_tag = "a"},
			{.branch = "1", .method = "BYE", .to_tag = "b"}, OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct txn_stats s;

		world_init(&w);
		world_feed(&w, &cases[i].first);
		assert_int_equal(w.n_events, 1);
		world_feed(&w, &cases[i].second);
		s = *txn_layer_stats(w.layer);
		if (w.n_events != (cases[i].outcome == OTHER ? 2 : 1) ||
			s.retransmits_in != (cases[i].outcome == SAME) ||
			s.refused != (cases[i].outcome == MERGED))
			fail_msg("case %zu: events %u, retransmits %u, refused %u", i, w.n_events,
				(unsigned int)s.retransmits_in, (unsigned int)s.refused);
		if (cases[i].outcome == MERGED)
			assert_int_equal(world_sent_status(&w, 0), 482);
		assert_int_equal(s.requests_in, 2);
		world_fini(&w);
	}
}

static void test_2543_ack(void **state)
{
	world_feed(&w, &(struct request){.branch = "1"});
	assert_int_equal(server_txn_reply(w.server, 486, SV("ours"), SV("")), 0);
	world_feed(&w, &(struct request){.method = "ACK", .branch = "1", .to_tag = "no"});
	world_expect_event(&w, 1, 0, SAW_ACK, SIP_ACK);
	world_feed(&w, &(struct request){.method = "ACK", .branch = "1", .to_tag = "ours"});
	assert_int_equal(w.n_events, 2);
	world_run(&w, 5000);
	world_expect_event(&w, 2, 5000, SAW_SERVER_END, 0);
}

static void test_cancel(void **state)
{
	static const struct request cancel = {.method = "CANCEL"};

	world_feed(&w, &(struct request){0});
	assert_int_equal(server_txn_reply(w.server, 180, SV("ours"), SV("")), 0);
	world_feed(&w, &cancel);
	world_expect_event(&w, 1, 0, SAW_CANCEL, 0);
	assert_int_equal(world_sent_status(&w, 1), 200);
	assert_int_equal(world_sent_method(&w, 1), SIP_CANCEL);
	/* Section 9.2: the tag of the INVITE's answers. */
	assert_true(world_sent_has(&w, 1, "\r\nTo: <sip:bob@example.com>;tag=ours\r\n"));
	world_feed(&w, &cancel); /* its retransmission */
	assert_string_equal(w.sent[1].text, w.sent[2].text);
	assert_int_equal(server_txn_reply(w.server, 487, SV("ours"), SV("")), 0);
	assert_int_equal(world_sent_status(&w, 3), 487);
	assert_int_equal(world_sent_method(&w, 3), SIP_INVITE);
	world_feed(&w, &(struct request){.method = "ACK", .to_tag = "ours"});
	world_run(&w, 100000);
	assert_int_equal(w.n_sent, 4);
	assert_int_equal(w.n_events, 3);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
}

static void test_cancel_before_any_answer_has_a_tag(void **state)
{
	world_feed(&w, &(struct request){0});
	world_feed(&w, &(struct request){.method = "CANCEL", .extra = "Require: foo\r\n"});
	world_expect_event(&w, 1, 0, SAW_CANCEL, 0);
	assert_true(world_sent_has(&w, 0, "SIP/2.0 200 OK\r\n"));
	assert_true(world_sent_has(&w, 0, "\r\nTo: <sip:bob@example.com>;tag="));
}

static void test_cancel_after_the_final_answer(void **state)
{
	world_feed(&w, &(struct request){0});
	assert_int_equal(server_txn_reply(w.server, 200, SV("ours"), SV("")), 0);
	world_feed(&w, &(struct request){.method = "CANCEL"});
	assert_int_equal(world_sent_status(&w, 1), 200);
	assert_int_equal(world_sent_method(&w, 1), SIP_CANCEL);
	assert_int_equal(w.n_events, 1);
}

static void test_cancel_of_nothing(void **state)
{
	world_feed(&w, &(struct request){.method = "CANCEL"});
	assert_int_equal(world_sent_status(&w, 0), 481);
	/* An OPTIONS cannot be cancelled. */
	world_feed(&w, &(struct request){.method = "OPTIONS"});
	world_feed(&w, &(struct request){.method = "CANCEL"});
	assert_int_equal(world_sent_status(&w, 1), 481);
	assert_int_equal(w.n_events, 1);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 1);
}

static void test_ack_of_nothing_is_the_users(void **state)
{
	world_feed(&w, &(struct request){.method = "ACK", .to_tag = "x"});
	world_expect_event(&w, 0, 0, SAW_ACK, SIP_ACK);
	world_feed(&w, &(struct request){.method = "ACK", .extra = "Require: foo\r\n"});
	world_expect_event(&w, 1, 0, SAW_ACK, SIP_ACK);
	/* before the answer: of no use */
	world_feed(&w, &(struct request){0});
	world_feed(&w, &(struct request){.method = "ACK"});
	assert_int_equal(w.n_events, 3);
	assert_int_equal(w.n_sent, 0);
}

#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone\r\n"
#define FROM "From: <sip:a@b>;tag=1\r\n"
#define TO "To: <sip:c@d>\r\n"
#define CALL_ID "Call-ID: x\r\n"
#define MAX "Max-Forwards: 70\r\n"
#define END "Content-Length: 0\r\n\r\n"

/* Faults are answered without state, so the next one is answered again. */
static void test_faulty_requests(void **state)
{
	static const struct {
		const char *text;
		unsigned int status; /* 0: ignored */
		const char *has;
	} cases[] = {
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 BYE\r\n" END, 400,
			"SIP/2.0 400 CSeq is not a number below 2^31 and a method"},
		{"ACK sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 BYE\r\n" END, 0, NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n"
		 "Content-Length: 9999\r\n\r\n",
			400, "\r\nCall-ID: x\r\n"},
		{"OPTIONS sip:c@d SIP/7.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END,
			505, "SIP/2.0 505 Version Not Supported\r\n"},
		{"OPTIONS http://c SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END,
			416, NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID
		 "Max-Forwards: 0\r\nCSeq: 1 OPTIONS\r\n" END,
			483, NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n"
		 "Require: foo\r\nRequire: bar, baz\r\n" END,
			420, "\r\nUnsupported: foo, bar, baz\r\n"},
		/* nothing to answer by */
		{"OPTIONS sip:c@d SIP/2.0\r\n" FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END, 0,
			NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END, 0,
			NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END, 0,
			NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO MAX "CSeq: 1 OPTIONS\r\n" END, 0, NULL},
		{"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX END, 0, NULL},
		{"\r\n\r\n", 0, NULL},
		{"hello\r\n\r\n", 0, NULL},
		{"", 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view text = {cases[i].text, strlen(cases[i].text)};

		w.n_sent = 0;
		world_feed_text(&w, text);
		if (w.n_sent != (cases[i].status != 0))
			fail_msg("case %zu: %u answers", i, w.n_sent);
		if (cases[i].status == 0)
			continue;
		assert_int_equal(world_sent_status(&w, 0), cases[i].status);
		assert_true(cases[i].has == NULL || world_sent_has(&w, 0, cases[i].has));
		/* Section 8.2.7: the same tag each time. */
		world_feed_text(&w, text);
		assert_string_equal(w.sent[0].text, w.sent[1].text);
	}
	assert_int_equal(w.n_events, 0);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
	assert_int_equal(txn_layer_stats(w.layer)->refused, 12);
	assert_int_equal(txn_layer_stats(w.layer)->ignored, 9);
}

static void test_faulty_responses_are_dropped(void **state)
{
	static const char *const cases[] = {
		"SIP/2.0 99 X\r\n" VIA FROM TO CALL_ID "CSeq: 1 INVITE\r\n" END,
		"SIP/2.0 200 OK\r\n" VIA FROM TO CALL_ID END,
		"SIP/2.0 200 OK\r\n" FROM TO CALL_ID "CSeq: 1 INVITE\r\n" END,
		"SIP/2.0 200 OK\r\n" VIA TO CALL_ID "CSeq: 1 INVITE\r\n" END,
	};

	assert_non_null(world_call(&w, &(struct request){0}));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		world_feed_text(&w, (struct str_view){cases[i], strlen(cases[i])});
	assert_int_equal(w.n_events, 0);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(txn_layer_stats(w.layer)->ignored, ARRAY_LEN(cases));
}

static void test_realms_are_apart(void **state)
{
	static const char text[] =
		"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n" END;
	struct sip_path path = {.realm = 1};
	struct sip_index idx;

	assert_int_equal(sip_scan(text, sizeof(text) - 1, &idx), SIP_SCAN_NONE);
	for (path.realm = 1; path.realm <= 2; path.realm++) {
		struct sip_msg *m = sip_msg_new(&path, &idx, text, sizeof(text) - 1);

		txn_receive(w.layer, m);
		sip_msg_put(m);
	}
	assert_int_equal(w.n_events, 2);
}

/* What could not be answered in one datagram is not taken on. */
static void test_a_huge_request_is_not_served(void **state)
{
	static char text[SIP_MSG_LEN_MAX];
	size_t body = TXN_REQUEST_LEN_MAX;
	size_t len = (size_t)snprintf(text, sizeof(text),
		"OPTIONS sip:c@d SIP/2.0\r\n" VIA FROM TO CALL_ID MAX "CSeq: 1 OPTIONS\r\n"
		"Content-Length: %zu\r\n\r\n",
		body);

	memset(text + len, 'x', body);
	world_feed_text(&w, (struct str_view){text, len + body});
	assert_int_equal(w.n_events, 0);
	assert_int_equal(world_sent_status(&w, 0), 513);
}

/* Strangers leave half of the room to others; but they can still cancel what they began. */
static void test_half_full(void **state)
{
	static const unsigned int filled = 4;
	char branch[32];

	w.unproven = true;
	w.layer->max = 10;
	world_feed(&w, &(struct request){0});
	for (unsigned int i = 0; i < filled; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bKfill%u", i);
		world_feed(&w,
			&(struct request){.method = "OPTIONS", .branch = branch, .cseq = i + 2});
	}
	assert_int_equal(w.n_events, 1 + filled);
	world_feed(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKx", .cseq = 9});
	assert_int_equal(w.n_events, 1 + filled);
	world_feed(&w, &(struct request){.method = "CANCEL"});
	world_expect_event(&w, 1 + filled, 0, SAW_CANCEL, 0);
}

/* Full for new calls first; BYE and CANCEL still get in. */
static void test_the_tables_are_bounded(void **state)
{
	static const struct {
		const char *method, *to_tag;
		unsigned int status; /* 0: taken */
	} cases[] = {
		{"OPTIONS", NULL, 503},
		{"BYE", "d", 0},
		{"BYE", "d", 503},
		{"OPTIONS", NULL, 503},
	};
	char branch[32];

	w.layer->max = 10;
	for (unsigned int i = 0; i < 9; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bKfill%u", i);
		world_feed(&w,
			&(struct request){.method = "OPTIONS", .branch = branch, .cseq = i + 1});
	}
	assert_int_equal(w.n_events, 9);
	for (unsigned int i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int events = w.n_events;

		w.n_sent = 0;
		snprintf(branch, sizeof(branch), "z9hG4bKmore%u", i);
		world_feed(&w, &(struct request){.method = cases[i].method,
				       .branch = branch,
				       .to_tag = cases[i].to_tag,
				       .cseq = 100 + i});
		assert_int_equal(w.n_events - events, cases[i].status == 0);
		assert_int_equal(w.n_sent, cases[i].status != 0);
		if (cases[i].status != 0)
			assert_int_equal(world_sent_status(&w, 0), cases[i].status);
	}
	assert_int_equal(txn_layer_stats(w.layer)->servers, 10);
	for (unsigned int i = 0; i < 10; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bKout%u", i);
		assert_non_null(world_call(&w, &(struct request){.branch = branch}));
	}
	assert_null(world_call(&w, &(struct request){0}));
}

/* What is answered and only lingers takes no room from what is open, but is bounded, too. */
static void test_lingering_is_apart(void **state)
{
	static const struct {
		const char *method, *to_tag;
		unsigned int status; /* 0: taken */
	} cases[] = {
		{"OPTIONS", NULL, 503},
		{"BYE", "d", 0},
		{"BYE", "d", 0},
		{"BYE", "d", 503},
	};
	char branch[32];

	w.layer->max = 10;
	w.layer->linger_max = 20;
	for (unsigned int i = 0; i < 18 + ARRAY_LEN(cases); i++) {
		unsigned int status = i < 18 ? 0 : cases[i - 18].status, events = w.n_events;

		w.n_sent = 0;
		snprintf(branch, sizeof(branch), "z9hG4bKlinger%u", i);
		world_feed(
			&w, &(struct request){.method = i < 18 ? "OPTIONS" : cases[i - 18].method,
				    .branch = branch,
				    .to_tag = i < 18 ? NULL : cases[i - 18].to_tag,
				    .cseq = i + 1});
		assert_int_equal(w.n_events - events, status == 0);
		if (status == 0)
			(void)server_txn_reply(w.server, 200, SV("t"), SV(""));
		else
			assert_int_equal(world_sent_status(&w, 0), status);
	}
	/* All is over half a minute later. */
	world_run(&w, w.timers.now_ms + 40000);
	assert_int_equal(w.layer->lingering[TXN_SERVER], 0);
	world_feed(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKnew", .cseq = 99});
	assert_int_equal(txn_layer_stats(w.layer)->servers, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_matching),
		T(test_2543_ack),
		T(test_cancel),
		T(test_cancel_before_any_answer_has_a_tag),
		T(test_cancel_after_the_final_answer),
		T(test_cancel_of_nothing),
		T(test_ack_of_nothing_is_the_users),
		T(test_faulty_requests),
		T(test_faulty_responses_are_dropped),
		T(test_realms_are_apart),
		T(test_a_huge_request_is_not_served),
		T(test_half_full),
		T(test_the_tables_are_bounded),
		T(test_lingering_is_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
