#include <errno.h>
#include <utlist.h>

#include "media_priv.h"
#include "random.h"

struct media_session *media_session_new(
	struct media *m, uint64_t call_id, const struct media_side sides[2])
{
	struct media_session *s = calloc(1, sizeof(*s));
	uint64_t random[2];

	if (s == NULL)
		return NULL;
	random_bytes(random, sizeof(random));
	s->media = m;
	s->call_id = call_id;
	for (unsigned int side = 0; side < 2; side++) {
		s->side[side] = sides[side];
		s->sdp_session_id[side] = random[side] >> 2; /* fits a signed 63-bit reader */
		s->sdp_version[side] = 1;
	}
	DL_APPEND(m->sessions, s);
	m->stats.sessions++;
	return s;
}

void media_port_put(struct media_port *p)
{
	if (p->port != 0)
		port_pool_put(p->pool, p->port);
	*p = (struct media_port){NULL, 0};
}

struct media_line *media_line_new(struct media_session *s)
{
	struct media_line *line = calloc(1, sizeof(*line));

	if (line == NULL)
		return NULL;
	line->session = s;
	line->stream[0].line = line->stream[1].line = line;
	return line;
}

void media_line_free(struct media_line *line)
{
	media_port_put(&line->own[0]);
	media_port_put(&line->own[1]);
	media_port_put(&line->next);
	media_port_put(&line->left);
	free(line);
}

static bool stream_has_moved(const struct media_stream *st)
{
	return st->state == STREAM_NONE ||
	       (net_endpoint_eq(&st->had[0], &st->said.end[0].local) &&
		       net_endpoint_eq(&st->had[1], &st->said.end[1].local));
}

void media_line_settle(struct media_line *line)
{
	if (stream_has_moved(&line->stream[0]) && stream_has_moved(&line->stream[1]))
		media_port_put(&line->left);
}

static void session_free(struct media_session *s)
{
	struct media *m = s->media;

	for (unsigned int i = 0; i < s->n_lines; i++)
		media_line_free(s->line[i]);
	free(s->sdp_sent[0]);
	free(s->sdp_sent[1]);
	free(s->sdp_before[0]);
	free(s->sdp_before[1]);
	DL_DELETE(m->sessions, s);
	m->stats.sessions--;
	free(s);
}

void media_session_reject(struct media_session *s)
{
	char **before = &s->sdp_before[!s->offer_side];

	/* What was refused is not what a refresh of the session says again. */
	if (s->offering && *before != NULL) {
		free(s->sdp_sent[!s->offer_side]);
		s->sdp_sent[!s->offer_side] = *before;
		*before = NULL;
	}
	s->offering = false;
	media_offer_drop(s);
}

void media_session_switch(struct media_session *s)
{
	s->n_agreed = 0;
}

void media_session_watch(struct media_session *s)
{
	s->watched = true;
}

const char *media_session_sent(const struct media_session *s, unsigned int side)
{
	return s->sdp_sent[side];
}

bool media_session_ready(const struct media_session *s)
{
	for (unsigned int i = 0; i < s->n_lines; i++)
		for (unsigned int k = 0; k < MEDIA_STREAMS_PER_LINE; k++)
			if (s->line[i]->stream[k].state == STREAM_SET &&
				(s->line[i]->stream[k].unanswered > 0 ||
					s->line[i]->stream[k].dirty))
				return false;
	return true;
}

static bool session_is_empty(const struct media_session *s)
{
	for (unsigned int i = 0; i < s->n_lines; i++)
		for (unsigned int k = 0; k < MEDIA_STREAMS_PER_LINE; k++)
			if (s->line[i]->stream[k].state != STREAM_NONE)
				return false;
	return true;
}

bool media_session_end(struct media_session *s)
{
	s->ending = true;
	for (unsigned int i = 0; i < s->n_lines; i++)
		for (unsigned int k = 0; k < MEDIA_STREAMS_PER_LINE; k++)
			media_stream_del(&s->line[i]->stream[k]);
	if (!session_is_empty(s))
		return false;
	session_free(s);
	return true;
}

void media_session_forget(struct media_session *s)
{
	s->forgotten = true;
}

void media_session_discard(struct media_session *s)
{
	for (unsigned int i = 0; i < s->n_lines; i++)
		for (unsigned int k = 0; k < MEDIA_STREAMS_PER_LINE; k++)
			if (s->line[i]->stream[k].state != STREAM_NONE)
				HASH_DEL(s->media->streams, &s->line[i]->stream[k]);
	session_free(s);
}

void media_session_check(struct media_session *s)
{
	const struct media_user *user = &s->media->user;

	if (!s->ending || !session_is_empty(s))
		return;
	if (!s->forgotten && user->on_closed != NULL)
		user->on_closed(user->ctx, s->call_id, s);
	session_free(s);
}
