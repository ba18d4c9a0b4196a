/*
 * A text that is short enough is read 64 characters at once, a longer one by steps: both ways take
 * and refuse the same, wherever the text lies. Each text is made longer by a part that cannot
 * change what the rest means, and changed in every place by what is hostile there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard_page.h"
#include "sip_parse.h"

#define TEXT_MAX 512
#define SIXTY "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

static struct guard guard;
static unsigned long n_taken, n_refused;

/* What may stand behind a text, and in front of it, so that it is longer than 64. */
struct longer {
	const char *before, *behind;
};

typedef void (*agree_fn)(struct str_view text, const struct longer *longer);

static const char hostile[] = {'\0', '\t', '\n', '\r', ' ', '!', '"', '#', '%', '&', '(', ')', '*',
	'+', ',', '-', '.', '/', '0', '2', '3', '5', '6', '9', ':', ';', '<', '=', '>', '?', '@',
	'A', 'Z', '[', '\\', ']', '^', '_', 'a', 'z', '~', 0x7f, (char)0x80, (char)0xff};

/* The text itself, each character replaced, doubled and left out, and cut off everywhere. */
static void for_each_change(const char *text, agree_fn agree, const struct longer *longer)
{
	char changed[TEXT_MAX];
	size_t len = strlen(text);

	agree((struct str_view){text, len}, longer);
	for (size_t at = 0; at < len; at++) {
		memcpy(changed, text, len);
		for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
			changed[at] = hostile[i];
			agree((struct str_view){changed, len}, longer);
		}
		memcpy(changed, text, at);
		memcpy(changed + at, text + at + 1, len - at - 1);
		agree((struct str_view){changed, len - 1}, longer);
		memcpy(changed, text, at + 1);
		memcpy(changed + at + 1, text + at, len - at);
		agree((struct str_view){changed, len + 1}, longer);
		agree((struct str_view){text, at}, longer);
	}
}

/* The text made longer, in storage of this function's. */
static struct str_view lengthen(struct str_view text, const struct longer *longer)
{
	static char buf[2 * TEXT_MAX];
	size_t before = strlen(longer->before), behind = strlen(longer->behind);

	memcpy(buf, longer->before, before);
	if (text.len > 0)
		memcpy(buf + before, text.p, text.len);
	memcpy(buf + before + text.len, longer->behind, behind);
	return (struct str_view){buf, before + text.len + behind};
}

static void assert_same(bool one, bool two, struct str_view text, const char *what)
{
	if (one != two)
		fail_msg("%s: \"%.*s\" is %s, longer it is %s", what, SV_ARG(text),
			one ? "taken" : "refused", two ? "taken" : "refused");
	n_taken += one;
	n_refused += !one;
}

/* Parts of two readings of the same text are at the same place. */
static void assert_part(
	struct str_view a, struct str_view whole_a, struct str_view b, struct str_view whole_b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0 && b.len > 0)
		assert_int_equal(a.p - whole_a.p, b.p - whole_b.p);
}

static void uri_agree(struct str_view text, const struct longer *longer)
{
	struct str_view end = {guard_put(&guard, text.p, text.len), text.len}, all;
	struct sip_uri u, at_end, l;
	bool good = sip_uri_parse(text, &u) == 0;

	assert_same(sip_uri_parse(end, &at_end) == 0, good, text, "at the end of a page");
	/* Headers would stand behind what is added. */
	if (text.len > 0 && memchr(text.p, '?', text.len) != NULL)
		return;
	all = lengthen(text, longer);
	assert_same(good, sip_uri_parse(all, &l) == 0, text, "URI");
	if (!good)
		return;
	assert_int_equal(u.scheme, l.scheme);
	assert_int_equal(u.port, l.port);
	assert_int_equal(u.host_is_v6, l.host_is_v6);
	assert_part(u.user, text, l.user, all);
	assert_part(u.password, text, l.password, all);
	assert_part(u.host, text, l.host, all);
}

static void test_uri(void **state)
{
	static const struct longer params = {"", ";" SIXTY};
	static const char *const uris[] = {
		"sip:alice@example.com",
		"sip:h.example",
		"SIPS:+49.89;x=1@192.0.2.250:5061",
		"sip:a@192.0.2.1:5060;transport=udp;lr",
		"sip:b_1@h;ttl=12;maddr=[::1];a=b=c",
		"sip:gw@[2001:db8::1]:5060;user=phone",
		"sip:%41b:pw@a-b.example.org.;method=INVITE",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uris); i++)
		for_each_change(uris[i], uri_agree, &params);
}

static bool host_is_good(struct str_view text)
{
	struct str_view uri = lengthen(text, &(struct longer){"sip:", ""});
	struct sip_uri u;

	return sip_uri_parse(uri, &u) == 0 && u.host.len == text.len && !u.host_is_v6;
}

/* Names made longer are names still; numbers are what the C library takes for an address. */
static void host_agree(struct str_view text, const struct longer *longer)
{
	struct str_view all = lengthen(text, longer), top = text;
	char copy[TEXT_MAX + 128], number[TEXT_MAX] = "";
	struct in_addr a;
	const char *dot;
	bool name, v4;

	memcpy(copy, all.p, all.len);
	all.p = copy;
	if (text.len > 0)
		memcpy(number, text.p, text.len);
	v4 = strlen(number) == text.len && inet_pton(AF_INET, number, &a) == 1;
	name = text.len > 0 && text.p[text.len - 1] != '.' && host_is_good(all);
	while (top.len > 0 && (dot = memchr(top.p, '.', top.len)) != NULL) {
		top.len -= (size_t)(dot + 1 - top.p);
		top.p = dot + 1;
	}
	if (name && top.len > 0 && top.p[0] >= '0' && top.p[0] <= '9')
		name = false;
	if (text.len > 0 && text.p[text.len - 1] == '.')
		return;
	assert_same(host_is_good(text), name || v4, text, "host");
}

static void test_host(void **state)
{
	static const struct longer label = {"", "." SIXTY ".net"};
	static const char *const hosts[] = {
		"a.b-c.example",
		"h",
		"_sip._udp.x9",
		"1.2.3.4",
		"192.0.2.255",
		"249.250.99.100",
		"0.10.200.259",
		"256.1.1.1",
		"1.2.3.4.5",
		"192.168.2",
		"1234.1.1.1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		for_each_change(hosts[i], host_agree, &label);
}

static void via_agree(struct str_view text, const struct longer *longer)
{
	struct str_view end = {guard_put(&guard, text.p, text.len), text.len}, all;
	struct sip_via v, at_end, l;
	bool good = sip_via_parse(text, &v) == 0;

	assert_same(sip_via_parse(end, &at_end) == 0, good, text, "at the end of a page");
	all = lengthen(text, longer);
	assert_same(good, sip_via_parse(all, &l) == 0, text, "Via");
	if (!good)
		return;
	assert_int_equal(v.port, l.port);
	assert_int_equal(v.has_rport, l.has_rport);
	assert_int_equal(v.rport, l.rport);
	assert_part(v.host, text, l.host, all);
	assert_part(v.branch, text, l.branch, all);
	assert_part(v.received, text, l.received, all);
}

static void test_via(void **state)
{
	static const struct longer params = {"", ";" SIXTY "=" SIXTY};
	static const char *const vias[] = {
		"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
		"SIP / 2.0 / TCP a.example ; received = 192.0.2.9 ;x=\"q;r\\\"\"",
		"SIP/2.0/UDP [2001:db8::1];rport=9;RECEIVED=[::1];branch=a=b",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vias); i++)
		for_each_change(vias[i], via_agree, &params);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void name_addr_agree(struct str_view text, const struct longer *longer)
{
	struct str_view end = {guard_put(&guard, text.p, text.len), text.len}, all;
	struct sip_name_addr n, at_end, l;
	bool good = sip_name_addr_parse(text, &n) == 0;

	assert_same(sip_name_addr_parse(end, &at_end) == 0, good, text, "at the end of a page");
	/* "*" takes no parameters. */
	if (good && n.star)
		return;
	all = lengthen(text, longer);
	assert_same(good, sip_name_addr_parse(all, &l) == 0, text, "name-addr");
	if (!good)
		return;
	assert_part(n.display, text, l.display, all);
	assert_part(n.uri, text, l.uri, all);
}

/* What stands behind a display name that is read by steps means what it means alone. */
static void named_agree(struct str_view text, const struct longer *longer)
{
	struct str_view all = lengthen(text, longer), rest;
	struct sip_name_addr n, l;
	bool good;

	if (text.len == 0 || text.p[0] != '<')
		return;
	good = sip_name_addr_parse(text, &n) == 0;
	assert_same(good, sip_name_addr_parse(all, &l) == 0, text, "named");
	if (!good)
		return;
	rest = (struct str_view){all.p + strlen(longer->before), text.len};
	assert_part(n.uri, text, l.uri, rest);
	assert_part(n.params, text, l.params, rest);
	assert_int_equal(l.display.len, 60);
}

/* Words in front of the bracket: as they are, and behind 60 characters more. */
static void words_agree(struct str_view text, const struct longer *longer)
{
	struct str_view all = lengthen(text, longer), rest = {all.p + 60, text.len};
	struct sip_name_addr n, l;
	bool good;

	if (text.len == 0 || strchr("\"<*", text.p[0]) != NULL ||
		memchr(text.p, '<', text.len) == NULL || is_blank(text.p[0]))
		return;
	good = sip_name_addr_parse(text, &n) == 0;
	assert_same(good, sip_name_addr_parse(all, &l) == 0, text, "words");
	if (!good)
		return;
	assert_int_equal(n.display.len + 60, l.display.len);
	assert_part(n.uri, text, l.uri, rest);
	assert_part(n.params, text, l.params, rest);
}

static void test_name_addr(void **state)
{
	static const struct longer params = {"", ";" SIXTY "=" SIXTY};
	static const struct longer quoted = {"\"" SIXTY "\"  ", ""};
	static const struct longer words = {SIXTY, ""};
	static const char *const texts[] = {
		"<sip:a@b>;tag=1",
		"\"A, \\\"B\\\"\" <sip:a@b>",
		"Ann Bee<sip:a@b;lr>;q=0.5;x",
		"sip:a@b;tag=x",
		"\"\"<sip:a@b>;a=\"b;c\";d",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for_each_change(texts[i], name_addr_agree, &params);
	for_each_change("<sip:a@b;lr> ;tag=1;x=\"y\"", named_agree, &quoted);
	for_each_change("Ann B. \t<sip:a@b> ;q=1", words_agree, &words);
}

/* A name of 60 characters more in quotes: where it ends is the same. */
static void quoted_agree(struct str_view text, const struct longer *longer)
{
	char copy[TEXT_MAX + 128] = "\"";
	struct sip_name_addr n, l;
	struct str_view all = {copy, 0};
	bool good;

	if (text.len == 0)
		return;
	memcpy(copy + 1, text.p, text.len);
	good = sip_name_addr_parse((struct str_view){copy, text.len + 1}, &n) == 0;
	all = lengthen(text, longer);
	assert_same(good, sip_name_addr_parse(all, &l) == 0, text, "quoted name");
	if (!good)
		return;
	assert_int_equal(n.display.len + 60, l.display.len);
	assert_int_equal(n.uri.len, l.uri.len);
}

static void test_quoted(void **state)
{
	static const struct longer name = {"\"" SIXTY, ""};

	(void)state;
	for_each_change("Bob \\\" \\\\\" <sip:a@b>", quoted_agree, &name);
	for_each_change("\"<sip:a@b>;x=\"y\"", quoted_agree, &name);
}

/* Bytes of the first element, by one step a character. */
static size_t first_len(struct str_view v)
{
	char inside = 0; /* '"' or '>': what ends it */

	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (inside == '"' && c == '\\')
			i++;
		else if (inside != 0)
			inside = c == inside ? 0 : inside;
		else if (c == ',')
			return i;
		else if (c == '"')
			inside = '"';
		else if (c == '<')
			inside = '>';
	}
	return v.len;
}

static void list_agree(struct str_view text, const struct longer *longer)
{
	struct str_view all = lengthen(text, longer), rest = all, item;
	size_t n = first_len(all);

	assert_true(sip_list_next(&rest, &item));
	while (n > 0 && is_blank(all.p[n - 1]))
		n--;
	assert_int_equal(item.p - all.p, 0);
	assert_int_equal(item.len, n);
	n_taken++;
}

static void test_list(void **state)
{
	/* Around the 64th and the 128th character. */
	static const struct longer shifts[] = {
		{"x", ""}, {SIXTY, ""}, {SIXTY SIXTY, ", z"}, {"x" SIXTY, SIXTY ", z"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shifts); i++) {
		for_each_change("a <sip:b,c@d>;e=\"f\\\",g\",h", list_agree, &shifts[i]);
		for_each_change("<sip:" SIXTY ",>,<sip:b>, c", list_agree, &shifts[i]);
	}
}

static void test_number(void **state)
{
	static const char digits[] = "00000429496729600000";
	uint32_t n;

	(void)state;
	for (size_t from = 0; from < sizeof(digits) - 1; from++) {
		for (size_t len = 1; from + len < sizeof(digits); len++) {
			char text[sizeof(digits)];
			unsigned long long value;
			struct str_view v;
			int err;

			snprintf(text, sizeof(text), "%.*s", (int)len, digits + from);
			value = strtoull(text, NULL, 10);
			v = (struct str_view){guard_put(&guard, text, len), len};
			err = sip_uint_parse(v, UINT32_MAX, &n);
			assert_int_equal(err, value > UINT32_MAX ? -ERANGE : 0);
			assert_true(err != 0 || n == value);
			for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
				char c = hostile[i], was = text[len / 2];

				text[len / 2] = c;
				v.p = guard_put(&guard, text, len);
				if ((c < '0' || c > '9') && !is_blank(c))
					assert_int_equal(
						sip_uint_parse(v, UINT32_MAX, &n), -EBADMSG);
				text[len / 2] = was;
			}
		}
	}
}

/* Behind an empty line all lines are read by steps. */
static void scan_agree(struct str_view text, const struct longer *longer)
{
	struct str_view all = lengthen(text, longer), l_uri, uri;
	struct sip_index a, b;

	/* These would be empty lines, or end one. */
	if (text.len == 0 || text.p[0] == '\r' || text.p[0] == '\n')
		return;
	(void)sip_scan(text.p, text.len, &a);
	(void)sip_scan(all.p, all.len, &b);
	assert_same(a.error == 0, b.error == 0, text, "message");
	assert_int_equal(a.error, b.error);
	assert_int_equal(a.status, b.status);
	assert_int_equal(a.method, b.method);
	assert_int_equal(a.cseq, b.cseq);
	assert_int_equal(a.has_to_tag, b.has_to_tag);
	uri = sip_span_view(text.p, a.uri);
	l_uri = sip_span_view(all.p, b.uri);
	assert_part(uri, text, l_uri, (struct str_view){all.p + 2, text.len});
	assert_int_equal(a.call_id.len, b.call_id.len);
	assert_int_equal(a.branch.len, b.branch.len);
	assert_int_equal(a.from_tag.len, b.from_tag.len);
	assert_int_equal(a.body.len, b.body.len);
	assert_int_equal(a.n_headers, b.n_headers);
	for (unsigned int i = 0; i < a.n_headers; i++) {
		assert_int_equal(a.headers[i].id, b.headers[i].id);
		assert_int_equal(a.headers[i].name_len, b.headers[i].name_len);
		assert_int_equal(a.headers[i].name_off + 2, b.headers[i].name_off);
		assert_int_equal(a.headers[i].value_off + 2, b.headers[i].value_off);
		assert_int_equal(a.headers[i].value_len, b.headers[i].value_len);
	}
}

static void test_scan(void **state)
{
	static const struct longer empty_line = {"\r\n", ""};
	static const char *const messages[] = {
		"INVITE sip:a@b;x=" SIXTY " SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bK1\r\n"
		"f: Ann <sip:a@b>;tag=1\r\nTo:<sip:c@d>\r\nCall-ID: 1@h\r\nCSeq: 1 INVITE\r\n"
		"X-Y: z\r\nl: 4\r\n\r\na\r\nb",
		"SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 12345678 BYE\r\nSubject: \r\nTo: "
		"b:c;tag=2\r\n"
		"From: \"A\" <b:c>;tag=3\r\nVia: SIP/2.0/UDP 1.2.3.4;rport;branch=x\r\nA: b\r\n\r\n"
		"v=0\r\n\r\no=1 and more of a body that is longer than sixty-four characters\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		for_each_change(messages[i], scan_agree, &empty_line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_name_addr),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_scan),
	};
	int failed;

	guard = guard_new(2 * TEXT_MAX);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%lu taken, %lu refused\n", n_taken, n_refused);
	guard_free(&guard);
	return failed;
}
