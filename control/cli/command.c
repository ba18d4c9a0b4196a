/*
 * The commands: words to a question, its answer to a formatter.
 */
#include <stdarg.h>

#include "cli.h"
#include "config.h"

struct show_noun {
	const char *noun; /* also the method's name */
	const char *help;
	format_fn format;
	const char *argument; /* what must follow, or NULL */
	const char *flag;     /* word that may follow, or NULL */
};

static const struct show_noun nouns[] = {
	{"status", "processes, calls, workers", format_status, NULL, NULL},
	{"ports", "network ports and their counters", format_ports, NULL, NULL},
	{"graph", "the fast path's nodes, packets and cycles", format_graph, NULL, NULL},
	{"calls", "calls in progress (\"show calls N\": at most N)", format_calls, NULL, "N"},
	{"call", "one call with both legs", format_call, "ID", NULL},
	{"drops", "dropped packets by reason (\"show drops all\": zeros too)", format_drops, NULL,
		"all"},
	{"limits", "what each realm takes of SIP, passed and refused", format_limits, NULL, NULL},
	{"sources", "sources of SIP that are denied or refused most", format_sources, NULL, NULL},
	{"overload", "how long messages wait, and what is refused for it", format_overload, NULL,
		NULL},
	{"transactions", "SIP transactions by state and method, the oldest, what was sent again",
		format_transactions, NULL, NULL},
	{"stats", "every counter", format_stats, NULL, NULL},
	{"memory", "packet buffers, tables, heap", format_memory, NULL, NULL},
	{"capture", "the packet capture that runs, or the last one", format_capture, NULL, NULL},
};

static int usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("sally: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("; see \"sally help\"\n", stderr);
	va_end(ap);
	return CLI_USAGE;
}

static const struct {
	const char *words, *help;
} other_commands[] = {
	{"trace call ID", "the messages of a call, also when it is over, both sides with times;"},
	{"", "ID of \"show calls\" or a call record, or a Call-ID"},
	{"source deny SOURCE",
		"refuse all of ADDRESS or ADDRESS:PORT, for an hour, in all realms;"},
	{"", "or \"source deny SOURCE SECONDS REALM\""},
	{"source permit SOURCE", "trust it; likewise"},
	{"source forget SOURCE", "neither any more"},
	{"capture start FILE", "packets to a pcap-ng file; or \"capture start FILTER FILE\""},
	{"capture stop", "end it"},
	{"config check FILE", "check a configuration file, without a running Sallyport"},
	{"help", "this text"},
};

void command_help(FILE *out)
{
	fprintf(out, "usage: sally [-s SOCKET] [--json] COMMAND\n\n");
	for (size_t i = 0; i < ARRAY_LEN(nouns); i++) {
		char words[40];

		snprintf(words, sizeof(words), "show %s%s%s", nouns[i].noun,
			nouns[i].argument != NULL ? " " : "",
			nouns[i].argument != NULL ? nouns[i].argument : "");
		fprintf(out, "  %-22s %s\n", words, nouns[i].help);
	}
	for (size_t i = 0; i < ARRAY_LEN(other_commands); i++)
		fprintf(out, "  %-22s %s\n", other_commands[i].words, other_commands[i].help);
	fprintf(out,
		"\nWithout a command, on a terminal: an interactive shell.\n"
		"  -s SOCKET  control socket; default $SALLYPORT_SOCKET, or %s\n"
		"  --json     the answer as JSON\n"
		"Exit status: 0; 1 refused or unreachable; 2 wrong usage or configuration.\n",
		CONFIG_CONTROL_SOCKET_DEFAULT);
}

static int config_check_run(struct cli *cli, const char *file)
{
	char error[CONFIG_ERROR_LEN];
	struct config *c = config_load(file, error);

	if (c == NULL) {
		if (cli->json) {
			json_t *o = json_pack("{s:b, s:s}", "ok", 0, "error", error);

			json_dumpf(o, cli->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
			fputc('\n', cli->out);
			json_decref(o);
		}
		fprintf(stderr, "%s\n", error);
		return CLI_USAGE;
	}
	if (cli->json)
		fprintf(cli->out, "{\"ok\": true}\n");
	else
		fprintf(cli->out, "%s: OK, %u ports, %u realms, %u peers, %u routes\n", file,
			c->dataplane.ports_count, c->n_realms, c->n_peers, c->n_routes);
	config_free(c);
	return CLI_OK;
}

/* Decimal digits only, 1..1000000. @return 0 when it is none. */
static unsigned int count_parse(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 6 || strspn(text, "0123456789") != len)
		return 0;
	return (unsigned int)strtoul(text, NULL, 10);
}

/* Words behind the noun become the method's parameters. @return CLI_OK or CLI_USAGE. */
static int params_make(
	const struct show_noun *noun, const char *const words[], unsigned int n, json_t **params)
{
	*params = NULL;
	if (noun->argument != NULL) {
		if (n != 1)
			return usage("\"show %s\" wants %s", noun->noun, noun->argument);
		*params = json_pack("{s:s}", "id", words[0]);
		return *params != NULL ? CLI_OK : usage("that is not text in UTF-8");
	}
	if (n == 0)
		return CLI_OK;
	if (n == 1 && noun->flag != NULL && strcmp(noun->flag, "N") == 0 &&
		count_parse(words[0]) > 0)
		*params = json_pack("{s:i}", "max", (int)count_parse(words[0]));
	else if (n == 1 && noun->flag != NULL && strcmp(noun->flag, words[0]) == 0)
		*params = json_pack("{s:b}", noun->flag, 1);
	else
		return usage("\"show %s\" takes no \"%s\"", noun->noun, words[0]);
	return CLI_OK;
}

/* Ask, and show the answer. Takes ownership of params. */
static int ask_run(struct cli *cli, const char *method, json_t *params, format_fn format)
{
	char why[512];
	json_t *result = client_ask(cli->socket, method, params, why, sizeof(why));

	if (result == NULL) {
		fprintf(stderr, "sally: %s\n", why);
		return CLI_REFUSED;
	}
	if (cli->json) {
		json_dumpf(result, cli->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', cli->out);
	} else {
		format(cli, result);
	}
	json_decref(result);
	return CLI_OK;
}

static int show_run(
	struct cli *cli, const struct show_noun *noun, const char *const words[], unsigned int n)
{
	json_t *params;
	int rc = params_make(noun, words, n, &params);

	return rc == CLI_OK ? ask_run(cli, noun->noun, params, noun->format) : rc;
}

static int trace_run(struct cli *cli, const char *const words[], unsigned int n)
{
	json_t *params;

	if (n != 2 || strcmp(words[0], "call") != 0)
		return usage("\"trace call ID\"");
	params = json_pack("{s:s}", "id", words[1]);
	if (params == NULL)
		return usage("that is not text in UTF-8");
	return ask_run(cli, "trace", params, format_trace);
}

static const char *const source_actions[] = {"deny", "permit", "forget"};

/* ACTION ADDRESS[:PORT] [SECONDS] [REALM]; control says what is wrong with the values. */
static int source_run(struct cli *cli, const char *const words[], unsigned int n)
{
	unsigned int at = 2, seconds;
	json_t *params;
	size_t i = 0;

	while (n > 0 && i < ARRAY_LEN(source_actions) && strcmp(words[0], source_actions[i]) != 0)
		i++;
	if (n < 2 || i == ARRAY_LEN(source_actions))
		return usage("\"source deny|permit|forget ADDRESS[:PORT] [SECONDS] [REALM]\"");
	params = json_pack("{s:s, s:s}", "action", words[0], "source", words[1]);
	seconds = at < n && strcmp(words[0], "forget") != 0 ? count_parse(words[at]) : 0;
	if (seconds > 0) {
		json_object_set_new(params, "seconds", json_integer(seconds));
		at++;
	}
	if (at < n)
		json_object_set_new(params, "realm", json_string(words[at++]));
	if (params == NULL || at < n) {
		json_decref(params);
		return usage(params == NULL ? "that is not text in UTF-8"
					    : "too many words behind \"source %s\"",
			words[0]);
	}
	return ask_run(cli, "source", params, format_source);
}

int command_run(struct cli *cli, const char *const words[], unsigned int n)
{
	if (n == 1 && strcmp(words[0], "help") == 0) {
		command_help(cli->out);
		return CLI_OK;
	}
	if (n >= 1 && strcmp(words[0], "config") == 0) {
		if (n == 3 && strcmp(words[1], "check") == 0)
			return config_check_run(cli, words[2]);
		return usage("only \"config check FILE\" is known");
	}
	if (n >= 1 && strcmp(words[0], "capture") == 0)
		return capture_run(cli, words + 1, n - 1);
	if (n >= 1 && strcmp(words[0], "source") == 0)
		return source_run(cli, words + 1, n - 1);
	if (n >= 1 && strcmp(words[0], "trace") == 0)
		return trace_run(cli, words + 1, n - 1);
	if (n == 0 || strcmp(words[0], "show") != 0)
		return usage("no command \"%.40s\"", n > 0 ? words[0] : "");
	if (n == 1)
		return usage("show what?");
	for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
		if (strcmp(words[1], nouns[i].noun) == 0)
			return show_run(cli, &nouns[i], words + 2, n - 2);
	return usage("nothing to show by the name \"%.40s\"", words[1]);
}

const char *command_complete(
	const char *const words[], unsigned int n, struct str_view prefix, unsigned int i)
{
	static const char *const verbs[] = {
		"show", "trace", "source", "capture", "config", "help", "quit"};
	const char *candidates[ARRAY_LEN(nouns)];
	size_t count = 0;

	if (n == 0) {
		for (; count < ARRAY_LEN(verbs); count++)
			candidates[count] = verbs[count];
	} else if (n == 1 && strcmp(words[0], "show") == 0) {
		for (; count < ARRAY_LEN(nouns); count++)
			candidates[count] = nouns[count].noun;
	} else if (n == 1 && strcmp(words[0], "source") == 0) {
		for (; count < ARRAY_LEN(source_actions); count++)
			candidates[count] = source_actions[count];
	} else if (n == 1 && strcmp(words[0], "trace") == 0) {
		candidates[count++] = "call";
	} else if (n == 1 && strcmp(words[0], "config") == 0) {
		candidates[count++] = "check";
	} else if (n == 1 && strcmp(words[0], "capture") == 0) {
		candidates[count++] = "start";
		candidates[count++] = "stop";
	} else if (n == 2 && strcmp(words[0], "show") == 0 && strcmp(words[1], "drops") == 0) {
		candidates[count++] = "all";
	}
	for (size_t c = 0; c < count; c++)
		if (strncmp(candidates[c], prefix.p, prefix.len) == 0 && i-- == 0)
			return candidates[c];
	return NULL;
}
