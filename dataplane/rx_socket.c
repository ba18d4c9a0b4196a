/*
 * DPDK's net_af_xdp offers no receive interrupts, yet the kernel wakes who polls its sockets. They
 * are found as the descriptors that a queue's setup has added.
 */
#include "rx_socket.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api_limits.h"
#include "base.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

static struct rx_socket {
	uint16_t eth_id, queue;
	int fd;
} sockets[API_PORTS_MAX * API_QUEUES_MAX];
static unsigned int n_sockets;

static bool is_new(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	for (unsigned int i = 0; i < n_sockets; i++) {
		if (sockets[i].fd == fd)
			return false;
	}
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

void rx_socket_note(uint16_t eth_id, uint16_t queue)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir != NULL && n_sockets < ARRAY_LEN(sockets) && (entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || !is_new(fd))
			continue;
		sockets[n_sockets++] =
			(struct rx_socket){.eth_id = eth_id, .queue = queue, .fd = fd};
		break;
	}
	if (dir != NULL)
		closedir(dir);
}

int rx_socket_find(uint16_t eth_id, uint16_t queue)
{
	for (unsigned int i = 0; i < n_sockets; i++) {
		if (sockets[i].eth_id == eth_id && sockets[i].queue == queue)
			return sockets[i].fd;
	}
	return -1;
}

void rx_socket_fini(void)
{
	n_sockets = 0;
}
