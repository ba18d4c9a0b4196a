#include <errno.h>
#include <utlist.h>

#include "b2bua_priv.h"
#include "media_session.h"

int leg_init(struct leg *l, struct call *c, enum leg_side side, uint16_t realm, int peer,
	const struct net_addr *to)
{
	struct b2bua *b = c->b;

	l->call = c;
	l->side = side;
	l->realm = realm;
	l->peer = peer;
	l->state = LEG_EARLY;
	l->path.realm = b2bua_realm(b, realm)->id;
	sip_lane_token(b->env.keys.lane, to, l->local_tag);
	HASH_ADD_KEYPTR(hh, b->legs, l->local_tag, LEG_TAG_LEN, l);
	return l->hh.tbl != NULL ? 0 : -ENOMEM;
}

static void clear_routes(struct leg *l)
{
	while (l->n_routes > 0)
		free(l->route[--l->n_routes]);
}

void leg_fini(struct leg *l)
{
	struct leg_txn *t, *tmp;

	if (l->call == NULL)
		return;
	leg_set_state(l, LEG_GONE);
	DL_FOREACH_SAFE(l->txns, t, tmp)
	{
		if (l->call->b->txns != NULL)
			client_txn_detach(t->client);
		leg_txn_free(t);
	}
	if (l->hh.tbl != NULL)
		HASH_DELETE(hh, l->call->b->legs, l);
	clear_routes(l);
	free(l->call_id);
	free(l->remote_tag);
	free(l->local_name);
	free(l->remote_name);
	free(l->remote_target);
	free(l->ack);
}

struct leg *leg_other(const struct leg *l)
{
	return &l->call->leg[l->side == SIDE_CALLER ? SIDE_CALLEE : SIDE_CALLER];
}

void leg_set_state(struct leg *l, enum leg_state state)
{
	struct b2bua_stats *stats = &l->call->b->stats;

	if (l->state != LEG_CONFIRMED && state == LEG_CONFIRMED)
		stats->dialogs++;
	else if (l->state == LEG_CONFIRMED && state != LEG_CONFIRMED)
		stats->dialogs--;
	l->state = state;
}

struct leg *leg_find_tag(const struct b2bua *b, struct str_view local_tag)
{
	struct leg *l = NULL;

	if (local_tag.len == LEG_TAG_LEN)
		HASH_FIND(hh, b->legs, local_tag.p, LEG_TAG_LEN, l);
	return l;
}

static bool text_is(const char *text, struct str_view v)
{
	return text != NULL && sv_eq((struct str_view){text, strlen(text)}, v);
}

struct leg *leg_find(const struct b2bua *b, const struct sip_msg *req)
{
	struct leg *l = leg_find_tag(b, sip_msg_view(req, req->idx.to_tag));

	if (l == NULL || l->path.realm != req->path.realm ||
		!text_is(l->call_id, sip_msg_view(req, req->idx.call_id)))
		return NULL;
	/* An early dialog of the callee's side may be one of several. */
	if (l->remote_tag != NULL && !text_is(l->remote_tag, sip_msg_view(req, req->idx.from_tag)))
		return NULL;
	return l;
}

/* --- where our requests go (section 12.2.1.1) --- */

/* The endpoint that a URI names by address; false if it names none that we may send to. */
static bool uri_endpoint(const struct leg *l, const char *text, struct net_endpoint *out)
{
	const struct config *c = l->call->b->env.config;
	struct sip_uri uri;

	if (text == NULL || sip_uri_parse((struct str_view){text, strlen(text)}, &uri) != 0 ||
		uri.scheme != SIP_SCHEME_SIP || net_addr_parse(uri.host, &out->addr) != 0)
		return false;
	out->addr = net_addr_normalise(&out->addr);
	out->port = uri.port ? uri.port : 5060; /* RFC 3261 section 19.1.2 */
	out->pad = 0;
	return out->addr.family == l->path.local.addr.family &&
	       net_addr_is_unicast_peer(&out->addr) && !media_addr_is_own(c, &out->addr);
}

/*
 * The first route or the remote target, where it is an address. Behind NAT it is not one that can
 * be reached: then, and for names (no DNS here), the source of the last message that made or
 * refreshed the dialog.
 */
static void leg_aim(struct leg *l)
{
	const struct config_realm *realm = b2bua_realm(l->call->b, l->realm);
	struct net_endpoint e;

	l->path.remote = l->source;
	if (!uri_endpoint(l, l->n_routes > 0 ? l->route[0] : l->remote_target, &e))
		return;
	if (realm->nat == NAT_AUTO && !net_addr_eq(&e.addr, &l->source.addr))
		return;
	l->path.remote = e;
}

/* --- dialog state from messages --- */

/* Contact URI without its headers part, which may not stand in a Request-URI (section 19.1.1). */
static int set_target(struct leg *l, const struct sip_msg *msg)
{
	struct str_view line = sip_msg_header(msg, SIP_HDR_CONTACT, 0), item;
	struct sip_name_addr contact;
	struct sip_uri uri;

	if (line.p == NULL || !sip_list_next(&line, &item) ||
		sip_name_addr_parse(item, &contact) != 0 || contact.star ||
		sip_uri_parse(contact.uri, &uri) != 0 || contact.uri.len > LEG_TEXT_MAX ||
		(uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS))
		return -EBADMSG;
	if (uri.headers.len > 0)
		contact.uri.len = (size_t)(uri.headers.p - contact.uri.p) - 1;
	return b2bua_str_set(&l->remote_target, contact.uri);
}

/* Record-Route entries in order (we are the UAS) or reversed (UAC), section 12.1. */
static int set_routes(struct leg *l, const struct sip_msg *msg, bool reverse)
{
	struct str_view line, item;
	struct sip_name_addr na;

	clear_routes(l);
	for (unsigned int h = 0; (line = sip_msg_header(msg, SIP_HDR_RECORD_ROUTE, h)).p; h++) {
		while (sip_list_next(&line, &item)) {
			char *text = NULL;

			if (l->n_routes == LEG_ROUTES_MAX || item.len > LEG_TEXT_MAX ||
				sip_name_addr_parse(item, &na) != 0)
				return -EBADMSG;
			if (b2bua_str_set(&text, na.uri) != 0)
				return -ENOMEM;
			l->route[l->n_routes++] = text;
		}
	}
	for (unsigned int i = 0; reverse && i < l->n_routes / 2; i++) {
		char *text = l->route[i];

		l->route[i] = l->route[l->n_routes - 1 - i];
		l->route[l->n_routes - 1 - i] = text;
	}
	return 0;
}

int leg_from_invite(struct leg *l, const struct sip_msg *req)
{
	struct str_view from = sip_msg_header(req, SIP_HDR_FROM, 0);
	struct str_view to = sip_msg_header(req, SIP_HDR_TO, 0);
	int rc;

	l->path.local = req->path.local;
	l->source = req->path.remote;
	l->remote_cseq = req->idx.cseq;
	if ((rc = identity_name_set(&l->remote_name, from)) != 0 ||
		(rc = identity_name_set(&l->local_name, to)) != 0 ||
		(rc = b2bua_str_set(&l->call_id, sip_msg_view(req, req->idx.call_id))) != 0 ||
		(rc = b2bua_str_set(&l->remote_tag, sip_msg_view(req, req->idx.from_tag))) != 0 ||
		(rc = set_target(l, req)) != 0 || (rc = set_routes(l, req, false)) != 0)
		return rc;
	leg_aim(l);
	return 0;
}

int leg_confirm(struct leg *l, const struct sip_msg *resp)
{
	int rc = b2bua_str_set(&l->remote_tag, sip_msg_view(resp, resp->idx.to_tag));

	if (rc != 0)
		return rc;
	l->source = resp->path.remote;
	/* A 2xx without a usable Contact: the Request-URI of the INVITE goes on to be the target,
	 * and a route set that cannot be kept is left to whoever sent this response. */
	if (set_target(l, resp) == -ENOMEM)
		return -ENOMEM;
	if (set_routes(l, resp, true) != 0)
		clear_routes(l);
	leg_aim(l);
	leg_set_state(l, LEG_CONFIRMED);
	return 0;
}

void leg_refresh(struct leg *l, const struct sip_msg *msg)
{
	l->source = msg->path.remote;
	(void)set_target(l, msg);
	leg_aim(l);
}
