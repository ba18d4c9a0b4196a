/*
 * Typed headers: name-addr or addr-spec, Via, CSeq, Content-Type.
 */
#include <errno.h>

#include "sip_plain_priv.h"
#include "sip_text64_priv.h"

/* header parameters to the end of v, all readable. */
static int params_check(struct str_view v)
{
	struct sip_param param;
	int got;

#if defined(__AVX2__)
	struct sip_params64 params;

	if (sip_params64_start(&params, v, CHAR_VALUE))
		return 0;
#endif
	do
		got = sip_param_next(&v, &param);
	while (got > 0);
	return got;
}

/* Bytes of an addr-spec without <>: RFC 3261 section 20 forbids ",", "?" and ";" in it, so that a
 * ";" starts the header's parameters. 0: there is none. */
static size_t addr_spec_span(struct str_view v)
{
	size_t n = 0;

	while (n < v.len && v.p[n] != ';' && !sip_char_is(v.p[n], CHAR_WS)) {
		if (sip_char_is(v.p[n], CHAR_NO_URI) || v.p[n] == ',' || v.p[n] == '?')
			return 0;
		n++;
	}
	return n > 0 && memchr(v.p, ':', n) != NULL ? n : 0;
}

/* Where the URI that starts at n ends: the first character that it cannot hold. Stage 1 has no
 * opinion on the rest. */
static size_t uri_end(struct str_view v, size_t n)
{
#if defined(__AVX2__)
	for (; n < v.len; n += 64) {
		uint64_t stop = sip_text64_class(
			sip_text64_load((struct str_view){v.p + n, v.len - n}), CHAR_NO_URI);

		if (stop == 0)
			continue;
		n += sip_bits_first(stop, 0);
		break;
	}
#else
	while (n < v.len && !sip_char_is(v.p[n], CHAR_NO_URI))
		n++;
#endif
	return n < v.len ? n : v.len;
}

/* display-name: a quoted string, or words; UTF-8 is let pass unquoted.
 * @return bytes up to the bracket; 0 where there is no display name before one; -EBADMSG. */
static int display_span(struct str_view v, struct sip_name_addr *out)
{
	size_t n = 0, len;

	if (v.len > 0 && v.p[0] == '"') {
		n = sip_quoted_span(v);
		if (n == 0)
			return -EBADMSG;
		out->display.p = v.p + 1;
		out->display.len = n - 2;
		while (n < v.len && sip_char_is(v.p[n], CHAR_WS))
			n++;
		return n < v.len && v.p[n] == '<' ? (int)n : -EBADMSG;
	}
	while (n < v.len &&
		(sip_char_is(v.p[n], CHAR_TOKEN | CHAR_WS) || (unsigned char)v.p[n] >= 0x80))
		n++;
	if (n == v.len || v.p[n] != '<')
		return 0;
	for (len = n; len > 0 && sip_char_is(v.p[len - 1], CHAR_WS);)
		len--;
	out->display.p = v.p;
	out->display.len = len;
	return (int)n;
}

static int name_addr_read(struct str_view text, struct sip_name_addr *out, bool check)
{
	struct str_view v = sip_trim(text);
	int display = 0;
	size_t n;

	if (sip_plain_name_addr(v, out))
		return check ? params_check(out->params) : 0;
	*out = (struct sip_name_addr){.star = v.len == 1 && v.p[0] == '*'};
	if (out->star)
		return 0;
	if (v.len == 0 || v.p[0] != '<')
		display = display_span(v, out);
	if (display < 0)
		return -EBADMSG;
	n = (size_t)display;
	out->uri.p = v.p + n;
	if (n < v.len && v.p[n] == '<') {
		size_t end = uri_end(v, n + 1);

		if (end == v.len || v.p[end] != '>' || end == n + 1)
			return -EBADMSG;
		out->uri.p++;
		out->uri.len = end - n - 1;
		n = end + 1;
	} else {
		out->uri.len = n = addr_spec_span(v);
		if (n == 0)
			return -EBADMSG;
	}
	while (n < v.len && sip_char_is(v.p[n], CHAR_WS))
		n++;
	sip_view_skip(&v, n);
	out->params.p = v.p;
	out->params.len = v.len;
	return check ? params_check(v) : 0;
}

int sip_name_addr_take(struct str_view text, struct sip_name_addr *out)
{
	return name_addr_read(text, out, false);
}

int sip_name_addr_parse(struct str_view text, struct sip_name_addr *out)
{
	return name_addr_read(text, out, true);
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
	struct str_view name, version;

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

static int via_param(struct sip_via *out, struct str_view name, struct str_view value)
{
	uint32_t port;

	if (sv_eq_nocase(name, SV("branch"))) {
		/* Two would be two transactions in one. */
		if (out->branch.p != NULL)
			return -EBADMSG;
		out->branch = value;
	} else if (sv_eq_nocase(name, SV("received"))) {
		out->received = value;
	} else if (sv_eq_nocase(name, SV("rport"))) {
		out->has_rport = true;
		if (value.len == 0)
			return 0;
		if (sip_uint_parse(value, UINT16_MAX, &port) != 0 || port == 0)
			return -EBADMSG;
		out->rport = (uint16_t)port;
	}
	return 0;
}

static int via_params(struct str_view rest, struct sip_via *out)
{
	struct sip_param param;
	int got;

	while ((got = sip_param_next(&rest, &param)) > 0) {
		if (via_param(out, param.name, param.value) != 0)
			return -EBADMSG;
	}
	return got;
}

int sip_via_parse(struct str_view text, struct sip_via *out)
{
	struct str_view v;

	if (sip_plain_via(text, out))
		return 0;
	v = sip_trim(text);
	/* One by one: clearing all of it takes longer than reading it. */
	out->transport = SIP_TRANSPORT_OTHER;
	out->host_is_v6 = out->has_rport = false;
	out->port = out->rport = 0;
	out->branch.p = out->received.p = NULL;
	out->branch.len = out->received.len = 0;
	if (sent_protocol_take(&v, out) != 0 ||
		sip_host_take(&v, &out->host, &out->host_is_v6) != 0)
		return -EBADMSG;
	if (sip_skip_char(&v, ':') && sip_port_take(&v, &out->port) != 0)
		return -EBADMSG;
	sip_skip_ws(&v);
	out->params.p = v.p;
	out->params.len = v.len;
	return via_params(v, out);
}

int sip_cseq_parse(struct str_view text, struct sip_cseq *out)
{
	struct str_view v = sip_trim(text);
	uint64_t number;
	size_t n = decimal_span(v, &number);

	/* RFC 3261 section 8.1.1.5: below 2^31. */
	if (n == 0 || number > INT32_MAX || n == v.len || !sip_char_is(v.p[n], CHAR_WS))
		return -EBADMSG;
	sip_view_skip(&v, n);
	sip_skip_ws(&v);
	out->number = (uint32_t)number;
	out->method = v;
	return sip_is_token(v) ? 0 : -EBADMSG;
}

int sip_rack_parse(struct str_view text, struct sip_rack *out)
{
	struct str_view v = sip_trim(text);
	struct str_view digits = sip_view_take(&v, sip_chars_span(v, CHAR_DIGIT));
	int rc = sip_uint_parse(digits, UINT32_MAX, &out->rseq);

	if (rc != 0)
		return rc;
	if (v.len == 0 || !sip_char_is(v.p[0], CHAR_WS))
		return -EBADMSG;
	return sip_cseq_parse(v, &out->cseq);
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
