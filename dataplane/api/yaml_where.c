/*
 * Complaints about YAML with file, line and path.
 */
#include "yaml_where.h"

#include <ctype.h>
#include <yaml.h>

#include "base.h"

/* Put "step" in front of the path: libcyaml's backtrace goes from the inside out. */
static void path_prepend(struct yaml_complaint *c, const char *step, bool index)
{
	char old[sizeof(c->path)];
	int n;

	memcpy(old, c->path, sizeof(old));
	n = snprintf(c->path, sizeof(c->path), index ? "[%s]%s%s" : "%s%s%s", step,
		old[0] == '\0' || old[0] == '[' ? "" : ".", old);
	if (n < 0 || (size_t)n >= sizeof(c->path))
		memcpy(c->path, old, sizeof(old));
}

/* "  in mapping field 'ports' (line: 4, column: 3)" */
static void backtrace_read(struct yaml_complaint *c, const char *text)
{
	char step[64];
	unsigned int line = 0, index;

	if (sscanf(text, " in mapping field '%63[^']' (line: %u", step, &line) >= 1)
		path_prepend(c, step, false);
	else if (sscanf(text, " in sequence entry '%u' (line: %u", &index, &line) >= 1) {
		/* libcyaml counts from one. */
		snprintf(step, sizeof(step), "%u", index - 1);
		path_prepend(c, step, true);
	} else if (sscanf(text, " in mapping (line: %u", &line) < 1)
		return;
	if (c->line == 0)
		c->line = line;
}

void yaml_complaint_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct yaml_complaint *c = ctx;
	char text[256];
	const char *p = text;

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(p, "Load: ", 6) == 0)
		p += 6;
	if (strncmp(p, "  in ", 5) == 0)
		backtrace_read(c, p);
	else if (strncmp(p, "Backtrace:", 10) != 0 && c->cause[0] == '\0')
		snprintf(c->cause, sizeof(c->cause), "%s", p);
}

void yaml_complaint_format(const struct yaml_complaint *c, const char *file, const char *fallback,
	char *out, size_t size)
{
	static const char unexpected[] = "Unexpected key: ";
	static const char missing[] = "Missing required mapping field: ";
	struct yaml_complaint w = *c;
	const char *cause = w.cause[0] == '\0' ? fallback : w.cause;
	char where[sizeof(w.path) + sizeof(w.cause)], line[16] = "";

	snprintf(where, sizeof(where), "%s", w.path);
	/* libcyaml names the mapping; the reader wants the key in it. */
	if (strncmp(cause, unexpected, sizeof(unexpected) - 1) == 0) {
		snprintf(where, sizeof(where), "%s%s%s", w.path, w.path[0] == '\0' ? "" : ".",
			cause + sizeof(unexpected) - 1);
		w.line = yaml_where(file, where);
		cause = "unknown key; see the reference sample for those that there are";
	} else if (strncmp(cause, missing, sizeof(missing) - 1) == 0) {
		/* Its backtrace ends at the key that was read last. */
		size_t parent = strlen(w.path);

		while (parent > 0 && w.path[parent] != '.')
			parent--;
		snprintf(where, sizeof(where), "%.*s%s%s", (int)parent, w.path,
			parent == 0 ? "" : ".", cause + sizeof(missing) - 1);
		cause = "missing; it has no default";
	}
	if (w.line != 0)
		snprintf(line, sizeof(line), ":%u", w.line);
	snprintf(out, size, "%s%s: %s%s%s", file, line, where, where[0] == '\0' ? "" : ": ", cause);
}

/* Next step of a path: a key, or an index in brackets. @return false at the end. */
static bool step_next(const char **path, struct str_view *key, long *index)
{
	const char *p = *path;

	if (*p == '.')
		p++;
	if (*p == '\0')
		return false;
	*index = -1;
	if (*p == '[') {
		char *end;

		*index = strtol(p + 1, &end, 10);
		*path = *end == ']' ? end + 1 : end + strlen(end);
		return true;
	}
	key->p = p;
	key->len = strcspn(p, ".[");
	*path = p + key->len;
	return true;
}

/* The child that a step leads to; *line is moved to its key. NULL if it is not there. */
static yaml_node_t *child_find(yaml_document_t *doc, yaml_node_t *node, struct str_view key,
	long index, unsigned int *line)
{
	if (index >= 0) {
		yaml_node_item_t *items = node->data.sequence.items.start;

		if (node->type != YAML_SEQUENCE_NODE ||
			index >= node->data.sequence.items.top - items)
			return NULL;
		node = yaml_document_get_node(doc, items[index]);
		*line = (unsigned int)node->start_mark.line + 1;
		return node;
	}
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
		p++) {
		yaml_node_t *k = yaml_document_get_node(doc, p->key);

		if (k == NULL || k->type != YAML_SCALAR_NODE ||
			!sv_eq(key, (struct str_view){(const char *)k->data.scalar.value,
					    k->data.scalar.length}))
			continue;
		*line = (unsigned int)k->start_mark.line + 1;
		return yaml_document_get_node(doc, p->value);
	}
	return NULL;
}

unsigned int yaml_where(const char *file, const char *path)
{
	FILE *f = fopen(file, "re");
	yaml_parser_t parser;
	yaml_document_t doc;
	yaml_node_t *node;
	struct str_view key = {0};
	unsigned int line = 0;
	long index;

	if (f == NULL)
		return 0;
	if (!yaml_parser_initialize(&parser))
		goto close;
	yaml_parser_set_input_file(&parser, f);
	if (!yaml_parser_load(&parser, &doc))
		goto delete;
	node = yaml_document_get_root_node(&doc);
	line = 1;
	while (node != NULL && step_next(&path, &key, &index))
		node = child_find(&doc, node, key, index, &line);
	yaml_document_delete(&doc);
	delete : yaml_parser_delete(&parser);
close:
	fclose(f);
	return line;
}
