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

/* As written. Pointers to numbers are NULL where the key is absent. */
struct raw_media {
	char *address;
	char *ports;
};

struct raw_limits {
	uint32_t *sip_rate;
	uint32_t *sip_burst;
	uint32_t *calls;
};

struct raw_dscp {
	uint32_t *sip;
	uint32_t *media;
};

struct raw_realm {
	char *name;
	char *port;
	enum config_trust trust;
	enum config_nat nat;
	char **addresses;
	unsigned int addresses_count;
	char *gateway;
	char **sip;
	unsigned int sip_count;
	struct raw_media media;
	uint32_t *media_timeout_s;
	uint32_t *latch_prefix;
	uint32_t *latch_prefix_v6;
	struct raw_limits limits;
	struct raw_dscp dscp;
};

struct raw_peer {
	char *name;
	char *realm;
	char *address;
	uint32_t *port;
	uint32_t *no_answer_s;
	struct raw_limits limits;
};

struct raw_route {
	char *from;
	char *from_peer;
	char *user_prefix;
	char *to;
};

struct raw_ops {
	char *control_socket;
	char *cdr_file;
	uint32_t *shards;
	uint32_t *log_level; /* enum log_level */
	uint32_t *stop_timeout_s;
};

struct raw_config {
	struct dataplane_config dataplane;
	struct raw_realm *realms;
	unsigned int realms_count;
	struct raw_peer *peers;
	unsigned int peers_count;
	struct raw_route *routes;
	unsigned int routes_count;
	struct raw_ops ops;
};

/** Schema of the whole file: a pointer to struct raw_config. */
extern const cyaml_schema_value_t config_schema;

/** Make the configuration's realms, peers, routes and ops from what was written, checking each. */
int config_build(const struct config_doc *d, const struct raw_config *raw, struct config *c);
/** Checks that need more than one section (config_check.c). */
int config_check(const struct config_doc *d, const struct config *c);

/** Load from memory, for tests and fuzzing; as config_load(). */
struct config *config_load_data(
	const char *file, const char *text, size_t len, char error[CONFIG_ERROR_LEN]);

#endif
