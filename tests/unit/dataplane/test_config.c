/*
 * The `dataplane` section: defaults, and one line with file, line and path for each mistake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "attach.h"
#include "base.h"
#include "dataplane_config.h"

static char path[] = "/tmp/sallyport-config-XXXXXX";

static int file_make(void **state)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int file_remove(void **state)
{
	return unlink(path);
}

static struct dataplane_config *load(const char *text, char *error, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	error[0] = '\0';
	return dataplane_config_load(path, error, size);
}

static void defaults(void **state)
{
	char error[CONFIG_ERROR_LEN];
	struct dataplane_config *c = load("dataplane:\n"
					  "  main_core: 0\n"
					  "  cores: 0\n"
					  "  ports:\n"
					  "    - {name: acc, device: \"net_tap\"}\n"
					  "realms:\n"
					  "  - anything: [1, {a: b}]\n",
		error, sizeof(error));

	assert_non_null(c);
	assert_string_equal(c->socket, ATTACH_SOCKET_DEFAULT);
	assert_int_equal(c->idle, IDLE_ADAPTIVE);
	assert_int_equal(c->hugepages, HUGEPAGES_AUTO);
	assert_int_equal(c->memory_mib, 512);
	assert_int_equal(c->mbufs, 16384);
	assert_int_equal(c->flows, 65536);
	assert_int_equal(c->sources, 1000000);
	assert_int_equal(c->ports_count, 1);
	assert_int_equal(c->ports[0].queues, 1);
	assert_int_equal(c->ports[0].mtu, 1500);
	assert_int_equal(c->ports[0].punt_rate, 10000);
	dataplane_config_free(c);
}

#define PORT "  ports:\n    - {name: acc, device: net_tap}\n"

static void mistakes(void **state)
{
	static const struct {
		const char *text, *where, *what;
	} cases[] = {
		{"dataplane:\n  cores: 0\n  speed: 3\n" PORT,
			":3: dataplane.speed: ", "unknown key; the keys here are socket"},
		{"dataplane:\n" PORT "wishes: 1\n",
			":4: wishes: ", "unknown key; the keys here are dataplane, realms"},
		{"dataplane:\n" PORT "  idle: never\n",
			":4: dataplane.idle: ", "one of adaptive, poll"},
		{"dataplane:\n" PORT "  cores: 3-1\n", ":4: dataplane.cores: ", "2-5,8"},
		{"dataplane:\n" PORT "  main_core: 0-1\n", ":4: dataplane.main_core: ", "one"},
		{"dataplane:\n" PORT "  mbufs: 5\n", ":4: dataplane.mbufs: ", "1024 to"},
		{"dataplane:\n  ports:\n    - name: a\n      device: eth0\n",
			":4: dataplane.ports[0].device: ", "PCI address"},
		{"dataplane:\n  ports:\n    - name: a_name_that_is_long\n      device: net_tap\n",
			":3: dataplane.ports[0].name: ", "1 to 15"},
		{"dataplane:\n  ports:\n    - {name: a, device: net_tap0}\n"
		 "    - {name: a, device: net_tap1}\n",
			":4: dataplane.ports[1].name: ", "taken by ports[0]"},
		{"dataplane:\n  ports:\n    - {name: a, device: net_tap0, mtu: 100}\n",
			":3: dataplane.ports[0].mtu: ", "576 to 9000"},
		{"dataplane:\n  ports:\n    - {name: a, device: net_tap0, queues: 17}\n",
			":3: dataplane.ports[0].queues: ", "17 is out of range; give 1 to 16"},
		{"dataplane:\n  ports:\n    - {name: a}\n",
			":3: dataplane.ports[0].device: ", "missing; this key must be given"},
		{"dataplane:\n  cores: 0\n",
			":2: dataplane.ports: ", "missing; this key must be given"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char error[CONFIG_ERROR_LEN];
		struct dataplane_config *c = load(cases[i].text, error, sizeof(error));

		assert_null(c);
		assert_ptr_equal(strstr(error, path), error);
		assert_null(strchr(error, '\n'));
		if (strstr(error, cases[i].where) == NULL || strstr(error, cases[i].what) == NULL)
			fail_msg("case %zu: '%s' lacks '%s' or '%s'", i, error, cases[i].where,
				cases[i].what);
	}
}

static void missing_file(void **state)
{
	char error[CONFIG_ERROR_LEN];

	assert_null(dataplane_config_load("/nonexistent/x.yaml", error, sizeof(error)));
	assert_string_equal(
		error, "/nonexistent/x.yaml: No such file or directory; name a readable file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(missing_file),
	};

	return cmocka_run_group_tests(tests, file_make, file_remove);
}
