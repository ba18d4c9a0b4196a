/*
 * Transfers that the box executes (RFC 3515, RFC 5589): one party of a call, the transferor, sends
 * REFER; the box places a second call to the target, and connects whoever answers it with the other
 * party of the first. Until then the first call is as it was. One thread.
 */
#ifndef SALLYPORT_B2BUA_TRANSFER_H
#define SALLYPORT_B2BUA_TRANSFER_H

#include "b2bua.h"
#include "replaces.h"

struct leg;

/** What a Refer-To names. */
struct transfer_target {
	struct str_view user;
	const char *header;	  /* "Replaces", "Join"; NULL: neither */
	const struct replaces *q; /* the dialog of that, found or not; NULL likewise */
};

/** Answer this REFER of a call's party, and do what it asks for. */
void transfer_begin(struct leg *transferor, struct server_txn *txn, const struct sip_msg *req,
	const struct transfer_target *to);

/**
 * A SUBSCRIBE within a call (RFC 6665 section 4.1.2): if it is of a subscription that a REFER of
 * this party made here, answer it, and tell how the transfer stands; the transfer goes on without
 * one.
 * @return false: it is about something else.
 */
bool transfer_on_subscribe(struct leg *l, struct server_txn *txn, const struct sip_msg *req);

#endif
