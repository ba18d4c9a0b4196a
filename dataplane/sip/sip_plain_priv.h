/*
 * The fields of a message as they mostly are written, read 64 characters at once. What is
 * written otherwise, and all that is wrong, is left to the parsers of sip_parse.h: where both
 * read a field they agree.
 */
#ifndef SALLYPORT_SIP_PLAIN_PRIV_H
#define SALLYPORT_SIP_PLAIN_PRIV_H

#include "base.h"

/**
 * Via header line with one element, "SIP/2.0/UDP host:port;params".
 * @param value   trimmed.
 * @param end     of the message.
 * @param branch  p NULL: none. @return false if it is not that plain.
 */
bool sip_plain_via(struct str_view value, const char *end, struct str_view *branch);

/**
 * From or To: a display name in quotes or none, the URI in <>, at most one tag.
 * @param tag  p NULL: none; else a token. @return false if it is not that plain.
 */
bool sip_plain_tag(struct str_view value, const char *end, struct str_view *tag);

#endif
