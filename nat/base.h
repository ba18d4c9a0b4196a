/*
 * Ground-floor helpers that every folder shares: text views, small macros, and
 * the list of C library calls that this code base does not use.
 */
#ifndef SALLYPORT_NAT_BASE_H
#define SALLYPORT_NAT_BASE_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Received text: a borrowed view, never terminated by NUL. */
struct str_view {
	const char *p;
	size_t len;
};

/** A view of a string literal. */
#define SV(lit) ((struct str_view){(lit), sizeof(lit) - 1})
/** printf arguments for "%.*s". */
#define SV_ARG(sv) (int)(sv).len, (sv).p

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/** Bytes equal. */
static inline bool sv_eq(struct str_view a, struct str_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/** Equal without regard to ASCII case (RFC 3261 section 7.3.1). Locale free. */
static inline bool sv_eq_nocase(struct str_view a, struct str_view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		if (x >= 'A' && x <= 'Z')
			x |= 0x20;
		if (y >= 'A' && y <= 'Z')
			y |= 0x20;
		if (x != y)
			return false;
	}
	return true;
}

/*
 * Unbounded or locale-dependent calls: using one is a build error (-Werror)
 * that names the replacement. Our tests follow the same rule. Left to gcc: clang takes no attribute
 * for what the C library's headers define inline (all of these with _FORTIFY_SOURCE).
 */
#ifndef __clang__
#define BASE_POISON(msg) __attribute__((deprecated(msg)))
extern char *strcpy(char *dst, const char *src) BASE_POISON("use snprintf or a bounded builder");
extern char *strcat(char *dst, const char *src) BASE_POISON("use snprintf or a bounded builder");
extern char *strncpy(char *dst, const char *src, size_t n) BASE_POISON("use snprintf or memcpy");
extern char *strtok(char *s, const char *delim) BASE_POISON("walk a struct str_view");
extern int sprintf(char *s, const char *fmt, ...) BASE_POISON("use snprintf");
extern int atoi(const char *s) BASE_POISON("use a range-checked parser");
extern long atol(const char *s) BASE_POISON("use a range-checked parser");
#endif

#endif
