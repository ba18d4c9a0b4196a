#include "police_lab.h"

#include <unistd.h>

#include <rte_eal.h>
#include <rte_ring_elem.h>

#include "boundary.h"
#include "worker.h"

const uint64_t key[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};
struct police *police;
uint64_t now_ns;

const struct realm_police strict = {
	.sip = {10, 10}, .deny_after = 5, .deny_window_s = 10, .deny_s = 30};

struct net_addr ipv4(uint32_t ip)
{
	ip = rte_cpu_to_be_32(ip);
	return net_addr_v4(&ip);
}

int send_one(const struct realm_police *limits, uint32_t ip, uint16_t port,
	enum police_method method, enum source_class *source_class)
{
	struct police_message m = {.method = (uint8_t)method, .sip_class = SIP_CLASS_NEW};
	struct net_addr addr = ipv4(ip);
	struct police_limits made;
	enum source_class ignored;

	police_prepare(police, &m, &addr, port, REALM);
	police_fetch(police, &m);
	m.listed = source_list_find(&addr, REALM, port);
	made = police_limits(limits, 1);
	return police_sip(
		police, &m, &made, source_clock(now_ns), source_class ? source_class : &ignored);
}

unsigned int passes(const struct realm_police *limits, uint32_t ip, uint16_t port, unsigned int n)
{
	unsigned int passed = 0;

	for (unsigned int i = 0; i < n; i++)
		passed += send_one(limits, ip, port, POLICE_METHOD_COUNT, NULL) == POLICE_PASS;
	return passed;
}

int lane_send(const struct realm_police *limits, uint32_t ip, uint64_t nonce)
{
	struct police_message m = {
		.method = POLICE_METHOD_COUNT, .sip_class = SIP_CLASS_LANE, .nonce = nonce};
	struct net_addr addr = ipv4(ip);
	struct police_limits made;
	enum source_class source_class;

	police_prepare(police, &m, &addr, 5060, REALM);
	made = police_limits(limits, 1);
	return police_sip(police, &m, &made, source_clock(now_ns), &source_class);
}

bool denied(uint32_t ip, uint16_t port)
{
	struct net_addr addr = ipv4(ip);
	struct source_key own, address;

	source_key(police->sources, &addr, port, REALM, SOURCE_PORT, &own);
	source_key(police->sources, &addr, 0, REALM, SOURCE_ADDRESS, &address);
	return police_denied(police, police_denies_ports(police) ? &own : NULL,
		police_denies_addresses(police) ? &address : NULL,
		source_list_find(&addr, REALM, port), source_clock(now_ns));
}

bool event_take(struct police_note *note)
{
	return rte_ring_sc_dequeue_elem(police->event, note, sizeof(*note)) == 0;
}

void control_says(uint32_t ip, uint16_t port, enum source_class source_class,
	enum source_reason reason, uint32_t seconds)
{
	struct rec_source_set r = {.source = {.addr = ipv4(ip), .port = port},
		.realm = REALM,
		.source_class = (uint8_t)source_class,
		.reason = (uint8_t)reason,
		.seconds = seconds};

	assert_int_equal(police_source_set(&r), 0);
	police_poll(police, now_ns);
}

void list(const char *prefix, uint16_t port, enum list_action action, uint32_t rate)
{
	struct rec_source_list_set r = {.realm = API_REALM_ANY,
		.port = port,
		.action = (uint8_t)action,
		.limit = {rate, rate}};

	assert_int_equal(
		net_prefix_parse((struct str_view){prefix, strlen(prefix)}, &r.addr, &r.prefix_len),
		0);
	assert_int_equal(source_list_set(&r, 1), 0);
}

int fresh(void **state)
{
	police = police_new(0, 4096, key);
	assert_non_null(police);
	workers[0].police = police;
	n_workers = 1;
	now_ns = 1000 * SECOND;
	return 0;
}

int gone(void **state)
{
	source_list_sync(2);
	police_free(police);
	n_workers = 0;
	return 0;
}

int setup(void **state)
{
	char prefix[64];
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level=3", "--file-prefix", prefix};

	snprintf(prefix, sizeof(prefix), "sallyport-test-%d", (int)getpid());
	assert_true(rte_eal_init(ARRAY_LEN(argv), argv) >= 0);
	source_list_init();
	return stats_region_init(64, 1, false);
}
