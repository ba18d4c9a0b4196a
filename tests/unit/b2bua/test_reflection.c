/*
 * The box is no reflector: a source that may be forged gets no more bytes than it sent, whatever
 * it sends and however often, as long as no call was passed on. Counted on the wire.
 */
#include <ftw.h>
#include <unistd.h>

#include "lab.h"

#define FILE_MAX (256 * 1024)

static unsigned int n_files, n_answered;

static int setup(void **state)
{
	lab_init(&lab);
	lab.unproven = true;
	lab.leaks_allowed = true; /* bytes are counted here, tokens elsewhere */
	return 0;
}

static int teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}

static size_t bytes_to_outside(void)
{
	size_t n = 0;

	for (unsigned int i = 0; i < lab.n_msgs; i++)
		n += lab.msg[i].side == OUTSIDE ? lab.msg[i].len : 0;
	return n;
}

/* Send it `times` times, wait for all that could follow. */
static void expect_no_gain(const char *what, const char *text, size_t len, unsigned int times)
{
	size_t out;

	for (unsigned int i = 0; i < times; i++) {
		lab_feed(&lab, OUTSIDE, "192.0.2.66:5060", text, len);
		lab_run(&lab, 300);
	}
	lab_run(&lab, 40000);
	out = bytes_to_outside();
	if (out > times * len)
		fail_msg("%s: %zu bytes for %u times %zu", what, out, times, len);
	n_answered += out > 0;
	lab_forget(&lab);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char buf[FILE_MAX];
	size_t len = strlen(path), n;
	FILE *f;

	if (type != FTW_F || len < 4 ||
		(strcmp(path + len - 4, ".sip") != 0 && strcmp(path + len - 4, ".dat") != 0))
		return 0;
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	if (n > SIP_MSG_LEN_MAX || n == 0)
		return 0;
	expect_no_gain(path, buf, n, 1 + n_files % 3);
	n_files++;
	return 0;
}

static void test_corpus(void **state)
{
	static const char *const parts[] = {"rfc4475", "rfc5118", "messages", "attacks"};
	const char *shared = getenv("SALLYPORT_SHARED");
	char dir[512];

	/* Nobody has that number: no call is passed on. */
	snprintf(lab.routes[0].user_prefix, sizeof(lab.routes[0].user_prefix), "no such user");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(dir, sizeof(dir), "%s/corpus/%s", shared ? shared : "../shared", parts[i]);
		if (access(dir, R_OK) != 0) {
			printf("skipped: no corpus at %s: put it there or set SALLYPORT_SHARED\n",
				dir);
			skip();
		}
		assert_int_equal(nftw(dir, visit, 8, FTW_PHYS), 0);
	}
	assert_true(n_files > 500);
	assert_true(n_answered > 100); /* silence would pass, too */
}

/* Every method, with and without what makes a request long. */
static void test_methods(void **state)
{
	static const char *const methods[] = {"INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL",
		"MESSAGE", "SUBSCRIBE", "INFO", "FOO", "ACK"};
	static const char *const vias[] = {"192.0.2.66:5060;branch=z9hG4bK-%u",
		"x;branch=z9hG4bK-%u", "192.0.2.66:5060;rport;branch=z9hG4bK-%u",
		"y;rport;branch=z9hG4bK-%u"};
	static const char *const extras[] = {"", "Max-Forwards: 70\r\n", "Max-Forwards: 0\r\n",
		"Require: 100rel, foo, bar\r\n", "Content-Length: 99\r\n",
		"Contact: <sip:a@192.0.2.66>\r\nUser-Agent: friendly-scanner\r\n"};
	unsigned int serial = 0;

	for (size_t m = 0; m < ARRAY_LEN(methods); m++)
		for (size_t v = 0; v < ARRAY_LEN(vias); v++)
			for (size_t e = 0; e < ARRAY_LEN(extras); e++) {
				char via[128], text[1024];
				int n;

				snprintf(via, sizeof(via), vias[v], ++serial);
				n = snprintf(text, sizeof(text),
					"%s sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\n"
					"From: <sip:1@a>;tag=%u\r\nTo: <sip:1@a>\r\n"
					"Call-ID: %u\r\nCSeq: 1 %s\r\n%s\r\n",
					methods[m], via, serial, serial, methods[m], extras[e]);
				expect_no_gain(text, text, (size_t)n, 1 + serial % 4);
			}
	assert_true(n_answered > 50);
}

/* What a request must have (RFC 3261 section 8.1.1) is enough for an answer to everybody. */
static void test_ordinary_requests_are_answered(void **state)
{
	static const char *const sources[] = {"192.0.2.66:5060", "[2001:db8:1::66]:5060"};
	static const char *const hosts[] = {"192.0.2.1", "[2001:db8:1::1]"};
	static const struct {
		const char *method, *status;
	} cases[] = {
		{"OPTIONS", "SIP/2.0 200 "},
		{"REGISTER", "SIP/2.0 405 "},
		{"MESSAGE", "SIP/2.0 405 "},
		{"FOO", "SIP/2.0 501 "},
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const char *method = cases[i / 2].method, *source = sources[i % 2];
		char text[1024];
		int n = snprintf(text, sizeof(text),
			"%s sip:%s SIP/2.0\r\n"
			"Via: SIP/2.0/UDP %s;branch=z9hG4bK-%zu;rport\r\nMax-Forwards: 70\r\n"
			"From: <sip:a@%s>;tag=a\r\nTo: <sip:%s>\r\nCall-ID: %zu\r\n"
			"CSeq: 1 %s\r\n\r\n",
			method, hosts[i % 2], source, i, source, hosts[i % 2], i, method);

		lab_feed(&lab, OUTSIDE, source, text, (size_t)n);
		lab_expect(&lab, OUTSIDE, cases[i / 2].status);
		assert_true(bytes_to_outside() <= (size_t)n);
		lab_run(&lab, 40000);
		lab_forget(&lab);
	}
}

/* What remains: an INVITE that somebody behind the box answers. Its refusals are still no larger,
 * all together. */
static void test_real_call(void **state)
{
	struct ua caller, callee;
	const char *invite, *busy;

	callee = lab_call(&lab, &caller, &invite);
	ua_respond(&callee, invite, 180, NULL, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 180 Ringing\r\n");
	ua_respond(&callee, invite, 486, NULL, "Retry-After: 7\r\n");
	busy = lab_expect(&lab, OUTSIDE, "SIP/2.0 486 Busy Here\r\n");
	assert_string_equal(lab_header(busy, "Server"), "");
	assert_string_equal(lab_header(busy, "Content-Length"), "0");
	lab_run(&lab, 40000);
	assert_in_range(lab_count(&lab, OUTSIDE, "SIP/2.0 486"), 1, 3);
}

/* Without its challenge nobody can answer a 407 (RFC 3261 section 22.3), however short the INVITE.
 */
static void test_challenge(void **state)
{
	static const char challenge[] =
		"Proxy-Authenticate: Digest realm=\"core.example.net\", qop=\"auth\", "
		"nonce=\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\", "
		"opaque=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, stale=FALSE\r\n";
	struct ua caller = ua_caller(&lab, "bob"), callee;
	const char *invite, *got;

	ua_request(&caller, "INVITE", 1, NULL, NULL);
	invite = lab_expect(&lab, INSIDE, "INVITE ");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 407, NULL, challenge);
	got = lab_expect(&lab, OUTSIDE, "SIP/2.0 407");
	assert_non_null(strstr(lab_header(got, "Proxy-Authenticate"), "nonce="));
	lab_run(&lab, 40000);
	assert_int_equal(lab_count(&lab, OUTSIDE, "SIP/2.0 407"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_corpus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_ordinary_requests_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_challenge, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
