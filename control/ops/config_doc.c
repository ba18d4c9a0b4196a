/*
 * The configuration file as a document: text to nodes by libyaml, the line of a key
 * from its path, and the one line that a mistake becomes.
 */
#include <errno.h>
#include <stdarg.h>

#include "config_priv.h"

int config_error_write(char *error, const char *file, unsigned int line, const char *path,
	const char *fmt, va_list ap)
{
	int n = snprintf(error, CONFIG_ERROR_LEN, "%s:%u: %s: ", file, line, path);

	if (n >= 0 && n < CONFIG_ERROR_LEN)
		vsnprintf(error + n, CONFIG_ERROR_LEN - (size_t)n, fmt, ap);
	/* Keys and values come from the file: they neither end the line nor steer the terminal. */
	for (char *p = error; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return -EINVAL;
}

int config_doc_fail(const struct config_doc *d, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_error_write(d->error, d->file, config_doc_line(d, path),
		path[0] != '\0' ? path : "(file)", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int fail_at(char *error, const char *file, size_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_error_write(error, file, (unsigned int)line, "yaml", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static size_t line_at(const char *text, size_t len, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static int fail_syntax(
	const yaml_parser_t *p, const char *file, const char *text, size_t len, char *error)
{
	if (p->error == YAML_MEMORY_ERROR)
		return fail_at(error, file, 0, "out of memory; free some");
	if (p->error == YAML_READER_ERROR)
		return fail_at(error, file, line_at(text, len, p->problem_offset),
			"%s; the file must be UTF-8 text without control characters",
			p->problem != NULL ? p->problem : "unreadable text");
	return fail_at(error, file, p->problem_mark.line + 1,
		"%s%s%s; check indentation, colons and quotes around this line",
		p->problem != NULL ? p->problem : "not YAML", p->context != NULL ? " " : "",
		p->context != NULL ? p->context : "");
}

int config_doc_init(
	struct config_doc *d, const char *file, const char *text, size_t len, char *error)
{
	yaml_parser_t parser;
	yaml_document_t more;
	int r = 0;

	*d = (struct config_doc){.file = file, .error = error};
	if (!yaml_parser_initialize(&parser))
		return fail_at(error, file, 0, "out of memory; free some");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &d->yaml)) {
		r = fail_syntax(&parser, file, text, len, error);
		goto out;
	}
	if (yaml_document_get_root_node(&d->yaml) == NULL) {
		r = fail_at(error, file, 1,
			"the file is empty; it needs the sections dataplane and realms");
		goto out_document;
	}
	if (!yaml_parser_load(&parser, &more)) {
		r = fail_syntax(&parser, file, text, len, error);
		goto out_document;
	}
	if (yaml_document_get_root_node(&more) != NULL)
		r = fail_at(error, file, more.start_mark.line + 1,
			"a second document begins here; one file holds one document");
	yaml_document_delete(&more);
	if (r == 0)
		goto out;
out_document:
	yaml_document_delete(&d->yaml);
out:
	yaml_parser_delete(&parser);
	return r;
}

void config_doc_fini(struct config_doc *d)
{
	yaml_document_delete(&d->yaml);
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

unsigned int config_doc_line(const struct config_doc *d, const char *path)
{
	const yaml_node_t *node = yaml_document_get_root_node((yaml_document_t *)&d->yaml);
	unsigned int line = node != NULL ? (unsigned int)node->start_mark.line + 1 : 1;

	while (node != NULL && *path != '\0') {
		if (*path == '[') {
			char *end;
			size_t i = strtoul(path + 1, &end, 10);

			node = sequence_find(d, node, i);
			if (node != NULL)
				line = (unsigned int)node->start_mark.line + 1;
			path = *end == ']' ? end + 1 : "";
		} else {
			size_t len;

			path += *path == '.';
			len = strcspn(path, ".[");
			node = mapping_find(d, node, (struct str_view){path, len}, &line);
			path += len;
		}
	}
	return line;
}
