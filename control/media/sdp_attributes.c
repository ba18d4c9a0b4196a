/*
 * Attributes, by an allow-list: what describes the codec crosses; addresses, ICE, groups and
 * names of streams do not.
 */
#include <errno.h>

#include "api_limits.h"
#include "sdp_lines.h"
#include "sdp_reader.h"

static const struct str_view names[SDP_ATTR_COUNT] = {
	[SDP_ATTR_FMTP] = {"fmtp", 4},
	[SDP_ATTR_RTCP_FB] = {"rtcp-fb", 7},
	[SDP_ATTR_SILENCE_SUPP] = {"silenceSupp", 11},
	[SDP_ATTR_FRAMERATE] = {"framerate", 9},
	[SDP_ATTR_T38_VERSION] = {"T38FaxVersion", 13},
	[SDP_ATTR_T38_BIT_RATE] = {"T38MaxBitRate", 13},
	[SDP_ATTR_T38_FILL_BIT_REMOVAL] = {"T38FaxFillBitRemoval", 20},
	[SDP_ATTR_T38_TRANSCODING_MMR] = {"T38FaxTranscodingMMR", 20},
	[SDP_ATTR_T38_TRANSCODING_JBIG] = {"T38FaxTranscodingJBIG", 21},
	[SDP_ATTR_T38_RATE_MANAGEMENT] = {"T38FaxRateManagement", 20},
	[SDP_ATTR_T38_MAX_BUFFER] = {"T38FaxMaxBuffer", 15},
	[SDP_ATTR_T38_MAX_DATAGRAM] = {"T38FaxMaxDatagram", 17},
	[SDP_ATTR_T38_UDP_EC] = {"T38FaxUdpEC", 11},
	[SDP_ATTR_CRYPTO] = {"crypto", 6},
	[SDP_ATTR_FINGERPRINT] = {"fingerprint", 11},
	[SDP_ATTR_SETUP] = {"setup", 5},
	[SDP_ATTR_TLS_ID] = {"tls-id", 6},
};

static const struct str_view direction_names[SDP_DIRECTION_COUNT] = {
	[SDP_SENDRECV] = {"sendrecv", 8},
	[SDP_SENDONLY] = {"sendonly", 8},
	[SDP_RECVONLY] = {"recvonly", 8},
	[SDP_INACTIVE] = {"inactive", 8},
};

struct str_view sdp_attribute_name(unsigned int id)
{
	return names[id];
}

const char *sdp_direction_name(enum sdp_direction d)
{
	return d < SDP_DIRECTION_COUNT ? direction_names[d].p : "none";
}

/* Most names differ in length or at once. */
static inline bool is(struct str_view name, struct str_view known)
{
	return name.len == known.len && ((name.p[0] ^ known.p[0]) & ~0x20) == 0 &&
	       sv_eq_nocase(name, known);
}

static bool is_printable(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return true;
}

/* "96 opus/48000/2" (RFC 8866 section 6.6). Some leave the clock out. */
static void rtpmap_read(struct sdp_reader *r, struct str_view value)
{
	struct str_view type = sdp_cut(&value, ' '), name = sdp_cut(&value, '/');
	struct str_view clock = sdp_cut(&value, '/');
	uint32_t pt, hz = 0, channels = 0;
	struct sdp_format *f;

	if (!sdp_number(type, SDP_PAYLOAD_TYPES - 1, &pt) || r->place[pt] == 0 ||
		!sdp_is_token(name, false))
		return;
	if (clock.p != NULL && !sdp_number(clock, API_CLOCK_HZ_MAX, &hz))
		hz = 0;
	if (value.p != NULL && !sdp_number(value, SDP_CHANNELS_MAX, &channels))
		channels = 0;
	f = &r->out->format[r->media->first_format + r->place[pt] - 1];
	f->name = name;
	f->clock_hz = hz;
	f->channels = (uint8_t)channels;
}

/* Some write ptime with a fraction. */
static void time_read(struct str_view value, uint16_t *out)
{
	uint32_t ms;

	if (sdp_number(sdp_cut(&value, '.'), SDP_PTIME_MAX_MS, &ms) && ms > 0)
		*out = (uint16_t)ms;
}

/* "53020 [IN IP4 126.16.64.4]" (RFC 3605). A bad one is as good as none. */
static void rtcp_read(struct sdp_media *m, struct str_view value)
{
	struct str_view port = sdp_cut(&value, ' ');
	uint32_t number;

	if (!sdp_number(port, UINT16_MAX, &number) || number < 1024)
		return;
	m->rtcp_port = (uint16_t)number;
	if (value.p != NULL)
		m->rtcp_addr = sdp_connection_read(value);
}

/* What has a field of its own. @return false: another attribute. */
static bool field_read(struct sdp_reader *r, struct str_view name, struct str_view value)
{
	struct sdp_media *m = r->media;

	for (unsigned int d = 0; name.len == 8 && d < SDP_DIRECTION_COUNT; d++) {
		if (!is(name, direction_names[d]))
			continue;
		*(m != NULL ? &m->direction : &r->session_direction) = (enum sdp_direction)d;
		return true;
	}
	if (m == NULL)
		return false;
	if (is(name, SV("rtpmap")))
		rtpmap_read(r, value);
	else if (is(name, SV("ptime")))
		time_read(value, &m->ptime_ms);
	else if (is(name, SV("maxptime")))
		time_read(value, &m->maxptime_ms);
	else if (is(name, SV("rtcp")))
		rtcp_read(m, value);
	else if (is(name, SV("rtcp-mux")))
		m->rtcp_mux = m->kind == SDP_KIND_RTP;
	else
		return false;
	return true;
}

static bool of_format(unsigned int id)
{
	return id == SDP_ATTR_FMTP || id == SDP_ATTR_RTCP_FB;
}

/* The payload type before the value: one of the line's own; "*" is every one (RFC 4585). */
static bool payload_type_read(
	const struct sdp_reader *r, struct str_view *value, struct sdp_attribute *a)
{
	struct str_view type = sdp_cut(value, ' ');
	uint32_t pt;

	if (value->p == NULL)
		return false;
	if (a->id == SDP_ATTR_RTCP_FB && sv_eq(type, SV("*")))
		return true;
	if (!sdp_number(type, SDP_PAYLOAD_TYPES - 1, &pt) || r->place[pt] == 0)
		return false;
	a->payload_type = (uint8_t)pt;
	return true;
}

static int attribute_keep(struct sdp_reader *r, unsigned int id, struct str_view value)
{
	struct sdp_attribute a = {.id = (uint8_t)id, .payload_type = SDP_FORMAT_NONE};
	struct sdp *out = r->out;

	/* Of the session only what all its lines share. */
	if (r->media == NULL && id < SDP_ATTR_FINGERPRINT)
		return 0;
	if (value.len > SDP_VALUE_MAX || !is_printable(value) ||
		(of_format(id) && !payload_type_read(r, &value, &a)))
		return 0;
	if (out->n_attributes == SDP_ATTRIBUTES_MAX)
		return -E2BIG;
	a.value = value;
	out->attribute[out->n_attributes++] = a;
	if (r->media != NULL)
		r->media->n_attributes++;
	else
		out->n_session_attributes++;
	return 0;
}

int sdp_attribute_read(struct sdp_reader *r, struct str_view line)
{
	struct str_view value = {line.p + 2, line.len - 2};
	struct str_view name = sdp_cut(&value, ':');

	if (name.len == 0)
		return 0;
	while (value.len > 0 && value.p[0] == ' ')
		value.p++, value.len--;
	if (field_read(r, name, value))
		return 0;
	for (unsigned int id = 0; id < SDP_ATTR_COUNT; id++)
		if (is(name, names[id]))
			return attribute_keep(r, id, value);
	return 0;
}
