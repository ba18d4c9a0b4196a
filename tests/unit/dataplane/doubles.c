#include <unistd.h>

#include <rte_eal.h>

#include "boundary.h"
#include "doubles.h"
#include "local.h"
#include "netif.h"
#include "nexthop.h"
#include "worker.h"

struct worker workers[API_WORKERS_MAX];
unsigned int n_workers;
uint64_t worker_source_key[2];
struct rte_rcu_qsbr *worker_qsbr;
unsigned int graces;

void worker_grace(void)
{
	graces++;
	if (worker_qsbr != NULL)
		rte_rcu_qsbr_synchronize(worker_qsbr, RTE_QSBR_THRID_INVALID);
}

void dataplane_setup(uint32_t flows)
{
	static bool started;
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	if (!started && rte_eal_init(ARRAY_LEN(argv), argv) < 0)
		fail_msg("EAL does not start");
	started = true;
	assert_int_equal(stats_region_init(flows, 0, false), 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct stats_port *p = &stats_region->port[i];

		snprintf(p->name, sizeof(p->name), "port%u", i);
		p->mtu = 1500;
		memcpy(p->mac, "\x02\0\0\0\0\x10", 6);
		p->mac[5] = (uint8_t)(0x10 + i);
	}
	assert_int_equal(netif_init(), 0);
}

struct net_addr test_addr(const char *text)
{
	struct net_addr a = {0};

	assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a), 0);
	return a;
}

struct net_endpoint test_endpoint(const char *text, uint16_t port)
{
	return (struct net_endpoint){.addr = test_addr(text), .port = port};
}

void test_realm(uint16_t realm, uint16_t port, const char *addr, uint32_t idle_ms, uint32_t epoch)
{
	struct rec_realm_set r = {
		.name = "realm", .realm = realm, .port = port, .media_idle_ms = idle_ms};
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = 24};
	struct rec_media_range_set m = {
		.addr = a.addr, .realm = realm, .port_min = 10000, .port_max = 10999};

	r.dscp_media = (uint8_t)(40 + realm);
	assert_int_equal(local_realm_set(&r, epoch), 0);
	assert_int_equal(local_address_set(&a, epoch), 0);
	assert_int_equal(local_media_range_set(&m, epoch), 0);
}

void test_gateway(uint16_t realm, const char *addr, const char *gateway, uint32_t epoch)
{
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = 24};

	if (gateway != NULL)
		a.gateway = test_addr(gateway);
	assert_int_equal(local_address_set(&a, epoch), 0);
}

void test_connected(const char *net, uint8_t len, uint16_t netif)
{
	struct net_addr a = test_addr(net);
	int hop = nexthop_get(NEXTHOP_CONNECTED, netif, &a, 0);

	assert_true(hop > 0);
	assert_int_equal(route_add(&a, len, (uint32_t)hop), 0);
	nexthop_put((uint32_t)hop);
}
