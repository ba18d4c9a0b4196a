/* What is wrong with a message inside of a call never ends the call. */
#include "lab.h"

#define MOVED_SDP \
	"v=0\r\no=alice 7 8 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n" \
	"m=audio 40002 RTP/AVP 0\r\n"

/* Both still talk, by the media that they had. */
static void goes_on(struct ua *caller, struct ua *callee, const struct rec_stream_set *before)
{
	assert_int_equal(lab.n_cdrs, 0);
	assert_non_null(lab_stream(&lab, STREAM_RTP));
	for (unsigned int end = 0; end < 2; end++)
		assert_memory_equal(&lab_stream(&lab, STREAM_RTP)->set.end[end].remote,
			&before->end[end].remote, sizeof(before->end[end].remote));
	lab_hang_up(&lab, caller, callee);
	assert_string_equal(lab_cdr_text(&lab, 0, "cause"), "normal");
}

/* A re-INVITE's 2xx that is no answer to its offer. */
static void test_no_answer(void **state)
{
	static const char *const answers[] = {
		NULL, "v=1\r\n", "v=0\r\no=b 1 1 IN IP4 10.0.0.10\r\ns=-\r\nt=0 0\r\n"};
	struct rec_stream_set before;
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	before = lab_stream(&lab, STREAM_RTP)->set;
	for (unsigned int i = 0; i < ARRAY_LEN(answers); i++) {
		const char *invite;

		ua_request(&caller, "INVITE", ++caller.cseq, MOVED_SDP, NULL);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		ua_respond(&callee, invite, 200, answers[i], NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
		ua_request(&caller, "ACK", caller.cseq, NULL, NULL);
		/* Its ACK was lost. */
		ua_respond(&callee, invite, 200, answers[i], NULL);
		lab_expect(&lab, INSIDE, "ACK ");
	}
	goes_on(&caller, &callee, &before);
}

/* An offer in the 2xx, and an ACK without its answer. */
static void test_ack_without_answer(void **state)
{
	static const char *const answers[] = {NULL, "v=1\r\n"};
	struct rec_stream_set before;
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	before = lab_stream(&lab, STREAM_RTP)->set;
	for (unsigned int i = 0; i < ARRAY_LEN(answers); i++) {
		ua_request(&caller, "INVITE", ++caller.cseq, NULL, NULL);
		ua_respond(&callee, lab_expect(&lab, INSIDE, "INVITE "), 200, INSIDE_SDP, NULL);
		lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
		ua_request(&caller, "ACK", caller.cseq, answers[i], NULL);
		lab_expect(&lab, INSIDE, "ACK ");
	}
	goes_on(&caller, &callee, &before);
}

/* One message of the dialog with a line more, or one that is wrong in place of a right one. */
static void feed(struct ua *u, const char *start, const char *cseq, const char *wrong)
{
	const char *colon = strchr(wrong, ':');
	char text[2048], lines[5][400];
	int n;

	snprintf(lines[0], sizeof(lines[0]), "Via: SIP/2.0/UDP %s;branch=z9hG4bK-bad-%u", u->addr,
		++u->branch);
	snprintf(lines[1], sizeof(lines[1]), "From: %s;tag=%s", u->from, u->tag);
	snprintf(lines[2], sizeof(lines[2]), "To: %s;tag=%s", u->to, u->remote_tag);
	snprintf(lines[3], sizeof(lines[3]), "Call-ID: %s", u->call_id);
	snprintf(lines[4], sizeof(lines[4]), "CSeq: %s", cseq);
	n = snprintf(text, sizeof(text), "%s\r\nMax-Forwards: 70\r\n", start);
	for (unsigned int i = 0; i < ARRAY_LEN(lines); i++) {
		bool other = strncmp(lines[i], wrong, (size_t)(colon - wrong) + 1) == 0;

		n += snprintf(
			text + n, sizeof(text) - (size_t)n, "%s\r\n", other ? wrong : lines[i]);
	}
	if (wrong[0] == 'X' || wrong[0] == 'C' || wrong[0] == 'M')
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\n", wrong);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	lab_feed(&lab, u->side, u->addr, text, (size_t)n);
}

/* A line stands for the right one of its name; of C..., M... and X... it comes besides, too. */
static const char *const wrongs[] = {"Via: SIP/2.0", "Via: ", "From: <sip:a@b",
	"From: ", "To: \"x <sip:a@b>;tag=1", "To: ", "Call-ID: ", "Call-ID: other@place",
	"CSeq: ", "CSeq: 99999999999 BYE", "CSeq: 7", "CSeq: 7 INFO", "CSeq: BYE 7",
	"Content-Length: 77", "Content-Length: -1", "Content-Length: 99999999999",
	"Max-Forwards: many", "Max-Forwards: 300", "X-Bare: a\rb", "X-Control: a\001b",
	"X no colon: "};

static void test_malformed(void **state)
{
	static const char *const methods[] = {"BYE", "INVITE", "ACK", "UPDATE", "CANCEL"};
	struct rec_stream_set before;
	struct ua caller, callee;

	lab_establish(&lab, &caller, &callee);
	before = lab_stream(&lab, STREAM_RTP)->set;
	lab.leaks_allowed = true; /* a 400 repeats what is wrong with a Via */
	for (unsigned int m = 0; m < ARRAY_LEN(methods); m++)
		for (unsigned int i = 0; i < ARRAY_LEN(wrongs); i++)
			for (unsigned int side = 0; side < 2; side++) {
				struct ua *u = side == 0 ? &caller : &callee;
				char start[400], cseq[64];

				snprintf(start, sizeof(start), "%s %s SIP/2.0", methods[m],
					u->target);
				snprintf(cseq, sizeof(cseq), "%u %s", ++u->cseq, methods[m]);
				feed(u, start, cseq, wrongs[i]);
				assert_int_equal(lab.n_cdrs, 0);
				lab_forget(&lab);
			}
	goes_on(&caller, &callee, &before);
}

/* The same for an answer: it counts for nothing, and the right one is still taken. */
static void test_malformed_answer(void **state)
{
	struct rec_stream_set before;
	struct ua caller, callee;
	const char *invite;
	char cseq[64];

	lab_establish(&lab, &caller, &callee);
	before = lab_stream(&lab, STREAM_RTP)->set;
	ua_request(&caller, "INVITE", ++caller.cseq, OUTSIDE_SDP, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	snprintf(cseq, sizeof(cseq), "%s", lab_header(invite, "CSeq"));
	for (unsigned int i = 0; i < ARRAY_LEN(wrongs); i++)
		feed(&callee, "SIP/2.0 481 Gone", cseq, wrongs[i]);
	assert_int_equal(lab.n_cdrs, 0);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&caller, "ACK", caller.cseq, NULL, NULL);
	goes_on(&caller, &callee, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_no_answer),
		LAB_CASE(test_ack_without_answer),
		LAB_CASE(test_malformed),
		LAB_CASE(test_malformed_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
