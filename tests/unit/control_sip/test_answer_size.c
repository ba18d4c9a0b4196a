/*
 * Answers to sources that may be forged: their forms, and that no sequence of requests and
 * retransmissions brings more bytes back than it had.
 */
#include "answer_size.h"
#include "world.h"

static struct world w;

static int setup(void **state)
{
	world_init(&w);
	w.unproven = true;
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static const struct request invite = {0};

/* --- forms --- */

#define BARE_HEADERS \
	"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;received=192.0.2.1\r\n" \
	"From: <sip:a@b>;tag=f\r\nTo: <sip:c@d>;tag=t\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n"
#define COMPACT_LINES \
	"v:SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;received=192.0.2.1\r\n" \
	"f:<sip:a@b>;tag=f\r\nt:<sip:c@d>;tag=t\r\ni:i\r\nCSeq:1 INVITE\r\n"
#define COMPACT_HEADERS COMPACT_LINES "\r\n"

static void test_forms(void **state)
{
	static const struct {
		const char *response;
		size_t less; /* than the response's length: the limit; SIZE_MAX: none at all */
		const char *want;
	} cases[] = {
		/* 1xx and 2xx as they are, where they fit. */
		{"SIP/2.0 200 OK\r\n" BARE_HEADERS "Allow: X\r\nContent-Length: 2\r\n\r\nab", 0,
			"SIP/2.0 200 OK\r\n" BARE_HEADERS
			"Allow: X\r\nContent-Length: 2\r\n\r\nab"},
		{"SIP/2.0 200 OK\r\n" BARE_HEADERS "Allow: X\r\nContent-Length: 2\r\n\r\nab", 1,
			"SIP/2.0 200 OK\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n"},
		/* A refusal is never sent with a body, nor with what it does not need. */
		{"SIP/2.0 404 Not Found\r\n" BARE_HEADERS
		 "Server: S\r\nAllow: X\r\nContent-Length: 2\r\n\r\nab",
			0, "SIP/2.0 404 Not Found\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n"},
		{"SIP/2.0 405 No\r\n" BARE_HEADERS
		 "Server: S\r\nAllow: X\r\nX-Long: 0123456789\r\nContent-Length: 0\r\n\r\n",
			0,
			"SIP/2.0 405 Method Not Allowed\r\n" BARE_HEADERS
			"Allow: X\r\nContent-Length: 0\r\n\r\n"},
		{"SIP/2.0 401 Unauthorized\r\n" BARE_HEADERS
		 "WWW-Authenticate: D\r\nContent-Length: 0\r\n\r\n",
			1, "SIP/2.0 401 \r\n" COMPACT_LINES "WWW-Authenticate:D\r\n\r\n"},
		{"SIP/2.0 503 x\r\n" BARE_HEADERS "Retry-After: 9\r\nContent-Length: 0\r\n\r\n", 40,
			"SIP/2.0 503 \r\n" COMPACT_HEADERS},
		{"SIP/2.0 404 Not Found\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n", 1,
			"SIP/2.0 404 \r\n" COMPACT_HEADERS},
		{"SIP/2.0 404 Not Found\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n", 60, NULL},
		{"SIP/2.0 404 Not Found\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n", SIZE_MAX,
			NULL},
	};
	char out[1024];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view in = {cases[i].response, strlen(cases[i].response)}, got;
		size_t limit = cases[i].less == SIZE_MAX ? 0 : in.len - cases[i].less;

		got = sip_answer_fit(in, limit, out, sizeof(out));
		if (cases[i].want == NULL) {
			assert_null(got.p);
			continue;
		}
		assert_non_null(got.p);
		assert_int_equal(got.len, strlen(cases[i].want));
		assert_memory_equal(got.p, cases[i].want, got.len);
		assert_true(got.len <= limit);
		assert_true(sip_response_is_readable(got));
	}
}

/* No room in the buffer is none at all, and nothing is written beyond it. */
static void test_small_buffer(void **state)
{
	const char text[] = "SIP/2.0 404 Not Found\r\n" BARE_HEADERS "Content-Length: 0\r\n\r\n";
	const struct str_view in = {text, sizeof(text) - 1};

	for (size_t cap = 0; cap < in.len; cap++) {
		char *out = malloc(cap + 1);
		struct str_view got = sip_answer_fit(in, in.len, out, cap);

		assert_true(got.p == NULL || got.len <= cap);
		free(out);
	}
}

/* --- transactions --- */

static size_t bytes_sent(void)
{
	size_t n = 0;

	for (unsigned int i = 0; i < w.n_sent; i++)
		n += w.sent[i].len;
	return n;
}

static size_t invite_bytes(void)
{
	char buf[2048];

	return world_request(buf, sizeof(buf), &invite);
}

static int reply(unsigned int status)
{
	return server_txn_reply(
		w.server, status, SV("t"), SV("Server: something quite long to say here\r\n"));
}

static void test_refusal_is_not_retransmitted(void **state)
{
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	world_run(&w, 4000);
	EXPECT_SENT(&w, 0, 0);
	assert_false(world_sent_has(&w, 0, "Server"));
	/* But the request again brings it again. */
	world_feed(&w, &invite);
	EXPECT_SENT(&w, 0, 0, 4000);
	assert_true(bytes_sent() <= 2 * invite_bytes());
	/* Nobody owed the ACK: the transaction is over soon, and not as a failure. */
	world_run(&w, 100000);
	assert_int_equal(w.n_sent, 2);
	world_expect_event(&w, 1, 5000, SAW_SERVER_END, 0);
	assert_int_equal(txn_layer_stats(w.layer)->timeouts, 0);
}

static void test_all_answers_together(void **state)
{
	world_feed(&w, &invite);
	world_run(&w, 300);
	assert_int_equal(world_sent_status(&w, 0), 100);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(reply(183), 0);
	assert_int_equal(reply(480), 0);
	assert_true(bytes_sent() <= invite_bytes());
	assert_true(txn_layer_stats(w.layer)->answers_withheld > 0);
	for (unsigned int i = 0; i < 3; i++) {
		world_feed(&w, &invite);
		assert_true(bytes_sent() <= (2 + i) * invite_bytes());
	}
	/* What it sent again paid for the refusal. */
	assert_int_equal(world_sent_status(&w, w.n_sent - 1), 480);
	world_run(&w, 100000);
}

/* A real call: its ringing and answer may be larger, its 100 and refusal may not. */
static void test_passed_on(void **state)
{
	world_feed(&w, &invite);
	server_txn_passed_on(w.server);
	world_run(&w, 300);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(reply(183), 0);
	assert_int_equal(w.n_sent, 6);
	assert_true(world_sent_has(&w, 5, "Server"));
	assert_int_equal(reply(480), 0);
	assert_int_equal(world_sent_status(&w, 6), 480);
	assert_true(w.sent[6].len <= invite_bytes());
	world_run(&w, 31000);
	assert_int_equal(w.n_sent, 7);
	world_feed(&w, &invite);
	assert_int_equal(w.n_sent, 8); /* kept as long as any */
	world_run(&w, 100000);
}

/* It heard 100, and sends its INVITE no more: a lost refusal must come again, as often as it paid
 * for. */
static void test_refusal_of_a_call_comes_again(void **state)
{
	char more[800] = "";
	const struct request longer = {.extra = more};
	char buf[2048];

	snprintf(more, sizeof(more), "Subject: %0750d\r\n", 0);
	world_feed(&w, &longer);
	server_txn_passed_on(w.server);
	world_run(&w, 300);
	assert_int_equal(world_sent_status(&w, 0), 100);
	w.n_sent = 0;
	assert_int_equal(reply(486), 0);
	world_run(&w, 100000);
	EXPECT_SENT(&w, 0, 300, 800, 1800, 3800);
	assert_true(bytes_sent() <= world_request(buf, sizeof(buf), &longer));
	assert_int_equal(txn_layer_stats(w.layer)->timeouts, 0);
	/* Acknowledged, it is not. */
	world_feed(&w, &(struct request){.extra = more, .branch = "z9hG4bKtwo", .cseq = 2});
	server_txn_passed_on(w.server);
	w.n_sent = 0;
	assert_int_equal(reply(486), 0);
	world_feed(&w, &(struct request){
			       .method = "ACK", .branch = "z9hG4bKtwo", .to_tag = "t", .cseq = 2});
	world_run(&w, 200000);
	assert_int_equal(w.n_sent, 1);
}

static void test_proven_is_as_ever(void **state)
{
	w.unproven = false;
	world_feed(&w, &invite);
	assert_int_equal(reply(486), 0);
	assert_true(world_sent_has(&w, 0, "Server"));
	world_run(&w, 600);
	EXPECT_SENT(&w, 0, 0, 500);
	world_run(&w, 100000);
}

/* A request with hardly more than its name: nothing fits, and nothing is sent. */
static void test_too_small_to_answer(void **state)
{
	static const char tiny[] = "INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP 9;branch=z9hG4bKa\r\n"
				   "f:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:1\r\nCSeq:1 INVITE\r\n\r\n";

	world_feed_text(&w, (struct str_view){tiny, sizeof(tiny) - 1});
	if (w.server != NULL)
		assert_int_equal(reply(404), 0);
	world_run(&w, 100000);
	assert_int_equal(w.n_sent, 0);
	assert_true(txn_layer_stats(w.layer)->answers_withheld > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test_setup_teardown(test_refusal_is_not_retransmitted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_answers_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_refusal_of_a_call_comes_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proven_is_as_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_small_to_answer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
