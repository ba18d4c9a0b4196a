/* What crosses from one leg to the other: an allow-list; the rest is left behind. */
#include "b2bua_priv.h"

enum rule {
	RULE_COPY,	/* as it is */
	RULE_TRUSTED,	/* identity: only between trusted realms, with our host in it */
	RULE_REASON,	/* without its text */
	RULE_NUMBER,	/* digits alone: no comment */
	RULE_CHALLENGE, /* 401 and 407, and the answer to them */
};

/* Supported does not cross: of the extensions that could be named there we support none. */
static const struct {
	enum sip_header_id id; /* SIP_HDR_OTHER: by name */
	struct str_view name;
	enum rule rule;
} allowed[] = {
	{SIP_HDR_SUBJECT, {"Subject", 7}, RULE_COPY},
	{SIP_HDR_ACCEPT, {"Accept", 6}, RULE_COPY},
	{SIP_HDR_OTHER, {"Accept-Language", 15}, RULE_COPY},
	{SIP_HDR_PRIVACY, {"Privacy", 7}, RULE_COPY},
	{SIP_HDR_P_ASSERTED_IDENTITY, {"P-Asserted-Identity", 19}, RULE_TRUSTED},
	{SIP_HDR_REASON, {"Reason", 6}, RULE_REASON},
	{SIP_HDR_EXPIRES, {"Expires", 7}, RULE_NUMBER},
	{SIP_HDR_DATE, {"Date", 4}, RULE_COPY},
	{SIP_HDR_OTHER, {"Organization", 12}, RULE_COPY},
	{SIP_HDR_OTHER, {"Priority", 8}, RULE_COPY},
	{SIP_HDR_RETRY_AFTER, {"Retry-After", 11}, RULE_NUMBER},
	{SIP_HDR_WWW_AUTHENTICATE, {"WWW-Authenticate", 16}, RULE_CHALLENGE},
	{SIP_HDR_PROXY_AUTHENTICATE, {"Proxy-Authenticate", 18}, RULE_CHALLENGE},
	{SIP_HDR_AUTHORIZATION, {"Authorization", 13}, RULE_CHALLENGE},
	{SIP_HDR_PROXY_AUTHORIZATION, {"Proxy-Authorization", 19}, RULE_CHALLENGE},
};

#define HEADER_LINES_MAX 8 /* of one kind */
#define HEADER_VALUE_MAX 1024

static void write_identity(struct sip_writer *w, const char *name, struct str_view value,
	const struct net_endpoint *host)
{
	struct str_view item;

	while (sip_list_next(&value, &item)) {
		char *text = NULL;

		if (identity_name_map(&text, item, host, false) == 0)
			sip_write_fmt(w, "%s: %s\r\n", name, text);
		free(text);
	}
}

static void write_number(struct sip_writer *w, const char *name, struct str_view value)
{
	uint32_t number;
	size_t digits = 0;

	while (digits < value.len && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	if (sip_uint_parse((struct str_view){value.p, digits}, UINT32_MAX, &number) == 0)
		sip_write_fmt(w, "%s: %u\r\n", name, number);
}

/* "Q.850;cause=16;text=..." keeps protocol and cause: the text may name anything. */
static void reason_text(struct str_view value, char out[CALL_REASON_LEN])
{
	struct str_view item, cause, params, protocol;
	const char *semicolon;
	uint32_t number;
	int n;

	out[0] = '\0';
	if (!sip_list_next(&value, &item))
		return;
	protocol = item;
	semicolon = memchr(item.p, ';', item.len);
	if (semicolon == NULL)
		return;
	protocol.len = (size_t)(semicolon - item.p);
	params = (struct str_view){semicolon, item.len - protocol.len};
	while (protocol.len > 0 && protocol.p[protocol.len - 1] == ' ')
		protocol.len--;
	if (!sip_is_token(protocol) || !sip_param_find(params, SV("cause"), &cause) ||
		cause.p == NULL || sip_uint_parse(cause, 999, &number) != 0)
		return;
	n = snprintf(out, CALL_REASON_LEN, "%.*s;cause=%u", SV_ARG(protocol), number);
	if (n < 0 || n >= CALL_REASON_LEN)
		out[0] = '\0';
}

void headers_reason(const struct sip_msg *msg, char out[CALL_REASON_LEN])
{
	struct str_view value = sip_msg_header(msg, SIP_HDR_REASON, 0);

	out[0] = '\0';
	if (value.p != NULL)
		reason_text(value, out);
}

static void cross_one(struct sip_writer *w, size_t row, struct str_view value,
	const struct dialog *from, const struct dialog *to)
{
	const struct b2bua *b = from->b;
	const char *name = allowed[row].name.p;
	char reason[CALL_REASON_LEN];

	if (value.len > HEADER_VALUE_MAX)
		return;
	switch (allowed[row].rule) {
	case RULE_COPY:
	case RULE_CHALLENGE:
		sip_write_header(w, name, value);
		break;
	case RULE_TRUSTED:
		if (b2bua_realm(b, from->realm)->trust == TRUST_TRUSTED &&
			b2bua_realm(b, to->realm)->trust == TRUST_TRUSTED)
			write_identity(w, name, value, &to->path.local);
		break;
	case RULE_REASON:
		reason_text(value, reason);
		if (reason[0] != '\0')
			sip_write_fmt(w, "%s: %s\r\n", name, reason);
		break;
	case RULE_NUMBER:
		write_number(w, name, value);
		break;
	}
}

void headers_cross(struct sip_writer *w, const struct sip_msg *in, const struct dialog *from,
	const struct dialog *to)
{
	for (size_t row = 0; row < ARRAY_LEN(allowed); row++) {
		for (unsigned int n = 0; n < HEADER_LINES_MAX; n++) {
			struct str_view value = allowed[row].id != SIP_HDR_OTHER
							? sip_msg_header(in, allowed[row].id, n)
							: sip_header_find_name(in->buf, &in->idx,
								  allowed[row].name, n);

			if (value.p == NULL)
				break;
			cross_one(w, row, value, from, to);
		}
	}
}

unsigned int headers_max_forwards(const struct sip_msg *req)
{
	struct str_view value = sip_msg_header(req, SIP_HDR_MAX_FORWARDS, 0);
	uint32_t hops;

	/* The transaction layer has refused 0 (483). */
	if (value.p == NULL || sip_uint_parse(value, 255, &hops) != 0 || hops == 0)
		return 70;
	return hops - 1;
}

void headers_abilities(struct sip_writer *w)
{
	sip_write_fmt(w, "Allow: %s\r\n", b2bua_allow_value);
	sip_write_fmt(w, "Supported: %s\r\n", b2bua_supported_value);
}

bool headers_option(const struct sip_msg *m, enum sip_header_id id, struct str_view tag)
{
	struct str_view line, item;

	for (unsigned int i = 0; (line = sip_msg_header(m, id, i)).p != NULL; i++)
		while (sip_list_next(&line, &item))
			if (sv_eq_nocase(item, tag))
				return true;
	return false;
}

enum body_kind headers_body(const struct sip_msg *m, struct str_view *sdp)
{
	struct str_view type = sip_msg_header(m, SIP_HDR_CONTENT_TYPE, 0);
	const char *semicolon;

	*sdp = sip_msg_view(m, m->idx.body);
	if (sdp->len == 0)
		return BODY_NONE;
	if (type.p == NULL || sip_msg_header(m, SIP_HDR_CONTENT_ENCODING, 0).p != NULL)
		return BODY_OTHER;
	semicolon = memchr(type.p, ';', type.len);
	if (semicolon != NULL)
		type.len = (size_t)(semicolon - type.p);
	while (type.len > 0 && (type.p[type.len - 1] == ' ' || type.p[type.len - 1] == '\t'))
		type.len--;
	return sv_eq_nocase(type, SV("application/sdp")) ? BODY_SDP : BODY_OTHER;
}
