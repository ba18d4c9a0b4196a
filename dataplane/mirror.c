#include <errno.h>

#include <rte_rib.h>

#include "kernel_path.h"
#include "log.h"
#include "netlink_priv.h"
#include "nexthop.h"

/*
 * The kernel's neighbours and routes as next hops. A neighbour is found by its next
 * hop's index, so that the next hop table is the only index there is.
 */

#define MIRROR_ROUTES_MAX 32768
#define MIRROR_BUCKETS 8192 /* power of two */

struct mirror_neigh {
	bool present;	 /* the kernel has it; we hold a reference on the next hop */
	bool host_route; /* addr/32 leads to it */
	bool stale;
	bool told; /* in the dump that runs */
};

struct mirror_entry {
	uint32_t ip; /* host order */
	uint8_t len;
	uint16_t chain; /* next in the bucket or the free list */
	uint32_t gen;	/* dump that told it last; 0: free */
};

static struct mirror_neigh *neighs;  /* by next hop index */
static struct mirror_entry *entries; /* slot 0 unused */
static uint16_t buckets[MIRROR_BUCKETS];
static uint16_t entry_free;
static uint32_t generation;
static bool full_logged;

int mirror_init(void)
{
	neighs = calloc(NEXTHOPS_MAX + 1, sizeof(*neighs));
	entries = calloc(MIRROR_ROUTES_MAX, sizeof(*entries));
	if (neighs == NULL || entries == NULL) {
		mirror_fini();
		return -ENOMEM;
	}
	memset(buckets, 0, sizeof(buckets));
	entry_free = 0;
	for (unsigned int i = MIRROR_ROUTES_MAX - 1; i > 0; i--) {
		entries[i].chain = entry_free;
		entry_free = (uint16_t)i;
	}
	generation = 1;
	return 0;
}

void mirror_fini(void)
{
	free(neighs);
	neighs = NULL;
	free(entries);
	entries = NULL;
}

static uint32_t host_order(const struct net_addr *a)
{
	rte_be32_t be;

	memcpy(&be, a->bytes, sizeof(be));
	return rte_be_to_cpu_32(be);
}

/* Next hop of exactly ip/len, NEXTHOP_NONE if it is no route. */
static uint32_t exact(uint32_t ip, uint8_t len)
{
	uint64_t hop = NEXTHOP_NONE;
	struct rte_rib_node *node;

	ip &= len == 0 ? 0 : UINT32_MAX << (32 - len);
	node = rte_rib_lookup_exact(rte_fib_get_rib(route_fib), ip, len);
	if (node != NULL)
		rte_rib_get_nh(node, &hop);
	return (uint32_t)hop;
}

/* --- neighbours --- */

/*
 * Does the address lie on the interface's link by the routes, its own host route aside? An
 * ARP request can make the kernel note any sender: without this check it would steal
 * the route to that address (threats.md row 31).
 */
static bool on_link(uint16_t netif, const struct net_addr *addr)
{
	uint32_t ip = host_order(addr);

	for (uint8_t len = 32; len-- > 0;) {
		uint32_t hop = exact(ip, len);

		if (hop != NEXTHOP_NONE)
			return nexthops[hop].type == NEXTHOP_CONNECTED &&
			       nexthops[hop].netif == netif;
	}
	return false;
}

static void host_route_update(uint32_t hop)
{
	const struct nexthop *n = &nexthops[hop];
	uint32_t now = exact(host_order(&n->addr), 32);
	bool want = on_link(n->netif, &n->addr);

	/* An address of ours, or a route that the operator made: not for us to touch. */
	if (now != NEXTHOP_NONE && now != hop)
		return;
	if (want && now == NEXTHOP_NONE)
		neighs[hop].host_route = route_add(&n->addr, 32, hop) == 0;
	else if (!want && neighs[hop].host_route) {
		neighs[hop].host_route = false;
		route_del(&n->addr, 32);
	}
}

/* References beside our own: streams, and routes by this gateway. */
static bool in_use(uint32_t hop)
{
	return nexthops[hop].refs > 1u + neighs[hop].host_route;
}

static void neighbour_lost(uint32_t hop, bool deleted)
{
	struct mirror_neigh *m = &neighs[hop];
	struct net_addr addr = nexthops[hop].addr;
	uint16_t netif = nexthops[hop].netif;

	/*
	 * No answer (in a flood, ARP is what drowns first) says nothing against the address
	 * that media goes to: it stays while the kernel asks on, and a new one replaces it.
	 */
	if (!deleted && in_use(hop) && atomic_load(&nexthops[hop].link) != 0) {
		netlink_neighbour_probe(netif, &addr);
		return;
	}
	nexthop_set_link(hop, NULL);
	m->stale = false;
	if (in_use(hop)) {
		/* Packets go through the kernel until it has the neighbour again. */
		if (deleted)
			netlink_neighbour_probe(netif, &addr);
		return;
	}
	if (m->host_route && exact(host_order(&addr), 32) == hop)
		route_del(&addr, 32);
	*m = (struct mirror_neigh){0};
	nexthop_put(hop);
}

void mirror_neighbour(uint16_t netif, const struct net_addr *addr, const struct rte_ether_addr *mac,
	bool stale, bool deleted)
{
	int hop;

	if (addr->family != NET_FAMILY_V4 || !net_addr_is_unicast_peer(addr))
		return;
	hop = nexthop_get(NEXTHOP_NEIGHBOUR, netif, addr, 0);
	if (hop < 0) {
		if (!full_logged)
			log_warn(
				"no next hop free for a neighbour: packets to it go by the kernel");
		full_logged = true;
		return;
	}
	if (mac == NULL && !neighs[hop].present) {
		nexthop_put((uint32_t)hop);
		return;
	}
	if (neighs[hop].present)
		nexthop_put((uint32_t)hop); /* the reference of the first time stays */
	neighs[hop].present = true;
	neighs[hop].told = true;
	if (mac == NULL) {
		neighbour_lost((uint32_t)hop, deleted);
		return;
	}
	neighs[hop].stale = stale;
	nexthop_set_link((uint32_t)hop, mac);
	host_route_update((uint32_t)hop);
}

void mirror_neighbours_begin(void)
{
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++)
		neighs[i].told = false;
}

void mirror_neighbours_end(void)
{
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		if (neighs[i].present && !neighs[i].told)
			neighbour_lost(i, true);
	}
}

void mirror_keep_alive(void)
{
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		if (neighs[i].present && neighs[i].stale && in_use(i))
			netlink_neighbour_probe(nexthops[i].netif, &nexthops[i].addr);
	}
}

/* --- routes --- */

static uint16_t *entry_bucket(uint32_t ip, uint8_t len)
{
	uint32_t h = (ip ^ len) * 0x9e3779b1u;

	return &buckets[h >> 16 & (MIRROR_BUCKETS - 1)];
}

/* The entry of this prefix, made if need be; 0 when there is no room. */
static uint16_t entry_get(uint32_t ip, uint8_t len)
{
	uint16_t *bucket = entry_bucket(ip, len), i = *bucket;

	while (i != 0 && (entries[i].ip != ip || entries[i].len != len))
		i = entries[i].chain;
	if (i != 0)
		return i;
	i = entry_free;
	if (i == 0)
		return 0;
	entry_free = entries[i].chain;
	entries[i] = (struct mirror_entry){.ip = ip, .len = len, .chain = *bucket};
	*bucket = i;
	return i;
}

static void entry_put(uint16_t i)
{
	uint16_t *at = entry_bucket(entries[i].ip, entries[i].len);

	while (*at != i)
		at = &entries[*at].chain;
	*at = entries[i].chain;
	entries[i] = (struct mirror_entry){.chain = entry_free};
	entry_free = i;
}

void mirror_routes_begin(void)
{
	generation++;
}

void mirror_route(const struct mirror_route *r)
{
	bool link = r->gateway.family == NET_FAMILY_NONE;
	uint32_t ip = host_order(&r->dst), old;
	uint16_t i;
	int hop;

	if (r->dst.family != NET_FAMILY_V4 || r->len > 32)
		return;
	i = entry_get(ip, r->len);
	if (i == 0 || entries[i].gen == generation) /* no room; or a better one was told */
		return;
	old = exact(ip, r->len);
	if (old != NEXTHOP_NONE && nexthops[old].type == NEXTHOP_LOCAL) {
		entry_put(i);
		return;
	}
	hop = nexthop_get(link ? NEXTHOP_CONNECTED : NEXTHOP_NEIGHBOUR, r->netif,
		link ? &r->dst : &r->gateway, 0);
	if (hop > 0 && route_add(&r->dst, r->len, (uint32_t)hop) == 0) {
		entries[i].gen = generation;
		if (!link && atomic_load(&nexthops[hop].link) == 0)
			netlink_neighbour_probe(r->netif, &r->gateway);
	} else {
		if (!full_logged)
			log_warn("routing table full: some of the kernel's routes are missing");
		full_logged = true;
		if (entries[i].gen == 0)
			entry_put(i);
	}
	if (hop > 0)
		nexthop_put((uint32_t)hop);
}

static void route_gone(const struct mirror_entry *e)
{
	struct net_addr dst;
	rte_be32_t be = rte_cpu_to_be_32(e->ip);
	uint32_t now = exact(e->ip, e->len);

	dst = net_addr_v4(&be);
	if (now != NEXTHOP_NONE && nexthops[now].type != NEXTHOP_LOCAL)
		route_del(&dst, e->len);
}

void mirror_routes_end(void)
{
	for (unsigned int i = 1; i < MIRROR_ROUTES_MAX; i++) {
		if (entries[i].gen == 0 || entries[i].gen == generation)
			continue;
		route_gone(&entries[i]);
		entry_put((uint16_t)i);
	}
	/* Hosts may be on another link now, or on none. */
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		if (neighs[i].present)
			host_route_update(i);
	}
}

void mirror_netif_gone(uint16_t netif)
{
	for (unsigned int i = 1; i < MIRROR_ROUTES_MAX; i++) {
		const struct mirror_entry *e = &entries[i];

		if (e->gen == 0 || nexthops[exact(e->ip, e->len)].netif != netif ||
			exact(e->ip, e->len) == NEXTHOP_NONE)
			continue;
		route_gone(e);
		entry_put((uint16_t)i);
	}
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		if (!neighs[i].present || nexthops[i].netif != netif)
			continue;
		if (neighs[i].host_route && exact(host_order(&nexthops[i].addr), 32) == i)
			route_del(&nexthops[i].addr, 32);
		nexthop_set_link(i, NULL);
		neighs[i] = (struct mirror_neigh){0};
		nexthop_put(i);
	}
}
