/*
 * One forwarding lcore: what it reads and writes, and the queues between it and
 * the main thread. A worker never allocates, locks, logs or calls the system,
 * but for its own idle sleep and the wake of a sleeping consumer.
 */
#ifndef SALLYPORT_WORKER_H
#define SALLYPORT_WORKER_H

#include <poll.h>
#include <stdatomic.h>

#include <rte_graph.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "addr.h"
#include "attach.h"
#include "drops.h"
#include "api_limits.h"
#include "ring.h"
#include "stats.h"

/** Rings to control that this worker uses; swapped whole at attach and detach, under RCU. */
struct worker_rings {
	uint32_t epoch;
	uint16_t shards;
	struct attach_keys keys;
	struct ring up[API_SHARDS_MAX];	  /* producer */
	struct ring down[API_SHARDS_MAX]; /* consumer; those of this worker */
	uint16_t n_down;
	uint8_t down_shard[API_SHARDS_MAX];
};

/** Shares of a port's rate to the kernel (punt.c). */
#define WORKER_PUNT_SHARES 4

/** Room for the largest record from control. */
#define WORKER_SCRATCH (API_SIP_MSG_MAX + 1 + 64)

struct reassembly;
struct sip_index;
struct police;

/** Packets taken at once from those that other workers handed over. */
#define HANDOVER_BURST 128

/** Flows that a worker noted to give away in one loop; more wait for their next packets. */
#define WORKER_GIVES_MAX 64
struct flow_give {
	uint32_t flow;
	uint16_t to; /* worker + 1 */
};

struct worker {
	uint16_t index; /* 0.. */
	uint32_t lcore;
	atomic_bool stop; /* worker: ro, main: wo */
	struct rte_graph *graph;
	struct stats_worker *stats;	      /* in the mapping; worker: rw */
	_Atomic(struct worker_rings *) rings; /* main: wo, worker: ro; NULL: nobody attached */
	struct rte_ring
		*latched; /* worker -> main: flow indices (as pointers) that took a new source */
	struct rte_ring
		*to_kernel; /* worker -> main: mbufs for a twin or to glean; see kernel_path.h */
	struct rte_ring *from_kernel; /* main -> worker: mbufs read from a twin, m->port is the port
					 to send on */
	struct rte_ring *handover;    /* other workers -> worker: IP packets of what it owns */
	uint64_t now_tsc;	      /* of this loop */
	uint32_t now_ms;	      /* CLOCK_MONOTONIC of this loop, low 32 bits */
	uint64_t now_ns;
	int wake_fd; /* eventfd: control put something on a down ring. Only read (wakeup.h) */
	int main_fd; /* eventfd: main gave something */
	struct pollfd *waits; /* what ends a sleep: main_fd, wake_fd, sockets of rx queues */
	uint16_t n_waits;
	bool rx_wakes;	       /* each rx queue has one there */
	atomic_bool asleep;    /* worker sets before it sleeps; main clears it and writes main_fd */
	uint32_t packets;      /* of this loop, from any source; 0 means idle */
	uint16_t ip_id;	       /* of the next packet of our own */
	uint16_t n_rx;	       /* rx queues over all ports */
	uint16_t rx_turn;      /* the one of this loop */
	struct police *police; /* police.h; worker: rw */
	struct reassembly *reassembly; /* IP fragments; worker: rw */
	struct sip_index *scans;       /* one for each SIP message of this loop */
	uint32_t n_scans, scans_max;
	uint8_t *scratch;		   /* WORKER_SCRATCH bytes: copy of a down record */
	uint32_t punt_rate[API_PORTS_MAX]; /* this worker's share, packets a second */
	uint64_t punt_full_ns[API_PORTS_MAX][WORKER_PUNT_SHARES]; /* token.h */
	uint32_t n_gives;					  /* see flow_owner.h */
	struct flow_give gives[WORKER_GIVES_MAX];
} __rte_cache_aligned;

extern struct worker workers[API_WORKERS_MAX];
extern unsigned int n_workers;
/** Quiescent-state variable: every worker reports once a loop; main waits before it reuses. */
extern struct rte_rcu_qsbr *worker_qsbr;

/** The calling lcore's worker. */
RTE_DECLARE_PER_LCORE(struct worker *, worker_self);
static inline struct worker *worker_get(void)
{
	return RTE_PER_LCORE(worker_self);
}

/** Main: wait until every worker passed a quiescent point. */
void worker_grace(void);

struct dataplane_config;

/** Know the workers (one a CPU of config.cores). @return 0 or negative errno. */
int worker_init(const struct dataplane_config *config);
/** When ports, nodes and the statistics are there: rings, tables and graphs of each worker. */
int worker_prepare(const struct dataplane_config *config);
/** Give back what worker_prepare() made, packets too: before the packet pool goes. */
void worker_release(void);
void worker_fini(void);
/** Start and stop the worker loops. */
int worker_start(void);
void worker_stop(void);

/**
 * Wake a worker that sleeps, after giving it something; costs a fence and a load when it does not.
 * Main or any worker.
 */
void worker_wake(struct worker *w);

/** Of this run; keeps sources from choosing their worker. */
extern uint64_t worker_source_key[2];

/**
 * The worker that owns all state of a source address: buckets, fragments, limits. One for all of
 * a /24 or a /64, so that what is counted by prefix has one writer too.
 */
static inline unsigned int worker_of_source(const struct net_addr *source)
{
	uint64_t prefix = 0;
	unsigned __int128 product;

	memcpy(&prefix, source->bytes, source->family == NET_FAMILY_V6 ? 8 : 3);
	product = (unsigned __int128)(prefix ^ worker_source_key[0]) * worker_source_key[1];
	prefix = (uint64_t)product ^ (uint64_t)(product >> 64);
	return (unsigned int)(((prefix >> 32) * n_workers) >> 32);
}

/** Main sleeps in epoll; set before it looks at the rings for the last time. */
extern atomic_bool main_asleep;
/** Readable when a worker gave main something while it slept. */
extern int main_wake_fd;
/** Worker: after putting something on to_kernel or latched. */
void main_wake(void);

/* What nodes hand to each other with a packet: a dynamic mbuf field. */
struct pkt_meta {
	uint16_t port;	 /* where it entered (or, if ours, leaves): whose counters it moves */
	uint8_t drop;	 /* enum drop_reason, for the drop node */
	uint8_t origin;	 /* enum pkt_origin */
	uint32_t value;	 /* nexthop index, slot value, realm ...: between two neighbouring nodes */
	uint32_t value2; /* index into worker.scans, local index, netif to glean by */
	uint16_t netif;	 /* where it entered, port and VLAN (netif.h) */
	uint8_t owner;	 /* worker that it is to be handed to */
	uint8_t from;	 /* worker + 1 by whose queue it came; 0: this one's, not handed over */
};
static_assert(sizeof(struct pkt_meta) == 16, "one store");
enum pkt_origin { PKT_WIRE, PKT_TWIN, PKT_CONTROL };
/* A fixed place among the dynamic fields, claimed at start: no load to find it. */
#define PKT_META_OFFSET offsetof(struct rte_mbuf, dynfield1[5])
static inline struct pkt_meta *pkt_meta(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, PKT_META_OFFSET, struct pkt_meta *);
}

#endif
