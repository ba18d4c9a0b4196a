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
	char device[64];
};

static struct twin twins[API_PORTS_MAX];
static unsigned int n_twins;
/* Gleaning: IP packets that the kernel sends. The header comes with them, as IPPROTO_RAW means in
 * both families (raw(7)), and nothing is ever received. */
static int raw_v4 = -1, raw_v6 = -1;

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

static void raw_close(void)
{
	if (raw_v4 >= 0)
		close(raw_v4);
	if (raw_v6 >= 0)
		close(raw_v6);
	raw_v4 = raw_v6 = -1;
}

static int raw_open(void)
{
	if (raw_v4 >= 0)
		return 0;
	raw_v4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (raw_v4 < 0)
		return -errno;
	raw_v6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (raw_v6 < 0)
		log_info("the kernel has no IPv6: neighbours of that family are not resolved");
	return 0;
}

int twin_add(uint16_t port, const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct twin *t = &twins[n_twins];
	int rc;

	*t = (struct twin){.port = port};
	if (if_nametoindex(name) != 0) {
		log_error("twin %s: an interface of that name exists; rename dataplane.ports[%u] "
			  "or that interface",
			name, port);
		return -EEXIST;
	}
	rc = raw_open();
	if (rc == 0)
		rc = device_make(t, name, mac);
	if (rc < 0) {
		log_error("twin %s: no TAP interface (%s): run as root, and `modprobe tun`", name,
			strerror(-rc));
		return rc;
	}
	netdev_sysctls(name);
	rc = rte_eth_dev_get_port_by_name(t->device, &t->eth_id);
	if (rc == 0)
		rc = port_start(t->eth_id, 1, 1, 0, true);
	if (rc == 0)
		rc = netdev_set(name, mac, mtu);
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
	vlan_twin_epoll(epoll_fd);
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
	raw_close();
	while (n_twins > 0) {
		struct twin *t = &twins[--n_twins];

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

/* @return true if the kernel has it; else the mbuf stays ours. */
static bool frame_give(struct rte_mbuf *m, uint16_t port, uint16_t netif)
{
	const struct twin *t = twin_find(port);

	if (netif < NETIFS_MAX && netifs[netif].used && netifs[netif].vlan != 0) {
		if (vlan_twin_send(netif, m) < 0)
			return false;
		rte_pktmbuf_free(m);
		return true;
	}
	return t != NULL && rte_eth_tx_burst(t->eth_id, 0, &m, 1) == 1;
}

static void frame_to_twin(struct rte_mbuf *m)
{
	uint16_t port = pkt_meta(m)->port;

	/* Its flags describe what came in; the twin must not take them for orders. */
	m->ol_flags = 0;
	if (frame_give(m, port, pkt_meta(m)->netif))
		stats_region->main[port].punted++;
	else
		main_drop(m, DROP_TWIN_FULL);
}

/* Send an IP packet with what tells the kernel the interface. @return 0 or negative errno. */
static int raw_send(const struct rte_mbuf *m, void *to, socklen_t to_len, bool v6, const void *info,
	size_t info_len)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {0};
	struct iovec data = {.iov_base = rte_pktmbuf_mtod(m, void *), .iov_len = m->data_len};
	struct msghdr msg = {.msg_name = to,
		.msg_namelen = to_len,
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(info_len)};

	control.head.cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	control.head.cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO;
	control.head.cmsg_len = CMSG_LEN(info_len);
	memcpy(CMSG_DATA(&control.head), info, info_len);
	return sendmsg(v6 ? raw_v6 : raw_v4, &msg, 0) < 0 ? -errno : 0;
}

static int glean_v4(const struct rte_mbuf *m, unsigned int ifindex)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = ip->dst_addr};
	struct in_pktinfo info = {.ipi_ifindex = (int)ifindex};

	return raw_send(m, &to, sizeof(to), false, &info, sizeof(info));
}

static int glean_v6(const struct rte_mbuf *m, unsigned int ifindex)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct in6_pktinfo info = {.ipi6_ifindex = ifindex};

	memcpy(&to.sin6_addr, ip->dst_addr, sizeof(to.sin6_addr));
	return raw_send(m, &to, sizeof(to), true, &info, sizeof(info));
}

static void packet_glean(struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	const struct netif *n = &netifs[meta->value2 % NETIFS_MAX];
	int rc = -ENODEV;

	if (n->used && *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 == 6)
		rc = glean_v6(m, n->ifindex);
	else if (n->used)
		rc = glean_v4(m, n->ifindex);
	if (rc < 0) {
		main_drop(m,
			rc == -EAGAIN || rc == -ENOBUFS ? DROP_TWIN_FULL : DROP_OUT_NO_NEIGHBOUR);
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

/* Frames of a port's twin, or of one of its VLANs', on their way out. */
static void frames_from_kernel(uint16_t port, struct rte_mbuf **m, unsigned int n)
{
	struct worker *w = &workers[ports[port].tx_owner];
	unsigned int sent;

	for (unsigned int i = 0; i < n; i++)
		*pkt_meta(m[i]) = (struct pkt_meta){.port = port, .origin = PKT_TWIN};
	stats_region->main[port].from_twin += n;
	sent = rte_ring_sp_enqueue_burst(w->from_kernel, (void **)m, n, NULL);
	for (unsigned int i = sent; i < n; i++)
		main_drop(m[i], DROP_PUNT_FULL);
	worker_wake(w);
}

static unsigned int twin_drain(const struct twin *t)
{
	struct rte_mbuf *m[TWIN_BURST];
	unsigned int n = rte_eth_rx_burst(t->eth_id, 0, m, TWIN_BURST);

	if (n > 0)
		frames_from_kernel(t->port, m, n);
	return n;
}

static unsigned int vlan_twin_drain(uint16_t netif)
{
	struct rte_mbuf *m[TWIN_BURST];
	unsigned int n = 0;

	while (n < TWIN_BURST && (m[n] = vlan_twin_receive(netif, packet_pool)) != NULL)
		n++;
	if (n > 0)
		frames_from_kernel(netifs[netif].port, m, n);
	return n;
}

unsigned int kernel_path_poll(void)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < n_workers; i++)
		moved += worker_drain(&workers[i]);
	for (unsigned int i = 0; i < n_twins; i++)
		moved += twin_drain(&twins[i]);
	for (uint16_t i = API_PORTS_MAX; i < netif_top; i++) {
		if (vlan_twin_fd(i) >= 0)
			moved += vlan_twin_drain(i);
	}
	return moved;
}
