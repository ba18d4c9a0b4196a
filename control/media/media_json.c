#include "json_line.h"
#include "media_priv.h"
#include "mos.h"

static const char *endpoint_text(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN])
{
	return e->addr.family == NET_FAMILY_NONE ? "" : net_endpoint_format(e, buf);
}

/* Of one direction, what people ask for. */
struct grade {
	uint64_t loss_thousandths; /* percent */
	uint64_t mos_hundredths;   /* 0: no score */
};

static struct grade grade_of(const struct codec *codec, bool speech, double packets, double policed,
	double duplicates, double lost, double jitter_ms)
{
	double sent = packets + policed - duplicates + lost;
	double arrived = sent - lost, heard = packets < arrived ? packets : arrived;
	double percent = sent > 0 ? 100.0 * lost / sent : 0.0;
	double missing = sent > 0 ? 100.0 * (sent - heard) / sent : 0.0;
	struct grade g = {.loss_thousandths = (uint64_t)(percent * 1000 + 0.5)};

	/* Nothing heard is no score; and what was policed is not heard. */
	if (speech && sent > 0)
		g.mos_hundredths = (uint64_t)(mos_estimate(codec, missing, jitter_ms) * 100 + 0.5);
	return g;
}

static const struct codec *codec_named(const char *name)
{
	return name != NULL ? codec_find((struct str_view){name, strlen(name)}) : NULL;
}

static bool is_speech(const char *type, const char *kind)
{
	return type != NULL && strcmp(type, "audio") == 0 && kind != NULL &&
	       strcmp(kind, "rtp") == 0;
}

/* How well it came from there. */
static void counts_write(struct json_line *out, const struct media_line *line, unsigned int side,
	const struct codec *codec, bool speech)
{
	const struct stream_counts *rtp = &line->stream[0].counts[side];
	const struct stream_counts *rtcp = &line->stream[1].counts[side];
	const struct grade g = grade_of(codec, speech, (double)rtp->packets,
		(double)((uint64_t)rtp->policed + rtcp->policed), rtp->duplicates, rtp->lost,
		rtp->jitter_us / 1000.0);

	json_line_uint(out, "packets", rtp->packets);
	json_line_uint(out, "bytes", rtp->bytes);
	json_line_uint(out, "refused", rtp->refused + rtcp->refused);
	json_line_uint(out, "policed", (uint64_t)rtp->policed + rtcp->policed);
	json_line_uint(out, "rtcp_packets", rtcp->packets);
	json_line_uint(out, "lost", rtp->lost);
	json_line_uint(out, "duplicates", rtp->duplicates);
	json_line_uint(out, "reordered", rtp->reordered);
	json_line_uint(out, "late_gaps", rtp->late_gaps);
	json_line_uint(out, "silences", line->stream[0].silences[side]);
	json_line_thousandths(out, "jitter_ms", rtp->jitter_us);
	json_line_thousandths(out, "jitter_max_ms", rtp->jitter_max_us);
	json_line_thousandths(out, "loss_percent", g.loss_thousandths);
	if (g.mos_hundredths != 0)
		json_line_thousandths(out, "mos", g.mos_hundredths * 10);
	else
		json_line_null(out, "mos");
}

static void side_write(struct json_line *out, const struct media_line *line, unsigned int side,
	const struct codec *codec, bool speech)
{
	static const char *const sides[] = {"caller", "callee"};
	const struct net_endpoint *remote = &line->remote[side].rtp;
	struct net_endpoint local = {.port = line->own[side].port};
	char here[NET_ENDPOINT_STRLEN], there[NET_ENDPOINT_STRLEN];

	if (local.port != 0)
		local.addr = line->own[side].pool->addr;
	json_line_open(out, sides[side], '{');
	json_line_text(out, "local", endpoint_text(&local, here));
	json_line_text(out, "remote", endpoint_text(remote, there));
	json_line_text(out, "direction", sdp_direction_name(line->remote[side].direction));
	json_line_uint(out, "flow", line->stream[0].flow[side]);
	counts_write(out, line, side, codec, speech);
	json_line_close(out, '}');
}

static void line_write(struct json_line *out, const struct media_line *line)
{
	static const char *const kinds[SDP_KIND_COUNT] = {"refused", "rtp", "udptl"};
	const struct sdp_codecs *codecs = &line->remote[line->answer_side].codecs;
	/* Nothing is measured in what DTLS shares its ports with. */
	const char *kind = codecs->security == SDP_SECURITY_DTLS ? "rtp_dtls" : kinds[line->kind];
	const struct codec *codec = codec_named(codecs->codec);
	bool speech = is_speech(line->type, kind);

	json_line_open(out, NULL, '{');
	json_line_text(out, "media", line->type);
	json_line_text(out, "kind", kind);
	json_line_bool(out, "active", line->stream[0].state == STREAM_SET);
	json_line_text(out, "codec", codecs->codec);
	json_line_uint(out, "clock_hz", codecs->clock_hz);
	json_line_bool(out, "rtcp_mux", line->rtcp_mux);
	for (unsigned int side = 0; side < 2; side++)
		side_write(out, line, side, codec, speech);
	json_line_close(out, '}');
}

void media_session_write(const struct media_session *s, struct json_line *out, const char *key)
{
	json_line_open(out, key, '[');
	for (unsigned int i = 0; i < s->n_lines; i++)
		line_write(out, s->line[i]);
	json_line_close(out, ']');
}

static double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void side_grade(json_t *side, const struct codec *codec, bool speech)
{
	const struct grade g = grade_of(codec, speech, number_of(side, "packets"),
		number_of(side, "policed"), number_of(side, "duplicates"), number_of(side, "lost"),
		number_of(side, "jitter_ms"));

	json_object_set_new(side, "loss_percent", json_real((double)g.loss_thousandths / 1000));
	json_object_set_new(side, "mos",
		g.mos_hundredths != 0 ? json_real((double)g.mos_hundredths / 100) : json_null());
}

void media_json_grade(json_t *lines)
{
	json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		const struct codec *codec =
			codec_named(json_string_value(json_object_get(line, "codec")));
		bool speech = is_speech(json_string_value(json_object_get(line, "media")),
			json_string_value(json_object_get(line, "kind")));

		side_grade(json_object_get(line, "caller"), codec, speech);
		side_grade(json_object_get(line, "callee"), codec, speech);
	}
}
