#include "json_line.h"

#include <time.h>

#include "decimal.h"

void json_line_init(struct json_line *l, char *buf, size_t cap)
{
	*l = (struct json_line){.buf = buf, .cap = cap};
}

#define KEY_MAX 32
#define HEAD_MAX (KEY_MAX + 5) /* comma, quotes, colon, and the first byte of the value */

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
	if (l->failed || l->len == l->cap) {
		l->failed = true;
		return;
	}
	l->buf[l->len++] = c;
}

/* The comma in front of all but the first, the key, and a first byte of the value (0: none); and
 * room for `more` behind. @return false when there is no room: nothing was written. */
static bool begin(struct json_line *l, const char *key, char value, size_t more)
{
	char last = l->len > 0 ? l->buf[l->len - 1] : '{';
	char *to = l->buf + l->len;

	if (l->failed || l->cap - l->len < HEAD_MAX + more) {
		l->failed = true;
		return false;
	}
	if (last != '{' && last != '[')
		*to++ = ',';
	if (key != NULL) {
		*to++ = '"';
		while (*key != '\0')
			*to++ = *key++;
		*to++ = '"';
		*to++ = ':';
	}
	if (value != '\0')
		*to++ = value;
	assert(to <= l->buf + l->len + HEAD_MAX);
	l->len = (size_t)(to - l->buf);
	return true;
}

void json_line_open(struct json_line *l, const char *key, char bracket)
{
	(void)begin(l, key, bracket, 0);
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

	(void)begin(l, key, '"', 0);
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

void json_line_uint(struct json_line *l, const char *key, uint64_t n)
{
	if (begin(l, key, '\0', DECIMAL_MAX))
		l->len += decimal_write(l->buf + l->len, n);
}

void json_line_thousandths(struct json_line *l, const char *key, uint64_t n)
{
	size_t used = 3;
	char *places;

	if (!begin(l, key, '\0', DECIMAL_MAX + 4))
		return;
	l->len += decimal_write(l->buf + l->len, n / 1000);
	l->buf[l->len++] = '.';
	places = l->buf + l->len;
	(void)decimal_write_wide(places, n % 1000, used);
	while (used > 1 && places[used - 1] == '0')
		used--;
	l->len += used;
}

void json_line_bool(struct json_line *l, const char *key, bool v)
{
	(void)begin(l, key, '\0', 0);
	put(l, v ? "true" : "false", v ? 4 : 5);
}

void json_line_null(struct json_line *l, const char *key)
{
	(void)begin(l, key, '\0', 0);
	put(l, "null", 4);
}

void json_line_value(struct json_line *l, const char *key, struct str_view json)
{
	(void)begin(l, key, '\0', 0);
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
