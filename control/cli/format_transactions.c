/* How SIP transactions look to people. */
#include "cli.h"

static json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

/* "INVITE proceeding, 12.3 s" of one kind; "-" where there is none. */
static json_t *oldest_text(const json_t *shard, const char *kind)
{
	json_t *one;
	size_t i;

	json_array_foreach(get(shard, "oldest"), i, one)
	{
		const char *is = json_string_value(get(one, "kind"));
		char method[32], state[32], age[32], text[128];

		if (is == NULL || strcmp(is, kind) != 0)
			continue;
		snprintf(text, sizeof(text), "%s %s, %s s",
			value_text(get(one, "method"), COLUMN_TEXT, method, sizeof(method)),
			value_text(get(one, "state"), COLUMN_TEXT, state, sizeof(state)),
			value_text(get(one, "age_ms"), COLUMN_SECONDS, age, sizeof(age)));
		return json_string(text);
	}
	return json_null();
}

/* Those that wait for something: what has its answer has room of its own. */
static json_t *open_of(const json_t *shard, const char *all, const char *lingering)
{
	return json_integer(
		json_integer_value(get(shard, all)) - json_integer_value(get(shard, lingering)));
}

static void shards_print(const struct cli *cli, const json_t *shards)
{
	static const struct column columns[] = {
		{"SHARD", "shard", COLUMN_NUMBER},
		{"SERVER", "open_servers", COLUMN_NUMBER},
		{"CLIENT", "open_clients", COLUMN_NUMBER},
		{"ROOM FOR", "room", COLUMN_NUMBER},
		{"LINGERING SERVER", "lingering_servers", COLUMN_NUMBER},
		{"CLIENT", "lingering_clients", COLUMN_NUMBER},
		{"ROOM FOR", "lingering_room", COLUMN_NUMBER},
		{"CAME AGAIN", "retransmits_in", COLUMN_NUMBER},
		{"SENT AGAIN", "retransmits_out", COLUMN_NUMBER},
		{"TIMEOUTS", "timeouts", COLUMN_NUMBER},
		{"REFUSED", "refused", COLUMN_NUMBER},
		{"OLDEST SERVER", "oldest_server", COLUMN_TEXT},
		{"OLDEST CLIENT", "oldest_client", COLUMN_TEXT},
	};
	json_t *rows = json_array(), *shard, *row;
	size_t i;

	json_array_foreach(shards, i, shard)
	{
		row = json_copy(shard);
		json_object_set_new(
			row, "open_servers", open_of(shard, "servers", "lingering_servers"));
		json_object_set_new(
			row, "open_clients", open_of(shard, "clients", "lingering_clients"));
		json_object_set_new(row, "oldest_server", oldest_text(shard, "server"));
		json_object_set_new(row, "oldest_client", oldest_text(shard, "client"));
		json_array_append_new(rows, row);
	}
	table_print(cli, rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

void format_transactions(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"SHARD", "shard", COLUMN_NUMBER},
		{"KIND", "kind", COLUMN_TEXT},
		{"METHOD", "method", COLUMN_TEXT},
		{"TRYING", "trying", COLUMN_NUMBER},
		{"PROCEEDING", "proceeding", COLUMN_NUMBER},
		{"COMPLETED", "completed", COLUMN_NUMBER},
		{"CONFIRMED", "confirmed", COLUMN_NUMBER},
		{"ACCEPTED", "accepted", COLUMN_NUMBER},
		{"TERMINATED", "terminated", COLUMN_NUMBER},
		{"TOTAL", "total", COLUMN_NUMBER},
	};
	const json_t *shards = get(r, "shards");
	json_t *rows = json_array(), *shard, *one, *row;
	size_t i, k;

	shards_print(cli, shards);
	json_array_foreach(shards, i, shard)
	{
		json_array_foreach(get(shard, "transactions"), k, one)
		{
			row = json_copy(one);
			json_object_set(row, "shard", get(shard, "shard"));
			json_array_append_new(rows, row);
		}
	}
	fputc('\n', cli->out);
	if (json_array_size(rows) > 0)
		table_print(cli, rows, columns, ARRAY_LEN(columns));
	else
		fprintf(cli->out, "no transactions\n");
	json_decref(rows);
}
