/*
 * Latency through a forwarder between two memif ports: sends one frame at a time into the first,
 * with the time in it, and looks when it comes out of the second. Both ends are polled and no
 * kernel is between them, so what is seen is the forwarder and twice the memif copy.
 *
 *   latency_probe EAL-ARGUMENTS -- FRAME_IN_HEX RATE SECONDS
 *
 * Prints one JSON object: packets sent and received, percentiles in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "base.h"

#define FRAME_MAX 1514
#define STAMP_LEN sizeof(uint64_t) /* the frame's last bytes */
#define LINK_TIMEOUT_S 10
#define WARM_UP_PACKETS 1000
#define BURST 32

static uint8_t frame[FRAME_MAX];
static uint16_t frame_len;
static struct rte_mempool *pool;
static uint32_t *samples; /* TSC cycles */
static size_t n_samples, samples_max;

static void die(const char *what)
{
	fprintf(stderr, "latency_probe: %s\n", what);
	exit(1);
}

static void frame_parse(const char *hex)
{
	for (; hex[0] != '\0' && hex[1] != '\0' && frame_len < FRAME_MAX; hex += 2) {
		const char byte[] = {hex[0], hex[1], '\0'};

		frame[frame_len++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	if (frame_len < 60)
		die("the frame is too short");
}

static void port_start(uint16_t port)
{
	const struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) < 0 ||
		rte_eth_rx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, NULL, pool) < 0 ||
		rte_eth_tx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, NULL) < 0 ||
		rte_eth_dev_start(port) < 0)
		die("a port does not start");
}

static void link_wait(uint16_t port)
{
	uint64_t limit = rte_rdtsc() + LINK_TIMEOUT_S * rte_get_tsc_hz();
	struct rte_eth_link link = {0};

	while (rte_eth_link_get_nowait(port, &link) < 0 || !link.link_status) {
		if (rte_rdtsc() > limit)
			die("a port gets no link");
		rte_delay_us_sleep(1000);
	}
}

static bool frame_send(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint64_t now;

	if (m == NULL)
		return false;
	memcpy(rte_pktmbuf_append(m, frame_len), frame, frame_len);
	now = rte_rdtsc();
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, frame_len - STAMP_LEN), &now, STAMP_LEN);
	if (rte_eth_tx_burst(0, 0, &m, 1) == 1)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

/* Other frames than ours come too (the kernel's on the twin). */
static size_t frames_take(void)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(1, 0, m, BURST);
	uint64_t now = rte_rdtsc();
	size_t ours = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t then;

		if (m[i]->data_len == frame_len) {
			memcpy(&then,
				rte_pktmbuf_mtod_offset(m[i], uint8_t *, frame_len - STAMP_LEN),
				STAMP_LEN);
			ours++;
			if (n_samples < samples_max)
				samples[n_samples++] = (uint32_t)RTE_MIN(now - then, UINT32_MAX);
		}
		rte_pktmbuf_free(m[i]);
	}
	return ours;
}

/* @return packets sent; a frame that is late is sent late, not twice. */
static size_t run(uint64_t interval, uint64_t packets)
{
	uint64_t next = rte_rdtsc(), settle;
	size_t sent = 0;

	for (uint64_t i = 0; i < packets;) {
		uint64_t now = rte_rdtsc();

		if (now >= next) {
			sent += frame_send();
			next = RTE_MAX(next + interval, now);
			i++;
		}
		frames_take();
	}
	settle = rte_rdtsc() + rte_get_tsc_hz() / 10;
	while (rte_rdtsc() < settle)
		frames_take();
	return sent;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(double share)
{
	size_t at = (size_t)(share * (double)(n_samples - 1));

	return samples[at] * 1e6 / (double)rte_get_tsc_hz();
}

int main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	uint64_t rate, seconds;
	size_t sent;

	if (used < 0 || argc - used != 4)
		die("arguments");
	frame_parse(argv[used + 1]);
	rate = strtoul(argv[used + 2], NULL, 10);
	seconds = strtoul(argv[used + 3], NULL, 10);
	pool = rte_pktmbuf_pool_create(
		"probe", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	samples_max = rate * seconds + WARM_UP_PACKETS;
	samples = calloc(samples_max, sizeof(*samples));
	if (rte_eth_dev_count_avail() != 2 || rate == 0 || pool == NULL || samples == NULL)
		die("needs two ports, a rate and memory");
	port_start(0);
	port_start(1);
	link_wait(0);
	link_wait(1);
	run(rte_get_tsc_hz() / 10000, WARM_UP_PACKETS);
	n_samples = 0;
	sent = run(rte_get_tsc_hz() / rate, rate * seconds);
	if (n_samples == 0)
		die("nothing came back");
	qsort(samples, n_samples, sizeof(*samples), compare);
	printf("{\"sent\": %zu, \"received\": %zu, \"p50\": %.3f, \"p99\": %.3f, "
	       "\"p99_99\": %.3f}\n",
		sent, n_samples, percentile_us(0.5), percentile_us(0.99), percentile_us(0.9999));
	return 0;
}
