/*
 * A call that goes on to another peer. 3xx of a callee whose peer may redirect calls (RFC 3261
 * section 8.1.3.4): to the first Contact that is a configured peer of the same realm. 503, or not a
 * word until timer B (RFC 3263 section 4.3): to the peer of the next route that the call has.
 * Nobody can send our calls, and their bill, anywhere else; and the media session's addresses stay
 * good.
 */
#include "b2bua_priv.h"

/* Can it have the call instead? The media session has the policy and addresses for the peer that
 * was asked first. */
static bool is_alike(const struct call *c, unsigned int peer)
{
	const struct config *config = c->b->env.config;
	const struct dialog *from = c->fork->dialog[SIDE_CALLEE];
	const struct config_peer *p = &config->peers[peer];

	return p->realm == from->realm && p->policy == config->peers[from->peer].policy &&
	       p->remote.addr.family == from->path.local.addr.family;
}

/* The peer that a Contact names; ROUTE_PEER_NONE: none. */
static int peer_of(const struct call *c, const struct sip_uri *uri)
{
	const struct config *config = c->b->env.config;
	struct net_endpoint e = {.port = uri->port != 0 ? uri->port : 5060};

	if (uri->scheme != SIP_SCHEME_SIP || net_addr_parse(uri->host, &e.addr) != 0)
		return ROUTE_PEER_NONE;
	e.addr = net_addr_normalise(&e.addr);
	for (unsigned int i = 0; i < config->n_peers; i++)
		if (is_alike(c, i) && net_endpoint_eq(&config->peers[i].remote, &e))
			return (int)i;
	return ROUTE_PEER_NONE;
}

/* @param target  the URI of the first good Contact. @return its peer, or ROUTE_PEER_NONE. */
static int choose(const struct call *c, const struct sip_msg *resp, struct str_view *target)
{
	struct str_view line, item;
	struct sip_name_addr contact;
	struct sip_uri uri;
	int peer;

	for (unsigned int i = 0; (line = sip_msg_header(resp, SIP_HDR_CONTACT, i)).p; i++)
		while (sip_list_next(&line, &item)) {
			if (sip_name_addr_parse(item, &contact) != 0 || contact.star ||
				sip_uri_parse(contact.uri, &uri) != 0)
				continue;
			peer = peer_of(c, &uri);
			if (peer == ROUTE_PEER_NONE)
				continue;
			*target = contact.uri;
			return peer;
		}
	return ROUTE_PEER_NONE;
}

/* Nothing of what the callee has said is known to the caller for good. */
static bool is_fresh(const struct call *c)
{
	for (const struct fork *f = c->forks; f != NULL; f = f->next)
		if (f->agreed || f->told || f->reliable.pending)
			return false;
	return true;
}

/* The callee's leg begins anew, with another peer. @return 0 or the status that we owe. */
static unsigned int redial(struct call *c, int peer, struct str_view target)
{
	struct b2bua *b = c->b;
	struct dialog *old = c->fork->dialog[SIDE_CALLEE];
	const struct net_endpoint *remote = &b->env.config->peers[peer].remote;
	struct dialog *d = dialog_new(b, old->leg, old->realm, peer, &remote->addr);

	if (d == NULL)
		return 500;
	fork_win(c->fork);
	d->fork = c->fork;
	d->path = old->path;
	d->path.remote = d->source = *remote;
	dialog_free(old);
	c->ex.client = NULL;
	c->fork->dialog[SIDE_CALLEE] = c->leg[SIDE_CALLEE].dialog = d;
	c->fork->reliable.far_last = 0;
	/* What the one before said early is not what this one says. */
	free(c->fork->body);
	c->fork->body = NULL;
	sip_msg_put(c->fork->answer);
	c->fork->answer = NULL;
	reliable_stop(c->fork);
	if (b2bua_call_id(b, &d->call_id) != 0)
		return 500;
	return identity_redirect(c, exchange_request(&c->ex), target);
}

/* @return true: it goes on, or was ended. */
static bool go_on(struct call *c, int peer, struct str_view target)
{
	unsigned int status;

	c->asked[c->redirects++] = (uint16_t)c->fork->dialog[SIDE_CALLEE]->peer;
	call_dismiss(c); /* counts by peer */
	status = redial(c, peer, target);
	if (status == 0 && !call_admit(c))
		status = 503;
	if (status == 0)
		status = exchange_send(c, exchange_request(&c->ex));
	if (status != 0) {
		call_end(c, CAUSE_UNREACHABLE, status, ENDED_BY_BOX);
		call_check(c);
		return true;
	}
	invite_ring(c);
	return true;
}

static bool may_go_on(const struct call *c)
{
	return c->state != CALL_ENDED && exchange_request(&c->ex) != NULL && is_fresh(c) &&
	       c->redirects < CALL_REDIRECTS_MAX;
}

bool redirect_follow(struct call *c, const struct sip_msg *resp)
{
	const struct config *config = c->b->env.config;
	const struct dialog *callee = c->fork->dialog[SIDE_CALLEE];
	struct str_view target;
	int peer;

	if (resp->idx.status > 302 || !config->peers[callee->peer].redirect_follow || !may_go_on(c))
		return false;
	peer = choose(c, resp, &target);
	if (peer == ROUTE_PEER_NONE)
		return false;
	if (admit_to_peer(c->b, (unsigned int)peer, exchange_request(&c->ex)))
		return go_on(c, peer, target);
	call_end(c, CAUSE_UNREACHABLE, 503, ENDED_BY_BOX);
	call_check(c);
	return true;
}

static bool was_asked(const struct call *c, unsigned int peer)
{
	for (unsigned int i = 0; i < c->redirects; i++)
		if (c->asked[i] == peer)
			return true;
	return (unsigned int)c->fork->dialog[SIDE_CALLEE]->peer == peer;
}

bool redirect_elsewhere(struct call *c)
{
	const struct sip_msg *req;
	struct sip_uri uri;
	int from;

	if (!may_go_on(c))
		return false;
	req = exchange_request(&c->ex);
	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) != 0)
		return false;
	from = route_peer_find(c->b->env.config, req->path.realm, &req->path.remote);
	/* What a peer wants is counted, so it comes last: of those that may have the call. */
	do
		c->route = admit_route_next(c->b, req, c->route, from, uri.user);
	while (c->route != NULL &&
		(was_asked(c, c->route->to_peer) || !is_alike(c, c->route->to_peer) ||
			!admit_to_peer(c->b, c->route->to_peer, req)));
	return c->route != NULL &&
	       go_on(c, (int)c->route->to_peer, sip_msg_view(req, req->idx.uri));
}
