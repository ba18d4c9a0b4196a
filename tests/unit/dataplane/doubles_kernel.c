/* The kernel side, as a count of what it was asked for. */
#include "capture.h"
#include "doubles.h"
#include "kernel_path.h"

unsigned int kernel_addrs, kernel_gateways, kernel_probes, kernel_vlans;

int netlink_address_add(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	kernel_addrs++;
	return 0;
}

int netlink_address_del(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	kernel_addrs--;
	return 0;
}

int netlink_gateway_add(uint16_t netif, const struct net_addr *gateway)
{
	kernel_gateways++;
	return 0;
}

int netlink_gateway_del(uint16_t netif, const struct net_addr *gateway)
{
	kernel_gateways--;
	return 0;
}

int netlink_neighbour_probe(uint16_t netif, const struct net_addr *addr)
{
	kernel_probes++;
	return 0;
}

int vlan_twin_add(uint16_t netif)
{
	kernel_vlans++;
	return 0;
}

void vlan_twin_del(uint16_t netif)
{
	kernel_vlans--;
}

void netlink_netif_gone(uint16_t netif)
{
}

int capture_start(const struct rec_capture_start *r)
{
	return -ENOTSUP;
}

int capture_stop(void)
{
	return -ENOENT;
}

void netlink_routes_read(void)
{
}
