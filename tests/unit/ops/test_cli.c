/*
 * sally without a Sallyport: tables, what terminals must not get, words and exit
 * statuses, completion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli.h"

static char out[8192];

static const char *printed(format_fn format, const char *json, unsigned int width)
{
	FILE *f = fmemopen(out, sizeof(out), "w");
	struct cli cli = {.out = f, .width = width};
	json_t *o = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_non_null(f);
	assert_non_null(o);
	memset(out, 0, sizeof(out));
	format(&cli, o);
	fclose(f);
	json_decref(o);
	return out;
}

static void test_table(void **state)
{
	static const char drops[] =
		"[{\"port\":\"access\",\"reason\":\"sip_rate\",\"packets\":1234567,\"help\":\"h\"},"
		"{\"port\":\"core\",\"reason\":\"x\",\"packets\":1,\"help\":\"more\"}]";

	assert_string_equal(printed(format_drops, drops, 0),
		"PORT    REASON      PACKETS  WHAT IT MEANS\n"
		"access  sip_rate  1,234,567  h\n"
		"core    x                 1  more\n");
	assert_string_equal(printed(format_drops, drops, 20), "PORT    REASON\n"
							      "access  sip_rate  1,\n"
							      "core    x\n");
	assert_string_equal(printed(format_drops, "[]", 0), "nothing was dropped\n");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *json;
		enum column_kind kind;
		const char *text;
	} cases[] = {
		{"0", COLUMN_NUMBER, "0"},
		{"999", COLUMN_NUMBER, "999"},
		{"1000", COLUMN_NUMBER, "1,000"},
		{"-1000", COLUMN_NUMBER, "-1,000"},
		{"-100", COLUMN_NUMBER, "-100"},
		{"9223372036854775807", COLUMN_NUMBER, "9,223,372,036,854,775,807"},
		{"1023", COLUMN_BYTES, "1023 B"},
		{"1536", COLUMN_BYTES, "1.5 KiB"},
		{"1048576", COLUMN_BYTES, "1.0 MiB"},
		{"2.25", COLUMN_TENTHS, "2.2"},
		{"3", COLUMN_TENTHS, "3.0"},
		{"true", COLUMN_TEXT, "yes"},
		{"null", COLUMN_NUMBER, "-"},
		{"\"a\"", COLUMN_NUMBER, "a"},
		{"\"a\\u001b[2Jb\\u0000\\u009b\\n\\u007f\"", COLUMN_TEXT, "a?[2Jb"},
	};
	char buf[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *v = json_loads(cases[i].json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_non_null(v);
		assert_string_equal(value_text(v, cases[i].kind, buf, sizeof(buf)), cases[i].text);
		json_decref(v);
	}
}

/* Whatever a peer or the socket sends: printable ASCII and ends of lines, no more. */
static void test_hostile_text(void **state)
{
	static const char hostile[] = "\\u001b]0;evil\\u0007\\u009b31m\\u00e9\\r\\n\\t";
	static const format_fn formats[] = {format_status, format_ports, format_graph, format_calls,
		format_call, format_drops, format_stats, format_memory, format_limits,
		format_sources, format_source, format_transactions, format_trace, format_overload};
	char json[1024];

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		snprintf(json, sizeof(json),
			"{\"total\":1,\"version\":\"%s\",\"away\":\"%s\",\"config\":\"%s\","
			"\"%s\":{\"%s\":[\"%s\"]},\"calls\":[{\"id\":\"%s\",\"from\":\"%s\"}],"
			"\"heap\":{\"allocator\":\"%s\"},\"pools\":[{\"name\":\"%s\"}]}",
			hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile,
			hostile, hostile);
		for (const char *p = printed(formats[i], json, 0); *p != '\0'; p++)
			assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
		snprintf(json, sizeof(json),
			"[{\"realm\":\"%s\",\"limits\":{\"%s\":1,\"sip_rate\":{\"rate\":\"%s\"}},"
			"\"classes\":[{\"class\":\"%s\"},1],\"source\":\"%s\"}]",
			hostile, hostile, hostile, hostile, hostile);
		for (const char *p = printed(formats[i], json, 0); *p != '\0'; p++)
			assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
		snprintf(json, sizeof(json),
			"[{\"name\":\"%s\",\"edges\":[\"%s\",1],\"reason\":\"%s\",\"port\":7},1]",
			hostile, hostile, hostile);
		for (const char *p = printed(formats[i], json, 40); *p != '\0'; p++)
			assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
	}
}

static void test_transactions(void **state)
{
	static const char two[] =
		"{\"shards\":[{\"shard\":0,\"room\":200000,\"servers\":1237,\"clients\":9,"
		"\"lingering_room\":1000000,\"lingering_servers\":1234,\"lingering_clients\":9,"
		"\"retransmits_in\":7,\"retransmits_out\":1,\"timeouts\":0,\"refused\":2,"
		"\"oldest\":[{\"kind\":\"server\",\"method\":\"INVITE\",\"state\":\"proceeding\","
		"\"age_ms\":12345}],\"transactions\":[{\"kind\":\"server\",\"method\":\"INVITE\","
		"\"total\":3,\"trying\":0,\"proceeding\":3,\"completed\":0,\"confirmed\":0,"
		"\"accepted\":0,\"terminated\":0}]}]}";

	assert_string_equal(printed(format_transactions, two, 0),
		"SHARD  SERVER  CLIENT  ROOM FOR  LINGERING SERVER  CLIENT   ROOM FOR  "
		"CAME AGAIN  SENT AGAIN  TIMEOUTS  REFUSED  OLDEST SERVER              OLDEST "
		"CLIENT\n"
		"    0       3       0   200,000             1,234       9  1,000,000  "
		"         7           1         0        2  INVITE proceeding, 12.3 s  -\n"
		"\n"
		"SHARD  KIND    METHOD  TRYING  PROCEEDING  COMPLETED  CONFIRMED  ACCEPTED  "
		"TERMINATED  TOTAL\n"
		"    0  server  INVITE       0           3          0          0         0  "
		"         0      3\n");
	assert_non_null(
		strstr(printed(format_transactions, "{\"shards\":[]}", 0), "no transactions"));
}

static void test_overload(void **state)
{
	assert_string_equal(
		printed(format_overload,
			"{\"delay_ms\":100,\"call_rate\":0,\"shards\":[{\"shard\":0,\"wait_ms\":98."
			"76,"
			"\"refused_percent\":45,\"refused_delay\":1234,\"refused_rate\":0,"
			"\"refused_again\":7,\"emergency\":2,\"peers\":[{\"peer\":\"trunk\","
			"\"limited\":true,\"algorithm\":\"loss\",\"value\":20,\"refused\":9}]}]}",
			0),
		"messages may wait      100 ms\n"
		"calls may begin        no limit\n"
		"\n"
		"new requests refused with 503, now and ever\n"
		"SHARD  WAIT MS  REFUSES %  FOR DELAY  FOR RATE  AGAIN  EMERGENCY CALLS\n"
		"    0     98.8         45      1,234         0      7                2\n"
		"\n"
		"peers: loss of so many percent, rate of so many a second\n"
		"SHARD  PEER   LIMITED  BY    TO  REFUSED\n"
		"    0  trunk  yes      loss  20        9\n");
}

static const char ladder[] =
	"{\"id\":\"0-1-a\",\"from\":\"sip:a@x\",\"to\":\"sip:b@y\",\"start\":\"now\","
	"\"state\":\"ended\",\"cause\":null,\"caller\":{\"realm\":\"access\",\"address\":"
	"\"192.0.2.2:5060\"},\"callee\":{\"realm\":\"core\",\"address\":\"198.51.100.2:5060\"},"
	"\"kept_first\":2,\"left_out\":1234,\"messages\":["
	"{\"ms\":0,\"leg\":\"caller\",\"direction\":\"in\",\"method\":\"INVITE\",\"sdp\":true},"
	"{\"ms\":1500,\"leg\":\"callee\",\"direction\":\"out\",\"method\":\"INVITE\","
	"\"again\":true},"
	"{\"ms\":61500,\"leg\":\"callee\",\"direction\":\"in\",\"method\":\"BYE\",\"status\":481,"
	"\"reason\":\"Call/Transaction Does Not Exist\"},"
	"{\"ms\":61501,\"leg\":\"caller\",\"direction\":\"out\",\"method\":\"INVITE\","
	"\"status\":200,\"reason\":\"OK\"}]}";

static void test_ladder(void **state)
{
	FILE *f = fmemopen(out, sizeof(out), "w");
	struct cli cli = {.out = f, .width = 60, .utf8 = true};
	json_t *o = json_loads(ladder, 0, NULL);

	assert_string_equal(printed(format_trace, ladder, 60),
		"call      0-1-a\n"
		"from      sip:a@x\n"
		"to        sip:b@y\n"
		"start     now\n"
		"state     ended\n"
		"caller    access 192.0.2.2:5060\n"
		"callee    core 198.51.100.2:5060\n"
		"\n"
		"       ms caller                 box                 callee\n"
		"        0 |----- INVITE, SDP ---->|                       |\n"
		"    1,500 |                       |.... INVITE, again ...>|\n"
		"          ... 1,234 messages not kept ...\n"
		"   61,500 |                       |<- 481 Call/Transact --|\n"
		"   61,501 |<------ 200 OK --------|                       |\n");
	format_trace(&cli, o);
	fclose(f);
	assert_non_null(strstr(out, "\xe2\x94\x82\xe2\x97\x80\xe2\x94\x80"));
	assert_non_null(strstr(out, "\xe2\x94\x88\xe2\x96\xb6\xe2\x94\x82\n"));
	json_decref(o);
	/* Not a line is wider than the terminal, down to one of 45 columns. */
	for (unsigned int width = 45; width < 140; width++)
		for (const char *p = printed(format_trace, ladder, width); *p != '\0';
			p += strcspn(p, "\n") + 1)
			assert_true(strcspn(p, "\n") <= width);
}

static void test_graph(void **state)
{
	static const char graph[] =
		"[{\"name\":\"drop\",\"calls\":0,\"packets\":0,\"cycles\":0,\"edges\":[]},"
		"{\"name\":\"kernel\",\"calls\":1,\"packets\":1,\"cycles\":5,\"edges\":[\"drop\"]},"
		"{\"name\":\"rx\",\"calls\":2,\"packets\":10,\"cycles\":100,\"edges\":[\"eth\"]},"
		"{\"name\":\"eth\",\"calls\":2,\"packets\":10,\"cycles\":205,"
		"\"edges\":[\"drop\",\"rx\"]}]";

	assert_string_equal(printed(format_graph, graph, 0),
		"NODE               PACKETS  CALLS  PACKETS/CALL  CYCLES/PACKET\n"
		"kernel                   1      1           1.0            5.0\n"
		"   -> drop               0      0           0.0            0.0\n"
		"rx                      10      2           5.0           10.0\n"
		"   -> eth               10      2           5.0           20.5\n"
		"      -> drop, rx\n");
}

static void test_graph_of_a_hundred_nodes(void **state)
{
	json_t *nodes = json_array();
	char name[16], *text;

	for (int i = 0; i < 100; i++) {
		json_t *edges = json_array();

		for (int e = 0; e < 100; e += 7) {
			snprintf(name, sizeof(name), "n%d", (i + e) % 100);
			json_array_append_new(edges, json_string(name));
		}
		snprintf(name, sizeof(name), "n%d", i);
		json_array_append_new(nodes, json_pack("{s:s, s:o}", "name", name, "edges", edges));
	}
	text = json_dumps(nodes, 0);
	assert_non_null(strstr(printed(format_graph, text, 30), "n0"));
	free(text);
	json_decref(nodes);
}

static void test_exit_statuses(void **state)
{
	static const struct {
		const char *words[6];
		unsigned int n;
		int status;
	} cases[] = {
		{{"help"}, 1, CLI_OK},
		{{"show"}, 1, CLI_USAGE},
		{{"show", "nothing"}, 2, CLI_USAGE},
		{{"show", "call"}, 2, CLI_USAGE},
		{{"show", "call", "a", "b"}, 4, CLI_USAGE},
		{{"show", "status", "x"}, 3, CLI_USAGE},
		{{"show", "calls", "0"}, 3, CLI_USAGE},
		{{"show", "calls", "x"}, 3, CLI_USAGE},
		{{"show", "drops", "some"}, 3, CLI_USAGE},
		{{"frobnicate"}, 1, CLI_USAGE},
		{{"trace"}, 1, CLI_USAGE},
		{{"trace", "call"}, 2, CLI_USAGE},
		{{"trace", "packet", "x"}, 3, CLI_USAGE},
		{{"trace", "call", "x", "y"}, 4, CLI_USAGE},
		{{"trace", "call", "\xff"}, 3, CLI_USAGE},
		{{"trace", "call", "x"}, 3, CLI_REFUSED},
		{{"source"}, 1, CLI_USAGE},
		{{"source", "deny"}, 2, CLI_USAGE},
		{{"source", "kill", "192.0.2.1"}, 3, CLI_USAGE},
		{{"source", "deny", "192.0.2.1", "60", "access", "x"}, 6, CLI_USAGE},
		{{"source", "forget", "192.0.2.1", "access", "x"}, 5, CLI_USAGE},
		{{"source", "deny", "\xff"}, 3, CLI_USAGE},
		{{"config"}, 1, CLI_USAGE},
		{{"config", "check"}, 2, CLI_USAGE},
		{{"config", "check", "/nonexistent.yaml"}, 3, CLI_USAGE},
		{{"show", "status"}, 2, CLI_REFUSED},
		{{"show", "calls", "5"}, 3, CLI_REFUSED},
		{{"show", "drops", "all"}, 3, CLI_REFUSED},
		{{"show", "call", "x"}, 3, CLI_REFUSED},
	};
	FILE *null = fopen("/dev/null", "w");
	struct cli cli = {.socket = "/nonexistent/socket", .out = null};

	assert_non_null(null);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (command_run(&cli, cases[i].words, cases[i].n) != cases[i].status)
			fail_msg("case %zu: %s", i, cases[i].words[0]);
	fclose(null);
}

static void test_policing(void **state)
{
	static const char limits[] =
		"[{\"realm\":\"access\",\"trust\":\"untrusted\",\"limits\":{\"sip_rate\":"
		"{\"rate\":50,\"burst\":100},\"address_rate\":{\"rate\":0,\"burst\":0},"
		"\"tcp_byte_rate\":{\"rate\":1000000,\"burst\":1},\"deny_after\":500},"
		"\"classes\":[{\"class\":\"denied\",\"new\":1,\"out_of_dialog\":2,\"dialog\":3,"
		"\"lane\":4,\"refused\":5000}]}]";

	assert_string_equal(printed(format_limits, limits, 0),
		"a second and source, - is no limit\n"
		"REALM   SIP/S  ADDRESS  PREFIX  UNTRUSTED  INVITE  REGISTER  OPTIONS  OTHER  "
		"DIALOG  SYN  TCP BYTES  ICMP  DENY AFTER  SECONDS\n"
		"access     50        -                                                       "
		"             1,000,000               500\n"
		"\n"
		"messages passed to control, and refused\n"
		"REALM   TRUST      SOURCES  NEW  OUT OF DIALOG  DIALOG  LANE  REFUSED\n"
		"access  untrusted  denied     1              2       3     4    5,000\n");
	assert_string_equal(printed(format_sources,
				    "[{\"source\":\"192.0.2.7:5060\",\"realm\":\"access\","
				    "\"class\":\"denied\",\"reason\":\"scan\",\"left_s\":59,"
				    "\"messages\":10,\"refused\":1000}]",
				    0),
		"SOURCE          REALM   CLASS   REASON  LEFT S  MESSAGES  REFUSED\n"
		"192.0.2.7:5060  access  denied  scan        59        10    1,000\n");
	assert_string_equal(printed(format_sources, "[]", 0), "no source stands out\n");
	assert_string_equal(printed(format_source,
				    "{\"source\":\"192.0.2.7\",\"class\":\"denied\","
				    "\"seconds\":60,\"realms\":2}",
				    0),
		"192.0.2.7 is denied for 60 s in 2 realms\n");
	assert_string_equal(printed(format_source,
				    "{\"source\":\"192.0.2.7\",\"class\":\"untrusted\","
				    "\"seconds\":0,\"realms\":2}",
				    0),
		"192.0.2.7 is forgotten\n");
}

static void test_account(void **state)
{
	static const char ports[] =
		"[{\"name\":\"a\",\"in\":1000,\"out\":900,\"dropped\":97,\"difference\":3}]";

	assert_non_null(strstr(printed(format_ports, ports, 0),
		"PORT     IN  = OUT  + DROPPED  + DIFFERENCE\n"
		"a     1,000    900         97             3\n"));
}

static void test_completion(void **state)
{
	const char *show[] = {"show"}, *drops[] = {"show", "drops"}, *source[] = {"source"};

	assert_string_equal(command_complete(NULL, 0, SV("so"), 0), "source");
	assert_string_equal(command_complete(source, 1, SV("p"), 0), "permit");
	assert_string_equal(command_complete(source, 1, SV(""), 2), "forget");
	assert_null(command_complete(source, 1, SV(""), 3));

	assert_string_equal(command_complete(NULL, 0, SV("sh"), 0), "show");
	assert_null(command_complete(NULL, 0, SV("sh"), 1));
	assert_string_equal(command_complete(show, 1, SV("call"), 0), "calls");
	assert_string_equal(command_complete(show, 1, SV("call"), 1), "call");
	assert_string_equal(command_complete(show, 1, SV("st"), 0), "status");
	assert_string_equal(command_complete(show, 1, SV("st"), 1), "stats");
	assert_string_equal(command_complete(drops, 2, SV(""), 0), "all");
	assert_null(command_complete(show, 1, SV("x"), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_graph_of_a_hundred_nodes),
		cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_policing),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
