/*
 * DPDK's environment: its arguments made from the configuration, its memory (huge
 * pages where they can be had), its logs into ours. Main thread, once.
 */
#ifndef SALLYPORT_EAL_H
#define SALLYPORT_EAL_H

#include "base.h"

struct dataplane_config;

/** @return 0 or negative errno with a sentence logged. */
int eal_init(const struct dataplane_config *config);
void eal_fini(void);

/** DPDK's name of the i-th configured device. */
const char *eal_device_name(unsigned int i);
/** "512 MiB in 2 MiB hugepages". */
const char *eal_memory_text(void);
bool eal_has_hugepages(void);

/**
 * The device string as EAL gets it: a vdev without a number of its own gets one.
 * "net_af_xdp,iface=x" with i 1 becomes "net_af_xdp_p1,iface=x".
 * @param name  the device's name alone.
 * @return 0 or -EINVAL when it does not fit.
 */
int eal_device_string(
	const char *device, unsigned int i, char *out, size_t size, char *name, size_t name_size);

/**
 * Tell a virtual device how many queues to make, where it must know that from its arguments.
 * @param args  device string as eal_device_string() made it; the argument is added if it is not
 *              there. @param size of args.
 * @return 0; -EINVAL when it says another number, -ENOSPC when there is no room.
 */
int eal_device_queues(char *args, size_t size, unsigned int queues);

/** Free huge memory below `sysfs` ("/sys/kernel/mm/hugepages"): the largest page size that holds
 * `mib`. @return its size in KiB, or 0. */
unsigned int eal_hugepage_find(const char *sysfs, uint32_t mib);

#endif
