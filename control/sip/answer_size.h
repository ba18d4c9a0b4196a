/*
 * Answers that fit: who has not proven its address is never sent more bytes than it sent
 * itself, or the box would flood whoever's address is forged (a reflector).
 */
#ifndef SALLYPORT_CONTROL_ANSWER_SIZE_H
#define SALLYPORT_CONTROL_ANSWER_SIZE_H

#include "sip_msg.h"

/**
 * The largest form of a response of ours that fits into `limit` bytes: as it is (1xx and 2xx
 * only); without body and headers that its status does not demand; the same with compact names and
 * without a phrase; or so the bare fields of RFC 3261 section 8.2.6.2.
 *
 * The last is 39 bytes and the values of Via, From, To, Call-ID and CSeq, with what comes to them:
 * the tag (13 bytes, of an INVITE 45, see txn_answer_tag()), and received and rport (at most 31 for
 * IPv4). So an ordinary request with Max-Forwards, as it must have it (section 8.1.1), and our
 * address in its Request-URI is larger; one in compact form, or for a very short host name, may not
 * be. An INVITE has a Contact and mostly a body.
 *
 * @param response  well-formed, of our own making; must not lie in `out`.
 * @param out       cap bytes for a form other than the first.
 * @return a view of `response` or of `out`; p NULL when none fits.
 */
struct str_view sip_answer_fit(struct str_view response, size_t limit, char *out, size_t cap);

#endif
