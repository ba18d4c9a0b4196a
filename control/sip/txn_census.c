/* Which transactions are alive, for people: counted as they come, change and go. */
#include "txn_priv.h"

static void note_oldest(const struct txn_layer *l, uint64_t since_ms, unsigned int state,
	unsigned int method, enum txn_kind kind, struct txn_census *out)
{
	uint64_t now = l->timers->now_ms;

	out->oldest[kind].age_ms = now > since_ms ? now - since_ms : 0;
	out->oldest[kind].method = method;
	out->oldest[kind].state = state;
}

void txn_layer_census(const struct txn_layer *l, struct txn_census *out)
{
	const struct server_txn *s = l->servers;
	const struct client_txn *c = l->clients;

	*out = (struct txn_census){.room = l->max, .linger_room = l->linger_max};
	for (unsigned int kind = 0; kind < TXN_KIND_COUNT; kind++)
		out->lingering[kind] = l->lingering[kind];
	memcpy(out->alive, l->alive, sizeof(out->alive));
	/* They stand as they came: the first is the oldest. */
	if (s != NULL)
		note_oldest(l, s->since_ms, s->state, s->method, TXN_SERVER, out);
	if (c != NULL)
		note_oldest(l, c->since_ms, c->state, c->method, TXN_CLIENT, out);
}

const char *txn_state_name(enum txn_state state)
{
	static const char *const names[TXN_STATE_COUNT] = {
		[TXN_TRYING] = "trying",
		[TXN_PROCEEDING] = "proceeding",
		[TXN_COMPLETED] = "completed",
		[TXN_CONFIRMED] = "confirmed",
		[TXN_ACCEPTED] = "accepted",
		[TXN_TERMINATED] = "terminated",
	};

	return names[state];
}
