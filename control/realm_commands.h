/*
 * The configuration as commands for the dataplane, one after the other.
 */
#ifndef SALLYPORT_CONTROL_REALM_COMMANDS_H
#define SALLYPORT_CONTROL_REALM_COMMANDS_H

#include "config.h"
#include "stats.h"

/** Where in the configuration the next command comes from. Zeroed: at the start. */
struct realm_commands {
	unsigned int realm;
	unsigned int step; /* within the realm */
	unsigned int peer;
	bool synced;
};

/** One command; `cmd` is the head of whichever it is. */
union realm_command {
	struct cmd_hdr cmd;
	struct rec_realm_set realm;
	struct rec_address_set address;
	struct rec_listener_set listener;
	struct rec_media_range_set range;
	struct rec_source_list_set list;
	struct rec_sync sync;
};

/**
 * The next command: realms with their addresses, listeners, media ranges, permit and deny lists,
 * then the peers' addresses and rates, then REC_SYNC. A realm whose port the dataplane does not
 * have is logged and left out with its peers.
 *
 * @param stats  names the ports. @param cmd  filled, its cookie says what it is about.
 * @return its length, or 0 after the last. Call again with the same state to skip none.
 */
size_t realm_commands_next(struct realm_commands *at, const struct config *c,
	const struct stats *stats, union realm_command *cmd);

/** "REALM_SET of realm access", for the cookie of a refused command. @return buf. */
const char *realm_command_describe(
	const struct config *c, unsigned int command, uint64_t cookie, char *buf, size_t size);

#endif
