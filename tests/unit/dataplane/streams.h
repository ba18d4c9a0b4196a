/* Two realms, a phone in one and a server in the other: what tests of streams share. */
#ifndef SALLYPORT_TEST_STREAMS_H
#define SALLYPORT_TEST_STREAMS_H

#include "boundary.h"
#include "doubles.h"
#include "flow.h"

#define FLOWS 16
#define IDLE_MS 5000 /* of the phone's realm; the server's has no limit */
#define ACCESS "192.0.2.10"
#define CORE "198.51.100.10"
#define PHONE "203.0.113.5"
#define SERVER "198.51.100.20"

/* Events that went out, newest last. */
struct event_sent {
	uint8_t group;
	struct rec_stream_event ev;
};

extern struct event_sent events[64];
extern unsigned int n_events;

int setup(void **state);
int setup_many(void **state); /* with room for 4,096 flows */
int teardown(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

uint32_t now_ms(void);

/** A stream between the phone and the server; both ends known, exact, receiving. */
struct rec_stream_set stream(uint64_t id, uint16_t port);
int set(const struct rec_stream_set *r, uint32_t flow[2]);

uint32_t slot(const char *addr, uint16_t port);

/** Who may send to this endpoint. */
const struct latch_policy *policy(const char *addr, uint16_t port);
/** The action that a worker finds for a packet to this endpoint. */
const struct flow_action *action(const char *addr, uint16_t port);

#endif
