/*
 * From what was written to what it means: texts become addresses, ports and indices,
 * absent keys get their defaults, numbers are held against their ranges.
 */
#include <errno.h>
#include <stdarg.h>

#include "config_priv.h"

#include "log.h"

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

static int number_build(const struct config_doc *d, const char *at, const struct number *n,
	const uint32_t *given, uint32_t *out)
{
	char path[CONFIG_PATH_MAX];

	*out = given != NULL ? *given : n->fallback;
	if (given == NULL || (*out >= n->min && *out <= n->max))
		return 0;
	PATH(path, "%s.%s", at, n->key);
	return config_doc_fail(d, path, "%u is out of range; %u to %u%s%s (default %u)", *out,
		n->min, n->max, n->unit[0] != '\0' ? " " : "", n->unit, n->fallback);
}

int config_number_build(const struct config_doc *d, const char *at, const struct number *n,
	const uint32_t *given, uint32_t *out)
{
	return number_build(d, at, n, given, out);
}

int config_name_build(
	const struct config_doc *d, const char *path, const char *given, char out[API_NAME_MAX])
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(given);

	if (len >= API_NAME_MAX)
		return config_doc_fail(d, path,
			"\"%.40s\" has %zu characters; at most %d are allowed", given, len,
			API_NAME_MAX - 1);
	if (strspn(given, allowed) != len)
		return config_doc_fail(d, path,
			"\"%.40s\" has a character that a name may not have; use letters, digits, "
			"\"-\", \"_\" and \".\"",
			given);
	memcpy(out, given, len + 1);
	return 0;
}

static struct str_view view(const char *text)
{
	return (struct str_view){text, strlen(text)};
}

/* On the wire and in SDP it is the IPv4 address; two writings of one would not compare equal. */
static int mapped_check(const struct config_doc *d, const char *path, const struct net_addr *a)
{
	struct net_addr plain = net_addr_normalise(a);
	char text[NET_ADDR_STRLEN];

	if (plain.family == a->family)
		return 0;
	return config_doc_fail(d, path, "an IPv4 address written as IPv6; write it as %s",
		net_addr_format(&plain, text));
}

int config_mapped_check(const struct config_doc *d, const char *path, const struct net_addr *a)
{
	return mapped_check(d, path, a);
}

static int addr_build(
	const struct config_doc *d, const char *path, const char *given, struct net_addr *out)
{
	if (net_addr_parse(view(given), out) < 0)
		return config_doc_fail(d, path,
			"\"%.60s\" is not an IP address; write it in full, such as 192.0.2.1 or "
			"2001:db8::1",
			given);
	return mapped_check(d, path, out);
}

/* An address that packets may come from and go to, ours or a peer's. */
static int unicast_check(const struct config_doc *d, const char *path, const struct net_addr *a)
{
	static const char *const classes[NET_CLASS_COUNT] = {
		[NET_CLASS_LINK_LOCAL] = "a link-local",
		[NET_CLASS_LOOPBACK] = "a loopback",
		[NET_CLASS_UNSPECIFIED] = "an unspecified",
		[NET_CLASS_MULTICAST] = "a multicast",
		[NET_CLASS_RESERVED] = "a reserved",
	};
	char text[NET_ADDR_STRLEN];
	enum net_class class = net_addr_class(a);

	if (net_addr_is_unicast_peer(a))
		return 0;
	return config_doc_fail(d, path, "%s is %s address; give a global or private unicast one",
		net_addr_format(a, text), classes[class] != NULL ? classes[class] : "an unusable");
}

/* An IPv6 router is often known by its link-local address alone (RFC 4861 section 6.3.4). */
static int gateway_class_check(
	const struct config_doc *d, const char *path, const struct net_addr *a)
{
	if (a->family == NET_FAMILY_V6 && net_addr_class(a) == NET_CLASS_LINK_LOCAL)
		return 0;
	return unicast_check(d, path, a);
}

/* Decimal digits of text[0..len) up to max. @return 0 or -EINVAL. */
static int port_parse(const char *text, size_t len, uint32_t *out)
{
	uint32_t v = 0;

	if (len == 0 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint32_t)(text[i] - '0');
	}
	if (v == 0 || v > 65535)
		return -EINVAL;
	*out = v;
	return 0;
}

/* "192.0.2.1:5060" or "[2001:db8::1]:5060". */
static int endpoint_build(
	const struct config_doc *d, const char *path, const char *given, struct net_endpoint *out)
{
	const char *colon = strrchr(given, ':');
	struct str_view host = {given, colon != NULL ? (size_t)(colon - given) : 0};
	uint32_t port;

	if (colon == NULL || net_addr_parse(host, &out->addr) < 0 ||
		(out->addr.family == NET_FAMILY_V6 && given[0] != '['))
		return config_doc_fail(d, path,
			"\"%.60s\" is not ADDRESS:PORT; write it such as 192.0.2.1:5060 or "
			"[2001:db8::1]:5060",
			given);
	if (port_parse(colon + 1, strlen(colon + 1), &port) < 0)
		return config_doc_fail(
			d, path, "\"%.20s\" is not a UDP port; 1 to 65535", colon + 1);
	out->port = (uint16_t)port;
	out->pad = 0;
	return mapped_check(d, path, &out->addr);
}

static int range_build(
	const struct config_doc *d, const char *path, const char *given, struct config_media *m)
{
	const char *dash = strchr(given, '-');
	uint32_t min, max;

	if (dash == NULL || port_parse(given, (size_t)(dash - given), &min) < 0 ||
		port_parse(dash + 1, strlen(dash + 1), &max) < 0)
		return config_doc_fail(d, path,
			"\"%.40s\" is not a range of UDP ports; write it such as 20000-29999",
			given);
	if (min < 1024)
		return config_doc_fail(
			d, path, "begins at %u; media ports begin at 1024 or above", min);
	if (min > max)
		return config_doc_fail(
			d, path, "%u is above %u; write the lower port first", min, max);
	/* RTP takes the even port of a pair, RTCP the odd one above (RFC 3550 section 11). */
	if (min % 2 != 0 || max % 2 == 0)
		return config_doc_fail(d, path,
			"%u-%u does not hold whole pairs; begin at an even port and end at an odd "
			"one, "
			"such as %u-%u",
			min, max, min + min % 2, max - (max % 2 == 0));
	m->port_min = (uint16_t)min;
	m->port_max = (uint16_t)max;
	return 0;
}

static int addresses_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	char path[CONFIG_PATH_MAX];
	int err;

	for (unsigned int i = 0; i < raw->addresses_count; i++) {
		struct net_addr *a = &r->addresses[i].addr;

		PATH(path, "%s.addresses[%u]", at, i);
		if (net_prefix_parse(view(raw->addresses[i]), a, &r->addresses[i].prefix_len) < 0)
			return config_doc_fail(d, path,
				"\"%.60s\" is not ADDRESS/LENGTH; write it such as 192.0.2.1/24 or "
				"2001:db8::1/64",
				raw->addresses[i]);
		if ((err = mapped_check(d, path, a)) < 0 || (err = unicast_check(d, path, a)) < 0)
			return err;
		if (r->addresses[i].prefix_len == 0)
			return config_doc_fail(
				d, path, "prefix length 0; give the network's own, such as /24");
		r->n_addresses = i + 1;
	}
	return 0;
}

static int listeners_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < raw->sip_count; i++) {
		int err;

		PATH(path, "%s.sip[%u]", at, i);
		err = endpoint_build(d, path, raw->sip[i], &r->listeners[i].local);
		if (err < 0)
			return err;
		r->n_listeners = i + 1;
	}
	return 0;
}

/* One router, or one a family. */
static int gateways_build(const struct config_doc *d, const char *at, struct config_realm *r)
{
	char list[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX];
	int n, err;

	PATH(list, "%s.gateway", at);
	n = config_doc_entries(d, list, &config_gateway_schema);
	for (int i = 0; i < n; i++) {
		struct net_addr *a = &r->gateways[i];

		config_doc_entry_path(d, list, (unsigned int)i, path);
		if ((err = addr_build(d, path, config_doc_text(d, path), a)) < 0 ||
			(err = gateway_class_check(d, path, a)) < 0)
			return err;
		if (i > 0 && a->family == r->gateways[0].family)
			return config_doc_fail(d, path,
				"two routers of one family; give one IPv4 and one IPv6 router");
		r->n_gateways = (unsigned int)i + 1;
	}
	return n < 0 ? n : 0;
}

static int media_build(const struct config_doc *d, const char *at, struct config_realm *r)
{
	char list[CONFIG_PATH_MAX], entry[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX + 16];
	int n, err;

	PATH(list, "%s.media", at);
	n = config_doc_entries(d, list, &config_media_schema);
	for (int i = 0; i < n; i++) {
		config_doc_entry_path(d, list, (unsigned int)i, entry);
		snprintf(path, sizeof(path), "%s.address", entry);
		err = addr_build(d, path, config_doc_text(d, path), &r->media[i].addr);
		if (err < 0)
			return err;
		snprintf(path, sizeof(path), "%s.ports", entry);
		err = range_build(d, path, config_doc_text(d, path), &r->media[i]);
		if (err < 0)
			return err;
		r->n_media = (unsigned int)i + 1;
	}
	return n < 0 ? n : 0;
}

/* Session timers of a realm, or of a peer, which has its realm's unless it has its own. */
static int session_build(const struct config_doc *d, const char *at, const uint32_t *expires_s,
	const uint32_t *min_se_s, struct config_session fallback, struct config_session *out)
{
	const struct number expires = {
		"session_expires_s", 0, 86400, fallback.expires_s, "seconds (0: not asked for)"};
	const struct number min = {"min_se_s", 90, 86400, fallback.min_s, "seconds"};
	char path[CONFIG_PATH_MAX];
	int err;

	if ((err = number_build(d, at, &expires, expires_s, &out->expires_s)) < 0 ||
		(err = number_build(d, at, &min, min_se_s, &out->min_s)) < 0)
		return err;
	if (out->expires_s == 0 || out->expires_s >= out->min_s)
		return 0;
	PATH(path, "%s.%s", at, expires_s != NULL ? expires.key : min.key);
	return config_doc_fail(d, path,
		"session_expires_s is %u and min_se_s %u; sessions may not be shorter than that",
		out->expires_s, out->min_s);
}

static int realm_numbers_build(const struct config_doc *d, const char *at,
	const struct raw_realm *raw, struct config_realm *r)
{
	const struct number vlan = {"vlan", 0, 4094, 0, "(0: untagged)"};
	const struct number timeout = {"media_timeout_s", 0, 86400, 60, "seconds"};
	const struct number latch4 = {"latch_prefix", 8, 32, 32, "bits"};
	const struct number latch6 = {"latch_prefix_v6", 32, 128, 128, "bits"};
	const struct number silent = {"media_silent_s", 0, 86400, 10, "seconds"};
	const struct number calls = {"limits.calls", 0, 1000000, 0, "calls"};
	const struct config_session session = {1800, 90};	   /* RFC 4028 section 4 */
	const struct number sip = {"dscp.sip", 0, 63, 24, ""};	   /* CS3 */
	const struct number media = {"dscp.media", 0, 63, 46, ""}; /* EF, RFC 3246 */
	uint32_t vlan_id, timeout_s, silent_s, v4, v6, dscp_sip, dscp_media;
	int err;

	if ((err = number_build(d, at, &vlan, raw->vlan, &vlan_id)) < 0 ||
		(err = number_build(d, at, &timeout, raw->media_timeout_s, &timeout_s)) < 0 ||
		(err = number_build(d, at, &latch4, raw->latch_prefix, &v4)) < 0 ||
		(err = number_build(d, at, &latch6, raw->latch_prefix_v6, &v6)) < 0 ||
		(err = number_build(d, at, &silent, raw->media_silent_s, &silent_s)) < 0 ||
		(err = number_build(d, at, &calls, raw->limits.calls, &r->max_calls)) < 0 ||
		(err = session_build(
			 d, at, raw->session_expires_s, raw->min_se_s, session, &r->session)) < 0 ||
		(err = number_build(d, at, &sip, raw->dscp.sip, &dscp_sip)) < 0 ||
		(err = number_build(d, at, &media, raw->dscp.media, &dscp_media)) < 0)
		return err;
	r->vlan = (uint16_t)vlan_id;
	r->media_timeout_ms = timeout_s * 1000;
	r->media_silent_ms = silent_s * 1000;
	r->latch_prefix_v4 = (uint8_t)v4;
	r->latch_prefix_v6 = (uint8_t)v6;
	r->dscp_sip = (uint8_t)dscp_sip;
	r->dscp_media = (uint8_t)dscp_media;
	return 0;
}

static int realm_find(const struct config *c, const char *name)
{
	for (unsigned int i = 0; i < c->n_realms; i++)
		if (strcmp(c->realms[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static int peer_find(const struct config *c, const char *name)
{
	for (unsigned int i = 0; i < c->n_peers; i++)
		if (strcmp(c->peers[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static int fail_name_taken(
	const struct config_doc *d, const char *path, const char *name, const char *list, int i)
{
	return config_doc_fail(
		d, path, "\"%s\" names %s[%d] already; choose another name", name, list, i);
}

static int realm_build(const struct config_doc *d, uint16_t id, const struct raw_realm *raw,
	const struct config *c, struct config_realm *r)
{
	char at[32], path[CONFIG_PATH_MAX];
	int err;

	r->id = id;
	r->trust = raw->trust;
	r->nat = raw->nat;
	r->refer_execute = raw->refer;
	snprintf(at, sizeof(at), "realms[%u]", id);
	PATH(path, "%s.name", at);
	if ((err = config_name_build(d, path, raw->name, r->name)) < 0)
		return err;
	if ((err = realm_find(c, r->name)) >= 0)
		return fail_name_taken(d, path, r->name, "realms", err);
	PATH(path, "%s.port", at);
	if ((err = config_name_build(d, path, raw->port, r->port)) < 0)
		return err;
	if ((err = addresses_build(d, at, raw, r)) < 0 ||
		(err = listeners_build(d, at, raw, r)) < 0 ||
		(err = gateways_build(d, at, r)) < 0 || (err = media_build(d, at, r)) < 0)
		return err;
	if ((err = realm_numbers_build(d, at, raw, r)) < 0 ||
		(err = config_policy_ref_build(d, at, c, raw->policy, &r->policy)) < 0)
		return err;
	if ((err = config_limits_build(d, at, raw, r)) < 0)
		return err;
	if ((err = config_bodies_build(d, at, raw, r)) < 0)
		return err;
	return config_methods_build(d, at, raw, r);
}

static int realm_ref_build(
	const struct config_doc *d, const char *path, const struct config *c, const char *name)
{
	int i = realm_find(c, name);

	if (i < 0)
		CONFIG_FAIL_UNKNOWN(d, path, "realm", name, c->realms, c->n_realms);
	return i;
}

static int peer_ref_build(
	const struct config_doc *d, const char *path, const struct config *c, const char *name)
{
	int i = peer_find(c, name);

	if (i < 0)
		CONFIG_FAIL_UNKNOWN(d, path, "peer", name, c->peers, c->n_peers);
	return i;
}

static int peer_build(const struct config_doc *d, unsigned int i, const struct raw_peer *raw,
	const struct config *c, struct config_peer *p)
{
	static const struct number port = {"port", 1, 65535, 5060, ""};
	static const struct number answer = {"no_answer_s", 1, 3600, 180, "seconds"};
	static const struct number calls = {"limits.calls", 0, 1000000, 0, "calls"};
	char at[32], path[CONFIG_PATH_MAX];
	uint32_t port_value;
	int err;

	snprintf(at, sizeof(at), "peers[%u]", i);
	PATH(path, "%s.name", at);
	if ((err = config_name_build(d, path, raw->name, p->name)) < 0)
		return err;
	if ((err = peer_find(c, p->name)) >= 0)
		return fail_name_taken(d, path, p->name, "peers", err);
	PATH(path, "%s.realm", at);
	if ((err = realm_ref_build(d, path, c, raw->realm)) < 0)
		return err;
	p->realm = (uint16_t)err;
	PATH(path, "%s.address", at);
	if ((err = addr_build(d, path, raw->address, &p->remote.addr)) < 0 ||
		(err = unicast_check(d, path, &p->remote.addr)) < 0)
		return err;
	if ((err = number_build(d, at, &port, raw->port, &port_value)) < 0 ||
		(err = number_build(d, at, &answer, raw->no_answer_s, &p->no_answer_s)) < 0 ||
		(err = session_build(d, at, raw->session_expires_s, raw->min_se_s,
			 c->realms[p->realm].session, &p->session)) < 0 ||
		(err = number_build(d, at, &calls, raw->limits.calls, &p->max_calls)) < 0)
		return err;
	p->remote.port = (uint16_t)port_value;
	p->overload_control = raw->overload_control;
	p->redirect_follow = raw->redirect;
	p->policy = c->realms[p->realm].policy;
	if (raw->policy != NULL &&
		(err = config_policy_ref_build(d, at, c, raw->policy, &p->policy)) < 0)
		return err;
	if ((err = config_peer_methods_build(d, at, raw, &c->realms[p->realm], p)) < 0)
		return err;
	return config_peer_limits_build(d, at, &raw->limits, c, p);
}

static int route_build(const struct config_doc *d, unsigned int i, const struct raw_route *raw,
	const struct config *c, struct config_route *r)
{
	char path[CONFIG_PATH_MAX];
	int index;

	PATH(path, "routes[%u].from", i);
	if ((index = realm_ref_build(d, path, c, raw->from)) < 0)
		return index;
	r->from_realm = (uint16_t)index;
	r->from_peer = -1;
	if (raw->from_peer != NULL) {
		PATH(path, "routes[%u].from_peer", i);
		if ((index = peer_ref_build(d, path, c, raw->from_peer)) < 0)
			return index;
		if (c->peers[index].realm != r->from_realm)
			return config_doc_fail(d, path,
				"peer \"%s\" is in realm \"%s\"; from must name that realm",
				raw->from_peer, c->realms[c->peers[index].realm].name);
		r->from_peer = index;
	}
	r->emergency = raw->emergency;
	if (raw->user_prefix != NULL)
		snprintf(r->user_prefix, sizeof(r->user_prefix), "%s", raw->user_prefix);
	PATH(path, "routes[%u].to", i);
	if ((index = peer_ref_build(d, path, c, raw->to)) < 0)
		return index;
	r->to_peer = (uint16_t)index;
	return 0;
}

/* What a Request-URI has in front of the "@"; it is compared as it is. */
static int emergency_build(
	const struct config_doc *d, const struct raw_overload *raw, struct config *c)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < raw->emergency_count; i++) {
		const char *given = raw->emergency[i];
		size_t len = strlen(given);

		PATH(path, "ops.overload.emergency[%u]", i);
		if (len >= CONFIG_EMERGENCY_LEN || strspn(given, "+0123456789*#") != len)
			return config_doc_fail(d, path,
				"\"%.40s\" is not a number; at most %d digits, \"+\", \"*\" and "
				"\"#\"",
				given, CONFIG_EMERGENCY_LEN - 1);
		memcpy(c->ops.overload.emergency[i], given, len + 1);
		c->ops.overload.n_emergency = i + 1;
	}
	return 0;
}

static int overload_build(
	const struct config_doc *d, const struct raw_overload *raw, struct config *c)
{
	static const struct number delay = {"delay_ms", 0, 10000, 100, "milliseconds"};
	static const struct number rate = {"call_rate", 0, 1000000, 0, "calls a second"};
	int err;

	if ((err = number_build(
		     d, "ops.overload", &delay, raw->delay_ms, &c->ops.overload.delay_ms)) < 0 ||
		(err = number_build(
			 d, "ops.overload", &rate, raw->call_rate, &c->ops.overload.call_rate)) < 0)
		return err;
	return emergency_build(d, raw, c);
}

static int ops_build(const struct config_doc *d, const struct raw_ops *raw, struct config *c)
{
	static const struct number shards = {"shards", 1, API_SHARDS_MAX, 1, "threads"};
	static const struct number stop = {"stop_timeout_s", 0, 3600, 5, "seconds"};
	static const struct number messages = {"trace_messages", 0, 256, 32, "messages"};
	static const struct number calls = {"trace_calls", 0, 1000000, 10000, "calls"};
	int err;

	snprintf(c->ops.control_socket, sizeof(c->ops.control_socket), "%s",
		raw->control_socket != NULL ? raw->control_socket : CONFIG_CONTROL_SOCKET_DEFAULT);
	if (raw->cdr_file != NULL)
		snprintf(c->ops.cdr_file, sizeof(c->ops.cdr_file), "%s", raw->cdr_file);
	c->ops.log_level = raw->log_level != NULL ? *raw->log_level : LOG_LEVEL_INFO;
	if ((err = number_build(d, "ops", &shards, raw->shards, &c->ops.shards)) < 0)
		return err;
	if ((err = number_build(d, "ops", &stop, raw->stop_timeout_s, &c->ops.stop_timeout_s)) <
			0 ||
		(err = number_build(
			 d, "ops", &messages, raw->trace_messages, &c->ops.trace_messages)) < 0 ||
		(err = overload_build(d, &raw->overload, c)) < 0)
		return err;
	return number_build(d, "ops", &calls, raw->trace_calls, &c->ops.trace_calls);
}

int config_build(const struct config_doc *d, const struct raw_config *raw, struct config *c)
{
	int err;

	/* One more than needed: calloc(0) may be NULL. */
	c->realms = calloc(raw->realms_count + 1, sizeof(*c->realms));
	c->peers = calloc(raw->peers_count + 1, sizeof(*c->peers));
	c->routes = calloc(raw->routes_count + 1, sizeof(*c->routes));
	c->policies = calloc(raw->policies_count + 1, sizeof(*c->policies));
	if (c->realms == NULL || c->peers == NULL || c->routes == NULL || c->policies == NULL)
		return config_doc_fail(d, "", "out of memory; free some");
	for (unsigned int i = 0; i < raw->policies_count; i++, c->n_policies++)
		if ((err = config_policy_build(d, i, &raw->policies[i], c, &c->policies[i])) < 0)
			return err;
	for (unsigned int i = 0; i < raw->realms_count; i++, c->n_realms++)
		if ((err = realm_build(d, (uint16_t)i, &raw->realms[i], c, &c->realms[i])) < 0)
			return err;
	for (unsigned int i = 0; i < raw->peers_count; i++, c->n_peers++)
		if ((err = peer_build(d, i, &raw->peers[i], c, &c->peers[i])) < 0)
			return err;
	for (unsigned int i = 0; i < raw->routes_count; i++, c->n_routes++)
		if ((err = route_build(d, i, &raw->routes[i], c, &c->routes[i])) < 0)
			return err;
	return ops_build(d, &raw->ops, c);
}
