/*
 * One busy scenario, run again with the 1st, 2nd, 3rd ... allocation failing until it
 * passes: never a crash, never a hung transaction, and nothing left at the end. The
 * allocator's calls are wrapped at link time.
 */
#include "world.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static unsigned long calls, fail_at; /* fail_at 0: none fails */
static unsigned int fail_percent;    /* or so many of 100, at random */
static uint32_t fail_state;
static long live;

static bool fails(void)
{
	calls++;
	fail_state = fail_state * 1664525u + 1013904223u;
	return calls == fail_at || (fail_state >> 8) % 100 < fail_percent;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	live += p == NULL;
	return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

static struct world w;

static void reply_if(unsigned int status)
{
	if (w.server != NULL)
		(void)server_txn_reply(w.server, status, SV("ours"), SV(""));
}

/** Every kind of transaction, both ways, with CANCEL, faults and timers. */
static void scenario(void)
{
	static const struct request invite = {0};
	struct client_txn *t;

	w.server = NULL;
	world_feed(&w, &invite);
	reply_if(180);
	world_feed(&w, &(struct request){.method = "CANCEL"});
	world_feed(&w, &(struct request){.branch = "z9hG4bKmerged"});
	reply_if(487);
	world_run(&w, w.timers.now_ms + 600);
	world_feed(&w, &(struct request){.method = "ACK", .to_tag = "ours"});
	w.server = NULL;
	world_feed(&w, &(struct request){.branch = "z9hG4bKok", .cseq = 5});
	reply_if(200);
	w.server = NULL;
	world_feed(
		&w, &(struct request){.method = "BYE", .branch = "z9hG4bKbye", .to_tag = "ours"});
	reply_if(200);
	w.n_sent = 0;
	t = world_call(&w, &(struct request){.branch = "z9hG4bKcall"});
	if (t != NULL) {
		(void)client_txn_cancel(t);
		world_answer(&w, 0, 180, "theirs");
		world_answer(&w, 0, 487, "theirs");
	}
	w.n_sent = 0;
	if (world_call(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKo"}) != NULL)
		world_answer(&w, 0, 200, "theirs");
	world_run(&w, w.timers.now_ms + 200000);
}

static void start(struct world *world)
{
	struct txn_user user = {0};

	/* world_init() insists on a layer: see first that one without memory says so. */
	if (fail_at == 1)
		assert_null(txn_layer_new(&world->timers, NULL, NULL, &user));
	world_init(world);
}

static void test_each_allocation_failing_in_turn(void **state)
{
	unsigned long needed;

	calls = fail_at = live = 0;
	start(&w);
	scenario();
	assert_int_equal(w.n_events, 12);
	needed = calls;
	world_fini(&w);
	assert_int_equal(live, 0);
	assert_true(needed > 20);
	for (unsigned long n = 1; n <= needed + 1; n++) {
		calls = live = 0;
		fail_at = n;
		start(&w);
		scenario();
		/* All that started has ended by itself. */
		assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
		assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
		world_fini(&w);
		assert_int_equal(live, 0);
	}
	fail_at = 0;
}

/* What lingers for half a minute to absorb what comes late holds no messages. */
static void test_what_lingers_is_small(void **state)
{
	static const struct request bye = {
		.method = "BYE", .branch = "z9hG4bKbye", .to_tag = "ours"};
	struct client_txn *t;
	long before;

	fail_at = 0;
	calls = live = 0;
	start(&w);
	world_feed(&w, &(struct request){0});
	before = live; /* the transaction, its request, the answer to come */
	reply_if(200);
	server_txn_detach(w.server);
	assert_int_equal(live, before - 1);
	world_feed(&w, &(struct request){0}); /* absorbed */
	assert_int_equal(live, before - 1);
	world_feed(&w, &bye);
	before = live;
	reply_if(200);
	assert_int_equal(live, before + 1); /* its user may still look at it */
	w.n_sent = 0;
	world_feed(&w, &bye);		/* answered again */
	assert_int_equal(live, before); /* without the request, with its answer */
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(w.sent[0].path.remote.port, 5070);
	assert_int_equal(server_txn_reply(w.server, 500, SV("ours"), SV("")), -EINVAL);
	w.n_sent = 0;
	t = world_call(&w, &(struct request){.branch = "z9hG4bKcall"});
	assert_non_null(t);
	before = live;
	world_answer(&w, 0, 200, "theirs");
	assert_int_equal(live, before - 1);
	world_answer(&w, 0, 200, "theirs"); /* and again, for its user */
	client_txn_detach(t);
	t = world_call(&w, &(struct request){.method = "OPTIONS", .branch = "z9hG4bKo"});
	assert_non_null(t);
	before = live;
	world_answer(&w, w.n_sent - 1, 200, "theirs");
	assert_int_equal(live, before - 1);
	world_run(&w, w.timers.now_ms + 200000);
	assert_int_equal(txn_layer_stats(w.layer)->servers, 0);
	assert_int_equal(txn_layer_stats(w.layer)->clients, 0);
	world_fini(&w);
	assert_int_equal(live, 0);
}

/* Growing tables, now and then without memory for it. */
static void test_many_with_failures_on_the_way(void **state)
{
	static const unsigned int percent[] = {0, 1, 10, 50};
	struct client_txn *made[3000];
	char branch[32];

	for (size_t e = 0; e < ARRAY_LEN(percent); e++) {
		unsigned int n_made = 0;

		fail_percent = 0;
		calls = live = 0;
		start(&w);
		fail_percent = percent[e];
		for (unsigned int i = 0; i < ARRAY_LEN(made); i++) {
			w.n_sent = w.n_events = 0;
			snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
			made[n_made] = world_call(
				&w, &(struct request){.method = i % 2 == 0 ? "INVITE" : "OPTIONS",
					    .branch = branch});
			n_made += made[n_made] != NULL;
			world_feed(&w, &(struct request){.branch = branch, .cseq = i + 1});
		}
		assert_int_equal(txn_layer_stats(w.layer)->clients, n_made);
		assert_true(n_made > 0);
		assert_true(percent[e] != 0 || n_made == ARRAY_LEN(made));
		assert_true(
			percent[e] != 0 || txn_layer_stats(w.layer)->servers == ARRAY_LEN(made));
		for (unsigned int i = 0; i < n_made; i += 3)
			client_txn_detach(made[i]);
		fail_percent = 0;
		world_fini(&w);
		assert_int_equal(live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_failing_in_turn),
		cmocka_unit_test(test_what_lingers_is_small),
		cmocka_unit_test(test_many_with_failures_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
