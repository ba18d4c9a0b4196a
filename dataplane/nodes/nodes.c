/*
 * The graph's wiring. Main thread, at start.
 */
#include "nodes.h"

#include <errno.h>

#include "log.h"
#include "nodes_priv.h"

static struct rte_node_register *const registers[] = {
	&node_drop,
	&node_rx,
	&node_eth,
	&node_ip4,
	&node_ip6,
	&node_reassemble,
	&node_udp,
	&node_media,
	&node_rewrite,
	&node_ip_output,
	&node_tx,
	&node_sip_admit,
	&node_sip_scan,
	&node_sip_police,
	&node_sip_up,
	&node_punt,
	&node_glean,
	&node_from_kernel,
	&node_from_control,
	&node_own_flow,
	&node_own_source,
	&node_handover,
	&node_from_worker,
};

/* Nodes that keep state by source address: it has one writer (own_source.c). */
static const char *const source_nodes[] = {"sip_admit", "punt", "reassemble"};

/* A clone and the port it stands for. */
struct clone {
	rte_node_t id;
	uint16_t port;
};

static struct clone clones[API_NODES_MAX];
static unsigned int n_clones;

static const struct clone *clone_find(rte_node_t id)
{
	for (unsigned int i = 0; i < n_clones; i++) {
		if (clones[i].id == id)
			return &clones[i];
	}
	return NULL;
}

int node_port_init(const struct rte_graph *graph, struct rte_node *node)
{
	const struct clone *c = clone_find(node->id);
	struct node_port_ctx ctx;
	unsigned int worker;

	if (c == NULL || sscanf(graph->name, NODES_GRAPH_NAME, &worker) != 1)
		return -ENOENT;
	ctx = (struct node_port_ctx){
		.port = c->port,
		.eth_id = ports[c->port].eth_id,
		.queue = port_first_queue(c->port, (uint16_t)worker),
		.queues = port_queues(c->port, (uint16_t)worker),
	};
	for (uint16_t p = 0; p < c->port; p++)
		ctx.turn += port_queues(p, (uint16_t)worker);
	memcpy(node->ctx, &ctx, sizeof(ctx));
	return 0;
}

static int clone_add(rte_node_t parent, uint16_t port)
{
	struct clone *c = &clones[n_clones];

	/* Statistics show all nodes, so their table is the limit. */
	if (n_clones + ARRAY_LEN(registers) + ARRAY_LEN(source_nodes) >= API_NODES_MAX) {
		log_error("more than %d graph nodes: use fewer ports", API_NODES_MAX);
		return -ENOSPC;
	}
	c->id = rte_node_clone(parent, ports[port].name);
	if (c->id == RTE_NODE_ID_INVALID)
		return -ENOMEM;
	c->port = port;
	n_clones++;
	return 0;
}

/* Append an edge to port's tx node. Ports come in order, so port p is the p-th behind the base. */
static int tx_edge_add(rte_node_t from, const char *tx_name)
{
	if (rte_node_edge_update(from, RTE_EDGE_ID_INVALID, &tx_name, 1) != 1)
		return -ENOMEM;
	return 0;
}

static int port_nodes_add(uint16_t port)
{
	char name[RTE_NODE_NAMESIZE];
	int rc;

	rc = clone_add(node_tx.id, port);
	snprintf(name, sizeof(name), "tx-%s", ports[port].name);
	if (rc == 0)
		rc = tx_edge_add(node_rewrite.id, name);
	if (rc == 0)
		rc = tx_edge_add(node_ip_output.id, name);
	if (rc == 0)
		rc = tx_edge_add(node_from_kernel.id, name);
	if (rc == 0)
		rc = clone_add(node_rx.id, port);
	return rc;
}

/* Every edge to `node` leads to `guard` instead, but for the guard's own. */
static int guard_insert(const char *node, const char *guard)
{
	for (unsigned int i = 0; i < ARRAY_LEN(registers); i++) {
		rte_node_t id = registers[i]->id;
		rte_edge_t count = rte_node_edge_count(id);

		if (count == 0 || count > API_NODES_MAX || strcmp(registers[i]->name, guard) == 0)
			continue;
		for (rte_edge_t e = 0; e < count; e++) {
			char *names[API_NODES_MAX];

			rte_node_edge_get(id, names);
			if (strcmp(names[e], node) == 0 &&
				rte_node_edge_update(id, e, &guard, 1) != 1)
				return -ENOMEM;
		}
	}
	return 0;
}

static int source_guard_add(const char *node)
{
	char name[RTE_NODE_NAMESIZE];
	rte_node_t id;
	int rc;

	id = rte_node_clone(node_own_source.id, node);
	if (id == RTE_NODE_ID_INVALID)
		return -ENOMEM;
	snprintf(name, sizeof(name), "own_source-%.32s", node);
	rc = guard_insert(node, name);
	if (rc == 0 && rte_node_edge_update(id, RTE_EDGE_ID_INVALID, &node, 1) != 1)
		rc = -ENOMEM;
	return rc;
}

/* A lone worker owns everything: its graph stays without guards. */
static int guards_add(void)
{
	int rc;

	if (n_workers == 1)
		return 0;
	rc = guard_insert(node_media.name, node_own_flow.name);
	for (unsigned int i = 0; rc == 0 && i < ARRAY_LEN(source_nodes); i++)
		rc = source_guard_add(source_nodes[i]);
	return rc;
}

int nodes_init(void)
{
	int rc;

	for (unsigned int i = 0; i < ARRAY_LEN(registers); i++) {
		registers[i]->parent_id = RTE_NODE_ID_INVALID;
		registers[i]->id = __rte_node_register(registers[i]);
		if (registers[i]->id == RTE_NODE_ID_INVALID) {
			log_error("graph node %s does not register", registers[i]->name);
			return -ENOMEM;
		}
	}
	rc = guards_add();
	for (uint16_t p = 0; rc == 0 && p < n_ports; p++)
		rc = port_nodes_add(p);
	return rc;
}

uint16_t nodes_of_worker(uint16_t worker, const char **names)
{
	uint16_t n = 0;

	if (n_workers > 1)
		names[n++] = node_from_worker.name;
	names[n++] = "from_kernel";
	names[n++] = "from_control";
	for (unsigned int i = 0; i < n_clones; i++) {
		const char *name = rte_node_id_to_name(clones[i].id);
		uint16_t p = clones[i].port;

		if (strncmp(name, "rx-", 3) == 0 && port_first_queue(p, worker) < ports[p].n_rx)
			names[n++] = name;
	}
	return n;
}
