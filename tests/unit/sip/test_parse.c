/*
 * Lists, parameters, numbers and typed headers of stage 2.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sip_parse.h"

static struct str_view sv(const char *text)
{
	return (struct str_view){text, text != NULL ? strlen(text) : 0};
}

/* Views equal; NULL in a table means "absent". */
static void assert_view(struct str_view got, const char *want)
{
	if (want == NULL) {
		assert_int_equal(got.len, 0);
		return;
	}
	if (!sv_eq(got, sv(want)))
		print_error("\"%.*s\" instead of \"%s\"\n", SV_ARG(got), want);
	assert_true(sv_eq(got, sv(want)));
}

static void test_list(void **state)
{
	static const struct {
		const char *in;
		const char *items[4];
		unsigned int n;
	} cases[] = {
		{"", {NULL}, 0},
		{" \r\n ", {NULL}, 0},
		{"a", {"a"}, 1},
		{" a , b\r\n\t,c ", {"a", "b", "c"}, 3},
		{"\"a,b\" <sip:x,y>;p=\",\", c", {"\"a,b\" <sip:x,y>;p=\",\"", "c"}, 2},
		{"\"a\\\",b\", c", {"\"a\\\",b\"", "c"}, 2},
		{"<a\",b>,c\",d", {"<a\",b>", "c\",d"}, 2},
		{"\"a,b", {"\"a,b"}, 1},
		{"<a,b", {"<a,b"}, 1},
		{"a,,b", {"a", "", "b"}, 3},
		{",a", {"", "a"}, 2},
		{"a,", {"a", ""}, 2},
		{"a, ,", {"a", ""}, 2},
		{",", {""}, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view rest = sv(cases[i].in), item;
		unsigned int n = 0;

		while (sip_list_next(&rest, &item)) {
			assert_true(n < cases[i].n);
			assert_true(item.p != NULL);
			assert_view(item, cases[i].items[n++]);
		}
		assert_int_equal(n, cases[i].n);
	}
}

static void test_params(void **state)
{
	struct str_view rest = SV(" ;a ; b = 1\r\n ;c=\"x;\\\"y\";d=;e=[::1]:5"), value;
	static const struct str_view bad[] = {
		SV("a"),
		SV(";"),
		SV(";;"),
		SV(";=x"),
		SV(";a b"),
		SV(";a=b c"),
		SV(";a=\"b"),
		SV(";a=\"b\\\""),
		SV(";a=\"b\"c"),
		SV(";a=b,c"),
		SV(";a=<b>"),
		SV(";\"a\"=b"),
	};
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	static const char *const values[] = {NULL, "1", "x;\\\"y", "", "[::1]:5"};
	const struct str_view all = rest;
	struct sip_param param;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(sip_param_next(&rest, &param), 1);
		assert_view(param.name, names[i]);
		assert_int_equal(param.value.p == NULL, values[i] == NULL);
		assert_view(param.value, values[i]);
	}
	assert_int_equal(sip_param_next(&rest, &param), 0);
	assert_int_equal(sip_param_next(&rest, &param), 0);
	assert_true(sip_param_find(all, SV("B"), &value));
	assert_view(value, "1");
	assert_true(sip_param_find(all, SV("a"), &value));
	assert_null(value.p);
	assert_false(sip_param_find(all, SV("f"), &value));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		rest = bad[i];
		while (sip_param_next(&rest, &param) > 0)
			;
		assert_int_equal(sip_param_next(&rest, &param), -EBADMSG);
	}
}

static void test_uint(void **state)
{
	static const struct {
		const char *in;
		uint32_t max;
		int err;
		uint32_t out;
	} cases[] = {
		{"0", 255, 0, 0},
		{" 0070\r\n ", 255, 0, 70},
		{"255", 255, 0, 255},
		{"256", 255, -ERANGE, 0},
		{"4294967295", UINT32_MAX, 0, UINT32_MAX},
		{"4294967296", UINT32_MAX, -ERANGE, 0},
		{"18446744073709551616", UINT32_MAX, -ERANGE, 0},
		{"99999999999999999999999999999999999999999", 255, -ERANGE, 0},
		{"", 255, -EBADMSG, 0},
		{"  ", 255, -EBADMSG, 0},
		{"-1", 255, -EBADMSG, 0},
		{"+1", 255, -EBADMSG, 0},
		{"0x1", 255, -EBADMSG, 0},
		{"1 2", 255, -EBADMSG, 0},
		{"1.0", 255, -EBADMSG, 0},
		{"\xd9\xa1", 255, -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t n = 12345;

		assert_int_equal(sip_uint_parse(sv(cases[i].in), cases[i].max, &n), cases[i].err);
		assert_int_equal(n, cases[i].err == 0 ? cases[i].out : 12345);
	}
	assert_true(sip_is_token(SV("az09-.!%*_+`'~")));
	assert_false(sip_is_token(SV("")));
	for (const char *c = " \t\"(),/:;<=>?@[\\]{}\x7f\x80"; *c != '\0'; c++)
		assert_false(sip_is_token((struct str_view){c, 1}));
}

static void test_name_addr(void **state)
{
	static const struct {
		const char *in, *display, *uri, *params;
	} good[] = {
		{"<sip:a@b>", NULL, "sip:a@b", NULL},
		{"sip:a@b", NULL, "sip:a@b", NULL},
		{"sip:a@b;tag=1", NULL, "sip:a@b", ";tag=1"},
		{"sip:a@b ; tag = 1", NULL, "sip:a@b", "; tag = 1"},
		{"<sip:a@b;lr?X=y>;tag=1", NULL, "sip:a@b;lr?X=y", ";tag=1"},
		{"A  B\r\n C <sip:a@b>", "A  B\r\n C", "sip:a@b", NULL},
		{"caller<sip:a@b>;x", "caller", "sip:a@b", ";x"},
		{"\"A \\\" <B>, C\"<sip:a@b>", "A \\\" <B>, C", "sip:a@b", NULL},
		{"\"\" <sip:a@b>", "", "sip:a@b", NULL},
		{"J\xc3\xbcrgen <sip:a@b>", "J\xc3\xbcrgen", "sip:a@b", NULL},
		{"sip:a@b;+x=\"<urn:y>\"", NULL, "sip:a@b", ";+x=\"<urn:y>\""},
		{"tel:+123", NULL, "tel:+123", NULL},
	};
	static const char *const bad[] = {"", "/", "a", "<>", "<", ">", "\"", "\"a\"",
		"\"a <sip:a@b>", "\"a\\\" <sip:a@b>", "<sip:a@b", "sip:a@b>", "<<sip:a@b>>",
		"< sip:a@b>", "<sip:a@b >", "<sip:a b@c>", "Bell, A <sip:a@b>", "sip:a@b?X=y",
		"sip:a,b@c", "<sip:a@b>x", "<sip:a@b>;", "<sip:a@b>;tag=\"", "sip:a@b, sip:c@d",
		"\"a\" sip:a@b", "*;expires=0", ";tag=1", "a b sip:a@b"};
	struct sip_name_addr na;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(sip_name_addr_parse(sv(good[i].in), &na), 0);
		assert_false(na.star);
		assert_view(na.display, good[i].display);
		assert_view(na.uri, good[i].uri);
		assert_view(na.params, good[i].params);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sip_name_addr_parse(sv(bad[i]), &na) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(sip_name_addr_parse(SV(" * "), &na), 0);
	assert_true(na.star);
}

static void test_via(void **state)
{
	static const char *const bad[] = {"", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 h",
		"SIP/3.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0/UDP h:", "SIP/2.0/UDP h:0",
		"SIP/2.0/UDP h:65536", "SIP/2.0/UDP h:-1", "SIP/2.0/UDP h:4294972356",
		"SIP/2.0/UDP [::1", "SIP/2.0/UDP ::1", "SIP/2.0/UDP [2001:db8:::1]",
		"SIP/2.0/UDP h;branch=a;branch=b", "SIP/2.0/UDP h;rport=x",
		"SIP/2.0/UDP h;rport=65536", "SIP/2.0/UDP h;rport=0", "SIP/2.0/UDP h;;",
		"SIP/2.0/UDP h;branch=a>", "SIP/2.0/UDP h (comment)", "SIP/2.0/UDP h,SIP/2.0/UDP i",
		"SIP/2.0/UDP 1.2.3"};
	struct sip_via via;

	(void)state;
	assert_int_equal(sip_via_parse(SV("sip / 2.0 / udp\r\n  h.example.com : 5070 ; rport ;"
					  "branch=z9hG4bK1;received=192.0.2.9;x"),
				 &via),
		0);
	assert_int_equal(via.transport, SIP_TRANSPORT_UDP);
	assert_view(via.transport_text, "udp");
	assert_view(via.host, "h.example.com");
	assert_false(via.host_is_v6);
	assert_int_equal(via.port, 5070);
	assert_true(via.has_rport);
	assert_int_equal(via.rport, 0);
	assert_view(via.branch, "z9hG4bK1");
	assert_view(via.received, "192.0.2.9");
	assert_int_equal(
		sip_via_parse(
			SV("SIP/2.0/WSS [2001:db8::1]:443;rport=9;received=2001:db8::2"), &via),
		0);
	assert_int_equal(via.transport, SIP_TRANSPORT_WSS);
	assert_view(via.host, "2001:db8::1");
	assert_true(via.host_is_v6);
	assert_int_equal(via.port, 443);
	assert_int_equal(via.rport, 9);
	assert_view(via.branch, NULL);
	assert_view(via.received, "2001:db8::2");
	assert_int_equal(sip_via_parse(SV("SIP/2.0/SPICE h"), &via), 0);
	assert_int_equal(via.transport, SIP_TRANSPORT_OTHER);
	assert_int_equal(via.port, 0);
	assert_false(via.has_rport);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sip_via_parse(sv(bad[i]), &via) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_cseq(void **state)
{
	static const char *const bad[] = {"", "1", "INVITE", "1 ", "1INVITE", "-1 INVITE",
		"2147483648 INVITE", "36893488147419103232 REGISTER", "1 INVITE x", "1 IN\"V",
		"1,2 X"};
	struct sip_cseq cseq;

	(void)state;
	assert_int_equal(sip_cseq_parse(SV(" 0009\r\n INVITE "), &cseq), 0);
	assert_int_equal(cseq.number, 9);
	assert_view(cseq.method, "INVITE");
	assert_int_equal(sip_cseq_parse(SV("2147483647 X"), &cseq), 0);
	assert_int_equal(cseq.number, INT32_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sip_cseq_parse(sv(bad[i]), &cseq) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_rack(void **state)
{
	static const char *const bad[] = {"", "1", "1 INVITE", "1 2", "1INVITE 2 INVITE",
		"-1 2 INVITE", "1 2 INVITE x", "1,2 INVITE", "1 2147483648 INVITE"};
	struct sip_rack rack;

	(void)state;
	assert_int_equal(sip_rack_parse(SV(" 4294967295\r\n 0009  INVITE "), &rack), 0);
	assert_int_equal(rack.rseq, UINT32_MAX);
	assert_int_equal(rack.cseq.number, 9);
	assert_view(rack.cseq.method, "INVITE");
	assert_int_equal(sip_rack_parse(SV("4294967296 1 INVITE"), &rack), -ERANGE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (sip_rack_parse(sv(bad[i]), &rack) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_content_type(void **state)
{
	static const struct str_view bad[] = {SV(""), SV("application"), SV("application/"),
		SV("/sdp"), SV("a/b/c"), SV("a/b c"), SV("a/b;"), SV("a/b;x=\"y"), SV("a/b, c/d")};
	struct sip_content_type c;

	(void)state;
	assert_int_equal(sip_content_type_parse(SV("application/sdp"), &c), 0);
	assert_true(sv_eq(c.type, SV("application")) && sv_eq(c.subtype, SV("sdp")));
	assert_int_equal(c.params.len, 0);
	assert_int_equal(
		sip_content_type_parse(SV(" multipart / mixed ;boundary=\"a;b\" "), &c), 0);
	assert_true(sv_eq(c.type, SV("multipart")) && sv_eq(c.subtype, SV("mixed")));
	assert_true(sv_eq(c.params, SV(";boundary=\"a;b\"")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(sip_content_type_parse(bad[i], &c), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_uint),
		cmocka_unit_test(test_name_addr),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_cseq),
		cmocka_unit_test(test_rack),
		cmocka_unit_test(test_content_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
