#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"
#include "relay.h"

static const struct dialog_txn_user txn_user;

/* --- bodies --- */

/* RFC 3420, RFC 3515: how the referred request fares. The status line says it; the header fields
 * that may follow name the side where it was made. */
static void write_sipfrag(struct sip_writer *w, struct str_view body)
{
	char line[128];
	uint32_t status;
	int n;

	if (body.len < 11 || memcmp(body.p, "SIP/2.0 ", 8) != 0 ||
		sip_uint_parse((struct str_view){body.p + 8, 3}, 699, &status) != 0 ||
		status < 100) {
		sip_write_body(w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
		return;
	}
	n = snprintf(line, sizeof(line), "SIP/2.0 %u %s\r\n", status, sip_reason_phrase(status));
	sip_write_body(w, SV("message/sipfrag;version=2.0"), (struct str_view){line, (size_t)n});
}

/* What a body is told of; it is opaque otherwise. */
static void write_body(struct sip_writer *w, const struct sip_msg *in, const struct crossing *x)
{
	static const struct {
		enum sip_header_id id;
		struct str_view name;
	} rows[] = {
		{SIP_HDR_CONTENT_DISPOSITION, {"Content-Disposition", 19}},
		{SIP_HDR_CONTENT_ENCODING, {"Content-Encoding", 16}},
		{SIP_HDR_OTHER, {"Content-Language", 16}},
		{SIP_HDR_OTHER, {"MIME-Version", 12}},
	};
	struct str_view type = sip_msg_header(in, SIP_HDR_CONTENT_TYPE, 0);
	struct str_view body = sip_msg_view(in, in->idx.body);

	if (body.len == 0 || type.p == NULL || !headers_body_passes(x->to, in)) {
		sip_write_body(w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
		return;
	}
	if (headers_is_type(type, SV("message"), SV("sipfrag"))) {
		write_sipfrag(w, body);
		return;
	}
	if (headers_is_type(type, SV("application"), SV("simple-message-summary"))) {
		message_summary_write(w, x->here, body);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str_view value = sip_header_find_name(in->buf, &in->idx, rows[i].name, 0);

		if (value.p != NULL)
			sip_write_header(w, rows[i].name.p, value);
	}
	sip_write_body(w, type, body);
}

/* --- over --- */

/* Out of the list and freed; its server transaction has its answer. */
static void relay_free(struct relay *r)
{
	struct dialog *own = r->own ? r->to : NULL;

	DL_DELETE(r->b->relays, r);
	timer_cancel(r->b->env.timers, &r->patience);
	if (r->client != NULL)
		dialog_txn_detach(r->client);
	free(r->extra);
	free(r);
	dialog_free(own);
}

static void finish(struct relay *r, const struct sip_msg *resp)
{
	if (r->user != NULL && r->user->on_final != NULL)
		r->user->on_final(r, resp);
	relay_free(r);
}

/* The dialog that it is sent in goes away: RFC 3261 section 15.1.2 has what is pending answered so.
 */
static void on_gone(struct dialog_txn *t)
{
	struct relay *r = t->ctx;

	if (r->b->txns != NULL)
		b2bua_reply(r->b, r->server, 487);
	r->client = NULL;
	r->own = false; /* it is just being freed */
	finish(r, NULL);
}

void relay_abandon_all(struct b2bua *b)
{
	struct relay *r, *tmp;

	DL_FOREACH_SAFE(b->relays, r, tmp)
	{
		relay_free(r);
	}
}

/* --- answers --- */

/* RFC 3261 table 2 and those of the methods: whose 2xx says where the dialog is reached. */
static bool has_contact(enum sip_method method)
{
	return method == SIP_SUBSCRIBE || method == SIP_NOTIFY || method == SIP_REFER ||
	       method == SIP_OPTIONS;
}

static int build_response(struct relay *r, struct sip_writer *w, const struct sip_msg *resp)
{
	const struct sip_msg *req = server_txn_request(r->server);
	const struct crossing back = {
		.from = b2bua_realm(r->b, r->to->realm),
		.to = b2bua_realm(r->b, req->path.realm),
		.here = &req->path.local,
	};
	unsigned int status = resp->idx.status;
	char here[NET_ENDPOINT_STRLEN];

	sip_writer_init(w, r->b->msg, sizeof(r->b->msg));
	sip_response_start(w, req, status, NULL, (struct str_view){r->to_tag, strlen(r->to_tag)});
	if (status < 300 && has_contact(req->idx.method)) {
		headers_record_route(w, req);
		sip_write_fmt(
			w, "Contact: <sip:%s>\r\n", net_endpoint_format(&req->path.local, here));
	}
	if (status == 405 || (status < 300 && req->idx.method == SIP_OPTIONS))
		sip_write_fmt(w, "Allow: %s\r\n", b2bua_allow_sender(r->b, req));
	sip_write_raw(w, SV("Server: " B2BUA_PRODUCT "\r\n"));
	headers_pass(w, resp, &back);
	if (r->user != NULL && r->user->write_response != NULL)
		r->user->write_response(r, w, resp);
	write_body(w, resp, &back);
	return sip_writer_finish(w);
}

/* --- the next route --- */

static unsigned int request_send(struct relay *r, const struct sip_msg *req, const char *extra);

/*
 * RFC 3263 section 4.3, RFC 3261 section 16.7: a peer that does not answer, or with 503, has not
 * taken the request: whoever is next for it gets it. A subscription that the peer has begun to
 * notify is taken. @return false: there is nobody else.
 */
static bool go_elsewhere(struct relay *r)
{
	const struct sip_msg *req = server_txn_request(r->server);
	struct dialog *old = r->to, *to;

	if (r->route == NULL || old->remote_tag != NULL ||
		outside_dialog_new(r->b, req, &r->route, &to) != 0)
		return false;
	if (r->client != NULL)
		dialog_txn_detach(r->client);
	r->client = NULL;
	r->to = to;
	if (r->own)
		dialog_free(old);
	else
		r->user->on_moved(r, old);
	return request_send(r, req, r->extra) == 0;
}

static void on_silence(void *ctx)
{
	struct relay *r = ctx;

	/* Nothing waits for an answer any more where it could not be sent. */
	if (!go_elsewhere(r) && r->client == NULL) {
		b2bua_reply(r->b, r->server, 503);
		finish(r, NULL);
	}
}

static void on_response(struct dialog_txn *t, struct sip_msg *resp)
{
	struct relay *r = t->ctx;
	struct sip_writer w;
	int len;

	timer_cancel(r->b->env.timers, &r->patience);
	if (resp->idx.status == 100)
		return; /* of the hop (section 16.7) */
	if (resp->idx.status == 503 && go_elsewhere(r))
		return;
	b2bua_note_challenge(r->b, r->server, resp);
	len = build_response(r, &w, resp);
	if (len > 0)
		(void)server_txn_respond(r->server, (struct str_view){w.buf, (size_t)len});
	else if (resp->idx.status >= 200) /* what crossed made it too long, or broke it */
		b2bua_reply(r->b, r->server, resp->idx.status >= 300 ? resp->idx.status : 500);
	if (resp->idx.status >= 200)
		finish(r, resp);
}

/* No final answer came. RFC 4320 section 4.2 forbids 408 to what is no INVITE: it would come when
 * the sender has given up. */
static void on_end(struct dialog_txn *t, int error)
{
	struct relay *r = t->ctx;

	r->client = NULL; /* freed by whoever called */
	if (error != -ETIMEDOUT && go_elsewhere(r))
		return;
	b2bua_reply(r->b, r->server, error == -ETIMEDOUT ? 504 : 503);
	finish(r, NULL);
}

static const struct dialog_txn_user txn_user = {
	.on_response = on_response, .on_end = on_end, .on_gone = on_gone};

/* --- requests --- */

static unsigned int count_open(const struct dialog *d)
{
	unsigned int n = 0;

	for (const struct dialog_txn *t = d->txns; t != NULL; t = t->next)
		n += t->user == &txn_user;
	return n;
}

static unsigned int build_request(
	struct relay *r, struct sip_writer *w, const struct sip_msg *req, const char *extra)
{
	const struct crossing way = {
		.from = b2bua_realm(r->b, req->path.realm),
		.to = b2bua_realm(r->b, r->to->realm),
		.here = &r->to->path.local,
	};
	char here[NET_ENDPOINT_STRLEN];
	unsigned int status = 0;

	sip_writer_init(w, r->b->msg, sizeof(r->b->msg));
	dialog_request_start_named(
		r->to, w, sip_msg_view(req, req->idx.method_text), ++r->to->local_cseq);
	if (has_contact(req->idx.method))
		sip_write_fmt(
			w, "Contact: <sip:%s>\r\n", net_endpoint_format(&r->to->path.local, here));
	sip_write_fmt(w, "Max-Forwards: %u\r\n", headers_max_forwards(req));
	headers_pass(w, req, &way);
	if (extra != NULL)
		sip_write_raw(w, (struct str_view){extra, strlen(extra)});
	if (r->user != NULL && r->user->write_request != NULL)
		status = r->user->write_request(r, w, req);
	write_body(w, req, &way);
	return status;
}

/* In the dialog r->to. @return 0, or the status that we owe. */
static unsigned int request_send(struct relay *r, const struct sip_msg *req, const char *extra)
{
	struct sip_writer w;
	unsigned int status = build_request(r, &w, req, extra);

	if (status != 0)
		return status;
	r->client = dialog_request_send(r->to, &w, req->idx.method, &txn_user, r);
	if (r->client == NULL)
		return 500;
	if (r->route != NULL)
		timer_arm(r->b->env.timers, &r->patience, RELAY_PATIENCE_MS, on_silence, r);
	return 0;
}

unsigned int relay_start(struct b2bua *b, struct server_txn *txn, const struct sip_msg *req,
	const struct relay_way *way)
{
	struct relay *r = NULL;
	unsigned int status = 500;

	if (req->idx.body.len > RELAY_BODY_MAX)
		status = 413;
	else if (!headers_body_passes(b2bua_realm(b, way->to->realm), req))
		status = 415;
	else if (count_open(way->to) >= RELAY_PER_DIALOG_MAX)
		status = 503;
	else
		r = calloc(1, sizeof(*r));
	if (r == NULL)
		goto fail;
	r->b = b;
	r->server = txn;
	r->to = way->to;
	r->user = way->user;
	r->ctx = way->ctx;
	if (way->to_tag.len > 0)
		snprintf(r->to_tag, sizeof(r->to_tag), "%.*s", SV_ARG(way->to_tag));
	else
		txn_answer_tag(b->txns, req, r->to_tag);
	r->route = way->route;
	if (r->route != NULL && way->extra != NULL &&
		b2bua_str_set(&r->extra, (struct str_view){way->extra, strlen(way->extra)}) != 0)
		status = 500;
	else
		status = request_send(r, req, way->extra);
	if (status != 0)
		goto fail;
	r->own = way->own;
	DL_APPEND(b->relays, r);
	server_txn_passed_on(txn);
	b->stats.requests_passed++;
	return 0;
fail:
	if (r != NULL)
		free(r->extra);
	free(r);
	if (way->own)
		dialog_free(way->to);
	return status;
}

/* --- within a call --- */

/* RFC 5057 section 5.1: the far side does not know the session that an INFO belongs to. What else
 * fails in a dialog is between those who use it for that. */
static void on_call_final(struct relay *r, const struct sip_msg *resp)
{
	struct leg *l = r->to->leg;

	if (resp != NULL && resp->idx.status == 481 && resp->idx.method == SIP_INFO)
		call_end(l->call, CAUSE_DIALOG_LOST, 481, ENDED_BY_BOX);
}

static const struct relay_user call_user = {.on_final = on_call_final};

void relay_on_dialog_request(
	struct dialog *d, struct server_txn *txn, const struct sip_msg *req, const char *extra)
{
	struct leg *l = d->leg;
	struct relay_way way = {.to = dialog_far(d), .extra = extra, .user = &call_user};
	unsigned int status;

	if (l->call->state == CALL_ENDED || l->state == LEG_GONE)
		status = 481;
	else if (way.to->remote_tag == NULL || (l->state == LEG_EARLY && l->call->transfer != NULL))
		status = 500; /* no dialog there yet: Retry-After */
	else
		status = relay_start(d->b, txn, req, &way);
	if (status != 0)
		b2bua_reply_across(d->b, txn, status, b2bua_realm(d->b, way.to->realm));
}
