/*
 * What a relay is without a fast path: one UDP socket a flow, epoll, recvmmsg() and sendmmsg().
 * A benchmark's baseline, so it does nothing more: no source check, no statistics.
 *
 *   plain_relay LOCAL_A REMOTE_A LOCAL_B REMOTE_B FIRST_PORT REMOTE_PORT STREAMS
 *
 * Stream i: from LOCAL_A:FIRST_PORT+2i to REMOTE_B+i:REMOTE_PORT, and back. Runs until a signal.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"

#define BURST 64
#define PAYLOAD_MAX 1500
#define SOCKET_BUFFER (4 << 20)

/* One direction of a stream: what comes here leaves by `out`, to `to`. */
struct leg {
	int fd, out;
	struct sockaddr_in to;
};

static uint8_t payload[BURST][PAYLOAD_MAX];
static struct iovec iov[BURST];
static struct mmsghdr in[BURST], out[BURST];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static struct sockaddr_in address(const char *text, uint32_t plus, uint32_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die(text);
	a.sin_addr.s_addr = htonl(ntohl(a.sin_addr.s_addr) + plus);
	return a;
}

static int socket_open(const char *local, uint32_t port)
{
	struct sockaddr_in a = address(local, 0, port);
	const int size = SOCKET_BUFFER;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void relay(struct leg *leg)
{
	int n, sent;

	for (unsigned int i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){payload[i], PAYLOAD_MAX};
		in[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = recvmmsg(leg->fd, in, BURST, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		iov[i].iov_len = in[i].msg_len;
		out[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_name = &leg->to,
			.msg_namelen = sizeof(leg->to)};
	}
	for (int done = 0; done < n; done += sent) {
		sent = sendmmsg(leg->out, out + done, (unsigned int)(n - done), 0);
		if (sent <= 0)
			return; /* full: lost, as everywhere */
	}
}

static void stream_open(int poll, struct leg leg[2], char **argv, uint32_t i)
{
	uint32_t port = number(argv[5]) + 2 * i, remote = number(argv[6]);

	leg[0].fd = leg[1].out = socket_open(argv[1], port);
	leg[1].fd = leg[0].out = socket_open(argv[3], port);
	leg[0].to = address(argv[4], i, remote);
	leg[1].to = address(argv[2], i, remote);
	for (unsigned int side = 0; side < 2; side++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &leg[side]};

		if (epoll_ctl(poll, EPOLL_CTL_ADD, leg[side].fd, &ev) < 0)
			die("epoll");
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	struct epoll_event events[BURST];
	int poll = epoll_create1(0);
	uint32_t streams;
	struct leg *legs;

	if (argc != 8 || poll < 0)
		return 2;
	setrlimit(RLIMIT_NOFILE, &files);
	streams = number(argv[7]);
	legs = calloc(2 * (size_t)streams, sizeof(*legs));
	if (legs == NULL)
		die("memory");
	for (uint32_t i = 0; i < streams; i++)
		stream_open(poll, &legs[2 * i], argv, i);
	puts("ready");
	fflush(stdout);
	while (true) {
		int n = epoll_wait(poll, events, BURST, -1);

		for (int i = 0; i < n; i++)
			relay(events[i].data.ptr);
	}
}
