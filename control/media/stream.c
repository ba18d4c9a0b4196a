#include <errno.h>

#include "media_priv.h"

struct media_stream *media_stream_find(struct media *m, uint64_t id)
{
	struct media_stream *st;

	HASH_FIND(hh, m->streams, &id, sizeof(id), st);
	return st;
}

static struct media *stream_media(const struct media_stream *st)
{
	return st->line->session->media;
}

static bool is_rtcp(const struct media_stream *st)
{
	return st == &st->line->stream[1];
}

/* The dataplane has it no more. */
static void stream_finish(struct media_stream *st)
{
	struct media *m = stream_media(st);

	HASH_DEL(m->streams, st);
	st->state = STREAM_NONE;
	st->known = st->dirty = false;
	st->unanswered = 0;
	memset(st->had, 0, sizeof(st->had));
	m->stats.streams--;
}

void media_stream_say(struct media_stream *st)
{
	struct media *m = stream_media(st);
	struct rec_stream_del del = {
		.cmd = {.hdr = {.type = REC_STREAM_DEL}, .cookie = st->id},
		.id = st->id,
		.local = st->sent[0],
	};
	int rc;

	/* What was refused has not moved it. */
	if (st->unanswered == 0 && st->had[0].addr.family != NET_FAMILY_NONE)
		del.local = st->had[0];

	if (st->state == STREAM_DELETING)
		rc = m->env.send(m->env.ctx, &del.cmd, sizeof(del));
	else
		rc = m->env.send(m->env.ctx, &st->said.cmd, sizeof(st->said));
	st->dirty = rc != 0;
	if (rc != 0) {
		m->dirty = true;
		m->stats.commands_failed++;
		return;
	}
	st->known = true;
	st->unanswered++;
	for (unsigned int end = 0; end < 2 && st->state == STREAM_SET; end++)
		st->sent[end] = st->said.end[end].local;
}

static bool same_stream(const struct rec_stream_set *a, const struct rec_stream_set *b)
{
	return memcmp(a->end, b->end, sizeof(a->end)) == 0 && a->kind == b->kind;
}

int media_stream_set(struct media_stream *st, const struct rec_stream_set *want)
{
	struct media *m = stream_media(st);

	if (st->state == STREAM_SET && !st->dirty && same_stream(&st->said, want))
		return 0;
	if (st->state == STREAM_NONE) {
		st->id = m->id_high | ++m->id_low;
		HASH_ADD(hh, m->streams, id, sizeof(st->id), st);
		if (st->hh.tbl == NULL)
			return -ENOMEM;
		m->stats.streams++;
	}
	st->state = STREAM_SET;
	st->said = *want;
	st->said.cmd.hdr.type = REC_STREAM_SET;
	st->said.cmd.cookie = st->id;
	st->said.id = st->id;
	media_stream_say(st);
	return 0;
}

void media_stream_del(struct media_stream *st)
{
	if (st->state != STREAM_SET)
		return;
	st->state = STREAM_DELETING;
	if (st->known)
		media_stream_say(st);
	else
		stream_finish(st);
}

/* The last one that went out: it is where that said. What is said and could not be sent (dirty)
 * comes later. */
static void stream_confirmed(struct media_stream *st, const struct rec_done *done)
{
	memcpy(st->flow, done->flow, sizeof(st->flow));
	if (st->unanswered > 0)
		return;
	for (unsigned int end = 0; end < 2; end++)
		st->had[end] = st->sent[end];
	media_line_settle(st->line);
}

void media_stream_done(struct media_stream *st, const struct rec_done *done)
{
	struct media_session *s = st->line->session;
	struct media *m = s->media;

	if (st->unanswered > 0)
		st->unanswered--;
	if (done->command == REC_STREAM_SET && done->status == 0)
		stream_confirmed(st, done);
	if (st->state == STREAM_DELETING) {
		if (st->unanswered == 0 && !st->dirty) {
			stream_finish(st);
			media_line_settle(st->line);
			media_session_check(s);
		}
		return;
	}
	if (done->command == REC_STREAM_SET && done->status != 0) {
		m->stats.commands_failed++;
		if (m->user.on_stream_gone != NULL && !s->ending)
			m->user.on_stream_gone(m->user.ctx, s->call_id, true);
		return; /* the session may be gone by now */
	}
	if (media_session_ready(s) && m->user.on_ready != NULL && !s->ending)
		m->user.on_ready(m->user.ctx, s->call_id);
}

/* Silence is what one expects of a held line. */
static bool line_is_held(const struct media_line *line)
{
	for (unsigned int side = 0; side < 2; side++)
		if (line->remote[side].direction != SDP_SENDRECV ||
			line->remote[side].rtp.addr.family == NET_FAMILY_NONE)
			return true;
	return false;
}

static void counts_add(struct stream_counts *sum, const struct stream_counts *c)
{
	sum->packets += c->packets;
	sum->bytes += c->bytes;
	sum->refused += c->refused;
	sum->policed += c->policed;
	sum->lost += c->lost;
	sum->duplicates += c->duplicates;
	sum->reordered += c->reordered;
	sum->late_gaps += c->late_gaps;
	if (c->packets != 0)
		sum->jitter_us = c->jitter_us;
	if (c->jitter_max_us > sum->jitter_max_us)
		sum->jitter_max_us = c->jitter_max_us;
}

void media_stream_silent(struct media_stream *st, unsigned int side)
{
	struct media_session *s = st->line->session;
	struct media *m = s->media;

	if (is_rtcp(st)) /* which many never send */
		return;
	st->silences[side]++;
	if (m->user.on_silent != NULL && !s->ending)
		m->user.on_silent(m->user.ctx, s->call_id, side, st->line->type);
}

void media_stream_gone(struct media_stream *st, const struct rec_stream_event *ev)
{
	struct media_session *s = st->line->session;
	struct media *m = s->media;

	for (unsigned int i = 0; i < 2; i++)
		counts_add(&st->counts[i], &ev->counts[i]);
	/* A delete that we asked for is over with its REC_DONE, which follows. */
	if (ev->reason != STREAM_GONE_INACTIVE || st->state != STREAM_SET)
		return;
	/* What we said and is not answered reached it later: then it has the stream again. */
	st->known = st->unanswered > 0;
	if (!is_rtcp(st) && s->watched && !line_is_held(st->line)) {
		if (m->user.on_stream_gone != NULL)
			m->user.on_stream_gone(m->user.ctx, s->call_id, false);
		return;
	}
	/* Not a sign of a dead call: many never send RTCP, and a held line is silent. */
	media_stream_say(st);
}
