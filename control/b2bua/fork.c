/*
 * Forking on the callee's side (RFC 3261 section 12.1): every To tag in the
 * answers to our INVITE is an early dialog of its own, and towards the caller it gets a tag
 * of its own, too, so that the caller can tell them apart. The first 2xx wins.
 */
#include <utlist.h>

#include "b2bua_priv.h"

struct fork *fork_new(struct call *c, struct dialog *caller, struct dialog *callee)
{
	struct fork *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->call = c;
	f->offerer = SIDE_COUNT;
	f->dialog[SIDE_CALLER] = caller;
	f->dialog[SIDE_CALLEE] = callee;
	caller->fork = callee->fork = f;
	LL_APPEND(c->forks, f);
	return f;
}

void fork_free(struct fork *f)
{
	struct call *c = f->call;

	LL_DELETE(c->forks, f);
	if (c->media_fork == f)
		c->media_fork = NULL;
	carry_abort(f);
	reliable_stop(f);
	timer_cancel(c->b->env.timers, &f->reliable.timer);
	offer_forget(f);
	free(f->body);
	dialog_free(f->dialog[SIDE_CALLER]);
	dialog_free(f->dialog[SIDE_CALLEE]);
	free(f);
}

struct dialog *dialog_far(const struct dialog *d)
{
	return d->fork->dialog[!d->leg->side];
}

/* One more early dialog, made from the first one as it went out with the INVITE. */
static struct fork *add(struct call *c)
{
	const struct dialog *caller = c->fork->dialog[SIDE_CALLER];
	struct dialog *near = dialog_clone(caller, true);
	struct dialog *far = dialog_clone(c->fork->dialog[SIDE_CALLEE], false);
	struct fork *f = near != NULL && far != NULL ? fork_new(c, near, far) : NULL;

	if (f == NULL) {
		dialog_free(near);
		dialog_free(far);
		return NULL;
	}
	far->local_cseq = c->ex.client_cseq;
	/* What the INVITE offered was offered to all. */
	if (!c->ex.delayed_offer && c->ex.server != NULL)
		offer_share(f, server_txn_request(c->ex.server));
	return f;
}

struct fork *fork_of_response(struct call *c, const struct sip_msg *resp)
{
	struct str_view tag = sip_msg_view(resp, resp->idx.to_tag);
	unsigned int n = 0;
	struct fork *f;

	if (tag.len == 0 || c->fork->dialog[SIDE_CALLEE]->remote_tag == NULL)
		f = c->fork;
	else
		LL_FOREACH(c->forks, f)
		{
			if (sv_is(tag, f->dialog[SIDE_CALLEE]->remote_tag))
				return f;
			n++;
		}
	/* A 2xx must be taken, and ends all others; what only rings may be one too many. */
	if (f == NULL && n >= FORKS_MAX && resp->idx.status < 200)
		c->b->stats.forks_ignored++;
	else if (f == NULL)
		f = add(c);
	if (f == NULL || tag.len == 0 || dialog_from_response(f->dialog[SIDE_CALLEE], resp) == 0)
		return f;
	if (f != c->fork) /* nobody could find it */
		fork_free(f);
	return NULL;
}

/* A caller that is in its dialog already, as one that was transferred, stays in that. */
static void keep_caller(struct fork *f, struct fork *before)
{
	struct dialog *d = before->dialog[SIDE_CALLER];

	if (f == before || d->leg->state != LEG_CONFIRMED)
		return;
	before->dialog[SIDE_CALLER] = f->dialog[SIDE_CALLER];
	before->dialog[SIDE_CALLER]->fork = before;
	f->dialog[SIDE_CALLER] = d;
	d->fork = f;
}

void fork_win(struct fork *f)
{
	struct call *c = f->call;
	struct fork *other, *tmp;

	keep_caller(f, c->fork);
	c->fork = f;
	for (unsigned int side = 0; side < SIDE_COUNT; side++)
		c->leg[side].dialog = f->dialog[side];
	LL_FOREACH_SAFE(c->forks, other, tmp)
	{
		if (other == f)
			continue;
		/* The INVITE's transaction hangs on the dialog that it was sent in. */
		dialog_move_txns(f->dialog[SIDE_CALLEE], other->dialog[SIDE_CALLEE], SIP_INVITE);
		fork_free(other);
	}
}
