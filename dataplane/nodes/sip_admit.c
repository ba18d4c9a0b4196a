/*
 * sip_admit: drops SIP of denied sources by their address alone, before anybody reads the
 * message. In stages over the burst: the lists (a FIB look-up for all), tags, entries, verdict.
 * In: meta.value is the realm. Passes the entry of the lists on (sip_meta.h).
 */
#include "nodes_priv.h"
#include "police.h"
#include "sip_meta.h"

enum { SIP_ADMIT_DROP, SIP_ADMIT_SCAN };

/* Packets in one go: what is fetched ahead for them fits the first-level cache. */
#define STAGE_MAX 64

struct stage {
	struct net_addr addr[STAGE_MAX];
	uint16_t port[STAGE_MAX];
	uint64_t prefix[STAGE_MAX]; /* of the lists */
	struct source_key own[STAGE_MAX], address[STAGE_MAX];
};

static void lists_look(struct stage *s, uint16_t n)
{
	struct rte_fib *fib = atomic_load_explicit(&source_fib, memory_order_acquire);
	struct rte_fib6 *fib6 = atomic_load_explicit(&source_fib6, memory_order_acquire);
	uint32_t ip[STAGE_MAX];

	if (fib != NULL) {
		for (uint16_t i = 0; i < n; i++) {
			memcpy(&ip[i], s->addr[i].bytes, sizeof(ip[i]));
			ip[i] = rte_be_to_cpu_32(ip[i]);
		}
		rte_fib_lookup_bulk(fib, ip, s->prefix, n);
	}
	for (uint16_t i = 0; i < n; i++) {
		uint8_t ip6[1][RTE_FIB6_IPV6_ADDR_SIZE];

		if (s->addr[i].family != NET_FAMILY_V6) {
			if (fib == NULL)
				s->prefix[i] = 0;
			continue;
		}
		s->prefix[i] = 0;
		memcpy(ip6[0], s->addr[i].bytes, sizeof(ip6[0]));
		if (fib6 != NULL)
			rte_fib6_lookup_bulk(fib6, ip6, &s->prefix[i], 1);
	}
}

/* Keys of the look-ups that can find somebody denied. */
static void sources_fetch(const struct police *p, struct stage *s, struct rte_mbuf **m, uint16_t n,
	bool ports, bool addresses)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t realm = sip_meta_realm(pkt_meta(m[i]));

		if (ports) {
			source_key(p->sources, &s->addr[i], s->port[i], realm, SOURCE_PORT,
				&s->own[i]);
			source_prefetch_tags(p->sources, &s->own[i]);
		}
		if (addresses) {
			source_key(
				p->sources, &s->addr[i], 0, realm, SOURCE_ADDRESS, &s->address[i]);
			source_prefetch_tags(p->sources, &s->address[i]);
		}
	}
	for (uint16_t i = 0; i < n; i++) {
		if (ports)
			source_prefetch_entry(p->sources, &s->own[i]);
		if (addresses)
			source_prefetch_entry(p->sources, &s->address[i]);
	}
}

static rte_edge_t refuse(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	w->stats->realm[sip_meta_realm(pkt_meta(m))].refused[SOURCE_DENIED]++;
	return pkt_drop(m, reason);
}

static void stage_run(struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	struct police *p = w->police;
	struct source_clock now = source_clock(w->now_ns);
	bool ports = police_denies_ports(p), addresses = police_denies_addresses(p);
	struct stage s;

	for (uint16_t i = 0; i < n; i++) {
		pkt_src(m[i], &s.addr[i]);
		s.port[i] = rte_be_to_cpu_16(pkt_udp(m[i])->src_port);
	}
	sources_fetch(p, &s, m, n, ports, addresses);
	lists_look(&s, n);
	for (uint16_t i = 0; i < n; i++) {
		struct pkt_meta *meta = pkt_meta(m[i]);
		uint16_t listed = source_list_match(s.prefix[i], sip_meta_realm(meta), s.port[i]);

		sip_meta_set_listed(meta, listed);
		next[i] = SIP_ADMIT_SCAN;
		if (listed != SOURCE_UNLISTED && source_list_action(listed) == LIST_DENY)
			next[i] = refuse(w, m[i], DROP_SIP_DENY_LIST);
		else if ((ports || addresses) &&
			 police_denied(p, ports ? &s.own[i] : NULL,
				 addresses ? &s.address[i] : NULL, listed, now))
			next[i] = refuse(w, m[i], DROP_SIP_DENIED);
	}
}

static inline void sip_admit_chunk(
	struct worker *w, struct rte_mbuf **m, rte_edge_t *next, uint16_t n)
{
	for (uint16_t done = 0; done < n; done += STAGE_MAX)
		stage_run(w, m + done, next + done,
			RTE_MIN((uint16_t)(n - done), (uint16_t)STAGE_MAX));
}

static uint16_t sip_admit_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return node_run(graph, node, objs, n, sip_admit_chunk);
}

struct rte_node_register node_sip_admit = {
	.name = "sip_admit",
	.process = sip_admit_process,
	.nb_edges = 2,
	.next_nodes = {[SIP_ADMIT_DROP] = "drop", [SIP_ADMIT_SCAN] = "sip_scan"},
};
