/* The dataplane's end of a shard's rings. */
#include "call_load.h"

#define EVENT_RESERVE_PERCENT 10

enum { UP, DOWN, CMD, EVENT, RINGS };

static const uint32_t sizes[RINGS] = {
	ATTACH_UP_BYTES, ATTACH_DOWN_BYTES, ATTACH_CMD_BYTES, ATTACH_EVENT_BYTES};

void plane_init(struct call_plane *p, struct shard *shard)
{
	struct attach_group *g = &p->session.shard[0];
	struct ring *ours[RINGS] = {&p->up, &p->down, &p->cmd, &p->event};
	struct ring *theirs[RINGS] = {&g->up[0], &g->down, &g->cmd, &g->event};

	p->shard = shard;
	p->session.workers = p->session.shards = 1;
	/* Nobody ever sleeps, so that no end wakes the other; the loop wants something to watch. */
	g->event_fd = shard->mailbox.fd;
	for (unsigned int i = 0; i < RINGS; i++) {
		p->memory[i] = aligned_alloc(64, ring_footprint(sizes[i]));
		if (p->memory[i] == NULL)
			call_die("out of memory");
		ring_format(p->memory[i]);
		if (ring_init(ours[i], p->memory[i], sizes[i], -1) != 0 ||
			ring_init(theirs[i], p->memory[i], sizes[i], -1) != 0)
			call_die("a ring of %u bytes is refused", sizes[i]);
	}
	if (shard_attach(shard, &p->session) != 0)
		call_die("out of memory");
	mailbox_run(&shard->mailbox);
}

void plane_fini(struct call_plane *p)
{
	for (unsigned int i = 0; i < RINGS; i++)
		free(p->memory[i]);
}

void plane_up(struct call_plane *p, uint16_t realm, const struct net_endpoint *from,
	struct str_view msg, bool fresh)
{
	static struct sip_index idx;
	const struct config_realm *r = &p->shard->env.config->realms[realm];
	struct rec_sip_up rec = {
		.hdr = {.type = REC_SIP_UP, .version = API_VERSION},
		.local = r->listeners[0].local,
		.remote = *from,
		.realm = realm,
		.sip_class = fresh ? SIP_CLASS_NEW : SIP_CLASS_LANE,
		.source_class = r->trust == TRUST_TRUSTED ? SOURCE_TRUSTED : SOURCE_UNTRUSTED,
		.msg_len = (uint32_t)msg.len,
	};

	if (sip_scan(msg.p, msg.len, &idx) != SIP_SCAN_NONE)
		call_die("a phone's message does not scan:\n%.*s", SV_ARG(msg));
	rec.index_len = (uint32_t)SIP_INDEX_LEN(idx.n_headers);
	if (ring_put(&p->up,
		    (struct str_view[]){{(const char *)&rec, sizeof(rec)},
			    {(const char *)&idx, rec.index_len}, msg},
		    3) != 0)
		call_die("the up ring is full");
}

void plane_publish(struct call_plane *p)
{
	ring_publish(&p->up);
	ring_publish(&p->event);
}

static void event_put(struct call_plane *p, void *rec, size_t len)
{
	struct record_hdr *hdr = rec;

	hdr->version = API_VERSION;
	if (ring_put(&p->event, &(struct str_view){rec, len}, 1) != 0)
		call_die("the event ring is full");
}

static void done(struct call_plane *p, const struct cmd_hdr *cmd, uint32_t flow)
{
	struct rec_done rec = {
		.hdr.type = REC_DONE,
		.cookie = cmd->cookie,
		.command = cmd->hdr.type,
		.flow = {flow, flow + 1},
	};

	event_put(p, &rec, sizeof(rec));
}

/* What a second of G.711 left behind. */
static void gone(struct call_plane *p, uint64_t id)
{
	struct rec_stream_event rec = {
		.hdr.type = REC_STREAM_GONE,
		.id = id,
		.counts = {{.packets = 50, .bytes = 8600, .jitter_us = 250, .jitter_max_us = 900},
			{.packets = 49, .bytes = 8428, .lost = 1, .jitter_us = 125}},
		.reason = STREAM_GONE_DELETED,
	};

	event_put(p, &rec, sizeof(rec));
}

void plane_commands(struct call_plane *p)
{
	union {
		struct cmd_hdr cmd;
		struct rec_stream_set set;
		struct rec_stream_del del;
		uint8_t bytes[API_RECORD_MAX];
	} r;
	int len;

	/* As the dataplane does: what there is no room to answer waits. */
	while (ring_free_percent(&p->event) >= EVENT_RESERVE_PERCENT &&
		(len = ring_get(&p->cmd, &r, sizeof(r))) != 0) {
		if (len < (int)sizeof(r.cmd))
			call_die("a command is %d bytes long", len);
		switch (r.cmd.hdr.type) {
		case REC_STREAM_SET:
			p->streams++;
			done(p, &r.cmd, 2 * (uint32_t)p->streams_set++);
			break;
		case REC_STREAM_DEL:
			p->streams--;
			gone(p, r.del.id);
			done(p, &r.cmd, 0);
			break;
		default:
			done(p, &r.cmd, 0);
		}
	}
	ring_release(&p->cmd);
}

size_t plane_down(struct call_plane *p, struct rec_sip_down *rec, char *buf, size_t cap)
{
	_Alignas(8) static uint8_t record[sizeof(*rec) + SIP_MSG_LEN_MAX];
	int len = ring_get(&p->down, record, sizeof(record));

	if (len == 0) {
		ring_release(&p->down);
		return 0;
	}
	if (len < (int)sizeof(*rec))
		call_die("a record to a phone is %d bytes long", len);
	memcpy(rec, record, sizeof(*rec));
	if (rec->msg_len + sizeof(*rec) != (size_t)len || rec->msg_len >= cap)
		call_die("a record to a phone does not fit its message");
	memcpy(buf, record + sizeof(*rec), rec->msg_len);
	buf[rec->msg_len] = '\0';
	return rec->msg_len;
}
