/*
 * Statistics that main collects. Workers write theirs themselves.
 */
#include "statistics.h"

#include <errno.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_graph.h>
#include <rte_mempool.h>

#include "boundary.h"
#include "dataplane_config.h"
#include "eal.h"
#include "flow.h"
#include "kernel_path.h"
#include "log.h"
#include "netdev.h"
#include "netif.h"
#include "nexthop.h"
#include "police.h"
#include "ports.h"
#include "reassembly.h"
#include "stream_priv.h"
#include "worker.h"

static struct rte_graph_cluster_stats *cluster;
static const struct dataplane_config *config;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct stats_node *node_slot(const char *name)
{
	for (unsigned int i = 0; i < API_NODES_MAX; i++) {
		struct stats_node *n = &stats_region->node[i];

		if (n->name[0] == '\0')
			snprintf(n->name, sizeof(n->name), "%.*s", API_NODE_NAME_MAX - 1, name);
		if (strncmp(n->name, name, sizeof(n->name) - 1) == 0)
			return n;
	}
	return NULL;
}

/* Edges do not change after start. */
static void node_edges(struct stats_node *n, rte_node_t id)
{
	char *names[API_NODES_MAX];
	rte_edge_t count = rte_node_edge_count(id);

	if (count == 0 || count > API_NODES_MAX)
		return;
	rte_node_edge_get(id, names);
	for (rte_edge_t e = 0; e < count; e++) {
		const struct stats_node *to = node_slot(names[e]);

		if (to != NULL)
			n->edges |= 1ull << (to - stats_region->node);
	}
}

static int node_visit(
	bool is_first, bool is_last, void *cookie, const struct rte_graph_cluster_node_stats *s)
{
	struct stats_node *n = node_slot(s->name);

	if (n == NULL)
		return 0;
	if (n->edges == 0)
		node_edges(n, s->id);
	n->calls = s->calls;
	n->packets = s->objs;
	n->cycles = s->cycles;
	return 0;
}

static void pool_set(unsigned int i, const char *name, uint64_t size, uint64_t used, uint64_t bytes)
{
	struct stats_pool *p = &stats_region->pool[i];

	p->size = size;
	p->used = used;
	p->bytes = bytes;
	if (p->name[0] == '\0')
		snprintf(p->name, sizeof(p->name), "%s", name);
}

/* Packets that wait for their like, and the large buffers for the whole. */
static void fragments_refresh(void)
{
	uint64_t used = 0, size = 0, bytes = 0;

	for (unsigned int i = 0; i < n_workers; i++) {
		used += reassembly_held(workers[i].reassembly);
		size += reassembly_held_max(workers[i].reassembly);
		bytes += reassembly_bytes();
	}
	pool_set(4, "fragment", size, used, bytes);
	pool_set(5, "datagram", reassembly_pool->size, rte_mempool_in_use_count(reassembly_pool),
		(uint64_t)reassembly_pool->size *
			(reassembly_pool->header_size + reassembly_pool->elt_size +
				reassembly_pool->trailer_size));
}

static void pools_refresh(void)
{
	uint64_t size = 0, used = 0, bytes = 0;

	pool_set(0, "mbuf", packet_pool->size, rte_mempool_in_use_count(packet_pool),
		(uint64_t)packet_pool->size * (packet_pool->header_size + packet_pool->elt_size +
						      packet_pool->trailer_size));
	pool_set(1, "flow", stats_region->flows, stream_flows_used(),
		(uint64_t)stats_region->flows * FLOW_BYTES);
	pool_set(2, "neighbour", NEXTHOPS_MAX, nexthop_used(),
		(uint64_t)(NEXTHOPS_MAX + 1) * sizeof(struct nexthop));
	for (unsigned int i = 0; i < n_workers; i++) {
		const struct source_table *t = workers[i].police->sources;

		size += source_table_size(t);
		used += source_table_used(t);
		bytes += source_table_bytes(t);
	}
	pool_set(3, "source", size, used, bytes);
	fragments_refresh();
}

static void port_refresh(uint16_t i)
{
	struct stats_port *s = &stats_region->port[i];
	int running = netdev_running(config->ports[i].device);
	struct rte_eth_link link = {0};
	uint16_t mtu;

	if (rte_eth_link_get_nowait(ports[i].eth_id, &link) == 0) {
		s->link_up = running >= 0 ? running > 0 : link.link_status;
		s->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
	if (rte_eth_dev_get_mtu(ports[i].eth_id, &mtu) == 0)
		s->mtu = mtu;
	if (netifs[i].ifindex != 0 && s->twin[0] == '\0')
		snprintf(s->twin, sizeof(s->twin), "%s", ports[i].name);
}

static void ports_describe(void)
{
	for (uint16_t i = 0; i < n_ports; i++) {
		struct stats_port *s = &stats_region->port[i];
		struct rte_eth_dev_info info;

		snprintf(s->device, sizeof(s->device), "%.*s", (int)sizeof(s->device) - 1,
			config->ports[i].device);
		if (rte_eth_dev_info_get(ports[i].eth_id, &info) == 0)
			snprintf(s->driver, sizeof(s->driver), "%s", info.driver_name);
		memcpy(s->mac, ports[i].mac.addr_bytes, sizeof(s->mac));
		s->queues = ports[i].n_rx;
		s->mtu = ports[i].mtu;
		snprintf(s->name, sizeof(s->name), "%s", ports[i].name);
	}
}

int statistics_init(const struct dataplane_config *c)
{
	const char *patterns[] = {"worker-*"};
	const struct rte_graph_cluster_stats_param param = {
		.socket_id = SOCKET_ID_ANY,
		.fn = node_visit,
		.nb_graph_patterns = 1,
		.graph_patterns = patterns,
	};

	config = c;
	stats_region->huge_pages = eal_has_hugepages();
	stats_region->idle_poll = config->idle == IDLE_POLL;
	snprintf(stats_region->memory, sizeof(stats_region->memory), "%s", eal_memory_text());
	ports_describe();
	cluster = rte_graph_cluster_stats_create(&param);
	if (cluster == NULL) {
		log_error("no memory for graph statistics");
		return -ENOMEM;
	}
	statistics_refresh();
	statistics_refresh_slow();
	return 0;
}

void statistics_fini(void)
{
	if (cluster != NULL)
		rte_graph_cluster_stats_destroy(cluster);
	cluster = NULL;
}

void statistics_refresh(void)
{
	pools_refresh();
	stats_region->flows_used = stream_flows_used();
	stats_region->update_ms = now_ms();
}

void statistics_refresh_slow(void)
{
	for (uint16_t i = 0; i < n_ports; i++)
		port_refresh(i);
	rte_graph_cluster_stats_get(cluster, false);
}
