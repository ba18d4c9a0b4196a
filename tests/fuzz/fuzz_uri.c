/*
 * Fuzz target: URIs. Each line is one, and what stands in <> in it is another, so that messages
 * and lists of URIs are input as they are. What must hold for any text is asserted.
 */
#include "sip_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

/* Behind a URI without headers it changes nothing, but that the URI is then read by steps. */
#define LONGER ";yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define URI_MAX 8192

static bool within(struct str_view part, struct str_view whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void add(char *buf, size_t *len, struct str_view part)
{
	if (part.len > 0)
		memcpy(buf + *len, part.p, part.len);
	*len += part.len;
}

/* Its parts put together again are the URI: nothing is lost, nothing is read twice. */
static void whole_is_parts(struct str_view text, const struct sip_uri *u)
{
	static char buf[URI_MAX + 64];
	char port[16] = "";
	size_t n = 0, scheme = (size_t)((const char *)memchr(text.p, ':', text.len) - text.p);

	add(buf, &n, (struct str_view){text.p, scheme + 1});
	add(buf, &n, u->user);
	if (u->password.p != NULL) {
		add(buf, &n, SV(":"));
		add(buf, &n, u->password);
	}
	if (u->scheme != SIP_SCHEME_TEL && u->user.len > 0)
		add(buf, &n, SV("@"));
	add(buf, &n, u->host_is_v6 ? SV("[") : SV(""));
	add(buf, &n, u->host);
	add(buf, &n, u->host_is_v6 ? SV("]") : SV(""));
	/* Zeros in front of a port are lost. */
	if (u->port != 0) {
		size_t zeros = 0;

		snprintf(port, sizeof(port), ":%u", u->port);
		while (n + 1 + zeros < text.len && text.p[n + 1 + zeros] == '0')
			zeros++;
		text.len -= zeros;
		add(buf, &n, (struct str_view){port, strlen(port)});
		MUST(memcmp(text.p, buf, n - strlen(port)) == 0);
		MUST(memcmp(text.p + n - strlen(port) + 1 + zeros, port + 1, strlen(port) - 1) ==
			0);
		text.p += zeros;
	}
	add(buf, &n, u->params);
	if (u->headers.len > 0) {
		add(buf, &n, SV("?"));
		add(buf, &n, u->headers);
	}
	MUST(n == text.len);
	if (u->port == 0)
		MUST(memcmp(text.p, buf, n) == 0);
}

/* Read at once or by steps, it is the same. */
static void longer_is_same(struct str_view text, bool good, const struct sip_uri *u)
{
	static char buf[URI_MAX + 128];
	struct str_view all = {buf, 0};
	struct sip_uri l;
	bool same;

	if (text.len == 0 || memchr(text.p, '?', text.len) != NULL)
		return;
	add(buf, &all.len, text);
	add(buf, &all.len, SV(LONGER));
	same = sip_uri_parse(all, &l) == 0;
	/* Of other schemes nothing is known that could not follow the colon. */
	if (same && l.scheme == SIP_SCHEME_OTHER)
		return;
	MUST(same == good);
	if (good)
		MUST(l.scheme == u->scheme && l.port == u->port && l.user.len == u->user.len &&
			l.host.len == u->host.len && l.host_is_v6 == u->host_is_v6);
}

static void uri(struct str_view text)
{
	struct str_view rest;
	struct sip_param param;
	struct sip_uri u;
	bool good;

	if (text.len > URI_MAX)
		return;
	good = sip_uri_parse(text, &u) == 0;
	if (good) {
		MUST(within(u.user, text) && within(u.password, text) && within(u.host, text));
		MUST(within(u.params, text) && within(u.headers, text));
		MUST(u.scheme > SIP_SCHEME_SIPS || u.host.len > 0);
		MUST(u.scheme != SIP_SCHEME_TEL || u.user.len > 0);
		for (rest = u.params; sip_param_next(&rest, &param) > 0;)
			MUST(within(param.name, text) && within(param.value, text));
		if (u.scheme != SIP_SCHEME_OTHER)
			whole_is_parts(text, &u);
	}
	if (!good || u.scheme != SIP_SCHEME_OTHER)
		longer_is_same(text, good, &u);
}

static void line(struct str_view text)
{
	uri(text);
	while (text.len > 0) {
		const char *from = memchr(text.p, '<', text.len), *to;

		if (from == NULL)
			break;
		text.len -= (size_t)(from + 1 - text.p);
		text.p = from + 1;
		to = memchr(text.p, '>', text.len);
		uri((struct str_view){text.p, to != NULL ? (size_t)(to - text.p) : text.len});
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str_view rest = {(const char *)data, len};

	while (rest.len > 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t n = end != NULL ? (size_t)(end - rest.p) : rest.len;
		size_t cr = n > 0 && rest.p[n - 1] == '\r';

		line((struct str_view){rest.p, n - cr});
		n += end != NULL;
		rest.p += n;
		rest.len -= n;
	}
	return 0;
}
