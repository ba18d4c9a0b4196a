/*
 * The way in: what eth, ip4, ip6 and reassemble do with frames, in a graph whose other nodes are
 * the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <rte_eal.h>

#include "boundary.h"
#include "netif.h"
#include "nodes.h"
#include "nodes_priv.h"
#include "reassembly.h"

#define VLAN 100
#define VLAN_NETIF API_PORTS_MAX /* the first behind the ports' own */
#define MAC_OURS "\x02\0\0\0\0\x01"
#define MAC_OTHER "\x02\0\0\0\0\x99"
#define MAC_GROUP "\x33\x33\xff\0\0\x01"

#define OUR4 "192.0.2.1"
#define OUR4_VLAN "192.0.2.101"
#define PEER4 "192.0.2.9"
#define OUR6 "2001:db8::1"
#define OUR6_VLAN "2001:db8:64::1"
#define PEER6 "2001:db8::9"

static struct rte_mempool *pool;
static struct rte_graph *graph;
static struct rte_mbuf *fed, *seen[4];
static unsigned int n_seen;
static char seen_at[RTE_NODE_NAMESIZE]; /* node where the last one came */

/* --- the graph around --- */

static uint16_t feed_process(struct rte_graph *g, struct rte_node *node, void **objs, uint16_t n)
{
	if (fed == NULL)
		return 0;
	rte_node_enqueue_x1(g, node, 0, fed);
	fed = NULL;
	return 1;
}

static uint16_t sink_process(struct rte_graph *g, struct rte_node *node, void **objs, uint16_t n)
{
	assert_true(n_seen + n <= ARRAY_LEN(seen));
	memcpy(&seen[n_seen], objs, n * sizeof(objs[0]));
	n_seen += n;
	snprintf(seen_at, sizeof(seen_at), "%s", node->name);
	return n;
}

static struct rte_node_register feed = {.name = "feed",
	.flags = RTE_NODE_SOURCE_F,
	.process = feed_process,
	.nb_edges = 1,
	.next_nodes = {"eth"}};
static struct rte_node_register sinks[] = {
	{.name = "drop", .process = sink_process},
	{.name = "punt", .process = sink_process},
	{.name = "udp", .process = sink_process},
};

static void node_register(struct rte_node_register *r)
{
	r->parent_id = RTE_NODE_ID_INVALID;
	r->id = __rte_node_register(r);
	assert_int_not_equal(r->id, RTE_NODE_ID_INVALID);
}

static void graph_make(void)
{
	const char *patterns[] = {"feed"};
	struct rte_graph_param param = {
		.socket_id = SOCKET_ID_ANY, .node_patterns = patterns, .nb_node_patterns = 1};

	for (unsigned int i = 0; i < ARRAY_LEN(sinks); i++)
		node_register(&sinks[i]);
	node_register(&node_eth);
	node_register(&node_ip4);
	node_register(&node_ip6);
	node_register(&node_reassemble);
	node_register(&feed);
	assert_int_not_equal(rte_graph_create("test", &param), RTE_GRAPH_ID_INVALID);
	graph = rte_graph_lookup("test");
	assert_non_null(graph);
}

static void local_make(uint16_t idx, const char *text, uint16_t netif)
{
	struct local_addr *a = &local_addrs[idx];
	int hop;

	assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a->addr), 0);
	a->netif = netif;
	a->slots = calloc(65536, sizeof(*a->slots));
	assert_non_null(a->slots);
	local_slot_write(idx, 5060, LOCAL_LISTENER, 0);
	a->used = true;
	hop = nexthop_get(NEXTHOP_LOCAL, 0, &a->addr, idx);
	assert_true(hop > 0);
	assert_int_equal(
		route_add(&a->addr, a->addr.family == NET_FAMILY_V6 ? 128 : 32, (uint32_t)hop), 0);
}

static int group_setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	if (rte_eal_init(ARRAY_LEN(argv), argv) < 0)
		fail_msg("EAL does not start");
	pool = rte_pktmbuf_pool_create("test", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(pool);
	packet_pool = reassembly_pool = pool;
	assert_int_equal(stats_region_init(16, 1, false), 0);
	snprintf(stats_region->port[0].name, API_NAME_MAX, "port0");
	memcpy(&ports[0].mac, MAC_OURS, 6);
	n_ports = 1;
	RTE_PER_LCORE(worker_self) = &workers[0];
	workers[0].stats = &stats_region->worker[0];
	workers[0].now_ns = 1000000000;
	workers[0].reassembly = reassembly_new(100, (const uint64_t[]){1, 2});
	assert_non_null(workers[0].reassembly);
	assert_int_equal(netif_init(), 0);
	assert_int_equal(nexthop_init(), 0);
	assert_int_equal(local_init(), 0);
	atomic_store(&netif_by_tag[0][VLAN], VLAN_NETIF);
	local_make(0, OUR4, 0);
	local_make(1, OUR4_VLAN, VLAN_NETIF);
	local_make(2, OUR6, 0);
	local_make(3, OUR6_VLAN, VLAN_NETIF);
	graph_make();
	return 0;
}

/* --- frames --- */

struct frame {
	const char *what;
	const char *src, *dst; /* of a family; NULL: no IP */
	const char *at;	       /* the node where it has to come */
	int reason;	       /* of "drop" */
	const char *mac;       /* NULL: ours */
	uint16_t type;	       /* EtherType, when there is no IP */
	int tag;	       /* 802.1Q TCI; 0: untagged; -1: a priority tag of VLAN 0 */
	uint16_t outer;	       /* EtherType of another tag before it */
	uint8_t proto;	       /* 0: UDP */
	uint8_t next;	       /* IPv6: next header of a fragment or of hop-by-hop options */
	uint16_t fragment;     /* the field, host order */
	int ttl;	       /* 0: 64; -1: 0 */
	int length;	       /* of the IP header, added to what it should be */
	uint16_t cut;	       /* bytes off the frame's end */
	uint8_t version;       /* IPv6: the first byte; 0: right */
	bool no_checksum;      /* UDP */
	uint16_t to;	       /* UDP port; 0: a listener's */
};

struct building {
	uint8_t bytes[256];
	uint16_t len;
};

static void put(struct building *b, const void *p, size_t n)
{
	memcpy(b->bytes + b->len, p, n);
	b->len = (uint16_t)(b->len + n);
}

static void put16(struct building *b, uint16_t v)
{
	v = rte_cpu_to_be_16(v);
	put(b, &v, sizeof(v));
}

static void udp_put(struct building *b, const struct frame *f)
{
	put16(b, 5060);
	put16(b, f->to != 0 ? f->to : 5060);
	put16(b, 16);
	put16(b, f->no_checksum ? 0 : 0x1234);
	put(b, "message", 8);
}

static void ip4_put(struct building *b, const struct frame *f)
{
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(36 + f->length)),
		.fragment_offset = rte_cpu_to_be_16(f->fragment),
		.time_to_live = f->ttl < 0 ? 0 : 64,
		.next_proto_id = f->proto != 0 ? f->proto : IPPROTO_UDP};

	assert_int_equal(inet_pton(AF_INET, f->src, &ip.src_addr), 1);
	assert_int_equal(inet_pton(AF_INET, f->dst, &ip.dst_addr), 1);
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	put(b, &ip, sizeof(ip));
	udp_put(b, f);
}

static void ip6_put(struct building *b, const struct frame *f)
{
	bool more = f->next != 0;
	struct rte_ipv6_hdr ip = {
		.payload_len = rte_cpu_to_be_16((uint16_t)(16 + (more ? 8 : 0) + f->length)),
		.proto = f->proto != 0 || more ? f->proto : IPPROTO_UDP,
		.hop_limits = f->ttl < 0 ? 0 : 64};

	*(uint8_t *)&ip = f->version != 0 ? f->version : 0x60;
	assert_int_equal(inet_pton(AF_INET6, f->src, ip.src_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, f->dst, ip.dst_addr), 1);
	put(b, &ip, sizeof(ip));
	if (more) {
		put(b, (uint8_t[]){f->next, 0}, 2);
		put16(b, f->fragment);
		put(b, "\5\2\0\0", 4);
	}
	udp_put(b, f);
}

static void frame_build(struct building *b, const struct frame *f)
{
	bool v6 = f->src != NULL && strchr(f->src, ':') != NULL;

	b->len = 0;
	put(b, f->mac != NULL ? f->mac : MAC_OURS, 6);
	put(b, MAC_OTHER, 6);
	if (f->outer != 0) {
		put16(b, f->outer);
		put16(b, VLAN);
	}
	if (f->tag != 0) {
		put16(b, RTE_ETHER_TYPE_VLAN);
		put16(b, f->tag < 0 ? 0xe000 : (uint16_t)f->tag);
	}
	put16(b, f->src == NULL ? f->type : v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (v6)
		ip6_put(b, f);
	else if (f->src != NULL)
		ip4_put(b, f);
	while (f->cut == 0 && b->len < 60)
		put(b, "", 1); /* Ethernet's padding */
	b->len = (uint16_t)(b->len - f->cut);
}

#define TAG(prio) ((prio) << 13 | VLAN)
#define DROPS(r) .at = "drop", .reason = DROP_##r

static const struct frame frames[] = {
	/* 802.1Q */
	{"untagged", PEER4, OUR4, .at = "udp"},
	{"priority tag", PEER4, OUR4, .at = "udp", .tag = -1},
	{"its VLAN", PEER4, OUR4_VLAN, .at = "udp", .tag = VLAN},
	{"its VLAN, with a priority", PEER4, OUR4_VLAN, .at = "udp", .tag = TAG(5)},
	{"its VLAN, IPv6", PEER6, OUR6_VLAN, .at = "udp", .tag = VLAN},
	{"ARP in a VLAN", .type = RTE_ETHER_TYPE_ARP, .at = "punt", .tag = VLAN},
	{"ARP", .type = RTE_ETHER_TYPE_ARP, .at = "punt"},
	{"VLAN of nobody", PEER4, OUR4, DROPS(ETH_VLAN), .tag = 101},
	{"VLAN 4095", PEER4, OUR4, DROPS(ETH_VLAN), .tag = 4095},
	{"untagged to a VLAN's address", PEER4, OUR4_VLAN, DROPS(IP_NOT_LOCAL)},
	{"VLAN to the port's address", PEER4, OUR4, DROPS(IP_NOT_LOCAL), .tag = VLAN},
	{"the same, IPv6", PEER6, OUR6, DROPS(IP_NOT_LOCAL), .tag = VLAN},
	{"two tags", PEER4, OUR4_VLAN, DROPS(ETH_QINQ), .tag = VLAN, .outer = RTE_ETHER_TYPE_VLAN},
	{"a service tag", PEER4, OUR4_VLAN, DROPS(ETH_QINQ), .tag = VLAN,
		.outer = RTE_ETHER_TYPE_QINQ},
	{"another protocol", .type = 0x88cc, DROPS(ETH_TYPE), .tag = VLAN},
	{"cut in the tag", .type = 0x0800, DROPS(ETH_SHORT), .tag = VLAN, .cut = 2},
	/* IPv6 */
	{"UDP", PEER6, OUR6, .at = "udp"},
	{"for another host", PEER6, OUR6, DROPS(ETH_NOT_OURS), .mac = MAC_OTHER},
	{"to no address of ours", PEER6, "2001:db8::2", DROPS(IP_NOT_LOCAL)},
	{"version", PEER6, OUR6, DROPS(IP_HEADER), .version = 0x50},
	{"longer than the frame", PEER6, OUR6, DROPS(IP_HEADER), .length = 1},
	{"shorter than UDP", PEER6, OUR6, DROPS(UDP_HEADER), .length = -9},
	{"cut in the header", PEER6, OUR6, DROPS(ETH_SHORT), .cut = 17},
	{"no hops left", PEER6, OUR6, DROPS(IP_TTL), .ttl = -1},
	{"from a group", "ff02::1", OUR6, DROPS(IP_SOURCE)},
	{"from nobody", "::", OUR6, DROPS(IP_SOURCE)},
	{"from loopback", "::1", OUR6, DROPS(IP_SOURCE)},
	{"from a mapped address", "::ffff:192.0.2.9", OUR6, DROPS(IP_SOURCE)},
	{"from a translator's prefix", "64:ff9b::192.0.2.9", OUR6, .at = "udp"},
	{"from itself", OUR6, OUR6, DROPS(IP_SOURCE)},
	{"without checksum", PEER6, OUR6, DROPS(UDP_CHECKSUM), .no_checksum = true},
	{"hop-by-hop", PEER6, OUR6, DROPS(IP_EXTENSION), .next = IPPROTO_UDP},
	{"routing", PEER6, OUR6, DROPS(IP_EXTENSION), .proto = IPPROTO_ROUTING,
		.next = IPPROTO_UDP},
	{"options", PEER6, OUR6, DROPS(IP_EXTENSION), .proto = IPPROTO_DSTOPTS,
		.next = IPPROTO_UDP},
	{"ping", PEER6, OUR6, .at = "punt", .proto = IPPROTO_ICMPV6},
	{"TCP", PEER6, OUR6, .at = "punt", .proto = IPPROTO_TCP},
	{"fragment", PEER6, OUR6, .at = "reassemble", .proto = IPPROTO_FRAGMENT,
		.next = IPPROTO_UDP, .fragment = 1},
	{"fragment of a ping", PEER6, OUR6, .at = "punt", .proto = IPPROTO_FRAGMENT,
		.next = IPPROTO_ICMPV6, .fragment = 1},
	{"fragment of options", PEER6, OUR6, DROPS(IP_EXTENSION), .proto = IPPROTO_FRAGMENT,
		.next = IPPROTO_DSTOPTS},
	{"fragment without its header", PEER6, OUR6, DROPS(IP_HEADER), .proto = IPPROTO_FRAGMENT,
		.length = -9},
	/* neighbour discovery and the link */
	{"solicitation", PEER6, "ff02::1:ff00:1", .at = "punt", .mac = MAC_GROUP,
		.proto = IPPROTO_ICMPV6},
	{"is the address free?", "::", "ff02::1:ff00:1", .at = "punt", .mac = MAC_GROUP,
		.proto = IPPROTO_ICMPV6},
	{"MLD", "fe80::9", "ff02::1", .at = "punt", .mac = MAC_GROUP, .next = IPPROTO_ICMPV6},
	{"UDP behind options to a group", "fe80::9", "ff02::1", DROPS(IP_NOT_LOCAL),
		.mac = MAC_GROUP, .next = IPPROTO_UDP},
	{"UDP to a group", PEER6, "ff02::1", DROPS(IP_NOT_LOCAL), .mac = MAC_GROUP},
	{"ping to a wider group", PEER6, "ff05::1", DROPS(IP_NOT_LOCAL), .mac = MAC_GROUP,
		.proto = IPPROTO_ICMPV6},
	{"advertisement to the twin", "fe80::9", "fe80::1", .at = "punt", .proto = IPPROTO_ICMPV6},
	{"UDP to the twin", "fe80::9", "fe80::1", DROPS(IP_NOT_LOCAL)},
	/* IPv4 fragments */
	{"first fragment", PEER4, OUR4, .at = "reassemble", .fragment = RTE_IPV4_HDR_MF_FLAG},
	{"last fragment", PEER4, OUR4, .at = "reassemble", .fragment = 100},
	{"don't fragment", PEER4, OUR4, .at = "udp", .fragment = RTE_IPV4_HDR_DF_FLAG},
	{"fragment of a ping", PEER4, OUR4, .at = "punt", .proto = IPPROTO_ICMP,
		.fragment = RTE_IPV4_HDR_MF_FLAG},
	{"fragment to nobody", PEER4, "192.0.2.200", DROPS(IP_NOT_LOCAL), .fragment = 100},
};

/* What a node that gets it may rely on; what the kernel gets is the frame as it came. */
static void seen_check(const struct frame *f, const struct building *b)
{
	bool v6 = f->src != NULL && strchr(f->src, ':') != NULL;
	uint16_t l2 = f->tag != 0 ? 18 : 14;
	struct rte_mbuf *m = seen[0];
	const struct pkt_meta *meta = pkt_meta(m);

	if (strcmp(f->at, "drop") == 0) {
		assert_int_equal(meta->drop, f->reason);
		return;
	}
	assert_int_equal(meta->netif, f->tag > 0 ? VLAN_NETIF : 0);
	if (strcmp(f->at, "punt") == 0) {
		pkt_restore_frame(m);
		assert_true(m->pkt_len <= b->len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), b->bytes, m->pkt_len);
		return;
	}
	assert_int_equal(m->l2_len, l2);
	assert_int_equal(m->l3_len, v6 ? 40 : 20);
	assert_int_equal(m->pkt_len, m->l3_len + 16); /* no padding */
	assert_int_equal(m->data_len, m->pkt_len);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), b->bytes + l2, m->pkt_len);
	assert_int_equal(meta->value2, (v6 ? 2 : 0) + (f->tag > 0 ? 1 : 0));
}

static void frame_send(const struct frame *f, struct building *b)
{
	frame_build(b, f);
	fed = rte_pktmbuf_alloc(pool);
	assert_non_null(fed);
	memcpy(rte_pktmbuf_append(fed, b->len), b->bytes, b->len);
	*pkt_meta(fed) = (struct pkt_meta){.port = 0, .netif = 0};
	rte_graph_walk(graph);
}

static void seen_free(void)
{
	rte_pktmbuf_free_bulk(seen, n_seen);
	n_seen = 0;
}

static void way_in(void **state)
{
	for (unsigned int i = 0; i < ARRAY_LEN(frames); i++) {
		const struct frame *f = &frames[i];
		struct building b;

		frame_send(f, &b);
		if (strcmp(f->at, "reassemble") == 0) {
			assert_int_equal(n_seen, 0);
			assert_int_equal(reassembly_held(workers[0].reassembly), 1);
			workers[0].now_ns += REASSEMBLY_TIMEOUT_MS * UINT64_C(1000000);
			nodes_expire(&workers[0]);
			continue;
		}
		assert_int_equal(n_seen, 1);
		if (strcmp(seen_at, f->at) != 0)
			fail_msg("%s: came to %s (%s), not to %s", f->what, seen_at,
				drop_reason_name(pkt_meta(seen[0])->drop), f->at);
		if (strcmp(f->at, "drop") == 0 && pkt_meta(seen[0])->drop != f->reason)
			fail_msg("%s: dropped as %s", f->what,
				drop_reason_name(pkt_meta(seen[0])->drop));
		seen_check(f, &b);
		seen_free();
	}
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	assert_int_equal(workers[0].stats->port[0].drops[DROP_FRAG_TIMEOUT], 3);
}

/* Two fragments of 16 bytes each, the second first, the first with a UDP header. */
static const struct {
	struct frame first, last;
	unsigned int packets; /* that come of them */
	unsigned int reassembled;
} pairs[] = {
	{{"to a listener", PEER4, OUR4, .at = "udp", .fragment = RTE_IPV4_HDR_MF_FLAG},
		{"", PEER4, OUR4, .fragment = 2}, 1, 1},
	{{"to the kernel", PEER4, OUR4_VLAN, .at = "punt", .to = 53, .tag = VLAN,
		 .fragment = RTE_IPV4_HDR_MF_FLAG},
		{"", PEER4, OUR4_VLAN, .tag = VLAN, .fragment = 2}, 2, 0},
	{{"IPv6 to a listener", PEER6, OUR6, .at = "udp", .proto = IPPROTO_FRAGMENT,
		 .next = IPPROTO_UDP, .fragment = 1},
		{"", PEER6, OUR6, .proto = IPPROTO_FRAGMENT, .next = IPPROTO_UDP, .fragment = 16},
		1, 1},
	{{"IPv6 to the kernel", PEER6, OUR6, .at = "punt", .to = 53, .proto = IPPROTO_FRAGMENT,
		 .next = IPPROTO_UDP, .fragment = 1},
		{"", PEER6, OUR6, .proto = IPPROTO_FRAGMENT, .next = IPPROTO_UDP, .fragment = 16},
		2, 0},
	{{"IPv6 without checksum", PEER6, OUR6, DROPS(UDP_CHECKSUM), .no_checksum = true,
		 .proto = IPPROTO_FRAGMENT, .next = IPPROTO_UDP, .fragment = 1},
		{"", PEER6, OUR6, .proto = IPPROTO_FRAGMENT, .next = IPPROTO_UDP, .fragment = 16},
		2, 0},
};

static void fragments_meet(void **state)
{
	for (unsigned int i = 0; i < ARRAY_LEN(pairs); i++) {
		struct stats_port_counts *counts = &workers[0].stats->port[0];
		const struct frame *f = &pairs[i].first;
		struct building first, last;

		counts->reassembled = 0;
		frame_send(&pairs[i].last, &last);
		assert_int_equal(n_seen, 0);
		frame_send(f, &first);
		if (n_seen != pairs[i].packets || strcmp(seen_at, f->at) != 0)
			fail_msg("%s: %u at %s", f->what, n_seen, seen_at);
		assert_int_equal(counts->reassembled, pairs[i].reassembled);
		assert_int_equal(reassembly_held(workers[0].reassembly), 0);
		if (strcmp(f->at, "udp") == 0) {
			assert_int_equal(seen[0]->pkt_len, seen[0]->l3_len + 32);
			assert_int_equal(pkt_udp(seen[0])->dst_port, rte_cpu_to_be_16(5060));
		} else if (strcmp(f->at, "punt") == 0) {
			seen_check(f, &first); /* in the order of their offsets */
			pkt_restore_frame(seen[1]);
			assert_memory_equal(
				rte_pktmbuf_mtod(seen[1], void *), last.bytes, seen[1]->pkt_len);
		} else {
			assert_int_equal(pkt_meta(seen[1])->drop, f->reason);
		}
		seen_free();
	}
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A configuration without the address and one with it again came between the two fragments. */
static void the_address_moved_meanwhile(void **state)
{
	const struct frame first = {
		"first", PEER4, OUR4, .at = "udp", .fragment = RTE_IPV4_HDR_MF_FLAG};
	const struct frame last = {"last", PEER4, OUR4, .fragment = 2};
	_Atomic uint32_t *slots = local_addrs[0].slots;
	struct building b;

	frame_send(&first, &b);
	assert_int_equal(n_seen, 0);
	local_addrs[0].slots = NULL;
	local_make(4, OUR4, 0);
	frame_send(&last, &b);
	assert_int_equal(n_seen, 1);
	assert_string_equal(seen_at, "udp");
	assert_int_equal(pkt_meta(seen[0])->value2, 4);
	seen_free();
	local_addrs[0].slots = slots;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(way_in),
		cmocka_unit_test(fragments_meet),
		cmocka_unit_test(the_address_moved_meanwhile),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
