/*
 * The state machines of transactions as RFC 3261 draws them, figures 5 to 8, with what RFC 6026
 * changes in those of INVITE: each arrow one row, driven through the public interface. A row says
 * from which state what leads to which, what is sent, what the user is told, and which timer is the
 * next to do something.
 */
#include "world.h"

static struct world w;

enum machine { INVITE_CLIENT, OTHER_CLIENT, INVITE_SERVER, OTHER_SERVER, MACHINES };

enum step {
	BEGIN,	      /* the user's request; or a first one comes in */
	GOT_1XX,      /* 180 */
	GOT_2XX,      /* 200 */
	GOT_FAILURE,  /* 486 */
	GOT_REQUEST,  /* again */
	GOT_ACK,      /* with the INVITE's branch */
	USER_1XX,     /* 180 at first, then 183 */
	USER_2XX,     /* 200 */
	USER_FAILURE, /* 486 */
	TIMER,	      /* the first thing that happens by itself */
	TIMER_LAST,   /* the one behind the repetitions */
	STEPS
};

/* Beside the states: before it all; and an INVITE that its user has not said anything to. */
enum { FROM_NOTHING = TXN_STATE_COUNT, FROM_UNANSWERED };

/* What the user is told: an event of the world, or what its response came back with. */
enum { NOBODY = -1, REFUSED = -2, SEND_ERROR = -3 };

#define NEVER 0
#define T1 SIP_T1_MS
#define T2 SIP_T2_MS
#define T4 SIP_T4_MS
#define MOMENT 100 /* passes before what is no timer */

struct row {
	const char *arrow;
	enum machine machine;
	unsigned int from;
	enum step step;
	enum txn_state to;
	const char *sends; /* start of what goes out; "": nothing, NULL: several */
	int tells, value;
	uint64_t at_ms;	  /* TIMER: after it came into the state */
	uint64_t next_ms; /* when something happens by itself again */
	bool fails;	  /* sending, in this step */
};

static const struct row rows[] = {
#define ROW(from, step, to, sends, tells, value, at, next, arrow) \
	{ \
		arrow, MACHINE, from, step, TXN_##to, sends, tells, value, at, next, false \
	}
#define FAIL(from, step, to, tells, value, next, arrow) \
	{ \
		arrow, MACHINE, from, step, TXN_##to, "", tells, value, 0, next, true \
	}

/* --- figure 5, and RFC 6026 section 8.4 --- */
#define MACHINE INVITE_CLIENT
	ROW(FROM_NOTHING, BEGIN, TRYING, "INVITE ", NOBODY, 0, 0, T1, "INVITE from TU; A, B set"),
	FAIL(FROM_NOTHING, BEGIN, TERMINATED, SAW_CLIENT_END, -EIO, NEVER, "transport error"),
	ROW(TXN_TRYING, TIMER, TRYING, "INVITE ", NOBODY, 0, T1, 2 * T1, "A: reset, INVITE sent"),
	ROW(TXN_TRYING, TIMER_LAST, TERMINATED, NULL, SAW_CLIENT_END, -ETIMEDOUT, 64 * T1, NEVER,
		"B"),
	ROW(TXN_TRYING, GOT_1XX, PROCEEDING, "", SAW_RESPONSE, 180, 0, NEVER, "1xx to TU"),
	ROW(TXN_TRYING, GOT_2XX, ACCEPTED, "", SAW_RESPONSE, 200, 0, 64 * T1, "2xx to TU; M"),
	ROW(TXN_TRYING, GOT_FAILURE, COMPLETED, "ACK ", SAW_RESPONSE, 486, 0, 64 * T1,
		"300-699 to TU, ACK sent; D"),
	ROW(TXN_PROCEEDING, GOT_1XX, PROCEEDING, "", SAW_RESPONSE, 180, 0, NEVER, "1xx to TU"),
	ROW(TXN_PROCEEDING, GOT_2XX, ACCEPTED, "", SAW_RESPONSE, 200, 0, 64 * T1, "2xx to TU; M"),
	ROW(TXN_PROCEEDING, GOT_FAILURE, COMPLETED, "ACK ", SAW_RESPONSE, 486, 0, 64 * T1,
		"300-699 to TU, ACK sent; D"),
	ROW(TXN_COMPLETED, GOT_1XX, COMPLETED, "", NOBODY, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, GOT_2XX, COMPLETED, "", NOBODY, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, GOT_FAILURE, COMPLETED, "ACK ", NOBODY, 0, 0, 64 * T1 - MOMENT,
		"300-699: ACK sent"),
	/* The figure ends it here: ours waits for the next repetition (client_transaction.c). */
	FAIL(TXN_COMPLETED, GOT_FAILURE, COMPLETED, NOBODY, 0, 64 * T1 - MOMENT, "transport error"),
	ROW(TXN_COMPLETED, TIMER, TERMINATED, "", SAW_CLIENT_END, 0, 64 * T1, NEVER, "D"),
	ROW(TXN_ACCEPTED, GOT_1XX, ACCEPTED, "", NOBODY, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_ACCEPTED, GOT_2XX, ACCEPTED, "", SAW_RESPONSE, 200, 0, 64 * T1 - MOMENT,
		"2xx to TU"),
	ROW(TXN_ACCEPTED, GOT_FAILURE, ACCEPTED, "", NOBODY, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_ACCEPTED, TIMER, TERMINATED, "", SAW_CLIENT_END, 0, 64 * T1, NEVER, "M"),
#undef MACHINE

/* --- figure 6 --- */
#define MACHINE OTHER_CLIENT
	ROW(FROM_NOTHING, BEGIN, TRYING, "OPTIONS ", NOBODY, 0, 0, T1, "request from TU; E, F set"),
	FAIL(FROM_NOTHING, BEGIN, TERMINATED, SAW_CLIENT_END, -EIO, NEVER, "transport error"),
	ROW(TXN_TRYING, TIMER, TRYING, "OPTIONS ", NOBODY, 0, T1, 2 * T1, "E: request sent"),
	ROW(TXN_TRYING, TIMER_LAST, TERMINATED, NULL, SAW_CLIENT_END, -ETIMEDOUT, 64 * T1, NEVER,
		"F"),
	ROW(TXN_TRYING, GOT_1XX, PROCEEDING, "", SAW_RESPONSE, 180, 0, T1 - MOMENT,
		"1xx to TU; E runs on"),
	ROW(TXN_TRYING, GOT_2XX, COMPLETED, "", SAW_RESPONSE, 200, 0, T4, "200-699 to TU; K"),
	ROW(TXN_TRYING, GOT_FAILURE, COMPLETED, "", SAW_RESPONSE, 486, 0, T4, "200-699 to TU; K"),
	ROW(TXN_PROCEEDING, TIMER, PROCEEDING, "OPTIONS ", NOBODY, 0, T1, T2,
		"E: request sent, reset to T2"),
	ROW(TXN_PROCEEDING, TIMER_LAST, TERMINATED, NULL, SAW_CLIENT_END, -ETIMEDOUT, 64 * T1,
		NEVER, "F"),
	ROW(TXN_PROCEEDING, GOT_1XX, PROCEEDING, "", SAW_RESPONSE, 180, 0, T1 - MOMENT,
		"1xx to TU"),
	ROW(TXN_PROCEEDING, GOT_2XX, COMPLETED, "", SAW_RESPONSE, 200, 0, T4, "200-699 to TU; K"),
	ROW(TXN_PROCEEDING, GOT_FAILURE, COMPLETED, "", SAW_RESPONSE, 486, 0, T4,
		"200-699 to TU; K"),
	ROW(TXN_COMPLETED, GOT_1XX, COMPLETED, "", NOBODY, 0, 0, T4 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, GOT_2XX, COMPLETED, "", NOBODY, 0, 0, T4 - MOMENT, "absorbed"),
	ROW(TXN_COMPLETED, GOT_FAILURE, COMPLETED, "", NOBODY, 0, 0, T4 - MOMENT, "absorbed"),
	ROW(TXN_COMPLETED, TIMER, TERMINATED, "", SAW_CLIENT_END, 0, T4, NEVER, "K"),
#undef MACHINE

/* --- figure 7, and RFC 6026 section 8.5 --- */
#define MACHINE INVITE_SERVER
	ROW(FROM_NOTHING, BEGIN, PROCEEDING, "", SAW_REQUEST, SIP_INVITE, 0, 200, "INVITE to TU"),
	ROW(FROM_UNANSWERED, GOT_REQUEST, PROCEEDING, "", NOBODY, 0, 0, 200 - MOMENT,
		"INVITE: no response to send yet"),
	ROW(FROM_UNANSWERED, TIMER, PROCEEDING, "SIP/2.0 100 ", NOBODY, 0, 200, NEVER,
		"100 if TU won't in 200 ms"),
	ROW(TXN_PROCEEDING, GOT_REQUEST, PROCEEDING, "SIP/2.0 180 ", NOBODY, 0, 0, NEVER,
		"INVITE: response sent"),
	ROW(TXN_PROCEEDING, GOT_ACK, PROCEEDING, "", NOBODY, 0, 0, NEVER, "no arrow"),
	ROW(TXN_PROCEEDING, USER_1XX, PROCEEDING, "SIP/2.0 183 ", NOBODY, 0, 0, NEVER,
		"101-199 from TU: sent"),
	ROW(TXN_PROCEEDING, USER_2XX, ACCEPTED, "SIP/2.0 200 ", NOBODY, 0, 0, 64 * T1,
		"2xx from TU: sent; L"),
	ROW(TXN_PROCEEDING, USER_FAILURE, COMPLETED, "SIP/2.0 486 ", NOBODY, 0, 0, T1,
		"300-699 from TU: sent; G, H"),
	FAIL(TXN_PROCEEDING, USER_1XX, PROCEEDING, SEND_ERROR, 0, NEVER, "transport error: TU"),
	FAIL(TXN_PROCEEDING, USER_2XX, ACCEPTED, SEND_ERROR, 0, 64 * T1, "transport error: TU"),
	FAIL(TXN_PROCEEDING, USER_FAILURE, COMPLETED, SEND_ERROR, 0, T1, "transport error: TU"),
	ROW(TXN_COMPLETED, GOT_REQUEST, COMPLETED, "SIP/2.0 486 ", NOBODY, 0, 0, T1 - MOMENT,
		"INVITE: response sent"),
	ROW(TXN_COMPLETED, GOT_ACK, CONFIRMED, "", NOBODY, 0, 0, T4, "ACK; I"),
	ROW(TXN_COMPLETED, USER_1XX, COMPLETED, "", REFUSED, 0, 0, T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, USER_2XX, COMPLETED, "", REFUSED, 0, 0, T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, USER_FAILURE, COMPLETED, "", REFUSED, 0, 0, T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, TIMER, COMPLETED, "SIP/2.0 486 ", NOBODY, 0, T1, 2 * T1,
		"G: response sent"),
	FAIL(TXN_COMPLETED, GOT_REQUEST, COMPLETED, NOBODY, 0, T1 - MOMENT, "transport error"),
	ROW(TXN_COMPLETED, TIMER_LAST, TERMINATED, NULL, SAW_SERVER_END, -ETIMEDOUT, 64 * T1, NEVER,
		"H"),
	ROW(TXN_CONFIRMED, GOT_REQUEST, CONFIRMED, "", NOBODY, 0, 0, T4 - MOMENT, "absorbed"),
	ROW(TXN_CONFIRMED, GOT_ACK, CONFIRMED, "", NOBODY, 0, 0, T4 - MOMENT, "absorbed"),
	ROW(TXN_CONFIRMED, USER_1XX, CONFIRMED, "", REFUSED, 0, 0, T4 - MOMENT, "no arrow"),
	ROW(TXN_CONFIRMED, USER_2XX, CONFIRMED, "", REFUSED, 0, 0, T4 - MOMENT, "no arrow"),
	ROW(TXN_CONFIRMED, USER_FAILURE, CONFIRMED, "", REFUSED, 0, 0, T4 - MOMENT, "no arrow"),
	ROW(TXN_CONFIRMED, TIMER, TERMINATED, "", SAW_SERVER_END, 0, T4, NEVER, "I"),
	ROW(TXN_ACCEPTED, GOT_REQUEST, ACCEPTED, "", NOBODY, 0, 0, 64 * T1 - MOMENT,
		"INVITE: absorbed"),
	ROW(TXN_ACCEPTED, GOT_ACK, ACCEPTED, "", SAW_ACK, SIP_ACK, 0, 64 * T1 - MOMENT,
		"ACK to TU"),
	ROW(TXN_ACCEPTED, USER_1XX, ACCEPTED, "", REFUSED, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_ACCEPTED, USER_2XX, ACCEPTED, "SIP/2.0 200 ", NOBODY, 0, 0, 64 * T1 - MOMENT,
		"2xx from TU: sent"),
	FAIL(TXN_ACCEPTED, USER_2XX, ACCEPTED, SEND_ERROR, 0, 64 * T1 - MOMENT,
		"transport error: TU"),
	ROW(TXN_ACCEPTED, USER_FAILURE, ACCEPTED, "", REFUSED, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_ACCEPTED, TIMER, TERMINATED, "", SAW_SERVER_END, 0, 64 * T1, NEVER, "L"),
#undef MACHINE

/* --- figure 8 --- */
#define MACHINE OTHER_SERVER
	ROW(FROM_NOTHING, BEGIN, TRYING, "", SAW_REQUEST, SIP_OPTIONS, 0, NEVER, "request to TU"),
	ROW(TXN_TRYING, GOT_REQUEST, TRYING, "", NOBODY, 0, 0, NEVER, "absorbed"),
	ROW(TXN_TRYING, USER_1XX, PROCEEDING, "SIP/2.0 180 ", NOBODY, 0, 0, NEVER,
		"1xx from TU: sent"),
	ROW(TXN_TRYING, USER_2XX, COMPLETED, "SIP/2.0 200 ", NOBODY, 0, 0, 64 * T1,
		"200-699 from TU: sent; J"),
	ROW(TXN_TRYING, USER_FAILURE, COMPLETED, "SIP/2.0 486 ", NOBODY, 0, 0, 64 * T1,
		"200-699 from TU: sent; J"),
	ROW(TXN_PROCEEDING, GOT_REQUEST, PROCEEDING, "SIP/2.0 180 ", NOBODY, 0, 0, NEVER,
		"request: response sent"),
	ROW(TXN_PROCEEDING, USER_1XX, PROCEEDING, "SIP/2.0 183 ", NOBODY, 0, 0, NEVER,
		"1xx from TU: sent"),
	ROW(TXN_PROCEEDING, USER_2XX, COMPLETED, "SIP/2.0 200 ", NOBODY, 0, 0, 64 * T1,
		"200-699 from TU: sent; J"),
	ROW(TXN_PROCEEDING, USER_FAILURE, COMPLETED, "SIP/2.0 486 ", NOBODY, 0, 0, 64 * T1,
		"200-699 from TU: sent; J"),
	/* The figure ends it: ours waits for the request again (server_transaction.c). */
	FAIL(TXN_PROCEEDING, GOT_REQUEST, PROCEEDING, NOBODY, 0, NEVER, "transport error"),
	ROW(TXN_COMPLETED, GOT_REQUEST, COMPLETED, "SIP/2.0 200 ", NOBODY, 0, 0, 64 * T1 - MOMENT,
		"request: response sent"),
	FAIL(TXN_COMPLETED, GOT_REQUEST, COMPLETED, NOBODY, 0, 64 * T1 - MOMENT, "transport error"),
	ROW(TXN_COMPLETED, USER_1XX, COMPLETED, "", REFUSED, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, USER_2XX, COMPLETED, "", REFUSED, 0, 0, 64 * T1 - MOMENT, "no arrow"),
	ROW(TXN_COMPLETED, USER_FAILURE, COMPLETED, "", REFUSED, 0, 0, 64 * T1 - MOMENT,
		"no arrow"),
	ROW(TXN_COMPLETED, TIMER, TERMINATED, "", SAW_SERVER_END, 0, 64 * T1, NEVER, "J"),
#undef MACHINE
};

/* --- driving --- */

static bool is_invite(enum machine m)
{
	return m == INVITE_CLIENT || m == INVITE_SERVER;
}

static bool is_server(enum machine m)
{
	return m == INVITE_SERVER || m == OTHER_SERVER;
}

static struct request request_of(enum machine m)
{
	return (struct request){.method = is_invite(m) ? "INVITE" : "OPTIONS"};
}

/* @return what the user's response came back with; 0 of other steps. */
static int take(enum machine m, enum step step)
{
	static const struct request ack = {.method = "ACK", .to_tag = "ours"};
	static const unsigned int statuses[STEPS] = {[GOT_1XX] = 180,
		[GOT_2XX] = 200,
		[GOT_FAILURE] = 486,
		[USER_2XX] = 200,
		[USER_FAILURE] = 486};
	const struct request r = request_of(m);

	switch (step) {
	case BEGIN:
		if (is_server(m))
			world_feed(&w, &r);
		else
			assert_non_null(world_call(&w, &r));
		return 0;
	case GOT_1XX:
	case GOT_2XX:
	case GOT_FAILURE:
		world_answer(&w, 0, statuses[step], "theirs");
		return 0;
	case GOT_REQUEST:
		world_feed(&w, &r);
		return 0;
	case GOT_ACK:
		world_feed(&w, &ack);
		return 0;
	case USER_1XX:
		return server_txn_reply(w.server, w.n_sent == 0 ? 180 : 183, SV("ours"), SV(""));
	default:
		return server_txn_reply(w.server, statuses[step], SV("ours"), SV(""));
	}
}

static void reach(enum machine m, unsigned int from)
{
	static const enum step way[MACHINES][TXN_STATE_COUNT] = {
		[INVITE_CLIENT] = {[TXN_PROCEEDING] = GOT_1XX,
			[TXN_COMPLETED] = GOT_FAILURE,
			[TXN_ACCEPTED] = GOT_2XX},
		[OTHER_CLIENT] = {[TXN_PROCEEDING] = GOT_1XX, [TXN_COMPLETED] = GOT_2XX},
		[INVITE_SERVER] = {[TXN_PROCEEDING] = USER_1XX,
			[TXN_COMPLETED] = USER_FAILURE,
			[TXN_CONFIRMED] = USER_FAILURE,
			[TXN_ACCEPTED] = USER_2XX},
		[OTHER_SERVER] = {[TXN_PROCEEDING] = USER_1XX, [TXN_COMPLETED] = USER_2XX},
	};

	if (from == FROM_NOTHING)
		return;
	(void)take(m, BEGIN);
	if (from == FROM_UNANSWERED || from == TXN_TRYING)
		return;
	assert_int_equal(take(m, way[m][from]), 0);
	if (from == TXN_CONFIRMED)
		(void)take(m, GOT_ACK);
}

static enum txn_state state_of(enum machine m)
{
	enum sip_method method = is_invite(m) ? SIP_INVITE : SIP_OPTIONS;
	struct txn_census census;

	txn_layer_census(w.layer, &census);
	for (unsigned int s = 0; s < TXN_STATE_COUNT; s++)
		if (census.alive[is_server(m) ? TXN_SERVER : TXN_CLIENT][method][s] > 0)
			return s;
	return TXN_TERMINATED;
}

/* Nothing is sent or told until then, and something then; or nothing for five minutes. */
static void expect_next(uint64_t next_ms)
{
	unsigned int sent = w.n_sent, told = w.n_events;
	uint64_t from_ms = w.timers.now_ms;

	world_run(&w, from_ms + (next_ms != NEVER ? next_ms - 1 : 300000));
	assert_int_equal(w.n_sent, sent);
	assert_int_equal(w.n_events, told);
	if (next_ms == NEVER)
		return;
	world_run(&w, from_ms + next_ms);
	assert_true(w.n_sent > sent || w.n_events > told);
}

static void row_run(const struct row *r)
{
	unsigned int sent, told;
	int rc = 0;

	reach(r->machine, r->from);
	if (r->from < TXN_STATE_COUNT)
		assert_int_equal(state_of(r->machine), r->from);
	if (r->step == TIMER)
		world_run(&w, r->at_ms - 1);
	else if (r->step != TIMER_LAST && r->from != FROM_NOTHING)
		world_run(&w, MOMENT);
	sent = w.n_sent;
	told = w.n_events;
	w.send_fails = r->fails;
	if (r->step == TIMER || r->step == TIMER_LAST) {
		world_run(&w, r->at_ms);
	} else {
		rc = take(r->machine, r->step);
		world_run(&w, w.timers.now_ms);
	}
	w.send_fails = false;
	assert_int_equal(rc, r->tells == REFUSED ? -EINVAL : r->tells == SEND_ERROR ? -EIO : 0);
	assert_int_equal(state_of(r->machine), r->to);
	if (r->sends != NULL) {
		assert_int_equal(w.n_sent - sent, r->sends[0] != '\0');
		if (r->sends[0] != '\0')
			assert_memory_equal(w.sent[sent].text, r->sends, strlen(r->sends));
	}
	assert_int_equal(w.n_events - told, r->tells >= 0);
	if (r->tells >= 0)
		world_expect_event(&w, told, w.timers.now_ms, r->tells, r->value);
	expect_next(r->next_ms);
}

static void test_rows(void **state)
{
	static const char *const names[MACHINES] = {"figure 5, INVITE client",
		"figure 6, non-INVITE client", "figure 7, INVITE server",
		"figure 8, non-INVITE server"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		print_message("%s: %s --> %s%s (%s)\n", names[r->machine],
			r->from < TXN_STATE_COUNT ? txn_state_name(r->from) : "-",
			txn_state_name(r->to), r->fails ? ", sending fails" : "", r->arrow);
		world_init(&w);
		row_run(r);
		world_fini(&w);
	}
}

/* Every message and every word of the user has its row in every state. */
static void test_no_row_is_missing(void **state)
{
	static const struct {
		enum machine machine;
		unsigned int n_states;
		enum txn_state states[4];
		enum step first, last;
	} all[] = {
		{INVITE_CLIENT, 4, {TXN_TRYING, TXN_PROCEEDING, TXN_COMPLETED, TXN_ACCEPTED},
			GOT_1XX, GOT_FAILURE},
		{OTHER_CLIENT, 3, {TXN_TRYING, TXN_PROCEEDING, TXN_COMPLETED}, GOT_1XX,
			GOT_FAILURE},
		{INVITE_SERVER, 4, {TXN_PROCEEDING, TXN_COMPLETED, TXN_CONFIRMED, TXN_ACCEPTED},
			GOT_REQUEST, USER_FAILURE},
		{OTHER_SERVER, 3, {TXN_TRYING, TXN_PROCEEDING, TXN_COMPLETED}, GOT_REQUEST,
			USER_FAILURE},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (unsigned int s = 0; s < all[i].n_states; s++)
			for (enum step e = all[i].first; e <= all[i].last; e++) {
				unsigned int n = 0;

				for (size_t k = 0; k < ARRAY_LEN(rows); k++)
					n += rows[k].machine == all[i].machine && !rows[k].fails &&
					     rows[k].from == all[i].states[s] && rows[k].step == e;
				/* No ACK is of a transaction that is no INVITE's. */
				if (n != (all[i].machine != OTHER_SERVER || e != GOT_ACK))
					fail_msg("machine %zu, state %u, step %u: %u rows", i,
						all[i].states[s], e, n);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_row_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
