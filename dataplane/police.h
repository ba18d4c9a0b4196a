/*
 * The policer of one worker: which SIP messages control gets to see, and how much of a source
 * the kernel does. Decides with what the worker has at hand; nothing is shared.
 */
#ifndef SALLYPORT_POLICE_H
#define SALLYPORT_POLICE_H

#include <rte_ring.h>

#include "drops.h"
#include "lane_table.h"
#include "police_limits.h"
#include "source_list.h"
#include "source_table.h"

/** A class of a source: REC_SOURCE_SET on its way to a worker, REC_SOURCE_EVENT on its way back. */
struct police_note {
	struct net_endpoint source; /* port 0: the address */
	uint16_t realm;
	uint8_t source_class;
	uint8_t reason;
	uint32_t seconds;
};
static_assert(sizeof(struct police_note) == 32, "an element of its rings");

/** worker: rw, but for the rings' ends */
struct police {
	struct source_table *sources;
	struct lane_set *lanes;
	struct rte_ring *set;			    /* main -> worker: struct police_note */
	struct rte_ring *event;			    /* worker -> main: struct police_note */
	uint32_t aged_ms;			    /* low bits: when sets were aged last */
	uint64_t untrusted_full_ns[API_REALMS_MAX]; /* token.h */
	uint64_t listed_full_ns[API_LIST_MAX + 1];  /* of permitted sources and peers */
};

/**
 * @param index    of the worker.
 * @param sources  that its table shall hold, see source_table_new().
 * @return NULL when out of memory. Caller frees with police_free(). Main thread.
 */
struct police *police_new(unsigned int index, uint32_t sources, const uint64_t key[2]);
void police_free(struct police *p);

/* --- the worker --- */

#define POLICE_PASS (-1)

/** A SIP message before the policer. */
struct police_message {
	struct source_key own, address, prefix;
	struct source *fetched[3]; /* entries of these, NULL: look for them */
	uint16_t realm;
	uint16_t listed;   /* entry of the lists, or SOURCE_UNLISTED */
	uint8_t sip_class; /* enum sip_class; SIP_CLASS_LANE: nonce is a dialog of ours */
	uint8_t method;	   /* enum police_method, or POLICE_METHOD_COUNT: has no rate of its own */
	uint64_t nonce;
};

/** Make the keys and fetch the tags; police_fetch() when they may have come. */
static inline void police_prepare(struct police *p, struct police_message *m,
	const struct net_addr *addr, uint16_t port, uint16_t realm)
{
	m->realm = realm;
	m->fetched[0] = m->fetched[1] = m->fetched[2] = NULL;
	source_key_pair(p->sources, addr, port, realm, &m->own, &m->address);
	source_key(p->sources, addr, 0, realm, SOURCE_PREFIX, &m->prefix);
	source_prefetch_tags(p->sources, &m->own);
	source_prefetch_tags(p->sources, &m->address);
	source_prefetch_tags(p->sources, &m->prefix);
}

static inline void police_fetch(struct police *p, struct police_message *m)
{
	m->fetched[0] = source_prefetch_entry(p->sources, &m->own);
	m->fetched[1] = source_prefetch_entry(p->sources, &m->address);
	m->fetched[2] = source_prefetch_entry(p->sources, &m->prefix);
}

/**
 * Is the source denied?
 *
 * What control denied is denied. An address that went over its rate is, but for its ports that
 * are trusted; and a source that was trusted until it did may have been forged, so that its
 * messages are looked at for the lane.
 *
 * @param own, address  NULL: no need to look, see police_denied_any().
 * @param listed        permitted sources and peers are denied by the operator only.
 */
bool police_denied(struct police *p, const struct source_key *own, const struct source_key *address,
	uint16_t listed, struct source_clock now);

/** Does the table have sources that could make police_denied() look at the address, at the own
 * entry? */
static inline bool police_denies_addresses(const struct police *p)
{
	return p->sources->classed[SOURCE_ADDRESS][SOURCE_DENIED] != 0;
}

static inline bool police_denies_ports(const struct police *p)
{
	return p->sources->classed[SOURCE_PORT][SOURCE_DENIED] != 0 ||
	       (police_denies_addresses(p) &&
		       p->sources->classed[SOURCE_PORT][SOURCE_TRUSTED] != 0);
}

/**
 * Charge a message to the buckets that it concerns: to all, or, if one of them has no token, to
 * none.
 *
 *   lane       its dialog's
 *   listed     the entry's
 *   trusted    own (address and port), own by method; the address's if that is what is trusted
 *   untrusted  own, own by method, the address's, the prefix's, all untrusted of the realm
 *
 * A source that is refused by its own or its address's bucket deny_after times within
 * deny_window_s is demoted if it was trusted, else denied for deny_s.
 *
 * @param limits        of the realm.
 * @param source_class  set to what the sender is.
 * @return POLICE_PASS or why not: enum drop_reason.
 */
int police_sip(struct police *p, const struct police_message *m, const struct police_limits *limits,
	struct source_clock now, enum source_class *source_class);

/** Kernel-bound traffic of an address. */
enum police_kernel { POLICE_TCP_SYN, POLICE_TCP, POLICE_ICMP, POLICE_KERNEL_OTHER };

/**
 * Charge a kernel-bound packet to its address.
 * @param bytes  of the IP packet, for POLICE_TCP.
 * @return POLICE_PASS or enum drop_reason.
 */
int police_kernel(struct police *p, const struct net_addr *addr, uint16_t realm,
	const struct realm_police *limits, enum police_kernel kind, uint32_t bytes,
	uint64_t now_ns);

/** Once a loop: take what main sent, and let some of the table age. */
void police_poll(struct police *p, uint64_t now_ns);

/* --- main thread --- */

/** Have the workers room for one more REC_SOURCE_SET? Else commands wait, a loop of theirs or two.
 */
bool police_ready(void);
/** REC_SOURCE_SET, validated, to the worker of the source. @return 0 or -EAGAIN (its ring is full).
 */
int police_source_set(const struct rec_source_set *r);
/** Tell control what the workers did to sources by themselves. */
void police_events_take(uint64_t now_ns);
/** Ten times a second: the sources that stand out, for the statistics. */
void police_top_refresh(uint64_t now_ns);

#endif
