/*
 * Inside control/media: sessions, their m= lines, and the streams that the
 * dataplane has for them.
 */
#ifndef SALLYPORT_CONTROL_MEDIA_PRIV_H
#define SALLYPORT_CONTROL_MEDIA_PRIV_H

/* uthash leaves what could not be added with hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "media.h"
#include "media_session.h"
#include "sdp_codecs.h"
#include "ports.h"

enum media_stream_state {
	STREAM_NONE,	 /* the dataplane has none */
	STREAM_SET,	 /* it has, or shall have, `said` */
	STREAM_DELETING, /* it had one; until it confirms, the port stays taken */
};

struct media_stream {
	struct media_line *line;
	uint64_t id;
	enum media_stream_state state;
	struct rec_stream_set said;	/* as it shall be */
	bool dirty;			/* could not be said: ring full or nobody attached */
	bool known;			/* said at least once: a delete must be said, too */
	unsigned int unanswered;	/* commands without REC_DONE */
	uint32_t flow[2];		/* statistics index of each direction */
	struct stream_counts counts[2]; /* sum of what REC_STREAM_GONE told */
	unsigned int silences[2];	/* REC_STREAM_SILENT */
	struct net_endpoint sent[2];	/* local ends of the last REC_STREAM_SET that went out */
	struct net_endpoint had[2]; /* local ends that the dataplane confirmed; family 0: none */
	UT_hash_handle hh;	    /* media.streams, by id; only while state != STREAM_NONE */
};

/** Where one side wants its media, and from where it may send. */
struct media_remote {
	struct net_endpoint rtp, rtcp; /* family 0: nowhere */
	struct net_addr allowed;       /* family 0: nobody may send */
	enum sdp_direction direction;  /* as meant: hold by address is here too */
	enum sdp_kind kind;
	bool wanted; /* an m= line that we relay, port not 0 */
	bool learn_port;
	bool rtcp_mux;
	uint8_t family; /* of our end towards it; 0: not wanted */
	uint8_t prefix_len;
	struct sdp_codecs codecs;
};

/** A pair of ports of ours. */
struct media_port {
	struct port_pool *pool; /* its address is ours on that side */
	uint16_t port;		/* 0: none taken */
};

#define MEDIA_STREAMS_PER_LINE 2 /* RTP and RTCP; T.38 uses the first */

struct media_line {
	struct media_session *session;
	enum sdp_kind kind;	       /* as last answered */
	struct media_port own[2];      /* towards each side */
	struct media_port next;	       /* towards the offerer, whose offer has another family */
	struct media_port left;	       /* until the streams that had it have moved */
	struct media_remote remote[2]; /* in force */
	struct media_remote offered;   /* of the unanswered offer */
	unsigned int answer_side;      /* whose description chose from the other's */
	bool rtcp_mux;		       /* both want RTCP on the port of RTP */
	char type[16];		       /* "audio", for people */
	struct media_stream stream[MEDIA_STREAMS_PER_LINE];
};

struct media_session {
	struct media *media;
	uint64_t call_id;
	struct media_side side[2];
	struct net_addr origin[2]; /* of our o= line; family 0: nothing described yet */
	bool offering;		   /* an offer of offer_side may be answered */
	unsigned int offer_side;
	unsigned int n_offered; /* m= lines of that offer */
	unsigned int n_agreed;	/* m= lines of the last answer of this fork: no offer has fewer */
	unsigned int n_lines;	/* most that were ever offered */
	bool watched, ending, forgotten;
	uint64_t sdp_session_id[2];
	uint64_t sdp_version[2];
	char *sdp_sent[2];   /* to each side, NUL terminated; for the version */
	char *sdp_before[2]; /* what it was before an offer that is not answered; NULL: nothing */
	struct media_session *prev, *next;
	struct media_line *line[SDP_MEDIA_MAX]; /* n_lines of them */
};

/* The port ranges of one realm: the next call begins with the next one. */
struct media_pools {
	struct port_pool pool[CONFIG_MEDIA_MAX];
	unsigned int n;
	unsigned int next;
};

struct media {
	struct media_env env;
	struct media_user user;
	struct media_stats stats;
	struct media_pools *pools; /* by realm */
	struct media_session *sessions;
	struct media_stream *streams; /* hash by id */
	uint64_t id_high;	      /* random: unique over restarts */
	uint32_t id_low;
	bool dirty; /* some stream is */
};

/* pools.c */
/** The pools of a realm. @return 0 or -ENOMEM; release with media_pools_fini() either way. */
int media_pools_init(struct media *m, const struct config_realm *r, struct media_pools *p);
void media_pools_fini(struct media_pools *p);
/** Is there an address of this family (enum net_family)? */
bool media_pools_have(const struct media_pools *p, unsigned int family);
/**
 * A pair of ports at an address of this family, of `prefer` if it has one left.
 * @param prefer  pool of the same session, or NULL.
 * @return the even port with *pool set, or 0: none left.
 */
uint16_t media_pools_take(struct media_pools *p, unsigned int family, struct port_pool *prefer,
	struct port_pool **pool);
/** The pool that a local endpoint is of, or NULL. */
struct port_pool *media_pools_find(struct media_pools *p, const struct net_endpoint *local);

/* stream.c */
/** Bring this stream to what `want` says (id and command head are filled in). @return 0 or -ENOMEM.
 */
int media_stream_set(struct media_stream *st, const struct rec_stream_set *want);
/** Ask for its removal. No-op without one. */
void media_stream_del(struct media_stream *st);
/** Say what could not be said. */
void media_stream_say(struct media_stream *st);
/** REC_DONE and REC_STREAM_GONE for it. */
void media_stream_done(struct media_stream *st, const struct rec_done *done);
void media_stream_gone(struct media_stream *st, const struct rec_stream_event *ev);
/** REC_STREAM_SILENT for it. */
void media_stream_silent(struct media_stream *st, unsigned int side);
struct media_stream *media_stream_find(struct media *m, uint64_t id);

/* session.c */
/** A stream has gone: close an ending session when it was the last. Frees it then. */
void media_session_check(struct media_session *s);
/** Free it whatever state its streams are in (media_free). */
void media_session_discard(struct media_session *s);
/** A new line without ports. @return NULL: out of memory. */
struct media_line *media_line_new(struct media_session *s);
/** Its ports go back. Only without streams. */
void media_line_free(struct media_line *line);
/** Give a pair back; no-op without one. */
void media_port_put(struct media_port *p);
/** Its streams have left the ports of its earlier family: these go back. */
void media_line_settle(struct media_line *line);

/* offer_answer.c */
/** Ports that were taken for the unanswered offer alone go back. */
void media_offer_drop(struct media_session *s);

/* apply.c */
/**
 * Where an m= line of a description wants its media. Not wanted when that is of a family that
 * this side has no address of.
 * @param family  of our end, NET_FAMILY_NONE: that of the description.
 * @param before  what it wanted last, or NULL. @return 0 or -EADDRNOTAVAIL.
 */
int media_remote_from_sdp(const struct media_session *s, unsigned int side, unsigned int family,
	const struct media_remote *before, const struct sdp_media *line,
	const struct net_addr *source, struct media_remote *out);
/** Set or delete the streams of this m= line by what both sides want now. @return 0 or -ENOMEM. */
int media_line_apply(struct media_session *s, struct media_line *line);

#endif
