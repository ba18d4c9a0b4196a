#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "netdev.h"
#include "netif.h"
#include "twins.h"

int taps[TWINS];
const uint8_t peer_mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x01};

void boundary_event(uint8_t group, void *record, size_t len)
{
	fail_msg("no event expected");
}

void ip(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int tap_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

bool twins_here(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0 || (fd = tap_open("probe0")) < 0) {
		printf("skipped: needs root and /dev/net/tun (%s)\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

int setup(void **state)
{
	dataplane_setup(64);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	assert_int_equal(
		stream_init(64, (void *)((char *)stats_region + stats_region->flow_offset)), 0);
	for (int i = 0; i < TWINS; i++) {
		char name[16], args[64];

		snprintf(name, sizeof(name), "twin%d", i);
		taps[i] = tap_open(name);
		assert_true(taps[i] >= 0);
		netdev_sysctls(name);
		snprintf(args, sizeof(args), "link set %s up", name);
		ip(args);
		snprintf(stats_region->port[i].name, API_NAME_MAX, "%s", name);
	}
	assert_int_equal(netif_init(), 0);
	assert_int_equal(netlink_init(), 0);
	return 0;
}

int teardown(void **state)
{
	netlink_fini();
	netif_fini();
	for (int i = 0; i < TWINS; i++)
		close(taps[i]);
	stream_fini();
	local_fini();
	nexthop_fini();
	stats_region_fini();
	return 0;
}

void settle(void)
{
	struct pollfd p = {.fd = netlink_fd(), .events = POLLIN};

	while (poll(&p, 1, 60) > 0)
		netlink_process();
}

const struct nexthop *route(const char *text)
{
	struct net_addr a = test_addr(text);

	return &nexthops[route_find(&a)];
}

bool linked_to(const struct nexthop *n, const uint8_t mac[6])
{
	uint64_t link = atomic_load(&n->link);

	return (link & NEXTHOP_LINK_VALID) != 0 && memcmp(&link, mac, 6) == 0;
}

/* --- a host behind a TAP --- */

static bool frame_read(int tap, struct frame *f, int timeout_ms)
{
	struct pollfd p = {.fd = tap, .events = POLLIN};
	ssize_t n;

	memset(f, 0, sizeof(*f));
	if (poll(&p, 1, timeout_ms) <= 0 || (n = read(tap, f->b, sizeof(f->b))) < 14)
		return false;
	f->len = (size_t)n;
	return true;
}

/* @return where the packet begins. */
static uint8_t *frame_begin(
	struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->b, dst, 6);
	memcpy(f->b + 6, src, 6);
	f->b[12] = (uint8_t)(type >> 8);
	f->b[13] = (uint8_t)type;
	return f->b + L3;
}

void send_arp(int tap, uint8_t op, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[4], const uint8_t target[4])
{
	struct frame f;
	uint8_t *arp = frame_begin(&f, dst, src, 0x0806);

	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, op}, 8);
	memcpy(arp + 8, src, 6);
	memcpy(arp + 14, sender, 4);
	memcpy(arp + 18, dst, 6);
	memcpy(arp + 24, target, 4);
	assert_int_equal(write(tap, f.b, L3 + 28), L3 + 28);
}

static uint16_t icmp6_sum(const uint8_t *ip, size_t len)
{
	uint32_t sum = 58 + (uint32_t)len;

	for (size_t i = 8; i < 40 + len; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void send_na(int tap, bool solicited, const uint8_t dst[6], const uint8_t src[6],
	const uint8_t sender[16], const uint8_t target[16])
{
	struct frame f;
	uint8_t *p = frame_begin(&f, dst, src, 0x86dd), *icmp = p + 40;
	uint16_t sum;

	p[0] = 0x60;
	p[5] = 32;
	p[6] = 58;
	p[7] = 255;
	memcpy(p + 8, sender, 16);
	memcpy(p + 24, target, 16);
	icmp[0] = 136;
	icmp[4] = solicited ? 0x60 : 0x20;
	memcpy(icmp + 8, sender, 16);
	icmp[24] = 2;
	icmp[25] = 1;
	memcpy(icmp + 26, src, 6);
	sum = icmp6_sum(p, 32);
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	assert_int_equal(write(tap, f.b, L3 + 72), L3 + 72);
}

/* Is the frame a question for this address? */
static bool asks_for(const struct frame *f, const struct net_addr *who)
{
	const uint8_t *p = f->b + L3;

	if (who->family == NET_FAMILY_V4)
		return f->b[12] == 0x08 && f->b[13] == 0x06 && f->len >= L3 + 28 &&
		       p[7] == ARP_REQUEST && memcmp(p + 24, who->bytes, 4) == 0;
	return f->b[12] == 0x86 && f->b[13] == 0xdd && f->len >= L3 + 64 && p[6] == 58 &&
	       p[40] == 135 && memcmp(p + 48, who->bytes, 16) == 0;
}

bool asked(int tap, const char *who, const uint8_t *unicast_to, int timeout_ms, struct frame *f)
{
	struct net_addr a = test_addr(who);

	while (frame_read(tap, f, timeout_ms)) {
		if (asks_for(f, &a) && (unicast_to == NULL || memcmp(f->b, unicast_to, 6) == 0))
			return true;
	}
	return false;
}

bool answer_as(
	int tap, const char *who, const uint8_t mac[6], const uint8_t *unicast_to, int timeout_ms)
{
	struct net_addr a = test_addr(who);
	const uint8_t *p;
	struct frame f;

	if (!asked(tap, who, unicast_to, timeout_ms, &f))
		return false;
	p = f.b + L3;
	if (a.family == NET_FAMILY_V4)
		send_arp(tap, ARP_REPLY, f.b + 6, mac, a.bytes, p + 14);
	else
		send_na(tap, true, f.b + 6, mac, a.bytes, p + 8);
	return true;
}

bool answer_arp(int tap, const char *who)
{
	return answer_as(tap, who, peer_mac, NULL, 500);
}

/* --- what control sets --- */

void realm_set(uint16_t realm, uint16_t port, uint16_t vlan, uint32_t epoch)
{
	struct rec_realm_set r = {.realm = realm, .port = port, .vlan = vlan};

	snprintf(r.name, sizeof(r.name), "realm%u", realm);
	assert_int_equal(local_realm_set(&r, epoch), 0);
}

int address_set(uint16_t realm, const char *addr, uint8_t len, const char *gateway)
{
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = len};

	if (gateway != NULL)
		a.gateway = test_addr(gateway);
	return local_address_set(&a, 1);
}
