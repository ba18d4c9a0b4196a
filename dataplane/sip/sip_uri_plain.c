/*
 * URIs without a step for each character.
 */
#include "sip_text64_priv.h"
#include "sip_uri_priv.h"

#if defined(__AVX2__)
/* 4 for "sip:", 5 for "sips:", else 0. */
static inline size_t scheme_len(struct str_view text)
{
	uint32_t four;

	if (text.len < 6)
		return 0;
	memcpy(&four, text.p, sizeof(four));
	/* Only capital letters and '\032' become these by the bit. */
	if ((four | 0x20202020) == ('s' | 'i' << 8 | 'p' << 16 | ':' << 24) && text.p[3] == ':')
		return 4;
	return (four | 0x20202020) == ('s' | 'i' << 8 | 'p' << 16 | 's' << 24) && text.p[4] == ':'
		       ? 5
		       : 0;
}

static inline bool params_are_plain(struct sip_text64 t, struct str_view text, size_t from)
{
	struct str_view name, value;
	struct sip_params64 params;
	unsigned int seen = 0;

	if (!sip_params64_in(&params, t, text, from, CHAR_PARAM))
		return false;
	while (sip_params64_next(&params, &name, &value)) {
		if (!sip_uri_param_check(name, value, &seen))
			return false;
	}
	return true;
}
#endif

bool sip_uri_plain(struct str_view text, struct sip_uri *out)
{
#if defined(__AVX2__)
	size_t scheme = scheme_len(text), host = scheme, to;
	struct sip_text64 t;
	uint64_t at, end;

	if (scheme == 0 || text.len > 63)
		return false;
	t = sip_text64_load(text);
	end = 1ULL << text.len;
	at = sip_text64_is(t, '@') & (end - 1);
	if (at != 0) {
		host = sip_bits_first(at, 0) + 1;
		/* No second one: it is in no class of what follows. */
		if (host - 1 == scheme ||
			(~sip_text64_class(t, CHAR_USER) & sip_bits_range(scheme, host - 1)) != 0)
			return false;
	}
	to = sip_bits_first(~sip_text64_class(t, CHAR_HOST) | end, host);
	if (to == host || !sip_host64_is_good(t.low, t.high, text, host, to))
		return false;
	out->scheme = scheme == 4 ? SIP_SCHEME_SIP : SIP_SCHEME_SIPS;
	out->user.p = text.p + scheme;
	out->user.len = at != 0 ? host - 1 - scheme : 0;
	out->password.p = NULL;
	out->password.len = 0;
	out->host.p = text.p + host;
	out->host.len = to - host;
	out->host_is_v6 = false;
	out->port = 0;
	out->headers.p = NULL;
	out->headers.len = 0;
	if (to < text.len && text.p[to] == ':') {
		uint64_t port;
		size_t n =
			decimal_span((struct str_view){text.p + to + 1, text.len - to - 1}, &port);

		if (n == 0 || port == 0 || port > UINT16_MAX)
			return false;
		out->port = (uint16_t)port;
		to += 1 + n;
	}
	out->params.p = text.p + to;
	out->params.len = text.len - to;
	return params_are_plain(t, text, to);
#else
	return false;
#endif
}
