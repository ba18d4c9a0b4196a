/* The kernel side, as a count of what it was asked for. */
#include "doubles.h"
#include "kernel_path.h"

unsigned int kernel_addrs, kernel_gateways, kernel_probes;

int netlink_address_add(uint16_t port, const struct net_addr *addr, uint8_t prefix_len)
{
	kernel_addrs++;
	return 0;
}

int netlink_address_del(uint16_t port, const struct net_addr *addr, uint8_t prefix_len)
{
	kernel_addrs--;
	return 0;
}

int netlink_gateway_add(uint16_t port, const struct net_addr *gateway)
{
	kernel_gateways++;
	return 0;
}

int netlink_gateway_del(uint16_t port, const struct net_addr *gateway)
{
	kernel_gateways--;
	return 0;
}

int netlink_neighbour_probe(uint16_t port, const struct net_addr *addr)
{
	kernel_probes++;
	return 0;
}
