/*
 * SIP, SIPS and tel URIs. A URI has one meaning or is refused: what could be read
 * in two ways (numeric hosts, two "@", a doubled transport) does not pass.
 */
#include <errno.h>

#include "sip_chars_priv.h"
#include "sip_uri_priv.h"

/* Characters of the class, and escapes of two hex digits. */
static bool escaped_all(struct str_view v, unsigned int class)
{
	for (size_t i = 0; i < v.len; i++) {
		if (sip_char_is(v.p[i], class))
			continue;
		if (v.p[i] != '%' || v.len - i < 3 || !sip_char_is(v.p[i + 1], CHAR_HEX) ||
			!sip_char_is(v.p[i + 2], CHAR_HEX))
			return false;
		i += 2;
	}
	return true;
}

/* Take what stands before c off v, and c; all of v if there is no c. */
static struct str_view part_take(struct str_view *v, char c)
{
	const char *at = v->len > 0 ? memchr(v->p, c, v->len) : NULL;
	struct str_view out = sip_view_take(v, at != NULL ? (size_t)(at - v->p) : v->len);

	if (at != NULL)
		sip_view_skip(v, 1);
	return out;
}

/* By their length, which no two share. */
static const struct str_view once_params[] = {
	[2] = SV("lr"),
	[3] = SV("ttl"),
	[4] = SV("user"),
	[5] = SV("maddr"),
	[6] = SV("method"),
	[9] = SV("transport"),
	[13] = SV("phone-context"),
};

bool sip_uri_param_check(struct str_view name, struct str_view value, unsigned int *seen)
{
	unsigned int bit;
	uint32_t n;

	if (name.len >= ARRAY_LEN(once_params) || !sv_eq_nocase(name, once_params[name.len]))
		return true;
	bit = 1U << name.len;
	if ((*seen & bit) != 0 || (value.p != NULL && value.len == 0))
		return false;
	*seen |= bit;
	return name.len != 3 || sip_uint_parse(value, UINT8_MAX, &n) == 0;
}

/* uri-parameters, `params` from the first ';'. */
static bool params_are_good(struct str_view params)
{
	unsigned int seen = 0;

	if (params.len > 0)
		sip_view_skip(&params, 1);
	else
		return true;
	while (true) {
		bool last = params.len == 0 || memchr(params.p, ';', params.len) == NULL;
		struct str_view value = part_take(&params, ';');
		bool has_value = value.len > 0 && memchr(value.p, '=', value.len) != NULL;
		struct str_view name = part_take(&value, '=');

		if (name.len == 0 || !escaped_all(name, CHAR_PARAM) ||
			!escaped_all(value, CHAR_PARAM))
			return false;
		if (!has_value)
			value.p = NULL;
		if (!sip_uri_param_check(name, value, &seen))
			return false;
		if (last)
			return true;
	}
}

/* headers = "?" hname "=" hvalue *( "&" hname "=" hvalue ) */
static bool headers_are_good(struct str_view headers)
{
	while (true) {
		bool last = headers.len == 0 || memchr(headers.p, '&', headers.len) == NULL;
		struct str_view value = part_take(&headers, '&');
		bool has_value = value.len > 0 && memchr(value.p, '=', value.len) != NULL;
		struct str_view name = part_take(&value, '=');

		/* "=" is let pass in a value: embedded Replaces and the like carry it. */
		if (name.len == 0 || !has_value || !escaped_all(name, CHAR_HNV) ||
			!escaped_all(value, CHAR_HNV | CHAR_PARAM))
			return false;
		if (last)
			return true;
	}
}

static int sip_part_parse(struct str_view v, struct sip_uri *out)
{
	const char *at = v.len > 0 ? memchr(v.p, '@', v.len) : NULL, *question;

	if (at != NULL) {
		struct str_view info = part_take(&v, '@');
		bool has_pass = memchr(info.p, ':', info.len) != NULL;

		out->user = part_take(&info, ':');
		if (has_pass)
			out->password = info;
		if (out->user.len == 0 || !escaped_all(out->user, CHAR_USER) ||
			!escaped_all(out->password, CHAR_PASS))
			return -EBADMSG;
	}
	if (sip_host_take(&v, &out->host, &out->host_is_v6) != 0)
		return -EBADMSG;
	if (v.len > 0 && v.p[0] == ':') {
		sip_view_skip(&v, 1);
		if (sip_port_take(&v, &out->port) != 0)
			return -EBADMSG;
	}
	question = v.len > 0 ? memchr(v.p, '?', v.len) : NULL;
	if (question != NULL) {
		out->headers = v;
		v = part_take(&out->headers, '?');
		if (!headers_are_good(out->headers))
			return -EBADMSG;
	}
	if (v.len > 0 && v.p[0] != ';')
		return -EBADMSG;
	out->params = v;
	return params_are_good(v) ? 0 : -EBADMSG;
}

static bool is_visual(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

/* Digits with visual separators, at least one of the former. */
static bool is_phone_digits(struct str_view v)
{
	size_t digits = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (sip_char_is(v.p[i], CHAR_DIGIT))
			digits++;
		else if (!is_visual(v.p[i]))
			return false;
	}
	return digits > 0;
}

static bool is_not_empty(struct str_view v)
{
	return v.len > 0;
}

/* descriptor = domainname / global-number-digits */
static bool is_phone_context(struct str_view v)
{
	struct str_view host;
	bool v6;

	if (v.len > 0 && v.p[0] == '+')
		return is_phone_digits((struct str_view){v.p + 1, v.len - 1});
	return sip_host_take(&v, &host, &v6) == 0 && !v6 && v.len == 0;
}

/* RFC 3966 section 3: none of these may stand twice. */
static const struct {
	struct str_view name;
	bool (*holds)(struct str_view value);
} tel_params[] = {
	{SV("ext"), is_phone_digits},
	{SV("isub"), is_not_empty},
	{SV("phone-context"), is_phone_context},
};

static bool tel_params_are_good(struct str_view params)
{
	struct sip_param param;
	unsigned int seen = 0;

	while (sip_param_next(&params, &param) > 0) {
		for (unsigned int i = 0; i < ARRAY_LEN(tel_params); i++) {
			if (!sv_eq_nocase(param.name, tel_params[i].name))
				continue;
			if ((seen & 1U << i) != 0 || !tel_params[i].holds(param.value))
				return false;
			seen |= 1U << i;
		}
	}
	return true;
}

/* RFC 3966 section 3. A local number ought to have a phone-context; phones leave it out
 * ("tel:112"), and then it is one of the realm that it comes from. */
static int tel_part_parse(struct str_view v, struct sip_uri *out)
{
	bool global = v.len > 0 && v.p[0] == '+';
	size_t digits = 0, n = global;

	for (; n < v.len && v.p[n] != ';'; n++) {
		char c = v.p[n];

		if (sip_char_is(c, global ? CHAR_DIGIT : CHAR_HEX) ||
			(!global && (c == '*' || c == '#')))
			digits++;
		else if (!is_visual(c))
			return -EBADMSG;
	}
	if (digits == 0)
		return -EBADMSG;
	out->user = sip_view_take(&v, n);
	out->params = v;
	return params_are_good(v) && tel_params_are_good(v) ? 0 : -EBADMSG;
}

/* absoluteURI: only that its characters are some that a URI may have. */
static int other_part_check(struct str_view v)
{
	const unsigned int uric = CHAR_USER | CHAR_PARAM | CHAR_HNV;

	for (size_t i = 0; i < v.len; i++) {
		if (!sip_char_is(v.p[i], uric) && v.p[i] != '@' && v.p[i] != '%')
			return -EBADMSG;
	}
	return v.len > 0 ? 0 : -EBADMSG;
}

/* Any URI. Not inlined: what few need would be set up for all. */
static __attribute__((noinline)) int any_uri_parse(struct str_view text, struct sip_uri *out)
{
	struct str_view scheme;
	size_t n = 0;

	*out = (struct sip_uri){.scheme = SIP_SCHEME_OTHER};
	while (n < text.len && (sip_char_is(text.p[n], CHAR_ALNUM) || text.p[n] == '+' ||
				       text.p[n] == '-' || text.p[n] == '.'))
		n++;
	if (n == 0 || n == text.len || text.p[n] != ':' || !sip_char_is(text.p[0], CHAR_ALNUM) ||
		sip_char_is(text.p[0], CHAR_DIGIT))
		return -EBADMSG;
	scheme = part_take(&text, ':');
	if (sv_eq_nocase(scheme, SV("sip")))
		out->scheme = SIP_SCHEME_SIP;
	else if (sv_eq_nocase(scheme, SV("sips")))
		out->scheme = SIP_SCHEME_SIPS;
	else if (sv_eq_nocase(scheme, SV("tel")))
		out->scheme = SIP_SCHEME_TEL;
	switch (out->scheme) {
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS:
		return sip_part_parse(text, out);
	case SIP_SCHEME_TEL:
		return tel_part_parse(text, out);
	default:
		return other_part_check(text);
	}
}

int sip_uri_parse(struct str_view text, struct sip_uri *out)
{
	return sip_uri_plain(text, out) ? 0 : any_uri_parse(text, out);
}

bool sip_uri_is_sos(struct str_view text)
{
	static const struct str_view sos = {"urn:service:sos", 15};

	if (text.len < sos.len || !sv_eq_nocase((struct str_view){text.p, sos.len}, sos) ||
		(text.len > sos.len && text.p[sos.len] != '.'))
		return false;
	for (size_t i = sos.len; i < text.len; i++)
		if (!sip_char_is(text.p[i], CHAR_ALNUM) && text.p[i] != '.' && text.p[i] != '-')
			return false;
	return true;
}
