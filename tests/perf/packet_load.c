/*
 * Sends the frames of a pcap file by an interface, over and over, as fast as they go.
 *
 *   packet_load INTERFACE FILE SECONDS
 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <arpa/inet.h>

#include "base.h"

#define BURST 64
#define FRAMES_MAX 65536
#define FRAME_MAX 1514

static struct iovec frames[FRAMES_MAX];
static unsigned int n_frames;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void frames_read(const char *path)
{
	uint32_t head[6], record[4];
	FILE *f = fopen(path, "rb");

	if (f == NULL || fread(head, sizeof(head), 1, f) != 1)
		die(path);
	while (n_frames < FRAMES_MAX && fread(record, sizeof(record), 1, f) == 1) {
		struct iovec *v = &frames[n_frames];

		if (record[2] > FRAME_MAX)
			die("a frame is too long");
		*v = (struct iovec){malloc(record[2]), record[2]};
		if (v->iov_base == NULL || fread(v->iov_base, record[2], 1, f) != 1)
			die("the file is cut off");
		n_frames++;
	}
	fclose(f);
	if (n_frames == 0)
		die("no frames");
}

static int socket_open(const char *interface)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	if (fd < 0 || to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(interface);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	return fd;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct mmsghdr burst[BURST] = {0};
	unsigned int at = 0;
	uint64_t sent = 0;
	double end;
	int fd;

	if (argc != 4)
		return 2;
	frames_read(argv[2]);
	fd = socket_open(argv[1]);
	end = now_s() + (double)strtoul(argv[3], NULL, 10);
	while (now_s() < end) {
		int n;

		for (unsigned int i = 0; i < BURST; i++) {
			burst[i].msg_hdr.msg_iov = &frames[at++ % n_frames];
			burst[i].msg_hdr.msg_iovlen = 1;
		}
		n = sendmmsg(fd, burst, BURST, 0);
		sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("{\"sent\": %llu}\n", (unsigned long long)sent);
	return 0;
}
