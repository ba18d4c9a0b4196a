#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_pcapng.h>

#include "boundary.h"
#include "log.h"
#include "ports.h"
#include "worker.h"

#define CAPTURE_MBUFS 4095
#define CAPTURE_RING 4096
#define CAPTURE_BURST 32
/* The writer's sleep when there is nothing; a ring of packets lasts longer than that. */
#define WRITER_SLEEP_NS 2000000
/* The program does not end before the writer is ready, but for a disk that hangs. */
#define FINI_WAIT_MS 2000
/* rx and tx of every queue. */
#define TAPS_MAX (2 * API_PORTS_MAX * API_WORKERS_MAX)

/* Where packets are copied: one queue and direction. */
struct tap {
	const struct rte_eth_rxtx_callback *callback;
	uint16_t eth_id, queue;
	bool rx;
	_Alignas(64) uint64_t missed; /* its worker: rw, main: ro */
};

static struct {
	const char *folder;
	enum capture_state state;
	struct rte_mempool *pool;
	struct rte_ring *ring; /* workers -> writer */
	struct bpf_insn filter[BPF_STEPS_MAX];
	uint32_t n_steps; /* 0: everything */
	uint32_t snaplen;
	uint64_t end_ms, max_bytes;
	struct tap *taps;
	unsigned int n_taps;
	/* the writer's, while it runs: main touches no file, whose disk may hang */
	pthread_t writer;
	rte_pcapng_t *out;
	int fd;
	atomic_bool stop;   /* main: wo */
	atomic_bool left;   /* main: wo. The program ends, all else is gone */
	atomic_bool failed; /* main: ro, as are those below */
	atomic_bool closed; /* the last thing that it does */
	_Atomic uint64_t packets, bytes;
} capture = {.fd = -1};

/* --- workers --- */

/* Not rte_bpf: that of 22.11 adds offset and length of a load in 32 bits, so that a packet whose
 * own bytes are the offset ("udp[udp[8:4]]") makes it read 4 GiB away. */
static bool matches(const struct rte_mbuf *m)
{
	return bpf_filter(capture.filter, rte_pktmbuf_mtod(m, const u_char *), m->pkt_len,
		       m->data_len) != 0;
}

static void tap_take(struct tap *t, struct rte_mbuf **m, uint16_t n)
{
	uint64_t now = rte_get_tsc_cycles();
	struct rte_mbuf *copy[CAPTURE_BURST];
	unsigned int made = 0, put;

	for (uint16_t i = 0; i < n; i++) {
		if (capture.n_steps != 0 && !matches(m[i]))
			continue;
		copy[made] =
			rte_pcapng_copy(t->eth_id, t->queue, m[i], capture.pool, capture.snaplen,
				now, t->rx ? RTE_PCAPNG_DIRECTION_IN : RTE_PCAPNG_DIRECTION_OUT);
		if (copy[made] == NULL)
			t->missed++;
		else
			made++;
	}
	put = rte_ring_mp_enqueue_burst(capture.ring, (void **)copy, made, NULL);
	t->missed += made - put;
	rte_pktmbuf_free_bulk(&copy[put], made - put);
}

static void tap_take_all(struct tap *t, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t done = 0; done < n; done += CAPTURE_BURST)
		tap_take(t, &m[done], RTE_MIN((uint16_t)(n - done), (uint16_t)CAPTURE_BURST));
}

static uint16_t tap_rx(
	uint16_t eth_id, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max, void *tap)
{
	tap_take_all(tap, m, n);
	return n;
}

static uint16_t tap_tx(uint16_t eth_id, uint16_t queue, struct rte_mbuf **m, uint16_t n, void *tap)
{
	tap_take_all(tap, m, n);
	return n;
}

/* --- the writer --- */

static uint64_t file_size(void)
{
	struct stat file;

	return fstat(capture.fd, &file) == 0 ? (uint64_t)file.st_size : 0;
}

static void packets_write(struct rte_mbuf **m, unsigned int n)
{
	ssize_t bytes = rte_pcapng_write_packets(capture.out, m, (uint16_t)n);

	while (atomic_load(&capture.left))
		pause();
	if (bytes < 0) {
		atomic_store(&capture.failed, true);
	} else {
		atomic_fetch_add(&capture.packets, n);
		atomic_fetch_add(&capture.bytes, (uint64_t)bytes);
	}
	rte_pktmbuf_free_bulk(m, n);
}

static void *writer_main(void *arg)
{
	const struct timespec pause = {.tv_nsec = WRITER_SLEEP_NS};
	struct rte_mbuf *m[CAPTURE_BURST];
	bool last = false;
	unsigned int n;

	do {
		last = atomic_load(&capture.stop);
		n = rte_ring_sc_dequeue_burst(capture.ring, (void **)m, CAPTURE_BURST, NULL);
		if (n > 0)
			packets_write(m, n);
		else if (!last)
			nanosleep(&pause, NULL);
	} while (n > 0 || !last);
	atomic_store(&capture.bytes, file_size());
	rte_pcapng_close(capture.out);
	capture.out = NULL;
	capture.fd = -1;
	atomic_store(&capture.closed, true);
	return NULL;
}

/* --- start --- */

static int filter_make(const struct rec_capture_start *r)
{
	if (r->n_steps > BPF_STEPS_MAX || !bpf_check(r->filter, r->n_steps))
		return -EINVAL;
	static_assert(sizeof(capture.filter[0]) == sizeof(r->filter[0]), "libpcap's layout");
	memcpy(capture.filter, r->filter, r->n_steps * sizeof(capture.filter[0]));
	capture.n_steps = r->n_steps;
	return 0;
}

/* A plain file name: letters, digits, "-", "_" and ".", not hidden. */
static bool name_valid(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strnlen(name, API_FILE_MAX);

	return len > 0 && len < API_FILE_MAX && strspn(name, allowed) == len && name[0] != '.' &&
	       name[0] != '-';
}

/* A new file that nobody else reads, never through a link. */
static int file_make(const char *name)
{
	int dir, rc = 0;

	if (!name_valid(name))
		return -EINVAL;
	if (mkdir(capture.folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = open(capture.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	capture.fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (capture.fd < 0)
		rc = -errno;
	close(dir);
	if (rc < 0)
		return rc;
	capture.out = rte_pcapng_fdopen(capture.fd, NULL, NULL, "sallyport", "captured by sally");
	return capture.out != NULL ? 0 : -ENOMEM;
}

static int taps_add(uint16_t port, bool rx)
{
	uint16_t queues = rx ? ports[port].n_rx : ports[port].n_tx;

	for (uint16_t q = 0; q < queues; q++) {
		struct tap *t = &capture.taps[capture.n_taps];

		*t = (struct tap){.eth_id = ports[port].eth_id, .queue = q, .rx = rx};
		t->callback = rx ? rte_eth_add_rx_callback(t->eth_id, q, tap_rx, t)
				 : rte_eth_add_tx_callback(t->eth_id, q, tap_tx, t);
		if (t->callback == NULL)
			return -ENOMEM;
		capture.n_taps++;
	}
	return 0;
}

/* Take the callbacks out and let the workers leave them. */
static void taps_remove(void)
{
	for (unsigned int i = 0; i < capture.n_taps; i++) {
		const struct tap *t = &capture.taps[i];

		if (t->rx)
			rte_eth_remove_rx_callback(t->eth_id, t->queue, t->callback);
		else
			rte_eth_remove_tx_callback(t->eth_id, t->queue, t->callback);
	}
	if (capture.n_taps > 0)
		worker_grace();
	for (unsigned int i = 0; i < capture.n_taps; i++)
		rte_free((void *)(uintptr_t)capture.taps[i].callback);
	capture.n_taps = 0;
}

static void capture_release(void)
{
	if (capture.out != NULL)
		rte_pcapng_close(capture.out);
	else if (capture.fd >= 0)
		close(capture.fd);
	rte_ring_free(capture.ring);
	rte_mempool_free(capture.pool);
	free(capture.taps);
	capture.out = NULL;
	capture.fd = -1;
	capture.ring = NULL;
	capture.pool = NULL;
	capture.taps = NULL;
}

static int buffers_make(uint32_t snaplen)
{
	capture.snaplen = snaplen;
	capture.taps = aligned_alloc(64, TAPS_MAX * sizeof(*capture.taps));
	capture.ring = rte_ring_create("capture", CAPTURE_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	/* No cache: main is not the one who takes, workers come and go. */
	capture.pool = rte_pktmbuf_pool_create("capture", CAPTURE_MBUFS, 0, 0,
		(uint16_t)rte_pcapng_mbuf_size(snaplen), SOCKET_ID_ANY);
	return capture.taps == NULL || capture.ring == NULL || capture.pool == NULL ? -ENOMEM : 0;
}

static int queues_tap(void)
{
	int rc = 0;

	for (uint16_t p = 0; rc == 0 && p < n_ports; p++) {
		rc = taps_add(p, true);
		if (rc == 0)
			rc = taps_add(p, false);
	}
	return rc;
}

static void stats_begin(const struct rec_capture_start *r, uint64_t now_ms)
{
	struct stats_capture *s = &stats_region->capture;

	*s = (struct stats_capture){.start_ms = now_ms, .state = CAPTURE_RUNNING};
	snprintf(s->file, sizeof(s->file), "%s/%s", capture.folder, r->file);
	capture.end_ms = now_ms + (uint64_t)r->max_s * 1000;
	capture.max_bytes = (uint64_t)r->max_mib << 20;
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int capture_start(const struct rec_capture_start *r)
{
	int rc;

	if (capture.state != CAPTURE_IDLE)
		return capture.state == CAPTURE_RUNNING ? -EBUSY : -EINPROGRESS;
	rc = filter_make(r);
	if (rc == 0)
		rc = buffers_make(r->snaplen);
	if (rc == 0)
		rc = file_make(r->file);
	if (rc < 0)
		goto fail;
	atomic_store(&capture.stop, false);
	atomic_store(&capture.failed, false);
	atomic_store(&capture.closed, false);
	atomic_store(&capture.packets, 0);
	atomic_store(&capture.bytes, file_size());
	rc = -pthread_create(&capture.writer, NULL, writer_main, NULL);
	if (rc < 0)
		goto fail;
	capture.state = CAPTURE_RUNNING;
	stats_begin(r, clock_ms());
	log_info("capture begins file=%s", stats_region->capture.file);
	rc = queues_tap();
	if (rc < 0)
		capture_stop();
	return rc;
fail:
	capture_release();
	return rc;
}

/* --- end --- */

static void stats_refresh(void)
{
	struct stats_capture *s = &stats_region->capture;

	s->packets = atomic_load(&capture.packets);
	s->bytes = atomic_load(&capture.bytes);
	s->state = (uint8_t)capture.state;
}

static void missed_refresh(void)
{
	uint64_t missed = 0;

	for (unsigned int i = 0; i < capture.n_taps; i++)
		missed += __atomic_load_n(&capture.taps[i].missed, __ATOMIC_RELAXED);
	stats_region->capture.missed = missed;
}

/* No more packets; the writer goes on with those that it has. */
static void capture_end(enum capture_end why)
{
	missed_refresh();
	taps_remove();
	atomic_store(&capture.stop, true);
	capture.state = CAPTURE_WRITING;
	stats_region->capture.end = (uint8_t)why;
	stats_refresh();
}

/* The writer has closed the file: it ends now, so that the join takes no time. */
static void capture_finish(void)
{
	const struct stats_capture *s = &stats_region->capture;

	pthread_join(capture.writer, NULL);
	capture_release();
	capture.state = CAPTURE_IDLE;
	stats_refresh();
	log_info("capture ended file=%s packets=%llu missed=%llu", s->file,
		(unsigned long long)s->packets, (unsigned long long)s->missed);
}

int capture_stop(void)
{
	if (capture.state == CAPTURE_IDLE)
		return -ENOENT;
	if (capture.state == CAPTURE_RUNNING)
		capture_end(CAPTURE_END_STOPPED);
	return 0;
}

void capture_poll(uint64_t now_ms)
{
	if (capture.state == CAPTURE_IDLE)
		return;
	stats_refresh();
	if (capture.state == CAPTURE_WRITING) {
		if (atomic_load(&capture.closed))
			capture_finish();
		return;
	}
	missed_refresh();
	if (atomic_load(&capture.failed))
		capture_end(CAPTURE_END_WRITE);
	else if (stats_region->capture.bytes >= capture.max_bytes)
		capture_end(CAPTURE_END_SIZE);
	else if (now_ms >= capture.end_ms)
		capture_end(CAPTURE_END_TIME);
}

void capture_init(const char *folder)
{
	capture.folder = folder;
}

void capture_fini(void)
{
	const struct timespec pause = {.tv_nsec = WRITER_SLEEP_NS};
	uint64_t until_ms = clock_ms() + FINI_WAIT_MS;

	if (capture_stop() < 0)
		return;
	while (!atomic_load(&capture.closed) && clock_ms() < until_ms)
		nanosleep(&pause, NULL);
	if (atomic_load(&capture.closed)) {
		capture_finish();
		return;
	}
	atomic_store(&capture.left, true);
	log_warn("capture left unfinished: its disk does not answer file=%s",
		stats_region->capture.file);
}
