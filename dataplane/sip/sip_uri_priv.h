/*
 * Between the two ways to read a URI.
 */
#ifndef SALLYPORT_SIP_URI_PRIV_H
#define SALLYPORT_SIP_URI_PRIV_H

#include "sip_parse.h"

/**
 * A SIP or SIPS URI as they mostly are, without a step for each character: at most 63 of them, no
 * escape, password, IPv6 reference or header.
 * @return false if it is not that plain, or wrong: `out` is to be filled by sip_uri_parse() then.
 */
bool sip_uri_plain(struct str_view text, struct sip_uri *out);

/**
 * A parameter's place among those that may not stand twice (RFC 3261 section 19.1.1, RFC 3966
 * section 3), and whether its value is one.
 * @param value  p NULL: no "=".
 * @param seen   a bit for each of them; written. @return false: refuse the URI.
 */
bool sip_uri_param_check(struct str_view name, struct str_view value, unsigned int *seen);

#endif
