#include <errno.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "attach.h"
#include "boundary.h"
#include "boundary_priv.h"
#include "log.h"

#define STATS_HUGE_PAGE (2ul << 20)

struct stats *stats_region;
static int stats_fd = -1;
static size_t stats_bytes;

int stats_region_fd(size_t *bytes)
{
	*bytes = stats_bytes;
	return stats_fd;
}

/* The memory of stats_bytes, rounded up to whole pages. */
static int region_make(bool huge)
{
	size_t page = huge ? STATS_HUGE_PAGE : 4096;
	unsigned int flags = huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0;
	void *at;

	stats_bytes = (stats_bytes + page - 1) & ~(page - 1);
	stats_fd = memfd_create("sallyport-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	if (stats_fd < 0)
		return -errno;
	if (ftruncate(stats_fd, (off_t)stats_bytes) < 0)
		return -errno;
	at = mmap(
		NULL, stats_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, stats_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	stats_region = at;
	return 0;
}

int stats_region_init(uint32_t flows, unsigned int n_workers_shown, bool huge)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	size_t flow_offset = (sizeof(struct stats) + 4095) & ~4095ul;
	struct timespec ts;
	int rc;

	stats_bytes = flow_offset + (size_t)flows * sizeof(struct stats_flow);
	if (!huge || region_make(true) < 0) {
		stats_region_fini();
		if (region_make(false) < 0)
			goto fail;
	}
	/* From here on nobody can map it writable, control included. */
	if (fcntl(stats_fd, F_ADD_SEALS, seals) < 0)
		goto fail;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	stats_region->magic = API_MAGIC;
	stats_region->version = API_VERSION;
	stats_region->workers = (uint16_t)n_workers_shown;
	stats_region->pid = (uint32_t)getpid();
	stats_region->start_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	stats_region->flow_offset = flow_offset;
	stats_region->flows = flows;
	return 0;
fail:
	rc = -errno;
	log_error("cannot make the statistics memory (%zu bytes): %s", stats_bytes, strerror(-rc));
	stats_region_fini();
	return rc;
}

void stats_region_fini(void)
{
	if (stats_region != NULL)
		munmap(stats_region, stats_bytes);
	stats_region = NULL;
	if (stats_fd >= 0)
		close(stats_fd);
	stats_fd = -1;
}
