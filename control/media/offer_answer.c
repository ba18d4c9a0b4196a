/*
 * Offer and answer (RFC 3264) through the box: the description that one side sent becomes
 * ours for the other side, under the policies of both.
 */
#include <errno.h>

#include "media_priv.h"
#include "sdp_policy.h"
#include "text_format.h"

/* The family in which `side` is offered a stream: that of its signalling, else what there is. */
static unsigned int family_to_offer(const struct media_session *s, unsigned int side)
{
	const struct media_pools *p = &s->media->pools[s->side[side].realm];
	unsigned int family = s->side[side].family;

	if (media_pools_have(p, family))
		return family;
	return family == NET_FAMILY_V6 ? NET_FAMILY_V4 : NET_FAMILY_V6;
}

static unsigned int port_family(const struct media_port *p)
{
	return p->port != 0 ? p->pool->addr.family : NET_FAMILY_NONE;
}

static int port_take(
	struct media_session *s, unsigned int side, unsigned int family, struct media_port *out)
{
	struct media *m = s->media;
	struct port_pool *near = s->n_lines > 0 ? s->line[0]->own[side].pool : NULL;

	if (out->port != 0)
		return 0;
	out->port = media_pools_take(&m->pools[s->side[side].realm], family, near, &out->pool);
	if (out->port != 0)
		return 0;
	m->stats.ports_exhausted++;
	return -ENOSPC;
}

/* Ports of one line that an offer of `from` wants; what is there is used again, but for the
 * offerer's when its family is another one now: `next` is for that. */
static int line_take(struct media_session *s, struct media_line *line, unsigned int from,
	unsigned int family, struct media_port *next)
{
	unsigned int now = port_family(&line->own[from]);
	int rc = port_take(s, !from, family_to_offer(s, !from), &line->own[!from]);

	if (rc != 0)
		return rc;
	if (now == NET_FAMILY_NONE || now == family)
		return port_take(s, from, family, &line->own[from]);
	/* One move at a time: the dataplane has not confirmed the last one. */
	return line->left.port != 0 ? -ENOSPC : port_take(s, from, family, next);
}

/* Lines for an offer of `from`, and ports on both sides for those that it wants. */
static int lines_take(struct media_session *s, unsigned int from, const struct sdp *sdp,
	const struct media_remote *remote, struct media_port next[SDP_MEDIA_MAX])
{
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		int rc;

		if (i == s->n_lines) {
			s->line[i] = media_line_new(s);
			if (s->line[i] == NULL)
				return -ENOMEM;
			s->n_lines++;
		}
		if (!remote[i].wanted)
			continue;
		rc = line_take(s, s->line[i], from, remote[i].family, &next[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Undo lines_take() beyond what was there before. */
static void lines_drop(
	struct media_session *s, unsigned int keep, struct media_port next[SDP_MEDIA_MAX])
{
	for (unsigned int i = 0; i < SDP_MEDIA_MAX; i++)
		media_port_put(&next[i]);
	while (s->n_lines > keep) {
		media_line_free(s->line[--s->n_lines]);
		s->line[s->n_lines] = NULL;
	}
}

void media_offer_drop(struct media_session *s)
{
	for (unsigned int i = 0; i < s->n_lines; i++)
		media_port_put(&s->line[i]->next);
}

/* Our address in the o= line of a description for `side` stays what it was at first (RFC 3264
 * section 8); a description without streams has one all the same. */
static void origin_fill(struct media_session *s, unsigned int side, struct sdp_rewrite *rw)
{
	const struct media_pools *p = &s->media->pools[s->side[side].realm];
	struct net_addr *origin = &s->origin[side];

	for (unsigned int i = 0; i < rw->n_media && origin->family == NET_FAMILY_NONE; i++)
		if (rw->line[i].port != 0)
			*origin = rw->line[i].addr;
	for (unsigned int i = 0; i < p->n && origin->family == NET_FAMILY_NONE; i++)
		if (p->pool[i].addr.family == family_to_offer(s, side))
			*origin = p->pool[i].addr;
	rw->origin = *origin;
}

/* Our description for `side`: the version goes up when it differs from the last one sent
 * (RFC 3264 section 8). Takes effect by remember(). */
static int describe(struct media_session *s, unsigned int side, const struct sdp *in,
	struct sdp_rewrite *rw, char *out, size_t cap)
{
	int len;

	rw->n_media = in->n_media;
	origin_fill(s, side, rw);
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

/* @param offer  it may be refused: what was agreed on is kept for media_session_reject(). */
static int remember(struct media_session *s, unsigned int side, bool offer, uint64_t version,
	const char *text, int len)
{
	char *copy = strndup(text, (size_t)len);

	if (copy == NULL)
		return -ENOMEM;
	if (offer && s->sdp_before[side] == NULL)
		s->sdp_before[side] = s->sdp_sent[side];
	else
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

static bool passes_srtp(const struct media_side *side)
{
	return side->policy != NULL && side->policy->srtp == SRTP_PASS;
}

/* What either side's policy refuses is as good as not understood. */
static void police(const struct media_session *s, unsigned int side, struct sdp *sdp)
{
	bool srtp = passes_srtp(&s->side[0]) && passes_srtp(&s->side[1]);

	for (unsigned int i = 0; i < sdp->n_media; i++)
		if (sdp->media[i].security != SDP_SECURITY_NONE && !srtp)
			sdp->media[i].kind = SDP_KIND_REFUSED;
	sdp_policy_filter(sdp, s->side[side].policy);
	sdp_policy_filter(sdp, s->side[!side].policy);
}

/* The family of our end of a line towards `side`. An answer keeps what was offered, an offer may
 * bring another one: then it is that of the description. */
static unsigned int family_kept(const struct media_session *s, unsigned int side, bool offer,
	unsigned int i, const struct net_addr *signalled)
{
	unsigned int now = i < s->n_lines ? port_family(&s->line[i]->own[side]) : NET_FAMILY_NONE;

	return offer && !sdp_addr_is_hold(signalled) ? NET_FAMILY_NONE : now;
}

static int read_sdp(const struct media_session *s, unsigned int side, bool offer,
	struct str_view text, const struct net_addr *source, struct sdp *sdp,
	struct media_remote remote[SDP_MEDIA_MAX])
{
	int rc = sdp_parse(text, sdp);

	if (rc != 0)
		return rc;
	police(s, side, sdp);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &sdp->media[i];

		rc = media_remote_from_sdp(s, side, family_kept(s, side, offer, i, &m->addr),
			i < s->n_lines ? &s->line[i]->remote[side] : NULL, m, source, &remote[i]);
		if (rc != 0)
			return rc;
		sdp_codecs_read(sdp, m, &remote[i].codecs);
	}
	return check_usable(sdp, remote);
}

static void rewrite_line(struct sdp_rewrite_line *out, const struct media_port *ours,
	const struct media_remote *r, bool on)
{
	out->direction = r->direction;
	if (!on)
		return;
	out->port = ours->port;
	out->addr = ours->pool->addr;
	out->rtcp_mux = r->rtcp_mux;
}

static void offer_keep(struct media_session *s, unsigned int side, const struct sdp *sdp,
	const struct media_remote *remote, const struct media_port *next)
{
	media_offer_drop(s);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		struct media_line *line = s->line[i];

		line->next = next[i];
		line->offered = remote[i];
		(void)text_format(
			line->type, sizeof(line->type), "%.*s", SV_ARG(sdp->media[i].type));
	}
	s->offering = true;
	s->offer_side = side;
	s->n_offered = sdp->n_media;
}

int media_session_offer(struct media_session *s, unsigned int side, struct str_view text,
	const struct net_addr *source, char *out, size_t cap)
{
	struct media_remote remote[SDP_MEDIA_MAX];
	struct media_port next[SDP_MEDIA_MAX] = {0};
	struct sdp_rewrite rw = {0};
	struct sdp sdp;
	unsigned int had = s->n_lines;
	int rc = read_sdp(s, side, true, text, source, &sdp, remote);
	int len;

	if (rc != 0)
		return rc;
	if (sdp.n_media < s->n_agreed)
		return -ENOTSUP; /* RFC 3264 section 8: m= lines never go away */
	rc = lines_take(s, side, &sdp, remote, next);
	if (rc != 0)
		goto undo;
	for (unsigned int i = 0; i < sdp.n_media; i++)
		rewrite_line(&rw.line[i], &s->line[i]->own[!side], &remote[i], remote[i].wanted);
	sdp_policy_order(&sdp, s->side[!side].policy);
	rc = len = describe(s, !side, &sdp, &rw, out, cap);
	if (len < 0)
		goto undo;
	rc = remember(s, !side, true, rw.version, out, len);
	if (rc != 0)
		goto undo;
	offer_keep(s, side, &sdp, remote, next);
	return len;
undo:
	lines_drop(s, had, next);
	return rc;
}

/* The answer's word on one line, held against the offer: the same kind of stream, no other
 * direction than the offer leaves, RTCP on one port if both say so (RFC 5761 section 5.1.1). */
static void line_agree(const struct media_line *line, struct media_remote *answer)
{
	const struct media_remote *offer = &line->offered;

	answer->wanted = answer->wanted && offer->wanted && answer->kind == offer->kind &&
			 answer->codecs.security == offer->codecs.security;
	answer->direction = sdp_direction_answer(offer->direction, answer->direction);
	answer->rtcp_mux = answer->rtcp_mux && offer->rtcp_mux;
}

/* The offerer's port of its new family takes the place of the old one, which is free as soon as
 * the streams have left it. */
static void line_move(struct media_line *line, unsigned int offerer)
{
	if (line->next.port == 0)
		return;
	line->left = line->own[offerer];
	line->own[offerer] = line->next;
	line->next = (struct media_port){NULL, 0};
}

/* A line that was agreed on in another fork, and of which this one knows nothing. */
static int line_drop(struct media_session *s, struct media_line *line)
{
	line->remote[0].wanted = line->remote[1].wanted = false;
	return media_line_apply(s, line);
}

static int answer_apply(struct media_session *s, unsigned int side,
	const struct media_remote *remote, unsigned int n)
{
	s->n_agreed = n;
	for (unsigned int i = 0; i < n; i++) {
		struct media_line *line = s->line[i];
		int rc;

		if (remote[i].wanted)
			line_move(line, !side);
		line->kind = line->offered.kind;
		line->remote[!side] = line->offered;
		line->remote[side] = remote[i];
		line->answer_side = side;
		line->rtcp_mux = remote[i].rtcp_mux;
		rc = media_line_apply(s, line);
		if (rc != 0)
			return rc;
		media_line_settle(line);
	}
	for (unsigned int i = n; i < s->n_lines; i++) {
		int rc = line_drop(s, s->line[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
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
	rc = read_sdp(s, side, false, text, source, &sdp, remote);
	if (rc != 0)
		return rc;
	if (sdp.n_media != s->n_offered)
		return -EBADMSG; /* RFC 3264 section 6 */
	for (unsigned int i = 0; i < sdp.n_media; i++) {
		const struct media_line *line = s->line[i];

		line_agree(line, &remote[i]);
		rewrite_line(&rw.line[i], line->next.port != 0 ? &line->next : &line->own[!side],
			&remote[i], remote[i].wanted);
	}
	len = describe(s, !side, &sdp, &rw, out, cap);
	if (len < 0)
		return len;
	rc = remember(s, !side, false, rw.version, out, len);
	if (rc == 0)
		rc = answer_apply(s, side, remote, sdp.n_media);
	if (rc != 0)
		return rc;
	free(s->sdp_before[side]);
	s->sdp_before[side] = NULL;
	return len;
}
