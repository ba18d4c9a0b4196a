/*
 * Plain text out of JSON: aligned tables and indented lists. What peers sent is in
 * there, so only printable ASCII reaches the terminal.
 */
#include "cli.h"

#define CELL_MAX 128
#define COLUMNS_MAX 16

static void group_digits(json_int_t v, char *buf, size_t size)
{
	char digits[24];
	size_t n, at = 0;

	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, v);
	n = strlen(digits);
	for (size_t i = 0; i < n && at + 1 < size; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-' && at + 2 < size)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
}

static void scale_bytes(double v, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	unsigned int u = 0;

	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	snprintf(buf, size, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

const char *value_text(const json_t *v, enum column_kind kind, char *buf, size_t size)
{
	buf[0] = '\0';
	if (json_is_string(v))
		snprintf(buf, size, "%s", json_string_value(v));
	else if (json_is_number(v) && kind == COLUMN_BYTES)
		scale_bytes(json_number_value(v), buf, size);
	else if (json_is_number(v) && kind == COLUMN_TENTHS)
		snprintf(buf, size, "%.1f", json_number_value(v));
	else if (json_is_number(v) && kind == COLUMN_SECONDS)
		snprintf(buf, size, "%.1f", json_number_value(v) / 1000);
	else if (json_is_integer(v) && kind == COLUMN_NUMBER)
		group_digits(json_integer_value(v), buf, size);
	else if (json_is_integer(v))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, size, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (v != NULL)
		snprintf(buf, size, "-");
	for (char *p = buf; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return buf;
}

/* Append to a line, never beyond the terminal. */
static void line_add(
	char *line, size_t size, const char *cell, unsigned int width, bool right, bool last)
{
	size_t at = strlen(line);

	if (right)
		snprintf(line + at, size - at, "%*s%s", (int)width, cell, last ? "" : "  ");
	else if (last)
		snprintf(line + at, size - at, "%s", cell);
	else
		snprintf(line + at, size - at, "%-*s  ", (int)width, cell);
}

static void line_print(const struct cli *cli, char *line)
{
	size_t len = strlen(line);

	if (cli->width > 0 && len > cli->width)
		len = cli->width;
	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len] = '\0';
	fprintf(cli->out, "%s\n", line);
}

void table_print(
	const struct cli *cli, const json_t *rows, const struct column *columns, unsigned int n)
{
	unsigned int width[COLUMNS_MAX];
	char cell[CELL_MAX], line[CELL_MAX * COLUMNS_MAX] = "";
	size_t i;
	json_t *row;

	assert(n <= COLUMNS_MAX);
	for (unsigned int c = 0; c < n; c++)
		width[c] = (unsigned int)strlen(columns[c].title);
	json_array_foreach(rows, i, row)
	{
		for (unsigned int c = 0; c < n; c++) {
			size_t len = strlen(value_text(json_object_get(row, columns[c].key),
				columns[c].kind, cell, sizeof(cell)));

			if (len > width[c])
				width[c] = (unsigned int)len;
		}
	}
	for (unsigned int c = 0; c < n; c++)
		line_add(line, sizeof(line), columns[c].title, width[c],
			columns[c].kind != COLUMN_TEXT, c + 1 == n);
	line_print(cli, line);
	json_array_foreach(rows, i, row)
	{
		line[0] = '\0';
		for (unsigned int c = 0; c < n; c++)
			line_add(line, sizeof(line),
				value_text(json_object_get(row, columns[c].key), columns[c].kind,
					cell, sizeof(cell)),
				width[c], columns[c].kind != COLUMN_TEXT, c + 1 == n);
		line_print(cli, line);
	}
}

static void tree_entry(
	const struct cli *cli, const char *name, const json_t *value, unsigned int depth)
{
	char line[CELL_MAX * 4], text[CELL_MAX * 2], clean_name[CELL_MAX];
	json_t *as_text = json_string(name);

	value_text(as_text, COLUMN_TEXT, clean_name, sizeof(clean_name));
	json_decref(as_text);
	if (json_is_object(value) || json_is_array(value))
		snprintf(line, sizeof(line), "%*s%s:%s", (int)depth * 2, "", clean_name,
			json_object_size(value) + json_array_size(value) == 0 ? " -" : "");
	else
		snprintf(line, sizeof(line), "%*s%s: %s", (int)depth * 2, "", clean_name,
			value_text(value, COLUMN_NUMBER, text, sizeof(text)));
	line_print(cli, line);
	if (json_is_object(value) || json_is_array(value))
		tree_print(cli, value, depth + 1);
}

void tree_print(const struct cli *cli, const json_t *value, unsigned int depth)
{
	const char *key;
	char name[24];
	json_t *v;
	size_t i;

	if (depth > 8)
		return;
	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, v) tree_entry(cli, key, v, depth);
		return;
	}
	json_array_foreach(value, i, v)
	{
		snprintf(name, sizeof(name), "%zu", i + 1);
		tree_entry(cli, name, v, depth);
	}
}
