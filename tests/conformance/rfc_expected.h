/*
 * What RFC 4475 and RFC 5118 want done with each of their messages by an element that is neither
 * the target's user agent nor a registrar, and by which fault a bad one is known.
 */
#ifndef SALLYPORT_TESTS_RFC_EXPECTED_H
#define SALLYPORT_TESTS_RFC_EXPECTED_H

struct rfc_message {
	const char *file;
	const char *section;
	unsigned int status; /* 0: accept; of a response 400: drop it */
	const char *reason;  /* which fault was seen; "" for none */
};

static const struct rfc_message rfc4475[] = {
	/* Legal, however odd. */
	{"wsinv", "3.1.1.1", 0, ""},
	{"intmeth", "3.1.1.2", 0, ""},
	{"esc01", "3.1.1.3", 0, ""},
	{"escnull", "3.1.1.4", 0, ""},
	{"esc02", "3.1.1.5", 0, ""},
	{"lwsdisp", "3.1.1.6", 0, ""},
	{"longreq", "3.1.1.7", 0, ""},
	{"dblreq", "3.1.1.8", 0, ""},
	{"semiuri", "3.1.1.9", 0, ""},
	{"transports", "3.1.1.10", 0, ""},
	{"mpart01", "3.1.1.11", 0, ""},
	{"unreason", "3.1.1.12", 0, ""},
	{"noreason", "3.1.1.13", 0, ""},
	/* Malformed. */
	{"badinv01", "3.1.2.1", 400, "Bad Via"},
	{"clerr", "3.1.2.2", 400, "Bad Content-Length"},
	{"ncl", "3.1.2.3", 400, "Bad Content-Length"},
	{"scalar02", "3.1.2.4", 400, "Bad CSeq"},
	{"scalarlg", "3.1.2.5", 400, "Bad CSeq"},
	{"quotbal", "3.1.2.6", 400, "Bad From or To"},
	{"ltgtruri", "3.1.2.7", 400, "Bad Request-URI"},
	{"lwsruri", "3.1.2.8", 400, "Bad Start Line"},
	{"lwsstart", "3.1.2.9", 400, "Bad Start Line"},
	{"trws", "3.1.2.10", 400, "Bad Start Line"},
	{"escruri", "3.1.2.11", 400, "Bad Request-URI"},
	/* "An element that does not use Date may ignore it", as this one does. */
	{"baddate", "3.1.2.12", 0, ""},
	{"regbadct", "3.1.2.13", 400, "Bad Contact"},
	{"badaspec", "3.1.2.14", 400, "Bad From or To"},
	/* The file lacks the empty line as well; its own fault stands among the lines below. */
	{"baddn", "3.1.2.15", 400, "Missing End of Headers"},
	{"badvers", "3.1.2.16", 505, "Version Not Supported"},
	{"mismatch01", "3.1.2.17", 400, "Bad CSeq"},
	{"mismatch02", "3.1.2.18", 400, "Bad CSeq"},
	{"bigcode", "3.1.2.19", 400, "Bad Start Line"},
	/* The transaction layer: the cookie alone names no transaction. */
	{"badbranch", "3.2.1", 400, "Bad Via Branch"},
	/* Above it. */
	{"insuf", "3.3.1", 400, "Missing Header"},
	{"unkscm", "3.3.2", 416, "Unsupported URI Scheme"},
	{"novelsc", "3.3.3", 416, "Unsupported URI Scheme"},
	/* Schemes in From, To and Contact concern a registrar only. */
	{"unksm2", "3.3.4", 0, ""},
	{"bext01", "3.3.5", 420, "Bad Extension"},
	/* Bodies, credentials and Accept are judged by who reads or makes them. */
	{"invut", "3.3.6", 0, ""},
	{"regaut01", "3.3.7", 0, ""},
	{"multi01", "3.3.8", 400, "Repeated Header"},
	{"mcl01", "3.3.9", 400, "Repeated Header"},
	/* No transaction of ours has its branch; nothing is ever sent by the Via of a response. */
	{"bcast", "3.3.10", 0, ""},
	{"zeromf", "3.3.11", 483, "Too Many Hops"},
	{"cparam01", "3.3.12", 0, ""},
	{"cparam02", "3.3.13", 0, ""},
	{"regescrt", "3.3.14", 0, ""},
	{"sdp01", "3.3.15", 0, ""},
	/* RFC 2543, as the branch has no magic cookie. */
	{"inv2543", "3.4.1", 0, ""},
};

static const struct rfc_message rfc5118[] = {
	{"ipv6-good", "4.1", 0, ""},
	{"ipv6-bad", "4.2", 400, "Bad Request-URI"},
	{"port-ambiguous", "4.3", 0, ""},
	{"port-unambiguous", "4.4", 0, ""},
	{"via-received-param-with-delim", "4.5", 0, ""},
	{"via-received-param-no-delim", "4.5", 0, ""},
	{"ipv6-in-sdp", "4.6", 0, ""},
	{"mult-ip-in-header", "4.7", 0, ""},
	{"mult-ip-in-sdp", "4.8", 0, ""},
	{"ipv4-mapped-ipv6", "4.9", 0, ""},
	{"ipv6-bug-abnf-3-colons", "4.10", 0, ""},
	{"ipv6-correct-abnf-2-colons", "4.10", 0, ""},
};

#endif
