/*
 * The configuration as control uses it: one immutable snapshot, made from the YAML
 * file by config_load(). Realms, peers and routes refer to each other by index.
 */
#ifndef SALLYPORT_CONTROL_CONFIG_H
#define SALLYPORT_CONTROL_CONFIG_H

#include "addr.h"
#include "dataplane_config.h"
#include "api_limits.h"
#include "records.h"
#include "sip_scan.h"

#define CONFIG_LISTENERS_MAX 16	 /* a realm */
#define CONFIG_ADDRESSES_MAX 16	 /* a realm */
#define CONFIG_MEDIA_MAX 16	 /* media ranges of a realm */
#define CONFIG_GATEWAYS_MAX 2	 /* one a family */
#define CONFIG_PREFIXES_MAX 1024 /* on a permit or deny list of a realm */
#define CONFIG_POLICIES_MAX 256
#define CONFIG_CODECS_MAX 32	 /* on a list of a policy */
#define CONFIG_CODEC_NAME_MAX 32 /* its NUL included */
#define CONFIG_BODIES_MAX 16
#define CONFIG_BODY_LEN 64	   /* of a content type, with its NUL */
#define CONFIG_METHODS_OTHER_MAX 8 /* on a list of methods, beside those of enum sip_method */
#define CONFIG_METHOD_LEN 32	   /* of one of them, with its NUL */
#define CONFIG_EMERGENCY_MAX 32	   /* emergency numbers */
#define CONFIG_EMERGENCY_LEN 32	   /* of one, with its NUL */
#define CONFIG_CONTROL_SOCKET_DEFAULT "/run/sallyport/control.sock"

enum config_trust { TRUST_UNTRUSTED, TRUST_TRUSTED };

/** What to do about peers behind NAT. */
enum config_nat {
	NAT_AUTO,  /* signalled address differs from the packet's source: learn from that source */
	NAT_NEVER, /* believe signalling */
};

struct config_listener {
	struct net_endpoint local; /* UDP */
};

struct config_prefix {
	struct net_addr addr; /* bits beyond the length are zero */
	uint8_t len;
};

/** UDP ports of one address that carry media. */
struct config_media {
	struct net_addr addr;
	uint16_t port_min; /* even */
	uint16_t port_max; /* odd */
};

struct config_codec {
	char name[CONFIG_CODEC_NAME_MAX]; /* encoding name, any case */
	uint32_t clock_hz;		  /* 0: any */
};

struct config_codecs {
	struct config_codec codec[CONFIG_CODECS_MAX];
	unsigned int n;
};

/** RTP whose keys only the two ends have. */
enum config_srtp { SRTP_REFUSE, SRTP_PASS };

/** What may be agreed on with a realm or a peer. */
struct config_policy {
	char name[API_NAME_MAX];
	struct config_codecs allow; /* n 0: all */
	struct config_codecs deny;
	struct config_codecs order; /* of offers to it; what is not listed follows */
	enum config_srtp srtp;
};

/** Session timers (RFC 4028). */
struct config_session {
	uint32_t expires_s; /* asked for; 0: not asked for */
	uint32_t min_s;	    /* shorter ones are refused (422) */
};

/** A list of SIP methods. */
struct config_methods {
	uint32_t known; /* bit n: method n of enum sip_method */
	unsigned int n_other;
	char other[CONFIG_METHODS_OTHER_MAX][CONFIG_METHOD_LEN];
};

struct config_realm {
	char name[API_NAME_MAX];
	uint16_t id;		 /* index in config.realms, and the id in ring records */
	char port[API_NAME_MAX]; /* name of a dataplane port */
	uint16_t vlan;		 /* 802.1Q id on it; 0: untagged */
	enum config_trust trust;
	enum config_nat nat;
	struct {
		struct net_addr addr;
		uint8_t prefix_len;
	} addresses[CONFIG_ADDRESSES_MAX];
	unsigned int n_addresses;
	struct net_addr gateways[CONFIG_GATEWAYS_MAX]; /* at most one a family */
	unsigned int n_gateways;
	struct config_listener listeners[CONFIG_LISTENERS_MAX];
	unsigned int n_listeners;
	struct config_media media[CONFIG_MEDIA_MAX];
	unsigned int n_media;
	uint32_t media_timeout_ms;
	uint32_t media_silent_ms; /* 0: never told */
	uint8_t latch_prefix_v4;  /* mask on the allowed source, default 32 */
	uint8_t latch_prefix_v6;  /* default 128 */
	struct realm_police police;
	struct config_prefix *permit, *deny;
	unsigned int n_permit, n_deny;
	uint32_t trusted_s; /* a call that succeeds makes its source trusted for that long */
	uint32_t max_calls; /* 0: no limit */
	struct config_session session;
	uint32_t max_subscriptions;	   /* 0: no limit */
	uint32_t max_source_subscriptions; /* of one address and port; 0: no limit */
	uint8_t dscp_sip, dscp_media;
	const struct config_policy *policy;   /* NULL: none */
	struct config_methods methods;	      /* taken outside of dialogs */
	struct config_methods dialog_methods; /* taken within them */
	bool refer_execute; /* of its REFERs within calls: by the box; else passed on */
	char bodies[CONFIG_BODIES_MAX][CONFIG_BODY_LEN]; /* content types sent into it */
	unsigned int n_bodies;
};

struct config_peer {
	char name[API_NAME_MAX];
	uint16_t realm; /* index */
	struct net_endpoint remote;
	struct rate_limit sip; /* of its address, all its ports */
	bool same_address;     /* as an earlier peer's of its realm: that one's limit counts */
	uint32_t max_calls;    /* 0: no limit */
	struct config_session session;
	bool redirect_follow;		      /* its 3xx are followed; else the caller gets them */
	struct config_methods methods;	      /* taken from it outside of dialogs */
	struct config_methods dialog_methods; /* taken from it within them */
	bool overload_control; /* it is asked how much it wants, RFC 7339; default no */
	uint32_t no_answer_s;  /* ring time until CANCEL and 408 to the caller; default 180 */
	const struct config_policy *policy; /* its own, else its realm's; NULL: none */
};

struct config_route {
	uint16_t from_realm;  /* index */
	int32_t from_peer;    /* index; -1: any source in the realm */
	char user_prefix[32]; /* Request-URI user must begin so; "" matches all */
	bool emergency;	      /* for emergency calls alone */
	uint16_t to_peer;     /* index */
};

struct config {
	struct dataplane_config dataplane;
	struct config_realm *realms;
	unsigned int n_realms;
	struct config_peer *peers;
	unsigned int n_peers;
	struct config_route *routes; /* first match wins, see route_find() */
	unsigned int n_routes;
	struct config_policy *policies;
	unsigned int n_policies;
	struct {
		char control_socket[108];
		char cdr_file[256];	/* "": no CDRs */
		unsigned int shards;	/* default 1 */
		unsigned int log_level; /* enum log_level */
		struct {
			uint32_t delay_ms;  /* 0: no limit */
			uint32_t call_rate; /* of all shards; 0: no limit */
			char emergency[CONFIG_EMERGENCY_MAX][CONFIG_EMERGENCY_LEN];
			unsigned int n_emergency;
		} overload;
		unsigned int trace_messages; /* notes a call; 0: none; default 32 */
		unsigned int trace_calls;    /* kept when they are over; default 10000 */
		unsigned int stop_timeout_s; /* SIGTERM: how long calls may finish; default 5, then
						BYE */
	} ops;
	char file[256];
};

/**
 * Load and check a file.
 * @param error  filled on failure, NUL terminated, one line.
 * @return the configuration, or NULL. Caller frees with config_free(). Main thread.
 */
struct config *config_load(const char *file, char error[CONFIG_ERROR_LEN]);
void config_free(struct config *c);

/** May a body of this content type be sent into the realm? */
bool config_bodies_have(
	const struct config_realm *r, struct str_view type, struct str_view subtype);
/** The types of a realm that lists none. */
void config_bodies_default(struct config_realm *r);

/** Is this method listed? @param name  as written; only of SIP_METHOD_OTHER. Any thread. */
bool config_methods_have(
	const struct config_methods *m, enum sip_method method, struct str_view name);

#endif
