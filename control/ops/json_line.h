/*
 * JSON of one line, written straight into a buffer: for records that are made by the thousand,
 * where a tree of objects costs more than what it says. What does not fit makes the line fail
 * (its last bytes may be taken for full: 64 to spare are enough); check once at the end.
 */
#ifndef SALLYPORT_CONTROL_JSON_LINE_H
#define SALLYPORT_CONTROL_JSON_LINE_H

#include "base.h"

struct json_line {
	char *buf;
	size_t cap;
	size_t len;
	bool failed;
};

void json_line_init(struct json_line *l, char *buf, size_t cap);

/* What stands in front of a value is written inline, where most keys are literals: then they are a
 * store or two. `key` is our own word of at most 32 characters; NULL for an element of an array,
 * and for the line's one value. */

#define JSON_LINE_KEY_MAX 32
/* Comma, quotes, colon, and the first byte of the value. */
#define JSON_LINE_HEAD_MAX (JSON_LINE_KEY_MAX + 5)

/**
 * The comma in front of all but the first, the key, and a first byte of the value (0: none).
 * @param more  room for so many bytes behind.
 * @return false when there is no room: nothing was written.
 */
static inline bool json_line_begin(struct json_line *l, const char *key, char value, size_t more)
{
	size_t key_len = key != NULL ? strlen(key) : 0;
	char *to = l->buf + l->len;

	assert(key_len <= JSON_LINE_KEY_MAX);
	if (l->failed || l->cap - l->len < JSON_LINE_HEAD_MAX + more) {
		l->failed = true;
		return false;
	}
	if (l->len > 0 && to[-1] != '{' && to[-1] != '[')
		*to++ = ',';
	if (key != NULL) {
		*to++ = '"';
		memcpy(to, key, key_len);
		to += key_len;
		*to++ = '"';
		*to++ = ':';
	}
	if (value != '\0')
		*to++ = value;
	l->len = (size_t)(to - l->buf);
	return true;
}

/* The values themselves, each behind json_line_begin(). */
void json_line_put(struct json_line *l, struct str_view json);
void json_line_put_quoted(struct json_line *l, const char *text);
void json_line_put_uint(struct json_line *l, uint64_t n);
void json_line_put_thousandths(struct json_line *l, uint64_t n);
void json_line_put_time(struct json_line *l, int64_t utc_ms);

/** @param bracket  '{' or '['. */
static inline void json_line_open(struct json_line *l, const char *key, char bracket)
{
	(void)json_line_begin(l, key, bracket, 0);
}

/** @param bracket  '}' or ']'. */
static inline void json_line_close(struct json_line *l, char bracket)
{
	json_line_put(l, (struct str_view){&bracket, 1});
}

/** Received text (NULL is ""): what is not printable ASCII becomes '?', so that it is safe to page
 * through. */
static inline void json_line_text(struct json_line *l, const char *key, const char *text)
{
	if (json_line_begin(l, key, '"', 0))
		json_line_put_quoted(l, text != NULL ? text : "");
}

static inline void json_line_uint(struct json_line *l, const char *key, uint64_t n)
{
	if (json_line_begin(l, key, '\0', 0))
		json_line_put_uint(l, n);
}

/** A number with up to three places behind its point, and at least one. */
static inline void json_line_thousandths(struct json_line *l, const char *key, uint64_t n)
{
	if (json_line_begin(l, key, '\0', 0))
		json_line_put_thousandths(l, n);
}

/** A value that is JSON already. */
static inline void json_line_value(struct json_line *l, const char *key, struct str_view json)
{
	if (json_line_begin(l, key, '\0', 0))
		json_line_put(l, json);
}

static inline void json_line_bool(struct json_line *l, const char *key, bool v)
{
	json_line_value(l, key, v ? SV("true") : SV("false"));
}

static inline void json_line_null(struct json_line *l, const char *key)
{
	json_line_value(l, key, SV("null"));
}

/** UTC in ISO 8601 with milliseconds; null for 0. */
static inline void json_line_time(struct json_line *l, const char *key, int64_t utc_ms)
{
	if (json_line_begin(l, key, '\0', 0))
		json_line_put_time(l, utc_ms);
}

/** @return what was written; p NULL when it did not fit. */
struct str_view json_line_finish(const struct json_line *l);

#endif
