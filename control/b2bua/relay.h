/*
 * Requests other than INVITE on their way from one side to the other, and their answers back.
 * Each has a transaction of its own on either side, so that several may overlap. What arrives
 * outside of a dialog leaves in a dialog of its own that ends with it (or becomes a
 * subscription's). One thread.
 */
#ifndef SALLYPORT_B2BUA_RELAY_H
#define SALLYPORT_B2BUA_RELAY_H

#include "dialog.h"
#include "headers.h"

#define RELAY_BODY_MAX 32768	/* bytes of a body that goes on; more is 413 */
#define RELAY_PER_DIALOG_MAX 32 /* without an answer; more are 503 */
/* A peer that is silent for so long, after five transmissions (0, 0.5, 1.5, 3.5, 7.5 s), is not
 * there, if there is another. RFC 3263 section 4.3 waits for timer F; but then whoever asked has
 * given up, too. */
#define RELAY_PATIENCE_MS 8000
#define RELAY_TAG_LEN 48

struct relay;

/** What a method does beside being passed on. Static storage; any may be NULL. */
struct relay_user {
	/** Further headers, and of REFER and REGISTER what takes the place of those received.
	 * @return 0, or the status that we owe. */
	unsigned int (*write_request)(
		struct relay *r, struct sip_writer *w, const struct sip_msg *req);
	void (*write_response)(struct relay *r, struct sip_writer *w, const struct sip_msg *resp);
	/** The final answer, before it goes on. @param resp  NULL: none came, or none will. */
	void (*on_final)(struct relay *r, const struct sip_msg *resp);
	/** It goes to the peer of the next route, in the dialog r->to: takes ownership of `old`.
	 * Only of one with a route whose dialog is not its own. */
	void (*on_moved)(struct relay *r, struct dialog *old);
};

struct relay {
	struct b2bua *b;
	struct server_txn *server;
	struct dialog_txn *client;
	struct dialog *to;		  /* that it is sent in */
	bool own;			  /* `to` is the request's own, and goes with it */
	const struct config_route *route; /* that it took last; NULL: it goes nowhere else */
	char *extra;			  /* of its way, while it has a route; or NULL */
	struct timer patience;		  /* armed until a peer says something */
	char to_tag[RELAY_TAG_LEN];	  /* of the answers, where the request had none */
	const struct relay_user *user;
	void *ctx;		   /* the user's */
	struct relay *prev, *next; /* b2bua.relays */
};

/** How to send one. */
struct relay_way {
	struct dialog *to;
	bool own; /* frees `to` when it is over, and also if it cannot be sent */
	const struct config_route *route; /* that led to `to`: it may take the next ones, too;
					     NULL: it may not */
	const char *extra;		  /* header lines of our making, or NULL */
	struct str_view to_tag;		  /* empty: as for an answer that makes no dialog */
	const struct relay_user *user;
	void *ctx;
};

/**
 * Pass a request on.
 * @return 0: its answers will follow; or the status that we owe.
 */
unsigned int relay_start(struct b2bua *b, struct server_txn *txn, const struct sip_msg *req,
	const struct relay_way *way);
/** All that wait for an answer end without one; when the program does. */
void relay_abandon_all(struct b2bua *b);

/**
 * A request in the dialog of a call's leg. Answers it by itself if it does not go on.
 * @param extra  as in struct relay_way.
 */
void relay_on_dialog_request(
	struct dialog *d, struct server_txn *txn, const struct sip_msg *req, const char *extra);

/* outside.c */
/** A request outside of a dialog that is no INVITE: answered here, or routed as a call is. */
void outside_on_request(struct b2bua *b, struct server_txn *txn, const struct sip_msg *req);
/**
 * A dialog towards the peer that this request is routed to, with its names and Request-URI.
 * @param route  in: NULL, or the one that led nowhere: the next one to another peer of the same
 * realm is taken; out: that which was taken. @return 0, or the status that we owe.
 */
unsigned int outside_dialog_new(struct b2bua *b, const struct sip_msg *req,
	const struct config_route **route, struct dialog **out);

/* register.c */
extern const struct relay_user register_user;

#endif
