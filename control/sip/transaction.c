/*
 * The layer: what came in is matched with its transaction (RFC 3261 sections 17.1.3
 * and 17.2.3), and what is wrong with it is answered here, without state.
 */
#include <errno.h>

#include "answer_size.h"
#include "txn_priv.h"

struct txn_layer *txn_layer_new(
	struct timers *timers, txn_send_fn send, void *send_ctx, const struct txn_user *user)
{
	struct txn_layer *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (txn_secret_init(&l->secret) != 0) {
		free(l);
		return NULL;
	}
	l->timers = timers;
	l->send = send;
	l->send_ctx = send_ctx;
	l->user = *user;
	l->max = TXN_MAX;
	l->linger_max = TXN_LINGER_MAX;
	return l;
}

void txn_layer_free(struct txn_layer *l)
{
	if (l == NULL)
		return;
	/* Freeing one takes it out of its tables. */
	while (l->servers != NULL)
		server_txn_free(l->servers);
	while (l->clients != NULL)
		client_txn_free(l->clients);
	txn_table_fini(&l->server_table);
	txn_table_fini(&l->client_table);
	txn_table_fini(&l->merges);
	free(l);
}

const struct txn_stats *txn_layer_stats(const struct txn_layer *l)
{
	return &l->stats;
}

int txn_send(struct txn_layer *l, const struct sip_msg *about, const struct sip_path *path,
	struct str_view msg)
{
	if (l->send(l->send_ctx, path, msg) != 0) {
		l->stats.send_errors++;
		return -EIO;
	}
	if (l->user.on_message != NULL)
		l->user.on_message(l->user.ctx, true, about, msg);
	return 0;
}

void txn_answered(struct txn_layer *l, const struct sip_msg *req, unsigned int status)
{
	if (l->user.on_answered != NULL && !req->idx.has_to_tag && req->idx.method != SIP_ACK &&
		req->idx.method != SIP_CANCEL)
		l->user.on_answered(l->user.ctx, req, status);
}

/* --- answers without state --- */

static bool is_supported(struct str_view tag)
{
	struct str_view supported = TXN_SUPPORTED, known;

	while (sip_list_next(&supported, &known)) {
		if (sv_eq_nocase(tag, known))
			return true;
	}
	return false;
}

/** Section 8.2.2.3: the option tags of Require that we do not know. */
static void write_unsupported(struct sip_writer *w, const struct sip_msg *req)
{
	const char *separator = "Unsupported: ";
	struct str_view line, tag;

	for (unsigned int i = 0; (line = sip_msg_header(req, SIP_HDR_REQUIRE, i)).p != NULL; i++) {
		while (sip_list_next(&line, &tag)) {
			if (!sip_is_token(tag) || is_supported(tag))
				continue;
			sip_write_fmt(w, "%s%.*s", separator, SV_ARG(tag));
			separator = ", ";
		}
	}
	if (separator[0] == ',')
		sip_write_raw(w, SV("\r\n"));
}

struct str_view txn_answer_tag(
	const struct txn_layer *l, const struct sip_msg *req, char tag[TXN_TAG_LEN + 1])
{
	struct txn_key key;
	size_t len = 0;

	if (req->idx.method == SIP_INVITE) {
		lane_token_build(
			l->user.lane, &req->path.remote.addr, txn_key_source(&l->secret, req), tag);
		len = LANE_TOKEN_LEN;
	}
	txn_key_merge(&l->secret, req, &key);
	for (unsigned int i = 0; i < TXN_TAG_OWN_LEN; i++, key.h[1] >>= 5)
		tag[len++] = "abcdefghijklmnopqrstuvwxyz234567"[key.h[1] & 31];
	tag[len] = '\0';
	return (struct str_view){tag, len};
}

/**
 * Answer without a transaction; what a peer could not take apart is not sent.
 * @param retry_s  Retry-After; 0 and below: none.
 */
static void refuse_for(struct txn_layer *l, const struct sip_msg *req, unsigned int status,
	const char *reason, int retry_s)
{
	struct sip_path path = sip_response_path(req);
	struct str_view answer;
	struct sip_writer w;
	char tag[TXN_TAG_LEN + 1];
	int len;

	sip_writer_init(&w, l->scratch, sizeof(l->scratch) - 1);
	sip_response_start(&w, req, status, reason, txn_answer_tag(l, req, tag));
	if (status == 420)
		write_unsupported(&w, req);
	else if (retry_s > 0)
		sip_write_fmt(&w, "Retry-After: %d\r\n", retry_s);
	sip_write_body(&w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
	len = sip_writer_finish(&w);
	if (len < 0 ||
		(req->idx.error != SIP_SCAN_NONE &&
			!sip_response_is_readable((struct str_view){l->scratch, (size_t)len}))) {
		l->stats.ignored++;
		return;
	}
	answer = (struct str_view){l->scratch, (size_t)len};
	if (req->unproven) {
		answer = sip_answer_fit(answer, req->len, l->reduced, sizeof(l->reduced) - 1);
		l->stats.answers_reduced += answer.p == l->reduced;
		if (answer.p == NULL) {
			l->stats.answers_withheld++;
			return;
		}
	}
	l->stats.refused++;
	l->stats.responses_out++;
	(void)txn_send(l, req, &path, answer);
}

static void refuse(
	struct txn_layer *l, const struct sip_msg *req, unsigned int status, const char *reason)
{
	txn_answered(l, req, status);
	refuse_for(l, req, status, reason, status == 503 ? TXN_RETRY_S : 0);
}

/** The scan found it faulty. An ACK is never answered, nor is what may not be SIP at all. */
static void refuse_faulty(struct txn_layer *l, const struct sip_msg *req)
{
	struct sip_verdict verdict = sip_validate(req->buf, &req->idx, TXN_SUPPORTED);
	const char *reason = verdict.reason;

	if (verdict.status == 0 || req->idx.method == SIP_ACK || req->idx.method_text.len == 0) {
		l->stats.ignored++;
		txn_answered(l, req, 0);
		return;
	}
	if (verdict.status == 400)
		reason = sip_scan_error_help(req->idx.error);
	refuse(l, req, verdict.status, reason);
}

/* --- requests --- */

static void receive_ack(struct txn_layer *l, struct sip_msg *ack)
{
	struct sip_verdict verdict;
	struct server_txn *t;
	struct txn_key key;

	if (txn_key_server(&l->secret, ack, SV("INVITE"), &key) != 0) {
		l->stats.ignored++;
		return;
	}
	t = server_txn_find(l, &key);
	if (t != NULL && server_txn_acknowledged(t, ack))
		return;
	/* Max-Forwards and Require (section 8.2.2.3) do not hold up an ACK. */
	verdict = sip_validate(ack->buf, &ack->idx, TXN_SUPPORTED);
	if (verdict.status != 0 && verdict.status != 420 && verdict.status != 483)
		l->stats.ignored++;
	else if (l->user.on_ack != NULL)
		l->user.on_ack(l->user.ctx, ack);
}

/** Section 9.2. The CANCEL itself is answered 200 by a transaction of its own. */
static void receive_cancel(struct txn_layer *l, struct sip_msg *cancel, const struct txn_key *key)
{
	struct server_txn *invite, *t;
	struct txn_key invite_key;
	struct str_view tag;
	char fresh[TXN_TAG_LEN + 1];

	invite = txn_key_server(&l->secret, cancel, SV("INVITE"), &invite_key) == 0
			 ? server_txn_find(l, &invite_key)
			 : NULL;
	if (invite == NULL) {
		refuse(l, cancel, 481, NULL);
		return;
	}
	t = server_txn_new(l, cancel, key, NULL, true);
	if (t == NULL) {
		refuse(l, cancel, 503, NULL);
		return;
	}
	tag = server_txn_to_tag(invite);
	if (tag.len == 0)
		tag = txn_answer_tag(l, cancel, fresh);
	(void)server_txn_reply(t, 200, tag, (struct str_view){NULL, 0});
	if (invite->state == SERVER_PROCEEDING && !invite->detached && l->user.on_cancel != NULL)
		l->user.on_cancel(l->user.ctx, invite, cancel);
}

/** Are there so many of them, open or lingering? @param tenths  of the room that may be used. */
static bool is_over(const struct txn_layer *l, unsigned int tenths)
{
	size_t lingering = l->lingering[TXN_SERVER];

	return l->stats.servers - lingering >= l->max * tenths / 10 ||
	       lingering >= l->linger_max * tenths / 10;
}

/**
 * New calls leave the last tenth of the room to requests inside dialogs, and to CANCEL; sources
 * that may be forged leave half of it to the others. A CANCEL never brings a token back, and takes
 * a place only where an INVITE has one.
 */
static bool is_full(const struct txn_layer *l, const struct sip_msg *req)
{
	bool cancel = req->idx.method == SIP_CANCEL;
	bool fresh = !req->idx.has_to_tag && !cancel;

	if (req->unproven && !cancel)
		return is_over(l, 5);
	return is_over(l, fresh ? 9 : 10);
}

/**
 * A request outside of any dialog: may it have a transaction?
 * @param merge  set: the key that it shares with the same request on another way.
 * @return false if it was answered.
 */
static bool admit_fresh(struct txn_layer *l, struct sip_msg *req, struct txn_key *merge)
{
	int retry_s;

	txn_key_merge(&l->secret, req, merge);
	/* Section 8.2.2.2: the same request came on another way too. */
	if (server_txn_is_merged(l, merge)) {
		refuse(l, req, 482, NULL);
		return false;
	}
	retry_s = l->user.on_admit != NULL ? l->user.on_admit(l->user.ctx, req, merge->h[0]) : 0;
	if (retry_s != 0)
		refuse_for(l, req, 503, NULL, retry_s);
	return retry_s == 0;
}

/** A request that belongs to no transaction yet. */
static void receive_new(struct txn_layer *l, struct sip_msg *req, const struct txn_key *key)
{
	bool cancel = req->idx.method == SIP_CANCEL;
	bool initial = !req->idx.has_to_tag && !cancel;
	struct sip_verdict verdict;
	struct txn_key merge;
	struct server_txn *t;

	/* Whether it is right does not matter where there is no time to serve it. */
	if (initial && !admit_fresh(l, req, &merge))
		return;
	verdict = sip_validate(req->buf, &req->idx, TXN_SUPPORTED);
	/* Section 8.2.2.3: Require is ignored in a CANCEL. */
	if (verdict.status != 0 && !(cancel && verdict.status == 420)) {
		refuse(l, req, verdict.status, verdict.reason);
		return;
	}
	if (req->len > TXN_REQUEST_LEN_MAX) {
		refuse(l, req, 513, NULL);
		return;
	}
	if (is_full(l, req)) {
		refuse(l, req, 503, NULL);
		return;
	}
	if (cancel) {
		receive_cancel(l, req, key);
		return;
	}
	t = server_txn_new(l, req, key, initial ? &merge : NULL, false);
	if (t == NULL)
		refuse(l, req, 503, NULL);
	else
		l->user.on_request(l->user.ctx, t, req);
}

static void receive_request(struct txn_layer *l, struct sip_msg *req)
{
	struct server_txn *t;
	struct txn_key key;

	l->stats.requests_in++;
	if (req->idx.error != SIP_SCAN_NONE) {
		refuse_faulty(l, req);
		return;
	}
	if (req->idx.method == SIP_ACK) {
		receive_ack(l, req);
		return;
	}
	if (txn_key_server(&l->secret, req, sip_msg_view(req, req->idx.method_text), &key) != 0) {
		l->stats.ignored++;
		return;
	}
	t = server_txn_find(l, &key);
	if (t != NULL)
		server_txn_retransmitted(t, req);
	else
		receive_new(l, req, &key);
}

/* --- responses --- */

/** Section 8.1.3.3: more than one Via means it was not meant for us. */
static bool has_one_via(const struct sip_msg *resp)
{
	struct str_view line = sip_msg_header(resp, SIP_HDR_VIA, 0), item;

	if (resp->idx.n_vias != 1)
		return false;
	/* sip_validate() has seen that there is one in it. */
	return memchr(line.p, ',', line.len) == NULL ||
	       (sip_list_next(&line, &item) && !sip_list_next(&line, &item));
}

static void receive_response(struct txn_layer *l, struct sip_msg *resp)
{
	struct client_txn *t;
	struct txn_key key;

	l->stats.responses_in++;
	if (sip_validate(resp->buf, &resp->idx, TXN_SUPPORTED).status != 0 || !has_one_via(resp) ||
		txn_key_client(&l->secret, resp, &key) != 0) {
		l->stats.ignored++;
		return;
	}
	t = client_txn_find(l, &key);
	if (t != NULL && client_txn_responded(t, resp))
		return;
	if (l->user.on_stray_response != NULL)
		l->user.on_stray_response(l->user.ctx, resp);
}

void txn_receive(struct txn_layer *l, struct sip_msg *msg)
{
	server_txns_forget_requests(l);
	if (l->user.on_message != NULL)
		l->user.on_message(l->user.ctx, false, msg, (struct str_view){msg->buf, msg->len});
	if (sip_msg_is_request(msg))
		receive_request(l, msg);
	else
		receive_response(l, msg);
}
