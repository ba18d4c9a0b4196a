/*
 * The relay's header rewrite, judged by checksums computed from scratch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rewrite.h"

struct packet {
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint8_t payload[180];
};

static uint32_t seed = 1;

static uint32_t random32(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed ^ (seed >> 16);
}

static void packet_make(struct packet *p, size_t payload_len)
{
	uint16_t len = (uint16_t)(sizeof(p->udp) + payload_len);

	for (size_t i = 0; i < sizeof(p->payload); i++)
		p->payload[i] = (uint8_t)random32();
	p->ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = (uint8_t)random32(),
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(p->ip) + len)),
		.packet_id = (uint16_t)random32(),
		.time_to_live = (uint8_t)(1 + random32() % 255),
		.next_proto_id = IPPROTO_UDP,
		.src_addr = random32(),
		.dst_addr = random32(),
	};
	p->ip.hdr_checksum = rte_ipv4_cksum(&p->ip);
	p->udp = (struct rte_udp_hdr){
		.src_port = (uint16_t)random32(),
		.dst_port = (uint16_t)random32(),
		.dgram_len = rte_cpu_to_be_16(len),
	};
	p->udp.dgram_cksum = rte_ipv4_udptcp_cksum(&p->ip, &p->udp);
}

static struct flow_action action_make(void)
{
	struct flow_action a = {.src_port = (uint16_t)random32(),
		.dst_port = (uint16_t)random32(),
		.dscp = (uint8_t)(random32() & 63)};
	uint32_t src = random32(), dst = random32();

	memcpy(a.src, &src, 4);
	memcpy(a.dst, &dst, 4);
	return a;
}

static void checksums_hold(void **state)
{
	for (unsigned int i = 0; i < 20000; i++) {
		struct flow_action a = action_make();
		struct packet p, want;

		packet_make(&p, i % sizeof(p.payload));
		want = p;
		rewrite_v4(&p.ip, &a);
		memcpy(&want.ip.src_addr, a.src, 4);
		memcpy(&want.ip.dst_addr, a.dst, 4);
		want.ip.type_of_service = (uint8_t)(a.dscp << 2);
		want.ip.time_to_live = REWRITE_TTL;
		want.ip.hdr_checksum = 0;
		want.ip.hdr_checksum = rte_ipv4_cksum(&want.ip);
		want.udp.src_port = a.src_port;
		want.udp.dst_port = a.dst_port;
		want.udp.dgram_cksum = 0;
		want.udp.dgram_cksum = rte_ipv4_udptcp_cksum(&want.ip, &want.udp);
		assert_memory_equal(&p, &want, sizeof(p));
	}
}

static void no_checksum_stays_none(void **state)
{
	struct flow_action a = action_make();
	struct packet p;

	packet_make(&p, 160);
	p.udp.dgram_cksum = 0;
	rewrite_v4(&p.ip, &a);
	assert_int_equal(p.udp.dgram_cksum, 0);
	assert_int_equal(rte_ipv4_cksum(&p.ip), 0);
}

/* A wrong sum must stay wrong: the relay must not bless what was damaged before. */
static void damage_stays_visible(void **state)
{
	struct flow_action a = action_make();
	struct packet p;

	packet_make(&p, 160);
	p.payload[3] ^= 0x40;
	rewrite_v4(&p.ip, &a);
	assert_int_not_equal(rte_ipv4_udptcp_cksum_verify(&p.ip, &p.udp), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_hold),
		cmocka_unit_test(no_checksum_stays_none),
		cmocka_unit_test(damage_stays_visible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
