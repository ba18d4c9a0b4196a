/* Header values, written anew so that they name nothing of the side that they come from. */
#include <errno.h>

#include "b2bua_priv.h"
#include "headers.h"

#define ITEM_MAX 512 /* one element of a list, written */

/* Extensions that two phones agree on through the box: it keeps what they need (the names of
 * dialogs in Replaces and Join), or has no part in them. */
static const struct str_view option_tags[] = {
	{"replaces", 8}, {"join", 4}, {"norefersub", 10}, {"eventlist", 9}};

void header_copy(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	if (!place_is_named(value, (struct str_view){NULL, 0}))
		sip_write_header(w, name, value);
}

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

/* "word ;a=b" into "word" and ";a=b". */
static struct str_view split_params(struct str_view item, struct str_view *params)
{
	const char *semicolon = memchr(item.p, ';', item.len);
	struct str_view word = item;

	*params = (struct str_view){NULL, 0};
	if (semicolon != NULL) {
		word.len = (size_t)(semicolon - item.p);
		*params = (struct str_view){semicolon, item.len - word.len};
	}
	return trim(word);
}

void header_token(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	struct str_view params, word = split_params(value, &params);

	if (sip_is_token(word))
		sip_write_fmt(w, "%s: %.*s\r\n", name, SV_ARG(word));
}

static bool is_option_tag(struct str_view tag)
{
	for (size_t i = 0; i < ARRAY_LEN(option_tags); i++)
		if (sv_eq_nocase(tag, option_tags[i]))
			return true;
	return false;
}

static void write_tokens(
	struct sip_writer *w, const char *name, struct str_view value, bool only_option_tags)
{
	const char *separator = "";
	struct str_view item, params;

	while (sip_list_next(&value, &item)) {
		struct str_view word = split_params(item, &params);

		if (!sip_is_token(word) || (only_option_tags && !is_option_tag(word)))
			continue;
		if (separator[0] == '\0')
			sip_write_fmt(w, "%s: ", name);
		sip_write_fmt(w, "%s%.*s", separator, SV_ARG(word));
		separator = ", ";
	}
	if (separator[0] != '\0')
		sip_write_raw(w, SV("\r\n"));
}

void header_tokens(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	write_tokens(w, name, value, false);
}

void header_option_tags(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	write_tokens(w, name, value, true);
}

void header_number(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	uint32_t number;
	size_t digits = 0;

	while (digits < value.len && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	if (sip_uint_parse((struct str_view){value.p, digits}, UINT32_MAX, &number) == 0)
		sip_write_fmt(w, "%s: %u\r\n", name, number);
}

void header_reason_text(struct str_view value, char *out, size_t cap)
{
	struct str_view item, cause, params, protocol;
	uint32_t number;
	int n;

	out[0] = '\0';
	if (!sip_list_next(&value, &item))
		return;
	protocol = split_params(item, &params);
	if (!sip_is_token(protocol) || !sip_param_find(params, SV("cause"), &cause) ||
		cause.p == NULL || sip_uint_parse(cause, 999, &number) != 0)
		return;
	n = snprintf(out, cap, "%.*s;cause=%u", SV_ARG(protocol), number);
	if (n < 0 || (size_t)n >= cap)
		out[0] = '\0';
}

void header_reason(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	char text[CALL_REASON_LEN];

	header_reason_text(value, text, sizeof(text));
	if (text[0] != '\0')
		sip_write_fmt(w, "%s: %s\r\n", name, text);
}

/* --- parameters by name --- */

/* Append those of these names whose values are tokens. @param out  of cap bytes, n of them used.
 * @return bytes used, at most cap. */
static size_t params_keep(struct str_view params, const struct str_view *names, size_t n_names,
	char *out, size_t n, size_t cap)
{
	for (size_t i = 0; i < n_names && n < cap; i++) {
		struct str_view value;
		int len;

		if (!sip_param_find(params, names[i], &value) ||
			(value.p != NULL && !sip_is_token(value)))
			continue;
		len = snprintf(out + n, cap - n, ";%.*s%s%.*s", SV_ARG(names[i]),
			value.p != NULL ? "=" : "", SV_ARG(value));
		n += len > 0 ? (size_t)len : 0;
	}
	return n < cap ? n : cap;
}

/* "word" with some of its parameters. */
static void write_word(struct sip_writer *w, const char *name, struct str_view value,
	const struct str_view *names, size_t n_names)
{
	struct str_view params, word = split_params(value, &params);
	char text[ITEM_MAX];
	int n;

	if (!sip_is_token(word))
		return;
	n = snprintf(text, sizeof(text), "%.*s", SV_ARG(word));
	if (n > 0 &&
		params_keep(params, names, n_names, text, (size_t)n, sizeof(text)) < sizeof(text))
		sip_write_fmt(w, "%s: %s\r\n", name, text);
}

void header_event(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	static const struct str_view names[] = {{"id", 2}};

	write_word(w, name, value, names, ARRAY_LEN(names));
}

void header_subscription_state(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	static const struct str_view names[] = {{"reason", 6}, {"expires", 7}, {"retry-after", 11}};

	write_word(w, name, value, names, ARRAY_LEN(names));
}

/* --- names and addresses --- */

struct keep {
	const struct str_view *names; /* parameters */
	size_t n_names;
	bool user; /* somebody is reached by it, whatever it says */
};

/* Each name-addr of a list on a line of its own, our host in it, with some of what it has. */
static void write_names(struct sip_writer *w, const struct crossing *x, const char *name,
	struct str_view value, const struct keep *keep)
{
	enum identity_hide hide = HIDE_NOTHING;
	struct str_view item;

	if (place_is_secret(x->from, x->to))
		hide = keep->user ? HIDE_DISPLAY : HIDE_TEXTS;
	while (sip_list_next(&value, &item)) {
		struct sip_name_addr na;
		struct sip_uri uri;
		char *text = NULL, params[ITEM_MAX] = "";

		if (sip_name_addr_parse(item, &na) == 0 && sip_uri_parse(na.uri, &uri) == 0 &&
			uri.scheme != SIP_SCHEME_OTHER &&
			identity_name_hide(&text, item, x->here, hide) == 0 &&
			params_keep(na.params, keep->names, keep->n_names, params, 0,
				sizeof(params)) < sizeof(params))
			sip_write_fmt(w, "%s: %s%s\r\n", name, text, params);
		free(text);
	}
}

static bool are_trusted(const struct crossing *x)
{
	return x->from->trust == TRUST_TRUSTED && x->to->trust == TRUST_TRUSTED;
}

void header_identity(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	if (are_trusted(x))
		write_names(w, x, name, value, &(struct keep){.names = NULL});
}

void header_diversion(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	static const struct str_view names[] = {
		{"reason", 6}, {"counter", 7}, {"limit", 5}, {"privacy", 7}, {"screen", 6}};

	if (are_trusted(x))
		write_names(w, x, name, value, &(struct keep){names, ARRAY_LEN(names), false});
}

/* RFC 7044 section 10.1.2: the request's history that its user wants kept from others. */
static bool wants_privacy(struct str_view entry)
{
	struct sip_name_addr na;
	struct sip_uri uri;

	if (sip_name_addr_parse(entry, &na) != 0 || sip_uri_parse(na.uri, &uri) != 0)
		return true;
	for (struct str_view h = uri.headers; h.len > 0;) {
		const char *next = memchr(h.p, '&', h.len);

		if (h.len >= 8 && sv_eq_nocase((struct str_view){h.p, 8}, SV("privacy=")))
			return true;
		if (next == NULL)
			break;
		h = (struct str_view){next + 1, h.len - (size_t)(next + 1 - h.p)};
	}
	return false;
}

void header_history(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	static const struct str_view names[] = {{"index", 5}, {"rc", 2}, {"mp", 2}, {"np", 2}};
	static const struct keep keep = {names, ARRAY_LEN(names), false};
	struct str_view item;

	while (are_trusted(x) && sip_list_next(&value, &item))
		if (!wants_privacy(item))
			write_names(w, x, name, item, &keep);
}

void header_referrer(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	write_names(w, x, name, value, &(struct keep){.names = NULL});
}

void header_redirect(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value)
{
	static const struct str_view names[] = {{"q", 1}, {"expires", 7}};

	write_names(w, x, name, value, &(struct keep){names, ARRAY_LEN(names), true});
}
