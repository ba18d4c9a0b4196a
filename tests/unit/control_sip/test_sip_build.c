/* The writer refuses what would break a message; responses copy what section 8.2.6 names. */
#include "world.h"

static struct sip_writer writer(char *buf, size_t cap)
{
	struct sip_writer w;

	sip_writer_init(&w, buf, cap);
	return w;
}

static void test_header_values(void **state)
{
	static const struct {
		struct str_view value;
		const char *expected; /* NULL: -EBADMSG */
	} cases[] = {
		{SV("plain"), "X: plain\r\n"},
		{SV(""), "X: \r\n"},
		{SV("a\r\n b"), "X: a b\r\n"},
		{SV("a \t\r\n \t b"), "X: a b\r\n"},
		{SV("a\n\tb"), "X: a b\r\n"},
		{SV("a\r\n \r\n b"), "X: a b\r\n"},
		{SV("\r\n a"), "X: a\r\n"},
		{SV("a\r\nEvil: 1"), NULL},
		{SV("a\nEvil: 1"), NULL},
		{SV("a\r Evil: 1"), NULL},
		{SV("a\r"), NULL},
		{SV("a\r\n"), NULL},
		{SV("a\0b"), NULL},
		{SV("\"a\\\0b\""), NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[64];
		struct sip_writer w = writer(buf, sizeof(buf));
		int len;

		sip_write_header(&w, "X", cases[i].value);
		len = sip_writer_finish(&w);
		if (cases[i].expected == NULL) {
			assert_int_equal(len, -EBADMSG);
			continue;
		}
		assert_int_equal(len, strlen(cases[i].expected));
		assert_memory_equal(buf, cases[i].expected, (size_t)len);
	}
}

static void test_formats_take_no_line_breaks(void **state)
{
	char buf[64];
	struct sip_writer w = writer(buf, sizeof(buf));

	sip_write_fmt(&w, "A: %s\r\n", "b");
	assert_int_equal(sip_writer_finish(&w), 6);
	sip_write_fmt(&w, "A: %s\r\n", "b\r\nc");
	assert_int_equal(sip_writer_finish(&w), -EBADMSG);
}

static void test_every_room_that_is_too_small_fails(void **state)
{
	char buf[128];
	size_t whole;

	for (size_t cap = 0; cap <= sizeof(buf); cap++) {
		struct sip_writer w = writer(buf, cap);
		int len;

		memset(buf, '#', sizeof(buf));
		sip_write_fmt(&w, "SIP/2.0 %u OK\r\n", 200u);
		sip_write_header(&w, "Subject", SV("one\r\n two"));
		sip_write_body(&w, SV("text/plain"), SV("body"));
		len = sip_writer_finish(&w);
		whole = strlen("SIP/2.0 200 OK\r\nSubject: one two\r\nContent-Type: text/plain\r\n"
			       "Content-Length: 4\r\n\r\nbody");
		assert_int_equal(len, cap < whole ? -EMSGSIZE : (int)whole);
		for (size_t i = cap; i < sizeof(buf); i++)
			assert_int_equal(buf[i], '#');
	}
}

static void test_an_empty_body_has_no_type(void **state)
{
	static const char expected[] = "Content-Length: 0\r\n\r\n";
	char buf[64];
	struct sip_writer w = writer(buf, sizeof(buf));

	sip_write_body(&w, SV("text/plain"), SV(""));
	assert_int_equal(sip_writer_finish(&w), sizeof(expected) - 1);
	assert_memory_equal(buf, expected, sizeof(expected) - 1);
}

static void test_tokens_are_random_base32(void **state)
{
	char seen[100][21];

	for (unsigned int i = 0; i < 100; i++) {
		sip_random_token(seen[i], 20);
		assert_int_equal(strlen(seen[i]), 20);
		assert_int_equal(strspn(seen[i], "abcdefghijklmnopqrstuvwxyz234567"), 20);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
	}
}

/** A message from 192.0.2.1:5070. */
static struct sip_msg *message(const char *text)
{
	struct sip_path path = {.remote.port = 5070};
	struct sip_index idx;
	struct sip_msg *m;

	assert_int_equal(net_addr_parse(SV("192.0.2.1"), &path.remote.addr), 0);
	(void)sip_scan(text, strlen(text), &idx);
	m = sip_msg_new(&path, &idx, text, strlen(text));
	assert_non_null(m);
	return m;
}

/** A response to `text` with status and tag "ours". */
static void respond(const char *text, unsigned int status, char *buf, size_t cap)
{
	struct sip_writer w = writer(buf, cap);
	struct sip_msg *req = message(text);
	int len;

	sip_response_start(&w, req, status, NULL, SV("ours"));
	sip_msg_put(req);
	len = sip_writer_finish(&w);
	assert_true(len > 0 && (size_t)len < cap);
	buf[len] = '\0';
}

#define REST \
	"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n" \
	"Timestamp: 54\r\n\r\n"

static void test_top_via_tells_where_it_came_from(void **state)
{
	static const struct {
		const char *via;
		const char *expected;
	} cases[] = {
		/* RFC 3261 section 18.2.1: received only where the host differs */
		{"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1",
			"\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1\r\n"},
		{"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1",
			"\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1\r\n"},
		{"v: SIP/2.0/UDP host.example;branch=z9hG4bK1",
			"\r\nVia: SIP/2.0/UDP host.example;branch=z9hG4bK1;received=192.0.2.1\r\n"},
		/* RFC 3581 section 4: with rport, both always */
		{"Via: SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK1",
			"\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1"
			";received=192.0.2.1;rport=5070\r\n"},
		/* what the sender claims is not believed */
		{"Via: SIP/2.0/UDP 10.0.0.1;received=6.6.6.6;branch=z9hG4bK1;rport=9;x=\"y;z\"",
			"\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;x=\"y;z\""
			";received=192.0.2.1;rport=5070\r\n"},
		/* only the topmost, and all the others in order */
		{"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP a;branch=2\r\n"
		 "Via: SIP/2.0/UDP b;branch=3;rport",
			"\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP a;branch=2\r\n"
			"Via: SIP/2.0/UDP b;branch=3;rport\r\n"},
		{"Via: SIP / 2.0 / UDP 10.0.0.1\r\n ;branch=z9hG4bK1",
			"\r\nVia: SIP / 2.0 / UDP 10.0.0.1 ;branch=z9hG4bK1"
			";received=192.0.2.1\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024], buf[1024];

		snprintf(
			text, sizeof(text), "OPTIONS sip:c@d SIP/2.0\r\n%s\r\n" REST, cases[i].via);
		respond(text, 200, buf, sizeof(buf));
		if (strstr(buf, cases[i].expected) == NULL)
			fail_msg("case %zu: want %s in %s", i, cases[i].expected, buf);
	}
}

/* RFC 3261 section 25.1: sent-by has brackets, received has none; RFC 5118 section 4.5: those who
 * write brackets there are read all the same. */
static void test_via_in_ipv6(void **state)
{
	static const struct {
		const char *via;
		const char *expected;
		unsigned int port; /* where the response goes */
	} cases[] = {
		{"[2001:db8::9:1];branch=z9hG4bK1", "[2001:db8::9:1];branch=z9hG4bK1\r\n", 5060},
		{"[2001:DB8:0:0::9:1]:5099;branch=z9hG4bK1",
			"[2001:DB8:0:0::9:1]:5099;branch=z9hG4bK1\r\n", 5099},
		{"[2001:db8::9:1]:5099;rport;branch=z9hG4bK1",
			"[2001:db8::9:1]:5099;branch=z9hG4bK1;received=2001:db8::9:1;rport="
			"5070\r\n",
			5070},
		{"[2001:db8::9:2];branch=z9hG4bK1",
			"[2001:db8::9:2];branch=z9hG4bK1;received=2001:db8::9:1\r\n", 5070},
		{"192.0.2.1;branch=z9hG4bK1",
			"192.0.2.1;branch=z9hG4bK1;received=2001:db8::9:1\r\n", 5070},
		{"[2001:db8::9:2];received=[2001:db8::9:255];branch=z9hG4bK1",
			"[2001:db8::9:2];branch=z9hG4bK1;received=2001:db8::9:1\r\n", 5070},
		{"[2001:db8::9:2];received=2001:db8::9:255;branch=z9hG4bK1",
			"[2001:db8::9:2];branch=z9hG4bK1;received=2001:db8::9:1\r\n", 5070},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024], buf[1024];
		struct sip_writer w = writer(buf, sizeof(buf));
		struct sip_msg *req;
		struct sip_path path;
		int len;

		snprintf(text, sizeof(text),
			"OPTIONS sip:c@[2001:db8::1] SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\n" REST,
			cases[i].via);
		req = message(text);
		assert_int_equal(net_addr_parse(SV("2001:db8::9:1"), &req->path.remote.addr), 0);
		sip_response_start(&w, req, 200, NULL, SV("ours"));
		path = sip_response_path(req);
		assert_true(net_addr_eq(&path.remote.addr, &req->path.remote.addr));
		sip_msg_put(req);
		len = sip_writer_finish(&w);
		assert_true(len > 0 && (size_t)len < sizeof(buf));
		buf[len] = '\0';
		if (strstr(buf, cases[i].expected) == NULL || path.remote.port != cases[i].port)
			fail_msg("case %zu: want %s and port %u in %s, port %u", i,
				cases[i].expected, cases[i].port, buf, path.remote.port);
	}
}

/* RFC 3261 section 18.2.2: the port of the Via, but for rport (RFC 3581), and but for NAT. */
static void test_where_a_response_goes(void **state)
{
	static const struct {
		const char *sent_by;
		unsigned int port;
	} cases[] = {
		{"192.0.2.1:5099;branch=z9hG4bK1", 5099},
		{"192.0.2.1;branch=z9hG4bK1", 5060},
		{"192.0.2.1:5099;branch=z9hG4bK1;rport", 5070},
		{"192.0.2.1:5099;branch=z9hG4bK1;rport=1", 5070},
		{"10.0.0.1:5099;branch=z9hG4bK1", 5070},
		{"host.example:5099;branch=z9hG4bK1", 5070},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sip_path path;
		struct sip_msg *req;
		char text[1024];

		snprintf(text, sizeof(text),
			"OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\n" REST,
			cases[i].sent_by);
		req = message(text);
		path = sip_response_path(req);
		assert_int_equal(path.remote.port, cases[i].port);
		assert_true(net_addr_eq(&path.remote.addr, &req->path.remote.addr));
		sip_msg_put(req);
	}
}

static void test_to_gets_our_tag_once(void **state)
{
	static const struct {
		const char *to;
		unsigned int status;
		const char *expected;
	} cases[] = {
		{"To: <sip:c@d>", 200, "\r\nTo: <sip:c@d>;tag=ours\r\n"},
		{"To: <sip:c@d>", 100, "\r\nTo: <sip:c@d>\r\n"},
		{"To: <sip:c@d>;tag=theirs", 200, "\r\nTo: <sip:c@d>;tag=theirs\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024], buf[1024];

		snprintf(text, sizeof(text),
			"OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
			"From: <sip:a@b>;tag=1\r\n%s\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
			"Timestamp: 54\r\n\r\n",
			cases[i].to);
		respond(text, cases[i].status, buf, sizeof(buf));
		assert_non_null(strstr(buf, cases[i].expected));
		assert_non_null(strstr(buf, "\r\nCSeq: 1 OPTIONS\r\n"));
		assert_non_null(strstr(buf, "\r\nCall-ID: x\r\n"));
		assert_non_null(strstr(buf, "\r\nFrom: <sip:a@b>;tag=1\r\n"));
		/* Section 8.2.6.1. */
		assert_int_equal(
			strstr(buf, "\r\nTimestamp: 54\r\n") != NULL, cases[i].status == 100);
	}
}

/* RFC 4475 section 3.1.1.2: a NUL as a quoted pair is legal, and the response has it again. */
static void test_a_quoted_nul_is_echoed(void **state)
{
	static const char text[] =
		"OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
		"From: \"x\\\0y\" <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
		"Call-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n";
	static const char expected[] = "From: \"x\\\0y\" <sip:a@b>;tag=1\r\n";
	struct sip_path path = {0};
	struct sip_index idx;
	struct sip_writer w;
	struct sip_msg *req;
	char buf[1024];

	assert_int_equal(sip_scan(text, sizeof(text) - 1, &idx), SIP_SCAN_NONE);
	req = sip_msg_new(&path, &idx, text, sizeof(text) - 1);
	w = writer(buf, sizeof(buf));
	sip_response_start(&w, req, 200, NULL, SV("ours"));
	sip_msg_put(req);
	assert_true(sip_writer_finish(&w) > 0);
	assert_non_null(memmem(buf, w.len, expected, sizeof(expected) - 1));
	/* but not passed on */
	sip_write_header(&w, "Subject", SV("\"x\\\0y\""));
	assert_int_equal(sip_writer_finish(&w), -EBADMSG);
}

static void test_reason_phrases(void **state)
{
	assert_string_equal(sip_reason_phrase(486), "Busy Here");
	assert_string_equal(sip_reason_phrase(100), "Trying");
	assert_string_equal(sip_reason_phrase(606), "Not Acceptable");
	assert_string_equal(sip_reason_phrase(299), "Unknown");
	assert_string_equal(sip_reason_phrase(0), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_values),
		cmocka_unit_test(test_formats_take_no_line_breaks),
		cmocka_unit_test(test_every_room_that_is_too_small_fails),
		cmocka_unit_test(test_an_empty_body_has_no_type),
		cmocka_unit_test(test_tokens_are_random_base32),
		cmocka_unit_test(test_top_via_tells_where_it_came_from),
		cmocka_unit_test(test_via_in_ipv6),
		cmocka_unit_test(test_where_a_response_goes),
		cmocka_unit_test(test_to_gets_our_tag_once),
		cmocka_unit_test(test_a_quoted_nul_is_echoed),
		cmocka_unit_test(test_reason_phrases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
