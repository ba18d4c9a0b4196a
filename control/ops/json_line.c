#include "json_line.h"

#include <time.h>

#include "decimal.h"

void json_line_init(struct json_line *l, char *buf, size_t cap)
{
	*l = (struct json_line){.buf = buf, .cap = cap};
}

#define KEY_MAX 32

static void put(struct json_line *l, const char *p, size_t len)
{
	if (l->failed || len > l->cap - l->len) {
		l->failed = true;
		return;
	}
	memcpy(l->buf + l->len, p, len);
	l->len += len;
}

static void put_char(struct json_line *l, char c)
{
	put(l, &c, 1);
}

/* The comma in front of all but the first, the key, and a first byte of the value (0: none). */
static void begin(struct json_line *l, const char *key, char value)
{
	char last = l->len > 0 ? l->buf[l->len - 1] : '{';
	char head[KEY_MAX + 5];
	size_t n = 0, len;

	if (last != '{' && last != '[')
		head[n++] = ',';
	if (key != NULL) {
		len = strlen(key);
		assert(len <= KEY_MAX);
		head[n++] = '"';
		memcpy(head + n, key, len);
		n += len;
		head[n++] = '"';
		head[n++] = ':';
	}
	if (value != '\0')
		head[n++] = value;
	put(l, head, n);
}

void json_line_open(struct json_line *l, const char *key, char bracket)
{
	begin(l, key, bracket);
}

void json_line_close(struct json_line *l, char bracket)
{
	put_char(l, bracket);
}

/* Stands for itself between quotes. */
static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void json_line_text(struct json_line *l, const char *key, const char *text)
{
	const char *p = text != NULL ? text : "";

	begin(l, key, '"');
	for (;;) {
		size_t n = 0;

		while (is_plain(p[n]))
			n++;
		put(l, p, n);
		p += n;
		if (*p == '\0')
			break;
		if (*p == '"' || *p == '\\')
			put(l, (const char[]){'\\', *p}, 2);
		else
			put_char(l, '?');
		p++;
	}
	put_char(l, '"');
}

static void put_number(struct json_line *l, uint64_t n)
{
	char digits[DECIMAL_MAX];

	put(l, digits, decimal_write(digits, n));
}

void json_line_uint(struct json_line *l, const char *key, uint64_t n)
{
	begin(l, key, '\0');
	put_number(l, n);
}

void json_line_thousandths(struct json_line *l, const char *key, uint64_t n)
{
	char places[3];
	size_t used = decimal_write_wide(places, n % 1000, sizeof(places));

	while (used > 1 && places[used - 1] == '0')
		used--;
	begin(l, key, '\0');
	put_number(l, n / 1000);
	put_char(l, '.');
	put(l, places, used);
}

void json_line_bool(struct json_line *l, const char *key, bool v)
{
	begin(l, key, '\0');
	put(l, v ? "true" : "false", v ? 4 : 5);
}

void json_line_null(struct json_line *l, const char *key)
{
	begin(l, key, '\0');
	put(l, "null", 4);
}

void json_line_value(struct json_line *l, const char *key, struct str_view json)
{
	begin(l, key, '\0');
	put(l, json.p, json.len);
}

void json_line_time(struct json_line *l, const char *key, int64_t utc_ms)
{
	time_t seconds = (time_t)(utc_ms / 1000);
	char text[sizeof("\"2000-01-01T00:00:00.000Z\"")];
	struct tm tm;
	size_t n = 0;

	if (utc_ms <= 0 || gmtime_r(&seconds, &tm) == NULL) {
		json_line_null(l, key);
		return;
	}
	const struct {
		char before;
		int value;
		size_t digits;
	} parts[] = {
		{'"', tm.tm_year + 1900, 4},
		{'-', tm.tm_mon + 1, 2},
		{'-', tm.tm_mday, 2},
		{'T', tm.tm_hour, 2},
		{':', tm.tm_min, 2},
		{':', tm.tm_sec, 2},
		{'.', (int)(utc_ms % 1000), 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		text[n++] = parts[i].before;
		n += decimal_write_wide(text + n, (uint64_t)parts[i].value, parts[i].digits);
	}
	text[n++] = 'Z';
	text[n++] = '"';
	json_line_value(l, key, (struct str_view){text, n});
}

struct str_view json_line_finish(const struct json_line *l)
{
	return (struct str_view){l->failed ? NULL : l->buf, l->failed ? 0 : l->len};
}
