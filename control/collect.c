#include "collect.h"

struct collection {
	struct control *control;
	struct rpc_call *call; /* NULL: answered */
	struct event *deadline;
	collect_ask_fn ask;
	collect_answer_fn answer;
	char text[256];
	bool has_text;
	unsigned int number;
	unsigned int waiting; /* shards that were asked and are not back */
	json_t *results[API_SHARDS_MAX];
};

struct part {
	struct collection *collection;
	unsigned int shard;
	json_t *result;
};

static void collection_free(struct collection *q)
{
	for (unsigned int i = 0; i < API_SHARDS_MAX; i++)
		json_decref(q->results[i]);
	if (q->deadline != NULL)
		event_free(q->deadline);
	free(q);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	struct collection *q = ctx;

	/* The collection stays until its shards are back: they hold pointers to it. */
	rpc_fail(q->call, RPC_REFUSED, "a shard did not answer within %d ms", COLLECT_TIMEOUT_MS);
	q->call = NULL;
}

static void finish(struct collection *q)
{
	struct control *c = q->control;

	/* While the program ends its last mail comes without a control socket. */
	if (q->call != NULL && c->rpc == NULL)
		rpc_fail(q->call, RPC_REFUSED, "sallyport-control is stopping");
	else if (q->call != NULL)
		q->answer(c, q->call, q->results, c->n_shards, q->number);
	collection_free(q);
}

/* Main thread. */
static void do_return(void *owner, void *arg)
{
	struct part *p = arg;
	struct collection *q = p->collection;

	q->results[p->shard] = p->result;
	free(p);
	if (--q->waiting == 0)
		finish(q);
}

/* Shard thread. */
static void do_ask(void *owner, void *arg)
{
	struct part *p = arg;
	struct collection *q = p->collection;

	p->result = q->ask(owner, q->has_text ? q->text : NULL, q->number);
	/* Without memory for the way back the deadline answers, and the collection is lost. */
	if (mailbox_post(&q->control->main, do_return, p) < 0) {
		json_decref(p->result);
		free(p);
	}
}

static void ask_all(struct collection *q)
{
	struct control *c = q->control;

	q->waiting = 1; /* ours, so that a quick shard does not finish it under us */
	for (unsigned int i = 0; i < c->n_shards; i++) {
		struct part *p = calloc(1, sizeof(*p));

		if (p == NULL)
			continue;
		p->collection = q;
		p->shard = i;
		q->waiting++;
		if (shard_post(c->shards[i], do_ask, p) < 0) {
			q->waiting--;
			free(p);
		}
	}
	if (--q->waiting == 0)
		finish(q);
}

void collect(struct control *c, struct rpc_call *call, collect_ask_fn ask, collect_answer_fn answer,
	const char *text, unsigned int number)
{
	const struct timeval tv = {.tv_sec = COLLECT_TIMEOUT_MS / 1000};
	struct collection *q = calloc(1, sizeof(*q));

	if (q != NULL)
		q->deadline = evtimer_new(c->base, on_deadline, q);
	if (q == NULL || q->deadline == NULL || evtimer_add(q->deadline, &tv) < 0) {
		if (q != NULL)
			collection_free(q);
		rpc_fail(call, RPC_INTERNAL, "out of memory");
		return;
	}
	q->control = c;
	q->call = call;
	q->ask = ask;
	q->answer = answer;
	q->has_text = text != NULL;
	snprintf(q->text, sizeof(q->text), "%s", text != NULL ? text : "");
	q->number = number;
	ask_all(q);
}
