/* Calls and the dataplane: ports that run out, attaching again, full rings, late or bad answers. */
#include <errno.h>

#include "attach.h"

#include "lab.h"

static void test_ports_exhausted(void **state)
{
	struct ua caller, other, callee;
	const char *invite;

	for (unsigned int i = 2; i < 100; i++) {
		struct net_endpoint e = {
			.addr = lab.realms[INSIDE].media[0].addr, .port = (uint16_t)(30000 + i)};

		media_orphan_add(lab.media, INSIDE, &e);
	}
	callee = lab_call(&lab, &caller, &invite);
	other = ua_caller(&lab, "bob");
	ua_request(&other, "INVITE", 1, OUTSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 503");
	assert_int_equal(media_get_stats(lab.media)->ports_exhausted, 1);
	ua_respond(&callee, invite, 486, NULL, NULL);
	/* The pair is back. */
	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 486, NULL, NULL);
	for (unsigned int i = 2; i < 100; i++) {
		struct net_endpoint e = {
			.addr = lab.realms[INSIDE].media[0].addr, .port = (uint16_t)(30000 + i)};

		media_orphan_del(lab.media, INSIDE, &e);
	}
}

/* The dataplane died and came back without streams: they are set again, the same ones. */
static void test_attach_again(void **state)
{
	struct ua caller, callee;
	struct rec_stream_set before;

	lab_establish(&lab, &caller, &callee);
	before = lab_stream(&lab, STREAM_RTP)->set;
	lab.n_streams = 0;
	media_on_attach(lab.media);
	lab_run(&lab, 0);
	assert_int_equal(lab.n_streams, 2);
	assert_memory_equal(&lab_stream(&lab, STREAM_RTP)->set, &before, sizeof(before));
	assert_int_equal(lab.n_cdrs, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* While nobody is attached calls end all the same; their ports stay taken until it is known that
 * the streams are gone. */
static void test_detached(void **state)
{
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	lab.send_status = -ENOTCONN;
	ua_request(&caller, "BYE", 2, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	assert_int_equal(lab.n_cdrs, 0); /* waits for the counts, a second */
	lab_run(&lab, 1000);
	assert_int_equal(lab.n_cdrs, 1);
	assert_int_equal(b2bua_get_stats(lab.b2bua)->calls_active, 0);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 2);
	assert_true(media_get_stats(lab.media)->commands_failed > 0);
	lab.send_status = 0;
	lab.n_streams = 0; /* a new one: it never heard of them (-ENOENT) */
	media_on_attach(lab.media);
	lab_run(&lab, 0);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
}

/* Ring full when the answer came: said again by the next flush. */
static void test_ring_full(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	lab.send_status = -ENOBUFS;
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200"), 0);
	lab.send_status = 0;
	lab_run(&lab, 1);
	lab_run(&lab, 1);
	assert_int_equal(lab.n_streams, 2);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_hang_up(&lab, &caller, &callee);
}

/* A re-INVITE of the callee with this SDP, up to the ACK. */
static void reinvite(struct ua *caller, struct ua *callee, const char *sdp)
{
	ua_request(callee, "INVITE", ++callee->cseq, sdp, NULL);
	ua_respond(caller, lab_expect(&lab, OUTSIDE, "INVITE "), 200, OUTSIDE_SDP, NULL);
	lab_run(&lab, 100);
	lab_expect(&lab, INSIDE, "SIP/2.0 200");
	ua_request(callee, "ACK", callee->cseq, NULL, NULL);
}

/* The answer to an earlier command comes when the move could not be said: the streams are where
 * they were, and so their ports are not for others. */
static void test_move_not_sent(void **state)
{
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	lab.silent = true;
	reinvite(&caller, &callee,
		"v=0\r\no=bob 3 4 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
		"m=audio 50100 RTP/AVP 0\r\n");
	lab.send_status = -ENOBUFS;
	reinvite(&caller, &callee, INSIDE6_SDP);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 3);
	for (unsigned int i = 0; i < 2; i++) {
		struct rec_done done = {.hdr = {.type = REC_DONE},
			.cookie = lab.stream[i].set.id,
			.command = REC_STREAM_SET};

		lab_event(&lab, &done, sizeof(done));
	}
	assert_int_equal(media_get_stats(lab.media)->ports_used, 3);
	lab.silent = false;
	lab.send_status = 0;
	lab_run(&lab, 1);
	lab_run(&lab, 1);
	assert_int_equal(
		lab_stream(&lab, STREAM_RTP)->set.end[INSIDE].local.addr.family, NET_FAMILY_V6);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 2);
	lab_hang_up(&lab, &caller, &callee);
}

/* The dataplane says nothing: the answer goes on after a moment. */
static void test_dataplane_slow(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	lab.silent = true;
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 200"), 0);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 0);
	/* Repeated meanwhile: nothing happens twice. */
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 100);
	assert_int_equal(lab_count(&lab, INSIDE, "ACK "), 1);
	ua_learn(&caller, lab_expect(&lab, OUTSIDE, "SIP/2.0 200"));
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab.silent = false;
	media_on_attach(lab.media);
	lab_run(&lab, 0);
	lab_hang_up(&lab, &caller, &callee);
}

/* The caller gives up while the streams are being set. */
static void test_cancel_while_answering(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	lab.silent = true;
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ua_request(&caller, "CANCEL", 1, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK"); /* of the CANCEL */
	lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	lab.silent = false;
	media_on_attach(lab.media);
	lab_run(&lab, 0);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "cancel");
}

/* The port belongs to somebody else after all: the call cannot go on. */
static void test_stream_refused(void **state)
{
	struct ua caller, callee;
	const char *invite;

	callee = lab_call(&lab, &caller, &invite);
	lab.stream_status = -EEXIST;
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
	lab_expect(&lab, INSIDE, "ACK ");
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "media_refused");
}

static void test_bad_events(void **state)
{
	struct rec_done done = {.hdr = {.type = REC_DONE}, .cookie = 1};
	struct rec_stream_event ev = {
		.hdr = {.type = REC_STREAM_GONE}, .reason = STREAM_GONE_COUNT};

	assert_int_equal(media_on_event(lab.media, &done.hdr, sizeof(done) - 1), -EBADMSG);
	assert_int_equal(media_on_event(lab.media, &done.hdr, sizeof(done)), 0);
	assert_int_equal(media_on_event(lab.media, &ev.hdr, sizeof(ev)), -EBADMSG);
	ev.hdr.type = REC_STREAM_INFO;
	ev.end[0].realm = 999;
	assert_int_equal(media_on_event(lab.media, &ev.hdr, sizeof(ev)), 0);
	ev.hdr.type = REC_SIP_UP;
	assert_int_equal(media_on_event(lab.media, &ev.hdr, sizeof(ev)), -EBADMSG);
}

/* Streams of an earlier control keep their ports until they are gone. */
static void test_orphans(void **state)
{
	struct rec_stream_event ev = {.hdr = {.type = REC_STREAM_INFO}, .id = 77};

	ev.end[0].realm = OUTSIDE;
	ev.end[0].local =
		(struct net_endpoint){.addr = lab.realms[OUTSIDE].media[0].addr, .port = 20010};
	ev.end[1].realm = INSIDE;
	ev.end[1].local =
		(struct net_endpoint){.addr = lab.realms[INSIDE].media[0].addr, .port = 30010};
	lab_event(&lab, &ev, sizeof(ev));
	assert_int_equal(media_get_stats(lab.media)->ports_used, 2);
	/* A dataplane that dies takes them along. */
	media_on_detach(lab.media);
	assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
	lab_event(&lab, &ev, sizeof(ev));
	ev.hdr.type = REC_STREAM_GONE;
	ev.reason = STREAM_GONE_INACTIVE;
	lab_event(&lab, &ev, sizeof(ev));
	assert_int_equal(media_get_stats(lab.media)->ports_used, 0);
}

/* A stream falls silent while a change of it is on its way: the change makes it anew, so that
 * the end of the call must remove it. */
static void test_silent_while_changed(void **state)
{
	struct ua caller, callee;
	struct rec_stream_event ev = {
		.hdr = {.type = REC_STREAM_GONE}, .reason = STREAM_GONE_INACTIVE};

	lab_establish(&lab, &caller, &callee);
	ev.id = lab_stream(&lab, STREAM_RTP)->set.id;
	ev.kind = STREAM_RTP;
	/* media_on_attach() says everything again; the lab answers when its clock runs. */
	media_on_attach(lab.media);
	lab_event(&lab, &ev, sizeof(ev));
	lab_run(&lab, 0);
	assert_int_equal(lab.n_streams, 0);
	ua_respond(&caller, lab_expect(&lab, OUTSIDE, "BYE "), 200, NULL, NULL);
	ua_respond(&callee, lab_expect(&lab, INSIDE, "BYE "), 200, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_ports_exhausted),
		LAB_CASE(test_attach_again),
		LAB_CASE(test_detached),
		LAB_CASE(test_ring_full),
		LAB_CASE(test_move_not_sent),
		LAB_CASE(test_dataplane_slow),
		LAB_CASE(test_cancel_while_answering),
		LAB_CASE(test_stream_refused),
		LAB_CASE(test_bad_events),
		LAB_CASE(test_orphans),
		LAB_CASE(test_silent_while_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
