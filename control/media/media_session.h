/*
 * What the B2BUA sees of media: one session a call, fed with the SDP that each
 * side sends, giving the SDP for the other side. Ports and streams follow from it.
 * One thread.
 */
#ifndef SALLYPORT_CONTROL_MEDIA_SESSION_H
#define SALLYPORT_CONTROL_MEDIA_SESSION_H

#include <jansson.h>

#include "media.h"
#include "sdp.h"

struct media_session;
struct json_line;

/** One side of a call. */
struct media_side {
	uint16_t realm; /* index */
	uint8_t family; /* enum net_family of its signalling: what it is offered first */
	const struct config_policy *policy; /* of what it offers and is offered; NULL: none */
};

/** What media reports, by the call's id (the call may be gone by then). */
struct media_user {
	/** Every command of this session has been answered: packets flow. */
	void (*on_ready)(void *ctx, uint64_t call_id);
	/** A media stream fell silent and is gone, or the dataplane refused one (`refused`). */
	void (*on_stream_gone)(void *ctx, uint64_t call_id, bool refused);
	/** A side of an m= line ("audio") has sent nothing for as long as its realm allows. */
	void (*on_silent)(void *ctx, uint64_t call_id, unsigned int side, const char *type);
	/** media_session_end() is through, all counts are in. `s` is freed after this call. */
	void (*on_closed)(void *ctx, uint64_t call_id, const struct media_session *s);
	void *ctx;
};

/** One user; copied. NULL: none (callbacks stop). */
void media_set_user(struct media *m, const struct media_user *user);

/** Is this one of the box's own addresses (media, SIP, any realm)? */
bool media_addr_is_own(const struct config *c, const struct net_addr *a);

/**
 * @param call_id  for the callbacks.
 * @param sides    the caller's and the callee's.
 * @return a session without streams, or NULL (out of memory). Ends with media_session_end().
 */
struct media_session *media_session_new(
	struct media *m, uint64_t call_id, const struct media_side sides[2]);

/**
 * An offer from `side` (0 or 1): make the offer for the far side. Takes ports; streams do not
 * change before the answer. A new offer replaces an unanswered one.
 *
 * @param source  where the SIP message came from (NAT).
 * @param out     the far side's SDP.
 * @return its length. -EBADMSG: not SDP; -E2BIG: too much of it; -ENOTSUP: no m= line that we
 *         can relay or that policy lets through; -EADDRNOTAVAIL: an address that media may not go
 * to; -ENOSPC: no port left; -ENOMEM; -EMSGSIZE. After an error the session is as it was before.
 */
int media_session_offer(struct media_session *s, unsigned int side, struct str_view sdp,
	const struct net_addr *source, char *out, size_t cap);

/**
 * The answer from `side` to the other side's last offer: make the answer for that one, and set
 * the streams. May come again (early media, then the final answer).
 * @return as media_session_offer(); -EPROTO: there was no offer.
 */
int media_session_answer(struct media_session *s, unsigned int side, struct str_view sdp,
	const struct net_addr *source, char *out, size_t cap);

/** The offer was refused: streams go on as they are. */
void media_session_reject(struct media_session *s);

/** Another fork has the word: its offers are not bound to the m= lines that others agreed on. */
void media_session_switch(struct media_session *s);

/** The call is answered: from now on silence of a stream that nobody holds ends it. */
void media_session_watch(struct media_session *s);

/** The last description sent to this side, borrowed until the next; NULL: none yet. */
const char *media_session_sent(const struct media_session *s, unsigned int side);

/** No command is unanswered. */
bool media_session_ready(const struct media_session *s);

/**
 * Remove the streams; ports go back when the dataplane has confirmed. `s` stays valid until
 * on_closed, which never comes from inside this call: true means that there was nothing to wait
 * for, and `s` is freed already.
 */
bool media_session_end(struct media_session *s);

/** No on_closed, please: the caller forgets `s` now. Only after media_session_end(). */
void media_session_forget(struct media_session *s);

/**
 * m= lines with ports, far ends, what the dataplane counted (counts are known when a stream is
 * gone) and how it graded. For the CDR and `sally show call`.
 */
void media_session_write(const struct media_session *s, struct json_line *out, const char *key);

/**
 * Put "loss_percent" and, for speech, "mos" into each side of such a "media" array: by what is
 * counted in it now. Any thread.
 */
void media_json_grade(json_t *lines);

#endif
