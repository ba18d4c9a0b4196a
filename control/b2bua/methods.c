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

unsigned int methods_judge(const struct b2bua *b, const struct dialog *d, const struct sip_msg *req)
{
	const struct config_realm *realm = b2bua_realm(b, req->path.realm);
	const struct config_methods *list = &realm->dialog_methods;
	enum sip_method method = req->idx.method;
	int peer;

	if (!req->idx.has_to_tag) {
		peer = route_peer_find(b->env.config, req->path.realm, &req->path.remote);
		list = peer == ROUTE_PEER_NONE ? &realm->methods
					       : &b->env.config->peers[peer].methods;
		if (needs_dialog(method))
			return 481;
	}
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

static void allow_build(const struct config_realm *r, char out[B2BUA_ALLOW_LEN])
{
	uint32_t known = r->methods.known | r->dialog_methods.known;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned int m = SIP_INVITE; m < SIP_METHOD_OTHER; m++)
		if ((known & (1u << m)) != 0)
			n = append(out, n, sip_method_name(m));
	for (unsigned int i = 0; i < r->methods.n_other; i++)
		n = append(out, n, r->methods.other[i]);
	for (unsigned int i = 0; i < r->dialog_methods.n_other; i++) {
		const char *name = r->dialog_methods.other[i];

		if (!config_methods_have(
			    &r->methods, SIP_METHOD_OTHER, (struct str_view){name, strlen(name)}))
			n = append(out, n, name);
	}
}

char (*methods_allow_new(const struct config *c))[B2BUA_ALLOW_LEN]
{
	char(*allow)[B2BUA_ALLOW_LEN] = calloc(c->n_realms + 1, sizeof(*allow));

	for (unsigned int i = 0; allow != NULL && i < c->n_realms; i++)
		allow_build(&c->realms[i], allow[i]);
	return allow;
}

const char *b2bua_allow(const struct b2bua *b, uint16_t realm)
{
	return b->allow[realm];
}
