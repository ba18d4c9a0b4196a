/*
 * Names of methods, headers and scan errors.
 */
#include "sip_chars_priv.h"
#include "sip_scan.h"

static const struct str_view method_names[SIP_METHOD_COUNT] = {
	[SIP_INVITE] = SV("INVITE"),
	[SIP_ACK] = SV("ACK"),
	[SIP_BYE] = SV("BYE"),
	[SIP_CANCEL] = SV("CANCEL"),
	[SIP_OPTIONS] = SV("OPTIONS"),
	[SIP_REGISTER] = SV("REGISTER"),
	[SIP_INFO] = SV("INFO"),
	[SIP_MESSAGE] = SV("MESSAGE"),
	[SIP_NOTIFY] = SV("NOTIFY"),
	[SIP_PRACK] = SV("PRACK"),
	[SIP_REFER] = SV("REFER"),
	[SIP_SUBSCRIBE] = SV("SUBSCRIBE"),
	[SIP_UPDATE] = SV("UPDATE"),
	[SIP_PUBLISH] = SV("PUBLISH"),
};

#define HEADER_NAME(id, name, compact, several) [SIP_HDR_##id] = SV(name),
static const struct str_view header_names[SIP_HDR_COUNT] = {
	[SIP_HDR_OTHER] = SV(""), SIP_HEADER_LIST(HEADER_NAME)};

/* Length, first and last letter name a header: its slot, by a multiplier for which no two of ours
 * share one (a test looks for each). */
#define SLOTS 256
#define SLOT_MULTIPLIER 0x8e73ca47u
static uint8_t header_slots[SLOTS];

static inline uint32_t header_slot(struct str_view name)
{
	uint32_t key = (uint32_t)name.len & 0xffff;

	key |= (uint32_t)((unsigned char)name.p[0] | 0x20) << 16;
	key |= (uint32_t)((unsigned char)name.p[name.len - 1] | 0x20) << 24;
	return key * SLOT_MULTIPLIER >> 24;
}

/* Before main(): the library has no other start, and threads only read. */
static void __attribute__((constructor)) header_slots_make(void)
{
	for (unsigned int i = 1; i < SIP_HDR_COUNT; i++)
		header_slots[header_slot(header_names[i])] = (uint8_t)i;
}

/* The names once more, so that one load has a whole one. */
#define HEADER_ROW(id, name, compact, several) [SIP_HDR_##id] = (name),
static const char header_rows[SIP_HDR_COUNT][32] = {SIP_HEADER_LIST(HEADER_ROW)};

#define HEADER_COMPACT(id, name, compact, several) [SIP_HDR_##id] = (compact),
static const char header_compact[SIP_HDR_COUNT] = {SIP_HEADER_LIST(HEADER_COMPACT)};

#define ERROR_NAME(id, name, help) [SIP_SCAN_##id] = (name),
static const char *const error_names[SIP_SCAN_COUNT] = {SIP_SCAN_ERROR_LIST(ERROR_NAME)};

#define ERROR_HELP(id, name, help) [SIP_SCAN_##id] = (help),
static const char *const error_helps[SIP_SCAN_COUNT] = {SIP_SCAN_ERROR_LIST(ERROR_HELP)};

enum sip_method sip_method_parse(struct str_view token)
{
	for (unsigned int i = SIP_INVITE; i < SIP_METHOD_OTHER; i++) {
		if (sv_eq(token, method_names[i]))
			return (enum sip_method)i;
	}
	return token.len > 0 ? SIP_METHOD_OTHER : SIP_METHOD_NONE;
}

const char *sip_method_name(unsigned int method)
{
	if (method >= SIP_METHOD_COUNT || method_names[method].p == NULL)
		return "?";
	return method_names[method].p;
}

/* Letters may differ by case: our names have but letters and "-", which is below them. */
static bool header_name_eq(unsigned int id, struct str_view name)
{
#if defined(__AVX2__)
	const char *row = header_rows[id];
	__m256i a, b, fold;

	if (name.len != header_names[id].len)
		return false;
	if (!sip_can_load32(name.p, name.p + name.len))
		return sv_eq_nocase(header_names[id], name);
	a = sip_load32(name.p);
	b = _mm256_loadu_si256((const __m256i *)(const void *)row);
	fold = _mm256_and_si256(
		_mm256_cmpgt_epi8(b, _mm256_set1_epi8('@')), _mm256_set1_epi8(0x20));
	a = _mm256_cmpeq_epi8(_mm256_or_si256(a, fold), _mm256_or_si256(b, fold));
	return ~(uint32_t)_mm256_movemask_epi8(a) << (32 - name.len) == 0;
#else
	return sv_eq_nocase(header_names[id], name);
#endif
}

enum sip_header_id sip_header_id_parse(struct str_view name)
{
	unsigned int id;

	if (name.len == 1) {
		char c = (char)(name.p[0] | 0x20);

		for (unsigned int i = 1; i < SIP_HDR_COUNT; i++) {
			if (header_compact[i] == c && sip_char_is(name.p[0], CHAR_ALNUM))
				return (enum sip_header_id)i;
		}
		return SIP_HDR_OTHER;
	}
	if (name.len == 0)
		return SIP_HDR_OTHER;
	id = header_slots[header_slot(name)];
	return header_name_eq(id, name) ? (enum sip_header_id)id : SIP_HDR_OTHER;
}

const char *sip_header_name(unsigned int id)
{
	return id < SIP_HDR_COUNT ? header_names[id].p : "";
}

const char *sip_scan_error_name(unsigned int error)
{
	return error < SIP_SCAN_COUNT ? error_names[error] : "unknown";
}

const char *sip_scan_error_help(unsigned int error)
{
	return error < SIP_SCAN_COUNT ? error_helps[error] : "unknown";
}
