/*
 * A shard's rings: SIP up and down, commands and events. What comes up was written by
 * another process: it was copied out of the ring, and is checked here before use.
 */
#include <errno.h>
#include <time.h>

#include "log.h"
#include "records.h"
#include "shard_priv.h"
#include "stats.h"

/* How long a command waits that nobody waits for: less than people and peers notice, and several
 * calls' time on a busy box. Its ports stay taken meanwhile, its call record is written later. */
#define COMMANDS_WAIT_MS 20

static bool is_listener(const struct config_realm *r, const struct net_endpoint *local)
{
	for (unsigned int i = 0; i < r->n_listeners; i++)
		if (net_endpoint_eq(&r->listeners[i].local, local))
			return true;
	return false;
}

/* The same address with its unused bytes zero, so that comparing works. */
static struct net_addr addr_clean(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V4 ? net_addr_v4(a->bytes) : net_addr_v6(a->bytes);
}

/* May the source be forged? Not when the realm or the source is trusted, nor when the message
 * brings back what only somebody at its address has got. */
static bool is_unproven(const struct config_realm *r, const struct rec_sip_up *rec)
{
	return r->trust != TRUST_TRUSTED && rec->source_class != SOURCE_TRUSTED &&
	       rec->sip_class != SIP_CLASS_LANE;
}

/* Check a REC_SIP_UP of len bytes in s->record. @return a new message, or NULL. */
static struct sip_msg *message_take(struct shard *s, size_t len)
{
	const struct config *c = s->env.config;
	struct rec_sip_up rec;
	struct sip_path path = {0};
	const uint8_t *index, *msg;
	struct sip_msg *m;

	if (len < sizeof(rec))
		return NULL;
	memcpy(&rec, s->record, sizeof(rec));
	if (rec.hdr.type != REC_SIP_UP || rec.hdr.version != API_VERSION ||
		rec.index_len > sizeof(s->index) || rec.index_len < SIP_INDEX_LEN(0) ||
		rec.msg_len > API_SIP_MSG_MAX || sizeof(rec) + rec.index_len + rec.msg_len != len ||
		rec.realm >= c->n_realms || !is_listener(&c->realms[rec.realm], &rec.local) ||
		!net_addr_is_unicast_peer(&rec.remote.addr))
		return NULL;
	index = s->record + sizeof(rec);
	msg = index + rec.index_len;
	memcpy(&s->index, index, rec.index_len);
	if (sip_index_check(&s->index, rec.index_len, rec.msg_len) < 0)
		return NULL;
	if (s->index.error == SIP_SCAN_NONE)
		s->counts.sip_errors[sip_scan_fields((const char *)msg, &s->index)]++;
	else
		(void)sip_scan_fields((const char *)msg, &s->index);
	path.local = rec.local;
	path.remote.addr = addr_clean(&rec.remote.addr);
	path.remote.port = rec.remote.port;
	path.realm = rec.realm;
	m = sip_msg_new(&path, &s->index, (const char *)msg, s->index.msg_len);
	if (m == NULL)
		return NULL;
	m->rx_ms = s->timers.now_ms;
	overload_note_wait(
		s->overload, s->burst_ns > rec.rx_ns ? (s->burst_ns - rec.rx_ns) / 1000 : 1);
	m->unproven = is_unproven(&c->realms[rec.realm], &rec);
	/* Strangers are not told how loaded we are. */
	m->oc = m->unproven ? NULL : overload_oc(s->overload);
	return m;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* @return true when the burst was used up. */
static bool up_poll(struct shard *s, struct ring *up)
{
	unsigned int n;

	s->burst_ns = clock_ns();
	for (n = 0; n < SHARD_BURST; n++) {
		int len = ring_get(up, s->record, sizeof(s->record));
		struct sip_msg *m;

		if (len == 0)
			break;
		m = len > 0 ? message_take(s, (size_t)len) : NULL;
		if (m == NULL) {
			s->counts.records_malformed++;
			continue;
		}
		s->counts.messages_in++;
		txn_receive(b2bua_txn_layer(s->b2bua), m);
		sip_msg_put(m);
	}
	if (n > 0)
		ring_release(up);
	return n == SHARD_BURST;
}

/* Answers to what reputation said. @return true if this record is one. */
static bool source_event_take(struct shard *s, const struct record_hdr *rec, size_t len)
{
	struct rec_done done;

	if (rec->type != REC_DONE || len != sizeof(done))
		return false;
	memcpy(&done, rec, sizeof(done));
	if (done.command != REC_SOURCE_SET)
		return false;
	s->counts.source_commands_failed += done.status != 0;
	return true;
}

static bool event_poll(struct shard *s, struct ring *event)
{
	_Alignas(8) uint8_t buf[API_RECORD_MAX];
	unsigned int n;

	for (n = 0; n < SHARD_BURST; n++) {
		int len = ring_get(event, buf, sizeof(buf));
		const struct record_hdr *rec = (const struct record_hdr *)buf;

		if (len == 0)
			break;
		if (len < 0 || rec->version != API_VERSION)
			s->counts.records_malformed++;
		else if (source_event_take(s, rec, (size_t)len))
			s->counts.events_in++;
		else if (media_on_event(s->media, rec, (size_t)len) < 0)
			s->counts.records_malformed++;
		else
			s->counts.events_in++;
	}
	if (n > 0)
		ring_release(event);
	return n == SHARD_BURST;
}

bool shard_rings_poll(struct shard *s)
{
	bool more = false;

	if (s->group == NULL)
		return false;
	for (unsigned int w = 0; w < s->workers; w++)
		more |= up_poll(s, &s->group->up[w]);
	more |= event_poll(s, &s->group->event);
	return more;
}

static void on_commands_due(void *ctx)
{
	((struct shard *)ctx)->commands_due = true;
}

/* Whoever removes a stream waits for nothing, while a wake-up of the dataplane and one back cost as
 * much as all else of it: the removals of several calls go together. */
static void command_note(struct shard *s, uint16_t type, int rc)
{
	if (type != REC_STREAM_DEL || rc < 0)
		s->commands_due = true;
	else if (s->commands_timer.slot == 0)
		timer_arm(&s->timers, &s->commands_timer, COMMANDS_WAIT_MS, on_commands_due, s);
}

void shard_rings_publish(struct shard *s)
{
	if (s->group == NULL)
		return;
	if (s->workers > 0)
		ring_publish(&s->group->down);
	if (s->commands_due || s->stop) {
		ring_publish(&s->group->cmd);
		s->commands_due = false;
		timer_cancel(&s->timers, &s->commands_timer);
	}
}

bool shard_rings_sleep(struct shard *s)
{
	bool empty = true;

	if (s->group == NULL)
		return true;
	for (unsigned int w = 0; w < s->workers; w++)
		empty &= ring_sleep(&s->group->up[w]);
	if (empty)
		overload_note_wait(s->overload, 0);
	empty &= ring_sleep(&s->group->event);
	return empty;
}

void shard_rings_awake(struct shard *s)
{
	if (s->group == NULL)
		return;
	for (unsigned int w = 0; w < s->workers; w++)
		ring_awake(&s->group->up[w]);
	ring_awake(&s->group->event);
}

/* What is longer than any datagram would be sent again and again for half a minute and never
 * arrive. */
static bool is_too_long(struct shard *s, const struct sip_path *path, size_t len)
{
	if (len <= API_SIP_UDP_MAX)
		return false;
	s->counts.messages_too_long++;
	log_warn_limited("SIP message larger than a datagram, not sent realm=%s bytes=%zu most=%u",
		s->env.config->realms[path->realm].name, len, API_SIP_UDP_MAX);
	return true;
}

/*
 * SIP over UDP expects loss and sends again (RFC 3261 section 17). A dataplane that is
 * away for a second, or a full ring, is such a loss: reporting it as a transport error
 * would end transactions that the next retransmission completes.
 */
int shard_send(void *ctx, const struct sip_path *path, struct str_view msg)
{
	struct shard *s = ctx;
	struct rec_sip_down rec = {
		.hdr = {.type = REC_SIP_DOWN, .version = API_VERSION},
		.local = path->local,
		.remote = path->remote,
		.realm = path->realm,
		.msg_len = (uint32_t)msg.len,
	};
	const struct str_view pieces[] = {{(const char *)&rec, sizeof(rec)}, msg};

	if (path->realm >= s->env.config->n_realms || !net_addr_is_unicast_peer(&path->remote.addr))
		return -EINVAL;
	if (is_too_long(s, path, msg.len))
		return -EMSGSIZE;
	if (s->group == NULL || s->workers == 0 ||
		ring_put(&s->group->down, pieces, ARRAY_LEN(pieces)) < 0)
		s->counts.messages_lost++;
	else
		s->counts.messages_out++;
	return 0;
}

int shard_command(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	struct shard *s = ctx;
	const struct str_view piece = {(const char *)cmd, len};
	int rc;

	if (s->group == NULL)
		return -ENOTCONN;
	cmd->hdr.version = API_VERSION;
	rc = ring_put(&s->group->cmd, &piece, 1);
	if (rc == 0)
		s->counts.commands_out++;
	command_note(s, cmd->hdr.type, rc);
	return rc;
}
