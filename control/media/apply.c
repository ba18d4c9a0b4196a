#include <errno.h>

#include "media_priv.h"
#include "media_rate.h"

bool media_addr_is_own(const struct config *c, const struct net_addr *a)
{
	for (unsigned int r = 0; r < c->n_realms; r++) {
		const struct config_realm *realm = &c->realms[r];

		for (unsigned int i = 0; i < realm->n_media; i++)
			if (net_addr_eq(&realm->media[i].addr, a))
				return true;
		for (unsigned int i = 0; i < realm->n_addresses; i++)
			if (net_addr_eq(&realm->addresses[i].addr, a))
				return true;
		for (unsigned int i = 0; i < realm->n_listeners; i++)
			if (net_addr_eq(&realm->listeners[i].local.addr, a))
				return true;
	}
	return false;
}

/* threats.md row 28: no loopback, multicast, broadcast; never ourselves. */
static bool addr_may_get_media(const struct config *c, const struct net_addr *a)
{
	return net_addr_is_unicast_peer(a) && !media_addr_is_own(c, a);
}

static void set_rtcp(const struct config *c, const struct sdp_media *line, bool believe,
	struct media_remote *out)
{
	uint32_t port = line->rtcp_port ? line->rtcp_port : (uint32_t)line->port + 1;

	if (port > UINT16_MAX)
		return;
	out->rtcp.addr = out->rtp.addr;
	if (believe && line->rtcp_addr.family == out->rtp.addr.family &&
		addr_may_get_media(c, &line->rtcp_addr))
		out->rtcp.addr = line->rtcp_addr;
	out->rtcp.port = (uint16_t)port;
}

/* Who holds without an address (RFC 3264 section 8.4) may still play music to us: from behind NAT
 * where its signalling comes from, else from where it was before. */
static void hold_from_sdp(
	struct media_remote *out, const struct net_addr *from, const struct media_remote *before)
{
	out->wanted = out->family != NET_FAMILY_NONE;
	if (out->learn_port && from->family == out->family)
		out->allowed = *from;
	else if (!out->learn_port && before != NULL && before->allowed.family == out->family)
		out->allowed = before->allowed;
}

static int talk_from_sdp(const struct config *c, const struct sdp_media *line,
	const struct net_addr *from, struct media_remote *out)
{
	struct net_addr addr = line->addr;
	bool learn = out->learn_port;

	if (!addr_may_get_media(c, &addr))
		return -EADDRNOTAVAIL;
	/* The signalled address is not where signalling comes from: it stands behind NAT,
	 * or wants media sent to somebody else. Only the source of signalling counts, and
	 * it says nothing of the other family. */
	if (addr.family != out->family || (learn && from->family != out->family))
		return 0;
	if (learn && !net_addr_eq(&addr, from))
		addr = *from;
	out->wanted = true;
	out->rtp = (struct net_endpoint){.addr = addr, .port = line->port};
	set_rtcp(c, line, !learn, out);
	out->allowed = addr;
	return 0;
}

int media_remote_from_sdp(const struct media_session *s, unsigned int side, unsigned int family,
	const struct media_remote *before, const struct sdp_media *line,
	const struct net_addr *source, struct media_remote *out)
{
	const struct config *c = s->media->env.config;
	const struct config_realm *realm = &c->realms[s->side[side].realm];
	struct net_addr from = net_addr_normalise(source);
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->kind = line->kind;
	out->direction = sdp_direction_meant(line);
	out->rtcp_mux = line->rtcp_mux;
	if (line->kind == SDP_KIND_REFUSED || line->port == 0)
		return 0;
	if (line->addr.family == NET_FAMILY_NONE)
		return -EADDRNOTAVAIL;
	if (family == NET_FAMILY_NONE &&
		media_pools_have(&s->media->pools[s->side[side].realm], line->addr.family))
		family = line->addr.family;
	out->family = (uint8_t)family;
	out->learn_port = realm->nat == NAT_AUTO;
	if (sdp_addr_is_hold(&line->addr))
		hold_from_sdp(out, &from, before);
	else
		rc = talk_from_sdp(c, line, &from, out);
	out->prefix_len = out->allowed.family == NET_FAMILY_V6 ? realm->latch_prefix_v6
							       : realm->latch_prefix_v4;
	return rc;
}

/*
 * RFC 3264 section 8.4: what a held side sends stops here, since the one who holds may play music
 * into the same call. RTCP goes on both ways (RFC 3264 section 6.1).
 */
static bool may_send(const struct media_line *line, unsigned int side)
{
	const struct media_remote *from = &line->remote[side], *to = &line->remote[!side];

	return (from->direction == SDP_SENDRECV || from->direction == SDP_SENDONLY) &&
	       (to->direction == SDP_SENDRECV || to->direction == SDP_RECVONLY) &&
	       to->rtp.addr.family != NET_FAMILY_NONE;
}

/* What `side` may send by what both have said. */
static void fill_rates(
	const struct media_line *line, unsigned int side, bool rtcp, struct stream_end *e)
{
	const struct sdp_codecs *answer = &line->remote[line->answer_side].codecs;
	const struct sdp_codecs *offer = &line->remote[!line->answer_side].codecs;
	const struct sdp_codecs *receiver = &line->remote[!side].codecs;
	struct media_rates r;

	if (line->kind == SDP_KIND_RTP) {
		r = media_rate_rtp(answer, offer, receiver, line->rtcp_mux);
		if (rtcp)
			r = media_rate_rtcp(&r, answer->security);
		else
			e->clock_hz = answer->clock_hz;
	} else {
		r = media_rate_udptl(receiver);
	}
	e->packets = r.packets;
	e->bytes = r.bytes;
}

static void fill_end(const struct media_session *s, const struct media_line *line,
	unsigned int side, bool rtcp, struct stream_end *e)
{
	const struct media_remote *r = &line->remote[side];

	e->local.addr = line->own[side].pool->addr;
	e->local.port = (uint16_t)(line->own[side].port + rtcp);
	e->remote = rtcp ? r->rtcp : r->rtp;
	e->allowed = r->allowed;
	/* RTCP of its own address (RFC 3605) is heard from there. */
	if (rtcp && r->rtcp.addr.family != NET_FAMILY_NONE)
		e->allowed = r->rtcp.addr;
	e->realm = s->side[side].realm;
	e->prefix_len = r->prefix_len;
	if (e->allowed.family != NET_FAMILY_NONE && (rtcp || may_send(line, side)))
		e->flags |= STREAM_END_RECEIVE;
	if (r->learn_port)
		e->flags |= STREAM_END_LEARN_PORT;
	fill_rates(line, side, rtcp, e);
}

static enum stream_kind stream_kind(const struct media_line *line, bool rtcp)
{
	/* DTLS comes on both ports, before the first packet of media and later (RFC 5764). */
	if (line->kind != SDP_KIND_RTP ||
		line->remote[line->answer_side].codecs.security == SDP_SECURITY_DTLS)
		return STREAM_ANY;
	if (rtcp)
		return STREAM_RTCP;
	return line->rtcp_mux ? STREAM_RTP_MUX : STREAM_RTP;
}

int media_line_apply(struct media_session *s, struct media_line *line)
{
	bool on = line->remote[0].wanted && line->remote[1].wanted && line->own[0].port != 0 &&
		  line->own[1].port != 0;

	for (unsigned int i = 0; i < MEDIA_STREAMS_PER_LINE; i++) {
		struct rec_stream_set want = {0};
		bool rtcp = i == 1;
		int rc;

		if (!on || (rtcp && (line->kind != SDP_KIND_RTP || line->rtcp_mux))) {
			media_stream_del(&line->stream[i]);
			continue;
		}
		want.kind = (uint8_t)stream_kind(line, rtcp);
		fill_end(s, line, 0, rtcp, &want.end[0]);
		fill_end(s, line, 1, rtcp, &want.end[1]);
		rc = media_stream_set(&line->stream[i], &want);
		if (rc != 0)
			return rc;
	}
	return 0;
}
