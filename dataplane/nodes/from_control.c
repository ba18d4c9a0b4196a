/*
 * from_control: SIP messages of the down rings become UDP datagrams of either family, in
 * fragments where they are longer than the port's MTU. A record is copied first and then
 * believed nothing.
 */
#include <rte_random.h>

#include "attach.h"
#include "checksum.h"
#include "local.h"
#include "nodes_priv.h"

enum { FROM_CONTROL_DROP, FROM_CONTROL_OUT };

#define RECORDS_MAX 32 /* a ring and loop */
#define REASON_OK DROP_COUNT
/* A datagram of 65,535 bytes by the smallest MTU that a port can have, 576. */
#define FRAGMENTS_MAX 128
/* Packets of a ring that go on at once. */
#define OUT_MAX (RECORDS_MAX + FRAGMENTS_MAX)

/* A datagram to send: its UDP header, and the message behind it. */
struct datagram {
	const struct rec_sip_down *r;
	struct rte_udp_hdr udp;
	uint32_t len; /* of both */
	uint32_t id;  /* of its fragments */
	uint16_t port;
	bool v6;
};

/* Packets made and not handed on yet. */
struct output {
	struct rte_mbuf *m[OUT_MAX];
	uint16_t n;
};

/* Index of a local address, or -1. */
static int local_find(const struct net_addr *addr)
{
	const struct nexthop *nh;
	rte_be32_t ip;

	switch (addr->family) {
	case NET_FAMILY_V4:
		memcpy(&ip, addr->bytes, sizeof(ip));
		nh = &nexthops[route_find_v4(ip)];
		return nh->type == NEXTHOP_LOCAL ? nh->local : -1;
	case NET_FAMILY_V6:
		return local_find_v6(addr->bytes);
	default:
		return -1;
	}
}

/* Is it one of our addresses, and a listener of that realm? */
static bool listener_check(const struct rec_sip_down *r)
{
	int local = local_find(&r->local.addr);
	uint32_t slot;

	if (local < 0 || local_addrs[local].realm != r->realm)
		return false;
	slot = local_slot((uint16_t)local, r->local.port);
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
	if (r->remote.addr.family != r->local.addr.family)
		return DROP_OUT_NO_ROUTE;
	if (r->msg_len > API_SIP_UDP_MAX)
		return DROP_OUT_TOO_LONG;
	return REASON_OK;
}

/* RFC 768 and RFC 8200 section 8.1, over the datagram before it is cut. */
static rte_be16_t datagram_checksum(const struct datagram *d)
{
	size_t addr_len = d->v6 ? 16 : 4;
	uint64_t sum = rte_cpu_to_be_16(IPPROTO_UDP) + d->udp.dgram_len;

	sum += rte_raw_cksum(d->r->local.addr.bytes, addr_len);
	sum += rte_raw_cksum(d->r->remote.addr.bytes, addr_len);
	sum += rte_raw_cksum(&d->udp, sizeof(d->udp));
	sum += rte_raw_cksum(d->r + 1, d->r->msg_len);
	sum = (uint16_t)~checksum_fold(sum);
	return sum != 0 ? (rte_be16_t)sum : 0xffff;
}

static struct datagram datagram_of(struct worker *w, const struct rec_sip_down *r, uint16_t port)
{
	struct datagram d = {
		.r = r,
		.len = (uint32_t)sizeof(d.udp) + r->msg_len,
		.port = port,
		.v6 = r->local.addr.family == NET_FAMILY_V6,
	};

	d.udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16(r->local.port),
		.dst_port = rte_cpu_to_be_16(r->remote.port),
		.dgram_len = rte_cpu_to_be_16((uint16_t)d.len),
	};
	d.udp.dgram_cksum = datagram_checksum(&d);
	/* RFC 7739: those of IPv6 cannot be guessed; IPv4's 16 bits rather do not repeat. */
	d.id = d.v6 ? (uint32_t)rte_rand() : w->ip_id++;
	return d;
}

static void ip4_build(
	struct rte_ipv4_hdr *ip, const struct datagram *d, uint32_t off, uint32_t len, bool more)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = (uint8_t)(local_realms[d->r->realm].dscp_sip << 2),
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + len)),
		.packet_id = rte_cpu_to_be_16((uint16_t)d->id),
		.fragment_offset = rte_cpu_to_be_16((uint16_t)(off / RTE_IPV4_HDR_OFFSET_UNITS |
							       (more ? RTE_IPV4_HDR_MF_FLAG : 0))),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
	};
	memcpy(&ip->src_addr, d->r->local.addr.bytes, sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, d->r->remote.addr.bytes, sizeof(ip->dst_addr));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* @param ext  where the fragment header goes; NULL: the datagram is whole. */
static void ip6_build(struct rte_ipv6_hdr *ip, struct rte_ipv6_fragment_ext *ext,
	const struct datagram *d, uint32_t off, uint32_t len, bool more)
{
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(
			UINT32_C(6) << 28 | (uint32_t)local_realms[d->r->realm].dscp_sip << 22),
		.payload_len = rte_cpu_to_be_16((uint16_t)(len + (ext != NULL ? sizeof(*ext) : 0))),
		.proto = ext != NULL ? IPPROTO_FRAGMENT : IPPROTO_UDP,
		.hop_limits = 64,
	};
	memcpy(ip->src_addr, d->r->local.addr.bytes, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, d->r->remote.addr.bytes, sizeof(ip->dst_addr));
	if (ext != NULL)
		*ext = (struct rte_ipv6_fragment_ext){
			.next_header = IPPROTO_UDP,
			.frag_data = rte_cpu_to_be_16((uint16_t)(off | more)),
			.id = d->id,
		};
}

/* len bytes of UDP header and message from off on. The header is never cut. */
static void data_copy(uint8_t *to, const struct datagram *d, uint32_t off, uint32_t len)
{
	const uint8_t *msg = (const uint8_t *)(d->r + 1);

	if (off == 0) {
		memcpy(to, &d->udp, sizeof(d->udp));
		memcpy(to + sizeof(d->udp), msg, len - sizeof(d->udp));
	} else {
		memcpy(to, msg + off - sizeof(d->udp), len);
	}
}

/* Bytes before the data in each packet. */
static uint16_t headers_len(const struct datagram *d, bool fragmented)
{
	if (!d->v6)
		return sizeof(struct rte_ipv4_hdr);
	return sizeof(struct rte_ipv6_hdr) +
	       (fragmented ? sizeof(struct rte_ipv6_fragment_ext) : 0);
}

/* One packet: all of the datagram or a fragment. NULL when there is no buffer. */
static struct rte_mbuf *packet_build(
	const struct datagram *d, uint32_t off, uint32_t len, bool fragmented)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packet_pool);
	uint16_t headers = headers_len(d, fragmented);
	bool more = off + len < d->len;
	uint8_t *ip;

	if (m == NULL)
		return NULL;
	/* Cannot fail: a buffer holds the port's MTU. */
	ip = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + len));
	if (d->v6)
		ip6_build((void *)ip,
			fragmented ? (void *)(ip + sizeof(struct rte_ipv6_hdr)) : NULL, d, off, len,
			more);
	else
		ip4_build((void *)ip, d, off, len, more);
	data_copy(ip + headers, d, off, len);
	*pkt_meta(m) =
		(struct pkt_meta){.port = d->port, .origin = PKT_CONTROL, .value = d->r->realm};
	return m;
}

/* All packets of a record, or none. */
static enum drop_reason record_send(
	struct worker *w, const struct rec_sip_down *r, uint16_t port, struct output *out)
{
	struct datagram d = datagram_of(w, r, port);
	uint32_t mtu = ports[port].mtu, most = mtu - headers_len(&d, false), off = 0;
	bool fragmented = d.len > most;
	uint16_t first = out->n;

	/* RFC 791 section 3.2, RFC 8200 section 4.5: in units of eight bytes. */
	if (fragmented)
		most = RTE_ALIGN_FLOOR(mtu - headers_len(&d, true), 8u);
	while (off < d.len) {
		uint32_t len = RTE_MIN(most, d.len - off);

		out->m[out->n] = packet_build(&d, off, len, fragmented);
		if (out->m[out->n] == NULL) {
			rte_pktmbuf_free_bulk(&out->m[first], out->n - first);
			out->n = first;
			return DROP_NO_MBUF;
		}
		out->n++;
		off += len;
	}
	return REASON_OK;
}

static void output_flush(struct rte_graph *graph, struct rte_node *node, struct output *out)
{
	if (out->n > 0)
		rte_node_enqueue(graph, node, FROM_CONTROL_OUT, (void **)out->m, out->n);
	out->n = 0;
}

/* A record that is refused counts as one packet. @return records taken. */
static uint16_t ring_drain(
	struct rte_graph *graph, struct rte_node *node, struct worker *w, struct ring *ring)
{
	struct rec_sip_down *r = (struct rec_sip_down *)w->scratch;
	struct output out = {.n = 0};
	uint16_t taken = 0;
	int len;

	while (taken < RECORDS_MAX && (len = ring_get(ring, r, WORKER_SCRATCH)) != 0) {
		uint16_t port = 0, before = out.n;
		enum drop_reason reason = record_check(r, len, &port);

		taken++;
		if (reason == REASON_OK)
			reason = record_send(w, r, port, &out);
		if (reason == REASON_OK) {
			w->stats->port[port].from_control += out.n - before;
		} else {
			w->stats->port[port].from_control++;
			w->stats->port[port].drops[reason]++;
		}
		if (out.n + FRAGMENTS_MAX > OUT_MAX)
			output_flush(graph, node, &out);
	}
	output_flush(graph, node, &out);
	if (taken > 0)
		ring_release(ring);
	w->stats->down_records += taken;
	w->packets += taken;
	return taken;
}

static uint16_t from_control_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);
	uint16_t total = 0;

	if (rings == NULL)
		return 0;
	for (uint16_t i = 0; i < rings->n_down; i++)
		total += ring_drain(graph, node, w, &rings->down[i]);
	return total;
}

struct rte_node_register node_from_control = {
	.name = "from_control",
	.flags = RTE_NODE_SOURCE_F,
	.process = from_control_process,
	.nb_edges = 2,
	.next_nodes = {[FROM_CONTROL_DROP] = "drop", [FROM_CONTROL_OUT] = "ip_output"},
};
