#include "transactions.h"

#include "collect.h"
#include "shard.h"

static const char *const kind_names[TXN_KIND_COUNT] = {
	[TXN_SERVER] = "server",
	[TXN_CLIENT] = "client",
};

static const char *method_name(unsigned int method)
{
	return method == SIP_METHOD_OTHER ? "other" : sip_method_name(method);
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* One kind and method: how many are in each state; NULL where there are none. */
static json_t *row_json(const struct txn_census *census, enum txn_kind kind, unsigned int method)
{
	const uint32_t *alive = census->alive[kind][method];
	uint64_t total = 0;
	json_t *row;

	for (unsigned int s = 0; s < TXN_STATE_COUNT; s++)
		total += alive[s];
	if (total == 0)
		return NULL;
	row = json_pack("{s:s, s:s, s:o}", "kind", kind_names[kind], "method", method_name(method),
		"total", number(total));
	for (unsigned int s = 0; s < TXN_STATE_COUNT; s++)
		json_object_set_new(row, txn_state_name(s), number(alive[s]));
	return row;
}

static json_t *rows_json(const struct txn_census *census)
{
	json_t *rows = json_array(), *row;

	for (unsigned int kind = 0; kind < TXN_KIND_COUNT; kind++)
		for (unsigned int method = 0; method < SIP_METHOD_COUNT; method++)
			if ((row = row_json(census, kind, method)) != NULL)
				json_array_append_new(rows, row);
	return rows;
}

static json_t *oldest_json(const struct txn_census *census)
{
	json_t *list = json_array();

	for (unsigned int kind = 0; kind < TXN_KIND_COUNT; kind++)
		if (census->oldest[kind].method != SIP_METHOD_NONE)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:o}", "kind", kind_names[kind],
					      "method", method_name(census->oldest[kind].method),
					      "state", txn_state_name(census->oldest[kind].state),
					      "age_ms", number(census->oldest[kind].age_ms)));
	return list;
}

static json_t *ask(struct shard *s, const char *text, unsigned int n)
{
	const struct txn_layer *l = b2bua_txn_layer(shard_b2bua(s));
	const struct txn_stats *t = txn_layer_stats(l);
	struct txn_census census;

	txn_layer_census(l, &census);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "room",
		number(census.room), "servers", number(t->servers), "clients", number(t->clients),
		"lingering_room", number(census.linger_room), "lingering_servers",
		number(census.lingering[TXN_SERVER]), "lingering_clients",
		number(census.lingering[TXN_CLIENT]), "retransmits_in", number(t->retransmits_in),
		"retransmits_out", number(t->retransmits_out), "timeouts", number(t->timeouts),
		"refused", number(t->refused), "oldest", oldest_json(&census), "transactions",
		rows_json(&census));
}

static void answer(struct control *c, struct rpc_call *call, json_t *const *results, unsigned int n,
	unsigned int unused)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < n; i++) {
		if (results[i] == NULL)
			continue;
		json_object_set_new(results[i], "shard", number(i));
		json_array_append(list, results[i]);
	}
	rpc_result(call, json_pack("{s:o}", "shards", list));
}

void transactions_request(void *ctx, struct rpc_call *call, const json_t *params)
{
	collect(ctx, call, ask, answer, NULL, 0);
}
