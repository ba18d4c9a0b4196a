#include <errno.h>

#include <rte_random.h>

#include "local.h"
#include "local_priv.h"

struct local_v6 local_v6;

static _Atomic uint16_t *slot_at(uint32_t i)
{
	return &local_v6.slots[i & (LOCAL_V6_SLOTS - 1)];
}

void local_v6_init(void)
{
	local_v6.key[0] = rte_rand() | 1;
	local_v6.key[1] = rte_rand() | 1;
	for (uint32_t i = 0; i < LOCAL_V6_SLOTS; i++)
		atomic_store(slot_at(i), LOCAL_V6_EMPTY);
}

int local_v6_add(uint16_t idx)
{
	const uint8_t *addr = local_addrs[idx].addr.bytes;
	uint32_t at = local_v6_place(addr);

	if (local_find_v6(addr) == idx)
		return 0;
	for (uint32_t i = 0; i < LOCAL_V6_PROBES; i++) {
		uint16_t slot = atomic_load(slot_at(at + i));

		if (slot != LOCAL_V6_EMPTY && slot != LOCAL_V6_GONE)
			continue;
		/* Whoever finds it finds the address and its ports too. */
		atomic_store_explicit(slot_at(at + i), (uint16_t)(idx + 1), memory_order_release);
		return 0;
	}
	return -ENOSPC;
}

/*
 * A worker in the middle of a search must not stop early, so the place stays marked unless
 * nothing lies behind it. One that has read the index goes on with it until its next
 * quiescent report.
 */
void local_v6_del(uint16_t idx)
{
	uint32_t at = local_v6_place(local_addrs[idx].addr.bytes), i = 0;

	while (i < LOCAL_V6_PROBES && atomic_load(slot_at(at + i)) != idx + 1)
		i++;
	if (i == LOCAL_V6_PROBES)
		return;
	i += at;
	atomic_store(slot_at(i), LOCAL_V6_GONE);
	if (atomic_load(slot_at(i + 1)) != LOCAL_V6_EMPTY)
		return;
	for (uint32_t n = 0; n < LOCAL_V6_SLOTS && atomic_load(slot_at(i)) == LOCAL_V6_GONE; n++)
		atomic_store(slot_at(i--), LOCAL_V6_EMPTY);
}
