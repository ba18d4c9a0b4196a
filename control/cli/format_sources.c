/* How policing looks to people. */
#include "cli.h"

/* A row a realm: name, then its rates; 0 is no limit and shown as "-". */
static json_t *rates_row(const json_t *realm)
{
	const json_t *limits = json_object_get(realm, "limits");
	json_t *row = json_object(), *limit;
	const char *key;

	json_object_set(row, "realm", json_object_get(realm, "realm"));
	json_object_foreach((json_t *)limits, key, limit)
	{
		json_t *rate = json_is_object(limit) ? json_object_get(limit, "rate") : limit;

		if (json_integer_value(rate) != 0)
			json_object_set(row, key, rate);
		else
			json_object_set_new(row, key, json_null());
	}
	return row;
}

static void rates_print(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"REALM", "realm", COLUMN_TEXT},
		{"SIP/S", "sip_rate", COLUMN_NUMBER},
		{"ADDRESS", "address_rate", COLUMN_NUMBER},
		{"PREFIX", "prefix_rate", COLUMN_NUMBER},
		{"UNTRUSTED", "untrusted_rate", COLUMN_NUMBER},
		{"INVITE", "invite_rate", COLUMN_NUMBER},
		{"REGISTER", "register_rate", COLUMN_NUMBER},
		{"OPTIONS", "options_rate", COLUMN_NUMBER},
		{"OTHER", "other_rate", COLUMN_NUMBER},
		{"DIALOG", "dialog_rate", COLUMN_NUMBER},
		{"SYN", "tcp_syn_rate", COLUMN_NUMBER},
		{"TCP BYTES", "tcp_byte_rate", COLUMN_NUMBER},
		{"ICMP", "icmp_rate", COLUMN_NUMBER},
		{"DENY AFTER", "deny_after", COLUMN_NUMBER},
		{"SECONDS", "deny_s", COLUMN_NUMBER},
	};
	json_t *rows = json_array(), *realm;
	size_t i;

	json_array_foreach(r, i, realm) json_array_append_new(rows, rates_row(realm));
	table_print(cli, rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

void format_limits(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"REALM", "realm", COLUMN_TEXT},
		{"TRUST", "trust", COLUMN_TEXT},
		{"SOURCES", "class", COLUMN_TEXT},
		{"NEW", "new", COLUMN_NUMBER},
		{"OUT OF DIALOG", "out_of_dialog", COLUMN_NUMBER},
		{"DIALOG", "dialog", COLUMN_NUMBER},
		{"LANE", "lane", COLUMN_NUMBER},
		{"REFUSED", "refused", COLUMN_NUMBER},
	};
	json_t *rows = json_array(), *realm, *class, *row;
	size_t i, c;

	fprintf(cli->out, "a second and source, - is no limit\n");
	rates_print(cli, r);
	json_array_foreach(r, i, realm)
	{
		json_array_foreach(json_object_get(realm, "classes"), c, class)
		{
			row = json_is_object(class) ? json_copy(class) : json_object();
			json_object_set(row, "realm", json_object_get(realm, "realm"));
			json_object_set(row, "trust", json_object_get(realm, "trust"));
			json_array_append_new(rows, row);
		}
	}
	fprintf(cli->out, "\nmessages passed to control, and refused\n");
	table_print(cli, rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

void format_sources(const struct cli *cli, const json_t *r)
{
	static const struct column columns[] = {
		{"SOURCE", "source", COLUMN_TEXT},
		{"REALM", "realm", COLUMN_TEXT},
		{"CLASS", "class", COLUMN_TEXT},
		{"REASON", "reason", COLUMN_TEXT},
		{"LEFT S", "left_s", COLUMN_NUMBER},
		{"MESSAGES", "messages", COLUMN_NUMBER},
		{"REFUSED", "refused", COLUMN_NUMBER},
	};

	if (json_array_size(r) == 0)
		fprintf(cli->out, "no source stands out\n");
	else
		table_print(cli, r, columns, ARRAY_LEN(columns));
}

void format_source(const struct cli *cli, const json_t *r)
{
	json_int_t seconds = json_integer_value(json_object_get(r, "seconds"));
	char source[80], class[40];

	value_text(json_object_get(r, "source"), COLUMN_TEXT, source, sizeof(source));
	value_text(json_object_get(r, "class"), COLUMN_TEXT, class, sizeof(class));
	if (seconds > 0)
		fprintf(cli->out, "%s is %s for %lld s in %lld realms\n", source, class,
			(long long)seconds,
			(long long)json_integer_value(json_object_get(r, "realms")));
	else
		fprintf(cli->out, "%s is forgotten\n", source);
}
