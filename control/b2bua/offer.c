/*
 * Offer and answer (RFC 3264, RFC 6337) from one side of a fork to the other. The media
 * session of a call knows one pair of descriptions; when another fork has the word, its
 * own offer and answer are told to the session again, before anything else.
 */
#include <errno.h>

#include "b2bua_priv.h"

static int tell(struct fork *f, enum leg_side side, const struct sip_msg *msg, bool answer)
{
	struct call *c = f->call;
	struct b2bua *b = c->b;
	struct str_view sdp;

	if (headers_body(msg, &sdp) != BODY_SDP)
		return -EBADMSG;
	return answer ? media_session_answer(
				c->media, side, sdp, &msg->path.remote.addr, b->sdp, sizeof(b->sdp))
		      : media_session_offer(c->media, side, sdp, &msg->path.remote.addr, b->sdp,
				sizeof(b->sdp));
}

int offer_show(struct fork *f)
{
	struct call *c = f->call;
	int rc = 0;

	if (c->media_fork == f)
		return 0;
	c->media_fork = f;
	media_session_switch(c->media);
	if (f->offer != NULL)
		rc = tell(f, f->offer_side, f->offer, false);
	if (rc >= 0 && f->answer != NULL)
		rc = tell(f, !f->offer_side, f->answer, true);
	if (rc >= 0 && f->pending != NULL)
		rc = tell(f, f->offerer, f->pending, false);
	return rc < 0 ? rc : 0;
}

static void keep(struct sip_msg **slot, struct sip_msg *msg)
{
	sip_msg_get(msg);
	sip_msg_put(*slot);
	*slot = msg;
}

/* Only as long as there may be several. */
static bool is_early(const struct fork *f)
{
	return f->call->ex.active && f->call->ex.initial;
}

void offer_share(struct fork *f, struct sip_msg *invite)
{
	f->offerer = f->offer_side = SIDE_CALLER;
	keep(&f->offer, invite);
}

int offer_pass(struct fork *f, enum leg_side side, struct sip_msg *msg)
{
	int len = offer_show(f);

	if (len == 0)
		len = tell(f, side, msg, false);
	if (len < 0)
		return len;
	f->offerer = side;
	if (!is_early(f))
		return len;
	if (f->agreed) {
		keep(&f->pending, msg);
	} else {
		f->offer_side = side;
		keep(&f->offer, msg);
	}
	return len;
}

/* What was offered last is agreed. */
static void settle(struct fork *f)
{
	if (f->pending != NULL) {
		f->offer_side = f->offerer;
		keep(&f->offer, f->pending);
		sip_msg_put(f->pending);
		f->pending = NULL;
	}
	f->offerer = SIDE_COUNT;
	f->agreed = true;
}

int answer_pass(struct fork *f, enum leg_side side, struct sip_msg *msg, bool final)
{
	int len = offer_show(f);

	if (len == 0)
		len = tell(f, side, msg, true);
	if (len < 0)
		return len;
	if (final)
		settle(f);
	if (is_early(f))
		keep(&f->answer, msg);
	return len;
}

int offer_settle(struct fork *f)
{
	int rc = offer_show(f);

	if (rc == 0)
		settle(f);
	return rc;
}

void offer_reject(struct fork *f)
{
	struct call *c = f->call;

	sip_msg_put(f->pending);
	f->pending = NULL;
	f->offerer = SIDE_COUNT;
	if (c->media != NULL && !c->media_ending && c->media_fork == f)
		media_session_reject(c->media);
}

void offer_forget(struct fork *f)
{
	sip_msg_put(f->offer);
	sip_msg_put(f->answer);
	sip_msg_put(f->pending);
	f->offer = f->answer = f->pending = NULL;
}

unsigned int offer_refusal(const struct fork *f, enum leg_side side)
{
	const struct exchange *ex = &f->call->ex;

	if (f->call->leg[!side].state == LEG_GONE)
		return 481; /* it was transferred; the BYE is on its way */
	if (f->offerer != SIDE_COUNT)
		return f->offerer == side ? 500 : 491;
	if (!ex->active || (ex->answered && !ex->delayed_offer))
		return 0;
	/* Early: once both sides have the first answer for good, and the caller's PRACK says so. */
	if (ex->initial)
		return f->agreed && f->told && !f->reliable.pending ? 0 : 491;
	return ex->from->side == side ? 500 : 491;
}

unsigned int offer_status(int error)
{
	switch (error) {
	case -EBADMSG:
		return 400;
	case -ENOSPC:
		return 503;
	case -ENOMEM:
	case -EMSGSIZE:
	case -EPROTO:
		return 500;
	default: /* too much, nothing that we relay, an address that may not be */
		return 488;
	}
}
