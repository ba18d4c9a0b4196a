/*
 * The table of sources: memory made at start, places taken and given up.
 */
#include "source_table.h"

#include <errno.h>
#include <sys/mman.h>

/* An untrusted source that was silent for that long is forgotten; then its buckets are full. */
#define IDLE_S (TOKEN_SPAN_US / 1000000u)

static void *pages_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Large pages where there are any: a burst meets as many pages as it has sources. */
	madvise(p, bytes, MADV_HUGEPAGE);
	/* Now and not in the packet path. Kernels before 5.14 do not know it. */
	if (madvise(p, bytes, MADV_POPULATE_WRITE) < 0 && errno == EINVAL)
		memset(p, 0, bytes);
	return p;
}

static size_t tags_bytes(const struct source_table *t)
{
	return (size_t)t->sets * sizeof(struct source_tags);
}

static size_t ways_bytes(const struct source_table *t)
{
	return (size_t)t->sets * SOURCE_WAYS * sizeof(struct source);
}

struct source_table *source_table_new(uint32_t sources, const uint64_t key[2])
{
	struct source_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->sets = (uint32_t)((2 * (uint64_t)sources + SOURCE_WAYS - 1) / SOURCE_WAYS);
	if (t->sets == 0)
		t->sets = 1;
	t->key[0] = key[0];
	t->key[1] = key[1];
	t->tags = pages_map(tags_bytes(t));
	t->way = pages_map(ways_bytes(t));
	if (t->tags == NULL || t->way == NULL) {
		source_table_free(t);
		return NULL;
	}
	return t;
}

void source_table_free(struct source_table *t)
{
	if (t == NULL)
		return;
	if (t->tags != NULL)
		munmap(t->tags, tags_bytes(t));
	if (t->way != NULL)
		munmap(t->way, ways_bytes(t));
	free(t);
}

/* --- places --- */

static void used_add(struct source_table *t, int n)
{
	__atomic_store_n(&t->used, t->used + (uint32_t)n, __ATOMIC_RELAXED);
}

static enum source_level level_of(const struct source *s)
{
	return (enum source_level)(s->kind >> 4);
}

static void place_clear(struct source_table *t, uint32_t set, unsigned int way)
{
	struct source *s = &t->way[(size_t)set * SOURCE_WAYS + way];
	uint8_t noted = s->flags & SOURCE_NOTED;

	t->classed[level_of(s)][s->source_class]--;
	t->tags[set].tag[way] = 0;
	used_add(t, -1);
	memset(s, 0, sizeof(*s));
	/* The list goes on to name the place: whoever gets it must not be named there again. */
	s->flags = noted;
}

/* Nothing would be lost with it. */
static bool owes_nothing(const struct source *s, struct source_clock now)
{
	if (now.s - s->last_s > IDLE_S)
		return true;
	if (s->strikes != 0)
		return false;
	for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
		if (token_ahead_us(s->bucket[i], now.us) != 0)
			return false;
	}
	return true;
}

/* The smaller, the sooner one gives way to a newcomer of this class; PLACE_NEVER: not at all. */
#define PLACE_NEVER UINT64_MAX
static uint64_t place_worth(struct source_table *t, struct source *s, enum source_class newcomer,
	struct source_clock now)
{
	static const uint8_t gives_way[SOURCE_CLASS_COUNT][SOURCE_CLASS_COUNT] = {
		/* by class of the newcomer: may it take the place of an untrusted (whom all may,
		 * see below), a trusted, a denied one */
		[SOURCE_TRUSTED] = {0, 1, 1},
		[SOURCE_DENIED] = {0, 0, 1},
	};
	/* Trusted ones stay longest. */
	static const uint64_t rank[SOURCE_CLASS_COUNT] = {
		[SOURCE_DENIED] = UINT64_C(1) << 40, [SOURCE_TRUSTED] = UINT64_C(1) << 41};
	enum source_class source_class = source_class_now(t, s, now);

	if (source_class != SOURCE_UNTRUSTED)
		return gives_way[newcomer][source_class] ? rank[source_class] + (s->until_s - now.s)
							 : PLACE_NEVER;
	if (owes_nothing(s, now))
		return 0;
	/* The more it was refused the longer it stays, so that it does not escape its denial. */
	return newcomer == SOURCE_UNTRUSTED ? PLACE_NEVER : 1 + (uint64_t)s->refused;
}

/* @return a free way of the set, made free if need be; SOURCE_WAYS: there is none. */
static unsigned int place_make(struct source_table *t, const struct source_key *k,
	enum source_class source_class, struct source_clock now)
{
	const uint32_t *tag = t->tags[k->set].tag;
	uint64_t best = PLACE_NEVER;
	unsigned int way = SOURCE_WAYS;

	for (unsigned int i = 0; i < SOURCE_WAYS; i++) {
		if (tag[i] == 0)
			return i;
	}
	/* Begin anywhere: the first that may go is mostly the first looked at. */
	for (unsigned int i = 0; i < SOURCE_WAYS && best != 0; i++) {
		unsigned int at = (k->tag / 2 + i) % SOURCE_WAYS;
		uint64_t worth = place_worth(
			t, &t->way[(size_t)k->set * SOURCE_WAYS + at], source_class, now);

		if (worth < best) {
			best = worth;
			way = at;
		}
	}
	if (way < SOURCE_WAYS)
		place_clear(t, k->set, way);
	return way;
}

struct source *source_add(struct source_table *t, const struct source_key *k,
	enum source_class source_class, struct source_clock now)
{
	struct source *s = source_find(t, k);
	unsigned int way;

	if (s != NULL)
		return s;
	way = place_make(t, k, source_class, now);
	if (way == SOURCE_WAYS)
		return NULL;
	s = &t->way[(size_t)k->set * SOURCE_WAYS + way];
	memcpy(s->addr, k->addr, sizeof(s->addr));
	s->port = (uint16_t)k->rest;
	s->realm = (uint16_t)(k->rest >> 16);
	s->kind = (uint8_t)(k->rest >> 32);
	s->last_s = now.s;
	for (unsigned int i = 0; i < BUCKET_COUNT; i++)
		s->bucket[i] = now.us;
	t->tags[k->set].tag[way] = k->tag;
	t->classed[level_of(s)][SOURCE_UNTRUSTED]++;
	used_add(t, 1);
	return s;
}

/* --- classes --- */

enum source_class source_class_now(
	struct source_table *t, struct source *s, struct source_clock now)
{
	if (s->source_class != SOURCE_UNTRUSTED && (int32_t)(now.s - s->until_s) >= 0)
		source_class_set(t, s, SOURCE_UNTRUSTED, SOURCE_REASON_NONE, 0, now);
	return (enum source_class)s->source_class;
}

/* The oldest of those noted makes room. */
static void source_note(struct source_table *t, struct source *s)
{
	uint32_t *slot = &t->noted[t->noted_next++ % SOURCE_NOTED_MAX];

	if (*slot != 0)
		t->way[*slot - 1].flags &= (uint8_t)~SOURCE_NOTED;
	s->flags |= SOURCE_NOTED;
	*slot = (uint32_t)(s - t->way) + 1;
}

void source_class_set(struct source_table *t, struct source *s, enum source_class source_class,
	enum source_reason reason, uint32_t seconds, struct source_clock now)
{
	enum source_level level = level_of(s);

	t->classed[level][s->source_class]--;
	t->classed[level][source_class]++;
	s->source_class = (uint8_t)source_class;
	s->reason = (uint8_t)reason;
	s->until_s = now.s + seconds;
	s->strikes = 0;
	if (source_class == SOURCE_DENIED && (s->flags & SOURCE_NOTED) == 0)
		source_note(t, s);
}

void source_refuse(struct source_table *t, struct source *s)
{
	s->refused++;
	if ((s->flags & SOURCE_NOTED) == 0)
		source_note(t, s);
}

/* A bucket that nothing was taken from for half the clock's round would look empty, though its
 * source was looked at all the time: what is full stays near now. */
static void buckets_follow(uint32_t *bucket, unsigned int n, struct source_clock now)
{
	for (unsigned int i = 0; i < n; i++) {
		if (token_ahead_us(bucket[i], now.us) == 0 && now.us - bucket[i] > TOKEN_SPAN_US)
			bucket[i] = now.us;
	}
}

void source_table_age(struct source_table *t, unsigned int sets, struct source_clock now)
{
	for (; sets > 0; sets--) {
		uint32_t set = t->age_next;

		t->age_next = set + 1 < t->sets ? set + 1 : 0;
		buckets_follow(&t->tags[set].overflow_us, 1, now);
		for (unsigned int i = 0; i < SOURCE_WAYS; i++) {
			struct source *s = &t->way[(size_t)set * SOURCE_WAYS + i];

			if (t->tags[set].tag[i] == 0)
				continue;
			if (source_class_now(t, s, now) == SOURCE_UNTRUSTED &&
				now.s - s->last_s > IDLE_S)
				place_clear(t, set, i);
			else
				buckets_follow(s->bucket, BUCKET_COUNT, now);
		}
	}
}

uint32_t source_table_used(const struct source_table *t)
{
	return __atomic_load_n(&t->used, __ATOMIC_RELAXED);
}

uint32_t source_table_size(const struct source_table *t)
{
	return t->sets * SOURCE_WAYS;
}

size_t source_table_bytes(const struct source_table *t)
{
	return sizeof(*t) + tags_bytes(t) + ways_bytes(t);
}
