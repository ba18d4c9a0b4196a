/*
 * Shared by local.c (realms, addresses) and local_ports.c (what the ports of an
 * address are configured for). Main thread.
 */
#ifndef SALLYPORT_LOCAL_PRIV_H
#define SALLYPORT_LOCAL_PRIV_H

#include "local.h"

void local_ports_init(void);

/** Write a slot's configured meaning: listener, media range or kernel. */
void local_slot_configure(uint16_t idx, uint16_t port);

/** Forget listeners and ranges of other epochs. */
void local_ports_sync(uint32_t epoch);

/** The address goes: forget its listeners and ranges. */
void local_ports_drop(uint16_t idx);

#endif
