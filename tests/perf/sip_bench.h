/*
 * The clock around a parser: messages a second of the thread's own CPU time, as one line of JSON.
 */
#ifndef SALLYPORT_TESTS_SIP_BENCH_H
#define SALLYPORT_TESTS_SIP_BENCH_H

#include "sip_messages.h"

struct sip_bench {
	const char *name;
	/**
	 * Parse one message and release what that took.
	 * @param sum  the facts found are added by sip_fact(). @return false: refused.
	 */
	bool (*parse)(struct str_view msg, uint64_t *sum);
};

/**
 * main() of a benchmark: PROGRAM NAME SECONDS, or PROGRAM NAME -n PASSES (for callgrind).
 * Ends with 1 when a message is refused, or when a later pass finds other facts than the first.
 * @param rows  ends with a NULL name.
 */
int sip_bench_main(int argc, char **argv, const struct sip_bench *rows);

#endif
