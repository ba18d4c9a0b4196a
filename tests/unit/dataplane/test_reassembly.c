/*
 * Reassembly: datagrams cut and shuffled at random come out whole; everything else goes with
 * its reason; and every packet comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "reassembly.h"
#include "worker.h"

#define POOL 8191
#define HELD_MAX 6000
#define FRAME 18 /* bytes before the IP header: Ethernet and a VLAN tag */
#define MS UINT64_C(1000000)

static struct rte_mempool *small, *large;
static struct reassembly *table;
static uint64_t now = 1000 * MS;
static uint32_t seed = 7;

static uint32_t random32(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed ^ (seed >> 16);
}

/* --- making fragments --- */

struct piece {
	uint32_t begin, len;
	bool more;
};

struct source {
	bool v6;
	uint8_t host;
	uint32_t id;
};

static struct net_addr addr_of(bool v6, uint8_t host)
{
	struct net_addr a = {.family = v6 ? NET_FAMILY_V6 : NET_FAMILY_V4};

	memcpy(a.bytes, v6 ? "\x20\x01\x0d\xb8\0\0\0" : "\xc0\0\2", v6 ? 7 : 3);
	a.bytes[v6 ? 7 : 3] = host; /* another /64, another address */
	return a;
}

static struct fragment fragment_of(struct source s, struct piece p)
{
	return (struct fragment){.src = addr_of(s.v6, s.host),
		.dst = addr_of(s.v6, 200),
		.id = s.id,
		.offset = (uint16_t)p.begin,
		.more = p.more};
}

static uint16_t header_build(uint8_t *to, struct source s, struct piece p)
{
	struct fragment f = fragment_of(s, p);
	struct rte_ipv6_hdr *ip6 = (void *)to;
	struct rte_ipv4_hdr *ip4 = (void *)to;

	if (s.v6) {
		*ip6 = (struct rte_ipv6_hdr){.vtc_flow = rte_cpu_to_be_32(0x60000000),
			.payload_len = rte_cpu_to_be_16((uint16_t)(p.len + 8)),
			.proto = IPPROTO_FRAGMENT,
			.hop_limits = 64};
		memcpy(ip6->src_addr, f.src.bytes, 16);
		memcpy(ip6->dst_addr, f.dst.bytes, 16);
		memset(to + sizeof(*ip6), 0, 8);
		return sizeof(*ip6) + 8;
	}
	*ip4 = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(20 + p.len)),
		.fragment_offset = rte_cpu_to_be_16(
			(uint16_t)(p.begin / 8 | (p.more ? RTE_IPV4_HDR_MF_FLAG : 0))),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP};
	memcpy(&ip4->src_addr, f.src.bytes, 4);
	memcpy(&ip4->dst_addr, f.dst.bytes, 4);
	ip4->hdr_checksum = rte_ipv4_cksum(ip4);
	return sizeof(*ip4);
}

/* data: of the whole datagram. */
static struct rte_mbuf *add(struct source s, struct piece p, const uint8_t *data)
{
	struct fragment f = fragment_of(s, p);
	struct rte_mbuf *m = rte_pktmbuf_alloc(small);
	uint8_t *frame;
	uint16_t l3;

	assert_non_null(m);
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(FRAME + 48 + p.len));
	assert_non_null(frame);
	memset(frame, 0xee, FRAME);
	l3 = header_build(frame + FRAME, s, p);
	memcpy(frame + FRAME + l3, data + p.begin, p.len);
	rte_pktmbuf_trim(m, (uint16_t)(48 - l3));
	rte_pktmbuf_adj(m, FRAME);
	m->l2_len = FRAME;
	m->l3_len = l3;
	*pkt_meta(m) = (struct pkt_meta){.port = 3, .value2 = 17};
	return reassembly_add(table, &f, m, now);
}

/* --- judging --- */

static unsigned int gone[DROP_COUNT];

static void gone_count(void)
{
	struct rte_mbuf *m;

	memset(gone, 0, sizeof(gone));
	while ((m = reassembly_gone(table)) != NULL) {
		assert_null(m->next);
		gone[pkt_meta(m)->drop]++;
		rte_pktmbuf_free(m);
	}
}

static void whole_check(
	struct rte_mbuf *datagram, struct source s, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m = reassembly_join(datagram, small, large), *f;
	uint16_t l3 = s.v6 ? 40 : 20;
	const uint8_t *ip;

	assert_non_null(m);
	while ((f = reassembly_next(&datagram)) != NULL)
		rte_pktmbuf_free(f);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->l3_len, l3);
	assert_int_equal(m->l2_len, FRAME);
	assert_int_equal(m->pkt_len, l3 + len);
	assert_int_equal(pkt_meta(m)->port, 3);
	assert_int_equal(pkt_meta(m)->value2, 17);
	ip = rte_pktmbuf_mtod(m, const uint8_t *);
	assert_int_equal(ip[-1], 0xee);
	assert_int_equal(ip[-FRAME], 0xee);
	assert_memory_equal(ip + l3, data, len);
	if (s.v6) {
		assert_int_equal(ip[4] << 8 | ip[5], len);
		assert_int_equal(ip[6], IPPROTO_UDP);
	} else {
		struct rte_ipv4_hdr ip4;

		memcpy(&ip4, ip, sizeof(ip4));
		assert_int_equal(rte_be_to_cpu_16(ip4.total_length), 20 + len);
		assert_int_equal(ip4.fragment_offset, 0);
		assert_int_equal(rte_raw_cksum(&ip4, sizeof(ip4)), 0xffff);
	}
	rte_pktmbuf_free(m);
}

static int setup(void **state)
{
	const uint64_t key[2] = {1, 2};

	now += 10000 * MS;
	table = reassembly_new(HELD_MAX, key);
	assert_non_null(table);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
	return 0;
}

static int teardown(void **state)
{
	reassembly_free(table);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
	assert_int_equal(rte_mempool_in_use_count(large), 0);
	return 0;
}

/* --- cases --- */

static uint8_t data[65536 + 100]; /* the ping of death is longer than a packet may be */

static unsigned int cut(uint32_t len, uint32_t size, struct piece *out)
{
	unsigned int n = 0;

	for (uint32_t at = 0; at < len; at += size, n++)
		out[n] = (struct piece){
			at, RTE_MIN(size, len - at), at + RTE_MIN(size, len - at) < len};
	return n;
}

static void shuffle(struct piece *p, unsigned int n)
{
	for (unsigned int i = n; i > 1; i--) {
		unsigned int j = random32() % i;
		struct piece t = p[j];

		p[j] = p[i - 1];
		p[i - 1] = t;
	}
}

/* Any size, any cut, any order, with and without copies. */
static void whole_again(void **state)
{
	for (unsigned int round = 0; round < 3000; round++) {
		struct source s = {round % 2, (uint8_t)(round % 100), random32() & 0xffff};
		struct piece p[REASSEMBLY_FRAGMENTS_MAX];
		uint32_t size = 8 * (1 + random32() % 180),
			 len = 9 + random32() % (size * (REASSEMBLY_FRAGMENTS_MAX - 1));
		struct rte_mbuf *datagram = NULL;
		unsigned int n, copies = 0;

		len = RTE_MIN(RTE_MAX(len, size + 1), (uint32_t)REASSEMBLY_BYTES_MAX);
		n = cut(len, size, p);
		if (round % 4 < 2)
			shuffle(p, n);
		now += 20 * MS;
		for (unsigned int i = 0; i < n; i++) {
			assert_null(datagram);
			if (i > 0 && random32() % 8 == 0) {
				assert_null(add(s, p[random32() % i], data));
				copies++;
			}
			datagram = add(s, p[i], data);
		}
		assert_non_null(datagram);
		assert_int_equal(reassembly_held(table), 0);
		gone_count();
		assert_int_equal(gone[DROP_FRAG_DUPLICATE], copies);
		assert_int_equal(gone[DROP_FRAG_RATE] + gone[DROP_FRAG_OVERLAP], 0);
		whole_check(datagram, s, data, len);
	}
}

/* RFC 6946. */
static void atomic_is_alone(void **state)
{
	struct source s = {true, 1, 99};
	struct rte_mbuf *m;

	assert_null(add(s, (struct piece){0, 16, true}, data));
	m = add(s, (struct piece){0, 100, false}, data);
	assert_non_null(m);
	whole_check(m, s, data, 100);
	m = add(s, (struct piece){16, 9, false}, data);
	assert_non_null(m);
	whole_check(m, s, data, 25);
}

/* Each begins with 0..800 and 1600..2000 (the end); then comes one that cannot be. */
static void overlaps_end_a_datagram(void **state)
{
	static const struct piece bad[] = {
		{0, 808, true},	    /* begins like the first, longer */
		{0, 792, true},	    /* begins like the first, shorter */
		{8, 16, true},	    /* within the first */
		{792, 16, true},    /* tail of the first */
		{792, 808, true},   /* tail of the first up to the last */
		{800, 808, true},   /* into the last */
		{1600, 400, true},  /* the last, that says it is not */
		{1600, 392, false}, /* another end */
		{2000, 8, true},    /* behind the end */
		{2000, 8, false},   /* a second end */
		{800, 400, false},  /* an end before the last */
	};

	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			struct source s = {v6, 1, i};

			now += 100 * MS;
			assert_null(add(s, (struct piece){0, 800, true}, data));
			assert_null(add(s, (struct piece){1600, 400, false}, data));
			assert_null(add(s, bad[i], data));
			gone_count();
			assert_int_equal(gone[DROP_FRAG_OVERLAP], 3);
			/* What would have completed it comes too late. */
			assert_null(add(s, (struct piece){800, 800, true}, data));
			assert_null(add(s, (struct piece){0, 800, true}, data));
			gone_count();
			assert_int_equal(gone[DROP_FRAG_OVERLAP], 2);
			assert_int_equal(reassembly_held(table), 0);
		}
	}
}

/* The same place, other bytes. */
static void copy_that_differs_overlaps(void **state)
{
	struct source s = {false, 1, 5};

	assert_null(add(s, (struct piece){0, 800, true}, data));
	assert_null(add(s, (struct piece){0, 800, true}, data + 1));
	gone_count();
	assert_int_equal(gone[DROP_FRAG_OVERLAP], 2);
}

static void shapes(void **state)
{
	static const struct piece bad[] = {
		{0, 0, true},				   /* nothing in it */
		{8, 0, false},				   /* nothing in it */
		{0, 7, true},				   /* no multiple of 8, no UDP header */
		{0, 12, true},				   /* no multiple of 8 */
		{0, 7, false},				   /* no UDP header */
		{REASSEMBLY_BYTES_MAX / 8 * 8, 64, false}, /* too long */
		{65528, 100, false},			   /* the ping of death */
	};

	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(add((struct source){i % 2, 1, i}, bad[i], data));
		gone_count();
		assert_int_equal(gone[DROP_FRAG_SHAPE], 1);
	}
}

static void too_many(void **state)
{
	struct source s = {false, 1, 5};

	for (unsigned int i = 0; i < REASSEMBLY_FRAGMENTS_MAX; i++)
		assert_null(add(s, (struct piece){i * 8, 8, true}, data));
	gone_count();
	assert_int_equal(gone[DROP_FRAG_SHAPE], REASSEMBLY_FRAGMENTS_MAX);
	assert_null(add(s, (struct piece){REASSEMBLY_FRAGMENTS_MAX * 8, 8, false}, data));
	gone_count();
	assert_int_equal(gone[DROP_FRAG_SHAPE], 1);
}

static void time_runs_out(void **state)
{
	struct source s = {true, 1, 5};
	struct rte_mbuf *m;

	assert_null(add(s, (struct piece){0, 800, true}, data));
	now += (REASSEMBLY_TIMEOUT_MS - 1) * MS;
	reassembly_expire(table, now);
	gone_count();
	assert_int_equal(gone[DROP_FRAG_TIMEOUT], 0);
	assert_int_equal(reassembly_held(table), 1);
	now += MS;
	reassembly_expire(table, now);
	gone_count();
	assert_int_equal(gone[DROP_FRAG_TIMEOUT], 1);
	assert_int_equal(reassembly_held(table), 0);
	/* The identification is free again. */
	assert_null(add(s, (struct piece){800, 8, false}, data));
	m = add(s, (struct piece){0, 800, true}, data);
	assert_non_null(m);
	whole_check(m, s, data, 808);
}

/* A flood from everywhere: the oldest gives way, and who comes whole gets through. */
static void flood_of_many(void **state)
{
	unsigned int through = 0, evicted = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		struct source attacker = {true, (uint8_t)(i % 250), i}, good = {false, 9, i};
		struct rte_mbuf *m;

		now += MS / 100;
		assert_null(add(attacker, (struct piece){0, 8, true}, data));
		if (i % 100 == 0) {
			assert_null(add(good, (struct piece){0, 1480, true}, data));
			m = add(good, (struct piece){1480, 20, false}, data);
			assert_non_null(m);
			whole_check(m, good, data, 1500);
			through++;
		}
		gone_count();
		evicted += gone[DROP_FRAG_EVICTED];
		assert_true(reassembly_held(table) <= REASSEMBLY_DATAGRAMS);
	}
	assert_int_equal(through, 200);
	assert_true(evicted > 10000);
}

/* Few datagrams, many packets of each: the buffers are the limit. */
static void held_is_bounded(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		for (uint32_t k = 0; k < REASSEMBLY_FRAGMENTS_MAX - 1; k++) {
			now += MS / 100;
			add((struct source){true, (uint8_t)i, i}, (struct piece){k * 8, 8, true},
				data);
			assert_true(reassembly_held(table) <= HELD_MAX);
			gone_count();
		}
	}
	assert_true(reassembly_held(table) > HELD_MAX - REASSEMBLY_FRAGMENTS_MAX);
}

static void flood_of_one(void **state)
{
	struct source attacker = {false, 66, 0}, good = {false, 67, 1};
	unsigned int refused = 0;
	struct rte_mbuf *m;

	/* 20,000 a second for a second. */
	for (uint32_t i = 0; i < 20000; i++) {
		now += MS / 20;
		attacker.id = i;
		add(attacker, (struct piece){0, 8, true}, data);
		gone_count();
		refused += gone[DROP_FRAG_RATE];
		if (i == 0)
			assert_null(add(good, (struct piece){0, 8, true}, data));
	}
	assert_in_range(20000 - refused, REASSEMBLY_RATE, REASSEMBLY_RATE + REASSEMBLY_BURST + 1);
	/* A whole second later, the other's datagram is still there. */
	m = add(good, (struct piece){8, 20, false}, data);
	assert_non_null(m);
	whole_check(m, good, data, 28);
}

static int group_setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"128", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	if (rte_eal_init(ARRAY_LEN(argv), argv) < 0)
		fail_msg("EAL does not start");
	small = rte_pktmbuf_pool_create("small", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	large = rte_pktmbuf_pool_create("large", 7, 0, 0, UINT16_MAX, 0);
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random32();
	return small == NULL || large == NULL ? -1 : 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(whole_again),
		CASE(atomic_is_alone),
		CASE(overlaps_end_a_datagram),
		CASE(copy_that_differs_overlaps),
		CASE(shapes),
		CASE(too_many),
		CASE(time_runs_out),
		CASE(flood_of_many),
		CASE(held_is_bounded),
		CASE(flood_of_one),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
