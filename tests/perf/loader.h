/*
 * The parts of flow_loader, a stand-in for control: what it was asked for, the session with
 * the dataplane, what it sets up, and what it does while traffic runs. One thread.
 */
#ifndef SALLYPORT_PERF_LOADER_H
#define SALLYPORT_PERF_LOADER_H

#include "attach.h"
#include "records.h"
#include "stats.h"

/** What the dataplane does not do (yet): this exit status, so that a benchmark can skip. */
#define LOADER_REFUSED 3

/** One realm. */
struct loader_side {
	struct net_addr local; /* the first of options.addresses */
	uint8_t prefix_len;
	struct net_addr remote; /* of the first stream */
	uint16_t vlan;
};

struct loader_options {
	const char *socket;
	struct loader_side side[2];
	uint16_t first_port, remote_port;
	uint32_t streams;
	uint32_t addresses; /* local ones a side; streams fill the first, then the next */
	unsigned int seconds;
	uint32_t churn;	   /* streams added and removed again and again */
	uint32_t sip_rate; /* messages a second that each source may send; 0: no limit */
	uint32_t denied;   /* sources of realm 0 and 1 that are denied */
	bool echo, drain;
};

extern struct loader_options loader_options;
extern struct attach_session loader_session;

/* --- loader_session.c --- */

uint64_t loader_now_ns(void);
void __attribute__((noreturn)) loader_die(const char *what, int rc);
/** Give a command to the dataplane; waits for room. */
void loader_command(struct cmd_hdr *cmd, size_t len, enum record_type type);
/** Wait for all answers. @return commands that failed since the start. */
uint64_t loader_commands_finish(void);
void loader_events_take(void);
/** Commands answered since the start. */
uint64_t loader_done(void);

/* --- loader_setup.c --- */

/** Realms, addresses, listeners, ranges. Ends the program with LOADER_REFUSED if it may not. */
void loader_realms_set(void);
void loader_streams_add(void);
void loader_sources_deny(void);
/** Stream number i of those that loader_streams_add() makes; more follow behind them. */
void loader_stream_set(uint32_t i, uint8_t end_flags);
void loader_stream_del(uint32_t i);

/* --- loader_run.c --- */

/** For options.seconds: samples on stdout once a second, and what else was asked for. */
void loader_run(void);

#endif
