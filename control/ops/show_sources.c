/* Policing as JSON: what realms take and refuse, and which sources stand out. */
#include "show.h"
#include "sources.h"

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* As the keys of the configuration; in the order of the table. */
static json_t *rates_json(const struct realm_police *p)
{
	const struct {
		const char *name;
		const struct rate_limit *limit;
	} all[] = {
		{"sip_rate", &p->sip},
		{"address_rate", &p->sip_address},
		{"prefix_rate", &p->sip_prefix},
		{"untrusted_rate", &p->sip_untrusted},
		{"invite_rate", &p->sip_method[POLICE_INVITE]},
		{"register_rate", &p->sip_method[POLICE_REGISTER]},
		{"options_rate", &p->sip_method[POLICE_OPTIONS]},
		{"other_rate", &p->sip_method[POLICE_OTHER]},
		{"dialog_rate", &p->sip_dialog},
		{"tcp_syn_rate", &p->tcp_syn},
		{"tcp_byte_rate", &p->tcp_bytes},
		{"icmp_rate", &p->icmp},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		json_object_set_new(o, all[i].name,
			json_pack("{s:o, s:o}", "rate", number(all[i].limit->rate), "burst",
				number(all[i].limit->burst)));
	json_object_set_new(o, "deny_after", number(p->deny_after));
	json_object_set_new(o, "deny_window_s", number(p->deny_window_s));
	json_object_set_new(o, "deny_s", number(p->deny_s));
	return o;
}

static const char *const sip_class_names[SIP_CLASS_COUNT] = {
	[SIP_CLASS_NEW] = "new",
	[SIP_CLASS_OUT] = "out_of_dialog",
	[SIP_CLASS_DIALOG] = "dialog",
	[SIP_CLASS_LANE] = "lane",
};

/* One realm's policing summed over the workers. */
static void realm_sum(const struct stats *s, unsigned int realm, struct stats_realm *out)
{
	unsigned int workers = s->workers <= API_WORKERS_MAX ? s->workers : API_WORKERS_MAX;

	*out = (struct stats_realm){0};
	for (unsigned int w = 0; w < workers; w++) {
		const struct stats_realm *r = &s->worker[w].realm[realm];

		for (unsigned int i = 0; i < SOURCE_CLASS_COUNT; i++) {
			out->refused[i] += r->refused[i];
			for (unsigned int m = 0; m < SIP_CLASS_COUNT; m++)
				out->messages[i][m] += r->messages[i][m];
		}
	}
}

json_t *show_limits(const struct config *config, const struct stats *s)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < config->n_realms; i++) {
		const struct config_realm *realm = &config->realms[i];
		json_t *classes = json_array();
		struct stats_realm sum;

		realm_sum(s, i, &sum);
		for (unsigned int c = 0; c < SOURCE_CLASS_COUNT; c++) {
			json_t *row = json_pack("{s:s}", "class", source_class_name(c));

			for (unsigned int m = 0; m < SIP_CLASS_COUNT; m++)
				json_object_set_new(
					row, sip_class_names[m], number(sum.messages[c][m]));
			json_object_set_new(row, "refused", number(sum.refused[c]));
			json_array_append_new(classes, row);
		}
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "realm", realm->name, "trust",
				realm->trust == TRUST_TRUSTED ? "trusted" : "untrusted", "permit",
				number(realm->n_permit), "deny", number(realm->n_deny), "limits",
				rates_json(&realm->police), "classes", classes));
	}
	return list;
}

void show_limits_flat(json_t *o, const struct config *config, const struct stats *s)
{
	char name[96];

	for (unsigned int i = 0; i < config->n_realms; i++) {
		struct stats_realm sum;

		realm_sum(s, i, &sum);
		for (unsigned int c = 0; c < SOURCE_CLASS_COUNT; c++) {
			uint64_t passed = 0;

			for (unsigned int m = 0; m < SIP_CLASS_COUNT; m++)
				passed += sum.messages[c][m];
			snprintf(name, sizeof(name), "realm_%s_sip_%s_passed",
				config->realms[i].name, source_class_name(c));
			json_object_set_new(o, name, number(passed));
			snprintf(name, sizeof(name), "realm_%s_sip_%s_refused",
				config->realms[i].name, source_class_name(c));
			json_object_set_new(o, name, number(sum.refused[c]));
		}
	}
}

json_t *show_sources(const struct config *config, const struct stats *s)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < STATS_SOURCES_MAX; i++) {
		/* A copy: the other process may replace it at any time. */
		const struct stats_source at = s->source[i];
		char text[NET_ENDPOINT_STRLEN];

		if (at.source.addr.family != NET_FAMILY_V4 &&
			at.source.addr.family != NET_FAMILY_V6)
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "source",
				source_format(&at.source, text), "realm",
				at.realm < config->n_realms ? config->realms[at.realm].name : "?",
				"class", source_class_name(at.source_class), "reason",
				source_reason_name(at.reason), "left_s", number(at.left_s),
				"messages", number(at.messages), "refused", number(at.refused)));
	}
	return list;
}
