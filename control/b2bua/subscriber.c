/*
 * Who holds subscriptions: those of each realm are counted over all shards, those of one source
 * (an address and port) in each shard by itself.
 */
#include "subscription.h"

#include "b2bua_priv.h"

struct subscriber {
	struct {
		struct net_endpoint at;
		uint32_t realm;
	} key;
	uint32_t n;
	UT_hash_handle hh; /* b2bua.subscribers */
};

struct subscriber *subscriber_add(
	struct b2bua *b, uint16_t realm, const struct net_endpoint *source)
{
	const struct config_realm *r = b2bua_realm(b, realm);
	struct subscriber *s, *fresh = NULL;
	typeof(s->key) key = {.at = *source, .realm = realm};

	HASH_FIND(hh, b->subscribers, &key, sizeof(key), s);
	if (s == NULL) {
		s = fresh = calloc(1, sizeof(*s));
		if (s == NULL)
			return NULL;
		s->key = key;
		HASH_ADD(hh, b->subscribers, key, sizeof(key), s);
		if (s->hh.tbl == NULL) {
			free(s);
			return NULL;
		}
	}
	s->n++;
	if ((r->max_source_subscriptions == 0 || s->n <= r->max_source_subscriptions) &&
		limits_subscribe(b->env.limits, realm))
		return s;
	if (--s->n == 0) {
		HASH_DEL(b->subscribers, s);
		free(s);
	}
	return NULL;
}

void subscriber_del(struct b2bua *b, struct subscriber *s)
{
	if (s == NULL)
		return;
	limits_unsubscribe(b->env.limits, (uint16_t)s->key.realm);
	if (--s->n > 0)
		return;
	HASH_DEL(b->subscribers, s);
	free(s);
}
