/*
 * Fuzz target: what a hostile control can do to the dataplane's main thread. The
 * input is the shared memory of a command ring, cursor and all, or a row of command
 * bodies under right headers; every record that comes out is handed to the commands,
 * over the real tables. No workers run, and the kernel agrees to everything.
 */
#include <unistd.h>

#include <rte_eal.h>

#include "attach.h"
#include "boundary.h"
#include "capture.h"
#include "boundary_priv.h"
#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "netif.h"
#include "nexthop.h"
#include "source_list.h"
#include "ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

#define RING_BYTES 4096u
#define FLOWS 32

/* --- the rest of the dataplane --- */

struct worker workers[API_WORKERS_MAX];
unsigned int n_workers;
uint64_t worker_source_key[2];
struct rte_rcu_qsbr *worker_qsbr;

void worker_grace(void)
{
}

void boundary_event(uint8_t group, void *record, size_t len)
{
	const struct record_hdr *hdr = record;

	MUST(len <= API_RECORD_MAX && hdr->len == len);
}

int netlink_address_add(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	return 0;
}

int netlink_address_del(uint16_t netif, const struct net_addr *addr, uint8_t prefix_len)
{
	return 0;
}

int capture_start(const struct rec_capture_start *r)
{
	return -ENOTSUP;
}

int capture_stop(void)
{
	return -ENOENT;
}

void netlink_routes_read(void)
{
}

int netlink_gateway_add(uint16_t netif, const struct net_addr *gateway)
{
	return 0;
}

int netlink_gateway_del(uint16_t netif, const struct net_addr *gateway)
{
	return 0;
}

int netlink_neighbour_probe(uint16_t netif, const struct net_addr *addr)
{
	return 0;
}

int vlan_twin_add(uint16_t netif)
{
	return 0;
}

void vlan_twin_del(uint16_t netif)
{
}

void netlink_netif_gone(uint16_t netif)
{
}

/* --- the target --- */

static struct ring_shared *shared;
static uint32_t epoch;

static void start(void)
{
	char prefix[64];
	char *argv[] = {"fuzz", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=1", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-fuzz-%d", (int)getpid());
	MUST(rte_eal_init(ARRAY_LEN(argv), argv) >= 0);
	MUST(stats_region_init(FLOWS, 0, false) == 0);
	snprintf(stats_region->port[0].name, API_NAME_MAX, "a");
	snprintf(stats_region->port[1].name, API_NAME_MAX, "b");
	MUST(netif_init() == 0);
	MUST(nexthop_init() == 0 && local_init() == 0);
	MUST(stream_init(FLOWS, (void *)((char *)stats_region + stats_region->flow_offset)) == 0);
	shared = aligned_alloc(64, ring_footprint(RING_BYTES));
	MUST(shared != NULL);
}

static void take(struct ring *r)
{
	_Alignas(8) uint8_t rec[API_RECORD_MAX];
	unsigned int n = 0;
	int len;

	while ((len = ring_get(r, rec, sizeof(rec))) != 0) {
		struct rec_done done;

		/* Each turn moves on, so a ring full of the shortest is the longest. */
		MUST(++n <= RING_BYTES / sizeof(struct record_hdr));
		if (len < 0)
			continue;
		MUST((size_t)len >= sizeof(struct record_hdr) && (size_t)len <= sizeof(rec));
		if (command_run(rec, (size_t)len, epoch, 0, &done) == 0)
			MUST(done.hdr.type == REC_DONE && done.status <= 0);
	}
}

static void feed_raw(const uint8_t *data, size_t len)
{
	struct ring r;

	ring_format(shared);
	memset(shared->data, 0, RING_BYTES);
	MUST(ring_init(&r, shared, RING_BYTES, -1) == 0);
	memcpy(&shared->head, data, len < 8 ? len : 8);
	if (len > 8)
		memcpy(shared->data, data + 8, len - 8 < RING_BYTES ? len - 8 : RING_BYTES);
	take(&r);
}

static void feed_commands(const uint8_t *data, size_t len)
{
	static const struct {
		uint16_t type, len;
	} kinds[] = {{REC_REALM_SET, sizeof(struct rec_realm_set)},
		{REC_ADDRESS_SET, sizeof(struct rec_address_set)},
		{REC_LISTENER_SET, sizeof(struct rec_listener_set)},
		{REC_MEDIA_RANGE_SET, sizeof(struct rec_media_range_set)},
		{REC_SYNC, sizeof(struct rec_sync)},
		{REC_STREAM_SET, sizeof(struct rec_stream_set)},
		{REC_STREAM_DEL, sizeof(struct rec_stream_del)},
		{REC_CAPTURE_START, sizeof(struct rec_capture_start)},
		{REC_CAPTURE_STOP, sizeof(struct rec_capture_stop)},
		{REC_SOURCE_LIST_SET, sizeof(struct rec_source_list_set)},
		{REC_SOURCE_SET, sizeof(struct rec_source_set)}};

	while (len > 0) {
		_Alignas(8) uint8_t rec[API_RECORD_MAX] = {0};
		unsigned int kind = data[0] % ARRAY_LEN(kinds);
		size_t body = kinds[kind].len - sizeof(struct cmd_hdr);
		struct cmd_hdr *cmd = (struct cmd_hdr *)rec;
		struct rec_done done;

		data++;
		len--;
		cmd->hdr = (struct record_hdr){
			.len = kinds[kind].len, .type = kinds[kind].type, .version = API_VERSION};
		if (body > len)
			body = len;
		memcpy(rec + sizeof(*cmd), data, body);
		MUST(command_run(rec, kinds[kind].len, epoch, 0, &done) == 0);
		MUST(done.status <= 0);
		data += body;
		len -= body;
	}
}

static int remember(void *ctx, const struct rec_stream_event *info)
{
	*(struct rec_stream_event *)ctx = *info;
	return 1;
}

/* Everything goes, and nothing may be left. */
static void clear(void)
{
	struct rec_stream_event info, gone;
	uint64_t cursor = 0;

	while (!stream_dump(&cursor, remember, &info)) {
		struct rec_stream_del d = {.id = info.id, .local = info.end[0].local};

		MUST(stream_del(&d, &gone) == 0);
	}
	stream_expire(0);
	MUST(stream_flows_used() == 0);
	source_list_sync(++epoch);
	MUST(source_list_used() == 0);
	MUST(local_sync(epoch) == 0);
	MUST(nexthop_used() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (shared == NULL)
		start();
	epoch++;
	if (len > 0 && (data[0] & 1) != 0)
		feed_commands(data + 1, len - 1);
	else if (len > 0)
		feed_raw(data + 1, len - 1);
	clear();
	return 0;
}
