/*
 * A flood of SIP for tests: one message again and again, from one address and port, from many
 * ports of it, or from as many forged addresses as there are.
 *
 *   sip_flood -s ADDRESS:PORT -d ADDRESS:PORT -r PER_SECOND -t SECONDS [-n PACKETS] [-m METHOD]
 *             [-p PORTS] [-f]
 *
 * -n: end after so many; -p: over so many ports from -s's on; -f: each from an address of its own
 * and a random port instead. IPv4 by a raw socket, so that the port may be another program's.
 * Prints {"first_s": T} when the first ones are sent (CLOCK_MONOTONIC), and at the end
 * {"sent": N, "sources": N, "seconds": T}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define DATAGRAM_MAX 1400
#define FORGED_ADDRESSES (115u * 0x1000000u)

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char text[DATAGRAM_MAX];
} __attribute__((packed));

static struct {
	struct sockaddr_in from, to;
	const char *method;
	unsigned int rate, seconds, ports;
	unsigned long long packets;
	int forge;
} options = {.packets = ULLONG_MAX, .method = "OPTIONS", .rate = 1000, .seconds = 1, .ports = 1};

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long long)ts.tv_sec * 1000000000u + (unsigned long long)ts.tv_nsec;
}

static int endpoint_parse(const char *text, struct sockaddr_in *out)
{
	char address[INET_ADDRSTRLEN];
	const char *colon = strchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof(address))
		return -1;
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	out->sin_family = AF_INET;
	out->sin_port = htons((unsigned short)strtoul(colon + 1, NULL, 10));
	return inet_pton(AF_INET, address, &out->sin_addr) == 1 ? 0 : -1;
}

/* Unicast, and none that the box would not believe: 11.0.0.0 to 125.255.255.255. The prime has
 * no divisor in common with their number, so all come before one comes again. */
static unsigned int forged_address(unsigned int n)
{
	return htonl(11u * 0x1000000u + (unsigned int)(n * 1234567891ull % FORGED_ADDRESSES));
}

static size_t packet_make(struct packet *p, unsigned int n)
{
	char from[INET_ADDRSTRLEN];
	unsigned int address = options.forge ? forged_address(n) : options.from.sin_addr.s_addr;
	unsigned short port = (unsigned short)(ntohs(options.from.sin_port) + n % options.ports);
	int len;

	if (options.forge)
		port = (unsigned short)(1024 + random() % 8192); /* below the lab's media */
	inet_ntop(AF_INET, &address, from, sizeof(from));
	len = snprintf(p->text, sizeof(p->text),
		"%s sip:%sbox.example SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s:%u;rport;branch=z9hG4bKflood%u\r\n"
		"From: <sip:flood@%s>;tag=f%u\r\nTo: <sip:1000@box.example>\r\n"
		"Call-ID: flood-%d-%u\r\nCSeq: 1 %s\r\nContact: <sip:flood@%s:%u>\r\n"
		"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		options.method, strcmp(options.method, "OPTIONS") == 0 ? "" : "1000@", from, port,
		n, from, n, (int)getpid(), n, options.method, from, port);
	p->ip = (struct iphdr){.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = address,
		.daddr = options.to.sin_addr.s_addr};
	p->udp = (struct udphdr){.source = htons(port),
		.dest = options.to.sin_port,
		.len = htons((unsigned short)(sizeof(p->udp) + (size_t)len))};
	return sizeof(p->ip) + sizeof(p->udp) + (size_t)len;
}

/* @return packets that the kernel took. */
static unsigned int batch_send(int fd, unsigned int first)
{
	static struct packet packets[BATCH];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int n;

	memset(msgs, 0, sizeof(msgs));
	for (unsigned int i = 0; i < BATCH; i++) {
		iov[i].iov_base = &packets[i];
		iov[i].iov_len = packet_make(&packets[i], first + i);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &options.to;
		msgs[i].msg_hdr.msg_namelen = sizeof(options.to);
	}
	n = sendmmsg(fd, msgs, BATCH, 0);
	return n > 0 ? (unsigned int)n : 0;
}

static double seconds_of(unsigned long long ns)
{
	return (double)ns / 1e9;
}

/* @return packets sent: numbers 0 to that, none left out. */
static unsigned long long flood(int fd)
{
	unsigned long long start = now_ns(), end = start + options.seconds * 1000000000ull, now;
	unsigned long long sent = 0;

	while ((now = now_ns()) < end && sent < options.packets) {
		bool first = sent == 0;

		/* What should have been sent by now. */
		if (sent * 1000000000ull / options.rate > now - start) {
			usleep(500);
			continue;
		}
		sent += batch_send(fd, (unsigned int)sent);
		if (first && sent > 0) {
			printf("{\"first_s\": %.3f}\n", seconds_of(now));
			fflush(stdout);
		}
	}
	return sent;
}

/* How many addresses and ports these came from. */
static unsigned long long sources_of(unsigned long long sent)
{
	unsigned long long all = options.forge ? FORGED_ADDRESSES : options.ports;

	return sent < all ? sent : all;
}

static int options_parse(int argc, char **argv)
{
	int opt, rc = 0;

	while ((opt = getopt(argc, argv, "s:d:r:t:n:m:p:f")) != -1) {
		if (opt == 's')
			rc |= endpoint_parse(optarg, &options.from);
		else if (opt == 'd')
			rc |= endpoint_parse(optarg, &options.to);
		else if (opt == 'r')
			options.rate = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 't')
			options.seconds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			options.packets = strtoull(optarg, NULL, 10);
		else if (opt == 'm')
			options.method = optarg;
		else if (opt == 'p')
			options.ports = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 'f')
			options.forge = 1;
		else
			return -1;
	}
	return rc < 0 || options.rate == 0 || options.ports == 0 || options.to.sin_port == 0 ? -1
											     : 0;
}

int main(int argc, char **argv)
{
	unsigned long long start, sent;
	int fd;

	if (options_parse(argc, argv) < 0) {
		fprintf(stderr, "sip_flood: see the head of sip_flood.c for its options\n");
		return 2;
	}
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		fprintf(stderr, "sip_flood: %s\n", strerror(errno));
		return 1;
	}
	start = now_ns();
	sent = flood(fd);
	printf("{\"sent\": %llu, \"sources\": %llu, \"seconds\": %.3f}\n", sent, sources_of(sent),
		seconds_of(now_ns() - start));
	close(fd);
	return 0;
}
