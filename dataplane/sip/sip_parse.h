/*
 * Stage 2 of the SIP parser: typed access to one header at a time, on views into
 * the message. Nothing is copied or changed; every parser is bounded.
 */
#ifndef SALLYPORT_SIP_PARSE_H
#define SALLYPORT_SIP_PARSE_H

#include "addr.h"
#include "sip_scan.h"

/* --- whole message --- */

/** The n-th (from 0) header line with this id. @return its value; p NULL when absent. */
struct str_view sip_header_find(
	const char *buf, const struct sip_index *idx, enum sip_header_id id, unsigned int n);

/** The first header line with each id, for who reads many of them. */
struct sip_headers {
	uint8_t line[SIP_HDR_COUNT]; /* from 1; 0: there is none */
};

void sip_headers_read(const struct sip_index *idx, struct sip_headers *out);

/** As sip_header_find() with n 0. @param h  of this index. */
static inline struct str_view sip_headers_first(const char *buf, const struct sip_index *idx,
	const struct sip_headers *h, enum sip_header_id id)
{
	const struct sip_header_ref *ref;

	if (h->line[id] == 0)
		return (struct str_view){NULL, 0};
	ref = &idx->headers[h->line[id] - 1];
	return (struct str_view){buf + ref->value_off, ref->value_len};
}

/** The n-th header line by name (long or compact form of our list, or any other, no case). */
struct str_view sip_header_find_name(
	const char *buf, const struct sip_index *idx, struct str_view name, unsigned int n);

/**
 * Next element of a comma-separated header value (quotes and <> respected). Where the list is
 * wrong (",a", "a,,b", "a,") an element is empty, for the caller to refuse; an empty value has
 * none.
 * @param rest  in: what is left; out: what follows. Starts as the header value.
 * @param item  the element, trimmed. @return true if there was one.
 */
bool sip_list_next(struct str_view *rest, struct str_view *item);

struct sip_verdict {
	uint16_t status; /* 0: fine; else what we owe the peer (400, 414, 416, 420, 483, 505 ...) */
	const char *reason; /* reason phrase for it; static */
};

/**
 * What RFC 3261 section 8.2 and 16.3 want checked of a request before it is acted on, from the
 * scan's error to URI scheme (416), Max-Forwards 0 (483), Require (420: any option tag that is not
 * among `supported`), CSeq against the method, and readable From, To, Contact and Via.
 *
 * Form comes first (400, 414), then 416, 483, 420. Max-Forwards 0 is 483 for OPTIONS and REGISTER
 * too: the box is never their last hop. ACK is judged like the others, but is not to be answered.
 *
 * @param supported  comma-separated option tags, or an empty view.
 * @return status 0 if fine. A response is checked too: nonzero means drop it.
 */
struct sip_verdict sip_validate(
	const char *buf, const struct sip_index *idx, struct str_view supported);

/* --- parameters --- */

struct sip_param {
	struct str_view name;
	struct str_view value; /* p NULL: no "="; quotes stripped from a quoted string */
};

/** Next ";name[=value]" of rest. @return 1, 0 at the end, -EBADMSG. */
int sip_param_next(struct str_view *rest, struct sip_param *out);

/** Find one parameter (no case). @return true if present; value as in struct sip_param. */
bool sip_param_find(struct str_view params, struct str_view name, struct str_view *value);

/* --- URI --- */

enum sip_scheme { SIP_SCHEME_SIP, SIP_SCHEME_SIPS, SIP_SCHEME_TEL, SIP_SCHEME_OTHER };

/**
 * SIP and SIPS URI (RFC 3261 section 19.1); tel URI (RFC 3966: the number is in user, global if it
 * starts with "+", else local to the phone-context in params, if that is given).
 */
struct sip_uri {
	enum sip_scheme scheme;
	struct str_view user; /* as written (escaped) */
	struct str_view password;
	struct str_view host; /* IPv6 without its brackets */
	bool host_is_v6;
	uint16_t port;		 /* 0: none */
	struct str_view params;	 /* from the first ';', or empty */
	struct str_view headers; /* after '?', or empty */
};

/** @return 0 or -EBADMSG. An unknown scheme parses as SIP_SCHEME_OTHER with host empty. */
int sip_uri_parse(struct str_view text, struct sip_uri *out);

/** RFC 5031 section 4.2: is it urn:service:sos, or a sub-service of it? */
bool sip_uri_is_sos(struct str_view text);

/* --- headers --- */

/** From, To, Contact, Route, Record-Route, Refer-To ...: one element. */
struct sip_name_addr {
	struct str_view display; /* without quotes, still escaped */
	struct str_view uri;	 /* text; read it with sip_uri_parse */
	struct str_view params;	 /* header parameters, from the first ';' */
	bool star;		 /* Contact: * */
};

int sip_name_addr_parse(struct str_view text, struct sip_name_addr *out);

/** The same without a look at the parameters: for who goes through them anyway. */
int sip_name_addr_take(struct str_view text, struct sip_name_addr *out);

enum sip_transport {
	SIP_TRANSPORT_UDP,
	SIP_TRANSPORT_TCP,
	SIP_TRANSPORT_TLS,
	SIP_TRANSPORT_WS,
	SIP_TRANSPORT_WSS,
	SIP_TRANSPORT_OTHER
};

/** One Via element (RFC 3261 section 20.42, RFC 3581). */
struct sip_via {
	enum sip_transport transport;
	struct str_view transport_text;
	struct str_view host; /* IPv6 without its brackets */
	bool host_is_v6;
	uint16_t port; /* 0: none */
	struct str_view branch;
	struct str_view received;
	bool has_rport;
	uint16_t rport; /* 0: the parameter has no value */
	struct str_view params;
};

int sip_via_parse(struct str_view text, struct sip_via *out);

struct sip_cseq {
	uint32_t number; /* below 2^31 */
	struct str_view method;
};

int sip_cseq_parse(struct str_view text, struct sip_cseq *out);

/** RAck (RFC 3262 section 7.2): the RSeq of a response, and the CSeq of its request. */
struct sip_rack {
	uint32_t rseq;
	struct sip_cseq cseq;
};

/** @return 0, -EBADMSG or -ERANGE. */
int sip_rack_parse(struct str_view text, struct sip_rack *out);

/** Content-Type (RFC 3261 section 20.15): "application" "/" "sdp", with whatever follows. */
struct sip_content_type {
	struct str_view type;
	struct str_view subtype;
	struct str_view params; /* from the first ';', all readable */
};

/** @return 0 or -EBADMSG. */
int sip_content_type_parse(struct str_view text, struct sip_content_type *out);

/** 1*DIGIT with surrounding white space, at most max. @return 0 or -EBADMSG / -ERANGE. */
int sip_uint_parse(struct str_view text, uint32_t max, uint32_t *out);

/** RFC 3261 section 25.1 token characters only, at least one. */
bool sip_is_token(struct str_view text);

#endif
