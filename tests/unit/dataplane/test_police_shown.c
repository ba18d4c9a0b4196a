/* The policer: what main shows of it, and tells it. */
#include "boundary.h"
#include "police_lab.h"
#include "worker.h"

static void denied_sources_are_shown_first(void **state)
{
	const struct stats_source *s = stats_region->source;
	struct realm_police limits = {.sip = {1, 1}};

	/* source i is refused i times */
	for (uint32_t i = 1; i <= 200; i++)
		passes(&limits, i, 5060, i + 1);
	control_says(7, 0, SOURCE_DENIED, SOURCE_REASON_OPERATOR, 90);
	police_top_refresh(now_ns + 10 * SECOND);
	assert_int_equal(s[0].source_class, SOURCE_DENIED);
	assert_int_equal(s[0].reason, SOURCE_REASON_OPERATOR);
	assert_int_equal(s[0].left_s, 80);
	assert_int_equal(s[0].source.port, 0);
	assert_int_equal(s[0].source.addr.bytes[3], 7);
	for (unsigned int i = 1; i < STATS_SOURCES_MAX; i++) {
		assert_int_equal(s[i].refused, 201 - i);
		assert_int_equal(s[i].messages, 1);
		assert_int_equal(s[i].source.addr.bytes[3], (201 - i) & 0xff);
		assert_int_equal(s[i].source.port, 5060);
		assert_int_equal(s[i].realm, REALM);
		assert_int_equal(s[i].left_s, 0);
	}
	now_ns += 1000 * SECOND;
	for (unsigned int i = 0; i < 10000; i++, now_ns += 5 * MS)
		police_poll(police, now_ns);
	police_top_refresh(now_ns);
	assert_int_equal(s[0].source.addr.family, NET_FAMILY_NONE);
	assert_int_equal(source_table_used(police->sources), 0);
}

/* Nobody is shown for what the source did that had its place before. */
static void places_that_changed_hands_are_not_shown(void **state)
{
	const struct realm_police tight = {.sip = {1, 1}}, wide = {.sip = {1000, 1000}};
	uint32_t places = source_table_size(police->sources);

	for (uint32_t i = 0; i < places; i++)
		passes(&tight, i, 5060, 2);
	now_ns += 1000 * SECOND;
	for (unsigned int i = 0; i < 10000; i++, now_ns += 5 * MS)
		police_poll(police, now_ns);
	passes(&tight, 7, 5060, 9);
	for (uint32_t i = 0; i < places; i++)
		passes(&wide, 0x01000000 + i, 5060, 2);
	police_top_refresh(now_ns);
	assert_int_equal(stats_region->source[0].source.addr.bytes[3], 7);
	assert_int_equal(stats_region->source[1].source.addr.family, NET_FAMILY_NONE);
}

static void rings_that_are_full(void **state)
{
	struct rec_source_set r = {.source = {.addr = ipv4(1), .port = 1},
		.source_class = SOURCE_DENIED,
		.seconds = 60};
	unsigned int n = 0;

	while (police_source_set(&r) == 0) {
		r.source.port++;
		n++;
	}
	assert_int_equal(police_source_set(&r), -EAGAIN);
	assert_in_range(n, 8000, 8192);
	for (unsigned int i = 0; i < 32; i++)
		police_poll(police, now_ns);
	/* nearly all: of a set full of denied ones, one gives way */
	assert_in_range(source_table_used(police->sources), n / 10 * 8, n);
	assert_int_equal(police_source_set(&r), 0);
}

/* Trust and denial take room where the source's packets come, and nowhere else. */
static void told_to_the_owner_alone(void **state)
{
	struct rec_source_set r = {
		.source = {.addr = ipv4(0)}, .source_class = SOURCE_TRUSTED, .seconds = 60};
	struct police *other = police_new(1, 4096, key);
	uint32_t used[2];

	assert_non_null(other);
	workers[1].police = other;
	n_workers = 2;
	worker_source_key[1] = 0x9e3779b97f4a7c15ull;
	for (uint32_t n = 0; n < 200; n++) {
		r.source.addr.bytes[2] = (uint8_t)(n + 1);
		assert_int_equal(police_source_set(&r), 0);
	}
	police_poll(police, now_ns);
	police_poll(other, now_ns);
	used[0] = source_table_used(police->sources);
	used[1] = source_table_used(other->sources);
	n_workers = 1;
	workers[1].police = NULL;
	police_free(other);
	assert_int_equal(used[0] + used[1], 200);
	assert_in_range(used[0], 50, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLICE_TEST(denied_sources_are_shown_first),
		POLICE_TEST(places_that_changed_hands_are_not_shown),
		POLICE_TEST(rings_that_are_full),
		POLICE_TEST(told_to_the_owner_alone),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
