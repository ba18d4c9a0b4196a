/*
 * A shard's inside, shared by its loop (shard.c) and its rings (shard_rings.c).
 */
#ifndef SALLYPORT_CONTROL_SHARD_PRIV_H
#define SALLYPORT_CONTROL_SHARD_PRIV_H

#include <stdatomic.h>

#include <event2/event.h>

#include "shard.h"
#include "sip_scan.h"

/** Messages taken from one worker's ring in one turn of the loop. */
#define SHARD_BURST 64

struct shard_counts {
	uint64_t messages_in;
	uint64_t messages_out;
	uint64_t messages_lost;	    /* not sent: no dataplane, or the ring was full */
	uint64_t messages_too_long; /* not sent: larger than a datagram */
	uint64_t records_malformed;
	uint64_t events_in;
	uint64_t commands_out;
	uint64_t source_commands_failed;
	uint64_t turns;
	uint64_t sip_errors[SIP_SCAN_COUNT]; /* that the dataplane's half of the scan left */
};

struct shard {
	struct shard_env env;
	pthread_t thread;
	struct mailbox mailbox;
	struct event_base *base;
	struct event *mail_event, *ring_event, *timer_event;
	bool stop;
	bool stopped; /* main thread: rw */
	struct timers timers;
	struct media *media;
	struct b2bua *b2bua;
	struct reputation *reputation;
	struct overload *overload;
	struct peer_overload *peer_overload;
	struct attach_group *group;  /* NULL: no dataplane */
	unsigned int workers;	     /* of the attached dataplane */
	struct timer commands_timer; /* armed: commands wait that have time */
	bool commands_due;	     /* what was put must be seen at the end of this turn */
	struct shard_counts counts;
	struct cdr_batch records;	/* of calls that ended in this turn */
	_Atomic uint64_t calls_active;	/* shard: wo, others: ro */
	_Atomic uint64_t requests_open; /* shard: wo, others: ro */
	uint64_t burst_ns;		/* CLOCK_MONOTONIC when the burst at hand was begun */
	struct sip_index index;		/* of the message at hand */
	_Alignas(8) uint8_t
		record[sizeof(struct rec_sip_up) + sizeof(struct sip_index) + API_SIP_MSG_MAX];
};

/**
 * Everything of a shard but its thread: who has no loop of its own runs it by shard_turn(), its
 * mail by mailbox_run(). @return 0, -ENOMEM or another negative errno; ends by shard_discard().
 */
int shard_make(const struct shard_env *env, struct shard **out);
/** Run its last mail, free everything. */
void shard_discard(struct shard *s);
/** What is due by this clock, then one burst of each ring. @return true when there may be more. */
bool shard_turn(struct shard *s, uint64_t now_ms);

/** Read up and event rings, at most a burst each. @return true when there may be more. */
bool shard_rings_poll(struct shard *s);
/** Show the dataplane what was put since the last call; commands that have time wait for others. */
void shard_rings_publish(struct shard *s);
/** About to wait. @return true when all rings are empty and will wake us. */
bool shard_rings_sleep(struct shard *s);
void shard_rings_awake(struct shard *s);

/** txn_send_fn; ctx is the shard. What cannot be sent is lost, as UDP loses it. */
int shard_send(void *ctx, const struct sip_path *path, struct str_view msg);
/** media_env.send; ctx is the shard. */
int shard_command(void *ctx, struct cmd_hdr *cmd, size_t len);

#endif
