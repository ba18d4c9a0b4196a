/*
 * Inside control/b2bua: a call, its two legs, and the INVITE exchange under way
 * between them. A call and all that hangs on it is freed in one place, call_free(),
 * and only from the reaper's timer, so that no handler loses it under its feet.
 */
#ifndef SALLYPORT_B2BUA_PRIV_H
#define SALLYPORT_B2BUA_PRIV_H

#include "b2bua.h"
#include "dialog.h"
#include "media_session.h"
#include "route.h"

#define CALL_NAME_LEN 48
#define CALL_REASON_LEN 48
#define CALL_MEDIA_WAIT_MS 100	 /* answer goes on without the dataplane's word after that */
#define CALL_COUNTS_WAIT_MS 1000 /* CDR goes on without the counts after that */
#define RETRY_AFTER_S 10
#define B2BUA_ALLOW_LEN 704 /* 15 usual methods and two lists of 8 others */

struct call;
struct fork;
struct trace;
struct trace_store;
struct replaces;
struct transfer;

/* --- leg: one side of a call, its dialog and how far the INVITE has come in it --- */

enum leg_state {
	LEG_EARLY,     /* INVITE without its final answer */
	LEG_CONFIRMED, /* a dialog: it ends by BYE */
	LEG_GONE,
	LEG_STATE_COUNT
};

enum leg_side { SIDE_CALLER, SIDE_CALLEE, SIDE_COUNT };

/** Of a leg (RFC 4028). */
struct session_timer {
	uint32_t interval_s; /* in force; 0: none */
	uint32_t min_s;	     /* that a 422 asked for */
	uint8_t raised;	     /* how often */
	bool refresher;	     /* we are */
	bool update;	     /* the peer takes UPDATE */
	bool no_update;	     /* it said that it does not */
	bool reoffer;	     /* it is owed its description of the call, by INVITE */
	uint8_t reoffers;    /* how often that had to wait */
	enum sip_method refreshing;
	uint64_t end_ms; /* BYE then, if it is in force */
	struct timer timer;
};

#define SESSION_RAISES_MAX 3
#define SESSION_REOFFERS_MAX 16

struct leg {
	struct call *call;
	enum leg_side side;
	enum leg_state state;
	struct dialog *dialog; /* of call.fork; NULL only before leg_init() */
	bool ack_due;	       /* a 2xx came, its ACK has not been sent */
	bool referred;	       /* it sent REFERs that were executed */
	bool bye_wanted;       /* BYE as soon as the ACK for our 2xx is here (section 15) */
	char *ack;	       /* last ACK sent, for repeated 2xx */
	size_t ack_len;
	uint32_t ack_cseq;
	uint8_t forks_refused; /* answers of other forks that got ACK and BYE */
	struct session_timer session;
};

/* --- exchange: one INVITE or re-INVITE on its way through --- */

struct exchange {
	bool active;
	bool initial;	      /* the INVITE that made the call */
	bool delayed_offer;   /* no SDP in the request: the ACK carries the answer */
	bool caller_100rel;   /* RFC 3262: Supported or Require of the first INVITE */
	bool caller_requires; /* the latter */
	bool got_final;	      /* `to` has answered finally */
	bool answered;	      /* 2xx sent to `from`; waiting for its ACK */
	struct leg *from, *to;
	struct server_txn *server; /* NULL when over */
	struct sip_msg *request;   /* in place of one: an INVITE of the box's own making */
	struct dialog_txn *client; /* NULL when over */
	uint32_t server_cseq;
	uint32_t client_cseq;
	struct sip_msg *final; /* the 2xx of `to`, until it is passed on */
	char *ok;	       /* the 2xx that we repeat until the ACK */
	size_t ok_len;
	struct timer timer; /* repetition of it */
	uint64_t ok_since_ms;
	uint32_t interval_ms;
};

/* --- fork: an early dialog of the callee, and the one that stands for it to the caller --- */

#define FORKS_MAX 8 /* that ring at a time */

/** Reliable 18x of the callee, and ours to the caller (RFC 3262). */
struct reliable {
	uint32_t far_last; /* the callee's last RSeq; 0: none */
	uint32_t rseq;	   /* our last one; 0: none */
	uint32_t far_rseq; /* the callee's that it stands for; 0: the callee's was not reliable */
	bool pending;	   /* its PRACK is not here */
	bool has_sdp;
	bool offers; /* the callee's offer: the PRACK answers it */
	char *text;  /* of what is pending, for its repetition */
	size_t len;
	struct sip_msg *held; /* the next one of the callee */
	struct timer timer;
	uint64_t since_ms;
	uint32_t interval_ms;
	unsigned int repeats;
};

struct fork {
	struct call *call;
	struct dialog *dialog[SIDE_COUNT];
	enum leg_side offerer;	  /* whose offer waits for its answer; SIDE_COUNT: nobody's */
	enum leg_side offer_side; /* whose `offer` was */
	bool agreed;		  /* an offer has been answered for good */
	bool told;		  /* the caller has got the answer in a reliable 18x */
	char *body;		  /* SDP of `to` for `from`: last answer, or late offer */
	/* While the INVITE is open: what was agreed last, and an offer on top of it. */
	struct sip_msg *offer, *answer, *pending;
	struct server_txn *carried; /* UPDATE or PRACK with an offer; NULL: none */
	enum leg_side carried_side; /* where it came from */
	struct dialog_txn *carrier; /* what it became on the other side */
	struct reliable reliable;
	struct fork *next;
};

/* --- call --- */

enum call_state {
	CALL_CALLING,	  /* INVITE went to the callee */
	CALL_RINGING,	  /* the callee said 18x */
	CALL_ANSWERING,	  /* the callee said 2xx; streams are being set */
	CALL_ANSWERED,	  /* 2xx went to the caller; its ACK is not here */
	CALL_ESTABLISHED, /* ACK was here */
	CALL_ENDED,	  /* hung up; counts and last answers may be missing */
	CALL_STATE_COUNT
};

enum call_end_by { ENDED_BY_CALLER, ENDED_BY_CALLEE, ENDED_BY_BOX, ENDED_BY_COUNT };

/* X(ENUM, name in the CDR) */
#define CALL_CAUSE_LIST(X) \
	X(NORMAL, "normal") \
	X(BUSY, "busy") \
	X(CANCEL, "cancel") \
	X(NO_ANSWER, "no_answer") \
	X(REJECTED, "rejected") \
	X(UNREACHABLE, "unreachable") \
	X(NO_ACK, "no_ack") \
	X(NO_PRACK, "no_prack") \
	X(BAD_SDP, "bad_sdp") \
	X(MEDIA_TIMEOUT, "media_timeout") \
	X(MEDIA_REFUSED, "media_refused") \
	X(DIALOG_LOST, "dialog_lost") \
	X(SESSION_EXPIRED, "session_expired") \
	X(SHUTDOWN, "shutdown") \
	X(INTERNAL, "internal")

#define CALL_CAUSE_ENUM_(id, name) CAUSE_##id,
enum call_cause { CALL_CAUSE_LIST(CALL_CAUSE_ENUM_) CAUSE_COUNT };
#undef CALL_CAUSE_ENUM_

/* Of one call; the same target again is a loop that ends so. */
#define CALL_REDIRECTS_MAX 5

struct call {
	struct b2bua *b;
	uint64_t id;
	char name[CALL_NAME_LEN];
	enum call_state state;
	struct leg leg[SIDE_COUNT];
	struct exchange ex;
	struct fork *forks;	 /* all; one of them is what the legs are */
	struct fork *fork;	 /* that one */
	struct fork *media_fork; /* whose descriptions the media session has; NULL: a lost one's */
	struct media_session *media; /* NULL: closed (or never there) */
	bool media_ending;
	bool admitted;	/* in the limits, until both legs are gone */
	bool emergency; /* counts, but is not held by the limits */
	bool counted;	/* it was a call: has a CDR */
	bool recorded;	/* its CDR is written */
	bool dead;	/* in b2bua.dead */
	int by_peer;	/* of who asked for it, its caller or who referred it; or ROUTE_PEER_NONE */
	uint16_t by_realm; /* likewise */
	uint8_t redirects;
	uint16_t asked[CALL_REDIRECTS_MAX]; /* peers that had the call before, one a redirect */
	const struct config_route *route;   /* that it took last */
	char *media_report;		    /* JSON, of a session that is closed; NULL: none */
	struct trace *trace;		    /* NULL: none is kept */
	struct timer timer;		    /* no answer; then streams being set; then counts */
	struct timer goes_on;		    /* armed while `credited` is in this call */
	struct net_endpoint credited;	    /* the caller as its ACK proved it */
	char *replaces;			    /* header line of the INVITE, or NULL */
	struct transfer *transfer; /* that it is the first or the second call of; NULL: none */
	char *transfer_of;	   /* name of the first call of its transfer; NULL: it has none */
	char *from, *to;	   /* caller's From URI and Request-URI, for people */
	char reason[CALL_REASON_LEN];	     /* Reason value to pass on with BYE; "" none */
	int64_t start_ms, answer_ms, end_ms; /* UTC; 0: did not happen */
	uint64_t answer_at, end_at;	     /* the same by the shard's clock, which never jumps */
	enum call_cause cause;
	enum call_end_by ended_by;
	unsigned int sip_status;
	struct call *dead_next;
	UT_hash_handle hh; /* b2bua.calls, by id */
};

struct b2bua {
	struct b2bua_env env;
	struct txn_layer *txns;
	struct b2bua_stats stats;
	struct call *calls;
	struct dialog *dialogs;
	struct relay *relays;
	struct replaces_wait *waits;
	uint64_t last_wait;
	struct subscription *subscriptions;
	struct subscriber *subscribers;
	char (*allow)[B2BUA_ALLOW_LEN]; /* of each realm, then of each peer */
	struct call *dead;		/* freed by the reaper */
	struct trace_store *traces;
	struct timer reaper;
	uint64_t last_id;
	bool draining;
	char sdp[SDP_LEN_MAX + 4096]; /* scratch: one SDP, one message, one multipart */
	char msg[SIP_MSG_LEN_MAX];
	char parts[SIP_MSG_LEN_MAX];
};

/* b2bua.c */
#define B2BUA_PRODUCT "Sallyport"
#define B2BUA_SUPPORTED "100rel, timer" /* option tags */
/** From the OpenSSL generator, 0 to below - 1. */
uint32_t b2bua_random(uint32_t below);
/** Value of Allow: the methods that we take from this realm, or this peer of it, in dialogs or
 * outside. */
const char *b2bua_allow(const struct b2bua *b, uint16_t realm, int peer);
/** That for whoever sent this request. */
const char *b2bua_allow_sender(const struct b2bua *b, const struct sip_msg *req);
const struct config_realm *b2bua_realm(const struct b2bua *b, uint16_t realm);
/** First listener of the realm of this family; NULL: none. */
const struct net_endpoint *b2bua_listener(
	const struct b2bua *b, uint16_t realm, unsigned int family);
/** Final answer without a body, with Accept, Allow or Retry-After where the status wants it. */
void b2bua_reply(struct b2bua *b, struct server_txn *txn, unsigned int status);
/** The same to a request whose body goes on unread: a 415 names the types that may be sent into
 * that realm. @param to  NULL: as b2bua_reply(). */
void b2bua_reply_across(struct b2bua *b, struct server_txn *txn, unsigned int status,
	const struct config_realm *to);
/** An answer goes on to whom asked, whatever the method: who knows the nonces in it? Call it before
 * the request's transaction may be gone. */
void b2bua_note_challenge(
	struct b2bua *b, const struct server_txn *txn, const struct sip_msg *resp);
/** Is it this text? */
static inline bool sv_is(struct str_view v, const char *text)
{
	return sv_eq(v, (struct str_view){text, strlen(text)});
}

/** A fresh Call-ID that hashes to this shard, so that all of its messages come here.
 * @return 0 or -ENOMEM. */
int b2bua_call_id(struct b2bua *b, char **out);
/** UTC milliseconds. */
int64_t b2bua_utc_ms(void);
/** Replace an owned string. @return 0 or -ENOMEM (the old one stays). */
int b2bua_str_set(char **dst, struct str_view text);

/* methods.c */
/** May this request be, in this dialog or (NULL) outside? @return 0, or the status that we owe. */
unsigned int methods_judge(
	const struct b2bua *b, const struct dialog *d, const struct sip_msg *req);
/** The values of b2bua_allow(). @return NULL: out of memory. Caller frees with free(). */
char (*methods_allow_new(const struct config *c))[B2BUA_ALLOW_LEN];

/* call.c */
/** @return a call in CALL_CALLING without legs, in the table; NULL: out of memory. */
struct call *call_new(struct b2bua *b);
void call_free(struct call *c);
/** The program ends under it: its CDR, then free it. */
void call_abandon(struct call *c);
struct call *call_find(const struct b2bua *b, uint64_t id);
/** It is a call now: statistics. */
void call_count(struct call *c);
/**
 * The call is over: answer what is open with `status`, CANCEL or BYE each leg that is alive, remove
 * the streams. Only the first time counts. The call stays valid until the reaper runs.
 */
void call_end(struct call *c, enum call_cause cause, unsigned int status, enum call_end_by by);
/** The ACK of the call proved its caller's address: that speaks for it as long as it is in it. */
void call_credit(struct call *c, const struct net_endpoint *caller);
/** Something that an ended call waited for has happened. */
void call_check(struct call *c);
void call_media_closed(struct call *c, const struct media_session *s);
/** Free what is dead (the reaper's timer). */
void call_reap(void *b);

/* limits.c */
/** Count it in if it fits under the limits of the realms and peers that are in it or asked for it;
 * an emergency call always does.
 * @return false: it does not. */
bool call_admit(struct call *c);
/** It has left: once only, further calls do nothing. */
void call_dismiss(struct call *c);
/** One more subscription from this realm. @return false: it has as many as it may. */
bool limits_subscribe(struct b2bua_limits *l, uint16_t realm);
void limits_unsubscribe(struct b2bua_limits *l, uint16_t realm);

/* transfer.c */
/** The second call rings with this status, or is answered. */
void transfer_on_ringing(struct call *c, unsigned int status);
void transfer_on_answer(struct call *c);
/** The first call's transferor hangs up: the other party waits in the second call; but if they are
 * in the middle of an offer, the transfer ends with the first call. */
void transfer_on_bye(struct leg *l);
/** A call of it has just ended. */
void transfer_on_end(struct call *c);
/** It is being freed. */
void transfer_forget(struct call *c);

/* leg.c */
/** With a dialog, see dialog_new(). @return 0 or -ENOMEM. */
int leg_init(struct leg *l, struct call *c, enum leg_side side, uint16_t realm, int peer,
	const struct net_addr *to);
/** Releases its dialog. */
void leg_fini(struct leg *l);
struct leg *leg_other(const struct leg *l);
void leg_set_state(struct leg *l, enum leg_state state);
/** ACK for the 2xx to our INVITE with this CSeq; kept for repetitions. */
void leg_send_ack(struct leg *l, uint32_t cseq, struct str_view sdp);
void leg_repeat_ack(struct leg *l);
void leg_send_bye(struct leg *l);
/** A 2xx of another fork: ACK and BYE it (section 13.2.2.4). */
void leg_refuse_fork(struct leg *l, const struct sip_msg *resp);

/* fork.c */
/** Both sides of a new fork of this call; takes the dialogs over. @return NULL: out of memory. */
struct fork *fork_new(struct call *c, struct dialog *caller, struct dialog *callee);
void fork_free(struct fork *f);
/** The fork that a response to the INVITE is of; a new one if need be. @return NULL: none. */
struct fork *fork_of_response(struct call *c, const struct sip_msg *resp);
/** It was answered: it is the call's from now on, all others are gone. */
void fork_win(struct fork *f);
/** The dialog on the other side of a call's dialog. */
struct dialog *dialog_far(const struct dialog *d);

/* offer.c */
/** The INVITE's offer went to this fork, too. */
void offer_share(struct fork *f, struct sip_msg *invite);
/**
 * The offer in `msg` of this side, made one for the other side, in b->sdp.
 * @return its length, or negative errno of media_session_offer().
 */
int offer_pass(struct fork *f, enum leg_side side, struct sip_msg *msg);
/** The answer of this side likewise. @param final  no other one may follow. */
int answer_pass(struct fork *f, enum leg_side side, struct sip_msg *msg, bool final);
/** Media follows this fork from now on. @return 0 or negative errno. */
int offer_show(struct fork *f);
/** The last answer was the final one, and media follows it. @return 0 or negative errno. */
int offer_settle(struct fork *f);
/** The offer was refused: all is as it was. */
void offer_reject(struct fork *f);
/** Release the messages: no other fork is left. */
void offer_forget(struct fork *f);
/**
 * May this side make an offer now (RFC 3311 section 5.2, RFC 3261 section 14.2)?
 * @return 0; 491: an offer to it is open; 500: one of its own is; 481: nobody is there for it.
 */
unsigned int offer_refusal(const struct fork *f, enum leg_side side);
/** What an error of media/ means to the peer that sent the SDP. */
unsigned int offer_status(int error);

/* reliable.c */
/** An 18x of the callee goes on to the caller, or waits for the PRACK to the one before. */
void reliable_on_provisional(struct fork *f, struct sip_msg *resp);
/** Our 2xx may not go out yet (RFC 3262 section 3). */
bool reliable_holds_answer(const struct fork *f);
/** Repeat nothing any more. */
void reliable_stop(struct fork *f);
void prack_on_request(struct dialog *d, struct server_txn *txn, struct sip_msg *req);
/** PRACK to the callee for its answer with this RSeq. */
void prack_send(struct fork *f, uint32_t rseq, struct str_view sdp);
/** The same up to RAck. */
void prack_start(struct fork *f, struct sip_writer *w, uint32_t rseq);

/* session_timer.c */
/** We owe this request a 422. */
bool session_is_too_short(struct leg *l, const struct sip_msg *req);
/** 422 with our Min-SE. */
void session_refuse(struct leg *l, struct server_txn *txn);
/** Into our 2xx to this request, and in force from now on. */
void session_accept(struct leg *l, const struct sip_msg *req, struct sip_writer *w);
/** Into an INVITE or UPDATE of ours. */
void session_write(struct leg *l, struct sip_writer *w);
/** What the 2xx to ours says is in force. */
void session_accepted(struct leg *l, const struct sip_msg *resp);
/** A 422 to ours. @return true: ask again, for longer. */
bool session_raise(struct leg *l, const struct sip_msg *resp);
/** Allow of this message. */
void session_note_methods(struct leg *l, const struct sip_msg *m);
void session_stop(struct leg *l);
/** What was agreed in a dialog goes on with the leg that has it now. */
void session_move(struct leg *to, struct leg *from);
/** An INVITE or UPDATE of the box's own, with what is to be refreshed. @return NULL on failure. */
struct dialog_txn *session_request_send(struct leg *l, enum sip_method method, struct str_view sdp,
	const struct dialog_txn_user *user);
/** The description that the peer has of the call, once more by INVITE: as soon as that may be, and
 * again if it meets another one. A call whose peer refuses it goes on. */
void session_offer_again(struct leg *l);

/* carry.c */
void update_on_request(struct dialog *d, struct server_txn *txn, struct sip_msg *req);
/** The offer in this UPDATE or PRACK to the other side. @return 0, or the status that we owe. */
unsigned int carry_send(struct dialog *d, struct server_txn *txn, struct sip_msg *req);
/** The fork is over: 487. */
void carry_abort(struct fork *f);

/* identity.c */
/** Caller's name and numbers as the callee's side shall see them; sets names, Request-URI and
 * addresses of both legs. @return 0, or the status that we owe. */
unsigned int identity_map(struct call *c, const struct sip_msg *req);
/** The callee's side of it again, for the target of a 3xx. @return likewise. */
unsigned int identity_redirect(struct call *c, const struct sip_msg *req, struct str_view target);
/** name-addr without parameters, its display name in quotes. @return 0, -EBADMSG, -ENOMEM. */
int identity_name_set(char **dst, struct str_view header);
/** The same with another host. @param uri_only  `header` is a URI alone, and so is what it becomes.
 */
int identity_name_map(
	char **dst, struct str_view header, const struct net_endpoint *host, bool uri_only);
/** What of a name is left out where it names a place. */
enum identity_hide {
	HIDE_NOTHING,
	HIDE_DISPLAY, /* the name alone: somebody is reached by its user part */
	HIDE_TEXTS    /* and the user part */
};
/** As identity_name_map() of a name-addr, for a side that may not learn all of it. */
int identity_name_hide(char **dst, struct str_view header, const struct net_endpoint *host,
	enum identity_hide hide);

/* headers.c */
/** Headers that may cross, from `in` in dialog `from` towards dialog `to`. */
void headers_cross(struct sip_writer *w, const struct sip_msg *in, const struct dialog *from,
	const struct dialog *to);
/** RFC 3261 section 12.1.1: into an answer that makes a dialog goes what the request recorded. */
void headers_record_route(struct sip_writer *w, const struct sip_msg *req);
/** Reason of a BYE or CANCEL without its text: "Q.850;cause=16"; "" if none. */
void headers_reason(const struct sip_msg *msg, char out[CALL_REASON_LEN]);
/** Max-Forwards of a request that goes on: one less; 70 if there was none. */
unsigned int headers_max_forwards(const struct sip_msg *req);
/** RFC 5393 section 5.3.3: is there breadth left for one to send it to? Else it is answered 440. */
bool headers_may_spread(const struct sip_msg *req);

/** Our Contact in this dialog. */
void headers_contact(struct sip_writer *w, const struct dialog *d);
/** Allow and Supported, of what goes out in this dialog. */
void headers_abilities(struct sip_writer *w, const struct dialog *d);
/** Is this option tag in a Supported or Require? */
bool headers_option(const struct sip_msg *m, enum sip_header_id id, struct str_view tag);

enum body_kind { BODY_NONE, BODY_SDP, BODY_OTHER };
/** Is a Content-Type of this type, whatever its parameters and the blanks in it? */
bool headers_is_type(struct str_view value, struct str_view type, struct str_view subtype);
/** May the answer to this INVITE be SDP (RFC 3261 section 20.1)? It may where nothing is said. */
bool headers_accept_sdp(const struct sip_msg *m);
/**
 * May this body be sent into the realm, in another message than INVITE, ACK, PRACK and UPDATE? SDP
 * may not: it names addresses, and these methods have no offers to make. None at all may.
 */
bool headers_body_passes(const struct config_realm *to, const struct sip_msg *m);
/** The session's description, which may be a part of a multipart. @param sdp  borrowed from m. */
enum body_kind headers_body(const struct sip_msg *m, struct str_view *sdp);

/* parts.c */
/** The same of a multipart/mixed. @return BODY_OTHER: it is none, or one that cannot be read. */
enum body_kind parts_find_sdp(const struct sip_msg *m, struct str_view *sdp);
/**
 * May it go without the parts that this realm does not take? @param to  NULL: it takes none.
 * @return false: one of them must be understood (415).
 */
bool parts_pass(const struct config_realm *to, const struct sip_msg *m);
/** End a message with this description (empty: none) and the other parts of `in` that this realm
 * takes. @param in  NULL: none. */
void parts_write(struct b2bua *b, struct sip_writer *w, const struct sip_msg *in,
	const struct config_realm *to, struct str_view sdp);

/* exchange.c: what INVITE and re-INVITE have in common */
/** Begin: `server` is the request from `from`; NULL: the box makes it for `from`. */
void exchange_start(
	struct call *c, struct leg *from, struct server_txn *server, struct sip_msg *req);
/** The request that it began with, borrowed; NULL: nobody waits for its answer any more. */
struct sip_msg *exchange_request(const struct exchange *ex);
/** Offer or its absence to `to`. @return 0, or the status that we owe `from`. */
unsigned int exchange_send(struct call *c, struct sip_msg *req);
/** Response to `from`, with Contact, crossing headers of `in` (NULL: none) and SDP. */
/** The same, not sent but in b->msg. @param extra  header lines of our own. */
struct str_view exchange_build(struct fork *f, unsigned int status, const struct sip_msg *in,
	const char *extra, struct str_view sdp);
void exchange_respond(
	struct fork *f, unsigned int status, const struct sip_msg *in, struct str_view sdp);
/** The 2xx of `to` goes on to `from`; repeated until the ACK. */
void exchange_accept(struct call *c);
/** Final failure to `from`; the exchange is over. */
void exchange_fail(struct call *c, unsigned int status, const struct sip_msg *in);
/** The call ends in the middle of it. */
void exchange_abort(struct call *c, unsigned int status);
void exchange_over(struct call *c);
void exchange_on_ack(struct leg *l, struct sip_msg *ack);
/** SDP of `to`'s 2xx, an answer or a late offer, becomes body of the call's fork.
 * @return 0 or negative errno. */
int exchange_take_sdp(struct call *c, struct sip_msg *resp);

/* invite.c */
void invite_begin(struct b2bua *b, struct server_txn *txn, struct sip_msg *req);
/**
 * Place a call for a party of another one. Its INVITE has no offer; the answer to it is
 * transfer_on_answer()'s, and until then the caller's dialog is a stand-in for `party` that sends
 * nothing and that nobody knows.
 * @param req        the INVITE as if it had come from whoever asks for it.
 * @param from_peer  that is whose.
 * @param q          the dialog that it names, or NULL.
 * @return 0 and the call, or the status why there is none.
 */
unsigned int invite_place(struct b2bua *b, struct sip_msg *req, int from_peer,
	const struct dialog *party, const struct replaces *q, struct call **out);
/** Both sides have the answer: it is an answered call from now on. */
void invite_answered(struct call *c);
/** For INVITE and re-INVITE. */
extern const struct dialog_txn_user invite_txn_user;
/** A 2xx to an INVITE of this leg whose transaction is over. */
void invite_on_stray(struct leg *l, const struct sip_msg *resp);
/** Streams are set, or it takes too long: on with the answer. */
void invite_answer(struct call *c);
void invite_on_cancel(struct call *c, struct server_txn *invite, const struct sip_msg *cancel);

/** Wait for the callee as long as its peer says. */
void invite_ring(struct call *c);

/* redirect.c */
/** A 3xx of the callee. @return true: the call goes on, or was ended; false: pass it. */
bool redirect_follow(struct call *c, const struct sip_msg *resp);
/** A 503 of the callee: on to the next route's peer (RFC 3261 section 21.5.4). @return likewise. */
bool redirect_elsewhere(struct call *c);

/* reinvite.c */
void reinvite_on_request(struct leg *l, struct server_txn *txn, struct sip_msg *req);
void reinvite_on_response(struct call *c, struct sip_msg *resp);
/** As invite_answer(). */
void reinvite_answer(struct call *c);

/* bye.c */
void bye_on_request(struct leg *l, struct server_txn *txn, const struct sip_msg *req);
/** BYE this leg, now or when the ACK allows it. */
void bye_leg(struct leg *l);

/* trace.c */
/** A message of some transaction (txn_user.on_message). */
void trace_message(
	const struct b2bua *b, bool sent, const struct sip_msg *about, struct str_view text);
/** From its first message on. @param invite  NULL: it came from nobody. */
void call_trace_begin(struct call *c, const struct sip_msg *invite);
/** The leg has a dialog that was another call's. @param local  the box sent the INVITE of it. */
void leg_trace_take(const struct leg *l, bool local);
/** The call goes; its trace stays for a while. */
void call_trace_end(struct call *c);
/** What a leg sends without a transaction. */
void leg_trace_sent(
	const struct leg *l, enum sip_method method, uint32_t cseq, struct str_view text);

/* admit.c */
/** txn_user.on_admit. */
int admit_request(struct b2bua *b, const struct sip_msg *req, uint64_t key);
/** As far as the peer said: may this call (or other request outside of any dialog) go to it? Counts
 * it. */
bool admit_to_peer(const struct b2bua *b, unsigned int peer, const struct sip_msg *req);
/** The routes of this request one by one, whatever their peers want. @param after, from_peer, user
 * see route_find(). */
const struct config_route *admit_route_next(const struct b2bua *b, const struct sip_msg *req,
	const struct config_route *after, int from_peer, struct str_view user);
/**
 * The first route of this request whose peer takes it now.
 * @param from_peer, user  see route_find().
 * @param status  set when there is none: 404, or 503 if there is one whose peer does not.
 */
const struct config_route *admit_route(const struct b2bua *b, const struct sip_msg *req,
	int from_peer, struct str_view user, unsigned int *status);
/** txn_user.on_oc. */
void admit_hear(const struct b2bua *b, const struct sip_path *path, const struct sip_oc *oc);

/* cdr_record.c */
void cdr_write(struct call *c);
/** The media of a session that is about to go, for the CDR and `show`. */
void cdr_keep_media(struct call *c, const struct media_session *s);
const char *call_cause_name(enum call_cause cause);
const char *call_state_name(enum call_state s);

#endif
