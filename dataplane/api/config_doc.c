/*
 * The configuration file as a document: text to nodes by libyaml, the line of a key
 * from its path, and the one line that a mistake becomes.
 */
#include <errno.h>

#include "config_doc_priv.h"

int config_doc_write(const struct config_doc *d, unsigned int line, const char *path,
	const char *fmt, va_list ap)
{
	size_t size = d->error_size;
	int n;

	if (line == 0)
		n = snprintf(d->error, size, "%s: ", d->file);
	else
		n = snprintf(d->error, size, "%s:%u: %s: ", d->file, line,
			path[0] != '\0' ? path : "(file)");
	if (n >= 0 && (size_t)n < size)
		vsnprintf(d->error + n, size - (size_t)n, fmt, ap);
	/* Keys and values come from the file: they neither end the line nor steer the terminal. */
	for (char *p = d->error; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return -EINVAL;
}

static int fail_at(const struct config_doc *d, size_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail_at(const struct config_doc *d, size_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_doc_write(d, (unsigned int)line, "yaml", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static size_t line_at(const struct config_doc *d, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < d->len && i < offset; i++)
		line += d->text[i] == '\n';
	return line;
}

static int fail_syntax(const struct config_doc *d, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return fail_at(d, 0, "out of memory; free some");
	if (p->error == YAML_READER_ERROR)
		return fail_at(d, line_at(d, p->problem_offset),
			"%s; the file must be UTF-8 text without control characters",
			p->problem != NULL ? p->problem : "unreadable text");
	return fail_at(d, p->problem_mark.line + 1,
		"%s%s%s; check indentation, colons and quotes around this line",
		p->problem != NULL ? p->problem : "not YAML", p->context != NULL ? " " : "",
		p->context != NULL ? p->context : "");
}

/* The nodes of a document no longer say which were aliases, the parser's events do. */
static int aliases_refuse(const struct config_doc *d)
{
	yaml_parser_t parser;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return fail_at(d, 0, "out of memory; free some");
	yaml_parser_set_input_string(&parser, (const unsigned char *)d->text, d->len);
	while (r == 0 && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			r = fail_syntax(d, &parser);
			break;
		}
		if (event.type == YAML_ALIAS_EVENT)
			r = fail_at(d, event.start_mark.line + 1,
				"aliases (*name) are not supported; write the value out");
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}

int config_doc_parse(struct config_doc *d)
{
	yaml_parser_t parser;
	yaml_document_t more;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return fail_at(d, 0, "out of memory; free some");
	yaml_parser_set_input_string(&parser, (const unsigned char *)d->text, d->len);
	if (!yaml_parser_load(&parser, &d->yaml)) {
		r = fail_syntax(d, &parser);
		goto out;
	}
	if (yaml_document_get_root_node(&d->yaml) == NULL) {
		r = fail_at(d, 1, "the file is empty; it needs the sections dataplane and realms");
		goto out_document;
	}
	if (!yaml_parser_load(&parser, &more)) {
		r = fail_syntax(d, &parser);
		goto out_document;
	}
	if (yaml_document_get_root_node(&more) != NULL)
		r = fail_at(d, more.start_mark.line + 1,
			"a second document begins here; one file holds one document");
	yaml_document_delete(&more);
	if (r == 0)
		r = aliases_refuse(d);
	if (r == 0)
		goto out;
out_document:
	yaml_document_delete(&d->yaml);
out:
	yaml_parser_delete(&parser);
	return r;
}

int config_doc_init(struct config_doc *d, const char *file, const char *text, size_t len,
	char *error, size_t error_size)
{
	*d = (struct config_doc){
		.file = file,
		.text = text,
		.len = len,
		.error = error,
		.error_size = error_size,
	};
	return config_doc_parse(d);
}

void config_doc_fini(struct config_doc *d)
{
	yaml_document_delete(&d->yaml);
	free(d->own);
}

static yaml_node_t *doc_node(const struct config_doc *d, int id)
{
	return yaml_document_get_node((yaml_document_t *)&d->yaml, id);
}

/* Value of a key; *key_line gets the line where the key stands. */
static yaml_node_t *mapping_find(const struct config_doc *d, const yaml_node_t *map,
	struct str_view key, unsigned int *key_line)
{
	if (map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
		p++) {
		yaml_node_t *k = doc_node(d, p->key);

		if (k == NULL || k->type != YAML_SCALAR_NODE)
			continue;
		if (sv_eq(key, (struct str_view){(const char *)k->data.scalar.value,
				       k->data.scalar.length})) {
			*key_line = (unsigned int)k->start_mark.line + 1;
			return doc_node(d, p->value);
		}
	}
	return NULL;
}

static yaml_node_t *sequence_find(const struct config_doc *d, const yaml_node_t *seq, size_t i)
{
	if (seq->type != YAML_SEQUENCE_NODE)
		return NULL;
	if (i >= (size_t)(seq->data.sequence.items.top - seq->data.sequence.items.start))
		return NULL;
	return doc_node(d, seq->data.sequence.items.start[i]);
}

/* The node at this path, NULL if there is none; *line gets that of the key or of the nearest one
 * above it. */
static const yaml_node_t *path_node(
	const struct config_doc *d, const char *path, unsigned int *line)
{
	const yaml_node_t *node = yaml_document_get_root_node((yaml_document_t *)&d->yaml);

	*line = node != NULL ? (unsigned int)node->start_mark.line + 1 : 1;
	while (node != NULL && *path != '\0') {
		if (*path == '[') {
			char *end;
			size_t i = strtoul(path + 1, &end, 10);

			node = sequence_find(d, node, i);
			if (node != NULL)
				*line = (unsigned int)node->start_mark.line + 1;
			path = *end == ']' ? end + 1 : "";
		} else {
			size_t len;

			path += *path == '.';
			len = strcspn(path, ".[");
			node = mapping_find(d, node, (struct str_view){path, len}, line);
			path += len;
		}
	}
	return node;
}

int config_doc_fail(const struct config_doc *d, const char *path, const char *fmt, ...)
{
	unsigned int line;
	va_list ap;

	path_node(d, path, &line);
	va_start(ap, fmt);
	config_doc_write(d, line, path, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int config_doc_entries(
	const struct config_doc *d, const char *path, const cyaml_schema_value_t *list)
{
	unsigned int line;
	const yaml_node_t *node = path_node(d, path, &line);

	if (node == NULL)
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return config_doc_check_node(d, node, path, list->sequence.entry) < 0 ? -EINVAL : 1;
	if (config_doc_check_node(d, node, path, list) < 0)
		return -EINVAL;
	return (int)(node->data.sequence.items.top - node->data.sequence.items.start);
}

void config_doc_entry_path(
	const struct config_doc *d, const char *path, unsigned int i, char out[CONFIG_PATH_MAX])
{
	unsigned int line;
	const yaml_node_t *node = path_node(d, path, &line);

	if (node != NULL && node->type == YAML_SEQUENCE_NODE)
		snprintf(out, CONFIG_PATH_MAX, "%s[%u]", path, i);
	else
		snprintf(out, CONFIG_PATH_MAX, "%s", path);
}

bool config_doc_has(const struct config_doc *d, const char *path)
{
	unsigned int line;

	return path_node(d, path, &line) != NULL;
}

const char *config_doc_text(const struct config_doc *d, const char *path)
{
	unsigned int line;
	const yaml_node_t *node = path_node(d, path, &line);

	return node != NULL && node->type == YAML_SCALAR_NODE
		       ? (const char *)node->data.scalar.value
		       : "";
}
