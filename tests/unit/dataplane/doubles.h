/*
 * What the tables need of the rest of the dataplane, in plain form: no workers run,
 * grace periods pass at once and are counted, the kernel is a list of calls.
 */
#ifndef SALLYPORT_TEST_DOUBLES_H
#define SALLYPORT_TEST_DOUBLES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "addr.h"
#include "records.h"

extern unsigned int graces;	  /* worker_grace() calls */
extern unsigned int kernel_addrs; /* addresses that the kernel has */
extern unsigned int kernel_gateways;
extern unsigned int kernel_vlans;  /* VLAN interfaces that there are */
extern unsigned int kernel_probes; /* neighbours asked for */

/** Start EAL without hugepages and the statistics region with `flows` slots. */
void dataplane_setup(uint32_t flows);

struct net_addr test_addr(const char *text);
struct net_endpoint test_endpoint(const char *text, uint16_t port);

/** Realm `realm` on port `port`, with one address and a media range 10000..10999. */
void test_realm(uint16_t realm, uint16_t port, const char *addr, uint32_t idle_ms, uint32_t epoch);

/** Set that address again, with a gateway (NULL: without). */
void test_gateway(uint16_t realm, const char *addr, const char *gateway, uint32_t epoch);

/** Route net/len: hosts are on link of the interface. */
void test_connected(const char *net, uint8_t len, uint16_t netif);

#endif
