/*
 * A dialog (RFC 3261 section 12): tags, Call-ID, names, target, route set and CSeqs, and
 * the requests that we send in it. It may be that of a call's leg, one of several early
 * ones of a leg, or one of a subscription that is no call. One thread.
 */
#ifndef SALLYPORT_B2BUA_DIALOG_H
#define SALLYPORT_B2BUA_DIALOG_H

/* uthash leaves what could not be added with hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "sip_build.h"
#include "transaction.h"

#define DIALOG_TAG_LEN LANE_TOKEN_LEN /* a token of the lane for who gets it */
#define DIALOG_ROUTES_MAX 16	      /* Record-Route entries of a dialog */
#define DIALOG_TEXT_MAX 1024	      /* a URI or a name-addr that we keep */
#define DIALOG_INVITES_MAX 32	      /* INVITE transactions that still linger */

struct b2bua;
struct fork;
struct leg;
struct subscription;
struct dialog;
struct dialog_txn;

/** Who sent a request in a dialog, and hears of it. Static storage. */
struct dialog_txn_user {
	/** As client_txn_user.on_response. May be NULL. */
	void (*on_response)(struct dialog_txn *t, struct sip_msg *resp);
	/** As client_txn_user.on_end; `t` is out of its dialog, and freed afterwards. May be NULL.
	 */
	void (*on_end)(struct dialog_txn *t, int error);
	/** The dialog is being freed, and `t` detached afterwards. May be NULL. */
	void (*on_gone)(struct dialog_txn *t);
};

/** A client transaction that hangs on its dialog. */
struct dialog_txn {
	struct dialog *dialog;
	struct client_txn *client;
	const struct dialog_txn_user *user;
	void *ctx; /* the user's */
	enum sip_method method;
	bool open; /* without its final answer; counted */
	struct dialog_txn *prev, *next;
};

struct dialog {
	struct b2bua *b;
	struct leg *leg;   /* the call's leg that it belongs to; NULL: it is no call's */
	struct fork *fork; /* of that call, that it is one side of; NULL likewise */
	struct subscription *subscription; /* that it is one side of; NULL: none */
	uint16_t realm;			   /* index */
	int peer;			   /* index, or ROUTE_PEER_NONE */
	char local_tag[DIALOG_TAG_LEN + 1];
	char *call_id;
	char *remote_tag;    /* NULL: not known yet */
	char *local_name;    /* name-addr without tag: From of what we send */
	char *remote_name;   /* To of what we send */
	char *remote_target; /* URI: Contact of the far side */
	char *route[DIALOG_ROUTES_MAX];
	unsigned int n_routes;
	struct net_endpoint source; /* of the last message that made or refreshed the dialog */
	struct sip_path path;	    /* where our requests in the dialog go */
	uint32_t local_cseq;
	uint32_t remote_cseq; /* 0: none seen */
	struct dialog_txn *txns;
	UT_hash_handle hh; /* b2bua.dialogs, by local_tag */
};

/* --- dialog.c --- */

/**
 * @param leg    that it belongs to, or NULL.
 * @param realm  index.
 * @param peer   index, or ROUTE_PEER_NONE.
 * @param to     where its fresh tag goes: what comes from there with it is in the lane.
 * @return an empty dialog in the table, or NULL. Caller frees with dialog_free().
 */
struct dialog *dialog_new(
	struct b2bua *b, struct leg *leg, uint16_t realm, int peer, const struct net_addr *to);
/**
 * The same before any answer came: another early dialog.
 * @param fresh  with a local tag of its own. @return NULL: out of memory.
 */
struct dialog *dialog_clone(const struct dialog *d, bool fresh);
/** Detaches its transactions. NULL is fine. */
void dialog_free(struct dialog *d);

/** The dialog that this request belongs to, by both tags, Call-ID and realm; NULL: none. */
struct dialog *dialog_find(const struct b2bua *b, const struct sip_msg *req);
struct dialog *dialog_find_names(const struct b2bua *b, uint16_t realm, struct str_view call_id,
	struct str_view local_tag, struct str_view remote_tag);
/** One that has this local tag; early dialogs of the callee's side may share it. */
struct dialog *dialog_find_tag(const struct b2bua *b, struct str_view local_tag);

/** We are the UAS of the request that makes it (section 12.1.1). @return 0, -ENOMEM or -EBADMSG. */
int dialog_from_request(struct dialog *d, const struct sip_msg *req);
/** We are the UAC (section 12.1.2): tag, routes and target. @return 0 or -ENOMEM. */
int dialog_from_response(struct dialog *d, const struct sip_msg *resp);
/** Contact and source of a target refresh (section 12.2). Bad ones change nothing. */
void dialog_refresh(struct dialog *d, const struct sip_msg *msg);

/* --- dialog_request.c --- */

/** Request line to CSeq, and Contact of INVITE and UPDATE; with a fresh branch. */
void dialog_request_start(
	struct dialog *d, struct sip_writer *w, enum sip_method method, uint32_t cseq);
/** The same for any method, and without Contact. */
void dialog_request_start_named(
	struct dialog *d, struct sip_writer *w, struct str_view method, uint32_t cseq);
/**
 * Send what the writer holds in a client transaction that hangs on this dialog.
 * @param user  NULL: nobody wants to hear of it.
 * @return NULL on failure.
 */
struct dialog_txn *dialog_request_send(struct dialog *d, struct sip_writer *w,
	enum sip_method method, const struct dialog_txn_user *user, void *ctx);
/** Out of its dialog and freed; its transaction goes on by itself. */
void dialog_txn_detach(struct dialog_txn *t);
/** Transactions of this method hang on `to` from now on. */
void dialog_move_txns(struct dialog *to, struct dialog *from, enum sip_method method);
/** Is a request of this method under way, or lingering? */
bool dialog_has_txn(const struct dialog *d, enum sip_method method);

#endif
