#include <errno.h>
#include <openssl/rand.h>
#include <utlist.h>

#include "media_priv.h"

struct media_session *media_session_new(
	struct media *m, uint64_t call_id, const struct media_side sides[2])
{
	struct media_session *s = calloc(1, sizeof(*s));
	uint64_t random[2];

	if (s == NULL || RAND_bytes((unsigned char *)random, sizeof(random)) != 1) {
		free(s);
		return NULL;
	}
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

static void line_free(struct media_line *line)
{
	for (unsigned int side = 0; side < 2; side++)
		if (line->port[side] != 0)
			port_pool_put(line->pool[side], line->port[side]);
	free(line);
}

static void session_free(struct media_session *s)
{
	struct media *m = s->media;

	for (unsigned int i = 0; i < s->n_lines; i++)
		line_free(s->line[i]);
	free(s->sdp_sent[0]);
	free(s->sdp_sent[1]);
	DL_DELETE(m->sessions, s);
	m->stats.sessions--;
	free(s);
}

/* The family in which `side` is offered a stream: that of its signalling, else what there is. */
static unsigned int family_to_offer(const struct media_session *s, unsigned int side)
{
	const struct media_pools *p = &s->media->pools[s->side[side].realm];
	unsigned int family = s->side[side].family;

	if (media_pools_have(p, family))
		return family;
	return family == NET_FAMILY_V6 ? NET_FAMILY_V4 : NET_FAMILY_V6;
}

static int port_take(
	struct media_session *s, struct media_line *line, unsigned int side, unsigned int family)
{
	struct media *m = s->media;
	struct port_pool *near = s->n_lines > 0 ? s->line[0]->pool[side] : NULL;

	if (line->port[side] != 0)
		return 0;
	line->port[side] =
		media_pools_take(&m->pools[s->side[side].realm], family, near, &line->pool[side]);
	if (line->port[side] != 0)
		return 0;
	m->stats.ports_exhausted++;
	return -ENOSPC;
}

/* Lines for an offer of `from`, and ports on both sides for those that it wants; what is there is
 * used again. */
static int lines_take(struct media_session *s, unsigned int from, const struct sdp *sdp,
	const struct media_remote *remote)
{
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		struct media_line *line;

		if (i == s->n_lines) {
			line = calloc(1, sizeof(*line));
			if (line == NULL)
				return -ENOMEM;
			line->session = s;
			line->stream[0].line = line->stream[1].line = line;
			s->line[s->n_lines++] = line;
		}
		line = s->line[i];
		if (!remote[i].wanted)
			continue;
		if (port_take(s, line, from, sdp->media[i].addr.family) != 0 ||
			port_take(s, line, !from, family_to_offer(s, !from)) != 0)
			return -ENOSPC;
	}
	return 0;
}

/* Undo lines_take() beyond the lines that were there before. */
static void lines_drop(struct media_session *s, unsigned int keep)
{
	while (s->n_lines > keep) {
		line_free(s->line[--s->n_lines]);
		s->line[s->n_lines] = NULL;
	}
}

/* Our addresses in a description for `side`. That of the o= line stays what it was at first (RFC
 * 3264 section 8); a description without streams has one all the same. */
static void addresses_fill(struct media_session *s, unsigned int side, struct sdp_rewrite *rw)
{
	const struct media_pools *p = &s->media->pools[s->side[side].realm];

	for (unsigned int i = 0; i < rw->n_media; i++) {
		if (rw->port[i] == 0)
			continue;
		rw->addr[i] = s->line[i]->pool[side]->addr;
		if (s->origin[side].family == NET_FAMILY_NONE)
			s->origin[side] = rw->addr[i];
	}
	for (unsigned int i = 0; i < p->n && s->origin[side].family == NET_FAMILY_NONE; i++)
		if (p->pool[i].addr.family == family_to_offer(s, side))
			s->origin[side] = p->pool[i].addr;
	rw->origin = s->origin[side];
}

/* Our description for `side`: the version goes up when it differs from the last one sent
 * (RFC 3264 section 8). Takes effect by remember(). */
static int describe(struct media_session *s, unsigned int side, const struct sdp *in,
	struct sdp_rewrite *rw, char *out, size_t cap)
{
	int len;

	addresses_fill(s, side, rw);
	rw->session_id = s->sdp_session_id[side];
	rw->version = s->sdp_version[side];
	len = sdp_build(in, rw, out, cap);
	if (len < 0 || s->sdp_sent[side] == NULL)
		return len;
	if (sv_eq((struct str_view){s->sdp_sent[side], strlen(s->sdp_sent[side])},
		    (struct str_view){out, (size_t)len}))
		return len;
	rw->version++;
	return sdp_build(in, rw, out, cap);
}

static int remember(
	struct media_session *s, unsigned int side, uint64_t version, const char *text, int len)
{
	char *copy = strndup(text, (size_t)len);

	if (copy == NULL)
		return -ENOMEM;
	free(s->sdp_sent[side]);
	s->sdp_sent[side] = copy;
	s->sdp_version[side] = version;
	return 0;
}

/* Any m= line that is on, and one of these that we can relay? */
static int check_usable(const struct sdp *sdp, const struct media_remote *remote)
{
	bool on = false;

	for (unsigned int i = 0; i < sdp->n_media; i++) {
		on |= sdp->media[i].port != 0;
		if (remote[i].wanted)
			return 0;
	}
	return on ? -ENOTSUP : 0;
}

static int read_sdp(const struct media_session *s, unsigned int side, struct str_view text,
	const struct net_addr *source, struct sdp *sdp, struct media_remote remote[SDP_MEDIA_MAX])
{
	int rc = sdp_parse(text, sdp);

	for (unsigned int i = 0; rc == 0 && i < sdp->n_media; i++) {
		rc = media_remote_from_sdp(s, side, i < s->n_lines ? s->line[i] : NULL,
			&sdp->media[i], source, &remote[i]);
		if (rc == 0)
			sdp_codecs_read(sdp, &sdp->media[i], &remote[i].codecs);
	}
	return rc == 0 ? check_usable(sdp, remote) : rc;
}

int media_session_offer(struct media_session *s, unsigned int side, struct str_view text,
	const struct net_addr *source, char *out, size_t cap)
{
	struct media_remote remote[SDP_MEDIA_MAX];
	struct sdp_rewrite rw = {0};
	struct sdp sdp;
	unsigned int had = s->n_lines;
	int rc = read_sdp(s, side, text, source, &sdp, remote);
	int len;

	if (rc != 0)
		return rc;
	if (sdp.n_media < s->n_agreed)
		return -ENOTSUP; /* RFC 3264 section 8: m= lines never go away */
	rc = lines_take(s, side, &sdp, remote);
	if (rc != 0)
		goto undo;
	rw.n_media = sdp.n_media;
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		rw.port[i] = remote[i].wanted ? s->line[i]->port[!side] : 0;
		rw.rtcp_mux[i] = remote[i].rtcp_mux;
	}
	rc = len = describe(s, !side, &sdp, &rw, out, cap);
	if (len < 0)
		goto undo;
	rc = remember(s, !side, rw.version, out, len);
	if (rc != 0)
		goto undo;
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		struct media_line *line = s->line[i];

		line->offered = remote[i];
		line->offered_kind = sdp.media[i].kind;
		snprintf(line->type, sizeof(line->type), "%.*s", SV_ARG(sdp.media[i].type));
	}
	s->offering = true;
	s->offer_side = side;
	s->n_offered = sdp.n_media;
	return len;
undo:
	lines_drop(s, had);
	return rc;
}

int media_session_answer(struct media_session *s, unsigned int side, struct str_view text,
	const struct net_addr *source, char *out, size_t cap)
{
	struct media_remote remote[SDP_MEDIA_MAX] = {0};
	struct sdp_rewrite rw = {0};
	struct sdp sdp;
	int rc, len;

	if (!s->offering || s->offer_side == side)
		return -EPROTO;
	rc = read_sdp(s, side, text, source, &sdp, remote);
	if (rc != 0)
		return rc;
	if (sdp.n_media != s->n_offered)
		return -EBADMSG; /* RFC 3264 section 6 */
	rw.n_media = sdp.n_media;
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		const struct media_line *line = s->line[i];
		bool on = line->offered.wanted && remote[i].wanted &&
			  line->offered_kind == sdp.media[i].kind;

		remote[i].wanted = on;
		rw.port[i] = on ? line->port[!side] : 0;
		/* RFC 5761 section 5.1.1: only if both say so. */
		rw.rtcp_mux[i] = line->offered.rtcp_mux && remote[i].rtcp_mux;
	}
	len = describe(s, !side, &sdp, &rw, out, cap);
	if (len < 0)
		return len;
	rc = remember(s, !side, rw.version, out, len);
	if (rc != 0)
		return rc;
	s->n_agreed = sdp.n_media;
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		struct media_line *line = s->line[i];

		line->kind = line->offered_kind;
		line->remote[!side] = line->offered;
		line->remote[side] = remote[i];
		line->answer_side = side;
		line->rtcp_mux = rw.rtcp_mux[i];
		rc = media_line_apply(s, line);
		if (rc != 0)
			return rc;
	}
	return len;
}

void media_session_reject(struct media_session *s)
{
	s->offering = false;
}

void media_session_watch(struct media_session *s)
{
	s->watched = true;
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
