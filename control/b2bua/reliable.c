/*
 * Provisional answers to the INVITE that makes a call, and their reliability (RFC 3262). Each
 * side has its own: the callee's RSeqs end here and the caller is given ours; a PRACK crosses
 * where both sides do 100rel, and else the box sends or awaits it by itself.
 */
#include <errno.h>

#include "b2bua_priv.h"

#define INTERVAL_MS SIP_T1_MS	    /* section 3: doubled each time */
#define GIVE_UP_MS (64 * SIP_T1_MS) /* section 3 */

static const struct str_view nothing;

/* --- PRACK to the callee --- */

void prack_send(struct fork *f, uint32_t rseq, struct str_view sdp)
{
	struct dialog *d = f->dialog[SIDE_CALLEE];
	struct sip_writer w;

	sip_writer_init(&w, d->b->msg, sizeof(d->b->msg));
	prack_start(f, &w, rseq);
	sip_write_fmt(&w, "Max-Forwards: 70\r\n");
	sip_write_body(&w, SV("application/sdp"), sdp);
	(void)dialog_request_send(d, &w, SIP_PRACK, NULL, NULL);
}

void prack_start(struct fork *f, struct sip_writer *w, uint32_t rseq)
{
	struct dialog *d = f->dialog[SIDE_CALLEE];

	dialog_request_start(d, w, SIP_PRACK, ++d->local_cseq);
	sip_write_fmt(w, "RAck: %u %u INVITE\r\n", rseq, f->call->ex.client_cseq);
}

/* RSeq of a reliable answer, 0 of another one. */
static uint32_t rseq_of(const struct sip_msg *resp)
{
	struct str_view value = sip_msg_header(resp, SIP_HDR_RSEQ, 0);
	uint32_t rseq;

	if (value.p == NULL || !headers_option(resp, SIP_HDR_REQUIRE, SV("100rel")) ||
		resp->idx.to_tag.len == 0 || sip_uint_parse(value, UINT32_MAX, &rseq) != 0)
		return 0;
	return rseq;
}

/* --- towards the caller --- */

void reliable_stop(struct fork *f)
{
	struct reliable *r = &f->reliable;

	timer_cancel(f->call->b->env.timers, &r->timer);
	sip_msg_put(r->held);
	free(r->text);
	r->held = NULL;
	r->text = NULL;
	r->pending = false;
}

static void on_timer(void *ctx)
{
	struct fork *f = ctx;
	struct call *c = f->call;
	struct reliable *r = &f->reliable;
	struct timers *timers = c->b->env.timers;
	uint64_t passed_ms = timers->now_ms - r->since_ms;

	if (passed_ms >= GIVE_UP_MS || c->ex.server == NULL) {
		reliable_stop(f);
		call_end(c, CAUSE_NO_PRACK, 504, ENDED_BY_BOX);
		call_check(c);
		return;
	}
	(void)server_txn_repeat(c->ex.server, (struct str_view){r->text, r->len}, r->repeats++);
	r->interval_ms *= 2;
	if (passed_ms + r->interval_ms > GIVE_UP_MS)
		r->interval_ms = (uint32_t)(GIVE_UP_MS - passed_ms);
	timer_arm(timers, &r->timer, r->interval_ms, on_timer, f);
}

static void send_reliable(struct fork *f, struct sip_msg *resp, uint32_t far, struct str_view sdp)
{
	struct call *c = f->call;
	struct reliable *r = &f->reliable;
	char extra[64];
	struct str_view text;

	/* Section 3: begins anywhere below 2^31. */
	r->rseq = r->rseq == 0 ? 1 + b2bua_random(1u << 30) : r->rseq + 1;
	snprintf(extra, sizeof(extra), "Require: 100rel\r\nRSeq: %u\r\n", r->rseq);
	text = exchange_build(f, resp->idx.status, resp, extra, sdp);
	if (text.p == NULL || b2bua_str_set(&r->text, text) != 0)
		return;
	r->len = text.len;
	r->pending = true;
	r->has_sdp = sdp.len > 0;
	r->offers = r->has_sdp && f->offerer == SIDE_CALLEE;
	f->told |= r->has_sdp;
	r->far_rseq = far;
	r->since_ms = c->b->env.timers->now_ms;
	r->interval_ms = INTERVAL_MS;
	r->repeats = 0;
	(void)server_txn_respond(c->ex.server, (struct str_view){r->text, r->len});
	timer_arm(c->b->env.timers, &r->timer, r->interval_ms, on_timer, f);
}

/*
 * What an 18x says to the caller of media: an early answer, and media follows the fork that spoke
 * last; or, if the INVITE had none, an offer, which only a reliable one can make (RFC 6337 section
 * 2.2). After that it says nothing new.
 */
static struct str_view early_sdp(struct fork *f, struct sip_msg *resp, bool reliable)
{
	struct exchange *ex = &f->call->ex;
	struct str_view sdp;
	int len;

	if (f->agreed || headers_body(resp, &sdp) != BODY_SDP)
		return nothing;
	if (!ex->delayed_offer)
		len = answer_pass(f, SIDE_CALLEE, resp, reliable);
	else if (reliable && ex->caller_100rel && f->offerer == SIDE_COUNT)
		len = offer_pass(f, SIDE_CALLEE, resp);
	else
		return nothing;
	if (len < 0 ||
		b2bua_str_set(&f->body, (struct str_view){f->call->b->sdp, (size_t)len}) != 0)
		return nothing;
	return (struct str_view){f->body, strlen(f->body)};
}

static void pass(struct fork *f, struct sip_msg *resp)
{
	struct exchange *ex = &f->call->ex;
	uint32_t far = rseq_of(resp);
	struct str_view sdp = early_sdp(f, resp, far != 0);

	if (ex->server == NULL)
		return;
	if (ex->caller_requires || (far != 0 && ex->caller_100rel)) {
		send_reliable(f, resp, far, sdp);
		return;
	}
	if (far != 0)
		prack_send(f, far, nothing);
	exchange_respond(f, resp->idx.status, resp, sdp);
}

void reliable_on_provisional(struct fork *f, struct sip_msg *resp)
{
	struct reliable *r = &f->reliable;
	uint32_t far = rseq_of(resp);
	const struct sip_msg *drop;
	struct str_view sdp;
	bool keep;

	/* Section 4: each once, and in order. */
	if (far != 0) {
		if (r->far_last != 0 && far != r->far_last + 1)
			return;
		r->far_last = far;
	}
	if (!r->pending) {
		pass(f, resp);
		return;
	}
	/* Section 3: one at a time. Of those that wait the last one says it all, but for SDP. */
	keep = r->held != NULL && headers_body(r->held, &sdp) == BODY_SDP &&
	       headers_body(resp, &sdp) != BODY_SDP;
	drop = keep ? resp : r->held;
	if (drop != NULL && rseq_of(drop) != 0)
		prack_send(f, rseq_of(drop), nothing);
	if (keep)
		return;
	sip_msg_put(r->held);
	r->held = sip_msg_get(resp);
}

bool reliable_holds_answer(const struct fork *f)
{
	return f->reliable.pending && f->reliable.has_sdp;
}

/* --- PRACK of the caller --- */

static bool matches(const struct fork *f, const struct sip_msg *req)
{
	struct str_view rack = sip_msg_header(req, SIP_HDR_RACK, 0);
	struct sip_rack of;

	return f->reliable.pending && sip_rack_parse(rack, &of) == 0 &&
	       of.rseq == f->reliable.rseq && of.cseq.number == f->call->ex.server_cseq &&
	       sv_eq(of.cseq.method, SV("INVITE"));
}

/* The answer to the offer in our 18x. @return the status of the PRACK. */
static unsigned int take_answer(struct fork *f, struct sip_msg *req, struct str_view *out)
{
	struct str_view sdp;
	int len;

	if (headers_body(req, &sdp) != BODY_SDP)
		return 400;
	len = answer_pass(f, SIDE_CALLER, req, true);
	if (len < 0)
		return offer_status(len);
	*out = (struct str_view){f->call->b->sdp, (size_t)len};
	return 200;
}

/* What comes next was waiting for the PRACK. */
static void go_on(struct fork *f)
{
	struct call *c = f->call;
	struct sip_msg *held = f->reliable.held;

	f->reliable.held = NULL;
	if (held != NULL && c->state <= CALL_RINGING)
		pass(f, held);
	sip_msg_put(held);
	/* The 2xx waits for the streams, too, but no longer than its timer says. */
	if (c->state == CALL_ANSWERING && (media_session_ready(c->media) || c->timer.slot == 0))
		invite_answer(c);
}

static void acknowledge(struct fork *f)
{
	struct reliable *r = &f->reliable;

	timer_cancel(f->call->b->env.timers, &r->timer);
	free(r->text);
	r->text = NULL;
	r->pending = false;
}

void prack_on_request(struct dialog *d, struct server_txn *txn, struct sip_msg *req)
{
	struct fork *f = d->fork;
	struct str_view sdp, answer = nothing;
	enum body_kind kind = headers_body(req, &sdp);
	unsigned int status = 200;
	bool offered;

	if (f == NULL || d->leg->side != SIDE_CALLER || !matches(f, req)) {
		b2bua_reply(d->b, txn, 481);
		return;
	}
	if (kind == BODY_OTHER || !parts_pass(NULL, req)) {
		b2bua_reply(d->b, txn, 415);
		return;
	}
	acknowledge(f);
	offered = f->reliable.offers;
	if (offered)
		status = take_answer(f, req, &answer);
	else if (kind == BODY_SDP)
		status = f->reliable.far_rseq != 0 ? carry_send(d, txn, req) : 488;
	if (status != 0)
		b2bua_reply(d->b, txn, status);
	if (offered && status != 200) {
		call_end(f->call, CAUSE_BAD_SDP, 488, ENDED_BY_BOX);
		return;
	}
	if (status != 0 && f->reliable.far_rseq != 0)
		prack_send(f, f->reliable.far_rseq, answer);
	go_on(f);
}
