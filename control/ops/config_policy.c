/*
 * The policies section: codec lists, and who refers to which policy.
 */
#include "config_priv.h"

#define CLOCK_HZ_MIN 1000 /* of text (RFC 4103) */

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

/* The clock rate behind the slash. */
static int clock_build(
	const struct config_doc *d, const char *path, const char *given, uint32_t *out)
{
	char *end;
	unsigned long hz = strtoul(given, &end, 10);

	if (given[0] < '0' || given[0] > '9' || *end != '\0' || hz < CLOCK_HZ_MIN ||
		hz > API_CLOCK_HZ_MAX)
		return config_doc_fail(d, path,
			"\"%.20s\" is no clock rate; %d to %d Hz, as in \"L16/16000\"", given,
			CLOCK_HZ_MIN, API_CLOCK_HZ_MAX);
	*out = (uint32_t)hz;
	return 0;
}

/* "PCMA" or "L16/16000". */
static int codec_build(
	const struct config_doc *d, const char *path, const char *given, struct config_codec *out)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+";
	size_t len = strcspn(given, "/");

	if (len == 0 || len >= sizeof(out->name) || strspn(given, allowed) != len)
		return config_doc_fail(d, path,
			"\"%.40s\" is no codec; give an encoding name of at most %zu characters, "
			"such as PCMA, G729 or opus",
			given, sizeof(out->name) - 1);
	memcpy(out->name, given, len);
	return given[len] == '\0' ? 0 : clock_build(d, path, given + len + 1, &out->clock_hz);
}

static bool codec_covers(const struct config_codec *of, const struct config_codec *c)
{
	return sv_eq_nocase((struct str_view){of->name, strlen(of->name)},
		       (struct str_view){c->name, strlen(c->name)}) &&
	       (of->clock_hz == 0 || of->clock_hz == c->clock_hz);
}

static bool list_covers(const struct config_codecs *list, const struct config_codec *c)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (codec_covers(&list->codec[i], c))
			return true;
	return false;
}

static int list_build(const struct config_doc *d, const char *at, const char *key, char **given,
	unsigned int n, struct config_codecs *out)
{
	char path[CONFIG_PATH_MAX];
	int err;

	for (unsigned int i = 0; i < n; i++) {
		struct config_codec c = {.clock_hz = 0};

		PATH(path, "%s.codecs.%s[%u]", at, key, i);
		if ((err = codec_build(d, path, given[i], &c)) < 0)
			return err;
		if (list_covers(out, &c))
			return config_doc_fail(
				d, path, "\"%.40s\" is on this list already; keep one", given[i]);
		out->codec[out->n++] = c;
	}
	return 0;
}

/* A word that can never count hides a mistake. */
static int denied_check(const struct config_doc *d, const char *at, const char *key,
	const struct config_codecs *list, const struct config_codecs *deny)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < list->n; i++) {
		if (!list_covers(deny, &list->codec[i]))
			continue;
		PATH(path, "%s.codecs.%s[%u]", at, key, i);
		return config_doc_fail(d, path, "\"%s\" is denied too; name it in one of both",
			list->codec[i].name);
	}
	return 0;
}

static int policy_find(const struct config *c, const char *name)
{
	for (unsigned int i = 0; i < c->n_policies; i++)
		if (strcmp(c->policies[i].name, name) == 0)
			return (int)i;
	return -1;
}

int config_policy_build(const struct config_doc *d, unsigned int i, const struct raw_policy *raw,
	const struct config *c, struct config_policy *p)
{
	const struct raw_codecs *codecs = &raw->codecs;
	char at[32], path[CONFIG_PATH_MAX];
	int err;

	snprintf(at, sizeof(at), "policies[%u]", i);
	PATH(path, "%s.name", at);
	if ((err = config_name_build(d, path, raw->name, p->name)) < 0)
		return err;
	if ((err = policy_find(c, p->name)) >= 0)
		return config_doc_fail(d, path,
			"\"%s\" names policies[%d] already; choose another name", p->name, err);
	p->srtp = raw->srtp;
	if ((err = list_build(d, at, "allow", codecs->allow, codecs->allow_count, &p->allow)) < 0 ||
		(err = list_build(d, at, "deny", codecs->deny, codecs->deny_count, &p->deny)) < 0 ||
		(err = list_build(d, at, "order", codecs->order, codecs->order_count, &p->order)) <
			0)
		return err;
	if ((err = denied_check(d, at, "allow", &p->allow, &p->deny)) < 0)
		return err;
	return denied_check(d, at, "order", &p->order, &p->deny);
}

int config_policy_ref_build(const struct config_doc *d, const char *at, const struct config *c,
	const char *name, const struct config_policy **out)
{
	char path[CONFIG_PATH_MAX];
	int i = name != NULL ? policy_find(c, name) : -1;

	*out = i >= 0 ? &c->policies[i] : NULL;
	if (name == NULL || i >= 0)
		return 0;
	PATH(path, "%s.policy", at);
	CONFIG_FAIL_UNKNOWN(d, path, "policy", name, c->policies, c->n_policies);
}
