#include <errno.h>

#include "b2bua_priv.h"

static const struct str_view nothing;

int leg_init(struct leg *l, struct call *c, enum leg_side side, uint16_t realm, int peer,
	const struct net_addr *to)
{
	l->call = c;
	l->side = side;
	l->dialog = dialog_new(c->b, l, realm, peer, to);
	if (l->dialog == NULL)
		return -ENOMEM;
	l->state = LEG_EARLY;
	return 0;
}

void leg_fini(struct leg *l)
{
	if (l->dialog == NULL)
		return;
	leg_set_state(l, LEG_GONE);
	timer_cancel(l->call->b->env.timers, &l->session.timer);
	if (l->dialog->fork == NULL)
		dialog_free(l->dialog);
	l->dialog = NULL;
	free(l->ack);
}

struct leg *leg_other(const struct leg *l)
{
	return &l->call->leg[l->side == SIDE_CALLER ? SIDE_CALLEE : SIDE_CALLER];
}

void leg_set_state(struct leg *l, enum leg_state state)
{
	struct b2bua_stats *stats = &l->call->b->stats;

	if (l->state != LEG_CONFIRMED && state == LEG_CONFIRMED)
		stats->dialogs++;
	else if (l->state == LEG_CONFIRMED && state != LEG_CONFIRMED)
		stats->dialogs--;
	l->state = state;
}

/* --- ACK and BYE --- */

/* @return the ACK in b->msg; p NULL when it does not fit. */
static struct str_view build_ack(struct dialog *d, uint32_t cseq, struct str_view sdp)
{
	struct b2bua *b = d->b;
	struct sip_writer w;
	int len;

	sip_writer_init(&w, b->msg, sizeof(b->msg));
	dialog_request_start(d, &w, SIP_ACK, cseq);
	sip_write_raw(&w, SV("Max-Forwards: 70\r\n"));
	sip_write_body(&w, SV("application/sdp"), sdp);
	len = sip_writer_finish(&w);
	return (struct str_view){len < 0 ? NULL : b->msg, len < 0 ? 0 : (size_t)len};
}

static void send_bye(struct dialog *d, const char *reason, const struct dialog_txn_user *user)
{
	struct sip_writer w;

	sip_writer_init(&w, d->b->msg, sizeof(d->b->msg));
	dialog_request_start(d, &w, SIP_BYE, ++d->local_cseq);
	sip_write_raw(&w, SV("Max-Forwards: 70\r\n"));
	if (reason[0] != '\0')
		sip_write_fmt(&w, "Reason: %s\r\n", reason);
	sip_write_body(&w, nothing, nothing);
	(void)dialog_request_send(d, &w, SIP_BYE, user, NULL);
}

void leg_repeat_ack(struct leg *l)
{
	const struct str_view ack = {l->ack, l->ack_len};
	struct b2bua *b = l->call->b;

	if (l->ack == NULL)
		return;
	(void)b->env.send(b->env.send_ctx, &l->dialog->path, ack);
	leg_trace_sent(l, SIP_ACK, l->ack_cseq, ack);
}

void leg_send_ack(struct leg *l, uint32_t cseq, struct str_view sdp)
{
	struct str_view ack = build_ack(l->dialog, cseq, sdp);

	l->ack_due = false;
	if (ack.p == NULL || b2bua_str_set(&l->ack, ack) != 0)
		return;
	l->ack_len = ack.len;
	l->ack_cseq = cseq;
	leg_repeat_ack(l);
}

/* An ended call waits for the answer to its BYE. */
static void on_bye_end(struct dialog_txn *t, int error)
{
	call_check(t->dialog->leg->call);
}

void leg_send_bye(struct leg *l)
{
	static const struct dialog_txn_user user = {.on_end = on_bye_end};

	send_bye(l->dialog, l->call->reason, &user);
}

void leg_refuse_fork(struct leg *l, const struct sip_msg *resp)
{
	struct b2bua *b = l->call->b;
	const struct dialog *d = l->dialog;
	struct dialog fork = {
		.b = b,
		.realm = d->realm,
		.peer = d->peer,
		.call_id = d->call_id,
		.local_name = d->local_name,
		.remote_name = d->remote_name,
		.path = d->path,
		.local_cseq = resp->idx.cseq,
	};
	struct str_view ack;

	memcpy(fork.local_tag, d->local_tag, sizeof(fork.local_tag));
	if (b2bua_str_set(&fork.remote_target,
		    (struct str_view){d->remote_target, strlen(d->remote_target)}) == 0 &&
		dialog_from_response(&fork, resp) == 0) {
		ack = build_ack(&fork, resp->idx.cseq, nothing);
		if (ack.p != NULL) {
			(void)b->env.send(b->env.send_ctx, &fork.path, ack);
			leg_trace_sent(l, SIP_ACK, resp->idx.cseq, ack);
		}
		send_bye(&fork, l->call->reason, NULL);
	}
	/* Nobody waits for the answer to this BYE. */
	while (fork.txns != NULL)
		dialog_txn_detach(fork.txns);
	for (unsigned int i = 0; i < fork.n_routes; i++)
		free(fork.route[i]);
	free(fork.remote_tag);
	free(fork.remote_target);
}
