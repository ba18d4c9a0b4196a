/*
 * The kernel side of the border, all in the main thread: TAP twins (frames to and
 * from the kernel), gleaning (packets whose neighbour is unknown go out through the
 * kernel, which resolves it), and the netlink mirror of addresses, neighbours, routes.
 */
#ifndef SALLYPORT_KERNEL_PATH_H
#define SALLYPORT_KERNEL_PATH_H

#include "addr.h"
#include "worker.h"

/** In pkt_meta.value of an mbuf on worker.to_kernel; meta.port's counters move. */
enum kernel_job {
	KERNEL_TWIN,  /* whole frame, to the twin of meta.netif, or of meta.port if untagged */
	KERNEL_GLEAN, /* mbuf starts at the IP header; send by the kernel on netif meta.value2 */
};

/**
 * Make the twin of a device port (net_tap; virtio_user over vhost-net where /dev/vhost-net is):
 * same MAC and MTU, link up.
 * @param name  kernel interface name, which is the port's name.
 * @return 0 or negative errno with one line logged.
 */
int twin_add(uint16_t port, const char *name, const uint8_t mac[6], uint16_t mtu);
void twin_fini(void);
/** Let fds of twins that can wake main join its epoll set. @return 0 or negative errno. */
int twin_epoll_add(int epoll_fd);

/** Drain to_kernel rings and twins once. @return packets moved. Main thread. */
unsigned int kernel_path_poll(void);

/* vlan_twin.c: the twin of one VLAN is a TAP, whose frames have no tag */

/** Make it for a netif (its name, its port's MAC address and MTU), up. @return 0, or negative
 * errno with one line logged. */
int vlan_twin_add(uint16_t netif);
void vlan_twin_del(uint16_t netif);
/** Readable when the kernel sent something; -1: none. */
int vlan_twin_fd(uint16_t netif);
/** The epoll set that those which come later join. */
void vlan_twin_epoll(int epoll_fd);
/** Give the kernel a tagged frame; the mbuf stays the caller's. @return 0 or negative errno. */
int vlan_twin_send(uint16_t netif, struct rte_mbuf *m);
/** A frame that the kernel sent, tagged; NULL when there is none (or no buffer). */
struct rte_mbuf *vlan_twin_receive(uint16_t netif, struct rte_mempool *pool);

/* netlink.c */
int netlink_init(void);
void netlink_fini(void);
/** For the main loop's epoll. */
int netlink_fd(void);
void netlink_process(void);
/** Read the kernel's routes now: those of addresses that were just given to it are told a little
 * later, and what is sent to their networks until then would have no way. */
void netlink_routes_read(void);
/** Give an interface (netif.h) an address / take it away; idempotent. */
int netlink_address_add(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len);
int netlink_address_del(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len);
/** Default route through an interface, metric 1000 + netif. */
int netlink_gateway_add(uint16_t netif, const struct net_addr *gateway);
int netlink_gateway_del(uint16_t netif, const struct net_addr *gateway);
/** Ask the kernel to resolve (or confirm) a neighbour: RTM_NEWNEIGH with NTF_USE. */
int netlink_neighbour_probe(uint16_t netif, const struct net_addr *addr);
/** An interface is about to go: forget its neighbours and routes. */
void netlink_netif_gone(uint16_t netif);

#endif
