/*
 * Stage 1 of the SIP parser: one pass over a message that finds its header lines
 * and the few fields that policing and sharding need. The result holds offsets
 * only, so that it travels with the message between processes.
 */
#ifndef SALLYPORT_SIP_SCAN_H
#define SALLYPORT_SIP_SCAN_H

#include "base.h"

#define SIP_HEADERS_MAX 128	/* header lines a message (folded lines count once) */
#define SIP_HEADER_LEN_MAX 8192 /* bytes of one header's value */
#define SIP_MSG_LEN_MAX 65535

enum sip_method {
	SIP_METHOD_NONE, /* a response whose CSeq method could not be read */
	SIP_INVITE,
	SIP_ACK,
	SIP_BYE,
	SIP_CANCEL,
	SIP_OPTIONS,
	SIP_REGISTER,
	SIP_INFO,
	SIP_MESSAGE,
	SIP_NOTIFY,
	SIP_PRACK,
	SIP_REFER,
	SIP_SUBSCRIBE,
	SIP_UPDATE,
	SIP_PUBLISH,
	SIP_METHOD_OTHER, /* a token that is none of these */
	SIP_METHOD_COUNT
};

/* X(ENUM, long name, compact name or 0, several allowed) */
#define SIP_HEADER_LIST(X) \
	X(ACCEPT, "Accept", 0, 1) \
	X(ALLOW, "Allow", 0, 1) \
	X(ALLOW_EVENTS, "Allow-Events", 'u', 1) \
	X(AUTHORIZATION, "Authorization", 0, 1) \
	X(CALL_ID, "Call-ID", 'i', 0) \
	X(CONTACT, "Contact", 'm', 1) \
	X(CONTENT_DISPOSITION, "Content-Disposition", 0, 0) \
	X(CONTENT_ENCODING, "Content-Encoding", 'e', 1) \
	X(CONTENT_LENGTH, "Content-Length", 'l', 0) \
	X(CONTENT_TYPE, "Content-Type", 'c', 0) \
	X(CSEQ, "CSeq", 0, 0) \
	X(DATE, "Date", 0, 0) \
	X(DIVERSION, "Diversion", 0, 1) \
	X(EVENT, "Event", 'o', 0) \
	X(EXPIRES, "Expires", 0, 0) \
	X(FROM, "From", 'f', 0) \
	X(HISTORY_INFO, "History-Info", 0, 1) \
	X(IDENTITY, "Identity", 'y', 1) \
	X(MAX_FORWARDS, "Max-Forwards", 0, 0) \
	X(MIN_EXPIRES, "Min-Expires", 0, 0) \
	X(MIN_SE, "Min-SE", 0, 0) \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 0, 1) \
	X(PRIVACY, "Privacy", 0, 1) \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 0, 1) \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", 0, 1) \
	X(PROXY_REQUIRE, "Proxy-Require", 0, 1) \
	X(RACK, "RAck", 0, 0) \
	X(REASON, "Reason", 0, 1) \
	X(RECORD_ROUTE, "Record-Route", 0, 1) \
	X(REFER_TO, "Refer-To", 'r', 0) \
	X(REFERRED_BY, "Referred-By", 'b', 0) \
	X(REPLACES, "Replaces", 0, 0) \
	X(REQUIRE, "Require", 0, 1) \
	X(RETRY_AFTER, "Retry-After", 0, 0) \
	X(ROUTE, "Route", 0, 1) \
	X(RSEQ, "RSeq", 0, 0) \
	X(SERVER, "Server", 0, 0) \
	X(SESSION_EXPIRES, "Session-Expires", 'x', 0) \
	X(SUBJECT, "Subject", 's', 0) \
	X(SUPPORTED, "Supported", 'k', 1) \
	X(TO, "To", 't', 0) \
	X(UNSUPPORTED, "Unsupported", 0, 1) \
	X(USER_AGENT, "User-Agent", 0, 0) \
	X(VIA, "Via", 'v', 1) \
	X(WARNING, "Warning", 0, 1) \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", 0, 1)

#define SIP_HEADER_ENUM_(id, name, compact, several) SIP_HDR_##id,
enum sip_header_id { SIP_HDR_OTHER, SIP_HEADER_LIST(SIP_HEADER_ENUM_) SIP_HDR_COUNT };
#undef SIP_HEADER_ENUM_

/** Why a message cannot be represented, or what the scan saw wrong on the way. */
/* X(ENUM, name, what is wrong) */
#define SIP_SCAN_ERROR_LIST(X) \
	X(NONE, "none", "no error") \
	X(EMPTY, "empty", "no bytes, or only CRLF (keep-alive)") \
	X(TOO_LONG, "too_long", "message longer than the cap") \
	X(START_LINE, "start_line", "neither a request line nor a status line of SIP/2.0") \
	X(VERSION, "version", "SIP version other than 2.0") \
	X(NUL, "nul", "NUL, a bare CR or LF, or another control character in a header line") \
	X(HEADER_LINE, "header_line", "header line without a name or a colon") \
	X(HEADER_LONG, "header_long", "header value longer than the cap") \
	X(HEADERS_MANY, "headers_many", "more header lines than the cap") \
	X(NO_END, "no_end", "header lines do not end with an empty line") \
	X(SINGLETON, "singleton", "a header that may stand once stands twice") \
	X(MISSING, "missing", "Via, From, To, Call-ID or CSeq missing") \
	X(CALL_ID, "call_id", "Call-ID empty or not a word") \
	X(CSEQ, "cseq", "CSeq is not a number below 2^31 and a method, or its method differs") \
	X(VIA, "via", "topmost Via cannot be read") \
	X(FROM_TO, "from_to", "From or To cannot be read") \
	X(CONTENT_LENGTH, "content_length", \
		"Content-Length not a number, or longer than the datagram")

#define SIP_SCAN_ENUM_(id, name, help) SIP_SCAN_##id,
enum sip_scan_error { SIP_SCAN_ERROR_LIST(SIP_SCAN_ENUM_) SIP_SCAN_COUNT };
#undef SIP_SCAN_ENUM_

/** Offset and length into the message. */
struct sip_span {
	uint16_t off;
	uint16_t len;
};

struct sip_header_ref {
	uint16_t name_off;
	uint8_t name_len;
	uint8_t id;	    /* enum sip_header_id */
	uint16_t value_off; /* without leading and trailing white space */
	uint16_t value_len; /* folded lines are inside, CRLF and all */
};
static_assert(sizeof(struct sip_header_ref) == 8, "wire layout");

/** What stage 1 found. Spans of length 0 are absent. */
struct sip_index {
	uint16_t msg_len; /* bytes that belong to the message (body end by Content-Length) */
	uint16_t status;  /* 100..699 of a response; 0: a request */
	uint8_t method;	  /* enum sip_method; of a response: that of its CSeq */
	uint8_t error;	  /* enum sip_scan_error: the first seen */
	uint8_t n_vias;	  /* header lines */
	uint8_t has_to_tag;
	uint32_t cseq;
	struct sip_span method_text;
	struct sip_span uri;	/* request only */
	struct sip_span reason; /* response only */
	struct sip_span call_id;
	struct sip_span from_tag;
	struct sip_span to_tag;
	struct sip_span branch; /* of the topmost Via */
	struct sip_span body;
	uint16_t n_headers;
	uint16_t pad;
	struct sip_header_ref headers[SIP_HEADERS_MAX];
};

/** Bytes of an index that carries n headers (what travels over the ring). */
#define SIP_INDEX_LEN(n) (offsetof(struct sip_index, headers) + (n) * sizeof(struct sip_header_ref))

/**
 * Scan one datagram (RFC 3261 section 7), in two halves: the dataplane runs the first, control
 * the second over what the first found.
 *
 * Both go on after an error as far as they can, so that a 400 can be built from Via, From, To,
 * Call-ID and CSeq where they are there.
 *
 * sip_scan_lines() finds the header lines, checks that what must be there is there once, and
 * reads the Call-ID and, as far as policing needs it, the tag that is ours if any is: To's of a
 * request, From's of a response. The body is all that follows the header lines.
 *
 * @param buf  the message; need not be terminated, is not changed.
 * @param len  0..any; above SIP_MSG_LEN_MAX is SIP_SCAN_TOO_LONG.
 * @param idx  written whole up to n_headers.
 * @return idx->error. Never allocates, any thread. Work is linear in len.
 */
enum sip_scan_error sip_scan_lines(const char *buf, size_t len, struct sip_index *idx);

/**
 * CSeq, topmost Via, both tags, and where the message ends (section 18.3: bytes behind
 * Content-Length are cut off, a Content-Length beyond the datagram is an error, none means all
 * the rest).
 * @param idx  of this message, sound (sip_index_check()); completed.
 * @return as above.
 */
enum sip_scan_error sip_scan_fields(const char *buf, struct sip_index *idx);

/** Both. */
enum sip_scan_error sip_scan(const char *buf, size_t len, struct sip_index *idx);

/**
 * Check an index that came from elsewhere against its message: counts and every span in range.
 * @return 0 or -EBADMSG.
 */
int sip_index_check(const struct sip_index *idx, size_t idx_len, size_t msg_len);

/**
 * Bytes of the first message in a stream (TCP), for later transports. Empty lines in front of a
 * message count as one of their own (RFC 5626 keep-alive; sip_scan says EMPTY to it). Starts at
 * `buf` each time: give it more bytes in pieces, not one by one.
 * @return bytes of the whole message, 0 for "need more", -EBADMSG if it cannot be framed
 *         (no or bad Content-Length, RFC 3261 section 18.3).
 */
int sip_frame(const char *buf, size_t len);

const char *sip_scan_error_name(unsigned int error);
const char *sip_scan_error_help(unsigned int error);

/** Case-sensitive (RFC 3261 section 7.1). */
enum sip_method sip_method_parse(struct str_view token);
/** "INVITE"; "?" for SIP_METHOD_NONE and OTHER. */
const char *sip_method_name(unsigned int method);

enum sip_header_id sip_header_id_parse(struct str_view name);
/** The long name; "" for SIP_HDR_OTHER. */
const char *sip_header_name(unsigned int id);

/**
 * What follows "branch=" in a Via, to the end of the value, as the fast path reads it for the
 * lane (sip_peek_priv.h).
 * @return false: it has none.
 */
bool sip_peek_branch(struct str_view value, struct str_view *branch);

static inline struct str_view sip_span_view(const char *buf, struct sip_span s)
{
	return (struct str_view){buf + s.off, s.len};
}

#endif
