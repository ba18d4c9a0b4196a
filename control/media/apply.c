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

/* The family of our end of a line: a line keeps the address that its side was told, a new one gets
 * what is signalled. @return NET_FAMILY_NONE when this side has no such address. */
static unsigned int own_family(const struct media_session *s, unsigned int side,
	const struct media_line *ours, const struct net_addr *signalled)
{
	if (ours != NULL && ours->port[side] != 0)
		return ours->pool[side]->addr.family;
	return media_pools_have(&s->media->pools[s->side[side].realm], signalled->family)
		       ? signalled->family
		       : NET_FAMILY_NONE;
}

int media_remote_from_sdp(const struct media_session *s, unsigned int side,
	const struct media_line *ours, const struct sdp_media *line, const struct net_addr *source,
	struct media_remote *out)
{
	const struct config *c = s->media->env.config;
	const struct config_realm *realm = &c->realms[s->side[side].realm];
	struct net_addr addr = line->addr, from = net_addr_normalise(source);
	bool learn = realm->nat == NAT_AUTO;
	unsigned int family;

	memset(out, 0, sizeof(*out));
	out->direction = line->direction;
	out->rtcp_mux = line->rtcp_mux;
	if (line->kind == SDP_KIND_REFUSED || line->port == 0)
		return 0;
	if (addr.family == NET_FAMILY_NONE)
		return -EADDRNOTAVAIL;
	family = own_family(s, side, ours, &addr);
	out->learn_port = learn;
	if (sdp_addr_is_hold(&addr)) {
		/* Nothing may be sent there; behind NAT it may still play music to us. */
		out->wanted = family != NET_FAMILY_NONE;
		if (learn && from.family == family)
			out->allowed = from;
	} else {
		if (!addr_may_get_media(c, &addr))
			return -EADDRNOTAVAIL;
		/* The signalled address is not where signalling comes from: it stands behind NAT,
		 * or wants media sent to somebody else. Only the source of signalling counts, and
		 * it says nothing of the other family. */
		if (addr.family != family || (learn && from.family != family))
			return 0;
		if (learn && !net_addr_eq(&addr, &from))
			addr = from;
		out->wanted = true;
		out->rtp = (struct net_endpoint){.addr = addr, .port = line->port};
		set_rtcp(c, line, !learn, out);
		out->allowed = addr;
	}
	out->prefix_len = out->allowed.family == NET_FAMILY_V6 ? realm->latch_prefix_v6
							       : realm->latch_prefix_v4;
	return 0;
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
			r = media_rate_rtcp(&r);
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

	e->local.addr = line->pool[side]->addr;
	e->local.port = (uint16_t)(line->port[side] + rtcp);
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
	if (line->kind != SDP_KIND_RTP)
		return STREAM_ANY;
	if (rtcp)
		return STREAM_RTCP;
	return line->rtcp_mux ? STREAM_RTP_MUX : STREAM_RTP;
}

int media_line_apply(struct media_session *s, struct media_line *line)
{
	bool on = line->remote[0].wanted && line->remote[1].wanted && line->port[0] != 0 &&
		  line->port[1] != 0;

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
