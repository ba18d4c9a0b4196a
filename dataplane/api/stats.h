/*
 * The statistics mapping: written by the dataplane, mapped read-only by control.
 * Every field has one writer; readers sum and must cope with torn pairs of
 * fields (each 64-bit field alone is never torn).
 */
#ifndef SALLYPORT_API_STATS_H
#define SALLYPORT_API_STATS_H

#include "addr.h"
#include "drops.h"
#include "latch.h"
#include "rtp_quality.h"
#include "api_limits.h"
#include "records.h"

/** One device port. Writer: dataplane main. */
struct stats_port {
	char name[API_NAME_MAX]; /* "" : unused slot */
	char device[96];	 /* DPDK device string */
	char driver[32];
	char twin[API_NAME_MAX]; /* kernel interface; "" if none */
	uint8_t mac[6];
	uint8_t link_up;
	uint8_t pad;
	uint32_t mtu;
	uint32_t speed_mbps; /* 0: unknown */
	uint16_t queues;
	uint16_t pad2[3];
};

/**
 * What one thread did with the packets of one port. Writer: that worker, or main for the kernel
 * path. Summed over all threads (stats_port_sum) and with no packet under way, exactly:
 *
 *   rx_packets + from_twin + from_control =
 *           forwarded + originated + punted + sip_up + gleaned + reassembled + the sum of drops
 *
 * Fragments wait for their like for at most REASSEMBLY_TIMEOUT_MS, and are under way then. Each
 * that is sent counts as a packet, in from_control too.
 */
struct stats_port_counts {
	uint64_t rx_packets; /* from the wire */
	uint64_t rx_bytes;
	uint64_t tx_packets; /* to the wire, of any origin */
	uint64_t tx_bytes;
	uint64_t forwarded;	    /* entered here and left by some port */
	uint64_t punted;	    /* entered here, given to the kernel twin */
	uint64_t sip_up;	    /* entered here, given to control */
	uint64_t from_twin;	    /* came from this port's twin */
	uint64_t from_control;	    /* SIP sent by control through this port, in packets */
	uint64_t originated;	    /* of from_twin and from_control: left by this port */
	uint64_t gleaned;	    /* neighbour unknown: given to the kernel to resolve and send */
	uint64_t reassembled;	    /* fragments that became part of another packet */
	uint64_t drops[DROP_COUNT]; /* entered here (or meant to leave here, if ours), dropped */
};

/** One realm's policing. Writer: each worker its own; see struct stats_worker. */
struct stats_realm {
	uint64_t messages[SOURCE_CLASS_COUNT][SIP_CLASS_COUNT]; /* passed to control */
	uint64_t refused[SOURCE_CLASS_COUNT];
};

/** One worker. Writer: that worker. */
struct stats_worker {
	uint64_t loops;
	uint64_t busy_loops; /* loops with at least one packet */
	uint64_t sleeps;
	uint64_t sip_class[SIP_CLASS_COUNT];	 /* given to control */
	uint64_t sip_errors[API_SIP_ERRORS_MAX]; /* by enum sip_scan_error, dropped or answered */
	uint64_t down_records;			 /* taken from control */
	uint64_t heartbeat_ms;			 /* CLOCK_MONOTONIC of the last loop */
	uint64_t handed_over;			 /* packets given to the worker that owns them */
	uint64_t taken_over;			 /* packets that other workers handed over */
	uint64_t flows_given; /* flows given to the worker that gets their packets */
	uint32_t lcore;
	uint32_t pad;
	struct stats_port_counts port[API_PORTS_MAX];
	struct stats_realm realm[API_REALMS_MAX];
};

/** One graph node, summed over workers. Writer: dataplane main, about once a second. */
struct stats_node {
	char name[API_NODE_NAME_MAX]; /* "" : unused slot */
	uint64_t calls;
	uint64_t packets;
	uint64_t cycles;
	uint64_t edges; /* bit i: an edge to node slot i */
};

/** One object pool or table. Writer: dataplane main, about ten times a second. */
struct stats_pool {
	char name[API_NODE_NAME_MAX]; /* "mbuf", "flow", "neighbour" ...; "": unused */
	uint64_t size;
	uint64_t used;
	uint64_t bytes; /* memory behind it */
};
#define STATS_POOLS_MAX 16

/**
 * One flow's live lines; slot 0 is never used. Writer: the worker that owns the flow. The
 * first line serves every packet, the second those of RTP.
 */
struct stats_flow {
	_Alignas(64) struct latch latch;
	uint32_t last_ms; /* CLOCK_MONOTONIC, low 32 bits, of the last accepted packet */
	uint64_t packets; /* accepted */
	uint64_t bytes;	  /* UDP payload of these */
	uint32_t refused;
	uint32_t policed; /* over the signalled rate */
	uint32_t lost;	  /* of earlier SSRCs, see rtp_quality.h */
	uint16_t owner;	  /* worker + 1 that writes here; 0: nobody yet (flow_owner.h) */
	uint16_t bad_seq; /* that would prove a restart of the sequence, see rtp_measure.h */
	struct rtp_quality quality;
};
static_assert(sizeof(struct stats_flow) == 128, "two cache lines");
static_assert(offsetof(struct stats_flow, quality) == 64, "the second is RTP's");

/** A source of SIP that stands out: denied, or refused most. Writer: dataplane main, now and
 * then; a reader may see one being replaced. */
struct stats_source {
	struct net_endpoint source; /* family 0: unused slot; port 0: the whole address */
	uint16_t realm;
	uint8_t source_class; /* enum source_class */
	uint8_t reason;	      /* enum source_reason */
	uint32_t left_s;      /* of its class; 0: until it is forgotten */
	uint64_t messages;    /* passed */
	uint64_t refused;
};
#define STATS_SOURCES_MAX 64

enum capture_end {
	CAPTURE_END_NONE, /* it runs, or there was none */
	CAPTURE_END_STOPPED,
	CAPTURE_END_SIZE,
	CAPTURE_END_TIME,
	CAPTURE_END_WRITE, /* the file could not be written: disk full */
	CAPTURE_END_COUNT
};

enum capture_state {
	CAPTURE_IDLE,
	CAPTURE_RUNNING,
	CAPTURE_WRITING, /* it has ended; what it took is not all on the disk */
	CAPTURE_STATE_COUNT
};

/** The capture that runs, or the last one. Writer: dataplane main. */
struct stats_capture {
	char file[192]; /* with its folder; "": there was none */
	uint64_t packets;
	uint64_t bytes;	 /* of the file */
	uint64_t missed; /* matched, but the disk was too slow */
	uint64_t start_ms;
	uint8_t state; /* enum capture_state */
	uint8_t end;   /* enum capture_end */
	uint8_t pad[6];
};

/** The whole mapping; `flows` slots of struct stats_flow start at flow_offset. */
struct stats {
	uint32_t magic;	  /* API_MAGIC */
	uint16_t version; /* API_VERSION */
	uint16_t workers;
	uint32_t pid;
	uint32_t epoch;	    /* 0: no control since the start */
	uint64_t start_ms;  /* CLOCK_MONOTONIC */
	uint64_t update_ms; /* of main's last refresh */
	uint64_t flow_offset;
	uint32_t flows; /* slots */
	uint32_t flows_used;
	uint64_t streams;	    /* streams set now */
	uint64_t streams_inactive;  /* removed for silence, ever */
	uint64_t records_malformed; /* on the command rings; the workers' count in drops */
	uint64_t attaches;
	uint8_t huge_pages; /* 0: running with --no-huge */
	uint8_t idle_poll;  /* 1: workers never sleep */
	uint8_t attached;
	uint8_t pad[5];
	char memory[64]; /* "1,024 MiB in 2 MiB hugepages" */
	struct stats_port port[API_PORTS_MAX];
	struct stats_pool pool[STATS_POOLS_MAX];
	struct stats_node node[API_NODES_MAX];
	struct stats_source source[STATS_SOURCES_MAX];
	struct stats_capture capture;
	struct stats_worker worker[API_WORKERS_MAX];
	/* main's own share: punted, gleaned, from_twin and the drops of the kernel path */
	struct stats_port_counts main[API_PORTS_MAX];
};

/** One port's counters, summed over the workers and main. */
static inline void stats_port_sum(
	const struct stats *s, unsigned int port, struct stats_port_counts *out)
{
	const uint64_t *from = (const uint64_t *)&s->main[port];
	uint64_t *to = (uint64_t *)out;
	unsigned int workers = s->workers <= API_WORKERS_MAX ? s->workers : API_WORKERS_MAX;

	for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
		to[i] = from[i];
	for (unsigned int w = 0; w < workers; w++) {
		from = (const uint64_t *)&s->worker[w].port[port];
		for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
			to[i] += from[i];
	}
}

/** Slot i of the flow lines; NULL when out of range. */
static inline const struct stats_flow *stats_flow_get(const struct stats *s, uint32_t i)
{
	if (i >= s->flows)
		return NULL;
	return (const struct stats_flow *)((const char *)s + s->flow_offset) + i;
}

#endif
