/*
 * Attributes, by an allow-list: what describes the codec crosses; addresses, ICE, groups and
 * names of streams do not.
 */
#include <errno.h>

#include "api_limits.h"
#include "sdp_lines.h"
#include "sdp_reader.h"

/* X(number, name, its first and its last letter, small) */
#define KEPT_LIST(X) \
	X(SDP_ATTR_FMTP, "fmtp", 'f', 'p') \
	X(SDP_ATTR_RTCP_FB, "rtcp-fb", 'r', 'b') \
	X(SDP_ATTR_SILENCE_SUPP, "silenceSupp", 's', 'p') \
	X(SDP_ATTR_FRAMERATE, "framerate", 'f', 'e') \
	X(SDP_ATTR_T38_VERSION, "T38FaxVersion", 't', 'n') \
	X(SDP_ATTR_T38_BIT_RATE, "T38MaxBitRate", 't', 'e') \
	X(SDP_ATTR_T38_FILL_BIT_REMOVAL, "T38FaxFillBitRemoval", 't', 'l') \
	X(SDP_ATTR_T38_TRANSCODING_MMR, "T38FaxTranscodingMMR", 't', 'r') \
	X(SDP_ATTR_T38_TRANSCODING_JBIG, "T38FaxTranscodingJBIG", 't', 'g') \
	X(SDP_ATTR_T38_RATE_MANAGEMENT, "T38FaxRateManagement", 't', 't') \
	X(SDP_ATTR_T38_MAX_BUFFER, "T38FaxMaxBuffer", 't', 'r') \
	X(SDP_ATTR_T38_MAX_DATAGRAM, "T38FaxMaxDatagram", 't', 'm') \
	X(SDP_ATTR_T38_UDP_EC, "T38FaxUdpEC", 't', 'c') \
	X(SDP_ATTR_CRYPTO, "crypto", 'c', 'o') \
	X(SDP_ATTR_FINGERPRINT, "fingerprint", 'f', 't') \
	X(SDP_ATTR_SETUP, "setup", 's', 'p') \
	X(SDP_ATTR_TLS_ID, "tls-id", 't', 'd')

#define DIRECTION_LIST(X) \
	X(SDP_SENDRECV, "sendrecv", 's', 'v') \
	X(SDP_SENDONLY, "sendonly", 's', 'y') \
	X(SDP_RECVONLY, "recvonly", 'r', 'y') \
	X(SDP_INACTIVE, "inactive", 'i', 'e')

/* What has a field of its own, numbered behind those that are kept. */
enum field {
	FIELD_RTPMAP = SDP_ATTR_COUNT,
	FIELD_PTIME,
	FIELD_MAXPTIME,
	FIELD_RTCP,
	FIELD_RTCP_MUX,
	FIELD_DIRECTION, /* and those behind it: each direction */
	NAME_NONE = FIELD_DIRECTION + SDP_DIRECTION_COUNT
};

#define NAME(number, text, first, last) [number] = {text, sizeof(text) - 1},
static const struct str_view names[SDP_ATTR_COUNT] = {KEPT_LIST(NAME)};
static const struct str_view direction_names[SDP_DIRECTION_COUNT] = {DIRECTION_LIST(NAME)};

/* Length, first and last letter name an attribute: no two of ours share a slot, or the table would
 * be initialised twice in one place, which the compiler refuses. */
#define SLOTS 64
#define SLOT(len, first, last) (((first) + (last) + 44 * (len)) % SLOTS)
#define KNOWN(number, text, first, last) \
	[SLOT(sizeof(text) - 1, first, last)] = {text, sizeof(text) - 1, number},
#define KNOWN_DIRECTION(d, text, first, last) KNOWN(FIELD_DIRECTION + (d), text, first, last)
static const struct {
	char name[32];
	uint8_t len;
	uint8_t number; /* enum sdp_attribute_id or enum field */
} known[SLOTS] = {KEPT_LIST(KNOWN) DIRECTION_LIST(KNOWN_DIRECTION) KNOWN(FIELD_RTPMAP, "rtpmap",
	'r', 'p') KNOWN(FIELD_PTIME, "ptime", 'p', 'e') KNOWN(FIELD_MAXPTIME, "maxptime", 'm', 'e')
		KNOWN(FIELD_RTCP, "rtcp", 'r', 'p') KNOWN(FIELD_RTCP_MUX, "rtcp-mux", 'r', 'x')};

static inline size_t slot_of(const char *name, size_t len)
{
	return SLOT(len, (unsigned char)name[0] | 0x20u, (unsigned char)name[len - 1] | 0x20u);
}

static unsigned int name_find(struct str_view name)
{
	size_t slot = slot_of(name.p, name.len);

	return sv_eq_nocase(name, (struct str_view){known[slot].name, known[slot].len})
		       ? known[slot].number
		       : NAME_NONE;
}

struct name {
	uint32_t number; /* enum sdp_attribute_id, enum field, or NAME_NONE */
	uint32_t len;	 /* up to the colon, or to the end */
};

/* Not inlined, like what follows: what few need would be set up for all. */
static __attribute__((noinline)) struct name name_take_steps(struct str_view text)
{
	struct str_view name = {text.p, sv_find(text, ':')};

	return (struct name){name.len > 0 ? name_find(name) : NAME_NONE, (uint32_t)name.len};
}

#if defined(__AVX2__)
/* The same of a text whose first len characters are a name; 32 can be read. */
static inline unsigned int name_find32(__m256i x, const char *name, size_t len)
{
	const __m256i small = _mm256_set1_epi8(0x20);
	size_t slot = slot_of(name, len);
	__m256i row = _mm256_loadu_si256((const __m256i *)(const void *)known[slot].name);
	uint32_t same;

	/* The bit is set in digits and "-" too, and only control characters become these by it. */
	same = (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_or_si256(x, small), _mm256_or_si256(row, small)));
	return known[slot].len == len && _bzhi_u32(~same, (uint32_t)len) == 0 ? known[slot].number
									      : NAME_NONE;
}
#endif

/* The name that text starts with. */
static inline struct name name_take(const struct sdp_reader *r, struct str_view text)
{
#if defined(__AVX2__)
	if (r->wide) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)text.p);
		size_t len = __builtin_ia32_tzcnt_u32((uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(x, _mm256_set1_epi8(':'))));

		if (len > text.len)
			len = text.len;
		/* None of ours has as many. */
		return (struct name){
			len - 1 < 31 ? name_find32(x, text.p, len) : NAME_NONE, (uint32_t)len};
	}
#endif
	return name_take_steps(text);
}

struct str_view sdp_attribute_name(unsigned int id)
{
	return names[id];
}

const char *sdp_direction_name(enum sdp_direction d)
{
	return d < SDP_DIRECTION_COUNT ? direction_names[d].p : "none";
}

/* Of 8 characters: the top bit of each that is from SP to "~". */
static inline uint64_t printable8(const char *p)
{
	const uint64_t ones = 0x0101010101010101, x = sv_load8(p, 8), low = x & 0x7f * ones;

	return ~x & ~(low + ones) & (low + 0x60 * ones) & 0x80 * ones;
}

static bool is_printable(struct str_view text)
{
	const uint64_t all = 0x8080808080808080;
	uint64_t is = all;

	if (text.len >= 8) {
		for (size_t i = 0; i + 8 <= text.len; i += 8)
			is &= printable8(text.p + i);
		return (is & printable8(text.p + text.len - 8)) == all;
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return true;
}

/* The payload type before the first space of value, one of the line's own; both are taken off. */
static inline bool own_type_take(
	const struct sdp_reader *r, struct str_view *value, uint8_t *payload_type)
{
	uint32_t pt;
	size_t n = sdp_payload_type_span(r, *value, &pt);

	if (n == 0 || n == value->len || value->p[n] != ' ' || r->place[pt] == 0)
		return false;
	*value = (struct str_view){value->p + n + 1, value->len - n - 1};
	*payload_type = (uint8_t)pt;
	return true;
}

/* "48000/2" */
static uint32_t channels_read(struct str_view value)
{
	uint32_t n;

	(void)sdp_cut(&value, '/');
	return value.p != NULL && sdp_number(value, SDP_CHANNELS_MAX, &n) ? n : 0;
}

/* "96 opus/48000/2" (RFC 8866 section 6.6). Some leave the clock out. */
static __attribute__((noinline)) void rtpmap_read(struct sdp_reader *r, struct str_view value)
{
	uint32_t hz = 0, channels = 0;
	struct sdp_format *f;
	struct str_view name;
	uint64_t clock;
	uint8_t pt;
	size_t n;

	if (!own_type_take(r, &value, &pt))
		return;
	name = (struct str_view){value.p, sdp_token_span(value, r->wide)};
	if (name.len == 0 || name.len > SDP_TOKEN_MAX ||
		(name.len < value.len && value.p[name.len] != '/'))
		return;
	if (name.len < value.len) {
		value = (struct str_view){value.p + name.len + 1, value.len - name.len - 1};
		n = sdp_digits_span(r, value, &clock);
		if (n > 0 && n <= SDP_DIGITS_MAX && clock <= API_CLOCK_HZ_MAX &&
			(n == value.len || value.p[n] == '/'))
			hz = (uint32_t)clock;
		/* Most end here. */
		if (n < value.len)
			channels = channels_read(value);
	}
	f = &r->out->format[r->media->first_format + r->place[pt] - 1];
	f->name = name;
	f->clock_hz = hz;
	f->channels = (uint8_t)channels;
}

/* Some write ptime with a fraction. */
static void time_read(struct str_view value, uint16_t *out)
{
	uint64_t ms;
	size_t n = decimal_span(value, &ms);

	if (n > 0 && n <= SDP_DIGITS_MAX && (n == value.len || value.p[n] == '.') && ms > 0 &&
		ms <= SDP_PTIME_MAX_MS)
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

static void field_read(struct sdp_reader *r, unsigned int field, struct str_view value)
{
	struct sdp_media *m = r->media;

	if (field >= FIELD_DIRECTION) {
		*(m != NULL ? &m->direction : &r->session_direction) =
			(enum sdp_direction)(field - FIELD_DIRECTION);
		return;
	}
	if (m == NULL)
		return;
	switch (field) {
	case FIELD_RTPMAP:
		rtpmap_read(r, value);
		break;
	case FIELD_PTIME:
		time_read(value, &m->ptime_ms);
		break;
	case FIELD_MAXPTIME:
		time_read(value, &m->maxptime_ms);
		break;
	case FIELD_RTCP:
		rtcp_read(m, value);
		break;
	case FIELD_RTCP_MUX:
		m->rtcp_mux = m->kind == SDP_KIND_RTP;
		break;
	default:
		break;
	}
}

static bool of_format(unsigned int id)
{
	return id == SDP_ATTR_FMTP || id == SDP_ATTR_RTCP_FB;
}

/* The payload type before the value; "*" is every one (RFC 4585). */
static bool payload_type_read(
	const struct sdp_reader *r, struct str_view *value, struct sdp_attribute *a)
{
	if (a->id == SDP_ATTR_RTCP_FB && value->len >= 2 && value->p[0] == '*' &&
		value->p[1] == ' ') {
		*value = (struct str_view){value->p + 2, value->len - 2};
		return true;
	}
	return own_type_take(r, value, &a->payload_type);
}

static __attribute__((noinline)) int attribute_keep(
	struct sdp_reader *r, unsigned int id, struct str_view value)
{
	struct sdp_attribute a = {.id = (uint8_t)id, .payload_type = SDP_FORMAT_NONE};
	struct sdp *out = r->out;

	/* Of the session only what all its lines share. */
	if (r->media == NULL && id < SDP_ATTR_FINGERPRINT)
		return 0;
	/* What names a place would name it to the other side: as good as unknown. */
	if (value.len > SDP_VALUE_MAX || !is_printable(value) || net_addr_is_named(value) ||
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

int sdp_attribute_read(struct sdp_reader *r, struct str_view text)
{
	struct str_view value = {NULL, 0};
	struct name name;

	if (text.len == 0)
		return 0;
	name = name_take(r, text);
	if (name.number == NAME_NONE)
		return 0;
	if (name.len < text.len) {
		value = (struct str_view){text.p + name.len + 1, text.len - name.len - 1};
		while (value.len > 0 && value.p[0] == ' ')
			value.p++, value.len--;
	}
	if (name.number < SDP_ATTR_COUNT)
		return attribute_keep(r, name.number, value);
	field_read(r, name.number, value);
	return 0;
}
