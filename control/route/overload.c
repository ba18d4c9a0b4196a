#include "overload.h"

#include <time.h>

#include "sip_oc.h"

#define WAIT_MAX_US 10000000ull /* a longer wait says no more */

/* RFC 8033 section 4.2 wants alpha 1/8 and beta 5/4 a second with updates each 15 ms. An integral
 * part scales with the interval; the other does not. */
#define ALPHA (0.125 * OVERLOAD_INTERVAL_MS / 15)
#define BETA 1.25
/* Section 5.5 there: no jump, whatever one stall of the process was. */
#define STEP_MAX 0.1
/* And away with it when nothing waits: 0.98 each 15 ms. */
#define DECAY 0.87
/* Section 4.1 there: a short burst is nobody's fault. */
#define SAFE_SHARE 0.2

/* A request comes again after 500 ms at first (timer A, E of RFC 3261); a refusal that is not
 * remembered so long may let a call in that its caller has given up. */
#define REFUSED_SLOTS 16384
#define OC_VALIDITY_MS 1000
#define REFUSED_MS 32000 /* 64*T1 */

struct refused {
	uint32_t tag;
	uint32_t until_ms; /* low bits of the clock */
};

struct overload {
	const struct config *config;
	struct overload_stats stats;
	double share; /* refused for delay, 0..1 */
	uint64_t wait_us, wait_before_us;
	uint64_t message_us;  /* what the message at hand has waited */
	uint64_t shortest_us; /* of this interval; UINT64_MAX: nothing came */
	uint64_t next_ms;     /* end of it */
	double rate;	      /* calls a second; 0: no limit */
	double tokens;
	uint64_t tokens_ms;
	struct sip_oc oc; /* what neighbours are told */
	struct refused refused[REFUSED_SLOTS];
};

/* RFC 7339 section 4.4 has the time of day for the number, which must not go back. */
static void oc_set(struct overload *o)
{
	unsigned int percent = overload_percent(o);
	uint64_t seq = (uint64_t)time(NULL) * 100000;

	if (percent == o->oc.value && o->oc.seq != 0)
		return;
	o->oc.value = percent;
	o->oc.validity_ms = percent > 0 ? OC_VALIDITY_MS : 0;
	o->oc.seq = seq > o->oc.seq ? seq : o->oc.seq + 1;
}

struct overload *overload_new(const struct config *config, unsigned int shards, uint64_t now_ms)
{
	struct overload *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->config = config;
	o->shortest_us = UINT64_MAX;
	o->tokens_ms = o->next_ms = now_ms;
	o->rate = (double)config->ops.overload.call_rate / shards;
	o->tokens = o->rate;
	oc_set(o);
	return o;
}

void overload_free(struct overload *o)
{
	free(o);
}

const struct overload_stats *overload_get_stats(const struct overload *o)
{
	return &o->stats;
}

void overload_note_wait(struct overload *o, uint64_t wait_us)
{
	o->message_us = wait_us;
	if (wait_us < o->shortest_us)
		o->shortest_us = wait_us < WAIT_MAX_US ? wait_us : WAIT_MAX_US;
}

/* Small shares move in small steps (RFC 8033 section 4.2), or they would swing. */
static double step_scale(double share)
{
	static const struct {
		double below, scale;
	} rows[] = {
		{0.001, 1.0 / 32},
		{0.01, 1.0 / 8},
		{0.1, 1.0 / 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (share < rows[i].below)
			return rows[i].scale;
	return 1;
}

/*
 * The shortest wait of an interval counts: a queue that was empty once in it is no standing one,
 * whatever a burst or a stall did to single messages.
 */
static void interval_end(struct overload *o)
{
	double limit_s = o->config->ops.overload.delay_ms / 1000.0, wait_s, before_s, step;

	o->wait_before_us = o->wait_us;
	o->wait_us = o->shortest_us != UINT64_MAX ? o->shortest_us : 0;
	o->shortest_us = UINT64_MAX;
	wait_s = (double)o->wait_us / 1e6;
	before_s = (double)o->wait_before_us / 1e6;
	o->stats.waits_over += wait_s > limit_s;
	step = ALPHA * (wait_s - limit_s) + BETA * (wait_s - before_s);
	step *= step_scale(o->share);
	o->share += step < STEP_MAX ? step : STEP_MAX;
	if (wait_s < limit_s / 2 && before_s < limit_s / 2)
		o->share *= DECAY;
	if (o->share < 0.0001)
		o->share = 0;
	if (o->share > 1)
		o->share = 1;
}

void overload_tick(struct overload *o, uint64_t now_ms)
{
	uint64_t idle;

	if (o->config->ops.overload.delay_ms == 0 || now_ms < o->next_ms)
		return;
	/* Several intervals at once: a sleep, of which the queue was empty, or a stall, of which
	 * nothing is known. */
	idle = o->shortest_us == 0 ? (now_ms - o->next_ms) / OVERLOAD_INTERVAL_MS : 0;
	interval_end(o);
	while (idle-- > 0 && o->share > 0) {
		o->shortest_us = 0;
		interval_end(o);
	}
	o->next_ms = now_ms + OVERLOAD_INTERVAL_MS;
	oc_set(o);
}

/* --- one request --- */

static struct refused *refused_slot(struct overload *o, uint64_t key)
{
	return &o->refused[(key >> 32) % REFUSED_SLOTS];
}

static bool was_refused(struct overload *o, uint64_t now_ms, uint64_t key)
{
	const struct refused *r = refused_slot(o, key);
	uint32_t left = r->until_ms - (uint32_t)now_ms;

	return r->tag == ((uint32_t)key | 1) && left <= REFUSED_MS;
}

static bool refuse(struct overload *o, uint64_t now_ms, uint64_t key, uint64_t *count)
{
	struct refused *r = refused_slot(o, key);

	r->tag = (uint32_t)key | 1; /* 0: a slot that was never used */
	r->until_ms = (uint32_t)now_ms + REFUSED_MS;
	++*count;
	return false;
}

/* A bucket of one second. */
static bool rate_takes(struct overload *o, uint64_t now_ms)
{
	if (o->rate == 0)
		return true;
	o->tokens += (double)(now_ms - o->tokens_ms) * o->rate / 1000;
	o->tokens_ms = now_ms;
	if (o->tokens > o->rate)
		o->tokens = o->rate;
	if (o->tokens < 1)
		return false;
	o->tokens--;
	return true;
}

/*
 * The key decides, not a die: the same request has the same luck. While the queue stands and the
 * share is still on its way, what has waited twice as long as it may is refused whatever its key:
 * in 500 ms it comes again.
 */
static bool delay_refuses(const struct overload *o, uint64_t key)
{
	double limit_us = o->config->ops.overload.delay_ms * 1000.0;

	if ((double)o->wait_us > limit_us && (double)o->message_us > 2 * limit_us)
		return true;
	if (o->share < SAFE_SHARE && (double)o->wait_us < limit_us / 2)
		return false;
	return (double)(key & 0xffffff) < o->share * 0x1000000;
}

bool overload_admit(struct overload *o, uint64_t now_ms, uint64_t key, bool call)
{
	if (was_refused(o, now_ms, key)) {
		o->stats.refused_again++;
		return false;
	}
	if (o->share > 0 && delay_refuses(o, key))
		return refuse(o, now_ms, key, &o->stats.refused_delay);
	if (call && !rate_takes(o, now_ms))
		return refuse(o, now_ms, key, &o->stats.refused_rate);
	return true;
}

void overload_note_emergency(struct overload *o)
{
	o->stats.emergency++;
}

const struct sip_oc *overload_oc(const struct overload *o)
{
	return &o->oc;
}

unsigned int overload_percent(const struct overload *o)
{
	return (unsigned int)(100 * o->share + 0.99);
}

uint64_t overload_wait_us(const struct overload *o)
{
	return o->wait_us;
}
