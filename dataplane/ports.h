/*
 * Device ports: what the configuration's ports became. Fixed after start; main
 * writes, workers read.
 */
#ifndef SALLYPORT_PORTS_H
#define SALLYPORT_PORTS_H

#include <rte_ether.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "api_limits.h"
#include "base.h"

/** Packets taken from a queue or given to it at once. */
#define PORT_BURST 32

struct port {
	char name[API_NAME_MAX];
	uint16_t eth_id; /* of the ethdev; its index in `ports` is the id that records use */
	uint16_t mtu;
	struct rte_ether_addr mac;
	uint16_t n_rx;
	bool spread;		  /* a queue or more for each worker: the device shares work out */
	uint16_t n_tx;		  /* queues; worker i sends on queue i if it is below */
	uint32_t punt_rate;	  /* a second */
	struct rte_ring *tx_ring; /* other workers' packets, sent by worker tx_owner; may be NULL */
	uint16_t tx_owner;
};

extern struct port ports[API_PORTS_MAX];
extern unsigned int n_ports;
/** All packet buffers. */
extern struct rte_mempool *packet_pool;

struct dataplane_config;

/** The buffer pool, and all ports of the configuration configured and started. */
int ports_init(const struct dataplane_config *config);
void ports_fini(void);

/** Configure and start one ethdev: also for twins. @return 0 or negative errno. */
int port_start(uint16_t eth_id, uint16_t n_rx, uint16_t n_tx, uint16_t mtu, bool rx_interrupt);

/**
 * The first rx queue of a port that a worker polls, and then every n_workers-th. Not below n_rx:
 * it polls none.
 */
uint16_t port_first_queue(uint16_t port, uint16_t worker);
/** How many rx queues of a port a worker polls. */
uint16_t port_queues(uint16_t port, uint16_t worker);

#endif
