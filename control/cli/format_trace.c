/*
 * The ladder of one call: caller, box and callee as upright lines, a message an arrow
 * between two of them. As wide as the terminal; lines of UTF-8 where the locale has it.
 */
#include "cli.h"

#define WIDTH_DEFAULT 96 /* where there is no terminal */
#define TIME_WIDTH 9
#define LANE_MIN 16
#define LANE_MAX 44
#define LABEL_MAX 96

struct strokes {
	const char *upright, *line, *again, *left, *right;
};

static const struct strokes ascii = {"|", "-", ".", "<", ">"};
/* Box drawings: light vertical, light horizontal, light quadruple dash; triangles. */
static const struct strokes utf8 = {
	"\xe2\x94\x82", "\xe2\x94\x80", "\xe2\x94\x88", "\xe2\x97\x80", "\xe2\x96\xb6"};

static const json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

static bool is_text(const json_t *v, const char *text)
{
	const char *is = json_string_value(v);

	return is != NULL && strcmp(is, text) == 0;
}

/* "INVITE, SDP", "200 OK (BYE)", "180 Ringing, again". */
static void label_of(const json_t *m, char out[LABEL_MAX])
{
	char method[32], reason[48];
	json_int_t status = json_integer_value(get(m, "status"));
	int n;

	value_text(get(m, "method"), COLUMN_TEXT, method, sizeof(method));
	value_text(get(m, "reason"), COLUMN_TEXT, reason, sizeof(reason));
	if (status == 0)
		n = snprintf(out, LABEL_MAX, "%s", method);
	else if (strcmp(method, "INVITE") == 0)
		n = snprintf(out, LABEL_MAX, "%d %s", (int)status, reason);
	else
		n = snprintf(out, LABEL_MAX, "%d %s (%s)", (int)status, reason, method);
	snprintf(out + n, LABEL_MAX - (size_t)n, "%s%s", json_is_true(get(m, "sdp")) ? ", SDP" : "",
		json_is_true(get(m, "again")) ? ", again" : "");
}

static void repeat(const struct cli *cli, const char *what, size_t n)
{
	while (n-- > 0)
		fputs(what, cli->out);
}

/* One lane with an arrow, its label in the middle. */
static void arrow_print(
	const struct cli *cli, const struct strokes *s, const json_t *m, size_t lane, bool right)
{
	const char *line = json_is_true(get(m, "again")) ? s->again : s->line;
	char label[LABEL_MAX];
	size_t len, before;

	label_of(m, label);
	len = strlen(label);
	if (len > lane - 6) /* a stroke, a space and the head on either side */
		len = lane - 6;
	before = (lane - 4 - len) / 2;
	fputs(right ? line : s->left, cli->out);
	repeat(cli, line, before);
	fprintf(cli->out, " %.*s ", (int)len, label);
	repeat(cli, line, lane - 4 - len - before);
	fputs(right ? s->right : line, cli->out);
}

static void message_print(
	const struct cli *cli, const struct strokes *s, const json_t *m, size_t lane)
{
	bool callee = is_text(get(m, "leg"), "callee"), out = is_text(get(m, "direction"), "out");
	char ms[32];

	fprintf(cli->out, "%*s ", TIME_WIDTH,
		value_text(get(m, "ms"), COLUMN_NUMBER, ms, sizeof(ms)));
	fputs(s->upright, cli->out);
	if (!callee)
		arrow_print(cli, s, m, lane, !out);
	else
		fprintf(cli->out, "%*s", (int)lane, "");
	fputs(s->upright, cli->out);
	if (callee)
		arrow_print(cli, s, m, lane, out);
	else
		fprintf(cli->out, "%*s", (int)lane, "");
	fputs(s->upright, cli->out);
	fputc('\n', cli->out);
}

static void row(const struct cli *cli, const char *name, const json_t *v)
{
	char text[256];

	if (v != NULL && !json_is_null(v))
		fprintf(cli->out, "%-10s%s\n", name,
			value_text(v, COLUMN_TEXT, text, sizeof(text)));
}

/* "access 192.0.2.2:5060" */
static void side_row(const struct cli *cli, const char *name, const json_t *side)
{
	char realm[32], address[64];

	fprintf(cli->out, "%-10s%s %s\n", name,
		value_text(get(side, "realm"), COLUMN_TEXT, realm, sizeof(realm)),
		value_text(get(side, "address"), COLUMN_TEXT, address, sizeof(address)));
}

static void heads_print(const struct cli *cli, size_t lane)
{
	fprintf(cli->out, "\n%*s %-*s%-*s%*s\n", TIME_WIDTH, "ms", (int)lane, "caller",
		(int)lane - 3, "box", 6, "callee");
}

static size_t lane_width(const struct cli *cli)
{
	size_t width = cli->width > 0 ? cli->width : WIDTH_DEFAULT, lane = LANE_MIN;

	if (width > TIME_WIDTH + 4 + 2 * LANE_MIN)
		lane = (width - TIME_WIDTH - 4) / 2;
	return lane < LANE_MAX ? lane : LANE_MAX;
}

void format_trace(const struct cli *cli, const json_t *r)
{
	const struct strokes *s = cli->utf8 ? &utf8 : &ascii;
	const json_t *messages = get(r, "messages"), *m;
	json_int_t first = json_integer_value(get(r, "kept_first"));
	json_int_t left_out = json_integer_value(get(r, "left_out"));
	char text[32];
	size_t lane = lane_width(cli), n = json_array_size(messages);

	row(cli, "call", get(r, "id"));
	row(cli, "from", get(r, "from"));
	row(cli, "to", get(r, "to"));
	row(cli, "start", get(r, "start"));
	row(cli, "state", get(r, "state"));
	row(cli, "cause", get(r, "cause"));
	side_row(cli, "caller", get(r, "caller"));
	side_row(cli, "callee", get(r, "callee"));
	heads_print(cli, lane);
	for (size_t i = 0; i <= n; i++) {
		if (left_out > 0 && (json_int_t)i == first)
			fprintf(cli->out, "%*s ... %s messages not kept ...\n", TIME_WIDTH, "",
				value_text(get(r, "left_out"), COLUMN_NUMBER, text, sizeof(text)));
		m = json_array_get(messages, i);
		if (m != NULL)
			message_print(cli, s, m, lane);
	}
}
