/* Keys of transactions: what makes them equal, and what must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "txn_key.h"

static const struct txn_secret secret = {{1, 2}};

static struct txn_key key_of(const char *branch, unsigned int realm)
{
	struct sip_path path = {.realm = (uint16_t)realm};
	static struct sip_index idx;
	struct sip_msg *m;
	struct txn_key key;
	char text[512];
	int n = snprintf(text, sizeof(text),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=%s\r\nFrom: "
		"<sip:a@b>;tag=1\r\n"
		"To: <sip:c@d>;tag=2\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		branch);

	assert_int_equal(sip_scan(text, (size_t)n, &idx), SIP_SCAN_NONE);
	m = sip_msg_new(&path, &idx, text, (size_t)n);
	assert_non_null(m);
	assert_int_equal(txn_key_client(&secret, m, &key), 0);
	sip_msg_put(m);
	return key;
}

static bool same(const char *a, const char *b)
{
	struct txn_key x = key_of(a, 0), y = key_of(b, 0);

	return x.h[0] == y.h[0] && x.h[1] == y.h[1];
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* RFC 3261 section 7.3.1: a branch is a token, and those compare without case. */
static void test_letters_have_no_case_and_nothing_else_has(void **state)
{
	static const char tokens[] =
		"-.!%*_+`'~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char a[32], b[32];

	/* Each at every place in a word of eight bytes. */
	for (unsigned int at = 0; at < 9; at++)
		for (const char *x = tokens; *x != '\0'; x++)
			for (const char *y = tokens; *y != '\0'; y++) {
				snprintf(
					a, sizeof(a), "z9hG4bK%.*s%cend", (int)at, "xxxxxxxxx", *x);
				snprintf(
					b, sizeof(b), "Z9HG4BK%.*s%cEND", (int)at, "XXXXXXXXX", *y);
				assert_int_equal(same(a, b), lower(*x) == lower(*y));
			}
}

static void test_length_and_realm_count(void **state)
{
	struct txn_key x = key_of("z9hG4bKa", 0), y = key_of("z9hG4bKa", 1);

	assert_int_not_equal(x.h[0], y.h[0]);
	assert_int_not_equal(x.h[1], y.h[1]);
	assert_false(same("z9hG4bKa", "z9hG4bKaa"));
	assert_false(same("z9hG4bK12345678", "z9hG4bK1234567812345678"));
	assert_true(same("z9hG4bK12345678", "z9hG4bK12345678"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters_have_no_case_and_nothing_else_has),
		cmocka_unit_test(test_length_and_realm_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
