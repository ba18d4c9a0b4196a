/* The Internet checksum beside the plain way of RFC 1071, over every length and alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/checksum.h"

/* RFC 1071 section 4.1, in the byte order of the network. */
static uint16_t plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t fold(uint64_t sum)
{
	uint16_t folded = checksum_fold(sum);
	uint8_t bytes[2];

	memcpy(bytes, &folded, sizeof(bytes));
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The text ends where the memory does: the sanitizers see what is read beyond. */
static void check(size_t len, size_t offset, bool ones)
{
	uint8_t *p = malloc(offset + len + 1);

	assert_non_null(p);
	p++; /* malloc's alignment is not the packet's */
	for (size_t i = 0; i < offset + len; i++)
		p[i] = ones ? 0xff : (uint8_t)(i * 151 ^ i >> 3);
	assert_int_equal(fold(checksum_sum(p + offset, len)), plain(p + offset, len));
	free(p - 1);
}

static void test_every_length(void **state)
{
	for (size_t len = 0; len < 400; len++) {
		for (size_t offset = 0; offset < 8; offset++)
			check(len, offset, false);
		check(len, 0, true);
	}
	check(65535, 0, false);
	check(65535, 0, true);
}

/* A datagram is right with its checksum and wrong with any other. */
static void test_udp(void **state)
{
	static const uint8_t addresses[8] = {192, 0, 2, 1, 198, 51, 100, 7};

	for (uint16_t payload = 0; payload < 200; payload++) {
		uint16_t len = (uint16_t)(8 + payload);
		uint8_t udp[8 + 200] = {0x13, 0xc4, 0x13, 0xc4, (uint8_t)(len >> 8), (uint8_t)len};
		uint8_t pseudo[12 + sizeof(udp)];
		uint16_t sum;

		for (uint16_t i = 0; i < payload; i++)
			udp[8 + i] = (uint8_t)(i * 37);
		memcpy(pseudo, addresses, 8);
		memcpy(pseudo + 8, (const uint8_t[]){0, 17, udp[4], udp[5]}, 4);
		memcpy(pseudo + 12, udp, len);
		sum = (uint16_t)~plain(pseudo, 12u + len);
		udp[6] = (uint8_t)(sum >> 8);
		udp[7] = (uint8_t)sum;
		assert_true(checksum_udp_valid(addresses, sizeof(addresses), udp, len));
		udp[6] ^= 0x10;
		assert_false(checksum_udp_valid(addresses, sizeof(addresses), udp, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
