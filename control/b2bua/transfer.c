#include "transfer.h"

#include <errno.h>

#include "b2bua_priv.h"
#include "overload.h"

#define EXPIRES_S 180	  /* of the subscription, and how long the second call may ring at most */
#define BUSY_MS 500	  /* the other party's dialog has another offer under way */
#define GLARE_MIN_MS 2100 /* RFC 3261 section 14.1, of who made the Call-ID: 2.1 to 4 s */
#define GLARE_SPREAD_MS 1900

static const struct str_view nothing;

struct transfer {
	struct call *first, *second; /* second NULL: not placed yet, or it has come to its end */
	enum leg_side side;	     /* the transferor's in `first` */
	uint32_t id;		     /* of its subscription in that dialog; 0: it is the only one */
	bool silent;		     /* nobody wants NOTIFYs */
	bool unsubscribed;	     /* but for one more, which says so */
	bool moved;		     /* the other party is in `second` */
	bool over;		     /* `told` is how it ended */
	bool connected;		     /* and that was well */
	unsigned int told;	     /* status for the last NOTIFY */
	bool owed;		     /* which waits for the answer to the one before */
	bool heard;		     /* the other party has said 100 to the INVITE */
	struct dialog_txn *notify;   /* the last one, without its answer; NULL: none */
	struct dialog_txn *invite;   /* to the other party, without its answer; NULL: none */
	struct timer timer;
	uint64_t until_ms; /* it fails then */
};

/* --- NOTIFY (RFC 3515 section 2.4) --- */

static void notify(struct transfer *t, unsigned int status);
static void settle(struct transfer *t);

static struct transfer *of_notify(const struct dialog_txn *txn)
{
	struct transfer *t = txn->dialog->leg->call->transfer;

	return t != NULL && t->notify == txn ? t : NULL;
}

/* @param lost  the transferor has no such subscription, or wants none. */
static void on_notified(struct dialog_txn *txn, bool lost)
{
	struct transfer *t = of_notify(txn);

	if (t == NULL)
		return;
	t->notify = NULL;
	t->silent |= lost;
	if (t->owed)
		notify(t, t->told);
	settle(t);
}

static void on_notify_response(struct dialog_txn *txn, struct sip_msg *resp)
{
	if (resp->idx.status >= 200)
		on_notified(txn, resp->idx.status >= 300);
}

static void on_notify_end(struct dialog_txn *txn, int error)
{
	on_notified(txn, true);
}

static void write_state(const struct transfer *t, struct sip_writer *w, uint64_t now_ms)
{
	uint64_t left_ms = t->until_ms > now_ms ? t->until_ms - now_ms : 0;

	if (t->id != 0)
		sip_write_fmt(w, "Event: refer;id=%u\r\n", t->id);
	else
		sip_write_raw(w, SV("Event: refer\r\n"));
	if (t->over)
		sip_write_raw(w, SV("Subscription-State: terminated;reason=noresource\r\n"));
	else if (t->unsubscribed)
		sip_write_raw(w, SV("Subscription-State: terminated;reason=timeout\r\n"));
	else
		sip_write_fmt(w, "Subscription-State: active;expires=%u\r\n",
			(unsigned int)(left_ms / 1000));
}

/* One at a time, however often the target says something new: the newest is told next. */
static void notify(struct transfer *t, unsigned int status)
{
	static const struct dialog_txn_user user = {
		.on_response = on_notify_response, .on_end = on_notify_end};
	struct dialog *d = t->first->leg[t->side].dialog;
	struct b2bua *b = d->b;
	struct sip_writer w;
	char line[128];
	int n;

	t->told = status;
	t->owed = t->notify != NULL;
	if (t->silent || t->owed)
		return;
	sip_writer_init(&w, b->msg, sizeof(b->msg));
	dialog_request_start(d, &w, SIP_NOTIFY, ++d->local_cseq);
	headers_contact(&w, d);
	sip_write_raw(&w, SV("Max-Forwards: 70\r\n"));
	write_state(t, &w, b->env.timers->now_ms);
	n = snprintf(line, sizeof(line), "SIP/2.0 %u %s\r\n", status, sip_reason_phrase(status));
	sip_write_body(&w, SV("message/sipfrag;version=2.0"), (struct str_view){line, (size_t)n});
	t->notify = dialog_request_send(d, &w, SIP_NOTIFY, &user, NULL);
	t->silent = t->unsubscribed || t->notify == NULL;
}

/* --- the end --- */

static void transfer_free(struct transfer *t)
{
	timer_cancel(t->first->b->env.timers, &t->timer);
	if (t->second != NULL)
		t->second->transfer = NULL;
	t->first->transfer = NULL;
	free(t);
}

/* Once nothing is awaited any more: a transferor that has not hung up is told before its BYE, and
 * before it may refer again. */
static void settle(struct transfer *t)
{
	struct call *first = t->first;
	bool connected = t->connected;
	enum call_end_by by = t->side == SIDE_CALLER ? ENDED_BY_CALLER : ENDED_BY_CALLEE;

	if (!t->over || t->invite != NULL || t->notify != NULL)
		return;
	transfer_free(t);
	if (connected)
		call_end(first, CAUSE_NORMAL, 200, by);
	call_check(first);
}

static void conclude(struct transfer *t, unsigned int status)
{
	t->over = true;
	timer_cancel(t->first->b->env.timers, &t->timer);
	if (t->moved)
		t->invite = NULL;
	else if (t->invite != NULL)
		(void)client_txn_cancel(t->invite->client);
	if (t->second != NULL)
		t->second->transfer = NULL;
	t->second = NULL;
	notify(t, status);
	settle(t);
}

void transfer_on_end(struct call *c)
{
	struct transfer *t = c->transfer;

	if (t == NULL || t->over)
		return;
	if (c == t->second)
		conclude(t, c->sip_status);
	else if (!t->moved && t->second != NULL)
		call_end(t->second, CAUSE_CANCEL, 487, ENDED_BY_BOX);
}

void transfer_forget(struct call *c)
{
	struct transfer *t = c->transfer;

	if (t != NULL && t->first == c)
		transfer_free(t);
	else if (t != NULL)
		t->second = NULL;
	c->transfer = NULL;
}

/* --- the other party --- */

static struct leg *party_of(const struct transfer *t)
{
	return t->moved ? &t->second->leg[SIDE_CALLER] : &t->first->leg[!t->side];
}

static void put_dialog(struct leg *l, struct dialog *d)
{
	struct fork *f = l->call->fork;

	f->dialog[l->side] = l->dialog = d;
	d->leg = l;
	d->fork = f;
}

/* Its dialog becomes the second call's, and the stand-in there the first one's. */
static void move(struct transfer *t)
{
	struct leg *old = party_of(t), *new = &t->second->leg[SIDE_CALLER];
	struct dialog *stand_in = new->dialog;

	put_dialog(new, old->dialog);
	put_dialog(old, stand_in);
	new->ack = old->ack;
	new->ack_len = old->ack_len;
	new->ack_cseq = old->ack_cseq;
	old->ack = NULL;
	session_move(new, old);
	leg_set_state(new, LEG_CONFIRMED);
	leg_set_state(old, LEG_GONE);
	leg_trace_take(new, old->side == SIDE_CALLEE);
	if (old->side == SIDE_CALLER && t->first->goes_on.slot != 0)
		call_credit(t->second, &t->first->credited);
	t->moved = true;
}

/* Not in the middle of an offer between the two; only the party's ACK may be on its way. */
static bool may_move(const struct transfer *t)
{
	const struct exchange *ex = &t->first->ex;

	if (ex->active && (!ex->answered || ex->delayed_offer || ex->from != party_of(t)))
		return false;
	return t->first->fork->offerer == SIDE_COUNT || t->invite != NULL;
}

void transfer_on_bye(struct leg *l)
{
	struct transfer *t = l->call->transfer;

	if (t != NULL && t->first == l->call && t->side == l->side && t->second != NULL &&
		!t->moved && may_move(t))
		move(t);
}

static void join(struct transfer *t);

static void on_timer(void *ctx)
{
	struct transfer *t = ctx;

	if (t->first->b->env.timers->now_ms >= t->until_ms)
		call_end(t->second, CAUSE_NO_ANSWER, 408, ENDED_BY_BOX);
	else
		join(t);
}

static void join_in(struct transfer *t, uint64_t ms)
{
	timer_arm(t->first->b->env.timers, &t->timer, ms, on_timer, t);
}

/* Both have the other's description: one call. */
static void on_accepted(struct transfer *t, struct leg *l, struct sip_msg *resp)
{
	struct call *c = t->second;
	int len = answer_pass(c->fork, SIDE_CALLER, resp, true);

	if (len < 0) {
		call_end(c, CAUSE_BAD_SDP, 488, ENDED_BY_CALLER);
		if (l->call->state != CALL_ENDED)
			session_offer_again(l);
		return;
	}
	if (!t->moved)
		move(t);
	leg_send_ack(
		&c->leg[SIDE_CALLEE], c->ex.client_cseq, (struct str_view){c->b->sdp, (size_t)len});
	exchange_over(c);
	c->state = CALL_ESTABLISHED;
	invite_answered(c);
	t->connected = true;
	conclude(t, 200);
}

static void on_refused(struct transfer *t, struct leg *l, const struct sip_msg *resp)
{
	unsigned int status = resp->idx.status;

	if (status == 491)
		join_in(t, GLARE_MIN_MS + b2bua_random(GLARE_SPREAD_MS));
	else if (status == 422 && session_raise(l, resp))
		join(t);
	else if (status == 481 || status == 408) /* section 12.2.1.2 */
		call_end(l->call, CAUSE_DIALOG_LOST, status, ENDED_BY_BOX);
	else
		call_end(t->second, CAUSE_REJECTED, status, ENDED_BY_CALLER);
}

/* @return the transfer that waits for this transaction; NULL: none does any more. */
static struct transfer *take_invite(const struct dialog_txn *txn)
{
	struct transfer *t = txn->dialog->leg->call->transfer;

	if (t == NULL || t->invite != txn)
		return NULL;
	t->invite = NULL;
	if (!t->moved)
		t->first->fork->offerer = SIDE_COUNT;
	return t;
}

static void on_response(struct dialog_txn *txn, struct sip_msg *resp)
{
	struct leg *l = txn->dialog->leg;
	bool accepted = resp->idx.status < 300;
	struct transfer *t = l->call->transfer;

	if (resp->idx.status < 200) {
		if (t != NULL && t->invite == txn)
			t->heard = true;
		return;
	}
	t = take_invite(txn);
	if (t == NULL) {
		if (accepted)
			invite_on_stray(l, resp);
		return;
	}
	if (accepted) {
		dialog_refresh(l->dialog, resp);
		session_accepted(l, resp);
		leg_send_ack(l, resp->idx.cseq, nothing);
	}
	if (t->over) { /* it failed meanwhile: back to what was agreed with the transferor */
		if (accepted && l->call->state != CALL_ENDED)
			session_offer_again(l);
		settle(t);
	} else if (accepted) {
		on_accepted(t, l, resp);
	} else {
		on_refused(t, l, resp);
	}
}

static void on_end(struct dialog_txn *txn, int error)
{
	struct call *c = txn->dialog->leg->call;
	struct transfer *t = take_invite(txn);

	if (t != NULL) {
		if (!t->over || !t->heard) /* else it has not answered to the CANCEL */
			call_end(c, CAUSE_DIALOG_LOST, 408, ENDED_BY_BOX);
		if (c->transfer == t)
			settle(t);
	}
	call_check(c);
}

/* RFC 3725 section 4.1: the offer of who answered, to the other party. */
static void join(struct transfer *t)
{
	static const struct dialog_txn_user user = {.on_response = on_response, .on_end = on_end};
	struct leg *l = party_of(t);
	struct fork *f = l->call->fork;
	const char *offer = t->second->fork->body;

	if (!t->moved && (l->call->ex.active || f->offerer != SIDE_COUNT)) {
		join_in(t, BUSY_MS);
		return;
	}
	t->invite =
		session_request_send(l, SIP_INVITE, (struct str_view){offer, strlen(offer)}, &user);
	if (t->invite == NULL) {
		call_end(t->second, CAUSE_INTERNAL, 500, ENDED_BY_BOX);
		return;
	}
	t->heard = false;
	join_in(t, t->until_ms - t->first->b->env.timers->now_ms);
	if (!t->moved)
		f->offerer = t->side; /* as if it were the transferor's: nobody else may */
}

/* --- the second call --- */

void transfer_on_ringing(struct call *c, unsigned int status)
{
	struct transfer *t = c->transfer;

	if (status != t->told)
		notify(t, status);
}

void transfer_on_answer(struct call *c)
{
	struct transfer *t = c->transfer;
	struct timers *timers = c->b->env.timers;

	timer_cancel(timers, &t->timer);
	/* Who has answered waits no longer for its ACK (RFC 3261 section 13.3.1.4). */
	t->until_ms = timers->now_ms + 64 * SIP_T1_MS;
	join(t);
}

/* The INVITE that the transferor would have sent, had the other party asked it to call on its
 * behalf: nobody ever sees it, but what judges and maps calls. @return NULL: there is none. */
static struct sip_msg *make_invite(const struct transfer *t, const struct sip_msg *refer,
	const char *uri, const struct transfer_target *to)
{
	struct dialog *party = t->first->leg[!t->side].dialog;
	struct str_view by = sip_msg_header(refer, SIP_HDR_REFERRED_BY, 0);
	struct str_view hops = sip_msg_header(refer, SIP_HDR_MAX_FORWARDS, 0);
	struct b2bua *b = party->b;
	char word[33], here[NET_ENDPOINT_STRLEN];
	struct sip_index idx;
	struct sip_writer w;
	int len;

	sip_random_token(word, sizeof(word) - 1);
	sip_writer_init(&w, b->msg, sizeof(b->msg));
	sip_write_fmt(&w, "INVITE %s SIP/2.0\r\n", uri);
	sip_write_fmt(&w, "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\n",
		net_endpoint_format(&refer->path.remote, here), word);
	sip_write_fmt(&w, "From: %s;tag=%s\r\n", party->remote_name, word);
	sip_write_fmt(&w, "To: <%s>\r\n", uri);
	sip_write_fmt(&w, "Call-ID: %s\r\n", word);
	sip_write_raw(&w, SV("CSeq: 1 INVITE\r\n"));
	if (hops.p != NULL)
		sip_write_header(&w, "Max-Forwards", hops);
	if (by.p != NULL)
		sip_write_header(&w, "Referred-By", by);
	if (to->header != NULL)
		sip_write_fmt(&w, "%s: %s\r\n", to->header, to->q->value);
	sip_write_body(&w, nothing, nothing);
	len = sip_writer_finish(&w);
	if (len < 0 || sip_scan(b->msg, (size_t)len, &idx) != SIP_SCAN_NONE)
		return NULL;
	return sip_msg_new(&refer->path, &idx, b->msg, (size_t)len);
}

/* @return 0, or the status of the last NOTIFY. */
static unsigned int place(
	struct transfer *t, const struct sip_msg *refer, const struct transfer_target *to)
{
	const struct dialog *d = t->first->leg[t->side].dialog;
	struct b2bua *b = d->b;
	char text[DIALOG_TEXT_MAX], *uri = NULL;
	struct sip_msg *invite = NULL;
	unsigned int status = 400;
	int n = snprintf(
		text, sizeof(text), "sip:%.*s%sx", SV_ARG(to->user), to->user.len > 0 ? "@" : "");

	if (to->q != NULL && to->q->status != 0)
		return to->q->status;
	/* A name of the box, as a call of the transferor would have it. */
	if (n > 0 && (size_t)n < sizeof(text) &&
		identity_name_map(&uri, (struct str_view){text, (size_t)n}, &d->path.local, true) ==
			0)
		invite = make_invite(t, refer, uri, to);
	free(uri);
	if (invite == NULL)
		return status;
	if (admit_request(b, invite, (uint64_t)b2bua_random(UINT32_MAX) << 32) != 0)
		status = 503;
	else
		status = invite_place(
			b, invite, d->peer, t->first->leg[!t->side].dialog, to->q, &t->second);
	sip_msg_put(invite);
	return status;
}

/* --- REFER --- */

/* RFC 4488: no subscription, please. */
static bool is_silent(const struct sip_msg *req)
{
	struct str_view value = sip_header_find_name(req->buf, &req->idx, SV("Refer-Sub"), 0);

	return value.len >= 5 && sv_eq_nocase((struct str_view){value.p, 5}, SV("false"));
}

static unsigned int refusal(const struct leg *l)
{
	const struct call *c = l->call;

	if (c->state == CALL_ENDED || l->state != LEG_CONFIRMED)
		return 481;
	if (c->transfer != NULL) /* one at a time */
		return 491;
	/* A callee may be faster than the caller's ACK. */
	return c->state == CALL_ANSWERED || c->state == CALL_ESTABLISHED ? 0 : 500;
}

/* @param line  a header of this answer's own; or "". */
static void answer(struct leg *l, struct server_txn *txn, unsigned int status, const char *line)
{
	char extra[NET_ENDPOINT_STRLEN + 96], here[NET_ENDPOINT_STRLEN];
	int n = snprintf(extra, sizeof(extra),
		"Contact: <sip:%s>\r\n%sServer: " B2BUA_PRODUCT "\r\n",
		net_endpoint_format(&l->dialog->path.local, here), line);

	(void)server_txn_reply(txn, status, nothing, (struct str_view){extra, (size_t)n});
}

void transfer_begin(struct leg *l, struct server_txn *txn, const struct sip_msg *req,
	const struct transfer_target *to)
{
	struct call *c = l->call;
	struct timers *timers = c->b->env.timers;
	unsigned int status = refusal(l);
	struct transfer *t = status == 0 ? calloc(1, sizeof(*t)) : NULL;

	if (t == NULL) {
		b2bua_reply(c->b, txn, status != 0 ? status : 500);
		return;
	}
	t->first = c;
	t->side = l->side;
	t->silent = is_silent(req);
	/* Section 2.4.6: further ones in a dialog have names. */
	t->id = l->referred ? req->idx.cseq : 0;
	l->referred = true;
	c->transfer = t;
	t->until_ms = timers->now_ms + EXPIRES_S * 1000;
	answer(l, txn, 202, t->silent ? "Refer-Sub: false\r\n" : "");
	notify(t, 100);
	status = place(t, req, to);
	if (status != 0) {
		conclude(t, status);
		return;
	}
	t->second->transfer = t;
	(void)b2bua_str_set(&t->second->transfer_of, (struct str_view){c->name, strlen(c->name)});
	join_in(t, EXPIRES_S * 1000);
}

/* --- SUBSCRIBE --- */

/* @param id  that its Event has; 0: none. @return false: it is no REFER's. */
static bool is_of_refer(const struct sip_msg *req, uint32_t *id)
{
	struct str_view value = sip_msg_header(req, SIP_HDR_EVENT, 0), text, package = value;

	for (package.len = 0; package.len < value.len; package.len++)
		if (memchr("; \t", value.p[package.len], 3) != NULL)
			break;
	*id = 0;
	if (!sv_eq_nocase(package, SV("refer")))
		return false;
	value.p += package.len;
	value.len -= package.len;
	return !sip_param_find(value, SV("id"), &text) || sip_uint_parse(text, UINT32_MAX, id) == 0;
}

bool transfer_on_subscribe(struct leg *l, struct server_txn *txn, const struct sip_msg *req)
{
	struct transfer *t = l->call->transfer;
	struct str_view value = sip_msg_header(req, SIP_HDR_EXPIRES, 0);
	uint64_t now_ms = l->call->b->env.timers->now_ms;
	uint32_t id, seconds, left;
	char line[32];

	if (!l->referred || !is_of_refer(req, &id))
		return false;
	if (t == NULL || t->first != l->call || t->side != l->side || t->over || t->silent ||
		id != t->id) {
		b2bua_reply(l->call->b, txn, 481);
		return true;
	}
	left = t->until_ms > now_ms ? (uint32_t)((t->until_ms - now_ms) / 1000) : 0;
	if (value.p == NULL || sip_uint_parse(value, UINT32_MAX, &seconds) != 0 || seconds > left)
		seconds = left;
	t->unsubscribed = seconds == 0;
	snprintf(line, sizeof(line), "Expires: %u\r\n", seconds);
	answer(l, txn, 200, line);
	notify(t, t->told);
	return true;
}
