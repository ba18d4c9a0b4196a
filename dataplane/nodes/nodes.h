/*
 * The forwarding graph: registers the nodes, clones one rx and one tx node a port, and
 * says which of them make up a worker's graph.
 */
#ifndef SALLYPORT_NODES_H
#define SALLYPORT_NODES_H

#include <rte_graph.h>

#include "api_limits.h"

/** A worker's graph, by the worker's index. */
#define NODES_GRAPH_NAME "worker-%u"

/** After the ports are known, before any graph. @return 0 or negative errno. */
int nodes_init(void);

/**
 * Node names of a worker's graph: the ports that it has rx queues of and the sources that each
 * worker has. What these lead to comes with them.
 * @param names  room for API_NODES_MAX.
 * @return how many.
 */
uint16_t nodes_of_worker(uint16_t worker, const char **names);

struct worker;

/** What waited in a node for too long is dropped: once a loop of the worker, traffic or not. */
void nodes_expire(struct worker *w);

#endif
