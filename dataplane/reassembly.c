/*
 * Reassembly. Own code, as rte_ip_frag (22.11) lets overlaps pass into its sum of lengths,
 * gives a datagram up for one duplicate, cannot be told to forget one, takes 8 fragments at
 * most, and refuses new datagrams when it is full: a flood would keep everybody else out. Here
 * the oldest one gives way; what is good is complete within milliseconds.
 */
#include "reassembly.h"

#include <errno.h>
#include <sys/queue.h>

#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_random.h>
#include <rte_udp.h>

#include "dataplane_config.h"
#include "log.h"
#include "ports.h"
#include "siphash.h"
#include "token.h"
#include "worker.h"

#define BUCKETS 4096 /* power of two */
#define SOURCES 8192 /* power of two */

/* A datagram under way, or one that was given up and only refuses latecomers. */
struct datagram {
	TAILQ_ENTRY(datagram) age;
	LIST_ENTRY(datagram) bucket;
	uint64_t born_ns;
	struct net_addr src, dst;
	uint32_t id;
	uint32_t total; /* bytes of data; 0: the last fragment is not here */
	uint32_t have;
	uint16_t fragments;
	uint16_t refused;	/* enum drop_reason; DROP_COUNT: it is not */
	struct rte_mbuf *first; /* by offset */
};

TAILQ_HEAD(datagrams, datagram);
LIST_HEAD(bucket, datagram);

struct reassembly {
	uint64_t key[2];
	uint32_t held; /* others read it */
	uint32_t held_max;
	struct rte_mbuf *gone;
	struct datagrams used; /* oldest first */
	struct datagrams unused;
	struct bucket buckets[BUCKETS];
	uint64_t source_full_ns[SOURCES]; /* token.h; sources that meet share one */
	struct datagram datagrams[REASSEMBLY_DATAGRAMS];
};

/* While a fragment waits, its place is in its metadata. */
static uint32_t begin_of(struct rte_mbuf *m)
{
	return pkt_meta(m)->value;
}

static uint32_t data_len(const struct rte_mbuf *m)
{
	return (uint32_t)m->data_len - m->l3_len;
}

static const void *data_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, const void *, m->l3_len);
}

struct reassembly *reassembly_new(uint32_t held_max, const uint64_t key[2])
{
	struct reassembly *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->key[0] = key[0];
	r->key[1] = key[1];
	r->held_max = held_max;
	TAILQ_INIT(&r->used);
	TAILQ_INIT(&r->unused);
	for (unsigned int i = 0; i < REASSEMBLY_DATAGRAMS; i++)
		TAILQ_INSERT_TAIL(&r->unused, &r->datagrams[i], age);
	return r;
}

void reassembly_free(struct reassembly *r)
{
	struct rte_mbuf *m;

	if (r == NULL)
		return;
	reassembly_expire(r, UINT64_MAX);
	while ((m = reassembly_gone(r)) != NULL)
		rte_pktmbuf_free(m);
	free(r);
}

static void gone_put(struct reassembly *r, struct rte_mbuf *m, enum drop_reason reason)
{
	pkt_meta(m)->drop = (uint8_t)reason;
	m->next = r->gone;
	r->gone = m;
}

struct rte_mbuf *reassembly_next(struct rte_mbuf **datagram)
{
	struct rte_mbuf *m = *datagram;

	if (m != NULL) {
		*datagram = m->next;
		m->next = NULL;
	}
	return m;
}

struct rte_mbuf *reassembly_gone(struct reassembly *r)
{
	return reassembly_next(&r->gone);
}

uint32_t reassembly_held(const struct reassembly *r)
{
	return __atomic_load_n(&r->held, __ATOMIC_RELAXED);
}

uint32_t reassembly_held_max(const struct reassembly *r)
{
	return r->held_max;
}

size_t reassembly_bytes(void)
{
	return sizeof(struct reassembly);
}

static void held_add(struct reassembly *r, int32_t n)
{
	__atomic_store_n(&r->held, r->held + (uint32_t)n, __ATOMIC_RELAXED);
}

/* Its packets go; it stays and refuses what belongs to it. */
static void datagram_refuse(struct reassembly *r, struct datagram *d, enum drop_reason reason)
{
	struct rte_mbuf *m;

	while ((m = reassembly_next(&d->first)) != NULL)
		gone_put(r, m, reason);
	held_add(r, -(int32_t)d->fragments);
	d->fragments = 0;
	d->refused = (uint16_t)reason;
}

static void datagram_del(struct reassembly *r, struct datagram *d)
{
	LIST_REMOVE(d, bucket);
	TAILQ_REMOVE(&r->used, d, age);
	TAILQ_INSERT_HEAD(&r->unused, d, age);
}

void reassembly_expire(struct reassembly *r, uint64_t now_ns)
{
	struct datagram *d;

	while ((d = TAILQ_FIRST(&r->used)) != NULL &&
		now_ns - d->born_ns >= REASSEMBLY_TIMEOUT_MS * UINT64_C(1000000)) {
		datagram_refuse(r, d, DROP_FRAG_TIMEOUT);
		datagram_del(r, d);
	}
}

static void oldest_evict(struct reassembly *r)
{
	struct datagram *d = TAILQ_FIRST(&r->used);

	datagram_refuse(r, d, DROP_FRAG_EVICTED);
	datagram_del(r, d);
}

static void hash_addr(uint64_t v[4], const struct net_addr *a, unsigned int words)
{
	uint64_t w;

	for (unsigned int i = 0; i < words; i++) {
		memcpy(&w, a->bytes + i * sizeof(w), sizeof(w));
		siphash_word(v, w, 1);
	}
}

static uint64_t hash_end(uint64_t v[4])
{
	v[2] ^= 0xff;
	siphash_rounds(v, 3);
	return siphash_fold(v);
}

/* One address, or one /64: the first eight bytes. */
static bool source_allowed(struct reassembly *r, const struct net_addr *src, uint64_t now_ns)
{
	uint64_t v[4];

	siphash_init(v, r->key);
	hash_addr(v, src, 1);
	siphash_word(v, src->family, 1);
	return token_take(&r->source_full_ns[hash_end(v) % SOURCES], REASSEMBLY_RATE,
		REASSEMBLY_BURST, now_ns);
}

static struct datagram *datagram_get(
	struct reassembly *r, const struct fragment *f, uint64_t now_ns)
{
	struct bucket *b;
	struct datagram *d;
	uint64_t v[4];

	siphash_init(v, r->key);
	hash_addr(v, &f->src, 2);
	hash_addr(v, &f->dst, 2);
	siphash_word(v, (uint64_t)f->src.family << 32 | f->id, 1);
	b = &r->buckets[hash_end(v) % BUCKETS];
	LIST_FOREACH(d, b, bucket)
	{
		if (d->id == f->id && net_addr_eq(&d->src, &f->src) &&
			net_addr_eq(&d->dst, &f->dst))
			return d;
	}
	if (TAILQ_EMPTY(&r->unused))
		oldest_evict(r);
	d = TAILQ_FIRST(&r->unused);
	TAILQ_REMOVE(&r->unused, d, age);
	*d = (struct datagram){.born_ns = now_ns,
		.src = f->src,
		.dst = f->dst,
		.id = f->id,
		.refused = DROP_COUNT};
	TAILQ_INSERT_TAIL(&r->used, d, age);
	LIST_INSERT_HEAD(b, d, bucket);
	return d;
}

/* RFC 791 section 3.2, RFC 8200 section 4.5: all but the last are multiples of eight bytes. A first
 * one holds the UDP header: none is tiny as RFC 1858 fears. */
static bool shape_valid(const struct fragment *f, uint32_t len)
{
	return len > 0 && (!f->more || len % 8 == 0) &&
	       (f->offset > 0 || len >= sizeof(struct rte_udp_hdr)) &&
	       f->offset + len <= REASSEMBLY_BYTES_MAX;
}

/* Put it where it belongs. @return DROP_COUNT, DROP_FRAG_DUPLICATE or DROP_FRAG_OVERLAP. */
static enum drop_reason fragment_insert(struct datagram *d, struct rte_mbuf *m, uint32_t begin)
{
	struct rte_mbuf **at = &d->first;
	uint32_t len = data_len(m), end = begin + len;

	while (*at != NULL && begin_of(*at) + data_len(*at) <= begin)
		at = &(*at)->next;
	if (*at != NULL && begin_of(*at) < end) {
		/* RFC 8200 section 4.5: copies that the network made are no overlap. */
		if (begin_of(*at) == begin && data_len(*at) == len &&
			memcmp(data_of(*at), data_of(m), len) == 0)
			return DROP_FRAG_DUPLICATE;
		return DROP_FRAG_OVERLAP;
	}
	m->next = *at;
	*at = m;
	return DROP_COUNT;
}

/* Do all fragments agree on where the datagram ends? */
static bool end_agrees(struct datagram *d, const struct fragment *f, uint32_t end)
{
	if (f->more)
		return d->total == 0 || end < d->total;
	if (d->total != 0 && d->total != end)
		return false;
	for (struct rte_mbuf *m = d->first; m != NULL; m = m->next) {
		if (begin_of(m) + data_len(m) > end)
			return false;
	}
	d->total = end;
	return true;
}

static enum drop_reason fragment_take(
	struct datagram *d, const struct fragment *f, struct rte_mbuf *m)
{
	uint32_t len = data_len(m);
	enum drop_reason verdict;

	if (!end_agrees(d, f, f->offset + len))
		return DROP_FRAG_OVERLAP;
	verdict = fragment_insert(d, m, f->offset);
	if (verdict != DROP_COUNT)
		return verdict;
	pkt_meta(m)->value = f->offset;
	d->have += len;
	d->fragments++;
	return DROP_COUNT;
}

/* The datagram for which nothing is missing leaves the table. */
static struct rte_mbuf *datagram_take(struct reassembly *r, struct datagram *d)
{
	struct rte_mbuf *first = d->first;

	held_add(r, -(int32_t)d->fragments);
	datagram_del(r, d);
	return first;
}

static void fragment_add(
	struct reassembly *r, struct datagram *d, const struct fragment *f, struct rte_mbuf *m)
{
	enum drop_reason verdict = d->refused;

	if (verdict == DROP_COUNT)
		verdict = fragment_take(d, f, m);
	if (verdict == DROP_COUNT) {
		held_add(r, 1);
		return;
	}
	if (verdict == DROP_FRAG_OVERLAP)
		datagram_refuse(r, d, verdict);
	gone_put(r, m, verdict);
}

struct rte_mbuf *reassembly_add(
	struct reassembly *r, const struct fragment *f, struct rte_mbuf *m, uint64_t now_ns)
{
	struct datagram *d;

	if (!shape_valid(f, data_len(m))) {
		gone_put(r, m, DROP_FRAG_SHAPE);
		return NULL;
	}
	if (!source_allowed(r, &f->src, now_ns)) {
		gone_put(r, m, DROP_FRAG_RATE);
		return NULL;
	}
	/* RFC 6946: whole by itself, whatever else has its identification. */
	if (f->offset == 0 && !f->more)
		return m;
	while (r->held >= r->held_max)
		oldest_evict(r);
	d = datagram_get(r, f, now_ns);
	fragment_add(r, d, f, m);
	if (d->total != 0 && d->have == d->total && d->refused == DROP_COUNT)
		return datagram_take(r, d);
	if (d->fragments == REASSEMBLY_FRAGMENTS_MAX)
		datagram_refuse(r, d, DROP_FRAG_SHAPE);
	return NULL;
}

/* The first fragment's header, as if it had never been one. */
static void header_put(void *to, const struct rte_mbuf *first, uint32_t len)
{
	struct rte_ipv4_hdr *ip4 = to;
	struct rte_ipv6_hdr *ip6 = to;

	if (*rte_pktmbuf_mtod(first, const uint8_t *) >> 4 == 6) {
		memcpy(to, rte_pktmbuf_mtod(first, const void *), sizeof(*ip6));
		ip6->proto = IPPROTO_UDP;
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)len);
		return;
	}
	memcpy(to, rte_pktmbuf_mtod(first, const void *), sizeof(*ip4));
	ip4->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip4) + len));
	ip4->fragment_offset = 0;
	ip4->hdr_checksum = 0;
	ip4->hdr_checksum = rte_ipv4_cksum(ip4);
}

struct rte_mbuf *reassembly_join(
	struct rte_mbuf *first, struct rte_mempool *small, struct rte_mempool *large)
{
	bool v6 = *rte_pktmbuf_mtod(first, const uint8_t *) >> 4 == 6;
	uint16_t l2 = first->l2_len,
		 l3 = v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t len = 0;
	struct rte_mbuf *m;
	uint8_t *to;

	for (const struct rte_mbuf *f = first; f != NULL; f = f->next)
		len += data_len(f);
	m = rte_pktmbuf_alloc(l3 + len + RTE_PKTMBUF_HEADROOM <= rte_pktmbuf_data_room_size(small)
				      ? small
				      : large);
	if (m == NULL)
		return NULL;
	/* The frame's header goes before, for punt. */
	memcpy(rte_pktmbuf_mtod(m, uint8_t *) - l2, rte_pktmbuf_mtod(first, uint8_t *) - l2, l2);
	to = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(l3 + len));
	header_put(to, first, len);
	to += l3;
	for (const struct rte_mbuf *f = first; f != NULL; f = f->next) {
		memcpy(to, data_of(f), data_len(f));
		to += data_len(f);
	}
	*pkt_meta(m) = *pkt_meta(first);
	m->tx_offload = l2;
	m->l3_len = l3;
	return m;
}

struct rte_mempool *reassembly_pool;

/* A worker joins at most a burst of each queue before it passes them on. */
int reassembly_pool_init(void)
{
	reassembly_pool = rte_pktmbuf_pool_create(
		"reassembly", PORT_BURST * (n_workers + 1), 0, 0, UINT16_MAX, (int)rte_socket_id());
	return reassembly_pool == NULL ? -ENOMEM : 0;
}

void reassembly_pool_fini(void)
{
	rte_mempool_free(reassembly_pool);
	reassembly_pool = NULL;
}

int reassembly_init(const struct dataplane_config *config)
{
	/* An eighth of the buffers may wait for their like. */
	uint32_t held_max = RTE_MAX(config->mbufs / 8 / n_workers, 1u);
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < n_workers; i++) {
		const uint64_t key[2] = {rte_rand(), rte_rand()};

		workers[i].reassembly = reassembly_new(held_max, key);
		if (workers[i].reassembly == NULL)
			rc = -ENOMEM;
	}
	if (rc == -ENOMEM)
		log_error(
			"no memory to put fragments together: raise dataplane.memory_mib (now %u)",
			config->memory_mib);
	if (rc < 0)
		reassembly_fini();
	return rc;
}

void reassembly_fini(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		reassembly_free(workers[i].reassembly);
		workers[i].reassembly = NULL;
	}
}
