/*
 * A call with a re-INVITE, again and again, failing the 1st, 2nd, 3rd ... allocation
 * until it goes through: no crash, and nothing left behind. Linked with --wrap.
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

static void test_allocations(void **state)
{
	unsigned long n = 0;
	bool through;

	do {
		lab_init(&lab);
		countdown = ++n;
		failed = false;
		through = play();
		countdown = 0;
		/* A caller whose response could not be made comes to its own end by timers. */
		lab_run(&lab, 200000);
		lab_fini(&lab);
	} while (failed);
	assert_true(through);
	assert_true(n > 50);
	print_message("%lu allocations failed, one at a time\n", n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
