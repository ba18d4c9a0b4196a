#include "media_priv.h"

static const char *endpoint_text(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN])
{
	return e->addr.family == NET_FAMILY_NONE ? "" : net_endpoint_format(e, buf);
}

static json_t *side_json(const struct media_line *line, unsigned int side)
{
	struct net_endpoint local = {.port = line->port[side]};
	const struct stream_counts *rtp = &line->stream[0].counts[side];
	const struct stream_counts *rtcp = &line->stream[1].counts[side];
	char here[NET_ENDPOINT_STRLEN], there[NET_ENDPOINT_STRLEN];

	if (local.port != 0)
		local.addr = line->pool[side]->addr;
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I}", "local",
		local.port ? net_endpoint_format(&local, here) : "", "remote",
		endpoint_text(&line->remote[side].rtp, there), "direction",
		sdp_direction_name(line->remote[side].direction), "packets",
		(json_int_t)rtp->packets, "bytes", (json_int_t)rtp->bytes, "refused",
		(json_int_t)(rtp->refused + rtcp->refused), "rtcp_packets",
		(json_int_t)rtcp->packets, "flow", (json_int_t)line->stream[0].flow[side]);
}

json_t *media_session_json(const struct media_session *s)
{
	static const char *const kinds[SDP_KIND_COUNT] = {"refused", "rtp", "udptl"};
	json_t *lines = json_array();

	for (unsigned int i = 0; lines != NULL && i < s->n_lines; i++) {
		const struct media_line *line = s->line[i];
		bool on = line->stream[0].state == STREAM_SET;

		json_array_append_new(
			lines, json_pack("{s:s,s:s,s:b,s:o,s:o}", "media", line->type, "kind",
				       kinds[line->kind], "active", on, "caller",
				       side_json(line, 0), "callee", side_json(line, 1)));
	}
	return lines;
}
