/*
 * What a shard does when more comes than it can do: new calls are refused at once with 503,
 * before they cost anything; what belongs to a call, and emergency calls, go through.
 *
 * Two limits. The delay limit is a closed loop on the time that messages wait for this shard: the
 * share of new calls that is refused follows it by the proportional-integral rule of RFC 8033
 * section 4.2 (PIE). The rate limit is a bucket of calls a second. One thread, the clock is given.
 */
#ifndef SALLYPORT_CONTROL_OVERLOAD_H
#define SALLYPORT_CONTROL_OVERLOAD_H

#include "config.h"

struct sip_oc;

struct overload;

struct overload_stats {
	uint64_t refused_delay; /* messages wait too long */
	uint64_t refused_rate;	/* more calls a second than allowed */
	uint64_t refused_again; /* retransmissions of what was refused */
	uint64_t emergency;	/* emergency calls, which are never refused here */
	uint64_t waits_over;	/* times of OVERLOAD_INTERVAL_MS that ended above the limit */
};

#define OVERLOAD_INTERVAL_MS 100

/** @param shards  of which this is one: each has its share of the rate. @return NULL: out of
 * memory. */
struct overload *overload_new(const struct config *config, unsigned int shards, uint64_t now_ms);
void overload_free(struct overload *o);
const struct overload_stats *overload_get_stats(const struct overload *o);

/** A message was taken that had waited so long; 0: there was none to take. */
void overload_note_wait(struct overload *o, uint64_t wait_us);

/** Time passes. Cheap: once a turn of the loop. */
void overload_tick(struct overload *o, uint64_t now_ms);

/**
 * May this new request be served?
 * @param key   of the request, the same for its retransmissions: what was refused stays refused.
 * @param call  it is an INVITE: the rate counts it.
 */
bool overload_admit(struct overload *o, uint64_t now_ms, uint64_t key, bool call);

/** An emergency call came, and was taken without asking overload_admit(). */
void overload_note_emergency(struct overload *o);

/** What neighbours that ask are told (RFC 7339); its address stays. */
const struct sip_oc *overload_oc(const struct overload *o);

/** Share of new calls that is refused for delay, 0..100, rounded up. */
unsigned int overload_percent(const struct overload *o);
/** Shortest wait of the last interval. */
uint64_t overload_wait_us(const struct overload *o);

#endif
