#include <errno.h>

#include "attach.h"
#include "log.h"
#include "realm_commands.h"

#define COOKIE_PEERS API_REALMS_MAX /* in place of a realm: the entry is of config.peers */

/* The cookie carries the realm and the entry in its list. */
static uint64_t cookie_make(unsigned int realm, unsigned int entry)
{
	return (uint64_t)realm << 32 | entry;
}

static void head_fill(struct cmd_hdr *h, uint16_t type, unsigned int realm, unsigned int entry)
{
	h->hdr.type = type;
	h->hdr.version = API_VERSION;
	h->cookie = cookie_make(realm, entry);
}

static int port_find(const struct stats *stats, const char *name)
{
	for (unsigned int i = 0; i < API_PORTS_MAX; i++)
		if (strncmp(stats->port[i].name, name, API_NAME_MAX) == 0)
			return (int)i;
	return -ENOENT;
}

static void log_no_port(const struct config_realm *r, const struct stats *stats)
{
	char names[API_PORTS_MAX * (API_NAME_MAX + 2)] = "";

	for (unsigned int i = 0; i < API_PORTS_MAX; i++) {
		size_t at = strlen(names);

		if (stats->port[i].name[0] != '\0')
			snprintf(names + at, sizeof(names) - at, "%s%.*s", at > 0 ? ", " : "",
				API_NAME_MAX, stats->port[i].name);
	}
	log_error("the dataplane has no such port; restart it with this configuration file "
		  "realm=%s port=%s ports=\"%s\"",
		r->name, r->port, names);
}

static size_t realm_fill(
	const struct config_realm *r, const struct stats *stats, struct rec_realm_set *rec)
{
	int port = port_find(stats, r->port);

	if (port < 0) {
		log_no_port(r, stats);
		return 0;
	}
	head_fill(&rec->cmd, REC_REALM_SET, r->id, 0);
	memcpy(rec->name, r->name, sizeof(rec->name));
	rec->realm = r->id;
	rec->port = (uint16_t)port;
	rec->vlan = r->vlan;
	rec->dscp_sip = r->dscp_sip;
	rec->dscp_media = r->dscp_media;
	rec->police = r->police;
	rec->media_idle_ms = r->media_timeout_ms;
	rec->media_silent_ms = r->media_silent_ms;
	return sizeof(*rec);
}

static size_t address_fill(
	const struct config_realm *r, unsigned int i, struct rec_address_set *rec)
{
	head_fill(&rec->cmd, REC_ADDRESS_SET, r->id, i);
	rec->addr = r->addresses[i].addr;
	rec->prefix_len = r->addresses[i].prefix_len;
	rec->realm = r->id;
	/* The address whose network the gateway is in carries the default route; for a link-local
	 * one any address of its family does. */
	for (unsigned int g = 0; g < r->n_gateways; g++)
		if (net_addr_in_prefix(&r->gateways[g], &rec->addr, rec->prefix_len) ||
			(r->gateways[g].family == rec->addr.family &&
				net_addr_class(&r->gateways[g]) == NET_CLASS_LINK_LOCAL))
			rec->gateway = r->gateways[g];
	return sizeof(*rec);
}

static size_t listener_fill(
	const struct config_realm *r, unsigned int i, struct rec_listener_set *rec)
{
	head_fill(&rec->cmd, REC_LISTENER_SET, r->id, i);
	rec->local = r->listeners[i].local;
	rec->realm = r->id;
	return sizeof(*rec);
}

static size_t range_fill(
	const struct config_realm *r, unsigned int i, struct rec_media_range_set *rec)
{
	head_fill(&rec->cmd, REC_MEDIA_RANGE_SET, r->id, i);
	rec->addr = r->media[i].addr;
	rec->realm = r->id;
	rec->port_min = r->media[i].port_min;
	rec->port_max = r->media[i].port_max;
	return sizeof(*rec);
}

/* Entries of the lists are counted on: permit, then deny. */
static size_t list_fill(
	const struct config_realm *r, unsigned int i, struct rec_source_list_set *rec)
{
	bool permit = i < r->n_permit;
	const struct config_prefix *p = permit ? &r->permit[i] : &r->deny[i - r->n_permit];

	head_fill(&rec->cmd, REC_SOURCE_LIST_SET, r->id, i);
	rec->addr = p->addr;
	rec->prefix_len = p->len;
	rec->realm = r->id;
	rec->action = permit ? LIST_PERMIT : LIST_DENY;
	snprintf(rec->name, sizeof(rec->name), "%s", permit ? "permit" : "deny");
	return sizeof(*rec);
}

/* A peer sends from other ports than the one that it listens on: its address counts. */
static size_t peer_fill(const struct config *c, unsigned int i, struct rec_source_list_set *rec)
{
	const struct config_peer *p = &c->peers[i];

	head_fill(&rec->cmd, REC_SOURCE_LIST_SET, COOKIE_PEERS, i);
	rec->addr = p->remote.addr;
	rec->prefix_len = p->remote.addr.family == NET_FAMILY_V6 ? 128 : 32;
	rec->realm = p->realm;
	rec->action = LIST_PEER;
	rec->limit = p->sip;
	memcpy(rec->name, p->name, sizeof(rec->name));
	return sizeof(*rec);
}

/* Step 0 is the realm itself, then its addresses, listeners, media ranges and lists. */
static size_t step_fill(const struct config_realm *r, unsigned int step, const struct stats *stats,
	union realm_command *cmd)
{
	if (step == 0)
		return realm_fill(r, stats, &cmd->realm);
	step--;
	if (step < r->n_addresses)
		return address_fill(r, step, &cmd->address);
	step -= r->n_addresses;
	if (step < r->n_listeners)
		return listener_fill(r, step, &cmd->listener);
	step -= r->n_listeners;
	if (step < r->n_media)
		return range_fill(r, step, &cmd->range);
	step -= r->n_media;
	return step < r->n_permit + r->n_deny ? list_fill(r, step, &cmd->list) : 0;
}

size_t realm_commands_next(struct realm_commands *at, const struct config *c,
	const struct stats *stats, union realm_command *cmd)
{
	memset(cmd, 0, sizeof(*cmd));
	while (at->realm < c->n_realms) {
		size_t len = step_fill(&c->realms[at->realm], at->step, stats, cmd);

		at->step++;
		if (len > 0)
			return len;
		at->realm++;
		at->step = 0;
	}
	while (at->peer < c->n_peers) {
		const struct config_peer *p = &c->peers[at->peer++];

		if (!p->same_address && port_find(stats, c->realms[p->realm].port) >= 0)
			return peer_fill(c, at->peer - 1, &cmd->list);
	}
	if (at->synced)
		return 0;
	at->synced = true;
	head_fill(&cmd->cmd, REC_SYNC, 0, 0);
	return sizeof(cmd->sync);
}

static void list_describe(
	const struct config *c, uint64_t realm, unsigned int i, char *buf, size_t size)
{
	const struct config_realm *r = realm < c->n_realms ? &c->realms[realm] : NULL;
	char text[NET_ADDR_STRLEN];

	if (realm == COOKIE_PEERS && i < c->n_peers) {
		snprintf(buf, size, "rate of peer %s", c->peers[i].name);
	} else if (r != NULL && i < r->n_permit + r->n_deny) {
		bool permit = i < r->n_permit;
		const struct config_prefix *p = permit ? &r->permit[i] : &r->deny[i - r->n_permit];

		snprintf(buf, size, "%s %s/%u of realm %s", permit ? "permit" : "deny",
			net_addr_format(&p->addr, text), p->len, r->name);
	} else {
		snprintf(buf, size, "an entry of a list");
	}
}

const char *realm_command_describe(
	const struct config *c, unsigned int command, uint64_t cookie, char *buf, size_t size)
{
	uint64_t realm = cookie >> 32;
	unsigned int i = (unsigned int)(cookie & 0xffffffff);
	const struct config_realm *r = realm < c->n_realms ? &c->realms[realm] : NULL;
	char text[NET_ENDPOINT_STRLEN];

	if (command == REC_REALM_SET && r != NULL)
		snprintf(buf, size, "realm %s", r->name);
	else if (command == REC_ADDRESS_SET && r != NULL && i < r->n_addresses)
		snprintf(buf, size, "address %s/%u of realm %s",
			net_addr_format(&r->addresses[i].addr, text), r->addresses[i].prefix_len,
			r->name);
	else if (command == REC_LISTENER_SET && r != NULL && i < r->n_listeners)
		snprintf(buf, size, "SIP listener %s of realm %s",
			net_endpoint_format(&r->listeners[i].local, text), r->name);
	else if (command == REC_MEDIA_RANGE_SET && r != NULL && i < r->n_media)
		snprintf(buf, size, "media ports %u-%u at %s of realm %s", r->media[i].port_min,
			r->media[i].port_max, net_addr_format(&r->media[i].addr, text), r->name);
	else if (command == REC_SOURCE_LIST_SET)
		list_describe(c, realm, i, buf, size);
	else if (command == REC_SYNC)
		snprintf(buf, size, "the end of the configuration");
	else
		snprintf(buf, size, "command %u", command);
	return buf;
}
