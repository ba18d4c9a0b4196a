/*
 * Attaching control to the dataplane: a SOCK_SEQPACKET UNIX socket, one hello,
 * one welcome with the memfds and eventfds (SCM_RIGHTS). The session lasts as long
 * as the connection; each attach gets fresh rings and a new epoch.
 */
#ifndef SALLYPORT_API_ATTACH_H
#define SALLYPORT_API_ATTACH_H

#include "api_limits.h"
#include "ring.h"

#define API_MAGIC 0x594c4153u /* "SALY" */
#define API_VERSION 3

#define ATTACH_SOCKET_DEFAULT "/run/sallyport/dataplane.sock"

/* Ring sizes, bytes of data area (powers of two). */
#define ATTACH_UP_BYTES (4u << 20) /* about 2,000 SIP messages of 1.2 KB with their index */
#define ATTACH_DOWN_BYTES (2u << 20)
#define ATTACH_CMD_BYTES (256u << 10)
#define ATTACH_EVENT_BYTES (1u << 20)

enum ring_kind {
	RING_UP,    /* worker -> shard: REC_SIP_UP. One per worker and shard */
	RING_DOWN,  /* shard -> worker: REC_SIP_DOWN. One per shard; worker = shard % workers */
	RING_CMD,   /* control -> dataplane main. One per shard and one for control's main */
	RING_EVENT, /* dataplane main -> control. One per shard and one for control's main */
	RING_KIND_COUNT
};

/** attach_ring.shard of control's main thread. */
#define ATTACH_SHARD_MAIN 0xff

/** Control's secrets that the fast path needs: the same for as long as control's calls live. */
struct attach_keys {
	uint64_t hash[2]; /* of shard_hash() */
	uint64_t lane[2]; /* of the dialog lane's tokens (lane.h) */
};

struct attach_hello {
	uint32_t magic;
	uint16_t version;
	uint16_t shards; /* 1..API_SHARDS_MAX */
	uint32_t pid;	 /* for the log only */
	uint32_t pad;
	struct attach_keys keys;
};

struct attach_ring {
	uint64_t offset; /* into the ring memfd, of struct ring_shared */
	uint32_t size;	 /* data bytes */
	uint8_t kind;	 /* enum ring_kind */
	uint8_t shard;	 /* 0..shards-1 or ATTACH_SHARD_MAIN */
	uint8_t worker;	 /* RING_UP, RING_DOWN */
	uint8_t pad;
};

#define ATTACH_RINGS_MAX 2200 /* 64 workers * 32 shards up, 32 down, 33 command, 33 event */

/** Welcome, followed by n_rings struct attach_ring. status != 0: refused, no fds, session over. */
struct attach_welcome {
	uint32_t magic;
	uint16_t version; /* the dataplane's; on -EPROTO tells which side is older */
	uint16_t workers;
	int32_t status; /* 0, -EPROTO (version), -EBUSY (another control is attached), -EINVAL */
	uint32_t epoch;
	uint16_t shards;
	uint16_t n_rings;
	uint32_t pad;
	uint64_t rings_bytes; /* size of the ring memfd (sealed against shrinking) */
	uint64_t stats_bytes; /* size of the statistics memfd */
};

/* File descriptors of the welcome, in order: ring memfd, statistics memfd, the dataplane main's
 * eventfd, one eventfd a worker (control writes these), then for control's main and each shard one
 * to read: 8 bytes a wake-up, non-blocking; a pipe today, as the dataplane must never wait. */
#define ATTACH_FDS_MAX (4 + API_WORKERS_MAX + API_SHARDS_MAX)

struct stats;

/** Control's rings of one thread. */
struct attach_group {
	struct ring up[API_WORKERS_MAX]; /* consumer; shards only */
	struct ring down;		 /* producer; shards only */
	struct ring cmd;		 /* producer */
	struct ring event;		 /* consumer */
	int event_fd;			 /* readable when up or event rings want reading */
};

/** An attached session, control's side. */
struct attach_session {
	int fd; /* readable (EOF) when the dataplane is gone */
	uint32_t epoch;
	uint16_t workers;
	uint16_t shards;
	const struct stats *stats; /* read-only mapping, see stats.h */
	size_t stats_bytes;
	struct attach_group main;
	struct attach_group shard[API_SHARDS_MAX];
	void *rings;
	size_t rings_bytes;
	int fds[ATTACH_FDS_MAX];
	unsigned int n_fds;
};

/**
 * Connect, say hello, map what the welcome brings. Blocks for at most two seconds.
 *
 * @param path    socket path.
 * @param shards  1..API_SHARDS_MAX.
 * @param keys    the same at every attach, so that calls stay on their shards and in the lane.
 * @param s       storage; on success release it with attach_fini().
 * @param why     on failure a sentence for the operator, NUL terminated.
 * @return 0; -ENOENT or -ECONNREFUSED (no dataplane), -EPROTO (version), -EBUSY, -ETIMEDOUT,
 *         -EBADMSG (welcome that does not validate).
 */
int attach_connect(const char *path, unsigned int shards, const struct attach_keys *keys,
	struct attach_session *s, char *why, size_t why_size);

/** Unmap and close. The rings' users must have stopped. */
void attach_fini(struct attach_session *s);

/**
 * Shard that owns a Call-ID: the same in both processes. SipHash-1-3 under control's key,
 * so nobody outside can aim all calls at one shard. Control draws the Call-IDs that it makes
 * until they hash to the drawing shard.
 * @return 0..shards-1.
 */
unsigned int shard_hash(const uint64_t key[2], struct str_view call_id, unsigned int shards);

#endif
