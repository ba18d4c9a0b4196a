/*
 * The kernel interface of a VLAN: a TAP of its own, in which frames have no tag. Not a VLAN
 * device on the port's twin, for which the kernel would need its 802.1Q module; nor an ethdev,
 * of which DPDK has 32. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rte_ether.h>

#include "boundary.h"
#include "kernel_path.h"
#include "log.h"
#include "netdev.h"
#include "netif.h"

/* File descriptor + 1 by netif; 0: none. */
static int fds[NETIFS_MAX];
static int watch_fd = -1;

static int tap_open(const struct netif *n)
{
	const struct stats_port *p = &stats_region->port[n->port];
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int rc, fd;

	if (if_nametoindex(n->name) != 0)
		return -EEXIST;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", n->name);
	rc = ioctl(fd, TUNSETIFF, &r) < 0 ? -errno : 0;
	if (rc == 0) {
		netdev_sysctls(n->name);
		rc = netdev_set(n->name, p->mac, (uint16_t)p->mtu);
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int watch(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (watch_fd < 0)
		return 0;
	return epoll_ctl(watch_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int vlan_twin_add(uint16_t netif)
{
	const struct netif *n = &netifs[netif];
	int fd = tap_open(n), rc = fd < 0 ? fd : watch(fd);

	if (rc < 0) {
		log_error("VLAN interface %s is not made: %s", n->name,
			rc == -EEXIST ? "an interface of that name exists, rename it or the port"
				      : strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	fds[netif] = fd + 1;
	return 0;
}

void vlan_twin_del(uint16_t netif)
{
	/* Closed, it leaves epoll and the kernel by itself. */
	if (fds[netif] != 0)
		close(fds[netif] - 1);
	fds[netif] = 0;
}

int vlan_twin_fd(uint16_t netif)
{
	return netif < NETIFS_MAX ? fds[netif] - 1 : -1;
}

void vlan_twin_epoll(int epoll_fd)
{
	watch_fd = epoll_fd;
}

int vlan_twin_send(uint16_t netif, struct rte_mbuf *m)
{
	int fd = vlan_twin_fd(netif);

	/* A frame that waited while its VLAN went and another took its place is not for that. */
	if (fd < 0 || rte_vlan_strip(m) < 0 ||
		(m->vlan_tci & (NETIF_VLANS - 1)) != netifs[netif].vlan)
		return -ENODEV;
	return write(fd, rte_pktmbuf_mtod(m, void *), m->data_len) < 0 ? -errno : 0;
}

struct rte_mbuf *vlan_twin_receive(uint16_t netif, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	ssize_t n;

	if (m == NULL)
		return NULL;
	n = read(vlan_twin_fd(netif), rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	if (n < RTE_ETHER_HDR_LEN) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	m->data_len = (uint16_t)n;
	m->pkt_len = (uint32_t)n;
	m->vlan_tci = netifs[netif].vlan;
	/* Cannot fail: a buffer of our own with headroom. */
	if (rte_vlan_insert(&m) < 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}
