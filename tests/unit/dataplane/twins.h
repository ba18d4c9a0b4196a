/*
 * A network namespace with two TAPs as twins, ordinary `ip` commands, and hosts behind the TAPs:
 * what tests of the mirror share. Needs root.
 */
#ifndef SALLYPORT_TEST_TWINS_H
#define SALLYPORT_TEST_TWINS_H

#include "boundary.h"
#include "doubles.h"
#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "nexthop.h"

#define TWINS 2

extern int taps[TWINS];
extern const uint8_t peer_mac[6];

/** Enter a namespace of one's own. @return false: not possible here, and said so. */
bool twins_here(void);

int setup(void **state);
int teardown(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/** Run `ip` with these arguments; a status other than 0 fails the test. */
void ip(const char *args);

/** Handle what the kernel says until it has been quiet for a while. */
void settle(void);

/** Where packets to this address go. */
const struct nexthop *route(const char *text);
bool linked_to(const struct nexthop *n, const uint8_t mac[6]);

struct frame {
	uint8_t b[1600];
	size_t len;
};

#define L3 14
#define ARP_REQUEST 1
#define ARP_REPLY 2

void send_arp(int tap, uint8_t op, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[4], const uint8_t target[4]);
/** Neighbour advertisement (RFC 4861 section 4.4): override, solicited if it says so. */
void send_na(int tap, bool solicited, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[16], const uint8_t target[16]);

/** Wait until the kernel asks for a host. @param unicast_to  only such questions; NULL: any. */
bool asked(int tap, const char *who, const uint8_t *unicast_to, int timeout_ms, struct frame *f);
/** Answer such a question as that host, with this link address. */
bool answer_as(
	int tap, const char *who, const uint8_t mac[6], const uint8_t *unicast_to, int timeout_ms);
bool answer_arp(int tap, const char *who);

void realm_set(uint16_t realm, uint16_t port, uint16_t vlan, uint32_t epoch);
int address_set(uint16_t realm, const char *addr, uint8_t len, const char *gateway);

#endif
