/*
 * Main's part of the statistics mapping: ports, pools and graph nodes.
 */
#ifndef SALLYPORT_STATISTICS_H
#define SALLYPORT_STATISTICS_H

#include "base.h"

struct dataplane_config;

/** When graphs are there. @return 0 or negative errno. */
int statistics_init(const struct dataplane_config *config);
void statistics_fini(void);

/** Ten times a second: pools, flow counts. */
void statistics_refresh(void);
/** Once a second: links and graph nodes. */
void statistics_refresh_slow(void);

#endif
