/*
 * Sockets under receive queues: what a worker can wait on instead of looking again after a while.
 * net_af_xdp has one for each queue, but no way to ask for it.
 */
#ifndef SALLYPORT_RX_SOCKET_H
#define SALLYPORT_RX_SOCKET_H

#include <stdint.h>

/** Main, right after a queue was set up: know the socket that has come with it, if any. */
void rx_socket_note(uint16_t eth_id, uint16_t queue);

/** @return readable when packets wait in the queue; -1 if it has none. It is the driver's. */
int rx_socket_find(uint16_t eth_id, uint16_t queue);

/** When the ports are closed. */
void rx_socket_fini(void);

#endif
