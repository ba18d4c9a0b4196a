/*
 * Session timers (RFC 4028), on each leg by itself: what a peer and the box agree on in an INVITE
 * or UPDATE and its 2xx, refreshes by the box where it is the refresher, and BYE when a session
 * was not refreshed in time. A peer that does not do session timers has none.
 */
#include <errno.h>

#include "b2bua_priv.h"

#define EXPIRES_MIN_S 90 /* section 4 */
#define EXPIRES_MAX_S 86400
#define AGAIN_MS 2000 /* and as much again at random: a refresh that met another request */

static const struct config_session *policy(const struct leg *l)
{
	const struct config *config = l->call->b->env.config;
	const struct dialog *d = l->dialog;

	return d->peer >= 0 ? &config->peers[d->peer].session : &config->realms[d->realm].session;
}

/* --- what messages say --- */

enum refresher { REFRESHER_NONE, REFRESHER_UAC, REFRESHER_UAS };

static uint32_t seconds_of(struct str_view value)
{
	uint32_t seconds;
	const char *semicolon = value.p != NULL ? memchr(value.p, ';', value.len) : NULL;

	if (semicolon != NULL)
		value.len = (size_t)(semicolon - value.p);
	return value.p != NULL && sip_uint_parse(value, UINT32_MAX, &seconds) == 0 ? seconds : 0;
}

/* Session-Expires in seconds, 0: none. */
static uint32_t expires_of(const struct sip_msg *m, enum refresher *who)
{
	struct str_view value = sip_msg_header(m, SIP_HDR_SESSION_EXPIRES, 0), name = {NULL, 0};
	const char *semicolon = value.p != NULL ? memchr(value.p, ';', value.len) : NULL;

	*who = REFRESHER_NONE;
	if (semicolon != NULL &&
		sip_param_find(
			(struct str_view){semicolon, value.len - (size_t)(semicolon - value.p)},
			SV("refresher"), &name) &&
		name.p != NULL)
		*who = sv_eq_nocase(name, SV("uac"))   ? REFRESHER_UAC
		       : sv_eq_nocase(name, SV("uas")) ? REFRESHER_UAS
						       : REFRESHER_NONE;
	return seconds_of(value);
}

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value > least ? value : least;
}

static uint32_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

/* --- the timer --- */

static void on_timer(void *ctx);

/* Once more, but not after the end; or only the end is waited for, if there is one. */
static void again(struct leg *l)
{
	struct session_timer *s = &l->session;
	struct timers *timers = l->call->b->env.timers;
	uint64_t left_ms = s->end_ms > timers->now_ms ? s->end_ms - timers->now_ms : 0,
		 wait_ms = AGAIN_MS + b2bua_random(AGAIN_MS);
	bool timed = s->interval_s != 0, wanted;

	if (s->reoffer && ++s->reoffers > SESSION_REOFFERS_MAX)
		s->reoffer = false;
	wanted = s->reoffer || (timed && s->refresher);
	if (timed && (!wanted || left_ms < wait_ms))
		wait_ms = left_ms;
	if (timed || wanted)
		timer_arm(timers, &s->timer, wait_ms, on_timer, l);
}

/* Section 10: BYE min(32 s, a third of the interval) before the end. */
static void start(struct leg *l, uint32_t interval_s, bool refresher)
{
	struct session_timer *s = &l->session;
	struct timers *timers = l->call->b->env.timers;
	uint64_t interval_ms;

	timer_cancel(timers, &s->timer);
	s->interval_s = interval_s;
	s->refresher = refresher;
	if (l->call->state == CALL_ENDED)
		return;
	interval_ms = (uint64_t)interval_s * 1000;
	s->end_ms =
		timers->now_ms + interval_ms - (interval_ms / 3 < 32000 ? interval_ms / 3 : 32000);
	if (s->reoffer && s->refreshing == SIP_METHOD_NONE)
		again(l);
	else if (interval_s != 0)
		timer_arm(timers, &s->timer,
			refresher ? interval_ms / 2 : s->end_ms - timers->now_ms, on_timer, l);
}

void session_stop(struct leg *l)
{
	timer_cancel(l->call->b->env.timers, &l->session.timer);
	l->session.interval_s = 0;
	l->session.reoffer = false;
}

void session_move(struct leg *to, struct leg *from)
{
	struct timers *timers = to->call->b->env.timers;
	struct session_timer *s = &to->session;
	uint64_t left_ms;

	timer_cancel(timers, &from->session.timer);
	timer_cancel(timers, &s->timer);
	*s = from->session;
	s->timer = (struct timer){0};
	s->reoffer = false; /* it is offered another one there */
	from->session = (struct session_timer){0};
	if (s->interval_s == 0)
		return;
	left_ms = s->end_ms > timers->now_ms ? s->end_ms - timers->now_ms : 0;
	timer_arm(timers, &s->timer, s->refresher ? left_ms / 2 : left_ms, on_timer, to);
}

/* --- we are the UAS --- */

bool session_is_too_short(struct leg *l, const struct sip_msg *req)
{
	enum refresher who;
	uint32_t expires = expires_of(req, &who);

	/* Section 9: only who does session timers understands a 422. */
	return expires != 0 && expires < policy(l)->min_s &&
	       headers_option(req, SIP_HDR_SUPPORTED, SV("timer"));
}

void session_refuse(struct leg *l, struct server_txn *txn)
{
	struct b2bua *b = l->call->b;
	char tag[TXN_TAG_LEN + 1], extra[96];
	int n = snprintf(extra, sizeof(extra), "Server: " B2BUA_PRODUCT "\r\nMin-SE: %u\r\n",
		policy(l)->min_s);

	txn_answer_tag(b->txns, server_txn_request(txn), tag);
	(void)server_txn_reply(
		txn, 422, (struct str_view){tag, TXN_TAG_LEN}, (struct str_view){extra, (size_t)n});
}

/* Section 9, table 2. */
static enum refresher choose(const struct leg *l, bool supported, enum refresher asked)
{
	if (!supported)
		return REFRESHER_UAS;
	if (asked != REFRESHER_NONE)
		return asked;
	return l->session.interval_s != 0 && l->session.refresher ? REFRESHER_UAS : REFRESHER_UAC;
}

static void write_expires(struct sip_writer *w, uint32_t seconds, struct str_view rest)
{
	sip_write_raw(w, SV("Session-Expires: "));
	sip_write_uint(w, seconds);
	sip_write_raw(w, rest);
}

void session_accept(struct leg *l, const struct sip_msg *req, struct sip_writer *w)
{
	bool supported = headers_option(req, SIP_HDR_SUPPORTED, SV("timer"));
	uint32_t own = policy(l)->expires_s, interval;
	enum refresher who;
	uint32_t asked = expires_of(req, &who);

	if (asked == 0 && (!supported || own == 0)) {
		start(l, 0, false);
		return;
	}
	interval = asked == 0 ? own : own == 0 ? asked : at_most(own, asked);
	/* No shorter than the caller and what came before it can bear. */
	interval = at_least(interval, seconds_of(sip_msg_header(req, SIP_HDR_MIN_SE, 0)));
	interval = at_most(at_least(interval, EXPIRES_MIN_S), EXPIRES_MAX_S);
	who = choose(l, supported, who);
	write_expires(w, interval,
		who == REFRESHER_UAC ? SV(";refresher=uac\r\n") : SV(";refresher=uas\r\n"));
	if (who == REFRESHER_UAC)
		sip_write_raw(w, SV("Require: timer\r\n"));
	start(l, interval, who == REFRESHER_UAS);
}

/* --- we are the UAC --- */

void session_write(struct leg *l, struct sip_writer *w)
{
	const struct config_session *p = policy(l);
	struct session_timer *s = &l->session;
	uint32_t least = at_least(p->min_s, s->min_s);
	uint32_t asked = s->interval_s != 0 ? s->interval_s : p->expires_s;

	if (asked == 0)
		return;
	write_expires(w, at_least(asked, least),
		s->interval_s == 0 ? SV("\r\n")
		: s->refresher	   ? SV(";refresher=uac\r\n")
				   : SV(";refresher=uas\r\n"));
	if (least > EXPIRES_MIN_S)
		sip_write_fmt(w, "Min-SE: %u\r\n", least);
}

void session_accepted(struct leg *l, const struct sip_msg *resp)
{
	enum refresher who;
	uint32_t interval = expires_of(resp, &who);

	if (interval != 0)
		interval = at_most(at_least(interval, EXPIRES_MIN_S), EXPIRES_MAX_S);
	start(l, interval, who != REFRESHER_UAS);
}

bool session_raise(struct leg *l, const struct sip_msg *resp)
{
	uint32_t least = seconds_of(sip_msg_header(resp, SIP_HDR_MIN_SE, 0));

	if (least <= at_least(policy(l)->min_s, l->session.min_s) || least > EXPIRES_MAX_S ||
		++l->session.raised > SESSION_RAISES_MAX)
		return false;
	l->session.min_s = least;
	return true;
}

void session_note_methods(struct leg *l, const struct sip_msg *m)
{
	if (sip_msg_header(m, SIP_HDR_ALLOW, 0).p == NULL)
		return;
	l->session.update = headers_option(m, SIP_HDR_ALLOW, SV("UPDATE"));
	l->session.no_update = !l->session.update;
}

/* --- refreshes of our own --- */

static void close_offer(struct leg *l)
{
	if (l->session.refreshing == SIP_INVITE && l->call->fork->offerer == leg_other(l)->side)
		l->call->fork->offerer = SIDE_COUNT;
	l->session.refreshing = SIP_METHOD_NONE;
}

static void on_refused(struct leg *l, enum sip_method method, const struct sip_msg *resp)
{
	unsigned int status = resp->idx.status;
	bool met = status == 491 || status == 500; /* section 14.2: another one is under way */

	if (status == 481 || status == 408) { /* section 10, RFC 3261 section 12.2.1.2 */
		call_end(l->call, CAUSE_DIALOG_LOST, status, ENDED_BY_BOX);
		return;
	}
	if (status == 405 || status == 501)
		l->session.update = false;
	if (status == 422 && session_raise(l, resp))
		met = true;
	if (method == SIP_INVITE && !met)
		l->session.reoffer = false;
	again(l);
}

static void on_response(struct dialog_txn *t, struct sip_msg *resp)
{
	struct leg *l = t->dialog->leg;
	bool open = l->session.refreshing == t->method && t->ctx == NULL;

	if (resp->idx.status < 200)
		return;
	if (t->method == SIP_INVITE && resp->idx.status < 300 && !open) {
		invite_on_stray(l, resp);
		return;
	}
	if (!open)
		return;
	t->ctx = l; /* answered */
	close_offer(l);
	if (resp->idx.status < 300) {
		dialog_refresh(l->dialog, resp);
		if (t->method == SIP_INVITE) {
			l->session.reoffer = false;
			leg_send_ack(l, resp->idx.cseq, (struct str_view){NULL, 0});
		}
		session_accepted(l, resp);
	} else if (l->call->state != CALL_ENDED) {
		on_refused(l, t->method, resp);
	}
}

static void on_end(struct dialog_txn *t, int error)
{
	struct leg *l = t->dialog->leg;

	if (t->ctx == NULL) {
		close_offer(l);
		call_end(l->call, CAUSE_DIALOG_LOST, 408, ENDED_BY_BOX);
	}
	call_check(l->call);
}

struct dialog_txn *session_request_send(struct leg *l, enum sip_method method, struct str_view sdp,
	const struct dialog_txn_user *user)
{
	struct b2bua *b = l->call->b;
	struct sip_writer w;

	sip_writer_init(&w, b->msg, sizeof(b->msg));
	dialog_request_start(l->dialog, &w, method, ++l->dialog->local_cseq);
	sip_write_raw(&w, SV("Max-Forwards: 70\r\n"));
	headers_abilities(&w, l->dialog);
	session_write(l, &w);
	sip_write_body(&w, SV("application/sdp"), sdp);
	return dialog_request_send(l->dialog, &w, method, user, NULL);
}

/* Section 7.4. */
static bool refresh(struct leg *l, enum sip_method method)
{
	static const struct dialog_txn_user user = {.on_response = on_response, .on_end = on_end};
	struct call *c = l->call;
	const char *sdp = media_session_sent(c->media, l->side);
	struct str_view body = {NULL, 0};

	if (method == SIP_INVITE) {
		/* Section 14.1: not while another one, or an offer, is under way. */
		if (c->ex.active || c->fork->offerer != SIDE_COUNT || sdp == NULL)
			return false;
		body = (struct str_view){sdp, strlen(sdp)};
	}
	if (session_request_send(l, method, body, &user) == NULL)
		return false;
	l->session.refreshing = method;
	if (method == SIP_INVITE)
		c->fork->offerer = leg_other(l)->side;
	return true;
}

void session_offer_again(struct leg *l)
{
	struct session_timer *s = &l->session;

	s->reoffer = true;
	s->reoffers = 0;
	if (s->refreshing != SIP_METHOD_NONE || !refresh(l, SIP_INVITE))
		again(l);
}

static void on_timer(void *ctx)
{
	struct leg *l = ctx;
	struct session_timer *s = &l->session;
	struct timers *timers = l->call->b->env.timers;
	/* UPDATE, if it is known there; else the same offer again. */
	enum sip_method method = s->update && !s->reoffer ? SIP_UPDATE : SIP_INVITE;
	bool timed = s->interval_s != 0;

	if (timed && timers->now_ms >= s->end_ms) {
		call_end(l->call, CAUSE_SESSION_EXPIRED, 408, ENDED_BY_BOX);
		call_check(l->call);
	} else if (s->refreshing != SIP_METHOD_NONE || !refresh(l, method)) {
		again(l);
	} else if (timed) {
		timer_arm(timers, &s->timer, s->end_ms - timers->now_ms, on_timer, l);
	}
}
