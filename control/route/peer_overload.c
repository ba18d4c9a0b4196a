#include "peer_overload.h"

struct peer {
	struct sip_oc said;
	uint64_t until_ms; /* as long that holds */
	uint64_t refused;
	uint32_t left_out;   /* loss: percent that have come together */
	uint64_t next_ms256; /* rate: when the next may go, in 1/256 ms */
};

struct peer_overload {
	unsigned int n, shards;
	struct peer peer[];
};

struct peer_overload *peer_overload_new(const struct config *config, unsigned int shards)
{
	struct peer_overload *p = calloc(1, sizeof(*p) + config->n_peers * sizeof(p->peer[0]));

	if (p == NULL)
		return NULL;
	p->n = config->n_peers;
	p->shards = shards;
	return p;
}

void peer_overload_free(struct peer_overload *p)
{
	free(p);
}

static bool is_limited(const struct peer *e, uint64_t now_ms)
{
	return now_ms < e->until_ms && (e->said.algo == SIP_OC_RATE || e->said.value > 0);
}

void peer_overload_says(
	struct peer_overload *p, uint64_t now_ms, unsigned int peer, const struct sip_oc *oc)
{
	struct peer *e = &p->peer[peer];

	/* RFC 7339 section 4.4: answers overtake each other. */
	if (now_ms < e->until_ms && oc->seq < e->said.seq)
		return;
	e->said = *oc;
	e->until_ms = now_ms + oc->validity_ms;
}

/* Every so many-th, without luck: 25 percent leave out each fourth. */
static bool loss_takes(struct peer *e)
{
	e->left_out += e->said.value;
	if (e->left_out < 100)
		return true;
	e->left_out -= 100;
	return false;
}

/* RFC 7415 section 3.5.1: a leaky bucket; a tenth of a second may go at once. */
static bool rate_takes(struct peer *e, uint64_t now_ms, unsigned int shards)
{
	uint64_t now = now_ms * 256, gap;

	if (e->said.value == 0)
		return false;
	gap = 256000ull * shards / e->said.value;
	if (e->next_ms256 < now)
		e->next_ms256 = now;
	if (e->next_ms256 > now + 25600)
		return false;
	e->next_ms256 += gap;
	return true;
}

bool peer_overload_takes(struct peer_overload *p, uint64_t now_ms, unsigned int peer)
{
	struct peer *e = &p->peer[peer];

	if (!is_limited(e, now_ms) ||
		(e->said.algo == SIP_OC_RATE ? rate_takes(e, now_ms, p->shards) : loss_takes(e)))
		return true;
	e->refused++;
	return false;
}

struct peer_overload_state peer_overload_get(
	const struct peer_overload *p, uint64_t now_ms, unsigned int peer)
{
	const struct peer *e = &p->peer[peer];

	return (struct peer_overload_state){.limited = is_limited(e, now_ms),
		.algo = e->said.algo,
		.value = e->said.value,
		.refused = e->refused};
}
