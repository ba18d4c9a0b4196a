/*
 * The dataplane's end of the boundary: the attach socket, the memfds, commands in
 * and events out. Main thread.
 */
#ifndef SALLYPORT_BOUNDARY_H
#define SALLYPORT_BOUNDARY_H

#include "records.h"
#include "stats.h"

/** The statistics mapping, writable here. Made by stats_region_init() before workers start. */
extern struct stats *stats_region;
/** huge: in huge pages if there are any left; workers go through all of the flows' lines. */
int stats_region_init(uint32_t flows, unsigned int workers, bool huge);
void stats_region_fini(void);

/** Listen. @return 0 or negative errno with one line logged. */
int boundary_init(const char *socket_path);
void boundary_fini(void);
/** One epoll fd that is readable when boundary_process() has something to do (incl. commands'
 * eventfd). */
int boundary_fd(void);
/** Accept, detach, take commands (bounded per call), go on with the dump. */
void boundary_process(void);

/** Put an event on a group's ring; falls back to main's group, counts when full. */
void boundary_event(uint8_t group, void *record, size_t len);

#endif
