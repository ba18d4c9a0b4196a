/*
 * Static lists of sources. A few thousand entries that change when the configuration does:
 * main looks through them one by one, workers through the FIBs.
 */
#include "source_list.h"

#include <errno.h>

#include <rte_byteorder.h>
#include <rte_memory.h>

#include "grace.h"
#include "log.h"

/* Tables behind the first 24 bits: IPv4 takes one for a /24 with longer prefixes, IPv6 one for
 * each further 8 bits. Of 512 bytes; rte_fib's 2-byte entries allow no more than the latter. */
#define TBL8_V4 API_LIST_MAX
#define TBL8_V6 32767

struct source_entry source_entries[API_LIST_MAX + 1];
struct source_prefix source_prefixes[API_LIST_MAX + 1];
_Atomic(struct rte_fib *) source_fib;
_Atomic(struct rte_fib6 *) source_fib6;

/* What only main needs. */
static struct {
	uint16_t prefix; /* 0: free */
	uint32_t epoch;
} entry_private[API_LIST_MAX + 1];

static struct {
	struct net_addr addr; /* family 0: free */
	uint8_t len;
} prefix_private[API_LIST_MAX + 1];

static unsigned int entries_used;
static uint16_t entry_top, prefix_top; /* highest slots that were ever used */

void source_list_init(void)
{
	memset(source_entries, 0, sizeof(source_entries));
	memset(source_prefixes, 0, sizeof(source_prefixes));
	memset(entry_private, 0, sizeof(entry_private));
	memset(prefix_private, 0, sizeof(prefix_private));
	entries_used = 0;
	entry_top = prefix_top = 0;
}

void source_list_fini(void)
{
	rte_fib_free(atomic_exchange(&source_fib, NULL));
	rte_fib6_free(atomic_exchange(&source_fib6, NULL));
}

unsigned int source_list_used(void)
{
	return entries_used;
}

uint16_t source_list_find(const struct net_addr *addr, uint16_t realm, int port)
{
	uint64_t prefix = 0;

	if (addr->family == NET_FAMILY_V4) {
		struct rte_fib *fib = atomic_load_explicit(&source_fib, memory_order_acquire);
		uint32_t ip;

		memcpy(&ip, addr->bytes, sizeof(ip));
		ip = rte_be_to_cpu_32(ip);
		if (fib != NULL)
			rte_fib_lookup_bulk(fib, &ip, &prefix, 1);
	} else if (addr->family == NET_FAMILY_V6) {
		struct rte_fib6 *fib = atomic_load_explicit(&source_fib6, memory_order_acquire);
		uint8_t ip[1][RTE_FIB6_IPV6_ADDR_SIZE];

		memcpy(ip[0], addr->bytes, sizeof(ip[0]));
		if (fib != NULL)
			rte_fib6_lookup_bulk(fib, ip, &prefix, 1);
	}
	return source_list_match(prefix, realm, port);
}

/* --- the FIBs --- */

static struct rte_fib6 *fib6_new(void)
{
	static unsigned int number;
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE,
		.max_routes = API_LIST_MAX,
		.trie = {.nh_sz = RTE_FIB6_TRIE_2B, .num_tbl8 = TBL8_V6}};
	char name[32];

	/* Two are there at a time in fib6_renew(). */
	snprintf(name, sizeof(name), "sources6-%u", number++ % 2);
	return rte_fib6_create(name, SOCKET_ID_ANY, &conf);
}

/* Made with the first prefix of its family: each takes some 36 MiB. */
static int fib_make(uint8_t family)
{
	struct rte_fib_conf v4 = {.type = RTE_FIB_DIR24_8,
		.max_routes = API_LIST_MAX,
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = TBL8_V4}};
	bool made;

	if (family == NET_FAMILY_V4) {
		if (atomic_load(&source_fib) == NULL)
			atomic_store(&source_fib, rte_fib_create("sources", SOCKET_ID_ANY, &v4));
		made = atomic_load(&source_fib) != NULL;
	} else {
		if (atomic_load(&source_fib6) == NULL)
			atomic_store(&source_fib6, fib6_new());
		made = atomic_load(&source_fib6) != NULL;
	}
	if (!made)
		log_error("no memory for the lists of sources (about 50 MiB a family): raise "
			  "dataplane.memory_mib");
	return made ? 0 : -ENOMEM;
}

/*
 * rte_fib6 of DPDK 22.11 does not give back every table that a deleted prefix reserved, so that
 * it is full one day without holding much: then all prefixes go to a new one.
 */
static int fib6_renew(void)
{
	struct rte_fib6 *fib = fib6_new(), *old;
	int rc = 0;

	if (fib == NULL)
		return -ENOMEM;
	for (uint16_t p = 1; rc == 0 && p <= prefix_top; p++) {
		if (prefix_private[p].addr.family == NET_FAMILY_V6)
			rc = rte_fib6_add(
				fib, prefix_private[p].addr.bytes, prefix_private[p].len, p);
	}
	old = rc == 0 ? atomic_exchange(&source_fib6, fib) : fib;
	if (rc == 0)
		grace_wait(grace_stamp());
	rte_fib6_free(old);
	return rc;
}

static int fib_add(uint16_t p)
{
	const struct net_addr *a = &prefix_private[p].addr;
	uint8_t len = prefix_private[p].len;
	uint32_t ip;

	if (a->family == NET_FAMILY_V6) {
		int rc = rte_fib6_add(atomic_load(&source_fib6), a->bytes, len, p);

		return rc == -ENOSPC ? fib6_renew() : rc;
	}
	memcpy(&ip, a->bytes, sizeof(ip));
	return rte_fib_add(atomic_load(&source_fib), rte_be_to_cpu_32(ip), len, p);
}

static void fib_del(uint16_t p)
{
	const struct net_addr *a = &prefix_private[p].addr;
	uint8_t len = prefix_private[p].len;
	uint32_t ip;

	if (a->family == NET_FAMILY_V6) {
		rte_fib6_delete(atomic_load(&source_fib6), a->bytes, len);
		return;
	}
	memcpy(&ip, a->bytes, sizeof(ip));
	rte_fib_delete(atomic_load(&source_fib), rte_be_to_cpu_32(ip), len);
}

/* --- prefixes --- */

static bool prefix_covers(uint16_t outer, uint16_t inner)
{
	return prefix_private[outer].len < prefix_private[inner].len &&
	       net_addr_in_prefix(&prefix_private[inner].addr, &prefix_private[outer].addr,
		       prefix_private[outer].len);
}

static struct net_addr masked(const struct net_addr *addr, uint8_t len)
{
	struct net_addr a = *addr;

	for (unsigned int i = 0; i < sizeof(a.bytes); i++) {
		unsigned int bits = len > 8 * i ? len - 8 * i : 0;

		a.bytes[i] &= (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);
	}
	return a;
}

/* Put p between the longest that covers it and those that it covers. */
static void prefix_link(uint16_t p)
{
	uint16_t parent = 0;

	for (uint16_t i = 1; i <= prefix_top; i++) {
		if (prefix_private[i].addr.family != NET_FAMILY_NONE && prefix_covers(i, p) &&
			(parent == 0 || prefix_private[i].len > prefix_private[parent].len))
			parent = i;
	}
	atomic_store_explicit(&source_prefixes[p].parent, parent, memory_order_release);
	for (uint16_t i = 1; i <= prefix_top; i++) {
		if (prefix_private[i].addr.family != NET_FAMILY_NONE && prefix_covers(p, i) &&
			atomic_load(&source_prefixes[i].parent) == parent)
			atomic_store_explicit(&source_prefixes[i].parent, p, memory_order_release);
	}
}

/* What workers hold of it stays whole; the slot is free after a grace period. */
static void prefix_unlink(uint16_t p)
{
	uint16_t parent = atomic_load(&source_prefixes[p].parent);

	fib_del(p);
	for (uint16_t i = 1; i <= prefix_top; i++) {
		if (atomic_load(&source_prefixes[i].parent) == p)
			atomic_store_explicit(
				&source_prefixes[i].parent, parent, memory_order_release);
	}
}

/* @return the prefix's slot, new if need be, or negative errno. */
static int prefix_get(const struct net_addr *addr, uint8_t len)
{
	uint16_t place = 0;
	int rc;

	for (uint16_t i = 1; i <= prefix_top; i++) {
		if (prefix_private[i].len == len && net_addr_eq(&prefix_private[i].addr, addr))
			return i;
		if (place == 0 && prefix_private[i].addr.family == NET_FAMILY_NONE)
			place = i;
	}
	if (place == 0) {
		if (prefix_top == API_LIST_MAX)
			return -ENOSPC;
		place = ++prefix_top;
	}
	rc = fib_make(addr->family);
	if (rc < 0)
		return rc;
	prefix_private[place].addr = *addr;
	prefix_private[place].len = len;
	atomic_store(&source_prefixes[place].first, 0);
	prefix_link(place);
	rc = fib_add(place);
	if (rc < 0) {
		prefix_unlink(place);
		grace_wait(grace_stamp());
		prefix_private[place].addr.family = NET_FAMILY_NONE;
		return rc;
	}
	return place;
}

/* --- entries --- */

/* The one for a port before the one for all, the one for a realm before the one for all. */
static unsigned int particular(uint16_t realm, uint16_t port)
{
	return (port != 0) * 2u + (realm != API_REALM_ANY);
}

/* Where the chain of p points to entry e, or to the place for one like it (*_at is 0 or less
 * particular). */
static _Atomic uint16_t *chain_find(uint16_t p, uint16_t realm, uint16_t port)
{
	_Atomic uint16_t *at = &source_prefixes[p].first;

	for (uint16_t e = atomic_load(at); e != 0; e = atomic_load(at)) {
		const struct source_entry *entry = &source_entries[e];

		if (entry->realm == realm && entry->port == port)
			return at;
		if (particular(entry->realm, entry->port) < particular(realm, port))
			return at;
		at = &source_entries[e].next;
	}
	return at;
}

static uint16_t entry_alloc(void)
{
	for (uint16_t e = 1; e <= entry_top; e++) {
		if (entry_private[e].prefix == 0)
			return e;
	}
	return entry_top < API_LIST_MAX ? ++entry_top : 0;
}

int source_list_set(const struct rec_source_list_set *r, uint32_t epoch)
{
	struct net_addr addr = masked(&r->addr, r->prefix_len);
	_Atomic uint16_t *at;
	int p = prefix_get(&addr, r->prefix_len);
	uint16_t e;

	if (p < 0)
		return p;
	at = chain_find((uint16_t)p, r->realm, r->port);
	e = atomic_load(at);
	if (e == 0 || source_entries[e].realm != r->realm || source_entries[e].port != r->port) {
		e = entries_used < API_LIST_MAX ? entry_alloc() : 0;
		if (e == 0)
			return -ENOSPC;
		entries_used++;
		entry_private[e].prefix = (uint16_t)p;
		source_entries[e].realm = r->realm;
		source_entries[e].port = r->port;
		atomic_store(&source_entries[e].action, r->action);
		source_entries[e].limit = r->limit;
		atomic_store(&source_entries[e].next, atomic_load(at));
		atomic_store_explicit(at, e, memory_order_release);
	}
	atomic_store(&source_entries[e].action, r->action);
	source_entries[e].limit = r->limit;
	entry_private[e].epoch = epoch;
	return 0;
}

static void entry_unlink(uint16_t e)
{
	_Atomic uint16_t *at = &source_prefixes[entry_private[e].prefix].first;

	while (atomic_load(at) != e)
		at = &source_entries[atomic_load(at)].next;
	atomic_store_explicit(at, atomic_load(&source_entries[e].next), memory_order_release);
}

void source_list_sync(uint32_t epoch)
{
	static bool entry_goes[API_LIST_MAX + 1], prefix_goes[API_LIST_MAX + 1];
	unsigned int n = 0;

	memset(entry_goes, 0, sizeof(entry_goes));
	memset(prefix_goes, 0, sizeof(prefix_goes));
	for (uint16_t e = 1; e <= entry_top; e++) {
		if (entry_private[e].prefix == 0 || entry_private[e].epoch == epoch)
			continue;
		entry_unlink(e);
		entry_goes[e] = true;
		n++;
	}
	for (uint16_t p = 1; p <= prefix_top; p++) {
		if (prefix_private[p].addr.family == NET_FAMILY_NONE ||
			atomic_load(&source_prefixes[p].first) != 0)
			continue;
		prefix_unlink(p);
		prefix_goes[p] = true;
		n++;
	}
	if (n == 0)
		return;
	grace_wait(grace_stamp());
	for (uint16_t e = 1; e <= entry_top; e++) {
		if (entry_goes[e]) {
			entry_private[e].prefix = 0;
			entries_used--;
		}
	}
	for (uint16_t p = 1; p <= prefix_top; p++) {
		if (prefix_goes[p]) {
			prefix_private[p].addr.family = NET_FAMILY_NONE;
			atomic_store(&source_prefixes[p].parent, 0);
		}
	}
}
