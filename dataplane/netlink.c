#include <errno.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "log.h"
#include "netif.h"
#include "netlink_priv.h"

/* Kernel default ARP timers: reachable for 30 s, so ask a little more often than that. */
#define KEEP_ALIVE_S 15
/* Routes that come in a row (a routing daemon starts) are read together. */
#define ROUTES_DELAY_NS 20000000
/* Messages of one netlink_process(). */
#define EVENT_BUDGET 64
/* More than the socket's buffer holds. */
#define EVENT_DRAIN_MAX 65536

static struct mnl_socket *events; /* what changes */
static int epoll_fd = -1, alive_fd = -1, routes_fd = -1;
static bool netif_up[NETIFS_MAX];
static bool routes_due; /* routes_fd is armed */

static void arm(int fd, time_t s, long ns, bool again)
{
	struct itimerspec t = {.it_value = {.tv_sec = s, .tv_nsec = ns}};

	if (again)
		t.it_interval = t.it_value;
	timerfd_settime(fd, 0, &t, NULL);
}

/*
 * What is best now depends on other routes to the same prefix: read all, a little later.
 * Counted from the first change, so that a route that flaps does not hold the others up.
 */
static void routes_changed(void)
{
	if (routes_due)
		return;
	routes_due = true;
	arm(routes_fd, 0, ROUTES_DELAY_NS, false);
}

/* --- what the kernel says --- */

struct attrs {
	const struct nlattr *at[64];
};

static int attr_collect(const struct nlattr *attr, void *data)
{
	struct attrs *a = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ARRAY_LEN(a->at))
		a->at[type] = attr;
	return MNL_CB_OK;
}

/* An address attribute of the family; unset if it is not there or has another length. */
static struct net_addr attr_addr(const struct nlattr *attr, uint8_t family)
{
	if (attr != NULL && family == AF_INET && mnl_attr_get_payload_len(attr) == 4)
		return net_addr_v4(mnl_attr_get_payload(attr));
	if (attr != NULL && family == AF_INET6 && mnl_attr_get_payload_len(attr) == 16)
		return net_addr_v6(mnl_attr_get_payload(attr));
	return (struct net_addr){0};
}

static enum mirror_state neighbour_state(const struct nlmsghdr *h, uint16_t nud)
{
	if (h->nlmsg_type == RTM_DELNEIGH)
		return MIRROR_DELETED;
	if ((nud & (NUD_PERMANENT | NUD_NOARP)) != 0)
		return MIRROR_PERMANENT;
	if ((nud & NUD_REACHABLE) != 0)
		return MIRROR_REACHABLE;
	if ((nud & NUD_STALE) != 0)
		return MIRROR_STALE;
	return (nud & (NUD_DELAY | NUD_PROBE)) != 0 ? MIRROR_ASKED : MIRROR_FAILED;
}

static int on_neighbour(const struct nlmsghdr *h, void *data)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct rte_ether_addr mac;
	enum mirror_state state;
	struct attrs a = {0};
	struct net_addr addr;
	bool known;
	int netif;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
		(h->nlmsg_type != RTM_NEWNEIGH && h->nlmsg_type != RTM_DELNEIGH))
		return MNL_CB_OK;
	netif = netif_find((unsigned int)m->ndm_ifindex);
	if (netif < 0 || (m->ndm_flags & NTF_PROXY) != 0)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*m), attr_collect, &a);
	addr = attr_addr(a.at[NDA_DST], m->ndm_family);
	state = neighbour_state(h, m->ndm_state);
	known = state > MIRROR_FAILED && a.at[NDA_LLADDR] != NULL &&
		mnl_attr_get_payload_len(a.at[NDA_LLADDR]) == sizeof(mac);
	if (known)
		memcpy(&mac, mnl_attr_get_payload(a.at[NDA_LLADDR]), sizeof(mac));
	mirror_neighbour((uint16_t)netif, &addr, known ? &mac : NULL, state);
	return MNL_CB_OK;
}

/* Of a multipath route the first next hop is taken. */
static void route_multipath(
	const struct nlattr *mp, uint8_t family, unsigned int *ifindex, struct net_addr *gateway)
{
	const struct rtnexthop *n = mnl_attr_get_payload(mp);
	const struct nlattr *attr;

	if (mnl_attr_get_payload_len(mp) < sizeof(*n) || n->rtnh_len < sizeof(*n) ||
		n->rtnh_len > mnl_attr_get_payload_len(mp))
		return;
	*ifindex = (unsigned int)n->rtnh_ifindex;
	mnl_attr_for_each_payload((const void *)(n + 1), n->rtnh_len - sizeof(*n))
	{
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			*gateway = attr_addr(attr, family);
	}
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct mirror_route r = {0};
	unsigned int ifindex = 0;
	struct attrs a = {0};
	int netif;

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
		(m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
		m->rtm_table != RT_TABLE_MAIN || m->rtm_type != RTN_UNICAST ||
		(m->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*m), attr_collect, &a);
	if (a.at[RTA_OIF] != NULL && mnl_attr_get_payload_len(a.at[RTA_OIF]) == sizeof(uint32_t))
		ifindex = mnl_attr_get_u32(a.at[RTA_OIF]);
	r.gateway = attr_addr(a.at[RTA_GATEWAY], m->rtm_family);
	if (a.at[RTA_MULTIPATH] != NULL)
		route_multipath(a.at[RTA_MULTIPATH], m->rtm_family, &ifindex, &r.gateway);
	netif = ifindex != 0 ? netif_find(ifindex) : -ENOENT;
	if (netif < 0)
		return MNL_CB_OK;
	r.netif = (uint16_t)netif;
	r.len = m->rtm_dst_len;
	r.dst = attr_addr(a.at[RTA_DST], m->rtm_family);
	if (r.dst.family == NET_FAMILY_NONE) { /* the default route names no destination */
		static const uint8_t any[16];

		r.dst = m->rtm_family == AF_INET ? net_addr_v4(any) : net_addr_v6(any);
	}
	mirror_route(&r);
	return MNL_CB_OK;
}

/* Somebody took one of our addresses from a twin: give it back. */
static void on_address_lost(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a = {0};
	struct net_addr addr;
	int netif, i;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return;
	netif = netif_find(m->ifa_index);
	if (netif < 0)
		return;
	mnl_attr_parse(h, sizeof(*m), attr_collect, &a);
	/* IPv6 has the local one only where there is a peer. */
	addr = attr_addr(a.at[a.at[IFA_LOCAL] != NULL ? IFA_LOCAL : IFA_ADDRESS], m->ifa_family);
	i = local_addr_find(&addr);
	if (i < 0 || local_addrs[i].netif != netif)
		return;
	log_warn("an address of ours was taken from the kernel twin: added again interface=%s",
		netifs[netif].name);
	local_kernel_restore((uint16_t)netif);
}

/* A twin that comes up again has lost its routes. */
static void on_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	bool up;
	int netif;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return;
	netif = netif_find((unsigned int)m->ifi_index);
	if (netif < 0 || m->ifi_family != AF_UNSPEC)
		return;
	/* A link that goes down takes IPv4 routes with it without a word. */
	routes_changed();
	up = h->nlmsg_type == RTM_NEWLINK && (m->ifi_flags & IFF_UP) != 0;
	if (up && !netif_up[netif])
		local_kernel_restore((uint16_t)netif);
	netif_up[netif] = up;
	if (h->nlmsg_type == RTM_DELLINK)
		netif_lost((uint16_t)netif);
}

static int on_event(const struct nlmsghdr *h, void *data)
{
	switch (h->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return on_neighbour(h, data);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		routes_changed();
		break;
	case RTM_DELADDR:
		on_address_lost(h);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link(h);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* --- dumps --- */

static int routes_sync(void)
{
	int rc;

	mirror_routes_begin();
	rc = netlink_dump(RTM_GETROUTE, on_route);
	if (rc < 0) {
		/* Nothing is removed on half a dump; try again. */
		log_warn_limited("cannot read the kernel's routes error=\"%s\"", strerror(-rc));
		routes_due = true;
		arm(routes_fd, 1, 0, false);
		return rc;
	}
	mirror_routes_end();
	stream_resolve_all();
	return 0;
}

static int neighbours_sync(void)
{
	int rc;

	mirror_neighbours_begin();
	rc = netlink_dump(RTM_GETNEIGH, on_neighbour);
	if (rc < 0) {
		log_warn_limited("cannot read the kernel's neighbours error=\"%s\"", strerror(-rc));
		return rc;
	}
	mirror_neighbours_end();
	return 0;
}

/* --- sockets --- */

static int watch(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

int netlink_init(void)
{
	int rc = mirror_init();

	if (rc < 0)
		return rc;
	memset(netif_up, 0, sizeof(netif_up));
	routes_due = false;
	/* Subscribed before the dumps: nothing falls between. */
	events = netlink_socket_open(RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE |
				     RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_ROUTE | RTMGRP_IPV6_IFADDR);
	rc = netlink_requests_open();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	alive_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	routes_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (events == NULL || rc < 0 || epoll_fd < 0 || alive_fd < 0 || routes_fd < 0 ||
		watch(mnl_socket_get_fd(events)) < 0 || watch(alive_fd) < 0 ||
		watch(routes_fd) < 0) {
		rc = -errno;
		goto fail;
	}
	arm(alive_fd, KEEP_ALIVE_S, 0, true);
	rc = routes_sync();
	if (rc == 0)
		rc = neighbours_sync();
	if (rc == 0)
		return 0;
fail:
	log_error("cannot follow the kernel's routes and neighbours by netlink: %s", strerror(-rc));
	netlink_fini();
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void netlink_fini(void)
{
	if (events != NULL)
		mnl_socket_close(events);
	events = NULL;
	netlink_requests_close();
	close_fd(&epoll_fd);
	close_fd(&alive_fd);
	close_fd(&routes_fd);
	mirror_fini();
}

void netlink_netif_gone(uint16_t netif)
{
	netif_up[netif] = false;
	mirror_netif_gone(netif);
}

int netlink_fd(void)
{
	return epoll_fd;
}

static bool timer_ran_out(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

/*
 * Events were lost. Those still queued are older than what a dump says now, so they go
 * first; then everything is read, and what is ours is given to the kernel again.
 */
static void events_overrun(char *message, size_t size)
{
	int fd = mnl_socket_get_fd(events);

	log_warn_limited("netlink events overran: reading all routes and neighbours again");
	for (unsigned int i = 0; i < EVENT_DRAIN_MAX; i++) {
		if (recv(fd, message, size, MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			break;
	}
	for (uint16_t i = 0; i < NETIFS_MAX; i++) {
		if (netifs[i].used)
			local_kernel_restore(i);
	}
	routes_sync();
	neighbours_sync();
}

static void events_read(void)
{
	/* Not the buffer of requests: handling an event may make some. */
	static char message[64 << 10];

	for (unsigned int i = 0; i < EVENT_BUDGET; i++) {
		ssize_t n = recv(mnl_socket_get_fd(events), message, sizeof(message), MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS)
			events_overrun(message, sizeof(message));
		else if (n <= 0)
			return;
		else
			mnl_cb_run(message, (size_t)n, 0, 0, on_event, NULL);
	}
}

void netlink_routes_read(void)
{
	/* What goes wrong is tried again by the timer. */
	if (events != NULL)
		(void)routes_sync();
}

void netlink_process(void)
{
	if (events == NULL)
		return;
	events_read();
	if (timer_ran_out(routes_fd)) {
		routes_due = false;
		routes_sync();
	}
	if (timer_ran_out(alive_fd))
		mirror_keep_alive();
}
