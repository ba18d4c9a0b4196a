/*
 * REFER, Replaces and Join through the box: what each side is told of users and dialogs, so that
 * whoever is asked to call can, and the call that is to be replaced is found again.
 */
#include "lab.h"
#include "b2bua_priv.h"
#include "replaces.h"

/* Two calls of the phone outside, to two parties inside. */
static struct ua phone[2], party[2];

static int setup(void **state)
{
	lab_init(&lab);
	return 0;
}

static int setup_calls(void **state)
{
	lab_init(&lab);
	for (unsigned int i = 0; i < 2; i++)
		lab_establish(&lab, &phone[i], &party[i]);
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static int teardown_calls(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		phone[i].cseq = 1000;
		lab_hang_up(&lab, &phone[i], &party[i]);
	}
	lab_fini(&lab);
	return 0;
}

/* %XX for what a URI header may not have. */
static const char *escaped(const char *text)
{
	static char out[512];
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (size_t)snprintf(out + n, sizeof(out) - n,
			strchr("@;=%", *text) != NULL ? "%%%02X" : "%c", *text);
	return out;
}

/* The name that a phone has of its dialog with the box, for who shall take its place. */
static const char *name_at(const struct ua *near)
{
	static char out[512];

	snprintf(out, sizeof(out), "%s;to-tag=%s;from-tag=%s", near->call_id, near->remote_tag,
		near->tag);
	return out;
}

static void refer(struct ua *u, const char *refer_to)
{
	char line[1600];

	snprintf(line, sizeof(line), "Refer-To: %s\r\nReferred-By: <%s>\r\n", refer_to,
		u->side == OUTSIDE ? "sip:alice@192.0.2.66" : "sip:bob@10.0.0.10");
	ua_request(u, "REFER", ++u->cseq, NULL, line);
}

/* Blind: the same user, where the other side finds it. */
static void test_blind(void **state)
{
	static const struct {
		bool from_inside;
		const char *to, *want;
	} cases[] = {
		/* bo... are users of the server inside, seen from outside. */
		{false, "<sip:bonny@192.0.2.1>", "<sip:bonny@10.0.0.10:5060>"},
		{false, "sip:bonny@192.0.2.1;transport=udp", "<sip:bonny@10.0.0.10:5060>"},
		{false, "\"Eve\" <sip:eve@192.0.2.66:5062>", "<sip:eve@10.0.0.1:5060>"},
		{false, "<tel:+4930>", "<sip:+4930@10.0.0.1:5060>"},
		{false, "<sip:bonny@192.0.2.1;method=INVITE?Subject=outside&X=1>",
			"<sip:bonny@10.0.0.10:5060>"},
		/* The server's calls go to the phone outside. */
		{true, "<sip:alice@10.0.0.1>", "<sip:alice@192.0.2.66:5060>"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua *from = cases[i].from_inside ? &party[0] : &phone[0];
		struct ua *to = cases[i].from_inside ? &phone[0] : &party[0];
		const char *req;

		refer(from, cases[i].to);
		req = lab_expect(&lab, to->side, "REFER ");
		assert_string_equal(lab_header(req, "Refer-To"), cases[i].want);
		assert_string_equal(lab_header(req, "Referred-By"),
			cases[i].from_inside ? "<sip:bob@192.0.2.1>" : "<sip:alice@10.0.0.1>");
		ua_respond(to, req, 202, NULL, NULL);
		lab_expect(&lab, from->side, "SIP/2.0 202");
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *to, *answer;
	} cases[] = {
		{"<mailto:a@b>", "SIP/2.0 416"},
		{"<sips:a@b>", "SIP/2.0 416"},
		{"<sip:a@b;method=BYE>", "SIP/2.0 403"},
		{"<sip:", "SIP/2.0 400"},
		{"<sip:a@b?Replaces=x>", "SIP/2.0 400"},
		{"<sip:a@b?Replaces=x%3Bto-tag%3Dy>", "SIP/2.0 400"},
		{"<sip:a@b?Replaces=x%0D%0A%3Bto-tag%3Dy%3Bfrom-tag%3Dz>", "SIP/2.0 400"},
		{"<sip:a@b?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>", "SIP/2.0 481"},
		{"<sip:a@b?Join=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>", "SIP/2.0 481"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		refer(&phone[0], cases[i].to);
		lab_expect(&lab, OUTSIDE, cases[i].answer);
	}
	ua_request(&phone[0], "REFER", ++phone[0].cseq, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 400");
	lab_expect_none(&lab, INSIDE);
}

/* The phone outside connects its two parties: one is told of the other's dialog with the box. What
 * it then sends, to the other or by way of the box, finds it. */
static const char *attended(const char *header, const char *user)
{
	char to[1024];
	const char *req, *at, *end;
	static char name[512];

	snprintf(to, sizeof(to), "<sip:%s192.0.2.1?%s=%s&Require=replaces>", user, header,
		escaped(name_at(&phone[1])));
	refer(&phone[0], to);
	req = lab_expect(&lab, INSIDE, "REFER ");
	assert_string_equal(lab_tag(lab_header(req, "To")), party[0].tag);
	snprintf(to, sizeof(to), "<sip:bob@10.0.0.10:5060?%s=", header);
	at = lab_header(req, "Refer-To");
	assert_int_equal(strncmp(at, to, strlen(to)), 0);
	at += strlen(to);
	end = strchr(at, '>');
	snprintf(name, sizeof(name), "%.*s", (int)(end - at), at);
	ua_respond(&party[0], req, 202, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 202");
	return name;
}

static void test_attended(void **state)
{
	static const char *const headers[] = {"Replaces", "Join"};
	static const char *const users[] = {"bob@", ""}; /* a Contact of the box has no user */
	const char *got;
	char want[512];

	for (size_t i = 0; i < 4; i++) {
		/* As the second party knows its dialog with the box. */
		snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s", party[1].call_id,
			party[1].tag, party[1].remote_tag);
		got = attended(headers[i / 2], users[i % 2]);
		assert_string_equal(got, escaped(want));
	}
}

/* The box is asked to put an INVITE in the place of a call: both names that a side may have of it.
 */
static void test_invite_replaces(void **state)
{
	struct ua u;
	const char *req;
	char line[600], want[600];

	/* The phone picks up, from another line, what is its own call with a party inside. */
	u = ua_caller(&lab, "bob");
	snprintf(line, sizeof(line), "Replaces: %s;early-only\r\nRequire: replaces\r\n",
		name_at(&phone[1]));
	ua_request(&u, "INVITE", 1, OUTSIDE_SDP, line);
	req = lab_expect(&lab, INSIDE, "INVITE ");
	snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s;early-only", party[1].call_id,
		party[1].tag, party[1].remote_tag);
	assert_string_equal(lab_header(req, "Replaces"), want);
	assert_string_equal(lab_header(req, "Require"), "replaces");
	{
		struct ua callee = ua_callee(&lab, req);

		ua_respond(&callee, req, 486, NULL, NULL);
	}
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	/* It goes elsewhere than the dialog that it names. */
	u = ua_caller(&lab, "six");
	snprintf(line, sizeof(line), "Join: %s\r\n", name_at(&phone[1]));
	lab.realms[OUTSIDE].trust = TRUST_TRUSTED;
	ua_request(&u, "INVITE", 1, OUTSIDE_SDP, line);
	req = lab_expect(&lab, INSIDE, "INVITE sip:six");
	snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s", party[1].call_id, party[1].tag,
		party[1].remote_tag);
	assert_string_equal(lab_header(req, "Join"), want);
	u.cseq = 1;
	ua_request(&u, "CANCEL", 1, NULL, NULL);
	{
		struct ua callee = ua_callee(&lab, req);

		ua_respond(&callee, req, 487, NULL, NULL);
	}
}

/* RFC 3911: somebody else outside joins the phone's call at its far end. The name of that call, and
 * of who joins it, are those that the far end knows; all are calls of their own. */
static void test_join(void **state)
{
	struct ua u = ua_caller(&lab, "bob"), callee;
	const char *req, *ok;
	char line[600], want[600];

	snprintf(u.from, sizeof(u.from), "\"Dora\" <sip:dora@192.0.2.67>");
	snprintf(u.addr, sizeof(u.addr), "192.0.2.67:5060");
	snprintf(line, sizeof(line), "Join: %s\r\nRequire: join\r\nSupported: join\r\n",
		name_at(&phone[1]));
	ua_request(&u, "INVITE", 1, OUTSIDE_SDP, line);
	req = lab_expect(&lab, INSIDE, "INVITE sip:bob@10.0.0.10:5060");
	snprintf(want, sizeof(want), "%s;to-tag=%s;from-tag=%s", party[1].call_id, party[1].tag,
		party[1].remote_tag);
	assert_string_equal(lab_header(req, "Join"), want);
	assert_string_equal(lab_header(req, "Require"), "join");
	assert_string_equal(lab_header(req, "Replaces"), "");
	assert_int_equal(strncmp(lab_header(req, "From"), "\"Dora\" <sip:dora@10.0.0.1>", 26), 0);
	callee = ua_callee(&lab, req);
	ua_respond(&callee, req, 200, INSIDE_SDP, "Supported: join\r\n");
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_non_null(strstr(ok, "\r\nSupported: join\r\n"));
	ua_learn(&u, ok);
	ua_request(&u, "ACK", 1, NULL, NULL);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_streams, 6);
	/* The call that was joined goes on when the other one ends. */
	lab_hang_up(&lab, &u, &callee);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_streams, 4);
	ua_request(&phone[1], "INFO", ++phone[1].cseq, NULL, NULL);
	req = lab_expect(&lab, INSIDE, "INFO ");
	ua_respond(&party[1], req, 200, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_expect_none(&lab, OUTSIDE);
	lab_expect_none(&lab, INSIDE);
}

static void test_invite_refused(void **state)
{
	static const struct {
		const char *lines, *answer;
	} cases[] = {
		{"Replaces: x;to-tag=y;from-tag=z\r\n", "SIP/2.0 481"},
		{"Replaces: x\r\n", "SIP/2.0 400"},
		{"Replaces: ;to-tag=y;from-tag=z\r\n", "SIP/2.0 400"},
		{"Replaces: x;to-tag=y;from-tag=z\r\nJoin: x;to-tag=y;from-tag=z\r\n",
			"SIP/2.0 400"},
		{"Join: x;to-tag=y;from-tag=z\r\nJoin: x;to-tag=y;from-tag=z\r\n", "SIP/2.0 400"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ua u = ua_caller(&lab, "bob");

		ua_request(&u, "INVITE", 1, OUTSIDE_SDP, cases[i].lines);
		lab_expect(&lab, OUTSIDE, cases[i].answer);
	}
	lab_expect_none(&lab, INSIDE);
}

/* A party inside sends its own name for a call: the INVITE has to go to the other end. */
static void test_wrong_way(void **state)
{
	struct ua u = {.lab = &lab, .side = INSIDE, .cseq = 1};
	char line[600];

	snprintf(u.addr, sizeof(u.addr), "10.0.0.10:5060");
	snprintf(u.call_id, sizeof(u.call_id), "inside-call-x");
	snprintf(u.tag, sizeof(u.tag), "inside-out-x");
	snprintf(u.target, sizeof(u.target), "sip:alice@10.0.0.1");
	snprintf(u.from, sizeof(u.from), "<sip:carol@10.0.0.10>");
	snprintf(u.to, sizeof(u.to), "<sip:alice@10.0.0.1>");
	/* The name under which another party inside has the call: routed outside, it is not there.
	 */
	snprintf(line, sizeof(line), "Replaces: %s;to-tag=%s;from-tag=%s\r\n", party[1].call_id,
		party[1].tag, party[1].remote_tag);
	ua_request(&u, "INVITE", 1, INSIDE_SDP, line);
	lab_expect(&lab, INSIDE, "SIP/2.0 481");
	lab_expect_none(&lab, OUTSIDE);
}

/* --- calls of other shards --- */

static struct {
	struct timer timer;
	struct replaces *q;
	unsigned int asked;
} mail;

static void on_mail(void *ctx)
{
	replaces_answer(lab.b2bua, mail.q);
	replaces_answered(lab.b2bua, mail.q);
	free(mail.q);
	mail.q = NULL;
}

static int fake_ask(void *ctx, unsigned int shard, struct replaces *q)
{
	assert_int_equal(shard, 1);
	assert_null(mail.q);
	mail.q = q;
	mail.asked++;
	timer_arm(&lab.timers, &mail.timer, 50, on_mail, NULL);
	return 0;
}

/* The lab's one B2BUA, told that half of the Call-IDs are another's. */
static void test_other_shard(void **state)
{
	char line[700];
	const char *req;
	struct ua callee;

	lab.b2bua->env.shards = 2;
	lab.b2bua->env.ask = fake_ask;
	/* One that hashes to the other shard, whatever the serial numbers of the lab's calls are.
	 */
	while (shard_hash(lab.b2bua->env.keys.hash,
		       (struct str_view){phone[1].call_id, strlen(phone[1].call_id)}, 2) != 1) {
		phone[1].cseq = 1000;
		lab_hang_up(&lab, &phone[1], &party[1]);
		lab_establish(&lab, &phone[1], &party[1]);
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct ua u = ua_caller(&lab, "bob");

		snprintf(line, sizeof(line), "Replaces: %s\r\n", name_at(&phone[1]));
		ua_request(&u, "INVITE", 1, OUTSIDE_SDP, line);
		assert_int_equal(mail.asked, i + 1);
		lab_expect_none(&lab, INSIDE);
		if (i == 1) { /* cancelled while it waits */
			ua_request(&u, "CANCEL", 1, NULL, NULL);
			lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
			lab_expect(&lab, OUTSIDE, "SIP/2.0 487");
		}
		lab_run(&lab, 50);
		if (i == 1)
			break;
		req = lab_expect(&lab, INSIDE, "INVITE ");
		assert_non_null(strstr(lab_header(req, "Replaces"), party[1].call_id));
		callee = ua_callee(&lab, req);
		ua_respond(&callee, req, 486, NULL, NULL);
		lab_expect(&lab, INSIDE, "ACK ");
		lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	}
	lab_expect_none(&lab, INSIDE);
	snprintf(
		line, sizeof(line), "<sip:bob@192.0.2.1?Replaces=%s>", escaped(name_at(&phone[1])));
	refer(&phone[0], line);
	lab_expect_none(&lab, INSIDE);
	lab_run(&lab, 50);
	req = lab_expect(&lab, INSIDE, "REFER ");
	assert_non_null(strstr(lab_header(req, "Refer-To"), party[1].call_id));
	ua_respond(&party[0], req, 603, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 603");
	/* No room to ask. */
	lab.b2bua->env.ask = NULL;
	refer(&phone[0], line);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 500");
}

#define CALLS_CASE(fn) cmocka_unit_test_setup_teardown(fn, setup_calls, teardown_calls)
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALLS_CASE(test_blind),
		CALLS_CASE(test_refused),
		CALLS_CASE(test_attended),
		CALLS_CASE(test_invite_replaces),
		CALLS_CASE(test_join),
		CASE(test_invite_refused),
		CALLS_CASE(test_wrong_way),
		CALLS_CASE(test_other_shard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
