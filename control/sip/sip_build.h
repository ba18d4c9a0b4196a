/*
 * Bounded writing of SIP messages. A writer that runs out of room remembers it and
 * writes nothing more; check once at the end. Values from outside never start a new
 * header line: CR, LF and NUL in them make the writer fail.
 */
#ifndef SALLYPORT_CONTROL_SIP_BUILD_H
#define SALLYPORT_CONTROL_SIP_BUILD_H

#include "lane.h"
#include "sip_msg.h"

struct sip_writer {
	char *buf;
	size_t cap;
	size_t len;
	bool failed;	/* overflow, or a line break in a value */
	bool bad_value; /* it was the line break */
	bool nul_pair;	/* let the quoted pair of backslash and NUL pass (RFC 3261 section 25.1) */
};

void sip_writer_init(struct sip_writer *w, char *buf, size_t cap);
/** Raw bytes (our own literals, bodies). Inline, so that a literal is a store or two. */
static inline void sip_write_raw(struct sip_writer *w, struct str_view bytes)
{
	if (w->failed || bytes.len > w->cap - w->len) {
		w->failed = true;
		return;
	}
	if (bytes.len != 0)
		memcpy(w->buf + w->len, bytes.p, bytes.len);
	w->len += bytes.len;
}

/** A text that we keep; a line break in it fails. Several of these are a fourth of what
 * sip_write_fmt() costs: for what each message has. */
void sip_write_text(struct sip_writer *w, const char *text);
void sip_write_uint(struct sip_writer *w, uint64_t number);
/** text_format() into the message; for our own formats and numbers; result must hold no CR, LF or
 * NUL except at the very end "\r\n". */
void sip_write_fmt(struct sip_writer *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** A received value, or a part of one: folding becomes one space, a line break or NUL fails. */
void sip_write_value(struct sip_writer *w, struct str_view value);
/** "Name: value\r\n"; folding in the value becomes one space (RFC 3261 section 7.3.1). */
void sip_write_header(struct sip_writer *w, const char *name, struct str_view value);
/** Content-Type, Content-Length, empty line, body. An empty body has no Content-Type. */
void sip_write_body(struct sip_writer *w, struct str_view content_type, struct str_view body);
/** @return message length, or -EMSGSIZE / -EBADMSG when the writer failed. */
int sip_writer_finish(struct sip_writer *w);

/**
 * Start a response to `req` (RFC 3261 section 8.2.6): status line, Vias in order, From, To (with
 * `to_tag` if it has none and to_tag is not empty; 100 adds none), Call-ID, CSeq. The topmost Via
 * gets received and rport by RFC 3261 section 18.2.1 and RFC 3581. The caller adds headers and the
 * body. For a request that scans clean and is shorter than 63,000 bytes this fails only for want of
 * room.
 */
void sip_response_start(struct sip_writer *w, const struct sip_msg *req, unsigned int status,
	const char *reason, struct str_view to_tag);

/**
 * Can a peer take this response of ours apart? A fault in Via, From, To, Call-ID or CSeq is the
 * sender's own and stays inside its line: RFC 3261 section 8.2.6.2 has them copied as they are.
 */
bool sip_response_is_readable(struct str_view msg);

/** Where a response to `req` goes over UDP (RFC 3261 section 18.2.2, RFC 3581 section 4): to the
 * source; to the port of the topmost Via there if it has no rport, and names the source's address.
 */
struct sip_path sip_response_path(const struct sip_msg *req);

/** "Busy Here"; "Unknown" for a code without a name. */
const char *sip_reason_phrase(unsigned int status);

/** n random lower-case base32 characters from the OpenSSL generator. @param out n + 1 bytes. */
void sip_random_token(char *out, size_t n);

/**
 * A tag, or what follows the magic cookie of a branch, that this peer will bring back: a token of
 * the dialog lane with a fresh random nonce (lane.h). 64 bits of it are random, 64 keyed.
 */
void sip_lane_token(
	const uint64_t key[2], const struct net_addr *peer, char out[LANE_TOKEN_LEN + 1]);

#endif
