/* The boundary with two workers, and a control that attaches to it: what its tests share. */
#ifndef SALLYPORT_TEST_CONTROL_SIDE_H
#define SALLYPORT_TEST_CONTROL_SIDE_H

#include "attach.h"
#include "boundary.h"
#include "doubles.h"

#define SHARDS 2

extern char path[64]; /* of the boundary's socket */
extern const struct attach_keys keys;

int setup(void **state);
int teardown(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct control {
	struct attach_session s;
	char why[256];
	int rc;
	unsigned int shards;
	_Atomic bool done;
};

/** Run what boundary_fd() calls for, as the main loop does. @return false: nothing came. */
bool turn(int timeout_ms);

/** Attach. @return what attach_connect() said. */
int connect_control(struct control *c);
void *control_main(void *arg); /* the thread of it */

union event {
	struct record_hdr hdr;
	struct rec_done done;
	struct rec_stream_event stream;
	struct rec_info_end end;
	uint8_t bytes[API_RECORD_MAX];
};

void send_record(struct attach_group *g, void *rec, size_t len, uint16_t type);
/** @return its length; 0: none came. */
int next_event(struct attach_group *g, union event *ev);
/** One command and its REC_DONE. */
int command(struct attach_group *g, void *rec, size_t len, uint16_t type);
#define COMMAND(g, rec, type) command(g, &(rec), sizeof(rec), type)

/** Two realms with an address and media ports each. */
void configure(struct attach_group *g);
struct rec_stream_set stream(uint64_t id, uint16_t port);

#endif
