#include <errno.h>

#include "ports.h"
#include "random.h"

enum port_flags { PORT_USED = 1, PORT_ORPHAN_EVEN = 2, PORT_ORPHAN_ODD = 4 };

int port_pool_init(struct port_pool *p, const struct net_addr *addr, uint16_t min, uint16_t max,
	unsigned int shard, unsigned int shards, uint64_t *total)
{
	unsigned int pairs = max > min ? (unsigned int)(max - min + 1) / 2 : 0;

	*p = (struct port_pool){
		.addr = *addr, .min = min, .shard = shard, .shards = shards, .total = total};
	if (pairs > shard)
		p->n = (pairs - shard + shards - 1) / shards;
	p->flags = calloc(p->n ? p->n : 1, sizeof(p->flags[0]));
	return p->flags ? 0 : -ENOMEM;
}

void port_pool_fini(struct port_pool *p)
{
	free(p->flags);
	p->flags = NULL;
	p->n = 0;
}

/* Own index of the pair that this port is in; false if it is not ours. */
static bool find(const struct port_pool *p, uint16_t port, unsigned int *index)
{
	unsigned int pair;

	if (port < p->min)
		return false;
	pair = (unsigned int)(port - p->min) / 2;
	*index = pair / p->shards;
	return pair % p->shards == p->shard && *index < p->n;
}

bool port_pool_has(const struct port_pool *p, uint16_t port)
{
	unsigned int index;

	return find(p, port, &index);
}

static void set(struct port_pool *p, unsigned int index, uint8_t flags)
{
	bool before = p->flags[index] != 0;

	p->flags[index] = flags;
	if (!before && flags != 0) {
		p->used++;
		++*p->total;
	} else if (before && flags == 0) {
		p->used--;
		--*p->total;
	}
}

uint16_t port_pool_take(struct port_pool *p)
{
	uint32_t start;

	if (p->used >= p->n)
		return 0;
	random_bytes(&start, sizeof(start));
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int index = (start % p->n + i) % p->n;

		if (p->flags[index] == 0) {
			set(p, index, PORT_USED);
			return (uint16_t)(p->min + 2 * (index * p->shards + p->shard));
		}
	}
	return 0;
}

void port_pool_put(struct port_pool *p, uint16_t port)
{
	unsigned int index;

	if (find(p, port, &index))
		set(p, index, p->flags[index] & (uint8_t)~PORT_USED);
}

static uint8_t orphan_flag(const struct port_pool *p, uint16_t port)
{
	return (port - p->min) % 2 ? PORT_ORPHAN_ODD : PORT_ORPHAN_EVEN;
}

void port_pool_orphan_add(struct port_pool *p, uint16_t port)
{
	unsigned int index;

	if (find(p, port, &index))
		set(p, index, p->flags[index] | orphan_flag(p, port));
}

void port_pool_orphan_del(struct port_pool *p, uint16_t port)
{
	unsigned int index;

	if (find(p, port, &index))
		set(p, index, p->flags[index] & (uint8_t)~orphan_flag(p, port));
}

void port_pool_orphan_clear(struct port_pool *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		set(p, i, p->flags[i] & PORT_USED);
}
