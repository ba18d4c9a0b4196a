#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"
#include "media_session.h"

struct dialog *dialog_new(
	struct b2bua *b, struct leg *leg, uint16_t realm, int peer, const struct net_addr *to)
{
	struct dialog *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->b = b;
	d->leg = leg;
	d->realm = realm;
	d->peer = peer;
	d->path.realm = b2bua_realm(b, realm)->id;
	sip_lane_token(b->env.keys.lane, to, d->local_tag);
	HASH_ADD_KEYPTR(hh, b->dialogs, d->local_tag, DIALOG_TAG_LEN, d);
	if (d->hh.tbl != NULL)
		return d;
	free(d);
	return NULL;
}

static int copy(char **dst, const char *text)
{
	return text == NULL ? 0 : b2bua_str_set(dst, (struct str_view){text, strlen(text)});
}

struct dialog *dialog_clone(const struct dialog *d, bool fresh)
{
	struct dialog *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return NULL;
	new->b = d->b;
	new->leg = d->leg;
	new->realm = d->realm;
	new->peer = d->peer;
	new->source = d->source;
	new->path = d->path;
	new->local_cseq = d->local_cseq;
	new->remote_cseq = d->remote_cseq;
	memcpy(new->local_tag, d->local_tag, sizeof(new->local_tag));
	if (fresh)
		sip_lane_token(d->b->env.keys.lane, &d->path.remote.addr, new->local_tag);
	HASH_ADD_KEYPTR(hh, d->b->dialogs, new->local_tag, DIALOG_TAG_LEN, new);
	if (new->hh.tbl == NULL) {
		free(new);
		return NULL;
	}
	if (copy(&new->call_id, d->call_id) != 0 || copy(&new->local_name, d->local_name) != 0 ||
		copy(&new->remote_name, d->remote_name) != 0 ||
		copy(&new->remote_target, d->remote_target) != 0 ||
		(fresh && copy(&new->remote_tag, d->remote_tag) != 0))
		goto fail;
	for (; new->n_routes < d->n_routes; new->n_routes++)
		if (copy(&new->route[new->n_routes], d->route[new->n_routes]) != 0)
			goto fail;
	return new;
fail:
	dialog_free(new);
	return NULL;
}

static void clear_routes(struct dialog *d)
{
	while (d->n_routes > 0)
		free(d->route[--d->n_routes]);
}

void dialog_free(struct dialog *d)
{
	if (d == NULL)
		return;
	while (d->txns != NULL) {
		struct dialog_txn *t = d->txns;

		if (t->user != NULL && t->user->on_gone != NULL)
			t->user->on_gone(t);
		dialog_txn_detach(t);
	}
	HASH_DELETE(hh, d->b->dialogs, d);
	clear_routes(d);
	free(d->call_id);
	free(d->remote_tag);
	free(d->local_name);
	free(d->remote_name);
	free(d->remote_target);
	free(d);
}

struct dialog *dialog_find_tag(const struct b2bua *b, struct str_view local_tag)
{
	struct dialog *d = NULL;

	if (local_tag.len == DIALOG_TAG_LEN)
		HASH_FIND(hh, b->dialogs, local_tag.p, DIALOG_TAG_LEN, d);
	return d;
}

struct dialog *dialog_find(const struct b2bua *b, const struct sip_msg *req)
{
	return dialog_find_names(b, req->path.realm, sip_msg_view(req, req->idx.call_id),
		sip_msg_view(req, req->idx.to_tag), sip_msg_view(req, req->idx.from_tag));
}

struct dialog *dialog_find_names(const struct b2bua *b, uint16_t realm, struct str_view call_id,
	struct str_view local, struct str_view remote)
{
	struct dialog *d = dialog_find_tag(b, local);

	if (d == NULL || d->path.realm != realm || !sv_is(call_id, d->call_id))
		return NULL;
	if (d->remote_tag == NULL || sv_is(remote, d->remote_tag))
		return d;
	/* Early dialogs of a callee share our tag, so that they are behind each other in the table.
	 */
	for (const UT_hash_handle *h = d->hh.hh_next; h != NULL; h = h->hh_next) {
		d = ELMT_FROM_HH(b->dialogs->hh.tbl, h);
		if (memcmp(d->local_tag, local.p, DIALOG_TAG_LEN) == 0 && d->remote_tag != NULL &&
			sv_is(remote, d->remote_tag))
			return d;
	}
	return NULL;
}

/* --- where our requests go (section 12.2.1.1) --- */

/* The endpoint that a URI names by address; false if it names none that we may send to. */
static bool uri_endpoint(
	const struct dialog *d, const struct sip_uri *uri, struct net_endpoint *out)
{
	const struct config *c = d->b->env.config;

	if (uri->scheme != SIP_SCHEME_SIP || net_addr_parse(uri->host, &out->addr) != 0)
		return false;
	out->addr = net_addr_normalise(&out->addr);
	out->port = uri->port ? uri->port : 5060; /* RFC 3261 section 19.1.2 */
	out->pad = 0;
	return out->addr.family == d->path.local.addr.family &&
	       net_addr_is_unicast_peer(&out->addr) && !media_addr_is_own(c, &out->addr);
}

/*
 * The first route or the remote target, where it is an address. Behind NAT it is not one that can
 * be reached: then, and for names (no DNS here), the source of the last message that made or
 * refreshed the dialog.
 * @param target  the remote target, if it was just read; NULL: it is what it was.
 */
static void aim(struct dialog *d, const struct sip_uri *target)
{
	const struct config_realm *realm = b2bua_realm(d->b, d->realm);
	const char *text = d->n_routes > 0 ? d->route[0] : d->remote_target;
	struct sip_uri uri;
	struct net_endpoint e;

	d->path.remote = d->source;
	if (d->n_routes > 0 || target == NULL) {
		if (text == NULL || sip_uri_parse((struct str_view){text, strlen(text)}, &uri) != 0)
			return;
		target = &uri;
	}
	if (!uri_endpoint(d, target, &e))
		return;
	if (realm->nat == NAT_AUTO && !net_addr_eq(&e.addr, &d->source.addr))
		return;
	d->path.remote = e;
}

/* --- dialog state from messages --- */

/* Contact URI without its headers part, which may not stand in a Request-URI (section 19.1.1).
 * @param uri  what it says, in the message. */
static int set_target(struct dialog *d, const struct sip_msg *msg, struct sip_uri *uri)
{
	struct str_view line = sip_msg_header(msg, SIP_HDR_CONTACT, 0), item;
	struct sip_name_addr contact;

	if (line.p == NULL || !sip_list_next(&line, &item) ||
		sip_name_addr_parse(item, &contact) != 0 || contact.star ||
		sip_uri_parse(contact.uri, uri) != 0 || contact.uri.len > DIALOG_TEXT_MAX ||
		(uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS))
		return -EBADMSG;
	if (uri->headers.len > 0)
		contact.uri.len = (size_t)(uri->headers.p - contact.uri.p) - 1;
	return b2bua_str_set(&d->remote_target, contact.uri);
}

/* Record-Route entries in order (we are the UAS) or reversed (UAC), section 12.1. */
static int set_routes(struct dialog *d, const struct sip_msg *msg, bool reverse)
{
	struct str_view line, item;
	struct sip_name_addr na;

	clear_routes(d);
	for (unsigned int h = 0; (line = sip_msg_header(msg, SIP_HDR_RECORD_ROUTE, h)).p; h++) {
		while (sip_list_next(&line, &item)) {
			char *text = NULL;

			if (d->n_routes == DIALOG_ROUTES_MAX || item.len > DIALOG_TEXT_MAX ||
				sip_name_addr_parse(item, &na) != 0)
				return -EBADMSG;
			if (b2bua_str_set(&text, na.uri) != 0)
				return -ENOMEM;
			d->route[d->n_routes++] = text;
		}
	}
	for (unsigned int i = 0; reverse && i < d->n_routes / 2; i++) {
		char *text = d->route[i];

		d->route[i] = d->route[d->n_routes - 1 - i];
		d->route[d->n_routes - 1 - i] = text;
	}
	return 0;
}

int dialog_from_request(struct dialog *d, const struct sip_msg *req)
{
	struct str_view from = sip_msg_header(req, SIP_HDR_FROM, 0);
	struct str_view to = sip_msg_header(req, SIP_HDR_TO, 0);
	struct sip_uri target;
	int rc;

	d->path.local = req->path.local;
	d->source = req->path.remote;
	d->remote_cseq = req->idx.cseq;
	if ((rc = identity_name_set(&d->remote_name, from)) != 0 ||
		(rc = identity_name_set(&d->local_name, to)) != 0 ||
		(rc = b2bua_str_set(&d->call_id, sip_msg_view(req, req->idx.call_id))) != 0 ||
		(rc = b2bua_str_set(&d->remote_tag, sip_msg_view(req, req->idx.from_tag))) != 0 ||
		(rc = set_target(d, req, &target)) != 0 || (rc = set_routes(d, req, false)) != 0)
		return rc;
	aim(d, &target);
	return 0;
}

int dialog_from_response(struct dialog *d, const struct sip_msg *resp)
{
	int rc = b2bua_str_set(&d->remote_tag, sip_msg_view(resp, resp->idx.to_tag));
	struct sip_uri target;

	if (rc != 0)
		return rc;
	d->source = resp->path.remote;
	/* A 2xx without a usable Contact: the Request-URI of our request goes on to be the target,
	 * and a route set that cannot be kept is left to whoever sent this response. */
	rc = set_target(d, resp, &target);
	if (rc == -ENOMEM)
		return rc;
	if (set_routes(d, resp, true) != 0)
		clear_routes(d);
	aim(d, rc == 0 ? &target : NULL);
	return 0;
}

void dialog_refresh(struct dialog *d, const struct sip_msg *msg)
{
	struct sip_uri target;

	d->source = msg->path.remote;
	aim(d, set_target(d, msg, &target) == 0 ? &target : NULL);
}
