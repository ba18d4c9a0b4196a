/*
 * A transaction layer in a glass: a virtual clock, what it sent and told its user,
 * each with its time, and short ways to make messages.
 */
#ifndef SALLYPORT_TESTS_WORLD_H
#define SALLYPORT_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "sip_build.h"
#include "transaction.h"

#define WORLD_SENT_MAX 64
#define WORLD_EVENTS_MAX 128
#define WORLD_TEXT_MAX 65536

enum event_kind {
	SAW_REQUEST,
	SAW_ACK,
	SAW_CANCEL,
	SAW_SERVER_END,
	SAW_STRAY,
	SAW_RESPONSE,
	SAW_CLIENT_END,
};

struct world {
	struct timers timers;
	struct txn_layer *layer;
	struct {
		uint64_t at;
		struct sip_path path;
		size_t len;
		char text[WORLD_TEXT_MAX];
	} sent[WORLD_SENT_MAX];
	unsigned int n_sent;
	struct {
		uint64_t at;
		enum event_kind kind;
		int value; /* status or error */
	} events[WORLD_EVENTS_MAX];
	unsigned int n_events;
	bool send_fails;
	bool unproven;		   /* what is fed may come from a forged source */
	struct server_txn *server; /* last one told of; NULL after its end */
	/* Called inside the callbacks, if set. */
	void (*hook)(struct world *w, enum event_kind kind, void *txn);
};

/* NULL fields have defaults. */
struct request {
	const char *method; /* INVITE */
	const char *uri;
	const char *branch;
	const char *sent_by;
	const char *via_params; /* ";rport" */
	const char *from_tag;
	const char *to_tag; /* none */
	const char *call_id;
	const char *extra; /* header lines */
	unsigned int cseq; /* 0: 1 */
};

void world_init(struct world *w);
void world_fini(struct world *w);
/** To this instant, each timer exactly when it is due. */
void world_run(struct world *w, uint64_t until_ms);
/** Hand in bytes from 192.0.2.1:5070. */
void world_feed_text(struct world *w, struct str_view text);
void world_feed(struct world *w, const struct request *r);
/** The peer answers what was sent as sent[i]. */
void world_answer(struct world *w, unsigned int i, unsigned int status, const char *to_tag);
/** Write a request. @return its length. */
size_t world_request(char *buf, size_t cap, const struct request *r);
/** Start a client transaction, its callbacks recorded. */
struct client_txn *world_call(struct world *w, const struct request *r);

/** Status of sent[i]; 0 for a request. Fails the test if it does not scan clean. */
unsigned int world_sent_status(const struct world *w, unsigned int i);
/** Method of sent[i] (of the CSeq in a response). */
enum sip_method world_sent_method(const struct world *w, unsigned int i);
/** sent[i] has this text in it. */
bool world_sent_has(const struct world *w, unsigned int i, const char *text);
/** Value of a header of sent[i]; a view into it. */
struct str_view world_sent_header(const struct world *w, unsigned int i, enum sip_header_id id);

/** Exactly these instants were sent at, from sent[first] to the last. */
void world_expect_sent(
	const struct world *w, unsigned int first, const uint64_t *at, unsigned int n);
#define EXPECT_SENT(w, first, ...) \
	world_expect_sent((w), (first), (const uint64_t[]){__VA_ARGS__}, \
		ARRAY_LEN(((const uint64_t[]){__VA_ARGS__})))
void world_expect_event(
	const struct world *w, unsigned int i, uint64_t at, enum event_kind kind, int value);

#endif
