/*
 * One INVITE or re-INVITE on its way from one leg to the other and back. There is at
 * most one a call: a second one is glare (491).
 */
#include <errno.h>

#include "b2bua_priv.h"

static const struct str_view nothing;

void exchange_start(
	struct call *c, struct leg *from, struct server_txn *server, struct sip_msg *req)
{
	struct exchange *ex = &c->ex;
	struct str_view sdp;

	exchange_over(c);
	ex->active = true;
	ex->from = from;
	ex->to = leg_other(from);
	ex->server = server;
	ex->server_cseq = req->idx.cseq;
	ex->delayed_offer = headers_body(req, &sdp) == BODY_NONE;
	ex->caller_requires = headers_option(req, SIP_HDR_REQUIRE, SV("100rel"));
	ex->caller_100rel =
		ex->caller_requires || headers_option(req, SIP_HDR_SUPPORTED, SV("100rel"));
	if (server != NULL)
		server_txn_set_data(server, c);
	else
		ex->request = sip_msg_get(req);
}

void exchange_over(struct call *c)
{
	struct exchange *ex = &c->ex;

	timer_cancel(c->b->env.timers, &ex->timer);
	if (ex->server != NULL && c->b->txns != NULL)
		server_txn_detach(ex->server);
	sip_msg_put(ex->request);
	sip_msg_put(ex->final);
	free(ex->ok);
	ex->active = ex->initial = ex->delayed_offer = ex->got_final = ex->answered = false;
	ex->from = ex->to = NULL;
	ex->server = NULL;
	ex->request = NULL;
	ex->client = NULL;
	ex->final = NULL;
	ex->ok = NULL;
	if (c->fork == NULL)
		return;
	offer_forget(c->fork);
	free(c->fork->body);
	c->fork->body = NULL;
}

struct sip_msg *exchange_request(const struct exchange *ex)
{
	return ex->server != NULL ? server_txn_request(ex->server) : ex->request;
}

/* --- towards `to` --- */

unsigned int exchange_send(struct call *c, struct sip_msg *req)
{
	struct exchange *ex = &c->ex;
	struct b2bua *b = c->b;
	struct str_view sdp;
	struct sip_writer w;

	if (headers_body(req, &sdp) == BODY_SDP) {
		int len = offer_pass(c->fork, ex->from->side, req);

		if (len < 0)
			return offer_status(len);
		sdp = (struct str_view){b->sdp, (size_t)len};
	}
	ex->client_cseq = ++ex->to->dialog->local_cseq;
	sip_writer_init(&w, b->msg, sizeof(b->msg));
	dialog_request_start(ex->to->dialog, &w, SIP_INVITE, ex->client_cseq);
	sip_write_raw(&w, SV("Max-Forwards: "));
	sip_write_uint(&w, headers_max_forwards(req));
	sip_write_raw(&w, SV("\r\nAllow: "));
	sip_write_text(&w, b2bua_allow(b, ex->to->dialog->realm, ex->to->dialog->peer));
	/* A reliable 18x could make an offer that a caller without PRACK has no answer to. */
	if (ex->initial && (ex->caller_100rel || !ex->delayed_offer))
		sip_write_raw(&w, SV("\r\nSupported: " B2BUA_SUPPORTED "\r\n"));
	else
		sip_write_raw(&w, SV("\r\nSupported: timer\r\n"));
	session_write(ex->to, &w);
	headers_cross(&w, req, ex->from->dialog, ex->to->dialog);
	if (ex->initial && c->replaces != NULL)
		sip_write_raw(&w, (struct str_view){c->replaces, strlen(c->replaces)});
	parts_write(b, &w, req, b2bua_realm(b, ex->to->dialog->realm), sdp);
	ex->client = dialog_request_send(ex->to->dialog, &w, SIP_INVITE, &invite_txn_user, NULL);
	if (ex->client == NULL)
		return 500;
	if (ex->server != NULL)
		server_txn_passed_on(ex->server);
	return 0;
}

int exchange_take_sdp(struct call *c, struct sip_msg *resp)
{
	struct exchange *ex = &c->ex;
	struct fork *f = c->fork;
	struct str_view sdp;
	int len;

	/* A reliable 18x, or its PRACK, has said it: what stands here is a repetition. */
	if (ex->initial && f->agreed)
		return offer_show(f);

	switch (headers_body(resp, &sdp)) {
	case BODY_SDP:
		break;
	case BODY_NONE: /* the answer may have come with a 18x already */
		return f->body != NULL ? offer_settle(f) : -ENOTSUP;
	default:
		return -ENOTSUP;
	}
	if (ex->delayed_offer)
		len = offer_pass(f, ex->to->side, resp);
	else
		len = answer_pass(f, ex->to->side, resp, true);
	if (len < 0)
		return len;
	return b2bua_str_set(&f->body, (struct str_view){c->b->sdp, (size_t)len});
}

/* --- towards `from` --- */

struct str_view exchange_build(struct fork *f, unsigned int status, const struct sip_msg *in,
	const char *extra, struct str_view sdp)
{
	struct call *c = f->call;
	struct exchange *ex = &c->ex;
	const struct sip_msg *req = server_txn_request(ex->server);
	struct dialog *d = f->dialog[ex->from->side];
	struct sip_writer w;
	int len;

	sip_writer_init(&w, c->b->msg, sizeof(c->b->msg));
	sip_response_start(&w, req, status, NULL, (struct str_view){d->local_tag, DIALOG_TAG_LEN});
	if (status < 300) {
		headers_record_route(&w, req);
		headers_contact(&w, d);
		headers_abilities(&w, d);
	}
	if (status >= 200 && status < 300)
		session_accept(ex->from, req, &w);
	sip_write_raw(&w, (struct str_view){extra, strlen(extra)});
	/* The one extension that the callee can ask for and the caller has to have, too. */
	if (status == 421 && in != NULL && headers_option(in, SIP_HDR_REQUIRE, SV("100rel")))
		sip_write_fmt(&w, "Require: 100rel\r\n");
	sip_write_raw(&w, SV("Server: " B2BUA_PRODUCT "\r\n"));
	if (in != NULL)
		headers_cross(&w, in, dialog_far(d), d);
	else if (status == 503)
		sip_write_fmt(&w, "Retry-After: %d\r\n", RETRY_AFTER_S);
	parts_write(c->b, &w, in, b2bua_realm(c->b, d->realm), sdp);
	len = sip_writer_finish(&w);
	return (struct str_view){len < 0 ? NULL : w.buf, len < 0 ? 0 : (size_t)len};
}

void exchange_respond(
	struct fork *f, unsigned int status, const struct sip_msg *in, struct str_view sdp)
{
	struct exchange *ex = &f->call->ex;
	struct str_view text;

	if (ex->server == NULL)
		return;
	if (in != NULL)
		b2bua_note_challenge(f->call->b, ex->server, in);
	text = exchange_build(f, status, in, "", sdp);
	if (text.p != NULL)
		(void)server_txn_respond(ex->server, text);
	else if (status >= 300) /* what crossed made it too long, or broke it */
		b2bua_reply(f->call->b, ex->server, status);
}

void exchange_fail(struct call *c, unsigned int status, const struct sip_msg *in)
{
	exchange_respond(c->fork, status, in, nothing);
	offer_reject(c->fork);
	exchange_over(c);
}

/* Section 13.3.1.4: our 2xx again, T1 doubled up to T2, for 64*T1; without an ACK the dialog ends.
 */
static void on_timer(void *ctx)
{
	struct call *c = ctx;
	struct exchange *ex = &c->ex;
	struct timers *timers = c->b->env.timers;

	if (timers->now_ms - ex->ok_since_ms >= 64 * SIP_T1_MS || ex->server == NULL) {
		struct leg *l = ex->from;

		exchange_over(c);
		if (l->bye_wanted)
			bye_leg(l);
		call_end(c, CAUSE_NO_ACK, 408, ENDED_BY_BOX);
		call_check(c);
		return;
	}
	(void)server_txn_respond(ex->server, (struct str_view){ex->ok, ex->ok_len});
	ex->interval_ms = 2 * ex->interval_ms < SIP_T2_MS ? 2 * ex->interval_ms : SIP_T2_MS;
	timer_arm(timers, &ex->timer, ex->interval_ms, on_timer, c);
}

void exchange_accept(struct call *c)
{
	struct exchange *ex = &c->ex;
	struct fork *f = c->fork;
	/* A reliable 18x has said it already; a re-INVITE's answer was in none. */
	bool said = ex->initial && f->told;
	struct str_view sdp = {f->body, f->body != NULL && !said ? strlen(f->body) : 0};
	struct str_view text = {NULL, 0};

	reliable_stop(f);
	if (!ex->delayed_offer)
		leg_send_ack(ex->to, ex->client_cseq, nothing);
	if (ex->server != NULL)
		text = exchange_build(f, 200, ex->final, "", sdp);
	if (text.p == NULL || b2bua_str_set(&ex->ok, text) != 0) {
		call_end(c, CAUSE_INTERNAL, 500, ENDED_BY_BOX);
		return;
	}
	ex->ok_len = text.len;
	ex->answered = true;
	ex->ok_since_ms = c->b->env.timers->now_ms;
	ex->interval_ms = SIP_T1_MS;
	(void)server_txn_respond(ex->server, (struct str_view){ex->ok, ex->ok_len});
	timer_arm(c->b->env.timers, &ex->timer, SIP_T1_MS, on_timer, c);
	leg_set_state(ex->from, LEG_CONFIRMED);
}

/* The answer to a late offer comes with the ACK. @return true if the call can go on. */
static bool pass_answer(struct call *c, struct sip_msg *ack)
{
	struct exchange *ex = &c->ex;
	struct b2bua *b = c->b;
	struct str_view sdp;
	int len = -EBADMSG;

	if (c->state == CALL_ENDED)
		return false;
	if (headers_body(ack, &sdp) == BODY_SDP)
		len = answer_pass(c->fork, ex->from->side, ack, true);
	if (len < 0)
		offer_reject(c->fork);
	leg_send_ack(ex->to, ex->client_cseq,
		len < 0 ? nothing : (struct str_view){b->sdp, (size_t)len});
	return len >= 0;
}

void exchange_on_ack(struct leg *l, struct sip_msg *ack)
{
	struct call *c = l->call;
	struct exchange *ex = &c->ex;
	bool good = true, initial = ex->initial;

	if (!ex->active || !ex->answered || ex->from != l || ack->idx.cseq != ex->server_cseq)
		return;
	timer_cancel(c->b->env.timers, &ex->timer);
	if (ex->delayed_offer)
		good = pass_answer(c, ack);
	/* Our tag came back, so that it went there: no forged source can do this. */
	if (initial && good && net_addr_eq(&ack->path.remote.addr, &l->dialog->source.addr))
		call_credit(c, &ack->path.remote);
	exchange_over(c);
	if (c->state == CALL_ANSWERED)
		c->state = CALL_ESTABLISHED;
	if (l->bye_wanted)
		bye_leg(l);
	/* A call that has media keeps them. */
	if (!good && initial)
		call_end(c, CAUSE_BAD_SDP, 488, ENDED_BY_BOX);
	call_check(c);
}

void exchange_abort(struct call *c, unsigned int status)
{
	struct exchange *ex = &c->ex;

	if (!ex->active)
		return;
	if (ex->answered) { /* goes on until the ACK, but not for a caller who is gone */
		if (ex->from->state == LEG_GONE)
			exchange_over(c);
		return;
	}
	exchange_respond(c->fork, ex->initial ? status : 487, NULL, nothing);
	if (ex->server != NULL) {
		server_txn_detach(ex->server);
		ex->server = NULL;
	}
	if (ex->got_final || ex->client == NULL) {
		exchange_over(c);
		return;
	}
	/* The exchange waits for the callee's final answer: 487, or a 2xx that crossed the CANCEL.
	 */
	if (ex->initial && client_txn_cancel(ex->client->client) != 0)
		exchange_over(c);
	else if (!ex->initial)
		exchange_over(c);
}
