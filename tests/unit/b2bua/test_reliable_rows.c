/*
 * RFC 3262 between the caller and the box, whose callee does 100rel, too: in each state of our
 * reliable 18x, what each message of either side and the timer of section 3 lead to.
 */
#include "b2bua_priv.h"
#include "lab.h"

enum state { NOTHING_SENT, UNACKNOWLEDGED, ACKNOWLEDGED, STATES };

enum event {
	FAR_180,   /* the callee's, not reliable */
	FAR_NEXT,  /* reliable 183, the next one */
	FAR_SAME,  /* the one before again */
	FAR_LATER, /* one that is missing between */
	FAR_200,
	FAR_486,
	PRACK_RIGHT,
	PRACK_WRONG,
	TIMER,
	CANCELLED,
	EVENTS
};

/* What leaves to either side: methods; statuses, with "r" where they are reliable and the CSeq's
 * method where it is not INVITE. */
static const struct {
	const char *outside, *inside;
} rows[STATES][EVENTS] = {
	[NOTHING_SENT] =
		{
			[FAR_180] = {"180 ", ""},
			[FAR_NEXT] = {"183r ", ""},
			[FAR_SAME] = {"183r ", ""}, /* the first one may have any number */
			[FAR_LATER] = {"183r ", ""},
			[FAR_200] = {"200 ", "ACK "},
			[FAR_486] = {"486 ", "ACK "},
			[PRACK_RIGHT] = {"481PRACK ", ""},
			[PRACK_WRONG] = {"481PRACK ", ""},
			[TIMER] = {"100 ", "INVITE "}, /* RFC 3261 section 17 */
			[CANCELLED] = {"200CANCEL 487 ", ""},
		},
	[UNACKNOWLEDGED] =
		{
			/* Section 3: no other one before the PRACK; nor a 2xx, for the SDP. */
			[FAR_180] = {"", ""},
			[FAR_NEXT] = {"", ""},
			[FAR_SAME] = {"", ""},
			[FAR_LATER] = {"", ""},
			[FAR_200] = {"", ""},
			[FAR_486] = {"486 ", "ACK "},
			[PRACK_RIGHT] = {"200PRACK ", "PRACK "},
			[PRACK_WRONG] = {"481PRACK ", ""},
			[TIMER] = {"183r ", ""},
			[CANCELLED] = {"200CANCEL 487 ", "CANCEL "},
		},
	[ACKNOWLEDGED] =
		{
			[FAR_180] = {"180 ", ""},
			[FAR_NEXT] = {"183r ", ""},
			[FAR_SAME] = {"", ""},	/* section 4 */
			[FAR_LATER] = {"", ""}, /* section 4 */
			[FAR_200] = {"200 ", "ACK "},
			[FAR_486] = {"486 ", "ACK "},
			[PRACK_RIGHT] = {"481PRACK ", ""}, /* it matches no unacknowledged one */
			[PRACK_WRONG] = {"481PRACK ", ""},
			[TIMER] = {"", ""},
			[CANCELLED] = {"200CANCEL 487 ", "CANCEL "},
		},
};

static struct {
	struct ua caller, callee;
	char invite[4096];
	unsigned int branch; /* of the INVITE, for its CANCEL */
	unsigned long rseq;  /* ours */
} w;

static void far_says(unsigned int status, const char *sdp, unsigned int rseq)
{
	char extra[64] = "";

	if (rseq != 0)
		snprintf(extra, sizeof(extra), "Require: 100rel\r\nRSeq: %u\r\n", rseq);
	ua_respond(&w.callee, w.invite, status, sdp, extra);
}

static void prack(unsigned long rseq)
{
	char rack[64];

	snprintf(rack, sizeof(rack), "RAck: %lu 1 INVITE\r\n", rseq);
	ua_request(&w.caller, "PRACK", ++w.caller.cseq, NULL, rack);
}

static void reach(enum state s)
{
	const char *invite, *progress;

	w.caller = ua_caller(&lab, "bob");
	ua_request(&w.caller, "INVITE", 1, OUTSIDE_SDP, "Supported: 100rel\r\n");
	w.branch = w.caller.branch;
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	snprintf(w.invite, sizeof(w.invite), "%s", invite);
	w.callee = ua_callee(&lab, invite);
	w.rseq = 1;
	if (s == NOTHING_SENT)
		return;
	far_says(183, INSIDE_SDP, 5);
	progress = lab_expect(&lab, OUTSIDE, "SIP/2.0 183");
	w.rseq = strtoul(lab_header(progress, "RSeq"), NULL, 10);
	ua_learn(&w.caller, progress);
	if (s == UNACKNOWLEDGED)
		return;
	prack(w.rseq);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200 OK");
	ua_respond(&w.callee, lab_expect(&lab, INSIDE, "PRACK "), 200, NULL, NULL);
}

static void happens(enum event e)
{
	switch (e) {
	case FAR_180:
		far_says(180, NULL, 0);
		break;
	case FAR_NEXT:
	case FAR_SAME:
	case FAR_LATER:
		far_says(183, INSIDE_SDP, e == FAR_NEXT ? 6 : e == FAR_SAME ? 5 : 7);
		break;
	case FAR_200:
		far_says(200, INSIDE_SDP, 0);
		break;
	case FAR_486:
		far_says(486, NULL, 0);
		break;
	case PRACK_RIGHT:
	case PRACK_WRONG:
		prack(w.rseq + (e == PRACK_WRONG));
		break;
	case TIMER:
		lab_run(&lab, SIP_T1_MS);
		break;
	default:
		w.caller.branch = w.branch;
		ua_request(&w.caller, "CANCEL", 1, NULL, NULL);
		break;
	}
}

static void describe(unsigned int side, unsigned int since, char out[256])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned int i = since; i < lab.n_msgs; i++) {
		const char *text = lab.msg[i].text, *cseq;
		char method[16];

		if (lab.msg[i].side != side)
			continue;
		if (strncmp(text, "SIP/2.0 ", 8) != 0) {
			n += (size_t)snprintf(
				out + n, 256 - n, "%.*s ", (int)strcspn(text, " "), text);
			continue;
		}
		cseq = lab_header(text, "CSeq");
		snprintf(method, sizeof(method), "%s", strchr(cseq, ' ') + 1);
		n += (size_t)snprintf(out + n, 256 - n, "%.3s%s%s ", text + 8,
			strcmp(method, "INVITE") != 0 ? method : "",
			lab_header(text, "RSeq")[0] != '\0' ? "r" : "");
	}
}

static void test_rows(void **state)
{
	static const char *const states[STATES] = {
		"nothing sent", "unacknowledged", "acknowledged"};

	for (enum state s = 0; s < STATES; s++)
		for (enum event e = 0; e < EVENTS; e++) {
			char outside[256], inside[256];
			unsigned int since;

			print_message("%s, event %u\n", states[s], e);
			lab_init(&lab);
			reach(s);
			since = lab.n_msgs;
			happens(e);
			describe(OUTSIDE, since, outside);
			describe(INSIDE, since, inside);
			assert_string_equal(outside, rows[s][e].outside);
			assert_string_equal(inside, rows[s][e].inside);
			b2bua_stop(lab.b2bua);
			lab_run(&lab, 100000);
			lab_fini(&lab);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
