/* The oc parameters of Via, read and written (RFC 7339 section 4, RFC 7415). */
#include "txn_priv.h"
#include "world.h"

static struct world w;
static struct sip_oc heard;
static unsigned int times;

static int setup(void **state)
{
	world_init(&w);
	times = 0;
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void on_oc(void *ctx, const struct sip_path *path, const struct sip_oc *oc)
{
	heard = *oc;
	times++;
}

/* What a peer answers to our request with these Via parameters. */
static void answer_with(unsigned int request, const char *status, const char *params)
{
	struct str_view branch;
	struct sip_index idx;
	char text[1024];
	int n;

	assert_int_equal(sip_scan(w.sent[request].text, w.sent[request].len, &idx), SIP_SCAN_NONE);
	branch = sip_span_view(w.sent[request].text, idx.branch);
	n = snprintf(text, sizeof(text),
		"SIP/2.0 %s\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=%.*s%s\r\n"
		"From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: %.*s\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n",
		status, SV_ARG(branch), params,
		SV_ARG(sip_span_view(w.sent[request].text, idx.call_id)));
	world_feed_text(&w, (struct str_view){text, (size_t)n});
}

static void answer(unsigned int request, const char *params)
{
	answer_with(request, "100 Trying", params);
}

/* A final answer that comes again finds a transaction that has let go of its request. */
static void test_again(void **state)
{
	w.layer->user.on_oc = on_oc;
	world_call(&w, &(struct request){.branch = "z9hG4bKc", .via_params = SIP_OC_OFFER});
	answer_with(0, "200 OK", ";oc=5");
	assert_int_equal(times, 1);
	for (unsigned int i = 0; i < 3; i++)
		answer_with(0, i == 2 ? "100 Trying" : "200 OK", ";oc=6");
	assert_int_equal(times, 1);
}

static void test_read(void **state)
{
	static const struct {
		const char *params;
		bool good;
		struct sip_oc oc;
	} cases[] = {
		{";oc=20;oc-algo=\"loss\";oc-validity=700;oc-seq=1282321615.782", true,
			{SIP_OC_LOSS, 20, 700, 128232161578200}},
		{";oc=0", true, {SIP_OC_LOSS, 0, 500, 0}},
		{";oc=100;OC-Validity=0", true, {SIP_OC_LOSS, 100, 0, 0}},
		{"; OC = 7", true, {SIP_OC_LOSS, 7, 500, 0}},
		{";oc=150;oc-algo=\"rate\";oc-seq=7.00001", true, {SIP_OC_RATE, 150, 500, 700001}},
		{";oc=50;oc-seq=123456789012.12345", true,
			{SIP_OC_LOSS, 50, 500, 12345678901212345}},
		{";oc=50;oc-seq=x.y", true, {SIP_OC_LOSS, 50, 500, 0}},
		{";oc=50;oc-seq=1234567890123.1", true, {SIP_OC_LOSS, 50, 500, 0}},
		{"", false, {0}},
		{";oc", false, {0}},
		{";oc=101", false, {0}},
		{";oc=-1", false, {0}},
		{";oc=", false, {0}},
		{";oc=5;oc-algo=\"A\"", false, {0}},
		{";oc=5;oc-algo=\"loss,rate\"", false, {0}},
		{";oc=5;oc-validity=3600001", false, {0}},
		{";xoc=5", false, {0}},
	};

	w.layer->user.on_oc = on_oc;
	world_call(&w, &(struct request){.branch = "z9hG4bKc", .via_params = SIP_OC_OFFER});
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		times = 0;
		answer(0, cases[i].params);
		if (times != cases[i].good ||
			(cases[i].good && memcmp(&heard, &cases[i].oc, sizeof(heard)) != 0))
			fail_msg("case %zu: %u of %u, %u ms, seq %llu", i, times, heard.value,
				heard.validity_ms, (unsigned long long)heard.seq);
	}
}

/* Nobody was asked: what comes all the same does not count. */
static void test_not_asked(void **state)
{
	w.layer->user.on_oc = on_oc;
	world_call(&w, &(struct request){.branch = "z9hG4bKc"});
	answer(0, ";oc=100");
	assert_int_equal(times, 0);
}

static void test_answer(void **state)
{
	static const struct sip_oc busy = {SIP_OC_LOSS, 20, 1000, 128232161578200};
	static const struct {
		const char *offer;
		bool says;
		const char *via;
	} cases[] = {
		{";rport;oc;oc-algo=\"loss,A\"", true,
			";received=192.0.2.1;rport=5070;oc=20;oc-algo=\"loss\";oc-validity=1000;"
			"oc-seq=1282321615.78200\r\n"},
		{";oc", true, ";oc=20;"},
		/* It says so itself: that is ours to say. */
		{";oc=99;oc-seq=1.1", true, ";oc=20;"},
		{";rport", true, ";branch=z9hG4bKone;received=192.0.2.1;rport=5070\r\n"},
		/* To whom nothing is told, its offer goes back as it came. */
		{";oc;oc-algo=\"loss\"", false, ";oc;oc-algo=\"loss\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request r = {
			.method = "OPTIONS", .via_params = cases[i].offer, .branch = "z9hG4bKone"};

		world_init(&w);
		world_feed(&w, &r);
		server_txn_request(w.server)->oc = cases[i].says ? &busy : NULL;
		assert_int_equal(server_txn_reply(w.server, 200, SV("t"), SV("")), 0);
		if (!world_sent_has(&w, 0, cases[i].via) || world_sent_has(&w, 0, "oc=99"))
			fail_msg("case %zu: %.200s", i, w.sent[0].text);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_asked, setup, teardown),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
