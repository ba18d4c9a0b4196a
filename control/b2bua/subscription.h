/*
 * Subscriptions with dialogs of their own (RFC 6665; of a REFER outside of a call, RFC 3515):
 * a pair of dialogs, one to the subscriber and one to the notifier, that lives until it is
 * terminated, found gone, or expired. One thread.
 */
#ifndef SALLYPORT_B2BUA_SUBSCRIPTION_H
#define SALLYPORT_B2BUA_SUBSCRIPTION_H

#include "dialog.h"

#define SUBSCRIPTION_DEFAULT_S 3600 /* where neither side says how long */
#define SUBSCRIPTION_REFER_S 180    /* a REFER does not say; its NOTIFYs do */
#define SUBSCRIPTION_MAX_S 604800   /* a week; longer ones are refreshed until then */
#define SUBSCRIPTION_GRACE_MS 32000 /* 64*T1: what was sent at the last moment */

struct subscription;

/**
 * SUBSCRIBE or REFER outside of a dialog. Answers it by itself if it does not go on.
 * @param extra  as in struct relay_way.
 */
void subscription_on_request(
	struct b2bua *b, struct server_txn *txn, const struct sip_msg *req, const char *extra);
/** A request in one of its dialogs; likewise. */
void subscription_on_dialog_request(
	struct dialog *d, struct server_txn *txn, const struct sip_msg *req, const char *extra);
/** The other dialog of the pair. */
struct dialog *subscription_far(const struct dialog *d);
/** Without a word, when the program ends. */
void subscription_abandon_all(struct b2bua *b);

/* subscriber.c */
/** One more of this source. @return NULL: it has as many as it may, or its realm, or no memory. */
struct subscriber *subscriber_add(
	struct b2bua *b, uint16_t realm, const struct net_endpoint *source);
/** One less. NULL is fine. */
void subscriber_del(struct b2bua *b, struct subscriber *s);

#endif
