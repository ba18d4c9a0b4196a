/* For tests of the tables alone: fresh ones for each, and nobody who is told of anything. */
#ifndef SALLYPORT_TEST_TABLES_H
#define SALLYPORT_TEST_TABLES_H

#include "boundary.h"
#include "doubles.h"
#include "local.h"
#include "nexthop.h"

void boundary_event(uint8_t group, void *record, size_t len)
{
	fail_msg("no event expected");
}

static int tables_setup(void **state)
{
	dataplane_setup(16);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	kernel_addrs = kernel_gateways = kernel_probes = kernel_vlans = 0;
	return 0;
}

static int tables_teardown(void **state)
{
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

#define TABLES_CASE(fn) cmocka_unit_test_setup_teardown(fn, tables_setup, tables_teardown)

#endif
