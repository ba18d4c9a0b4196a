/*
 * Words for what the box thinks of sources of SIP, for tables and for the log; and the
 * log line, of which a flood of denials must not make a flood.
 */
#ifndef SALLYPORT_CONTROL_SOURCES_H
#define SALLYPORT_CONTROL_SOURCES_H

#include "config.h"
#include "log.h"

/** "untrusted", "trusted", "denied"; "?" when out of range. */
const char *source_class_name(unsigned int class);
/** "call", "rate" ...; "" for SOURCE_REASON_NONE, "?" when out of range. */
const char *source_reason_name(unsigned int reason);
/** "it sent more than its rate" ... */
const char *source_reason_text(unsigned int reason);

/** "192.0.2.1:5060"; without a port "192.0.2.1". @return buf. */
const char *source_format(const struct net_endpoint *source, char buf[NET_ENDPOINT_STRLEN]);

/**
 * One line: what became of a source, why, for how long.
 * @param limit  of lines with this origin; NULL: none, for what no peer can cause.
 * @param by     who decided: "fast path", "control", "control socket".
 */
void source_log_put(struct log_limit *limit, const struct config *config, const char *by,
	const struct rec_source_event *event);

#endif
