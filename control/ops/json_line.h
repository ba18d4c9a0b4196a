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

/* `key` is our own word of at most 32 characters; NULL for an element of an array, and for the
 * line's one value. */

/** @param bracket  '{' or '['. */
void json_line_open(struct json_line *l, const char *key, char bracket);
/** @param bracket  '}' or ']'. */
void json_line_close(struct json_line *l, char bracket);
/** Received text (NULL is ""): what is not printable ASCII becomes '?', so that it is safe to page
 * through. */
void json_line_text(struct json_line *l, const char *key, const char *text);
void json_line_uint(struct json_line *l, const char *key, uint64_t n);
/** A number with up to three places behind its point, and at least one. */
void json_line_thousandths(struct json_line *l, const char *key, uint64_t n);
void json_line_bool(struct json_line *l, const char *key, bool v);
void json_line_null(struct json_line *l, const char *key);
/** A value that is JSON already. */
void json_line_value(struct json_line *l, const char *key, struct str_view json);
/** UTC in ISO 8601 with milliseconds; null for 0. */
void json_line_time(struct json_line *l, const char *key, int64_t utc_ms);

/** @return what was written; p NULL when it did not fit. */
struct str_view json_line_finish(const struct json_line *l);

#endif
