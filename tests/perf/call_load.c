/*
 * What a call costs control: one shard, its rings, and phones on them, turn by turn in one thread.
 * Only the shard's turns are measured, by the thread's own CPU time.
 *
 *   call_load [-H HELD,HELD...] [-n CALLS] [-r RATE] [-w WINDOW] [-c CDR_FILE]
 *
 * For each number of held calls: so many more begin, answer and end, and a line of JSON says what
 * they cost, what is allocated at the end of them (with the transactions that linger), and what
 * when nothing but the held calls is left.
 */
#include <getopt.h>
#include <stdarg.h>
#include <time.h>

#include "call_load.h"
#include "config_priv.h"
#include "reputation.h"
#include "heap.h"

#define LEVELS_MAX 8
/* Longer than any transaction lingers (32 s after a final answer) and than any answer waits. */
#define QUIET_MS 70000

static const char config_text[] =
	"dataplane: {ports: [{name: a, device: net_null0}, {name: b, device: net_null1}]}\n"
	"realms:\n"
	"  - {name: access, port: a, trust: untrusted, nat: auto,\n"
	"     sip: [\"192.0.2.1:5060\"],\n"
	"     addresses: [192.0.2.1/24, 192.0.2.2/24, 192.0.2.3/24,\n"
	"     192.0.2.4/24, 192.0.2.5/24, 192.0.2.6/24],\n"
	"     media: [\n"
	"     {address: 192.0.2.1, ports: 10000-65535},\n"
	"     {address: 192.0.2.2, ports: 10000-65535},\n"
	"     {address: 192.0.2.3, ports: 10000-65535},\n"
	"     {address: 192.0.2.4, ports: 10000-65535},\n"
	"     {address: 192.0.2.5, ports: 10000-65535},\n"
	"     {address: 192.0.2.6, ports: 10000-65535}]}\n"
	"  - {name: core, port: b, trust: trusted, nat: never,\n"
	"     sip: [\"198.51.100.1:5060\"],\n"
	"     addresses: [198.51.100.1/24, 198.51.100.3/24, 198.51.100.4/24,\n"
	"     198.51.100.5/24, 198.51.100.6/24, 198.51.100.7/24],\n"
	"     media: [\n"
	"     {address: 198.51.100.1, ports: 10000-65535},\n"
	"     {address: 198.51.100.3, ports: 10000-65535},\n"
	"     {address: 198.51.100.4, ports: 10000-65535},\n"
	"     {address: 198.51.100.5, ports: 10000-65535},\n"
	"     {address: 198.51.100.6, ports: 10000-65535},\n"
	"     {address: 198.51.100.7, ports: 10000-65535}]}\n"
	/* Its time is the bench's own: what waits by the machine's clock means nothing. */
	"ops: {overload: {delay_ms: 0}}\n"
	"peers:\n"
	"  - {name: softswitch, realm: core, address: 198.51.100.2}\n"
	"routes:\n"
	"  - {from: access, to: softswitch}\n";

struct options {
	uint32_t held[LEVELS_MAX];
	unsigned int n_held;
	uint32_t calls;
	uint32_t rate; /* calls a second of the bench's clock */
	uint32_t window;
	const char *cdr;
};

struct bench {
	struct options opt;
	struct config *config;
	struct cdr_file *cdr;
	struct b2bua_limits *limits;
	struct reputation_table *reputation;
	struct call_plane plane;
	struct phones phones;
	uint64_t now_ns;
	uint64_t cpu_ns; /* of all turns */
};

void call_die(const char *fmt, ...)
{
	va_list ap;

	fputs("call_load: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* @return true if the shard has more to read. */
static bool turn(struct bench *b)
{
	static char msg[SIP_MSG_LEN_MAX + 1];
	struct rec_sip_down rec;
	uint64_t before;
	size_t len;
	bool more;

	plane_publish(&b->plane);
	before = cpu_now_ns();
	more = shard_turn(b->plane.shard, b->now_ns / 1000000);
	b->cpu_ns += cpu_now_ns() - before;
	plane_commands(&b->plane);
	while ((len = plane_down(&b->plane, &rec, msg, sizeof(msg))) > 0)
		phones_take(&b->phones, &rec, msg, len);
	return more;
}

static uint64_t under_way(const struct phones *p)
{
	return p->serial - p->ended - p->held;
}

/* So many more calls, at the pace of the bench's clock, as many at a time as the window holds. */
static void calls_run(struct bench *b, uint64_t n, bool hold)
{
	b->phones.hold = hold;
	while (n > 0 || under_way(&b->phones) > 0) {
		for (; n > 0 && under_way(&b->phones) < b->opt.window; n--) {
			phones_begin(&b->phones);
			b->now_ns += 1000000000u / b->opt.rate;
		}
		(void)turn(b);
	}
	/* The last answers of the server are on their way. */
	while (turn(b))
		;
}

static void quiet(struct bench *b)
{
	for (unsigned int ms = 0; ms < QUIET_MS; ms += 100) {
		b->now_ns += 100000000u;
		(void)turn(b);
	}
}

static uint64_t allocated(void)
{
	json_t *heap = heap_json();
	uint64_t bytes = (uint64_t)json_integer_value(json_object_get(heap, "allocated"));

	json_decref(heap);
	return bytes;
}

static void level(struct bench *b, uint32_t held)
{
	uint64_t before, cpu_ns, busy;

	calls_run(b, held - b->phones.held, true);
	/* As many transactions linger then as before the last measured call. */
	calls_run(b, 33ull * b->opt.rate, false);
	before = b->cpu_ns;
	calls_run(b, b->opt.calls, false);
	cpu_ns = b->cpu_ns - before;
	busy = allocated();
	quiet(b);
	printf("{\"held\": %u, \"calls\": %u, \"cpu_ns\": %llu, \"busy\": %llu, "
	       "\"allocated\": %llu}\n",
		held, b->opt.calls, (unsigned long long)cpu_ns, (unsigned long long)busy,
		(unsigned long long)allocated());
	fflush(stdout);
}

static void expect(const char *what, uint64_t is, uint64_t want)
{
	if (is != want)
		call_die("%s: %llu instead of %llu", what, (unsigned long long)is,
			(unsigned long long)want);
}

/* Every call went through whole, and nothing of any is left. */
static void check(const struct bench *b)
{
	const struct shard *s = b->plane.shard;
	const struct b2bua_stats *calls = b2bua_get_stats(s->b2bua);
	const struct txn_stats *txns = txn_layer_stats(b2bua_txn_layer(s->b2bua));
	const struct media_stats *media = media_get_stats(s->media);
	uint64_t n = b->phones.serial;

	expect("calls answered", calls->calls_answered, n);
	expect("calls ended", b->phones.ended, n);
	expect("ACKs at the server", b->phones.acked, n);
	expect("BYEs at the server", b->phones.left, n);
	expect("streams set", b->plane.streams_set, 2 * n); /* RTP and RTCP */
	if (b->opt.cdr[0] != '\0')
		expect("call records", cdr_file_get_stats(b->cdr).written, n);
	expect("streams left", b->plane.streams, 0);
	expect("ports left", media->ports_used, 0);
	expect("calls left", calls->calls_active, 0);
	expect("dialogs left", calls->dialogs, 0);
	expect("server transactions left", txns->servers, 0);
	expect("client transactions left", txns->clients, 0);
	expect("retransmissions", txns->retransmits_in + txns->retransmits_out, 0);
	expect("records malformed", s->counts.records_malformed, 0);
	expect("messages lost", s->counts.messages_lost, 0);
	expect("messages in", s->counts.messages_in, 7 * n);
	expect("messages out", s->counts.messages_out, 6 * n);
}

static void setup(struct bench *b)
{
	char error[CONFIG_ERROR_LEN];
	struct shard_env env = {.keys = {{1, 2}, {3, 4}}};
	struct shard *shard;
	uint32_t most = 0;

	heap_arena_own();
	b->config = config_load_data("call_load", config_text, strlen(config_text), error);
	if (b->config == NULL)
		call_die("%s", error);
	env.config = b->config;
	env.cdr = b->cdr = cdr_file_new(b->opt.cdr);
	env.limits = b->limits = b2bua_limits_new(b->config);
	env.reputation = b->reputation = reputation_table_new(env.keys.hash);
	if (b->cdr == NULL || b->limits == NULL || b->reputation == NULL ||
		shard_make(&env, &shard) != 0)
		call_die("out of memory");
	b->now_ns = shard->timers.now_ms * 1000000;
	for (unsigned int i = 0; i < b->opt.n_held; i++)
		most = b->opt.held[i] > most ? b->opt.held[i] : most;
	plane_init(&b->plane, shard);
	phones_init(&b->phones, &b->plane, most + b->opt.window);
}

static void teardown(struct bench *b)
{
	shard_discard(b->plane.shard);
	plane_fini(&b->plane);
	phones_fini(&b->phones);
	b2bua_limits_free(b->limits);
	reputation_table_free(b->reputation);
	cdr_file_free(b->cdr);
	config_free(b->config);
}

static uint32_t number(const char *text, char **end)
{
	unsigned long n = strtoul(text, end, 10);

	if (*end == text || n > 10000000)
		call_die("'%s' is no number that makes sense here", text);
	return (uint32_t)n;
}

static void options_read(int argc, char **argv, struct options *o)
{
	char *end = "";
	int c;

	while ((c = getopt(argc, argv, "H:n:r:w:c:")) != -1) {
		switch (c) {
		case 'H':
			o->n_held = 0;
			do {
				if (o->n_held == LEVELS_MAX)
					call_die("-H: at most %d numbers", LEVELS_MAX);
				o->held[o->n_held++] = number(optarg, &end);
				optarg = end + 1;
			} while (*end == ',');
			break;
		case 'n':
			o->calls = number(optarg, &end);
			break;
		case 'r':
			o->rate = number(optarg, &end);
			break;
		case 'w':
			o->window = number(optarg, &end);
			break;
		case 'c':
			o->cdr = optarg;
			break;
		default:
			call_die("see the head of call_load.c for how to use it");
		}
	}
	/* Nobody shall send again what is answered a turn later: T1 is half a second. */
	if (*end != '\0' || o->window == 0 || o->rate < 10 * o->window)
		call_die("see the head of call_load.c for how to use it");
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.opt = {.n_held = 1, .calls = 50000, .rate = 1500, .window = 64, .cdr = ""}};

	options_read(argc, argv, &b.opt);
	setup(&b);
	for (unsigned int i = 0; i < b.opt.n_held; i++)
		level(&b, b.opt.held[i]);
	while (b.phones.held > 0) {
		phones_hang_up(&b.phones, b.opt.window);
		calls_run(&b, 0, false);
	}
	quiet(&b);
	check(&b);
	teardown(&b);
	return 0;
}
