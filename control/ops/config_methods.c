/*
 * Which methods of SIP a realm takes, in and outside of dialogs. What makes and ends calls is
 * always taken within them, so that no list can leave a call that cannot be ended.
 */
#include "config_priv.h"

#include "sip_parse.h"

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

#define BIT(id) (1u << SIP_##id)

/* Outside of a dialog these mean nothing (RFC 3261 sections 9, 13, 15; 3262; 3311; 6086). */
#define NEVER_OUTSIDE (BIT(ACK) | BIT(BYE) | BIT(CANCEL) | BIT(PRACK) | BIT(UPDATE) | BIT(INFO))
#define ALWAYS_INSIDE (BIT(INVITE) | BIT(ACK) | BIT(BYE) | BIT(CANCEL) | BIT(PRACK) | BIT(UPDATE))
/* What only registers or publishes makes no sense within a dialog. */
#define NEVER_INSIDE (BIT(REGISTER) | BIT(PUBLISH))

#define UNTRUSTED_DEFAULT (BIT(INVITE) | BIT(OPTIONS))
#define TRUSTED_DEFAULT \
	(UNTRUSTED_DEFAULT | BIT(REGISTER) | BIT(MESSAGE) | BIT(NOTIFY) | BIT(PUBLISH) | \
		BIT(REFER) | BIT(SUBSCRIBE))
/* A stranger in a call is a stranger all the same: it sends nobody messages, elsewhere, or to ask
 * for more. */
#define UNTRUSTED_INSIDE (BIT(INFO) | BIT(NOTIFY) | BIT(OPTIONS))
#define TRUSTED_INSIDE (UNTRUSTED_INSIDE | BIT(MESSAGE) | BIT(REFER) | BIT(SUBSCRIBE))

/* The two kinds of lists. */
struct list_rule {
	const char *key;
	uint32_t never, always;
	const char *why_never, *why_always;
};

static const struct list_rule outside = {
	"methods", NEVER_OUTSIDE, 0, "belongs to a dialog; leave it out", ""};
static const struct list_rule inside = {"dialog_methods", NEVER_INSIDE, ALWAYS_INSIDE,
	"belongs to no dialog; leave it out", "is always taken in a dialog; leave it out"};

bool config_methods_have(
	const struct config_methods *m, enum sip_method method, struct str_view name)
{
	if (method != SIP_METHOD_OTHER)
		return (m->known & (1u << method)) != 0;
	for (unsigned int i = 0; i < m->n_other; i++)
		if (sv_eq(name, (struct str_view){m->other[i], strlen(m->other[i])}))
			return true;
	return false;
}

/* A method that the box has no own notion of. */
static int other_add(
	const struct config_doc *d, const char *path, const char *given, struct config_methods *m)
{
	struct str_view name = {given, strlen(given)};

	if (!sip_is_token(name) || name.len >= CONFIG_METHOD_LEN)
		return config_doc_fail(d, path,
			"\"%.40s\" is not a method; a word of at most %d characters, such as "
			"MESSAGE",
			given, CONFIG_METHOD_LEN - 1);
	if (m->n_other == CONFIG_METHODS_OTHER_MAX)
		return config_doc_fail(d, path,
			"\"%s\" is one method too many; at most %d that are not of the usual ones",
			given, CONFIG_METHODS_OTHER_MAX);
	snprintf(m->other[m->n_other++], CONFIG_METHOD_LEN, "%s", given);
	return 0;
}

static int method_add(const struct config_doc *d, const char *path, const struct list_rule *rule,
	const char *given, struct config_methods *m)
{
	struct str_view name = {given, strlen(given)};
	enum sip_method method = sip_method_parse(name);
	uint32_t bit = 1u << method;

	if (config_methods_have(m, method, name))
		return config_doc_fail(d, path, "\"%.40s\" is listed twice; keep one", given);
	if (method == SIP_METHOD_OTHER || method == SIP_METHOD_NONE)
		return other_add(d, path, given, m);
	if ((bit & rule->never) != 0)
		return config_doc_fail(d, path, "%s %s", given, rule->why_never);
	if ((bit & rule->always) != 0)
		return config_doc_fail(d, path, "%s %s", given, rule->why_always);
	m->known |= bit;
	return 0;
}

/* @param m  in: what holds if the key is absent. An empty list is none at all. */
static int list_build(const struct config_doc *d, const char *at, const struct list_rule *rule,
	const struct raw_methods *raw, struct config_methods *m)
{
	char path[CONFIG_PATH_MAX];
	int err;

	PATH(path, "%s.%s", at, rule->key);
	if (config_doc_has(d, path))
		*m = (struct config_methods){0};
	for (unsigned int i = 0; i < raw->count; i++) {
		PATH(path, "%s.%s[%u]", at, rule->key, i);
		if ((err = method_add(d, path, rule, raw->names[i], m)) < 0)
			return err;
	}
	m->known |= rule->always;
	return 0;
}

int config_methods_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	const struct raw_methods out = {raw->methods, raw->methods_count};
	const struct raw_methods in = {raw->dialog_methods, raw->dialog_methods_count};
	int err;

	r->methods.known = r->trust == TRUST_TRUSTED ? TRUSTED_DEFAULT : UNTRUSTED_DEFAULT;
	r->dialog_methods.known = r->trust == TRUST_TRUSTED ? TRUSTED_INSIDE : UNTRUSTED_INSIDE;
	if ((err = list_build(d, at, &outside, &out, &r->methods)) < 0)
		return err;
	return list_build(d, at, &inside, &in, &r->dialog_methods);
}

int config_peer_methods_build(const struct config_doc *d, const char *at,
	const struct raw_peer *raw, const struct config_realm *realm, struct config_peer *p)
{
	const struct raw_methods out = {raw->methods, raw->methods_count};
	const struct raw_methods in = {raw->dialog_methods, raw->dialog_methods_count};
	char path[CONFIG_PATH_MAX];
	int err;

	PATH(path, "realms[%u].%s", realm->id, inside.key);
	p->methods = realm->methods;
	p->dialog_methods = realm->dialog_methods;
	/* Whom the operator knows may transfer calls from any realm. */
	if (!config_doc_has(d, path))
		p->dialog_methods.known |= TRUSTED_INSIDE;
	if ((err = list_build(d, at, &outside, &out, &p->methods)) < 0)
		return err;
	return list_build(d, at, &inside, &in, &p->dialog_methods);
}
