/*
 * A B2BUA between two phones in one process: virtual clock, a wire that keeps what
 * was sent, a dataplane that answers commands. "outside" is the caller's side (realm 0,
 * 192.0.2.0/24, 2001:db8:1::/64), "inside" the callee's (realm 1, 10.0.0.0/24,
 * 2001:db8:2::/64). Calls go to the IPv4 server, those to "six..." to the IPv6 one. Whatever is
 * sent to one side is searched for tokens of the other.
 */
#ifndef SALLYPORT_TEST_B2BUA_LAB_H
#define SALLYPORT_TEST_B2BUA_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "b2bua.h"
#include "records.h"
#include "reputation.h"

#define OUTSIDE 0
#define INSIDE 1
/* Beside INVITE and OPTIONS, what trusted realms take outside of dialogs. */
#define LAB_METHODS \
	(1u << SIP_REGISTER | 1u << SIP_MESSAGE | 1u << SIP_NOTIFY | 1u << SIP_PUBLISH | \
		1u << SIP_REFER | 1u << SIP_SUBSCRIBE)
/* What peers, and trusted realms, take in dialogs; of strangers not the above. */
#define LAB_DIALOG_METHODS \
	(1u << SIP_INVITE | 1u << SIP_ACK | 1u << SIP_BYE | 1u << SIP_CANCEL | 1u << SIP_OPTIONS | \
		1u << SIP_PRACK | 1u << SIP_UPDATE | 1u << SIP_INFO | 1u << SIP_MESSAGE | \
		1u << SIP_NOTIFY | 1u << SIP_REFER | 1u << SIP_SUBSCRIBE)
#define LAB_ALLOW_OUTSIDE \
	"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, NOTIFY, PRACK, REFER, SUBSCRIBE, " \
	"UPDATE"
#define LAB_ALLOW_INSIDE \
	"INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, INFO, MESSAGE, NOTIFY, PRACK, REFER, " \
	"SUBSCRIBE, UPDATE, PUBLISH"
#define LAB_MSGS_MAX 8192
#define LAB_STREAMS_MAX 512
#define LAB_CDRS_MAX 4096

#define OUTSIDE_SDP \
	"v=0\r\no=alice 7 7 IN IP4 192.0.2.66\r\ns=outside\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n" \
	"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n" \
	"a=rtcp:40001 IN IP4 192.0.2.66\r\na=sendrecv\r\n"
#define INSIDE_SDP \
	"v=0\r\no=bob 3 3 IN IP4 10.0.0.10\r\ns=inside\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n" \
	"m=audio 50000 RTP/AVP 0\r\na=ptime:20\r\n"

#define OUTSIDE6_SDP \
	"v=0\r\no=alice 7 7 IN IP6 2001:db8:1::66\r\ns=outside\r\nc=IN IP6 2001:db8:1::66\r\n" \
	"t=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n" \
	"a=rtcp:40011 IN IP6 2001:db8:1::66\r\na=sendrecv\r\n"
#define INSIDE6_SDP \
	"v=0\r\no=bob 3 3 IN IP6 2001:db8:2::10\r\ns=inside\r\nc=IN IP6 2001:db8:2::10\r\nt=0 " \
	"0\r\n" \
	"m=audio 50000 RTP/AVP 0\r\na=rtcp:50011 IN IP6 2001:db8:2::11\r\na=ptime:20\r\n"

struct lab_msg {
	unsigned int side;
	struct sip_path path;
	uint64_t at_ms;
	bool taken;
	size_t len;
	char *text;
};

/** A stream as the fake dataplane has it. */
struct lab_stream {
	struct rec_stream_set set;
	unsigned int sets; /* how often it was said */
};

struct lab {
	struct config config;
	struct config_realm realms[2];
	struct config_peer peers[3];
	struct config_route routes[3];
	struct timers timers;
	struct media *media;
	struct b2bua *b2bua;
	struct b2bua_limits *limits;
	struct reputation_table *known;
	struct reputation *reputation;
	struct rec_source_set told[64]; /* of sources, by reputation */
	unsigned int n_told;
	struct lab_msg msg[LAB_MSGS_MAX];
	unsigned int n_msgs;
	struct lab_stream stream[LAB_STREAMS_MAX];
	unsigned int n_streams;
	int stream_status;  /* what the next REC_STREAM_SET is answered with */
	int send_status;    /* what media's send returns: -ENOBUFS is a full ring */
	bool silent;	    /* commands are taken, not answered */
	bool busy;	    /* the lab's own code runs, not what is tested */
	bool unproven;	    /* whoever is outside may have forged its address */
	bool leaks_allowed; /* fuzz-like input: do not search */
	json_t *cdr[LAB_CDRS_MAX];
	unsigned int n_cdrs;
};

/** One phone's end of a dialog. */
struct ua {
	struct lab *lab;
	unsigned int side;
	char addr[64]; /* "192.0.2.66:5060" or "[2001:db8:1::66]:5060" */
	char call_id[128];
	char tag[64];
	char remote_tag[64];
	char target[256]; /* Request-URI of what it sends */
	char from[256], to[256];
	uint32_t cseq;
	unsigned int branch;
};

/** The one of most tests, made and unmade for each by LAB_CASE(). */
extern struct lab lab;
int lab_setup(void **state);
int lab_teardown(void **state);
#define LAB_CASE(fn) cmocka_unit_test_setup_teardown(fn, lab_setup, lab_teardown)

void lab_init(struct lab *l);
/** Runs the clock on until all must be over, and checks that nothing is left. */
void lab_fini(struct lab *l);
/** Let `ms` pass. */
void lab_run(struct lab *l, uint64_t ms);
/** One datagram from an address of that side, e.g. "192.0.2.66:5060". */
void lab_feed(struct lab *l, unsigned int side, const char *from, const char *text, size_t len);
/** The next message sent to this side whose first line begins so; the test fails without. */
const char *lab_expect(struct lab *l, unsigned int side, const char *begins);
/** Nothing that was not looked at. */
void lab_expect_none(struct lab *l, unsigned int side);
/** How many messages to this side begin so, looked at or not. */
unsigned int lab_count(const struct lab *l, unsigned int side, const char *begins);
/** Free what was sent so far. */
void lab_forget(struct lab *l);
/** The stream of this kind; NULL: none. */
const struct lab_stream *lab_stream(const struct lab *l, unsigned int kind);
/** It fell silent: removed and told. */
void lab_stream_silent(struct lab *l, unsigned int kind);
/** Events of the fake dataplane. */
void lab_event(struct lab *l, void *record, size_t len);

/** Value of the first header of this name, "" if none; static storage, four at a time. */
const char *lab_header(const char *msg, const char *name);
const char *lab_body(const char *msg);
/** tag of a From or To value, "" if none. */
const char *lab_tag(const char *value);
const char *lab_cdr_text(const struct lab *l, unsigned int i, const char *key);

/** The caller, ready to call `user`. */
struct ua ua_caller(struct lab *l, const char *user);
/** The caller at its IPv6 address. */
struct ua ua_caller6(struct lab *l, const char *user);
/** The callee as this INVITE makes it. */
struct ua ua_callee(struct lab *l, const char *invite);
/** A request in or outside of the dialog. */
void ua_request(
	struct ua *u, const char *method, uint32_t cseq, const char *sdp, const char *extra);
/** Response to a request that it got. */
void ua_respond(
	struct ua *u, const char *request, unsigned int status, const char *sdp, const char *extra);
/** Take tag and target from a response. */
void ua_learn(struct ua *u, const char *response);

/** INVITE up to the callee: `invite` is what the callee got. */
struct ua lab_call(struct lab *l, struct ua *caller, const char **invite);
/** An established call. */
void lab_establish(struct lab *l, struct ua *caller, struct ua *callee);
/** Caller hangs up; all is answered. */
void lab_hang_up(struct lab *l, struct ua *caller, struct ua *callee);

#endif
