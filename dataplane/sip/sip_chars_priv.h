/*
 * Character classes of RFC 3261 section 25.1 and small walkers over views,
 * shared by the parsers of this folder.
 */
#ifndef SALLYPORT_SIP_CHARS_PRIV_H
#define SALLYPORT_SIP_CHARS_PRIV_H

#include "base.h"

enum {
	CHAR_TOKEN = 1 << 0,
	CHAR_WORD = 1 << 1,  /* Call-ID */
	CHAR_USER = 1 << 2,  /* user part of a URI, but for escapes; and "#", which phones send */
	CHAR_PASS = 1 << 3,  /* password of a URI, but for escapes */
	CHAR_PARAM = 1 << 4, /* URI parameter, but for escapes; "=" in a value is let pass */
	CHAR_HNV = 1 << 5,   /* URI header, but for escapes */
	CHAR_VALUE = 1 << 6, /* unquoted value of a header parameter; wider than gen-value */
	CHAR_ALNUM = 1 << 7,
	CHAR_DIGIT = 1 << 8,
	CHAR_HEX = 1 << 9,
	CHAR_WS = 1 << 10, /* SP, HT, and the CR and LF of a folded line */
};

extern const uint16_t sip_char_class[256];

static inline bool sip_char_is(char c, unsigned int class)
{
	return (sip_char_class[(unsigned char)c] & class) != 0;
}

/** True if every byte is of the class; true for an empty view. */
static inline bool sip_chars_all(struct str_view v, unsigned int class)
{
	for (size_t i = 0; i < v.len; i++) {
		if (!sip_char_is(v.p[i], class))
			return false;
	}
	return true;
}

/** Bytes at the start of v that are of the class. */
static inline size_t sip_chars_span(struct str_view v, unsigned int class)
{
	size_t n = 0;

	while (n < v.len && sip_char_is(v.p[n], class))
		n++;
	return n;
}

static inline void sip_view_skip(struct str_view *v, size_t n)
{
	assert(n <= v->len);
	if (n == 0)
		return; /* p may be NULL */
	v->p += n;
	v->len -= n;
}

static inline void sip_skip_ws(struct str_view *v)
{
	sip_view_skip(v, sip_chars_span(*v, CHAR_WS));
}

static inline struct str_view sip_trim(struct str_view v)
{
	sip_skip_ws(&v);
	while (v.len > 0 && sip_char_is(v.p[v.len - 1], CHAR_WS))
		v.len--;
	return v;
}

/** Skip white space, then c, then white space. @return false (nothing moved) if c is not there. */
static inline bool sip_skip_char(struct str_view *v, char c)
{
	struct str_view w = *v;

	sip_skip_ws(&w);
	if (w.len == 0 || w.p[0] != c)
		return false;
	sip_view_skip(&w, 1);
	sip_skip_ws(&w);
	*v = w;
	return true;
}

/** Take the first n bytes off v. */
static inline struct str_view sip_view_take(struct str_view *v, size_t n)
{
	struct str_view out = {v->p, n};

	sip_view_skip(v, n);
	return out;
}

/**
 * Take a quoted string off v, which starts with the quote.
 * @param out  the inside, still escaped. @return 0, or -EBADMSG when it does not end.
 */
int sip_quoted_take(struct str_view *v, struct str_view *out);

/**
 * Take a host off v: a name, an IPv4 address, or an IPv6 address in brackets (RFC 3261 section
 * 25.1). What looks like a number but is no IPv4 address is refused.
 * @return 0 or -EBADMSG.
 */
int sip_host_take(struct str_view *v, struct str_view *host, bool *v6);

/** Take 1*DIGIT off v, 1..65535. @return 0 or -EBADMSG. */
int sip_port_take(struct str_view *v, uint16_t *port);

#endif
