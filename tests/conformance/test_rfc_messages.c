/*
 * The messages of RFC 4475 and RFC 5118, one by one: the verdict that the RFC names, by the fault
 * that it names; and what is read from those that are legal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "corpus.h"
#include "judge.h"
#include "rfc_expected.h"

#define PATH_MAX_ 512
#define MESSAGE_MAX 8192

static bool view_is(struct str_view v, const char *text)
{
	return sv_eq(v, (struct str_view){text, strlen(text)});
}

static void assert_messages(const char *rfc, const struct rfc_message *rows, size_t n_rows)
{
	struct corpus_table t;
	char path[PATH_MAX_];
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/MANIFEST.tsv", rfc);
	corpus_table_open(&t, path);
	for (; corpus_table_next(&t); n++) {
		const struct rfc_message *r = &rows[n];
		const char *reason;
		unsigned int status;

		/* Each row is a message and each message has a row. */
		if (n == n_rows || !view_is(t.column[0], r->file) ||
			!view_is(t.column[1], r->section))
			fail_msg("%s: no row for %.*s", rfc, SV_ARG(t.column[0]));
		snprintf(path, sizeof(path), "%s/%s.dat", rfc, r->file);
		status = judge_file(path, &reason);
		if (status != r->status || strcmp(reason, r->reason) != 0)
			fail_msg("%s: %u %s instead of %u %s", path, status, reason, r->status,
				r->reason);
	}
	corpus_table_close(&t);
	assert_int_equal(n, n_rows);
}

static void test_rfc4475(void **state)
{
	(void)state;
	assert_messages("rfc4475", rfc4475, ARRAY_LEN(rfc4475));
	judge_file("rfc4475/archive-extra-test.dat", NULL);
}

static void test_rfc5118(void **state)
{
	(void)state;
	assert_messages("rfc5118", rfc5118, ARRAY_LEN(rfc5118));
}

/* Some messages have several faults, of which the first one seen decides. Each of them alone, in
 * a request that is good without it, and in it as the RFC writes it. */
static void test_single_faults(void **state)
{
	static const struct {
		const char *file, *lines, *reason;
	} cases[] = {
		{"none", "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n", ""},
		{"badinv01",
			"Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nFrom: <sip:a@b>;tag=1\r\n"
			"To: <sip:b@c>\r\n",
			"Bad Via"},
		{"badinv01",
			"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n"
			"Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n",
			"Bad Contact"},
		{"scalar02", "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nMax-Forwards: 300\r\n",
			"Bad Max-Forwards"},
		{"scalar02",
			"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n"
			"Expires: 10000000000000000000000000000000000000000000000000000\r\n",
			"Bad Number in Header"},
		{"quotbal",
			"From: <sip:a@b>;tag=1\r\nTo: \"Mr. J. User <sip:j.user@example.com>\r\n",
			"Bad From or To"},
		{"badaspec",
			"From: <sip:a@b>;tag=1\r\n"
			"To: \"Watson, Thomas\" < sip:t.watson@example.org >\r\n",
			"Bad From or To"},
		{"baddn",
			"From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43\r\n"
			"To: <sip:b@c>\r\n",
			"Bad From or To"},
		{"baddn",
			"From: <sip:a@b>;tag=1\r\n"
			"To: Watson, Thomas <sip:t.watson@example.org>\r\n",
			"Bad From or To"},
	};
	char msg[MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *reason;
		int len = snprintf(msg, sizeof(msg),
			"OPTIONS sip:b@c SIP/2.0\r\n"
			"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
			"Call-ID: x\r\nCSeq: 1 OPTIONS\r\n%s\r\n",
			cases[i].lines);

		judge(msg, (size_t)len, &reason);
		if (strcmp(reason, cases[i].reason) != 0)
			fail_msg("%s, line %zu: \"%s\" instead of \"%s\"", cases[i].file, i, reason,
				cases[i].reason);
	}
}

/* A message of the corpus, scanned; the bytes stay until the next one. */
static const char *scanned(const char *path)
{
	static char *msg;
	size_t len;

	free(msg);
	msg = NULL;
	if (path == NULL)
		return NULL;
	msg = corpus_read(path, &len);
	sip_scan(msg, len, &judge_idx);
	return msg;
}

/* Parts of a header or of the Request-URI, by name. */
enum part {
	URI_USER,
	URI_HOST,
	URI_PORT,
	URI_PARAMS,
	URI_HEADERS,
	DISPLAY,
	PARAMS,
	VIA_HOST,
	VIA_TRANSPORT,
	VIA_BRANCH,
	VIA_RECEIVED,
	WHOLE,
};

static struct str_view number_view(unsigned int n)
{
	static char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return (struct str_view){text, strlen(text)};
}

static struct str_view uri_part(struct str_view text, enum part part)
{
	struct sip_uri uri;

	assert_int_equal(sip_uri_parse(text, &uri), 0);
	switch (part) {
	case URI_USER:
		return uri.user;
	case URI_HOST:
		return uri.host;
	case URI_PORT:
		return number_view(uri.port);
	case URI_PARAMS:
		return uri.params;
	default:
		return uri.headers;
	}
}

static struct str_view via_part(struct str_view text, enum part part)
{
	struct sip_via via;

	assert_int_equal(sip_via_parse(text, &via), 0);
	switch (part) {
	case VIA_HOST:
		return via.host;
	case VIA_TRANSPORT:
		return via.transport_text;
	case VIA_BRANCH:
		return via.branch;
	default:
		return via.received;
	}
}

/* The n-th element of the header lines with this id, over all of them. */
static struct str_view element(const char *msg, enum sip_header_id id, unsigned int n)
{
	struct str_view rest, item;

	for (unsigned int line = 0; (rest = sip_header_find(msg, &judge_idx, id, line)).p != NULL;
		line++) {
		while (sip_list_next(&rest, &item)) {
			if (n-- == 0)
				return item;
		}
	}
	return (struct str_view){NULL, 0};
}

static struct str_view part_of(const char *msg, unsigned int id, unsigned int n, enum part part)
{
	struct str_view text;
	struct sip_name_addr na;

	if (id == SIP_HDR_OTHER)
		return part == WHOLE ? sip_span_view(msg, judge_idx.method_text)
				     : uri_part(sip_span_view(msg, judge_idx.uri), part);
	if (part == WHOLE)
		return sip_header_find(msg, &judge_idx, (enum sip_header_id)id, n);
	text = element(msg, (enum sip_header_id)id, n);
	if (id == SIP_HDR_VIA)
		return via_part(text, part);
	assert_int_equal(sip_name_addr_parse(text, &na), 0);
	if (part == DISPLAY)
		return na.display;
	return part == PARAMS ? na.params : uri_part(na.uri, part);
}

static void test_readings(void **state)
{
	static const struct {
		const char *file;
		unsigned int id; /* SIP_HDR_OTHER: the Request-URI, and WHOLE is the method */
		unsigned int n;
		enum part part;
		const char *is; /* NULL: there is none */
	} cases[] = {
		/* An escaped "sips:" is a user, and an escaped "lr" is no "lr". */
		{"rfc4475/esc01", SIP_HDR_OTHER, 0, URI_USER, "sips%3Auser%40example.com"},
		{"rfc4475/esc01", SIP_HDR_OTHER, 0, URI_HOST, "example.net"},
		{"rfc4475/esc01", SIP_HDR_CONTACT, 0, URI_PARAMS,
			";%6C%72;n%61me=v%61lue%25%34%31"},
		/* An escaped NUL ends nothing. */
		{"rfc4475/escnull", SIP_HDR_TO, 0, URI_USER, "null-%00-null"},
		{"rfc4475/escnull", SIP_HDR_CONTACT, 0, URI_USER, "%00"},
		{"rfc4475/escnull", SIP_HDR_CONTACT, 1, URI_USER, "%00%00"},
		/* "%" is a character of a token: neither a REGISTER nor a third Contact. */
		{"rfc4475/esc02", SIP_HDR_OTHER, 0, WHOLE, "RE%47IST%45R"},
		{"rfc4475/esc02", SIP_HDR_TO, 0, DISPLAY, "%Z%45"},
		{"rfc4475/esc02", SIP_HDR_CONTACT, 1, URI_USER, "alias3"},
		{"rfc4475/esc02", SIP_HDR_CONTACT, 2, WHOLE, NULL},
		{"rfc4475/intmeth", SIP_HDR_OTHER, 0, WHOLE,
			"!interesting-Method0123456789_*+`.%indeed'~"},
		{"rfc4475/intmeth", SIP_HDR_OTHER, 0, URI_HOST, "example.com"},
		{"rfc4475/intmeth", SIP_HDR_FROM, 0, DISPLAY, "token1~` token2'+_ token3*%!.-"},
		{"rfc4475/lwsdisp", SIP_HDR_FROM, 0, DISPLAY, "caller"},
		{"rfc4475/semiuri", SIP_HDR_OTHER, 0, URI_USER, "user;par=u%40example.net"},
		{"rfc4475/semiuri", SIP_HDR_OTHER, 0, URI_PARAMS, ""},
		{"rfc4475/transports", SIP_HDR_VIA, 1, VIA_TRANSPORT, "SCTP"},
		{"rfc4475/transports", SIP_HDR_VIA, 3, VIA_TRANSPORT, "UNKNOWN"},
		{"rfc4475/transports", SIP_HDR_VIA, 4, VIA_HOST, "t5.example.com"},
		{"rfc4475/wsinv", SIP_HDR_VIA, 0, VIA_HOST, "192.0.2.2"},
		{"rfc4475/wsinv", SIP_HDR_VIA, 1, VIA_BRANCH, "z9hG4bK9ikj8"},
		{"rfc4475/wsinv", SIP_HDR_VIA, 2, VIA_HOST, "192.168.255.111"},
		{"rfc4475/wsinv", SIP_HDR_FROM, 0, DISPLAY, "J Rosenberg \\\\\\\""},
		{"rfc4475/wsinv", SIP_HDR_CONTACT, 0, DISPLAY, "Quoted string \\\"\\\""},
		{"rfc4475/wsinv", SIP_HDR_SUBJECT, 0, WHOLE, ""},
		{"rfc4475/wsinv", SIP_HDR_ROUTE, 0, URI_PARAMS,
			";lr;unknownwith=value;unknown-no-value"},
		/* Whose parameter it is, the header's or the URI's. */
		{"rfc4475/cparam01", SIP_HDR_CONTACT, 0, PARAMS, ";unknownparam"},
		{"rfc4475/cparam01", SIP_HDR_CONTACT, 0, URI_PARAMS, ""},
		{"rfc4475/cparam02", SIP_HDR_CONTACT, 0, PARAMS, ""},
		{"rfc4475/cparam02", SIP_HDR_CONTACT, 0, URI_PARAMS, ";unknownparam"},
		{"rfc4475/regescrt", SIP_HDR_CONTACT, 0, URI_HEADERS,
			"Route=%3Csip:sip.example.com%3E"},
		{"rfc5118/port-ambiguous", SIP_HDR_OTHER, 0, URI_HOST, "2001:db8::10:5070"},
		{"rfc5118/port-ambiguous", SIP_HDR_OTHER, 0, URI_PORT, "0"},
		{"rfc5118/port-unambiguous", SIP_HDR_OTHER, 0, URI_HOST, "2001:db8::10"},
		{"rfc5118/port-unambiguous", SIP_HDR_OTHER, 0, URI_PORT, "5070"},
		{"rfc5118/via-received-param-with-delim", SIP_HDR_VIA, 0, VIA_RECEIVED,
			"[2001:db8::9:255]"},
		{"rfc5118/via-received-param-no-delim", SIP_HDR_VIA, 0, VIA_RECEIVED,
			"2001:db8::9:255"},
		{"rfc5118/ipv6-good", SIP_HDR_OTHER, 0, URI_HOST, "2001:db8::10"},
		{"rfc5118/mult-ip-in-header", SIP_HDR_VIA, 1, VIA_HOST, "192.0.2.1"},
		{"rfc5118/mult-ip-in-header", SIP_HDR_VIA, 2, VIA_HOST, "2001:db8::9:255"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[PATH_MAX_];
		struct str_view got;
		const char *msg;

		snprintf(path, sizeof(path), "%s.dat", cases[i].file);
		msg = scanned(path);
		got = part_of(msg, cases[i].id, cases[i].n, cases[i].part);
		if (cases[i].is == NULL ? got.p != NULL : !view_is(got, cases[i].is))
			fail_msg("%s, row %zu: \"%.*s\"", path, i, SV_ARG(got));
	}
	scanned(NULL);
}

/* What stage 1 says of those whose point is in a number or a length. */
static void test_indexes(void **state)
{
	const char *msg;
	uint32_t n;

	(void)state;
	/* The INVITE behind the REGISTER is not part of it. */
	scanned("rfc4475/dblreq.dat");
	assert_int_equal(judge_idx.msg_len, 300);
	assert_int_equal(judge_idx.method, SIP_REGISTER);
	assert_int_equal(judge_idx.body.len, 0);
	msg = scanned("rfc4475/wsinv.dat");
	assert_int_equal(judge_idx.cseq, 9);
	assert_int_equal(judge_idx.body.len, 150);
	assert_true(view_is(sip_span_view(msg, judge_idx.to_tag), "1918181833n"));
	assert_int_equal(
		sip_uint_parse(sip_header_find(msg, &judge_idx, SIP_HDR_MAX_FORWARDS, 0), 255, &n),
		0);
	assert_int_equal(n, 68);
	/* Binary parts, with NUL, CR and LF in them, are framed by Content-Length alone. */
	scanned("rfc4475/mpart01.dat");
	assert_int_equal(judge_idx.body.len, 553);
	msg = scanned("rfc4475/unreason.dat");
	assert_int_equal(judge_idx.status, 200);
	assert_true(judge_idx.reason.len > 30 && (msg[judge_idx.reason.off + 16] & 0x80) != 0);
	scanned("rfc4475/noreason.dat");
	assert_int_equal(judge_idx.status, 100);
	assert_int_equal(judge_idx.reason.len, 0);
	scanned("rfc4475/longreq.dat");
	assert_int_equal(judge_idx.n_vias, 34);
	/* A code that wraps is not one, yet stays a response: those are never answered. */
	scanned("rfc4475/bigcode.dat");
	assert_int_equal(judge_idx.error, SIP_SCAN_START_LINE);
	assert_true(judge_idx.status != 0);
	scanned(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4475),
		cmocka_unit_test(test_rfc5118),
		cmocka_unit_test(test_single_faults),
		cmocka_unit_test(test_readings),
		cmocka_unit_test(test_indexes),
	};
	int failed;

	corpus_need();
	judge_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	judge_fini();
	return failed;
}
