/*
 * Inside control/b2bua: a call, its two legs, and the INVITE exchange under way
 * between them. A call and all that hangs on it is freed in one place, call_free(),
 * and only from the reaper's timer, so that no handler loses it under its feet.
 */
#ifndef SALLYPORT_B2BUA_PRIV_H
#define SALLYPORT_B2BUA_PRIV_H

/* uthash leaves what could not be added with hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "b2bua.h"
#include "media_session.h"
#include "sip_build.h"

#define LEG_TAG_LEN LANE_TOKEN_LEN /* a token of the lane for who gets it */
#define LEG_ROUTES_MAX 16	   /* Record-Route entries of a dialog */
#define LEG_TEXT_MAX 1024	   /* a URI or a name-addr that we keep */
#define LEG_TXNS_MAX 32		   /* INVITE transactions of one leg that still linger */
#define CALL_NAME_LEN 48
#define CALL_REASON_LEN 48
#define CALL_MEDIA_WAIT_MS 100	 /* answer goes on without the dataplane's word after that */
#define CALL_COUNTS_WAIT_MS 1000 /* CDR goes on without the counts after that */
#define RETRY_AFTER_S 10

struct call;
struct leg;

/* --- one client transaction of a leg --- */

struct leg_txn {
	struct leg *leg;
	struct client_txn *client;
	enum sip_method method;
	bool open; /* without its final answer; counted */
	struct leg_txn *prev, *next;
};

/* --- leg: one dialog (RFC 3261 section 12) --- */

enum leg_state {
	LEG_EARLY,     /* INVITE without its final answer */
	LEG_CONFIRMED, /* a dialog: it ends by BYE */
	LEG_GONE,
	LEG_STATE_COUNT
};

enum leg_side { SIDE_CALLER, SIDE_CALLEE, SIDE_COUNT };

struct leg {
	struct call *call;
	enum leg_side side;
	enum leg_state state;
	uint16_t realm; /* index */
	int peer;	/* index, or ROUTE_PEER_NONE */
	char local_tag[LEG_TAG_LEN + 1];
	char *call_id;
	char *remote_tag;    /* NULL: not known yet */
	char *local_name;    /* name-addr without tag: From of what we send */
	char *remote_name;   /* To of what we send */
	char *remote_target; /* URI: Contact of the far side */
	char *route[LEG_ROUTES_MAX];
	unsigned int n_routes;
	struct net_endpoint source; /* of the last message that made or refreshed the dialog */
	struct sip_path path;	    /* where our requests in the dialog go */
	uint32_t local_cseq;
	uint32_t remote_cseq; /* 0: none seen */
	bool ack_due;	      /* a 2xx came, its ACK has not been sent */
	bool bye_wanted;      /* BYE as soon as the ACK for our 2xx is here (section 15) */
	char *ack;	      /* last ACK sent, for repeated 2xx */
	size_t ack_len;
	uint32_t ack_cseq;
	struct leg_txn *txns;
	UT_hash_handle hh; /* b2bua.legs, by local_tag */
};

/* --- exchange: one INVITE or re-INVITE on its way through --- */

struct exchange {
	bool active;
	bool initial;	    /* the INVITE that made the call */
	bool delayed_offer; /* no SDP in the request: the ACK carries the answer */
	bool got_final;	    /* `to` has answered finally */
	bool answered;	    /* 2xx sent to `from`; waiting for its ACK */
	struct leg *from, *to;
	struct server_txn *server; /* NULL when over */
	struct client_txn *client; /* NULL when over */
	uint32_t server_cseq;
	uint32_t client_cseq;
	struct sip_msg *final; /* the 2xx of `to`, until it is passed on */
	char *body;	       /* SDP for `from`: last early or final answer */
	char *ok;	       /* the 2xx that we repeat until the ACK */
	size_t ok_len;
	struct timer timer; /* repetition of it */
	uint64_t ok_since_ms;
	uint32_t interval_ms;
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
	X(BAD_SDP, "bad_sdp") \
	X(MEDIA_TIMEOUT, "media_timeout") \
	X(MEDIA_REFUSED, "media_refused") \
	X(DIALOG_LOST, "dialog_lost") \
	X(SHUTDOWN, "shutdown") \
	X(INTERNAL, "internal")

#define CALL_CAUSE_ENUM_(id, name) CAUSE_##id,
enum call_cause { CALL_CAUSE_LIST(CALL_CAUSE_ENUM_) CAUSE_COUNT };
#undef CALL_CAUSE_ENUM_

struct call {
	struct b2bua *b;
	uint64_t id;
	char name[CALL_NAME_LEN];
	enum call_state state;
	struct leg leg[SIDE_COUNT];
	struct exchange ex;
	struct media_session *media; /* NULL: closed (or never there) */
	bool media_ending;
	bool admitted; /* in the limits, until both legs are gone */
	bool counted;  /* it was a call: has a CDR */
	bool recorded; /* its CDR is written */
	bool dead;     /* in b2bua.dead */
	json_t *media_report;
	struct timer timer;		     /* no answer; then streams being set; then counts */
	struct timer goes_on;		     /* armed while `credited` is in this call */
	struct net_endpoint credited;	     /* the caller as its ACK proved it */
	char *from, *to;		     /* caller's From URI and Request-URI, for people */
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
	struct leg *legs;
	struct call *dead; /* freed by the reaper */
	struct timer reaper;
	uint64_t last_id;
	bool draining;
	char sdp[SDP_LEN_MAX + 4096]; /* scratch: one SDP, one message */
	char msg[SIP_MSG_LEN_MAX];
};

/* b2bua.c */
extern const char b2bua_product[];     /* "Sallyport" */
extern const char b2bua_allow_value[]; /* methods that we take */
const struct config_realm *b2bua_realm(const struct b2bua *b, uint16_t realm);
/** First listener of the realm of this family; NULL: none. */
const struct net_endpoint *b2bua_listener(
	const struct b2bua *b, uint16_t realm, unsigned int family);
/** Final answer without a body, with Allow or Retry-After where the status wants it. */
void b2bua_reply(struct b2bua *b, struct server_txn *txn, unsigned int status);
/** The ACK to the 2xx of a call came from where its INVITE came from: the address is real. */
/** UTC milliseconds. */
int64_t b2bua_utc_ms(void);
/** Replace an owned string. @return 0 or -ENOMEM (the old one stays). */
int b2bua_str_set(char **dst, struct str_view text);

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
/** Count it in if it fits under the limits of both realms and peers. @return false: it does not. */
bool call_admit(struct call *c);
/** It has left: once only, further calls do nothing. */
void call_dismiss(struct call *c);

/* leg.c */
/**
 * Fresh tag, into the table.
 * @param to  where the tag goes: what comes from there with it is in the lane.
 * @return 0 or -ENOMEM.
 */
int leg_init(struct leg *l, struct call *c, enum leg_side side, uint16_t realm, int peer,
	const struct net_addr *to);
/** Detach transactions, out of the table, release all. */
void leg_fini(struct leg *l);
struct leg *leg_other(const struct leg *l);
void leg_set_state(struct leg *l, enum leg_state state);
/** The leg whose dialog this request belongs to; NULL: none. */
struct leg *leg_find(const struct b2bua *b, const struct sip_msg *req);
struct leg *leg_find_tag(const struct b2bua *b, struct str_view local_tag);
/** Caller's leg from its INVITE. @return 0, -ENOMEM or -EBADMSG. */
int leg_from_invite(struct leg *l, const struct sip_msg *req);
/** Take tag, routes and target from the 2xx to our INVITE. @return 0 or -ENOMEM. */
int leg_confirm(struct leg *l, const struct sip_msg *resp);
/** Contact and source of a target refresh (section 12.2). Bad ones change nothing. */
void leg_refresh(struct leg *l, const struct sip_msg *msg);

/* request.c */
/** Request line to CSeq, and Contact of INVITE; with a fresh branch. */
void leg_request_start(struct leg *l, struct sip_writer *w, enum sip_method method, uint32_t cseq);
/** Send what the writer holds in a client transaction of this leg. @return NULL on failure. */
struct client_txn *leg_request_send(struct leg *l, struct sip_writer *w, enum sip_method method);
/** Out of its leg and freed; its transaction is over or detached. */
void leg_txn_free(struct leg_txn *t);
/** ACK for the 2xx to our INVITE with this CSeq; kept for repetitions. */
void leg_send_ack(struct leg *l, uint32_t cseq, struct str_view sdp);
void leg_repeat_ack(struct leg *l);
void leg_send_bye(struct leg *l);
/** A 2xx of another fork: ACK and BYE it (section 13.2.2.4). */
void leg_refuse_fork(struct leg *l, const struct sip_msg *resp);

/* identity.c */
/** Caller's name and numbers as the callee's side shall see them; sets names, Request-URI and
 * addresses of both legs. @return 0, or the status that we owe. */
unsigned int identity_map(struct call *c, const struct sip_msg *req);
/** name-addr without parameters, its display name in quotes. @return 0, -EBADMSG, -ENOMEM. */
int identity_name_set(char **dst, struct str_view header);
/** The same with another host. @param uri_only  `header` is a URI alone, and so is what it becomes.
 */
int identity_name_map(
	char **dst, struct str_view header, const struct net_endpoint *host, bool uri_only);

/* headers.c */
/** Headers that may cross, from `in` on leg `from` towards leg `to`. */
void headers_cross(struct sip_writer *w, const struct sip_msg *in, const struct leg *from,
	const struct leg *to);
/** Reason of a BYE or CANCEL without its text: "Q.850;cause=16"; "" if none. */
void headers_reason(const struct sip_msg *msg, char out[CALL_REASON_LEN]);
/** Max-Forwards of a request that goes on: one less; 70 if there was none. */
unsigned int headers_max_forwards(const struct sip_msg *req);

enum body_kind { BODY_NONE, BODY_SDP, BODY_OTHER };
enum body_kind headers_body(const struct sip_msg *m, struct str_view *sdp);

/* exchange.c: what INVITE and re-INVITE have in common */
/** Begin: `server` is the request from `from`. */
void exchange_start(
	struct call *c, struct leg *from, struct server_txn *server, const struct sip_msg *req);
/** Offer or its absence to `to`. @return 0, or the status that we owe `from`. */
unsigned int exchange_send(struct call *c, const struct sip_msg *req);
/** Response to `from`, with Contact, crossing headers of `in` (NULL: none) and SDP. */
void exchange_respond(
	struct call *c, unsigned int status, const struct sip_msg *in, struct str_view sdp);
/** The 2xx of `to` goes on to `from`; repeated until the ACK. */
void exchange_accept(struct call *c);
/** Final failure to `from`; the exchange is over. */
void exchange_fail(struct call *c, unsigned int status, const struct sip_msg *in);
/** The call ends in the middle of it. */
void exchange_abort(struct call *c, unsigned int status);
void exchange_over(struct call *c);
void exchange_on_ack(struct leg *l, const struct sip_msg *ack);
/** SDP of `to`'s answer or late offer becomes ex->body. @return 0 or negative errno. */
int exchange_take_sdp(struct call *c, const struct sip_msg *resp);
/** What a media error means to the peer that sent the SDP. */
unsigned int exchange_sdp_status(int error);

/* invite.c */
void invite_on_request(struct b2bua *b, struct server_txn *txn, struct sip_msg *req);
void invite_on_response(struct leg *l, struct client_txn *txn, struct sip_msg *resp);
/** @param txn  NULL is none; `error` as of client_txn_user.on_end. */
void invite_on_end(struct leg *l, struct client_txn *txn, int error);
/** Streams are set, or it takes too long: on with the answer. */
void invite_answer(struct call *c);
void invite_on_cancel(struct call *c, struct server_txn *invite, const struct sip_msg *cancel);

/* reinvite.c */
void reinvite_on_request(struct leg *l, struct server_txn *txn, struct sip_msg *req);
void reinvite_on_response(struct call *c, struct sip_msg *resp);
/** As invite_answer(). */
void reinvite_answer(struct call *c);

/* bye.c */
void bye_on_request(struct leg *l, struct server_txn *txn, const struct sip_msg *req);
/** BYE this leg, now or when the ACK allows it. */
void bye_leg(struct leg *l);

/* cdr_record.c */
void cdr_write(struct call *c);
const char *call_state_name(enum call_state s);

#endif
