/* Requests that we send within a dialog, or to make one. */
#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"
#include "sip_oc.h"

static void write_via(struct dialog *d, struct sip_writer *w)
{
	char branch[LANE_TOKEN_LEN + 1], here[NET_ENDPOINT_STRLEN];

	sip_lane_token(d->b->env.keys.lane, &d->path.remote.addr, branch);
	/* RFC 3581: rport, should the peer be behind NAT, or we. */
	sip_write_raw(w, SV("Via: SIP/2.0/UDP "));
	net_endpoint_format(&d->path.local, here);
	sip_write_raw(w, (struct str_view){here, strlen(here)});
	sip_write_raw(w, SV(";branch=z9hG4bK"));
	sip_write_raw(w, (struct str_view){branch, LANE_TOKEN_LEN});
	sip_write_raw(w, SV(";rport"));
	if (d->peer >= 0 && d->b->env.config->peers[d->peer].overload_control)
		sip_write_raw(w, SV(SIP_OC_OFFER));
	sip_write_raw(w, SV("\r\n"));
}

static bool is_loose(const char *route)
{
	struct sip_uri uri;
	struct str_view value;

	return sip_uri_parse((struct str_view){route, strlen(route)}, &uri) == 0 &&
	       sip_param_find(uri.params, SV("lr"), &value);
}

/* Section 12.2.1.1: a strict router stands in the Request-URI, and the target ends the list. */
static void write_target(struct dialog *d, struct sip_writer *w, struct str_view method)
{
	bool strict = d->n_routes > 0 && !is_loose(d->route[0]);

	sip_write_raw(w, method);
	sip_write_raw(w, SV(" "));
	sip_write_text(w, strict ? d->route[0] : d->remote_target);
	sip_write_raw(w, SV(" SIP/2.0\r\n"));
	write_via(d, w);
	for (unsigned int i = strict; i < d->n_routes; i++)
		sip_write_fmt(w, "Route: <%s>\r\n", d->route[i]);
	if (strict)
		sip_write_fmt(w, "Route: <%s>\r\n", d->remote_target);
}

/* @param tag  NULL or "": none. */
static void write_party(
	struct sip_writer *w, struct str_view name, const char *name_addr, const char *tag)
{
	sip_write_raw(w, name);
	sip_write_text(w, name_addr);
	if (tag != NULL && tag[0] != '\0') {
		sip_write_raw(w, SV(";tag="));
		sip_write_text(w, tag);
	}
	sip_write_raw(w, SV("\r\n"));
}

void dialog_request_start_named(
	struct dialog *d, struct sip_writer *w, struct str_view method, uint32_t cseq)
{
	write_target(d, w, method);
	write_party(w, SV("From: "), d->local_name, d->local_tag);
	write_party(w, SV("To: "), d->remote_name, d->remote_tag);
	sip_write_raw(w, SV("Call-ID: "));
	sip_write_text(w, d->call_id);
	sip_write_raw(w, SV("\r\nCSeq: "));
	sip_write_uint(w, cseq);
	sip_write_raw(w, SV(" "));
	sip_write_raw(w, method);
	sip_write_raw(w, SV("\r\nUser-Agent: " B2BUA_PRODUCT "\r\n"));
}

void dialog_request_start(
	struct dialog *d, struct sip_writer *w, enum sip_method method, uint32_t cseq)
{
	const char *name = sip_method_name(method);

	dialog_request_start_named(d, w, (struct str_view){name, strlen(name)}, cseq);
	if (method == SIP_INVITE || method == SIP_UPDATE)
		headers_contact(w, d);
}

/* --- client transactions --- */

static void set_open(struct dialog_txn *t, bool open)
{
	if (t->open != open)
		t->dialog->b->stats.requests_open += open ? 1 : -1ull;
	t->open = open;
}

static void leave(struct dialog_txn *t)
{
	set_open(t, false);
	DL_DELETE(t->dialog->txns, t);
}

void dialog_txn_detach(struct dialog_txn *t)
{
	if (t->dialog->b->txns != NULL)
		client_txn_detach(t->client);
	leave(t);
	free(t);
}

static void on_response(void *ctx, struct client_txn *txn, struct sip_msg *resp)
{
	struct dialog_txn *t = ctx;

	if (resp->idx.status >= 200)
		set_open(t, false);
	if (t->user != NULL && t->user->on_response != NULL)
		t->user->on_response(t, resp);
}

static void on_end(void *ctx, struct client_txn *txn, int error)
{
	struct dialog_txn *t = ctx;

	leave(t);
	if (t->user != NULL && t->user->on_end != NULL)
		t->user->on_end(t, error);
	free(t);
}

static unsigned int count_invites(const struct dialog *d)
{
	unsigned int n = 0;

	for (const struct dialog_txn *t = d->txns; t != NULL; t = t->next)
		n += t->method == SIP_INVITE;
	return n;
}

struct dialog_txn *dialog_request_send(struct dialog *d, struct sip_writer *w,
	enum sip_method method, const struct dialog_txn_user *user, void *ctx)
{
	int len = sip_writer_finish(w);
	struct dialog_txn *t;
	struct client_txn_user below = {.on_response = on_response, .on_end = on_end};

	/* Each INVITE lingers for 32 s to catch repeated answers; a peer that makes one after the
	 * other must not pile them up. */
	if (len < 0 || (method == SIP_INVITE && count_invites(d) >= DIALOG_INVITES_MAX))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->dialog = d;
	t->method = method;
	t->user = user;
	t->ctx = ctx;
	below.ctx = t;
	t->client = client_txn_new(
		d->b->txns, &d->path, (struct str_view){w->buf, (size_t)len}, &below);
	if (t->client == NULL) {
		free(t);
		return NULL;
	}
	DL_APPEND(d->txns, t);
	set_open(t, true);
	return t;
}

void dialog_move_txns(struct dialog *to, struct dialog *from, enum sip_method method)
{
	struct dialog_txn *t, *tmp;

	DL_FOREACH_SAFE(from->txns, t, tmp)
	{
		if (t->method != method)
			continue;
		DL_DELETE(from->txns, t);
		DL_APPEND(to->txns, t);
		t->dialog = to;
	}
}

bool dialog_has_txn(const struct dialog *d, enum sip_method method)
{
	for (const struct dialog_txn *t = d->txns; t != NULL; t = t->next)
		if (t->method == method)
			return true;
	return false;
}
