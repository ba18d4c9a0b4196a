/*
 * Grace periods, counted, so that one wait serves many removals: what was unlinked
 * before stamp s may be reused once a whole grace period began after s.
 */
#ifndef SALLYPORT_GRACE_H
#define SALLYPORT_GRACE_H

#include <stdbool.h>
#include <stdint.h>

/** Stamp of something that workers cannot find any more from now on. Main thread. */
uint64_t grace_stamp(void);

/** Has every worker passed a quiescent point since the stamp was taken? */
bool grace_passed(uint64_t stamp);

/** Wait until grace_passed(); returns at once if it has. Main thread, never a worker. */
void grace_wait(uint64_t stamp);

#endif
