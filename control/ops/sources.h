/*
 * Words for what the box thinks of sources of SIP, for tables and for the log; and the
 * log line, of which a flood of denials must not make a flood.
 */
#ifndef SALLYPORT_CONTROL_SOURCES_H
#define SALLYPORT_CONTROL_SOURCES_H

#include "config.h"

/** "untrusted", "trusted", "denied"; "?" when out of range. */
const char *source_class_name(unsigned int class);
/** "call", "rate" ...; "" for SOURCE_REASON_NONE, "?" when out of range. */
const char *source_reason_name(unsigned int reason);
/** "it sent more than its rate" ... */
const char *source_reason_text(unsigned int reason);

/** "192.0.2.1:5060"; without a port "192.0.2.1". @return buf. */
const char *source_format(const struct net_endpoint *source, char buf[NET_ENDPOINT_STRLEN]);

#define SOURCE_LOG_BURST 10 /* lines in SOURCE_LOG_MS, then one with the number of the others */
#define SOURCE_LOG_MS 10000

struct source_log {
	uint64_t since_ms;
	unsigned int lines;
	uint64_t left_out;
};

/**
 * One line: what became of a source, why, for how long.
 * @param by  who decided: "fast path", "control", "operator".
 */
void source_log_put(struct source_log *log, uint64_t now_ms, const struct config *config,
	const char *by, const struct rec_source_event *event);

#endif
