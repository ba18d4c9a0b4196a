/*
 * The relay's header rewrite in and between both families, judged by checksums computed
 * from scratch, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rewrite.h"

#define PAYLOAD_MAX 1400

/* One datagram; the family's header ends where UDP begins, as in a packet buffer. */
struct packet {
	uint8_t room[8]; /* so that UDP lies as in a frame */
	union {
		struct rte_ipv6_hdr ip6;
		struct {
			uint8_t before[20];
			struct rte_ipv4_hdr ip4;
		};
	};
	struct rte_udp_hdr udp;
	uint8_t payload[PAYLOAD_MAX];
};
static_assert(offsetof(struct packet, udp) == 48, "no holes");

static uint32_t seed = 1;

static uint32_t random32(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed ^ (seed >> 16);
}

static void random_fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)random32();
}

/* RFC 1071, by the book. */
static uint32_t sum_add(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static uint16_t sum_end(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The UDP checksum that this packet should carry, host order. */
static uint16_t udp_sum(const struct packet *p, bool v6)
{
	uint16_t len = rte_be_to_cpu_16(p->udp.dgram_len), sum;
	struct rte_udp_hdr udp = p->udp;
	uint32_t s = 17u + len;

	udp.dgram_cksum = 0;
	s = v6 ? sum_add(s, p->ip6.src_addr, 32) : sum_add(s, &p->ip4.src_addr, 8);
	s = sum_add(s, &udp, sizeof(udp));
	sum = sum_end(sum_add(s, p->payload, len - sizeof(udp)));
	return sum != 0 ? sum : 0xffff;
}

static void packet_make(struct packet *p, bool v6, size_t payload_len)
{
	uint16_t len = (uint16_t)(sizeof(p->udp) + payload_len);

	random_fill(p, sizeof(*p));
	p->udp.dgram_len = rte_cpu_to_be_16(len);
	if (v6) {
		p->ip6.vtc_flow = rte_cpu_to_be_32(0x60000000u | (random32() & 0x0fffffff));
		p->ip6.payload_len = rte_cpu_to_be_16(len);
		p->ip6.proto = IPPROTO_UDP;
	} else {
		p->ip4.version_ihl = RTE_IPV4_VHL_DEF;
		p->ip4.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(p->ip4) + len));
		p->ip4.next_proto_id = IPPROTO_UDP;
		p->ip4.fragment_offset = 0;
		p->ip4.hdr_checksum = 0;
		p->ip4.hdr_checksum =
			rte_cpu_to_be_16(sum_end(sum_add(0, &p->ip4, sizeof(p->ip4))));
	}
	p->udp.dgram_cksum = rte_cpu_to_be_16(udp_sum(p, v6));
}

static struct flow_action action_make(bool v6)
{
	struct flow_action a = {.src_port = (uint16_t)random32(),
		.dst_port = (uint16_t)random32(),
		.dscp = (uint8_t)(random32() & 63),
		.flags = v6 ? FLOW_DST_V6 : 0};

	random_fill(a.src, v6 ? 16 : 4);
	random_fill(a.dst, v6 ? 16 : 4);
	rewrite_prepare(&a);
	return a;
}

static void rewrite(struct packet *p, bool from6, bool to6, const struct flow_action *a)
{
	if (from6 && to6)
		rewrite_v6(&p->ip6, a);
	else if (from6)
		rewrite_v6_to_v4(&p->udp, a, 0x1234);
	else if (to6)
		rewrite_v4_to_v6(&p->udp, a);
	else
		rewrite_v4(&p->ip4, a);
}

static void v6_check(const struct packet *p, const struct flow_action *a, uint16_t len)
{
	assert_int_equal(rte_be_to_cpu_32(p->ip6.vtc_flow), 0x60000000u | (uint32_t)a->dscp << 22);
	assert_int_equal(rte_be_to_cpu_16(p->ip6.payload_len), len);
	assert_int_equal(p->ip6.proto, IPPROTO_UDP);
	assert_int_equal(p->ip6.hop_limits, 64);
	assert_memory_equal(p->ip6.src_addr, a->src, 16);
	assert_memory_equal(p->ip6.dst_addr, a->dst, 16);
}

static void v4_check(const struct packet *p, const struct flow_action *a, uint16_t len)
{
	assert_int_equal(p->ip4.version_ihl, 0x45);
	assert_int_equal(p->ip4.type_of_service, a->dscp << 2);
	assert_int_equal(rte_be_to_cpu_16(p->ip4.total_length), 20 + len);
	assert_int_equal(p->ip4.time_to_live, 64);
	assert_int_equal(p->ip4.next_proto_id, IPPROTO_UDP);
	assert_int_equal(sum_end(sum_add(0, &p->ip4, sizeof(p->ip4))), 0);
	assert_memory_equal(&p->ip4.src_addr, a->src, 4);
	assert_memory_equal(&p->ip4.dst_addr, a->dst, 4);
}

/* Headers as the action says, payload untouched, the checksum as computed anew. */
static void packet_check(const struct packet *p, const struct packet *was, bool to6,
	const struct flow_action *a, size_t payload_len)
{
	uint16_t len = (uint16_t)(sizeof(p->udp) + payload_len);

	if (to6)
		v6_check(p, a, len);
	else
		v4_check(p, a, len);
	assert_int_equal(p->udp.src_port, a->src_port);
	assert_int_equal(p->udp.dst_port, a->dst_port);
	assert_int_equal(rte_be_to_cpu_16(p->udp.dgram_len), len);
	assert_memory_equal(p->payload, was->payload, PAYLOAD_MAX);
	if (p->udp.dgram_cksum != 0 || to6)
		assert_int_equal(rte_be_to_cpu_16(p->udp.dgram_cksum), udp_sum(p, to6));
}

#define FOR_EACH_VARIANT(from6, to6) \
	for (int from6 = 0; from6 < 2; from6++) \
		for (int to6 = 0; to6 < 2; to6++)

static void checksums_hold(void **state)
{
	FOR_EACH_VARIANT(from6, to6)
	{
		for (size_t i = 0; i < 5000; i++) {
			size_t len = i < 100 ? i : random32() % PAYLOAD_MAX;
			struct flow_action a = action_make(to6);
			struct packet p, was;

			packet_make(&p, from6, len);
			was = p;
			rewrite(&p, from6, to6, &a);
			packet_check(&p, &was, to6, &a, len);
			assert_int_not_equal(p.udp.dgram_cksum, 0);
		}
	}
}

/* A sum that comes out as zero goes out as all ones, in each variant. */
static void zero_is_sent_as_ones(void **state)
{
	FOR_EACH_VARIANT(from6, to6)
	{
		struct flow_action a = action_make(to6);
		struct packet p, was;
		uint32_t sum;

		packet_make(&p, from6, 160);
		/* Aim the last word of the payload so that the new sum is zero. */
		was = p;
		memset(&was.payload[158], 0, 2);
		was.udp.dgram_cksum = rte_cpu_to_be_16(udp_sum(&was, from6));
		p = was;
		rewrite(&p, from6, to6, &a);
		sum = rte_be_to_cpu_16(p.udp.dgram_cksum);
		was.payload[158] = (uint8_t)(sum >> 8);
		was.payload[159] = (uint8_t)sum;
		was.udp.dgram_cksum = rte_cpu_to_be_16(udp_sum(&was, from6));
		p = was;
		rewrite(&p, from6, to6, &a);
		assert_int_equal(p.udp.dgram_cksum, 0xffff);
		packet_check(&p, &was, to6, &a, 160);
	}
}

/* IPv4 may come without a checksum; IPv6 may not leave without. */
static void no_checksum(void **state)
{
	for (size_t len = 0; len < 300; len++) {
		for (int to6 = 0; to6 < 2; to6++) {
			struct flow_action a = action_make(to6);
			struct packet p, was;

			packet_make(&p, false, len);
			p.udp.dgram_cksum = 0;
			was = p;
			rewrite(&p, false, to6, &a);
			packet_check(&p, &was, to6, &a, len);
			assert_int_equal(p.udp.dgram_cksum != 0, to6);
		}
	}
}

/* A wrong sum must stay wrong: the relay must not bless what was damaged before. */
static void damage_stays_visible(void **state)
{
	FOR_EACH_VARIANT(from6, to6)
	{
		struct flow_action a = action_make(to6);
		struct packet p;

		packet_make(&p, from6, 160);
		p.payload[3] ^= 0x40;
		rewrite(&p, from6, to6, &a);
		assert_int_not_equal(rte_be_to_cpu_16(p.udp.dgram_cksum), udp_sum(&p, to6));
	}
}

/* RFC 7915 section 5.1. */
static void fragmentation_fields(void **state)
{
	static const struct {
		size_t payload;
		uint16_t flags, id;
	} cases[] = {
		{160, 0, 0x1234},
		{1260 - 28, 0, 0x1234},
		{1261 - 28, RTE_IPV4_HDR_DF_FLAG, 0},
		{PAYLOAD_MAX, RTE_IPV4_HDR_DF_FLAG, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct flow_action a = action_make(false);
		struct packet p;

		packet_make(&p, true, cases[i].payload);
		rewrite(&p, true, false, &a);
		assert_int_equal(rte_be_to_cpu_16(p.ip4.fragment_offset), cases[i].flags);
		assert_int_equal(rte_be_to_cpu_16(p.ip4.packet_id), cases[i].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_hold),
		cmocka_unit_test(zero_is_sent_as_ones),
		cmocka_unit_test(no_checksum),
		cmocka_unit_test(damage_stays_visible),
		cmocka_unit_test(fragmentation_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
