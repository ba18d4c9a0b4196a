#include "sdp_codecs.h"

#include "codec.h"
#include "sdp_lines.h"
#include "sdp_reader.h"

#define BIT_RATE_MAX 1000000000u
#define PAYLOAD_TYPE_L16_STEREO 10 /* RFC 3551 section 6 */

/* "maxaveragebitrate=20000;useinbandfec=1" (RFC 7587 section 6.1). */
static void fmtp_read(struct str_view value, uint32_t *bit_rate)
{
	uint32_t rate;

	while (value.p != NULL) {
		struct str_view item = sdp_cut(&value, ';'), key;

		while (item.len > 0 && item.p[0] == ' ')
			item.p++, item.len--;
		key = sdp_cut(&item, '=');
		if (sv_eq_nocase(key, SV("maxaveragebitrate")) &&
			sdp_number(item, BIT_RATE_MAX, &rate))
			*bit_rate = rate;
	}
}

/* RFC 8866 section 5.8 (AS: kilobits, with IP and UDP) and RFC 3890 (TIAS: bits, without); 0 means
 * nothing to the policer. */
static void bandwidth_read(const struct sdp_bandwidths *b, uint32_t *out)
{
	uint32_t tias = b->value[SDP_BANDWIDTH_TIAS], as = b->value[SDP_BANDWIDTH_AS];

	if (tias > 0 && tias <= BIT_RATE_MAX)
		*out = tias;
	else if (as > 0 && as <= BIT_RATE_MAX / 1000)
		*out = as * 1000;
}

/* bit_rate: of each payload type's a=fmtp; 0: not given. */
static void attributes_read(const struct sdp *sdp, const struct sdp_media *m,
	uint32_t bit_rate[static SDP_PAYLOAD_TYPES], struct sdp_codecs *out)
{
	uint32_t n;

	for (unsigned int i = 0; i < m->n_attributes; i++) {
		const struct sdp_attribute *a = &sdp->attribute[m->first_attribute + i];

		if (a->id == SDP_ATTR_FMTP)
			fmtp_read(a->value, &bit_rate[a->payload_type]);
		else if (a->id == SDP_ATTR_T38_MAX_DATAGRAM && sdp_number(a->value, UINT16_MAX, &n))
			out->max_datagram = (uint16_t)n;
	}
}

static uint32_t format_bit_rate(const struct codec *c, uint32_t clock_hz, uint32_t channels)
{
	if (c->sample_bits != 0)
		return clock_hz * c->sample_bits * channels;
	/* opus: both channels are in its figure, and its rtpmap always says 2 (RFC 7587). */
	return strcmp(c->name, "opus") == 0 ? c->bit_rate : c->bit_rate * channels;
}

/* maxaveragebitrate is what its writer wants to receive, no matter what it sends (RFC 7587 section
 * 6.1); an average, of a rate that varies. */
static uint32_t bit_rate_to(uint32_t of_fmtp, const struct codec *c, uint32_t bits)
{
	return c->sample_bits == 0 && of_fmtp != 0 && of_fmtp < bits / 2 ? 2 * of_fmtp : bits;
}

/* Of received text, for people; a token is printable. */
static void name_copy(char *to, size_t cap, struct str_view name)
{
	snprintf(to, cap, "%.*s", SV_ARG(name));
}

/* One listed payload type. @return false when it is not known what it sends. */
static bool format_add(
	const struct codec_format *f, uint32_t of_fmtp, bool first, struct sdp_codecs *out)
{
	const struct codec *c = f->codec;
	uint32_t bits, to;

	if (first) {
		name_copy(out->codec, sizeof(out->codec), f->name);
		out->clock_hz = f->clock_hz;
	}
	if (c == NULL)
		return false;
	bits = format_bit_rate(c, f->clock_hz, f->channels);
	to = bit_rate_to(of_fmtp, c, bits);
	if (bits > out->bit_rate)
		out->bit_rate = bits;
	if (to > out->bit_rate_to)
		out->bit_rate_to = to;
	if (out->frame_ms == 0 || c->frame_ms < out->frame_ms)
		out->frame_ms = c->frame_ms;
	return bits != 0;
}

struct codec_format sdp_format_codec(const struct sdp_format *f)
{
	struct codec_format out = {.name = f->name, .clock_hz = f->clock_hz};

	out.channels = f->channels > 0 ? f->channels : 1;
	if (f->name.len != 0) {
		out.codec = codec_find(f->name);
		/* Some leave the clock out. */
		if (out.codec != NULL && out.clock_hz == 0)
			out.clock_hz = out.codec->clock_hz;
		return out;
	}
	out.codec = codec_static(f->payload_type);
	if (out.codec == NULL)
		return out;
	if (f->payload_type == PAYLOAD_TYPE_L16_STEREO)
		out.channels = 2;
	out.name = (struct str_view){out.codec->name, strlen(out.codec->name)};
	out.clock_hz = out.codec->clock_hz;
	return out;
}

void sdp_codecs_read(const struct sdp *sdp, const struct sdp_media *m, struct sdp_codecs *out)
{
	uint32_t of_fmtp[SDP_PAYLOAD_TYPES] = {0};
	bool first = true, known = true;

	memset(out, 0, sizeof(*out));
	out->ptime_ms = m->ptime_ms;
	if (m->maxptime_ms > 0 && m->maxptime_ms < m->ptime_ms)
		out->ptime_ms = m->maxptime_ms;
	bandwidth_read(&sdp->bandwidths, &out->bandwidth);
	bandwidth_read(&m->bandwidths, &out->bandwidth);
	attributes_read(sdp, m, of_fmtp, out);
	if (m->kind != SDP_KIND_RTP)
		return;
	out->security = m->security;
	for (unsigned int i = 0; i < m->n_formats; i++) {
		const struct sdp_format *f = &sdp->format[m->first_format + i];
		struct codec_format cf = sdp_format_codec(f);

		if (cf.codec != NULL && !cf.codec->speech) {
			out->events |= strcmp(cf.codec->name, "telephone-event") == 0;
			continue;
		}
		known &= format_add(&cf, of_fmtp[f->payload_type], first, out);
		first = false;
	}
	if (!known)
		out->bit_rate = out->bit_rate_to = 0;
}
