/*
 * Flows have one writer at a time, whichever workers their packets come to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base.h"
#include "flow_owner.h"

static void claims(void **state)
{
	struct stats_flow live = {0};

	assert_int_equal(flow_owner_get(&live, 2), 2);
	assert_int_equal(live.owner, 2);
	/* Who comes later gets to know the owner. */
	assert_int_equal(flow_owner_get(&live, 1), 2);
	assert_int_equal(flow_owner_get(&live, 2), 2);
}

static void giving(void **state)
{
	struct stats_flow live = {.owner = 2};

	assert_false(flow_owner_give(&live, 1, 3));
	assert_int_equal(live.owner, 2);
	assert_true(flow_owner_give(&live, 2, 1));
	assert_int_equal(live.owner, 1);
	/* Noted twice in one loop: the second comes too late. */
	assert_false(flow_owner_give(&live, 2, 3));
	assert_int_equal(live.owner, 1);
}

/* `count` packets in a row that came by `from`. @return how often the flow had better move. */
static unsigned int notes(struct flow_run *run, uint8_t from, unsigned int count)
{
	unsigned int moves = 0;

	for (unsigned int i = 0; i < count; i++)
		moves += flow_owner_note(run, from);
	return moves;
}

static void runs(void **state)
{
	static const struct {
		struct {
			uint8_t from;
			uint16_t count;
		} step[4];
		unsigned int moves;
	} cases[] = {
		{{{0, 1000}}, 0},
		{{{2, FLOW_OWNER_RUN - 1}}, 0},
		{{{2, FLOW_OWNER_RUN}}, 1},
		{{{2, 2 * FLOW_OWNER_RUN}}, 2},
		/* Another way between starts the count again. */
		{{{2, FLOW_OWNER_RUN - 1}, {0, 1}, {2, FLOW_OWNER_RUN - 1}}, 0},
		{{{2, FLOW_OWNER_RUN - 1}, {3, 1}, {2, FLOW_OWNER_RUN - 1}}, 0},
		{{{2, 10}, {3, FLOW_OWNER_RUN}}, 1},
		{{{2, 10}, {0, 1000}, {3, FLOW_OWNER_RUN}, {0, 5}}, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct flow_run run = {0};
		unsigned int moves = 0;

		for (size_t s = 0; s < ARRAY_LEN(cases[i].step); s++)
			moves += notes(&run, cases[i].step[s].from, cases[i].step[s].count);
		assert_int_equal(moves, cases[i].moves);
	}
}

/*
 * Workers as threads. The queues between them order nothing (relaxed slots, 0 is empty), so that
 * only what flow_owner.h does keeps the live lines' plain fields from a race: a thread sanitizer
 * judges it, and without one the sums do.
 */
#define WORKERS 3
#define FLOWS 8
#define PACKETS 40000 /* of each worker's own */
#define TURN 300      /* packets after which a flow's come to the next worker */
#define SLOTS (1u << 17)
static_assert(SLOTS > WORKERS * PACKETS, "never full");

struct queue {
	_Atomic uint32_t *slot; /* flow + 1, and above it by whose queue it came */
	uint32_t head;		/* consumer's */
	uint32_t tail;		/* producer's */
};

static struct queue queues[WORKERS][WORKERS]; /* from, to */
static struct stats_flow lives[FLOWS];
static struct flow_run runs_of[FLOWS];
static atomic_uint finished;
static pthread_barrier_t begin;

struct player {
	unsigned int index;
	uint32_t give[FLOWS];
	uint64_t handed, given;
};

static void queue_put(struct queue *q, uint32_t flow, uint8_t from)
{
	atomic_store_explicit(&q->slot[q->tail++ % SLOTS], (flow + 1) | (uint32_t)from << 16,
		memory_order_relaxed);
}

static bool queue_get(struct queue *q, uint32_t *flow, uint8_t *from)
{
	uint32_t v = atomic_exchange_explicit(&q->slot[q->head % SLOTS], 0, memory_order_relaxed);

	if (v == 0)
		return false;
	q->head++;
	*flow = (v & 0xffff) - 1;
	*from = (uint8_t)(v >> 16);
	return true;
}

static void packet(struct player *p, uint32_t flow, uint8_t from)
{
	struct stats_flow *live = &lives[flow];
	uint16_t self = (uint16_t)(p->index + 1);
	uint16_t owner = flow_owner_get(live, self);

	if (owner != self) {
		queue_put(&queues[p->index][owner - 1], flow, from != 0 ? from : (uint8_t)self);
		p->handed++;
		return;
	}
	from = from == self ? 0 : from;
	if (flow_owner_note(&runs_of[flow], from))
		p->give[flow] = from;
	/* What media does: several fields, none of them atomic. */
	live->packets++;
	live->bytes += live->packets;
	atomic_fetch_add_explicit(&finished, 1, memory_order_relaxed);
}

static void gives(struct player *p)
{
	for (uint32_t f = 0; f < FLOWS; f++) {
		if (p->give[f] != 0)
			p->given += flow_owner_give(
				&lives[f], (uint16_t)(p->index + 1), (uint16_t)p->give[f]);
		p->give[f] = 0;
	}
}

static void *play(void *arg)
{
	struct player *p = arg;
	uint32_t own = 0, flow;
	uint8_t by;

	pthread_barrier_wait(&begin);
	while (atomic_load_explicit(&finished, memory_order_relaxed) < WORKERS * PACKETS) {
		gives(p);
		for (unsigned int from = 0; from < WORKERS; from++) {
			for (unsigned int n = 0; n < 32; n++) {
				if (!queue_get(&queues[from][p->index], &flow, &by))
					break;
				packet(p, flow, by);
			}
		}
		for (unsigned int n = 0; n < 32 && own < PACKETS; n++, own++)
			packet(p, (p->index * 5 + own / TURN + own % 2) % FLOWS, 0);
	}
	return NULL;
}

static void threads(void **state)
{
	struct player players[WORKERS] = {0};
	pthread_t thread[WORKERS];
	uint64_t packets = 0, handed = 0, given = 0;

	for (unsigned int i = 0; i < WORKERS * WORKERS; i++) {
		queues[i / WORKERS][i % WORKERS].slot = calloc(SLOTS, sizeof(uint32_t));
		assert_non_null(queues[i / WORKERS][i % WORKERS].slot);
	}
	assert_int_equal(pthread_barrier_init(&begin, NULL, WORKERS), 0);
	for (unsigned int i = 0; i < WORKERS; i++) {
		players[i].index = i;
		assert_int_equal(pthread_create(&thread[i], NULL, play, &players[i]), 0);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		pthread_join(thread[i], NULL);
		handed += players[i].handed;
		given += players[i].given;
	}
	for (unsigned int f = 0; f < FLOWS; f++) {
		packets += lives[f].packets;
		assert_int_equal(lives[f].bytes, lives[f].packets * (lives[f].packets + 1) / 2);
	}
	assert_int_equal(packets, WORKERS * PACKETS);
	/* It was about something. */
	assert_true(handed > 0);
	assert_true(given > 0);
	for (unsigned int i = 0; i < WORKERS * WORKERS; i++)
		free((void *)queues[i / WORKERS][i % WORKERS].slot);
	pthread_barrier_destroy(&begin);
}

/* Everybody claims every flow at the same time: all must see the same owner. */
#define CLAIMED 65536

static struct stats_flow *claimed;
static uint16_t (*seen)[CLAIMED];

static void *claim_all(void *arg)
{
	uintptr_t self = (uintptr_t)arg;

	pthread_barrier_wait(&begin);
	for (unsigned int f = 0; f < CLAIMED; f++)
		seen[self][f] = flow_owner_get(&claimed[f], (uint16_t)(self + 1));
	return NULL;
}

static void claims_at_once(void **state)
{
	pthread_t thread[WORKERS];

	claimed = aligned_alloc(64, CLAIMED * sizeof(*claimed));
	seen = calloc(WORKERS, sizeof(*seen));
	assert_non_null(claimed);
	assert_non_null(seen);
	memset(claimed, 0, CLAIMED * sizeof(*claimed));
	assert_int_equal(pthread_barrier_init(&begin, NULL, WORKERS), 0);
	for (uintptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, claim_all, (void *)i), 0);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int f = 0; f < CLAIMED; f++) {
		assert_in_range(claimed[f].owner, 1, WORKERS);
		for (unsigned int i = 0; i < WORKERS; i++)
			assert_int_equal(seen[i][f], claimed[f].owner);
	}
	pthread_barrier_destroy(&begin);
	free(seen);
	free(claimed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims),
		cmocka_unit_test(giving),
		cmocka_unit_test(runs),
		cmocka_unit_test(claims_at_once),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
