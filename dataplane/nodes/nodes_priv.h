/*
 * Shared by the nodes: edges, the look at a packet's headers, and handing a burst on.
 * All of it runs in workers.
 */
#ifndef SALLYPORT_NODES_PRIV_H
#define SALLYPORT_NODES_PRIV_H

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_graph_worker.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "base.h"
#include "local.h"
#include "nexthop.h"
#include "ports.h"
#include "worker.h"

/** Every node that drops has the drop node on its first edge. */
#define EDGE_DROP 0

/** Distance of prefetches, packets. */
#define PREFETCH_AHEAD 4

extern struct rte_node_register node_rx, node_eth, node_ip4, node_ip6, node_reassemble, node_udp,
	node_media, node_rewrite, node_ip_output, node_tx, node_sip_admit, node_sip_scan,
	node_sip_police, node_sip_up, node_punt, node_glean, node_drop, node_from_kernel,
	node_from_control, node_own_flow, node_own_source, node_handover, node_from_worker;

/* Nodes that lead to ports: the edge to port p is this one + p, added by nodes_init(). */
enum { REWRITE_DROP, REWRITE_GLEAN, REWRITE_TX };
enum { IP_OUTPUT_DROP, IP_OUTPUT_GLEAN, IP_OUTPUT_TX };
enum { FROM_KERNEL_DROP, FROM_KERNEL_TX };

/** The second is added by nodes_init() when there is a node ip6. */
enum { FROM_WORKER_IP4, FROM_WORKER_IP6 };

/** In node->ctx of rx and tx clones; set by nodes.c. */
struct node_port_ctx {
	uint16_t port;
	uint16_t eth_id;
	/* rx: so many queues are this worker's, every n_workers-th from the first */
	uint16_t queue, queues;
	uint16_t turn; /* rx: of the first, among all queues of the worker */
};
static_assert(sizeof(struct node_port_ctx) <= RTE_NODE_CTX_SZ, "fits the context");
int node_port_init(const struct rte_graph *graph, struct rte_node *node);

/** Header at the packet's data + off, or NULL when the packet is shorter. */
static inline void *pkt_hdr(const struct rte_mbuf *m, size_t off, size_t len)
{
	if (unlikely(off + len > m->data_len))
		return NULL;
	return rte_pktmbuf_mtod_offset(m, void *, off);
}

/*
 * From eth on a packet's data begin at its IP header. ip4 and ip6 have set l3_len: the bytes
 * before UDP (or whatever it carries), so that nobody behind them asks for the family.
 */
static inline bool pkt_is_v6(const struct rte_mbuf *m)
{
	return *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 == 6;
}

/** The UDP header; udp has checked that it is there. */
static inline struct rte_udp_hdr *pkt_udp(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, m->l3_len);
}

/** Does it claim to come from an address of ours? */
static inline bool pkt_from_us(const struct rte_mbuf *m)
{
	if (pkt_is_v6(m))
		return local_find_v6(rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *)->src_addr) >=
		       0;
	return nexthops[route_find_v4(rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->src_addr)]
		       .type == NEXTHOP_LOCAL;
}

/** Source and destination address, normal form. */
/* Each branch stores all of it: what is put together of two is written in parts. */
static inline void pkt_src(const struct rte_mbuf *m, struct net_addr *src)
{
	if (pkt_is_v6(m))
		*src = net_addr_v6(rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *)->src_addr);
	else
		*src = net_addr_v4(&rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->src_addr);
}

static inline void pkt_dst(const struct rte_mbuf *m, struct net_addr *dst)
{
	if (pkt_is_v6(m))
		*dst = net_addr_v6(rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *)->dst_addr);
	else
		*dst = net_addr_v4(&rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->dst_addr);
}

/** Mark for the drop node. @return its edge. */
static inline rte_edge_t pkt_drop(struct rte_mbuf *m, enum drop_reason reason)
{
	pkt_meta(m)->drop = (uint8_t)reason;
	return EDGE_DROP;
}

/** Take the first len bytes off, and keep how many in l2_len (all other offload fields are 0). */
static inline void pkt_strip_frame(struct rte_mbuf *m, uint16_t len)
{
	m->tx_offload = len;
	m->data_off += len;
	m->data_len -= len;
	m->pkt_len -= len;
}

/** len bytes more in front: what came in had a frame there, and what we make leaves room. */
static inline void *pkt_grow(struct rte_mbuf *m, uint16_t len)
{
	m->data_off -= len;
	m->data_len += len;
	m->pkt_len += len;
	return rte_pktmbuf_mtod(m, void *);
}

/** Give back the frame that eth took the first bytes off. */
static inline void pkt_restore_frame(struct rte_mbuf *m)
{
	pkt_grow(m, m->l2_len);
	m->l2_len = 0;
}

static inline struct stats_port_counts *port_counts(const struct rte_mbuf *m)
{
	return &worker_get()->stats->port[pkt_meta((struct rte_mbuf *)(uintptr_t)m)->port];
}

/** One packet of the kernel twin's. */
static inline void to_kernel(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	unsigned int sent = rte_ring_sp_enqueue_burst(w->to_kernel, objs, n, NULL);

	for (unsigned int i = sent; i < n; i++)
		pkt_drop(objs[i], DROP_PUNT_FULL);
	if (sent < n)
		rte_node_enqueue(graph, node, EDGE_DROP, &objs[sent], (uint16_t)(n - sent));
	main_wake();
}

/**
 * Hand a node's burst on: moved whole when all packets go one way, else in runs.
 * @param objs, n  what the node was called with.
 */
static inline void nodes_send(struct rte_graph *graph, struct rte_node *node, void **objs,
	const rte_edge_t *next, uint16_t n)
{
	uint16_t start = 0, differ = 0;

	/* Without a branch, so that the compiler compares many at once. */
	for (uint16_t i = 1; i < n; i++)
		differ |= next[i] ^ next[0];
	if (likely(differ == 0 && objs == node->objs && n == node->idx)) {
		rte_node_next_stream_move(graph, node, next[0]);
		return;
	}
	for (uint16_t i = 1; i < n; i++) {
		if (next[i] == next[start])
			continue;
		rte_node_enqueue(graph, node, next[start], &objs[start], (uint16_t)(i - start));
		start = i;
	}
	rte_node_enqueue(graph, node, next[start], &objs[start], (uint16_t)(n - start));
}

/** A node's work on up to NODE_CHUNK packets: fills the edge of each. */
typedef void (*node_chunk_fn)(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n);
#define NODE_CHUNK 256

/** The process function of most nodes, made from its chunk function. */
static __rte_always_inline uint16_t node_run(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, node_chunk_fn work)
{
	struct worker *w = worker_get();
	rte_edge_t next[NODE_CHUNK];

	for (uint16_t done = 0; done < n;) {
		uint16_t some = RTE_MIN((uint16_t)(n - done), (uint16_t)NODE_CHUNK);

		work(w, (struct rte_mbuf **)&objs[done], next, some);
		nodes_send(graph, node, &objs[done], next, some);
		done += some;
	}
	return n;
}

/** Prepend the Ethernet header of a resolved next hop, with its VLAN's tag (priority 0). */
static inline void ether_build(
	struct rte_mbuf *m, const struct nexthop *nh, uint64_t link, uint16_t ether_type)
{
	uint64_t source;
	uint8_t *eth;

	if (unlikely(nh->vlan != 0)) {
		struct rte_vlan_hdr *tag = pkt_grow(m, sizeof(*tag));

		tag->vlan_tci = rte_cpu_to_be_16(nh->vlan);
		tag->eth_proto = rte_cpu_to_be_16(ether_type);
		ether_type = RTE_ETHER_TYPE_VLAN;
	}
	/* Two words in place of three fields: the second overwrites what the first has too many. */
	static_assert(offsetof(struct nexthop, src_mac) + sizeof(source) <= sizeof(*nh), "a word");
	memcpy(&source, &nh->src_mac, sizeof(source));
	source = (source & ((UINT64_C(1) << 48) - 1)) | (uint64_t)rte_cpu_to_be_16(ether_type)
								<< 48;
	eth = pkt_grow(m, sizeof(struct rte_ether_hdr));
	memcpy(eth, &link, sizeof(link));
	memcpy(eth + RTE_ETHER_ADDR_LEN, &source, sizeof(source));
}

/**
 * Give an IP packet to its next hop.
 * @param ether_type           of its family.
 * @param edge_glean, edge_tx  edges of the calling node.
 */
static inline rte_edge_t nexthop_send(struct rte_mbuf *m, uint32_t hop, uint16_t ether_type,
	rte_edge_t edge_glean, rte_edge_t edge_tx)
{
	const struct nexthop *nh = &nexthops[hop];
	uint64_t link;

	if (unlikely(hop == NEXTHOP_NONE))
		return pkt_drop(m, DROP_OUT_NO_ROUTE);
	if (unlikely(m->pkt_len > nh->mtu))
		return pkt_drop(m, DROP_OUT_TOO_LONG);
	link = atomic_load_explicit(&((struct nexthop *)(uintptr_t)nh)->link, memory_order_relaxed);
	if (likely(link != 0 && nh->type == NEXTHOP_NEIGHBOUR)) {
		ether_build(m, nh, link, ether_type);
		return (rte_edge_t)(edge_tx + nh->port);
	}
	if (nh->type != NEXTHOP_NEIGHBOUR && nh->type != NEXTHOP_CONNECTED)
		return pkt_drop(m, DROP_OUT_REFUSED);
	pkt_meta(m)->value2 = nh->netif;
	return edge_glean;
}

#endif
