/*
 * What only shows when sections are held against each other: names given twice,
 * addresses and ports that two realms or two purposes claim, references to nowhere.
 */
#include <errno.h>

#include "config_priv.h"

#define PATH(buf, ...) snprintf((buf), CONFIG_PATH_MAX, __VA_ARGS__)

static bool realm_has_addr(const struct config_realm *r, const struct net_addr *a)
{
	for (unsigned int i = 0; i < r->n_addresses; i++)
		if (net_addr_eq(&r->addresses[i].addr, a))
			return true;
	return false;
}

static int port_ref_check(
	const struct config_doc *d, const struct config *c, const struct config_realm *r)
{
	char path[CONFIG_PATH_MAX], names[160] = "";

	for (unsigned int i = 0; i < c->dataplane.ports_count; i++) {
		const char *name = c->dataplane.ports[i].name;
		size_t at = strlen(names);

		if (name == NULL)
			continue;
		if (strcmp(name, r->port) == 0)
			return 0;
		snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? ", " : "", name);
	}
	PATH(path, "realms[%u].port", r->id);
	return config_doc_fail(d, path, "there is no port \"%s\" in dataplane.ports; there is %s",
		r->port, names[0] != '\0' ? names : "none");
}

/* The first address of r before `end` that equals a. */
static int addr_seen(const struct config_realm *r, unsigned int end, const struct net_addr *a)
{
	for (unsigned int i = 0; i < end; i++)
		if (net_addr_eq(&r->addresses[i].addr, a))
			return (int)i;
	return -ENOENT;
}

static int addresses_check(
	const struct config_doc *d, const struct config *c, const struct config_realm *r)
{
	char path[CONFIG_PATH_MAX];

	for (unsigned int i = 0; i < r->n_addresses; i++) {
		PATH(path, "realms[%u].addresses[%u]", r->id, i);
		if (addr_seen(r, i, &r->addresses[i].addr) >= 0)
			return config_doc_fail(d, path, "address given twice; keep one");
		for (unsigned int j = 0; j < r->id; j++)
			if (realm_has_addr(&c->realms[j], &r->addresses[i].addr))
				return config_doc_fail(d, path,
					"realm \"%s\" has this address too; each realm needs its "
					"own",
					c->realms[j].name);
	}
	return 0;
}

/* A router on one of the realm's networks; a link-local one is on any link of its family. */
static bool gateway_reached(const struct config_realm *r, const struct net_addr *gateway)
{
	for (unsigned int i = 0; i < r->n_addresses; i++) {
		const struct net_addr *a = &r->addresses[i].addr;

		if (net_addr_in_prefix(gateway, a, r->addresses[i].prefix_len) ||
			(a->family == gateway->family &&
				net_addr_class(gateway) == NET_CLASS_LINK_LOCAL))
			return true;
	}
	return false;
}

static int gateways_check(const struct config_doc *d, const struct config_realm *r)
{
	char list[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX], text[NET_ADDR_STRLEN];

	PATH(list, "realms[%u].gateway", r->id);
	for (unsigned int i = 0; i < r->n_gateways; i++) {
		const struct net_addr *g = &r->gateways[i];

		config_doc_entry_path(d, list, i, path);
		net_addr_format(g, text);
		if (realm_has_addr(r, g))
			return config_doc_fail(d, path,
				"%s is this realm's own address; give the router's address", text);
		if (!gateway_reached(r, g))
			return config_doc_fail(d, path,
				"%s is in none of the realm's networks; give a router on its own "
				"network",
				text);
	}
	return 0;
}

static int listener_media_check(const struct config_doc *d, const char *path,
	const struct config_realm *r, const struct net_endpoint *l)
{
	for (unsigned int i = 0; i < r->n_media; i++) {
		const struct config_media *m = &r->media[i];

		if (net_addr_eq(&l->addr, &m->addr) && l->port >= m->port_min &&
			l->port <= m->port_max)
			return config_doc_fail(d, path,
				"port %u lies in this address's media ports %u-%u; use one outside",
				l->port, m->port_min, m->port_max);
	}
	return 0;
}

static int listeners_check(const struct config_doc *d, const struct config_realm *r)
{
	char path[CONFIG_PATH_MAX], text[NET_ENDPOINT_STRLEN];
	int err;

	for (unsigned int i = 0; i < r->n_listeners; i++) {
		const struct net_endpoint *l = &r->listeners[i].local;

		PATH(path, "realms[%u].sip[%u]", r->id, i);
		net_endpoint_format(l, text);
		if (!realm_has_addr(r, &l->addr))
			return config_doc_fail(d, path,
				"%s is not at one of the realm's addresses; list it in addresses",
				text);
		for (unsigned int j = 0; j < i; j++)
			if (net_endpoint_eq(l, &r->listeners[j].local))
				return config_doc_fail(
					d, path, "%s is listed twice; keep one", text);
		if ((err = listener_media_check(d, path, r, l)) < 0)
			return err;
	}
	return 0;
}

static const char *family_name(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V6 ? "IPv6" : "IPv4";
}

/* With nat: auto media comes from where SIP comes from, so each family of SIP needs its own. */
static int media_families_check(const struct config_doc *d, const struct config_realm *r)
{
	char path[CONFIG_PATH_MAX], text[NET_ENDPOINT_STRLEN];

	PATH(path, "realms[%u].media", r->id);
	for (unsigned int i = 0; r->nat == NAT_AUTO && i < r->n_listeners; i++) {
		const struct net_endpoint *l = &r->listeners[i].local;
		unsigned int j = 0;

		while (j < r->n_media && r->media[j].addr.family != l->addr.family)
			j++;
		if (j == r->n_media)
			return config_doc_fail(d, path,
				"no %s address, but SIP is taken at %s; add one for its media",
				family_name(&l->addr), net_endpoint_format(l, text));
	}
	return 0;
}

/* Does a range of realm `o` take ports of m at the same address? Those of m's own realm up to
 * `end` only. */
static const struct config_media *overlap_find(
	const struct config_realm *o, unsigned int end, const struct config_media *m)
{
	for (unsigned int i = 0; i < end; i++)
		if (net_addr_eq(&o->media[i].addr, &m->addr) &&
			m->port_min <= o->media[i].port_max && o->media[i].port_min <= m->port_max)
			return &o->media[i];
	return NULL;
}

static int media_entry_check(const struct config_doc *d, const struct config *c,
	const struct config_realm *r, unsigned int i)
{
	char list[CONFIG_PATH_MAX], entry[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX + 16];
	const struct config_media *m = &r->media[i];
	char text[NET_ADDR_STRLEN];

	PATH(list, "realms[%u].media", r->id);
	config_doc_entry_path(d, list, i, entry);
	snprintf(path, sizeof(path), "%s.ports", entry);
	for (unsigned int j = 0; j <= r->id; j++) {
		const struct config_realm *o = &c->realms[j];
		const struct config_media *other = overlap_find(o, o == r ? i : o->n_media, m);

		if (other != NULL)
			return config_doc_fail(d, path,
				"%u-%u overlaps %u-%u of realm \"%s\" at the same address; give "
				"each "
				"realm its own address",
				m->port_min, m->port_max, other->port_min, other->port_max,
				o->name);
	}
	if (realm_has_addr(r, &m->addr))
		return 0;
	snprintf(path, sizeof(path), "%s.address", entry);
	return config_doc_fail(d, path,
		"%s is not one of the realm's addresses; list it in addresses",
		net_addr_format(&m->addr, text));
}

static int media_check(
	const struct config_doc *d, const struct config *c, const struct config_realm *r)
{
	int err;

	for (unsigned int i = 0; i < r->n_media; i++)
		if ((err = media_entry_check(d, c, r, i)) < 0)
			return err;
	return media_families_check(d, r);
}

static int realms_check(const struct config_doc *d, const struct config *c)
{
	int err;

	for (unsigned int i = 0; i < c->n_realms; i++) {
		const struct config_realm *r = &c->realms[i];

		if ((err = port_ref_check(d, c, r)) < 0 || (err = media_check(d, c, r)) < 0 ||
			(err = addresses_check(d, c, r)) < 0 || (err = gateways_check(d, r)) < 0 ||
			(err = listeners_check(d, r)) < 0 ||
			(err = config_lists_check(d, c, r)) < 0)
			return err;
	}
	return 0;
}

/* Calls to it leave from a listener of its family. */
static int peer_family_check(const struct config_doc *d, const char *path, const struct config *c,
	const struct config_peer *p)
{
	const struct config_realm *r = &c->realms[p->realm];

	for (unsigned int i = 0; i < r->n_listeners; i++)
		if (r->listeners[i].local.addr.family == p->remote.addr.family)
			return 0;
	return config_doc_fail(d, path,
		"an %s address, but realm \"%s\" takes no SIP over %s; add such an address to its "
		"sip",
		family_name(&p->remote.addr), r->name, family_name(&p->remote.addr));
}

static int peers_check(const struct config_doc *d, const struct config *c)
{
	char path[CONFIG_PATH_MAX], text[NET_ENDPOINT_STRLEN];
	int err;

	for (unsigned int i = 0; i < c->n_peers; i++) {
		const struct config_peer *p = &c->peers[i];

		for (unsigned int j = 0; j < i; j++) {
			PATH(path, "peers[%u].address", i);
			if (p->realm == c->peers[j].realm &&
				net_endpoint_eq(&p->remote, &c->peers[j].remote))
				return config_doc_fail(d, path,
					"%s is peer \"%s\" already; one peer has one address and "
					"port",
					net_endpoint_format(&p->remote, text), c->peers[j].name);
		}
		PATH(path, "peers[%u].address", i);
		for (unsigned int j = 0; j < c->n_realms; j++)
			if (realm_has_addr(&c->realms[j], &p->remote.addr))
				return config_doc_fail(d, path,
					"%s is our own address in realm \"%s\"; give the peer's",
					net_addr_format(&p->remote.addr, text), c->realms[j].name);
		if ((err = peer_family_check(d, path, c, p)) < 0)
			return err;
	}
	return 0;
}

/* Three files, written by two programs: each would remove or garble the other's. */
static int paths_check(const struct config_doc *d, const struct config *c)
{
	const char *dataplane = c->dataplane.socket;

	if (strcmp(c->ops.control_socket, dataplane) == 0)
		return config_doc_fail(d, "ops.control_socket",
			"%.100s is the dataplane's socket already; give another path", dataplane);
	if (strcmp(c->ops.cdr_file, dataplane) == 0 ||
		strcmp(c->ops.cdr_file, c->ops.control_socket) == 0)
		return config_doc_fail(d, "ops.cdr_file",
			"%.100s is a socket already; give another path", c->ops.cdr_file);
	return 0;
}

int config_check(const struct config_doc *d, const struct config *c)
{
	unsigned int addresses = 0, prefixes = c->n_peers;
	int err;

	if ((err = realms_check(d, c)) < 0 || (err = peers_check(d, c)) < 0 ||
		(err = paths_check(d, c)) < 0)
		return err;
	for (unsigned int i = 0; i < c->n_realms; i++) {
		addresses += c->realms[i].n_addresses;
		prefixes += c->realms[i].n_permit + c->realms[i].n_deny;
	}
	if (addresses > API_ADDRS_MAX)
		return config_doc_fail(d, "realms", "%u addresses over all realms; at most %d",
			addresses, API_ADDRS_MAX);
	if (prefixes > API_LIST_MAX)
		return config_doc_fail(d, "realms",
			"%u peers and entries of permit and deny lists; at most %d", prefixes,
			API_LIST_MAX);
	return 0;
}
