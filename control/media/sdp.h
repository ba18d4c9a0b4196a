/*
 * SDP (RFC 8866) as a relay needs it: where each stream is to be sent, and the
 * same description again with our addresses and nothing that was not asked for.
 * Line based and bounded; nothing is copied by the parser.
 */
#ifndef SALLYPORT_CONTROL_SDP_H
#define SALLYPORT_CONTROL_SDP_H

#include "addr.h"

#define SDP_LEN_MAX 16384  /* bytes of a description */
#define SDP_MEDIA_MAX 16   /* m= lines */
#define SDP_FORMATS_MAX 64 /* payload types of one m= line */
#define SDP_LINE_MAX 1024  /* an attribute longer than that is left out */
#define SDP_TOKEN_MAX 64   /* media type, protocol and each format */

/** What we can do with an m= line. */
enum sdp_kind {
	SDP_KIND_REFUSED, /* nothing: goes on with port 0 */
	SDP_KIND_RTP,	  /* RTP/AVP, RTP/AVPF: a pair of ports */
	SDP_KIND_UDPTL,	  /* T.38: one port, opaque datagrams */
	SDP_KIND_COUNT
};

enum sdp_direction {
	SDP_SENDRECV,
	SDP_SENDONLY,
	SDP_RECVONLY,
	SDP_INACTIVE,
	SDP_DIRECTION_COUNT,
	SDP_DIRECTION_NONE = SDP_DIRECTION_COUNT /* no attribute here */
};

/** One m= line and its lines; views into the text. */
struct sdp_media {
	struct str_view type;	   /* "audio" */
	struct str_view proto;	   /* "RTP/AVP" */
	struct str_view formats;   /* "0 8 101" */
	struct str_view lines;	   /* what follows the m= line */
	struct net_addr addr;	   /* of c=, normalised; family 0: none, a name, or unreadable */
	struct net_addr rtcp_addr; /* of a=rtcp; family 0: not given */
	uint16_t port;		   /* 0: refused or ended */
	uint16_t rtcp_port;	   /* of a=rtcp; 0: not given */
	bool rtcp_mux;		   /* RTCP may come to the same port (RFC 5761) */
	enum sdp_kind kind;
	enum sdp_direction direction; /* in force: never SDP_DIRECTION_NONE */
};

struct sdp {
	struct str_view lines; /* of the session: before the first m= */
	unsigned int n_media;
	struct sdp_media media[SDP_MEDIA_MAX];
};

/**
 * Read a description.
 *
 * @param text  borrowed as long as `out` is used.
 * @return 0; -EBADMSG: not SDP; -E2BIG: beyond a cap above. Never allocates, any thread; work
 *         is linear in the length.
 */
int sdp_parse(struct str_view text, struct sdp *out);

/** c=0.0.0.0 or c=::, the hold of RFC 2543 (RFC 3264 section 8.4). */
bool sdp_addr_is_hold(const struct net_addr *a);

/** What to put in place of the sender's own values. */
struct sdp_rewrite {
	uint64_t session_id;
	uint64_t version;
	struct net_addr origin;		     /* ours, in o= */
	struct net_addr addr[SDP_MEDIA_MAX]; /* ours for each m= line that is not refused */
	uint16_t port[SDP_MEDIA_MAX];	     /* ours for each m= line; 0: refuse it */
	bool rtcp_mux[SDP_MEDIA_MAX];	     /* say a=rtcp-mux */
	unsigned int n_media;		     /* m= lines to write; in->n_media or fewer */
};

/**
 * Write `in` anew: our o=, s=, c= and ports; attributes by an allow-list (the rest, ICE,
 * crypto and a=rtcp among it, is left out); the direction made explicit.
 * @return bytes written, or -EMSGSIZE. Never allocates.
 */
int sdp_build(const struct sdp *in, const struct sdp_rewrite *rw, char *buf, size_t cap);

const char *sdp_direction_name(enum sdp_direction d);

#endif
