/*
 * A received SIP message inside control: bytes, index and where it came from.
 * Reference counted within one shard (no atomics): transactions and calls share it.
 */
#ifndef SALLYPORT_CONTROL_SIP_MSG_H
#define SALLYPORT_CONTROL_SIP_MSG_H

#include "addr.h"
#include "sip_parse.h"

/** Where a message came from, or goes to. */
struct sip_path {
	struct net_endpoint local; /* one of our listeners */
	struct net_endpoint remote;
	uint16_t realm;
	uint16_t pad;
};

struct sip_oc;

/** The first element of the topmost Via. */
struct sip_top_via {
	struct str_view item; /* all of it */
	struct sip_via via;
};

enum sip_top_via_state { SIP_TOP_VIA_UNREAD, SIP_TOP_VIA_BAD, SIP_TOP_VIA_GOOD };

struct sip_msg {
	unsigned int refs;
	struct sip_path path;
	uint64_t rx_ms; /* shard clock; of one that we send: when first */
	bool unproven;	/* its source may be forged: see answer_size.h */
	/* What its answers tell a sender that asks (sip_oc.h); borrowed for the shard's life, NULL:
	 * nothing. */
	const struct sip_oc *oc;
	uint8_t top_via_state;	    /* enum sip_top_via_state */
	struct sip_top_via top_via; /* see sip_msg_top_via() */
	size_t len;		    /* idx.msg_len */
	const char *buf;	    /* behind the index; a NUL follows for debuggers only */
	struct sip_headers first;   /* of idx */
	struct sip_index idx; /* checked: spans lie in buf. Only as long as its header lines take:
				 not to be copied as a whole */
};

/** Copy bytes and index. @return a message with one reference, or NULL (out of memory). */
struct sip_msg *sip_msg_new(
	const struct sip_path *path, const struct sip_index *idx, const char *buf, size_t len);
struct sip_msg *sip_msg_get(struct sip_msg *m);
/** NULL is fine. */
void sip_msg_put(struct sip_msg *m);

/**
 * The topmost Via, which the key of a request and each answer to it need: read once.
 * @return NULL when there is none that can be read. Borrowed as long as the message.
 */
const struct sip_top_via *sip_msg_top_via(const struct sip_msg *m);

static inline struct str_view sip_msg_view(const struct sip_msg *m, struct sip_span s)
{
	return sip_span_view(m->buf, s);
}

static inline bool sip_msg_is_request(const struct sip_msg *m)
{
	return m->idx.status == 0;
}

/** The n-th header line with this id; p NULL when absent. */
static inline struct str_view sip_msg_header(
	const struct sip_msg *m, enum sip_header_id id, unsigned int n)
{
	struct str_view first = sip_headers_first(m->buf, &m->idx, &m->first, id);

	return n == 0 || first.p == NULL ? first : sip_header_find(m->buf, &m->idx, id, n);
}

#endif
