#include "media_priv.h"
#include "mos.h"

static const char *endpoint_text(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN])
{
	return e->addr.family == NET_FAMILY_NONE ? "" : net_endpoint_format(e, buf);
}

static json_t *side_json(const struct media_line *line, unsigned int side)
{
	struct net_endpoint local = {.port = line->own[side].port};
	char here[NET_ENDPOINT_STRLEN], there[NET_ENDPOINT_STRLEN];

	if (local.port != 0)
		local.addr = line->own[side].pool->addr;
	return json_pack("{s:s,s:s,s:s,s:I}", "local",
		local.port ? net_endpoint_format(&local, here) : "", "remote",
		endpoint_text(&line->remote[side].rtp, there), "direction",
		sdp_direction_name(line->remote[side].direction), "flow",
		(json_int_t)line->stream[0].flow[side]);
}

/* How well it came from there. */
static void side_counts(json_t *o, const struct media_line *line, unsigned int side)
{
	const struct stream_counts *rtp = &line->stream[0].counts[side];
	const struct stream_counts *rtcp = &line->stream[1].counts[side];
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{"packets", rtp->packets},
		{"bytes", rtp->bytes},
		{"refused", rtp->refused + rtcp->refused},
		{"policed", (uint64_t)rtp->policed + rtcp->policed},
		{"rtcp_packets", rtcp->packets},
		{"lost", rtp->lost},
		{"duplicates", rtp->duplicates},
		{"reordered", rtp->reordered},
		{"late_gaps", rtp->late_gaps},
		{"silences", line->stream[0].silences[side]},
	};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].value));
	json_object_set_new(o, "jitter_ms", json_real(rtp->jitter_us / 1000.0));
	json_object_set_new(o, "jitter_max_ms", json_real(rtp->jitter_max_us / 1000.0));
}

static json_t *line_json(const struct media_line *line)
{
	static const char *const kinds[SDP_KIND_COUNT] = {"refused", "rtp", "udptl"};
	static const char *const sides[] = {"caller", "callee"};
	const struct sdp_codecs *codecs = &line->remote[line->answer_side].codecs;
	/* Nothing is measured in what DTLS shares its ports with. */
	const char *kind = codecs->security == SDP_SECURITY_DTLS ? "rtp_dtls" : kinds[line->kind];
	json_t *o = json_pack("{s:s,s:s,s:b,s:s,s:I,s:b}", "media", line->type, "kind", kind,
		"active", line->stream[0].state == STREAM_SET, "codec", codecs->codec, "clock_hz",
		(json_int_t)codecs->clock_hz, "rtcp_mux", line->rtcp_mux);

	for (unsigned int side = 0; o != NULL && side < 2; side++) {
		json_t *part = side_json(line, side);

		side_counts(part, line, side);
		json_object_set_new(o, sides[side], part);
	}
	return o;
}

json_t *media_session_json(const struct media_session *s)
{
	json_t *lines = json_array();

	for (unsigned int i = 0; lines != NULL && i < s->n_lines; i++)
		json_array_append_new(lines, line_json(s->line[i]));
	media_json_grade(lines);
	return lines;
}

static double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* For people: so many parts of one, no more digits. */
static json_t *rounded(double v, int parts)
{
	return json_real((double)(int64_t)(v * parts + 0.5) / parts);
}

static void side_grade(json_t *side, const struct codec *codec, bool speech)
{
	double lost = number_of(side, "lost");
	double policed = number_of(side, "policed");
	double sent = number_of(side, "packets") + policed - number_of(side, "duplicates") + lost;
	double passed = number_of(side, "packets"), arrived = sent - lost;
	double heard = passed < arrived ? passed : arrived;
	double loss = sent > 0 ? 100.0 * lost / sent : 0.0;
	double missing = sent > 0 ? 100.0 * (sent - heard) / sent : 0.0;

	json_object_set_new(side, "loss_percent", rounded(loss, 1000));
	/* Nothing heard is no score; and what was policed is not heard. */
	json_object_set_new(side, "mos",
		speech && sent > 0
			? rounded(mos_estimate(codec, missing, number_of(side, "jitter_ms")), 100)
			: json_null());
}

void media_json_grade(json_t *lines)
{
	json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		const char *type = json_string_value(json_object_get(line, "media"));
		const char *kind = json_string_value(json_object_get(line, "kind"));
		const char *name = json_string_value(json_object_get(line, "codec"));
		bool speech = type != NULL && strcmp(type, "audio") == 0 && kind != NULL &&
			      strcmp(kind, "rtp") == 0;
		const struct codec *codec =
			name != NULL ? codec_find((struct str_view){name, strlen(name)}) : NULL;

		side_grade(json_object_get(line, "caller"), codec, speech);
		side_grade(json_object_get(line, "callee"), codec, speech);
	}
}
