#include <errno.h>

#include "local.h"
#include "local_priv.h"

/* One line of configuration: ports min..max of an address are for this. */
struct local_range {
	uint16_t addr; /* index in local_addrs */
	uint16_t min, max;
	uint16_t realm;
	uint8_t kind; /* LOCAL_LISTENER, LOCAL_MEDIA */
	uint32_t epoch;
};

/* One listener and three ranges for each of a thousand addresses. */
#define LOCAL_RANGES_MAX (4 * API_ADDRS_MAX)
static struct local_range local_ranges[LOCAL_RANGES_MAX];
static unsigned int n_local_ranges;

void local_ports_init(void)
{
	n_local_ranges = 0;
}

void local_slot_configure(uint16_t idx, uint16_t port)
{
	enum local_kind kind = LOCAL_KERNEL;
	uint32_t value = 0;

	for (unsigned int i = 0; i < n_local_ranges; i++) {
		const struct local_range *r = &local_ranges[i];

		if (r->addr != idx || port < r->min || port > r->max)
			continue;
		kind = (enum local_kind)r->kind;
		value = kind == LOCAL_LISTENER ? r->realm : 0;
		if (kind == LOCAL_LISTENER)
			break;
	}
	local_slot_write(idx, port, kind, value);
}

/* Ports that carry a flow keep it: the flow's end configures them again. */
static void local_range_apply(const struct local_range *r, bool removed)
{
	for (uint32_t port = r->min; port <= r->max; port++) {
		if (local_slot_kind(local_slot(r->addr, (uint16_t)port)) == LOCAL_FLOW)
			continue;
		if (removed)
			local_slot_configure(r->addr, (uint16_t)port);
		else
			local_slot_write(r->addr, (uint16_t)port, (enum local_kind)r->kind,
				r->kind == LOCAL_LISTENER ? r->realm : 0);
	}
}

static int local_range_set(struct local_range want)
{
	struct local_range *same = NULL;

	for (unsigned int i = 0; i < n_local_ranges; i++) {
		struct local_range *r = &local_ranges[i];

		if (r->addr != want.addr || r->max < want.min || r->min > want.max)
			continue;
		if (r->kind == want.kind && r->min == want.min && r->max == want.max)
			same = r;
		else if (r->epoch == want.epoch)
			return -EEXIST;
	}
	if (same == NULL) {
		if (n_local_ranges == LOCAL_RANGES_MAX)
			return -ENOSPC;
		same = &local_ranges[n_local_ranges++];
	}
	*same = want;
	local_range_apply(same, false);
	return 0;
}

/* The address must be there and belong to the realm. @return its index or negative errno. */
static int local_owned(const struct net_addr *addr, uint16_t realm)
{
	int i;

	if (realm >= API_REALMS_MAX || !local_realms[realm].used)
		return -ENOENT;
	i = local_addr_find(addr);
	if (i < 0)
		return -EADDRNOTAVAIL;
	return local_addrs[i].realm == realm ? i : -EINVAL;
}

int local_listener_set(const struct rec_listener_set *r, uint32_t epoch)
{
	int i = local_owned(&r->local.addr, r->realm);

	if (i < 0)
		return i;
	if (r->local.port == 0)
		return -EINVAL;
	return local_range_set((struct local_range){.addr = (uint16_t)i,
		.min = r->local.port,
		.max = r->local.port,
		.realm = r->realm,
		.kind = LOCAL_LISTENER,
		.epoch = epoch});
}

int local_media_range_set(const struct rec_media_range_set *r, uint32_t epoch)
{
	int i = local_owned(&r->addr, r->realm);

	if (i < 0)
		return i;
	if (r->port_min == 0 || r->port_max < r->port_min)
		return -EINVAL;
	return local_range_set((struct local_range){.addr = (uint16_t)i,
		.min = r->port_min,
		.max = r->port_max,
		.realm = r->realm,
		.kind = LOCAL_MEDIA,
		.epoch = epoch});
}

void local_ports_sync(uint32_t epoch)
{
	unsigned int i = 0;

	while (i < n_local_ranges) {
		struct local_range gone = local_ranges[i];

		if (gone.epoch == epoch) {
			i++;
			continue;
		}
		local_ranges[i] = local_ranges[--n_local_ranges];
		local_range_apply(&gone, true);
	}
}

void local_ports_drop(uint16_t idx)
{
	unsigned int i = 0;

	while (i < n_local_ranges) {
		if (local_ranges[i].addr == idx)
			local_ranges[i] = local_ranges[--n_local_ranges];
		else
			i++;
	}
}
