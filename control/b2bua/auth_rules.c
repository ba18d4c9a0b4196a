/*
 * Challenges and credentials (RFC 3261 section 22) on their way through the box. Digest is between
 * the user and whoever knows the password: what is hashed cannot be written anew. So the values
 * of an allow-list of parameters cross as they are, and what names too much does not cross.
 */
#include "b2bua_priv.h"
#include "headers.h"

static const struct str_view digest = {"Digest", 6};

/* RFC 7616 section 3.3, without `domain`, which lists servers. */
static const struct str_view challenge_params[] = {{"realm", 5}, {"nonce", 5}, {"opaque", 6},
	{"stale", 5}, {"algorithm", 9}, {"qop", 3}, {"charset", 7}, {"userhash", 8}};

/* Section 3.4, and RFC 3310 section 3.4. */
static const struct str_view credential_params[] = {{"username", 8}, {"username*", 9}, {"realm", 5},
	{"nonce", 5}, {"uri", 3}, {"response", 8}, {"algorithm", 9}, {"cnonce", 6}, {"opaque", 6},
	{"qop", 3}, {"nc", 2}, {"userhash", 8}, {"auts", 4}};

static bool is_ws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str_view trim(struct str_view v)
{
	while (v.len > 0 && is_ws(v.p[0]))
		v = (struct str_view){v.p + 1, v.len - 1};
	while (v.len > 0 && is_ws(v.p[v.len - 1]))
		v.len--;
	return v;
}

/* "Digest" of "Digest realm=r"; none of "realm = r". What follows it is left in *item. */
static struct str_view scheme_take(struct str_view *item)
{
	struct str_view word = *item, rest;

	for (word.len = 0; word.len < item->len && !is_ws(item->p[word.len]);)
		word.len++;
	rest = trim((struct str_view){item->p + word.len, item->len - word.len});
	if (!sip_is_token(word) || (rest.len > 0 && rest.p[0] == '='))
		return (struct str_view){NULL, 0};
	*item = rest;
	return word;
}

bool header_auth_next(struct str_view *rest, struct str_view *one)
{
	struct str_view left, item, params;

	*one = trim(*rest);
	if (one->len == 0)
		return false;
	for (left = *one, one->len = 0; left.len > 0;) {
		struct str_view before = left;

		if (!sip_list_next(&left, &item))
			break;
		params = item;
		if (one->len > 0 && scheme_take(&params).p != NULL) {
			*rest = before;
			return true;
		}
		/* An empty element has no place of its own. */
		if (item.len > 0)
			one->len = (size_t)(item.p + item.len - one->p);
	}
	*rest = (struct str_view){NULL, 0};
	return one->len > 0;
}

/* name=value. @return false: it is none. */
static bool param_split(struct str_view item, struct str_view *name, struct str_view *value)
{
	const char *equals = memchr(item.p, '=', item.len);

	if (item.len == 0 || equals == NULL)
		return false;
	*name = trim((struct str_view){item.p, (size_t)(equals - item.p)});
	*value = trim((struct str_view){equals + 1, (size_t)(item.p + item.len - equals - 1)});
	return true;
}

/* The next parameter behind a scheme, with its quotes. */
static bool param_next(struct str_view *rest, struct str_view *name, struct str_view *value)
{
	struct str_view item;

	while (sip_list_next(rest, &item))
		if (param_split(item, name, value))
			return true;
	return false;
}

struct str_view header_auth_param(struct str_view one, struct str_view name)
{
	struct str_view is, value;

	if (one.p == NULL || scheme_take(&one).p == NULL)
		return (struct str_view){NULL, 0};
	while (param_next(&one, &is, &value)) {
		if (!sv_eq_nocase(is, name))
			continue;
		if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"')
			value = (struct str_view){value.p + 1, value.len - 2};
		return value;
	}
	return (struct str_view){NULL, 0};
}

static bool is_among(struct str_view name, const struct str_view *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++)
		if (sv_eq_nocase(name, names[i]))
			return true;
	return false;
}

/* On a line of its own (RFC 8760 section 2.4); nothing of a scheme that the box does not know, and
 * no scheme alone: one parameter is the least that it has. */
static void write_digest(struct sip_writer *w, const char *name, struct str_view one,
	const struct str_view *names, size_t n_names)
{
	struct str_view is, value;
	bool begun = false;

	if (!sv_eq_nocase(scheme_take(&one), digest))
		return;
	while (param_next(&one, &is, &value)) {
		if (!is_among(is, names, n_names))
			continue;
		if (begun)
			sip_write_raw(w, SV(", "));
		else
			sip_write_fmt(w, "%s: Digest ", name);
		sip_write_fmt(w, "%.*s=", SV_ARG(is));
		sip_write_value(w, value);
		begun = true;
	}
	if (begun)
		sip_write_raw(w, SV("\r\n"));
}

void header_challenge(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	struct str_view one;

	while (header_auth_next(&value, &one))
		write_digest(w, name, one, challenge_params, ARRAY_LEN(challenge_params));
}

/* The URI that the sender asked, which is hashed: of the core, that is an address within it. */
static bool shows_inside(const struct crossing *x, struct str_view one)
{
	struct sip_uri uri;
	struct net_addr addr;

	if (!place_is_secret(x->from, x->to))
		return false;
	return sip_uri_parse(header_auth_param(one, SV("uri")), &uri) != 0 ||
	       net_addr_parse(uri.host, &addr) == 0;
}

void header_credentials(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	struct str_view one;

	while (header_auth_next(&value, &one))
		if (!shows_inside(x, one))
			write_digest(w, name, one, credential_params, ARRAY_LEN(credential_params));
}
