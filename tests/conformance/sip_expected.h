/*
 * Where the parser's verdict on a corpus message does not follow from the
 * message's class, and why it is right nevertheless.
 */
#ifndef SALLYPORT_TESTS_SIP_EXPECTED_H
#define SALLYPORT_TESTS_SIP_EXPECTED_H

#include "sip_parse.h"

struct expected {
	const char *file; /* as in the corpus's table */
	unsigned int status;
	const char *why;
};

/* Legal messages that this box refuses. */
static const struct expected own_expected[] = {};

/* Fetched messages of state "ok" (a check of form) with a fault in a header's value. */
static const struct expected fetched_expected[] = {
	{"belle-sip/belle-sip-017-INVITE.sip", 400, "INVITE without Contact"},
	{"sipgo/sipgo-010-INVITE.sip", 400, "INVITE without Contact"},
	{"sofia-sip/sofia-sip-041-INVITE.sip", 400, "INVITE without Contact"},
	{"resiprocate/resiprocate-004-INVITE.sip", 400, "INVITE without Contact"},
	{"resiprocate/resiprocate-006-INVITE.sip", 400, "INVITE without Contact"},
	{"resiprocate/resiprocate-054-INVITE.sip", 400, "INVITE without Contact"},
	{"resiprocate/resiprocate-055-INVITE.sip", 400, "INVITE without Contact"},
	{"sofia-sip/sofia-sip-008-MESSAGE.sip", 400, "empty element in Via"},
	{"sofia-sip/sofia-sip-010-MESSAGE.sip", 400, "empty element in Via"},
	{"sofia-sip/sofia-sip-013-202.sip", 400, "From ends in a lone semicolon"},
	{"sofia-sip/sofia-sip-017-REGISTER.sip", 400, "comment in Via, as in RFC 2543"},
	{"sofia-sip/sofia-sip-023-OPTIONS.sip", 400, "> without < in Via"},
	{"sofia-sip/sofia-sip-032-INVITE.sip", 400, "Expires with a date that is none"},
	{"sofia-sip/sofia-sip-035-INVITE.sip", 400, "empty parameters and elements in Via"},
	{"sofia-sip/sofia-sip-047-INVITE.sip", 400, "Request-URI in <>"},
	{"sofia-sip/sofia-sip-048-INVITE.sip", 416, "unknown scheme"},
	{"sofia-sip/sofia-sip-051-INVITE.sip", 400, "Expires as a date, as in RFC 2543"},
	{"sofia-sip/sofia-sip-053-INVITE.sip", 400, "Expires as a date, as in RFC 2543"},
	{"sofia-sip/sofia-sip-054-INVITE.sip", 483, "Max-Forwards 0"},
	{"sofia-sip/sofia-sip-063-REGISTER.sip", 400, "Expires as a date, as in RFC 2543"},
	{"kamailio/kamailio-028-REGISTER.sip", 400, "empty tag"},
	{"pjproject/pjproject-006-INVITE.sip", 400, "text behind > in From"},
	{"pjproject/pjproject-007-INVITE.sip", 400, "? in a Contact without <>"},
	{"pjproject/pjproject-008-SUBSCRIBE.sip", 400, "? in a Contact without <>"},
	{"pjproject/pjproject-010-INVITE.sip", 400, "backslash outside of a quoted string"},
	{"sems/sems-007-INVITE.sip", 400, "> without < in Via"},
	{"sems/sems-009-200.sip", 400, "> without < in Via"},
	{"sems/sems-010-INVITE.sip", 400, "> without < in Via"},
	{"jsip/jsip-007-INVITE.sip", 400, "Contact without a scheme"},
	{"jsip/jsip-011-INVITE.sip", 416, "unknown scheme"},
	{"jsip/jsip-014-INVITE.sip", 400, "Contact without a scheme"},
	{"jsip/jsip-049-REGISTER.sip", 400, "? in a Contact without <>"},
	{"jsip/jsip-051-OPTIONS.sip", 420, "extensions that nobody supports"},
	{"pjproject/pjproject-026-INVITE.sip", 420, "extensions that nobody supports"},
};

/* Attacks that are asked to be refused, but whose fault is not the parser's to judge: status 0. */
static const struct expected attacks_expected[] = {
	{"uri/uri-39.sip", 0,
		"maddr=255.255.255.255: one meaning; the address is checked when used"},
	{"uri/uri-58.sip", 0, "../../ is a user name like another"},
	{"uri/uri-63.sip", 0, "localhost is a host name"},
	{"uri/uri-69.sip", 0, "500 parameters with distinct names, below the URI's cap"},
	{"name-addr/na-slash-diversion.sip", 0, "Diversion is not read; it is not passed on"},
	{"name-addr/na-overlong-utf8.sip", 0, "display text is opaque"},
	{"name-addr/na-invalid-utf8.sip", 0, "display text is opaque; logs escape it"},
	{"name-addr/na-malformed-tag.sip", 400, "refused as one may"},
	{"via/via-branch-empty.sip", 0, "matched by the rules of RFC 2543"},
	{"via/via-unknown-transport.sip", 0, "transport is a token; answers go to the source"},
	{"numbers/nr-q-odd.sip", 0, "q is read by who forks, which this box does not"},
	{"numbers/nr-se-badrefresher.sip", 0, "read by the session timer"},
	{"numbers/nr-minse-huge.sip", 0, "in range; read by the session timer"},
	{"routing/rt-replaces-noid.sip", 0, "read by the feature, which answers 400 or 481"},
	{"routing/rt-join-bad.sip", 0, "read by the feature, which answers 400 or 481"},
	{"injection/in-json-callid.sip", 400, "not a word: refused before it is logged"},
	{"injection/in-logline-callid.sip", 400, "not a word: refused before it is logged"},
	{"injection/in-ansi-ua.sip", 400, "control character: refused before it is logged"},
};

#endif
