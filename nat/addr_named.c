/* Addresses in texts for people, and in values that nobody reads. */
#include "addr.h"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_of_address(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') || c == '.' ||
	       c == ':';
}

/* Whole, or with a port, or at the end of a sentence. */
static bool is_address(struct str_view run)
{
	const char *colon = memchr(run.p, ':', run.len);
	struct net_addr addr;

	while (run.len > 0 && (run.p[run.len - 1] == '.' || run.p[run.len - 1] == ':'))
		run.len--;
	if (net_addr_parse(run, &addr) == 0)
		return true;
	return colon != NULL &&
	       net_addr_parse((struct str_view){run.p, (size_t)(colon - run.p)}, &addr) == 0;
}

/* "%40" of a user part: its digits are no digits. */
static bool is_escape(struct str_view text, size_t at)
{
	return at + 3 <= text.len && text.p[at] == '%';
}

/* What goes on with a word is none, nor is a phone number with dots in it. */
static bool may_begin(char before)
{
	return before != '+' && !is_alnum(before);
}

/* A mark that ends what stands before it: "sip:10.0.0.7". Two colons may begin an address. */
static bool is_mark(struct str_view text, size_t at)
{
	return text.p[at] == '.' ||
	       (text.p[at] == ':' && (at + 1 == text.len || text.p[at + 1] != ':'));
}

bool net_addr_is_named(struct str_view text)
{
	char before = ' ';

	for (size_t at = 0, n; at < text.len; at += n) {
		bool parted = false; /* a number is none */

		if (is_escape(text, at) || is_mark(text, at)) {
			before = ' ';
			n = is_mark(text, at) ? 1 : 3;
			continue;
		}
		for (n = 0; at + n < text.len && is_of_address(text.p[at + n]); n++)
			parted |= text.p[at + n] == '.' || text.p[at + n] == ':';
		if (parted && may_begin(before) && is_address((struct str_view){text.p + at, n}))
			return true;
		if (n == 0)
			n = 1;
		before = text.p[at + n - 1];
	}
	return false;
}
