/*
 * The allow-list: which header crosses in which message, and what of its value. `in` comes from
 * a realm that says "inside" wherever it can; nothing of that may be left.
 */
#include "lab.h"
#include "b2bua_priv.h"
#include "headers.h"

static struct config_realm from, to;
static struct net_endpoint here;
static const struct crossing way = {&from, &to, &here};

struct row {
	const char *start;     /* method or status line */
	const char *in, *want; /* header lines */
	bool trusted;
};

#define STATUS(s, method) s " " method

static const struct row rows[] = {
	/* Everything that is not listed stays behind. */
	{"INVITE",
		"X-Inside: a\r\nServer: inside\r\nUser-Agent: inside\r\nVia: SIP/2.0/UDP inside\r\n"
		"Record-Route: <sip:inside;lr>\r\nRoute: <sip:inside>\r\nOrganization: inside\r\n"
		"Warning: 399 inside \"inside\"\r\nCall-Info: <http://inside>\r\n"
		"Alert-Info: <http://inside>\r\nError-Info: <sip:inside>\r\nAllow: PRACK\r\n"
		"In-Reply-To: 1@inside\r\nIdentity: inside\r\nP-Preferred-Identity: "
		"<sip:inside>\r\n"
		"P-Charging-Vector: icid-value=1;orig-ioi=inside\r\nPath: <sip:inside>\r\n"
		"P-Access-Network-Info: inside\r\nTarget-Dialog: 1@inside;local-tag=2\r\n"
		"Contact: <sip:inside>\r\nGeolocation: <sip:inside>\r\nX-Foo : inside\r\n",
		"", true},
	{"INVITE", "Subject: tea\r\nPriority: urgent\r\nPrivacy: id\r\n",
		"Subject: tea\r\nPrivacy: id\r\nPriority: urgent\r\n", false},
	{"INVITE", "Subject: call 10.0.0.7:5060, now\r\nPriority: [2001:db8::7]\r\n", "", false},
	{"INVITE", "Subject: 10.0.0 at 12:30:45, ad: f.\r\n",
		"Subject: 10.0.0 at 12:30:45, ad: f.\r\n", false},
	{"INVITE", "Subject: +49.89.123.45, version v1.2.3.4\r\n",
		"Subject: +49.89.123.45, version v1.2.3.4\r\n", false},
	{"INVITE", "Subject: +49 10.0.0.7\r\nPriority: a%4010.0.0.7\r\n", "", false},
	{"INVITE", "Subject: sip:10.0.0.7\r\nPriority: pbx.10.0.0.7\r\n", "", false},
	/* Names: user and display stay, the host is ours. */
	{"INVITE",
		"P-Asserted-Identity: \"A\" <sip:+4930@inside:5070;x=inside>, <sip:a@inside>\r\n",
		"P-Asserted-Identity: \"A\" <sip:+4930@192.0.2.1>\r\n"
		"P-Asserted-Identity: <sip:a@192.0.2.1>\r\n",
		true},
	{"INVITE", "P-Asserted-Identity: <sip:a@inside>\r\n", "", false},
	{STATUS("200", "INVITE"), "P-Asserted-Identity: <sip:a@inside>\r\n",
		"P-Asserted-Identity: <sip:a@192.0.2.1>\r\n", true},
	{"INVITE", "Diversion: <sip:4711@inside>;reason=user-busy;counter=2;x=inside;screen=no\r\n",
		"Diversion: <sip:4711@192.0.2.1>;reason=user-busy;counter=2;screen=no\r\n", true},
	{"INVITE", "Diversion: <sip:4711@inside>;reason=\"at inside\"\r\n",
		"Diversion: <sip:4711@192.0.2.1>\r\n", true},
	{"INVITE", "Diversion: <sip:4711@inside>\r\n", "", false},
	{"INVITE",
		"History-Info: <sip:a@inside?Reason=SIP%3Bcause%3D302>;index=1, "
		"<sip:b@inside?Privacy=history>;index=1.1,<sip:c@inside>;index=1.2;rc=1;x="
		"inside\r\n",
		"History-Info: <sip:a@192.0.2.1>;index=1\r\n"
		"History-Info: <sip:c@192.0.2.1>;index=1.2;rc=1\r\n",
		true},
	{"INVITE", "History-Info: <sip:a@inside>;index=1\r\n", "", false},
	{"REFER", "Referred-By: <sip:a@inside>;cid=\"1@inside\"\r\n",
		"Referred-By: <sip:a@192.0.2.1>\r\n", false},
	{"MESSAGE", "Referred-By: <sip:a@inside>\r\n", "", false},
	{STATUS("302", "INVITE"),
		"Contact: <sip:b@inside:5070;transport=tcp?Route=inside>;q=0.7, \"C\" <tel:+49>, "
		"<mailto:x@inside>, <http://inside>\r\n",
		"Contact: <sip:b@192.0.2.1>;q=0.7\r\nContact: \"C\" <sip:+49@192.0.2.1>\r\n",
		false},
	{STATUS("200", "INVITE"), "Contact: <sip:b@inside>\r\n", "", false},
	{STATUS("485", "INVITE"), "Contact: <sip:b@inside>\r\n", "", false},
	/* Words and numbers, without what may stand beside them. */
	{STATUS("486", "INVITE"), "Reason: Q.850 ;cause=17;text=\"inside\", SIP;cause=486\r\n",
		"Reason: Q.850;cause=17\r\n", false},
	{STATUS("486", "INVITE"), "Reason: inside\r\n", "", false},
	{STATUS("503", "INVITE"), "Retry-After: 18 (at inside);duration=3600\r\n",
		"Retry-After: 18\r\n", false},
	{"INVITE", "Retry-After: 18\r\n", "", false},
	{STATUS("423", "SUBSCRIBE"), "Min-Expires: 60\r\n", "Min-Expires: 60\r\n", false},
	{"SUBSCRIBE", "Event: dialog;call-id=\"1@inside\";to-tag=2;id=7\r\nExpires: 60\r\n",
		"Event: dialog;id=7\r\nExpires: 60\r\n", false},
	{"INVITE", "Event: dialog\r\n", "", false},
	{"NOTIFY", "Subscription-State: terminated;reason=rejected;retry-after=5;x=inside\r\n",
		"Subscription-State: terminated;reason=rejected;retry-after=5\r\n", false},
	{"SUBSCRIBE", "Subscription-State: active\r\n", "", false},
	{"PUBLISH", "SIP-If-Match: 4x\r\n", "SIP-If-Match: 4x\r\n", false},
	{STATUS("200", "PUBLISH"), "SIP-ETag: 4x\r\n", "SIP-ETag: 4x\r\n", false},
	{"SUBSCRIBE", "Allow-Events: presence;x=inside, dialog, \"inside\"\r\n",
		"Allow-Events: presence, dialog\r\n", false},
	{"REFER", "Refer-Sub: false;x=inside\r\n", "Refer-Sub: false\r\n", false},
	{"INFO", "Info-Package: foo;x=inside\r\nRecv-Info: a, b\r\n",
		"Info-Package: foo\r\nRecv-Info: a, b\r\n", false},
	/* Extensions: those that the box keeps whole. */
	{"INVITE", "Supported: 100rel, norefersub, path, EventList\r\nRequire: norefersub\r\n",
		"Require: norefersub\r\nSupported: norefersub, EventList\r\n", false},
	{"INVITE", "Supported: 100rel\r\n", "", false},
	{STATUS("420", "INVITE"), "Unsupported: norefersub, inside\r\n",
		"Unsupported: norefersub\r\n", false},
	/* Digests go through; the list of servers does not. */
	{STATUS("401", "INVITE"),
		"WWW-Authenticate: Digest realm=\"r, s\", Domain = \"sip:inside\", nonce=\"n\","
		"qop=\"auth\"\r\n",
		"WWW-Authenticate: Digest realm=\"r, s\", nonce=\"n\", qop=\"auth\"\r\n", false},
	{STATUS("407", "INVITE"), "Proxy-Authenticate: Digest domain=\"inside\",realm=\"r\"\r\n",
		"Proxy-Authenticate: Digest realm=\"r\"\r\n", false},
	{STATUS("403", "INVITE"), "WWW-Authenticate: Digest realm=\"inside\"\r\n", "", false},
	{STATUS("401", "REGISTER"),
		"WWW-Authenticate: Digest realm=\"r, s\", nonce = \"n\", Digest  algorithm=SHA-256,"
		"x=inside,domain=\"inside\", realm=\"t\",Bearer authz_server=\"https://inside\", "
		"digest nonce=\"Digest a=b\"\r\n",
		"WWW-Authenticate: Digest realm=\"r, s\", nonce=\"n\"\r\n"
		"WWW-Authenticate: Digest algorithm=SHA-256, realm=\"t\"\r\n"
		"WWW-Authenticate: Digest nonce=\"Digest a=b\"\r\n",
		false},
	{STATUS("401", "REGISTER"), "WWW-Authenticate: Bearer authz_server=\"inside\"\r\n", "",
		false},
	{"REGISTER",
		"Authorization: Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"sip:10.0.0.1\","
		"response=\"1\", integrity-protected=\"yes\", x=inside, nc=00000001\r\n"
		"Authorization: Bearer inside\r\n",
		"Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", "
		"uri=\"sip:10.0.0.1\", response=\"1\", nc=00000001\r\n",
		false},
	{"MESSAGE", "Authorization: Digest username=\"a\"\r\n",
		"Authorization: Digest username=\"a\"\r\n", false},
	/* Not a scheme alone. */
	{"MESSAGE", "Authorization: Digest x=inside\r\nProxy-Authorization: Digest\r\n", "", false},
	{STATUS("401", "INVITE"), "WWW-Authenticate: Digest domain=\"sip:inside\"\r\n", "", false},
};

static struct sip_msg *message(const struct row *r)
{
	static const struct sip_path path;
	static struct sip_index idx;
	char text[2048];
	bool response = r->start[0] >= '0' && r->start[0] <= '9';
	const char *method = response ? r->start + 4 : r->start;
	int n = snprintf(text, sizeof(text),
		response ? "SIP/2.0 %.3s x\r\n" : "%s sip:a@192.0.2.1 SIP/2.0\r\n", r->start);

	n += snprintf(text + n, sizeof(text) - (size_t)n,
		"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@inside>;tag=1\r\n"
		"To: <sip:b@inside>;tag=2\r\nCall-ID: 1@inside\r\nCSeq: 1 %s\r\n%s\r\n",
		method, r->in);
	(void)sip_scan(text, (size_t)n, &idx);
	return sip_msg_new(&path, &idx, text, (size_t)n);
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sip_msg *in = message(&rows[i]);
		struct sip_writer w;
		char out[2048];

		from.trust = to.trust = rows[i].trusted ? TRUST_TRUSTED : TRUST_UNTRUSTED;
		sip_writer_init(&w, out, sizeof(out) - 1);
		headers_pass(&w, in, &way);
		sip_msg_put(in);
		assert_false(w.failed);
		out[w.len] = '\0';
		if (strcmp(out, rows[i].want) != 0)
			fail_msg("row %zu, %s: %sgives:\n%swanted:\n%s", i, rows[i].start,
				rows[i].in, out, rows[i].want);
	}
}

/* One trusted realm is not enough. */
static void test_trust_of_both(void **state)
{
	static const struct row row = {
		"INVITE", "P-Asserted-Identity: <sip:a@inside>\r\n", "", true};

	for (unsigned int i = 0; i < 2; i++) {
		struct sip_msg *in = message(&row);
		struct sip_writer w;
		char out[256];

		from.trust = i == 0 ? TRUST_TRUSTED : TRUST_UNTRUSTED;
		to.trust = i == 0 ? TRUST_UNTRUSTED : TRUST_TRUSTED;
		sip_writer_init(&w, out, sizeof(out));
		headers_pass(&w, in, &way);
		assert_int_equal(w.len, 0);
		sip_msg_put(in);
	}
}

/* The address that the core asked is hashed: its credentials stay with it, not those of others. */
static void test_uri_of_credentials(void **state)
{
	static const struct {
		const char *uri;
		bool crosses;
	} cases[] = {{"sip:1@10.0.0.1:5060", false}, {"sip:[2001:db8::1]", false}, {"", false},
		{"inside", false}, {"sip:1@provider.example", true}};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++)
		for (unsigned int i = 0; i < 4; i++) {
			char line[128], out[256];
			const struct row row = {"INVITE", line, "", true};
			struct sip_writer w;
			struct sip_msg *in;

			snprintf(line, sizeof(line),
				"Proxy-Authorization: Digest username=\"a\", uri=\"%s\"\r\n",
				cases[c].uri);
			in = message(&row);
			from.trust = i & 1 ? TRUST_TRUSTED : TRUST_UNTRUSTED;
			to.trust = i & 2 ? TRUST_TRUSTED : TRUST_UNTRUSTED;
			sip_writer_init(&w, out, sizeof(out));
			headers_pass(&w, in, &way);
			sip_msg_put(in);
			assert_int_equal(w.len, i != 1 || cases[c].crosses ? strlen(line) : 0);
			assert_memory_equal(out, line, w.len);
		}
}

/* Names that name a place themselves: what is left of them on the way from a trusted to an
 * untrusted realm. Whom a 3xx names is called by the user part, so that stays. */
static void test_places(void **state)
{
	static const struct {
		const char *name, *shown, *hidden, *reached;
	} cases[] = {
		{"\"A at PBX.inside.\" <sip:a@pbx.inside>",
			"\"A at PBX.inside.\" <sip:a@192.0.2.1>", "<sip:a@192.0.2.1>",
			"<sip:a@192.0.2.1>"},
		{"\"10.0.0.7\" <sip:10.0.0.7@10.0.0.7>", "\"10.0.0.7\" <sip:10.0.0.7@192.0.2.1>",
			"<sip:192.0.2.1>", "<sip:10.0.0.7@192.0.2.1>"},
		{"\"x (2001:db8::7)\" <sip:pbx.inside@pbx.inside>",
			"\"x (2001:db8::7)\" <sip:pbx.inside@192.0.2.1>", "<sip:192.0.2.1>",
			"<sip:pbx.inside@192.0.2.1>"},
		{"<sip:a%40pbx.inside@pbx.inside>", "<sip:a%40pbx.inside@192.0.2.1>",
			"<sip:192.0.2.1>", "<sip:a%40pbx.inside@192.0.2.1>"},
		{"<sip:10%4010.0.0.7@pbx.inside>", "<sip:10%4010.0.0.7@192.0.2.1>",
			"<sip:192.0.2.1>", "<sip:10%4010.0.0.7@192.0.2.1>"},
		{"<sip:a%20b@pbx.inside>", "<sip:a%20b@192.0.2.1>", "<sip:a%20b@192.0.2.1>",
			"<sip:a%20b@192.0.2.1>"},
		{"<sip:+49.89.123.45@pbx.inside>", "<sip:+49.89.123.45@192.0.2.1>",
			"<sip:+49.89.123.45@192.0.2.1>", "<sip:+49.89.123.45@192.0.2.1>"},
		{"\"inside\" <sip:inside@inside>", "\"inside\" <sip:inside@192.0.2.1>",
			"\"inside\" <sip:inside@192.0.2.1>", "\"inside\" <sip:inside@192.0.2.1>"},
	};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++)
		for (unsigned int i = 0; i < 8; i++) {
			bool redirects = i & 4, secret = (i & 3) == 1;
			const char *header = redirects ? "Contact" : "Referred-By", *want;
			char line[128], out[256], wanted[256];
			const struct row row = {
				redirects ? STATUS("302", "INVITE") : "REFER", line, "", true};
			struct sip_writer w;
			struct sip_msg *in;

			snprintf(line, sizeof(line), "%s: %s\r\n", header, cases[c].name);
			want = redirects ? cases[c].reached : cases[c].hidden;
			snprintf(wanted, sizeof(wanted), "%s: %s\r\n", header,
				secret ? want : cases[c].shown);
			in = message(&row);
			from.trust = i & 1 ? TRUST_TRUSTED : TRUST_UNTRUSTED;
			to.trust = i & 2 ? TRUST_TRUSTED : TRUST_UNTRUSTED;
			sip_writer_init(&w, out, sizeof(out) - 1);
			headers_pass(&w, in, &way);
			sip_msg_put(in);
			out[w.len] = '\0';
			assert_string_equal(out, wanted);
		}
}

/* Lists without end, values that are none: nothing is written that a parser would not take. */
static void test_hostile_values(void **state)
{
	static const char *const names[] = {"P-Asserted-Identity", "Diversion", "History-Info",
		"Referred-By", "Reason", "Retry-After", "Event", "Allow-Events", "Supported",
		"Authorization"};
	static const char *const values[] = {"", ";", ",", ",,", "<", "<>", "\"", "a;b;c",
		"<sip:", "=", "<sip:a@b>;index=", "Q.850;cause=", "99999999999", "-1", "Digest",
		"a\r\n b"};

	from.trust = to.trust = TRUST_TRUSTED;
	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			char line[256], out[2048];
			struct row row = {"REFER", line, "", true};
			static struct sip_index idx;
			struct sip_msg *in;
			struct sip_writer w;

			snprintf(line, sizeof(line), "%s: %s\r\n", names[n], values[v]);
			in = message(&row);
			sip_writer_init(&w, out, sizeof(out));
			sip_write_raw(&w,
				SV("REFER sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z\r\n"
				   "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\n"
				   "CSeq: 1 REFER\r\n"));
			headers_pass(&w, in, &way);
			sip_write_raw(&w, SV("\r\n"));
			assert_false(w.failed);
			assert_int_equal(sip_scan(out, w.len, &idx), SIP_SCAN_NONE);
			sip_msg_put(in);
		}
}

static int setup(void **state)
{
	here.port = 5060;
	return net_addr_parse(SV("192.0.2.1"), &here.addr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_trust_of_both),
		cmocka_unit_test(test_uri_of_credentials),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_hostile_values),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
