/*
 * Which messages a call had, for `sally trace call`: compact notes of each, not the
 * messages. A call keeps the first half of its notes for good and the last ones in a
 * ring; calls that are over stay for a while in a queue. One store a shard, one thread.
 */
#ifndef SALLYPORT_CONTROL_TRACE_H
#define SALLYPORT_CONTROL_TRACE_H

#include <jansson.h>

#include "addr.h"
#include "sip_scan.h"

enum trace_side { TRACE_CALLER, TRACE_CALLEE, TRACE_SIDE_COUNT };

/** Names in the statistics of memory: bytes of one note, whatever was in the message. */
#define TRACE_NOTE_BYTES 40

struct trace;
struct trace_store;

/** One message as it is noted. Views are borrowed for the call. */
struct trace_message {
	enum trace_side side;
	bool sent;	/* by the box */
	uint8_t method; /* enum sip_method; of a response that of its CSeq */
	uint16_t status;
	uint32_t cseq;
	bool sdp;
	struct str_view label; /* reason phrase, or the method as it was written */
	struct str_view text;  /* the whole: the same once more is a retransmission */
};

/** What is told of a call beside its messages. */
struct trace_info {
	const char *state; /* these four are static or the configuration's; NULL: none */
	const char *cause;
	const char *realm[TRACE_SIDE_COUNT];
	const char *peer[TRACE_SIDE_COUNT];
	struct net_endpoint remote[TRACE_SIDE_COUNT]; /* family 0: none */
	char *from, *to;			      /* URIs */
	int64_t start_ms;			      /* UTC */
	unsigned int sip_status;		      /* 0: none yet */
};

/**
 * @param messages  notes a call, 0: none are taken.
 * @param calls     of those that are over, so many are kept; besides a quarter as many that were
 *                  refused before they became a call.
 * @param key       secret of the index.
 * @return NULL: out of memory.
 */
struct trace_store *trace_store_new(
	unsigned int messages, unsigned int calls, const uint64_t key[2]);
void trace_store_free(struct trace_store *s);

/** @param name  as `show calls` and the CDR have it. @return NULL: no traces, or no memory. */
struct trace *trace_begin(struct trace_store *s, const char *name, uint64_t now_ms);

/**
 * Find it by messages of this dialog from now on; whoever had this index before loses it.
 * @param tag  of who sent the request that made the dialog.
 */
void trace_index(struct trace *t, enum trace_side side, uint16_t realm, struct str_view call_id,
	struct str_view tag);

/** @param side  out. @return the call to which a message belongs by Call-ID and either tag. */
struct trace *trace_find(const struct trace_store *s, uint16_t realm, struct str_view call_id,
	struct str_view from_tag, struct str_view to_tag, enum trace_side *side);

/** NULL is fine. Without memory for more notes the last one gives way. */
void trace_note(struct trace *t, const struct trace_message *m, uint64_t now_ms);

/**
 * The call is gone; the trace is the store's.
 * @param info     copied, with ownership of from and to.
 * @param refused  it never was a call.
 */
void trace_end(struct trace *t, const struct trace_info *info, bool refused);

/** Its name, or the Call-ID of one of its legs. */
bool trace_is(const struct trace *t, const char *id);

/**
 * One that is over, the youngest that `id` names.
 * @return new reference; NULL: there is none.
 */
json_t *trace_over_json(const struct trace_store *s, const char *id);

/**
 * {id, state, from, to, caller: {realm, peer, address}, callee, start, cause, sip_status,
 * kept_first, left_out, messages: [{ms, leg, direction, method, cseq, status, reason, bytes, sdp,
 * again}]}. left_out messages are missing behind the first kept_first.
 */
json_t *trace_json(const struct trace *t, const struct trace_info *info);

#endif
