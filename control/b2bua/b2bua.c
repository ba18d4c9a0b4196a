#include <errno.h>
#include <openssl/rand.h>
#include <time.h>

#include "attach.h"
#include "b2bua_priv.h"
#include "log.h"
#include "relay.h"
#include "replaces.h"
#include "reputation.h"
#include "route.h"
#include "subscription.h"
#include "trace.h"
#include "transfer.h"

#define CALL_ID_LEN 24
#define CALL_ID_TRIES 4096 /* for a Call-ID of our shard; one try in `shards` hits */

const struct config_realm *b2bua_realm(const struct b2bua *b, uint16_t realm)
{
	return &b->env.config->realms[realm];
}

const struct net_endpoint *b2bua_listener(
	const struct b2bua *b, uint16_t realm, unsigned int family)
{
	const struct config_realm *r = b2bua_realm(b, realm);

	for (unsigned int i = 0; i < r->n_listeners; i++)
		if (r->listeners[i].local.addr.family == family)
			return &r->listeners[i].local;
	return NULL;
}

uint32_t b2bua_random(uint32_t below)
{
	uint32_t value = 0;

	(void)RAND_bytes((unsigned char *)&value, sizeof(value));
	return value % below;
}

int b2bua_call_id(struct b2bua *b, char **out)
{
	char text[CALL_ID_LEN + 1];
	struct str_view view = {text, CALL_ID_LEN};

	for (unsigned int i = 0; i < CALL_ID_TRIES; i++) {
		sip_random_token(text, CALL_ID_LEN);
		if (shard_hash(b->env.keys.hash, view, b->env.shards) == b->env.shard)
			return b2bua_str_set(out, view);
	}
	return -ENOMEM;
}

int64_t b2bua_utc_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int b2bua_str_set(char **dst, struct str_view text)
{
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		return -ENOMEM;
	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	free(*dst);
	*dst = copy;
	return 0;
}

/* --- requests outside and inside of dialogs --- */

/* @param to  where the body of the request would go, unread; NULL: we would read it. */
static void write_accept(struct sip_writer *w, const struct config_realm *to)
{
	if (to == NULL) {
		sip_write_raw(w, SV("Accept: application/sdp, multipart/mixed\r\n"));
		return;
	}
	sip_write_raw(w, SV("Accept:")); /* with nothing behind it: no body at all */
	for (unsigned int i = 0; i < to->n_bodies; i++)
		sip_write_fmt(w, "%s%s", i > 0 ? ", " : " ", to->bodies[i]);
	sip_write_raw(w, SV("\r\n"));
}

void b2bua_reply(struct b2bua *b, struct server_txn *txn, unsigned int status)
{
	b2bua_reply_across(b, txn, status, NULL);
}

void b2bua_reply_across(
	struct b2bua *b, struct server_txn *txn, unsigned int status, const struct config_realm *to)
{
	const struct sip_msg *req = server_txn_request(txn);
	bool options;
	char tag[TXN_TAG_LEN + 1];
	char extra[B2BUA_ALLOW_LEN + CONFIG_BODIES_MAX * (CONFIG_BODY_LEN + 2) + 128];
	struct str_view to_tag = {tag, 0};
	struct sip_writer w;

	if (req == NULL)
		return;
	options = req->idx.method == SIP_OPTIONS;
	if (!req->idx.has_to_tag)
		to_tag = txn_answer_tag(b->txns, req, tag);
	sip_writer_init(&w, extra, sizeof(extra));
	sip_write_raw(&w, SV("Server: " B2BUA_PRODUCT "\r\n"));
	if ((options && status == 200) || status == 405 || status == 501)
		sip_write_fmt(&w, "Allow: %s\r\n", b2bua_allow_sender(b, req));
	if ((options && status == 200) || status == 415)
		write_accept(&w, status == 415 ? to : NULL);
	if (options && status == 200)
		sip_write_raw(&w, SV("Supported: " B2BUA_SUPPORTED "\r\n"));
	/* Section 14.2: at random, so that what met does not meet again. */
	if (status == 500)
		sip_write_fmt(&w, "Retry-After: %u\r\n", b2bua_random(RETRY_AFTER_S + 1));
	if (status == 503)
		sip_write_fmt(&w, "Retry-After: %d\r\n", RETRY_AFTER_S);
	(void)server_txn_reply(txn, status, to_tag, (struct str_view){extra, w.len});
}

/* Section 12.2.2: requests in a dialog come in order. @return false when it was answered. */
static bool is_in_order(
	struct b2bua *b, struct dialog *d, struct server_txn *txn, const struct sip_msg *req)
{
	if (d->remote_cseq != 0 && req->idx.cseq < d->remote_cseq) {
		b2bua_reply(b, txn, 500);
		return false;
	}
	d->remote_cseq = req->idx.cseq;
	return true;
}

static void on_dialog_request(
	struct b2bua *b, struct dialog *d, struct server_txn *txn, struct sip_msg *req)
{
	/* That of a request on its way through has none of its own to take. */
	if (d->leg == NULL && d->subscription == NULL) {
		b2bua_reply(b, txn, 481);
		return;
	}
	if (!is_in_order(b, d, txn, req))
		return;
	if (req->idx.method == SIP_REFER) {
		refer_on_request(b, d, txn, req);
		return;
	}
	if (d->subscription != NULL) {
		subscription_on_dialog_request(d, txn, req, NULL);
		return;
	}
	switch (req->idx.method) {
	case SIP_INVITE:
		reinvite_on_request(d->leg, txn, req);
		break;
	case SIP_BYE:
		bye_on_request(d->leg, txn, req);
		break;
	case SIP_PRACK:
		prack_on_request(d, txn, req);
		break;
	case SIP_UPDATE:
		update_on_request(d, txn, req);
		break;
	case SIP_SUBSCRIBE:
		if (transfer_on_subscribe(d->leg, txn, req))
			break;
		/* fall through */
	default:
		relay_on_dialog_request(d, txn, req, NULL);
		break;
	}
}

static void on_request(void *ctx, struct server_txn *txn, struct sip_msg *req)
{
	struct b2bua *b = ctx;
	struct dialog *d = NULL;
	unsigned int status;

	if (req->path.realm >= b->env.config->n_realms) {
		b2bua_reply(b, txn, 500);
		return;
	}
	if (req->idx.has_to_tag)
		d = dialog_find(b, req);
	status = methods_judge(b, d, req);
	if (status != 0)
		b2bua_reply(b, txn, status);
	else if (d != NULL)
		on_dialog_request(b, d, txn, req);
	else if (req->idx.method == SIP_INVITE)
		invite_begin(b, txn, req);
	else
		outside_on_request(b, txn, req);
}

static void on_ack(void *ctx, struct sip_msg *ack)
{
	struct dialog *d = dialog_find(ctx, ack);

	if (d != NULL && d->leg != NULL)
		exchange_on_ack(d->leg, ack);
}

static void on_cancel(void *ctx, struct server_txn *invite, struct sip_msg *cancel)
{
	struct call *c = server_txn_data(invite);

	if (c != NULL)
		invite_on_cancel(c, invite, cancel);
	else
		(void)replaces_on_cancel(ctx, invite);
}

static void on_server_end(void *ctx, struct server_txn *txn, int error)
{
	struct call *c = server_txn_data(txn);

	if (c != NULL && c->ex.server == txn)
		c->ex.server = NULL;
}

/* A 2xx to INVITE may come when its transaction is long over. */
static void on_stray_response(void *ctx, struct sip_msg *resp)
{
	struct dialog *d;

	if (resp->idx.method != SIP_INVITE || resp->idx.status < 200 || resp->idx.status > 299)
		return;
	d = dialog_find_tag(ctx, sip_msg_view(resp, resp->idx.from_tag));
	if (d != NULL && d->leg != NULL && d->realm == resp->path.realm &&
		sv_is(sip_msg_view(resp, resp->idx.call_id), d->call_id) &&
		resp->idx.cseq <= d->local_cseq)
		invite_on_stray(d->leg, resp);
}

/* --- what sources are thought of --- */

/* A busy or silent callee, a cancelled or shed call says nothing about the caller; that there is
 * no such user, method or service does. */
static enum reputation_event answer_event(const struct sip_msg *req, unsigned int status)
{
	if (req->idx.error != SIP_SCAN_NONE)
		return REPUTATION_MALFORMED;
	if (status < 300)
		return req->idx.method == SIP_OPTIONS ? REPUTATION_PROBE : REPUTATION_NEUTRAL;
	switch (status) {
	case 405: /* phones behind a NAT that register here for want of better */
		return REPUTATION_PROBE;
	case 401: /* the challenge that everybody gets */
	case 407:
	case 408:
	case 480:
	case 484: /* overlap dialling: one for each digit (RFC 3578) */
	case 486:
	case 487:
	case 488:
	case 491:
		return REPUTATION_NEUTRAL;
	default:
		return status < 500 && status >= 400 ? REPUTATION_FAILURE : REPUTATION_NEUTRAL;
	}
}

/* Whom it was for: the user of the Request-URI, else of To (a REGISTER has it there). */
static struct str_view asked_user(const struct sip_msg *req)
{
	struct sip_name_addr to;
	struct sip_uri uri;

	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) == 0 && uri.user.len > 0)
		return uri.user;
	if (sip_name_addr_parse(sip_msg_header(req, SIP_HDR_TO, 0), &to) == 0 && !to.star &&
		sip_uri_parse(to.uri, &uri) == 0)
		return uri.user;
	return (struct str_view){NULL, 0};
}

static void on_answered(void *ctx, const struct sip_msg *req, unsigned int status)
{
	struct b2bua *b = ctx;
	enum reputation_event event = answer_event(req, status);
	struct str_view user = {NULL, 0};

	if (b->env.reputation == NULL)
		return;
	/* Whom a good request was for does not matter. */
	if (req->idx.error == SIP_SCAN_NONE && event != REPUTATION_NEUTRAL)
		user = asked_user(req);
	reputation_note(b->env.reputation, b->env.timers->now_ms, req->path.realm,
		&req->path.remote, event, user);
}

static int on_admit(void *ctx, const struct sip_msg *req, uint64_t key)
{
	return admit_request(ctx, req, key);
}

static void on_oc(void *ctx, const struct sip_path *path, const struct sip_oc *oc)
{
	admit_hear(ctx, path, oc);
}

static void on_message(void *ctx, bool sent, const struct sip_msg *about, struct str_view text)
{
	trace_message(ctx, sent, about, text);
}

static void on_refusal_acked(void *ctx, const struct sip_msg *req, unsigned int status)
{
	struct b2bua *b = ctx;

	if (b->env.reputation != NULL && answer_event(req, status) == REPUTATION_FAILURE)
		reputation_note(b->env.reputation, b->env.timers->now_ms, req->path.realm,
			&req->path.remote, REPUTATION_PROVEN, (struct str_view){NULL, 0});
}

void b2bua_note_challenge(struct b2bua *b, const struct server_txn *txn, const struct sip_msg *resp)
{
	static const enum sip_header_id ids[] = {
		SIP_HDR_WWW_AUTHENTICATE, SIP_HDR_PROXY_AUTHENTICATE};
	const struct sip_path *path = &server_txn_request(txn)->path;
	struct str_view value, one;

	if (b->env.reputation == NULL || (resp->idx.status != 401 && resp->idx.status != 407))
		return;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		for (unsigned int n = 0; (value = sip_msg_header(resp, ids[i], n)).p != NULL; n++)
			while (header_auth_next(&value, &one))
				reputation_note(b->env.reputation, b->env.timers->now_ms,
					path->realm, &path->remote, REPUTATION_CHALLENGE,
					header_auth_param(one, SV("nonce")));
}

/* --- media --- */

static void on_media_ready(void *ctx, uint64_t call_id)
{
	struct call *c = call_find(ctx, call_id);

	if (c == NULL || c->ex.final == NULL || c->ex.answered)
		return;
	if (c->state == CALL_ANSWERING)
		invite_answer(c);
	else if (c->state == CALL_ESTABLISHED)
		reinvite_answer(c);
}

static void on_media_stream_gone(void *ctx, uint64_t call_id, bool refused)
{
	struct call *c = call_find(ctx, call_id);

	if (c == NULL)
		return;
	if (refused)
		call_end(c, CAUSE_MEDIA_REFUSED, 500, ENDED_BY_BOX);
	else
		b2bua_on_media_gone(ctx, call_id);
}

static void on_media_silent(void *ctx, uint64_t call_id, unsigned int side, const char *type)
{
	const struct call *c = call_find(ctx, call_id);

	if (c != NULL)
		log_info_limited("media silent call=%s side=%s media=%s", c->name,
			side == SIDE_CALLER ? "caller" : "callee", type);
}

static void on_media_closed(void *ctx, uint64_t call_id, const struct media_session *s)
{
	struct call *c = call_find(ctx, call_id);

	if (c != NULL)
		call_media_closed(c, s);
}

void b2bua_on_media_gone(struct b2bua *b, uint64_t call_id)
{
	struct call *c = call_find(b, call_id);

	if (c != NULL)
		call_end(c, CAUSE_MEDIA_TIMEOUT, 500, ENDED_BY_BOX);
}

/* --- life --- */

struct b2bua *b2bua_new(const struct b2bua_env *env)
{
	struct b2bua *b = calloc(1, sizeof(*b));
	struct txn_user txn_user = {
		.on_request = on_request,
		.on_ack = on_ack,
		.on_cancel = on_cancel,
		.on_server_end = on_server_end,
		.on_stray_response = on_stray_response,
		.on_answered = on_answered,
		.on_refusal_acked = on_refusal_acked,
		.on_admit = on_admit,
		.on_oc = on_oc,
		.on_message = on_message,
		.ctx = b,
	};
	struct media_user media_user = {
		.on_ready = on_media_ready,
		.on_stream_gone = on_media_stream_gone,
		.on_silent = on_media_silent,
		.on_closed = on_media_closed,
		.ctx = b,
	};

	if (b == NULL)
		return NULL;
	b->env = *env;
	memcpy(txn_user.lane, env->keys.lane, sizeof(txn_user.lane));
	b->txns = txn_layer_new(env->timers, env->send, env->send_ctx, &txn_user);
	b->allow = methods_allow_new(env->config);
	b->traces = trace_store_new(env->config->ops.trace_messages,
		env->config->ops.trace_calls / env->shards, env->keys.hash);
	if (b->txns == NULL || b->allow == NULL || b->traces == NULL) {
		b2bua_free(b);
		return NULL;
	}
	media_set_user(env->media, &media_user);
	return b;
}

void b2bua_free(struct b2bua *b)
{
	struct call *c, *tmp;

	if (b == NULL)
		return;
	media_set_user(b->env.media, NULL);
	/* First of all, so that nothing is sent any more. */
	txn_layer_free(b->txns);
	b->txns = NULL;
	replaces_abandon_all(b);
	relay_abandon_all(b);
	subscription_abandon_all(b);
	HASH_ITER(hh, b->calls, c, tmp)
	{
		call_abandon(c);
	}
	trace_store_free(b->traces);
	timer_cancel(b->env.timers, &b->reaper);
	free(b->allow);
	free(b);
}

struct txn_layer *b2bua_txn_layer(struct b2bua *b)
{
	return b->txns;
}

const struct b2bua_stats *b2bua_get_stats(const struct b2bua *b)
{
	return &b->stats;
}

void b2bua_drain(struct b2bua *b)
{
	b->draining = true;
}

void b2bua_stop(struct b2bua *b)
{
	struct call *c, *tmp;

	b->draining = true;
	HASH_ITER(hh, b->calls, c, tmp)
	{
		call_end(c, CAUSE_SHUTDOWN, 503, ENDED_BY_BOX);
	}
}
