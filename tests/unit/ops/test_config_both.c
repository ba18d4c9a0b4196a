/*
 * The two loaders of the configuration file, control's and the dataplane's: for the same
 * mistake both say the same line, and what the other sections hold is control's alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static char path[] = "/tmp/sallyport-both-XXXXXX";

/* Line numbers in the tables below are of this text. */
static const char good[] = "dataplane:\n"			   /* 1 */
			   "  cores: \"1\"\n"			   /* 2 */
			   "  main_core: \"0\"\n"		   /* 3 */
			   "  idle: adaptive\n"			   /* 4 */
			   "  mbufs: 16384\n"			   /* 5 */
			   "  ports:\n"				   /* 6 */
			   "    - {name: acc, device: net_tap0}\n" /* 7 */
			   "    - name: core\n"			   /* 8 */
			   "      device: net_tap1\n"		   /* 9 */
			   "realms:\n"				   /* 10 */
			   "  - name: access\n"			   /* 11 */
			   "    port: acc\n"			   /* 12 */
			   "    addresses: [192.0.2.1/24]\n"	   /* 13 */
			   "    sip: [\"192.0.2.1:5060\"]\n"	   /* 14 */
			   "    media:\n"			   /* 15 */
			   "      address: 192.0.2.1\n"		   /* 16 */
			   "      ports: 20000-29999\n"		   /* 17 */
			   "ops:\n"				   /* 18 */
			   "  shards: 1\n";			   /* 19 */

struct mistake {
	const char *find, *replace; /* find NULL: replace is the whole file */
	const char *line;	    /* what follows the file's name */
};

static const struct mistake both[] = {
	/* keys, types and counts of the section */
	{"  cores:", "  core:", ":2: dataplane.core: unknown key; did you mean \"cores\"?"},
	{"  idle: adaptive", "  colour: red",
		":4: dataplane.colour: unknown key; the keys here are socket, captures, cores, "
		"main_core, "
		"idle, hugepages, memory_mib, mbufs, flows, sources, ports"},
	{"name: acc, device", "name: acc, devices",
		":7: dataplane.ports[0].devices: unknown key; did you mean \"device\"?"},
	{"  idle: adaptive", "  cores: \"2\"",
		":4: dataplane.cores: key given twice (first on line 2); keep one"},
	{", device: net_tap0", "",
		":7: dataplane.ports[0].device: missing; this key must be given"},
	{"idle: adaptive", "idle: lazy",
		":4: dataplane.idle: \"lazy\" is not known here; one of adaptive, poll"},
	{"mbufs: 16384", "mbufs: 0x4000",
		":5: dataplane.mbufs: \"0x4000\" is not a whole number; write decimal digits"},
	{"mbufs: 16384", "mbufs: 4294967296",
		":5: dataplane.mbufs: 4294967296 is out of range; at most 4294967295 is possible"},
	{"mbufs: 16384", "mbufs: [1]",
		":5: dataplane.mbufs: a list or mapping; a single value belongs here"},
	{"main_core: \"0\"", "main_core:", ":3: dataplane.main_core: empty; a value must be given"},
	{"main_core: \"0\"", "main_core: \"00000000000000000\"",
		":3: dataplane.main_core: 17 characters long; at most 16 are allowed"},
	{"    - {name: acc, device: net_tap0}\n    - name: core\n      device: net_tap1\n",
		"    []\n", ":7: dataplane.ports: list with 0 entries; at least 1 must be given"},
	{"{name: acc, device: net_tap0}", "net_tap0",
		":7: dataplane.ports[0]: not a mapping; write keys and values below it"},
	/* what the schema cannot say */
	{"mbufs: 16384", "mbufs: 5",
		":5: dataplane.mbufs: 5 is out of range; give 1024 to 16777216"},
	{"device: net_tap0", "device: net_tap0, mtu: 100",
		":7: dataplane.ports[0].mtu: 100 is out of range; give 576 to 9000"},
	{"cores: \"1\"", "cores: 3-1",
		":2: dataplane.cores: '3-1' is no list of CPUs; give one such as 1 or 2-5,8 (each "
		"once, at most 64)"},
	{"main_core: \"0\"", "main_core: 0-1",
		":3: dataplane.main_core: '0-1' is no CPU number; give one, such as 0"},
	{"name: core", "name: a_name_that_is_long",
		":8: dataplane.ports[1].name: 'a_name_that_is_long' is no interface name; give 1 "
		"to 15 letters, digits, '.', '_' or '-'"},
	{"name: core", "name: acc",
		":8: dataplane.ports[1].name: 'acc' is taken by ports[0]; give another"},
	{"device: net_tap1", "device: eth0",
		":9: dataplane.ports[1].device: 'eth0' is no device; give a PCI address "
		"(0000:17:00.0) or a DPDK device string (net_af_xdp,iface=eth1)"},
	/* A realm refers to this port: the port comes first. */
	{"name: acc,", "name: \"a c\",",
		":7: dataplane.ports[0].name: 'a c' is no interface name; give 1 to 15 letters, "
		"digits, '.', '_' or '-'"},
	/* the top level */
	{"ops:", "opps:", ":18: opps: unknown key; did you mean \"ops\"?"},
	{"realms:", "reamls:", ":10: reamls: unknown key; did you mean \"realms\"?"},
	{"ops:", "colours:",
		":18: colours: unknown key; the keys here are dataplane, realms, peers, routes, "
		"policies, ops"},
	{"ops:", "realms:", ":18: realms: key given twice (first on line 10); keep one"},
	{NULL,
		"realms: [{name: a, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"], "
		"media: {address: 192.0.2.1, ports: 20000-29999}}]\n",
		":1: dataplane: missing; this key must be given"},
	{NULL, "dataplane:\nrealms: []\n",
		":1: dataplane: not a mapping; write keys and values below it"},
	{NULL, "hello\n", ":1: (file): not a mapping; write keys and values below it"},
	/* YAML, wherever it is bad */
	{"cores: \"1\"", "cores: \"1",
		":3: yaml: did not find expected key while parsing a block mapping; check "
		"indentation, colons and quotes around this line"},
	{"    port: acc", "\tport: acc",
		":12: yaml: found a tab character that violates indentation while scanning a plain "
		"scalar; check indentation, colons and quotes around this line"},
	{"    port: acc", "    port: \x01",
		":12: yaml: control characters are not allowed; the file must be UTF-8 text "
		"without control characters"},
	{"name: core\n", "name: &x core\n      queues: *x\n",
		":9: yaml: aliases (*name) are not supported; write the value out"},
	{"name: access\n    port: acc\n", "name: &x acc\n    port: *x\n",
		":12: yaml: aliases (*name) are not supported; write the value out"},
	{"ops:", "---\nops:",
		":18: yaml: a second document begins here; one file holds one document"},
	{NULL, "", ":1: yaml: the file is empty; it needs the sections dataplane and realms"},
};

/* Mistakes in what only control acts on. */
static const struct mistake control_alone[] = {
	{"port: acc", "prot: acc", ":12: realms[0].prot: unknown key; did you mean \"port\"?"},
	{"shards: 1", "shards: 99",
		":19: ops.shards: 99 is out of range; 1 to 32 threads (default 1)"},
	{"ops:\n  shards: 1", "ops: [a]",
		":18: ops: not a mapping; write keys and values below it"},
};

static int file_make(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int file_remove(void **state)
{
	return unlink(path);
}

static void file_write(const struct mistake *m)
{
	const char *at = m->find != NULL ? strstr(good, m->find) : NULL;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (m->find == NULL) {
		fputs(m->replace, f);
	} else if (at == NULL) {
		fclose(f);
		fail_msg("\"%s\" is not in the good file", m->find);
	} else {
		fprintf(f, "%.*s%s%s", (int)(at - good), good, m->replace, at + strlen(m->find));
	}
	assert_int_equal(fclose(f), 0);
}

/* Load by both. @param of_control, of_dataplane  what each says, "" where it loads. */
static void load(const char *file, char *of_control, char *of_dataplane)
{
	struct dataplane_config *d = dataplane_config_load(file, of_dataplane, CONFIG_ERROR_LEN);
	struct config *c = config_load(file, of_control);

	if (c != NULL)
		of_control[0] = '\0';
	if (d != NULL)
		of_dataplane[0] = '\0';
	config_free(c);
	dataplane_config_free(d);
}

static bool line_is(const char *who, const char *got, const char *file, const char *line)
{
	char want[2 * CONFIG_ERROR_LEN];

	snprintf(want, sizeof(want), "%s%s", line[0] != '\0' ? file : "", line);
	if (strcmp(got, want) == 0)
		return true;
	print_error("%s said \"%s\"\n instead of \"%s\"\n", who, got, want);
	return false;
}

/* @return true when each gives its line, "" for none. */
static bool told(const char *file, const char *control_line, const char *dataplane_line)
{
	char of_control[CONFIG_ERROR_LEN], of_dataplane[CONFIG_ERROR_LEN];
	bool ok;

	load(file, of_control, of_dataplane);
	ok = line_is("control", of_control, file, control_line);
	return line_is("dataplane", of_dataplane, file, dataplane_line) && ok;
}

static void test_good_for_both(void **state)
{
	const struct mistake none = {NULL, good, ""};

	file_write(&none);
	assert_true(told(path, "", ""));
}

static void test_both_say_the_same(void **state)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		file_write(&both[i]);
		bad += !told(path, both[i].line, both[i].line);
	}
	assert_int_equal(bad, 0);
}

static void test_other_sections_are_controls(void **state)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(control_alone); i++) {
		file_write(&control_alone[i]);
		bad += !told(path, control_alone[i].line, "");
	}
	assert_int_equal(bad, 0);
}

static void test_no_file(void **state)
{
	static const char missing[] = ": No such file or directory; name a readable file";
	static const char irregular[] = ": not a regular file; name a YAML file";
	static const char large[] = ": larger than 1 MiB; that is no configuration file";

	assert_true(told("/nonexistent/x.yaml", missing, missing));
	assert_true(told("/", irregular, irregular));
	assert_true(told("/dev/null", irregular, irregular));
	assert_int_equal(truncate(path, (1 << 20) + 1), 0);
	assert_true(told(path, large, large));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_for_both),
		cmocka_unit_test(test_both_say_the_same),
		cmocka_unit_test(test_other_sections_are_controls),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, file_make, file_remove);
}
