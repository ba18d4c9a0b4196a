/*
 * Kernel interface settings by ioctl and sysctl.
 */
#include "netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

int netdev_set(const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, mac, 6);
	if (ioctl(fd, SIOCSIFHWADDR, &r) < 0)
		rc = -errno;
	r.ifr_mtu = mtu;
	if (rc == 0 && ioctl(fd, SIOCSIFMTU, &r) < 0)
		rc = -errno;
	if (rc == 0 && ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		rc = -errno;
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

void netdev_sysctl(int version, const char *name, const char *key, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", version, name, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return; /* a kernel without that family */
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		log_warn("interface %s: %s stays as it is: %s", name, key, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void netdev_sysctls(const char *name)
{
	static const struct {
		int version;
		const char *key, *value;
	} rows[] = {
		{6, "disable_ipv6", "1"},
		/* Answer for what the interface has, not for what its neighbour has. */
		{4, "arp_ignore", "1"},
		/* Nobody becomes a neighbour by telling so; see also mirror.c. */
		{4, "arp_accept", "0"},
		{4, "accept_redirects", "0"},
		{6, "accept_redirects", "0"},
		{6, "accept_ra", "0"},
		{6, "autoconf", "0"},
		{6, "router_solicitations", "0"},
		/* Neighbour discovery asks from a link-local address: made of the MAC address,
		 * usable at once. */
		{6, "addr_gen_mode", "0"},
		{6, "accept_dad", "0"},
		{6, "dad_transmits", "0"},
		{6, "keep_addr_on_down", "1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		netdev_sysctl(rows[i].version, name, rows[i].key, rows[i].value);
}

void netdev_ipv6_on(const char *name)
{
	netdev_sysctl(6, name, "disable_ipv6", "0");
}

/* The kernel interface under a port of one of the packet-socket drivers. */
static bool device_interface(const char *device, const char *driver, char name[IFNAMSIZ])
{
	static const char key[] = ",iface=";
	const char *p = strstr(device, key);
	size_t len;

	if (strncmp(device, driver, strlen(driver)) != 0 || p == NULL)
		return false;
	p += sizeof(key) - 1;
	len = strcspn(p, ",");
	if (len == 0 || len >= IFNAMSIZ)
		return false;
	memcpy(name, p, len);
	name[len] = '\0';
	return true;
}

void netdev_keep_quiet(const char *device)
{
	char name[IFNAMSIZ];

	if (!device_interface(device, "net_af_packet", name))
		return;
	/* Strict reverse path: routes lead to the twin, so nothing may come in here. */
	netdev_sysctl(4, name, "rp_filter", "1");
	netdev_sysctl(4, name, "arp_ignore", "8");
	netdev_sysctl(6, name, "disable_ipv6", "1");
}

int netdev_running(const char *device)
{
	struct ifreq r = {0};
	int fd, rc;

	if (!device_interface(device, "net_af_packet", r.ifr_name) &&
		!device_interface(device, "net_af_xdp", r.ifr_name))
		return -ENOTSUP;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = ioctl(fd, SIOCGIFFLAGS, &r) < 0 ? -errno : (r.ifr_flags & IFF_RUNNING) != 0;
	close(fd);
	/* Removed: there is no link to wait for. */
	return rc == -ENODEV ? 0 : rc;
}
