/*
 * UPDATE (RFC 3311), and offers in UPDATE or PRACK on their way from one side to the other. An
 * UPDATE without an offer concerns the side that sent it alone and is answered here.
 */
#include <errno.h>

#include "b2bua_priv.h"

static const struct str_view nothing;

/* Answer to a request in dialog `d`; `in`: what it follows from, or NULL. */
static void respond(struct dialog *d, struct server_txn *txn, unsigned int status,
	const struct sip_msg *in, struct str_view sdp)
{
	const struct sip_msg *req = server_txn_request(txn);
	char here[NET_ENDPOINT_STRLEN];
	struct sip_writer w;
	int len;

	sip_writer_init(&w, d->b->msg, sizeof(d->b->msg));
	sip_response_start(&w, req, status, NULL, nothing);
	if (status < 300 && req->idx.method == SIP_UPDATE) {
		sip_write_fmt(
			&w, "Contact: <sip:%s>\r\n", net_endpoint_format(&d->path.local, here));
		headers_abilities(&w, d);
		if (d->leg->state == LEG_CONFIRMED) /* else the INVITE says it */
			session_accept(d->leg, req, &w);
	}
	sip_write_raw(&w, SV("Server: " B2BUA_PRODUCT "\r\n"));
	if (in != NULL) {
		b2bua_note_challenge(d->b, txn, in);
		headers_cross(&w, in, dialog_far(d), d);
	}
	sip_write_body(&w, SV("application/sdp"), sdp);
	len = sip_writer_finish(&w);
	if (len > 0)
		(void)server_txn_respond(txn, (struct str_view){w.buf, (size_t)len});
	else
		b2bua_reply(d->b, txn, 500);
}

/* --- an offer under way --- */

/* Its answer, or why there is none, goes back. */
static void finish(
	struct fork *f, unsigned int status, const struct sip_msg *in, struct str_view sdp)
{
	struct server_txn *txn = f->carried;

	f->carried = NULL;
	f->carrier = NULL;
	respond(f->dialog[f->carried_side], txn, status, in, sdp);
}

static void fail(struct fork *f, unsigned int status, const struct sip_msg *in)
{
	finish(f, status, in, nothing);
	offer_reject(f);
}

/* A target refresh, unless it is a PRACK. */
static void accepted(struct dialog_txn *t, const struct sip_msg *resp)
{
	struct leg *l = t->dialog->leg;

	if (t->method == SIP_PRACK)
		return;
	dialog_refresh(t->dialog, resp);
	if (t->method == SIP_INVITE)
		leg_send_ack(l, resp->idx.cseq, nothing);
	if (l->state == LEG_CONFIRMED)
		session_accepted(l, resp);
}

static void on_response(struct dialog_txn *t, struct sip_msg *resp)
{
	struct fork *f = t->dialog->fork;
	unsigned int status = resp->idx.status;
	struct str_view sdp;
	int len = -EBADMSG;

	if (t->method == SIP_INVITE && status >= 200 && status < 300 && f->carrier != t)
		invite_on_stray(t->dialog->leg, resp);
	if (status < 200 || f->carrier != t)
		return;
	if (status < 300)
		accepted(t, resp);
	if (status >= 300) {
		fail(f, status == 422 ? 500 : status, resp);
		if (t->method != SIP_PRACK && (status == 481 || status == 408) &&
			t->dialog->leg->state == LEG_CONFIRMED) /* section 12.2.1.2 */
			call_end(f->call, CAUSE_DIALOG_LOST, status, ENDED_BY_BOX);
		return;
	}
	if (headers_body(resp, &sdp) == BODY_SDP)
		len = answer_pass(f, !f->carried_side, resp, true);
	if (len < 0) {
		fail(f, 500, NULL);
		return;
	}
	finish(f, 200, resp, (struct str_view){f->call->b->sdp, (size_t)len});
}

static void on_end(struct dialog_txn *t, int error)
{
	struct fork *f = t->dialog->fork;

	if (f->carrier != t)
		return;
	fail(f, error == -ETIMEDOUT ? 408 : 503, NULL);
	if (t->dialog->leg->state == LEG_CONFIRMED)
		call_end(f->call, CAUSE_DIALOG_LOST, 408, ENDED_BY_BOX);
}

/* An UPDATE becomes a re-INVITE where UPDATE is not allowed. Not in an early dialog: there is no
 * other way to offer in one. */
static enum sip_method method_for(const struct leg *far, const struct sip_msg *req)
{
	if (req->idx.method == SIP_UPDATE && far->session.no_update && far->state == LEG_CONFIRMED)
		return SIP_INVITE;
	return req->idx.method;
}

unsigned int carry_send(struct dialog *d, struct server_txn *txn, struct sip_msg *req)
{
	static const struct dialog_txn_user user = {.on_response = on_response, .on_end = on_end};
	struct fork *f = d->fork;
	struct dialog *far = dialog_far(d);
	enum leg_side side = d->leg->side;
	unsigned int status = offer_refusal(f, side);
	enum sip_method method = method_for(far->leg, req);
	struct sip_writer w;
	int len;

	if (status != 0)
		return status;
	len = offer_pass(f, side, req);
	if (len < 0)
		return offer_status(len);
	sip_writer_init(&w, d->b->msg, sizeof(d->b->msg));
	if (method == SIP_PRACK)
		prack_start(f, &w, f->reliable.far_rseq);
	else
		dialog_request_start(far, &w, method, ++far->local_cseq);
	sip_write_fmt(&w, "Max-Forwards: %u\r\n", headers_max_forwards(req));
	if (method != SIP_PRACK) {
		headers_abilities(&w, far);
		if (far->leg->state == LEG_CONFIRMED)
			session_write(far->leg, &w);
	}
	headers_cross(&w, req, d, far);
	sip_write_body(&w, SV("application/sdp"), (struct str_view){d->b->sdp, (size_t)len});
	f->carrier = dialog_request_send(far, &w, method, &user, NULL);
	if (f->carrier == NULL) {
		offer_reject(f);
		return 500;
	}
	f->carried = txn;
	f->carried_side = side;
	return 0;
}

void carry_abort(struct fork *f)
{
	if (f->carried != NULL && f->call->b->txns != NULL)
		b2bua_reply(f->call->b, f->carried, 487);
	f->carried = NULL;
	f->carrier = NULL;
}

/* --- UPDATE --- */

void update_on_request(struct dialog *d, struct server_txn *txn, struct sip_msg *req)
{
	struct str_view sdp;
	unsigned int status = 0;

	if (d->fork == NULL || d->leg->call->state == CALL_ENDED || d->leg->state == LEG_GONE) {
		b2bua_reply(d->b, txn, 481);
		return;
	}
	if (session_is_too_short(d->leg, req)) {
		session_refuse(d->leg, txn);
		return;
	}
	switch (parts_pass(NULL, req) ? headers_body(req, &sdp) : BODY_OTHER) {
	case BODY_OTHER:
		status = 415;
		break;
	case BODY_SDP:
		status = carry_send(d, txn, req);
		break;
	case BODY_NONE:
		respond(d, txn, 200, NULL, nothing);
		break;
	}
	if (status != 0)
		b2bua_reply(d->b, txn, status);
	else
		dialog_refresh(d, req);
}
