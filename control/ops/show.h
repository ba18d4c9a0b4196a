/*
 * What the statistics mapping says, as JSON for the control socket. The mapping is
 * the other process's memory: counts are bounded and names cleaned here.
 */
#ifndef SALLYPORT_CONTROL_SHOW_H
#define SALLYPORT_CONTROL_SHOW_H

#include <jansson.h>

#include "config.h"
#include "stats.h"

/* All return a new reference, or NULL when out of memory. `s` is borrowed for the call. */

/** {pid, uptime_s, memory, hugepages, idle, epoch, attaches, streams, flows_used, flows}. */
json_t *show_dataplane(const struct stats *s, uint64_t now_ms);
/** [{worker, lcore, heartbeat_age_ms, loops, busy_loops, sleeps, busy_percent}]. */
json_t *show_workers(const struct stats *s, uint64_t now_ms);
/**
 * [{name, device, ..., rx_packets, ..., dropped, in, out, difference}], one a port, summed over
 * workers; in = out + dropped + difference, which is 0 when no packet is under way.
 */
json_t *show_ports(const struct stats *s);
/** [{name, calls, packets, cycles, edges: [name]}]. */
json_t *show_graph(const struct stats *s);
/** [{port, reason, packets, help}]. @param all  also what is zero. */
json_t *show_drops(const struct stats *s, bool all);
/**
 * What each realm takes and what it took: [{realm, trust, permit, deny, limits: {sip_rate: {rate,
 * burst}, ..., deny_after, ...}, classes: [{class, new, out_of_dialog, dialog, lane, refused}]}].
 */
json_t *show_limits(const struct config *config, const struct stats *s);
/** {"realm_access_sip_untrusted_passed": 1, ..._refused: 2}, added to `o`. */
void show_limits_flat(json_t *o, const struct config *config, const struct stats *s);
/** Sources that stand out: [{source, realm, class, reason, left_s, messages, refused}]. */
json_t *show_sources(const struct config *config, const struct stats *s);
/** [{name, size, used, bytes}]. */
json_t *show_pools(const struct stats *s);
/** {running, file, packets, bytes, missed, seconds, ended}; {} when there was none. */
json_t *show_capture(const struct stats *s, uint64_t now_ms);
/** {"dataplane_streams": 1, "port_access_rx_packets": 2, ...}: everything, flat. */
json_t *show_flat(const struct stats *s);

/**
 * Add what a call's streams count right now to what b2bua_call_json() knew: each side of each
 * "active" element of "media" names its flow.
 * @param bytes  size of the mapping.
 */
void show_call_live(const struct stats *s, size_t bytes, json_t *call);

/** Every counter of one port, summed over the workers. */
struct show_port_sum {
	struct stats_port_counts counts;
	uint64_t dropped;
};
void show_port_sum(const struct stats *s, unsigned int port, struct show_port_sum *sum);

#endif
