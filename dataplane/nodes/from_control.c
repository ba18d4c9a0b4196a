/*
 * from_control: SIP messages of the down rings become UDP datagrams. A record is
 * copied first and then believed nothing.
 */
#include "attach.h"
#include "local.h"
#include "nodes_priv.h"

enum { FROM_CONTROL_DROP, FROM_CONTROL_OUT };

#define RECORDS_MAX 32 /* a ring and loop */
#define REASON_OK DROP_COUNT
#define HEADERS_LEN (sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

/* Which of our addresses, if it is a listener of that realm. */
static bool listener_check(const struct rec_sip_down *r)
{
	const struct nexthop *nh;
	rte_be32_t addr;
	uint32_t slot;

	if (r->local.addr.family != NET_FAMILY_V4)
		return false;
	memcpy(&addr, r->local.addr.bytes, sizeof(addr));
	nh = &nexthops[route_find_v4(addr)];
	if (nh->type != NEXTHOP_LOCAL || local_addrs[nh->local].realm != r->realm)
		return false;
	slot = local_slot(nh->local, r->local.port);
	return local_slot_kind(slot) == LOCAL_LISTENER && (slot & LOCAL_VALUE_MASK) == r->realm;
}

/* @param port  set to the realm's as soon as the realm can be believed. */
static enum drop_reason record_check(const struct rec_sip_down *r, int len, uint16_t *port)
{
	if (len < (int)sizeof(*r) || r->hdr.type != REC_SIP_DOWN || r->hdr.version != API_VERSION ||
		r->realm >= API_REALMS_MAX || !local_realms[r->realm].used)
		return DROP_RECORD_MALFORMED;
	*port = local_realms[r->realm].port;
	if (r->msg_len == 0 || r->msg_len != (uint32_t)len - sizeof(*r) || !listener_check(r))
		return DROP_RECORD_MALFORMED;
	if (r->remote.port == 0 || !net_addr_is_unicast_peer(&r->remote.addr))
		return DROP_OUT_REFUSED;
	if (r->remote.addr.family != NET_FAMILY_V4)
		return DROP_OUT_NO_ROUTE;
	if (r->msg_len + HEADERS_LEN > ports[*port].mtu)
		return DROP_OUT_TOO_LONG;
	return REASON_OK;
}

static void headers_build(struct worker *w, const struct rec_sip_down *r, struct rte_ipv4_hdr *ip)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = (uint8_t)(local_realms[r->realm].dscp_sip << 2),
		.total_length = rte_cpu_to_be_16((uint16_t)(HEADERS_LEN + r->msg_len)),
		.packet_id = rte_cpu_to_be_16(w->ip_id++),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
	};
	memcpy(&ip->src_addr, r->local.addr.bytes, sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, r->remote.addr.bytes, sizeof(ip->dst_addr));
	*udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16(r->local.port),
		.dst_port = rte_cpu_to_be_16(r->remote.port),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*udp) + r->msg_len)),
	};
	memcpy(udp + 1, (const uint8_t *)r + sizeof(*r), r->msg_len);
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static enum drop_reason packet_build(
	struct worker *w, const struct rec_sip_down *r, uint16_t port, struct rte_mbuf **out)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packet_pool);
	struct rte_ipv4_hdr *ip;

	if (m == NULL)
		return DROP_NO_MBUF;
	/* Cannot fail: a buffer holds the port's MTU. */
	ip = (void *)rte_pktmbuf_append(m, (uint16_t)(HEADERS_LEN + r->msg_len));
	headers_build(w, r, ip);
	*pkt_meta(m) = (struct pkt_meta){.port = port, .origin = PKT_CONTROL, .value = r->realm};
	*out = m;
	return REASON_OK;
}

/* @return packets made. */
static uint16_t ring_drain(struct worker *w, struct ring *ring, struct rte_mbuf **m)
{
	struct rec_sip_down *r = (struct rec_sip_down *)w->scratch;
	uint16_t taken = 0, made = 0;
	int len;

	while (taken < RECORDS_MAX && (len = ring_get(ring, r, WORKER_SCRATCH)) != 0) {
		uint16_t port = 0;
		enum drop_reason reason = record_check(r, len, &port);

		taken++;
		if (reason == REASON_OK)
			reason = packet_build(w, r, port, &m[made]);
		w->stats->port[port].from_control++;
		if (reason == REASON_OK)
			made++;
		else
			w->stats->port[port].drops[reason]++;
	}
	if (taken > 0)
		ring_release(ring);
	w->stats->down_records += taken;
	w->packets += taken;
	return made;
}

static uint16_t from_control_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);
	struct rte_mbuf *m[RECORDS_MAX];
	uint16_t total = 0;

	if (rings == NULL)
		return 0;
	for (uint16_t i = 0; i < rings->n_down; i++) {
		uint16_t made = ring_drain(w, &rings->down[i], m);

		if (made > 0)
			rte_node_enqueue(graph, node, FROM_CONTROL_OUT, (void **)m, made);
		total += made;
	}
	return total;
}

struct rte_node_register node_from_control = {
	.name = "from_control",
	.flags = RTE_NODE_SOURCE_F,
	.process = from_control_process,
	.nb_edges = 2,
	.next_nodes = {[FROM_CONTROL_DROP] = "drop", [FROM_CONTROL_OUT] = "ip_output"},
};
