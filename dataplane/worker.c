/*
 * The worker loop: walk the graph, report quiescence, and sleep when there is
 * nothing to do. What a worker needs is made by main before the loop starts.
 */
#include "worker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_graph_worker.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "boundary.h"
#include "dataplane_config.h"
#include "log.h"
#include "nodes.h"
#include "police.h"
#include "ports.h"
#include "rx_socket.h"
#include "sip_scan.h"
#include "wakeup.h"

#define TO_KERNEL_RING 2048
#define FROM_KERNEL_RING 2048
#define LATCHED_RING 4096
#define HANDOVER_RING 4096

/* Empty loops before the first sleep: about what a busy box has between two bursts. Where packets
 * end a sleep, as long as falling asleep and waking take: who waits longer loses more. */
#define IDLE_LOOPS 64
#define IDLE_LOOPS_WOKEN 8
#define SLEEP_FIRST_NS 20000
#define SLEEP_LAST_NS 500000
/* Where packets end the sleep: only buckets and fragments grow old meanwhile. */
#define SLEEP_WOKEN_NS 10000000
/* What ends each worker's sleep, before the sockets of its rx queues. */
enum { WAIT_MAIN, WAIT_CONTROL, WAIT_RX };
/* The kernel's clock is read again after this long; between, the TSC tells. */
#define CLOCK_REFRESH_NS 1000000

struct worker workers[API_WORKERS_MAX];
unsigned int n_workers;
struct rte_rcu_qsbr *worker_qsbr;
atomic_bool main_asleep;
int main_wake_fd = -1;
uint64_t worker_source_key[2];
static bool idle_poll;

RTE_DEFINE_PER_LCORE(struct worker *, worker_self);

void worker_grace(void)
{
	if (worker_qsbr != NULL)
		rte_rcu_qsbr_synchronize(worker_qsbr, RTE_QSBR_THRID_INVALID);
}

static void eventfd_signal(int fd)
{
	const uint64_t one = 1;

	/* Fails only when the counter is at its end, and then it is readable anyway. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void main_wake(void)
{
	/* Pairs with the fence between main's flag and its last look at the rings. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&main_asleep, memory_order_relaxed) &&
		atomic_exchange(&main_asleep, false))
		eventfd_signal(main_wake_fd);
}

void worker_wake(struct worker *w)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&w->asleep, memory_order_relaxed) &&
		atomic_exchange(&w->asleep, false))
		eventfd_signal(w->main_fd);
}

/* --- the loop --- */

/* TSC to nanoseconds: ns = base_ns + (tsc - base_tsc) * mult >> 32. */
struct clock {
	uint64_t base_tsc, base_ns, mult, refresh_tsc;
};

static void clock_refresh(struct clock *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	c->base_tsc = rte_rdtsc();
	c->base_ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void clock_init(struct clock *c)
{
	uint64_t hz = rte_get_tsc_hz();

	c->mult = (uint64_t)(((unsigned __int128)1000000000ull << 32) / hz);
	c->refresh_tsc = hz / (1000000000ull / CLOCK_REFRESH_NS);
	clock_refresh(c);
}

static inline void clock_read(struct worker *w, struct clock *c)
{
	uint64_t now = rte_rdtsc(), now_ns;

	if (unlikely(now - c->base_tsc > c->refresh_tsc)) {
		clock_refresh(c);
		now = c->base_tsc;
	}
	w->now_tsc = now;
	now_ns = c->base_ns + (((now - c->base_tsc) * c->mult) >> 32);
	/* The TSC's rate is known to a part in some thousands: a refresh may set the clock back,
	 * and what is younger than now would seem ages old. */
	if (likely(now_ns > w->now_ns))
		w->now_ns = now_ns;
	w->now_ms = (uint32_t)(w->now_ns / 1000000);
}

/* @return false if there is something on a ring after all. */
static bool rings_sleep(struct worker *w)
{
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);
	bool empty = true;

	for (uint16_t i = 0; rings != NULL && i < rings->n_down; i++)
		empty = ring_sleep(&rings->down[i]) && empty;
	return empty;
}

static void rings_awake(struct worker *w)
{
	struct worker_rings *rings = atomic_load_explicit(&w->rings, memory_order_acquire);

	for (uint16_t i = 0; rings != NULL && i < rings->n_down; i++)
		ring_awake(&rings->down[i]);
}

/* Has somebody given this worker packets? */
static bool packets_wait(const struct worker *w)
{
	if (!rte_ring_empty(w->from_kernel) || !rte_ring_empty(w->handover))
		return true;
	for (unsigned int p = 0; p < n_ports; p++) {
		if (ports[p].tx_ring != NULL && ports[p].tx_owner == w->index &&
			!rte_ring_empty(ports[p].tx_ring))
			return true;
	}
	return false;
}

static void wakeups_take(struct worker *w)
{
	for (unsigned int i = 0; i < WAIT_RX; i++) {
		if (w->waits[i].revents != 0)
			(void)wakeup_take(w->waits[i].fd);
	}
	for (unsigned int i = WAIT_RX; i < w->n_waits; i++) {
		/* Its interface was removed: it would end every sleep at once. */
		if ((w->waits[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
			w->waits[i].fd = -1;
			w->rx_wakes = false;
		}
	}
}

/* Sleep for at most ns, or until somebody gives this worker something. Where packets wake it: until
 * they do. */
static void worker_sleep(struct worker *w, long ns)
{
	const struct timespec timeout = {.tv_nsec = w->rx_wakes ? SLEEP_WOKEN_NS : ns};

	atomic_store(&w->asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (rings_sleep(w) && !packets_wait(w)) {
		rte_rcu_qsbr_thread_offline(worker_qsbr, w->index);
		if (ppoll(w->waits, w->n_waits, &timeout, NULL) > 0)
			wakeups_take(w);
		rte_rcu_qsbr_thread_online(worker_qsbr, w->index);
		w->stats->sleeps++;
	}
	rings_awake(w);
	atomic_store_explicit(&w->asleep, false, memory_order_relaxed);
}

/*
 * rte_graph_walk() with one look at the TSC for each node that had work, in place of two for every
 * node: for bursts of 32 they were a twentieth of a packet's cost. What the empty sources before a
 * node took is counted as its.
 */
static inline void graph_walk(struct rte_graph *graph)
{
	const rte_graph_off_t *nodes = graph->cir_start;
	uint64_t start = rte_rdtsc();
	uint32_t head = graph->head;

	while (likely(head != graph->tail)) {
		struct rte_node *node = RTE_PTR_ADD(graph, nodes[(int32_t)head++]);
		uint16_t n;

		rte_prefetch0(node->objs);
		n = node->process(graph, node, node->objs, node->idx);
		node->idx = 0;
		node->total_calls++;
		node->total_objs += n;
		if (n > 0) {
			uint64_t now = rte_rdtsc();

			node->total_cycles += now - start;
			start = now;
		}
		/* The sources stand before the ring of pending nodes, at negative places. */
		head = likely((int32_t)head > 0) ? head & graph->cir_mask : head;
	}
	graph->tail = 0;
}

static int worker_main(void *arg)
{
	struct worker *w = arg;
	struct clock clock;
	unsigned int idle = 0;
	long sleep_ns = SLEEP_FIRST_NS;

	RTE_PER_LCORE(worker_self) = w;
	prctl(PR_SET_TIMERSLACK, 1);
	clock_init(&clock);
	rte_rcu_qsbr_thread_register(worker_qsbr, w->index);
	rte_rcu_qsbr_thread_online(worker_qsbr, w->index);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		clock_read(w, &clock);
		w->packets = 0;
		w->n_scans = 0;
		police_poll(w->police, w->now_ns);
		w->rx_turn = w->rx_turn + 1 < w->n_rx ? w->rx_turn + 1 : 0;
		graph_walk(w->graph);
		nodes_expire(w);
		rte_rcu_qsbr_quiescent(worker_qsbr, w->index);
		w->stats->loops++;
		w->stats->heartbeat_ms = w->now_ns / 1000000;
		if (w->packets > 0) {
			w->stats->busy_loops++;
			idle = 0;
			sleep_ns = SLEEP_FIRST_NS;
		} else if (!idle_poll && ++idle > (w->rx_wakes ? IDLE_LOOPS_WOKEN : IDLE_LOOPS) &&
			   w->rx_turn + 1 >= w->n_rx) {
			/* At the end of a round: after a sleep each queue has its turn. */
			worker_sleep(w, sleep_ns);
			sleep_ns = RTE_MIN(sleep_ns * 2, (long)SLEEP_LAST_NS);
		}
	}
	rte_rcu_qsbr_thread_offline(worker_qsbr, w->index);
	rte_rcu_qsbr_thread_unregister(worker_qsbr, w->index);
	return 0;
}

/* --- made and unmade by main --- */

static struct rte_ring *ring_make(
	const char *what, unsigned int worker, unsigned int size, unsigned int flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", what, worker);
	return rte_ring_create(name, size, SOCKET_ID_ANY, flags);
}

static int one_init(struct worker *w, const struct dataplane_config *config)
{
	const unsigned int one_to_one = RING_F_SP_ENQ | RING_F_SC_DEQ;
	const uint64_t key[2] = {rte_rand(), rte_rand()};

	w->stats = &stats_region->worker[w->index];
	w->stats->lcore = w->lcore;
	w->ip_id = (uint16_t)rte_rand();
	w->latched = ring_make("latched", w->index, LATCHED_RING, one_to_one);
	w->to_kernel = ring_make("to-kernel", w->index, TO_KERNEL_RING, one_to_one);
	w->from_kernel = ring_make("from-kernel", w->index, FROM_KERNEL_RING, one_to_one);
	/* RTS: a producer that the kernel preempts does not make the others wait. */
	w->handover =
		ring_make("handover", w->index, HANDOVER_RING, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	w->police = police_new(w->index, (config->sources + n_workers - 1) / n_workers, key);
	w->scratch = aligned_alloc(64, RTE_ALIGN_CEIL(WORKER_SCRATCH, 64));
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->main_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->latched == NULL || w->to_kernel == NULL || w->from_kernel == NULL ||
		w->handover == NULL || w->police == NULL || w->scratch == NULL || w->wake_fd < 0 ||
		w->main_fd < 0)
		return -ENOMEM;
	return 0;
}

int worker_init(const struct dataplane_config *config)
{
	unsigned int lcore;
	size_t size;

	idle_poll = config->idle == IDLE_POLL;
	worker_source_key[0] = rte_rand();
	worker_source_key[1] = rte_rand() | 1;
	main_wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	size = rte_rcu_qsbr_get_memsize(API_WORKERS_MAX);
	worker_qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (main_wake_fd < 0 || worker_qsbr == NULL ||
		rte_rcu_qsbr_init(worker_qsbr, API_WORKERS_MAX) != 0)
		return -ENOMEM;
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		struct worker *w = &workers[n_workers];

		w->index = (uint16_t)n_workers++;
		w->lcore = lcore;
		w->wake_fd = w->main_fd = -1;
	}
	return 0;
}

static int graph_make(struct worker *w)
{
	const char *patterns[API_NODES_MAX];
	struct rte_graph_param param = {.socket_id = SOCKET_ID_ANY, .node_patterns = patterns};
	char name[RTE_GRAPH_NAMESIZE];

	param.nb_node_patterns = nodes_of_worker(w->index, patterns);
	snprintf(name, sizeof(name), NODES_GRAPH_NAME, w->index);
	if (rte_graph_create(name, &param) == RTE_GRAPH_ID_INVALID) {
		log_error("graph of worker %u: %s", w->index, rte_strerror(rte_errno));
		return -rte_errno;
	}
	w->graph = rte_graph_lookup(name);
	return w->graph == NULL ? -ENOENT : 0;
}

/*
 * Room for the SIP messages of one loop, and this worker's share of each port's punt rate: what
 * goes to the kernel is spread over all workers by its source.
 */
static int queues_account(struct worker *w)
{
	unsigned int queues = 0;

	for (uint16_t p = 0; p < n_ports; p++) {
		queues += port_queues(p, w->index);
		w->punt_rate[p] = RTE_MAX(ports[p].punt_rate / n_workers, 1u);
	}
	w->n_rx = (uint16_t)queues;
	w->scans_max = RTE_MAX(queues, 1u) * PORT_BURST + (n_workers > 1 ? HANDOVER_BURST : 0);
	w->scans = calloc(w->scans_max, sizeof(*w->scans));
	return w->scans == NULL ? -ENOMEM : 0;
}

/* What wakes this worker. Its rx queues do where all of them have sockets. */
static int waits_make(struct worker *w)
{
	w->waits = calloc(WAIT_RX + w->n_rx, sizeof(*w->waits));
	if (w->waits == NULL)
		return -ENOMEM;
	w->waits[WAIT_MAIN] = (struct pollfd){.fd = w->main_fd, .events = POLLIN};
	w->waits[WAIT_CONTROL] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
	w->n_waits = WAIT_RX;
	for (uint16_t p = 0; p < n_ports; p++) {
		uint16_t queue = port_first_queue(p, w->index);

		for (; queue < ports[p].n_rx; queue = (uint16_t)(queue + n_workers)) {
			int fd = rx_socket_find(ports[p].eth_id, queue);

			if (fd >= 0)
				w->waits[w->n_waits++] =
					(struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
	w->rx_wakes = w->n_waits == WAIT_RX + w->n_rx;
	return 0;
}

static void ring_empty_free(struct rte_ring *r, bool mbufs)
{
	void *obj;

	while (r != NULL && mbufs && rte_ring_sc_dequeue(r, &obj) == 0)
		rte_pktmbuf_free(obj);
	rte_ring_free(r);
}

void worker_release(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		struct worker *w = &workers[i];

		if (w->graph != NULL)
			rte_graph_destroy(w->graph->id);
		ring_empty_free(w->latched, false);
		ring_empty_free(w->to_kernel, true);
		ring_empty_free(w->from_kernel, true);
		ring_empty_free(w->handover, true);
		police_free(w->police);
		free(w->scans);
		free(w->scratch);
		free(w->waits);
		if (w->wake_fd >= 0)
			close(w->wake_fd);
		if (w->main_fd >= 0)
			close(w->main_fd);
		*w = (struct worker){
			.index = w->index, .lcore = w->lcore, .wake_fd = -1, .main_fd = -1};
	}
}

int worker_prepare(const struct dataplane_config *config)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < n_workers; i++) {
		rc = one_init(&workers[i], config);
		if (rc == 0)
			rc = queues_account(&workers[i]);
		if (rc == 0)
			rc = waits_make(&workers[i]);
		if (rc == 0)
			rc = graph_make(&workers[i]);
	}
	if (rc == -ENOMEM)
		log_error("no memory for the workers: raise dataplane.memory_mib (now %u)",
			config->memory_mib);
	if (rc < 0)
		worker_release();
	return rc;
}

int worker_start(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		int rc = rte_eal_remote_launch(worker_main, &workers[i], workers[i].lcore);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void worker_stop(void)
{
	for (unsigned int i = 0; i < n_workers; i++) {
		atomic_store(&workers[i].stop, true);
		if (workers[i].main_fd >= 0)
			eventfd_signal(workers[i].main_fd);
	}
	rte_eal_mp_wait_lcore();
}

void worker_fini(void)
{
	worker_release();
	n_workers = 0;
	memset(workers, 0, sizeof(workers));
	rte_free(worker_qsbr);
	worker_qsbr = NULL;
	if (main_wake_fd >= 0)
		close(main_wake_fd);
	main_wake_fd = -1;
}
