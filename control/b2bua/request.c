/* Requests that we send within a dialog, or to make one. */
#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"

static void write_via(struct leg *l, struct sip_writer *w)
{
	char branch[LANE_TOKEN_LEN + 1], here[NET_ENDPOINT_STRLEN];

	sip_lane_token(l->call->b->env.keys.lane, &l->path.remote.addr, branch);
	/* RFC 3581: rport, should the peer be behind NAT, or we. */
	sip_write_fmt(w, "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\n",
		net_endpoint_format(&l->path.local, here), branch);
}

static bool is_loose(const char *route)
{
	struct sip_uri uri;
	struct str_view value;

	return sip_uri_parse((struct str_view){route, strlen(route)}, &uri) == 0 &&
	       sip_param_find(uri.params, SV("lr"), &value);
}

/* Section 12.2.1.1: a strict router stands in the Request-URI, and the target ends the list. */
static void write_target(struct leg *l, struct sip_writer *w, enum sip_method method)
{
	bool strict = l->n_routes > 0 && !is_loose(l->route[0]);

	sip_write_fmt(w, "%s %s SIP/2.0\r\n", sip_method_name(method),
		strict ? l->route[0] : l->remote_target);
	write_via(l, w);
	for (unsigned int i = strict; i < l->n_routes; i++)
		sip_write_fmt(w, "Route: <%s>\r\n", l->route[i]);
	if (strict)
		sip_write_fmt(w, "Route: <%s>\r\n", l->remote_target);
}

void leg_request_start(struct leg *l, struct sip_writer *w, enum sip_method method, uint32_t cseq)
{
	char here[NET_ENDPOINT_STRLEN];

	write_target(l, w, method);
	sip_write_fmt(w, "From: %s;tag=%s\r\n", l->local_name, l->local_tag);
	sip_write_fmt(w, "To: %s%s%s\r\n", l->remote_name,
		l->remote_tag && l->remote_tag[0] ? ";tag=" : "",
		l->remote_tag ? l->remote_tag : "");
	sip_write_fmt(w, "Call-ID: %s\r\n", l->call_id);
	sip_write_fmt(w, "CSeq: %u %s\r\n", cseq, sip_method_name(method));
	if (method == SIP_INVITE)
		sip_write_fmt(
			w, "Contact: <sip:%s>\r\n", net_endpoint_format(&l->path.local, here));
	sip_write_fmt(w, "User-Agent: %s\r\n", b2bua_product);
}

/* --- client transactions of a leg --- */

static void set_open(struct leg_txn *t, bool open)
{
	if (t->open != open)
		t->leg->call->b->stats.requests_open += open ? 1 : -1ull;
	t->open = open;
}

void leg_txn_free(struct leg_txn *t)
{
	set_open(t, false);
	DL_DELETE(t->leg->txns, t);
	free(t);
}

static void on_response(void *ctx, struct client_txn *txn, struct sip_msg *resp)
{
	struct leg_txn *t = ctx;

	if (resp->idx.status >= 200)
		set_open(t, false);
	if (t->method == SIP_INVITE)
		invite_on_response(t->leg, txn, resp);
}

static void on_end(void *ctx, struct client_txn *txn, int error)
{
	struct leg_txn *t = ctx;
	struct leg *l = t->leg;
	enum sip_method method = t->method;

	leg_txn_free(t);
	if (method == SIP_INVITE)
		invite_on_end(l, txn, error);
	call_check(l->call);
}

static unsigned int txn_count(const struct leg *l)
{
	unsigned int n = 0;

	for (const struct leg_txn *t = l->txns; t != NULL; t = t->next)
		n++;
	return n;
}

struct client_txn *leg_request_send(struct leg *l, struct sip_writer *w, enum sip_method method)
{
	int len = sip_writer_finish(w);
	struct leg_txn *t;
	struct client_txn_user user = {.on_response = on_response, .on_end = on_end};

	/* Each INVITE lingers for 32 s to catch repeated answers; a peer that makes one after the
	 * other must not pile them up. */
	if (len < 0 || (method == SIP_INVITE && txn_count(l) >= LEG_TXNS_MAX))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->leg = l;
	t->method = method;
	user.ctx = t;
	t->client = client_txn_new(
		l->call->b->txns, &l->path, (struct str_view){w->buf, (size_t)len}, &user);
	if (t->client == NULL) {
		free(t);
		return NULL;
	}
	DL_APPEND(l->txns, t);
	set_open(t, true);
	return t->client;
}

/* --- ACK and BYE --- */

void leg_repeat_ack(struct leg *l)
{
	if (l->ack != NULL)
		(void)l->call->b->env.send(
			l->call->b->env.send_ctx, &l->path, (struct str_view){l->ack, l->ack_len});
}

void leg_send_ack(struct leg *l, uint32_t cseq, struct str_view sdp)
{
	struct b2bua *b = l->call->b;
	struct sip_writer w;
	int len;

	l->ack_due = false;
	sip_writer_init(&w, b->msg, sizeof(b->msg));
	leg_request_start(l, &w, SIP_ACK, cseq);
	sip_write_fmt(&w, "Max-Forwards: 70\r\n");
	sip_write_body(&w, SV("application/sdp"), sdp);
	len = sip_writer_finish(&w);
	if (len < 0 || b2bua_str_set(&l->ack, (struct str_view){b->msg, (size_t)len}) != 0)
		return;
	l->ack_len = (size_t)len;
	l->ack_cseq = cseq;
	leg_repeat_ack(l);
}

void leg_send_bye(struct leg *l)
{
	struct b2bua *b = l->call->b;
	struct sip_writer w;

	sip_writer_init(&w, b->msg, sizeof(b->msg));
	leg_request_start(l, &w, SIP_BYE, ++l->local_cseq);
	sip_write_fmt(&w, "Max-Forwards: 70\r\n");
	if (l->call->reason[0] != '\0')
		sip_write_fmt(&w, "Reason: %s\r\n", l->call->reason);
	sip_write_body(&w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
	(void)leg_request_send(l, &w, SIP_BYE);
}

void leg_refuse_fork(struct leg *l, const struct sip_msg *resp)
{
	static const struct str_view no_sdp;
	struct leg fork = {
		.call = l->call,
		.side = l->side,
		.state = LEG_EARLY,
		.realm = l->realm,
		.peer = l->peer,
		.call_id = l->call_id,
		.local_name = l->local_name,
		.remote_name = l->remote_name,
		.path = l->path,
		.local_cseq = resp->idx.cseq,
	};
	struct leg_txn *t;

	memcpy(fork.local_tag, l->local_tag, sizeof(fork.local_tag));
	if (b2bua_str_set(&fork.remote_target,
		    (struct str_view){l->remote_target, strlen(l->remote_target)}) == 0 &&
		leg_confirm(&fork, resp) == 0) {
		leg_send_ack(&fork, resp->idx.cseq, no_sdp);
		leg_send_bye(&fork);
	}
	/* Nobody waits for the answer to this BYE. */
	while ((t = fork.txns) != NULL) {
		client_txn_detach(t->client);
		leg_txn_free(t);
	}
	leg_set_state(&fork, LEG_GONE);
	for (unsigned int i = 0; i < fork.n_routes; i++)
		free(fork.route[i]);
	free(fork.remote_tag);
	free(fork.remote_target);
	free(fork.ack);
}
