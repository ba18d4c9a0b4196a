/* The byte ring: order, wrap, full, sleep and wake, two threads, and a hostile other side. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring.h"

#define SIZE 4096u

struct fixture {
	struct ring_shared *shared;
	struct ring producer, consumer;
	int event_fd;
};

static int setup_sized(void **state, uint32_t size)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->shared = aligned_alloc(64, ring_footprint(size));
	memset(f->shared, 0xa5, ring_footprint(size));
	ring_format(f->shared);
	f->event_fd = eventfd(0, EFD_NONBLOCK);
	assert_true(f->event_fd >= 0);
	assert_int_equal(ring_init(&f->producer, f->shared, size, f->event_fd), 0);
	assert_int_equal(ring_init(&f->consumer, f->shared, size, -1), 0);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_sized(state, SIZE);
}

static int setup_large(void **state)
{
	return setup_sized(state, 64u << 10);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->event_fd);
	free(f->shared);
	free(f);
	return 0;
}

static int put(struct ring *r, uint16_t type, const void *body, size_t len)
{
	struct record_hdr hdr = {.len = 0xdeadbeef, .type = type, .version = 1};
	struct str_view pieces[] = {{(const char *)&hdr, sizeof(hdr)}, {body, len}};

	return ring_put(r, pieces, 2);
}

static void test_init_refuses_bad_sizes(void **state)
{
	static const struct {
		uint32_t size;
		int rc;
	} cases[] = {
		{0, -EINVAL},
		{2048, -EINVAL},
		{4095, -EINVAL},
		{4096, 0},
		{6000, -EINVAL},
		{64u << 20, 0},
		{128u << 20, -EINVAL},
		{0xffffffffu, -EINVAL},
	};
	struct fixture *f = *state;
	struct ring r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(ring_init(&r, f->shared, cases[i].size, -1), cases[i].rc);
	assert_int_equal(ring_init(&r, NULL, SIZE, -1), -EINVAL);
	assert_int_equal(ring_init(&r, (char *)f->shared + 8, SIZE, -1), -EINVAL);
}

static void test_records_come_out_as_put(void **state)
{
	struct fixture *f = *state;
	struct {
		struct record_hdr hdr;
		char body[1024];
	} rec;
	char body[1024];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 7);
	/* Odd lengths over several laps: each record wraps somewhere else. */
	for (unsigned int i = 0; i < 500; i++) {
		size_t len = (i * 37) % 1000;

		assert_int_equal(put(&f->producer, (uint16_t)i, body, len), 0);
		assert_int_equal(ring_get(&f->consumer, &rec, sizeof(rec)), 0);
		ring_publish(&f->producer);
		assert_int_equal(ring_get(&f->consumer, &rec, sizeof(rec)), 8 + len);
		assert_int_equal(rec.hdr.len, 8 + len);
		assert_int_equal(rec.hdr.type, i);
		assert_memory_equal(rec.body, body, len);
		assert_int_equal(ring_get(&f->consumer, &rec, sizeof(rec)), 0);
		ring_release(&f->consumer);
	}
	assert_int_equal(f->consumer.malformed, 0);
	assert_int_equal(f->producer.malformed, 0);
}

static void test_pieces_are_joined(void **state)
{
	struct fixture *f = *state;
	struct record_hdr hdr = {.type = 3};
	struct str_view pieces[] = {
		{(const char *)&hdr, sizeof(hdr)}, SV("abc"), {NULL, 0}, SV("de")};
	char out[64];

	assert_int_equal(ring_put(&f->producer, pieces, ARRAY_LEN(pieces)), 0);
	ring_publish(&f->producer);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 13);
	assert_memory_equal(out + 8, "abcde", 5);
}

/* Written where they lie, between others that are copied; some wrap and cannot be. */
static void test_records_are_written_in_place(void **state)
{
	struct fixture *f = *state;
	unsigned int placed = 0;
	char out[1024];

	for (unsigned int i = 0; i < 500; i++) {
		size_t len = sizeof(struct record_hdr) + (i * 37) % 1000;
		struct record_hdr *rec = ring_place(&f->producer, len);

		if (rec == NULL) {
			assert_int_equal(
				put(&f->producer, (uint16_t)i, out, len - sizeof(*rec)), 0);
		} else {
			placed++;
			*rec = (struct record_hdr){.len = (uint32_t)len, .type = (uint16_t)i};
			memset(rec + 1, (int)(i & 0x7f), len - sizeof(*rec));
		}
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 0);
		ring_publish(&f->producer);
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), len);
		for (size_t k = sizeof(*rec); rec != NULL && k < len; k++)
			assert_int_equal(out[k], i & 0x7f);
		ring_release(&f->consumer);
	}
	assert_true(placed > 200 && placed < 500);
	/* No more than there is room for. */
	for (placed = 0; ring_place(&f->producer, 512) != NULL; placed++)
		;
	assert_in_range(placed, 1, SIZE / 512);
	assert_null(ring_place(&f->producer, SIZE / 4 + 8));
	assert_int_equal(f->producer.full, 0);
	assert_int_equal(f->producer.malformed, 0);
}

static void test_full_and_free_percent(void **state)
{
	struct fixture *f = *state;
	char body[1024 - 8] = {0}, out[1024];

	assert_int_equal(ring_free_percent(&f->producer), 100);
	/* Larger than a quarter: never. */
	assert_int_equal(put(&f->producer, 1, out, SIZE / 4 - 7), -EMSGSIZE);
	for (unsigned int i = 1; i <= 4; i++) {
		assert_int_equal(put(&f->producer, 1, body, sizeof(body)), 0);
		/* Unpublished bytes count as used. */
		assert_int_equal(ring_free_percent(&f->producer), 100 - 25 * i);
	}
	assert_int_equal(put(&f->producer, 1, NULL, 0), -ENOBUFS);
	assert_int_equal(f->producer.full, 1);
	ring_publish(&f->producer);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 1024);
	/* Not released yet: the producer must not write there. */
	assert_int_equal(put(&f->producer, 1, NULL, 0), -ENOBUFS);
	ring_release(&f->consumer);
	assert_int_equal(put(&f->producer, 1, body, sizeof(body)), 0);
}

static bool woken(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

static void test_wakes_only_a_sleeper(void **state)
{
	struct fixture *f = *state;
	char out[64];

	assert_int_equal(put(&f->producer, 1, NULL, 0), 0);
	assert_false(ring_publish(&f->producer));
	assert_false(woken(f->event_fd));
	/* Something to read: no sleep. */
	assert_false(ring_sleep(&f->consumer));
	assert_int_equal(f->shared->asleep, 0);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 8);
	assert_true(ring_sleep(&f->consumer));
	/* Nothing new: no wake-up. */
	assert_false(ring_publish(&f->producer));
	assert_int_equal(put(&f->producer, 1, NULL, 0), 0);
	assert_true(ring_publish(&f->producer));
	assert_true(woken(f->event_fd));
	assert_int_equal(put(&f->producer, 1, NULL, 0), 0);
	assert_false(ring_publish(&f->producer));
	assert_true(ring_sleep(&f->consumer) == false);
	ring_awake(&f->consumer);
	assert_int_equal(f->shared->asleep, 0);
}

static void test_hostile_head(void **state)
{
	static const uint64_t heads[] = {
		1, 7, SIZE + 1, SIZE + 8, UINT64_MAX, 1ull << 63, SIZE * 1000ull, 4};
	struct fixture *f = *state;
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		f->shared->head = f->consumer.cursor + heads[i];
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), -EBADMSG);
		assert_int_equal(f->consumer.malformed, i + 1);
		/* All of it is skipped: no endless loop over the same garbage. */
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 0);
		ring_release(&f->consumer);
	}
}

static void test_hostile_lengths(void **state)
{
	static const struct {
		uint32_t len;
		int rc, next;
	} cases[] = {
		{0, -EBADMSG, 0}, {7, -EBADMSG, 0}, {8, 8, 16}, {16, 16, 8}, {24, 24, 0},
		{25, -EBADMSG, 0},			  /* beyond head */
		{1024, -EBADMSG, 0}, {1025, -EBADMSG, 0}, /* a quarter */
		{0x80000000u, -EBADMSG, 0}, {0xffffffffu, -EBADMSG, 0},
		{0xfffffff9u, -EBADMSG, 0}, /* padding it would wrap */
	};
	struct fixture *f = *state;
	struct record_hdr *rec;
	char out[24];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ring_format(f->shared);
		ring_init(&f->consumer, f->shared, SIZE, -1);
		rec = (struct record_hdr *)f->shared->data;
		rec[0] = (struct record_hdr){.len = cases[i].len, .type = 1};
		rec[1] = (struct record_hdr){.len = 16, .type = 2};
		rec[2] = (struct record_hdr){.len = 8, .type = 3};
		f->shared->head = 24;
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), cases[i].rc);
		assert_int_equal(f->consumer.malformed, cases[i].rc < 0);
		assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), cases[i].next);
	}
}

static void test_record_beyond_cap_is_skipped_alone(void **state)
{
	struct fixture *f = *state;
	char body[100] = {0}, out[32];

	assert_int_equal(put(&f->producer, 1, body, sizeof(body)), 0);
	assert_int_equal(put(&f->producer, 2, body, 3), 0);
	ring_publish(&f->producer);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), -EMSGSIZE);
	assert_int_equal(f->consumer.malformed, 1);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 11);
	assert_int_equal(ring_get(&f->consumer, out, sizeof(out)), 0);
}

static void test_hostile_tail(void **state)
{
	static const int64_t tails[] = {8, 1, INT64_MAX, -(int64_t)SIZE - 8, INT64_MIN};
	struct fixture *f = *state;
	char body[1024 - 8] = {0};

	/* It looks at the tail when it has no room that it knows of. */
	for (unsigned int i = 0; i < SIZE / 1024; i++)
		assert_int_equal(put(&f->producer, 1, body, sizeof(body)), 0);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		uint64_t before = f->producer.malformed;

		f->shared->tail = f->producer.unpublished + (uint64_t)tails[i];
		assert_int_equal(put(&f->producer, 1, NULL, 0), -ENOBUFS);
		assert_int_equal(ring_free_percent(&f->producer), 0);
		assert_true(f->producer.malformed > before);
	}
	/* Sane again: goes on. */
	f->shared->tail = f->producer.unpublished;
	assert_int_equal(put(&f->producer, 1, NULL, 0), 0);
}

#define MILLION 1000000u

/* xorshift: both threads draw the same lengths. */
static uint32_t draw(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void *producer_main(void *arg)
{
	struct fixture *f = arg;
	uint32_t seed = 42, seq = 0;
	char body[400];

	while (seq < MILLION) {
		uint32_t next = seed;
		size_t len = 4 + draw(&next) % (sizeof(body) - 4);

		memset(body, (int)(seq & 0xff), len);
		memcpy(body, &seq, 4);
		if (put(&f->producer, 1, body, len) == -ENOBUFS) {
			ring_publish(&f->producer);
			sched_yield();
			continue;
		}
		seed = next;
		if (++seq % 16 == 0)
			ring_publish(&f->producer);
	}
	ring_publish(&f->producer);
	return NULL;
}

/* The consumer sleeps whenever it may: a lost wake-up shows as a poll that times out. */
static void test_two_threads_pass_a_million(void **state)
{
	struct fixture *f = *state;
	uint32_t seed = 42, seq = 0, got;
	unsigned char rec[512];
	unsigned int sleeps = 0;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, producer_main, f), 0);
	while (seq < MILLION) {
		int len = ring_get(&f->consumer, rec, sizeof(rec));

		if (len == 0) {
			struct pollfd p = {.fd = f->event_fd, .events = POLLIN};

			ring_release(&f->consumer);
			if (!ring_sleep(&f->consumer))
				continue;
			sleeps++;
			assert_int_equal(poll(&p, 1, 30000), 1);
			assert_true(woken(f->event_fd));
			ring_awake(&f->consumer);
			continue;
		}
		assert_int_equal(len, 8 + 4 + draw(&seed) % (400 - 4));
		memcpy(&got, rec + 8, 4);
		assert_int_equal(got, seq);
		for (int i = 12; i < len; i++) {
			if (rec[i] != (seq & 0xff))
				fail_msg("record %u is torn at %d", seq, i);
		}
		if (++seq % 64 == 0)
			ring_release(&f->consumer);
	}
	pthread_join(t, NULL);
	assert_int_equal(f->consumer.malformed, 0);
	assert_int_equal(f->producer.malformed, 0);
	print_message("%u sleeps, %lu times full\n", sleeps, (unsigned long)f->producer.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_init_refuses_bad_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_come_out_as_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces_are_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_are_written_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_and_free_percent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wakes_only_a_sleeper, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_record_beyond_cap_is_skipped_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_two_threads_pass_a_million, setup_large, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
