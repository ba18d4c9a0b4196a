/*
 * A call with a re-INVITE, and one that is transferred, again and again, failing the 1st, 2nd, 3rd
 * ... allocation until it goes through: no crash, and nothing left behind. Linked with --wrap.
 */
#include "lab.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strndup(const char *s, size_t n);

static unsigned long countdown; /* the allocation that fails; 0: none */
static bool failed;

static bool fails(void)
{
	if (lab.busy || countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

/* Last message to this side that begins so, or NULL. */
static const char *last(unsigned int side, const char *begins)
{
	for (unsigned int i = lab.n_msgs; i > 0; i--)
		if (lab.msg[i - 1].side == side &&
			strncmp(lab.msg[i - 1].text, begins, strlen(begins)) == 0)
			return lab.msg[i - 1].text;
	return NULL;
}

/* PRACK with an offer, and its answer. */
static void early(struct ua *caller, struct ua *callee)
{
	const char *progress = last(OUTSIDE, "SIP/2.0 183"), *prack;
	char rack[64];

	if (progress == NULL || lab_header(progress, "RSeq")[0] == '\0')
		return;
	ua_learn(caller, progress);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(progress, "RSeq"));
	ua_request(caller, "PRACK", 2, OUTSIDE_SDP, rack);
	prack = last(INSIDE, "PRACK ");
	if (prack != NULL)
		ua_respond(callee, prack, 200, INSIDE_SDP, NULL);
}

/* Each step is taken as far as the ones before it brought us. @return true if the call went
 * through from INVITE to BYE. */
static bool play(void)
{
	struct ua caller = ua_caller(&lab, "bob"), callee, other;
	const char *invite, *ok, *moved, *bye, *update;

	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP,
		"Record-Route: <sip:192.0.2.66;lr>\r\nSupported: 100rel\r\n");
	invite = last(INSIDE, "INVITE ");
	if (invite == NULL)
		return false;
	callee = ua_callee(&lab, invite);
	other = ua_callee(&lab, invite);
	ua_respond(&other, invite, 183, INSIDE_SDP, NULL);
	ua_respond(&callee, invite, 183, INSIDE_SDP, "Require: 100rel\r\nRSeq: 5\r\n");
	early(&caller, &callee);
	ua_respond(&callee, invite, 200, INSIDE_SDP, "Record-Route: <sip:10.0.0.10;lr>\r\n");
	lab_run(&lab, 200);
	ok = last(OUTSIDE, "SIP/2.0 200");
	if (ok == NULL)
		return false;
	ua_learn(&caller, ok);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_forget(&lab);
	ua_request(&caller, "INVITE", 3, OUTSIDE_SDP, NULL);
	invite = last(INSIDE, "INVITE ");
	if (invite != NULL) {
		ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
		ua_request(&caller, "ACK", 3, NULL, NULL);
	}
	lab_forget(&lab);
	/* Another line, and another family of the first one. */
	ua_request(&callee, "INVITE", 101, INSIDE6_SDP "m=audio 50002 RTP/AVP 0\r\n", NULL);
	moved = last(OUTSIDE, "INVITE ");
	if (moved != NULL) {
		ua_respond(&caller, moved, 200, OUTSIDE_SDP "m=audio 40002 RTP/AVP 0\r\n", NULL);
		ua_request(&callee, "ACK", 101, NULL, NULL);
	}
	lab_forget(&lab);
	ua_request(&caller, "UPDATE", 4, OUTSIDE_SDP "m=audio 40002 RTP/AVP 0\r\n", NULL);
	update = last(INSIDE, "UPDATE ");
	if (update != NULL)
		ua_respond(&callee, update, 200, INSIDE6_SDP "m=audio 50002 RTP/AVP 0\r\n", NULL);
	lab_forget(&lab);
	ua_request(&caller, "BYE", 5, NULL, NULL);
	if (last(OUTSIDE, "SIP/2.0 200") == NULL) /* refused 503: a phone tries again */
		ua_request(&caller, "BYE", 6, NULL, NULL);
	bye = last(INSIDE, "BYE ");
	if (bye != NULL)
		ua_respond(&callee, bye, 200, NULL, NULL);
	return invite != NULL && moved != NULL && update != NULL && bye != NULL && lab.n_cdrs == 1;
}

/* A REFER outside of a call, that its first peer does not take. @return true if the next one did.
 */
static bool play_next_route(void)
{
	struct ua phone = ua_caller(&lab, "bob");
	struct ua first = {.lab = &lab, .side = INSIDE, .addr = "10.0.0.10:5060", .tag = "t1"};
	struct ua second = {.lab = &lab, .side = INSIDE, .addr = "10.0.0.10:5070", .tag = "t2"};
	const char *refer;

	lab.peers[1].methods.known |= LAB_METHODS;
	lab.peers[2].remote = lab.peers[0].remote;
	lab.peers[2].remote.port = 5070;
	lab.routes[2] = lab.routes[0];
	lab.routes[2].to_peer = 2;
	ua_request(&phone, "REFER", 1, NULL, "Refer-To: <sip:carol@192.0.2.1>\r\n");
	refer = last(INSIDE, "REFER sip:bob@10.0.0.10:5060 ");
	if (refer == NULL)
		return false;
	ua_respond(&first, refer, 503, NULL, NULL);
	refer = last(INSIDE, "REFER sip:bob@10.0.0.10:5070 ");
	if (refer == NULL)
		return false;
	ua_respond(&second, refer, 202, NULL, NULL);
	return last(OUTSIDE, "SIP/2.0 202") != NULL;
}

/* BYE, answered if it got so far. */
static bool hang_up(struct ua *from, struct ua *to)
{
	const char *bye;

	lab_forget(&lab);
	ua_request(from, "BYE", ++from->cseq, NULL, NULL);
	if (last(from->side, "SIP/2.0 200") == NULL)
		ua_request(from, "BYE", ++from->cseq, NULL, NULL);
	bye = last(to->side, "BYE ");
	if (bye != NULL)
		ua_respond(to, bye, 200, NULL, NULL);
	return bye != NULL;
}

/* @return the last NOTIFY, answered; NULL: none. */
static const char *hear(struct ua *transferor)
{
	const char *req = last(OUTSIDE, "NOTIFY ");

	if (req != NULL)
		ua_respond(transferor, req, 200, NULL, NULL);
	return req;
}

/* A transfer that the box executes, up to the BYE of the call that it makes. */
static bool play_transfer(void)
{
	struct ua caller = ua_caller(&lab, "bob"), callee, target;
	const char *invite, *offer, *req;
	bool told;

	lab.realms[OUTSIDE].refer_execute = true;
	ua_request(&caller, "INVITE", 1, OUTSIDE_SDP, NULL);
	invite = last(INSIDE, "INVITE ");
	if (invite == NULL)
		return false;
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 200);
	req = last(OUTSIDE, "SIP/2.0 200");
	if (req == NULL)
		return false;
	ua_learn(&caller, req);
	ua_request(&caller, "ACK", 1, NULL, NULL);
	lab_forget(&lab);
	ua_request(&caller, "REFER", ++caller.cseq, NULL,
		"Refer-To: <sip:bonny@192.0.2.1>\r\nReferred-By: <sip:alice@192.0.2.66>\r\n");
	invite = last(INSIDE, "INVITE sip:bonny");
	if (invite == NULL) {
		(void)hang_up(&caller, &callee);
		return false;
	}
	target = ua_callee(&lab, invite);
	(void)hear(&caller);
	ua_respond(&target, invite, 180, NULL, NULL);
	(void)hear(&caller);
	ua_respond(&target, invite, 200, INSIDE_SDP, NULL);
	offer = last(INSIDE, "INVITE sip:inside");
	if (offer != NULL)
		ua_respond(&callee, offer, 200, INSIDE_SDP, NULL);
	lab_run(&lab, 200);
	req = hear(&caller);
	told = req != NULL && strstr(req, "\r\n\r\nSIP/2.0 200 OK\r\n") != NULL;
	req = last(OUTSIDE, "BYE ");
	if (req != NULL)
		ua_respond(&caller, req, 200, NULL, NULL);
	else /* it failed, or was not told */
		(void)hang_up(&caller, &callee);
	callee.cseq = 500;
	return hang_up(&callee, &target) && told && lab.n_cdrs == 2;
}

static void fail_each(bool (*scenario)(void), unsigned long at_least)
{
	unsigned long n = 0;
	bool through;

	do {
		lab_init(&lab);
		countdown = ++n;
		failed = false;
		through = scenario();
		countdown = 0;
		/* A caller whose response could not be made comes to its own end by timers, as does
		 * a subscription. */
		lab_run(&lab, 700000);
		lab_fini(&lab);
	} while (failed);
	assert_true(through);
	assert_true(n > at_least);
	print_message("%lu allocations failed, one at a time\n", n - 1);
}

static void test_call(void **state)
{
	fail_each(play, 50);
}

static void test_next_route(void **state)
{
	fail_each(play_next_route, 20);
}

static void test_transfer(void **state)
{
	fail_each(play_transfer, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_next_route),
		cmocka_unit_test(test_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
