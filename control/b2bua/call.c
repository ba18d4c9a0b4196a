#include <utlist.h>

#include "b2bua_priv.h"
#include "reputation.h"
#include "route.h"
#include "text_format.h"

struct call *call_new(struct b2bua *b)
{
	struct call *c = calloc(1, sizeof(*c));
	char random[9];

	if (c == NULL)
		return NULL;
	c->b = b;
	c->id = ((uint64_t)b->env.shard << 48) | ++b->last_id;
	sip_random_token(random, sizeof(random) - 1);
	(void)text_format(c->name, sizeof(c->name), "%u-%llu-%s", b->env.shard,
		(unsigned long long)b->last_id, random);
	c->start_ms = b2bua_utc_ms();
	c->leg[SIDE_CALLER].state = c->leg[SIDE_CALLEE].state = LEG_GONE;
	HASH_ADD(hh, b->calls, id, sizeof(c->id), c);
	if (c->hh.tbl == NULL) {
		call_free(c);
		return NULL;
	}
	return c;
}

void call_free(struct call *c)
{
	struct b2bua *b = c->b;

	transfer_forget(c);
	call_dismiss(c);
	exchange_over(c);
	timer_cancel(b->env.timers, &c->timer);
	timer_cancel(b->env.timers, &c->goes_on);
	timer_cancel(b->env.timers, &c->ex.timer);
	call_trace_end(c);
	leg_fini(&c->leg[SIDE_CALLER]);
	leg_fini(&c->leg[SIDE_CALLEE]);
	while (c->forks != NULL)
		fork_free(c->forks);
	free(c->media_report);
	free(c->replaces);
	free(c->transfer_of);
	if (c->hh.tbl != NULL)
		HASH_DEL(b->calls, c);
	free(c);
}

struct call *call_find(const struct b2bua *b, uint64_t id)
{
	struct call *c;

	HASH_FIND(hh, b->calls, &id, sizeof(id), c);
	return c;
}

void call_count(struct call *c)
{
	c->counted = true;
	c->b->stats.calls_total++;
	c->b->stats.calls_active++;
}

/* --- what it says of its caller --- */

static void note_caller(struct call *c, enum reputation_event event)
{
	struct b2bua *b = c->b;

	reputation_note(b->env.reputation, b->env.timers->now_ms, c->leg[SIDE_CALLER].dialog->realm,
		&c->credited, event, (struct str_view){NULL, 0});
}

static void on_goes_on(void *ctx);

static void wait_to_go_on(struct call *c)
{
	struct b2bua *b = c->b;

	timer_arm(b->env.timers, &c->goes_on,
		reputation_in_call_ms(b->env.reputation, c->leg[SIDE_CALLER].dialog->realm),
		on_goes_on, c);
}

static void on_goes_on(void *ctx)
{
	note_caller(ctx, REPUTATION_IN_CALL);
	wait_to_go_on(ctx);
}

void call_credit(struct call *c, const struct net_endpoint *caller)
{
	if (c->b->env.reputation == NULL)
		return;
	c->credited = *caller;
	note_caller(c, REPUTATION_CALL);
	if (c->state != CALL_ENDED)
		wait_to_go_on(c);
}

static void end_credit(struct call *c)
{
	if (c->goes_on.slot != 0)
		note_caller(c, REPUTATION_IN_CALL);
	timer_cancel(c->b->env.timers, &c->goes_on);
}

/* --- the end --- */

static void on_counts_timeout(void *ctx)
{
	struct call *c = ctx;

	if (c->media != NULL) {
		struct media_session *s = c->media;

		call_media_closed(c, s);
		media_session_forget(s);
	}
}

static void end_media(struct call *c)
{
	if (c->media == NULL)
		return;
	c->media_ending = true;
	if (media_session_end(c->media))
		c->media = NULL;
	else
		timer_arm(c->b->env.timers, &c->timer, CALL_COUNTS_WAIT_MS, on_counts_timeout, c);
}

void call_media_closed(struct call *c, const struct media_session *s)
{
	cdr_keep_media(c, s);
	c->media = NULL;
	timer_cancel(c->b->env.timers, &c->timer);
	call_check(c);
}

void call_end(struct call *c, enum call_cause cause, unsigned int status, enum call_end_by by)
{
	struct b2bua *b = c->b;
	struct fork *f;

	if (c->state == CALL_ENDED)
		return;
	if (c->answer_ms != 0)
		b->stats.calls_answered_active--;
	else if (c->counted)
		b->stats.calls_failed++;
	c->state = CALL_ENDED;
	c->cause = cause;
	c->ended_by = by;
	c->sip_status = c->answer_ms != 0 ? 200 : status;
	c->end_ms = b2bua_utc_ms();
	c->end_at = b->env.timers->now_ms;
	timer_cancel(b->env.timers, &c->timer);
	end_credit(c);
	transfer_on_end(c);
	LL_FOREACH(c->forks, f)
	{
		reliable_stop(f);
		carry_abort(f);
	}
	session_stop(&c->leg[SIDE_CALLER]);
	session_stop(&c->leg[SIDE_CALLEE]);
	exchange_abort(c, status);
	bye_leg(&c->leg[SIDE_CALLER]);
	bye_leg(&c->leg[SIDE_CALLEE]);
	end_media(c);
	call_check(c);
}

void call_check(struct call *c)
{
	struct b2bua *b = c->b;

	if (c->state != CALL_ENDED || c->media != NULL)
		return;
	if (!c->recorded) {
		c->recorded = true;
		cdr_write(c);
		if (c->counted)
			b->stats.calls_active--;
	}
	if (c->leg[SIDE_CALLER].state != LEG_GONE || c->leg[SIDE_CALLEE].state != LEG_GONE)
		return;
	call_dismiss(c);
	/* A BYE that crosses ours finds its dialog and gets 200; a transferor that has hung up
	 * is told how its transfer fares. */
	if (c->transfer != NULL || dialog_has_txn(c->leg[SIDE_CALLER].dialog, SIP_BYE) ||
		dialog_has_txn(c->leg[SIDE_CALLEE].dialog, SIP_BYE) || c->dead)
		return;
	c->dead = true;
	c->dead_next = b->dead;
	b->dead = c;
	timer_arm(b->env.timers, &b->reaper, 0, call_reap, b);
}

void call_abandon(struct call *c)
{
	if (c->state != CALL_ENDED) {
		c->state = CALL_ENDED;
		c->cause = CAUSE_SHUTDOWN;
		c->ended_by = ENDED_BY_BOX;
		c->sip_status = c->answer_ms != 0 ? 200 : 503;
		c->end_ms = b2bua_utc_ms();
		c->end_at = c->b->env.timers->now_ms;
	}
	if (!c->recorded)
		cdr_write(c);
	c->recorded = true;
	if (c->media != NULL && !c->media_ending)
		(void)media_session_end(c->media);
	call_free(c);
}

void call_reap(void *ctx)
{
	struct b2bua *b = ctx;

	while (b->dead != NULL) {
		struct call *c = b->dead;

		b->dead = c->dead_next;
		call_free(c);
	}
}
