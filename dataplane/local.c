#include <errno.h>
#include <sys/mman.h>

#include "grace.h"
#include "kernel_path.h"
#include "local.h"
#include "local_priv.h"
#include "log.h"
#include "netif.h"
#include "nexthop.h"
#include "worker.h"

#define PORTS 65536u
#define SLOTS_BYTES (PORTS * sizeof(uint32_t))

struct local_realm local_realms[API_REALMS_MAX];
struct local_addr local_addrs[API_ADDRS_MAX];

/* What only the main thread needs of an address. */
struct local_private {
	struct net_addr gateway; /* family 0: none */
	uint32_t flows;		 /* slots that are LOCAL_FLOW */
	bool leaving;		 /* not configured any more; goes with its last flow */
};

static struct local_private local_private[API_ADDRS_MAX];
static unsigned int local_addr_top; /* one past the highest entry that was ever used */
static bool ways_changed;

int local_init(void)
{
	memset(local_realms, 0, sizeof(local_realms));
	memset(local_addrs, 0, sizeof(local_addrs));
	memset(local_private, 0, sizeof(local_private));
	local_addr_top = 0;
	ways_changed = false;
	local_ports_init();
	return 0;
}

void local_fini(void)
{
	for (unsigned int i = 0; i < local_addr_top; i++) {
		if (local_addrs[i].slots != NULL)
			munmap(local_addrs[i].slots, SLOTS_BYTES);
		local_addrs[i].slots = NULL;
		local_addrs[i].used = false;
	}
}

int local_addr_find(const struct net_addr *addr)
{
	for (unsigned int i = 0; i < local_addr_top; i++) {
		if (local_addrs[i].used && net_addr_eq(&local_addrs[i].addr, addr))
			return (int)i;
	}
	return -ENOENT;
}

/* --- a realm's own way out --- */

/* The gateway of what is configured now; else, while addresses leave, the one before. */
static const struct net_addr *local_gateway(uint16_t realm, uint8_t family)
{
	const struct net_addr *before = NULL;

	for (unsigned int i = 0; i < local_addr_top; i++) {
		const struct net_addr *gateway = &local_private[i].gateway;

		if (!local_addrs[i].used || local_addrs[i].realm != realm ||
			gateway->family != family)
			continue;
		if (local_addrs[i].epoch == local_realms[realm].epoch)
			return gateway;
		if (before == NULL)
			before = gateway;
	}
	return before;
}

static int local_gateway_set(uint16_t realm, uint8_t family, _Atomic uint32_t *slot)
{
	const struct net_addr *gateway = local_gateway(realm, family);
	const struct local_realm *r = &local_realms[realm];
	uint32_t old = atomic_load(slot);
	int hop = NEXTHOP_NONE, rc = 0;

	if (gateway != NULL)
		hop = nexthop_get(NEXTHOP_NEIGHBOUR, r->netif, gateway, 0);
	if (hop < 0) {
		rc = hop;
		hop = NEXTHOP_NONE;
	}
	if ((uint32_t)hop != old) {
		atomic_store_explicit(slot, (uint32_t)hop, memory_order_release);
		ways_changed = true;
		if (hop != NEXTHOP_NONE && atomic_load(&nexthops[hop].link) == 0)
			netlink_neighbour_probe(r->netif, gateway);
	}
	nexthop_put(old); /* of the two references there are now, if it is the same */
	return rc;
}

/*
 * The realm's gateways or interface may have changed. Their next hops are there without any
 * route, so the mirror resolves them and keeps them alive as it does those of streams.
 */
static int local_gateway_update(uint16_t realm)
{
	struct local_realm *r = &local_realms[realm];
	int rc = local_gateway_set(realm, NET_FAMILY_V4, &r->gateway);
	int rc6 = local_gateway_set(realm, NET_FAMILY_V6, &r->gateway_v6);

	return rc < 0 ? rc : rc6;
}

bool local_ways_changed(void)
{
	bool changed = ways_changed;

	ways_changed = false;
	return changed;
}

uint32_t route_find_realm(const struct net_addr *dst, uint16_t realm)
{
	rte_be32_t ip;

	if (dst->family == NET_FAMILY_V6)
		return route_find_realm_v6(dst->bytes, realm);
	if (dst->family != NET_FAMILY_V4)
		return NEXTHOP_NONE;
	memcpy(&ip, dst->bytes, sizeof(ip));
	return route_find_realm_v4(ip, realm);
}

/* --- realms and addresses --- */

static uint8_t local_host_len(const struct net_addr *addr)
{
	return addr->family == NET_FAMILY_V4 ? 32 : 128;
}

/* Tell the kernel's twin and the routes where the address is now. */
static int local_bind(unsigned int i)
{
	struct local_addr *a = &local_addrs[i];
	const struct net_addr *gateway = &local_private[i].gateway;
	int hop, rc;

	hop = nexthop_get(NEXTHOP_LOCAL, a->netif, &a->addr, (uint16_t)i);
	if (hop < 0)
		return hop;
	rc = route_add(&a->addr, local_host_len(&a->addr), (uint32_t)hop);
	nexthop_put((uint32_t)hop);
	if (rc < 0)
		return rc;
	rc = netlink_address_add(a->netif, &a->addr, a->prefix_len);
	if (rc == 0 && gateway->family != NET_FAMILY_NONE)
		rc = netlink_gateway_add(a->netif, gateway);
	return rc;
}

/* Does another address of the same interface use this gateway too? */
static bool local_gateway_shared(unsigned int i)
{
	for (unsigned int j = 0; j < local_addr_top; j++) {
		if (j != i && local_addrs[j].used && local_addrs[j].netif == local_addrs[i].netif &&
			net_addr_eq(&local_private[j].gateway, &local_private[i].gateway))
			return true;
	}
	return false;
}

static void local_unbind_kernel(unsigned int i)
{
	struct local_addr *a = &local_addrs[i];

	if (local_private[i].gateway.family != NET_FAMILY_NONE && !local_gateway_shared(i))
		netlink_gateway_del(a->netif, &local_private[i].gateway);
	netlink_address_del(a->netif, &a->addr, a->prefix_len);
}

void local_kernel_restore(uint16_t netif)
{
	for (unsigned int i = 0; i < local_addr_top; i++) {
		/* What the kernel refuses has been logged; there is nobody else to tell. */
		if (local_addrs[i].used && local_addrs[i].netif == netif)
			(void)local_bind(i);
	}
}

/* Its addresses follow a realm to another interface. */
static int local_realm_move(uint16_t realm)
{
	int rc = 0, err;

	for (unsigned int i = 0; i < local_addr_top; i++) {
		struct local_addr *a = &local_addrs[i];

		if (!a->used || a->realm != realm)
			continue;
		local_unbind_kernel(i);
		a->port = local_realms[realm].port;
		a->netif = local_realms[realm].netif;
		err = local_bind(i);
		rc = err < 0 ? err : rc;
	}
	err = local_gateway_update(realm);
	ways_changed = true;
	return err < 0 ? err : rc;
}

int local_realm_set(const struct rec_realm_set *r, uint32_t epoch)
{
	struct local_realm *realm;
	int netif, was = NETIF_NONE, rc = 0;

	if (r->realm >= API_REALMS_MAX)
		return -EINVAL;
	/* Before anything changes: the kernel may refuse a VLAN. */
	netif = netif_get(r->port, r->vlan);
	if (netif < 0)
		return netif;
	realm = &local_realms[r->realm];
	if (realm->used)
		was = realm->netif;
	memcpy(realm->name, r->name, sizeof(realm->name));
	realm->port = r->port;
	realm->vlan = r->vlan;
	realm->netif = (uint16_t)netif;
	realm->dscp_sip = r->dscp_sip;
	realm->dscp_media = r->dscp_media;
	realm->media_idle_ms = r->media_idle_ms;
	realm->media_silent_ms = r->media_silent_ms;
	realm->police = r->police;
	realm->limits = police_limits(&r->police, RTE_MAX(n_workers, 1u));
	realm->epoch = epoch;
	realm->used = true;
	if (was != NETIF_NONE && was != netif)
		rc = local_realm_move(r->realm);
	if (was != NETIF_NONE)
		netif_put((uint16_t)was);
	return rc;
}

/* A free entry with an empty port table, not yet reachable for workers. */
static int local_addr_new(const struct rec_address_set *r)
{
	for (unsigned int i = 0; i < API_ADDRS_MAX; i++) {
		struct local_addr *a = &local_addrs[i];
		void *slots;

		if (a->used)
			continue;
		/* Zeroed pages: every slot is LOCAL_KERNEL. Populated: no faults in workers. */
		slots = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (slots == MAP_FAILED)
			return -ENOMEM;
		*a = (struct local_addr){.addr = r->addr, .slots = slots, .used = true};
		local_private[i] = (struct local_private){0};
		if (i >= local_addr_top)
			local_addr_top = i + 1;
		return (int)i;
	}
	return -ENOSPC;
}

/* Unlink, wait, release. */
static void local_addr_remove(unsigned int i)
{
	struct local_addr *a = &local_addrs[i];

	local_unbind_kernel(i);
	local_ports_drop((uint16_t)i);
	route_del(&a->addr, local_host_len(&a->addr));
	grace_wait(grace_stamp());
	munmap(a->slots, SLOTS_BYTES);
	a->slots = NULL;
	a->used = false;
	(void)local_gateway_update(a->realm);
}

/*
 * There is one table of routes for all interfaces, so a prefix can be on one link only: hosts
 * of an overlapping one would be looked for on the other. What another epoch set is leaving.
 */
static bool local_prefix_elsewhere(const struct rec_address_set *r, uint32_t epoch)
{
	char text[2][NET_ADDR_STRLEN];

	for (unsigned int i = 0; i < local_addr_top; i++) {
		const struct local_addr *a = &local_addrs[i];
		uint8_t len = a->prefix_len < r->prefix_len ? a->prefix_len : r->prefix_len;

		if (!a->used || a->epoch != epoch || a->netif == local_realms[r->realm].netif ||
			!net_addr_in_prefix(&a->addr, &r->addr, len))
			continue;
		log_error("address %s/%u of realm %s refused: its prefix overlaps that of %s/%u on "
			  "interface %s",
			net_addr_format(&r->addr, text[0]), r->prefix_len,
			local_realms[r->realm].name, net_addr_format(&a->addr, text[1]),
			a->prefix_len, netifs[a->netif].name);
		return true;
	}
	return false;
}

int local_address_set(const struct rec_address_set *r, uint32_t epoch)
{
	struct local_private *p;
	struct local_addr *a;
	bool created = false;
	uint16_t was;
	int i, rc, err;

	if (r->realm >= API_REALMS_MAX || !local_realms[r->realm].used)
		return -ENOENT;
	i = local_addr_find(&r->addr);
	if (i >= 0 && local_addrs[i].epoch == epoch && local_addrs[i].realm != r->realm)
		return -EEXIST;
	if (local_prefix_elsewhere(r, epoch))
		return -ENOTUNIQ;
	if (i < 0) {
		i = local_addr_new(r);
		created = true;
	}
	if (i < 0)
		return i;
	a = &local_addrs[i];
	p = &local_private[i];
	if (!created &&
		(a->netif != local_realms[r->realm].netif || a->prefix_len != r->prefix_len ||
			!net_addr_eq(&p->gateway, &r->gateway)))
		local_unbind_kernel((unsigned int)i);
	was = created ? r->realm : a->realm;
	a->realm = r->realm;
	a->port = local_realms[r->realm].port;
	a->netif = local_realms[r->realm].netif;
	a->prefix_len = r->prefix_len;
	a->epoch = epoch;
	p->gateway = r->gateway;
	p->leaving = false;
	rc = local_bind((unsigned int)i);
	err = local_gateway_update(r->realm);
	rc = rc < 0 ? rc : err;
	if (was != r->realm)
		(void)local_gateway_update(was);
	if (rc < 0 && created)
		local_addr_remove((unsigned int)i);
	return rc;
}

void local_slot_write(uint16_t idx, uint16_t port, enum local_kind kind, uint32_t value)
{
	_Atomic uint32_t *slot = &local_addrs[idx].slots[port];
	enum local_kind old = local_slot_kind(atomic_load_explicit(slot, memory_order_relaxed));

	local_private[idx].flows += (kind == LOCAL_FLOW) - (old == LOCAL_FLOW);
	atomic_store_explicit(slot, (uint32_t)kind << LOCAL_KIND_SHIFT | (value & LOCAL_VALUE_MASK),
		memory_order_release);
}

void local_flow_del(uint16_t idx, uint16_t port)
{
	local_slot_configure(idx, port);
	if (local_private[idx].leaving && local_private[idx].flows == 0)
		local_addr_remove(idx);
}

/* Unclaimed; what carries flows stays until the last of them is gone. */
static void local_addr_sweep(unsigned int i)
{
	if (local_private[i].flows == 0) {
		local_addr_remove(i);
		return;
	}
	if (!local_private[i].leaving)
		log_info("address leaves the configuration but has flows: kept for them count=%u",
			local_private[i].flows);
	local_private[i].leaving = true;
}

int local_sync(uint32_t epoch)
{
	local_ports_sync(epoch);
	for (unsigned int i = 0; i < local_addr_top; i++) {
		if (local_addrs[i].used && local_addrs[i].epoch != epoch)
			local_addr_sweep(i);
	}
	for (unsigned int i = 0; i < API_REALMS_MAX; i++) {
		bool needed = false;
		uint16_t netif;

		if (!local_realms[i].used || local_realms[i].epoch == epoch)
			continue;
		for (unsigned int j = 0; !needed && j < local_addr_top; j++)
			needed = local_addrs[j].used && local_addrs[j].realm == i;
		if (needed)
			continue;
		netif = local_realms[i].netif;
		local_realms[i] = (struct local_realm){0};
		netif_put(netif);
	}
	return 0;
}
