/*
 * What a realm takes: rates with their bursts, denial, permit and deny lists, and the rate of a
 * peer. Few keys need to be given: most defaults follow from trust and sip_rate.
 */
#include <errno.h>

#include "config_priv.h"

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

#define RATE_MAX 1000000u
#define BYTES_MAX 1000000000u
#define SIP_RATE_UNTRUSTED 50 /* a phone, or some behind one port */
#define UNTRUSTED_MIN 10000   /* of all strangers together: a fifth of what one shard answers */
#define BURST_S 2
#define COUNT_MAX 1000000u
#define SUBSCRIPTIONS_UNTRUSTED 10000	  /* about 30 MB */
#define SOURCE_SUBSCRIPTIONS_UNTRUSTED 50 /* keys and lists of a phone, or some behind one port */
#define DENY_AFTER_SECONDS 10 /* of sip_rate; that many refusals deny an untrusted source */

/* How the default of a rate follows. */
struct rate_row {
	const char *key;
	size_t raw; /* offset in struct raw_limits */
	size_t out; /* offset in struct realm_police */
	uint32_t max;
	const char *unit;
	uint32_t factor, divisor; /* untrusted: of sip_rate; divisor 0: `factor` itself */
	uint32_t at_least;	  /* untrusted */
	uint32_t trusted;	  /* 0: no limit */
};

#define ROW(key, field) \
	"limits." #key, offsetof(struct raw_limits, key), offsetof(struct realm_police, field)

static const struct rate_row rows[] = {
	{ROW(address_rate, sip_address), RATE_MAX, "messages a second", 20, 1, 0, 0},
	{ROW(prefix_rate, sip_prefix), RATE_MAX, "messages a second", 40, 1, 0, 0},
	{ROW(untrusted_rate, sip_untrusted), RATE_MAX, "messages a second", 4, 1, UNTRUSTED_MIN, 0},
	{ROW(invite_rate, sip_method[POLICE_INVITE]), RATE_MAX, "requests a second", 1, 5, 0, 0},
	{ROW(register_rate, sip_method[POLICE_REGISTER]), RATE_MAX, "requests a second", 1, 5, 0,
		0},
	{ROW(options_rate, sip_method[POLICE_OPTIONS]), RATE_MAX, "requests a second", 1, 5, 0, 0},
	{ROW(other_rate, sip_method[POLICE_OTHER]), RATE_MAX, "requests a second", 1, 5, 0, 0},
	{ROW(dialog_rate, sip_dialog), RATE_MAX, "messages a second", 20, 0, 0, 100},
	{ROW(tcp_syn_rate, tcp_syn), RATE_MAX, "connections a second", 20, 0, 0, 1000},
	{ROW(tcp_byte_rate, tcp_bytes), BYTES_MAX, "bytes a second", 1000000, 0, 0, 0},
	{ROW(icmp_rate, icmp), RATE_MAX, "packets a second", 20, 0, 0, 1000},
};

static uint32_t capped(uint64_t v, uint32_t max)
{
	return v < max ? (uint32_t)v : max;
}

static uint32_t rate_default(const struct rate_row *row, bool trusted, uint32_t sip_rate)
{
	uint64_t v = row->factor;

	if (trusted)
		return row->trusted;
	if (row->divisor != 0) {
		v = (uint64_t)sip_rate * row->factor / row->divisor;
		/* A small limit must not turn into none. */
		if (v == 0 && sip_rate > 0)
			v = 1;
	}
	if (v < row->at_least)
		v = row->at_least;
	return capped(v, row->max);
}

static int rates_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	uint32_t burst_s, struct realm_police *police)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rate_row *row = &rows[i];
		const struct number n = {row->key, 0, row->max,
			rate_default(row, raw->trust == TRUST_TRUSTED, police->sip.rate),
			row->unit};
		struct rate_limit *out = (struct rate_limit *)((char *)police + row->out);
		uint32_t *given;
		int err;

		memcpy(&given, (const char *)&raw->limits + row->raw, sizeof(given));
		if ((err = config_number_build(d, at, &n, given, &out->rate)) < 0)
			return err;
		out->burst = capped((uint64_t)out->rate * burst_s, UINT32_MAX);
	}
	return 0;
}

static int sip_rate_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	uint32_t burst_s, struct rate_limit *sip)
{
	const struct number rate = {"limits.sip_rate", 0, RATE_MAX,
		raw->trust == TRUST_TRUSTED ? 0 : SIP_RATE_UNTRUSTED, "messages a second"};
	struct number burst = {"limits.sip_burst", 1, RATE_MAX, 1, "messages"};
	int err;

	if ((err = config_number_build(d, at, &rate, raw->limits.sip_rate, &sip->rate)) < 0)
		return err;
	if (sip->rate > 0)
		burst.fallback = capped((uint64_t)sip->rate * burst_s, RATE_MAX);
	return config_number_build(d, at, &burst, raw->limits.sip_burst, &sip->burst);
}

static int denial_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	struct realm_police *p = &r->police;
	uint32_t of = p->sip.rate > 0 ? p->sip.rate : SIP_RATE_UNTRUSTED;
	const struct number after = {"limits.deny_after", 0, RATE_MAX,
		raw->trust == TRUST_TRUSTED ? 0
					    : capped((uint64_t)of * DENY_AFTER_SECONDS, RATE_MAX),
		"messages"};
	const struct number window = {"limits.deny_window_s", 1, 3600, 10, "seconds"};
	const struct number deny = {"limits.deny_s", 1, API_SOURCE_SECONDS_MAX, 60, "seconds"};
	const struct number trusted = {
		"limits.trusted_s", 0, API_SOURCE_SECONDS_MAX, 3600, "seconds"};
	const struct raw_limits *l = &raw->limits;
	int err;

	if ((err = config_number_build(d, at, &after, l->deny_after, &p->deny_after)) < 0 ||
		(err = config_number_build(d, at, &window, l->deny_window_s, &p->deny_window_s)) <
			0 ||
		(err = config_number_build(d, at, &deny, l->deny_s, &p->deny_s)) < 0)
		return err;
	return config_number_build(d, at, &trusted, l->trusted_s, &r->trusted_s);
}

static int subscriptions_build(const struct config_doc *d, const char *at,
	const struct raw_realm *raw, struct config_realm *r)
{
	bool trusted = raw->trust == TRUST_TRUSTED;
	const struct number all = {"limits.subscriptions", 0, COUNT_MAX,
		trusted ? 0 : SUBSCRIPTIONS_UNTRUSTED, "subscriptions"};
	const struct number one = {"limits.source_subscriptions", 0, COUNT_MAX,
		trusted ? 0 : SOURCE_SUBSCRIPTIONS_UNTRUSTED, "subscriptions"};
	int err =
		config_number_build(d, at, &all, raw->limits.subscriptions, &r->max_subscriptions);

	if (err < 0)
		return err;
	return config_number_build(
		d, at, &one, raw->limits.source_subscriptions, &r->max_source_subscriptions);
}

/* --- lists --- */

static bool prefix_eq(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->len == b->len && net_addr_eq(&a->addr, &b->addr);
}

/* The same address with the bits beyond the length cleared. */
static struct net_addr prefix_base(const struct config_prefix *p)
{
	struct net_addr base = p->addr;
	unsigned int bytes = base.family == NET_FAMILY_V6 ? 16 : 4;

	for (unsigned int i = 0; i < bytes; i++) {
		unsigned int bit = i * 8, keep = p->len > bit ? p->len - bit : 0;

		base.bytes[i] &= (uint8_t)(keep >= 8 ? 0xff : 0xff << (8 - keep));
	}
	return base;
}

static int prefix_build(
	const struct config_doc *d, const char *path, const char *text, struct config_prefix *out)
{
	struct str_view view = {text, strlen(text)};
	char base_text[NET_ADDR_STRLEN];
	struct net_addr base;
	int err;

	if (net_addr_parse(view, &out->addr) == 0)
		out->len = out->addr.family == NET_FAMILY_V6 ? 128 : 32;
	else if (net_prefix_parse(view, &out->addr, &out->len) < 0)
		return config_doc_fail(d, path,
			"\"%.60s\" is not ADDRESS or ADDRESS/LENGTH; write it such as "
			"203.0.113.0/24",
			text);
	if ((err = config_mapped_check(d, path, &out->addr)) < 0)
		return err;
	base = prefix_base(out);
	if (!net_addr_eq(&base, &out->addr))
		return config_doc_fail(d, path, "\"%.60s\" has bits behind its length; write %s/%u",
			text, net_addr_format(&base, base_text), out->len);
	return 0;
}

static int list_build(const struct config_doc *d, const char *at, const char *key,
	char *const *texts, unsigned int n, struct config_prefix **list, unsigned int *n_list)
{
	char path[CONFIG_PATH_MAX];
	int err;

	if (n == 0)
		return 0;
	*list = calloc(n, sizeof(**list));
	if (*list == NULL)
		return config_doc_fail(d, at, "out of memory; free some");
	for (unsigned int i = 0; i < n; i++) {
		PATH(path, "%s.%s[%u]", at, key, i);
		if ((err = prefix_build(d, path, texts[i], &(*list)[i])) < 0)
			return err;
		for (unsigned int j = 0; j < i; j++)
			if (prefix_eq(&(*list)[i], &(*list)[j]))
				return config_doc_fail(
					d, path, "\"%.60s\" is listed twice; keep one", texts[i]);
		*n_list = i + 1;
	}
	return 0;
}

int config_limits_build(const struct config_doc *d, const char *at, const struct raw_realm *raw,
	struct config_realm *r)
{
	const struct number burst = {"limits.burst_s", 1, 60, BURST_S, "seconds"};
	uint32_t burst_s;
	int err;

	if ((err = config_number_build(d, at, &burst, raw->limits.burst_s, &burst_s)) < 0 ||
		(err = sip_rate_build(d, at, raw, burst_s, &r->police.sip)) < 0 ||
		(err = rates_build(d, at, raw, burst_s, &r->police)) < 0 ||
		(err = denial_build(d, at, raw, r)) < 0 ||
		(err = subscriptions_build(d, at, raw, r)) < 0 ||
		(err = list_build(d, at, "permit", raw->permit, raw->permit_count, &r->permit,
			 &r->n_permit)) < 0)
		return err;
	return list_build(d, at, "deny", raw->deny, raw->deny_count, &r->deny, &r->n_deny);
}

/* --- peers --- */

static const struct config_peer *peer_at(
	const struct config *c, uint16_t realm, const struct net_addr *addr)
{
	for (unsigned int i = 0; i < c->n_peers; i++)
		if (c->peers[i].realm == realm && net_addr_eq(&c->peers[i].remote.addr, addr))
			return &c->peers[i];
	return NULL;
}

int config_peer_limits_build(const struct config_doc *d, const char *at,
	const struct raw_limits *raw, const struct config *c, struct config_peer *p)
{
	const struct rate_limit *address = &c->realms[p->realm].police.sip_address;
	const struct number rate = {
		"limits.sip_rate", 0, RATE_MAX, address->rate, "messages a second"};
	struct number burst = {"limits.sip_burst", 1, RATE_MAX, 1, "messages"};
	const struct config_peer *first = peer_at(c, p->realm, &p->remote.addr);
	char path[CONFIG_PATH_MAX];
	int err;

	p->same_address = first != NULL;
	if (first != NULL && (raw->sip_rate != NULL || raw->sip_burst != NULL)) {
		PATH(path, "%s.limits", at);
		return config_doc_fail(d, path,
			"peer \"%s\" has the same address, and one limit counts for an address; "
			"give sip_rate and sip_burst there",
			first->name);
	}
	if ((err = config_number_build(d, at, &rate, raw->sip_rate, &p->sip.rate)) < 0)
		return err;
	if (p->sip.rate > 0)
		burst.fallback = capped((uint64_t)p->sip.rate * BURST_S, RATE_MAX);
	return config_number_build(d, at, &burst, raw->sip_burst, &p->sip.burst);
}

/* --- across sections --- */

/* A single address, which is more than an entry of a network may change. */
static bool is_host(const struct config_prefix *p, const struct net_addr *a)
{
	return p->len == (a->family == NET_FAMILY_V6 ? 128 : 32) && net_addr_eq(&p->addr, a);
}

int config_lists_check(
	const struct config_doc *d, const struct config *c, const struct config_realm *r)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < r->n_deny; i++) {
		PATH(path, "realms[%u].deny[%u]", r->id, i);
		for (unsigned int j = 0; j < r->n_permit; j++)
			if (prefix_eq(&r->deny[i], &r->permit[j]))
				return config_doc_fail(
					d, path, "is in permit[%u] too; keep one of them", j);
		for (unsigned int j = 0; j < c->n_peers; j++)
			if (c->peers[j].realm == r->id &&
				is_host(&r->deny[i], &c->peers[j].remote.addr))
				return config_doc_fail(d, path,
					"is peer \"%s\"; remove the peer or this entry",
					c->peers[j].name);
	}
	return 0;
}
