/*
 * How many messages wait for a user (RFC 3842): the account as the other side may know it, the
 * counts as they are. The headers of single messages that may follow stay behind: they name who
 * left them, and where they are kept.
 */
#include "b2bua_priv.h"
#include "headers.h"

#define SUMMARY_MAX 1024 /* bytes written */

static bool is_ws(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct str_view trim(struct str_view v)
{
	while (v.len > 0 && is_ws(v.p[0]))
		v = (struct str_view){v.p + 1, v.len - 1};
	while (v.len > 0 && is_ws(v.p[v.len - 1]))
		v.len--;
	return v;
}

static struct str_view line_take(struct str_view *rest)
{
	const char *end = memchr(rest->p, '\n', rest->len);
	struct str_view line = {rest->p, end != NULL ? (size_t)(end - rest->p) : rest->len};
	size_t used = line.len + (end != NULL);

	*rest = (struct str_view){rest->p + used, rest->len - used};
	return trim(line);
}

/* "4/8 (1/2)" */
static bool are_counts(struct str_view value)
{
	for (size_t i = 0; i < value.len; i++)
		if (memchr("0123456789/() ", value.p[i], 14) == NULL)
			return false;
	return value.len > 0;
}

/* Nobody is reached by it, so there is no need for one that names a place. */
static void write_account(
	struct sip_writer *w, const struct net_endpoint *here, struct str_view value)
{
	struct sip_uri account;
	char *uri = NULL;

	if (sip_uri_parse(value, &account) == 0 && !place_is_named(account.user, account.host) &&
		identity_name_map(&uri, value, here, true) == 0)
		sip_write_fmt(w, "Message-Account: %s\r\n", uri);
	free(uri);
}

static void write_line(
	struct sip_writer *w, const struct net_endpoint *here, struct str_view line, bool first)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct str_view name, value;

	if (colon == NULL)
		return;
	name = trim((struct str_view){line.p, (size_t)(colon - line.p)});
	value = trim((struct str_view){colon + 1, line.len - (size_t)(colon + 1 - line.p)});
	if (first) /* which one it must be has been looked at */
		sip_write_fmt(w, "Messages-Waiting: %s\r\n",
			sv_eq_nocase(value, SV("yes")) ? "yes" : "no");
	else if (sv_eq_nocase(name, SV("Message-Account")))
		write_account(w, here, value);
	else if (sip_is_token(name) && are_counts(value))
		sip_write_fmt(w, "%.*s: %.*s\r\n", SV_ARG(name), SV_ARG(value));
}

void message_summary_write(
	struct sip_writer *w, const struct net_endpoint *here, struct str_view body)
{
	static const struct str_view begin = {"Messages-Waiting", 16};
	char text[SUMMARY_MAX];
	struct sip_writer summary;
	struct str_view line;
	bool first = true;

	sip_writer_init(&summary, text, sizeof(text));
	while (body.len > 0 && (line = line_take(&body)).len > 0) {
		if (first && (line.len < begin.len ||
				     !sv_eq_nocase((struct str_view){line.p, begin.len}, begin)))
			break;
		write_line(&summary, here, line, first);
		first = false;
	}
	if (summary.len == 0 || summary.failed)
		sip_write_body(w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
	else
		sip_write_body(w, SV("application/simple-message-summary"),
			(struct str_view){text, summary.len});
}
