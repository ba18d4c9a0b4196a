/*
 * SIP transactions (RFC 3261 section 17, RFC 6026), one layer a shard. Below: a
 * send function. Above: the transaction user (the B2BUA). One thread, no locks,
 * the clock comes from struct timers.
 */
#ifndef SALLYPORT_CONTROL_TRANSACTION_H
#define SALLYPORT_CONTROL_TRANSACTION_H

#include "lane.h"
#include "sip_msg.h"
#include "sip_oc.h"
#include "timers.h"

/* RFC 3261 section 17.1.1.1 and table 4, milliseconds. */
#define SIP_T1_MS 500
#define SIP_T2_MS 4000
#define SIP_T4_MS 5000

#define TXN_BUSY (-1) /* what on_admit() may return */

struct txn_layer;
struct server_txn;
struct client_txn;

/** Send one datagram. @return 0 or negative errno (ring full, no such realm): a transport error. */
typedef int (*txn_send_fn)(void *ctx, const struct sip_path *path, struct str_view msg);

/**
 * Callbacks of the transaction user. They may call anything here but txn_layer_free(), and may
 * respond to, cancel or detach any transaction: one ends only in timers_run(). Messages are
 * borrowed for the call; take a reference to keep one.
 */
struct txn_user {
	/**
	 * A new request that passed sip_validate() and started a server transaction (never ACK,
	 * never CANCEL). The user owes it a final response by server_txn_respond(), now or later.
	 * For INVITE the layer has not sent 100 yet; it does by itself after 200 ms
	 * (section 17.2.1).
	 */
	void (*on_request)(void *ctx, struct server_txn *txn, struct sip_msg *req);
	/** An ACK that matches no INVITE server transaction's non-2xx answer: it acknowledges a
	 * 2xx. */
	void (*on_ack)(void *ctx, struct sip_msg *ack);
	/** CANCEL for this INVITE transaction, already answered 200; the user answers the INVITE
	 * (487). */
	void (*on_cancel)(void *ctx, struct server_txn *invite, struct sip_msg *cancel);
	/**
	 * The server transaction is over: `error` 0; -ETIMEDOUT: no ACK came for a non-2xx (timer
	 * H); -EIO: sending failed. The pointer is invalid afterwards; clear what could reach it.
	 */
	void (*on_server_end)(void *ctx, struct server_txn *txn, int error);
	/** A response that matches no client transaction: a 2xx to INVITE may be a retransmission.
	 */
	void (*on_stray_response)(void *ctx, struct sip_msg *resp);
	/**
	 * A request outside of any dialog got its final answer, from the user or the layer; status
	 * 0: it was too faulty to be answered. Not for ACK and CANCEL. May be NULL.
	 */
	void (*on_answered)(void *ctx, const struct sip_msg *req, unsigned int status);
	/**
	 * The refusal of an INVITE outside of any dialog has arrived: the ACK brought our tag back,
	 * from the source of the INVITE, which was not forged. May be NULL.
	 */
	void (*on_refusal_acked)(void *ctx, const struct sip_msg *req, unsigned int status);
	/**
	 * A request outside of any dialog that could be read, before it costs anything. Not for
	 * ACK and CANCEL. May be NULL: all are taken.
	 * @param key  of the request, the same when it comes again; nobody else's to choose.
	 * @return 0: take it; else it is refused without state: 503 with this Retry-After in
	 * seconds, or with none if it is TXN_BUSY. on_answered() does not hear of that.
	 */
	int (*on_admit)(void *ctx, const struct sip_msg *req, uint64_t key);
	/** The server of this request says how much it wants (RFC 7339). May be NULL. */
	void (*on_oc)(void *ctx, const struct sip_path *path, const struct sip_oc *oc);
	/**
	 * Every message of every transaction, as it comes in and as it goes out, retransmissions
	 * too.
	 * @param about  what came in; or the request that goes out, is acknowledged or answered.
	 * May be NULL.
	 */
	void (*on_message)(void *ctx, bool sent, const struct sip_msg *about, struct str_view text);
	void *ctx;
	uint64_t lane[2]; /* key of the tags that the layer makes (lane.h) */
};

/** Responses and the end of one client transaction. */
struct client_txn_user {
	/** Every 1xx and the final one; of INVITE also each 2xx again while Accepted lasts (RFC
	 * 6026). */
	void (*on_response)(void *ctx, struct client_txn *txn, struct sip_msg *resp);
	/**
	 * The transaction is over. error 0: it had its final response; -ETIMEDOUT: timer B or F;
	 * -EIO: sending failed. Called exactly once; the pointer is invalid afterwards.
	 */
	void (*on_end)(void *ctx, struct client_txn *txn, int error);
	void *ctx;
};

struct txn_stats {
	uint64_t requests_in, responses_in;
	uint64_t requests_out, responses_out; /* first transmissions */
	uint64_t retransmits_in;	      /* absorbed */
	uint64_t retransmits_out;	      /* by timers A, E, G and repeated answers */
	uint64_t timeouts;		      /* timers B, F, H */
	uint64_t refused; /* answered by the layer: 400, 416, 420, 482, 483 ... */
	uint64_t ignored; /* no match and no answer owed */
	uint64_t send_errors;
	uint64_t answers_reduced;  /* made smaller for a source that may be forged */
	uint64_t answers_withheld; /* not sent: larger than what was received */
	uint64_t servers, clients; /* alive now */
};

enum txn_kind { TXN_SERVER, TXN_CLIENT, TXN_KIND_COUNT };

/** Of RFC 3261 section 17 and RFC 6026. Trying is Calling in an INVITE client transaction. */
enum txn_state {
	TXN_TRYING,
	TXN_PROCEEDING,
	TXN_COMPLETED,
	TXN_CONFIRMED, /* of a server */
	TXN_ACCEPTED,  /* of INVITE */
	TXN_TERMINATED,
	TXN_STATE_COUNT
};

/** The transactions that are alive. */
struct txn_census {
	uint32_t alive[TXN_KIND_COUNT][SIP_METHOD_COUNT][TXN_STATE_COUNT];
	struct {
		uint64_t age_ms;
		enum sip_method method;
		enum txn_state state;
	} oldest[TXN_KIND_COUNT];	    /* SIP_METHOD_NONE: there is none */
	uint64_t lingering[TXN_KIND_COUNT]; /* of those: answered, they absorb what comes late */
	uint64_t room, linger_room; /* of each kind, as many as there may be open; lingering */
};

/**
 * @param timers  the shard's; outlives the layer.
 * @param user    copied.
 * @return the layer, or NULL (out of memory). Caller frees with txn_layer_free().
 */
struct txn_layer *txn_layer_new(
	struct timers *timers, txn_send_fn send, void *send_ctx, const struct txn_user *user);
/** Ends all transactions without callbacks. Not from inside one. */
void txn_layer_free(struct txn_layer *l);
const struct txn_stats *txn_layer_stats(const struct txn_layer *l);
/** Costs the same however many there are. */
void txn_layer_census(const struct txn_layer *l, struct txn_census *out);
/** "trying", "proceeding" ... */
const char *txn_state_name(enum txn_state state);

/**
 * Hand in one received message (borrowed). Matches it (section 17.1.3, 17.2.3), absorbs
 * retransmissions, answers what is wrong with it by itself: scan error or sip_validate() gives
 * 400, 416, 420, 483 ... statelessly; a CANCEL without its INVITE gets 481.
 */
void txn_receive(struct txn_layer *l, struct sip_msg *msg);

/** Characters that tell requests apart in txn_answer_tag(), 40 bits (section 19.3 wants 32), and
 * the most that it has. */
#define TXN_TAG_OWN_LEN 8
#define TXN_TAG_LEN (LANE_TOKEN_LEN + TXN_TAG_OWN_LEN)

/**
 * To tag for an answer that makes no dialog: the same each time for the same request (section
 * 8.2.7) and unguessable. That of an INVITE, whose ACK brings it back, is in the dialog lane for
 * its source: all such tags of one source carry one nonce, so that collecting refusals opens the
 * lane no wider than one dialog does. Those of others come back from nowhere, and are short, so
 * that the answer may be sent to a source that may be forged.
 * @param tag  set; NUL terminated.
 * @return a view of it.
 */
struct str_view txn_answer_tag(
	const struct txn_layer *l, const struct sip_msg *req, char tag[TXN_TAG_LEN + 1]);

/**
 * An INVITE has gone on to somebody: from now on its 18x, 2xx, 401 and 407 may be larger than it.
 * Until then the answers to a source that may be forged (sip_msg.unproven) are together no larger
 * than what it sent; other refusals, and 100, never are, and its refusals are retransmitted by
 * timer G only once passed on, and while they are together no larger.
 */
void server_txn_passed_on(struct server_txn *t);

/** The request that began it; borrowed until the transaction is over or detached, or, if it is no
 * INVITE, until whoever gave it its final answer has returned to the layer. */
struct sip_msg *server_txn_request(const struct server_txn *t);
void server_txn_set_data(struct server_txn *t, void *data);
void *server_txn_data(const struct server_txn *t);

/**
 * Send a response (whole message, copied for retransmission). Status is read from it.
 * After a 2xx to INVITE the transaction is Accepted (RFC 6026): it absorbs INVITE retransmissions,
 * and the user retransmits the 2xx itself until the ACK (section 13.3.1.4), by calling this again.
 * @return 0; -EINVAL: not allowed in this state, or no response; -EIO: sending failed. After -EIO
 * the transaction goes on (RFC 6026 section 7.1): a retransmission may still bring the response
 *         over, and if none does on_server_end() says -EIO.
 */
int server_txn_respond(struct server_txn *t, struct str_view response);

/** How often an 18x that nobody has acknowledged is repeated to a source that may be forged: with
 * one message of twenty lost, one call of ten thousand fails for it. */
#define TXN_UNPROVEN_REPEATS 3

/**
 * A reliable 18x again (RFC 3262 section 3). To a source that may be forged not more than
 * TXN_UNPROVEN_REPEATS times; then it is withheld, and counted.
 * @param n  how often it was repeated before. @return as server_txn_respond().
 */
int server_txn_repeat(struct server_txn *t, struct str_view response, unsigned int n);

/**
 * Respond with a status and no body (sip_response_start with `to_tag`, Content-Length: 0).
 * @param extra  further header lines "Name: value\r\n" of our own making, or an empty view.
 */
int server_txn_reply(
	struct server_txn *t, unsigned int status, struct str_view to_tag, struct str_view extra);

/**
 * Start a client transaction (not for ACK). The message's topmost Via carries a branch that the
 * caller made by sip_lane_token() behind "z9hG4bK"; the layer keys by it and the CSeq method.
 *
 * @param request  whole message; copied.
 * @param user     copied.
 * @return the transaction; NULL when out of memory or the request cannot be read. A failing first
 *         send is reported by on_end later, never from inside this call.
 */
struct client_txn *client_txn_new(struct txn_layer *l, const struct sip_path *path,
	struct str_view request, const struct client_txn_user *user);

/**
 * Cancel an INVITE (section 9.1): sends CANCEL as soon as a provisional response is there. The
 * INVITE's final answer still comes by on_response; none within 64*T1 of the CANCEL ends it
 * with -ETIMEDOUT.
 * @return 0, or -EINVAL if it is no INVITE or has its final response.
 */
int client_txn_cancel(struct client_txn *t);

/**
 * Stop callbacks for this transaction (its owner goes away); the transaction finishes by itself.
 * A client INVITE without its final response is cancelled, and a 2xx to it that comes all the same
 * goes to on_stray_response(). A server transaction without its final response sends 500.
 */
void client_txn_detach(struct client_txn *t);
void server_txn_detach(struct server_txn *t);

#endif
