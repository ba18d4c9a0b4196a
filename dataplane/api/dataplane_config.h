/*
 * The `dataplane` section of the configuration file: its values and its libcyaml
 * schema, which the dataplane loads alone and control loads with the rest.
 */
#ifndef SALLYPORT_API_DATAPLANE_CONFIG_H
#define SALLYPORT_API_DATAPLANE_CONFIG_H

#include <cyaml/cyaml.h>

#include "api_limits.h"

/** One line for the operator: file, line, path of the key, what is wrong, what would be right. */
#define CONFIG_ERROR_LEN 512

struct config_doc;

#define CAPTURES_DEFAULT "/var/lib/sallyport/captures"

enum dataplane_idle { IDLE_ADAPTIVE, IDLE_POLL };
enum dataplane_hugepages { HUGEPAGES_AUTO, HUGEPAGES_NEVER, HUGEPAGES_REQUIRE };

struct dataplane_port_config {
	char *name;	    /* of the port and of its kernel twin; at most 15 characters */
	char *device;	    /* "0000:17:00.0" or a DPDK vdev string "net_af_xdp,iface=eth1" */
	uint16_t queues;    /* receive queues; default 1 */
	uint16_t mtu;	    /* default 1500 */
	uint32_t punt_rate; /* kernel-bound packets a second; default 10000 */
};

/** Defaults are applied by dataplane_config_complete() (0 and NULL mean "not given"). */
struct dataplane_config {
	char *socket;	 /* ATTACH_SOCKET_DEFAULT */
	char *captures;	 /* folder of packet captures; default: CAPTURES_DEFAULT */
	char *cores;	 /* CPU list of the workers "1" or "2-5,8"; default: all but the first */
	char *main_core; /* CPU of the main thread; default: the first */
	enum dataplane_idle idle;
	enum dataplane_hugepages hugepages;
	uint32_t memory_mib; /* default 512 */
	uint32_t mbufs;	     /* default 16384 */
	uint32_t flows;	     /* default 65536 */
	uint32_t sources;    /* policed SIP sources; default 1000000 */
	struct dataplane_port_config *ports;
	unsigned int ports_count;
};

/** Fields of the section, for nesting into a larger schema (CYAML_FIELD_MAPPING). */
extern const cyaml_schema_field_t dataplane_config_fields[];

/**
 * Fill in what was not given, then check what the schema cannot say (ranges, duplicate names,
 * core lists ...).
 * @param d  the document that c was loaded from; gets the line of the first mistake.
 * @return 0 or -EINVAL.
 */
int dataplane_config_complete(const struct config_doc *d, struct dataplane_config *c);

/**
 * Load just this section of a file. Other sections must be known ones; what they hold is
 * control's to judge.
 * @param error  on failure one line, the same as control's for the same mistake; give
 *               CONFIG_ERROR_LEN bytes.
 * @return the section, or NULL. Caller frees with dataplane_config_free(). Main thread.
 */
struct dataplane_config *dataplane_config_load(const char *file, char *error, size_t error_size);
void dataplane_config_free(struct dataplane_config *c);

#endif
