/* Devices are claimed by one process at a time, and free again when it is gone. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"
#include "claim.h"
#include "dataplane_config.h"

static int claim(char *device0, char *device1)
{
	char names[2][4] = {"one", "two"};
	struct dataplane_port_config ports[] = {
		{.name = names[0], .device = device0}, {.name = names[1], .device = device1}};
	struct dataplane_config c = {.ports = ports, .ports_count = device1 == NULL ? 1 : 2};

	return claims_init(&c);
}

static const struct {
	char *held[2], *wanted;
	int rc;
} cases[] = {
	{{"net_af_xdp,iface=spt0", NULL}, "net_af_xdp,iface=spt0", -EADDRINUSE},
	{{"net_af_xdp,iface=spt0", NULL}, "net_af_packet,framecnt=64,iface=spt0", -EADDRINUSE},
	{{"net_af_xdp,iface=spt0", "net_af_xdp,iface=spt1"}, "net_af_xdp,iface=spt1", -EADDRINUSE},
	{{"net_af_xdp,iface=spt0", NULL}, "net_af_xdp,iface=spt", 0},
	{{"net_af_xdp,iface=spt0", NULL}, "net_af_xdp,iface=spt00", 0},
	{{"0000:f7:1f.7", NULL}, "f7:1f.7,arg=1", -EADDRINUSE},
	{{"0000:f7:1f.7", NULL}, "0001:f7:1f.7", 0},
	/* Nothing that could be taken twice. */
	{{"net_pcap0,rx_pcap=a", NULL}, "net_pcap0,rx_pcap=a", 0},
};

/* Another process claims; its status is the error number. */
static int claim_elsewhere(char *device)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(-claim(device, NULL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void one_process_a_device(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(claim(cases[i].held[0], cases[i].held[1]), 0);
		assert_int_equal(claim_elsewhere(cases[i].wanted), cases[i].rc);
		claims_fini();
		assert_int_equal(claim_elsewhere(cases[i].wanted), 0);
	}
}

static void one_port_a_device(void **state)
{
	assert_int_equal(claim("net_af_xdp,iface=spt0", "net_af_packet,iface=spt0"), -EADDRINUSE);
	/* Refused as a whole. */
	assert_int_equal(claim_elsewhere("net_af_xdp,iface=spt0"), 0);
}

static void free_after_sigkill(void **state)
{
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		byte = (char)-claim("net_af_xdp,iface=spt0", NULL);
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(claim("net_af_xdp,iface=spt0", NULL), -EADDRINUSE);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(claim("net_af_xdp,iface=spt0", NULL), 0);
	claims_fini();
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_a_device),
		cmocka_unit_test(one_port_a_device),
		cmocka_unit_test(free_after_sigkill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
