/* The latching decision: tables of packets and verdicts, both families, clock wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "latch.h"

struct step {
	const char *src;
	uint16_t port;
	uint32_t at_ms;
	enum latch_verdict verdict;
	uint8_t phase; /* after it */
};

struct scene {
	const char *name;
	const char *allowed; /* NULL: nobody */
	uint8_t prefix_len;
	uint16_t port;
	bool learn_port;
	struct step steps[8];
	unsigned int n;
};

#define STEPS(...) \
	.steps = {__VA_ARGS__}, .n = sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step)
#define NEW LATCH_ACCEPT_NEW
#define OK LATCH_ACCEPT
#define SRC LATCH_REFUSE_SOURCE
#define LOCK LATCH_REFUSE_LOCKED

static const struct scene scenes[] = {
	{.name = "exact source locks after three packets",
		.allowed = "192.0.2.1",
		.prefix_len = 32,
		.port = 4000,
		STEPS({"192.0.2.1", 4000, 0, NEW, LATCH_LEARNING},
			{"192.0.2.1", 4000, 20, OK, LATCH_LEARNING},
			{"192.0.2.1", 4000, 40, OK, LATCH_LOCKED},
			{"192.0.2.1", 4000, 60, OK, LATCH_LOCKED})},
	{.name = "another port or address is refused before and after the lock",
		.allowed = "192.0.2.1",
		.prefix_len = 32,
		.port = 4000,
		STEPS({"192.0.2.1", 4002, 0, SRC, LATCH_EMPTY},
			{"192.0.2.2", 4000, 0, SRC, LATCH_EMPTY},
			{"192.0.2.1", 4000, 0, NEW, LATCH_LEARNING},
			{"192.0.2.2", 4000, 1, SRC, LATCH_LEARNING},
			{"192.0.2.1", 4000, 2, OK, LATCH_LEARNING},
			{"192.0.2.1", 4000, 3, OK, LATCH_LOCKED},
			{"192.0.2.1", 4001, 4, SRC, LATCH_LOCKED})},
	{.name = "a refused packet does not break the row",
		.allowed = "192.0.2.1",
		.prefix_len = 32,
		.port = 4000,
		STEPS({"192.0.2.1", 4000, 0, NEW, LATCH_LEARNING},
			{"203.0.113.9", 4000, 1, SRC, LATCH_LEARNING},
			{"192.0.2.1", 4000, 2, OK, LATCH_LEARNING},
			{"203.0.113.9", 4000, 3, SRC, LATCH_LEARNING},
			{"192.0.2.1", 4000, 4, OK, LATCH_LOCKED})},
	{.name = "NAT: any port may be learned, then it is locked",
		.allowed = "198.51.100.7",
		.prefix_len = 32,
		.port = 4000,
		.learn_port = true,
		STEPS({"198.51.100.7", 61000, 0, NEW, LATCH_LEARNING},
			{"198.51.100.7", 61002, 1, NEW, LATCH_LEARNING},
			{"198.51.100.7", 61002, 2, OK, LATCH_LEARNING},
			{"198.51.100.7", 61002, 3, OK, LATCH_LOCKED},
			{"198.51.100.7", 61000, 4, LOCK, LATCH_LOCKED},
			{"198.51.100.8", 61002, 5, SRC, LATCH_LOCKED},
			{"198.51.100.7", 61002, 6, OK, LATCH_LOCKED})},
	{.name = "the window ends learning although no three came in a row",
		.allowed = "198.51.100.0",
		.prefix_len = 24,
		.learn_port = true,
		STEPS({"198.51.100.1", 1000, 5000, NEW, LATCH_LEARNING},
			{"198.51.100.2", 1000, 6999, NEW, LATCH_LEARNING},
			{"198.51.100.1", 1000, 7000, LOCK, LATCH_LEARNING},
			{"198.51.100.2", 1000, 7001, OK, LATCH_LOCKED},
			{"198.51.100.1", 1000, 7002, LOCK, LATCH_LOCKED})},
	{.name = "the clock wraps inside the window",
		.allowed = "198.51.100.0",
		.prefix_len = 24,
		.learn_port = true,
		STEPS({"198.51.100.1", 1000, UINT32_MAX - 999, NEW, LATCH_LEARNING},
			{"198.51.100.2", 1000, 999, NEW, LATCH_LEARNING},
			{"198.51.100.1", 1000, 1000, LOCK, LATCH_LEARNING},
			{"198.51.100.2", 1000, 1000, OK, LATCH_LOCKED})},
	{.name = "prefix edges, not on an octet",
		.allowed = "10.1.2.64",
		.prefix_len = 26,
		.port = 9,
		STEPS({"10.1.2.63", 9, 0, SRC, LATCH_EMPTY}, {"10.1.2.128", 9, 0, SRC, LATCH_EMPTY},
			{"10.1.2.64", 9, 0, NEW, LATCH_LEARNING},
			{"10.1.2.127", 9, 1, NEW, LATCH_LEARNING})},
	{.name = "IPv6 host",
		.allowed = "2001:db8::1",
		.prefix_len = 128,
		.port = 4000,
		STEPS({"2001:db8::2", 4000, 0, SRC, LATCH_EMPTY},
			{"2001:db8::1", 4000, 0, NEW, LATCH_LEARNING},
			{"2001:db8::1", 4000, 1, OK, LATCH_LEARNING},
			{"2001:db8::1", 4000, 2, OK, LATCH_LOCKED})},
	{.name = "IPv6 prefix with learned port",
		.allowed = "2001:db8:0:40::",
		.prefix_len = 58,
		.learn_port = true,
		STEPS({"2001:db8:0:80::1", 7, 0, SRC, LATCH_EMPTY},
			{"2001:db8:0:7f::1", 7, 0, NEW, LATCH_LEARNING})},
	{.name = "families do not mix",
		.allowed = "0.0.0.0",
		.prefix_len = 0,
		.learn_port = true,
		STEPS({"::1", 7, 0, SRC, LATCH_EMPTY}, {"192.0.2.1", 7, 0, NEW, LATCH_LEARNING})},
	{.name = "nobody signalled: nobody accepted",
		.learn_port = true,
		STEPS({"192.0.2.1", 7, 0, SRC, LATCH_EMPTY},
			{"2001:db8::1", 7, 0, SRC, LATCH_EMPTY})},
	{.name = "port 0 is never learned",
		.allowed = "192.0.2.1",
		.prefix_len = 32,
		.learn_port = true,
		STEPS({"192.0.2.1", 0, 0, SRC, LATCH_EMPTY})},
};

/* Packets after the lock to 198.51.100.7:61000, learned behind NAT. */
struct move {
	const char *src;
	uint16_t port;
	bool same_ssrc;
	uint32_t silent_ms;
	uint16_t ahead;
	enum latch_verdict verdict;
};

#define NAT "198.51.100.7"
#define MOVES(...) \
	.moves = {__VA_ARGS__}, .n = sizeof((struct move[]){__VA_ARGS__}) / sizeof(struct move)

static const struct {
	const char *name;
	const char *allowed;
	uint8_t prefix_len;
	struct move moves[8];
	unsigned int n;
} move_scenes[] = {
	{"silent, same SSRC, next number: moves, and the old source is locked out", NAT, 32,
		MOVES({NAT, 61002, true, 500, 1, NEW}, {NAT, 61002, true, 0, 2, OK},
			{NAT, 61000, true, 0, 1, LOCK}, {NAT, 61002, true, 0, 1, OK})},
	{"edges of silence and sequence", NAT, 32,
		MOVES({NAT, 61002, true, 499, 1, LOCK}, {NAT, 61002, true, 5000, 0, LOCK},
			{NAT, 61002, true, 5000, 65535, LOCK}, {NAT, 61002, true, 5000, 251, LOCK},
			{NAT, 61002, true, 0, 1, LOCK}, {NAT, 61002, true, 5000, 250, NEW})},
	{"another SSRC", NAT, 32, MOVES({NAT, 61002, false, 9000, 1, LOCK})},
	{"never to a source that signalling does not allow", NAT, 32,
		MOVES({"198.51.100.8", 61000, true, 9000, 1, SRC}, {NAT, 0, true, 9000, 1, SRC})},
	{"within the mask the address may move", "198.51.100.0", 24,
		MOVES({"198.51.100.9", 61000, true, 9000, 1, NEW},
			{"198.51.101.9", 61000, true, 9000, 1, SRC})},
	{"so often and no more", NAT, 32,
		MOVES({NAT, 61001, true, 500, 1, NEW}, {NAT, 61002, true, 500, 1, NEW},
			{NAT, 61003, true, 500, 1, NEW}, {NAT, 61004, true, 500, 1, NEW},
			{NAT, 61005, true, 500, 1, LOCK}, {NAT, 61000, true, 9000, 1, LOCK},
			{NAT, 61004, true, 0, 1, OK})},
};

static struct net_addr addr(const char *text)
{
	struct net_addr a = {0};

	if (text != NULL)
		assert_int_equal(net_addr_parse((struct str_view){text, strlen(text)}, &a), 0);
	return a;
}

static void test_scenes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		const struct scene *s = &scenes[i];
		struct latch_policy policy = {.allowed = addr(s->allowed),
			.port = s->port,
			.prefix_len = s->prefix_len,
			.learn_port = s->learn_port};
		struct latch l = {0};

		for (unsigned int j = 0; j < s->n; j++) {
			const struct step *st = &s->steps[j];
			struct net_addr src = addr(st->src);
			/* As good as it gets: while it learns, no claim counts. */
			struct latch_claim claim = {.same_ssrc = l.phase != LATCH_LOCKED,
				.ahead = 1,
				.silent_ms = 9000};
			struct latch before = l;
			enum latch_verdict v =
				latch_decide(&policy, &l, &src, st->port, &claim, st->at_ms);

			if (v != st->verdict || l.phase != st->phase)
				fail_msg("%s: step %u: verdict %d, phase %d", s->name, j, v,
					l.phase);
			if (v == LATCH_REFUSE_SOURCE || v == LATCH_REFUSE_LOCKED) {
				assert_memory_equal(&l, &before, sizeof(l));
			} else {
				assert_true(net_addr_eq(&l.source, &src));
				assert_int_equal(l.port, st->port);
			}
		}
	}
}

static void test_moves(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(move_scenes); i++) {
		struct latch_policy policy = {.allowed = addr(move_scenes[i].allowed),
			.prefix_len = move_scenes[i].prefix_len,
			.learn_port = true};
		struct latch l = {0};
		struct net_addr src = addr(NAT);
		struct latch_claim claim = {0};

		for (uint32_t n = 0; n < LATCH_LOCK_PACKETS; n++)
			latch_decide(&policy, &l, &src, 61000, &claim, n);
		assert_int_equal(l.phase, LATCH_LOCKED);
		for (unsigned int j = 0; j < move_scenes[i].n; j++) {
			const struct move *m = &move_scenes[i].moves[j];
			struct latch before = l;
			enum latch_verdict v;

			claim = (struct latch_claim){m->same_ssrc, m->ahead, m->silent_ms};
			src = addr(m->src);
			v = latch_decide(&policy, &l, &src, m->port, &claim, 10000 + j);
			if (v != m->verdict || l.phase != LATCH_LOCKED)
				fail_msg("%s: move %u: verdict %d", move_scenes[i].name, j, v);
			if (v == LATCH_ACCEPT_NEW)
				assert_true(net_addr_eq(&l.source, &src) && l.port == m->port);
			else
				assert_memory_equal(&l, &before, sizeof(l));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
