/*
 * Names of methods, headers and scan errors.
 */
#include "sip_names_priv.h"

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

struct sip_name_tables sip_names;

#define HEADER_COMPACT(id, name, compact, several) [SIP_HDR_##id] = (compact),
static const char header_compact[SIP_HDR_COUNT] = {SIP_HEADER_LIST(HEADER_COMPACT)};

static uint32_t slot_of(struct str_view name)
{
	char head[4] = {':', ':', name.len == 2 ? ':' : ' ', name.len == 3 ? ':' : ' '};
	uint32_t number;

	if (name.len >= sizeof(head))
		memcpy(head, name.p, sizeof(head));
	else
		memcpy(head, name.p, name.len);
	memcpy(&number, head, sizeof(number));
	return sip_name_slot(number, (uint32_t)name.len);
}

static void row_make(unsigned int id)
{
	struct str_view name = header_names[id];
	uint32_t slot = slot_of(name);

	for (size_t i = 0; i < name.len; i++)
		sip_names.rows[slot][i] = (char)(name.p[i] | 0x20);
	sip_names.rows[slot][name.len] = ':';
	sip_names.rows[slot][name.len + 1] = ' ';
	sip_names.masks[slot] = (4U << name.len) - 1;
	sip_names.begins[slot] = (uint32_t)name.len << 16 | id << 24;
	sip_names.ids[slot] = (uint8_t)id;
}

/* Before main(): the library has no other start, and threads only read. */
static void __attribute__((constructor)) tables_make(void)
{
	memset(sip_names.masks, 0xff, sizeof(sip_names.masks));
	for (unsigned int i = 1; i < SIP_HDR_COUNT; i++) {
		unsigned char compact = (unsigned char)header_compact[i];

		row_make(i);
		if (compact != 0)
			sip_names.letters[compact] = sip_names.letters[compact & 0xdf] = (uint8_t)i;
	}
}

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

enum sip_header_id sip_header_id_parse(struct str_view name)
{
	unsigned int id;

	if (name.len == 0)
		return SIP_HDR_OTHER;
	if (name.len == 1)
		return (enum sip_header_id)sip_names.letters[(unsigned char)name.p[0]];
	id = sip_names.ids[slot_of(name)];
	return sv_eq_nocase(header_names[id], name) ? (enum sip_header_id)id : SIP_HDR_OTHER;
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
