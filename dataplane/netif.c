#include <errno.h>

#include "boundary.h"
#include "grace.h"
#include "kernel_path.h"
#include "log.h"
#include "netif.h"

struct netif netifs[NETIFS_MAX];
uint16_t netif_top;
_Atomic uint16_t netif_by_tag[API_PORTS_MAX][NETIF_VLANS];

/* VLAN ids 0 and 4095 are none (IEEE 802.1Q table 9-2). */
#define VLAN_LAST 4094

static void tag_set(uint16_t port, uint16_t vlan, uint16_t netif)
{
	atomic_store_explicit(&netif_by_tag[port][vlan], netif, memory_order_release);
}

int netif_init(void)
{
	memset(netifs, 0, sizeof(netifs));
	netif_top = API_PORTS_MAX;
	for (uint16_t p = 0; p < API_PORTS_MAX; p++) {
		const char *name = stats_region->port[p].name;

		for (uint16_t v = 0; v < NETIF_VLANS; v++)
			tag_set(p, v, NETIF_NONE);
		if (name[0] == '\0')
			continue;
		netifs[p] = (struct netif){
			.port = p, .used = true, .ifindex = if_nametoindex(name), .refs = 1};
		snprintf(netifs[p].name, sizeof(netifs[p].name), "%s", name);
		tag_set(p, 0, p);
	}
	return 0;
}

void netif_fini(void)
{
	for (uint16_t i = API_PORTS_MAX; i < NETIFS_MAX; i++)
		vlan_twin_del(i);
	memset(netifs, 0, sizeof(netifs));
}

/* "PORT.VLAN"; of a port's name that is too long for that, its beginning. */
static void vlan_name(char name[IFNAMSIZ], const char *port, uint16_t vlan)
{
	char tag[sizeof(".65535")];
	int len = snprintf(tag, sizeof(tag), ".%u", vlan);

	snprintf(name, IFNAMSIZ, "%.*s%s", IFNAMSIZ - 1 - len, port, tag);
}

/* The next free one: what was used last may still be named by packets on their way. */
static uint16_t vlan_slot(void)
{
	static uint16_t last;

	for (unsigned int i = 0; i < API_REALMS_MAX; i++) {
		last = (uint16_t)((last + 1) % API_REALMS_MAX);
		if (!netifs[API_PORTS_MAX + last].used)
			return (uint16_t)(API_PORTS_MAX + last);
	}
	return NETIF_NONE;
}

static int vlan_new(uint16_t port, uint16_t vlan)
{
	uint16_t i = vlan_slot();
	struct netif *n;
	int rc;

	if (i == NETIF_NONE)
		return -ENOSPC;
	n = &netifs[i];
	*n = (struct netif){.port = port, .vlan = vlan, .used = true, .refs = 1};
	vlan_name(n->name, stats_region->port[port].name, vlan);
	rc = vlan_twin_add(i);
	if (rc < 0) {
		*n = (struct netif){0};
		return rc;
	}
	n->ifindex = if_nametoindex(n->name);
	if (i >= netif_top)
		netif_top = (uint16_t)(i + 1);
	/* Workers read port and VLAN by the index that this publishes. */
	tag_set(port, vlan, i);
	return i;
}

int netif_get(uint16_t port, uint16_t vlan)
{
	uint16_t i;

	if (port >= API_PORTS_MAX || !netifs[port].used || vlan > VLAN_LAST)
		return -EINVAL;
	i = netif_of(port, vlan);
	if (i == NETIF_NONE)
		return vlan_new(port, vlan);
	netifs[i].refs++;
	return i;
}

void netif_put(uint16_t netif)
{
	struct netif *n;

	if (netif >= NETIFS_MAX || !netifs[netif].used || --netifs[netif].refs > 0)
		return;
	n = &netifs[netif];
	tag_set(n->port, n->vlan, NETIF_NONE);
	grace_wait(grace_stamp());
	netlink_netif_gone(netif);
	vlan_twin_del(netif);
	*n = (struct netif){0};
}

void netif_lost(uint16_t netif)
{
	struct netif *n = &netifs[netif];

	if (n->vlan == 0)
		return;
	log_warn("a VLAN interface of ours was removed: made again interface=%s", n->name);
	netlink_netif_gone(netif);
	vlan_twin_del(netif);
	/* What failed has been logged; its addresses follow when the kernel tells of it. */
	if (vlan_twin_add(netif) == 0)
		n->ifindex = if_nametoindex(n->name);
}

int netif_find(unsigned int ifindex)
{
	for (uint16_t i = 0; ifindex != 0 && i < netif_top; i++) {
		if (netifs[i].used && netifs[i].ifindex == ifindex)
			return i;
	}
	return -ENOENT;
}
