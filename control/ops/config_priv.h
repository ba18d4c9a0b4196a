/*
 * Shared inside the configuration loader: the values as they stand in the file, and the
 * steps from them to struct config.
 */
#ifndef SALLYPORT_CONTROL_CONFIG_PRIV_H
#define SALLYPORT_CONTROL_CONFIG_PRIV_H

#include "config.h"
#include "config_doc.h"

#define CONFIG_PEERS_MAX 4096
#define CONFIG_ROUTES_MAX 4096
#define CONFIG_METHODS_MAX 32 /* entries of a list of methods */

/* As written. Pointers to numbers are NULL where the key is absent. gateway and media, alone or a
 * list, are read from the document (config_doc_entries()). */
struct raw_media {
	char *address;
	char *ports;
};

/* Of a realm, and the first three of a peer. */
struct raw_limits {
	uint32_t *calls;
	uint32_t *sip_rate;
	uint32_t *sip_burst;
	uint32_t *address_rate;
	uint32_t *prefix_rate;
	uint32_t *untrusted_rate;
	uint32_t *invite_rate;
	uint32_t *register_rate;
	uint32_t *options_rate;
	uint32_t *other_rate;
	uint32_t *dialog_rate;
	uint32_t *tcp_syn_rate;
	uint32_t *tcp_byte_rate;
	uint32_t *icmp_rate;
	uint32_t *burst_s;
	uint32_t *deny_after;
	uint32_t *deny_window_s;
	uint32_t *deny_s;
	uint32_t *trusted_s;
	uint32_t *subscriptions;
	uint32_t *source_subscriptions;
};

struct raw_dscp {
	uint32_t *sip;
	uint32_t *media;
};

struct raw_methods {
	char **names;
	unsigned int count;
};

struct raw_realm {
	char *name;
	char *port;
	uint32_t *vlan;
	enum config_trust trust;
	bool refer;
	enum config_nat nat;
	char **addresses;
	unsigned int addresses_count;
	char **sip;
	unsigned int sip_count;
	uint32_t *media_timeout_s;
	uint32_t *media_silent_s;
	uint32_t *latch_prefix;
	uint32_t *latch_prefix_v6;
	uint32_t *session_expires_s;
	uint32_t *min_se_s;
	struct raw_limits limits;
	char **permit;
	unsigned int permit_count;
	char **deny;
	unsigned int deny_count;
	struct raw_dscp dscp;
	char *policy;
	char **methods;
	unsigned int methods_count;
	char **dialog_methods;
	unsigned int dialog_methods_count;
	char **bodies;
	unsigned int bodies_count;
};

struct raw_peer {
	char *name;
	char *realm;
	char *address;
	uint32_t *port;
	uint32_t *no_answer_s;
	bool redirect;
	uint32_t *session_expires_s;
	uint32_t *min_se_s;
	bool overload_control;
	struct raw_limits limits;
	char *policy;
	char **methods;
	unsigned int methods_count;
	char **dialog_methods;
	unsigned int dialog_methods_count;
};

struct raw_route {
	char *from;
	char *from_peer;
	char *user_prefix;
	bool emergency;
	char *to;
};

struct raw_codecs {
	char **allow;
	unsigned int allow_count;
	char **deny;
	unsigned int deny_count;
	char **order;
	unsigned int order_count;
};

struct raw_policy {
	char *name;
	struct raw_codecs codecs;
	enum config_srtp srtp;
};

struct raw_overload {
	uint32_t *delay_ms;
	uint32_t *call_rate;
	char **emergency;
	unsigned int emergency_count;
};

struct raw_ops {
	char *control_socket;
	char *cdr_file;
	uint32_t *shards;
	uint32_t *log_level; /* enum log_level */
	uint32_t *stop_timeout_s;
	struct raw_overload overload;
	uint32_t *trace_messages;
	uint32_t *trace_calls;
};

struct raw_config {
	struct dataplane_config dataplane;
	struct raw_realm *realms;
	unsigned int realms_count;
	struct raw_peer *peers;
	unsigned int peers_count;
	struct raw_route *routes;
	unsigned int routes_count;
	struct raw_policy *policies;
	unsigned int policies_count;
	struct raw_ops ops;
};

/** Schema of the whole file: a pointer to struct raw_config. */
extern const cyaml_schema_value_t config_schema;
/** Lists whose entry may also stand alone. */
extern const cyaml_schema_value_t config_media_schema, config_gateway_schema;

/** One number: where it stands, its range and its default. */
struct number {
	const char *key;
	uint32_t min, max, fallback;
	const char *unit;
};

/** @param given  NULL: the default. @return 0, or what config_doc_fail() gave. */
int config_number_build(const struct config_doc *d, const char *at, const struct number *n,
	const uint32_t *given, uint32_t *out);
/** @return 0, or what config_doc_fail() gave: names end up in ring records, tables and logs. */
int config_name_build(
	const struct config_doc *d, const char *path, const char *given, char out[API_NAME_MAX]);
/** An IPv4 address written as IPv6 is refused: two writings of one would not compare equal. */
int config_mapped_check(const struct config_doc *d, const char *path, const struct net_addr *a);

/** Rates, denial and the permit and deny lists of a realm; trust is set (config_limits.c). */
int config_limits_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r);
/** Rates of a peer; its realm and address are set. @param c  holds the peers before it. */
int config_peer_limits_build(const struct config_doc *d, const char *at,
	const struct raw_limits *raw, const struct config *c, struct config_peer *p);
/** Content types that are sent into a realm (config_bodies.c). */
int config_bodies_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r);
/** Methods of a realm; trust is set (config_methods.c). */
int config_methods_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r);
/** Methods of a peer: its realm's where it has no own list. */
int config_peer_methods_build(const struct config_doc *d, const char *at,
	const struct raw_peer *raw, const struct config_realm *realm, struct config_peer *p);
/** A peer that its realm denies. */
int config_lists_check(
	const struct config_doc *d, const struct config *c, const struct config_realm *r);

/** One policy (config_policy.c); c holds the ones before it. */
int config_policy_build(const struct config_doc *d, unsigned int i, const struct raw_policy *raw,
	const struct config *c, struct config_policy *p);
/** The policy of this name. @return 0 with *out set, NULL for no name; or as above. */
int config_policy_ref_build(const struct config_doc *d, const char *at, const struct config *c,
	const char *name, const struct config_policy **out);

/* "there is access, core", for a name that is none of them. */
#define CONFIG_FAIL_UNKNOWN(d, path, what, given, array, n) \
	do { \
		char names_[160] = ""; \
		for (unsigned int i_ = 0; i_ < (n); i_++) { \
			size_t at_ = strlen(names_); \
			snprintf(names_ + at_, sizeof(names_) - at_, "%s%s", at_ > 0 ? ", " : "", \
				(array)[i_].name); \
		} \
		return config_doc_fail(d, path, "there is no %s \"%.40s\"; there is %s", what, \
			given, names_[0] != '\0' ? names_ : "none"); \
	} while (0)

/** Make the configuration's realms, peers, routes, policies and ops from what was written, checking
 * each. */
int config_build(const struct config_doc *d, const struct raw_config *raw, struct config *c);
/** Checks that need more than one section (config_check.c). */
int config_check(const struct config_doc *d, const struct config *c);

/** Load from memory, for tests and fuzzing; as config_load(). */
struct config *config_load_data(
	const char *file, const char *text, size_t len, char error[CONFIG_ERROR_LEN]);

#endif
