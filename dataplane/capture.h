/*
 * Packet capture: what the ports receive and send, filtered, to a pcap-ng file, while
 * everything runs. Workers copy in callbacks of the queues (as rte_pdump's, which serves
 * only a second DPDK process); a thread of its own writes. Main thread.
 */
#ifndef SALLYPORT_CAPTURE_H
#define SALLYPORT_CAPTURE_H

#include "records.h"

/** @param folder  where files go; made at the first capture. Borrowed until capture_fini(). */
void capture_init(const char *folder);
/** Ends one that runs, and waits for its file, but not long. Before the ports go. */
void capture_fini(void);

/** @param r  validated but for the file's name and the filter. @return see REC_CAPTURE_START. */
int capture_start(const struct rec_capture_start *r);
/** End it; its file is complete later, see capture_poll(). Never waits for the disk.
 * @return 0, also when it is ending already, or -ENOENT. */
int capture_stop(void);

/** Now and then: its counts, its end when a limit is reached, and what is left to do when its file
 * is complete. */
void capture_poll(uint64_t now_ms);

#endif
