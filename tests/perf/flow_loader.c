/*
 * A stand-in for control that a benchmark or a try by hand needs: attaches to a running
 * dataplane, sets two realms and N streams between them, and samples what left the ports.
 *
 *   flow_loader -s SOCKET -a LOCAL/LEN -A FIRST_REMOTE -b LOCAL/LEN -B FIRST_REMOTE
 *               [-p FIRST_PORT] [-P REMOTE_PORT] [-n STREAMS] [-t SECONDS] [-e]
 *
 * Stream i: realm 0's LOCAL:FIRST_PORT+2i, remote FIRST_REMOTE+i:REMOTE_PORT, and the same in
 * realm 1. With -e SIP datagrams to LOCAL:5060 go back to where they came from. Streams stay when
 * it ends. Prints one JSON object a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "records.h"
#include "sip_scan.h"
#include "stats.h"

struct side {
	struct net_addr local;
	uint8_t prefix_len;
	struct net_addr remote;
};

static struct {
	const char *socket;
	struct side side[2];
	uint16_t first_port, remote_port;
	uint32_t streams;
	unsigned int seconds;
	bool echo;
} options = {.first_port = 10000, .remote_port = 4000, .streams = 1};

static struct attach_session session;
static uint64_t sent, done, failed;

static void die(const char *what, int rc)
{
	fprintf(stderr, "flow_loader: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void events_take(void)
{
	union {
		struct record_hdr hdr;
		struct rec_done done;
		uint8_t bytes[API_RECORD_MAX];
	} r;
	int len;

	while ((len = ring_get(&session.main.event, &r, sizeof(r))) != 0) {
		if (len < (int)sizeof(r.done) || r.hdr.type != REC_DONE)
			continue;
		done++;
		if (r.done.status != 0) {
			if (failed++ < 5)
				fprintf(stderr, "flow_loader: command %u (cookie %llu): %s\n",
					r.done.command, (unsigned long long)r.done.cookie,
					strerror(-r.done.status));
		}
	}
	ring_release(&session.main.event);
}

static void command_put(struct cmd_hdr *cmd, size_t len, enum record_type type)
{
	struct str_view piece = {(const char *)cmd, len};
	uint64_t limit = now_ns() + 10000000000ull;

	cmd->hdr = (struct record_hdr){.type = (uint16_t)type, .version = API_VERSION};
	cmd->cookie = sent;
	/* Few enough on the way that their answers fit the event ring. */
	while (sent - done > 1024 || ring_put(&session.main.cmd, &piece, 1) == -ENOBUFS) {
		ring_publish(&session.main.cmd);
		events_take();
		if (now_ns() > limit)
			die("dataplane does not answer", -ETIMEDOUT);
	}
	sent++;
}

static void commands_finish(void)
{
	uint64_t limit = now_ns() + 10000000000ull;

	ring_publish(&session.main.cmd);
	while (done < sent) {
		events_take();
		usleep(100);
		if (now_ns() > limit)
			die("dataplane does not answer", -ETIMEDOUT);
	}
}

static void realm_set(uint16_t realm)
{
	const struct side *s = &options.side[realm];
	struct rec_realm_set r = {
		.name = "bench", .realm = realm, .port = realm, .dscp_media = 46, .dscp_sip = 24};
	struct rec_address_set a = {.addr = s->local, .realm = realm, .prefix_len = s->prefix_len};
	struct rec_listener_set l = {.local = {.addr = s->local, .port = 5060}, .realm = realm};
	struct rec_media_range_set m = {.addr = s->local,
		.realm = realm,
		.port_min = options.first_port,
		.port_max = (uint16_t)(options.first_port + 2 * options.streams + 1)};

	command_put(&r.cmd, sizeof(r), REC_REALM_SET);
	command_put(&a.cmd, sizeof(a), REC_ADDRESS_SET);
	command_put(&l.cmd, sizeof(l), REC_LISTENER_SET);
	command_put(&m.cmd, sizeof(m), REC_MEDIA_RANGE_SET);
}

static struct net_addr addr_plus(const struct net_addr *a, uint32_t n)
{
	uint32_t v;

	memcpy(&v, a->bytes, sizeof(v));
	v = htonl(ntohl(v) + n);
	return net_addr_v4(&v);
}

static void stream_add(uint32_t i)
{
	struct rec_stream_set s = {.id = ((uint64_t)getpid() << 32) | i, .kind = STREAM_RTP};

	for (uint16_t e = 0; e < 2; e++) {
		struct stream_end *end = &s.end[e];

		end->local = (struct net_endpoint){.addr = options.side[e].local,
			.port = (uint16_t)(options.first_port + 2 * i)};
		end->remote = (struct net_endpoint){
			.addr = addr_plus(&options.side[e].remote, i), .port = options.remote_port};
		end->allowed = end->remote.addr;
		end->realm = e;
		end->prefix_len = 32;
		end->flags = STREAM_END_RECEIVE;
	}
	command_put(&s.cmd, sizeof(s), REC_STREAM_SET);
}

static void sip_echo(void)
{
	static union {
		struct rec_sip_up up;
		uint8_t bytes[sizeof(struct rec_sip_up) + sizeof(struct sip_index) +
			      API_SIP_MSG_MAX];
	} r;

	for (uint16_t w = 0; w < session.workers; w++) {
		struct ring *up = &session.shard[0].up[w];

		while (ring_get(up, &r, sizeof(r)) > 0) {
			const char *msg = (const char *)r.bytes + sizeof(r.up) + r.up.index_len;
			struct rec_sip_down d = {
				.hdr = {.type = REC_SIP_DOWN, .version = API_VERSION},
				.local = r.up.local,
				.remote = r.up.remote,
				.realm = r.up.realm,
				.msg_len = r.up.msg_len,
			};
			const struct str_view pieces[] = {
				{(const char *)&d, sizeof(d)}, {msg, r.up.msg_len}};

			printf("{\"sip\": %u, \"realm\": %u, \"class\": %u, \"error\": %u}\n",
				r.up.msg_len, r.up.realm, r.up.sip_class, r.up.error);
			ring_put(&session.shard[0].down, pieces, ARRAY_LEN(pieces));
		}
		ring_release(up);
	}
	ring_publish(&session.shard[0].down);
}

/* In minus out by the equation of stats.h: 0 at rest. */
static int64_t balance(const struct stats_port_counts *c)
{
	uint64_t out =
		c->forwarded + c->originated + c->punted + c->sip_up + c->gleaned + c->reassembled;

	for (unsigned int d = 0; d < DROP_COUNT; d++)
		out += c->drops[d];
	return (int64_t)(c->rx_packets + c->from_twin + c->from_control - out);
}

static void sample(uint64_t start)
{
	uint64_t tx = 0, rx = 0, drops = 0;
	int64_t under_way = 0;

	for (unsigned int p = 0; p < 2; p++) {
		struct stats_port_counts c;

		stats_port_sum(session.stats, p, &c);
		tx += c.tx_packets;
		rx += c.rx_packets;
		under_way += balance(&c);
		for (unsigned int d = 0; d < DROP_COUNT; d++)
			drops += c.drops[d];
	}
	printf("{\"ns\": %llu, \"rx\": %llu, \"tx\": %llu, \"drops\": %llu, "
	       "\"under_way\": %lld}\n",
		(unsigned long long)(now_ns() - start), (unsigned long long)rx,
		(unsigned long long)tx, (unsigned long long)drops, (long long)under_way);
	fflush(stdout);
}

static void run(void)
{
	uint64_t start = now_ns(), next = start;

	while (next <= start + options.seconds * 1000000000ull) {
		if (now_ns() >= next) {
			sample(start);
			next += 1000000000ull;
		}
		if (options.echo)
			sip_echo();
		events_take();
		usleep(options.echo ? 500 : 10000);
	}
}

static void side_parse(struct side *s, const char *prefix, const char *remote)
{
	if (prefix == NULL || remote == NULL ||
		net_prefix_parse(
			(struct str_view){prefix, strlen(prefix)}, &s->local, &s->prefix_len) < 0 ||
		net_addr_parse((struct str_view){remote, strlen(remote)}, &s->remote) < 0)
		die("addresses", -EINVAL);
}

int main(int argc, char **argv)
{
	const char *local[2] = {NULL, NULL}, *remote[2] = {NULL, NULL};
	struct rec_sync sync = {0};
	char why[256];
	int opt, rc;

	while ((opt = getopt(argc, argv, "s:a:A:b:B:p:P:n:t:e")) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'a':
		case 'b':
			local[opt - 'a'] = optarg;
			break;
		case 'A':
		case 'B':
			remote[opt - 'A'] = optarg;
			break;
		case 'p':
			options.first_port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'P':
			options.remote_port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			options.streams = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 't':
			options.seconds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'e':
			options.echo = true;
			break;
		default:
			return 2;
		}
	}
	side_parse(&options.side[0], local[0], remote[0]);
	side_parse(&options.side[1], local[1], remote[1]);
	rc = attach_connect(options.socket, 1, &(struct attach_keys){{1, 2}, {3, 4}}, &session, why,
		sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "flow_loader: %s\n", why);
		return 1;
	}
	realm_set(0);
	realm_set(1);
	command_put(&sync.cmd, sizeof(sync), REC_SYNC);
	for (uint32_t i = 0; i < options.streams; i++)
		stream_add(i);
	commands_finish();
	printf("{\"commands\": %llu, \"failed\": %llu}\n", (unsigned long long)done,
		(unsigned long long)failed);
	fflush(stdout);
	if (failed == 0)
		run();
	attach_fini(&session);
	return failed == 0 ? 0 : 1;
}
