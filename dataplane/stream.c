#include <errno.h>

#include "attach.h"
#include "boundary.h"
#include "kernel_path.h"
#include "log.h"
#include "nexthop.h"
#include "nodes/rewrite.h"
#include "rtp_measure.h"
#include "stream_priv.h"

struct stream *streams;
static uint32_t n_stream_slots; /* with slot 0 */
static uint32_t stream_free;
static uint32_t *stream_buckets;
static uint32_t stream_bucket_mask;
static uint64_t n_streams;

/* An end of a stream as a command asks for it. */
struct end_plan {
	uint16_t local; /* index of the local address */
	bool restart;	/* needs a fresh flow: new, moved, or its latch starts again */
	uint32_t flow;	/* taken for the restart */
	uint32_t old;	/* flow that it replaces, 0: none */
	uint16_t old_local, old_port;
	uint32_t old_clock_hz;
};

int stream_init(uint32_t flows, struct stats_flow *live)
{
	int rc = flow_table_init(flows, live);
	uint32_t buckets = 64;

	if (rc < 0)
		return rc;
	n_stream_slots = flows / 2 + 1;
	while (buckets < n_stream_slots)
		buckets *= 2;
	streams = calloc(n_stream_slots, sizeof(*streams));
	stream_buckets = calloc(buckets, sizeof(*stream_buckets));
	if (streams == NULL || stream_buckets == NULL) {
		log_error(
			"not enough memory for %u streams: lower dataplane.flows", n_stream_slots);
		stream_fini();
		return -ENOMEM;
	}
	stream_bucket_mask = buckets - 1;
	stream_free = 0;
	n_streams = 0;
	for (uint32_t i = n_stream_slots - 1; i > 0; i--) {
		streams[i].chain = stream_free;
		stream_free = i;
	}
	stream_timer_init();
	return 0;
}

void stream_fini(void)
{
	flow_table_fini();
	free(streams);
	streams = NULL;
	free(stream_buckets);
	stream_buckets = NULL;
}

uint32_t stream_flows_used(void)
{
	return flow_used();
}

static uint32_t *stream_bucket(uint64_t id)
{
	/* Fibonacci hashing: ids are control's, their high half is random. */
	return &stream_buckets[(id * 0x9e3779b97f4a7c15ull >> 32) & stream_bucket_mask];
}

static uint32_t stream_find(uint64_t id)
{
	uint32_t i = *stream_bucket(id);

	while (i != 0 && streams[i].id != id)
		i = streams[i].chain;
	return i;
}

static void stream_count(int change)
{
	n_streams += (uint64_t)(int64_t)change;
	if (stats_region != NULL)
		stats_region->streams = n_streams;
}

/* --- what a flow does --- */

/* Where packets to the peer of one end go: the source that latched, else what was signalled. */
static bool stream_remote(const struct stream *s, unsigned int end, struct net_endpoint *out)
{
	/* The worker may be writing: a torn read is corrected by the report that follows. */
	struct latch l = flow_live[s->flow[end]].latch;

	if (l.phase == LATCH_EMPTY) {
		*out = s->end[end].remote;
		return out->addr.family != NET_FAMILY_NONE && out->port != 0;
	}
	*out = (struct net_endpoint){.addr = l.source, .port = l.port};
	return true;
}

/* Next hop for a peer of a realm, with a reference; NEXTHOP_NONE if there is no way to it. */
static uint16_t stream_nexthop(const struct net_addr *dst, uint16_t realm)
{
	uint32_t hop = route_find_realm(dst, realm);
	uint16_t netif;
	int rc;

	switch (nexthops[hop].type) {
	case NEXTHOP_NEIGHBOUR:
		netif = nexthops[hop].netif;
		rc = nexthop_get(NEXTHOP_NEIGHBOUR, netif, &nexthops[hop].addr, 0);
		break;
	case NEXTHOP_CONNECTED:
		/* Not looked up yet: ask the kernel now, so that it is known when media comes. */
		netif = nexthops[hop].netif;
		rc = nexthop_get(NEXTHOP_NEIGHBOUR, netif, dst, 0);
		if (rc > 0)
			netlink_neighbour_probe(netif, dst);
		break;
	default: /* no route, or an address of ours */
		return NEXTHOP_NONE;
	}
	return rc > 0 ? (uint16_t)rc : NEXTHOP_NONE;
}

/* The action of the flow that arrives at this end. */
static void stream_act(const struct stream *s, unsigned int end, struct flow_action *a,
	struct latch_policy *policy)
{
	const struct stream_end *in = &s->end[end], *out = &s->end[1 - end];
	struct net_endpoint dst;

	memset(a, 0, sizeof(*a));
	memset(policy, 0, sizeof(*policy));
	policy->allowed = in->allowed;
	policy->port = in->remote.port;
	policy->prefix_len = in->prefix_len;
	policy->learn_port = (in->flags & STREAM_END_LEARN_PORT) != 0;
	a->rate = flow_rate_make(&in->packets, &in->bytes);
	a->clock_mult = rtp_clock_mult(in->clock_hz);
	memcpy(a->src, out->local.addr.bytes, sizeof(a->src));
	a->src_port = rte_cpu_to_be_16(out->local.port);
	a->dscp = local_realms[out->realm].dscp_media;
	a->flags = (uint8_t)(s->kind << FLOW_KIND_SHIFT);
	if ((in->flags & STREAM_END_RECEIVE) != 0)
		a->flags |= FLOW_RECEIVE;
	if (out->local.addr.family == NET_FAMILY_V6)
		a->flags |= FLOW_DST_V6;
	if (!stream_remote(s, 1 - end, &dst))
		return;
	memcpy(a->dst, dst.addr.bytes, sizeof(a->dst));
	a->dst_port = rte_cpu_to_be_16(dst.port);
	a->nexthop = stream_nexthop(&dst.addr, out->realm);
	a->flags |= FLOW_HAVE_REMOTE;
	rewrite_prepare(a);
}

static void stream_publish(const struct stream *s, unsigned int end)
{
	struct latch_policy policy;
	struct flow_action a;

	stream_act(s, end, &a, &policy);
	flow_publish(s->flow[end], &a, &policy);
}

void stream_resolve_all(void)
{
	for (uint32_t i = 1; i < n_stream_slots; i++) {
		if (!streams[i].used)
			continue;
		stream_publish(&streams[i], 0);
		stream_publish(&streams[i], 1);
	}
}

/* --- events --- */

/* What a flow counted, onto what the ones before it at this end did. */
static void stream_add_counts(struct stream_counts *c, uint32_t flow, uint32_t clock_hz)
{
	const struct stats_flow *live = &flow_live[flow];
	struct rtp_quality q = rtp_quality_read(&live->quality);
	uint32_t jitter_max_us = rtp_quality_jitter_us(q.jitter_max, clock_hz);

	c->packets += __atomic_load_n(&live->packets, __ATOMIC_RELAXED);
	c->bytes += __atomic_load_n(&live->bytes, __ATOMIC_RELAXED);
	c->refused += __atomic_load_n(&live->refused, __ATOMIC_RELAXED);
	c->policed += __atomic_load_n(&live->policed, __ATOMIC_RELAXED);
	c->lost += __atomic_load_n(&live->lost, __ATOMIC_RELAXED) + rtp_quality_lost(&q);
	c->duplicates += q.duplicates;
	c->reordered += q.reordered;
	c->late_gaps += q.late_gaps;
	/* The one now is the latest flow's, once that has heard something. */
	if (q.received != 0)
		c->jitter_us = rtp_quality_jitter_us(q.jitter, clock_hz);
	if (jitter_max_us > c->jitter_max_us)
		c->jitter_max_us = jitter_max_us;
}

static void stream_tell(const struct stream *s, enum record_type type, struct rec_stream_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->hdr.len = sizeof(*ev);
	ev->hdr.type = (uint16_t)type;
	ev->hdr.version = API_VERSION;
	ev->id = s->id;
	ev->epoch = s->epoch;
	ev->kind = s->kind;
	for (unsigned int i = 0; i < 2; i++) {
		struct net_endpoint remote;

		ev->end[i] = s->end[i];
		if (stream_remote(s, i, &remote))
			ev->end[i].remote = remote;
		ev->counts[i] = s->carried[i];
		stream_add_counts(&ev->counts[i], s->flow[i], s->end[i].clock_hz);
	}
}

uint8_t stream_group(const struct stream *s)
{
	return stats_region != NULL && s->epoch == stats_region->epoch ? s->group
								       : ATTACH_SHARD_MAIN;
}

void stream_latched(uint32_t flow)
{
	struct rec_stream_event ev;
	const struct stream *s;
	unsigned int end;

	/* An old report of a flow that is gone, or that is another's by now. */
	if (flow >= flow_slots || flow_private[flow].stream == 0 ||
		flow_live[flow].latch.phase == LATCH_EMPTY)
		return;
	s = &streams[flow_private[flow].stream];
	end = flow_private[flow].end;
	stream_publish(s, 1 - end);
	stream_tell(s, REC_STREAM_LATCHED, &ev);
	ev.latched_end = (uint8_t)end;
	boundary_event(stream_group(s), &ev, sizeof(ev));
}

void stream_tell_silent(const struct stream *s, unsigned int end)
{
	struct rec_stream_event ev;

	stream_tell(s, REC_STREAM_SILENT, &ev);
	ev.latched_end = (uint8_t)end;
	boundary_event(stream_group(s), &ev, sizeof(ev));
}

bool stream_dump(uint64_t *cursor, stream_visit_fn visit, void *ctx)
{
	for (; *cursor + 1 < n_stream_slots; ++*cursor) {
		const struct stream *s = &streams[*cursor + 1];
		struct rec_stream_event ev;

		if (!s->used)
			continue;
		stream_tell(s, REC_STREAM_INFO, &ev);
		if (visit(ctx, &ev) != 0)
			return false;
	}
	return true;
}

/* --- set --- */

/* May this end use its local endpoint? The stream's own flow there is no conflict. */
static int end_plan_local(
	const struct stream_end *e, uint32_t stream, unsigned int end, struct end_plan *plan)
{
	int idx = local_addr_find(&e->local.addr);
	uint32_t slot, flow;

	if (idx < 0)
		return -EADDRNOTAVAIL;
	if (local_addrs[idx].realm != e->realm)
		return -EINVAL;
	plan->local = (uint16_t)idx;
	slot = local_slot((uint16_t)idx, e->local.port);
	switch (local_slot_kind(slot)) {
	case LOCAL_MEDIA:
		return 0;
	case LOCAL_FLOW:
		flow = flow_of_place(slot & LOCAL_VALUE_MASK);
		return stream != 0 && flow_private[flow].stream == stream &&
				       flow_private[flow].end == end
			       ? 0
			       : -EEXIST;
	default: /* outside the media ranges */
		return -EADDRNOTAVAIL;
	}
}

/*
 * A live line belongs to its worker, so nobody can reset a latch under it: the end gets
 * a fresh flow instead, the old one is retired and its counts go to the stream. Where
 * nobody was allowed so far nothing can have latched, and the flow stays.
 */
static bool end_wants_restart(const struct stream_end *now, const struct stream_end *want)
{
	if (!net_endpoint_eq(&now->local, &want->local))
		return true;
	if (now->allowed.family == NET_FAMILY_NONE)
		return false;
	return !net_endpoint_eq(&now->remote, &want->remote) ||
	       !net_addr_eq(&now->allowed, &want->allowed) || now->prefix_len != want->prefix_len;
}

static int stream_plan(const struct rec_stream_set *r, uint32_t i, struct end_plan plan[2])
{
	if (net_endpoint_eq(&r->end[0].local, &r->end[1].local))
		return -EEXIST;
	for (unsigned int end = 0; end < 2; end++) {
		const struct stream_end *e = &r->end[end];
		int rc = end_plan_local(e, i, end, &plan[end]);

		if (rc < 0)
			return rc;
		plan[end].restart = i == 0 || end_wants_restart(&streams[i].end[end], e);
	}
	for (unsigned int end = 0; end < 2; end++) {
		if (!plan[end].restart)
			continue;
		plan[end].flow = flow_take();
		if (plan[end].flow == 0) {
			if (end == 1 && plan[0].restart)
				flow_untake(plan[0].flow);
			return -ENOSPC;
		}
	}
	return 0;
}

/* Put the planned flow in place; the old one is remembered in the plan. */
static void stream_renew(
	uint32_t i, unsigned int end, const struct stream_end *e, struct end_plan *plan)
{
	struct stream *s = &streams[i];
	struct flow_private *p = &flow_private[plan->flow];

	plan->old = s->flow[end];
	if (plan->old != 0) {
		plan->old_local = flow_private[plan->old].local;
		plan->old_port = flow_private[plan->old].port;
	}
	p->stream = i;
	p->end = (uint8_t)end;
	p->local = plan->local;
	p->port = e->local.port;
	s->flow[end] = plan->flow;
}

/* After the new flow has been published: the old one goes, with its slot if that is another. */
static void stream_drop_old(struct stream *s, unsigned int end, const struct end_plan *plan)
{
	const struct flow_private *p = &flow_private[s->flow[end]];

	if (plan->old == 0)
		return;
	if (plan->old_local != p->local || plan->old_port != p->port)
		local_flow_del(plan->old_local, plan->old_port);
	stream_add_counts(&s->carried[end], plan->old, plan->old_clock_hz);
	flow_retire(plan->old);
}

static uint32_t stream_new(uint64_t id)
{
	uint32_t i = stream_free, *bucket = stream_bucket(id);

	if (i == 0)
		return 0;
	stream_free = streams[i].chain;
	streams[i] = (struct stream){.id = id, .chain = *bucket, .used = true};
	*bucket = i;
	stream_count(1);
	return i;
}

int stream_set(const struct rec_stream_set *r, uint32_t epoch, uint8_t group, uint32_t flow_out[2])
{
	struct end_plan plan[2] = {0};
	uint32_t i = stream_find(r->id);
	struct stream *s;
	int rc;

	if (i == 0 && stream_free == 0)
		return -ENOSPC;
	rc = stream_plan(r, i, plan);
	if (rc < 0)
		return rc;
	if (i == 0)
		i = stream_new(r->id);
	else
		stream_timer_del(i);
	s = &streams[i];
	for (unsigned int end = 0; end < 2; end++) {
		plan[end].old_clock_hz = s->end[end].clock_hz;
		s->end[end] = r->end[end];
		if (plan[end].restart)
			stream_renew(i, end, &r->end[end], &plan[end]);
	}
	s->kind = r->kind;
	s->epoch = epoch;
	s->group = group;
	s->set_ms = stream_clock_ms();
	s->silence_told[0] = s->silence_told[1] = false;
	for (unsigned int end = 0; end < 2; end++)
		stream_publish(s, end);
	for (unsigned int end = 0; end < 2; end++)
		stream_drop_old(s, end, &plan[end]);
	stream_timer_add(i, s->set_ms);
	flow_out[0] = s->flow[0];
	flow_out[1] = s->flow[1];
	return 0;
}

/* --- delete --- */

void stream_remove(uint32_t i, enum stream_gone_reason reason, struct rec_stream_event *gone)
{
	struct stream *s = &streams[i];
	uint32_t *at = stream_bucket(s->id);

	for (unsigned int end = 0; end < 2; end++) {
		const struct flow_private *p = &flow_private[s->flow[end]];

		local_flow_del(p->local, p->port);
	}
	/* Counts as of now: see flow_retire() for the packets in a worker's hands. */
	stream_tell(s, REC_STREAM_GONE, gone);
	gone->reason = (uint8_t)reason;
	flow_retire(s->flow[0]);
	flow_retire(s->flow[1]);
	stream_timer_del(i);
	while (*at != i)
		at = &streams[*at].chain;
	*at = s->chain;
	*s = (struct stream){.chain = stream_free};
	stream_free = i;
	stream_count(-1);
}

int stream_del(const struct rec_stream_del *r, struct rec_stream_event *gone)
{
	uint32_t i = stream_find(r->id);

	if (i == 0 || !net_endpoint_eq(&streams[i].end[0].local, &r->local))
		return -ENOENT;
	stream_remove(i, STREAM_GONE_DELETED, gone);
	return 0;
}
