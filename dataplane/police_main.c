/*
 * Main's side of the policer: control's word to the workers, their events to control, and the
 * sources that stand out, for the statistics.
 */
#include <errno.h>

#include <rte_ring_elem.h>

#include "attach.h"
#include "boundary.h"
#include "police.h"
#include "worker.h"

/* Events told to control a second: it logs each; a flood of many sources makes as many. */
#define EVENT_RATE 200
#define EVENT_BUDGET 256

bool police_ready(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		/* Workers are known before they are made. */
		if (workers[i].police != NULL && rte_ring_full(workers[i].police->set))
			return false;
	}
	return true;
}

int police_source_set(const struct rec_source_set *r)
{
	struct police_note note = {
		.source = r->source,
		.realm = r->realm,
		.source_class = r->source_class,
		.reason = r->reason,
		.seconds = r->seconds,
	};
	struct worker *w = &workers[worker_of_source(&r->source.addr)];

	/* Workers are known before they are made: nobody to tell. */
	if (w->police == NULL)
		return 0;
	/* The others get no packet of it. If it sleeps it looks in 10 ms at most. */
	return rte_ring_sp_enqueue_elem(w->police->set, &note, sizeof(note)) != 0 ? -EAGAIN : 0;
}

void police_events_take(uint64_t now_ns)
{
	static uint64_t full_ns;
	struct police_note note;

	for (unsigned int i = 0; i < n_workers; i++) {
		for (unsigned int n = 0; n < EVENT_BUDGET; n++) {
			struct rec_source_event e = {
				.hdr = {.type = REC_SOURCE_EVENT, .version = API_VERSION}};

			if (rte_ring_sc_dequeue_elem(
				    workers[i].police->event, &note, sizeof(note)) != 0)
				break;
			if (!token_take(&full_ns, EVENT_RATE, EVENT_RATE, now_ns))
				continue;
			e.source = note.source;
			e.realm = note.realm;
			e.source_class = note.source_class;
			e.reason = note.reason;
			e.seconds = note.seconds;
			boundary_event(ATTACH_SHARD_MAIN, &e, sizeof(e));
		}
	}
}

/* --- the sources that stand out --- */

struct top {
	struct stats_source source[STATS_SOURCES_MAX]; /* the first n, most first */
	unsigned int n;
};

static bool before(const struct stats_source *a, const struct stats_source *b)
{
	bool a_denied = a->source_class == SOURCE_DENIED;
	bool b_denied = b->source_class == SOURCE_DENIED;

	return a_denied != b_denied ? a_denied : a->refused > b->refused;
}

static void top_add(struct top *top, const struct stats_source *s)
{
	unsigned int at = top->n < STATS_SOURCES_MAX ? top->n++ : STATS_SOURCES_MAX - 1;

	if (at == STATS_SOURCES_MAX - 1 && top->source[at].source.addr.family != NET_FAMILY_NONE &&
		!before(s, &top->source[at]))
		return;
	for (; at > 0 && before(s, &top->source[at - 1]); at--)
		top->source[at] = top->source[at - 1];
	top->source[at] = *s;
}

/* The worker writes meanwhile: a copy is judged, and one that makes no sense is left out. */
static void top_add_source(struct top *top, const struct source *from, uint32_t now_s)
{
	struct source s = *from;
	uint32_t left = s.until_s - now_s;
	struct stats_source out = {
		.source.addr.family = s.kind & 0xf,
		.source.port = s.port,
		.realm = s.realm,
		.source_class = s.source_class,
		.reason = s.reason,
		.messages = s.messages,
		.refused = s.refused,
	};

	/* The place is on the list, but whoever has it now may be an ordinary source. */
	if ((s.flags & SOURCE_NOTED) == 0 || s.source_class >= SOURCE_CLASS_COUNT ||
		s.kind >> 4 == SOURCE_PREFIX || (s.refused == 0 && s.source_class != SOURCE_DENIED))
		return;
	if (s.source_class != SOURCE_UNTRUSTED) {
		/* Ran out, but nobody looked at it since. */
		if ((int32_t)left <= 0)
			out.source_class = SOURCE_UNTRUSTED;
		else
			out.left_s = left;
	}
	memcpy(out.source.addr.bytes, s.addr, sizeof(s.addr));
	top_add(top, &out);
}

void police_top_refresh(uint64_t now_ns)
{
	uint32_t now_s = source_clock(now_ns).s;
	static struct top top;

	memset(&top, 0, sizeof(top));
	for (unsigned int i = 0; i < n_workers; i++) {
		const struct source_table *t = workers[i].police->sources;

		for (unsigned int n = 0; n < SOURCE_NOTED_MAX; n++) {
			uint32_t at = __atomic_load_n(&t->noted[n], __ATOMIC_RELAXED);

			if (at != 0)
				top_add_source(&top, &t->way[at - 1], now_s);
		}
	}
	memcpy(stats_region->source, top.source, sizeof(top.source));
}
