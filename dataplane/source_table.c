/*
 * The policer's table. Plain heap memory made at start; the packet path only
 * reads and writes it.
 */
#include "source_table.h"

#include "token.h"

#define WAYS 8

struct source {
	uint8_t addr[16];
	uint64_t full_ns; /* token.h */
	uint16_t realm;
	uint8_t family; /* NET_FAMILY_NONE: never used */
	uint8_t pad[5];
};
static_assert(sizeof(struct source) == 32, "two a cache line");

struct source_set {
	_Alignas(64) struct source way[WAYS];
	uint64_t overflow_ns;
};

struct source_table {
	uint32_t sets; /* power of two */
	uint32_t used;
	uint64_t key[2];
	struct source_set *set;
};

struct source_table *source_table_new(uint32_t sources, const uint64_t key[2])
{
	struct source_table *t = calloc(1, sizeof(*t));
	uint32_t sets = 1;

	if (t == NULL)
		return NULL;
	while (sets < (UINT32_C(1) << 28) && sets * WAYS < sources)
		sets *= 2;
	t->sets = sets;
	t->key[0] = key[0];
	t->key[1] = key[1];
	t->set = aligned_alloc(64, sets * sizeof(struct source_set));
	if (t->set == NULL) {
		free(t);
		return NULL;
	}
	memset(t->set, 0, sets * sizeof(struct source_set));
	return t;
}

void source_table_free(struct source_table *t)
{
	if (t == NULL)
		return;
	free(t->set);
	free(t);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 r = (unsigned __int128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Two keyed 64x64 multiplications fold address and realm. */
static uint32_t set_find(const struct source_table *t, const struct net_addr *addr, uint16_t realm)
{
	uint64_t w[2], h;

	memcpy(w, addr->bytes, sizeof(w));
	h = mix(w[0] ^ t->key[0], w[1] ^ t->key[1] ^ 0x9e3779b97f4a7c15ull);
	h = mix(h ^ t->key[1],
		(((uint64_t)realm << 8) | addr->family) ^ t->key[0] ^ 0xd6e8feb86659fd93ull);
	return (uint32_t)(h >> 20) & (t->sets - 1);
}

bool source_table_take(struct source_table *t, const struct net_addr *addr, uint16_t realm,
	uint32_t rate, uint32_t burst, uint64_t now_ns)
{
	struct source_set *set;
	struct source *place = NULL;

	if (rate == 0)
		return true;
	set = &t->set[set_find(t, addr, realm)];
	for (unsigned int i = 0; i < WAYS; i++) {
		struct source *s = &set->way[i];

		if (s->family == addr->family && s->realm == realm &&
			memcmp(s->addr, addr->bytes, sizeof(s->addr)) == 0)
			return token_take(&s->full_ns, rate, burst, now_ns);
		if (place == NULL && s->full_ns <= now_ns)
			place = s;
	}
	if (place == NULL)
		return token_take(&set->overflow_ns, rate, burst, now_ns);
	if (place->family == NET_FAMILY_NONE)
		__atomic_store_n(&t->used, t->used + 1, __ATOMIC_RELAXED);
	memcpy(place->addr, addr->bytes, sizeof(place->addr));
	place->family = addr->family;
	place->realm = realm;
	place->full_ns = 0;
	return token_take(&place->full_ns, rate, burst, now_ns);
}

uint32_t source_table_used(const struct source_table *t)
{
	return __atomic_load_n(&t->used, __ATOMIC_RELAXED);
}

uint32_t source_table_size(const struct source_table *t)
{
	return t->sets * WAYS;
}

size_t source_table_bytes(const struct source_table *t)
{
	return sizeof(*t) + t->sets * sizeof(struct source_set);
}
