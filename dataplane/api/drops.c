#include "drops.h"

#define DROP_NAME_(id, name, help) [DROP_##id] = name,
static const char *const drop_names[DROP_COUNT] = {DROP_LIST(DROP_NAME_)};

#define DROP_HELP_(id, name, help) [DROP_##id] = help,
static const char *const drop_helps[DROP_COUNT] = {DROP_LIST(DROP_HELP_)};

const char *drop_reason_name(unsigned int reason)
{
	return reason < DROP_COUNT ? drop_names[reason] : "unknown";
}

const char *drop_reason_help(unsigned int reason)
{
	return reason < DROP_COUNT ? drop_helps[reason] : "reason that this version does not know";
}
