#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "attach.h"
#include "boundary.h"
#include "boundary_priv.h"
#include "log.h"

struct stats *stats_region;
static int stats_fd = -1;
static size_t stats_bytes;

int stats_region_fd(size_t *bytes)
{
	*bytes = stats_bytes;
	return stats_fd;
}

int stats_region_init(uint32_t flows, unsigned int n_workers_shown)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	size_t flow_offset = (sizeof(struct stats) + 4095) & ~4095ul;
	struct timespec ts;
	int rc;

	stats_bytes = flow_offset + (size_t)flows * sizeof(struct stats_flow);
	stats_fd = memfd_create("sallyport-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (stats_fd < 0 || ftruncate(stats_fd, (off_t)stats_bytes) < 0)
		goto fail;
	stats_region = mmap(
		NULL, stats_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, stats_fd, 0);
	if (stats_region == MAP_FAILED) {
		stats_region = NULL;
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
