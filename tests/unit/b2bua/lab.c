#include <errno.h>

#include "lab.h"
#include "attach.h"
#include "b2bua_priv.h"
#include "sip_build.h"

#define CLOCK_START_MS 100000

static struct net_endpoint endpoint(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct net_endpoint e = {0};

	assert_int_equal(
		net_addr_parse((struct str_view){text, (size_t)(colon - text)}, &e.addr), 0);
	e.port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return e;
}

static unsigned int side_of(const struct sip_path *path)
{
	return path->realm;
}

/* --- the wire --- */

static void check_leak(const struct lab *l, unsigned int side, const char *text)
{
	static const char *const secret[2][4] = {
		{"10.0.0.", "inside", " 3 3 IN", "2001:db8:2:"}, /* not for the outside */
		{"192.0.2.", "outside", " 7 7 IN", "2001:db8:1:"},
	};

	if (l->leaks_allowed || text == NULL)
		return;
	for (unsigned int i = 0; i < ARRAY_LEN(secret[0]); i++)
		if (strstr(text, secret[side][i]) != NULL)
			fail_msg("token %u leaks to side %u in:\n%s", i, side, text);
}

/* Every branch of ours is in the lane for who gets it, and for nobody else. */
static void check_branch(const struct sip_path *path, struct str_view msg)
{
	static const uint64_t key[2] = {3, 4};
	static struct sip_index idx;
	struct net_addr other = path->remote.addr;
	struct str_view branch;

	assert_int_equal(sip_scan(msg.p, msg.len, &idx), SIP_SCAN_NONE);
	if (idx.status != 0)
		return;
	branch = sip_span_view(msg.p, idx.branch);
	assert_int_equal(branch.len, 7 + LANE_TOKEN_LEN);
	branch = (struct str_view){branch.p + 7, branch.len - 7};
	other.bytes[3] ^= 1;
	assert_true(lane_token_check(key, &path->remote.addr, branch, NULL));
	assert_false(lane_token_check(key, &other, branch, NULL));
}

static int wire_send(void *ctx, const struct sip_path *path, struct str_view msg)
{
	struct lab *l = ctx;
	struct lab_msg *m;

	l->busy = true;
	assert_true(l->n_msgs < LAB_MSGS_MAX);
	m = &l->msg[l->n_msgs++];
	m->side = side_of(path);
	m->path = *path;
	m->at_ms = l->timers.now_ms;
	m->taken = false;
	m->len = msg.len;
	/* No strndup(): under strict_string_checks ASan wants a NUL in what it copies from. */
	m->text = calloc(1, msg.len + 1);
	assert_non_null(m->text);
	memcpy(m->text, msg.p, msg.len);
	assert_true(sip_response_is_readable(msg));
	check_leak(l, m->side, m->text);
	if (!l->leaks_allowed)
		check_branch(path, msg);
	l->busy = false;
	return 0;
}

void lab_feed(struct lab *l, unsigned int side, const char *from, const char *text, size_t len)
{
	struct sip_path path = {
		.local = l->realms[side].listeners[from[0] == '['].local,
		.remote = endpoint(from),
		.realm = (uint16_t)side,
	};
	static struct sip_index idx;
	struct sip_msg *msg;

	(void)sip_scan(text, len, &idx);
	l->busy = true;
	msg = sip_msg_new(&path, &idx, text, idx.msg_len);
	l->busy = false;
	assert_non_null(msg);
	msg->unproven = l->unproven && side == OUTSIDE;
	txn_receive(b2bua_txn_layer(l->b2bua), msg);
	sip_msg_put(msg);
	lab_run(l, 0);
}

void lab_run(struct lab *l, uint64_t ms)
{
	uint64_t until = l->timers.now_ms + ms;

	while (timers_next_ms(&l->timers) != UINT64_MAX &&
		l->timers.now_ms + timers_next_ms(&l->timers) <= until)
		timers_run(&l->timers, l->timers.now_ms + timers_next_ms(&l->timers));
	timers_run(&l->timers, until);
	media_flush(l->media);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

const char *lab_expect(struct lab *l, unsigned int side, const char *with)
{
	for (unsigned int i = 0; i < l->n_msgs; i++) {
		struct lab_msg *m = &l->msg[i];

		if (m->side != side || m->taken || !begins(m->text, with))
			continue;
		m->taken = true;
		return m->text;
	}
	for (unsigned int i = 0; i < l->n_msgs; i++)
		if (l->msg[i].side == side && !l->msg[i].taken)
			print_message("to %u:\n%s\n", side, l->msg[i].text);
	fail_msg("nothing to side %u begins with '%s'", side, with);
	return "";
}

void lab_expect_none(struct lab *l, unsigned int side)
{
	for (unsigned int i = 0; i < l->n_msgs; i++)
		if (l->msg[i].side == side && !l->msg[i].taken)
			fail_msg("unexpected to side %u:\n%s", side, l->msg[i].text);
}

unsigned int lab_count(const struct lab *l, unsigned int side, const char *with)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n_msgs; i++)
		n += l->msg[i].side == side && begins(l->msg[i].text, with);
	return n;
}

void lab_forget(struct lab *l)
{
	for (unsigned int i = 0; i < l->n_msgs; i++)
		free(l->msg[i].text);
	l->n_msgs = 0;
}

/* --- the dataplane --- */

void lab_event(struct lab *l, void *record, size_t len)
{
	struct record_hdr *hdr = record;

	hdr->len = (uint32_t)len;
	hdr->version = API_VERSION;
	assert_int_equal(media_on_event(l->media, hdr, len), 0);
}

static void done(struct lab *l, const struct cmd_hdr *cmd, int status)
{
	struct rec_done d = {
		.hdr = {.type = REC_DONE},
		.cookie = cmd->cookie,
		.status = status,
		.command = cmd->hdr.type,
		.flow = {1, 2},
	};

	if (!l->silent)
		lab_event(l, &d, sizeof(d));
}

static void gone(struct lab *l, unsigned int i, unsigned int reason)
{
	struct rec_stream_event ev = {
		.hdr = {.type = REC_STREAM_GONE},
		.id = l->stream[i].set.id,
		.counts = {{100, 17200, 1}, {200, 34400, 2}},
		.kind = l->stream[i].set.kind,
		.reason = (uint8_t)reason,
	};

	ev.end[0] = l->stream[i].set.end[0];
	ev.end[1] = l->stream[i].set.end[1];
	l->stream[i] = l->stream[--l->n_streams];
	lab_event(l, &ev, sizeof(ev));
}

/* Commands are answered a moment later, as over the ring. */
struct pending {
	struct timer timer;
	struct lab *lab;
	union {
		struct cmd_hdr hdr;
		struct rec_stream_set set;
		struct rec_stream_del del;
	} cmd;
};

static void stream_set(struct lab *l, const struct rec_stream_set *set)
{
	unsigned int i = 0;

	while (i < l->n_streams && l->stream[i].set.id != set->id)
		i++;
	for (unsigned int k = 0; k < l->n_streams; k++)
		for (unsigned int e = 0; k != i && e < 2; e++)
			assert_false(net_endpoint_eq(
				&l->stream[k].set.end[e].local, &set->end[e].local));
	if (i == l->n_streams) {
		assert_true(l->n_streams < LAB_STREAMS_MAX);
		l->stream[l->n_streams++].sets = 0;
	}
	l->stream[i].set = *set;
	l->stream[i].sets++;
}

static void on_command(void *ctx)
{
	struct pending *p = ctx;
	struct lab *l = p->lab;
	int status = 0;

	if (p->cmd.hdr.hdr.type == REC_STREAM_SET) {
		status = l->stream_status;
		if (status == 0)
			stream_set(l, &p->cmd.set);
	} else {
		unsigned int i = 0;

		assert_int_equal(p->cmd.hdr.hdr.type, REC_STREAM_DEL);
		while (i < l->n_streams && l->stream[i].set.id != p->cmd.del.id)
			i++;
		status = i < l->n_streams ? 0 : -ENOENT;
		if (status == 0 && !l->silent)
			gone(l, i, STREAM_GONE_DELETED);
	}
	done(l, &p->cmd.hdr, status);
	free(p);
}

static int dataplane_send(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	struct lab *l = ctx;
	struct pending *p;

	if (l->send_status != 0)
		return l->send_status;
	l->busy = true;
	p = calloc(1, sizeof(*p));
	assert_non_null(p);
	assert_true(len <= sizeof(p->cmd));
	p->lab = l;
	memcpy(&p->cmd, cmd, len);
	timer_arm(&l->timers, &p->timer, 0, on_command, p);
	l->busy = false;
	return 0;
}

const struct lab_stream *lab_stream(const struct lab *l, unsigned int kind)
{
	for (unsigned int i = 0; i < l->n_streams; i++)
		if (l->stream[i].set.kind == kind)
			return &l->stream[i];
	return NULL;
}

void lab_stream_silent(struct lab *l, unsigned int kind)
{
	for (unsigned int i = 0; i < l->n_streams; i++)
		if (l->stream[i].set.kind == kind) {
			gone(l, i, STREAM_GONE_INACTIVE);
			lab_run(l, 0);
			return;
		}
	fail_msg("no such stream");
}

static int source_take(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	struct lab *l = ctx;

	l->busy = true;
	assert_int_equal(len, sizeof(l->told[0]));
	assert_true(l->n_told < ARRAY_LEN(l->told));
	memcpy(&l->told[l->n_told++], cmd, len);
	l->busy = false;
	return 0;
}

static void take_cdr(void *ctx, struct str_view record)
{
	struct lab *l = ctx;

	assert_true(l->n_cdrs < LAB_CDRS_MAX);
	l->busy = true;
	l->cdr[l->n_cdrs] = json_loadb(record.p, record.len, 0, NULL);
	assert_non_null(l->cdr[l->n_cdrs++]);
	l->busy = false;
}

const char *lab_cdr_text(const struct lab *l, unsigned int i, const char *key)
{
	assert_true(i < l->n_cdrs);
	return json_string_value(json_object_get(l->cdr[i], key));
}

/* --- life --- */

static void make_realm(
	struct lab *l, unsigned int i, const char *name, const char *addr, const char *addr6)
{
	struct config_realm *r = &l->realms[i];
	char text[64];

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->id = (uint16_t)i;
	snprintf(text, sizeof(text), "%s:5060", addr);
	r->listeners[0].local = endpoint(text);
	snprintf(text, sizeof(text), "[%s]:5060", addr6);
	r->listeners[1].local = endpoint(text);
	r->n_listeners = 2;
	for (unsigned int m = 0; m < 3; m++) {
		r->media[m].addr = r->listeners[m > 0].local.addr;
		r->media[m].port_min = (uint16_t)(20000 + 10000 * i);
		r->media[m].port_max = (uint16_t)(r->media[m].port_min + 99);
	}
	r->media[2].addr.bytes[15] = 3; /* a second one in IPv6 */
	r->n_media = 3;
	r->methods.known = 1u << SIP_INVITE | 1u << SIP_OPTIONS;
	if (i == INSIDE)
		r->methods.known |= LAB_METHODS;
	r->dialog_methods.known = LAB_DIALOG_METHODS;
	if (i == OUTSIDE)
		r->dialog_methods.known &= ~LAB_METHODS;
	config_bodies_default(r);
	r->latch_prefix_v4 = 32;
	r->latch_prefix_v6 = 128;
	r->trust = i == INSIDE ? TRUST_TRUSTED : TRUST_UNTRUSTED;
	r->nat = i == INSIDE ? NAT_NEVER : NAT_AUTO;
}

void lab_init(struct lab *l)
{
	struct media_env media_env = {
		.config = &l->config, .shards = 1, .send = dataplane_send, .ctx = l};
	struct b2bua_env env = {
		.config = &l->config,
		.timers = &l->timers,
		.shards = 1,
		.keys = {{1, 2}, {3, 4}},
		.send = wire_send,
		.send_ctx = l,
		.cdr = take_cdr,
		.cdr_ctx = l,
	};

	struct reputation_env reputation_env = {
		.config = &l->config, .shards = 1, .send = source_take, .ctx = l};

	memset(l, 0, sizeof(*l));
	make_realm(l, OUTSIDE, "access", "192.0.2.1", "2001:db8:1::1");
	make_realm(l, INSIDE, "core", "10.0.0.1", "2001:db8:2::1");
	l->peers[0] = (struct config_peer){.name = "server", .realm = INSIDE, .no_answer_s = 60};
	l->peers[0].remote = endpoint("10.0.0.10:5060");
	l->peers[1] = (struct config_peer){.name = "phone", .realm = OUTSIDE, .no_answer_s = 60};
	l->peers[1].remote = endpoint("192.0.2.66:5060");
	l->peers[2] = (struct config_peer){.name = "server6", .realm = INSIDE, .no_answer_s = 60};
	l->peers[2].remote = endpoint("[2001:db8:2::10]:5060");
	l->routes[0] = (struct config_route){
		.from_realm = OUTSIDE, .from_peer = -1, .user_prefix = "bo", .to_peer = 0};
	l->routes[1] = (struct config_route){.from_realm = INSIDE, .from_peer = 0, .to_peer = 1};
	l->routes[2] = (struct config_route){
		.from_realm = OUTSIDE, .from_peer = -1, .user_prefix = "six", .to_peer = 2};
	for (unsigned int i = 0; i < ARRAY_LEN(l->peers); i++) {
		l->peers[i].methods = l->realms[l->peers[i].realm].methods;
		l->peers[i].dialog_methods.known = LAB_DIALOG_METHODS;
	}
	l->config.realms = l->realms;
	l->config.n_realms = 2;
	l->config.peers = l->peers;
	l->config.n_peers = ARRAY_LEN(l->peers);
	l->config.routes = l->routes;
	l->config.n_routes = ARRAY_LEN(l->routes);
	l->config.ops.trace_messages = 32;
	l->config.ops.trace_calls = 100;
	timers_init(&l->timers, CLOCK_START_MS);
	l->media = media_new(&media_env);
	assert_non_null(l->media);
	env.media = l->media;
	env.limits = l->limits = b2bua_limits_new(&l->config);
	assert_non_null(l->limits);
	reputation_env.table = l->known = reputation_table_new(env.keys.hash);
	assert_non_null(l->known);
	env.reputation = l->reputation = reputation_new(&reputation_env);
	assert_non_null(l->reputation);
	l->b2bua = b2bua_new(&env);
	assert_non_null(l->b2bua);
}

void lab_fini(struct lab *l)
{
	const struct b2bua_stats *s = b2bua_get_stats(l->b2bua);
	const struct txn_stats *t = txn_layer_stats(b2bua_txn_layer(l->b2bua));
	const struct media_stats *m = media_get_stats(l->media);

	lab_run(l, 120000);
	assert_int_equal(s->calls_active, 0);
	assert_int_equal(s->calls_answered_active, 0);
	assert_int_equal(s->dialogs, 0);
	assert_null(l->b2bua->calls);
	assert_null(l->b2bua->dialogs);
	assert_int_equal(s->requests_open, 0);
	assert_int_equal(t->servers, 0);
	assert_int_equal(t->clients, 0);
	assert_int_equal(m->sessions, 0);
	assert_int_equal(m->streams, 0);
	assert_int_equal(m->ports_used, 0);
	assert_int_equal(l->n_streams, 0);
	assert_int_equal(timers_next_ms(&l->timers), UINT64_MAX);
	b2bua_free(l->b2bua);
	b2bua_limits_free(l->limits);
	reputation_free(l->reputation);
	reputation_table_free(l->known);
	media_free(l->media);
	timers_fini(&l->timers);
	lab_forget(l);
	for (unsigned int i = 0; i < l->n_cdrs; i++)
		json_decref(l->cdr[i]);
}

struct lab lab;

int lab_setup(void **state)
{
	lab_init(&lab);
	return 0;
}

int lab_teardown(void **state)
{
	lab_fini(&lab);
	return 0;
}
