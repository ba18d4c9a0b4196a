/*
 * URIs: each has one meaning or is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sip_parse.h"

struct good_uri {
	const char *in;
	enum sip_scheme scheme;
	const char *user, *password, *host, *params, *headers;
	uint16_t port;
	bool v6;
};

static const struct good_uri good[] = {
	{"sip:example.com", SIP_SCHEME_SIP, "", "", "example.com", "", "", 0, false},
	{"sip:example.com.", SIP_SCHEME_SIP, "", "", "example.com.", "", "", 0, false},
	{"SIPS:a:b@192.0.2.1:5061;lr?X=y&Z=", SIP_SCHEME_SIPS, "a", "b", "192.0.2.1", ";lr",
		"X=y&Z=", 5061, false},
	{"sip:+1;ext=2@h;user=phone", SIP_SCHEME_SIP, "+1;ext=2", "", "h", ";user=phone", "", 0,
		false},
	{"sip:a?b/c@h", SIP_SCHEME_SIP, "a?b/c", "", "h", "", "", 0, false},
	{"sip:%00%41@h", SIP_SCHEME_SIP, "%00%41", "", "h", "", "", 0, false},
	{"sip:*21%2342#@my_host", SIP_SCHEME_SIP, "*21%2342#", "", "my_host", "", "", 0, false},
	{"sip:a@[2001:db8::1]:65535;maddr=[::1]", SIP_SCHEME_SIP, "a", "", "2001:db8::1",
		";maddr=[::1]", "", 65535, true},
	{"sip:[2001:db8::10:5070]", SIP_SCHEME_SIP, "", "", "2001:db8::10:5070", "", "", 0, true},
	{"sip:[2001:db8:::192.0.2.1]", SIP_SCHEME_SIP, "", "", "2001:db8:::192.0.2.1", "", "", 0,
		true},
	{"sip:h;a;b=c;d=", SIP_SCHEME_SIP, "", "", "h", ";a;b=c;d=", "", 0, false},
	{"sip:h?Route=%3Csip:e%3E", SIP_SCHEME_SIP, "", "", "h", "", "Route=%3Csip:e%3E", 0, false},
	{"tel:+1-201.555(0123);phone-context=x", SIP_SCHEME_TEL, "+1-201.555(0123)", "", "",
		";phone-context=x", "", 0, false},
	{"tel:7042;Phone-Context=+1-914.555;ext=(12)3;isub=a%20b", SIP_SCHEME_TEL, "7042", "", "",
		";Phone-Context=+1-914.555;ext=(12)3;isub=a%20b", "", 0, false},
	{"TEL:863-1234;phone-context=a.example.com;x=1;y", SIP_SCHEME_TEL, "863-1234", "", "",
		";phone-context=a.example.com;x=1;y", "", 0, false},
	{"tel:*21#", SIP_SCHEME_TEL, "*21#", "", "", "", "", 0, false},
	{"urn:service:sos", SIP_SCHEME_OTHER, "", "", "", "", "", 0, false},
	{"http://example.com/?a=b", SIP_SCHEME_OTHER, "", "", "", "", "", 0, false},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct good_uri *g = &good[i];
		struct sip_uri uri;

#define ASSERT_PART(part) assert_true(sv_eq(uri.part, (struct str_view){g->part, strlen(g->part)}))
		if (sip_uri_parse((struct str_view){g->in, strlen(g->in)}, &uri) != 0)
			fail_msg("refused: %s", g->in);
		assert_int_equal(uri.scheme, g->scheme);
		ASSERT_PART(user);
		ASSERT_PART(password);
		ASSERT_PART(host);
		ASSERT_PART(params);
		ASSERT_PART(headers);
		assert_int_equal(uri.port, g->port);
		assert_int_equal(uri.host_is_v6, g->v6);
	}
}

static void test_bad(void **state)
{
	static const struct str_view bad[] = {
		SV(""),
		SV("sip"),
		SV(":"),
		SV("a@b"),
		SV("1sip:a@b"),
		SV("<sip:a@b>"),
		SV("sip:"),
		SV("sip:@"),
		SV("sip:a@"),
		SV("sip:@h"),
		SV("sip::p@h"),
		SV("sip:a@b@h"),
		SV("sip:a:b:c@h"),
		SV("sip:sip:sip:a@h"),
		SV("sip:h:"),
		SV("sip:h:0"),
		SV("sip:h:65536"),
		SV("sip:h:4294972356"),
		SV("sip:h:-1"),
		SV("sip:h:5060abc"),
		SV("sip:h:99999999999999999999"),
		SV("sip:256.256.256.256"),
		SV("sip:192.0.2"),
		SV("sip:0x7f000001"),
		SV("sip:2130706433"),
		SV("sip:0300.0.2.1"),
		SV("sip:192.0.2.1."),
		SV("sip:."),
		SV("sip:.."),
		SV("sip:a..b"),
		SV("sip:-h-"),
		SV("sip:[::1"),
		SV("sip:::1]"),
		SV("sip:[::::]"),
		SV("sip:[1:2:3:4:5:6:7:8:9]"),
		SV("sip:[12345::1]"),
		SV("sip:[fe80::1%25eth0]"),
		SV("sip:[]"),
		SV("sip:[192.0.2.1]"),
		SV("sip:[[::1]]"),
		SV("sip:[::ffff:300.1.1.1]"),
		SV("sip:[2001:db8:::1]"),
		SV("sip:[2001:db8::1]5060"),
		SV("sip:[2001:db8::1]]:5060"),
		SV("sip:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example."
		   "com"),
		SV("sip:h;"),
		SV("sip:h;;"),
		SV("sip:h;=x"),
		SV("sip:h;transport="),
		SV("sip:h;transport=udp;TRANSPORT=tls"),
		SV("sip:h;maddr="),
		SV("sip:h;ttl"),
		SV("sip:h;ttl=256"),
		SV("sip:h;ttl=-1"),
		SV("sip:h;lr=\0"),
		SV("sip:h;a=%4"),
		SV("sip:h;a=b c"),
		SV("sip:h?"),
		SV("sip:h?a"),
		SV("sip:h?=b"),
		SV("sip:h?&&&"),
		SV("sip:%@h"),
		SV("sip:%0@h"),
		SV("sip:%zz@h"),
		SV("sip:a%00@h%00.example.com"),
		SV("sip:a\0@h"),
		SV("sip:a b@h"),
		SV("sip:a@h\r\nX: y"),
		SV("sip:a@h#frag"),
		SV("sip:\xc3\xbc@h"),
		SV("sip:a@\xe4\xbe\x8b.jp"),
		SV("sip:\"a\"@h"),
		SV("sip:a@h,b"),
		SV("tel:"),
		SV("tel:+"),
		SV("tel:-"),
		SV("tel:+1a"),
		SV("tel:12g"),
		SV("tel:;phone-context=x"),
		SV("tel:1;phone-context=+1;phone-context=+2"),
		SV("tel:1;phone-context=a;Phone-Context=b"),
		SV("tel:1;phone-context"),
		SV("tel:1;phone-context="),
		SV("tel:1;phone-context=+"),
		SV("tel:1;phone-context=+1a"),
		SV("tel:1;phone-context=[::1]"),
		SV("tel:1;phone-context=a..b"),
		SV("tel:1;phone-context=a/b"),
		SV("tel:1;ext="),
		SV("tel:1;ext=a"),
		SV("tel:1;ext=-"),
		SV("tel:1;ext=1;ext=2"),
		SV("tel:1;isub"),
		SV("tel:1;isub=1;ISUB=1"),
		SV("tel:+1;"),
		SV("tel:+1@example.com"),
		SV("tel:1 2"),
		SV("tel:1?a=b"),
		SV("urn:"),
		SV("urn:a b"),
		SV("urn:a\n"),
	};
	struct sip_uri uri;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sip_uri_parse(bad[i], &uri) != -EBADMSG)
			fail_msg("accepted: %.*s", SV_ARG(bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
