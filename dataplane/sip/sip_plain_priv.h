/*
 * Via and name-addr without a step for each character.
 *
 * The fields of a message as they mostly are written, read 64 characters at once. What is
 * written otherwise, and all that is wrong, is left to the parsers that go step by step: where
 * both read a field they agree. Inlined: who wants a branch or a tag alone does not write the rest.
 */
#ifndef SALLYPORT_SIP_PLAIN_PRIV_H
#define SALLYPORT_SIP_PLAIN_PRIV_H

#include "sip_parse.h"
#include "sip_text64_priv.h"

#if defined(__AVX2__)
#define PLAIN_SENT_PROTOCOL 0x2f302e322f504953 /* "SIP/2.0/", as sip_load8() has it */
#define PLAIN_UDP_SP 0x20504455		       /* "UDP " */
#define PLAIN_BRAN 0x6e617262
#define PLAIN_NCH 0x68636e61 /* "anch" */
#define PLAIN_RPOR 0x726f7072
#define PLAIN_RECEIVED 0x6465766965636572
#define PLAIN_LETTERS4 0x20202020
#define PLAIN_LETTERS8 0x2020202020202020

/* The letters of these names fold to themselves only. */
static inline int sip_plain_via_param(
	struct sip_via *out, struct str_view name, struct str_view value)
{
	uint32_t port;

	if (name.len == 6 && (sip_load4(name.p) | PLAIN_LETTERS4) == PLAIN_BRAN &&
		(sip_load4(name.p + 2) | PLAIN_LETTERS4) == PLAIN_NCH) {
		/* Two would be two transactions in one. */
		if (out->branch.p != NULL)
			return -EBADMSG;
		out->branch = value;
	} else if (name.len == 8 && (sip_load8(name.p) | PLAIN_LETTERS8) == PLAIN_RECEIVED) {
		out->received = value;
	} else if (name.len == 5 && (sip_load4(name.p) | PLAIN_LETTERS4) == PLAIN_RPOR &&
		   (name.p[4] | 0x20) == 't') {
		out->has_rport = true;
		if (value.len == 0)
			return 0;
		if (sip_uint_parse(value, UINT16_MAX, &port) != 0 || port == 0)
			return -EBADMSG;
		out->rport = (uint16_t)port;
	}
	return 0;
}
#endif

/**
 * One Via element, "SIP/2.0/UDP host:port;params" of at most 63 characters behind the blank, the
 * host no IPv6 reference.
 * @param out  written if it is. @return false if it is not that plain.
 */
static inline bool sip_plain_via(struct str_view text, struct sip_via *out)
{
#if defined(__AVX2__)
	struct str_view v = {text.p + 12, text.len - 12}, name, value;
	struct sip_params64 params;
	struct sip_text64 t;
	size_t to;

	if (text.len < 13 || text.len > 12 + 63 || sip_load8(text.p) != PLAIN_SENT_PROTOCOL ||
		sip_load4(text.p + 8) != PLAIN_UDP_SP)
		return false;
	t = sip_text64_load(v);
	to = sip_bits_first(~sip_text64_class(t, CHAR_HOST) | 1ULL << v.len, 0);
	if (to == 0 || !sip_host64_is_good(t.low, t.high, v, 0, to))
		return false;
	out->transport = SIP_TRANSPORT_UDP;
	out->transport_text = (struct str_view){text.p + 8, 3};
	out->host = (struct str_view){v.p, to};
	out->host_is_v6 = out->has_rport = false;
	out->port = out->rport = 0;
	out->branch = out->received = (struct str_view){NULL, 0};
	if (to < v.len && v.p[to] == ':') {
		uint64_t port;
		size_t n = decimal_span((struct str_view){v.p + to + 1, v.len - to - 1}, &port);

		if (n == 0 || port == 0 || port > UINT16_MAX)
			return false;
		out->port = (uint16_t)port;
		to += 1 + n;
	}
	out->params = (struct str_view){v.p + to, v.len - to};
	if (!sip_params64_in(&params, t, v, to, CHAR_VALUE))
		return false;
	while (sip_params64_next(&params, &name, &value)) {
		if (sip_plain_via_param(out, name, value) != 0)
			return false;
	}
	return true;
#else
	return false;
#endif
}

#if defined(__AVX2__)
/** Where "<" is; what stands before it is in out->display. @return 64: it is not plain. */
static inline size_t sip_plain_display(
	struct sip_text64 t, struct str_view v, struct sip_name_addr *out)
{
	uint64_t quotes, known;
	size_t at, len;

	if (v.p[0] == '"') {
		quotes = sip_text64_is(t, '"') & ~1ULL;
		if (quotes == 0)
			return 64;
		at = sip_bits_first(quotes, 0);
		/* A backslash might make that quote part of the name. */
		if ((sip_text64_is(t, '\\') & sip_bits_range(0, at)) != 0)
			return 64;
		out->display = (struct str_view){v.p + 1, at - 1};
		at++;
		return at + (at < v.len && v.p[at] == ' ');
	}
	/* Words of ASCII. */
	known = sip_text64_class(t, CHAR_TOKEN) | sip_text64_is(t, ' ');
	if (known + 1 == 0)
		return 64;
	len = at = sip_bits_first(~known, 0);
	if (at >= v.len)
		return 64;
	while (len > 0 && v.p[len - 1] == ' ')
		len--;
	out->display = (struct str_view){v.p, len};
	return at;
}
#endif

/**
 * A display name or none, the URI in <> that ends among the first 64 characters, and what follows.
 * @param text  trimmed.
 * @param out   as sip_name_addr_take() has it, written if it is. @return false if it is not that
 *              plain.
 */
static inline bool sip_plain_name_addr(struct str_view v, struct sip_name_addr *out)
{
#if defined(__AVX2__)
	struct sip_text64 t;
	uint64_t stops;
	size_t at = 0, to;

	if (v.len < 3)
		return false;
	t = sip_text64_load(v);
	out->display = (struct str_view){NULL, 0};
	if (v.p[0] != '<') {
		at = sip_plain_display(t, v, out);
		if (at > 61 || at >= v.len || v.p[at] != '<')
			return false;
	}
	/* Behind the text may be anything. */
	stops = sip_text64_class(t, CHAR_NO_URI) & ~1ULL << at;
	if (stops == 0)
		return false;
	to = sip_bits_first(stops, 0);
	if (to >= v.len || v.p[to] != '>' || to == at + 1)
		return false;
	out->uri = (struct str_view){v.p + at + 1, to - at - 1};
	out->star = false;
	for (to++; to < v.len && sip_char_is(v.p[to], CHAR_WS);)
		to++;
	out->params = (struct str_view){v.p + to, v.len - to};
	return true;
#else
	return false;
#endif
}

#endif
