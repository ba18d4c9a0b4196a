/*
 * Tokens of the dialog lane: what one key and peer make, no other accepts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lane.h"

static const uint64_t key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
static const uint8_t v4[4] = {192, 0, 2, 1};
static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8};

static bool check(const uint64_t k[2], const struct net_addr *peer, const char *text, size_t len)
{
	return lane_token_check(k, peer, (struct str_view){text, len}, NULL);
}

static void test_round(void **state)
{
	const struct net_addr peers[] = {net_addr_v4(v4), net_addr_v6(v6)};
	char text[LANE_TOKEN_LEN + 4] = {0};

	for (unsigned int i = 0; i < ARRAY_LEN(peers); i++) {
		uint64_t nonce = 0;

		lane_token_build(key, &peers[i], 0x1234567890abcdefull, text);
		assert_memory_equal(text, "1234567890abcdef", 16);
		memcpy(text + LANE_TOKEN_LEN, "-x1", 3);
		assert_true(lane_token_check(
			key, &peers[i], (struct str_view){text, LANE_TOKEN_LEN + 3}, &nonce));
		assert_int_equal(nonce, 0x1234567890abcdefull);
		assert_false(check(key, &peers[!i], text, LANE_TOKEN_LEN));
	}
}

static void test_forged(void **state)
{
	const uint64_t other[2] = {key[0], key[1] + 1};
	const struct net_addr peer = net_addr_v4(v4);
	char text[LANE_TOKEN_LEN];

	lane_token_build(key, &peer, 42, text);
	assert_false(check(other, &peer, text, sizeof(text)));
	for (size_t len = 0; len < sizeof(text); len++)
		assert_false(check(key, &peer, text, len));
	for (size_t i = 0; i < sizeof(text); i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			text[i] = (char)c;
			assert_int_equal(check(key, &peer, text, sizeof(text)), text[i] == was);
		}
		text[i] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
