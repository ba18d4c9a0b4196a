/*
 * Asking every shard the same question and answering one request when all are back.
 */
#ifndef SALLYPORT_CONTROL_COLLECT_H
#define SALLYPORT_CONTROL_COLLECT_H

#include "control.h"

#define COLLECT_TIMEOUT_MS 2000

/** In a shard's thread. @return new reference or NULL. */
typedef json_t *(*collect_ask_fn)(struct shard *s, const char *text, unsigned int number);

/** In the main thread. @param results  n of them, borrowed, each may be NULL. Owes the answer. */
typedef void (*collect_answer_fn)(struct control *c, struct rpc_call *call, json_t *const *results,
	unsigned int n, unsigned int number);

/**
 * Ask all shards; answers the call itself when one is late or memory is short.
 * @param text, number  handed to `ask`, number to `answer` too; text is copied, may be NULL.
 */
void collect(struct control *c, struct rpc_call *call, collect_ask_fn ask, collect_answer_fn answer,
	const char *text, unsigned int number);

#endif
