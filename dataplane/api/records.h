/*
 * The records that cross the rings. Fixed layout, no pointers, ports in host
 * order, addresses in network order. The receiver copies first, then validates.
 *
 * Streams: a stream is two flows, one a direction. Flow i is what arrives at
 * end[i].local from end[i].remote; it leaves from end[1-i].local to the far remote.
 */
#ifndef SALLYPORT_API_RECORDS_H
#define SALLYPORT_API_RECORDS_H

#include "addr.h"
#include "api_limits.h"
#include "bpf_check.h"
#include "ring.h"

enum record_type {
	REC_NONE,
	/* up ring: worker -> shard */
	REC_SIP_UP,
	/* down ring: shard -> worker */
	REC_SIP_DOWN,
	/* command ring: control -> dataplane main; each is answered by REC_DONE */
	REC_REALM_SET,
	REC_ADDRESS_SET,
	REC_LISTENER_SET,
	REC_MEDIA_RANGE_SET,
	REC_SOURCE_LIST_SET,
	REC_SOURCE_SET,
	REC_SYNC,
	REC_STREAM_SET,
	REC_STREAM_DEL,
	REC_CAPTURE_START,
	REC_CAPTURE_STOP,
	/* event ring: dataplane main -> control */
	REC_DONE,
	REC_STREAM_INFO,
	REC_STREAM_GONE,
	REC_STREAM_LATCHED,
	REC_STREAM_SILENT,
	REC_SOURCE_EVENT,
	REC_INFO_END,
	REC_COUNT
};

/** Ring admission class of a SIP message, decided by the dataplane's scan; new calls give way
 * first. */
enum sip_class {
	SIP_CLASS_NEW,	  /* request that opens a dialog or registration: no To tag */
	SIP_CLASS_OUT,	  /* other out-of-dialog requests (OPTIONS, MESSAGE ...) */
	SIP_CLASS_DIALOG, /* responses, ACK, CANCEL and requests with a To tag, not proven */
	SIP_CLASS_LANE,	  /* carries a token of ours that is meant for this peer (lane.h) */
	SIP_CLASS_COUNT
};

/** What a source of SIP is thought of. */
enum source_class {
	SOURCE_UNTRUSTED, /* nothing is known of it */
	SOURCE_TRUSTED,	  /* listed, or promoted by control */
	SOURCE_DENIED,	  /* nothing of it is looked at */
	SOURCE_CLASS_COUNT
};

/** Request methods that have a rate of their own. */
enum police_method {
	POLICE_INVITE,
	POLICE_REGISTER,
	POLICE_OPTIONS,
	POLICE_OTHER, /* SUBSCRIBE, MESSAGE, REFER ... out of a dialog */
	POLICE_METHOD_COUNT
};

/** A token bucket. rate 0: no limit. */
struct rate_limit {
	uint32_t rate;	/* a second */
	uint32_t burst; /* at once; 0 counts as 1 */
};

/** REC_SIP_UP: this, then index_len bytes of struct sip_index, then msg_len bytes of message. */
struct rec_sip_up {
	struct record_hdr hdr;
	struct net_endpoint local;  /* listener that received it */
	struct net_endpoint remote; /* source of the packet */
	uint64_t rx_ns;		    /* CLOCK_MONOTONIC of the burst */
	uint16_t realm;		    /* realm id */
	uint8_t sip_class;	    /* enum sip_class */
	uint8_t error;		    /* enum sip_scan_error: 0, or why control owes a 400 */
	uint32_t index_len;
	uint32_t msg_len;
	uint8_t source_class; /* enum source_class of the sender */
	uint8_t pad[3];
};
static_assert(sizeof(struct rec_sip_up) == 80, "wire layout");

/** REC_SIP_DOWN: this, then msg_len bytes (at most API_SIP_UDP_MAX) to send as one UDP datagram. */
struct rec_sip_down {
	struct record_hdr hdr;
	struct net_endpoint local; /* one of the realm's listeners */
	struct net_endpoint remote;
	uint16_t realm;
	uint16_t pad;
	uint32_t msg_len;
};
static_assert(sizeof(struct rec_sip_down) == 64, "wire layout");

/** Head of every command: the cookie comes back in REC_DONE. */
struct cmd_hdr {
	struct record_hdr hdr;
	uint64_t cookie;
};

/** How much a realm takes of SIP and of what goes to the kernel. */
struct realm_police {
	struct rate_limit sip;				   /* messages of one address and port */
	struct rate_limit sip_address;			   /* of one address, all its ports */
	struct rate_limit sip_prefix;			   /* of one /24 or /64 */
	struct rate_limit sip_untrusted;		   /* of all untrusted sources together */
	struct rate_limit sip_method[POLICE_METHOD_COUNT]; /* requests of one address and port */
	struct rate_limit sip_dialog;			   /* of one dialog, in the lane */
	struct rate_limit tcp_syn;			   /* of one address */
	struct rate_limit tcp_bytes;			   /* of one address */
	struct rate_limit icmp;				   /* of one address */
	uint32_t deny_after; /* refusals within deny_window_s that deny a source; 0: never */
	uint32_t deny_window_s;
	uint32_t deny_s; /* for how long */
	uint32_t pad;
};

/** REC_REALM_SET: create or change. Idempotent. */
struct rec_realm_set {
	struct cmd_hdr cmd;
	char name[API_NAME_MAX];  /* NUL terminated */
	uint16_t realm;		  /* id chosen by control, 0..API_REALMS_MAX-1 */
	uint16_t port;		  /* index of the device port, as in struct stats_port */
	uint16_t vlan;		  /* 0: untagged */
	uint8_t dscp_sip;	  /* 0..63 */
	uint8_t dscp_media;	  /* 0..63 */
	uint32_t media_idle_ms;	  /* stream without packets that long is removed; 0: never */
	uint32_t media_silent_ms; /* and is reported once after that long; 0: never */
	struct realm_police police;
};

/** REC_ADDRESS_SET: a local address of a realm; goes to the kernel twin too. */
struct rec_address_set {
	struct cmd_hdr cmd;
	struct net_addr addr;
	struct net_addr gateway; /* what leaves the realm goes there if no route by
					its port leads elsewhere; family 0: none */
	uint16_t realm;
	uint8_t prefix_len;
	uint8_t pad[5];
};

/** REC_LISTENER_SET: SIP over UDP is taken at this address and port. */
struct rec_listener_set {
	struct cmd_hdr cmd;
	struct net_endpoint local;
	uint16_t realm;
	uint8_t pad[6];
};

/** REC_MEDIA_RANGE_SET: ports that belong to media, call or not (inclusive). */
struct rec_media_range_set {
	struct cmd_hdr cmd;
	struct net_addr addr;
	uint16_t realm;
	uint16_t port_min;
	uint16_t port_max;
	uint8_t pad[6];
};

/** What the static list says of a prefix. */
enum list_action {
	LIST_DENY,   /* drop everything of it */
	LIST_PERMIT, /* trusted, without rate limits but the peer's own */
	LIST_PEER,   /* trusted, with `limit` for the prefix as a whole */
	LIST_ACTION_COUNT
};

/** REC_SOURCE_LIST_SET: a prefix of the permit and deny lists; the longest match counts. Swept
 * by REC_SYNC like the rest of the configuration. */
struct rec_source_list_set {
	struct cmd_hdr cmd;
	struct net_addr addr;
	uint16_t realm; /* in which it counts; API_REALM_ANY: in all */
	uint8_t prefix_len;
	uint8_t action; /* enum list_action */
	uint16_t port;	/* LIST_PEER: this source port only; 0: any */
	uint16_t pad;
	struct rate_limit limit;
	char name[API_NAME_MAX]; /* peer or list, for people; NUL terminated */
};

/** Why control says so; for the log and `sally show sources`. */
enum source_reason {
	SOURCE_REASON_NONE,
	SOURCE_REASON_CALL,	  /* a call succeeded */
	SOURCE_REASON_REGISTERED, /* a registration succeeded */
	SOURCE_REASON_MALFORMED,
	SOURCE_REASON_AUTH,	/* failed authentication */
	SOURCE_REASON_RATE,	/* over its rate */
	SOURCE_REASON_SCAN,	/* many users, many failures */
	SOURCE_REASON_OPERATOR, /* `sally source deny` */
	SOURCE_REASON_COUNT
};

/** REC_SOURCE_SET: promote, demote or deny a source for a time. Not configuration: it is not
 * swept, it runs out. */
struct rec_source_set {
	struct cmd_hdr cmd;
	struct net_endpoint source; /* port 0: the address, whatever the port */
	uint16_t realm;
	uint8_t source_class; /* enum source_class; SOURCE_UNTRUSTED forgets */
	uint8_t reason;	      /* enum source_reason */
	uint32_t seconds;     /* 1..API_SOURCE_SECONDS_MAX */
};

/** REC_SOURCE_EVENT: the dataplane demoted or denied a source by itself. */
struct rec_source_event {
	struct record_hdr hdr;
	struct net_endpoint source; /* port 0: the address */
	uint16_t realm;
	uint8_t source_class; /* what it is now */
	uint8_t reason;	      /* enum source_reason */
	uint32_t seconds;     /* for how long */
};

/**
 * REC_SYNC: the configuration of this epoch is complete; realms, addresses, listeners and
 * ranges that it did not set are removed. Streams of older epochs that it did not claim
 * (REC_STREAM_SET with the same id) stay until they fall silent.
 */
struct rec_sync {
	struct cmd_hdr cmd;
};

enum stream_kind {
	STREAM_RTP,
	STREAM_RTCP,
	STREAM_ANY,	/* opaque datagrams (T.38) */
	STREAM_RTP_MUX, /* RTP and RTCP on one port (RFC 5761) */
	STREAM_KIND_COUNT
};

/* stream_end.flags */
#define STREAM_END_RECEIVE 0x01	   /* take packets here; unset: hold, drop them as media_inactive */
#define STREAM_END_LEARN_PORT 0x02 /* NAT: any port of the allowed address may be learned */

/** One side of a stream. */
struct stream_end {
	struct net_endpoint local;  /* ours, in a media range of the realm */
	struct net_endpoint remote; /* signalled; family 0: not known yet */
	struct net_addr allowed;    /* who may send: signalled address, or the NAT's */
	uint16_t realm;
	uint8_t prefix_len;	   /* mask on allowed */
	uint8_t flags;		   /* STREAM_END_* */
	struct rate_limit packets; /* what the signalled codecs may send here */
	struct rate_limit bytes;   /* UDP payload */
	uint32_t clock_hz;	   /* of the RTP timestamp; 0: not known, no jitter measured */
};
static_assert(sizeof(struct stream_end) == 92, "wire layout");

/**
 * REC_STREAM_SET: create, change or claim. Keyed by id; the local endpoints must not belong to
 * another stream (REC_DONE -EEXIST). A changed remote or allowed address restarts that end's latch.
 */
struct rec_stream_set {
	struct cmd_hdr cmd;
	uint64_t id; /* control's, unique over restarts: random high half */
	struct stream_end end[2];
	uint8_t kind; /* enum stream_kind */
	uint8_t pad[7];
};

/** REC_STREAM_DEL; the answer is REC_STREAM_GONE, then REC_DONE (-ENOENT: no such stream). */
struct rec_stream_del {
	struct cmd_hdr cmd;
	uint64_t id;
	struct net_endpoint local; /* end[0].local of the stream */
};

/** REC_CAPTURE_START: packets of all ports to a pcap-ng file in the dataplane's capture folder.
 * REC_DONE: -EBUSY (one is running), -EINPROGRESS (one is still being written), -EEXIST (the file),
 * -EINVAL (name or filter), or why the file cannot be made. */
struct rec_capture_start {
	struct cmd_hdr cmd;
	char file[API_FILE_MAX]; /* name without a folder; NUL terminated */
	uint32_t snaplen;	 /* bytes of each packet, 64..API_SNAPLEN_MAX */
	uint32_t max_mib;	 /* the capture ends by itself then */
	uint32_t max_s;		 /* or then */
	uint32_t n_steps;	 /* of filter; 0: everything */
	struct bpf_step filter[BPF_STEPS_MAX];
};

/** REC_CAPTURE_STOP; REC_DONE at once: -ENOENT when there is none. The file is complete when
 * stats_capture.state is CAPTURE_IDLE. */
struct rec_capture_stop {
	struct cmd_hdr cmd;
};

/** REC_DONE: outcome of one command. */
struct rec_done {
	struct record_hdr hdr;
	uint64_t cookie;
	int32_t status;	  /* 0 or negative errno */
	uint16_t command; /* enum record_type */
	uint16_t pad;
	uint32_t flow[2]; /* REC_STREAM_SET: indices into the flow statistics */
};

enum stream_gone_reason { STREAM_GONE_DELETED, STREAM_GONE_INACTIVE, STREAM_GONE_COUNT };

/** What arrived at one end; of RTP also how well (RFC 3550 appendix A.3 and A.8). */
struct stream_counts {
	uint64_t packets;    /* accepted at this end */
	uint64_t bytes;	     /* UDP payload bytes of these */
	uint64_t refused;    /* wrong source, locked, malformed, inactive */
	uint32_t policed;    /* over the signalled rate */
	uint32_t lost;	     /* never arrived */
	uint32_t duplicates; /* as those below, also among the policed */
	uint32_t reordered;  /* arrived behind a later one */
	uint32_t late_gaps;  /* silences of more than 50 ms between two packets in sequence */
	uint32_t jitter_us;  /* interarrival jitter now */
	uint32_t jitter_max_us;
	uint32_t pad;
};
static_assert(sizeof(struct stream_counts) == 56, "wire layout");

/** REC_STREAM_INFO (dump after attach, ends with REC_INFO_END), REC_STREAM_GONE,
 * REC_STREAM_LATCHED, REC_STREAM_SILENT (media inactivity: once for each silence). */
struct rec_stream_event {
	struct record_hdr hdr;
	uint64_t id;
	struct stream_counts counts[2];
	struct stream_end end[2]; /* remote: the latched source where there is one */
	uint32_t epoch;		  /* that last set it */
	uint8_t kind;
	uint8_t reason;	     /* enum stream_gone_reason, for REC_STREAM_GONE */
	uint8_t latched_end; /* for REC_STREAM_LATCHED and REC_STREAM_SILENT: 0 or 1 */
	uint8_t pad;
};

/** REC_INFO_END. */
struct rec_info_end {
	struct record_hdr hdr;
	uint64_t streams; /* how many were told */
};

/** Largest record on the command and event rings. */
#define API_RECORD_MAX 1024
static_assert(sizeof(struct rec_stream_event) <= API_RECORD_MAX, "record cap");
static_assert(sizeof(struct rec_capture_start) <= API_RECORD_MAX, "record cap");
static_assert(sizeof(struct rec_stream_set) <= API_RECORD_MAX, "record cap");

#endif
