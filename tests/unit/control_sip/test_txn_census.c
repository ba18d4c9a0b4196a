/* The count of transactions by kind, method and state follows each of their steps. */
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

static uint32_t alive(enum txn_kind kind, enum sip_method method, enum txn_state state)
{
	struct txn_census c;

	txn_layer_census(w.layer, &c);
	return c.alive[kind][method][state];
}

static void check_lingering(unsigned int servers, unsigned int clients)
{
	struct txn_census c;

	txn_layer_census(w.layer, &c);
	assert_int_equal(c.lingering[TXN_SERVER], servers);
	assert_int_equal(c.lingering[TXN_CLIENT], clients);
}

/* All that the census has is what the layer counts as alive. */
static void check_sum(unsigned int servers, unsigned int clients)
{
	const struct txn_stats *s = txn_layer_stats(w.layer);
	uint32_t sum[TXN_KIND_COUNT] = {0};
	struct txn_census c;

	txn_layer_census(w.layer, &c);
	for (unsigned int k = 0; k < TXN_KIND_COUNT; k++)
		for (unsigned int m = 0; m < SIP_METHOD_COUNT; m++)
			for (unsigned int t = 0; t < TXN_STATE_COUNT; t++)
				sum[k] += c.alive[k][m][t];
	assert_int_equal(sum[TXN_SERVER], servers);
	assert_int_equal(sum[TXN_CLIENT], clients);
	assert_int_equal(s->servers, servers);
	assert_int_equal(s->clients, clients);
}

static void test_invite_server(void **state)
{
	world_feed(&w, &(struct request){0});
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_PROCEEDING), 1);
	assert_int_equal(server_txn_reply(w.server, 486, SV("ours"), SV("")), 0);
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_PROCEEDING), 0);
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_COMPLETED), 1);
	check_lingering(0, 0);
	world_feed(&w, &(struct request){.method = "ACK", .to_tag = "ours"});
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_CONFIRMED), 1);
	check_lingering(1, 0);
	check_sum(1, 0);
	world_run(&w, SIP_T4_MS);
	check_sum(0, 0);
}

static void test_others(void **state)
{
	world_feed(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKo", .cseq = 2});
	world_feed(&w, &(struct request){.branch = "z9hG4bKi"});
	assert_int_equal(alive(TXN_SERVER, SIP_OPTIONS, TXN_TRYING), 1);
	assert_int_equal(server_txn_reply(w.server, 200, SV("ours"), SV("")), 0);
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_ACCEPTED), 1);
	/* A CANCEL has a transaction of its own. */
	world_feed(&w, &(struct request){.branch = "z9hG4bKj", .call_id = "second@x"});
	world_feed(&w,
		&(struct request){.method = "CANCEL", .branch = "z9hG4bKj", .call_id = "second@x"});
	assert_int_equal(alive(TXN_SERVER, SIP_CANCEL, TXN_COMPLETED), 1);
	assert_int_equal(alive(TXN_SERVER, SIP_INVITE, TXN_PROCEEDING), 1);
	check_sum(4, 0);
}

static void test_client(void **state)
{
	world_call(&w, &(struct request){.branch = "z9hG4bKc"});
	assert_int_equal(alive(TXN_CLIENT, SIP_INVITE, TXN_TRYING), 1);
	world_answer(&w, 0, 180, "theirs");
	assert_int_equal(alive(TXN_CLIENT, SIP_INVITE, TXN_PROCEEDING), 1);
	check_lingering(0, 0);
	world_answer(&w, 0, 486, "theirs");
	assert_int_equal(alive(TXN_CLIENT, SIP_INVITE, TXN_COMPLETED), 1);
	check_lingering(0, 1);
	check_sum(0, 1);
	world_run(&w, 64 * SIP_T1_MS);
	check_sum(0, 0);
	/* What cannot be sent is over, and counted until it is gone. */
	w.send_fails = true;
	world_call(&w, &(struct request){.method = "BYE", .branch = "z9hG4bKd", .to_tag = "d"});
	assert_int_equal(alive(TXN_CLIENT, SIP_BYE, TXN_TERMINATED), 1);
	world_run(&w, 64 * SIP_T1_MS);
	check_sum(0, 0);
}

static void test_oldest(void **state)
{
	struct txn_census c;

	txn_layer_census(w.layer, &c);
	assert_int_equal(c.oldest[TXN_SERVER].method, SIP_METHOD_NONE);
	world_feed(&w, &(struct request){.branch = "z9hG4bKi"});
	world_run(&w, 3000);
	world_feed(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKo", .cseq = 2});
	world_call(&w, &(struct request){.method = "BYE", .branch = "z9hG4bKc", .to_tag = "d"});
	world_run(&w, 4000);
	txn_layer_census(w.layer, &c);
	assert_int_equal(c.oldest[TXN_SERVER].method, SIP_INVITE);
	assert_int_equal(c.oldest[TXN_SERVER].state, TXN_PROCEEDING);
	assert_int_equal(c.oldest[TXN_CLIENT].method, SIP_BYE);
	assert_int_equal(c.oldest[TXN_CLIENT].age_ms, 1000);
	/* What only absorbs has let go of its request. */
	world_answer(&w, w.n_sent - 1, 200, "d");
	txn_layer_census(w.layer, &c);
	assert_int_equal(c.oldest[TXN_CLIENT].state, TXN_COMPLETED);
	assert_int_equal(c.oldest[TXN_CLIENT].age_ms, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_invite_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oldest, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
