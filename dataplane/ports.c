/*
 * Ports: the buffer pool, queues, MTU and link of each device. Main thread, at start.
 */
#include "ports.h"

#include <errno.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane_config.h"
#include "eal.h"
#include "log.h"
#include "netdev.h"
#include "rx_socket.h"
#include "worker.h"

#define RX_DESCRIPTORS 1024
#define TX_DESCRIPTORS 1024
#define TX_RING_SIZE 1024
#define POOL_CACHE 256

struct port ports[API_PORTS_MAX];
unsigned int n_ports;
struct rte_mempool *packet_pool;

static int pool_init(const struct dataplane_config *config)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "sallyport_pkt_meta",
		.size = sizeof(struct pkt_meta),
		.align = _Alignof(struct pkt_meta),
	};
	uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;

	for (unsigned int i = 0; i < config->ports_count; i++) {
		uint32_t frame = config->ports[i].mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;

		room = RTE_MAX(room, RTE_ALIGN_CEIL(frame, 1024u));
	}
	if (rte_mbuf_dynfield_register_offset(&field, PKT_META_OFFSET) < 0) {
		log_error("no room for packet metadata in mbufs");
		return -rte_errno;
	}
	packet_pool = rte_pktmbuf_pool_create("packets", config->mbufs, POOL_CACHE, 0,
		(uint16_t)(room + RTE_PKTMBUF_HEADROOM), (int)rte_socket_id());
	if (packet_pool == NULL) {
		log_error("no memory for %u packet buffers of %u bytes: raise dataplane.memory_mib "
			  "(now %u) or lower dataplane.mbufs",
			config->mbufs, room, config->memory_mib);
		return -ENOMEM;
	}
	return 0;
}

static int queues_setup(uint16_t eth_id, uint16_t n_rx, uint16_t n_tx)
{
	uint16_t rx_desc = RX_DESCRIPTORS, tx_desc = TX_DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(eth_id);
	int rc;

	rc = rte_eth_dev_adjust_nb_rx_tx_desc(eth_id, &rx_desc, &tx_desc);
	for (uint16_t q = 0; rc == 0 && q < n_rx; q++) {
		rc = rte_eth_rx_queue_setup(
			eth_id, q, rx_desc, (unsigned int)socket, NULL, packet_pool);
		if (rc == 0)
			rx_socket_note(eth_id, q);
	}
	for (uint16_t q = 0; rc == 0 && q < n_tx; q++)
		rc = rte_eth_tx_queue_setup(eth_id, q, tx_desc, (unsigned int)socket, NULL);
	return rc;
}

int port_start(uint16_t eth_id, uint16_t n_rx, uint16_t n_tx, uint16_t mtu, bool rx_interrupt)
{
	struct rte_eth_conf conf = {.intr_conf.rxq = rx_interrupt};
	struct rte_eth_dev_info info;
	int rc;

	rc = rte_eth_dev_info_get(eth_id, &info);
	if (rc < 0)
		return rc;
	/* Not of a twin: virtio would take it as leave to hand over packets without checksums. */
	if (!rx_interrupt)
		conf.rxmode.offloads = info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM |
								      RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	if (n_rx > 1 && info.flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	}
	if (mtu >= info.min_mtu && mtu <= info.max_mtu)
		conf.rxmode.mtu = mtu;
	rc = rte_eth_dev_configure(eth_id, n_rx, n_tx, &conf);
	if (rc == 0)
		rc = queues_setup(eth_id, n_rx, n_tx);
	if (rc == 0)
		rc = rte_eth_dev_start(eth_id);
	return rc;
}

/* Worker i sends on queue i. Where there are fewer queues the rest hand over to an owner. */
static int tx_share_init(struct port *p, unsigned int index)
{
	char name[RTE_RING_NAMESIZE];

	p->tx_owner = (uint16_t)(index % n_workers);
	if (p->n_tx >= n_workers)
		return 0;
	p->n_tx = 1;
	snprintf(name, sizeof(name), "tx-%u", index);
	p->tx_ring = rte_ring_create(name, TX_RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	return p->tx_ring == NULL ? -ENOMEM : 0;
}

static int port_init(unsigned int i, const struct dataplane_port_config *c)
{
	struct port *p = &ports[i];
	struct rte_eth_dev_info info;
	int rc;

	snprintf(p->name, sizeof(p->name), "%s", c->name);
	p->mtu = c->mtu;
	p->punt_rate = c->punt_rate;
	rc = rte_eth_dev_get_port_by_name(eal_device_name(i), &p->eth_id);
	if (rc == 0)
		rc = rte_eth_dev_info_get(p->eth_id, &info);
	if (rc < 0) {
		log_error("port %s: no device '%s'; see `dpdk-devbind.py --status` or `ip link`",
			c->name, c->device);
		return -ENODEV;
	}
	if (c->queues > info.max_rx_queues) {
		log_error("port %s: queues is %u but device '%s' has %u at most; lower it", c->name,
			c->queues, c->device, info.max_rx_queues);
		return -EINVAL;
	}
	p->n_rx = c->queues;
	p->spread = p->n_rx >= n_workers;
	/* Some devices pair their queues, so never ask for fewer than rx has. */
	p->n_tx = (uint16_t)RTE_MIN(RTE_MAX(n_workers, c->queues), info.max_tx_queues);
	rc = port_start(p->eth_id, p->n_rx, p->n_tx, p->mtu, false);
	if (rc == 0)
		rc = rte_eth_macaddr_get(p->eth_id, &p->mac);
	if (rc < 0) {
		log_error("port %s: device '%s' does not start: %s%s", c->name, c->device,
			strerror(-rc),
			rc == -ENOMEM ? "; raise dataplane.mbufs or lower queues" : "");
		return rc;
	}
	netdev_keep_quiet(c->device);
	/* Not every device can; the port's own address is enough then. */
	(void)rte_eth_promiscuous_enable(p->eth_id);
	return tx_share_init(p, i);
}

int ports_init(const struct dataplane_config *config)
{
	int rc = pool_init(config);

	for (unsigned int i = 0; rc == 0 && i < config->ports_count; i++) {
		rc = port_init(i, &config->ports[i]);
		if (rc == 0)
			n_ports++;
	}
	if (rc < 0)
		ports_fini();
	return rc;
}

void ports_fini(void)
{
	while (n_ports > 0) {
		struct port *p = &ports[--n_ports];

		rte_eth_dev_stop(p->eth_id);
		rte_eth_dev_close(p->eth_id);
		rte_ring_free(p->tx_ring);
	}
	rx_socket_fini();
	memset(ports, 0, sizeof(ports));
	rte_mempool_free(packet_pool);
	packet_pool = NULL;
}

/* Queue q is worker (port + q) % n_workers's, so that ports with one queue share workers. */
uint16_t port_first_queue(uint16_t port, uint16_t worker)
{
	return (uint16_t)((worker + n_workers - port % n_workers) % n_workers);
}

uint16_t port_queues(uint16_t port, uint16_t worker)
{
	unsigned int first = port_first_queue(port, worker);

	if (first >= ports[port].n_rx)
		return 0;
	return (uint16_t)((ports[port].n_rx - first + n_workers - 1) / n_workers);
}
