/*
 * Fuzz target: messages and clock steps into a transaction layer, whose user answers,
 * calls, cancels and detaches as the bytes of the messages say. Input: chunks that
 * end with the byte 0x1e; "+MILLISECONDS" moves the clock, anything else is a datagram.
 */
#include "sip_build.h"
#include "transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SEPARATOR 0x1e
#define CHUNKS_MAX 64
#define LIVE_MAX 16

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

static struct {
	struct timers timers;
	struct txn_layer *layer;
	struct sip_path path;
	struct server_txn *servers[LIVE_MAX];
	struct client_txn *clients[LIVE_MAX];
	unsigned int n_calls;
	bool unproven; /* the source may be forged */
	size_t bytes_in, bytes_out;
} f;

/* Whatever came in, what goes out can be read; and answers to a forged source are no larger. */
static int on_send(void *ctx, const struct sip_path *path, struct str_view msg)
{
	MUST(sip_response_is_readable(msg));
	if (msg.p[0] == 'S' && msg.p[3] == '/')
		f.bytes_out += msg.len;
	MUST(!f.unproven || f.bytes_out <= f.bytes_in);
	return msg.len % 13 == 0 ? -1 : 0;
}

static void keep(void **live, void *txn)
{
	for (unsigned int i = 0; i < LIVE_MAX; i++) {
		if (live[i] == NULL) {
			live[i] = txn;
			return;
		}
	}
}

static void drop(void **live, const void *txn)
{
	for (unsigned int i = 0; i < LIVE_MAX; i++) {
		if (live[i] == txn)
			live[i] = NULL;
	}
}

static void client_response(void *ctx, struct client_txn *txn, struct sip_msg *resp)
{
	MUST(resp->idx.status >= 100);
	if (resp->idx.status == 183)
		(void)client_txn_cancel(txn);
}

static void client_end(void *ctx, struct client_txn *txn, int error)
{
	drop((void **)f.clients, txn);
	MUST(client_txn_cancel(txn) != 0);
}

/** Branches z9hG4bKf0, f1, ...: responses in the input can match them. */
static void call(const char *method)
{
	static const struct client_txn_user user = {client_response, client_end, NULL};
	struct client_txn *t;
	char buf[512];
	int len = snprintf(buf, sizeof(buf),
		"%s sip:bob@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKf%u\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:us@example.net>;tag=f\r\n"
		"To: <sip:bob@example.com>\r\nCall-ID: f\r\nCSeq: 1 %s\r\n\r\n",
		method, f.n_calls++ % 10, method);

	t = client_txn_new(f.layer, &f.path, (struct str_view){buf, (size_t)len}, &user);
	if (t != NULL)
		keep((void **)f.clients, t);
}

static void reply(struct server_txn *t, unsigned int status)
{
	(void)server_txn_reply(t, status, SV("f"), SV(""));
}

static void on_request(void *ctx, struct server_txn *txn, struct sip_msg *req)
{
	static const uint16_t final[] = {200, 486, 302, 603};
	unsigned int pick = req->buf[req->len - 1] + req->idx.cseq + req->idx.call_id.len;

	MUST(req->idx.error == SIP_SCAN_NONE);
	keep((void **)f.servers, txn);
	switch (pick % 8) {
	case 0:
	case 1:
		reply(txn, 180);
		break;
	case 2:
		call("INVITE");
		break;
	case 3:
		call("OPTIONS");
		break;
	case 4:
		drop((void **)f.servers, txn);
		server_txn_detach(txn);
		break;
	default:
		reply(txn, final[pick / 8 % ARRAY_LEN(final)]);
	}
}

static void on_ack(void *ctx, struct sip_msg *ack)
{
	MUST(ack->idx.method == SIP_ACK);
}

static void on_cancel(void *ctx, struct server_txn *invite, struct sip_msg *cancel)
{
	MUST(cancel->idx.method == SIP_CANCEL);
	MUST(server_txn_request(invite)->idx.method == SIP_INVITE);
	reply(invite, 487);
}

static void on_server_end(void *ctx, struct server_txn *txn, int error)
{
	drop((void **)f.servers, txn);
	MUST(server_txn_reply(txn, 200, SV("f"), SV("")) != 0);
}

static void on_stray(void *ctx, struct sip_msg *resp)
{
	MUST(resp->idx.status >= 100);
}

static void datagram(const char *p, size_t len)
{
	struct sip_index idx;
	struct sip_msg *m;

	(void)sip_scan(p, len, &idx);
	m = sip_msg_new(&f.path, &idx, p, idx.msg_len);
	MUST(m != NULL);
	m->unproven = f.unproven;
	f.bytes_in += len;
	txn_receive(f.layer, m);
	MUST(m->refs >= 1);
	sip_msg_put(m);
}

static void chunk(const char *p, size_t len)
{
	uint64_t step = 0;

	if (len == 0 || p[0] != '+') {
		datagram(p, len);
		return;
	}
	for (size_t i = 1; i < len && i < 7 && p[i] >= '0' && p[i] <= '9'; i++)
		step = 10 * step + (uint64_t)(p[i] - '0');
	timers_run(&f.timers, f.timers.now_ms + step);
}

/** Answer all, let all time out: nothing may be left. */
static void settle(void)
{
	for (unsigned int i = 0; i < LIVE_MAX; i++) {
		if (f.servers[i] != NULL)
			server_txn_detach(f.servers[i]);
		if (f.clients[i] != NULL)
			client_txn_detach(f.clients[i]);
	}
	for (unsigned int i = 0; i < 400; i++)
		timers_run(&f.timers, f.timers.now_ms + 250);
}

static void run(const uint8_t *data, size_t len, bool unproven)
{
	const struct txn_user user = {
		.on_request = on_request,
		.on_ack = on_ack,
		.on_cancel = on_cancel,
		.on_server_end = on_server_end,
		.on_stray_response = on_stray,
	};
	const char *p = (const char *)data, *end = p + len;

	memset(&f, 0, sizeof(f));
	f.unproven = unproven;
	f.path.realm = 1;
	f.path.remote.addr = net_addr_v4("\xc0\x00\x02\x01");
	f.path.remote.port = 5070;
	timers_init(&f.timers, 0);
	f.layer = txn_layer_new(&f.timers, on_send, NULL, &user);
	MUST(f.layer != NULL);
	for (unsigned int i = 0; i < CHUNKS_MAX && p < end; i++) {
		const char *stop = memchr(p, SEPARATOR, (size_t)(end - p));

		if (stop == NULL)
			stop = end;
		chunk(p, (size_t)(stop - p));
		p = stop < end ? stop + 1 : end;
	}
	settle();
	MUST(txn_layer_stats(f.layer)->servers == 0);
	MUST(txn_layer_stats(f.layer)->clients == 0);
	MUST(f.timers.n == 0);
	txn_layer_free(f.layer);
	timers_fini(&f.timers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	run(data, len, false);
	run(data, len, true);
	return 0;
}
