/*
 * The mirror against a real kernel: who speaks for a neighbour (threats.md row 31).
 */
#include "twins.h"

static const uint8_t thief_mac[6] = {0x02, 0x66, 0x66, 0x66, 0x66, 0x66};
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};

static void test_a_spoofed_arp_changes_nothing(void **state)
{
	const uint8_t *gw = (const uint8_t[]){192, 0, 2, 1},
		      *own = (const uint8_t[]){192, 0, 2, 10};

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, "192.0.2.1"), 0);
	settle();
	assert_true(answer_arp(taps[0], "192.0.2.1"));
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	for (unsigned int i = 0; i < 3; i++) {
		/* Announced, asked, answered: each would be taken by the kernel. */
		if (i == 0)
			send_arp(taps[0], ARP_REQUEST, broadcast, thief_mac, gw, gw);
		else if (i == 1)
			send_arp(taps[0], ARP_REPLY, broadcast, thief_mac, gw, gw);
		else
			send_arp(taps[0], ARP_REQUEST, broadcast, thief_mac, gw, own);
		settle();
		assert_true(linked_to(route("203.0.113.5"), peer_mac));
		ip("neigh show 192.0.2.1 dev twin0 | grep -qi 'lladdr 02:aa:bb:cc:dd:01'");
	}
	/* The one that we know is asked, and is there. */
	assert_true(answer_as(taps[0], "192.0.2.1", peer_mac, peer_mac, 2000));
	settle();
	ip("neigh show 192.0.2.1 dev twin0 | grep -q 'lladdr 02:aa:bb:cc:dd:01 REACHABLE'");
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	assert_int_equal(local_sync(2), 0);
}

static void test_a_spoofed_advertisement_changes_nothing(void **state)
{
	struct net_addr gw = test_addr("fe80::1"), all = test_addr("ff02::1"),
			own = test_addr("2001:db8:1::10");
	struct rte_ether_addr twin;
	struct frame f;

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "2001:db8:1::10", 64, "fe80::1"), 0);
	settle();
	assert_true(asked(taps[0], "fe80::1", NULL, 3000, &f));
	memcpy(&twin, f.b + 6, sizeof(twin));
	send_na(taps[0], true, f.b + 6, peer_mac, gw.bytes, f.b + L3 + 8);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	send_na(taps[0], false, all_nodes, thief_mac, gw.bytes, all.bytes);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	send_na(taps[0], true, twin.addr_bytes, thief_mac, gw.bytes, own.bytes);
	settle();
	assert_true(linked_to(route("2001:db8:ffff::5"), peer_mac));
	ip("neigh show fe80::1 dev twin0 | grep -qi 'lladdr 02:aa:bb:cc:dd:01'");
	assert_true(answer_as(taps[0], "fe80::1", peer_mac, peer_mac, 2000));
	settle();
	ip("neigh show fe80::1 dev twin0 | grep -q 'lladdr 02:aa:bb:cc:dd:01.*REACHABLE'");
	assert_int_equal(local_sync(2), 0);
}

/* A gateway that was replaced: announced, the old one does not answer, the new one does. */
static void test_a_replaced_gateway_is_taken(void **state)
{
	static const uint8_t new_mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x02};
	const uint8_t *gw = (const uint8_t[]){192, 0, 2, 1};
	bool taken = false;

	realm_set(0, 0, 0, 1);
	assert_int_equal(address_set(0, "192.0.2.10", 24, "192.0.2.1"), 0);
	settle();
	assert_true(answer_arp(taps[0], "192.0.2.1"));
	settle();
	send_arp(taps[0], ARP_REQUEST, broadcast, new_mac, gw, gw);
	settle();
	assert_true(linked_to(route("203.0.113.5"), peer_mac));
	/* Three questions to the old one, a second apart; then everybody is asked. */
	for (unsigned int i = 0; i < 20 && !taken; i++) {
		settle();
		answer_as(taps[0], "192.0.2.1", new_mac, broadcast, 500);
		settle();
		taken = linked_to(route("203.0.113.5"), new_mac);
	}
	assert_true(taken);
	assert_int_equal(local_sync(2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_spoofed_arp_changes_nothing),
		T(test_a_spoofed_advertisement_changes_nothing),
		T(test_a_replaced_gateway_is_taken),
	};

	if (!twins_here())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
