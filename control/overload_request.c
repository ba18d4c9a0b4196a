#include "overload_request.h"

#include "collect.h"
#include "shard.h"

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* Peers that have a say, of this shard. */
static json_t *peers_json(struct shard *s, const struct config *config)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < config->n_peers; i++) {
		const struct config_peer *p = &config->peers[i];
		struct peer_overload_state state;

		if (!p->overload_control)
			continue;
		state = shard_peer_overload(s, i);
		json_array_append_new(
			list, json_pack("{s:s, s:b, s:s, s:I, s:o}", "peer", p->name, "limited",
				      state.limited, "algorithm",
				      state.algo == SIP_OC_RATE ? "rate" : "loss", "value",
				      (json_int_t)(state.limited ? state.value : 0), "refused",
				      number(state.refused)));
	}
	return list;
}

static json_t *ask(struct shard *s, const char *text, unsigned int n)
{
	const struct overload *o = shard_overload(s);
	const struct overload_stats *stats = overload_get_stats(o);

	return json_pack("{s:f, s:i, s:o, s:o, s:o, s:o, s:o}", "wait_ms",
		(double)overload_wait_us(o) / 1000, "refused_percent", (int)overload_percent(o),
		"refused_delay", number(stats->refused_delay), "refused_rate",
		number(stats->refused_rate), "refused_again", number(stats->refused_again),
		"emergency", number(stats->emergency), "peers", peers_json(s, shard_config(s)));
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
	rpc_result(call,
		json_pack("{s:o, s:o, s:o}", "delay_ms", number(c->config->ops.overload.delay_ms),
			"call_rate", number(c->config->ops.overload.call_rate), "shards", list));
}

void overload_request(void *ctx, struct rpc_call *call, const json_t *params)
{
	collect(ctx, call, ask, answer, NULL, 0);
}
