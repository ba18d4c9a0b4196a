/*
 * Keys, types and counts of a document against a libcyaml schema. libcyaml checks the
 * same when it loads, but stops with several lines of log; this walk comes first and
 * says what is wrong, where, and what would be right, in one.
 */
#include <errno.h>

#include "config_doc_priv.h"

struct walk {
	const struct config_doc *doc;
	char path[CONFIG_PATH_MAX];
};

static int value_check(struct walk *w, const yaml_node_t *node, const cyaml_schema_value_t *schema);

/* Append a key to the path. @return the old length, for path_cut(). */
static size_t path_add_key(struct walk *w, const char *key)
{
	size_t len = strlen(w->path);

	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len > 0 ? "." : "", key);
	return len;
}

static size_t path_add_index(struct walk *w, size_t i)
{
	size_t len = strlen(w->path);

	snprintf(w->path + len, sizeof(w->path) - len, "[%zu]", i);
	return len;
}

static void path_cut(struct walk *w, size_t len)
{
	w->path[len] = '\0';
}

static unsigned int node_line(const yaml_node_t *n)
{
	return (unsigned int)n->start_mark.line + 1;
}

static int fail_node(const struct walk *w, const yaml_node_t *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail_node(const struct walk *w, const yaml_node_t *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_doc_write(w->doc, node_line(n), w->path, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Levenshtein distance of two short words; SIZE_MAX when either is long. */
static size_t word_distance(const char *a, size_t n, const char *b)
{
	size_t m = strlen(b), row[33];

	if (n > 32 || m > 32)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

static int fail_unknown_key(
	const struct walk *w, const yaml_node_t *key, const cyaml_schema_field_t *fields)
{
	const char *text = (const char *)key->data.scalar.value, *nearest = NULL;
	size_t len = key->data.scalar.length, best = 3;
	char known[256] = "";

	for (const cyaml_schema_field_t *f = fields; f->key != NULL; f++) {
		size_t distance = word_distance(text, len, f->key), at = strlen(known);

		if (distance < best && distance < len) {
			best = distance;
			nearest = f->key;
		}
		snprintf(known + at, sizeof(known) - at, "%s%s", at > 0 ? ", " : "", f->key);
	}
	if (nearest != NULL)
		return fail_node(w, key, "unknown key; did you mean \"%s\"?", nearest);
	return fail_node(w, key, "unknown key; the keys here are %s", known);
}

static const cyaml_schema_field_t *field_find(
	const cyaml_schema_field_t *fields, const yaml_node_t *key)
{
	for (; fields->key != NULL; fields++)
		if (sv_eq((struct str_view){fields->key, strlen(fields->key)},
			    (struct str_view){
				    (const char *)key->data.scalar.value, key->data.scalar.length}))
			return fields;
	return NULL;
}

#define FIELDS_MAX 64

static int mapping_check(
	struct walk *w, const yaml_node_t *node, const cyaml_schema_field_t *fields)
{
	yaml_document_t *yaml = (yaml_document_t *)&w->doc->yaml;
	unsigned int seen[FIELDS_MAX] = {0};

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
		p++) {
		const yaml_node_t *key = yaml_document_get_node(yaml, p->key);
		const cyaml_schema_field_t *f;
		size_t len, i;
		int r;

		if (key->type != YAML_SCALAR_NODE)
			return fail_node(w, key, "a key is not a word; write \"key: value\"");
		f = field_find(fields, key);
		len = path_add_key(w, (const char *)key->data.scalar.value);
		if (f == NULL)
			return fail_unknown_key(w, key, fields);
		i = (size_t)(f - fields);
		if (i < FIELDS_MAX && seen[i] != 0)
			return fail_node(
				w, key, "key given twice (first on line %u); keep one", seen[i]);
		if (i < FIELDS_MAX)
			seen[i] = node_line(key);
		r = value_check(w, yaml_document_get_node(yaml, p->value), &f->value);
		if (r < 0)
			return r;
		path_cut(w, len);
	}
	for (size_t i = 0; i < FIELDS_MAX && fields[i].key != NULL; i++) {
		if (seen[i] != 0 || (fields[i].value.flags & CYAML_FLAG_OPTIONAL) != 0)
			continue;
		path_add_key(w, fields[i].key);
		return fail_node(w, node, "missing; this key must be given");
	}
	return 0;
}

static int sequence_check(
	struct walk *w, const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
	yaml_document_t *yaml = (yaml_document_t *)&w->doc->yaml;
	size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);

	if (n < schema->sequence.min)
		return fail_node(w, node, "list with %zu entries; at least %u must be given", n,
			schema->sequence.min);
	if (n > schema->sequence.max)
		return fail_node(w, node, "list with %zu entries; at most %u are allowed", n,
			schema->sequence.max);
	for (size_t i = 0; i < n; i++) {
		size_t len = path_add_index(w, i);
		int r = value_check(w,
			yaml_document_get_node(yaml, node->data.sequence.items.start[i]),
			schema->sequence.entry);

		if (r < 0)
			return r;
		path_cut(w, len);
	}
	return 0;
}

/* Decimal digits only: libcyaml alone would read 010 as eight. */
static int uint_check(const struct walk *w, const yaml_node_t *node, uint32_t size)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t len = node->data.scalar.length;
	uint64_t max = size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1, value;

	if (len == 0 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
		return fail_node(
			w, node, "\"%.40s\" is not a whole number; write decimal digits", text);
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno != 0 || value > max)
		return fail_node(w, node, "%.40s is out of range; at most %llu is possible", text,
			(unsigned long long)max);
	return 0;
}

static int enum_check(
	const struct walk *w, const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
	struct str_view text = {(const char *)node->data.scalar.value, node->data.scalar.length};
	char names[128] = "";

	for (uint32_t i = 0; i < schema->enumeration.count; i++) {
		const char *name = schema->enumeration.strings[i].str;
		size_t at = strlen(names);

		if (sv_eq(text, (struct str_view){name, strlen(name)}))
			return 0;
		snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? ", " : "", name);
	}
	return fail_node(w, node, "\"%.40s\" is not known here; one of %s", text.p, names);
}

static int string_check(
	const struct walk *w, const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
	size_t len = node->data.scalar.length;

	if (len < schema->string.min)
		return fail_node(w, node, "empty; a value must be given");
	if (len > schema->string.max)
		return fail_node(w, node, "%zu characters long; at most %u are allowed", len,
			schema->string.max);
	if (memchr(node->data.scalar.value, '\0', len) != NULL)
		return fail_node(w, node, "NUL character in a text; remove it");
	return 0;
}

static int value_check(struct walk *w, const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
	if (schema->type == CYAML_MAPPING) {
		if (node->type != YAML_MAPPING_NODE)
			return fail_node(w, node, "not a mapping; write keys and values below it");
		return mapping_check(w, node, schema->mapping.fields);
	}
	if (schema->type == CYAML_SEQUENCE) {
		if (node->type != YAML_SEQUENCE_NODE)
			return fail_node(w, node, "not a list; write \"- entry\" lines or [a, b]");
		return sequence_check(w, node, schema);
	}
	if (schema->type == CYAML_IGNORE)
		return 0;
	if (node->type != YAML_SCALAR_NODE)
		return fail_node(w, node, "a list or mapping; a single value belongs here");
	switch (schema->type) {
	case CYAML_UINT:
		return uint_check(w, node, schema->data_size);
	case CYAML_ENUM:
		return enum_check(w, node, schema);
	case CYAML_STRING:
		return string_check(w, node, schema);
	default:
		return 0; /* libcyaml judges the rest */
	}
}

int config_doc_check_node(const struct config_doc *d, const yaml_node_t *node, const char *path,
	const cyaml_schema_value_t *schema)
{
	struct walk w = {.doc = d};

	snprintf(w.path, sizeof(w.path), "%s", path);
	return value_check(&w, node, schema);
}

int config_doc_check(const struct config_doc *d, const cyaml_schema_value_t *schema)
{
	return config_doc_check_node(
		d, yaml_document_get_root_node((yaml_document_t *)&d->yaml), "", schema);
}
