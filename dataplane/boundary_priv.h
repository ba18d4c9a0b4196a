/*
 * Shared by the files of the boundary: the groups of rings of the attached control,
 * and the entry to the commands. Main thread.
 */
#ifndef SALLYPORT_BOUNDARY_PRIV_H
#define SALLYPORT_BOUNDARY_PRIV_H

#include "api_limits.h"
#include "records.h"
#include "ring.h"

/** Command and event rings of one of control's threads. */
struct boundary_group {
	struct ring cmd;   /* consumer */
	struct ring event; /* producer */
	uint8_t id;	   /* shard, or ATTACH_SHARD_MAIN */
};

struct worker_rings;

/** The attached control: everything that its welcome hands over. */
struct session {
	int fd; /* of the connection; -1: nobody is attached */
	uint32_t epoch;
	uint16_t shards;
	int rings_fd;
	void *rings;
	size_t rings_bytes;
	int wake_fd;					 /* control wakes this thread */
	int group_fd[API_SHARDS_MAX + 1][2];		 /* wakeup.h: wakes control; 0: its main */
	struct boundary_group group[API_SHARDS_MAX + 1]; /* 0: control's main */
	struct worker_rings *worker[API_WORKERS_MAX];
	uint64_t events_lost;
};

extern struct session session;

/**
 * Make the rings of a new epoch, send the welcome and let the workers see them.
 * @param fd  the connection; the session's on success, else still the caller's.
 * @return 0 or negative errno with one line logged.
 */
int session_open(int fd, const struct attach_hello *h);

/** Take the rings from the workers, wait until they have let go, unmap, close. */
void session_close(void);

/** The statistics memfd, borrowed, and its size. */
int stats_region_fd(size_t *bytes);

/**
 * Take commands from one group: at most `budget`, and none while its event ring is nearly
 * full, so that every answer fits.
 * @return records taken; equal to budget when there may be more.
 */
unsigned int commands_take(struct boundary_group *g, uint32_t epoch, unsigned int budget);

/**
 * Validate one record and carry it out.
 * @param rec   a private copy, suitably aligned.
 * @param len   its length.
 * @param done  on 0 the answer to send.
 * @return 0; -EBADMSG when malformed: nothing was done and nothing is answered.
 */
int command_run(const void *rec, size_t len, uint32_t epoch, uint8_t group, struct rec_done *done);

#endif
