/*
 * Sending with counters, for the tx node and for packets that other workers hand over.
 */
#ifndef SALLYPORT_NODES_TX_H
#define SALLYPORT_NODES_TX_H

#include "worker.h"

/**
 * Give packets to a port on this worker's queue and count them.
 * @return packets taken, the first ones; the rest stays the caller's.
 */
uint16_t tx_send(struct worker *w, uint16_t out, struct rte_mbuf **m, uint16_t n);

#endif
