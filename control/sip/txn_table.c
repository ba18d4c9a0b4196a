/* Open addressing with linear probing; what is taken out leaves no mark (Knuth, TAOCP volume 3,
 * section 6.4, algorithm R). The keys are hashes already. */
#include "txn_table.h"

#include <errno.h>

#define SIZE_FIRST 64

void txn_table_fini(struct txn_table *t)
{
	free(t->slot);
	*t = (struct txn_table){0};
}

/* Where this one would like to be. */
static size_t home(const struct txn_table *t, const struct txn_slot *s)
{
	return s->h & (t->size - 1);
}

static size_t next(const struct txn_table *t, size_t i)
{
	return (i + 1) & (t->size - 1);
}

const struct txn_key *txn_table_find(const struct txn_table *t, const struct txn_key *key)
{
	const struct txn_slot wanted = {.h = key->h[0]}, *s;

	if (t->n == 0)
		return NULL;
	for (size_t i = home(t, &wanted); (s = &t->slot[i])->key != NULL; i = next(t, i))
		if (s->h == wanted.h && s->key->h[1] == key->h[1])
			return s->key;
	return NULL;
}

static void put(struct txn_table *t, const struct txn_slot *s)
{
	size_t i = home(t, s);

	while (t->slot[i].key != NULL)
		i = next(t, i);
	t->slot[i] = *s;
}

static int grow(struct txn_table *t)
{
	struct txn_table more = {.n = t->n, .size = t->size == 0 ? SIZE_FIRST : 2 * t->size};

	more.slot = calloc(more.size, sizeof(more.slot[0]));
	if (more.slot == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->slot[i].key != NULL)
			put(&more, &t->slot[i]);
	free(t->slot);
	*t = more;
	return 0;
}

int txn_table_add(struct txn_table *t, const struct txn_key *key)
{
	if (2 * (t->n + 1) > t->size && grow(t) != 0)
		return -ENOMEM;
	put(t, &(struct txn_slot){.h = key->h[0], .key = key});
	t->n++;
	return 0;
}

void txn_table_del(struct txn_table *t, const struct txn_key *key)
{
	const struct txn_slot gone = {.h = key->h[0]};
	size_t hole = home(t, &gone);

	while (t->slot[hole].key != key) {
		assert(t->slot[hole].key != NULL);
		hole = next(t, hole);
	}
	/* Those behind it that could not be found across a hole move up. */
	for (size_t i = next(t, hole); t->slot[i].key != NULL; i = next(t, i)) {
		size_t from_home = (i - home(t, &t->slot[i])) & (t->size - 1);
		size_t from_hole = (i - hole) & (t->size - 1);

		if (from_home < from_hole)
			continue;
		t->slot[hole] = t->slot[i];
		hole = i;
	}
	t->slot[hole] = (struct txn_slot){0};
	t->n--;
}
