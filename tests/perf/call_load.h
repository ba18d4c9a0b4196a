/*
 * Whole calls through one shard of control, in one thread and without the kernel: a caller and a
 * callee who read what they get, and a dataplane that answers commands. Time is the bench's own.
 */
#ifndef SALLYPORT_PERF_CALL_LOAD_H
#define SALLYPORT_PERF_CALL_LOAD_H

#include "records.h"
#include "shard_priv.h"

/** Both ends of a shard's rings. */
struct call_plane {
	struct shard *shard;
	struct attach_session session; /* the shard's ends */
	struct ring up, down, cmd, event;
	void *memory[4];
	uint64_t streams;     /* set and not deleted */
	uint64_t streams_set; /* ever */
};

/** Ends the program with a sentence. */
void call_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* call_plane.c */
void plane_init(struct call_plane *p, struct shard *shard);
/** The shard must have been discarded. */
void plane_fini(struct call_plane *p);
/** A message from a phone, scanned as the fast path does. @param fresh  it opens a dialog. */
void plane_up(struct call_plane *p, uint16_t realm, const struct net_endpoint *from,
	struct str_view msg, bool fresh);
/** What phones and commands put becomes visible to the shard. */
void plane_publish(struct call_plane *p);
/** Answer every command. */
void plane_commands(struct call_plane *p);
/** Next message to a phone. @param buf  cap bytes. @return its length; 0: none. */
size_t plane_down(struct call_plane *p, struct rec_sip_down *rec, char *buf, size_t cap);

/* call_phones.c */
enum { REALM_ACCESS, REALM_CORE };

#define CALLERS 4096 /* addresses that calls come from */

struct phones {
	struct call_plane *plane;
	struct phone_call *calls; /* by number of the place */
	uint32_t *free_places;
	uint32_t n_free, places;
	uint64_t serial;      /* calls begun */
	uint64_t established; /* ever */
	uint64_t ended;	      /* ever */
	uint64_t acked, left; /* ACK and BYE that the server has got */
	uint64_t held;	      /* established, and to stay so */
	bool hold;	      /* calls that are established now stay */
};

/** @param places  calls at one time, at most. */
void phones_init(struct phones *p, struct call_plane *plane, uint32_t places);
void phones_fini(struct phones *p);
/** The next call's INVITE. */
void phones_begin(struct phones *p);
/** Hang up so many of those held. */
void phones_hang_up(struct phones *p, uint32_t n);
/** A message to one of them: read, checked, answered. */
void phones_take(struct phones *p, const struct rec_sip_down *rec, const char *msg, size_t len);

#endif
