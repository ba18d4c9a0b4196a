#include <errno.h>

#include <rte_malloc.h>

#include "boundary.h"
#include "flow_priv.h"
#include "grace.h"
#include "log.h"
#include "nexthop.h"

struct flow_action *flow_actions;
struct latch_policy *flow_policies;
struct stats_flow *flow_live;
struct flow_run *flow_runs;
struct flow_private *flow_private;
uint32_t flow_slots;

static uint32_t flow_free;			   /* list head, 0: empty */
static uint32_t flow_limbo_first, flow_limbo_last; /* oldest first */
static uint32_t n_flow_used;

static void flow_count(int change)
{
	n_flow_used += (uint32_t)change;
	if (stats_region != NULL)
		stats_region->flows_used = n_flow_used;
}

int flow_table_init(uint32_t flows, struct stats_flow *live)
{
	if (flows < 3 || flows > LOCAL_VALUE_MASK / 2)
		return -EINVAL;
	flow_live = live;
	flow_slots = flows;
	flow_private = calloc(flows, sizeof(*flow_private));
	flow_runs = calloc(flows, sizeof(*flow_runs));
	flow_actions = rte_zmalloc("flow_actions", sizeof(*flow_actions) * 2 * (flows + 1), 128);
	flow_policies = rte_zmalloc("flow_policies", sizeof(*flow_policies) * 2 * (flows + 1), 64);
	if (flow_private == NULL || flow_runs == NULL || flow_actions == NULL ||
		flow_policies == NULL) {
		log_error("not enough memory for %u media flows: lower dataplane.flows or raise "
			  "dataplane.memory_mib",
			flows);
		flow_table_fini();
		return -ENOMEM;
	}
	flow_free = flow_limbo_first = flow_limbo_last = n_flow_used = 0;
	/* Slot 0 means "none". Low ones first. */
	for (uint32_t i = flows - 1; i > 0; i--) {
		flow_private[i].chain = flow_free;
		flow_free = i;
	}
	return 0;
}

void flow_table_fini(void)
{
	rte_free(flow_actions);
	flow_actions = NULL;
	rte_free(flow_policies);
	flow_policies = NULL;
	free(flow_private);
	flow_private = NULL;
	free(flow_runs);
	flow_runs = NULL;
	flow_live = NULL;
}

uint32_t flow_take(void)
{
	uint32_t f;

	if (flow_free == 0)
		flow_reclaim();
	f = flow_free;
	if (f == 0)
		return 0;
	flow_free = flow_private[f].chain;
	flow_private[f] = (struct flow_private){0};
	flow_count(1);
	return f;
}

void flow_untake(uint32_t flow)
{
	flow_private[flow].stream = 0;
	flow_private[flow].chain = flow_free;
	flow_free = flow;
	flow_count(-1);
}

void flow_publish(
	uint32_t flow, const struct flow_action *action, const struct latch_policy *policy)
{
	struct flow_private *p = &flow_private[flow];
	uint32_t now = flow_place(flow, p->version), next = flow_place_other(now);
	uint16_t old_hop = flow_actions[now].nexthop;

	if (p->published && memcmp(&flow_actions[now], action, sizeof(*action)) == 0 &&
		memcmp(&flow_policies[now], policy, sizeof(*policy)) == 0) {
		nexthop_put(action->nexthop);
		return;
	}
	if (!p->published) {
		flow_actions[now] = *action;
		flow_policies[now] = *policy;
		p->published = true;
		p->other_free = true;
		local_slot_write(p->local, p->port, LOCAL_FLOW, now);
		return;
	}
	/* A worker may still read the other copy if it was named a moment ago. */
	if (!p->other_free)
		grace_wait(p->stamp);
	flow_actions[next] = *action;
	flow_policies[next] = *policy;
	p->version = !p->version;
	p->other_free = false;
	p->stamp = grace_stamp();
	local_slot_write(p->local, p->port, LOCAL_FLOW, next);
	nexthop_put(old_hop);
}

void flow_retire(uint32_t flow)
{
	struct flow_private *p = &flow_private[flow];

	nexthop_put(flow_actions[flow_place(flow, p->version)].nexthop);
	p->stream = 0;
	p->chain = 0;
	p->stamp = grace_stamp();
	if (flow_limbo_last != 0)
		flow_private[flow_limbo_last].chain = flow;
	else
		flow_limbo_first = flow;
	flow_limbo_last = flow;
}

void flow_reclaim(void)
{
	uint32_t next;

	if (flow_limbo_first == 0)
		return;
	grace_wait(flow_private[flow_limbo_last].stamp);
	for (uint32_t f = flow_limbo_first; f != 0; f = next) {
		next = flow_private[f].chain;
		memset(&flow_live[f], 0, sizeof(flow_live[f]));
		flow_runs[f] = (struct flow_run){0};
		for (unsigned int version = 0; version < 2; version++) {
			uint32_t place = flow_place(f, version);

			flow_actions[place] = (struct flow_action){0};
			flow_policies[place] = (struct latch_policy){0};
		}
		flow_untake(f);
	}
	flow_limbo_first = flow_limbo_last = 0;
}

uint32_t flow_used(void)
{
	return n_flow_used;
}
