/*
 * INVITEs as telephones, trunks and gateways send them, for benchmarks of parsers: about 1.1 KB
 * with SDP, no two alike, the same ones in each run.
 */
#ifndef SALLYPORT_TESTS_SIP_MESSAGES_H
#define SALLYPORT_TESTS_SIP_MESSAGES_H

#include "base.h"

#define SIP_MESSAGES 256
#define SIP_MESSAGE_MAX 1600 /* bytes of one */

struct sip_messages {
	struct str_view msg[SIP_MESSAGES]; /* one behind the other in `bytes`, at any alignment */
	char bytes[SIP_MESSAGES * SIP_MESSAGE_MAX];
};

/** Write them all. Ends the program when one does not fit. */
void sip_messages_build(struct sip_messages *m);

/**
 * What a parser found, as a number: parsers that read the same of a message give the same sum.
 * @param n  number of the fact, from 0 on.
 */
static inline void sip_fact(uint64_t *sum, unsigned int n, uint64_t value)
{
	*sum += value * (2654435761u + 2 * 40503u * (uint64_t)n);
}

/* Numbers of facts. Texts count by their length, what is absent by 0. */
enum {
	FACT_URI_USER,
	FACT_URI_HOST,
	FACT_URI_PORT,
	FACT_VIA_HOST,
	FACT_VIA_PORT,
	FACT_VIA_BRANCH,
	FACT_FROM, /* and the next three: to sip_fact_address() */
	FACT_TO = FACT_FROM + 4,
	FACT_CONTACT = FACT_TO + 4,
	FACT_TAG = FACT_CONTACT + 4,
	FACT_CALL_ID,
	FACT_CSEQ,
	FACT_METHOD,
	FACT_MAX_FORWARDS,
	FACT_CONTENT_LENGTH,
	FACT_CONTENT_TYPE,
	FACT_MEDIA_TYPE,
	FACT_MEDIA_PORT,
	FACT_MEDIA_PROTO,
	FACT_MEDIA_FAMILY, /* 4 or 6, of the c= in force */
	FACT_MEDIA_CLOCK,  /* of its first codec */
};

/** A name-addr: whether it has a display name, and the user, host and port of its URI. */
static inline void sip_fact_address(
	uint64_t *sum, unsigned int n, bool display, size_t user, size_t host, uint64_t port)
{
	sip_fact(sum, n, display);
	sip_fact(sum, n + 1, user);
	sip_fact(sum, n + 2, host);
	sip_fact(sum, n + 3, port);
}

#endif
