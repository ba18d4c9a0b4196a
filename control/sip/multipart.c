#include "multipart.h"

#include <errno.h>

/* A line of delimiter in a body. */
struct delimiter {
	size_t at;   /* where the part before it ends: at the CRLF that is the delimiter's */
	size_t next; /* where the part behind it begins */
	bool closes;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 2046 section 5.1.1, bchars. */
static bool is_boundary(struct str_view v)
{
	if (v.p == NULL || v.len == 0 || v.len > MULTIPART_BOUNDARY_MAX || v.p[v.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			    (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL)))
			return false;
	}
	return true;
}

/* What stands behind "--boundary": "--", blanks, the line's end. The last one may have none. */
static bool delimiter_read(struct str_view body, size_t at, struct delimiter *d)
{
	d->closes = body.len - at >= 2 && memcmp(body.p + at, "--", 2) == 0;
	at += d->closes ? 2 : 0;
	while (at < body.len && is_blank(body.p[at]))
		at++;
	d->next = at;
	if (at == body.len)
		return d->closes;
	if (body.len - at < 2 || memcmp(body.p + at, "\r\n", 2) != 0)
		return false;
	d->next += 2;
	return true;
}

/* The next one from here on. @return false: there is none. */
static bool delimiter_find(
	struct str_view body, size_t from, struct str_view boundary, struct delimiter *d)
{
	char line[MULTIPART_BOUNDARY_MAX + 2];
	size_t len = boundary.len + 2;

	memcpy(line, "--", 2);
	memcpy(line + 2, boundary.p, boundary.len);
	while (from < body.len) {
		const char *found = memmem(body.p + from, body.len - from, line, len);
		size_t at;

		if (found == NULL)
			return false;
		at = (size_t)(found - body.p);
		d->at = at >= 2 ? at - 2 : 0;
		if ((at == 0 || (at >= 2 && memcmp(found - 2, "\r\n", 2) == 0)) &&
			delimiter_read(body, at + len, d))
			return true;
		from = at + 1;
	}
	return false;
}

/* A name and a value, or what goes on with the line before. */
static bool line_is_sane(struct str_view line, bool first)
{
	if (memchr(line.p, '\0', line.len) != NULL || memchr(line.p, '\n', line.len) != NULL ||
		memchr(line.p, '\r', line.len) != NULL || line.len == 0)
		return false;
	if (is_blank(line.p[0]))
		return !first;
	return line.p[0] != ':' && memchr(line.p, ':', line.len) != NULL;
}

/* @return 0 or as multipart_parse(). */
static int head_check(struct str_view head)
{
	for (unsigned int n = 0; head.len > 0; n++) {
		const char *end = memmem(head.p, head.len, "\r\n", 2);
		size_t len = end != NULL ? (size_t)(end - head.p) : head.len;

		if (n == MULTIPART_HEADERS_MAX)
			return -E2BIG;
		if (!line_is_sane((struct str_view){head.p, len}, n == 0))
			return -EBADMSG;
		len += end != NULL ? 2 : 0;
		head = (struct str_view){head.p + len, head.len - len};
	}
	return 0;
}

/* Headers, an empty line, and the body; each may be missing. */
static int part_split(struct str_view text, struct multipart_part *out)
{
	const char *end;

	if (text.len >= 2 && memcmp(text.p, "\r\n", 2) == 0) {
		out->head = (struct str_view){text.p, 0};
		out->body = (struct str_view){text.p + 2, text.len - 2};
		return 0;
	}
	end = text.len > 0 ? memmem(text.p, text.len, "\r\n\r\n", 4) : NULL;
	out->head.p = text.p;
	out->head.len = end != NULL ? (size_t)(end - text.p) + 2 : text.len;
	out->body.p = text.p + out->head.len + (end != NULL ? 2 : 0);
	out->body.len = text.len - (size_t)(out->body.p - text.p);
	return head_check(out->head);
}

int multipart_parse(struct str_view params, struct str_view body,
	struct multipart_part parts[MULTIPART_PARTS_MAX])
{
	struct str_view boundary = {NULL, 0};
	struct delimiter d, next;
	int n = 0, rc;

	if (!sip_param_find(params, SV("boundary"), &boundary) || !is_boundary(boundary) ||
		body.p == NULL || !delimiter_find(body, 0, boundary, &d))
		return -EBADMSG;
	while (!d.closes) {
		/* The CRLF of this one may be that of the next. */
		if (!delimiter_find(body, d.next - 2, boundary, &next) || next.at < d.next)
			return -EBADMSG;
		if (n == MULTIPART_PARTS_MAX)
			return -E2BIG;
		rc = part_split((struct str_view){body.p + d.next, next.at - d.next}, &parts[n++]);
		if (rc != 0)
			return rc;
		d = next;
	}
	return n > 0 ? n : -EBADMSG;
}

static struct str_view trim(struct str_view v)
{
	while (v.len > 0 && (is_blank(v.p[0]) || v.p[0] == '\r' || v.p[0] == '\n'))
		v = (struct str_view){v.p + 1, v.len - 1};
	while (v.len > 0 &&
		(is_blank(v.p[v.len - 1]) || v.p[v.len - 1] == '\r' || v.p[v.len - 1] == '\n'))
		v.len--;
	return v;
}

/* One header of these lines with what it goes on with. */
static struct str_view header_take(struct str_view *rest)
{
	struct str_view all = *rest;
	size_t len = 0;

	do {
		const char *end = memmem(all.p + len, all.len - len, "\r\n", 2);

		len = end != NULL ? (size_t)(end - all.p) + 2 : all.len;
	} while (len < all.len && is_blank(all.p[len]));
	*rest = (struct str_view){all.p + len, all.len - len};
	return (struct str_view){all.p, len};
}

struct str_view multipart_header(const struct multipart_part *part, struct str_view name)
{
	struct str_view rest = part->head;

	while (rest.len > 0) {
		struct str_view line = header_take(&rest);
		const char *colon = memchr(line.p, ':', line.len);
		size_t at = colon != NULL ? (size_t)(colon - line.p) : line.len;

		if (colon != NULL && sv_eq_nocase(trim((struct str_view){line.p, at}), name))
			return trim((struct str_view){colon + 1, line.len - at - 1});
	}
	return (struct str_view){NULL, 0};
}
