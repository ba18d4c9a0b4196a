#include "sources.h"

const char *source_class_name(unsigned int class)
{
	static const char *const names[SOURCE_CLASS_COUNT] = {
		[SOURCE_UNTRUSTED] = "untrusted",
		[SOURCE_TRUSTED] = "trusted",
		[SOURCE_DENIED] = "denied",
	};

	return class < SOURCE_CLASS_COUNT ? names[class] : "?";
}

static const struct {
	const char *name, *text;
} reasons[SOURCE_REASON_COUNT] = {
	[SOURCE_REASON_NONE] = {"", "no reason was given"},
	[SOURCE_REASON_CALL] = {"call", "a call of it succeeded"},
	[SOURCE_REASON_REGISTERED] = {"registered", "a registration of it succeeded"},
	[SOURCE_REASON_MALFORMED] = {"malformed", "it sent too many malformed messages"},
	[SOURCE_REASON_AUTH] = {"auth", "it failed to authenticate too often"},
	[SOURCE_REASON_RATE] = {"rate", "it went on above its rate"},
	[SOURCE_REASON_SCAN] = {"scan", "it tried many users and nearly all failed"},
	[SOURCE_REASON_OPERATOR] = {"operator", "the operator said so"},
};

const char *source_reason_name(unsigned int reason)
{
	return reason < SOURCE_REASON_COUNT ? reasons[reason].name : "?";
}

const char *source_reason_text(unsigned int reason)
{
	return reason < SOURCE_REASON_COUNT ? reasons[reason].text : "the reason is unknown";
}

const char *source_format(const struct net_endpoint *source, char buf[NET_ENDPOINT_STRLEN])
{
	if (source->port != 0)
		return net_endpoint_format(source, buf);
	return net_addr_format(&source->addr, buf);
}

void source_log_put(struct log_limit *limit, const struct config *config, const char *by,
	const struct rec_source_event *event)
{
	const char *realm =
		event->realm < config->n_realms ? config->realms[event->realm].name : "all";
	const char *reason = source_reason_text(event->reason);
	char text[NET_ENDPOINT_STRLEN];

	source_format(&event->source, text);
	if (event->source_class == SOURCE_DENIED)
		log_write_limited(limit, LOG_LEVEL_WARN,
			"source denied for %u s: %s source=%s realm=%s by=\"%s\"", event->seconds,
			reason, text, realm, by);
	else if (event->source_class == SOURCE_TRUSTED)
		log_write_limited(limit, LOG_LEVEL_INFO,
			"source trusted for %u s: %s source=%s realm=%s by=\"%s\"", event->seconds,
			reason, text, realm, by);
	else
		log_write_limited(limit, LOG_LEVEL_WARN,
			"source not trusted any more: %s source=%s realm=%s by=\"%s\"", reason,
			text, realm, by);
}
