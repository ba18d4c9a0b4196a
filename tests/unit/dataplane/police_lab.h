/* One policer under a virtual clock: what its tests share. */
#ifndef SALLYPORT_TEST_POLICE_LAB_H
#define SALLYPORT_TEST_POLICE_LAB_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "police.h"

#define SECOND 1000000000ull
#define MS 1000000ull
#define REALM 3

extern const uint64_t key[2];
extern struct police *police;
extern uint64_t now_ns;

/** 10 messages a second; denied for 30 s after 5 refusals within 10 s. */
extern const struct realm_police strict;

/** Of the group: EAL and the tables around. */
int setup(void **state);
/** Of each test: a policer with nothing in it. */
int fresh(void **state);
int gone(void **state);
#define POLICE_TEST(f) cmocka_unit_test_setup_teardown(f, fresh, gone)

struct net_addr ipv4(uint32_t ip);

/** One message. @return POLICE_PASS or why not. @param source_class  of the sender; may be NULL. */
int send_one(const struct realm_police *limits, uint32_t ip, uint16_t port,
	enum police_method method, enum source_class *source_class);
/** n messages. @return how many passed. */
unsigned int passes(const struct realm_police *limits, uint32_t ip, uint16_t port, unsigned int n);
/** One message of a dialog that has this nonce. */
int lane_send(const struct realm_police *limits, uint32_t ip, uint64_t nonce);

/** Would sip_admit not let it through? */
bool denied(uint32_t ip, uint16_t port);
bool event_take(struct police_note *note);
/** Control's word, all the way through the ring. */
void control_says(uint32_t ip, uint16_t port, enum source_class source_class,
	enum source_reason reason, uint32_t seconds);
/** Set an entry of the static lists. */
void list(const char *prefix, uint16_t port, enum list_action action, uint32_t rate);

#endif
