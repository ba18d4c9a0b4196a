/*
 * The notes of one call's messages: the first half of them stay, the last ones are a ring.
 */
#ifndef SALLYPORT_CONTROL_TRACE_NOTES_H
#define SALLYPORT_CONTROL_TRACE_NOTES_H

#include "trace.h"

struct trace_entry;

struct trace_notes {
	struct trace_entry *entry; /* room of them */
	uint32_t room;
	uint32_t max;	   /* room grows up to that */
	uint64_t total;	   /* ever noted */
	uint64_t left_out; /* for want of memory */
	uint64_t start_ms; /* shard clock: times count from here */
};

void trace_notes_init(struct trace_notes *n, unsigned int max, uint64_t now_ms);
void trace_notes_fini(struct trace_notes *n);
void trace_notes_add(struct trace_notes *n, const struct trace_message *m, uint64_t now_ms);
/** kept_first, left_out and messages, into `o`. */
void trace_notes_json(const struct trace_notes *n, json_t *o);

#endif
