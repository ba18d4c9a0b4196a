/*
 * One dataplane a device. A second one that opens an AF_XDP interface takes the first
 * one's program off it on its way out, so it must know before it touches anything.
 */
#ifndef SALLYPORT_CLAIM_H
#define SALLYPORT_CLAIM_H

struct dataplane_config;

/**
 * Claim the devices of all ports for this process, until it ends or claims_fini().
 * @return 0; -EADDRINUSE when another process has one, with one line logged. Main thread.
 */
int claims_init(const struct dataplane_config *config);
void claims_fini(void);

#endif
