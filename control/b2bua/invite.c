/* The INVITE that makes a call, up to its final answer. */
#include <errno.h>

#include "b2bua_priv.h"
#include "replaces.h"

static const struct str_view nothing;

/* --- request --- */

static unsigned int make_caller(struct call *c, const struct sip_msg *req)
{
	struct b2bua *b = c->b;
	uint16_t realm = req->path.realm;
	int peer = route_peer_find(b->env.config, realm, &req->path.remote);
	int rc;

	if (leg_init(&c->leg[SIDE_CALLER], c, SIDE_CALLER, realm, peer, &req->path.remote.addr) !=
		0)
		return 500;
	rc = dialog_from_request(c->leg[SIDE_CALLER].dialog, req);
	return rc == 0 ? 0 : rc == -ENOMEM ? 500 : 400;
}

static unsigned int make_callee(struct call *c, const struct config_route *route)
{
	struct b2bua *b = c->b;
	const struct config_peer *peer = &b->env.config->peers[route->to_peer];
	struct leg *l = &c->leg[SIDE_CALLEE];
	const struct net_endpoint *local = b2bua_listener(b, peer->realm, peer->remote.addr.family);

	if (local == NULL ||
		leg_init(l, c, SIDE_CALLEE, peer->realm, route->to_peer, &peer->remote.addr) != 0 ||
		b2bua_call_id(b, &l->dialog->call_id) != 0)
		return 500;
	l->dialog->path.local = *local;
	l->dialog->path.remote = l->dialog->source = peer->remote;
	return 0;
}

/* A peer's policy is its realm's where it has none of its own. */
static const struct config_policy *policy_of(const struct config *config, const struct dialog *d)
{
	return d->peer != ROUTE_PEER_NONE ? config->peers[d->peer].policy
					  : config->realms[d->realm].policy;
}

static unsigned int make_fork(struct call *c)
{
	c->fork = fork_new(c, c->leg[SIDE_CALLER].dialog, c->leg[SIDE_CALLEE].dialog);
	c->media_fork = c->fork;
	return c->fork != NULL ? 0 : 500;
}

static unsigned int make_media(struct call *c)
{
	struct media_side sides[SIDE_COUNT];

	for (unsigned int side = 0; side < SIDE_COUNT; side++) {
		const struct dialog *d = c->leg[side].dialog;

		sides[side] = (struct media_side){
			.realm = d->realm,
			.family = d->path.local.addr.family,
			.policy = policy_of(c->b->env.config, d),
		};
	}
	c->media = media_session_new(c->b->env.media, c->id, sides);
	return c->media != NULL ? 0 : 500;
}

static void on_no_answer(void *ctx)
{
	call_end(ctx, CAUSE_NO_ANSWER, 408, ENDED_BY_BOX);
}

void invite_ring(struct call *c)
{
	struct b2bua *b = c->b;
	uint32_t ring_s = b->env.config->peers[c->leg[SIDE_CALLEE].dialog->peer].no_answer_s;

	if (ring_s != 0)
		timer_arm(b->env.timers, &c->timer, (uint64_t)ring_s * 1000, on_no_answer, c);
}

/*
 * An INVITE of ours that comes back from where its call came, for the same user (section 16.3,
 * RFC 5393): a proxy leaves From tag and Call-ID as they were. That it comes back from the other
 * side is no loop: so the core calls a phone of the access side.
 */
static bool is_loop(const struct b2bua *b, const struct sip_msg *req, struct str_view user)
{
	const struct dialog *d = dialog_find_tag(b, sip_msg_view(req, req->idx.from_tag));
	const struct call *c = d != NULL && d->leg != NULL ? d->leg->call : NULL;
	struct sip_uri uri;

	return c != NULL && sv_is(sip_msg_view(req, req->idx.call_id), d->call_id) &&
	       c->leg[SIDE_CALLER].dialog->realm == req->path.realm &&
	       sip_uri_parse((struct str_view){c->to, strlen(c->to)}, &uri) == 0 &&
	       sv_eq(uri.user, user);
}

/* The caller of an INVITE. @return 0 or the status that we owe. */
static unsigned int take_caller(struct call *c, const struct sip_msg *req)
{
	unsigned int status = make_caller(c, req);

	if (status != 0)
		return status;
	session_note_methods(&c->leg[SIDE_CALLER], req);
	return session_is_too_short(&c->leg[SIDE_CALLER], req) ? 422 : 0;
}

/* Everything else that can be refused before the callee hears of it. @return likewise. */
static unsigned int call_setup(struct call *c, struct sip_msg *req, int from_peer)
{
	struct b2bua *b = c->b;
	const struct config_route *route;
	struct sip_uri uri;
	unsigned int status;

	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) != 0)
		return 400;
	if (req->idx.uri.len > DIALOG_TEXT_MAX)
		return 414;
	/* Section 26.2.2: TLS on every hop, or not at all; and all is UDP here. */
	if (uri.scheme == SIP_SCHEME_SIPS)
		return 416;
	if (is_loop(b, req, uri.user))
		return 482;
	if (!headers_may_spread(req))
		return 440;
	c->emergency = route_is_emergency(b->env.config, req->path.realm, &req->path.remote,
		sip_msg_view(req, req->idx.uri), uri.user);
	route = c->route = admit_route(b, req, from_peer, uri.user, &status);
	if (route == NULL)
		return status;
	status = make_callee(c, route);
	if (status == 0)
		status = make_fork(c);
	if (status == 0)
		status = identity_map(c, req);
	if (status != 0)
		return status;
	if (!call_admit(c))
		return 503;
	return make_media(c);
}

/* It never was a call. */
static void discard(struct call *c)
{
	c->b->stats.calls_refused++;
	if (c->media != NULL)
		(void)media_session_end(c->media); /* no streams yet: frees it */
	call_free(c);
}

static void refuse(struct call *c, struct server_txn *txn, unsigned int status)
{
	struct b2bua *b = c->b;

	server_txn_set_data(txn, NULL);
	if (status == 422)
		session_refuse(&c->leg[SIDE_CALLER], txn);
	else
		b2bua_reply(b, txn, status);
	c->ex.server = NULL;
	discard(c);
}

/* The call that it replaces or joins is where it goes, or it is not this INVITE's. */
static unsigned int take_replaces(
	struct call *c, const struct sip_msg *req, const struct replaces *q)
{
	bool join = sip_msg_header(req, SIP_HDR_REPLACES, 0).p == NULL;
	char line[REPLACES_VALUE_MAX + 16];
	int n = snprintf(line, sizeof(line), "%s: %s\r\n", join ? "Join" : "Replaces", q->value);

	if (c->leg[SIDE_CALLEE].dialog->realm != q->far_realm)
		return 481;
	return b2bua_str_set(&c->replaces, (struct str_view){line, (size_t)n}) == 0 ? 0 : 500;
}

/* With a caller: on to the callee. @param txn  NULL: see exchange_start(). @return 0 or the status.
 */
static unsigned int go(struct call *c, struct server_txn *txn, struct sip_msg *req, int from_peer,
	const struct replaces *q)
{
	unsigned int status;

	c->by_realm = req->path.realm;
	c->by_peer = from_peer;
	status = call_setup(c, req, from_peer);
	if (status == 0 && !parts_pass(b2bua_realm(c->b, c->leg[SIDE_CALLEE].dialog->realm), req))
		status = 415;
	if (status == 0 && q != NULL)
		status = take_replaces(c, req, q);
	if (status != 0)
		return status;
	exchange_start(c, &c->leg[SIDE_CALLER], txn, req);
	c->ex.initial = true;
	status = exchange_send(c, req);
	if (status != 0)
		return status;
	call_count(c);
	invite_ring(c);
	return 0;
}

/* @param q  the dialog that it names, or NULL. */
static void start(
	struct b2bua *b, struct server_txn *txn, struct sip_msg *req, const struct replaces *q)
{
	struct call *c;
	struct str_view sdp;
	unsigned int status;

	if (b->draining) {
		b->stats.calls_refused++;
		b2bua_reply(b, txn, 503);
		return;
	}
	if (headers_body(req, &sdp) == BODY_OTHER) {
		b2bua_reply(b, txn, 415);
		return;
	}
	if (!headers_accept_sdp(req)) {
		b2bua_reply(b, txn, 406);
		return;
	}
	c = call_new(b);
	if (c == NULL) {
		b2bua_reply(b, txn, 503);
		return;
	}
	call_trace_begin(c, req);
	status = take_caller(c, req);
	if (status == 0)
		status = go(c, txn, req, c->leg[SIDE_CALLER].dialog->peer, q);
	if (status != 0)
		refuse(c, txn, status);
}

/* The other party's side of a call of the box's: who and where it is, by a tag that nobody knows.
 */
static unsigned int take_stand_in(struct call *c, const struct dialog *party)
{
	struct leg *l = &c->leg[SIDE_CALLER];
	struct dialog *d = dialog_clone(party, true);

	if (d == NULL)
		return 500;
	free(d->remote_tag);
	d->remote_tag = NULL;
	d->leg = l;
	*l = (struct leg){.call = c, .side = SIDE_CALLER, .state = LEG_EARLY, .dialog = d};
	return 0;
}

unsigned int invite_place(struct b2bua *b, struct sip_msg *req, int from_peer,
	const struct dialog *party, const struct replaces *q, struct call **out)
{
	struct call *c = b->draining ? NULL : call_new(b);
	unsigned int status;

	if (c == NULL)
		return 503;
	call_trace_begin(c, NULL);
	status = take_stand_in(c, party);
	if (status == 0)
		status = go(c, NULL, req, from_peer, q);
	if (status != 0)
		discard(c);
	else
		*out = c;
	return status;
}

static void on_found(struct b2bua *b, struct server_txn *txn, const struct replaces *q)
{
	if (q->status == 0)
		start(b, txn, server_txn_request(txn), q);
	else
		b2bua_reply(b, txn, q->status);
}

void invite_begin(struct b2bua *b, struct server_txn *txn, struct sip_msg *req)
{
	struct str_view value = sip_msg_header(req, SIP_HDR_REPLACES, 0);
	struct str_view join = sip_header_find_name(req->buf, &req->idx, SV("Join"), 0);
	struct replaces q = {.realm = req->path.realm, .to_realm = REPLACES_ANY_REALM};

	if (value.p == NULL && join.p == NULL)
		start(b, txn, req, NULL);
	/* RFC 3911 section 4: not both, and one only. */
	else if ((value.p != NULL && join.p != NULL) ||
		 sip_header_find_name(req->buf, &req->idx, SV("Join"), 1).p != NULL ||
		 replaces_parse(value.p != NULL ? value : join, &q) != 0)
		b2bua_reply(b, txn, 400);
	else
		replaces_find(b, txn, &q, on_found);
}

void invite_on_cancel(struct call *c, struct server_txn *invite, const struct sip_msg *cancel)
{
	if (!c->ex.active || c->ex.server != invite || c->ex.answered)
		return;
	headers_reason(cancel, c->reason);
	if (c->ex.initial) {
		call_end(c, CAUSE_CANCEL, 487, ENDED_BY_CALLER);
		return;
	}
	/* A cancelled re-INVITE leaves the session as it is (section 14.1). */
	if (c->ex.client != NULL)
		(void)client_txn_cancel(c->ex.client->client);
}

/* --- responses to the INVITE that made the call --- */

static void on_provisional(struct call *c, struct sip_msg *resp)
{
	unsigned int status = resp->idx.status;
	struct fork *f;

	/* 100 is of the hop. 199 says that one of the callee's dialogs is over (RFC 6228): nobody
	 * has asked for it. What else is new is a call in progress (section 8.1.3.2). */
	if (status == 100 || status == 199 || c->state > CALL_RINGING)
		return;
	f = fork_of_response(c, resp);
	if (f == NULL)
		return;
	c->state = CALL_RINGING;
	if (c->transfer != NULL)
		transfer_on_ringing(c, status);
	else
		reliable_on_provisional(f, resp);
}

void invite_answered(struct call *c)
{
	struct b2bua *b = c->b;

	c->answer_ms = b2bua_utc_ms();
	c->answer_at = b->env.timers->now_ms;
	b->stats.calls_answered++;
	b->stats.calls_answered_active++;
	media_session_watch(c->media);
}

void invite_answer(struct call *c)
{
	timer_cancel(c->b->env.timers, &c->timer);
	if (c->transfer != NULL) {
		transfer_on_answer(c);
		return;
	}
	if (reliable_holds_answer(c->fork))
		return; /* until its PRACK comes, or does not */
	c->state = CALL_ANSWERED;
	exchange_accept(c);
	if (c->state == CALL_ANSWERED)
		invite_answered(c);
}

static void on_media_late(void *ctx)
{
	invite_answer(ctx);
}

static void on_accepted(struct call *c, struct sip_msg *resp)
{
	struct exchange *ex = &c->ex;
	struct leg *callee = ex->to;
	struct timers *timers = c->b->env.timers;
	struct fork *f = fork_of_response(c, resp);

	ex->got_final = true;
	if (f == NULL || dialog_from_response(f->dialog[SIDE_CALLEE], resp) != 0) {
		callee->state = LEG_GONE; /* no memory for a dialog to end */
		call_end(c, CAUSE_INTERNAL, 500, ENDED_BY_BOX);
		exchange_over(c);
		call_check(c);
		return;
	}
	fork_win(f);
	leg_set_state(callee, LEG_CONFIRMED);
	callee->ack_due = true;
	session_note_methods(callee, resp);
	session_accepted(callee, resp);
	if (c->state == CALL_ENDED) { /* it crossed our CANCEL */
		bye_leg(callee);
		exchange_over(c);
		call_check(c);
		return;
	}
	timer_cancel(timers, &c->timer);
	ex->delayed_offer &= !f->agreed;
	if (exchange_take_sdp(c, resp) != 0) {
		call_end(c, CAUSE_BAD_SDP, 488, ENDED_BY_BOX);
		return;
	}
	ex->final = sip_msg_get(resp);
	c->state = CALL_ANSWERING;
	/* The callee sends media after our ACK, the caller after our 2xx: by then the streams
	 * should be there. */
	if (media_session_ready(c->media))
		invite_answer(c);
	else
		timer_arm(timers, &c->timer, CALL_MEDIA_WAIT_MS, on_media_late, c);
}

static enum call_cause failure_cause(unsigned int status)
{
	switch (status) {
	case 486:
	case 600:
		return CAUSE_BUSY;
	case 408:
	case 480:
		return CAUSE_NO_ANSWER;
	case 488:
	case 606:
		return CAUSE_BAD_SDP;
	default:
		return CAUSE_REJECTED;
	}
}

/* RFC 4028 section 7.3: the same again, for longer; as long as no dialog came of the first one. */
static bool ask_again(struct call *c, const struct sip_msg *resp)
{
	const struct leg *callee = c->ex.to;

	return resp->idx.status == 422 && c->state != CALL_ENDED &&
	       exchange_request(&c->ex) != NULL && callee->dialog->remote_tag == NULL &&
	       session_raise(c->ex.to, resp) && exchange_send(c, exchange_request(&c->ex)) == 0;
}

static void on_failure(struct call *c, unsigned int status, const struct sip_msg *resp)
{
	struct leg *callee = c->ex.to;

	if (ask_again(c, resp) || (status < 400 && redirect_follow(c, resp)) ||
		(status == 503 && redirect_elsewhere(c)))
		return;
	c->ex.got_final = true;
	callee->state = LEG_GONE;
	if (c->state != CALL_ENDED) {
		exchange_fail(c, status, resp);
		call_end(c, failure_cause(status), status, ENDED_BY_CALLEE);
	}
	exchange_over(c);
	call_check(c);
}

static bool tag_is_new(const struct dialog *d, const struct sip_msg *resp)
{
	return d->remote_tag != NULL && !sv_is(sip_msg_view(resp, resp->idx.to_tag), d->remote_tag);
}

/* A 2xx that is not the first to its INVITE: repeated, or of another fork. */
void invite_on_stray(struct leg *l, const struct sip_msg *resp)
{
	if (tag_is_new(l->dialog, resp)) {
		/* Only the INVITE that made the call forks, and not without end: each answer of one
		 * costs a transaction, and goes where it says. */
		if (l->side == SIDE_CALLEE && l->forks_refused < 2 * FORKS_MAX) {
			l->forks_refused++;
			leg_refuse_fork(l, resp);
		}
	} else if (l->ack != NULL && resp->idx.cseq == l->ack_cseq)
		leg_repeat_ack(l);
	else if (l->call->state == CALL_ENDED && l->dialog->remote_tag != NULL)
		/* A BYE overtook it: nobody wants this answer, but it must stop coming. */
		leg_send_ack(l, resp->idx.cseq, nothing);
}

static void on_response(struct dialog_txn *t, struct sip_msg *resp)
{
	struct leg *l = t->dialog->leg;
	struct call *c = l->call;
	struct exchange *ex = &c->ex;
	unsigned int status = resp->idx.status;

	if (!ex->active || ex->client != t || ex->got_final) {
		if (status >= 200 && status < 300)
			invite_on_stray(l, resp);
		return;
	}
	if (!ex->initial)
		reinvite_on_response(c, resp);
	else if (status < 200)
		on_provisional(c, resp);
	else if (status < 300)
		on_accepted(c, resp);
	else
		on_failure(c, status, resp);
}

/* No final answer came. */
static void on_lost(struct leg *l, int error)
{
	struct call *c = l->call;
	struct exchange *ex = &c->ex;
	unsigned int status = error == -ETIMEDOUT ? 408 : 503;

	if (!ex->initial) { /* section 12.2.1.2: the dialog is lost */
		exchange_fail(c, status, NULL);
		call_end(c, CAUSE_DIALOG_LOST, 408, ENDED_BY_BOX);
		return;
	}
	if (redirect_elsewhere(c))
		return;
	l->state = LEG_GONE;
	if (c->state != CALL_ENDED) {
		exchange_fail(c, status, NULL);
		call_end(c, CAUSE_UNREACHABLE, status, ENDED_BY_BOX);
	}
	exchange_over(c);
}

static void on_end(struct dialog_txn *t, int error)
{
	struct call *c = t->dialog->leg->call;

	if (c->ex.active && c->ex.client == t) {
		c->ex.client = NULL;
		if (!c->ex.got_final)
			on_lost(t->dialog->leg, error);
	}
	call_check(c);
}

const struct dialog_txn_user invite_txn_user = {.on_response = on_response, .on_end = on_end};
