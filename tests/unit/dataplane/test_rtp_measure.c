/*
 * Measuring RTP: tables of sequences and what they count, jitter by hand, and long random
 * runs against a reference that remembers every packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rtp_measure.h"

#define CLOCK 8000
#define MS 1000000ull
#define PTIME_MS 20
#define SSRC 0xfeedbeef
#define BEGIN_MS 5000000000ull /* a clock beyond 32 bits */

/* A packet of the stream at its moment, as the media node counts it. */
static void arrive(struct stats_flow *f, uint32_t ssrc, uint16_t seq, uint32_t ts, uint64_t at_ns)
{
	uint8_t rtp[12] = {0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, (uint8_t)(ts >> 24),
		(uint8_t)(ts >> 16), (uint8_t)(ts >> 8), (uint8_t)ts, (uint8_t)(ssrc >> 24),
		(uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8), (uint8_t)ssrc};
	uint32_t ms = (uint32_t)(at_ns / MS);

	rtp_measure(f, rtp, rtp_clock_mult(CLOCK), at_ns, ms);
	f->packets++;
	f->last_ms = ms;
}

static uint32_t lost(const struct stats_flow *f)
{
	return f->lost + rtp_quality_lost(&f->quality);
}

/* --- sequences --- */

#define SEQ_MAX 24

static const struct {
	const char *name;
	uint16_t seq[SEQ_MAX];
	unsigned int n;
	uint32_t received, lost, duplicates, reordered;
} sequences[] = {
	{"one", {7}, 1, 1, 0, 0, 0},
	{"in order", {1, 2, 3, 4}, 4, 4, 0, 0, 0},
	{"one lost", {1, 2, 4, 5}, 4, 4, 1, 0, 0},
	{"wraps", {65534, 65535, 0, 1}, 4, 4, 0, 0, 0},
	{"wraps with a loss at the edge", {65533, 65534, 0, 1}, 4, 4, 1, 0, 0},
	{"swapped", {1, 3, 2, 4}, 4, 4, 0, 0, 1},
	{"swapped over the wrap", {65534, 0, 65535, 1}, 4, 4, 0, 0, 1},
	{"doubled", {1, 2, 2, 3}, 4, 3, 0, 1, 0},
	{"doubled late", {1, 2, 3, 1, 4}, 5, 4, 0, 1, 0},
	{"late, then doubled", {1, 3, 2, 2, 4}, 5, 4, 0, 1, 1},
	{"doubled over the wrap", {65535, 0, 65535}, 3, 2, 0, 1, 0},
	{"overtaken by the first", {5, 4, 6}, 3, 3, 0, 0, 1},
	{"overtaken by the first, over the wrap", {0, 65534, 1}, 3, 3, 1, 0, 1},
	{"63 behind is told from a duplicate", {1, 64, 1}, 3, 2, 62, 1, 0},
	{"64 behind is not", {1, 65, 1}, 3, 3, 62, 0, 1},
	{"2999 ahead is a loss", {1, 3000}, 2, 2, 2998, 0, 0},
	{"3000 ahead alone is nothing", {1, 3001, 2}, 3, 2, 0, 0, 0},
	{"the sequence begins anew", {1, 2, 20000, 20001, 20002}, 5, 3, 0, 0, 0},
	{"anew, the loss before is kept", {1, 3, 20000, 20001, 20003}, 5, 3, 2, 0, 0},
	{"anew behind", {30000, 30001, 100, 101, 102}, 5, 3, 0, 0, 0},
	{"two jumps to different places are nothing", {1, 20000, 40000, 2}, 4, 2, 0, 0, 0},
};

static void test_sequences(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		struct stats_flow f = {0};
		const struct rtp_quality *q = &f.quality;

		for (unsigned int n = 0; n < sequences[i].n; n++)
			arrive(&f, SSRC, sequences[i].seq[n], 160 * n,
				(BEGIN_MS + PTIME_MS * n) * MS);
		if (q->received != sequences[i].received || lost(&f) != sequences[i].lost ||
			q->duplicates != sequences[i].duplicates ||
			q->reordered != sequences[i].reordered)
			fail_msg("%s: received %u lost %u duplicates %u reordered %u",
				sequences[i].name, q->received, lost(&f), q->duplicates,
				q->reordered);
	}
}

static void test_ssrc_change_carries(void **state)
{
	struct stats_flow f = {0};
	uint64_t at = BEGIN_MS * MS;

	/* 3 lost; then another source with 2 lost, far away in number and time; then SSRC 0. */
	for (uint16_t n = 0; n < 10; n++)
		if (n < 4 || n > 6)
			arrive(&f, SSRC, n, n * 160u, at += 20 * MS);
	for (uint16_t n = 0; n < 10; n++)
		if (n != 5 && n != 8)
			arrive(&f, 77, (uint16_t)(40000 + n), 0x90000000 + n * 160u, at += 20 * MS);
	arrive(&f, 0, 9, 0, at += 20 * MS);
	arrive(&f, 0, 9, 0, at += 20 * MS);
	arrive(&f, 0, 11, 0, at += 20 * MS);
	assert_int_equal(lost(&f), 3 + 2 + 1);
	assert_int_equal(f.quality.duplicates, 1);
	assert_int_equal(f.quality.received, 2);
	/* What two sources' timestamps differ by is no jitter: the last one's stood still. */
	assert_in_range(f.quality.jitter_max, 0, 16 * 320);
}

/* --- time --- */

/* RFC 3550 appendix A.8 by hand, in whole milliseconds that the clock represents exactly. */
static void test_jitter(void **state)
{
	static const int late_ms[] = {0, 0, 5, 0, 0, 10, 10, 3, 40, 0, 0, 0};
	struct stats_flow f = {0};
	uint32_t jitter = 0, max = 0;

	for (uint16_t n = 0; n < ARRAY_LEN(late_ms); n++) {
		arrive(&f, SSRC, n, 4294967000u + 160u * n,
			(BEGIN_MS + PTIME_MS * n + (unsigned int)late_ms[n]) * MS);
		if (n == 0)
			continue;
		jitter += (uint32_t)abs(late_ms[n] - late_ms[n - 1]) * 8 - ((jitter + 8) >> 4);
		max = jitter > max ? jitter : max;
		/* Arrival is cut to whole units: one off each time. */
		assert_in_range(f.quality.jitter, jitter > 16 ? jitter - 16 : 0, jitter + 16);
	}
	assert_in_range(f.quality.jitter_max, max - 16, max + 16);
	assert_in_range(rtp_quality_jitter_us(f.quality.jitter, CLOCK), jitter * 125 / 16 - 125,
		jitter * 125 / 16 + 125);
	assert_int_equal(rtp_quality_jitter_us(1000, 0), 0);
}

/* A steady stream has none at any clock, whatever the two clocks' offsets and wraps. */
static void test_no_jitter(void **state)
{
	static const uint32_t clocks[] = {8000, 16000, 44100, 48000, 90000, 1000000};

	for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
		struct stats_flow f = {0};
		uint32_t mult = rtp_clock_mult(clocks[i]);

		for (uint64_t n = 0; n < 100000; n++) {
			uint32_t ts = (uint32_t)(n * clocks[i] / 50 + 0xfff00000);
			uint8_t rtp[12] = {0x80, 0, (uint8_t)(n >> 8), (uint8_t)n,
				(uint8_t)(ts >> 24), (uint8_t)(ts >> 16), (uint8_t)(ts >> 8),
				(uint8_t)ts};
			uint64_t at = UINT64_MAX / 2 + n * 20 * MS;

			rtp_measure(&f, rtp, mult, at, (uint32_t)(at / MS));
			f.last_ms = (uint32_t)(at / MS);
		}
		assert_int_equal(lost(&f), 0);
		assert_int_equal(f.quality.late_gaps, 0);
		assert_in_range(f.quality.jitter_max, 0, 31); /* two units */
	}
}

static void test_timestamps_begin_anew(void **state)
{
	struct stats_flow f = {0};

	for (uint16_t n = 0; n < 100; n++)
		arrive(&f, SSRC, n, 160u * n + (n >= 50 ? 1000000 : 0),
			(BEGIN_MS + PTIME_MS * n) * MS);
	assert_in_range(f.quality.jitter_max, 0, 16);
}

static void test_unknown_clock(void **state)
{
	struct stats_flow f = {0};
	uint8_t rtp[12] = {0x80};

	for (uint8_t n = 0; n < 100; n++) {
		rtp[3] = n;
		rtp[7] = (uint8_t)(n * 77);
		rtp_measure(&f, rtp, 0, n * 60 * MS, n * 60u);
		f.last_ms = n * 60u;
	}
	assert_int_equal(f.quality.received, 100);
	assert_int_equal(f.quality.jitter_max, 0);
	assert_int_equal(f.quality.late_gaps, 99);
}

static void test_late_gaps(void **state)
{
	static const struct {
		uint16_t seq;
		uint32_t at_ms, ts_ms;
		uint32_t gaps; /* after it */
	} steps[] = {
		{1, 0, 0, 0}, {2, 20, 20, 0}, {3, 70, 40, 0}, /* 50 is not more than 50 */
		{4, 121, 60, 1},			      /* 51 */
		{5, 500, 80, 2},			      /* stalled, then all at once */
		{6, 500, 100, 2},
		{7, 800, 400, 2},  /* the sender was silent: its timestamps say so */
		{9, 1000, 440, 2}, /* one is missing: loss, not lateness */
		{10, 1060, 460, 3}, {10, 1200, 460, 3}, /* duplicate */
		{11, 1220, 480, 3},			/* it ended the silence */
	};
	struct stats_flow f = {0};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		arrive(&f, SSRC, steps[i].seq, steps[i].ts_ms * 8,
			(BEGIN_MS + steps[i].at_ms) * MS);
		if (f.quality.late_gaps != steps[i].gaps)
			fail_msg("step %zu: %u late gaps", i, f.quality.late_gaps);
	}
}

/* --- random runs --- */

static uint64_t seed = 88172645463325252ull;

static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static bool chance(unsigned int in_10000)
{
	return random32() % 10000 < in_10000;
}

#define RUN 400000u /* six wraps */
#define DELAY_MAX 50u

struct reference {
	uint8_t *times; /* how often each number arrived */
	uint32_t first, highest;
	uint32_t duplicates, reordered;
	bool any;
};

static void reference_arrive(struct reference *r, uint32_t n)
{
	if (!r->any || n < r->first)
		r->first = n;
	if (r->times[n]++ != 0)
		r->duplicates++;
	else if (r->any && n < r->highest)
		r->reordered++;
	if (!r->any || n > r->highest)
		r->highest = n;
	r->any = true;
}

static uint32_t reference_lost(const struct reference *r)
{
	uint32_t n = 0;

	for (uint32_t i = r->first; i <= r->highest; i++)
		n += r->times[i] == 0;
	return n;
}

struct arrival {
	uint32_t at, n;
};

static int arrival_order(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->n < y->n ? -1 : x->n > y->n;
}

static void run_random(
	uint16_t first, unsigned int loss, unsigned int doubled, unsigned int delayed)
{
	struct reference r = {.times = calloc(RUN, 1)};
	struct arrival *all = calloc(2 * RUN, sizeof(*all));
	struct stats_flow f = {0};
	uint32_t count = 0, dropped = 0;

	assert_non_null(r.times);
	assert_non_null(all);
	for (uint32_t n = 0; n < RUN; n++) {
		if (chance(loss)) {
			dropped += n > 0;
			continue;
		}
		all[count++] =
			(struct arrival){n + (chance(delayed) ? random32() % DELAY_MAX : 0), n};
		if (chance(doubled))
			all[count++] = (struct arrival){n + random32() % DELAY_MAX, n};
	}
	qsort(all, count, sizeof(*all), arrival_order);
	for (uint32_t i = 0; i < count; i++) {
		reference_arrive(&r, all[i].n);
		arrive(&f, SSRC, (uint16_t)(first + all[i].n), all[i].n * 160,
			(BEGIN_MS + all[i].at * 20ull) * MS);
	}
	assert_int_equal(f.quality.duplicates, r.duplicates);
	assert_int_equal(f.quality.reordered, r.reordered);
	assert_int_equal(lost(&f), reference_lost(&r));
	/* And both are what was injected, but for losses at the very ends. */
	assert_in_range(lost(&f), dropped > 100 ? dropped - 100 : 0, dropped);
	free(all);
	free(r.times);
}

static void test_random_runs(void **state)
{
	static const struct {
		unsigned int loss, doubled, delayed; /* in 10000 */
	} mixes[] = {{0, 0, 0}, {1, 0, 0}, {100, 0, 0}, {0, 100, 0}, {0, 0, 300}, {300, 100, 300},
		{2000, 1000, 3000}, {5000, 5000, 9999}};

	for (size_t i = 0; i < ARRAY_LEN(mixes); i++)
		run_random((uint16_t)random32(), mixes[i].loss, mixes[i].doubled, mixes[i].delayed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_ssrc_change_carries),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_no_jitter),
		cmocka_unit_test(test_timestamps_begin_anew),
		cmocka_unit_test(test_unknown_clock),
		cmocka_unit_test(test_late_gaps),
		cmocka_unit_test(test_random_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
