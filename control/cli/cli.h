/*
 * Shared inside `sally`: asking the control socket, and showing what it says. The CLI
 * formats and does nothing else.
 */
#ifndef SALLYPORT_CLI_H
#define SALLYPORT_CLI_H

#include <jansson.h>

#include "base.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1, /* refused, not found, unreachable */
	CLI_USAGE = 2,	 /* also a wrong configuration file */
};

struct cli {
	const char *socket;
	bool json; /* print results as JSON */
	FILE *out;
	unsigned int width; /* columns of the terminal; 0: do not cut */
	bool utf8;	    /* the locale has more than ASCII */
};

/**
 * Ask once.
 * @param params  takes ownership; may be NULL.
 * @param why     on failure a sentence for the operator, free of control characters.
 * @return the result, caller frees; NULL on failure.
 */
json_t *client_ask(
	const char *socket_path, const char *method, json_t *params, char *why, size_t why_size);

/** Run one command, words[0..n). @return enum cli_exit. */
int command_run(struct cli *cli, const char *const words[], unsigned int n);
void command_help(FILE *out);
/** The i-th word that may follow words[0..n) and begins with prefix; NULL after the last. */
const char *command_complete(
	const char *const words[], unsigned int n, struct str_view prefix, unsigned int i);

/** "capture ...": words[0..n) follow. @return enum cli_exit. */
int capture_run(struct cli *cli, const char *const words[], unsigned int n);

/** Read commands from the terminal until its end or "quit". @return enum cli_exit. */
int shell_run(struct cli *cli);

/* Formatters: one result of one method to cli->out. */
typedef void (*format_fn)(const struct cli *cli, const json_t *result);
void format_status(const struct cli *cli, const json_t *result);
void format_ports(const struct cli *cli, const json_t *result);
void format_graph(const struct cli *cli, const json_t *result);
void format_calls(const struct cli *cli, const json_t *result);
void format_call(const struct cli *cli, const json_t *result);
void format_trace(const struct cli *cli, const json_t *result);
void format_drops(const struct cli *cli, const json_t *result);
void format_limits(const struct cli *cli, const json_t *result);
void format_sources(const struct cli *cli, const json_t *result);
void format_overload(const struct cli *cli, const json_t *result);
void format_transactions(const struct cli *cli, const json_t *result);
void format_source(const struct cli *cli, const json_t *result);
void format_stats(const struct cli *cli, const json_t *result);
void format_capture(const struct cli *cli, const json_t *result);
void format_memory(const struct cli *cli, const json_t *result);

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,	/* 1,234,567 */
	COLUMN_BYTES,	/* 1.2 MiB */
	COLUMN_TENTHS,	/* 1.5 */
	COLUMN_SECONDS, /* milliseconds, shown as 1.5 */
};

struct column {
	const char *title;
	const char *key; /* in each row's object */
	enum column_kind kind;
};

/** Print an array of objects, aligned, each line cut to the terminal. */
void table_print(
	const struct cli *cli, const json_t *rows, const struct column *columns, unsigned int n);
/** One line "name: value" an entry, nested objects indented. */
void tree_print(const struct cli *cli, const json_t *object, unsigned int depth);
/** "1,234" of a number, its text, "yes"/"no"; control characters become '?'. @return buf. */
const char *value_text(const json_t *v, enum column_kind kind, char *buf, size_t size);

#endif
