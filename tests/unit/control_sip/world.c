#include "world.h"

static void record(struct world *w, enum event_kind kind, int value, void *txn)
{
	assert_true(w->n_events < WORLD_EVENTS_MAX);
	w->events[w->n_events].at = w->timers.now_ms;
	w->events[w->n_events].kind = kind;
	w->events[w->n_events++].value = value;
	if (w->hook != NULL)
		w->hook(w, kind, txn);
}

static void on_request(void *ctx, struct server_txn *txn, struct sip_msg *req)
{
	struct world *w = ctx;

	assert_ptr_equal(server_txn_request(txn), req);
	w->server = txn;
	record(w, SAW_REQUEST, req->idx.method, txn);
}

static void on_ack(void *ctx, struct sip_msg *ack)
{
	record(ctx, SAW_ACK, ack->idx.method, NULL);
}

static void on_cancel(void *ctx, struct server_txn *invite, struct sip_msg *cancel)
{
	assert_int_equal(cancel->idx.method, SIP_CANCEL);
	record(ctx, SAW_CANCEL, 0, invite);
}

static void on_server_end(void *ctx, struct server_txn *txn, int error)
{
	struct world *w = ctx;

	if (w->server == txn)
		w->server = NULL;
	record(w, SAW_SERVER_END, error, txn);
}

static void on_stray_response(void *ctx, struct sip_msg *resp)
{
	record(ctx, SAW_STRAY, resp->idx.status, NULL);
}

static void on_response(void *ctx, struct client_txn *txn, struct sip_msg *resp)
{
	record(ctx, SAW_RESPONSE, resp->idx.status, txn);
}

static void on_end(void *ctx, struct client_txn *txn, int error)
{
	record(ctx, SAW_CLIENT_END, error, txn);
}

static int do_send(void *ctx, const struct sip_path *path, struct str_view msg)
{
	struct world *w = ctx;

	if (w->send_fails)
		return -ENOBUFS;
	assert_true(w->n_sent < WORLD_SENT_MAX);
	assert_true(msg.len < WORLD_TEXT_MAX);
	w->sent[w->n_sent].at = w->timers.now_ms;
	w->sent[w->n_sent].path = *path;
	w->sent[w->n_sent].len = msg.len;
	memcpy(w->sent[w->n_sent].text, msg.p, msg.len);
	w->sent[w->n_sent++].text[msg.len] = '\0';
	return 0;
}

void world_init(struct world *w)
{
	struct txn_user user = {
		.on_request = on_request,
		.on_ack = on_ack,
		.on_cancel = on_cancel,
		.on_server_end = on_server_end,
		.on_stray_response = on_stray_response,
		.ctx = w,
		.lane = {1, 2},
	};

	memset(w, 0, sizeof(*w));
	timers_init(&w->timers, 0);
	w->layer = txn_layer_new(&w->timers, do_send, w, &user);
	assert_non_null(w->layer);
}

void world_fini(struct world *w)
{
	txn_layer_free(w->layer);
	assert_int_equal(w->timers.n, 0);
	timers_fini(&w->timers);
}

void world_run(struct world *w, uint64_t until_ms)
{
	for (;;) {
		uint64_t next = timers_next_ms(&w->timers);

		if (next == UINT64_MAX || w->timers.now_ms + next > until_ms)
			break;
		timers_run(&w->timers, w->timers.now_ms + next);
	}
	timers_run(&w->timers, until_ms);
}

static struct sip_path test_path(void)
{
	static const uint8_t ours[4] = {198, 51, 100, 9}, theirs[4] = {192, 0, 2, 1};
	struct sip_path path = {.realm = 3};

	path.local.addr = net_addr_v4(ours);
	path.local.port = 5060;
	path.remote.addr = net_addr_v4(theirs);
	path.remote.port = 5070;
	return path;
}

void world_feed_text(struct world *w, struct str_view text)
{
	struct sip_path path = test_path();
	struct sip_index idx;
	struct sip_msg *m;

	(void)sip_scan(text.p, text.len, &idx);
	m = sip_msg_new(&path, &idx, text.p, idx.msg_len);
	if (m == NULL)
		return; /* a test that makes allocations fail */
	m->unproven = w->unproven;
	txn_receive(w->layer, m);
	sip_msg_put(m);
}

static const char * or (const char *a, const char *otherwise)
{
	return a != NULL ? a : otherwise;
}

size_t world_request(char *buf, size_t cap, const struct request *r)
{
	int n = snprintf(buf, cap,
		"%s %s SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s%s%s%s\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:alice@example.net>;tag=%s\r\n"
		"To: <sip:bob@example.com>%s%s\r\n"
		"Call-ID: %s\r\n"
		"CSeq: %u %s\r\n"
		"Contact: <sip:alice@192.0.2.1:5070>\r\n"
		"%s"
		"Content-Length: 0\r\n\r\n",
		or (r->method, "INVITE"), or (r->uri, "sip:bob@example.com"),
		or (r->sent_by, "192.0.2.1:5070"), or (r->via_params, ";rport"),
		r->branch != NULL && r->branch[0] == '\0' ? "" : ";branch=",
		or (r->branch, "z9hG4bKone"), or (r->from_tag, "fromtag"),
		r->to_tag != NULL ? ";tag=" : "", or (r->to_tag, ""),
		or (r->call_id, "call-1@test"), r->cseq != 0 ? r->cseq : 1,
		or (r->method, "INVITE"), or (r->extra, ""));

	assert_in_range(n, 1, cap - 1);
	return (size_t)n;
}

void world_feed(struct world *w, const struct request *r)
{
	char buf[WORLD_TEXT_MAX];
	size_t len = world_request(buf, sizeof(buf), r);

	world_feed_text(w, (struct str_view){buf, len});
}

void world_answer(struct world *w, unsigned int i, unsigned int status, const char *to_tag)
{
	struct sip_path path = test_path();
	struct sip_index idx;
	struct sip_writer out;
	struct sip_msg *req;
	char buf[WORLD_TEXT_MAX];
	int len;

	assert_int_equal(sip_scan(w->sent[i].text, w->sent[i].len, &idx), SIP_SCAN_NONE);
	req = sip_msg_new(&path, &idx, w->sent[i].text, w->sent[i].len);
	if (req == NULL)
		return; /* a test that makes allocations fail */
	sip_writer_init(&out, buf, sizeof(buf));
	sip_response_start(&out, req, status, NULL, (struct str_view){to_tag, strlen(to_tag)});
	sip_write_body(&out, SV(""), SV(""));
	sip_msg_put(req);
	len = sip_writer_finish(&out);
	assert_true(len > 0);
	world_feed_text(w, (struct str_view){buf, (size_t)len});
}

struct client_txn *world_call(struct world *w, const struct request *r)
{
	struct client_txn_user user = {on_response, on_end, w};
	struct sip_path path = test_path();
	char buf[WORLD_TEXT_MAX];
	size_t len = world_request(buf, sizeof(buf), r);

	return client_txn_new(w->layer, &path, (struct str_view){buf, len}, &user);
}

static void scan_sent(const struct world *w, unsigned int i, struct sip_index *idx)
{
	assert_true(i < w->n_sent);
	if (sip_scan(w->sent[i].text, w->sent[i].len, idx) != SIP_SCAN_NONE) {
		/* Only an answer to a faulty request, with the fault copied. */
		assert_true(idx->status >= 400);
		assert_true(sip_response_is_readable(
			(struct str_view){w->sent[i].text, w->sent[i].len}));
	}
	assert_int_equal(idx->msg_len, w->sent[i].len);
}

unsigned int world_sent_status(const struct world *w, unsigned int i)
{
	struct sip_index idx;

	scan_sent(w, i, &idx);
	return idx.status;
}

enum sip_method world_sent_method(const struct world *w, unsigned int i)
{
	struct sip_index idx;

	scan_sent(w, i, &idx);
	return idx.method;
}

bool world_sent_has(const struct world *w, unsigned int i, const char *text)
{
	assert_true(i < w->n_sent);
	return strstr(w->sent[i].text, text) != NULL;
}

struct str_view world_sent_header(const struct world *w, unsigned int i, enum sip_header_id id)
{
	struct sip_index idx;

	scan_sent(w, i, &idx);
	return sip_header_find(w->sent[i].text, &idx, id, 0);
}

void world_expect_sent(
	const struct world *w, unsigned int first, const uint64_t *at, unsigned int n)
{
	assert_int_equal(w->n_sent - first, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(w->sent[first + i].at, at[i]);
}

void world_expect_event(
	const struct world *w, unsigned int i, uint64_t at, enum event_kind kind, int value)
{
	assert_true(i < w->n_events);
	assert_int_equal(w->events[i].kind, kind);
	assert_int_equal(w->events[i].value, value);
	assert_int_equal(w->events[i].at, at);
}
