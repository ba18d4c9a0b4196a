/* Which methods are taken from whom: the lists of the realm, and of the peer that it comes from. */
#include "b2bua_priv.h"
#include "route.h"

/* Outside of a dialog these name one that is not there (RFC 3261 section 12.2.2). */
static bool needs_dialog(enum sip_method method)
{
	return method == SIP_BYE || method == SIP_PRACK || method == SIP_UPDATE;
}

static unsigned int refusal(enum sip_method method)
{
	return method == SIP_METHOD_OTHER || method == SIP_METHOD_NONE ? 501 : 405;
}

/* The list that it is held against: of its peer, or its realm. */
static const struct config_methods *list_for(
	const struct b2bua *b, const struct dialog *d, const struct sip_msg *req)
{
	const struct config_realm *realm = b2bua_realm(b, req->path.realm);
	int peer = d != NULL ? d->peer
			     : route_peer_find(b->env.config, req->path.realm, &req->path.remote);
	const struct config_peer *p = peer == ROUTE_PEER_NONE ? NULL : &b->env.config->peers[peer];

	if (req->idx.has_to_tag)
		return p != NULL ? &p->dialog_methods : &realm->dialog_methods;
	return p != NULL ? &p->methods : &realm->methods;
}

unsigned int methods_judge(const struct b2bua *b, const struct dialog *d, const struct sip_msg *req)
{
	const struct config_methods *list = list_for(b, d, req);
	enum sip_method method = req->idx.method;

	if (!req->idx.has_to_tag && needs_dialog(method))
		return 481;
	/* What a subscription lives by. */
	if (d != NULL && d->subscription != NULL &&
		(method == SIP_SUBSCRIBE || method == SIP_NOTIFY))
		return 0;
	if (!config_methods_have(list, method, sip_msg_view(req, req->idx.method_text)))
		return refusal(method);
	return req->idx.has_to_tag && d == NULL ? 481 : 0;
}

/* --- Allow --- */

static size_t append(char *out, size_t n, const char *name)
{
	int len = snprintf(out + n, B2BUA_ALLOW_LEN - n, "%s%s", n > 0 ? ", " : "", name);

	return len > 0 && n + (size_t)len < B2BUA_ALLOW_LEN ? n + (size_t)len : n;
}

static void allow_build(const struct config_methods *outside, const struct config_methods *inside,
	char out[B2BUA_ALLOW_LEN])
{
	uint32_t known = outside->known | inside->known;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned int m = SIP_INVITE; m < SIP_METHOD_OTHER; m++)
		if ((known & (1u << m)) != 0)
			n = append(out, n, sip_method_name(m));
	for (unsigned int i = 0; i < outside->n_other; i++)
		n = append(out, n, outside->other[i]);
	for (unsigned int i = 0; i < inside->n_other; i++) {
		const char *name = inside->other[i];

		if (!config_methods_have(
			    outside, SIP_METHOD_OTHER, (struct str_view){name, strlen(name)}))
			n = append(out, n, name);
	}
}

char (*methods_allow_new(const struct config *c))[B2BUA_ALLOW_LEN]
{
	char(*allow)[B2BUA_ALLOW_LEN] = calloc(c->n_realms + c->n_peers + 1, sizeof(*allow));

	for (unsigned int i = 0; allow != NULL && i < c->n_realms; i++)
		allow_build(&c->realms[i].methods, &c->realms[i].dialog_methods, allow[i]);
	for (unsigned int i = 0; allow != NULL && i < c->n_peers; i++)
		allow_build(
			&c->peers[i].methods, &c->peers[i].dialog_methods, allow[c->n_realms + i]);
	return allow;
}

const char *b2bua_allow(const struct b2bua *b, uint16_t realm, int peer)
{
	return b->allow[peer == ROUTE_PEER_NONE ? realm
						: b->env.config->n_realms + (unsigned int)peer];
}

const char *b2bua_allow_sender(const struct b2bua *b, const struct sip_msg *req)
{
	const struct sip_path *path = &req->path;

	return b2bua_allow(
		b, path->realm, route_peer_find(b->env.config, path->realm, &path->remote));
}
