/*
 * What is decided before DPDK starts: device strings, huge pages, CPU lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu_list.h"
#include "eal.h"

static void device_strings(void **state)
{
	static const struct {
		const char *device, *out, *name;
	} cases[] = {
		{"net_af_xdp,iface=eth1", "net_af_xdp_p3,iface=eth1", "net_af_xdp_p3"},
		{"net_af_packet7,iface=a", "net_af_packet7,iface=a", "net_af_packet7"},
		{"net_tap", "net_tap_p3", "net_tap_p3"},
		{"net_pcap0,rx_pcap=/x,infinite_rx=1", "net_pcap0,rx_pcap=/x,infinite_rx=1",
			"net_pcap0"},
		{"0000:17:00.0", "0000:17:00.0", "0000:17:00.0"},
		{"17:00.0,a=b", "0000:17:00.0,a=b", "0000:17:00.0"},
	};
	char out[128], name[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			eal_device_string(cases[i].device, 3, out, sizeof(out), name, sizeof(name)),
			0);
		assert_string_equal(out, cases[i].out);
		assert_string_equal(name, cases[i].name);
	}
	assert_int_equal(eal_device_string("net_af_xdp,iface=eth1", 3, out, 10, name, sizeof(name)),
		-EINVAL);
	assert_int_equal(
		eal_device_string("net_af_xdp,iface=eth1", 3, out, sizeof(out), name, 10), -EINVAL);
}

static void device_queues(void **state)
{
	static const struct {
		const char *args;
		unsigned int queues;
		int rc;
		const char *out;
	} cases[] = {
		{"net_af_packet_p0,iface=a", 1, 0, "net_af_packet_p0,iface=a"},
		{"net_af_packet_p0,iface=a", 4, 0, "net_af_packet_p0,iface=a,qpairs=4"},
		{"net_af_packet_p0,qpairs=2,iface=a", 2, 0, "net_af_packet_p0,qpairs=2,iface=a"},
		{"net_af_packet_p0,iface=a,qpairs=2", 1, -EINVAL, NULL},
		{"net_af_packet_p0,iface=a,qpairs=1", 2, -EINVAL, NULL},
		{"net_af_xdp_p0,iface=a", 2, 0, "net_af_xdp_p0,iface=a,queue_count=2"},
		{"net_af_xdp_p0,iface=a,start_queue=4,queue_count=8", 8, 0,
			"net_af_xdp_p0,iface=a,start_queue=4,queue_count=8"},
		{"net_af_xdp_p0,iface=a,queue_count=2", 3, -EINVAL, NULL},
		/* Learn it when they are configured. */
		{"net_tap_p0,iface=a", 4, 0, "net_tap_p0,iface=a"},
		{"0000:17:00.0", 4, 0, "0000:17:00.0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char args[64];

		snprintf(args, sizeof(args), "%s", cases[i].args);
		assert_int_equal(
			eal_device_queues(args, sizeof(args), cases[i].queues), cases[i].rc);
		if (cases[i].rc == 0)
			assert_string_equal(args, cases[i].out);
	}
	char tight[] = "net_af_packet_p0,iface=a";

	assert_int_equal(eal_device_queues(tight, sizeof(tight), 2), -ENOSPC);
}

static void file_write(const char *dir, const char *sub, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void pages_make(
	const char *dir, const char *size, const char *free_pages, const char *reserved)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, size);
	assert_int_equal(mkdir(path, 0700), 0);
	file_write(dir, size, "free_hugepages", free_pages);
	file_write(dir, size, "resv_hugepages", reserved);
}

static void pages_remove(const char *dir, const char *size)
{
	static const char *const names[] = {"/free_hugepages", "/resv_hugepages", ""};
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", dir, size, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void huge_pages(void **state)
{
	static const struct {
		const char *pages_2m, *reserved_2m, *pages_1g;
		uint32_t mib;
		unsigned int kib;
	} cases[] = {
		{"256\n", "0\n", "0\n", 512, 2048},
		{"255\n", "0\n", "0\n", 512, 0},
		{"0\n", "0\n", "1\n", 512, 1048576},
		{"1000\n", "0\n", "1\n", 1024, 1048576},
		{"1000\n", "0\n", "1\n", 1025, 2048},
		{"junk\n", "0\n", "\n", 64, 0},
		/* Another process has them and did not touch them yet. */
		{"256\n", "1\n", "0\n", 512, 0},
		{"257\n", "1\n", "0\n", 512, 2048},
		{"1\n", "2\n", "0\n", 1, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char dir[] = "/tmp/sallyport-test-XXXXXX";

		assert_non_null(mkdtemp(dir));
		pages_make(dir, "hugepages-2048kB", cases[i].pages_2m, cases[i].reserved_2m);
		pages_make(dir, "hugepages-1048576kB", cases[i].pages_1g, "0\n");
		assert_int_equal(eal_hugepage_find(dir, cases[i].mib), cases[i].kib);
		pages_remove(dir, "hugepages-2048kB");
		pages_remove(dir, "hugepages-1048576kB");
		rmdir(dir);
	}
	assert_int_equal(eal_hugepage_find("/nonexistent", 64), 0);
}

static void cpu_lists(void **state)
{
	static const struct {
		const char *text, *out; /* out NULL: refused */
	} cases[] = {
		{"1", "1"},
		{"2-5,8", "2,3,4,5,8"},
		{"0,1", "0,1"},
		{"1023", "1023"},
		{"1024", NULL},
		{"", NULL},
		{"1,", NULL},
		{"5-2", NULL},
		{"1,1", NULL},
		{"1-3,2", NULL},
		{"a", NULL},
		{"-1", NULL},
		{"0-64", NULL}, /* more workers than there may be */
		{"99999999999999999999", NULL},
	};
	struct cpu_list l;
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = cpu_list_parse(cases[i].text, &l);

		assert_int_equal(rc, cases[i].out == NULL ? -EINVAL : 0);
		if (rc < 0)
			continue;
		cpu_list_format(&l, text, sizeof(text));
		assert_string_equal(text, cases[i].out);
	}
	assert_int_equal(cpu_list_parse("10-20", &l), 0);
	cpu_list_format(&l, text, 8);
	assert_string_equal(text, "10,11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_strings),
		cmocka_unit_test(device_queues),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(cpu_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
