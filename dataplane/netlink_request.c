#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel_path.h"
#include "log.h"
#include "netdev.h"
#include "netif.h"
#include "netlink_priv.h"

#define GATEWAY_METRIC 1000
#define SOCKET_BUFFER (1 << 20)

static struct mnl_socket *requests; /* what we ask for, each answered at once */
/* Questions without an answer; of their own, because they are asked in the middle of dumps. */
static struct mnl_socket *probes;
static uint32_t sequence;
static char buffer[64 << 10]; /* one answer or a part of a dump */

struct mnl_socket *netlink_socket_open(unsigned int groups)
{
	struct timeval tv = {.tv_sec = 1};
	int size = SOCKET_BUFFER;
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (s == NULL)
		return NULL;
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	/* The kernel answers before sendto returns; this is a guard against ourselves. */
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
		return s;
	mnl_socket_close(s);
	return NULL;
}

static struct nlmsghdr *request_new(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++sequence;
	return h;
}

/* Send, and run cb over the answer up to its end. @return 0 or negative errno. */
static int request_run(struct nlmsghdr *h, mnl_cb_t cb)
{
	const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;
	unsigned int port_id;
	int rc = MNL_CB_OK;

	if (requests == NULL)
		return -ENOTCONN;
	port_id = mnl_socket_get_portid(requests);
	if (mnl_socket_sendto(requests, h, h->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(requests, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* The end of one that was given up earlier. */
		if ((size_t)n < sizeof(*answer) || answer->nlmsg_seq != h->nlmsg_seq)
			continue;
		rc = mnl_cb_run(buffer, (size_t)n, h->nlmsg_seq, port_id, cb, NULL);
	}
	return rc < 0 ? -errno : 0;
}

static size_t addr_len(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V4 ? 4 : 16;
}

static uint8_t addr_family(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V4 ? AF_INET : AF_INET6;
}

static unsigned int ifindex_of(uint16_t netif)
{
	return netif < NETIFS_MAX ? netifs[netif].ifindex : 0;
}

static int address_request(uint16_t type, uint16_t flags, uint16_t netif,
	const struct net_addr *addr, uint8_t prefix_len)
{
	char buf[256];
	struct nlmsghdr *h = request_new(buf, type, flags | NLM_F_ACK);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	unsigned int ifindex = ifindex_of(netif);

	if (ifindex == 0)
		return -ENODEV;
	m->ifa_family = addr_family(addr);
	m->ifa_prefixlen = prefix_len;
	m->ifa_index = ifindex;
	/* Usable at once: the address is configured, and nobody may keep it from us by claiming it
	 * in duplicate address detection (RFC 4862 section 5.4). */
	if (addr->family == NET_FAMILY_V6)
		m->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, addr_len(addr), addr->bytes);
	mnl_attr_put(h, IFA_ADDRESS, addr_len(addr), addr->bytes);
	return request_run(h, NULL);
}

/* One line when the kernel refuses. */
static int request_result(const char *what, uint16_t netif, const struct net_addr *addr, int rc)
{
	char text[NET_ADDR_STRLEN];

	if (rc < 0)
		log_warn("kernel refused to %s %s interface=%s error=\"%s\"", what,
			net_addr_format(addr, text), netifs[netif].name, strerror(-rc));
	return rc;
}

int netlink_address_add(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	int rc;

	if (addr->family == NET_FAMILY_V6 && ifindex_of(netif) != 0)
		netdev_ipv6_on(netifs[netif].name);
	rc = address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, netif, addr, prefix_len);
	return request_result("add address", netif, addr, rc == -EEXIST ? 0 : rc);
}

int netlink_address_del(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	int rc = address_request(RTM_DELADDR, 0, netif, addr, prefix_len);

	return request_result("remove address", netif, addr, rc == -EADDRNOTAVAIL ? 0 : rc);
}

static int gateway_request(
	uint16_t type, uint16_t flags, uint16_t netif, const struct net_addr *gateway)
{
	char buf[256];
	struct nlmsghdr *h = request_new(buf, type, flags | NLM_F_ACK);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	unsigned int ifindex = ifindex_of(netif);

	if (ifindex == 0)
		return -ENODEV;
	m->rtm_family = addr_family(gateway);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	/* A gateway outside the address's prefix is common with hosting providers. */
	if (net_addr_class(gateway) != NET_CLASS_LINK_LOCAL)
		m->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put(h, RTA_GATEWAY, addr_len(gateway), gateway->bytes);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	mnl_attr_put_u32(h, RTA_PRIORITY, GATEWAY_METRIC + netif);
	return request_run(h, NULL);
}

int netlink_gateway_add(uint16_t netif, const struct net_addr *gateway)
{
	int rc = gateway_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, netif, gateway);

	return request_result("add gateway", netif, gateway, rc == -EEXIST ? 0 : rc);
}

int netlink_gateway_del(uint16_t netif, const struct net_addr *gateway)
{
	int rc = gateway_request(RTM_DELROUTE, 0, netif, gateway);

	/* ESRCH: it went with its last address. */
	return request_result("remove gateway", netif, gateway, rc == -ESRCH ? 0 : rc);
}

/* A request about a neighbour whose outcome shows in the events; only errors are answered, and
 * thrown away before the next. */
static int neighbour_request(uint16_t netif, const struct net_addr *addr, const uint8_t *mac)
{
	char buf[256];
	struct nlmsghdr *h =
		request_new(buf, RTM_NEWNEIGH, NLM_F_CREATE | (mac != NULL ? NLM_F_REPLACE : 0));
	struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	unsigned int ifindex = ifindex_of(netif);

	if (ifindex == 0 || probes == NULL)
		return -ENODEV;
	m->ndm_family = addr_family(addr);
	m->ndm_ifindex = (int)ifindex;
	if (mac == NULL)
		m->ndm_flags = NTF_USE;
	else
		m->ndm_state = NUD_PROBE;
	mnl_attr_put(h, NDA_DST, addr_len(addr), addr->bytes);
	if (mac != NULL)
		mnl_attr_put(h, NDA_LLADDR, 6, mac);
	while (recv(mnl_socket_get_fd(probes), buf + sizeof(buf) / 2, sizeof(buf) / 2,
		       MSG_DONTWAIT) > 0)
		;
	return mnl_socket_sendto(probes, h, h->nlmsg_len) < 0 ? -errno : 0;
}

int netlink_neighbour_probe(uint16_t netif, const struct net_addr *addr)
{
	return neighbour_request(netif, addr, NULL);
}

int netlink_neighbour_confirm(uint16_t netif, const struct net_addr *addr, const uint8_t mac[6])
{
	return neighbour_request(netif, addr, mac);
}

static int dump_family(uint16_t type, uint8_t family, mnl_cb_t cb)
{
	char buf[256];
	struct nlmsghdr *h = request_new(buf, type, NLM_F_DUMP);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	/* The family is the first byte in ndmsg as in rtmsg. */
	m->rtm_family = family;
	return request_run(h, cb);
}

int netlink_dump(uint16_t type, mnl_cb_t cb)
{
	int rc = dump_family(type, AF_INET, cb);

	return rc < 0 ? rc : dump_family(type, AF_INET6, cb);
}

int netlink_requests_open(void)
{
	requests = netlink_socket_open(0);
	probes = netlink_socket_open(0);
	return requests == NULL || probes == NULL ? -errno : 0;
}

void netlink_requests_close(void)
{
	if (requests != NULL)
		mnl_socket_close(requests);
	if (probes != NULL)
		mnl_socket_close(probes);
	requests = probes = NULL;
}
