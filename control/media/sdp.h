/*
 * SDP (RFC 8866) as a relay needs it: a model of what we pass on, read from text and
 * written again with our addresses. What has no place in the model goes nowhere. Views into the
 * text; every list has a cap, and nothing is allocated.
 */
#ifndef SALLYPORT_CONTROL_SDP_H
#define SALLYPORT_CONTROL_SDP_H

#include "addr.h"

#define SDP_LEN_MAX 16384	/* bytes of a description */
#define SDP_LINES_MAX 1024	/* lines of any kind */
#define SDP_MEDIA_MAX 16	/* m= lines */
#define SDP_FORMATS_MAX 64	/* payload types of one m= line */
#define SDP_FORMATS_ALL_MAX 256 /* of all together */
#define SDP_ATTRIBUTES_MAX 512	/* that are passed on, of all together */
#define SDP_VALUE_MAX 1024	/* an attribute longer than that is left out */
#define SDP_TOKEN_MAX 64	/* media type, protocol, format, codec name */
#define SDP_PTIME_MAX_MS 1000
#define SDP_CHANNELS_MAX 16

/** What we can do with an m= line. */
enum sdp_kind {
	SDP_KIND_REFUSED, /* nothing: goes on with port 0 */
	SDP_KIND_RTP,	  /* RTP/AVP and its relatives: a pair of ports */
	SDP_KIND_UDPTL,	  /* T.38: one port, opaque datagrams */
	SDP_KIND_COUNT
};

/** Who has the keys of an RTP line; we have not. */
enum sdp_security {
	SDP_SECURITY_NONE,
	SDP_SECURITY_SDES, /* RTP/SAVP, RTP/SAVPF: in a=crypto (RFC 4568) */
	SDP_SECURITY_DTLS, /* UDP/TLS/RTP/SAVP, SAVPF: agreed on the media path (RFC 5763) */
	SDP_SECURITY_COUNT
};

enum sdp_direction {
	SDP_SENDRECV,
	SDP_SENDONLY,
	SDP_RECVONLY,
	SDP_INACTIVE,
	SDP_DIRECTION_COUNT,
	SDP_DIRECTION_NONE = SDP_DIRECTION_COUNT /* no attribute here */
};

/** b= that are passed on (RFC 8866 section 5.8, RFC 3556, RFC 3890). */
enum sdp_bandwidth_type {
	SDP_BANDWIDTH_CT,
	SDP_BANDWIDTH_AS,
	SDP_BANDWIDTH_TIAS,
	SDP_BANDWIDTH_RS,
	SDP_BANDWIDTH_RR,
	SDP_BANDWIDTH_COUNT
};

struct sdp_bandwidths {
	uint32_t value[SDP_BANDWIDTH_COUNT];
	uint8_t given; /* bit 1 << type */
};

/** Attributes that are passed on as they are; the rest has fields of its own, or is left out. */
enum sdp_attribute_id {
	SDP_ATTR_FMTP,
	SDP_ATTR_RTCP_FB,
	SDP_ATTR_SILENCE_SUPP,
	SDP_ATTR_FRAMERATE,
	SDP_ATTR_T38_VERSION,
	SDP_ATTR_T38_BIT_RATE,
	SDP_ATTR_T38_FILL_BIT_REMOVAL,
	SDP_ATTR_T38_TRANSCODING_MMR,
	SDP_ATTR_T38_TRANSCODING_JBIG,
	SDP_ATTR_T38_RATE_MANAGEMENT,
	SDP_ATTR_T38_MAX_BUFFER,
	SDP_ATTR_T38_MAX_DATAGRAM,
	SDP_ATTR_T38_UDP_EC,
	SDP_ATTR_CRYPTO, /* from here on of secured lines alone */
	SDP_ATTR_FINGERPRINT,
	SDP_ATTR_SETUP,
	SDP_ATTR_TLS_ID,
	SDP_ATTR_COUNT
};

#define SDP_FORMAT_NONE 255 /* no payload type */

struct sdp_format {
	struct str_view word; /* "96"; "t38" */
	struct str_view name; /* of a=rtpmap; len 0: none */
	uint32_t clock_hz;    /* of a=rtpmap; 0: not given */
	uint8_t channels;     /* of a=rtpmap; 0: not given */
	uint8_t payload_type; /* SDP_FORMAT_NONE unless RTP */
};

struct sdp_attribute {
	struct str_view value; /* p NULL: none; without the payload type that it is about */
	uint8_t id;	       /* enum sdp_attribute_id */
	uint8_t payload_type;  /* that it is about; SDP_FORMAT_NONE: the line */
};

/** One m= line and what belongs to it. */
struct sdp_media {
	struct str_view type;	   /* "audio" */
	struct str_view proto;	   /* "RTP/AVP" */
	struct net_addr addr;	   /* of c=, normalised; family 0: none, a name, unreadable */
	struct net_addr rtcp_addr; /* of a=rtcp; family 0: not given */
	uint16_t first_format;	   /* in sdp.format */
	uint16_t first_attribute;  /* in sdp.attribute */
	uint16_t n_formats;	   /* at least one */
	uint16_t n_attributes;	   /* in the order of the text */
	uint16_t port;		   /* 0: refused or ended */
	uint16_t rtcp_port;	   /* of a=rtcp; 0: not given */
	uint16_t ptime_ms;	   /* 0: not given */
	uint16_t maxptime_ms;	   /* 0: not given */
	struct sdp_bandwidths bandwidths;
	bool rtcp_mux; /* RTCP may come to the same port (RFC 5761) */
	enum sdp_kind kind;
	enum sdp_security security;   /* of RTP */
	enum sdp_direction direction; /* in force: never SDP_DIRECTION_NONE */
};

/** About 24 KiB. What lies beyond the counts is not initialised. */
struct sdp {
	struct sdp_bandwidths bandwidths; /* of the session */
	unsigned int n_media;
	unsigned int n_formats;
	unsigned int n_attributes;
	unsigned int n_session_attributes; /* the first ones */
	struct sdp_media media[SDP_MEDIA_MAX];
	struct sdp_format format[SDP_FORMATS_ALL_MAX];
	struct sdp_attribute attribute[SDP_ATTRIBUTES_MAX];
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

/** What its writer wants: the attribute, and no media where the address says hold. */
enum sdp_direction sdp_direction_meant(const struct sdp_media *m);

/** The answer to an offer of `offered` that comes nearest to `wanted` (RFC 3264 section 6.1). */
enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted);

/** What to put in place of the sender's own values in one m= line. */
struct sdp_rewrite_line {
	struct net_addr addr; /* ours */
	uint16_t port;	      /* ours; 0: refuse the line */
	bool rtcp_mux;	      /* say a=rtcp-mux */
	enum sdp_direction direction;
};

struct sdp_rewrite {
	uint64_t session_id;
	uint64_t version;
	struct net_addr origin; /* ours, in o= */
	unsigned int n_media;	/* m= lines to write; in->n_media or fewer */
	struct sdp_rewrite_line line[SDP_MEDIA_MAX];
};

/**
 * Write the model with our o=, s=, c= and ports. Formats in the order of the model, attributes of
 * formats that it does not have left out.
 * @return bytes written, or -EMSGSIZE. Never allocates.
 */
int sdp_build(const struct sdp *in, const struct sdp_rewrite *rw, char *buf, size_t cap);

const char *sdp_direction_name(enum sdp_direction d);

#endif
