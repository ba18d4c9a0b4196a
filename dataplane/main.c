/*
 * sallyport-dataplane: the module table, in order and back, and main's loop.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "boundary.h"
#include "capture.h"
#include "claim.h"
#include "dataplane_config.h"
#include "eal.h"
#include "flow.h"
#include "kernel_path.h"
#include "local.h"
#include "log.h"
#include "netif.h"
#include "nexthop.h"
#include "nodes.h"
#include "police.h"
#include "ports.h"
#include "reassembly.h"
#include "statistics.h"
#include "worker.h"

#define CONFIG_FILE "/etc/sallyport/sallyport.yaml"
#define EXIT_CONFIG 2
#define TICK_MS 100
/* With a twin that cannot wake us, or right after traffic. */
#define POLL_MS 1
/* Set for ourselves when huge pages that looked free could not be had. */
#define ENV_NO_HUGE "SALLYPORT_NO_HUGE"

static struct dataplane_config *config;
static char **program_args;
static int epoll_fd = -1, signal_fd = -1;
static bool twins_wake;

/* --- modules --- */

static int claims_start(void)
{
	return claims_init(config);
}

/*
 * Pages can be gone between the look at them and EAL's turn, or be another node's; and EAL starts
 * but once in a process, so that doing without them takes a new one.
 */
static int eal_start(void)
{
	int rc = eal_init(config);

	/* EACCES is what it says when not one is left. */
	if ((rc != -ENOMEM && rc != -EACCES) || !eal_has_hugepages() ||
		config->hugepages != HUGEPAGES_AUTO)
		return rc;
	log_warn("huge pages that looked free could not be had: starting again without");
	if (setenv(ENV_NO_HUGE, "1", 1) == 0)
		execv("/proc/self/exe", program_args);
	return rc;
}

static int workers_init(void)
{
	return worker_init(config);
}

static int stats_start(void)
{
	return stats_region_init(config->flows, n_workers, eal_has_hugepages());
}

static int ports_start(void)
{
	return ports_init(config);
}

static int source_lists_start(void)
{
	source_list_init();
	return 0;
}

static int streams_start(void)
{
	return stream_init(config->flows,
		(struct stats_flow *)((char *)stats_region + stats_region->flow_offset));
}

static int graphs_start(void)
{
	return worker_prepare(config);
}

static int reassembly_start(void)
{
	return reassembly_init(config);
}

static int statistics_start(void)
{
	return statistics_init(config);
}

static int twins_start(void)
{
	int rc = 0;

	for (uint16_t p = 0; rc == 0 && p < n_ports; p++)
		rc = twin_add(p, ports[p].name, ports[p].mac.addr_bytes, ports[p].mtu);
	return rc;
}

static int captures_start(void)
{
	capture_init(config->captures);
	return 0;
}

static int boundary_start(void)
{
	return boundary_init(config->socket);
}

static int epoll_add(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int events_init(void)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (signal_fd < 0 || epoll_fd < 0)
		return -errno;
	rc = epoll_add(signal_fd);
	if (rc == 0)
		rc = epoll_add(main_wake_fd);
	if (rc == 0)
		rc = epoll_add(boundary_fd());
	if (rc == 0)
		rc = epoll_add(netlink_fd());
	twins_wake = twin_epoll_add(epoll_fd) == 0;
	return rc;
}

static void events_fini(void)
{
	close(epoll_fd);
	close(signal_fd);
}

struct module {
	const char *name;
	int (*init)(void);
	void (*fini)(void);
};

static const struct module modules[] = {
	{"devices", claims_start, claims_fini},
	{"eal", eal_start, eal_fini},
	{"workers", workers_init, worker_fini},
	{"statistics region", stats_start, stats_region_fini},
	{"reassembly buffers", reassembly_pool_init, reassembly_pool_fini},
	{"ports", ports_start, ports_fini},
	{"next hops", nexthop_init, nexthop_fini},
	{"local addresses", local_init, local_fini},
	{"source lists", source_lists_start, source_list_fini},
	{"streams", streams_start, stream_fini},
	{"nodes", nodes_init, NULL},
	{"graphs", graphs_start, worker_release},
	{"reassembly", reassembly_start, reassembly_fini},
	{"statistics", statistics_start, statistics_fini},
	{"twins", twins_start, twin_fini},
	{"network interfaces", netif_init, netif_fini},
	{"netlink", netlink_init, netlink_fini},
	{"boundary", boundary_start, boundary_fini},
	{"events", events_init, events_fini},
	{"worker loops", worker_start, worker_stop},
	{"captures", captures_start, capture_fini},
};

static unsigned int n_started;

static int modules_start(void)
{
	for (; n_started < ARRAY_LEN(modules); n_started++) {
		int rc = modules[n_started].init();

		if (rc < 0) {
			log_error("%s: does not start: %s", modules[n_started].name, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

static void modules_stop(void)
{
	while (n_started > 0) {
		if (modules[--n_started].fini != NULL)
			modules[n_started].fini();
	}
}

/* --- the loop --- */

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void latches_take(void)
{
	void *flow;

	for (unsigned int i = 0; i < n_workers; i++) {
		while (rte_ring_sc_dequeue(workers[i].latched, &flow) == 0)
			stream_latched((uint32_t)(uintptr_t)flow);
	}
}

static void housekeeping(uint64_t now)
{
	static uint64_t next, next_slow;

	if (now < next)
		return;
	next = now + TICK_MS;
	statistics_refresh();
	capture_poll(now);
	police_top_refresh(now * 1000000);
	if (now < next_slow)
		return;
	next_slow = now + 1000;
	stream_expire((uint32_t)now);
	statistics_refresh_slow();
}

static bool workers_gave_nothing(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		if (!rte_ring_empty(workers[i].to_kernel) || !rte_ring_empty(workers[i].latched))
			return false;
	}
	return true;
}

/* @return events, after at most one tick. */
static int events_wait(struct epoll_event *events, int max, bool busy)
{
	int n, timeout = busy ? 0 : twins_wake ? TICK_MS : POLL_MS;

	atomic_store(&main_asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (!workers_gave_nothing())
		timeout = 0;
	n = epoll_wait(epoll_fd, events, max, timeout);
	atomic_store(&main_asleep, false);
	return n;
}

/* @return false when it is time to stop. */
static bool event_handle(int fd)
{
	struct signalfd_siginfo info;
	uint64_t count;

	if (fd == signal_fd && read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		log_info("stopping signal=%u", info.ssi_signo);
		return false;
	}
	if (fd == main_wake_fd && read(main_wake_fd, &count, sizeof(count)) < 0)
		return true; /* read before; the rings are looked at anyway */
	if (fd == boundary_fd())
		boundary_process();
	else if (fd == netlink_fd())
		netlink_process();
	return true;
}

static void loop(void)
{
	struct epoll_event events[32];
	bool run = true, busy = false;

	while (run) {
		int n = events_wait(events, ARRAY_LEN(events), busy);

		for (int i = 0; i < n; i++)
			run = event_handle(events[i].data.fd) && run;
		busy = kernel_path_poll() > 0;
		latches_take();
		police_events_take(clock_ms() * 1000000);
		housekeeping(clock_ms());
	}
}

static void usage(FILE *to)
{
	fputs("usage: sallyport-dataplane [-c FILE] [-h] [-V]\n"
	      "  -c FILE  configuration (" CONFIG_FILE ")\n"
	      "  -h       this help\n"
	      "  -V       version\n",
		to);
}

/* Threads inherit the mask, so it is set before there are any. */
static void signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	const char *file = CONFIG_FILE;
	char error[CONFIG_ERROR_LEN];
	int opt, rc;

	while ((opt = getopt(argc, argv, "c:hV")) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("sallyport-dataplane " SALLYPORT_VERSION);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_CONFIG;
		}
	}
	config = dataplane_config_load(file, error, sizeof(error));
	if (config == NULL) {
		fprintf(stderr, "%s\n", error); /* the line that control prints too */
		return EXIT_CONFIG;
	}
	program_args = argv;
	if (getenv(ENV_NO_HUGE) != NULL && config->hugepages == HUGEPAGES_AUTO)
		config->hugepages = HUGEPAGES_NEVER;
	signals_block();
	rc = modules_start();
	if (rc == 0) {
		log_info("running ports=%u workers=%u memory=\"%s\" socket=%s", n_ports, n_workers,
			eal_memory_text(), config->socket);
		loop();
	}
	modules_stop();
	dataplane_config_free(config);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
