/* Requests outside of dialogs, INVITE apart. They are routed as calls are. */
#include <errno.h>

#include "b2bua_priv.h"
#include "relay.h"
#include "replaces.h"
#include "route.h"
#include "subscription.h"

/* Whom it is for: a registrar is asked for the user of To (RFC 3261 section 10.2). */
static unsigned int asked_user(const struct sip_msg *req, struct str_view *user)
{
	struct sip_name_addr to;
	struct sip_uri uri;

	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) != 0)
		return 400;
	if (req->idx.uri.len > DIALOG_TEXT_MAX)
		return 414;
	/* As for a call: TLS on every hop, or not at all; and all is UDP here. */
	if (uri.scheme == SIP_SCHEME_SIPS)
		return 416;
	*user = uri.user;
	if (req->idx.method != SIP_REGISTER)
		return 0;
	if (sip_name_addr_parse(sip_msg_header(req, SIP_HDR_TO, 0), &to) != 0 || to.star ||
		sip_uri_parse(to.uri, &uri) != 0)
		return 400;
	/* An address of record is a SIP or SIPS URI there. */
	if (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS)
		return 400;
	*user = uri.user;
	return 0;
}

/* From and To as the far side shall see them. A registrar knows both by its own name, and the
 * account by its user part, which may be a host's, or an address of mail. */
static int map_names(struct dialog *d, const struct sip_msg *req)
{
	bool registers = req->idx.method == SIP_REGISTER;
	const struct net_endpoint *from = registers ? &d->path.remote : &d->path.local;
	enum identity_hide hide = HIDE_NOTHING;
	int rc;

	if (place_is_secret(b2bua_realm(d->b, req->path.realm), b2bua_realm(d->b, d->realm)))
		hide = registers ? HIDE_DISPLAY : HIDE_TEXTS;
	rc = identity_name_hide(&d->local_name, sip_msg_header(req, SIP_HDR_FROM, 0), from, hide);
	if (rc == 0)
		rc = identity_name_hide(
			&d->remote_name, sip_msg_header(req, SIP_HDR_TO, 0), &d->path.remote, hide);
	if (rc == 0)
		rc = identity_name_map(
			&d->remote_target, sip_msg_view(req, req->idx.uri), &d->path.remote, true);
	return rc;
}

/* Has its peer been asked, or passed over, on the way to it? */
static bool came_before(const struct b2bua *b, const struct sip_msg *req, int from_peer,
	struct str_view user, const struct config_route *r)
{
	const struct config_route *p = NULL;

	while ((p = admit_route_next(b, req, p, from_peer, user)) != NULL && p != r)
		if (p->to_peer == r->to_peer)
			return true;
	return false;
}

/* @param after  that led nowhere. What is said for its realm holds for the next one as well. */
static const struct config_route *route_after(const struct b2bua *b, const struct sip_msg *req,
	int from_peer, struct str_view user, const struct config_route *after)
{
	const struct config_peer *peers = b->env.config->peers;
	const struct config_route *r = after;

	/* What a peer wants is counted, so it comes last. */
	do
		r = admit_route_next(b, req, r, from_peer, user);
	while (r != NULL && (peers[r->to_peer].realm != peers[after->to_peer].realm ||
				    came_before(b, req, from_peer, user, r) ||
				    !admit_to_peer(b, r->to_peer, req)));
	return r;
}

unsigned int outside_dialog_new(struct b2bua *b, const struct sip_msg *req,
	const struct config_route **route, struct dialog **out)
{
	const struct config *c = b->env.config;
	int from = route_peer_find(c, req->path.realm, &req->path.remote);
	const struct net_endpoint *local;
	const struct config_peer *peer;
	struct str_view user;
	struct dialog *d;
	unsigned int status = asked_user(req, &user);
	int rc;

	if (status != 0)
		return status;
	/* One of our own that came back: nobody else has our tag with our Call-ID. */
	d = dialog_find_tag(b, sip_msg_view(req, req->idx.from_tag));
	if (d != NULL && sv_is(sip_msg_view(req, req->idx.call_id), d->call_id))
		return 482;
	if (!headers_may_spread(req))
		return 440;
	*route = *route != NULL ? route_after(b, req, from, user, *route)
				: admit_route(b, req, from, user, &status);
	if (*route == NULL)
		return status != 0 ? status : 503;
	peer = &c->peers[(*route)->to_peer];
	local = b2bua_listener(b, peer->realm, peer->remote.addr.family);
	d = local != NULL ? dialog_new(b, NULL, peer->realm, (*route)->to_peer, &peer->remote.addr)
			  : NULL;
	if (d == NULL)
		return 500;
	d->path.local = *local;
	d->path.remote = d->source = peer->remote;
	rc = b2bua_call_id(b, &d->call_id);
	if (rc == 0)
		rc = map_names(d, req);
	if (rc == 0) {
		*out = d;
		return 0;
	}
	dialog_free(d);
	return rc == -ENOMEM ? 500 : 400;
}

/* A ping is for the box. One for a user goes on if whoever asks is known: to strangers the box
 * does not tell who is there. */
static bool is_for_box(const struct b2bua *b, const struct sip_msg *req)
{
	struct sip_uri uri;

	if (req->idx.method != SIP_OPTIONS)
		return false;
	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) != 0 || uri.user.len == 0)
		return true;
	return b2bua_realm(b, req->path.realm)->trust != TRUST_TRUSTED &&
	       route_peer_find(b->env.config, req->path.realm, &req->path.remote) ==
		       ROUTE_PEER_NONE;
}

void outside_on_request(struct b2bua *b, struct server_txn *txn, const struct sip_msg *req)
{
	struct relay_way way = {.own = true};
	const struct config_realm *to = NULL;
	unsigned int status;

	if (is_for_box(b, req)) {
		b2bua_reply(b, txn, 200);
		return;
	}
	if (req->idx.method == SIP_SUBSCRIBE) {
		subscription_on_request(b, txn, req, NULL);
		return;
	}
	if (req->idx.method == SIP_REFER) {
		refer_on_request(b, NULL, txn, req);
		return;
	}
	if (req->idx.method == SIP_REGISTER)
		way.user = &register_user;
	status = outside_dialog_new(b, req, &way.route, &way.to);
	if (status == 0) {
		to = b2bua_realm(b, way.to->realm);
		status = relay_start(b, txn, req, &way);
	}
	if (status != 0)
		b2bua_reply_across(b, txn, status, to);
}
