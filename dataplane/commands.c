#include <errno.h>

#include "attach.h"
#include "boundary.h"
#include "boundary_priv.h"
#include "capture.h"
#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "log.h"
#include "police.h"
#include "source_list.h"

/*
 * Commands of control: each is copied by ring_get(), validated field by field here and
 * only then handed to the tables. A record that is no command, or whose shape is wrong,
 * is malformed: counted and dropped. One whose values cannot be carried out is answered
 * with an error.
 */

/* Share of the event ring that must be free before another command is taken. */
#define EVENT_RING_RESERVE_PERCENT 25

typedef int (*command_fn)(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done);

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		if (b[i] != 0)
			return false;
	}
	return true;
}

/* --- fields: each returns 0 or why not --- */

static int check_addr(const struct net_addr *a, bool may_be_unset)
{
	if (!zero(a->pad, sizeof(a->pad)))
		return -EINVAL;
	switch (a->family) {
	case NET_FAMILY_NONE:
		return may_be_unset && zero(a->bytes, sizeof(a->bytes)) ? 0 : -EINVAL;
	case NET_FAMILY_V4:
		return zero(a->bytes + 4, sizeof(a->bytes) - 4) ? 0 : -EINVAL;
	case NET_FAMILY_V6:
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

static int check_prefix(const struct net_addr *a, uint8_t len)
{
	return len <= (a->family == NET_FAMILY_V6 ? 128 : 32) ? 0 : -EINVAL;
}

/* One of ours: known family, its own spelling, not a class that packets may not come from. */
static int check_own(const struct net_addr *a)
{
	struct net_addr plain;
	int rc = check_addr(a, false);

	if (rc < 0)
		return rc;
	plain = net_addr_normalise(a);
	return net_addr_is_unicast_peer(a) && net_addr_eq(&plain, a) ? 0 : -EINVAL;
}

/* The router of one of our addresses: of its family. IPv6 routers tell their
 * link-local address, so that one is fine there (RFC 4861 section 4.2). */
static int check_gateway(const struct net_addr *gateway, const struct net_addr *own)
{
	struct net_addr plain;
	bool link_local;
	int rc = check_addr(gateway, true);

	if (rc < 0 || gateway->family == NET_FAMILY_NONE)
		return rc;
	plain = net_addr_normalise(gateway);
	link_local =
		plain.family == NET_FAMILY_V6 && net_addr_class(&plain) == NET_CLASS_LINK_LOCAL;
	if (plain.family != own->family || !net_addr_eq(&plain, gateway) ||
		(!link_local && !net_addr_is_unicast_peer(&plain)))
		return -EINVAL;
	return net_addr_eq(gateway, own) ? -EINVAL : 0;
}

/* threats.md row 28: nothing is relayed to loopback, multicast or ourselves, in any spelling. */
static int check_peer(const struct net_addr *a, bool may_be_unset)
{
	struct net_addr plain;
	int rc = check_addr(a, may_be_unset);

	if (rc < 0 || a->family == NET_FAMILY_NONE)
		return rc;
	plain = net_addr_normalise(a);
	if (!net_addr_is_unicast_peer(&plain) || local_addr_find(&plain) >= 0)
		return -EACCES;
	/* The fast path compares normalised addresses: another spelling would never match. */
	return net_addr_eq(&plain, a) ? 0 : -EINVAL;
}

static int check_realm(uint16_t realm)
{
	if (realm >= API_REALMS_MAX)
		return -EINVAL;
	return local_realms[realm].used ? 0 : -ENOENT;
}

static int check_end(const struct stream_end *e)
{
	int rc = check_realm(e->realm);

	if (rc == 0)
		rc = check_own(&e->local.addr);
	if (rc == 0)
		rc = check_peer(&e->remote.addr, true);
	if (rc == 0)
		rc = check_addr(&e->allowed, true);
	if (rc == 0)
		rc = check_prefix(&e->allowed, e->prefix_len);
	if (rc < 0)
		return rc;
	if (e->local.port == 0 || e->local.pad != 0 || e->remote.pad != 0)
		return -EINVAL;
	if ((e->remote.addr.family == NET_FAMILY_NONE) != (e->remote.port == 0))
		return -EINVAL;
	if (e->clock_hz > API_CLOCK_HZ_MAX)
		return -EINVAL;
	if ((e->flags & ~(STREAM_END_RECEIVE | STREAM_END_LEARN_PORT)) != 0)
		return -EINVAL;
	/* What arrives at an address has its family. */
	if ((e->remote.addr.family != NET_FAMILY_NONE &&
		    e->remote.addr.family != e->local.addr.family) ||
		(e->allowed.family != NET_FAMILY_NONE && e->allowed.family != e->local.addr.family))
		return -EAFNOSUPPORT;
	return 0;
}

/* --- commands --- */

static int run_realm_set(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_realm_set *r = rec;
	bool marks_change;
	int rc;

	if (memchr(r->name, '\0', sizeof(r->name)) == NULL || r->name[0] == '\0')
		return -EINVAL;
	if (r->realm >= API_REALMS_MAX || r->vlan > 4094 || r->dscp_sip > 63 || r->dscp_media > 63)
		return -EINVAL;
	if (r->port >= API_PORTS_MAX || stats_region->port[r->port].name[0] == '\0')
		return -ENODEV;
	marks_change =
		local_realms[r->realm].used && local_realms[r->realm].dscp_media != r->dscp_media;
	rc = local_realm_set(r, epoch);
	if (marks_change)
		stream_resolve_all();
	return rc;
}

static int run_address_set(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_address_set *r = rec;
	int rc = check_realm(r->realm);

	if (rc == 0)
		rc = check_own(&r->addr);
	if (rc == 0)
		rc = check_prefix(&r->addr, r->prefix_len);
	if (rc == 0)
		rc = check_gateway(&r->gateway, &r->addr);
	return rc < 0 ? rc : local_address_set(r, epoch);
}

static int run_listener_set(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_listener_set *r = rec;
	int rc = check_realm(r->realm);

	if (rc == 0)
		rc = check_own(&r->local.addr);
	if (rc == 0 && (r->local.port == 0 || r->local.pad != 0))
		rc = -EINVAL;
	return rc < 0 ? rc : local_listener_set(r, epoch);
}

static int run_media_range_set(
	const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_media_range_set *r = rec;
	int rc = check_realm(r->realm);

	if (rc == 0)
		rc = check_own(&r->addr);
	if (rc == 0 && (r->port_min == 0 || r->port_max < r->port_min))
		rc = -EINVAL;
	return rc < 0 ? rc : local_media_range_set(r, epoch);
}

/* Spelled as the fast path compares it. */
static int check_source(const struct net_addr *a)
{
	struct net_addr plain;
	int rc = check_addr(a, false);

	if (rc < 0)
		return rc;
	plain = net_addr_normalise(a);
	return net_addr_eq(&plain, a) ? 0 : -EINVAL;
}

static int run_source_list_set(
	const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_source_list_set *r = rec;
	int rc = r->realm == API_REALM_ANY ? 0 : check_realm(r->realm);

	if (rc == 0)
		rc = check_source(&r->addr);
	if (rc == 0)
		rc = check_prefix(&r->addr, r->prefix_len);
	if (rc == 0 && (r->action >= LIST_ACTION_COUNT || r->pad != 0 ||
			       (r->port != 0 && r->action != LIST_PEER) ||
			       memchr(r->name, '\0', sizeof(r->name)) == NULL))
		rc = -EINVAL;
	return rc < 0 ? rc : source_list_set(r, epoch);
}

static int run_source_set(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_source_set *r = rec;
	int rc = check_realm(r->realm);

	if (rc == 0)
		rc = check_source(&r->source.addr);
	if (rc == 0 && (r->source.pad != 0 || r->source_class >= SOURCE_CLASS_COUNT ||
			       r->reason >= SOURCE_REASON_COUNT || r->seconds == 0 ||
			       r->seconds > API_SOURCE_SECONDS_MAX))
		rc = -EINVAL;
	return rc < 0 ? rc : police_source_set(r);
}

static int run_sync(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	int rc;

	source_list_sync(epoch);
	rc = local_sync(epoch);
	/* Who is told that the configuration is in force may send by it at once. */
	netlink_routes_read();
	return rc;
}

static int run_stream_set(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_stream_set *r = rec;
	int rc = check_end(&r->end[0]);

	if (rc == 0)
		rc = check_end(&r->end[1]);
	if (rc == 0 && r->kind >= STREAM_KIND_COUNT)
		rc = -EINVAL;
	return rc < 0 ? rc : stream_set(r, epoch, group, done->flow);
}

static int run_stream_del(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_stream_del *r = rec;
	struct rec_stream_event gone;
	int rc = stream_del(r, &gone);

	if (rc == 0)
		boundary_event(group, &gone, sizeof(gone));
	return rc;
}

static int run_capture_start(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct rec_capture_start *r = rec;

	if (memchr(r->file, '\0', sizeof(r->file)) == NULL || r->max_mib == 0 || r->max_s == 0 ||
		r->snaplen < 64 || r->snaplen > API_SNAPLEN_MAX)
		return -EINVAL;
	return capture_start(r);
}

static int run_capture_stop(const void *rec, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	return capture_stop();
}

static const struct command {
	size_t size;
	command_fn run;
} commands[REC_COUNT] = {
	[REC_REALM_SET] = {sizeof(struct rec_realm_set), run_realm_set},
	[REC_ADDRESS_SET] = {sizeof(struct rec_address_set), run_address_set},
	[REC_LISTENER_SET] = {sizeof(struct rec_listener_set), run_listener_set},
	[REC_MEDIA_RANGE_SET] = {sizeof(struct rec_media_range_set), run_media_range_set},
	[REC_SOURCE_LIST_SET] = {sizeof(struct rec_source_list_set), run_source_list_set},
	[REC_SOURCE_SET] = {sizeof(struct rec_source_set), run_source_set},
	[REC_SYNC] = {sizeof(struct rec_sync), run_sync},
	[REC_STREAM_SET] = {sizeof(struct rec_stream_set), run_stream_set},
	[REC_STREAM_DEL] = {sizeof(struct rec_stream_del), run_stream_del},
	[REC_CAPTURE_START] = {sizeof(struct rec_capture_start), run_capture_start},
	[REC_CAPTURE_STOP] = {sizeof(struct rec_capture_stop), run_capture_stop},
};

int command_run(const void *rec, size_t len, uint32_t epoch, uint8_t group, struct rec_done *done)
{
	const struct cmd_hdr *cmd = rec;
	const struct command *c;

	if (len < sizeof(*cmd) || cmd->hdr.len != len || cmd->hdr.version != API_VERSION ||
		cmd->hdr.type >= REC_COUNT)
		return -EBADMSG;
	c = &commands[cmd->hdr.type];
	if (c->run == NULL || c->size != len)
		return -EBADMSG;
	*done = (struct rec_done){
		.hdr = {.len = sizeof(*done), .type = REC_DONE, .version = API_VERSION},
		.cookie = cmd->cookie,
		.command = cmd->hdr.type};
	done->status = c->run(rec, epoch, group, done);
	/* By realms and addresses, or by a stream that was the last of its address. */
	if (local_ways_changed())
		stream_resolve_all();
	return 0;
}

unsigned int commands_take(struct boundary_group *g, uint32_t epoch, unsigned int budget)
{
	_Alignas(8) uint8_t rec[API_RECORD_MAX];
	unsigned int n;

	for (n = 0; n < budget; n++) {
		struct rec_done done;
		int len;

		/* Full of events that control does not read: its commands wait, we do not. */
		if (ring_free_percent(&g->event) < EVENT_RING_RESERVE_PERCENT)
			break;
		if (!police_ready())
			break;
		len = ring_get(&g->cmd, rec, sizeof(rec));
		if (len == 0)
			break;
		if (len < 0 || command_run(rec, (size_t)len, epoch, g->id, &done) < 0) {
			stats_region->records_malformed++;
			continue;
		}
		boundary_event(g->id, &done, sizeof(done));
	}
	ring_release(&g->cmd);
	return n;
}
