/* New requests when there are too many: emergency calls first, the others as overload control says.
 */
#include "b2bua_priv.h"
#include "overload.h"
#include "peer_overload.h"
#include "route.h"

/* Not all come back at once, and not at the second in which they went. */
#define RETRY_MIN_S 2
#define RETRY_SPREAD_S 8

/* What belongs to such a call never gets here: it is in its dialog, or cancels it. */
static bool is_emergency_call(const struct b2bua *b, const struct sip_msg *req)
{
	struct str_view text, user = {NULL, 0};
	struct sip_uri uri;

	if (req->idx.method != SIP_INVITE)
		return false;
	text = sip_msg_view(req, req->idx.uri);
	if (sip_uri_parse(text, &uri) == 0)
		user = uri.user;
	return route_is_emergency(b->env.config, req->path.realm, &req->path.remote, text, user);
}

int admit_request(struct b2bua *b, const struct sip_msg *req, uint64_t key)
{
	struct overload *o = b->env.overload;

	/* OPTIONS is answered here, and is how peers ask whether we are there. */
	if (o == NULL || req->idx.method == SIP_OPTIONS || req->idx.method == SIP_BYE)
		return 0;
	if (is_emergency_call(b, req)) {
		overload_note_emergency(o);
		return 0;
	}
	if (overload_admit(o, b->env.timers->now_ms, key, req->idx.method == SIP_INVITE))
		return 0;
	/* Who was told a percentage must not stay away altogether (RFC 7339). */
	if (req->oc != NULL && sip_oc_is_offered(req))
		return TXN_BUSY;
	return RETRY_MIN_S + (int)(key >> 40) % RETRY_SPREAD_S;
}

bool admit_to_peer(const struct b2bua *b, unsigned int peer, const struct sip_msg *req)
{
	return b->env.peer_overload == NULL || is_emergency_call(b, req) ||
	       peer_overload_takes(b->env.peer_overload, b->env.timers->now_ms, peer);
}

const struct config_route *admit_route_next(const struct b2bua *b, const struct sip_msg *req,
	const struct config_route *after, int from_peer, struct str_view user)
{
	const struct config *c = b->env.config;
	uint16_t realm = req->path.realm;

	return route_find(c, after, realm, from_peer, user,
		route_is_emergency(
			c, realm, &req->path.remote, sip_msg_view(req, req->idx.uri), user));
}

const struct config_route *admit_route(const struct b2bua *b, const struct sip_msg *req,
	int from_peer, struct str_view user, unsigned int *status)
{
	const struct config_route *r = NULL;

	*status = 404;
	while ((r = admit_route_next(b, req, r, from_peer, user)) != NULL) {
		*status = 503;
		if (admit_to_peer(b, r->to_peer, req))
			return r;
	}
	return NULL;
}

void admit_hear(const struct b2bua *b, const struct sip_path *path, const struct sip_oc *oc)
{
	int peer = route_peer_find(b->env.config, path->realm, &path->remote);

	if (peer >= 0 && b->env.peer_overload != NULL &&
		b->env.config->peers[peer].overload_control)
		peer_overload_says(
			b->env.peer_overload, b->env.timers->now_ms, (unsigned int)peer, oc);
}
