/*
 * The schema of the configuration file: one row a key. Ranges and defaults of numbers
 * are in config_build.c, since libcyaml's schema has none; configs/sallyport.yaml
 * explains every key.
 */
#include "config_priv.h"

#include "log.h"

#define STR_MAX 255

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define STRICT (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)

static const cyaml_strval_t trust_names[] = {
	{"untrusted", TRUST_UNTRUSTED},
	{"trusted", TRUST_TRUSTED},
};

static const cyaml_strval_t nat_names[] = {
	{"auto", NAT_AUTO},
	{"never", NAT_NEVER},
};

static const cyaml_strval_t srtp_names[] = {
	{"refuse", SRTP_REFUSE},
	{"pass", SRTP_PASS},
};

static const cyaml_strval_t refer_names[] = {
	{"pass", false},
	{"execute", true},
};

static const cyaml_strval_t redirect_names[] = {
	{"pass", false},
	{"follow", true},
};

static const cyaml_strval_t level_names[] = {
	{"error", LOG_LEVEL_ERROR},
	{"warn", LOG_LEVEL_WARN},
	{"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},
};

static const cyaml_schema_value_t string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, STR_MAX),
};

static const cyaml_schema_field_t media_fields[] = {
	CYAML_FIELD_STRING_PTR(
		"address", CYAML_FLAG_POINTER, struct raw_media, address, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("ports", CYAML_FLAG_POINTER, struct raw_media, ports, 1, STR_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t media_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_media, media_fields),
};

const cyaml_schema_value_t config_media_schema = {
	CYAML_VALUE_SEQUENCE(
		CYAML_FLAG_POINTER, struct raw_media, &media_entry, 1, CONFIG_MEDIA_MAX),
};

const cyaml_schema_value_t config_gateway_schema = {
	CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, char *, &string_entry, 1, CONFIG_GATEWAYS_MAX),
};

static const cyaml_schema_field_t realm_limits_fields[] = {
	CYAML_FIELD_UINT_PTR("sip_rate", OPTIONAL, struct raw_limits, sip_rate),
	CYAML_FIELD_UINT_PTR("sip_burst", OPTIONAL, struct raw_limits, sip_burst),
	CYAML_FIELD_UINT_PTR("address_rate", OPTIONAL, struct raw_limits, address_rate),
	CYAML_FIELD_UINT_PTR("prefix_rate", OPTIONAL, struct raw_limits, prefix_rate),
	CYAML_FIELD_UINT_PTR("untrusted_rate", OPTIONAL, struct raw_limits, untrusted_rate),
	CYAML_FIELD_UINT_PTR("invite_rate", OPTIONAL, struct raw_limits, invite_rate),
	CYAML_FIELD_UINT_PTR("register_rate", OPTIONAL, struct raw_limits, register_rate),
	CYAML_FIELD_UINT_PTR("options_rate", OPTIONAL, struct raw_limits, options_rate),
	CYAML_FIELD_UINT_PTR("other_rate", OPTIONAL, struct raw_limits, other_rate),
	CYAML_FIELD_UINT_PTR("dialog_rate", OPTIONAL, struct raw_limits, dialog_rate),
	CYAML_FIELD_UINT_PTR("tcp_syn_rate", OPTIONAL, struct raw_limits, tcp_syn_rate),
	CYAML_FIELD_UINT_PTR("tcp_byte_rate", OPTIONAL, struct raw_limits, tcp_byte_rate),
	CYAML_FIELD_UINT_PTR("icmp_rate", OPTIONAL, struct raw_limits, icmp_rate),
	CYAML_FIELD_UINT_PTR("burst_s", OPTIONAL, struct raw_limits, burst_s),
	CYAML_FIELD_UINT_PTR("deny_after", OPTIONAL, struct raw_limits, deny_after),
	CYAML_FIELD_UINT_PTR("deny_window_s", OPTIONAL, struct raw_limits, deny_window_s),
	CYAML_FIELD_UINT_PTR("deny_s", OPTIONAL, struct raw_limits, deny_s),
	CYAML_FIELD_UINT_PTR("trusted_s", OPTIONAL, struct raw_limits, trusted_s),
	CYAML_FIELD_UINT_PTR("calls", OPTIONAL, struct raw_limits, calls),
	CYAML_FIELD_UINT_PTR("subscriptions", OPTIONAL, struct raw_limits, subscriptions),
	CYAML_FIELD_UINT_PTR(
		"source_subscriptions", OPTIONAL, struct raw_limits, source_subscriptions),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t peer_limits_fields[] = {
	CYAML_FIELD_UINT_PTR("sip_rate", OPTIONAL, struct raw_limits, sip_rate),
	CYAML_FIELD_UINT_PTR("sip_burst", OPTIONAL, struct raw_limits, sip_burst),
	CYAML_FIELD_UINT_PTR("calls", OPTIONAL, struct raw_limits, calls),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dscp_fields[] = {
	CYAML_FIELD_UINT_PTR("sip", OPTIONAL, struct raw_dscp, sip),
	CYAML_FIELD_UINT_PTR("media", OPTIONAL, struct raw_dscp, media),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t realm_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct raw_realm, name, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("port", CYAML_FLAG_POINTER, struct raw_realm, port, 1, STR_MAX),
	CYAML_FIELD_UINT_PTR("vlan", OPTIONAL, struct raw_realm, vlan),
	CYAML_FIELD_ENUM(
		"trust", STRICT, struct raw_realm, trust, trust_names, ARRAY_LEN(trust_names)),
	CYAML_FIELD_ENUM("nat", STRICT, struct raw_realm, nat, nat_names, ARRAY_LEN(nat_names)),
	CYAML_FIELD_SEQUENCE("addresses", CYAML_FLAG_POINTER, struct raw_realm, addresses,
		&string_entry, 1, CONFIG_ADDRESSES_MAX),
	CYAML_FIELD_IGNORE("gateway", OPTIONAL),
	CYAML_FIELD_SEQUENCE("sip", CYAML_FLAG_POINTER, struct raw_realm, sip, &string_entry, 1,
		CONFIG_LISTENERS_MAX),
	CYAML_FIELD_IGNORE("media", CYAML_FLAG_DEFAULT),
	CYAML_FIELD_UINT_PTR("media_timeout_s", OPTIONAL, struct raw_realm, media_timeout_s),
	CYAML_FIELD_UINT_PTR("media_silent_s", OPTIONAL, struct raw_realm, media_silent_s),
	CYAML_FIELD_UINT_PTR("latch_prefix", OPTIONAL, struct raw_realm, latch_prefix),
	CYAML_FIELD_UINT_PTR("latch_prefix_v6", OPTIONAL, struct raw_realm, latch_prefix_v6),
	CYAML_FIELD_UINT_PTR("session_expires_s", OPTIONAL, struct raw_realm, session_expires_s),
	CYAML_FIELD_UINT_PTR("min_se_s", OPTIONAL, struct raw_realm, min_se_s),
	CYAML_FIELD_MAPPING("limits", OPTIONAL, struct raw_realm, limits, realm_limits_fields),
	CYAML_FIELD_SEQUENCE("permit", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm, permit,
		&string_entry, 0, CONFIG_PREFIXES_MAX),
	CYAML_FIELD_SEQUENCE("deny", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm, deny,
		&string_entry, 0, CONFIG_PREFIXES_MAX),
	CYAML_FIELD_MAPPING("dscp", OPTIONAL, struct raw_realm, dscp, dscp_fields),
	CYAML_FIELD_STRING_PTR(
		"policy", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm, policy, 1, STR_MAX),
	CYAML_FIELD_SEQUENCE("methods", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm, methods,
		&string_entry, 0, CONFIG_METHODS_MAX),
	CYAML_FIELD_SEQUENCE("dialog_methods", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm,
		dialog_methods, &string_entry, 0, CONFIG_METHODS_MAX),
	CYAML_FIELD_ENUM(
		"refer", STRICT, struct raw_realm, refer, refer_names, ARRAY_LEN(refer_names)),
	CYAML_FIELD_SEQUENCE("bodies", CYAML_FLAG_POINTER | OPTIONAL, struct raw_realm, bodies,
		&string_entry, 0, CONFIG_BODIES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t peer_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct raw_peer, name, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("realm", CYAML_FLAG_POINTER, struct raw_peer, realm, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("address", CYAML_FLAG_POINTER, struct raw_peer, address, 1, STR_MAX),
	CYAML_FIELD_UINT_PTR("port", OPTIONAL, struct raw_peer, port),
	CYAML_FIELD_BOOL("overload_control", OPTIONAL, struct raw_peer, overload_control),
	CYAML_FIELD_UINT_PTR("no_answer_s", OPTIONAL, struct raw_peer, no_answer_s),
	CYAML_FIELD_ENUM("redirect", STRICT, struct raw_peer, redirect, redirect_names,
		ARRAY_LEN(redirect_names)),
	CYAML_FIELD_UINT_PTR("session_expires_s", OPTIONAL, struct raw_peer, session_expires_s),
	CYAML_FIELD_UINT_PTR("min_se_s", OPTIONAL, struct raw_peer, min_se_s),
	CYAML_FIELD_MAPPING("limits", OPTIONAL, struct raw_peer, limits, peer_limits_fields),
	CYAML_FIELD_STRING_PTR(
		"policy", CYAML_FLAG_POINTER | OPTIONAL, struct raw_peer, policy, 1, STR_MAX),
	CYAML_FIELD_SEQUENCE("methods", CYAML_FLAG_POINTER | OPTIONAL, struct raw_peer, methods,
		&string_entry, 0, CONFIG_METHODS_MAX),
	CYAML_FIELD_SEQUENCE("dialog_methods", CYAML_FLAG_POINTER | OPTIONAL, struct raw_peer,
		dialog_methods, &string_entry, 0, CONFIG_METHODS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t route_fields[] = {
	CYAML_FIELD_STRING_PTR("from", CYAML_FLAG_POINTER, struct raw_route, from, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("from_peer", CYAML_FLAG_POINTER | OPTIONAL, struct raw_route,
		from_peer, 1, STR_MAX),
	CYAML_FIELD_STRING_PTR("user_prefix", CYAML_FLAG_POINTER | OPTIONAL, struct raw_route,
		user_prefix, 0, sizeof(((struct config_route *)NULL)->user_prefix) - 1),
	CYAML_FIELD_BOOL("emergency", OPTIONAL, struct raw_route, emergency),
	CYAML_FIELD_STRING_PTR("to", CYAML_FLAG_POINTER, struct raw_route, to, 1, STR_MAX),
	CYAML_FIELD_END,
};

#define CODEC_LIST(key) \
	CYAML_FIELD_SEQUENCE(#key, CYAML_FLAG_POINTER | OPTIONAL, struct raw_codecs, key, \
		&string_entry, 1, CONFIG_CODECS_MAX)

static const cyaml_schema_field_t codecs_fields[] = {
	CODEC_LIST(allow),
	CODEC_LIST(deny),
	CODEC_LIST(order),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t policy_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct raw_policy, name, 1, STR_MAX),
	CYAML_FIELD_MAPPING("codecs", OPTIONAL, struct raw_policy, codecs, codecs_fields),
	CYAML_FIELD_ENUM(
		"srtp", STRICT, struct raw_policy, srtp, srtp_names, ARRAY_LEN(srtp_names)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t overload_fields[] = {
	CYAML_FIELD_UINT_PTR("delay_ms", OPTIONAL, struct raw_overload, delay_ms),
	CYAML_FIELD_UINT_PTR("call_rate", OPTIONAL, struct raw_overload, call_rate),
	CYAML_FIELD_SEQUENCE("emergency", CYAML_FLAG_POINTER | OPTIONAL, struct raw_overload,
		emergency, &string_entry, 0, CONFIG_EMERGENCY_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t ops_fields[] = {
	CYAML_FIELD_STRING_PTR("control_socket", CYAML_FLAG_POINTER | OPTIONAL, struct raw_ops,
		control_socket, 1, sizeof(((struct config *)NULL)->ops.control_socket) - 1),
	CYAML_FIELD_STRING_PTR("cdr_file", CYAML_FLAG_POINTER | OPTIONAL, struct raw_ops, cdr_file,
		1, sizeof(((struct config *)NULL)->ops.cdr_file) - 1),
	CYAML_FIELD_UINT_PTR("shards", OPTIONAL, struct raw_ops, shards),
	CYAML_FIELD_ENUM_PTR("log_level", STRICT, struct raw_ops, log_level, level_names,
		ARRAY_LEN(level_names)),
	CYAML_FIELD_UINT_PTR("stop_timeout_s", OPTIONAL, struct raw_ops, stop_timeout_s),
	CYAML_FIELD_MAPPING("overload", OPTIONAL, struct raw_ops, overload, overload_fields),
	CYAML_FIELD_UINT_PTR("trace_messages", OPTIONAL, struct raw_ops, trace_messages),
	CYAML_FIELD_UINT_PTR("trace_calls", OPTIONAL, struct raw_ops, trace_calls),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t realm_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_realm, realm_fields),
};
static const cyaml_schema_value_t peer_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_peer, peer_fields),
};
static const cyaml_schema_value_t route_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_route, route_fields),
};

static const cyaml_schema_value_t policy_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_policy, policy_fields),
};

static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_MAPPING("dataplane", CYAML_FLAG_DEFAULT, struct raw_config, dataplane,
		dataplane_config_fields),
	CYAML_FIELD_SEQUENCE("realms", CYAML_FLAG_POINTER, struct raw_config, realms, &realm_entry,
		1, API_REALMS_MAX),
	CYAML_FIELD_SEQUENCE("peers", CYAML_FLAG_POINTER | OPTIONAL, struct raw_config, peers,
		&peer_entry, 0, CONFIG_PEERS_MAX),
	CYAML_FIELD_SEQUENCE("routes", CYAML_FLAG_POINTER | OPTIONAL, struct raw_config, routes,
		&route_entry, 0, CONFIG_ROUTES_MAX),
	CYAML_FIELD_SEQUENCE("policies", CYAML_FLAG_POINTER | OPTIONAL, struct raw_config, policies,
		&policy_entry, 0, CONFIG_POLICIES_MAX),
	CYAML_FIELD_MAPPING("ops", OPTIONAL, struct raw_config, ops, ops_fields),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, file_fields),
};
