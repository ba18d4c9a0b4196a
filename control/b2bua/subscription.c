#include "subscription.h"

#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"
#include "relay.h"
#include "route.h"

enum { SUBSCRIBER, NOTIFIER, SIDES };

struct subscription {
	struct b2bua *b;
	struct dialog *side[SIDES];
	struct subscriber *who;		  /* counts it */
	struct timer timer;		  /* its end */
	unsigned int asking;		  /* SUBSCRIBE and REFER without an answer */
	bool ending;			  /* only what is under way is waited for */
	bool dead;			  /* being freed */
	struct subscription *prev, *next; /* b2bua.subscriptions */
};

/* --- life --- */

static void subscription_free(struct subscription *s)
{
	struct b2bua *b = s->b;

	s->dead = true;
	timer_cancel(b->env.timers, &s->timer);
	dialog_free(s->side[SUBSCRIBER]);
	dialog_free(s->side[NOTIFIER]);
	subscriber_del(b, s->who);
	DL_DELETE(b->subscriptions, s);
	b->stats.subscriptions--;
	free(s);
}

static struct subscription *subscription_new(struct b2bua *b)
{
	struct subscription *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->b = b;
	DL_APPEND(b->subscriptions, s);
	b->stats.subscriptions++;
	return s;
}

static void on_timer(void *ctx)
{
	subscription_free(ctx);
}

static void end_in(struct subscription *s, uint64_t ms)
{
	timer_arm(s->b->env.timers, &s->timer, ms, on_timer, s);
}

/* It is over. The timer frees it, since whoever calls still has it in hand; an answer that is on
 * its way may take its time. */
static void end(struct subscription *s)
{
	s->ending = true;
	end_in(s, s->asking > 0 ? SUBSCRIPTION_GRACE_MS : 0);
}

static void extend(struct subscription *s, uint32_t seconds)
{
	if (seconds > SUBSCRIPTION_MAX_S)
		seconds = SUBSCRIPTION_MAX_S;
	if (!s->ending)
		end_in(s, (uint64_t)seconds * 1000 + SUBSCRIPTION_GRACE_MS);
}

void subscription_abandon_all(struct b2bua *b)
{
	while (b->subscriptions != NULL)
		subscription_free(b->subscriptions);
}

/* --- SUBSCRIBE and REFER: subscriber to notifier --- */

static uint32_t expires_of(const struct sip_msg *m, uint32_t fallback)
{
	struct str_view value = sip_msg_header(m, SIP_HDR_EXPIRES, 0);
	uint32_t seconds;

	if (value.p == NULL || sip_uint_parse(value, UINT32_MAX, &seconds) != 0)
		return fallback;
	return seconds;
}

/* RFC 4488 section 4: the notifier agrees that there is nothing to tell. */
static bool is_silent_refer(const struct sip_msg *resp)
{
	struct str_view value = sip_header_find_name(resp->buf, &resp->idx, SV("Refer-Sub"), 0);

	return resp->idx.method == SIP_REFER && value.len >= 5 &&
	       sv_eq_nocase((struct str_view){value.p, 5}, SV("false"));
}

static void on_accepted(
	struct subscription *s, const struct sip_msg *req, const struct sip_msg *resp)
{
	struct dialog *d = s->side[NOTIFIER];
	uint32_t asked = req->idx.method == SIP_REFER ? SUBSCRIPTION_REFER_S
						      : expires_of(req, SUBSCRIPTION_DEFAULT_S);

	/* A NOTIFY may have made the dialog already, perhaps that of another fork. */
	if (d->remote_tag == NULL && dialog_from_response(d, resp) != 0) {
		end(s);
		return;
	}
	if (sv_is(sip_msg_view(resp, resp->idx.to_tag), d->remote_tag))
		dialog_refresh(d, resp);
	if (is_silent_refer(resp))
		end(s);
	else
		extend(s, expires_of(resp, asked));
}

static void on_ask_final(struct relay *r, const struct sip_msg *resp)
{
	struct subscription *s = r->ctx;
	const struct sip_msg *req = server_txn_request(r->server);
	bool first = !req->idx.has_to_tag;

	if (s->dead)
		return;
	s->asking--;
	if (resp != NULL && resp->idx.status < 300)
		on_accepted(s, req, resp);
	else if (first || s->ending || (resp != NULL && resp->idx.status == 481))
		end(s);
	if (s->ending)
		end(s); /* it was waited for */
}

static void on_ask_moved(struct relay *r, struct dialog *old)
{
	struct subscription *s = r->ctx;

	s->side[NOTIFIER] = r->to;
	r->to->subscription = s;
	dialog_free(old);
}

static const struct relay_user subscribe_user = {
	.on_final = on_ask_final, .on_moved = on_ask_moved};

/* @param route  of relay_way. */
static unsigned int ask(struct subscription *s, struct server_txn *txn, const struct sip_msg *req,
	const char *extra, const struct config_route *route)
{
	const struct relay_way way = {
		.to = s->side[NOTIFIER],
		.route = route,
		.extra = extra,
		.to_tag = {s->side[SUBSCRIBER]->local_tag, DIALOG_TAG_LEN},
		.user = &subscribe_user,
		.ctx = s,
	};
	unsigned int status = relay_start(s->b, txn, req, &way);

	s->asking += status == 0;
	return status;
}

/* @param route  set to that of its notifier. @return 0, or the status that we owe. */
static unsigned int setup(
	struct subscription *s, const struct sip_msg *req, const struct config_route **route)
{
	struct b2bua *b = s->b;
	int peer = route_peer_find(b->env.config, req->path.realm, &req->path.remote), rc;
	unsigned int status = outside_dialog_new(b, req, route, &s->side[NOTIFIER]);

	if (status != 0)
		return status;
	s->who = subscriber_add(b, req->path.realm, &req->path.remote);
	if (s->who == NULL)
		return 503;
	s->side[SUBSCRIBER] = dialog_new(b, NULL, req->path.realm, peer, &req->path.remote.addr);
	if (s->side[SUBSCRIBER] == NULL)
		return 500;
	rc = dialog_from_request(s->side[SUBSCRIBER], req);
	s->side[SUBSCRIBER]->subscription = s->side[NOTIFIER]->subscription = s;
	return rc == 0 ? 0 : rc == -ENOMEM ? 500 : 400;
}

void subscription_on_request(
	struct b2bua *b, struct server_txn *txn, const struct sip_msg *req, const char *extra)
{
	struct subscription *s = b->draining ? NULL : subscription_new(b);
	const struct config_realm *to = NULL;
	const struct config_route *route = NULL;
	unsigned int status;

	if (s == NULL) {
		b2bua_reply(b, txn, 503);
		return;
	}
	status = setup(s, req, &route);
	if (status == 0) {
		to = b2bua_realm(b, s->side[NOTIFIER]->realm);
		status = ask(s, txn, req, extra, route);
	}
	if (status == 0) {
		extend(s, expires_of(req, SUBSCRIPTION_DEFAULT_S));
		return;
	}
	b2bua_reply_across(b, txn, status, to);
	subscription_free(s);
}

/* --- NOTIFY: notifier to subscriber --- */

/* RFC 6665 section 4.1.3: what it says of how long, before it goes on. */
static void note_state(struct subscription *s, const struct sip_msg *req)
{
	struct str_view value =
		sip_header_find_name(req->buf, &req->idx, SV("Subscription-State"), 0);
	struct str_view state = value, params = {NULL, 0}, text;
	const char *semicolon = value.len > 0 ? memchr(value.p, ';', value.len) : NULL;
	uint32_t seconds;

	if (semicolon != NULL) {
		state.len = (size_t)(semicolon - value.p);
		params = (struct str_view){semicolon, value.len - state.len};
	}
	while (state.len > 0 && state.p[state.len - 1] == ' ')
		state.len--;
	if (sv_eq_nocase(state, SV("terminated"))) {
		s->ending = true;
		end_in(s, SUBSCRIPTION_GRACE_MS);
	} else if (sip_param_find(params, SV("expires"), &text) && text.p != NULL &&
		   sip_uint_parse(text, UINT32_MAX, &seconds) == 0) {
		extend(s, seconds);
	}
}

static void on_notify_final(struct relay *r, const struct sip_msg *resp)
{
	struct subscription *s = r->ctx;

	/* The subscriber has ended it, does not know it (section 4.1.3), or nobody is there:
	 * whoever forged its address shall not have it told for a week. */
	if (!s->dead && (s->ending || resp == NULL || resp->idx.status == 481))
		end(s);
}

static const struct relay_user notify_user = {.on_final = on_notify_final};

/* The first NOTIFY may overtake the answer to the SUBSCRIBE, and makes the dialog as well as that.
 * Those of other forks find no dialog, and get 481 (section 4.1.2.4 leaves it to the package
 * whether there may be several). @return false if it cannot. */
static bool adopt(struct dialog *d, const struct sip_msg *req)
{
	if (d->remote_tag != NULL)
		return true;
	if (dialog_from_request(d, req) == 0)
		return true;
	free(d->remote_tag);
	d->remote_tag = NULL;
	return false;
}

static unsigned int notify(
	struct subscription *s, struct server_txn *txn, const struct sip_msg *req)
{
	const struct relay_way way = {.to = s->side[SUBSCRIBER], .user = &notify_user, .ctx = s};
	unsigned int status = relay_start(s->b, txn, req, &way);

	if (status == 0)
		note_state(s, req);
	return status;
}

struct dialog *subscription_far(const struct dialog *d)
{
	return d->subscription->side[d == d->subscription->side[NOTIFIER] ? SUBSCRIBER : NOTIFIER];
}

void subscription_on_dialog_request(
	struct dialog *d, struct server_txn *txn, const struct sip_msg *req, const char *extra)
{
	struct subscription *s = d->subscription;
	bool notifier = d == s->side[NOTIFIER];
	const struct relay_way way = {.to = subscription_far(d), .extra = extra};
	unsigned int status;

	if (notifier && req->idx.method == SIP_NOTIFY && !adopt(d, req))
		status = 400;
	else if (d->remote_tag == NULL || way.to->remote_tag == NULL)
		status = 500; /* no dialog on the other side yet: Retry-After */
	else if (req->idx.method == SIP_INVITE || req->idx.method == SIP_BYE)
		status = 481; /* there is no session in it */
	else
		status = 0;
	if (status == 0) {
		dialog_refresh(d, req);
		if (req->idx.method == SIP_SUBSCRIBE && !notifier)
			status = ask(s, txn, req, NULL, NULL);
		else if (req->idx.method == SIP_NOTIFY && notifier)
			status = notify(s, txn, req);
		else
			status = relay_start(s->b, txn, req, &way);
	}
	if (status != 0)
		b2bua_reply_across(s->b, txn, status, b2bua_realm(s->b, way.to->realm));
}
