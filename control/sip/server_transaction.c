/*
 * Server transactions: RFC 3261 sections 17.2.1 and 17.2.2 with the Accepted state
 * of RFC 6026, as tables [state][event].
 *
 * A failed send does not end a server transaction. RFC 6026 section 7.1 wants that for INVITE;
 * for the others it is ours: over the ring a failure passes (it was full), and the next
 * retransmission of the request brings the answer again instead of a second transaction.
 */
#include <errno.h>

#include "answer_size.h"
#include "txn_priv.h"

enum server_event {
	EVENT_REQUEST, /* the same request again */
	EVENT_ACK,
	EVENT_1XX, /* from the user */
	EVENT_2XX,
	EVENT_FAILURE,	  /* 300-699 */
	EVENT_RETRANSMIT, /* timer G, or 200 ms without a response to an INVITE */
	SERVER_EVENT_COUNT
};

/* @return what server_txn_respond() returns. */
typedef int (*server_action_fn)(struct server_txn *t, struct str_view response);

static void set_state(struct server_txn *t, enum server_state state)
{
	txn_count_state(t->layer, TXN_SERVER, t->method, t->state, state);
	t->state = (uint8_t)state;
}

static void on_end(void *ctx)
{
	struct server_txn *t = ctx;
	int error = t->timed_out ? -ETIMEDOUT : t->send_error;

	set_state(t, SERVER_TERMINATED);
	if (t->timed_out)
		t->layer->stats.timeouts++;
	if (!t->detached && t->layer->user.on_server_end != NULL)
		t->layer->user.on_server_end(t->layer->user.ctx, t, error);
	server_txn_free(t);
}

static void handle(struct server_txn *t, enum server_event event);

static void on_retransmit(void *ctx)
{
	handle(ctx, EVENT_RETRANSMIT);
}

static void arm_end(struct server_txn *t, uint64_t after_ms, bool is_timeout)
{
	t->timed_out = is_timeout;
	timer_cancel(t->layer->timers, &t->retransmit);
	timer_arm(t->layer->timers, &t->end, after_ms, on_end, t);
}

static void arm_retransmit(struct server_txn *t, uint64_t after_ms)
{
	timer_arm(t->layer->timers, &t->retransmit, after_ms, on_retransmit, t);
}

/** @return 100..699, or 0 if it is no response. */
static unsigned int status_of(struct str_view response);

/* What a call is of no use without: its ringing, its answer, and a challenge (section 22). */
static bool may_be_larger(unsigned int status)
{
	return (status > 100 && status < 300) || status == 401 || status == 407;
}

/* How many bytes may go to this source now. */
static size_t room(const struct server_txn *t, unsigned int status)
{
	if (!t->unproven || (t->passed_on && may_be_larger(status)))
		return SIZE_MAX;
	if (t->passed_on)
		return t->request_len;
	return t->bytes_in > t->bytes_out ? t->bytes_in - t->bytes_out : 0;
}

/* The form of it that may be sent now, or at least for a retransmission; p NULL: none. */
static struct str_view fit(struct server_txn *t, struct str_view response)
{
	struct txn_layer *l = t->layer;
	size_t limit = room(t, status_of(response));
	struct str_view form;

	if (limit == SIZE_MAX)
		return response;
	form = sip_answer_fit(response, limit, l->reduced, sizeof(l->reduced) - 1);
	if (form.p == NULL)
		form = sip_answer_fit(response, t->request_len, l->reduced, sizeof(l->reduced) - 1);
	l->stats.answers_reduced += form.p == l->reduced;
	return form;
}

static int send_response(struct server_txn *t, struct str_view response)
{
	if (response.p == NULL || response.len > room(t, status_of(response))) {
		t->layer->stats.answers_withheld++;
		return 0;
	}
	t->bytes_out += response.len;
	t->refusal_bytes += status_of(response) >= 300 ? response.len : 0;
	t->send_error = txn_send(t->layer, t->request, &t->path, response);
	return t->send_error;
}

/* --- actions --- */

static int repeat_response(struct server_txn *t, struct str_view none)
{
	if (t->response == NULL)
		return 0;
	t->layer->stats.retransmits_out++;
	return send_response(t, (struct str_view){t->response, t->response_len});
}

/*
 * Keep a copy and send. Without memory for the copy the response still goes out, once: the
 * transaction must not hang because of it.
 */
static int first_response(struct server_txn *t, struct str_view response)
{
	char *copy;

	response = fit(t, response);
	copy = response.p != NULL ? malloc(response.len) : NULL;
	if (copy != NULL)
		memcpy(copy, response.p, response.len);
	free(t->response);
	t->response = copy;
	t->response_len = copy != NULL ? response.len : 0;
	timer_cancel(t->layer->timers, &t->retransmit);
	t->layer->stats.responses_out += response.p != NULL;
	return send_response(t, response);
}

/* How long a final answer is kept: timers H, J. */
static uint64_t keep_ms(const struct server_txn *t, struct str_view response)
{
	bool harmless = status_of(response) >= 300 || t->method == SIP_OPTIONS;

	return t->unproven && !t->passed_on && harmless ? TXN_UNPROVEN_MS : TXN_TIMEOUT_MS;
}

static int provisional(struct server_txn *t, struct str_view response)
{
	set_state(t, SERVER_PROCEEDING);
	return first_response(t, response);
}

/* Retransmissions of it bring along what its answer is sent by. Its user may still read it. */
static void request_forget_soon(struct server_txn *t)
{
	t->next_answered = t->layer->answered;
	t->layer->answered = t;
}

static int final(struct server_txn *t, struct str_view response)
{
	int rc;

	txn_answered(t->layer, t->request, status_of(response));
	set_state(t, SERVER_COMPLETED);
	rc = first_response(t, response);
	/* timer J */
	arm_end(t, txn_linger_ms(&t->path, keep_ms(t, response)), false);
	request_forget_soon(t);
	return rc;
}

static int invite_accept(struct server_txn *t, struct str_view response)
{
	int rc;

	txn_answered(t->layer, t->request, status_of(response));
	set_state(t, SERVER_ACCEPTED);
	rc = first_response(t, response);
	arm_end(t, TXN_TIMEOUT_MS, false); /* timer L */
	return rc;
}

static int invite_accept_again(struct server_txn *t, struct str_view response)
{
	t->layer->stats.retransmits_out++;
	return send_response(t, response);
}

static int invite_fail(struct server_txn *t, struct str_view response)
{
	int rc;

	txn_answered(t->layer, t->request, status_of(response));
	set_state(t, SERVER_COMPLETED);
	rc = first_response(t, response);
	/* Timer H; nobody owes an ACK for what may have gone to a stranger. */
	arm_end(t, keep_ms(t, response), !t->unproven);
	t->interval_ms = SIP_T1_MS;
	/* Timer G. Who heard 100 or 18x does not send its INVITE again. */
	if (!txn_reliable(&t->path) && (!t->unproven || t->passed_on))
		arm_retransmit(t, t->interval_ms);
	return rc;
}

/* To a source that may be forged: while all its refusals are no more than it sent. */
static int invite_timer_g(struct server_txn *t, struct str_view none)
{
	if (t->unproven && t->refusal_bytes + t->response_len > t->bytes_in)
		return 0;
	t->interval_ms = 2 * t->interval_ms < SIP_T2_MS ? 2 * t->interval_ms : SIP_T2_MS;
	arm_retransmit(t, t->interval_ms);
	return repeat_response(t, none);
}

static int invite_trying(struct server_txn *t, struct str_view none)
{
	return server_txn_reply(t, 100, none, none);
}

static int invite_confirm(struct server_txn *t, struct str_view none)
{
	set_state(t, SERVER_CONFIRMED);
	/* The response arrived, whatever its last sending said. */
	t->send_error = 0;
	arm_end(t, txn_linger_ms(&t->path, SIP_T4_MS), false); /* timer I */
	return 0;
}

static int absorb(struct server_txn *t, struct str_view none)
{
	return 0;
}

/* NULL: not allowed; a response is refused with -EINVAL, anything else is ignored. */
static const server_action_fn invite_table[SERVER_STATE_COUNT][SERVER_EVENT_COUNT] = {
	[SERVER_PROCEEDING] =
		{
			[EVENT_REQUEST] = repeat_response,
			[EVENT_1XX] = provisional,
			[EVENT_2XX] = invite_accept,
			[EVENT_FAILURE] = invite_fail,
			[EVENT_RETRANSMIT] = invite_trying,
		},
	[SERVER_COMPLETED] =
		{
			[EVENT_REQUEST] = repeat_response,
			[EVENT_ACK] = invite_confirm,
			[EVENT_RETRANSMIT] = invite_timer_g,
		},
	[SERVER_CONFIRMED] =
		{
			[EVENT_REQUEST] = absorb,
			[EVENT_ACK] = absorb,
		},
	[SERVER_ACCEPTED] =
		{
			[EVENT_REQUEST] = absorb,
			[EVENT_2XX] = invite_accept_again,
		},
};

static const server_action_fn other_table[SERVER_STATE_COUNT][SERVER_EVENT_COUNT] = {
	[SERVER_TRYING] =
		{
			[EVENT_REQUEST] = absorb,
			[EVENT_1XX] = provisional,
			[EVENT_2XX] = final,
			[EVENT_FAILURE] = final,
		},
	[SERVER_PROCEEDING] =
		{
			[EVENT_REQUEST] = repeat_response,
			[EVENT_1XX] = provisional,
			[EVENT_2XX] = final,
			[EVENT_FAILURE] = final,
		},
	[SERVER_COMPLETED] =
		{
			[EVENT_REQUEST] = repeat_response,
		},
};

static server_action_fn action(const struct server_txn *t, enum server_event event)
{
	return (t->invite ? invite_table : other_table)[t->state][event];
}

static void handle(struct server_txn *t, enum server_event event)
{
	server_action_fn fn = action(t, event);

	if (fn != NULL)
		(void)fn(t, (struct str_view){NULL, 0});
}

/* --- for the layer --- */

struct server_txn *server_txn_find(struct txn_layer *l, const struct txn_key *key)
{
	static_assert(offsetof(struct server_txn, key) == 0, "its key is where it is");
	return (struct server_txn *)txn_table_find(&l->server_table, key);
}

bool server_txn_is_merged(struct txn_layer *l, const struct txn_key *merge_key)
{
	return txn_table_find(&l->merges, merge_key) != NULL;
}

struct server_txn *server_txn_new(struct txn_layer *l, struct sip_msg *req,
	const struct txn_key *key, const struct txn_key *merge_key, bool internal)
{
	struct server_txn *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->layer = l;
	t->key = *key;
	t->request = sip_msg_get(req);
	t->since_ms = l->timers->now_ms;
	t->path = sip_response_path(req);
	t->unproven = req->unproven;
	t->request_len = t->bytes_in = req->len;
	t->method = req->idx.method;
	t->invite = req->idx.method == SIP_INVITE;
	t->state = t->invite ? SERVER_PROCEEDING : SERVER_TRYING;
	txn_count_state(l, TXN_SERVER, t->method, TXN_STATE_COUNT, t->state);
	t->detached = internal;
	l->stats.servers++;
	DL_APPEND(l->servers, t);
	t->in_table = txn_table_add(&l->server_table, &t->key) == 0;
	if (merge_key != NULL) {
		t->merge_key = *merge_key;
		t->in_merges = txn_table_add(&l->merges, &t->merge_key) == 0;
	}
	if (!t->in_table || t->in_merges != (merge_key != NULL)) {
		server_txn_free(t);
		return NULL;
	}
	if (t->invite)
		arm_retransmit(t, TXN_TRYING_MS);
	return t;
}

void server_txn_free(struct server_txn *t)
{
	struct txn_layer *l = t->layer;

	server_txns_forget_requests(l);
	timer_cancel(l->timers, &t->retransmit);
	timer_cancel(l->timers, &t->end);
	if (t->in_table)
		txn_table_del(&l->server_table, &t->key);
	if (t->in_merges)
		txn_table_del(&l->merges, &t->merge_key);
	DL_DELETE(l->servers, t);
	l->stats.servers--;
	txn_count_state(l, TXN_SERVER, t->method, t->state, TXN_STATE_COUNT);
	sip_msg_put(t->request);
	free(t->response);
	free(t);
}

void server_txn_retransmitted(struct server_txn *t, struct sip_msg *req)
{
	bool forgotten = t->request == NULL;

	t->bytes_in += req->len;
	t->layer->stats.retransmits_in++;
	if (forgotten) /* this one is as good */
		t->request = req;
	handle(t, EVENT_REQUEST);
	if (forgotten)
		t->request = NULL;
}

void server_txns_forget_requests(struct txn_layer *l)
{
	while (l->answered != NULL) {
		struct server_txn *t = l->answered;

		l->answered = t->next_answered;
		sip_msg_put(t->request);
		t->request = NULL;
	}
}

static void refusal_acked(struct server_txn *t, const struct sip_msg *ack)
{
	const struct txn_user *user = &t->layer->user;
	const struct sip_path *from = &ack->path;

	if (user->on_refusal_acked != NULL && t->state == SERVER_COMPLETED && t->response != NULL &&
		!t->request->idx.has_to_tag &&
		net_endpoint_eq(&from->remote, &t->request->path.remote) &&
		lane_token_check(
			user->lane, &from->remote.addr, sip_msg_view(ack, ack->idx.to_tag), NULL))
		user->on_refusal_acked(user->ctx, t->request,
			status_of((struct str_view){t->response, t->response_len}));
}

bool server_txn_acknowledged(struct server_txn *t, const struct sip_msg *ack)
{
	struct str_view tag;

	/* In Accepted the ACK is the user's (RFC 6026 section 7.1). */
	if (t->state == SERVER_ACCEPTED)
		return false;
	if (action(t, EVENT_ACK) == NULL) {
		t->layer->stats.ignored++;
		return true;
	}
	tag = server_txn_to_tag(t);
	/* Without a unique branch the To tag tells which answer is meant (section 17.2.3). */
	if (!txn_branch_is_unique(sip_msg_view(ack, ack->idx.branch)) && tag.len != 0 &&
		!sv_eq(tag, sip_msg_view(ack, ack->idx.to_tag)))
		return false;
	if (t->state == SERVER_CONFIRMED)
		t->layer->stats.retransmits_in++;
	refusal_acked(t, ack);
	handle(t, EVENT_ACK);
	return true;
}

struct str_view server_txn_to_tag(const struct server_txn *t)
{
	struct sip_index idx;

	if (t->response == NULL || sip_scan(t->response, t->response_len, &idx) != SIP_SCAN_NONE)
		return (struct str_view){NULL, 0};
	return sip_span_view(t->response, idx.to_tag);
}

/* --- for the user --- */

struct sip_msg *server_txn_request(const struct server_txn *t)
{
	return t->request;
}

void server_txn_passed_on(struct server_txn *t)
{
	t->passed_on = true;
}

void server_txn_set_data(struct server_txn *t, void *data)
{
	t->data = data;
}

void *server_txn_data(const struct server_txn *t)
{
	return t->data;
}

static unsigned int status_of(struct str_view response)
{
	static const char version[] = "SIP/2.0 ";
	const char *digit = response.p + sizeof(version) - 1;
	unsigned int status = 0;

	if (response.len < sizeof(version) + 3 ||
		memcmp(response.p, version, sizeof(version) - 1) != 0)
		return 0;
	for (unsigned int i = 0; i < 3; i++) {
		if (digit[i] < '0' || digit[i] > '9')
			return 0;
		status = 10 * status + (unsigned int)(digit[i] - '0');
	}
	return status >= 100 && status <= 699 ? status : 0;
}

int server_txn_respond(struct server_txn *t, struct str_view response)
{
	unsigned int status = status_of(response);
	server_action_fn fn;

	if (status == 0)
		return -EINVAL;
	fn = action(t, status < 200 ? EVENT_1XX : status < 300 ? EVENT_2XX : EVENT_FAILURE);
	return fn != NULL ? fn(t, response) : -EINVAL;
}

int server_txn_repeat(struct server_txn *t, struct str_view response, unsigned int n)
{
	if (!t->unproven || n < TXN_UNPROVEN_REPEATS)
		return server_txn_respond(t, response);
	t->layer->stats.answers_withheld++;
	return 0;
}

int server_txn_reply(
	struct server_txn *t, unsigned int status, struct str_view to_tag, struct str_view extra)
{
	struct txn_layer *l = t->layer;
	struct sip_writer w;
	int len;

	if (t->request == NULL) /* it has its final answer */
		return -EINVAL;
	sip_writer_init(&w, l->scratch, sizeof(l->scratch) - 1);
	sip_response_start(&w, t->request, status, NULL, to_tag);
	sip_write_raw(&w, extra);
	sip_write_body(&w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
	len = sip_writer_finish(&w);
	if (len < 0)
		return -EINVAL;
	return server_txn_respond(t, (struct str_view){l->scratch, (size_t)len});
}

void server_txn_detach(struct server_txn *t)
{
	char tag[TXN_TAG_LEN + 1];

	if (t->detached)
		return;
	t->detached = true;
	t->data = NULL;
	if (t->state == SERVER_ACCEPTED) {
		/* Who could repeat the answer is gone; it only absorbs the INVITE now. */
		sip_msg_put(t->request);
		free(t->response);
		t->request = NULL;
		t->response = NULL;
		return;
	}
	if (action(t, EVENT_FAILURE) == NULL)
		return;
	/* Nobody is left to answer it. */
	if (server_txn_reply(t, 500, txn_answer_tag(t->layer, t->request, tag),
		    (struct str_view){NULL, 0}) == -EINVAL)
		arm_end(t, 0, false);
}
