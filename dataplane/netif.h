/*
 * Network interfaces as routes and addresses see them: a port, or one VLAN of a port.
 * Each has a kernel interface: the port's twin, or a TAP that stands for the VLAN. Main
 * writes, workers read.
 */
#ifndef SALLYPORT_NETIF_H
#define SALLYPORT_NETIF_H

#include <stdatomic.h>

#include <net/if.h>

#include "api_limits.h"
#include "base.h"

/** The first n_ports are the ports' own (index: the port's). */
#define NETIFS_MAX (API_PORTS_MAX + API_REALMS_MAX)
#define NETIF_NONE 0xffff
#define NETIF_VLANS 4096

struct netif {
	uint16_t port;
	uint16_t vlan; /* 0: untagged */
	bool used;
	unsigned int ifindex; /* kernel's; 0: none */
	char name[IFNAMSIZ];  /* "core", "core.100" */
	uint32_t refs;	      /* realms that live on it */
};

extern struct netif netifs[NETIFS_MAX];
/** One past the highest that was ever used. Main only. */
extern uint16_t netif_top;

/** By port and VLAN tag: index, or NETIF_NONE. */
extern _Atomic uint16_t netif_by_tag[API_PORTS_MAX][NETIF_VLANS];

/** The interface on which a frame of this port with this tag (0: none) came. Any worker. */
static inline uint16_t netif_of(uint16_t port, uint16_t vlan)
{
	return atomic_load_explicit(&netif_by_tag[port][vlan], memory_order_relaxed);
}

/* --- main thread --- */

/** One for each port, when the ports and their twins are there. @return 0 or negative errno. */
int netif_init(void);
void netif_fini(void);

/**
 * The interface of a port's VLAN, made in the kernel too if it is new.
 * @param vlan  0: the port's own.
 * @return its index, with a reference; -EINVAL, -ENOSPC, or why the kernel refused.
 */
int netif_get(uint16_t port, uint16_t vlan);
/** The last reference takes a VLAN interface out of the kernel, after a grace period. */
void netif_put(uint16_t netif);

/** Somebody removed its kernel interface: make a VLAN's again. */
void netif_lost(uint16_t netif);

/** By the kernel's index. @return index or -ENOENT. */
int netif_find(unsigned int ifindex);

#endif
