/*
 * The kernel twins and gleaning. Main thread only; its counters are stats_region->main.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_ip.h>

#include "boundary.h"
#include "kernel_path.h"
#include "log.h"
#include "netdev.h"
#include "netif.h"
#include "ports.h"

#define TWIN_BURST 32
#define VHOST_NET "/dev/vhost-net"

struct twin {
	uint16_t port;
	uint16_t eth_id;
	int raw_fd; /* gleaning: IP packets that the kernel sends */
	char device[64];
};

static struct twin twins[API_PORTS_MAX];
static unsigned int n_twins;

static struct twin *twin_find(uint16_t port)
{
	for (unsigned int i = 0; i < n_twins; i++) {
		if (twins[i].port == port)
			return &twins[i];
	}
	return NULL;
}

static int device_make_by(const char *driver, struct twin *t, const char *name, const char *options,
	const uint8_t mac[6])
{
	char args[256];
	int n = snprintf(t->device, sizeof(t->device), "%s_%s", driver, name);

	if (n < 0 || (size_t)n >= sizeof(t->device))
		return -EINVAL;
	snprintf(args, sizeof(args), "%siface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", options, name,
		mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return rte_vdev_init(t->device, args);
}

/* Its device file is often there without a module behind it, so try. */
static bool vhost_usable(void)
{
	int fd = open(VHOST_NET, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int device_make(struct twin *t, const char *name, const uint8_t mac[6])
{
	int rc = -ENOTSUP;

	if (vhost_usable())
		rc = device_make_by("net_virtio_user", t, name,
			"path=" VHOST_NET ",queues=1,queue_size=1024,", mac);
	return rc == 0 ? 0 : device_make_by("net_tap", t, name, "", mac);
}

/* IP_HDRINCL comes with IPPROTO_RAW, and nothing is ever received (raw(7)). */
static int raw_open(const char *name)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int twin_add(uint16_t port, const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct twin *t = &twins[n_twins];
	int rc;

	*t = (struct twin){.port = port, .raw_fd = -1};
	if (if_nametoindex(name) != 0) {
		log_error("twin %s: an interface of that name exists; rename dataplane.ports[%u] "
			  "or that interface",
			name, port);
		return -EEXIST;
	}
	rc = device_make(t, name, mac);
	if (rc < 0) {
		log_error("twin %s: no TAP interface (%s): run as root, and `modprobe tun`", name,
			strerror(-rc));
		return rc;
	}
	/* IPv6 is not forwarded yet: keep the kernel's own IPv6 chatter off the wire. */
	netdev_sysctl(6, name, "disable_ipv6", "1");
	rc = rte_eth_dev_get_port_by_name(t->device, &t->eth_id);
	if (rc == 0)
		rc = port_start(t->eth_id, 1, 1, 0, true);
	if (rc == 0)
		rc = netdev_set(name, mac, mtu);
	if (rc == 0)
		rc = t->raw_fd = raw_open(name);
	if (rc < 0) {
		log_error("twin %s does not start: %s%s", name, strerror(-rc),
			rc == -ENOMEM ? "; raise dataplane.mbufs" : "");
		rte_vdev_uninit(t->device);
		return rc;
	}
	n_twins++;
	return 0;
}

int twin_epoll_add(int epoll_fd)
{
	for (unsigned int i = 0; i < n_twins; i++) {
		int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(twins[i].eth_id, 0);
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

		if (fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			return -ENOTSUP;
	}
	return 0;
}

void twin_fini(void)
{
	while (n_twins > 0) {
		struct twin *t = &twins[--n_twins];

		close(t->raw_fd);
		rte_eth_dev_stop(t->eth_id);
		rte_eth_dev_close(t->eth_id);
		rte_vdev_uninit(t->device);
	}
}

static void main_drop(struct rte_mbuf *m, enum drop_reason reason)
{
	stats_region->main[pkt_meta(m)->port].drops[reason]++;
	rte_pktmbuf_free(m);
}

static void frame_to_twin(struct rte_mbuf *m)
{
	uint16_t port = pkt_meta(m)->port;
	const struct twin *t = twin_find(port);

	/* Its flags describe what came in; the twin must not take them for orders. */
	m->ol_flags = 0;
	if (t != NULL && rte_eth_tx_burst(t->eth_id, 0, &m, 1) == 1)
		stats_region->main[port].punted++;
	else
		main_drop(m, DROP_TWIN_FULL);
}

static void packet_glean(struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	const struct pkt_meta *meta = pkt_meta(m);
	const struct twin *t = twin_find(netifs[meta->value2 % NETIFS_MAX].port);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = ip->dst_addr};

	if (t == NULL ||
		sendto(t->raw_fd, ip, m->data_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		main_drop(m, t != NULL && (errno == EAGAIN || errno == ENOBUFS)
				     ? DROP_TWIN_FULL
				     : DROP_OUT_NO_NEIGHBOUR);
		return;
	}
	stats_region->main[meta->port].gleaned++;
	rte_pktmbuf_free(m);
}

static unsigned int worker_drain(struct worker *w)
{
	void *m[TWIN_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst(w->to_kernel, m, TWIN_BURST, NULL);

	for (unsigned int i = 0; i < n; i++) {
		if (pkt_meta(m[i])->value == KERNEL_GLEAN)
			packet_glean(m[i]);
		else
			frame_to_twin(m[i]);
	}
	return n;
}

static unsigned int twin_drain(const struct twin *t)
{
	struct worker *w = &workers[ports[t->port].tx_owner];
	struct rte_mbuf *m[TWIN_BURST];
	unsigned int n = rte_eth_rx_burst(t->eth_id, 0, m, TWIN_BURST), sent;

	if (n == 0)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		*pkt_meta(m[i]) = (struct pkt_meta){.port = t->port, .origin = PKT_TWIN};
	stats_region->main[t->port].from_twin += n;
	sent = rte_ring_sp_enqueue_burst(w->from_kernel, (void **)m, n, NULL);
	for (unsigned int i = sent; i < n; i++)
		main_drop(m[i], DROP_PUNT_FULL);
	worker_wake(w);
	return n;
}

unsigned int kernel_path_poll(void)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < n_workers; i++)
		moved += worker_drain(&workers[i]);
	for (unsigned int i = 0; i < n_twins; i++)
		moved += twin_drain(&twins[i]);
	return moved;
}
