/*
 * Overload control of a shard as a whole (RFC 7339), turn by turn on rings that this test plays the
 * dataplane of: how long messages waited comes up with them, what neighbours are told goes down in
 * Via, and what a peer says keeps the next calls from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_priv.h"
#include "records.h"
#include "shard_priv.h"
#include "sip_scan.h"

static const char config_text[] =
	"dataplane: {ports: [{name: a, device: net_null0}, {name: b, device: net_null1}]}\n"
	"realms:\n"
	"  - {name: access, port: a, addresses: [192.0.2.1/24], sip: [\"192.0.2.1:5060\"],\n"
	"     media: {address: 192.0.2.1, ports: 20000-20099}}\n"
	"  - {name: core, port: b, trust: trusted, addresses: [198.51.100.1/24],\n"
	"     sip: [\"198.51.100.1:5060\"],\n"
	"     media: {address: 198.51.100.1, ports: 20000-20099}}\n"
	"peers:\n"
	"  - {name: softswitch, realm: core, address: 198.51.100.2, overload_control: yes}\n"
	"routes:\n"
	"  - {from: access, to: softswitch, emergency: true}\n"
	"  - {from: access, to: softswitch}\n";

#define RING_BYTES (256u << 10)
#define OFFER ";oc;oc-algo=\"loss,rate\""

enum { UP, DOWN, CMD, EVENT, RINGS };
enum { ACCESS, CORE };

static struct bed {
	struct config *config;
	struct cdr_file *cdr;
	struct b2bua_limits *limits;
	struct reputation_table *reputation;
	struct shard *shard;
	void *memory[RINGS];
	struct ring ours[RINGS]; /* the dataplane's ends */
	struct attach_session session;
	int fd;
	uint64_t now_ms;
	unsigned int serial;
	char down[4096]; /* the last message that came down */
} bed;

static void turn(unsigned int after_ms)
{
	bed.now_ms += after_ms;
	shard_turn(bed.shard, bed.now_ms);
}

static int setup(void **state)
{
	struct shard_env env = {0};
	char error[CONFIG_ERROR_LEN];
	struct ring *theirs[RINGS];

	bed = (struct bed){.fd = eventfd(0, EFD_NONBLOCK)};
	bed.config = config_load_data("t.yaml", config_text, strlen(config_text), error);
	if (bed.config == NULL)
		fail_msg("%s", error);
	env.config = bed.config;
	env.cdr = bed.cdr = cdr_file_new("");
	env.limits = bed.limits = b2bua_limits_new(bed.config);
	env.reputation = bed.reputation = reputation_table_new(env.keys.hash);
	assert_int_equal(shard_make(&env, &bed.shard), 0);
	theirs[UP] = &bed.session.shard[0].up[0];
	theirs[DOWN] = &bed.session.shard[0].down;
	theirs[CMD] = &bed.session.shard[0].cmd;
	theirs[EVENT] = &bed.session.shard[0].event;
	for (int i = 0; i < RINGS; i++) {
		bed.memory[i] = aligned_alloc(64, ring_footprint(RING_BYTES));
		assert_non_null(bed.memory[i]);
		ring_format(bed.memory[i]);
		assert_int_equal(ring_init(&bed.ours[i], bed.memory[i], RING_BYTES, bed.fd), 0);
		assert_int_equal(ring_init(theirs[i], bed.memory[i], RING_BYTES, bed.fd), 0);
	}
	bed.session.workers = bed.session.shards = 1;
	bed.session.shard[0].event_fd = bed.fd;
	assert_int_equal(shard_attach(bed.shard, &bed.session), 0);
	mailbox_run(&bed.shard->mailbox);
	bed.now_ms = shard_clock_ms();
	return 0;
}

static int teardown(void **state)
{
	shard_discard(bed.shard);
	for (int i = 0; i < RINGS; i++)
		free(bed.memory[i]);
	close(bed.fd);
	b2bua_limits_free(bed.limits);
	reputation_table_free(bed.reputation);
	cdr_file_free(bed.cdr);
	config_free(bed.config);
	return 0;
}

/* --- messages --- */

static void put(unsigned int realm, enum source_class source, const char *msg, uint64_t waited_ms)
{
	struct rec_sip_up rec = {
		.hdr = {.type = REC_SIP_UP, .version = API_VERSION},
		.realm = (uint16_t)realm,
		.source_class = source,
		.msg_len = (uint32_t)strlen(msg),
	};
	struct sip_index index;
	struct str_view pieces[3];
	struct timespec ts;

	sip_scan(msg, rec.msg_len, &index);
	rec.index_len = (uint32_t)SIP_INDEX_LEN(index.n_headers);
	rec.local = bed.config->realms[realm].listeners[0].local;
	rec.remote = rec.local;
	rec.remote.addr.bytes[3] = 2;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	rec.rx_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec - waited_ms * 1000000;
	pieces[0] = (struct str_view){(const char *)&rec, sizeof(rec)};
	pieces[1] = (struct str_view){(const char *)&index, rec.index_len};
	pieces[2] = (struct str_view){msg, rec.msg_len};
	assert_int_equal(ring_put(&bed.ours[UP], pieces, ARRAY_LEN(pieces)), 0);
	ring_publish(&bed.ours[UP]);
}

/* @return the next message that went down, or NULL. */
static const char *take(void)
{
	_Alignas(8) char record[sizeof(struct rec_sip_down) + sizeof(bed.down)];
	int len = ring_get(&bed.ours[DOWN], record, sizeof(record));
	size_t msg_len;

	if (len == 0)
		return NULL;
	ring_release(&bed.ours[DOWN]);
	assert_true(len > (int)sizeof(struct rec_sip_down));
	msg_len = (size_t)len - sizeof(struct rec_sip_down);
	assert_true(msg_len < sizeof(bed.down));
	memcpy(bed.down, record + sizeof(struct rec_sip_down), msg_len);
	bed.down[msg_len] = '\0';
	return bed.down;
}

static void take_all(void)
{
	while (take() != NULL)
		;
}

/* A request that nobody has sent before; its only answer, or what it became on the other side. */
static const char *ask(unsigned int realm, enum source_class source, const char *method,
	const char *uri, const char *via, uint64_t waited_ms)
{
	const char *host = realm == ACCESS ? "192.0.2.2" : "198.51.100.2";
	char msg[1024];

	bed.serial++;
	snprintf(msg, sizeof(msg),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKo%u;rport%s\r\n"
		"From: <sip:a@%s>;tag=o%u\r\nTo: <%s>\r\nCall-ID: o%u@%s\r\nCSeq: 1 %s\r\n"
		"Contact: <sip:a@%s>\r\nMax-Forwards: 70\r\nUser-Agent: somebody who says more of "
		"himself than the answer will say of the box, so that it may be sent\r\n"
		"Content-Length: 0\r\n\r\n",
		method, uri, host, bed.serial, via, host, bed.serial, uri, bed.serial, host, method,
		host);
	put(realm, source, msg, waited_ms);
	turn(1);
	return take();
}

static const char *ping(unsigned int realm, enum source_class source, const char *via)
{
	return ask(realm, source, "OPTIONS", "sip:192.0.2.1", via, 0);
}

/* Messages wait for a second, for as long as it takes for every new request to be refused. */
static void overload_all(void)
{
	for (unsigned int i = 0; i < 30; i++) {
		(void)ask(CORE, SOURCE_TRUSTED, "OPTIONS", "sip:198.51.100.1", "", 1000);
		turn(OVERLOAD_INTERVAL_MS);
		take_all();
	}
	assert_int_equal(overload_percent(bed.shard->overload), 100);
}

/* --- as a server --- */

static void test_neighbours_are_told(void **state)
{
	const char *answer = ping(CORE, SOURCE_TRUSTED, OFFER);

	assert_non_null(answer);
	assert_non_null(strstr(answer, ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq="));
	overload_all();
	answer = ping(CORE, SOURCE_TRUSTED, OFFER);
	assert_non_null(answer);
	assert_memory_equal(answer, "SIP/2.0 200 ", 12);
	assert_non_null(strstr(answer, ";oc=100;oc-algo=\"loss\";oc-validity=1000;oc-seq="));
	/* Who does not ask is told nothing; he hears when to come again. */
	answer = ping(CORE, SOURCE_TRUSTED, "");
	assert_non_null(answer);
	assert_null(strstr(answer, "oc="));
	answer = ask(CORE, SOURCE_TRUSTED, "INVITE", "sip:b@198.51.100.1", "", 0);
	assert_non_null(answer);
	assert_memory_equal(answer, "SIP/2.0 503 ", 12);
	assert_non_null(strstr(answer, "\r\nRetry-After: "));
	/* Who was told leaves out that share and may come with the rest. */
	answer = ask(CORE, SOURCE_TRUSTED, "INVITE", "sip:b@198.51.100.1", OFFER, 0);
	assert_non_null(answer);
	assert_memory_equal(answer, "SIP/2.0 503 ", 12);
	assert_non_null(strstr(answer, ";oc=100;"));
	assert_null(strstr(answer, "Retry-After"));
}

static void test_strangers_are_not(void **state)
{
	const char *answer;

	overload_all();
	answer = ping(ACCESS, SOURCE_UNTRUSTED, OFFER);
	assert_non_null(answer);
	assert_memory_equal(answer, "SIP/2.0 200 ", 12);
	assert_null(strstr(answer, "oc="));
	answer = ping(ACCESS, SOURCE_TRUSTED, OFFER);
	assert_non_null(answer);
	assert_non_null(strstr(answer, ";oc=100;"));
}

static void test_nothing_waits_any_more(void **state)
{
	const char *answer;

	overload_all();
	for (unsigned int i = 0; i < 150; i++) {
		assert_true(shard_rings_sleep(bed.shard));
		shard_rings_awake(bed.shard);
		turn(OVERLOAD_INTERVAL_MS);
	}
	take_all();
	answer = ping(CORE, SOURCE_TRUSTED, OFFER);
	assert_non_null(answer);
	assert_non_null(strstr(answer, ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq="));
}

/* --- as a client --- */

static void copy_header(char *to, size_t size, const char *msg, const char *name)
{
	const char *line = strstr(msg, name);

	assert_non_null(line);
	snprintf(to, size, "%.*s\r\n", (int)strcspn(line, "\r"), line);
}

/* The softswitch answers the INVITE at hand, with these parameters in place of our offer. */
static void softswitch_says(const char *invite, const char *params)
{
	char via[256], from[256], to[256], call_id[256], cseq[64], msg[1400];

	copy_header(via, sizeof(via), invite, "Via: ");
	copy_header(from, sizeof(from), invite, "From: ");
	copy_header(to, sizeof(to), invite, "To: ");
	copy_header(call_id, sizeof(call_id), invite, "Call-ID: ");
	copy_header(cseq, sizeof(cseq), invite, "CSeq: ");
	assert_non_null(strstr(via, OFFER));
	snprintf(msg, sizeof(msg),
		"SIP/2.0 486 Busy\r\n%.*s%s\r\n%s%.*s;tag=s\r\n%s%sContent-Length: 0\r\n\r\n",
		(int)(strstr(via, OFFER) - via), via, params, from, (int)(strlen(to) - 2), to,
		call_id, cseq);
	put(CORE, SOURCE_TRUSTED, msg, 0);
	turn(1);
	take_all();
}

static void test_a_peer_is_obeyed(void **state)
{
	const char *sos = "urn:service:sos", *bob = "sip:bob@192.0.2.1", *msg;

	msg = ask(ACCESS, SOURCE_UNTRUSTED, "INVITE", bob, "", 0);
	assert_non_null(msg);
	assert_memory_equal(msg, "INVITE ", 7);
	softswitch_says(msg, ";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=10.5");
	msg = ask(ACCESS, SOURCE_UNTRUSTED, "INVITE", bob, "", 0);
	assert_non_null(msg);
	assert_memory_equal(msg, "SIP/2.0 503 ", 12);
	take_all();
	/* An emergency call goes through, and is answered with what makes the peer's word void. */
	msg = ask(ACCESS, SOURCE_UNTRUSTED, "INVITE", sos, "", 0);
	assert_non_null(msg);
	assert_memory_equal(msg, "INVITE urn:service:sos ", 23);
	softswitch_says(msg, ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=11.5");
	msg = ask(ACCESS, SOURCE_UNTRUSTED, "INVITE", bob, "", 0);
	assert_non_null(msg);
	assert_memory_equal(msg, "INVITE ", 7);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED(test_neighbours_are_told),
		BED(test_strangers_are_not),
		BED(test_nothing_waits_any_more),
		BED(test_a_peer_is_obeyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
