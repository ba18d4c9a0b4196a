/*
 * Inside of the transaction layer: the two kinds of transactions, their tables and
 * what the files of this folder share.
 *
 * A transaction ends only in its `end` timer: send errors and detached owners arm it with 0 ms.
 * So nothing is freed below a callback of txn_receive() or of the user's calls, and a pointer
 * stays good until timers_run() has called its end.
 */
#ifndef SALLYPORT_CONTROL_TXN_PRIV_H
#define SALLYPORT_CONTROL_TXN_PRIV_H

#include <utlist.h>

#include "sip_build.h"
#include "transaction.h"
#include "txn_table.h"

/* Transactions of each kind and layer that are not answered. Beyond it: 503, and NULL from
 * client_txn_new(). */
#define TXN_MAX 200000
/* Those that only absorb what comes late. A call leaves two servers for 32 s each: this is for
 * 14,000 calls a second and shard, half as many from sources that may be forged. They take 0.4 KiB
 * of an acknowledged INVITE and 0.9 KiB of a BYE with its answer, 0.65 GiB when all are in use, and
 * the tables that find them 64 MiB each. */
#define TXN_LINGER_MAX 1000000

/* Longest request served: its copied headers, written out in full, still fit into a response. */
#define TXN_REQUEST_LEN_MAX 63000

#define TXN_TIMEOUT_MS (64 * SIP_T1_MS) /* timers B, F, H, J, L, M; D: "at least 32 s" */
/* An unproven source's refusal is kept only so long: its retransmissions are refused anew. A flood
 * of 10,000 a second holds 50,000 transactions then, not 320,000. */
#define TXN_UNPROVEN_MS SIP_T4_MS
#define TXN_RETRY_S 10	  /* Retry-After where there is no room */
#define TXN_TRYING_MS 200 /* section 17.2.1: 100 by the layer after that */

/* Option tags that the box supports in Require. */
#define TXN_SUPPORTED SV("100rel, timer, replaces, join, norefersub, eventlist")

enum server_state {
	SERVER_TRYING = TXN_TRYING, /* of non-INVITE */
	SERVER_PROCEEDING = TXN_PROCEEDING,
	SERVER_COMPLETED = TXN_COMPLETED,
	SERVER_CONFIRMED = TXN_CONFIRMED,
	SERVER_ACCEPTED = TXN_ACCEPTED, /* RFC 6026 */
	SERVER_TERMINATED = TXN_TERMINATED,
	SERVER_STATE_COUNT
};

enum client_state {
	CLIENT_TRYING = TXN_TRYING, /* of INVITE: Calling */
	CLIENT_PROCEEDING = TXN_PROCEEDING,
	CLIENT_COMPLETED = TXN_COMPLETED,
	CLIENT_ACCEPTED = TXN_ACCEPTED, /* RFC 6026 */
	CLIENT_TERMINATED = TXN_TERMINATED,
	CLIENT_STATE_COUNT
};

struct server_txn {
	struct txn_key key;
	struct txn_key merge_key;	/* of requests without To tag, section 8.2.2.2 */
	struct server_txn *prev, *next; /* in txn_layer.servers */
	struct txn_layer *layer;
	struct sip_msg *request;	  /* NULL: accepted and detached, or answered otherwise */
	struct server_txn *next_answered; /* in txn_layer.answered */
	struct sip_path path;		  /* of the answers */
	char *response;			  /* the last one sent, or NULL */
	size_t response_len;
	void *data;
	struct timer retransmit; /* G; before the first response: 100 Trying */
	struct timer end;	 /* H, I, J, L */
	uint64_t interval_ms;	 /* of timer G */
	uint64_t since_ms;	 /* when it began */
	uint64_t request_len;
	uint64_t bytes_in;	/* of the request and its retransmissions */
	uint64_t bytes_out;	/* of the answers */
	uint64_t refusal_bytes; /* of those with a status of 300 and more */
	int send_error;		/* of the last send, told when `end` fires */
	uint8_t method;		/* enum sip_method */
	uint8_t state;		/* enum server_state */
	bool timed_out;		/* `end` is timer H */
	bool invite;
	bool unproven;	/* its source may be forged */
	bool passed_on; /* somebody behind us has it */
	bool detached;	/* no callbacks; CANCEL's own transaction too */
	bool in_table;
	bool in_merges;
};

struct client_txn {
	struct txn_key key;
	struct client_txn *prev, *next; /* in txn_layer.clients */
	struct txn_layer *layer;
	struct sip_msg *request; /* NULL when nobody can want it any more */
	struct client_txn_user user;
	struct timer retransmit; /* A, E */
	struct timer end;	 /* B, D, F, K, M, and the wait after CANCEL */
	uint64_t interval_ms;	 /* of timers A, E */
	uint64_t since_ms;	 /* when it began */
	int end_error;		 /* told when `end` fires */
	uint8_t method;		 /* enum sip_method */
	uint8_t state;		 /* enum client_state */
	bool invite;
	bool detached;
	bool cancel; /* asked for */
	bool in_table;
};

struct txn_layer {
	struct timers *timers;
	txn_send_fn send;
	void *send_ctx;
	struct txn_user user;
	struct txn_stats stats;
	uint32_t lingering[TXN_KIND_COUNT]; /* of those alive: txn_lingers() */
	uint32_t alive[TXN_KIND_COUNT][SIP_METHOD_COUNT][TXN_STATE_COUNT];
	struct txn_secret secret;
	struct txn_table server_table, client_table;
	struct txn_table merges;    /* by the key that one request has on several ways */
	struct server_txn *servers; /* as they came */
	struct client_txn *clients;
	struct server_txn *answered;	   /* whose requests go before the next message */
	size_t max;			   /* TXN_MAX; tests lower it */
	size_t linger_max;		   /* TXN_LINGER_MAX, likewise */
	char scratch[SIP_MSG_LEN_MAX + 1]; /* a message under construction */
	char reduced[SIP_MSG_LEN_MAX + 1]; /* an answer made to fit */
};

/** All paths are UDP now. Over a reliable transport timers A, E, G stay off and D, I, J, K are 0.
 */
static inline bool txn_reliable(const struct sip_path *path)
{
	return false;
}

/** Length of a wait that only absorbs retransmissions. */
static inline uint64_t txn_linger_ms(const struct sip_path *path, uint64_t ms)
{
	return txn_reliable(path) ? 0 : ms;
}

/** Has it had its final answer, and is there for retransmissions alone? A refused INVITE still
 * waits for its ACK. */
static inline bool txn_lingers(enum txn_kind kind, unsigned int method, unsigned int state)
{
	return state == TXN_ACCEPTED || state == TXN_CONFIRMED ||
	       (state == TXN_COMPLETED && (kind == TXN_CLIENT || method != SIP_INVITE));
}

/** A transaction comes (from TXN_STATE_COUNT), goes (to it), or changes its state. */
static inline void txn_count_state(struct txn_layer *l, enum txn_kind kind, unsigned int method,
	unsigned int from, unsigned int to)
{
	if (from < TXN_STATE_COUNT) {
		l->alive[kind][method][from]--;
		l->lingering[kind] -= txn_lingers(kind, method, from);
	}
	if (to < TXN_STATE_COUNT) {
		l->alive[kind][method][to]++;
		l->lingering[kind] += txn_lingers(kind, method, to);
	}
}

/** Tell the user how a request fared, if it is one that makes or needs no dialog. */
void txn_answered(struct txn_layer *l, const struct sip_msg *req, unsigned int status);

/** Send and count. @param about  the request that it is, acknowledges or answers.
 * @return 0 or -EIO. */
int txn_send(struct txn_layer *l, const struct sip_msg *about, const struct sip_path *path,
	struct str_view msg);

/* --- server_transaction.c --- */

/**
 * Start one for a request with this key; NULL when out of memory.
 * @param merge_key  of a request without To tag; else NULL. @param internal  no callbacks.
 */
struct server_txn *server_txn_new(struct txn_layer *l, struct sip_msg *req,
	const struct txn_key *key, const struct txn_key *merge_key, bool internal);
/** Without a callback. */
void server_txn_free(struct server_txn *t);
struct server_txn *server_txn_find(struct txn_layer *l, const struct txn_key *key);
/** The request again. */
void server_txn_retransmitted(struct server_txn *t, struct sip_msg *req);
/** Forget the requests of those that have their final answer. No user may be at work. */
void server_txns_forget_requests(struct txn_layer *l);
/** @return false if it acknowledges nothing here, so that it may be one for a 2xx. */
bool server_txn_acknowledged(struct server_txn *t, const struct sip_msg *ack);
/** A request with this merge key is being served. */
bool server_txn_is_merged(struct txn_layer *l, const struct txn_key *merge_key);
/** To tag of the last response; empty before it. */
struct str_view server_txn_to_tag(const struct server_txn *t);

/* --- client_transaction.c --- */

struct client_txn *client_txn_find(struct txn_layer *l, const struct txn_key *key);
/** A response to it. @return false if the user of the layer shall have it as a stray one. */
bool client_txn_responded(struct client_txn *t, struct sip_msg *resp);
/** Without a callback. */
void client_txn_free(struct client_txn *t);

/* --- client_request.c: requests that a client transaction makes from its own --- */

/** ACK for a non-2xx final answer (section 17.1.1.3). */
struct str_view client_ack_build(
	struct txn_layer *l, const struct sip_msg *request, const struct sip_msg *resp);
/** CANCEL (section 9.1). @return in l->scratch; p NULL when it does not fit. */
struct str_view client_cancel_build(struct txn_layer *l, const struct sip_msg *request);

#endif
