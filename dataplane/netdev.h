/*
 * Settings of kernel interfaces: the twins', and those under net_af_packet ports.
 * Main thread.
 */
#ifndef SALLYPORT_NETDEV_H
#define SALLYPORT_NETDEV_H

#include "base.h"

/** Address, MTU and up. @return 0 or negative errno. */
int netdev_set(const char *name, const uint8_t mac[6], uint16_t mtu);

/** Write /proc/sys/net/ipv4 or ipv6/conf/NAME/KEY. Warns when it cannot. @param version 4 or 6. */
void netdev_sysctl(int version, const char *name, const char *key, const char *value);

/**
 * How the kernel treats an interface of ours (a twin or a VLAN on one): its addresses and routes
 * are those that we give it, and no others learned from the network. IPv6 is off until
 * netdev_ipv6_on(), so that a port without IPv6 addresses stays silent.
 */
void netdev_sysctls(const char *name);
/** The first IPv6 address comes. Idempotent. */
void netdev_ipv6_on(const char *name);

/**
 * Keep the kernel from answering on the interface of a net_af_packet port, where it sees every
 * frame too and would take those for the twin's addresses as its own.
 * @param device  DPDK device string; others than net_af_packet are left alone.
 */
void netdev_keep_quiet(const char *device);

/**
 * Is the kernel interface under a port up and does it have a carrier? The packet-socket drivers
 * call their link up from the start to the end, so that they cannot be asked.
 * @param device  DPDK device string.
 * @return 1, 0, or negative errno: -ENOTSUP when it is no net_af_packet or net_af_xdp port.
 */
int netdev_running(const char *device);

#endif
