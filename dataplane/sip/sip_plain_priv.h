/*
 * The fields of a message as they mostly are written, read 64 characters at once. What is
 * written otherwise, and all that is wrong, is left to the parsers that go step by step: where
 * both read a field they agree.
 */
#ifndef SALLYPORT_SIP_PLAIN_PRIV_H
#define SALLYPORT_SIP_PLAIN_PRIV_H

#include "sip_parse.h"

/**
 * One Via element, "SIP/2.0/UDP host:port;params" of at most 63 characters behind the blank, the
 * host no IPv6 reference.
 * @param out  written if it is. @return false if it is not that plain.
 */
bool sip_plain_via(struct str_view text, struct sip_via *out);

/**
 * A display name or none, the URI in <> that ends among the first 64 characters, and what follows.
 * @param text  trimmed.
 * @param out   as sip_name_addr_take() has it, written if it is. @return false if it is not that
 *              plain.
 */
bool sip_plain_name_addr(struct str_view text, struct sip_name_addr *out);

#endif
