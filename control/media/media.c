#include <errno.h>

#include "attach.h"
#include "log.h"
#include "media_priv.h"
#include "random.h"

struct media *media_new(const struct media_env *env)
{
	const struct config *c = env->config;
	struct media *m = calloc(1, sizeof(*m));
	uint32_t high;

	if (m == NULL)
		return NULL;
	m->env = *env;
	m->pools = calloc(c->n_realms ? c->n_realms : 1, sizeof(m->pools[0]));
	if (m->pools == NULL)
		goto fail;
	random_bytes(&high, sizeof(high));
	m->id_high = (uint64_t)high << 32;
	for (unsigned int r = 0; r < c->n_realms; r++)
		if (media_pools_init(m, &c->realms[r], &m->pools[r]) != 0)
			goto fail;
	return m;
fail:
	media_free(m);
	return NULL;
}

void media_free(struct media *m)
{
	if (m == NULL)
		return;
	while (m->sessions != NULL)
		media_session_discard(m->sessions);
	for (unsigned int r = 0; m->pools != NULL && r < m->env.config->n_realms; r++)
		media_pools_fini(&m->pools[r]);
	free(m->pools);
	free(m);
}

void media_set_user(struct media *m, const struct media_user *user)
{
	static const struct media_user none;

	m->user = user ? *user : none;
}

const struct media_stats *media_get_stats(const struct media *m)
{
	return &m->stats;
}

static int on_stream_event(struct media *m, const struct rec_stream_event *ev)
{
	struct media_stream *st = media_stream_find(m, ev->id);

	switch (ev->hdr.type) {
	case REC_STREAM_GONE:
		if (ev->reason >= STREAM_GONE_COUNT)
			return -EBADMSG;
		if (st != NULL)
			media_stream_gone(st, ev);
		else
			for (unsigned int i = 0; i < 2; i++)
				media_orphan_del(m, ev->end[i].realm, &ev->end[i].local);
		return 0;
	case REC_STREAM_INFO: /* an earlier control's: its ports are not ours yet */
		for (unsigned int i = 0; st == NULL && i < 2; i++)
			media_orphan_add(m, ev->end[i].realm, &ev->end[i].local);
		return 0;
	case REC_STREAM_SILENT:
		if (ev->latched_end > 1)
			return -EBADMSG;
		if (st != NULL)
			media_stream_silent(st, ev->latched_end);
		return 0;
	default: /* REC_STREAM_LATCHED needs no answer */
		return 0;
	}
}

int media_on_event(struct media *m, const struct record_hdr *rec, size_t len)
{
	struct media_stream *st;
	struct rec_done done;
	struct rec_stream_event ev;

	switch (rec->type) {
	case REC_DONE:
		if (len != sizeof(done))
			return -EBADMSG;
		memcpy(&done, rec, sizeof(done));
		st = media_stream_find(m, done.cookie);
		if (st == NULL)
			return 0; /* late news of a stream that is over */
		if (done.status != 0 && done.command == REC_STREAM_SET)
			log_error_limited(
				"dataplane refused a media stream id=%#llx status=%d port=%u",
				(unsigned long long)st->id, done.status,
				st->said.end[0].local.port);
		media_stream_done(st, &done);
		return 0;
	case REC_STREAM_INFO:
	case REC_STREAM_GONE:
	case REC_STREAM_LATCHED:
	case REC_STREAM_SILENT:
		if (len != sizeof(ev))
			return -EBADMSG;
		memcpy(&ev, rec, sizeof(ev));
		return on_stream_event(m, &ev);
	case REC_INFO_END:
		return len == sizeof(struct rec_info_end) ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

void media_on_attach(struct media *m)
{
	struct media_stream *st, *tmp;

	m->dirty = false;
	HASH_ITER(hh, m->streams, st, tmp)
	{
		st->unanswered = 0; /* the old rings are gone, and their answers with them */
		media_stream_say(st);
	}
}

void media_on_detach(struct media *m)
{
	for (unsigned int r = 0; r < m->env.config->n_realms; r++)
		for (unsigned int i = 0; i < m->pools[r].n; i++)
			port_pool_orphan_clear(&m->pools[r].pool[i]);
}

void media_flush(struct media *m)
{
	struct media_stream *st, *tmp;

	if (!m->dirty)
		return;
	m->dirty = false;
	HASH_ITER(hh, m->streams, st, tmp)
	{
		if (!st->dirty)
			continue;
		media_stream_say(st);
		if (st->dirty)
			return; /* still full; media_stream_say() set m->dirty again */
	}
}

static struct port_pool *pool_of(struct media *m, uint16_t realm, const struct net_endpoint *local)
{
	return realm < m->env.config->n_realms ? media_pools_find(&m->pools[realm], local) : NULL;
}

void media_orphan_add(struct media *m, uint16_t realm, const struct net_endpoint *local)
{
	struct port_pool *p = pool_of(m, realm, local);

	if (p != NULL)
		port_pool_orphan_add(p, local->port);
}

void media_orphan_del(struct media *m, uint16_t realm, const struct net_endpoint *local)
{
	struct port_pool *p = pool_of(m, realm, local);

	if (p != NULL)
		port_pool_orphan_del(p, local->port);
}
