/* How overload looks to people. */
#include "cli.h"

static void limit_print(const struct cli *cli, const char *what, const json_t *v, const char *unit)
{
	char text[32];

	if (json_integer_value(v) == 0)
		fprintf(cli->out, "%-22s no limit\n", what);
	else
		fprintf(cli->out, "%-22s %s %s\n", what,
			value_text(v, COLUMN_NUMBER, text, sizeof(text)), unit);
}

void format_overload(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"SHARD", "shard", COLUMN_NUMBER},
		{"WAIT MS", "wait_ms", COLUMN_TENTHS},
		{"REFUSES %", "refused_percent", COLUMN_NUMBER},
		{"FOR DELAY", "refused_delay", COLUMN_NUMBER},
		{"FOR RATE", "refused_rate", COLUMN_NUMBER},
		{"AGAIN", "refused_again", COLUMN_NUMBER},
		{"EMERGENCY CALLS", "emergency", COLUMN_NUMBER},
	};

	static const struct column peer_columns[] = {
		{"SHARD", "shard", COLUMN_NUMBER},
		{"PEER", "peer", COLUMN_TEXT},
		{"LIMITED", "limited", COLUMN_TEXT},
		{"BY", "algorithm", COLUMN_TEXT},
		{"TO", "value", COLUMN_NUMBER},
		{"REFUSED", "refused", COLUMN_NUMBER},
	};
	json_t *rows = json_array(), *shard, *peer, *row;
	size_t i, k;

	limit_print(cli, "messages may wait", json_object_get(r, "delay_ms"), "ms");
	limit_print(cli, "calls may begin", json_object_get(r, "call_rate"), "a second");
	fprintf(cli->out, "\nnew requests refused with 503, now and ever\n");
	table_print(cli, json_object_get(r, "shards"), columns, ARRAY_LEN(columns));
	json_array_foreach(json_object_get(r, "shards"), i, shard)
	{
		json_array_foreach(json_object_get(shard, "peers"), k, peer)
		{
			row = json_copy(peer);
			json_object_set(row, "shard", json_object_get(shard, "shard"));
			json_array_append_new(rows, row);
		}
	}
	if (json_array_size(rows) > 0) {
		fprintf(cli->out, "\npeers: loss of so many percent, rate of so many a second\n");
		table_print(cli, rows, peer_columns, ARRAY_LEN(peer_columns));
	}
	json_decref(rows);
}
