#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_rib.h>

#include "boundary.h"
#include "grace.h"
#include "log.h"
#include "netif.h"
#include "nexthop.h"

#define ROUTES_MAX 65536
/* A /25..32 route takes a 256-entry table for its /24: 4,096 of them are 2 MiB. */
#define ROUTE_TBL8 4096
#define NEXTHOP_BUCKETS 16384 /* power of two */

struct nexthop *nexthops;
struct rte_fib *route_fib;

/* What only the main thread needs of a next hop. */
struct nexthop_private {
	uint16_t chain; /* next in its bucket or in the free list or limbo */
	uint64_t stamp; /* in limbo: when it was unlinked */
};

static struct nexthop_private *hop_private;
static uint16_t *hop_buckets;
static uint16_t hop_free;			 /* list head */
static uint16_t hop_limbo_first, hop_limbo_last; /* oldest first */
static unsigned int hop_fresh;			 /* first slot that was never used */
static unsigned int hop_used;

int nexthop_init(void)
{
	struct rte_fib_conf conf = {.type = RTE_FIB_DIR24_8,
		.default_nh = NEXTHOP_NONE,
		.max_routes = ROUTES_MAX,
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = ROUTE_TBL8}};

	hop_fresh = 1;
	hop_used = 0;
	route_v6_init();
	hop_free = hop_limbo_first = hop_limbo_last = 0;
	hop_private = calloc(NEXTHOPS_MAX + 1, sizeof(*hop_private));
	hop_buckets = calloc(NEXTHOP_BUCKETS, sizeof(*hop_buckets));
	nexthops = rte_zmalloc("nexthops", (NEXTHOPS_MAX + 1) * sizeof(*nexthops), 64);
	if (nexthops != NULL && hop_private != NULL && hop_buckets != NULL)
		route_fib = rte_fib_create("routes", SOCKET_ID_ANY, &conf);
	if (route_fib == NULL) {
		log_error("not enough memory for the routing table (about 50 MiB): raise "
			  "dataplane.memory_mib, or free hugepages");
		nexthop_fini();
		return -ENOMEM;
	}
	return 0;
}

void nexthop_fini(void)
{
	rte_fib_free(route_fib);
	route_fib = NULL;
	rte_free(nexthops);
	nexthops = NULL;
	free(hop_private);
	hop_private = NULL;
	free(hop_buckets);
	hop_buckets = NULL;
	hop_used = 0;
}

static uint16_t *hop_bucket(enum nexthop_type type, uint16_t netif, const struct net_addr *addr)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	h = (h ^ type) * 0x100000001b3ull;
	h = (h ^ netif) * 0x100000001b3ull;
	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		h = (h ^ addr->bytes[i]) * 0x100000001b3ull;
	return &hop_buckets[(h ^ h >> 32) & (NEXTHOP_BUCKETS - 1)];
}

static uint16_t hop_find(enum nexthop_type type, uint16_t netif, const struct net_addr *addr)
{
	const struct netif *on = &netifs[netif];
	uint16_t i = *hop_bucket(type, netif, addr);

	/* The interface's index may have been another VLAN's before. */
	while (i != 0 && (nexthops[i].type != type || nexthops[i].netif != netif ||
				 nexthops[i].port != on->port || nexthops[i].vlan != on->vlan ||
				 !net_addr_eq(&nexthops[i].addr, addr)))
		i = hop_private[i].chain;
	return i;
}

/* A slot that no worker can be looking at; 0 when there is none. */
static uint16_t hop_alloc(void)
{
	uint16_t i = hop_free;

	if (i != 0) {
		hop_free = hop_private[i].chain;
		return i;
	}
	if (hop_fresh <= NEXTHOPS_MAX)
		return (uint16_t)hop_fresh++;
	i = hop_limbo_first;
	if (i == 0)
		return 0;
	/* Wait for the newest, and every one in limbo becomes free. */
	grace_wait(hop_private[hop_limbo_last].stamp);
	hop_free = hop_private[i].chain;
	hop_limbo_first = hop_limbo_last = 0;
	return i;
}

int nexthop_get(enum nexthop_type type, uint16_t netif, const struct net_addr *addr, uint16_t local)
{
	const struct stats_port *p;
	struct nexthop *n;
	uint16_t i, *bucket;

	if (netif >= NETIFS_MAX || !netifs[netif].used)
		return -EINVAL;
	i = hop_find(type, netif, addr);
	if (i != 0 && (type != NEXTHOP_LOCAL || nexthops[i].local == local)) {
		nexthops[i].refs++;
		return i;
	}
	i = hop_alloc();
	if (i == 0)
		return -ENOSPC;
	n = &nexthops[i];
	memset(n, 0, sizeof(*n));
	n->type = (uint8_t)type;
	n->netif = netif;
	n->port = netifs[netif].port;
	n->vlan = netifs[netif].vlan;
	n->local = local;
	n->addr = *addr;
	n->refs = 1;
	p = &stats_region->port[n->port];
	n->mtu = p->mtu > 0 && p->mtu < 65536 ? (uint16_t)p->mtu : 1500;
	memcpy(n->src_mac.addr_bytes, p->mac, sizeof(p->mac));
	bucket = hop_bucket(type, netif, addr);
	hop_private[i].chain = *bucket;
	*bucket = i;
	hop_used++;
	/* Workers find it by an index that is published later: all of it must be there first. */
	atomic_thread_fence(memory_order_release);
	return i;
}

static void hop_unlink(uint16_t hop)
{
	struct nexthop *n = &nexthops[hop];
	uint16_t *at = hop_bucket((enum nexthop_type)n->type, n->netif, &n->addr);

	while (*at != hop)
		at = &hop_private[*at].chain;
	*at = hop_private[hop].chain;
}

void nexthop_put(uint32_t hop)
{
	if (hop == NEXTHOP_NONE || hop > NEXTHOPS_MAX || --nexthops[hop].refs > 0)
		return;
	hop_unlink((uint16_t)hop);
	/* The slot keeps its contents: a worker may still be sending by it. */
	hop_private[hop].chain = 0;
	hop_private[hop].stamp = grace_stamp();
	if (hop_limbo_last != 0)
		hop_private[hop_limbo_last].chain = (uint16_t)hop;
	else
		hop_limbo_first = (uint16_t)hop;
	hop_limbo_last = (uint16_t)hop;
	hop_used--;
}

void nexthop_set_link(uint32_t hop, const struct rte_ether_addr *mac)
{
	uint64_t link = 0;

	if (mac != NULL) {
		memcpy(&link, mac->addr_bytes, sizeof(mac->addr_bytes));
		link |= NEXTHOP_LINK_VALID;
	}
	atomic_store_explicit(&nexthops[hop].link, link, memory_order_release);
}

unsigned int nexthop_used(void)
{
	return hop_used;
}

uint32_t route_find(const struct net_addr *dst)
{
	rte_be32_t ip;

	if (dst->family == NET_FAMILY_V6)
		return route_find_v6(dst->bytes);
	if (dst->family != NET_FAMILY_V4)
		return NEXTHOP_NONE;
	memcpy(&ip, dst->bytes, sizeof(ip));
	return route_find_v4(ip);
}

/* --- one prefix --- */

static bool prefix_valid(const struct net_addr *dst, uint8_t len)
{
	return (dst->family == NET_FAMILY_V4 && len <= 32) ||
	       (dst->family == NET_FAMILY_V6 && len <= 128);
}

/* In host order, host bits cleared. */
static uint32_t prefix_v4(const struct net_addr *dst, uint8_t len)
{
	rte_be32_t be;

	memcpy(&be, dst->bytes, sizeof(be));
	return rte_be_to_cpu_32(be) & (len == 0 ? 0 : UINT32_MAX << (32 - len));
}

static int fib_add(const struct net_addr *dst, uint8_t len, uint32_t hop)
{
	if (dst->family == NET_FAMILY_V6)
		return route_v6_set(dst->bytes, len, (uint16_t)hop);
	return rte_fib_add(route_fib, prefix_v4(dst, len), len, hop);
}

static int fib_delete(const struct net_addr *dst, uint8_t len)
{
	if (dst->family == NET_FAMILY_V6)
		return route_v6_del(dst->bytes, len);
	return rte_fib_delete(route_fib, prefix_v4(dst, len), len);
}

uint32_t route_exact(const struct net_addr *dst, uint8_t len)
{
	uint64_t hop = NEXTHOP_NONE, high, low;
	struct rte_rib_node *node;

	if (!prefix_valid(dst, len))
		return NEXTHOP_NONE;
	if (dst->family == NET_FAMILY_V6) {
		route_v6_load(dst->bytes, &high, &low);
		route_v6_mask(len, &high, &low);
		return route_v6_exact(high, low, len);
	}
	node = rte_rib_lookup_exact(rte_fib_get_rib(route_fib), prefix_v4(dst, len), len);
	if (node != NULL)
		rte_rib_get_nh(node, &hop);
	return (uint32_t)hop;
}

/*
 * rte_fib of 22.11 has no RCU: a look-up that overlaps an update may read an entry of
 * a second-level table that is being cleared or reused, and one burst may take the old
 * route or none. Next hops themselves are reused only after a grace period.
 */
int route_add(const struct net_addr *dst, uint8_t prefix_len, uint32_t hop)
{
	uint32_t old;
	int rc;

	if (!prefix_valid(dst, prefix_len) || hop == NEXTHOP_NONE || hop > NEXTHOPS_MAX ||
		nexthops[hop].refs == 0)
		return -EINVAL;
	old = route_exact(dst, prefix_len);
	if (old == hop)
		return 0;
	rc = fib_add(dst, prefix_len, hop);
	if (rc < 0)
		return rc == -ENOMEM ? -ENOSPC : rc;
	nexthops[hop].refs++;
	nexthop_put(old);
	return 0;
}

int route_del(const struct net_addr *dst, uint8_t prefix_len)
{
	uint32_t old;
	int rc;

	if (!prefix_valid(dst, prefix_len))
		return -EINVAL;
	old = route_exact(dst, prefix_len);
	if (old == NEXTHOP_NONE)
		return -ENOENT;
	rc = fib_delete(dst, prefix_len);
	if (rc < 0)
		return rc;
	nexthop_put(old);
	return 0;
}
