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

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "texts are read as words, first byte low");

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

/** 8 characters as a number, capital letters of ASCII made small. */
static inline uint64_t sv_fold8(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101, low = x & 0x7f * ones;
	/* The top bit of each character from 'A' to 'Z'. */
	uint64_t capital = (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~x;

	return x | (capital & 0x80 * ones) >> 2;
}

/** Up to 8 of len characters, at least 1, as a number; two parts of it overlap. */
static inline uint64_t sv_load8(const char *p, size_t len)
{
	uint64_t x = 0;
	uint32_t a, b;
	uint16_t c, d;

	if (len >= sizeof(x)) {
		memcpy(&x, p, sizeof(x));
	} else if (len >= sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + len - sizeof(b), sizeof(b));
		x = a | (uint64_t)b << 32;
	} else if (len >= sizeof(c)) {
		memcpy(&c, p, sizeof(c));
		memcpy(&d, p + len - sizeof(d), sizeof(d));
		x = c | (uint64_t)d << 32;
	} else {
		x = (unsigned char)p[0];
	}
	return x;
}

/** The same characters without regard to ASCII case, up to 8 of len. */
static inline bool sv_eq8_nocase(const char *p, const char *q, size_t len)
{
	uint64_t x = sv_load8(p, len), y = sv_load8(q, len);

	/* Most are written as we have them. */
	return x == y || sv_fold8(x) == sv_fold8(y);
}

/** Equal without regard to ASCII case (RFC 3261 section 7.3.1). Locale free. */
static inline bool sv_eq_nocase(struct str_view a, struct str_view b)
{
	size_t n = 0;

	if (a.len != b.len)
		return false;
	if (a.len == 0)
		return true;
	for (; a.len - n > 8; n += 8) {
		if (!sv_eq8_nocase(a.p + n, b.p + n, 8))
			return false;
	}
	/* The last 8, if there are as many. */
	if (a.len > 8)
		n = a.len - 8;
	return sv_eq8_nocase(a.p + n, b.p + n, a.len - n);
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
