/*
 * The table of sources: buckets, bound, who gives way to whom, expiry, ageing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "source_table.h"

#define SECOND 1000000000ull

static const uint64_t key[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};

static struct source_clock at_s(uint32_t s)
{
	return source_clock(s * SECOND);
}

static struct source_key key_of(
	const struct source_table *t, uint32_t n, uint16_t port, uint16_t realm)
{
	struct net_addr a = net_addr_v4(&n);
	struct source_key k;

	source_key(t, &a, port, realm, port != 0 ? SOURCE_PORT : SOURCE_ADDRESS, &k);
	return k;
}

static void token_bucket_table(void **state)
{
	static const struct {
		uint32_t rate, burst;
		uint64_t step_ns;
		unsigned int tries, passed;
	} cases[] = {
		{10, 5, 0, 100, 5},		   /* all at once: the burst */
		{10, 1, SECOND / 10, 100, 100},	   /* at the rate: all */
		{10, 1, SECOND / 20, 100, 50},	   /* at twice the rate: half */
		{10, 20, SECOND / 1000, 1000, 29}, /* a second: the burst and the rate */
		{0, 0, 0, 1000, 1000},		   /* no limit */
		{10, 0, 0, 10, 1},		   /* a burst of none is one */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t full = 0, now = SECOND;
		uint32_t full_us = 0;
		unsigned int passed = 0, passed32 = 0;

		for (unsigned int k = 0; k < cases[i].tries; k++, now += cases[i].step_ns) {
			uint32_t us = (uint32_t)(now / 1000);

			passed += token_take(&full, cases[i].rate, cases[i].burst, now);
			passed32 += token32_take(&full_us, cases[i].rate, cases[i].burst, 1, us);
		}
		assert_int_equal(passed, cases[i].passed);
		assert_int_equal(passed32, cases[i].passed);
	}
}

static void tokens_of_several(void **state)
{
	static const struct {
		uint32_t rate, burst, n, passed;
	} cases[] = {
		{1000, 3000, 1000, 3}, {1000, 3000, 1500, 2},
		{1000, 3000, 5000, 1},		   /* longer than the bucket: when it is full */
		{1000000000, 2000000, 1500, 2000}, /* 1.5 us is counted as 1 */
		{1, 100000, 1, 300},		   /* holds what comes in TOKEN_SPAN_US */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t full = 5, passed = 0;

		while (token32_take(&full, cases[i].rate, cases[i].burst, cases[i].n, 5))
			passed++;
		assert_int_equal(passed, cases[i].passed);
	}
}

/* Of a bucket of one token a second? */
static bool one_left(uint32_t full_us, uint32_t now_us)
{
	return token32_take(&full_us, 1, 1, 1, now_us);
}

/* The 32 bits of microseconds come round every 71 minutes. */
static void idle_buckets_are_full(void **state)
{
	struct source s = {.last_s = 1000};

	for (uint32_t idle = 301; idle < 10000; idle += 7) {
		struct source_clock now = at_s(1000 + idle);

		s.last_s = 1000;
		s.bucket[0] = at_s(1000).us + TOKEN_SPAN_US;
		source_touch(&s, now);
		assert_true(one_left(s.bucket[0], now.us));
		assert_int_equal(s.last_s, now.s);
	}
	s.bucket[0] = at_s(s.last_s).us + 1000;
	source_touch(&s, at_s(s.last_s));
	assert_false(one_left(s.bucket[0], at_s(s.last_s).us));
}

static void sources_are_told_apart(void **state)
{
	struct source_table *t = source_table_new(1024, key);
	struct net_addr v4 = net_addr_v4(&(uint32_t){0x01020304}), v6 = v4, near = v4;
	struct source_key k[7];

	assert_non_null(t);
	v6.family = NET_FAMILY_V6;
	near.bytes[3]++;
	source_key(t, &v4, 5060, 1, SOURCE_PORT, &k[0]);
	source_key(t, &v4, 5061, 1, SOURCE_PORT, &k[1]);
	source_key(t, &v4, 5060, 2, SOURCE_PORT, &k[2]);
	source_key(t, &v6, 5060, 1, SOURCE_PORT, &k[3]);
	source_key(t, &v4, 0, 1, SOURCE_ADDRESS, &k[4]);
	source_key(t, &v4, 0, 1, SOURCE_PREFIX, &k[5]);
	source_key(t, &near, 5060, 1, SOURCE_PORT, &k[6]);
	for (unsigned int i = 0; i < ARRAY_LEN(k); i++)
		assert_null(source_find(t, &k[i]));
	for (unsigned int i = 0; i < ARRAY_LEN(k); i++) {
		struct source *s = source_add(t, &k[i], SOURCE_UNTRUSTED, at_s(1));

		assert_non_null(s);
		s->messages = i + 1;
		assert_ptr_equal(source_add(t, &k[i], SOURCE_UNTRUSTED, at_s(1)), s);
	}
	assert_int_equal(source_table_used(t), ARRAY_LEN(k));
	for (unsigned int i = 0; i < ARRAY_LEN(k); i++)
		assert_int_equal(source_find(t, &k[i])->messages, i + 1);
	/* class and counts are no part of what a source is found by */
	source_class_set(t, source_find(t, &k[0]), SOURCE_DENIED, SOURCE_REASON_RATE, 9, at_s(1));
	assert_int_equal(source_find(t, &k[0])->messages, 1);
	/* neighbours share their prefix */
	source_key(t, &near, 0, 1, SOURCE_PREFIX, &k[6]);
	assert_ptr_equal(source_find(t, &k[6]), source_find(t, &k[5]));
	source_table_free(t);
}

static void prefixes(void **state)
{
	struct source_table *t = source_table_new(64, key);
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"192.0.2.1", "192.0.2.254", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_addr a, b;
		struct source_key ka, kb;

		net_addr_parse((struct str_view){cases[i].a, strlen(cases[i].a)}, &a);
		net_addr_parse((struct str_view){cases[i].b, strlen(cases[i].b)}, &b);
		source_key(t, &a, 0, 3, SOURCE_PREFIX, &ka);
		source_key(t, &b, 0, 3, SOURCE_PREFIX, &kb);
		assert_int_equal(ka.addr[0] == kb.addr[0] && ka.addr[1] == kb.addr[1] &&
					 ka.set == kb.set && ka.tag == kb.tag,
			cases[i].same);
	}
	source_table_free(t);
}

static void a_million_sources_in_constant_memory(void **state)
{
	enum { MILLION = 1000000 };
	struct source_table *t = source_table_new(MILLION, key);
	size_t bytes = source_table_bytes(t);
	unsigned int missing = 0;

	assert_true(bytes <= 137ull * MILLION + 65536);
	for (uint32_t i = 0; i < MILLION; i++) {
		struct source_key k = key_of(t, i, 5060, 0);
		struct source *s = source_add(t, &k, SOURCE_DENIED, at_s(1));

		if (s != NULL)
			source_class_set(t, s, SOURCE_DENIED, SOURCE_REASON_SCAN, 60, at_s(1));
	}
	for (uint32_t i = 0; i < MILLION; i++) {
		struct source_key k = key_of(t, i, 5060, 0);

		missing += source_find(t, &k) == NULL;
	}
	assert_true(missing < MILLION / 500);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_DENIED], MILLION - missing);
	/* Three times as many more, of which each owes something: no more than the places. */
	for (uint32_t i = MILLION; i < 4 * MILLION; i++) {
		struct source_key k = key_of(t, i, 5060, 0);
		struct source *s = source_add(t, &k, SOURCE_UNTRUSTED, at_s(2));

		if (s != NULL)
			token32_take(&s->bucket[0], 1, 1, 1, at_s(2).us);
	}
	assert_true(source_table_used(t) <= source_table_size(t));
	assert_true(source_table_used(t) > source_table_size(t) / 100 * 98);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_DENIED], MILLION - missing);
	assert_int_equal(source_table_bytes(t), bytes);
	source_table_free(t);
}

enum place { OWES_NOTHING, OWES, STRUCK, IDLE_OWES, TRUSTED, DENIED, TRUSTED_OVER, PLACES };

static void place_fill(struct source_table *t, uint32_t n, enum place what)
{
	struct source_key k = key_of(t, n, 5060, 0);
	struct source *s = source_add(t, &k, SOURCE_TRUSTED, at_s(1000));

	assert_non_null(s);
	if (what == OWES || what == IDLE_OWES)
		token32_take(&s->bucket[0], 1, 1, 20, at_s(1000).us);
	if (what == IDLE_OWES)
		s->last_s = 600;
	if (what == STRUCK)
		s->strikes = 1;
	if (what == TRUSTED || what == TRUSTED_OVER)
		source_class_set(t, s, SOURCE_TRUSTED, SOURCE_REASON_CALL,
			what == TRUSTED ? 100 : 1, at_s(1000));
	if (what == DENIED)
		source_class_set(t, s, SOURCE_DENIED, SOURCE_REASON_RATE, 100, at_s(1000));
}

static void who_gives_way_to_whom(void **state)
{
	/* A set full of these: does it take this newcomer two seconds later? */
	static const bool expected[PLACES][SOURCE_CLASS_COUNT] = {
		/* untrusted, trusted, denied */
		[OWES_NOTHING] = {true, true, true},
		[OWES] = {false, true, true},
		[STRUCK] = {false, true, true},
		[IDLE_OWES] = {true, true, true},
		[TRUSTED] = {false, true, false},
		[DENIED] = {false, true, true},
		[TRUSTED_OVER] = {true, true, true},
	};

	for (enum place what = 0; what < PLACES; what++) {
		for (enum source_class c = 0; c < SOURCE_CLASS_COUNT; c++) {
			struct source_table *t = source_table_new(1, key);
			struct source_key k = key_of(t, 999, 5060, 0);

			assert_int_equal(source_table_size(t), SOURCE_WAYS);
			for (uint32_t n = 0; n < SOURCE_WAYS; n++)
				place_fill(t, n, what);
			assert_int_equal(source_table_used(t), SOURCE_WAYS);
			assert_int_equal(
				source_add(t, &k, c, at_s(1002)) != NULL, expected[what][c]);
			assert_int_equal(source_table_used(t), SOURCE_WAYS);
			source_table_free(t);
		}
	}
}

/* Of a mixed set the least goes first. */
static void the_least_goes_first(void **state)
{
	static const enum place order[] = {OWES_NOTHING, OWES, DENIED, TRUSTED};
	struct source_table *t = source_table_new(1, key);

	for (uint32_t n = 0; n < SOURCE_WAYS; n++)
		place_fill(t, n, order[n % 4]);
	for (uint32_t round = 0; round < SOURCE_WAYS; round++) {
		struct source_key k = key_of(t, 100 + round, 5060, 0);
		struct source *s = source_add(t, &k, SOURCE_TRUSTED, at_s(1002));
		unsigned int left[4] = {0};

		assert_non_null(s);
		source_class_set(t, s, SOURCE_TRUSTED, SOURCE_REASON_CALL, 1000, at_s(1002));
		for (uint32_t n = 0; n < SOURCE_WAYS; n++) {
			struct source_key old = key_of(t, n, 5060, 0);

			left[n % 4] += source_find(t, &old) != NULL;
		}
		for (unsigned int i = 1; i < 4; i++)
			assert_true(left[i - 1] == 0 || left[i] == (SOURCE_WAYS + 3 - i) / 4);
	}
	source_table_free(t);
}

static void classes_end(void **state)
{
	struct source_table *t = source_table_new(64, key);
	struct source_key k = key_of(t, 1, 5060, 0);
	struct source *s = source_add(t, &k, SOURCE_DENIED, at_s(10));

	source_class_set(t, s, SOURCE_DENIED, SOURCE_REASON_SCAN, 30, at_s(10));
	assert_int_equal(source_class_now(t, s, at_s(10)), SOURCE_DENIED);
	assert_int_equal(source_class_now(t, s, at_s(39)), SOURCE_DENIED);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_DENIED], 1);
	assert_int_equal(source_class_now(t, s, at_s(40)), SOURCE_UNTRUSTED);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_DENIED], 0);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_UNTRUSTED], 1);
	source_table_free(t);
}

static void age_all(struct source_table *t, uint32_t s)
{
	source_table_age(t, t->sets, at_s(s));
}

/* A phone that registers once a minute and calls once in two hours. */
static void a_bucket_left_alone_stays_full(void **state)
{
	struct source_table *t = source_table_new(100, key);
	struct source_key k = key_of(t, 1, 5060, 0);
	struct source *s = source_add(t, &k, SOURCE_UNTRUSTED, at_s(10));

	assert_non_null(s);
	for (uint32_t now = 10; now < 7200; now += 30) {
		source_touch(s, at_s(now));
		age_all(t, now);
		assert_true(one_left(s->bucket[BUCKET_METHOD], at_s(now).us));
		assert_true(one_left(t->tags[k.set].overflow_us, at_s(now).us));
	}
	/* what was taken is not given back */
	token32_take(&s->bucket[BUCKET_METHOD], 1, 1, 1, at_s(7200).us);
	age_all(t, 7200);
	assert_false(one_left(s->bucket[BUCKET_METHOD], at_s(7200).us));
	source_table_free(t);
}

static void the_idle_are_forgotten(void **state)
{
	struct source_table *t = source_table_new(1000, key);
	struct source_key denied = key_of(t, 0, 5060, 0);
	struct source *s;

	for (uint32_t n = 0; n < 1000; n++) {
		struct source_key k = key_of(t, n, 5060, 0);

		assert_non_null(source_add(t, &k, SOURCE_UNTRUSTED, at_s(10)));
	}
	source_class_set(
		t, source_find(t, &denied), SOURCE_DENIED, SOURCE_REASON_RATE, 3600, at_s(10));
	age_all(t, 300);
	assert_int_equal(source_table_used(t), 1000);
	age_all(t, 311);
	assert_int_equal(source_table_used(t), 1);
	s = source_find(t, &denied);
	assert_non_null(s);
	assert_int_equal(s->source_class, SOURCE_DENIED);
	/* and it too when its time is over */
	age_all(t, 3610);
	assert_int_equal(source_table_used(t), 0);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_DENIED], 0);
	assert_int_equal(t->classed[SOURCE_PORT][SOURCE_UNTRUSTED], 0);
	source_table_free(t);
}

static void those_that_stand_out_are_noted_once(void **state)
{
	struct source_table *t = source_table_new(SOURCE_NOTED_MAX * 4, key);
	unsigned int noted = 0, flagged = 0;

	for (uint32_t n = 0; n < SOURCE_NOTED_MAX * 3; n++) {
		struct source_key k = key_of(t, n, 5060, 0);
		struct source *s = source_add(t, &k, SOURCE_UNTRUSTED, at_s(1));

		assert_non_null(s);
		source_refuse(t, s);
		source_refuse(t, s);
		assert_int_equal(s->refused, 2);
	}
	for (unsigned int i = 0; i < SOURCE_NOTED_MAX; i++)
		noted += t->noted[i] != 0 && (t->way[t->noted[i] - 1].flags & SOURCE_NOTED) != 0;
	for (uint32_t n = 0; n < SOURCE_NOTED_MAX * 3; n++) {
		struct source_key k = key_of(t, n, 5060, 0);

		flagged += (source_find(t, &k)->flags & SOURCE_NOTED) != 0;
	}
	assert_int_equal(noted, SOURCE_NOTED_MAX);
	assert_int_equal(flagged, SOURCE_NOTED_MAX);
	source_table_free(t);
}

/* A place on the list whose source was forgotten is not named again for the next one there. */
static void a_place_is_noted_once_whoever_has_it(void **state)
{
	struct source_table *t = source_table_new(1, key);
	unsigned int named[SOURCE_WAYS] = {0};

	assert_int_equal(t->sets, 1);
	for (uint32_t n = 0; n < 20; n++) {
		struct source_key k = key_of(t, n, 5060, 0);
		struct source *s = source_add(t, &k, SOURCE_UNTRUSTED, at_s(n * 1000));

		assert_non_null(s);
		source_refuse(t, s);
		source_table_age(t, 1, at_s(n * 1000 + 900));
		assert_null(source_find(t, &k));
	}
	for (unsigned int i = 0; i < SOURCE_NOTED_MAX; i++)
		if (t->noted[i] != 0)
			assert_int_equal(named[t->noted[i] - 1]++, 0);
	source_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_bucket_table),
		cmocka_unit_test(tokens_of_several),
		cmocka_unit_test(idle_buckets_are_full),
		cmocka_unit_test(sources_are_told_apart),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(a_million_sources_in_constant_memory),
		cmocka_unit_test(who_gives_way_to_whom),
		cmocka_unit_test(the_least_goes_first),
		cmocka_unit_test(classes_end),
		cmocka_unit_test(a_bucket_left_alone_stays_full),
		cmocka_unit_test(the_idle_are_forgotten),
		cmocka_unit_test(those_that_stand_out_are_noted_once),
		cmocka_unit_test(a_place_is_noted_once_whoever_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
