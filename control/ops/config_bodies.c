/*
 * Which bodies may be sent into a realm beside SDP. What stands in them is not read, so types whose
 * purpose is to list addresses of the side that they come from are not usual: an XML of dialogs
 * (RFC 4235) or registrations (RFC 3680), presence (entity and <contact>, RFC 3863); nor a
 * multipart, which may hold anything. simple-message-summary (RFC 3842) is read and written anew.
 */
#include "config_priv.h"

#include "sip_parse.h"

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

static const char *const usual[] = {"text/plain", "application/dtmf", "application/dtmf-relay",
	"application/im-iscomposing+xml", "application/media_control+xml",
	"application/simple-message-summary"};

void config_bodies_default(struct config_realm *r)
{
	static_assert(ARRAY_LEN(usual) <= CONFIG_BODIES_MAX, "they fit");
	for (r->n_bodies = 0; r->n_bodies < ARRAY_LEN(usual); r->n_bodies++)
		snprintf(r->bodies[r->n_bodies], CONFIG_BODY_LEN, "%s", usual[r->n_bodies]);
}

bool config_bodies_have(const struct config_realm *r, struct str_view type, struct str_view subtype)
{
	for (unsigned int i = 0; i < r->n_bodies; i++) {
		struct str_view main = {r->bodies[i], strcspn(r->bodies[i], "/")};
		struct str_view sub = {main.p + main.len + 1, strlen(main.p + main.len + 1)};

		if (sv_eq_nocase(main, type) &&
			(sv_eq(sub, (struct str_view){"*", 1}) || sv_eq_nocase(sub, subtype)))
			return true;
	}
	return false;
}

/* A type and its subtype, or a star for any. */
static bool is_type(const char *given)
{
	struct str_view main = {given, strcspn(given, "/")}, sub;

	if (given[main.len] == '\0' || strlen(given) >= CONFIG_BODY_LEN)
		return false;
	sub = (struct str_view){given + main.len + 1, strlen(given + main.len + 1)};
	return sip_is_token(main) && sip_is_token(sub) && main.p[0] != '*';
}

int config_bodies_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	char path[CONFIG_PATH_MAX];

	PATH(path, "%s.bodies", at);
	if (!config_doc_has(d, path)) {
		config_bodies_default(r);
		return 0;
	}
	for (unsigned int i = 0; i < raw->bodies_count; i++) {
		PATH(path, "%s.bodies[%u]", at, i);
		if (!is_type(raw->bodies[i]))
			return config_doc_fail(d, path,
				"\"%.40s\" is not a content type; write it as text/plain or "
				"text/*, at most %d characters",
				raw->bodies[i], CONFIG_BODY_LEN - 1);
		snprintf(r->bodies[r->n_bodies++], CONFIG_BODY_LEN, "%s", raw->bodies[i]);
	}
	return 0;
}
