#include <errno.h>

#include "kernel_path.h"
#include "log.h"
#include "netif.h"
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
	bool host_route; /* the address alone leads to it */
	bool stale;
	bool told;    /* in the dump that runs */
	bool failed;  /* its link address did not answer: another one may take over */
	bool doubted; /* another one was claimed and ours is being asked: logged once */
};

struct mirror_entry {
	struct net_addr dst;
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

static uint8_t host_len(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V4 ? 32 : 128;
}

static bool link_local_v6(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V6 && net_addr_class(a) == NET_CLASS_LINK_LOCAL;
}

/* --- neighbours --- */

/*
 * Does the address lie on the interface's link by the routes, its own host route aside? An
 * ARP request can make the kernel note any sender: without this check it would steal
 * the route to that address (threats.md row 31).
 */
static bool on_link(uint16_t netif, const struct net_addr *addr)
{
	for (uint8_t len = host_len(addr); len-- > 0;) {
		uint32_t hop = route_exact(addr, len);

		if (hop != NEXTHOP_NONE)
			return nexthops[hop].type == NEXTHOP_CONNECTED &&
			       nexthops[hop].netif == netif;
	}
	return false;
}

static void host_route_update(uint32_t hop)
{
	const struct nexthop *n = &nexthops[hop];
	uint8_t len = host_len(&n->addr);
	uint32_t now = route_exact(&n->addr, len);
	bool want;

	/* An address of ours, or a route that the operator made: not for us to touch. */
	if (now != NEXTHOP_NONE && now != hop)
		return;
	/* A gateway may be link-local, which is an address on every link. */
	want = !link_local_v6(&n->addr) && on_link(n->netif, &n->addr);
	if (want && now == NEXTHOP_NONE)
		neighs[hop].host_route = route_add(&n->addr, len, hop) == 0;
	else if (!want && neighs[hop].host_route) {
		neighs[hop].host_route = false;
		route_del(&n->addr, len);
	}
}

/* References beside our own: streams, and routes by this gateway. */
static bool in_use(uint32_t hop)
{
	return nexthops[hop].refs > 1u + neighs[hop].host_route;
}

/* Forget a neighbour and our reference. */
static void neighbour_forget(uint32_t hop)
{
	const struct net_addr addr = nexthops[hop].addr;

	if (neighs[hop].host_route && route_exact(&addr, host_len(&addr)) == hop)
		route_del(&addr, host_len(&addr));
	nexthop_set_link(hop, NULL);
	neighs[hop] = (struct mirror_neigh){0};
	nexthop_put(hop);
}

static void known_mac(uint32_t hop, struct rte_ether_addr *mac)
{
	uint64_t link = atomic_load(&nexthops[hop].link);

	memcpy(mac, &link, sizeof(*mac));
}

static void neighbour_lost(uint32_t hop, bool deleted)
{
	const struct nexthop *n = &nexthops[hop];
	struct mirror_neigh *m = &neighs[hop];
	struct rte_ether_addr mac;

	if (!in_use(hop)) {
		neighbour_forget(hop);
		return;
	}
	if (atomic_load(&n->link) == 0) {
		/* Packets go through the kernel until it has the neighbour again. */
		if (deleted)
			netlink_neighbour_probe(n->netif, &n->addr);
		return;
	}
	/*
	 * Nothing said against the address that media goes to: in a flood ARP is what drowns
	 * first, and a table full of made-up neighbours is where the kernel drops good ones. It
	 * stays while the kernel asks on, and a new one replaces it.
	 */
	if (deleted) {
		m->stale = true; /* asked again later, should the link be down now */
		known_mac(hop, &mac);
		netlink_neighbour_confirm(n->netif, &n->addr, mac.addr_bytes);
	} else {
		m->failed = true;
		netlink_neighbour_probe(n->netif, &n->addr);
	}
}

/*
 * threats.md row 31: the kernel takes a link address from any ARP request or reply and from
 * any neighbour solicitation or advertisement, asked for or not. Here one that is known stays
 * until it has failed to answer: the kernel is given it back and told to ask it. A claim that
 * is true costs the three probes that go without an answer, then the new address is taken.
 * @return true if the neighbour keeps what it has.
 */
static bool neighbour_pinned(
	uint32_t hop, const struct rte_ether_addr *mac, enum mirror_state state)
{
	struct mirror_neigh *m = &neighs[hop];
	char text[NET_ADDR_STRLEN];
	struct rte_ether_addr known;

	known_mac(hop, &known);
	if (atomic_load(&nexthops[hop].link) == 0 || rte_is_same_ether_addr(&known, mac)) {
		m->doubted = m->doubted && state != MIRROR_REACHABLE;
		m->failed = m->failed && state != MIRROR_REACHABLE;
		return false;
	}
	/* What the operator writes into the kernel's table is no claim of the network. */
	if (m->failed || state == MIRROR_PERMANENT) {
		m->failed = m->doubted = false;
		return false;
	}
	if (!m->doubted)
		log_warn_limited(
			"a neighbour is claimed by another link address: the known one is asked "
			"first address=%s interface=%s",
			net_addr_format(&nexthops[hop].addr, text),
			netifs[nexthops[hop].netif].name);
	m->doubted = true;
	netlink_neighbour_confirm(nexthops[hop].netif, &nexthops[hop].addr, known.addr_bytes);
	return true;
}

void mirror_neighbour(uint16_t netif, const struct net_addr *addr, const struct rte_ether_addr *mac,
	enum mirror_state state)
{
	int hop;

	if (!net_addr_is_unicast_peer(addr) && !link_local_v6(addr))
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
		neighbour_lost((uint32_t)hop, state == MIRROR_DELETED);
		return;
	}
	if (neighbour_pinned((uint32_t)hop, mac, state))
		return;
	neighs[hop].stale = state == MIRROR_STALE;
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

static uint16_t *entry_bucket(const struct net_addr *dst, uint8_t len)
{
	uint64_t h = 0xcbf29ce484222325ull ^ len; /* FNV-1a */

	for (size_t i = 0; i < sizeof(dst->bytes); i++)
		h = (h ^ dst->bytes[i]) * 0x100000001b3ull;
	return &buckets[(h ^ h >> 32 ^ dst->family) & (MIRROR_BUCKETS - 1)];
}

/* The entry of this prefix, made if need be; 0 when there is no room. */
static uint16_t entry_get(const struct net_addr *dst, uint8_t len)
{
	uint16_t *bucket = entry_bucket(dst, len), i = *bucket;

	while (i != 0 && (!net_addr_eq(&entries[i].dst, dst) || entries[i].len != len))
		i = entries[i].chain;
	if (i != 0)
		return i;
	i = entry_free;
	if (i == 0)
		return 0;
	entry_free = entries[i].chain;
	entries[i] = (struct mirror_entry){.dst = *dst, .len = len, .chain = *bucket};
	*bucket = i;
	return i;
}

static void entry_put(uint16_t i)
{
	uint16_t *at = entry_bucket(&entries[i].dst, entries[i].len);

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

/* What is on every link is no way to anywhere: nobody we send to has such an address. */
static bool route_wanted(const struct mirror_route *r)
{
	enum net_class class = net_addr_class(&r->dst);

	return r->dst.family != NET_FAMILY_NONE && r->len <= host_len(&r->dst) &&
	       !link_local_v6(&r->dst) && class != NET_CLASS_MULTICAST;
}

void mirror_route(const struct mirror_route *r)
{
	bool link = r->gateway.family == NET_FAMILY_NONE;
	uint32_t old;
	uint16_t i;
	int hop;

	if (!route_wanted(r))
		return;
	i = entry_get(&r->dst, r->len);
	if (i == 0 || entries[i].gen == generation) /* no room; or a better one was told */
		return;
	old = route_exact(&r->dst, r->len);
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
	uint32_t now = route_exact(&e->dst, e->len);

	if (now != NEXTHOP_NONE && nexthops[now].type != NEXTHOP_LOCAL)
		route_del(&e->dst, e->len);
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
		uint32_t hop = entries[i].gen == 0 ? NEXTHOP_NONE
						   : route_exact(&entries[i].dst, entries[i].len);

		if (hop == NEXTHOP_NONE || nexthops[hop].netif != netif)
			continue;
		route_gone(&entries[i]);
		entry_put((uint16_t)i);
	}
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		if (neighs[i].present && nexthops[i].netif == netif)
			neighbour_forget(i);
	}
}
