/*
 * Keys of transactions: 128 bits of SipHash-2-4 under a secret of the layer over
 * the fields that RFC 3261 names. A sender cannot aim at a bucket or at another
 * sender's transaction, and tables hold keys of one size.
 */
#ifndef SALLYPORT_CONTROL_TXN_KEY_H
#define SALLYPORT_CONTROL_TXN_KEY_H

#include "sip_msg.h"

struct txn_secret {
	uint64_t k[2];
};

struct txn_key {
	uint64_t h[2];
};

/** From the OpenSSL generator. @return 0 or -EIO. */
int txn_secret_init(struct txn_secret *s);

/**
 * Section 17.2.3: branch, sent-by and method, or for a branch without the magic cookie the fields
 * of RFC 2543. The realm belongs to every key: realms are separate networks.
 *
 * @param method  that of the transaction looked for: INVITE for an ACK.
 * @return 0 or -EBADMSG (topmost Via cannot be read).
 */
int txn_key_server(const struct txn_secret *s, const struct sip_msg *req, struct str_view method,
	struct txn_key *out);

/** Section 8.2.2.2: From tag, Call-ID and CSeq. */
void txn_key_merge(const struct txn_secret *s, const struct sip_msg *req, struct txn_key *out);

/** A number for this source: the same each time, and nobody else's to choose. */
uint64_t txn_key_source(const struct txn_secret *s, const struct sip_msg *m);

/** Section 17.1.3: branch and CSeq method. @return 0 or -EBADMSG. */
int txn_key_client(const struct txn_secret *s, const struct sip_msg *msg, struct txn_key *out);

/** True for a branch of RFC 3261: "z9hG4bK" and something behind it. */
bool txn_branch_is_unique(struct str_view branch);

#endif
