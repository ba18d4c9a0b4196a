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
	&node_reassemble,
	&node_udp,
	&node_media,
	&node_rewrite,
	&node_ip_output,
	&node_tx,
	&node_sip_scan,
	&node_sip_police,
	&node_sip_up,
	&node_punt,
	&node_glean,
	&node_from_kernel,
	&node_from_control,
};

/* A clone and the port it stands for. */
struct clone {
	rte_node_t id;
	uint16_t worker; /* of an rx clone */
	struct node_port_ctx ctx;
};

static struct clone clones[API_NODES_MAX];
static unsigned int n_clones;

int node_port_init(const struct rte_graph *graph, struct rte_node *node)
{
	for (unsigned int i = 0; i < n_clones; i++) {
		if (clones[i].id == node->id) {
			memcpy(node->ctx, &clones[i].ctx, sizeof(clones[i].ctx));
			return 0;
		}
	}
	return -ENOENT;
}

static int clone_add(rte_node_t parent, const char *suffix, uint16_t port, uint16_t queue)
{
	struct clone *c = &clones[n_clones];

	/* Statistics show all nodes, so their table is the limit. */
	if (n_clones + ARRAY_LEN(registers) >= API_NODES_MAX) {
		log_error("more than %d graph nodes: use fewer ports or queues", API_NODES_MAX);
		return -ENOSPC;
	}
	c->id = rte_node_clone(parent, suffix);
	if (c->id == RTE_NODE_ID_INVALID)
		return -ENOMEM;
	c->ctx = (struct node_port_ctx){port, ports[port].eth_id, queue};
	c->worker = port_queue_worker(port, queue);
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
	char suffix[RTE_NODE_NAMESIZE - 4], name[RTE_NODE_NAMESIZE];
	int rc;

	rc = clone_add(node_tx.id, ports[port].name, port, 0);
	snprintf(name, sizeof(name), "tx-%s", ports[port].name);
	if (rc == 0)
		rc = tx_edge_add(node_rewrite.id, name);
	if (rc == 0)
		rc = tx_edge_add(node_ip_output.id, name);
	if (rc == 0)
		rc = tx_edge_add(node_from_kernel.id, name);
	for (uint16_t q = 0; rc == 0 && q < ports[port].n_rx; q++) {
		snprintf(suffix, sizeof(suffix), "%s-%u", ports[port].name, q);
		rc = clone_add(node_rx.id, suffix, port, q);
	}
	return rc;
}

int nodes_init(void)
{
	int rc = 0;

	for (unsigned int i = 0; i < ARRAY_LEN(registers); i++) {
		registers[i]->parent_id = RTE_NODE_ID_INVALID;
		registers[i]->id = __rte_node_register(registers[i]);
		if (registers[i]->id == RTE_NODE_ID_INVALID) {
			log_error("graph node %s does not register", registers[i]->name);
			return -ENOMEM;
		}
	}
	for (uint16_t p = 0; rc == 0 && p < n_ports; p++)
		rc = port_nodes_add(p);
	return rc;
}

uint16_t nodes_of_worker(uint16_t worker, const char **names)
{
	uint16_t n = 0;

	names[n++] = "from_kernel";
	names[n++] = "from_control";
	for (unsigned int i = 0; i < n_clones; i++) {
		const char *name = rte_node_id_to_name(clones[i].id);

		if (strncmp(name, "rx-", 3) == 0 && clones[i].worker == worker)
			names[n++] = name;
	}
	return n;
}
