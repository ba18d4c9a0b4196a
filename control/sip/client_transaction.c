/*
 * Client transactions: RFC 3261 sections 17.1.1 and 17.1.2 with the Accepted state
 * of RFC 6026, as tables [state][event].
 *
 * A first send that fails ends the transaction. A retransmission or an ACK that fails is only
 * counted: over the ring a failure passes (it was full), and the next one follows soon.
 */
#include <errno.h>

#include "txn_priv.h"

enum client_event {
	EVENT_1XX,
	EVENT_2XX,
	EVENT_FAILURE,	  /* 300-699 */
	EVENT_RETRANSMIT, /* timers A, E */
	CLIENT_EVENT_COUNT
};

/* `resp` is NULL in EVENT_RETRANSMIT. @return true if the user shall see the response. */
typedef bool (*client_action_fn)(struct client_txn *t, const struct sip_msg *resp);

static const client_action_fn invite_table[CLIENT_STATE_COUNT][CLIENT_EVENT_COUNT];
static const client_action_fn other_table[CLIENT_STATE_COUNT][CLIENT_EVENT_COUNT];

static client_action_fn action(const struct client_txn *t, enum client_event event)
{
	return (t->invite ? invite_table : other_table)[t->state][event];
}

static void set_state(struct client_txn *t, enum client_state state)
{
	txn_count_state(t->layer, TXN_CLIENT, t->method, t->state, state);
	t->state = (uint8_t)state;
}

static void on_end(void *ctx)
{
	struct client_txn *t = ctx;

	set_state(t, CLIENT_TERMINATED);
	if (t->end_error == -ETIMEDOUT)
		t->layer->stats.timeouts++;
	if (!t->detached && t->user.on_end != NULL)
		t->user.on_end(t->user.ctx, t, t->end_error);
	client_txn_free(t);
}

static void on_retransmit(void *ctx)
{
	struct client_txn *t = ctx;
	client_action_fn fn = action(t, EVENT_RETRANSMIT);

	if (fn != NULL)
		(void)fn(t, NULL);
}

static void arm_end(struct client_txn *t, uint64_t after_ms, int error)
{
	t->end_error = error;
	timer_arm(t->layer->timers, &t->end, after_ms, on_end, t);
}

static void arm_retransmit(struct client_txn *t, uint64_t after_ms)
{
	t->interval_ms = after_ms;
	timer_arm(t->layer->timers, &t->retransmit, after_ms, on_retransmit, t);
}

static int send_request(struct client_txn *t)
{
	return txn_send(t->layer, t->request, &t->request->path,
		(struct str_view){t->request->buf, t->request->len});
}

/** Final response: nothing is sent again, and `end` only absorbs what still comes. */
static void finish(struct client_txn *t, enum client_state state, uint64_t linger_ms)
{
	set_state(t, state);
	timer_cancel(t->layer->timers, &t->retransmit);
	arm_end(t, linger_ms, 0);
}

static void send_ack(struct client_txn *t, const struct sip_msg *resp)
{
	struct str_view ack = client_ack_build(t->layer, t->request, resp);

	if (ack.p != NULL)
		(void)txn_send(t->layer, t->request, &t->request->path, ack);
}

/** CANCEL is a transaction of its own that nobody listens to (section 9.1). */
static void send_cancel(struct client_txn *t)
{
	static const struct client_txn_user nobody;
	struct str_view cancel = client_cancel_build(t->layer, t->request);

	if (cancel.p != NULL)
		(void)client_txn_new(t->layer, &t->request->path, cancel, &nobody);
	/* Section 9.1: no final answer in 64*T1 after the CANCEL is none at all. */
	arm_end(t, TXN_TIMEOUT_MS, -ETIMEDOUT);
}

/* --- INVITE --- */

static bool invite_timer_a(struct client_txn *t, const struct sip_msg *none)
{
	t->layer->stats.retransmits_out++;
	arm_retransmit(t, 2 * t->interval_ms);
	(void)send_request(t);
	return false;
}

static bool invite_proceed(struct client_txn *t, const struct sip_msg *resp)
{
	set_state(t, CLIENT_PROCEEDING);
	timer_cancel(t->layer->timers, &t->retransmit);
	timer_cancel(t->layer->timers, &t->end);
	if (t->cancel)
		send_cancel(t);
	return true;
}

/** Nothing of the request is sent, or acknowledged, any more. */
static void request_drop(struct client_txn *t)
{
	sip_msg_put(t->request);
	t->request = NULL;
}

static bool invite_accepted(struct client_txn *t, const struct sip_msg *resp)
{
	finish(t, CLIENT_ACCEPTED, TXN_TIMEOUT_MS); /* timer M */
	request_drop(t);
	return true;
}

static bool invite_failed(struct client_txn *t, const struct sip_msg *resp)
{
	send_ack(t, resp);
	finish(t, CLIENT_COMPLETED, txn_linger_ms(&t->request->path, TXN_TIMEOUT_MS)); /* timer D */
	return true;
}

static bool invite_failed_again(struct client_txn *t, const struct sip_msg *resp)
{
	t->layer->stats.retransmits_in++;
	t->layer->stats.retransmits_out++;
	send_ack(t, resp);
	return false;
}

/* --- the others --- */

static bool other_timer_e(struct client_txn *t, const struct sip_msg *none)
{
	uint64_t next = 2 * t->interval_ms;

	t->layer->stats.retransmits_out++;
	if (t->state == CLIENT_PROCEEDING || next > SIP_T2_MS)
		next = SIP_T2_MS;
	arm_retransmit(t, next);
	(void)send_request(t);
	return false;
}

static bool other_proceed(struct client_txn *t, const struct sip_msg *resp)
{
	set_state(t, CLIENT_PROCEEDING);
	return true;
}

static bool other_finished(struct client_txn *t, const struct sip_msg *resp)
{
	finish(t, CLIENT_COMPLETED, txn_linger_ms(&t->request->path, SIP_T4_MS)); /* timer K */
	request_drop(t);
	return true;
}

/* --- both --- */

static bool show(struct client_txn *t, const struct sip_msg *resp)
{
	return true;
}

static bool absorb(struct client_txn *t, const struct sip_msg *resp)
{
	t->layer->stats.retransmits_in++;
	return false;
}

static const client_action_fn invite_table[CLIENT_STATE_COUNT][CLIENT_EVENT_COUNT] = {
	[CLIENT_TRYING] =
		{
			[EVENT_1XX] = invite_proceed,
			[EVENT_2XX] = invite_accepted,
			[EVENT_FAILURE] = invite_failed,
			[EVENT_RETRANSMIT] = invite_timer_a,
		},
	[CLIENT_PROCEEDING] =
		{
			[EVENT_1XX] = show,
			[EVENT_2XX] = invite_accepted,
			[EVENT_FAILURE] = invite_failed,
		},
	[CLIENT_COMPLETED] =
		{
			[EVENT_FAILURE] = invite_failed_again,
		},
	[CLIENT_ACCEPTED] =
		{
			[EVENT_2XX] = show,
		},
};

static const client_action_fn other_table[CLIENT_STATE_COUNT][CLIENT_EVENT_COUNT] = {
	[CLIENT_TRYING] =
		{
			[EVENT_1XX] = other_proceed,
			[EVENT_2XX] = other_finished,
			[EVENT_FAILURE] = other_finished,
			[EVENT_RETRANSMIT] = other_timer_e,
		},
	[CLIENT_PROCEEDING] =
		{
			[EVENT_1XX] = show,
			[EVENT_2XX] = other_finished,
			[EVENT_FAILURE] = other_finished,
			[EVENT_RETRANSMIT] = other_timer_e,
		},
	[CLIENT_COMPLETED] =
		{
			[EVENT_2XX] = absorb,
			[EVENT_FAILURE] = absorb,
		},
};

/* --- for the layer --- */

struct client_txn *client_txn_find(struct txn_layer *l, const struct txn_key *key)
{
	static_assert(offsetof(struct client_txn, key) == 0, "its key is where it is");
	return (struct client_txn *)txn_table_find(&l->client_table, key);
}

/* RFC 7339: what the server of our own request says; nobody else brings its branch back. */
static void hear_oc(const struct client_txn *t, const struct sip_msg *resp)
{
	const struct txn_user *user = &t->layer->user;
	struct sip_oc oc;

	if (user->on_oc != NULL && t->request != NULL && sip_oc_read(resp, &oc) &&
		sip_oc_is_offered(t->request))
		user->on_oc(user->ctx, &t->request->path, &oc);
}

bool client_txn_responded(struct client_txn *t, struct sip_msg *resp)
{
	unsigned int status = resp->idx.status;
	client_action_fn fn;

	hear_oc(t, resp);
	fn = action(t, status < 200 ? EVENT_1XX : status < 300 ? EVENT_2XX : EVENT_FAILURE);
	if (fn == NULL) {
		t->layer->stats.ignored++;
		return true;
	}
	if (!fn(t, resp))
		return true;
	/* A call that is answered after its owner left must be ended by somebody. */
	if (t->detached && t->state == CLIENT_ACCEPTED)
		return false;
	if (!t->detached && t->user.on_response != NULL)
		t->user.on_response(t->user.ctx, t, resp);
	return true;
}

void client_txn_free(struct client_txn *t)
{
	struct txn_layer *l = t->layer;

	timer_cancel(l->timers, &t->retransmit);
	timer_cancel(l->timers, &t->end);
	if (t->in_table)
		txn_table_del(&l->client_table, &t->key);
	DL_DELETE(l->clients, t);
	l->stats.clients--;
	txn_count_state(l, TXN_CLIENT, t->method, t->state, TXN_STATE_COUNT);
	sip_msg_put(t->request);
	free(t);
}

/* --- for the user --- */

struct client_txn *client_txn_new(struct txn_layer *l, const struct sip_path *path,
	struct str_view request, const struct client_txn_user *user)
{
	struct sip_index idx;
	struct client_txn *t;

	if (l->stats.clients - l->lingering[TXN_CLIENT] >= l->max ||
		l->lingering[TXN_CLIENT] >= l->linger_max ||
		sip_scan(request.p, request.len, &idx) != SIP_SCAN_NONE || idx.status != 0 ||
		idx.method == SIP_ACK)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	l->stats.clients++;
	DL_APPEND(l->clients, t);
	t->layer = l;
	t->method = idx.method;
	txn_count_state(l, TXN_CLIENT, t->method, TXN_STATE_COUNT, t->state);
	t->user = *user;
	t->invite = idx.method == SIP_INVITE;
	t->request = sip_msg_new(path, &idx, request.p, idx.msg_len);
	if (t->request == NULL || txn_key_client(&l->secret, t->request, &t->key) != 0 ||
		client_txn_find(l, &t->key) != NULL ||
		txn_table_add(&l->client_table, &t->key) != 0)
		goto fail;
	t->in_table = true;
	t->request->rx_ms = t->since_ms = l->timers->now_ms;
	l->stats.requests_out++;
	arm_end(t, TXN_TIMEOUT_MS, -ETIMEDOUT); /* timers B, F */
	if (send_request(t) != 0) {
		set_state(t, CLIENT_TERMINATED);
		arm_end(t, 0, -EIO);
	} else if (!txn_reliable(path)) {
		arm_retransmit(t, SIP_T1_MS); /* timers A, E */
	}
	return t;
fail:
	client_txn_free(t);
	return NULL;
}

int client_txn_cancel(struct client_txn *t)
{
	if (!t->invite || (t->state != CLIENT_TRYING && t->state != CLIENT_PROCEEDING))
		return -EINVAL;
	if (!t->cancel && t->state == CLIENT_PROCEEDING)
		send_cancel(t);
	t->cancel = true;
	return 0;
}

void client_txn_detach(struct client_txn *t)
{
	if (t->detached)
		return;
	t->detached = true;
	/* An INVITE that rings has no timer of its own. */
	(void)client_txn_cancel(t);
}
