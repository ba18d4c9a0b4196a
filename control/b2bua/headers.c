/* What crosses from one side to the other: an allow-list; the rest is left behind. */
#include "b2bua_priv.h"
#include "headers.h"

#define REQ(id) (1u << SIP_##id)
#define ANY UINT32_MAX
#define NONE 0u

/* Who may carry it: methods of requests, methods that responses answer, and their status. */
struct row {
	enum sip_header_id id; /* SIP_HDR_OTHER: by name */
	struct str_view name;
	header_rule_fn rule;
	uint32_t requests, responses;
	uint16_t status_min, status_max;
};

#define ROW(id, name, rule, requests, responses, min, max) \
	{ \
		SIP_HDR_##id, {name, sizeof(name) - 1}, rule, requests, responses, min, max \
	}
#define EVENTS (REQ(SUBSCRIBE) | REQ(NOTIFY) | REQ(PUBLISH) | REQ(REFER))

/* RFC 3261 tables 2 and 3, and the sections of extensions that say where a header stands. */
static const struct row allowed[] = {
	ROW(SUBJECT, "Subject", header_copy, REQ(INVITE) | REQ(MESSAGE), ANY, 100, 699),
	ROW(ACCEPT, "Accept", header_copy, ANY, ANY, 100, 699),
	ROW(OTHER, "Accept-Language", header_copy, ANY, ANY, 100, 699),
	ROW(ALLOW_EVENTS, "Allow-Events", header_tokens, ANY, ANY, 100, 699),
	ROW(DATE, "Date", header_copy, ANY, ANY, 100, 699),
	ROW(DIVERSION, "Diversion", header_diversion, REQ(INVITE), REQ(INVITE), 300, 399),
	ROW(EVENT, "Event", header_event, EVENTS, EVENTS, 200, 699),
	ROW(EXPIRES, "Expires", header_number, ANY, ANY, 100, 699),
	ROW(HISTORY_INFO, "History-Info", header_history, ANY, ANY, 100, 699),
	/* RFC 5393 section 5.3: it goes to one place, with all of the breadth that there is. */
	ROW(OTHER, "Max-Breadth", header_number, ANY, NONE, 0, 0),
	ROW(MIN_EXPIRES, "Min-Expires", header_number, NONE, ANY, 423, 423),
	ROW(P_ASSERTED_IDENTITY, "P-Asserted-Identity", header_identity, ANY, ANY, 100, 699),
	ROW(PRIVACY, "Privacy", header_copy, ANY, ANY, 100, 699),
	ROW(OTHER, "Priority", header_copy, ANY, NONE, 0, 0),
	ROW(REASON, "Reason", header_reason, ANY, ANY, 100, 699),
	ROW(OTHER, "Refer-Sub", header_token, REQ(REFER), REQ(REFER), 200, 299),
	ROW(REFERRED_BY, "Referred-By", header_referrer, REQ(INVITE) | REQ(REFER), NONE, 0, 0),
	ROW(REQUIRE, "Require", header_option_tags, ANY, ANY, 100, 699),
	ROW(RETRY_AFTER, "Retry-After", header_number, NONE, ANY, 300, 699),
	ROW(OTHER, "SIP-ETag", header_token, NONE, REQ(PUBLISH), 200, 299),
	ROW(OTHER, "SIP-If-Match", header_token, REQ(PUBLISH), NONE, 0, 0),
	ROW(OTHER, "Subscription-State", header_subscription_state, REQ(NOTIFY), NONE, 0, 0),
	ROW(SUPPORTED, "Supported", header_option_tags, ANY, ANY, 100, 699),
	ROW(UNSUPPORTED, "Unsupported", header_option_tags, NONE, ANY, 420, 420),
	ROW(OTHER, "Info-Package", header_token, REQ(INFO), NONE, 0, 0),
	ROW(OTHER, "Recv-Info", header_tokens, ANY, ANY, 100, 699),
	ROW(CONTACT, "Contact", header_redirect, NONE, ANY, 300, 302),
	/* One 401 or 407 may have both, from a proxy that forked (section 16.7 step 7). */
	ROW(WWW_AUTHENTICATE, "WWW-Authenticate", header_challenge, NONE, ANY, 401, 401),
	ROW(WWW_AUTHENTICATE, "WWW-Authenticate", header_challenge, NONE, ANY, 407, 407),
	ROW(PROXY_AUTHENTICATE, "Proxy-Authenticate", header_challenge, NONE, ANY, 401, 401),
	ROW(PROXY_AUTHENTICATE, "Proxy-Authenticate", header_challenge, NONE, ANY, 407, 407),
	ROW(AUTHORIZATION, "Authorization", header_credentials, ANY, NONE, 0, 0),
	ROW(PROXY_AUTHORIZATION, "Proxy-Authorization", header_credentials, ANY, NONE, 0, 0),
};

#define HEADER_LINES_MAX 8 /* of one kind */
#define HEADER_VALUE_MAX 1024

static bool may_cross(const struct row *row, const struct sip_msg *in)
{
	uint32_t method = 1u << in->idx.method;
	unsigned int status = in->idx.status;

	if (status == 0)
		return (row->requests & method) != 0;
	return (row->responses & method) != 0 && status >= row->status_min &&
	       status <= row->status_max;
}

void headers_pass(struct sip_writer *w, const struct sip_msg *in, const struct crossing *x)
{
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		const struct row *row = &allowed[i];

		if (in->first.line[row->id] == 0 || !may_cross(row, in))
			continue;
		for (unsigned int n = 0; n < HEADER_LINES_MAX; n++) {
			struct str_view value =
				row->id != SIP_HDR_OTHER
					? sip_msg_header(in, row->id, n)
					: sip_header_find_name(in->buf, &in->idx, row->name, n);

			if (value.p == NULL)
				break;
			if (value.len <= HEADER_VALUE_MAX)
				row->rule(w, x, row->name.p, value);
		}
	}
}

void headers_cross(struct sip_writer *w, const struct sip_msg *in, const struct dialog *from,
	const struct dialog *to)
{
	const struct crossing x = {
		.from = b2bua_realm(from->b, from->realm),
		.to = b2bua_realm(to->b, to->realm),
		.here = &to->path.local,
	};

	headers_pass(w, in, &x);
}

void headers_record_route(struct sip_writer *w, const struct sip_msg *req)
{
	struct str_view value;

	for (unsigned int i = 0; (value = sip_msg_header(req, SIP_HDR_RECORD_ROUTE, i)).p; i++)
		sip_write_header(w, "Record-Route", value);
}

void headers_reason(const struct sip_msg *msg, char out[CALL_REASON_LEN])
{
	struct str_view value = sip_msg_header(msg, SIP_HDR_REASON, 0);

	out[0] = '\0';
	if (value.p != NULL)
		header_reason_text(value, out, CALL_REASON_LEN);
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

bool headers_may_spread(const struct sip_msg *req)
{
	struct str_view value = sip_header_find_name(req->buf, &req->idx, SV("Max-Breadth"), 0);
	uint32_t breadth;

	return value.p == NULL || sip_uint_parse(value, UINT32_MAX, &breadth) != 0 || breadth > 0;
}

void headers_abilities(struct sip_writer *w, const struct dialog *d)
{
	sip_write_raw(w, SV("Allow: "));
	sip_write_text(w, b2bua_allow(d->b, d->realm, d->peer));
	sip_write_raw(w, SV("\r\nSupported: " B2BUA_SUPPORTED "\r\n"));
}

void headers_contact(struct sip_writer *w, const struct dialog *d)
{
	char here[NET_ENDPOINT_STRLEN];

	sip_write_raw(w, SV("Contact: <sip:"));
	sip_write_text(w, net_endpoint_format(&d->path.local, here));
	sip_write_raw(w, SV(">\r\n"));
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

bool headers_is_type(struct str_view value, struct str_view type, struct str_view subtype)
{
	struct sip_content_type is;

	return value.p != NULL && sip_content_type_parse(value, &is) == 0 &&
	       sv_eq_nocase(is.type, type) && sv_eq_nocase(is.subtype, subtype);
}

bool headers_accept_sdp(const struct sip_msg *m)
{
	struct str_view line, item;
	unsigned int i;

	for (i = 0; (line = sip_msg_header(m, SIP_HDR_ACCEPT, i)).p != NULL; i++)
		while (sip_list_next(&line, &item))
			if (headers_is_type(item, SV("application"), SV("sdp")) ||
				headers_is_type(item, SV("application"), SV("*")) ||
				headers_is_type(item, SV("*"), SV("*")))
				return true;
	return i == 0;
}

bool headers_body_passes(const struct config_realm *to, const struct sip_msg *m)
{
	struct str_view value = sip_msg_header(m, SIP_HDR_CONTENT_TYPE, 0);
	struct sip_content_type is;

	if (m->idx.body.len == 0 || value.p == NULL ||
		headers_is_type(value, SV("message"), SV("sipfrag"))) /* of which little is left */
		return true;
	return sip_content_type_parse(value, &is) == 0 &&
	       !headers_is_type(value, SV("application"), SV("sdp")) &&
	       config_bodies_have(to, is.type, is.subtype);
}

enum body_kind headers_body(const struct sip_msg *m, struct str_view *sdp)
{
	struct str_view type;

	*sdp = sip_msg_view(m, m->idx.body);
	if (sdp->len == 0)
		return BODY_NONE;
	type = sip_msg_header(m, SIP_HDR_CONTENT_TYPE, 0);
	if (type.p == NULL || sip_msg_header(m, SIP_HDR_CONTENT_ENCODING, 0).p != NULL)
		return BODY_OTHER;
	if (sv_eq(type, SV("application/sdp"))) /* as nearly all write it */
		return BODY_SDP;
	if (headers_is_type(type, SV("application"), SV("sdp")))
		return BODY_SDP;
	return parts_find_sdp(m, sdp);
}
