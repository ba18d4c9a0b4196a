/*
 * A shard against rings that this test plays the dataplane of: a message up gives an
 * answer down, records that do not validate are counted and dropped, and after a
 * detach the rings are not touched.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_priv.h"
#include "records.h"
#include "shard.h"
#include "shard_priv.h"
#include "sip_scan.h"

static const char config_text[] =
	"dataplane: {ports: [{name: a, device: net_null0}]}\n"
	"realms:\n"
	"  - {name: access, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"],\n"
	"     media: {address: 192.0.2.1, ports: 20000-20099}}\n";

static const char options[] = "OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa;rport\r\n"
			      "From: <sip:a@192.0.2.9>;tag=1\r\n"
			      "To: <sip:192.0.2.1>\r\n"
			      "Call-ID: one@192.0.2.9\r\n"
			      "CSeq: 1 OPTIONS\r\n"
			      "Max-Forwards: 70\r\n"
			      "Content-Length: 0\r\n\r\n";

#define RING_BYTES (256u << 10)

enum { UP, DOWN, CMD, EVENT, RINGS };

struct bed {
	struct config *config;
	struct cdr_file *cdr;
	struct b2bua_limits *limits;
	struct reputation_table *reputation;
	struct shard *shard;
	struct mailbox main;
	void *memory[RINGS];
	struct ring ours[RINGS]; /* the dataplane's ends */
	struct attach_session session;
	int shard_fd, dataplane_fd;
	bool own_thread; /* else the test turns it */
};

static int bed_make(void **state, bool own_thread)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct shard_env env = {0};
	char error[CONFIG_ERROR_LEN];
	struct ring *theirs[RINGS];

	assert_non_null(b);
	b->config = config_load_data("t.yaml", config_text, strlen(config_text), error);
	if (b->config == NULL)
		fail_msg("%s", error);
	b->cdr = cdr_file_new("");
	env.config = b->config;
	env.cdr = b->cdr;
	env.limits = b->limits = b2bua_limits_new(b->config);
	assert_non_null(b->limits);
	env.reputation = b->reputation = reputation_table_new(env.keys.hash);
	assert_non_null(b->reputation);
	if (own_thread)
		b->shard = shard_new(&env);
	else
		assert_int_equal(shard_make(&env, &b->shard), 0);
	assert_non_null(b->shard);
	b->own_thread = own_thread;
	assert_int_equal(mailbox_init(&b->main, b), 0);
	b->shard_fd = eventfd(0, EFD_NONBLOCK);
	b->dataplane_fd = eventfd(0, EFD_NONBLOCK);
	theirs[UP] = &b->session.shard[0].up[0];
	theirs[DOWN] = &b->session.shard[0].down;
	theirs[CMD] = &b->session.shard[0].cmd;
	theirs[EVENT] = &b->session.shard[0].event;
	for (int i = 0; i < RINGS; i++) {
		bool up = i == UP || i == EVENT;

		b->memory[i] = aligned_alloc(64, ring_footprint(RING_BYTES));
		assert_non_null(b->memory[i]);
		ring_format(b->memory[i]);
		assert_int_equal(
			ring_init(&b->ours[i], b->memory[i], RING_BYTES, up ? b->shard_fd : -1), 0);
		assert_int_equal(
			ring_init(theirs[i], b->memory[i], RING_BYTES, up ? -1 : b->dataplane_fd),
			0);
	}
	b->session.workers = 1;
	b->session.shards = 1;
	b->session.shard[0].event_fd = b->shard_fd;
	assert_int_equal(shard_attach(b->shard, &b->session), 0);
	*state = b;
	return 0;
}

static int setup(void **state)
{
	return bed_make(state, true);
}

static int setup_turned(void **state)
{
	return bed_make(state, false);
}

static void on_detached(void *owner, void *arg)
{
	*(bool *)arg = true;
}

static void detach(struct bed *b)
{
	struct pollfd p = {.fd = b->main.fd, .events = POLLIN};
	bool done = false;

	assert_int_equal(shard_detach(b->shard, &b->main, on_detached, &done), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	mailbox_run(&b->main);
	assert_true(done);
}

static int teardown(void **state)
{
	struct bed *b = *state;

	if (b->own_thread)
		shard_free(b->shard);
	else
		shard_discard(b->shard);
	mailbox_fini(&b->main);
	for (int i = 0; i < RINGS; i++)
		free(b->memory[i]);
	close(b->shard_fd);
	close(b->dataplane_fd);
	b2bua_limits_free(b->limits);
	reputation_table_free(b->reputation);
	cdr_file_free(b->cdr);
	config_free(b->config);
	free(b);
	return 0;
}

struct question {
	struct mailbox *reply;
	json_t *counters;
};

static void do_done(void *owner, void *arg)
{
}

static void do_ask(void *owner, void *arg)
{
	struct question *q = arg;

	q->counters = shard_counters(owner);
	mailbox_post(q->reply, do_done, NULL);
}

/* One counter, as of now: what was put before this call has been read. */
static json_int_t counter(struct bed *b, const char *name)
{
	struct question q = {.reply = &b->main};
	struct pollfd p = {.fd = b->main.fd, .events = POLLIN};
	json_int_t v;

	assert_int_equal(shard_post(b->shard, do_ask, &q), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	mailbox_run(&b->main);
	assert_non_null(json_object_get(q.counters, name));
	v = json_integer_value(json_object_get(q.counters, name));
	json_decref(q.counters);
	return v;
}

static void expect_counter(struct bed *b, const char *name, json_int_t want)
{
	json_int_t got = 0;

	for (int i = 0; i < 200; i++) {
		got = counter(b, name);
		if (got == want)
			return;
		usleep(10000);
	}
	fail_msg("%s is %lld, not %lld", name, (long long)got, (long long)want);
}

/* A good REC_SIP_UP of a message, for the cases to spoil. */
struct up {
	struct rec_sip_up rec;
	struct sip_index index;
	const char *msg;
};

static void up_fill(struct up *u, const char *msg)
{
	memset(u, 0, sizeof(*u));
	u->msg = msg;
	sip_scan(msg, strlen(msg), &u->index);
	u->rec.hdr.type = REC_SIP_UP;
	u->rec.hdr.version = API_VERSION;
	net_addr_parse(SV("192.0.2.1"), &u->rec.local.addr);
	u->rec.local.port = 5060;
	net_addr_parse(SV("192.0.2.9"), &u->rec.remote.addr);
	u->rec.remote.port = 5060;
	u->rec.index_len = (uint32_t)SIP_INDEX_LEN(u->index.n_headers);
	u->rec.msg_len = (uint32_t)strlen(msg);
}

static void up_put(struct bed *b, const struct up *u, size_t index_len, size_t msg_len)
{
	const struct str_view pieces[] = {
		{(const char *)&u->rec, sizeof(u->rec)},
		{(const char *)&u->index, index_len},
		{u->msg, msg_len},
	};

	assert_int_equal(ring_put(&b->ours[UP], pieces, ARRAY_LEN(pieces)), 0);
	ring_publish(&b->ours[UP]);
}

static void up_good(struct bed *b)
{
	struct up u;

	up_fill(&u, options);
	up_put(b, &u, u.rec.index_len, u.rec.msg_len);
}

static void test_message_up_gives_answer_down(void **state)
{
	struct bed *b = *state;
	_Alignas(8) char buf[4096];
	struct rec_sip_down rec;
	int len = 0;

	expect_counter(b, "shard_messages_in", 0);
	up_good(b);
	expect_counter(b, "shard_messages_out", 1);
	len = ring_get(&b->ours[DOWN], buf, sizeof(buf));
	assert_true(len > (int)sizeof(rec));
	memcpy(&rec, buf, sizeof(rec));
	assert_int_equal(rec.hdr.type, REC_SIP_DOWN);
	assert_int_equal(rec.hdr.version, API_VERSION);
	assert_int_equal(sizeof(rec) + rec.msg_len, len);
	assert_int_equal(rec.local.port, 5060);
	assert_int_equal(rec.remote.addr.bytes[3], 9);
	assert_memory_equal(buf + sizeof(rec), "SIP/2.0 200", 11);
	assert_int_equal(counter(b, "shard_records_malformed"), 0);
}

enum spoil {
	TYPE,
	VERSION,
	INDEX_LEN,
	INDEX_SHORT,
	INDEX_HUGE,
	MSG_LEN,
	MSG_HUGE,
	REALM,
	LOCAL_PORT,
	LOCAL_ADDR,
	LOOPBACK,
	FAMILY,
	SPAN,
	HEADERS,
	INDEX_MSG_LEN,
	SPOILS
};

static void spoil(struct up *u, enum spoil s)
{
	switch (s) {
	case TYPE:
		u->rec.hdr.type = REC_SIP_DOWN;
		break;
	case VERSION:
		u->rec.hdr.version++;
		break;
	case INDEX_LEN:
		u->rec.index_len += 8;
		break;
	case INDEX_SHORT:
		u->rec.index_len = 0;
		break;
	case INDEX_HUGE:
		u->rec.index_len = UINT32_MAX - 16;
		break;
	case MSG_LEN:
		u->rec.msg_len--;
		break;
	case MSG_HUGE:
		u->rec.msg_len = UINT32_MAX;
		break;
	case REALM:
		u->rec.realm = 1;
		break;
	case LOCAL_PORT:
		u->rec.local.port = 5061;
		break;
	case LOCAL_ADDR:
		u->rec.local.addr.bytes[3] = 2;
		break;
	case LOOPBACK:
		u->rec.remote.addr.bytes[0] = 127;
		break;
	case FAMILY:
		u->rec.remote.addr.family = 99;
		break;
	case SPAN:
		u->index.call_id.off = 60000;
		break;
	case HEADERS:
		u->index.n_headers = 60000;
		break;
	case INDEX_MSG_LEN:
		u->index.msg_len = 60000;
		break;
	case SPOILS:
		break;
	}
}

static void test_malformed_records_are_counted_and_dropped(void **state)
{
	struct bed *b = *state;
	struct up u;

	for (int s = 0; s < SPOILS; s++) {
		size_t index_len;

		up_fill(&u, options);
		index_len = u.rec.index_len;
		spoil(&u, (enum spoil)s);
		up_put(b, &u, index_len, strlen(options));
		expect_counter(b, "shard_records_malformed", s + 1);
	}
	assert_int_equal(counter(b, "shard_messages_in"), 0);
	/* Shorter than the record's head. */
	up_fill(&u, options);
	assert_int_equal(
		ring_put(&b->ours[UP], &(struct str_view){(const char *)&u.rec, 16}, 1), 0);
	ring_publish(&b->ours[UP]);
	expect_counter(b, "shard_records_malformed", SPOILS + 1);
	up_good(b); /* and it still works */
	expect_counter(b, "shard_messages_out", 1);
}

static void test_malformed_events_are_counted_and_dropped(void **state)
{
	struct bed *b = *state;
	struct rec_done done = {.hdr = {.type = REC_DONE, .version = API_VERSION}};
	const struct str_view whole = {(const char *)&done, sizeof(done)};
	const struct str_view cut = {(const char *)&done, sizeof(done) - 8};

	assert_int_equal(ring_put(&b->ours[EVENT], &whole, 1), 0);
	assert_int_equal(ring_put(&b->ours[EVENT], &cut, 1), 0);
	done.hdr.type = 999;
	assert_int_equal(ring_put(&b->ours[EVENT], &whole, 1), 0);
	done.hdr.type = REC_DONE;
	done.hdr.version++;
	assert_int_equal(ring_put(&b->ours[EVENT], &whole, 1), 0);
	ring_publish(&b->ours[EVENT]);
	expect_counter(b, "shard_records_malformed", 3);
	assert_int_equal(counter(b, "shard_events_in"), 1);
}

/* A cursor that points nowhere: everything up to it is skipped, then the ring is good again. */
static void test_bad_cursor(void **state)
{
	struct bed *b = *state;
	struct ring_shared *shared = b->memory[UP];

	expect_counter(b, "shard_messages_in", 0);
	__atomic_store_n(&shared->head, 1ull << 40, __ATOMIC_SEQ_CST);
	eventfd_write(b->shard_fd, 1);
	expect_counter(b, "shard_records_malformed", 1);
	assert_int_equal(counter(b, "shard_messages_in"), 0);
}

static void test_many_messages_in_order(void **state)
{
	struct bed *b = *state;

	for (int i = 0; i < 200; i++)
		up_good(b); /* one, and 199 retransmissions that the transaction answers again */
	expect_counter(b, "shard_messages_in", 200);
	assert_int_equal(counter(b, "transactions_server"), 1);
}

static void test_detached_rings_are_left_alone(void **state)
{
	struct bed *b = *state;
	struct ring_shared *shared = b->memory[UP];
	uint64_t tail;

	up_good(b);
	expect_counter(b, "shard_messages_out", 1);
	detach(b);
	tail = shared->tail;
	up_good(b);
	assert_int_equal(counter(b, "shard_messages_in"), 1);
	assert_int_equal(shared->tail, tail);
	/* Attached again (fresh handles, as a new session has), it reads on. */
	assert_int_equal(shard_attach(b->shard, &b->session), 0);
	expect_counter(b, "shard_messages_in", 2);
}

/* What no datagram holds is refused at once, so that a caller is told now; the rest is a matter of
 * the dataplane, which is away here. */
static void test_longest_message(void **state)
{
	static const char message[API_SIP_UDP_MAX + 1];
	struct bed *b = *state;
	struct sip_path path = {
		.local = {.addr = net_addr_v4("\xc0\0\2\1"), .port = 5060},
		.remote = {.addr = net_addr_v4("\xc0\0\2\x9"), .port = 5060},
	};

	detach(b);
	assert_int_equal(
		shard_send(b->shard, &path, (struct str_view){message, API_SIP_UDP_MAX}), 0);
	assert_int_equal(counter(b, "shard_messages_too_long"), 0);
	assert_int_equal(shard_send(b->shard, &path, (struct str_view){message, sizeof(message)}),
		-EMSGSIZE);
	assert_int_equal(counter(b, "shard_messages_too_long"), 1);
}

static void test_free_while_attached(void **state)
{
	struct bed *b = *state;

	up_good(b);
	assert_int_equal(shard_calls_active(b->shard), 0);
}

static void say(struct bed *b, uint16_t type, uint64_t cookie)
{
	union {
		struct cmd_hdr cmd;
		struct rec_stream_set set;
		struct rec_stream_del del;
	} r = {.cmd = {.hdr.type = type, .cookie = cookie}};
	size_t len = type == REC_STREAM_SET ? sizeof(r.set) : sizeof(r.del);

	assert_int_equal(shard_command(b->shard, &r.cmd, len), 0);
}

/* The command that the dataplane sees next. @return its cookie; 0: none. */
static uint64_t heard(struct bed *b)
{
	_Alignas(8) uint8_t record[API_RECORD_MAX];
	int len = ring_get(&b->ours[CMD], record, sizeof(record));

	if (len == 0)
		return 0;
	assert_true(len >= (int)sizeof(struct cmd_hdr));
	return ((const struct cmd_hdr *)record)->cookie;
}

/* Nobody waits for a stream to go: it does not wake the dataplane by itself at once. */
static void test_removals_wait_for_each_other(void **state)
{
	struct bed *b = *state;
	uint64_t now = b->shard->timers.now_ms;

	mailbox_run(&b->shard->mailbox);
	say(b, REC_STREAM_DEL, 1);
	shard_turn(b->shard, now);
	assert_int_equal(heard(b), 0);
	say(b, REC_STREAM_DEL, 2);
	shard_turn(b->shard, now + 19);
	assert_int_equal(heard(b), 0);
	shard_turn(b->shard, now + 20);
	assert_int_equal(heard(b), 1);
	assert_int_equal(heard(b), 2);
}

static void test_removals_go_with_what_is_waited_for(void **state)
{
	struct bed *b = *state;
	uint64_t now = b->shard->timers.now_ms;

	mailbox_run(&b->shard->mailbox);
	say(b, REC_STREAM_DEL, 1);
	say(b, REC_STREAM_SET, 2);
	shard_turn(b->shard, now);
	assert_int_equal(heard(b), 1);
	assert_int_equal(heard(b), 2);
	assert_int_equal(b->shard->commands_timer.slot, 0);
	say(b, REC_STREAM_DEL, 3);
	shard_turn(b->shard, now + 19);
	assert_int_equal(heard(b), 0);
}

/* A ring that is full of removals is emptied before anything else fits. */
static void test_removals_of_a_full_ring_do_not_wait(void **state)
{
	struct bed *b = *state;
	struct rec_stream_del del = {.cmd.hdr.type = REC_STREAM_DEL, .cmd.cookie = 1};

	mailbox_run(&b->shard->mailbox);
	while (shard_command(b->shard, &del.cmd, sizeof(del)) == 0)
		;
	shard_turn(b->shard, b->shard->timers.now_ms);
	assert_int_equal(heard(b), 1);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define TURNED(test) cmocka_unit_test_setup_teardown(test, setup_turned, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED(test_message_up_gives_answer_down),
		BED(test_malformed_records_are_counted_and_dropped),
		BED(test_malformed_events_are_counted_and_dropped),
		BED(test_bad_cursor),
		BED(test_many_messages_in_order),
		BED(test_detached_rings_are_left_alone),
		BED(test_longest_message),
		BED(test_free_while_attached),
		TURNED(test_removals_wait_for_each_other),
		TURNED(test_removals_go_with_what_is_waited_for),
		TURNED(test_removals_of_a_full_ring_do_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
