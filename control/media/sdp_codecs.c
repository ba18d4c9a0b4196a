#include "sdp_codecs.h"

#include "api_limits.h"
#include "codec.h"
#include "sdp_lines.h"

#define PAYLOAD_TYPES 128
#define PTIME_MAX_MS 1000
#define CHANNELS_MAX 16
#define BIT_RATE_MAX 1000000000u

struct format {
	struct str_view name; /* of a=rtpmap; len 0: by its static type */
	uint32_t clock_hz, channels;
	uint32_t bit_rate; /* of a=fmtp; 0: not given */
};

static bool number_at(struct str_view text, uint32_t max, uint32_t *out)
{
	/* Some write ptime with a fraction. */
	text = sdp_cut(&text, '.');
	return sdp_number(text, max, out) && *out > 0;
}

/* "96 opus/48000/2" (RFC 8866 section 6.6). */
static void rtpmap_read(struct str_view value, struct format *formats)
{
	struct str_view type = sdp_cut(&value, ' '), name = sdp_cut(&value, '/');
	struct str_view clock = sdp_cut(&value, '/');
	struct format *f;
	uint32_t pt;

	if (!sdp_number(type, PAYLOAD_TYPES - 1, &pt) || name.len == 0)
		return;
	f = &formats[pt];
	f->name = name;
	if (!sdp_number(clock, API_CLOCK_HZ_MAX, &f->clock_hz))
		f->clock_hz = 0;
	if (!sdp_number(value, CHANNELS_MAX, &f->channels) || f->channels == 0)
		f->channels = 1;
}

/* "96 maxaveragebitrate=20000;useinbandfec=1" (RFC 7587 section 6.1). */
static void fmtp_read(struct str_view value, struct format *formats)
{
	struct str_view type = sdp_cut(&value, ' ');
	uint32_t pt, rate;

	if (!sdp_number(type, PAYLOAD_TYPES - 1, &pt))
		return;
	while (value.p != NULL) {
		struct str_view item = sdp_cut(&value, ';'), key;

		while (item.len > 0 && item.p[0] == ' ')
			item.p++, item.len--;
		key = sdp_cut(&item, '=');
		if (sv_eq_nocase(key, SV("maxaveragebitrate")) &&
			sdp_number(item, BIT_RATE_MAX, &rate))
			formats[pt].bit_rate = rate;
	}
}

/* RFC 8866 section 5.8 (AS: kilobits, with IP and UDP) and RFC 3890 (TIAS: bits, without). */
static void bandwidth_read(struct str_view lines, uint32_t *out)
{
	struct str_view line;
	bool tias = false;
	uint32_t n;

	while (sdp_line_next(&lines, &line)) {
		struct str_view value = {line.p + 2, line.len > 2 ? line.len - 2 : 0}, type;

		if (line.len < 3 || line.p[0] != 'b')
			continue;
		type = sdp_cut(&value, ':');
		if (sv_eq(type, SV("TIAS")) && number_at(value, BIT_RATE_MAX, &n)) {
			*out = n;
			tias = true;
		} else if (!tias && sv_eq(type, SV("AS")) &&
			   number_at(value, BIT_RATE_MAX / 1000, &n)) {
			*out = n * 1000;
		}
	}
}

static void lines_read(struct str_view lines, struct format *formats, struct sdp_codecs *out)
{
	struct str_view line, name, value;
	uint32_t n, maxptime = 0;

	while (sdp_line_next(&lines, &line)) {
		if (!sdp_attribute(line, &name, &value) || value.p == NULL)
			continue;
		if (sv_eq(name, SV("rtpmap")))
			rtpmap_read(value, formats);
		else if (sv_eq(name, SV("fmtp")))
			fmtp_read(value, formats);
		else if (sv_eq(name, SV("ptime")) && number_at(value, PTIME_MAX_MS, &n))
			out->ptime_ms = (uint16_t)n;
		else if (sv_eq(name, SV("maxptime")) && number_at(value, PTIME_MAX_MS, &n))
			maxptime = n;
		else if (sv_eq_nocase(name, SV("T38FaxMaxDatagram")) &&
			 number_at(value, UINT16_MAX, &n))
			out->max_datagram = (uint16_t)n;
	}
	if (maxptime > 0 && maxptime < out->ptime_ms)
		out->ptime_ms = (uint16_t)maxptime;
}

static uint32_t format_bit_rate(const struct format *f, const struct codec *c, uint32_t clock)
{
	uint32_t channels = f->channels > 0 ? f->channels : 1;

	if (c->sample_bits != 0)
		return clock * c->sample_bits * channels;
	/* opus: both channels are in its figure, and its rtpmap always says 2 (RFC 7587). */
	return sv_eq_nocase(f->name, SV("opus")) ? c->bit_rate : c->bit_rate * channels;
}

/* maxaveragebitrate is what its writer wants to receive, no matter what it sends (RFC 7587 section
 * 6.1); an average, of a rate that varies. */
static uint32_t bit_rate_to(const struct format *f, const struct codec *c, uint32_t bits)
{
	return c->sample_bits == 0 && f->bit_rate != 0 && f->bit_rate < bits / 2 ? 2 * f->bit_rate
										 : bits;
}

/* Of received text, for people: bytes beyond ASCII become '?'. */
static void name_copy(char *to, size_t cap, struct str_view name)
{
	size_t n = 0;

	for (; n < name.len && n < cap - 1; n++)
		to[n] = name.p[n] > ' ' && name.p[n] <= '~' ? name.p[n] : '?';
	to[n] = '\0';
}

/* One listed payload type. @return false when it is not known what it sends. */
static bool format_add(
	const struct format *f, const struct codec *c, bool first, struct sdp_codecs *out)
{
	struct str_view name = f->name;
	uint32_t clock = f->clock_hz, bits, to;

	if (name.len == 0 && c != NULL) {
		name = (struct str_view){c->name, strlen(c->name)};
		clock = c->clock_hz;
	}
	if (first) {
		name_copy(out->codec, sizeof(out->codec), name);
		out->clock_hz = clock;
	}
	if (c == NULL)
		return false;
	bits = format_bit_rate(f, c, clock);
	to = bit_rate_to(f, c, bits);
	if (bits > out->bit_rate)
		out->bit_rate = bits;
	if (to > out->bit_rate_to)
		out->bit_rate_to = to;
	if (out->frame_ms == 0 || c->frame_ms < out->frame_ms)
		out->frame_ms = c->frame_ms;
	return bits != 0;
}

void sdp_codecs_read(const struct sdp *sdp, const struct sdp_media *m, struct sdp_codecs *out)
{
	struct format formats[PAYLOAD_TYPES] = {0};
	struct str_view rest = m->formats;
	bool first = true, known = true;

	memset(out, 0, sizeof(*out));
	formats[10].channels = 2; /* RFC 3551 section 6: L16 in stereo */
	bandwidth_read(sdp->lines, &out->bandwidth);
	bandwidth_read(m->lines, &out->bandwidth);
	lines_read(m->lines, formats, out);
	if (m->kind != SDP_KIND_RTP)
		return;
	while (rest.p != NULL) {
		struct str_view word = sdp_cut(&rest, ' ');
		const struct codec *c;
		uint32_t pt;

		if (!sdp_number(word, PAYLOAD_TYPES - 1, &pt))
			continue;
		c = formats[pt].name.len != 0 ? codec_find(formats[pt].name)
					      : codec_static((uint8_t)pt);
		if (c != NULL && !c->speech) {
			out->events |= sv_eq_nocase(
				(struct str_view){c->name, strlen(c->name)}, SV("telephone-event"));
			continue;
		}
		known &= format_add(&formats[pt], c, first, out);
		first = false;
	}
	if (!known)
		out->bit_rate = out->bit_rate_to = 0;
}
