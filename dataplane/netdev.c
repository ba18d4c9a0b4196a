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

void netdev_keep_quiet(const char *device)
{
	static const char key[] = "iface=";
	char name[IFNAMSIZ];
	const char *p;
	size_t len;

	if (strncmp(device, "net_af_packet", 13) != 0)
		return;
	p = strstr(device, key);
	if (p == NULL)
		return;
	p += sizeof(key) - 1;
	len = strcspn(p, ",");
	if (len == 0 || len >= sizeof(name))
		return;
	memcpy(name, p, len);
	name[len] = '\0';
	/* Strict reverse path: routes lead to the twin, so nothing may come in here. */
	netdev_sysctl(4, name, "rp_filter", "1");
	netdev_sysctl(4, name, "arp_ignore", "8");
	netdev_sysctl(6, name, "disable_ipv6", "1");
}
