/*
 * Typed headers: name-addr or addr-spec, Via, CSeq, Content-Type.
 */
#include <errno.h>

#include "sip_chars_priv.h"
#include "sip_parse.h"

/* header parameters to the end of v, all readable. */
static int params_check(struct str_view v)
{
	struct sip_param param;
	int got;

	do
		got = sip_param_next(&v, &param);
	while (got > 0);
	return got;
}

/* A character that a URI may hold in this place; stage 1 has no opinion on the rest. */
static bool is_uri_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 0x20 && u != 0x7f && c != '<' && c != '>' && c != '"';
}

/* addr-spec without <>: RFC 3261 section 20 forbids ",", "?" and ";" in it, so that a ";" starts
 * the header's parameters. */
static int addr_spec_take(struct str_view *v, struct str_view *uri)
{
	size_t n = 0;

	while (n < v->len && v->p[n] != ';' && !sip_char_is(v->p[n], CHAR_WS)) {
		if (!is_uri_char(v->p[n]) || v->p[n] == ',' || v->p[n] == '?')
			return -EBADMSG;
		n++;
	}
	*uri = sip_view_take(v, n);
	return n > 0 && memchr(uri->p, ':', n) != NULL ? 0 : -EBADMSG;
}

/* Bytes at the start of v, from n on, that is_uri_char() takes. */
static size_t uri_span(struct str_view v, size_t n)
{
#if defined(__AVX2__)
	const __m256i space = _mm256_set1_epi8(0x20);

	for (; n < v.len && sip_can_load32(v.p + n, v.p + v.len); n += 32) {
		__m256i x = sip_load32(v.p + n);
		__m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(x, space), x);
		uint32_t stop = (uint32_t)_mm256_movemask_epi8(low) | sip_bits_of(x, 0x7f) |
				sip_bits_of(x, '<') | sip_bits_of(x, '>') | sip_bits_of(x, '"');

		if (stop == 0)
			continue;
		n += (size_t)__builtin_ctz(stop);
		break;
	}
#endif
	while (n < v.len && is_uri_char(v.p[n]))
		n++;
	return n < v.len ? n : v.len;
}

/* The URI in <>, v starts with the bracket. */
static int angle_take(struct str_view *v, struct str_view *uri)
{
	size_t n = uri_span(*v, 1);

	if (n == v->len || v->p[n] != '>' || n == 1)
		return -EBADMSG;
	*uri = (struct str_view){v->p + 1, n - 1};
	sip_view_skip(v, n + 1);
	return 0;
}

/* display-name: a quoted string, or words; UTF-8 is let pass unquoted. Takes nothing where there
 * is no display name before a bracket. */
static int display_take(struct str_view *v, struct str_view *display)
{
	size_t n = 0;

	if (v->len > 0 && v->p[0] == '"') {
		if (sip_quoted_take(v, display) != 0)
			return -EBADMSG;
		sip_skip_ws(v);
		return v->len > 0 && v->p[0] == '<' ? 0 : -EBADMSG;
	}
	while (n < v->len &&
		(sip_char_is(v->p[n], CHAR_TOKEN | CHAR_WS) || (unsigned char)v->p[n] >= 0x80))
		n++;
	if (n < v->len && v->p[n] == '<')
		*display = sip_trim(sip_view_take(v, n));
	return 0;
}

int sip_name_addr_take(struct str_view text, struct sip_name_addr *out)
{
	struct str_view v = sip_trim(text);
	int err;

	*out = (struct sip_name_addr){.star = false};
	if (sv_eq(v, SV("*"))) {
		out->star = true;
		return 0;
	}
	if (display_take(&v, &out->display) != 0)
		return -EBADMSG;
	if (v.len > 0 && v.p[0] == '<')
		err = angle_take(&v, &out->uri);
	else
		err = addr_spec_take(&v, &out->uri);
	if (err != 0)
		return err;
	sip_skip_ws(&v);
	out->params = v;
	return 0;
}

int sip_name_addr_parse(struct str_view text, struct sip_name_addr *out)
{
	int err = sip_name_addr_take(text, out);

	return err != 0 ? err : params_check(out->params);
}

static enum sip_transport transport_of(struct str_view text)
{
	static const struct str_view names[] = {
		[SIP_TRANSPORT_UDP] = SV("UDP"),
		[SIP_TRANSPORT_TCP] = SV("TCP"),
		[SIP_TRANSPORT_TLS] = SV("TLS"),
		[SIP_TRANSPORT_WS] = SV("WS"),
		[SIP_TRANSPORT_WSS] = SV("WSS"),
	};

	for (unsigned int i = 0; i < ARRAY_LEN(names); i++) {
		if (sv_eq_nocase(text, names[i]))
			return (enum sip_transport)i;
	}
	return SIP_TRANSPORT_OTHER;
}

/* sent-protocol = "SIP" SLASH "2.0" SLASH transport */
static int sent_protocol_take(struct str_view *v, struct sip_via *out)
{
	const struct str_view usual = SV("SIP/2.0/UDP ");
	struct str_view name, version;

	if (v->len > usual.len && memcmp(v->p, usual.p, usual.len) == 0) {
		out->transport_text = (struct str_view){v->p + 8, 3};
		out->transport = SIP_TRANSPORT_UDP;
		sip_view_skip(v, usual.len);
		sip_skip_ws(v);
		return 0;
	}

	name = sip_view_take(v, sip_chars_span(*v, CHAR_TOKEN));
	if (!sv_eq_nocase(name, SV("SIP")) || !sip_skip_char(v, '/'))
		return -EBADMSG;
	version = sip_view_take(v, sip_chars_span(*v, CHAR_TOKEN));
	if (!sv_eq(version, SV("2.0")) || !sip_skip_char(v, '/'))
		return -EBADMSG;
	out->transport_text = sip_view_take(v, sip_chars_span(*v, CHAR_TOKEN));
	out->transport = transport_of(out->transport_text);
	if (out->transport_text.len == 0 || v->len == 0 || !sip_char_is(v->p[0], CHAR_WS))
		return -EBADMSG;
	sip_skip_ws(v);
	return 0;
}

static int via_param(struct sip_via *out, const struct sip_param *param)
{
	uint32_t port;

	if (sv_eq_nocase(param->name, SV("branch"))) {
		/* Two would be two transactions in one. */
		if (out->branch.p != NULL)
			return -EBADMSG;
		out->branch = param->value;
	} else if (sv_eq_nocase(param->name, SV("received"))) {
		out->received = param->value;
	} else if (sv_eq_nocase(param->name, SV("rport"))) {
		out->has_rport = true;
		if (param->value.len == 0)
			return 0;
		if (sip_uint_parse(param->value, UINT16_MAX, &port) != 0 || port == 0)
			return -EBADMSG;
		out->rport = (uint16_t)port;
	}
	return 0;
}

int sip_via_parse(struct str_view text, struct sip_via *out)
{
	struct str_view v = sip_trim(text);
	struct sip_param param;
	int got;

	*out = (struct sip_via){.transport = SIP_TRANSPORT_OTHER};
	if (sent_protocol_take(&v, out) != 0 ||
		sip_host_take(&v, &out->host, &out->host_is_v6) != 0)
		return -EBADMSG;
	if (sip_skip_char(&v, ':') && sip_port_take(&v, &out->port) != 0)
		return -EBADMSG;
	sip_skip_ws(&v);
	out->params = v;
	while ((got = sip_param_next(&v, &param)) > 0) {
		if (via_param(out, &param) != 0)
			return -EBADMSG;
	}
	return got;
}

int sip_cseq_parse(struct str_view text, struct sip_cseq *out)
{
	struct str_view v = sip_trim(text), digits;
	uint32_t number = 0;
	size_t n = 0;

	/* "1 INVITE": up to nine digits, one blank, a token. */
	while (n < v.len && n < 9 && (unsigned char)v.p[n] - (unsigned int)'0' <= 9)
		number = number * 10 + (uint32_t)(v.p[n++] - '0');
	if (n > 0 && n < v.len && v.p[n] == ' ' &&
		sip_is_token((struct str_view){v.p + n + 1, v.len - n - 1})) {
		*out = (struct sip_cseq){number, {v.p + n + 1, v.len - n - 1}};
		return 0;
	}
	digits = sip_view_take(&v, sip_chars_span(v, CHAR_DIGIT));
	/* RFC 3261 section 8.1.1.5: below 2^31. */
	if (sip_uint_parse(digits, INT32_MAX, &out->number) != 0 || v.len == 0 ||
		!sip_char_is(v.p[0], CHAR_WS))
		return -EBADMSG;
	sip_skip_ws(&v);
	out->method = v;
	return sip_is_token(v) ? 0 : -EBADMSG;
}

/* media-type = m-type SLASH m-subtype *( SEMI m-parameter ) */
int sip_content_type_parse(struct str_view text, struct sip_content_type *out)
{
	struct str_view v = sip_trim(text);

	out->type = sip_view_take(&v, sip_chars_span(v, CHAR_TOKEN));
	if (out->type.len == 0 || !sip_skip_char(&v, '/'))
		return -EBADMSG;
	out->subtype = sip_view_take(&v, sip_chars_span(v, CHAR_TOKEN));
	if (out->subtype.len == 0)
		return -EBADMSG;
	sip_skip_ws(&v);
	out->params = v;
	return params_check(v);
}
