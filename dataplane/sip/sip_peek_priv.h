/*
 * What the fast path reads of header values before control parses them: of tags the same as the
 * parser finds in all that the grammar allows; a branch may stay unseen that has blanks around it.
 * Of what the grammar does not allow, which control refuses, they may make anything, but nothing
 * from outside of the value.
 */
#ifndef SALLYPORT_SIP_PEEK_PRIV_H
#define SALLYPORT_SIP_PEEK_PRIV_H

#include "base.h"

/**
 * The tag of From or To.
 * @param value  trimmed; may be absent.
 * @param msg    the message that it lies in.
 * @return false: it has none.
 */
bool sip_peek_tag(struct str_view value, const char *msg, struct str_view *tag);

/**
 * The same, strictly: the value is readable and has at most one tag, which is a token.
 * @param tag  p NULL: none, or several. @return 0 or -EBADMSG.
 */
int sip_tag_read(struct str_view value, struct str_view *tag);

#endif
