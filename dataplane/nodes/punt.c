/*
 * punt: whole frames to the port's kernel twin, at a bounded rate. ARP, neighbour discovery,
 * ICMP and the rest have shares of it, and a source has its own limits (police.h).
 */
#include "kernel_path.h"
#include "local.h"
#include "nodes_priv.h"
#include "police.h"
#include "punt_look.h"
#include "token.h"

/* Eighths of the port's rate. */
static const struct {
	uint8_t eighths;
	uint8_t reason;
} shares[] = {
	[PUNT_SHARE_ARP] = {1, DROP_PUNT_ARP},
	[PUNT_SHARE_ND] = {1, DROP_PUNT_ND},
	[PUNT_SHARE_ICMP] = {1, DROP_PUNT_ICMP},
	[PUNT_SHARE_REST] = {5, DROP_PUNT_RATE},
};

/* A port's share of the kernel. Burst: what comes within a tenth of a second. */
struct punt_bucket {
	uint64_t *full_ns;
	uint32_t rate, burst;
};

static inline struct punt_bucket bucket_of(struct worker *w, uint16_t port, enum punt_share share)
{
	uint32_t rate = RTE_MAX(w->punt_rate[port] * shares[share].eighths / 8, 1u);

	return (struct punt_bucket){&w->punt_full_ns[port][share], rate, rate / 10};
}

static enum police_kernel police_kind(const struct punt_look *look)
{
	if (look->tcp)
		return look->syn ? POLICE_TCP_SYN : POLICE_TCP;
	return look->share == PUNT_SHARE_ICMP ? POLICE_ICMP : POLICE_KERNEL_OTHER;
}

/* The limits of the source, in the realm of the address that it sent to. */
static int source_check(struct worker *w, const struct rte_mbuf *m, const struct pkt_meta *meta,
	const struct punt_look *look)
{
	const struct local_addr *local = &local_addrs[meta->value2 % API_ADDRS_MAX];

	/* Neighbour discovery goes to groups, which are nobody's address. */
	if (!look->has_src || look->share == PUNT_SHARE_ND || !local->used ||
		local->netif != meta->netif)
		return POLICE_PASS;
	return police_kernel(w->police, &look->src, local->realm,
		&local_realms[local->realm].police, police_kind(look), m->pkt_len, w->now_ns);
}

/* Who is refused by the one has eaten nothing of the other: the share is looked at first, so that
 * a flood of forged sources does not fill the table with what the port has no room for anyway.
 * @return POLICE_PASS or enum drop_reason. */
static int punt_one(struct worker *w, struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	struct punt_look look = punt_look(m);
	struct punt_bucket b = bucket_of(w, meta->port, look.share);
	int reason;

	if (!token_has(*b.full_ns, b.rate, b.burst, w->now_ns))
		return shares[look.share].reason;
	reason = source_check(w, m, meta, &look);
	if (reason == POLICE_PASS)
		(void)token_take(b.full_ns, b.rate, b.burst, w->now_ns);
	return reason;
}

static uint16_t punt_process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct worker *w = worker_get();
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		int reason = punt_one(w, m);

		if (reason != POLICE_PASS) {
			rte_node_enqueue_x1(graph, node, pkt_drop(m, (enum drop_reason)reason), m);
			continue;
		}
		pkt_restore_frame(m);
		pkt_meta(m)->value = KERNEL_TWIN;
		objs[kept++] = m;
	}
	to_kernel(graph, node, objs, kept);
	return n;
}

struct rte_node_register node_punt = {
	.name = "punt",
	.process = punt_process,
	.nb_edges = 1,
	.next_nodes = {[EDGE_DROP] = "drop"},
};
