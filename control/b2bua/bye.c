/* The end of a leg. */
#include "b2bua_priv.h"

void bye_on_request(struct leg *l, struct server_txn *txn, const struct sip_msg *req)
{
	struct call *c = l->call;
	bool answered = c->answer_ms != 0;
	bool caller = l->side == SIDE_CALLER;

	/* Answered here and now; whether the far side can be told does not matter to this one. */
	b2bua_reply(c->b, txn, 200);
	if (c->state == CALL_ENDED && l->state == LEG_GONE)
		return; /* it crossed our own BYE */
	l->bye_wanted = false;
	/* The callee of an early dialog may not do this; its INVITE will still get an answer. */
	if (l->state == LEG_CONFIRMED)
		leg_set_state(l, LEG_GONE);
	if (c->state == CALL_ENDED) {
		exchange_abort(c, 487);
		call_check(c);
		return;
	}
	headers_reason(req, c->reason);
	transfer_on_bye(l);
	call_end(c,
		answered ? CAUSE_NORMAL
		: caller ? CAUSE_CANCEL
			 : CAUSE_REJECTED,
		caller ? 487 : 480, caller ? ENDED_BY_CALLER : ENDED_BY_CALLEE);
}

void bye_leg(struct leg *l)
{
	struct exchange *ex = &l->call->ex;

	if (l->state != LEG_CONFIRMED) {
		/* An INVITE that waits for its final answer keeps the leg. */
		if (!(ex->active && ex->to == l))
			l->state = LEG_GONE;
		return;
	}
	if (ex->active && ex->from == l && ex->answered) {
		l->bye_wanted = true;
		return;
	}
	if (l->ack_due)
		leg_send_ack(l, ex->client_cseq, (struct str_view){NULL, 0});
	leg_send_bye(l);
	leg_set_state(l, LEG_GONE);
}
