/*
 * What a worker knows of the sources of SIP and of kernel-bound traffic: class, token buckets
 * and refusals, in a bounded table. Sets of fifteen; a set's tags are one cache line and each
 * source is one, so that an unknown source costs one miss and a known one two, and both can be
 * fetched ahead for a whole burst. One table a worker; nothing is shared.
 */
#ifndef SALLYPORT_SOURCE_TABLE_H
#define SALLYPORT_SOURCE_TABLE_H

#if defined(__AVX2__)
#include <immintrin.h>
#endif
#include <rte_prefetch.h>

#include "addr.h"
#include "records.h"
#include "token.h"

/** What of a source an entry stands for. */
enum source_level {
	SOURCE_PORT = 1, /* one address and port */
	SOURCE_ADDRESS,	 /* an address, all its ports */
	SOURCE_PREFIX,	 /* a /24 or /64 */
	SOURCE_LEVEL_COUNT
};

/** Buckets of an entry: of SOURCE_PORT messages and, from BUCKET_METHOD on, enum police_method. */
enum {
	BUCKET_SIP = 0,
	BUCKET_METHOD = 1,
	/* of SOURCE_ADDRESS, besides BUCKET_SIP */
	BUCKET_TCP_SYN = 1,
	BUCKET_TCP_BYTES = 2,
	BUCKET_ICMP = 3,
	BUCKET_COUNT = 1 + POLICE_METHOD_COUNT
};

/* source.flags */
#define SOURCE_WAS_TRUSTED 0x01 /* when it went over its rate */
#define SOURCE_NOTED 0x02 /* of the place: it is on the table's list of those that stand out */

/** One source. An untrusted one is forgotten when idle. */
struct source {
	_Alignas(64) uint64_t addr[2]; /* as in net_addr.bytes */
	uint16_t port;		       /* SOURCE_PORT; else 0 */
	uint16_t realm;
	uint8_t kind;	      /* enum source_level << 4 | enum net_family */
	uint8_t source_class; /* enum source_class; valid until until_s */
	uint8_t reason;	      /* enum source_reason */
	uint8_t flags;	      /* SOURCE_* */
	uint32_t until_s;
	uint32_t last_s;   /* last looked at */
	uint16_t strikes;  /* refusals since window_s */
	uint16_t window_s; /* low bits */
	uint32_t messages; /* passed */
	uint32_t refused;
	uint32_t bucket[BUCKET_COUNT]; /* token32_*() */
};
static_assert(sizeof(struct source) == 64, "one cache line");

#define SOURCE_WAYS 15

/** Tags of a set; 0: the place is free. */
struct source_tags {
	_Alignas(64) uint32_t tag[SOURCE_WAYS];
	uint32_t overflow_us; /* bucket of those who find no place */
};
static_assert(sizeof(struct source_tags) == 64, "one cache line");

/** Sources that stand out (refused or denied), newest first round; for the statistics. */
#define SOURCE_NOTED_MAX 1024

struct source_table {
	uint32_t sets;
	uint32_t age_next; /* set that source_table_age() looks at next */
	uint64_t key[2];
	struct source_tags *tags;
	struct source *way;					  /* SOURCE_WAYS a set */
	uint32_t classed[SOURCE_LEVEL_COUNT][SOURCE_CLASS_COUNT]; /* entries of a class */
	uint32_t used;						  /* reader: main */
	uint32_t noted_next;
	uint32_t noted[SOURCE_NOTED_MAX]; /* index of a way + 1; 0: none. Reader: main */
};

/** A source to look up; made by source_key(). */
struct source_key {
	uint64_t addr[2];
	uint64_t rest; /* port, realm, kind as they lie in struct source */
	uint32_t set;
	uint32_t tag; /* never 0 */
};

/** The time in the units that entries use. */
struct source_clock {
	uint64_t ns;
	uint32_t us, s;
};

static inline struct source_clock source_clock(uint64_t now_ns)
{
	return (struct source_clock){
		now_ns, (uint32_t)(now_ns / 1000), (uint32_t)(now_ns / 1000000000u)};
}

/**
 * @param sources  that it shall hold: twice as many places are made, so that sets that get more
 *                 than their share are rare (1 in 1,000 sources finds its set full then).
 * @param key      random: where a source lands cannot be aimed at from outside.
 * @return NULL when out of memory. Caller frees with source_table_free(). All of its memory,
 *         137 bytes a source, is there from the start.
 */
struct source_table *source_table_new(uint32_t sources, const uint64_t key[2]);
void source_table_free(struct source_table *t);

/* --- the owning worker; none of these allocates --- */

static inline uint64_t source_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 r = (unsigned __int128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* What the address adds to the hash, by a keyed multiplication 64x64. */
static inline uint64_t source_address_mix(const struct source_table *t, const uint64_t addr[2])
{
	return source_mix(addr[0] ^ t->key[0], addr[1] ^ t->key[1] ^ 0x9e3779b97f4a7c15ull);
}

static inline void source_key_finish(
	const struct source_table *t, uint64_t address_mix, uint64_t rest, struct source_key *k)
{
	uint64_t h = source_mix(address_mix ^ t->key[1], rest ^ t->key[0] ^ 0xd6e8feb86659fd93ull);

	k->rest = rest;
	k->set = (uint32_t)((h >> 32) * t->sets >> 32);
	k->tag = (uint32_t)h | 1;
}

static inline uint64_t source_rest(
	const struct net_addr *addr, uint16_t port, uint16_t realm, enum source_level level)
{
	return port | (uint64_t)realm << 16 | (uint64_t)(level << 4 | addr->family) << 32;
}

static inline void source_key(const struct source_table *t, const struct net_addr *addr,
	uint16_t port, uint16_t realm, enum source_level level, struct source_key *k)
{
	static const uint8_t net24[8] = {0xff, 0xff, 0xff};
	uint64_t mask = UINT64_MAX;

	memcpy(k->addr, addr->bytes, sizeof(k->addr));
	if (level == SOURCE_PREFIX) {
		/* A whole word: a byte stored here would be waited for. */
		if (addr->family == NET_FAMILY_V4)
			memcpy(&mask, net24, sizeof(mask));
		k->addr[0] &= mask;
		k->addr[1] = 0;
	}
	source_key_finish(
		t, source_address_mix(t, k->addr), source_rest(addr, port, realm, level), k);
}

/** source_key() of SOURCE_PORT and of SOURCE_ADDRESS. */
static inline void source_key_pair(const struct source_table *t, const struct net_addr *addr,
	uint16_t port, uint16_t realm, struct source_key *own, struct source_key *address)
{
	uint64_t mix;

	memcpy(own->addr, addr->bytes, sizeof(own->addr));
	memcpy(address->addr, addr->bytes, sizeof(address->addr));
	mix = source_address_mix(t, own->addr);
	source_key_finish(t, mix, source_rest(addr, port, realm, SOURCE_PORT), own);
	source_key_finish(t, mix, source_rest(addr, 0, realm, SOURCE_ADDRESS), address);
}

/** Fetch the tags, then, when they are there, the entry that they point to. */
static inline void source_prefetch_tags(const struct source_table *t, const struct source_key *k)
{
	rte_prefetch0(&t->tags[k->set]);
}

/* Bit i: tag i is k's. Several compares at once; the compiler makes fifteen of the plain loop. */
static inline uint32_t source_matches(const struct source_table *t, const struct source_key *k)
{
#if defined(__AVX2__)
	const __m256i wanted = _mm256_set1_epi32((int)k->tag);
	const __m256i *tags = (const __m256i *)(const void *)&t->tags[k->set];
	__m256 low = _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_load_si256(tags), wanted));
	__m256 high = _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_load_si256(tags + 1), wanted));

	static_assert(SOURCE_WAYS == 15, "the sixteenth word is no tag");
	return (uint32_t)_mm256_movemask_ps(low) |
	       ((uint32_t)_mm256_movemask_ps(high) << 8 & 0x7f00);
#else
	typedef int32_t four __attribute__((vector_size(16)));
	static const four weight[4] = {
		{1, 2, 4, 8}, {16, 32, 64, 128}, {256, 512, 1024, 2048}, {4096, 8192, 16384, 0}};
	const int32_t want = (int32_t)k->tag;
	const four wanted = {want, want, want, want};
	four sum = {0}, tags[4];

	static_assert(SOURCE_WAYS == 15, "the sixteenth word is no tag");
	memcpy(tags, &t->tags[k->set], sizeof(tags));
	for (unsigned int i = 0; i < 4; i++)
		sum |= (tags[i] == wanted) & weight[i];
	return (uint32_t)(sum[0] | sum[1] | sum[2] | sum[3]);
#endif
}

/** @return what is fetched: where the entry most probably is; NULL: it was not there. */
static inline struct source *source_prefetch_entry(
	const struct source_table *t, const struct source_key *k)
{
	uint32_t bits = source_matches(t, k);
	struct source *s;

	if (bits == 0)
		return NULL;
	s = &t->way[(size_t)k->set * SOURCE_WAYS + (unsigned int)__builtin_ctz(bits)];
	rte_prefetch0(s);
	return s;
}

static inline bool source_is(const struct source *s, const struct source_key *k)
{
	uint64_t rest;

	static_assert(offsetof(struct source, port) == 16 && offsetof(struct source, realm) == 18 &&
			      offsetof(struct source, kind) == 20,
		"as source_key() puts them");
	memcpy(&rest, &s->port, sizeof(rest));
	return ((s->addr[0] ^ k->addr[0]) | (s->addr[1] ^ k->addr[1]) | ((rest ^ k->rest) << 24)) ==
	       0;
}

/** @return the entry, borrowed until the next source_add() or source_table_age(); or NULL. */
static inline struct source *source_find(const struct source_table *t, const struct source_key *k)
{
	for (uint32_t bits = source_matches(t, k); bits != 0; bits &= bits - 1) {
		struct source *s =
			&t->way[(size_t)k->set * SOURCE_WAYS + (unsigned int)__builtin_ctz(bits)];

		if (source_is(s, k))
			return s;
	}
	return NULL;
}

/** source_find() of what source_prefetch_entry() has fetched. */
static inline struct source *source_find_fetched(
	const struct source_table *t, const struct source_key *k, struct source *fetched)
{
	return fetched != NULL && source_is(fetched, k) ? fetched : source_find(t, k);
}

/**
 * Find an entry or make one.
 *
 * Its place may be one of an untrusted source that owes nothing (all buckets full, no strikes):
 * that is the same as none. For a trusted or denied source any untrusted one gives way; else the
 * denied one whose time ends first; for a trusted one, if all are trusted, the one whose time
 * ends first.
 * @param source_class  what the caller is about to make of it.
 * @return NULL when the set is full of such as do not give way.
 */
struct source *source_add(struct source_table *t, const struct source_key *k,
	enum source_class source_class, struct source_clock now);

/** Class now: what has run out is untrusted again. */
enum source_class source_class_now(
	struct source_table *t, struct source *s, struct source_clock now);

/** @param seconds  how long; of SOURCE_UNTRUSTED 0. */
void source_class_set(struct source_table *t, struct source *s, enum source_class source_class,
	enum source_reason reason, uint32_t seconds, struct source_clock now);

/** Count a refusal, and put the source among those that stand out. */
void source_refuse(struct source_table *t, struct source *s);

/** A source is looked at: buckets of one that was idle are full. */
static inline void source_touch(struct source *s, struct source_clock now)
{
	if (now.s - s->last_s > TOKEN_SPAN_US / 1000000u) {
		for (unsigned int i = 0; i < BUCKET_COUNT; i++)
			s->bucket[i] = now.us;
	}
	s->last_s = now.s;
}

/** Look at some sets: what is idle and untrusted is forgotten, classes that ran out end. */
void source_table_age(struct source_table *t, unsigned int sets, struct source_clock now);

/* --- any thread --- */

/** Entries now, and all there are. */
uint32_t source_table_used(const struct source_table *t);
uint32_t source_table_size(const struct source_table *t);
size_t source_table_bytes(const struct source_table *t);

#endif
