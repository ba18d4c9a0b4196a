/*
 * What control makes of sources: who is trusted, demoted, denied, for how long, and what the fast
 * path is told; a virtual clock, and a ring that keeps the commands.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config_priv.h"
#include "records.h"
#include "reputation.h"

#define TOLD_MAX 4096

static struct config *config;
static struct reputation_table *table;
static struct reputation *rep, *rep_of_other; /* two shards */
static struct rec_source_set told[TOLD_MAX];
static unsigned int n_told;
static uint64_t now;
static int send_status;

static const char text[] =
	"dataplane: {ports: [{name: a, device: net_null0}]}\n"
	"realms:\n"
	"  - {name: one, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"],\n"
	"     media: {address: 192.0.2.1, ports: 20000-20099}, permit: [203.0.113.0/24]}\n"
	"  - {name: two, port: a, trust: trusted, addresses: [192.0.3.1/24],\n"
	"     sip: [\"192.0.3.1:5060\"], media: {address: 192.0.3.1, ports: 20000-20099}}\n"
	"  - {name: mild, port: a, addresses: [192.0.4.1/24], sip: [\"192.0.4.1:5060\"],\n"
	"     media: {address: 192.0.4.1, ports: 20000-20099},\n"
	"     limits: {deny_after: 0, trusted_s: 0}}\n"
	"peers:\n"
	"  - {name: trunk, realm: one, address: 192.0.2.9}\n";

static int take(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	if (send_status != 0)
		return send_status;
	assert_int_equal(cmd->hdr.type, REC_SOURCE_SET);
	assert_int_equal(len, sizeof(told[0]));
	assert_true(n_told < TOLD_MAX);
	memcpy(&told[n_told++], cmd, len);
	return 0;
}

static int setup(void **state)
{
	struct reputation_env env = {.shards = 1, .send = take};
	const uint64_t key[2] = {1, 2};
	char error[CONFIG_ERROR_LEN];

	config = config_load_data("t.yaml", text, strlen(text), error);
	if (config == NULL)
		fail_msg("%s", error);
	env.config = config;
	env.table = table = reputation_table_new(key);
	assert_non_null(table);
	rep = reputation_new(&env);
	assert_non_null(rep);
	env.index = 1;
	rep_of_other = reputation_new(&env);
	assert_non_null(rep_of_other);
	n_told = 0;
	now = 1000000;
	send_status = 0;
	return 0;
}

static int teardown(void **state)
{
	reputation_free(rep);
	reputation_free(rep_of_other);
	reputation_table_free(table);
	config_free(config);
	return 0;
}

static struct net_endpoint at(const char *addr, unsigned int port)
{
	struct net_endpoint e = {.port = (uint16_t)port};

	assert_int_equal(net_addr_parse((struct str_view){addr, strlen(addr)}, &e.addr), 0);
	return e;
}

/* @param user  0: none. */
static void note(unsigned int realm, struct net_endpoint source, enum reputation_event event,
	unsigned int user)
{
	char name[16] = "";

	if (user != 0)
		snprintf(name, sizeof(name), "%u", user);
	reputation_note(
		rep, now, (uint16_t)realm, &source, event, (struct str_view){name, strlen(name)});
}

static void swap_shards(void)
{
	struct reputation *r = rep;

	rep = rep_of_other;
	rep_of_other = r;
}

/* A scanner that acknowledges what it gets: but for the last answer when it is denied. */
static void many_proven(struct net_endpoint source, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, now += 100) {
		note(0, source, REPUTATION_FAILURE, 1000 + i);
		note(0, source, REPUTATION_PROVEN, 0);
	}
}

/* `n` times, each 100 ms after the other, for another user each time. */
static void many(struct net_endpoint source, enum reputation_event event, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, now += 100)
		note(0, source, event, 1000 + i);
}

/* The last thing told, and the only one since `before`. */
static void expect_told(unsigned int before, struct net_endpoint source, enum source_class class,
	enum source_reason reason, unsigned int seconds)
{
	const struct rec_source_set *t = &told[before];

	assert_int_equal(n_told, before + 1);
	assert_true(net_endpoint_eq(&t->source, &source));
	assert_int_equal(t->source_class, class);
	assert_int_equal(t->reason, reason);
	assert_int_equal(t->seconds, seconds);
	assert_int_equal(t->realm, 0);
}

static void test_call_makes_trusted(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060), b = at("192.0.2.50", 5062);

	note(0, a, REPUTATION_CALL, 0);
	expect_told(0, a, SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
	/* Not again before half of the time is over; the neighbour is another source. */
	for (unsigned int i = 0; i < 17; i++, now += 100000)
		note(0, a, REPUTATION_CALL, 0);
	assert_int_equal(n_told, 1);
	note(0, b, REPUTATION_CHALLENGE, 17);
	note(0, b, REPUTATION_REGISTERED, 18);
	note(0, b, REPUTATION_REGISTERED, 0);
	assert_int_equal(n_told, 1);
	note(0, b, REPUTATION_REGISTERED, 17);
	expect_told(1, b, SOURCE_TRUSTED, SOURCE_REASON_REGISTERED, 3600);
	now += 200000;
	note(0, a, REPUTATION_CALL, 0);
	expect_told(2, a, SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
	assert_int_equal(reputation_get_stats(rep)->trusted, 3);
}

static void test_listed_are_left_alone(void **state)
{
	static const char *const listed[] = {"192.0.2.9", "203.0.113.77"};

	for (size_t i = 0; i < ARRAY_LEN(listed); i++)
		for (unsigned int port = 5060; port < 5070; port++) {
			many(at(listed[i], port), REPUTATION_FAILURE, 40);
			many(at(listed[i], port), REPUTATION_MALFORMED, 200);
			note(0, at(listed[i], port), REPUTATION_CALL, 0);
		}
	/* Nor is anybody in a trusted realm, or where denial and trust are off. */
	for (unsigned int i = 0; i < 2000; i++) {
		note(1, at("192.0.3.7", 5060), REPUTATION_FAILURE, i + 1);
		note(2, at("192.0.4.7", 5060), REPUTATION_FAILURE, i + 1);
	}
	note(1, at("192.0.3.7", 5060), REPUTATION_CALL, 0);
	note(2, at("192.0.4.7", 5060), REPUTATION_CALL, 0);
	assert_int_equal(n_told, 0);
}

static void test_scanner(void **state)
{
	static const unsigned int seconds[] = {
		60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 61440, 86400, 86400};
	struct net_endpoint a = at("192.0.2.66", 5060);

	for (unsigned int i = 0; i < ARRAY_LEN(seconds); i++) {
		many_proven(a, 9);
		assert_int_equal(n_told, i);
		/* While it is denied nothing more is said. */
		many_proven(a, 20);
		expect_told(i, a, SOURCE_DENIED, SOURCE_REASON_SCAN, seconds[i]);
		now += seconds[i] * 1000ull;
	}
	/* Long after its end a denial is forgotten. */
	now += REPUTATION_FORGIVE_MS;
	many_proven(a, 10);
	expect_told(ARRAY_LEN(seconds), a, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
}

/* What others can send with its address locks no phone out for longer and longer. */
static void test_forged_is_denied_shortly(void **state)
{
	static const enum reputation_event forged[] = {
		REPUTATION_FAILURE, REPUTATION_MALFORMED, REPUTATION_AUTH, REPUTATION_PROBE};
	struct net_endpoint a = at("192.0.2.66", 5060);

	for (unsigned int i = 0; i < 20; i++) {
		/* It mistypes a few numbers meanwhile. */
		many_proven(a, 3);
		many(a, forged[i % ARRAY_LEN(forged)], 50);
		assert_int_equal(n_told, i + 1);
		assert_int_equal(told[i].source_class, SOURCE_DENIED);
		assert_int_equal(told[i].seconds, 60);
		now += 60000;
	}
	/* Nor does that count when the phone itself misbehaves for the first time. */
	now += REPUTATION_WINDOW_MS;
	many_proven(a, 10);
	expect_told(20, a, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	now += 60000;
	many_proven(a, 10);
	expect_told(21, a, SOURCE_DENIED, SOURCE_REASON_SCAN, 120);
}

static void test_what_is_no_scanner(void **state)
{
	/* One wrong number again and again. */
	for (unsigned int i = 0; i < 500; i++, now += 10)
		note(0, at("192.0.2.50", 5060), REPUTATION_FAILURE, 7);
	/* Keep-alives by OPTIONS. */
	for (unsigned int i = 0; i < 500; i++, now += 10)
		note(0, at("192.0.2.51", 5060), REPUTATION_PROBE, 7);
	/* Many numbers, of which a third is wrong: a busy office. */
	for (unsigned int i = 0; i < 500; i++, now += 10)
		note(0, at("192.0.2.52", 5060),
			i % 3 == 0 ? REPUTATION_FAILURE : REPUTATION_NEUTRAL, i + 1);
	/* All wrong, but one in ten seconds. */
	for (unsigned int i = 0; i < 100; i++, now += 10000)
		note(0, at("192.0.2.53", 5060), REPUTATION_FAILURE, i + 1);
	many(at("192.0.2.54", 5060), REPUTATION_MALFORMED, 49);
	assert_int_equal(n_told, 0);
	/* The same OPTIONS to many users are a scan. */
	many(at("192.0.2.55", 5060), REPUTATION_PROBE, 10);
	expect_told(0, at("192.0.2.55", 5060), SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
}

static void test_malformed_and_auth(void **state)
{
	struct net_endpoint a = at("192.0.2.66", 5060), b = at("192.0.2.67", 5060);

	many(a, REPUTATION_MALFORMED, 49);
	assert_int_equal(n_told, 0);
	many(a, REPUTATION_MALFORMED, 1);
	expect_told(0, a, SOURCE_DENIED, SOURCE_REASON_MALFORMED, 60);
	many(b, REPUTATION_AUTH, 10);
	expect_told(1, b, SOURCE_DENIED, SOURCE_REASON_AUTH, 60);
}

/* Who knows the nonce may still be another: wrong passwords, forged or not, make no denial longer,
 * not even beside refusals that the source acknowledged. */
static void test_auth_is_never_proven(void **state)
{
	struct net_endpoint a = at("192.0.2.66", 5060);

	for (unsigned int i = 0; i < 3; i++, now += 300000) {
		for (unsigned int k = 0; k < 10; k++) {
			note(0, a, REPUTATION_CHALLENGE, 100 + k);
			note(0, a, REPUTATION_PROVEN, 0);
			note(0, a, REPUTATION_AUTH, 100 + k);
		}
		expect_told(i, a, SOURCE_DENIED, SOURCE_REASON_AUTH, 60);
	}
}

/* The same from many ports, each with less than would deny it by itself. */
static void test_auth_of_an_address_is_never_proven(void **state)
{
	for (unsigned int i = 0; i < 3; i++, now += 300000) {
		for (unsigned int k = 0; k < 20; k++) {
			struct net_endpoint e = at("192.0.2.66", 2000 + k);

			note(0, e, REPUTATION_CHALLENGE, 100 + k);
			note(0, e, REPUTATION_PROVEN, 0);
			note(0, e, REPUTATION_AUTH, 100 + k);
		}
		expect_told(i, at("192.0.2.66", 0), SOURCE_DENIED, SOURCE_REASON_AUTH, 60);
	}
}

/* A registrar that makes its nonces of the time: who is challenged in the same second knows what
 * the other one was sent. */
static void test_shared_nonce(void **state)
{
	static const struct {
		const char *addr;
		unsigned int port;
	} strangers[] = {{"192.0.2.66", 5060}, {"192.0.2.50", 5062}};
	struct net_endpoint a = at("192.0.2.50", 5060);

	for (unsigned int i = 0; i < 2 * ARRAY_LEN(strangers); i++) {
		struct net_endpoint b = at(strangers[i / 2].addr, strangers[i / 2].port);

		/* Whoever is first, and on different shards. */
		note(0, i % 2 == 0 ? a : b, REPUTATION_CHALLENGE, 17 + i);
		swap_shards();
		note(0, i % 2 == 0 ? b : a, REPUTATION_CHALLENGE, 17 + i);
		/* Nor does it become its own when it is sent again. */
		note(0, a, REPUTATION_CHALLENGE, 17 + i);
		note(0, a, REPUTATION_REGISTERED, 17 + i);
		note(0, b, REPUTATION_REGISTERED, 17 + i);
		assert_int_equal(n_told, 0);
	}
	/* It did not succeed: nothing protects it. */
	many(a, REPUTATION_MALFORMED, 50);
	expect_told(0, a, SOURCE_DENIED, SOURCE_REASON_MALFORMED, 60);
	now += 60000;
	/* Of another second, for it alone; the call needs none. */
	note(0, a, REPUTATION_CHALLENGE, 100);
	note(0, a, REPUTATION_REGISTERED, 100);
	expect_told(1, a, SOURCE_TRUSTED, SOURCE_REASON_REGISTERED, 3600);
	note(0, at("192.0.2.66", 5060), REPUTATION_CALL, 0);
	expect_told(2, at("192.0.2.66", 5060), SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
}

/* Somebody forges REGISTERs with its address, which are challenged, too. */
static void test_own_nonce_among_others(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060);

	note(0, a, REPUTATION_CHALLENGE, 17);
	for (unsigned int i = 0; i < 100; i++)
		note(0, a, REPUTATION_CHALLENGE, 1000 + i);
	swap_shards();
	note(0, a, REPUTATION_REGISTERED, 17);
	expect_told(0, a, SOURCE_TRUSTED, SOURCE_REASON_REGISTERED, 3600);
	/* It protects, as a call does. */
	many(a, REPUTATION_MALFORMED, 500);
	expect_told(1, a, SOURCE_UNTRUSTED, SOURCE_REASON_MALFORMED, 1);
}

/* What is not known any more proves nothing: not that nobody else was sent it. */
static void test_nonces_are_bounded(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060), b = at("192.0.2.66", 5060);

	note(0, a, REPUTATION_CHALLENGE, 17);
	note(0, b, REPUTATION_CHALLENGE, 17);
	note(0, a, REPUTATION_CHALLENGE, 18);
	for (unsigned int i = 0; i < 4 * REPUTATION_ENTRIES; i++)
		note(0, b, REPUTATION_CHALLENGE, 1000 + i);
	note(0, a, REPUTATION_REGISTERED, 17);
	note(0, a, REPUTATION_REGISTERED, 18);
	assert_int_equal(n_told, 0);
}

/* Somebody may forge the address of who made a call: it loses its trust, and is not denied. */
static void test_trusted_is_demoted_first(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060);

	note(0, a, REPUTATION_CALL, 0);
	many(a, REPUTATION_MALFORMED, 50);
	expect_told(1, a, SOURCE_UNTRUSTED, SOURCE_REASON_MALFORMED, 1);
	many(a, REPUTATION_MALFORMED, 500);
	many(a, REPUTATION_FAILURE, 500);
	assert_int_equal(n_told, 2);
	/* A call makes good for it. */
	note(0, a, REPUTATION_CALL, 0);
	expect_told(2, a, SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
	/* Long after its last one it is as any other. */
	now += REPUTATION_FORGIVE_MS;
	many(a, REPUTATION_MALFORMED, 50);
	expect_told(3, a, SOURCE_DENIED, SOURCE_REASON_MALFORMED, 60);
}

/* A call of three hours: its caller is trusted all the time, and protected for an hour after it. */
static void test_long_call(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060);

	note(0, a, REPUTATION_CALL, 0);
	for (unsigned int i = 0; i < 9; i++) {
		now += reputation_in_call_ms(rep, 0);
		note(0, a, REPUTATION_IN_CALL, 0);
	}
	assert_int_equal(n_told, 1 + 4); /* every 40 minutes */
	many(a, REPUTATION_MALFORMED, 50);
	assert_int_equal(n_told, 6);
	assert_int_equal(told[5].source_class, SOURCE_UNTRUSTED);
	/* Being in the call gives back nothing that it lost, but protects. */
	for (unsigned int i = 0; i < 9; i++) {
		now += reputation_in_call_ms(rep, 0);
		note(0, a, REPUTATION_IN_CALL, 0);
		many(a, REPUTATION_MALFORMED, 50);
	}
	assert_int_equal(n_told, 6);
	now += REPUTATION_FORGIVE_MS;
	many(a, REPUTATION_MALFORMED, 50);
	expect_told(6, a, SOURCE_DENIED, SOURCE_REASON_MALFORMED, 60);
}

/* A thousand phones behind one NAT, one of them a scanner. */
static void test_one_bad_phone_behind_nat(void **state)
{
	struct net_endpoint bad = at("192.0.2.66", 1024);
	unsigned int trusted = 0, denied = 0;

	for (unsigned int i = 0; i < 1000; i++, now += 10) {
		note(0, at("192.0.2.66", 2000 + i), REPUTATION_CALL, 0);
		note(0, bad, REPUTATION_FAILURE, i + 1);
	}
	for (unsigned int i = 0; i < n_told; i++) {
		trusted += told[i].source_class == SOURCE_TRUSTED;
		denied += told[i].source_class == SOURCE_DENIED;
		if (told[i].source_class == SOURCE_DENIED)
			assert_true(net_endpoint_eq(&told[i].source, &bad));
	}
	assert_int_equal(trusted, 1000);
	assert_int_equal(denied, 1);
}

/* One request a port: only the address shows it. */
static void test_hopping_ports(void **state)
{
	for (unsigned int i = 0; i < 100; i++, now += 100)
		note(0, at("192.0.2.66", 2000 + i), REPUTATION_FAILURE, i + 1);
	expect_told(0, at("192.0.2.66", 0), SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
}

/* An office at night: each phone keeps its binding alive by OPTIONS for its own user. */
static void test_keep_alives_behind_nat(void **state)
{
	for (unsigned int round = 0; round < 20; round++, now += 30000)
		for (unsigned int i = 0; i < 100; i++)
			note(0, at("192.0.2.66", 2000 + i), REPUTATION_PROBE, i + 1);
	assert_int_equal(n_told, 0);
}

static void test_nothing_is_lost_with_the_ring(void **state)
{
	struct net_endpoint a = at("192.0.2.66", 5060), b = at("192.0.2.50", 5060);

	send_status = -ENOBUFS;
	many(a, REPUTATION_FAILURE, 10);
	note(0, b, REPUTATION_CALL, 0);
	assert_int_equal(reputation_get_stats(rep)->unsent, 2);
	send_status = 0;
	note(0, b, REPUTATION_CALL, 0);
	expect_told(0, b, SOURCE_TRUSTED, SOURCE_REASON_CALL, 3600);
	many(a, REPUTATION_FAILURE, 1);
	expect_told(1, a, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	/* A new dataplane hears of both, with what is left. */
	now += 19900;
	reputation_on_attach(rep, now);
	assert_int_equal(n_told, 4);
	for (unsigned int i = 2; i < 4; i++) {
		bool is_a = net_endpoint_eq(&told[i].source, &a);

		assert_int_equal(told[i].source_class, is_a ? SOURCE_DENIED : SOURCE_TRUSTED);
		assert_int_equal(told[i].seconds, is_a ? 40 : 3580);
	}
}

static void test_forget(void **state)
{
	struct net_endpoint a = at("192.0.2.66", 5060), whole = at("192.0.2.66", 0);

	many(a, REPUTATION_FAILURE, 10);
	reputation_forget(rep, API_REALM_ANY, &whole);
	/* The denial of the port does not outlive the word about its address. */
	expect_told(1, a, SOURCE_UNTRUSTED, SOURCE_REASON_OPERATOR, 1);
	reputation_on_attach(rep, now);
	assert_int_equal(n_told, 2);
	many(a, REPUTATION_FAILURE, 9);
	assert_int_equal(n_told, 2);
	many(a, REPUTATION_FAILURE, 1);
	expect_told(2, a, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	reputation_forget(rep, 1, &a); /* another realm's */
	reputation_on_attach(rep, now);
	assert_int_equal(n_told, 4);
	reputation_forget(rep, API_REALM_ANY, &a); /* said of the port itself, on the other ring */
	assert_int_equal(n_told, 4);
}

/* The ring is there for streams, too. */
static void test_attach_says_so_much(void **state)
{
	for (unsigned int i = 0; i < 1500; i++)
		note(0, at("192.0.2.50", 2000 + i), REPUTATION_CALL, 0);
	assert_int_equal(n_told, 1500);
	reputation_on_attach(rep, now);
	assert_int_equal(n_told, 1500 + REPUTATION_RETELL_MAX);
}

/* A flood of forged sources takes no more memory, and does not wash out who is trusted. */
static void test_flood_of_sources(void **state)
{
	struct net_endpoint good = at("192.0.2.50", 5060);

	note(0, good, REPUTATION_CALL, 0);
	for (unsigned int i = 0; i < 200000; i++) {
		const uint8_t bytes[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		struct net_endpoint e = {.addr = net_addr_v4(bytes), .port = 5060};

		now += i % 100 == 0;
		note(0, e, REPUTATION_FAILURE, i + 1);
	}
	/* Nor that a call came from its address, whose other ports are forged next. */
	for (unsigned int i = 0; i < 1000; i++, now += 10)
		note(0, at("192.0.2.50", 6000 + i), REPUTATION_MALFORMED, 0);
	note(0, good, REPUTATION_CALL, 0);
	assert_int_equal(n_told, 1);
	assert_true(reputation_get_stats(rep)->evicted > 0);
}

/* --- several shards --- */

/* A call that one shard has protects its caller from the garbage that another one gets. */
static void test_call_on_another_shard_protects(void **state)
{
	struct net_endpoint a = at("192.0.2.50", 5060), hopping;

	note(0, a, REPUTATION_CALL, 0);
	swap_shards();
	/* Its clock may be a little behind. */
	now -= 5;
	many(a, REPUTATION_MALFORMED, 50);
	expect_told(1, a, SOURCE_UNTRUSTED, SOURCE_REASON_MALFORMED, 1);
	many(a, REPUTATION_MALFORMED, 500);
	for (unsigned int i = 0; i < 400; i++, now += 100) {
		hopping = at("192.0.2.50", 6000 + i);
		note(0, hopping, REPUTATION_FAILURE, i + 1);
	}
	assert_int_equal(n_told, 2);
}

/* What is spread over the shards is counted together, and denied once. */
static void test_scan_over_all_shards(void **state)
{
	struct net_endpoint a = at("192.0.2.66", 5060);

	for (unsigned int i = 0; i < 9; i++, now += 100, swap_shards())
		note(0, a, REPUTATION_FAILURE, i + 1);
	assert_int_equal(n_told, 0);
	note(0, a, REPUTATION_FAILURE, 10);
	expect_told(0, a, SOURCE_DENIED, SOURCE_REASON_SCAN, 60);
	swap_shards();
	many(a, REPUTATION_FAILURE, 20);
	assert_int_equal(n_told, 1);
	/* One forgets for all. */
	reputation_forget(rep, API_REALM_ANY, &a);
	swap_shards();
	many(a, REPUTATION_FAILURE, 9);
	assert_int_equal(n_told, 1);
}

static _Atomic unsigned int denials;

static int count_denials(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	denials += ((const struct rec_source_set *)cmd)->source_class == SOURCE_DENIED;
	return 0;
}

struct shard_run {
	struct reputation_env env;
	bool failed;
};

static void *run_shard(void *arg)
{
	struct shard_run *run = arg;
	struct reputation *r = reputation_new(&run->env);
	uint8_t bytes[4] = {192, 0, 2, 0};

	run->failed = r == NULL;
	for (unsigned int i = 0; r != NULL && i < 20000; i++) {
		struct net_endpoint e = {.port = 5060};

		bytes[3] = (uint8_t)(50 + i % 100);
		e.addr = net_addr_v4(bytes);
		reputation_note(
			r, 1000 + i / 100, 0, &e, REPUTATION_MALFORMED, (struct str_view){NULL, 0});
	}
	reputation_free(r);
	return NULL;
}

/* Four threads, a hundred bad sources: each is denied, once, whoever of the four does it. */
static void test_threads(void **state)
{
	struct shard_run run[4];
	pthread_t t[ARRAY_LEN(run)];

	denials = 0;
	for (unsigned int i = 0; i < ARRAY_LEN(run); i++) {
		run[i].env = (struct reputation_env){.config = config,
			.table = table,
			.index = i,
			.shards = ARRAY_LEN(run),
			.send = count_denials};
		assert_int_equal(pthread_create(&t[i], NULL, run_shard, &run[i]), 0);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(run); i++) {
		pthread_join(t[i], NULL);
		assert_false(run[i].failed);
	}
	assert_int_equal(denials, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call_makes_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listed_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scanner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged_is_denied_shortly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_scanner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_alives_behind_nat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_and_auth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth_is_never_proven, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_auth_of_an_address_is_never_proven, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_nonce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_nonce_among_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonces_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trusted_is_demoted_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_bad_phone_behind_nat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hopping_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nothing_is_lost_with_the_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attach_says_so_much, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_of_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_call_on_another_shard_protects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan_over_all_shards, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
