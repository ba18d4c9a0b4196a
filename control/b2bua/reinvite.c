/* INVITE within a dialog: hold, resume, new codecs, new addresses (RFC 3261 section 14). */
#include "b2bua_priv.h"

/* Section 14.2: may this INVITE go through now? @return 0 or the status that we owe. */
static unsigned int check(const struct leg *l, const struct sip_msg *req)
{
	const struct call *c = l->call;
	struct str_view sdp;

	if (c->state == CALL_ENDED || l->state != LEG_CONFIRMED || leg_other(l)->state == LEG_GONE)
		return 481;
	if (headers_body(req, &sdp) == BODY_OTHER ||
		!parts_pass(b2bua_realm(c->b, leg_other(l)->dialog->realm), req))
		return 415;
	/* One before it, in either direction, is not over. */
	if (c->ex.active)
		return c->ex.from == l && !c->ex.answered ? 500 : 491;
	if (c->fork->offerer != SIDE_COUNT)
		return offer_refusal(c->fork, l->side);
	return c->state == CALL_ESTABLISHED ? 0 : 491;
}

void reinvite_on_request(struct leg *l, struct server_txn *txn, struct sip_msg *req)
{
	struct call *c = l->call;
	unsigned int status = check(l, req);

	if (status == 0 && session_is_too_short(l, req)) {
		session_refuse(l, txn);
		return;
	}
	if (status != 0) {
		b2bua_reply(c->b, txn, status);
		return;
	}
	dialog_refresh(l->dialog, req);
	session_note_methods(l, req);
	exchange_start(c, l, txn, req);
	status = exchange_send(c, req);
	if (status != 0)
		exchange_fail(c, status, NULL);
}

static void on_media_late(void *ctx)
{
	reinvite_answer(ctx);
}

void reinvite_answer(struct call *c)
{
	timer_cancel(c->b->env.timers, &c->timer);
	exchange_accept(c);
}

static void on_accepted(struct call *c, struct sip_msg *resp)
{
	struct exchange *ex = &c->ex;

	ex->got_final = true;
	ex->to->ack_due = true;
	dialog_refresh(ex->to->dialog, resp);
	session_accepted(ex->to, resp);
	/* The call goes on with the media that it has; the ACK ends what the far side offers. */
	if (exchange_take_sdp(c, resp) != 0) {
		leg_send_ack(ex->to, ex->client_cseq, (struct str_view){NULL, 0});
		exchange_fail(c, 500, NULL);
		return;
	}
	ex->final = sip_msg_get(resp);
	/* As with the first answer: who resumes shall find the streams changed. */
	if (media_session_ready(c->media))
		reinvite_answer(c);
	else
		timer_arm(c->b->env.timers, &c->timer, CALL_MEDIA_WAIT_MS, on_media_late, c);
}

void reinvite_on_response(struct call *c, struct sip_msg *resp)
{
	unsigned int status = resp->idx.status;

	if (status < 200)
		return; /* the transaction layer says 100 itself; 18x would mean nothing here */
	if (status < 300) {
		on_accepted(c, resp);
		return;
	}
	c->ex.got_final = true;
	/* 422: between the callee and us alone. */
	exchange_fail(c, status == 422 ? 500 : status, resp);
	if (status == 481 || status == 408) /* section 12.2.1.2 */
		call_end(c, CAUSE_DIALOG_LOST, status, ENDED_BY_BOX);
}
