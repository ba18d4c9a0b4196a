/*
 * Which status a request earns: one case a rule of RFC 3261 sections 8.2 and 16.3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sip_parse.h"

#define CONTACT "Contact: <sip:a@192.0.2.1>\r\n"

struct rule {
	const char *method;
	const char *uri;
	const char *extra; /* header lines */
	unsigned int status;
};

static const struct rule rules[] = {
	{"INVITE", "sip:b@c", CONTACT, 0},
	{"INVITE", "tel:+123", CONTACT, 0},
	{"INVITE", "sip:b@c", "", 400},
	{"BYE", "sip:b@c", "", 0},
	{"INVITE", "<sip:b@c>", CONTACT, 400},
	{"INVITE", "sip:b@c?X=y", CONTACT, 400},
	{"INVITE", "*", CONTACT, 400},
	{"INVITE", "b@c", CONTACT, 400},
	{"INVITE", "http://c/", CONTACT, 416},
	{"INVITE", "nobodyKnowsThisScheme:x", CONTACT, 416},
	{"INVITE", "sip:b@c", "Contact: *\r\n", 400},
	{"INVITE", "sip:b@c", "Contact: <sip:a@b>,\r\n", 400},
	{"INVITE", "sip:b@c", "Contact:\r\n", 400},
	{"INVITE", "sip:b@c", "m: <sip:a@256.1.1.1>\r\n", 400},
	{"INVITE", "sip:b@c", "m: sip:a@b?X=y\r\n", 400},
	{"REGISTER", "sip:c", "Contact: *\r\nExpires: 0\r\n", 0},
	{"REGISTER", "sip:c", "Contact: *\r\nExpires: 1\r\n", 400},
	{"REGISTER", "sip:c", "Contact: *\r\n", 400},
	{"REGISTER", "sip:c", "Contact: *\r\nContact: <sip:a@b>\r\nExpires: 0\r\n", 400},
	{"REGISTER", "sip:c", CONTACT "Contact: *\r\nExpires: 0\r\n", 400},
	{"REGISTER", "sip:c", "", 0},
	{"BYE", "sip:b@c", "Max-Forwards: 0\r\n", 483},
	{"OPTIONS", "sip:b@c", "Max-Forwards: 0\r\n", 483},
	{"BYE", "sip:b@c", "Max-Forwards: 1\r\n", 0},
	{"BYE", "sip:b@c", "Max-Forwards: 0255\r\n", 0},
	{"BYE", "sip:b@c", "Max-Forwards: 256\r\n", 400},
	{"BYE", "sip:b@c", "Max-Forwards: -1\r\n", 400},
	{"BYE", "sip:b@c", "Max-Forwards: 4294967296\r\n", 400},
	{"BYE", "sip:b@c", "Max-Forwards:\r\n", 400},
	{"BYE", "sip:b@c", "Max-Forwards: 7 0\r\n", 400},
	{"REGISTER", "sip:c", "Expires: 4294967295\r\n", 0},
	{"REGISTER", "sip:c", "Expires: 4294967296\r\n", 400},
	{"REGISTER", "sip:c", "Expires: -1\r\n", 400},
	{"BYE", "sip:b@c", "Session-Expires: 90;refresher=uac\r\n", 0},
	{"BYE", "sip:b@c", "x: 4294967296\r\n", 400},
	{"BYE", "sip:b@c", "Session-Expires: 90 refresher\r\n", 400},
	{"BYE", "sip:b@c", "Min-SE: x\r\n", 400},
	{"PRACK", "sip:b@c", "RAck: 1 2 INVITE\r\n", 0},
	{"PRACK", "sip:b@c", "RAck: 1 INVITE\r\n", 400},
	{"PRACK", "sip:b@c", "RAck: 4294967296 1 INVITE\r\n", 400},
	{"PRACK", "sip:b@c", "", 400},
	{"BYE", "sip:b@c", "Content-Type: application/sdp;a=b\r\n", 0},
	{"BYE", "sip:b@c", "c: multipart/mixed ; boundary=\"x;y\"\r\n", 0},
	{"BYE", "sip:b@c", "c: application\r\n", 400},
	{"BYE", "sip:b@c", "c: application/sdp, text/plain\r\n", 400},
	{"BYE", "sip:b@c", "Require: 100rel, TIMER\r\nRequire: replaces\r\n", 0},
	{"BYE", "sip:b@c", "Require: 100rel\r\nRequire: gruu\r\n", 420},
	{"BYE", "sip:b@c", "Require: 100re\r\n", 420},
	{"BYE", "sip:b@c", "Require: a b\r\n", 400},
	{"BYE", "sip:b@c", "Require: 100rel,\r\n", 400},
	{"BYE", "sip:b@c", "Proxy-Require: gruu\r\n", 0},
	{"ACK", "sip:b@c", "Require: gruu\r\n", 0},
	{"CANCEL", "sip:b@c", "Require: gruu\r\n", 0},
	{"BYE", "sip:b@c", "Route: <sip:p;lr>, <sip:q;lr>\r\nRecord-Route: <sip:r>\r\n", 0},
	{"BYE", "sip:b@c", "Route:\r\n", 400},
	{"BYE", "sip:b@c", "Route: <sip:p;lr>,,<sip:q;lr>\r\n", 400},
	{"BYE", "sip:b@c", "Record-Route: x\r\n", 400},
	{"BYE", "sip:b@c", "Via: SIP/2.0/UDP h, SIP/2.0/TCP i;branch=z9hG4bK2\r\n", 0},
	{"BYE", "sip:b@c", "Via: SIP/2.0/UDP h,\r\n", 400},
	{"BYE", "sip:b@c", "v: SIP/2.0/UDP h:70000\r\n", 400},
	/* Form comes before what is asked for. */
	{"BYE", "http://c/", "Max-Forwards: 0\r\nRequire: gruu\r\nRoute: x\r\n", 400},
	{"BYE", "http://c/", "Max-Forwards: 0\r\nRequire: gruu\r\n", 416},
	{"BYE", "sip:b@c", "Max-Forwards: 0\r\nRequire: gruu\r\n", 483},
};

static unsigned int validate(const char *msg, size_t len, const char **reason)
{
	struct sip_index idx;
	struct sip_verdict verdict;

	sip_scan(msg, len, &idx);
	verdict = sip_validate(msg, &idx, SV("timer, 100rel,replaces"));
	*reason = verdict.reason;
	return verdict.status;
}

static void test_rules(void **state)
{
	char msg[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *r = &rules[i];
		int len = snprintf(msg, sizeof(msg),
			"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
			"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 %s\r\n"
			"%s\r\n",
			r->method, r->uri, r->method, r->extra);
		const char *reason;
		unsigned int status = validate(msg, (size_t)len, &reason);

		if (status != r->status)
			print_error("%u %s instead of %u for:\n%s", status, reason, r->status, msg);
		assert_int_equal(status, r->status);
		assert_int_equal(reason[0] == '\0', status == 0);
	}
}

static void test_whole_messages(void **state)
{
	static const struct {
		struct str_view msg;
		unsigned int status;
	} cases[] = {
		{SV(""), 400},
		{SV("BYE sip:b@c SIP/7.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
		    "To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n"),
			505},
		/* Branch of the magic cookie alone. */
		{SV("BYE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK\r\nCSeq: 1 BYE\r\n"
		    "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\n\r\n"),
			400},
		/* An INVITE of RFC 2543: no branch, no tag, no Contact. */
		{SV("INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\n"
		    "To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"),
			0},
		{SV("INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:@b>\r\n"
		    "To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"),
			400},
		/* Responses are not held to the rules of requests, but must be readable. */
		{SV("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
		    "To: <sip:b@c>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nRequire: y\r\n\r\n"),
			0},
		{SV("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
		    "To: <sip:b@c:0>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"),
			400},
		{SV("SIP/2.0 1000 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
		    "To: <sip:b@c>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"),
			400},
	};
	const char *reason;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			validate(cases[i].msg.p, cases[i].msg.len, &reason), cases[i].status);
}

static void test_long_uri(void **state)
{
	static char msg[10000];
	const char *reason;
	int len;

	(void)state;
	len = snprintf(msg, sizeof(msg),
		"BYE sip:%05000d@c SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
		"To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n",
		1);
	assert_int_equal(validate(msg, (size_t)len, &reason), 414);
}

/* The scan's errors all have a status. */
static void test_scan_errors(void **state)
{
	struct sip_index idx = {.error = 0};

	(void)state;
	for (unsigned int i = 1; i <= SIP_SCAN_COUNT; i++) {
		idx.error = (uint8_t)i;
		assert_true(sip_validate("", &idx, SV("")).status >= 400);
		assert_true(strlen(sip_validate("", &idx, SV("")).reason) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_whole_messages),
		cmocka_unit_test(test_long_uri),
		cmocka_unit_test(test_scan_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
