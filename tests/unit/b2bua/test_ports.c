/* Media ports: each pair once, shards apart, orphans kept out, all back at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ports.h"

static const struct net_addr addr = {.bytes = {192, 0, 2, 1}, .family = NET_FAMILY_V4};

static void test_all_once(void **state)
{
	bool seen[100] = {false};
	struct port_pool p;
	uint64_t total = 0;
	bool in_order = true;
	uint16_t last = 0;

	assert_int_equal(port_pool_init(&p, &addr, 20000, 20199, 0, 1, &total), 0);
	for (unsigned int i = 0; i < 100; i++) {
		uint16_t port = port_pool_take(&p);

		assert_true(port >= 20000 && port <= 20198 && port % 2 == 0);
		assert_false(seen[(port - 20000) / 2]);
		seen[(port - 20000) / 2] = true;
		in_order &= port > last;
		last = port;
	}
	assert_false(
		in_order); /* 1 in 100 starts at the first pair; 100 draws all in a row: never */
	assert_int_equal(total, 100);
	assert_int_equal(port_pool_take(&p), 0);
	port_pool_put(&p, 20042);
	assert_int_equal(port_pool_take(&p), 20042);
	for (uint16_t port = 20000; port < 20200; port += 2)
		port_pool_put(&p, port);
	assert_int_equal(total, 0);
	assert_int_equal(p.used, 0);
	port_pool_fini(&p);
}

static void test_shards_apart(void **state)
{
	bool seen[10] = {false};
	unsigned int found = 0;
	uint64_t total = 0;

	/* 10 pairs over 3 shards: 4, 3 and 3. */
	for (unsigned int shard = 0; shard < 3; shard++) {
		struct port_pool p;
		uint16_t port;

		assert_int_equal(port_pool_init(&p, &addr, 30000, 30019, shard, 3, &total), 0);
		assert_int_equal(p.n, shard == 0 ? 4 : 3);
		while ((port = port_pool_take(&p)) != 0) {
			assert_int_equal((port - 30000) / 2 % 3, shard);
			assert_false(seen[(port - 30000) / 2]);
			seen[(port - 30000) / 2] = true;
			found++;
		}
		port_pool_fini(&p);
	}
	assert_int_equal(found, 10);
}

static void test_orphans(void **state)
{
	struct port_pool p;
	uint64_t total = 0;

	assert_int_equal(port_pool_init(&p, &addr, 20000, 20003, 0, 1, &total), 0);
	port_pool_orphan_add(&p, 20000);
	port_pool_orphan_add(&p, 20000); /* twice is once */
	port_pool_orphan_add(&p, 20001);
	port_pool_orphan_add(&p, 19999); /* not of this range */
	port_pool_orphan_add(&p, 20004);
	assert_int_equal(total, 1);
	assert_int_equal(port_pool_take(&p), 20002);
	assert_int_equal(port_pool_take(&p), 0);
	port_pool_orphan_del(&p, 20000);
	assert_int_equal(port_pool_take(&p), 0); /* its RTCP is still there */
	port_pool_orphan_del(&p, 20001);
	assert_int_equal(port_pool_take(&p), 20000);
	port_pool_orphan_del(&p, 20000); /* late news does not free what is taken anew */
	assert_int_equal(port_pool_take(&p), 0);
	assert_int_equal(total, 2);
	port_pool_fini(&p);
}

static void test_empty(void **state)
{
	struct port_pool p;
	uint64_t total = 0;

	assert_int_equal(port_pool_init(&p, &addr, 20000, 20001, 1, 2, &total), 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(port_pool_take(&p), 0);
	port_pool_fini(&p);
	assert_int_equal(port_pool_init(&p, &addr, 0, 0, 0, 1, &total), 0);
	assert_int_equal(port_pool_take(&p), 0);
	port_pool_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_once),
		cmocka_unit_test(test_shards_apart),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
