/* The sockets that come with receive queues are found, and nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"
#include "rx_socket.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

static void each_queue_has_its_own(void **state)
{
	int plain = socket(AF_INET, SOCK_DGRAM, 0), first, second;

	(void)state;
	rx_socket_note(0, 0);
	assert_int_equal(rx_socket_find(0, 0), -1);
	first = socket(AF_XDP, SOCK_RAW, 0);
	if (first < 0) {
		assert_true(errno == EPERM || errno == EAFNOSUPPORT);
		close(plain);
		printf("skipped: no AF_XDP sockets here: they want CONFIG_XDP_SOCKETS\n");
		skip();
	}
	rx_socket_note(1, 0);
	second = socket(AF_XDP, SOCK_RAW, 0);
	rx_socket_note(1, 3);
	rx_socket_note(2, 0); /* nothing came with that */
	assert_int_equal(rx_socket_find(1, 0), first);
	assert_int_equal(rx_socket_find(1, 3), second);
	assert_int_equal(rx_socket_find(2, 0), -1);
	assert_int_equal(rx_socket_find(0, 0), -1);
	rx_socket_fini();
	assert_int_equal(rx_socket_find(1, 0), -1);
	close(first);
	close(second);
	close(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_queue_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
