/*
 * Replaces and Join (RFC 3891, RFC 3911): the dialog that a message names is one of the box's, as
 * the side that sends it knows it; on the other side it has another name. The dialog may be
 * another shard's, which its Call-ID tells; that shard is asked then. One thread a shard.
 */
#ifndef SALLYPORT_B2BUA_REPLACES_H
#define SALLYPORT_B2BUA_REPLACES_H

#include "b2bua.h"

struct dialog;

#define REPLACES_WORD_MAX 128  /* Call-ID, tag */
#define REPLACES_VALUE_MAX 512 /* all of it */
#define REPLACES_ANY_REALM UINT16_MAX

/** A dialog, asked for and found. */
struct replaces {
	unsigned int shard; /* that asks */
	uint64_t id;	    /* of what waits there */
	uint16_t realm;	    /* where the name comes from */
	/** Where it goes: index; REPLACES_ANY_REALM: to whom the dialog is with (an INVITE). */
	uint16_t to_realm;
	char call_id[REPLACES_WORD_MAX], to_tag[REPLACES_WORD_MAX], from_tag[REPLACES_WORD_MAX];
	bool early_only;
	/* the answer */
	unsigned int status;		/* 0: found; else what we owe */
	uint16_t far_realm;		/* of an INVITE: where it has to go */
	char value[REPLACES_VALUE_MAX]; /* the name over there */
	char user[REPLACES_WORD_MAX];	/* of the party at the far end; "" not known */
};

/** Found, or not: q->status. Perhaps from within replaces_find(). */
typedef void (*replaces_fn)(struct b2bua *b, struct server_txn *txn, const struct replaces *q);

/**
 * Take a header value apart.
 * @return 0 or -EBADMSG: malformed, or longer than what the box would ever have said.
 */
int replaces_parse(struct str_view value, struct replaces *q);
/** Find the dialog, here or in its shard, then call fn. @param q  borrowed. */
void replaces_find(struct b2bua *b, struct server_txn *txn, struct replaces *q, replaces_fn fn);
/** This INVITE was cancelled. @return true if it waited for its dialog; it has its answer now. */
bool replaces_on_cancel(struct b2bua *b, struct server_txn *invite);
void replaces_abandon_all(struct b2bua *b);

/** In the shard that has the dialog. */
void replaces_answer(struct b2bua *b, struct replaces *q);
/** Back in the shard that asked. */
void replaces_answered(struct b2bua *b, const struct replaces *q);

/* refer.c */
/** REFER, in a dialog (or NULL) or outside: Refer-To for the other side, then on its way. */
void refer_on_request(
	struct b2bua *b, struct dialog *d, struct server_txn *txn, const struct sip_msg *req);

#endif
