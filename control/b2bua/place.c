/* Texts for people that name a place in the network after all: an address, or the host of the
 * name that they belong to. */
#include "headers.h"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* "%40" of a user part: its digits are no digits. */
static bool is_escape(struct str_view text, size_t at)
{
	return at + 3 <= text.len && text.p[at] == '%';
}

static bool has_word(struct str_view text, struct str_view word)
{
	for (size_t at = 0; at + word.len <= text.len; at++)
		if (sv_eq_nocase((struct str_view){text.p + at, word.len}, word) &&
			(at == 0 || !is_alnum(text.p[at - 1]) ||
				(at >= 3 && is_escape(text, at - 3))) &&
			(at + word.len == text.len || !is_alnum(text.p[at + word.len])))
			return true;
	return false;
}

bool place_is_named(struct str_view text, struct str_view host)
{
	/* A host without a dot may be a word of any language, and a user's name. */
	if (host.len > 0 && memchr(host.p, '.', host.len) != NULL && has_word(text, host))
		return true;
	return net_addr_is_named(text);
}

bool place_is_secret(const struct config_realm *from, const struct config_realm *to)
{
	return from->trust == TRUST_TRUSTED && to->trust != TRUST_TRUSTED;
}
