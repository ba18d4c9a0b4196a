/*
 * EAL's arguments. It starts but once in a process, so all is decided before.
 */
#include "eal.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "cpu_list.h"
#include "dataplane_config.h"
#include "log.h"

#define SYSFS_HUGEPAGES "/sys/kernel/mm/hugepages"
#define ARGS_MAX (24 + 2 * API_PORTS_MAX)
#define TEXT_MAX 16384

static char device_names[API_PORTS_MAX][64];
static char memory_text[64];
static bool huge;

/* EAL keeps pointers into argv. */
static char *args[ARGS_MAX];
static int n_args;
static char text[TEXT_MAX];
static size_t text_len;

static void __attribute__((format(printf, 1, 2))) arg_add(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + text_len, sizeof(text) - text_len, fmt, ap);
	va_end(ap);
	/* The configuration's strings are bounded by its schema, so this is our own mistake. */
	assert(n >= 0 && (size_t)n < sizeof(text) - text_len && n_args < ARGS_MAX - 1);
	args[n_args++] = text + text_len;
	text_len += (size_t)n + 1;
}

int eal_device_string(
	const char *device, unsigned int i, char *out, size_t size, char *name, size_t name_size)
{
	size_t len = strcspn(device, ",");
	bool vdev = strncmp(device, "net_", 4) == 0;
	bool numbered = len > 0 && device[len - 1] >= '0' && device[len - 1] <= '9';
	int n;

	if (vdev && !numbered)
		n = snprintf(name, name_size, "%.*s_p%u", (int)len, device, i);
	else if (!vdev && len > 0 && strchr(device, ':') == strrchr(device, ':'))
		n = snprintf(name, name_size, "0000:%.*s", (int)len, device);
	else
		n = snprintf(name, name_size, "%.*s", (int)len, device);
	if (n < 0 || (size_t)n >= name_size)
		return -EINVAL;
	n = snprintf(out, size, "%s%s", name, device + len);
	return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

/* Drivers whose queues are made before anybody configures them, and how they are told. */
static const struct {
	const char *driver, *key;
} queue_args[] = {
	{"net_af_packet", ",qpairs="},
	{"net_af_xdp", ",queue_count="},
	{"net_virtio_user", ",queues="},
};

int eal_device_queues(char *args, size_t size, unsigned int queues)
{
	for (size_t i = 0; i < ARRAY_LEN(queue_args); i++) {
		const char *key = queue_args[i].key, *said = strstr(args, key);
		size_t len = strlen(args);
		int n;

		if (strncmp(args, queue_args[i].driver, strlen(queue_args[i].driver)) != 0)
			continue;
		if (said != NULL)
			return strtoul(said + strlen(key), NULL, 10) == queues ? 0 : -EINVAL;
		if (queues == 1)
			return 0;
		n = snprintf(args + len, size - len, "%s%u", key, queues);
		return n < 0 || (size_t)n >= size - len ? -ENOSPC : 0;
	}
	return 0;
}

static unsigned long file_read_number(const char *dir, const char *sub, const char *file)
{
	char path[512];
	unsigned long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

unsigned int eal_hugepage_find(const char *sysfs, uint32_t mib)
{
	unsigned int best = 0;
	struct dirent *e;
	DIR *d = opendir(sysfs);

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		unsigned int kib;
		unsigned long free_pages, promised;

		if (sscanf(e->d_name, "hugepages-%ukB", &kib) != 1)
			continue;
		free_pages = file_read_number(sysfs, e->d_name, "free_hugepages");
		/* Free ones that another process has mapped and not touched yet are not to be had.
		 */
		promised = file_read_number(sysfs, e->d_name, "resv_hugepages");
		free_pages -= promised < free_pages ? promised : free_pages;
		if ((uint64_t)free_pages * kib >= (uint64_t)mib * 1024 && kib > best)
			best = kib;
	}
	closedir(d);
	return best;
}

static int memory_args(const struct dataplane_config *c)
{
	unsigned int kib = 0;

	if (c->hugepages != HUGEPAGES_NEVER)
		kib = eal_hugepage_find(SYSFS_HUGEPAGES, c->memory_mib);
	if (kib == 0 && c->hugepages == HUGEPAGES_REQUIRE) {
		log_error("dataplane.hugepages is 'require' but %u MiB of huge pages are not free: "
			  "run `sysctl vm.nr_hugepages=%u`, or set 'auto'",
			c->memory_mib, (c->memory_mib + 1) / 2);
		return -ENOMEM;
	}
	huge = kib != 0;
	arg_add("-m");
	arg_add("%u", c->memory_mib);
	if (huge) {
		arg_add("--in-memory");
		snprintf(memory_text, sizeof(memory_text), "%u MiB in %u %s hugepages",
			c->memory_mib, kib >= 1024 * 1024 ? kib / (1024 * 1024) : kib / 1024,
			kib >= 1024 * 1024 ? "GiB" : "MiB");
		return 0;
	}
	/* --in-memory fails beside --no-huge on 22.11. */
	arg_add("--no-huge");
	arg_add("--no-shconf");
	snprintf(memory_text, sizeof(memory_text), "%u MiB without hugepages", c->memory_mib);
	if (c->hugepages == HUGEPAGES_AUTO)
		log_info("no %u MiB of huge pages free: running without them; `sysctl "
			 "vm.nr_hugepages=%u` makes it faster",
			c->memory_mib, (c->memory_mib + 1) / 2);
	return 0;
}

/* "0@MAIN,1@CPU,2@CPU": lcore 0 is main, worker i is lcore i + 1. */
static int lcore_args(const struct dataplane_config *c)
{
	struct cpu_list allowed, cpus;
	char map[API_WORKERS_MAX * 16];
	size_t len = 0;
	int rc;

	rc = cpu_list_affinity(&allowed);
	if (rc == 0)
		rc = cpu_list_parse(c->main_core, &cpus);
	if (rc == 0) {
		len = (size_t)snprintf(map, sizeof(map), "0@%u", cpus.cpu[0]);
		rc = cpu_list_check(&cpus, &allowed);
	}
	if (rc == 0)
		rc = cpu_list_parse(c->cores, &cpus);
	if (rc == 0)
		rc = cpu_list_check(&cpus, &allowed);
	if (rc < 0) {
		char list[256];

		cpu_list_format(&allowed, list, sizeof(list));
		log_error("dataplane.cores '%s' or main_core '%s' is not among the CPUs that this "
			  "process may use (%s)",
			c->cores, c->main_core, list);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < cpus.n; i++)
		len += (size_t)snprintf(map + len, sizeof(map) - len, ",%u@%u", i + 1, cpus.cpu[i]);
	arg_add("--lcores");
	arg_add("%s", map);
	return 0;
}

static int device_args(const struct dataplane_config *c)
{
	bool pci = false;

	for (unsigned int i = 0; i < c->ports_count; i++) {
		char device[600];
		bool vdev = strncmp(c->ports[i].device, "net_", 4) == 0;

		if (eal_device_string(c->ports[i].device, i, device, sizeof(device),
			    device_names[i], sizeof(device_names[i])) < 0) {
			log_error("port %s: device string too long", c->ports[i].name);
			return -EINVAL;
		}
		if (eal_device_queues(device, sizeof(device), c->ports[i].queues) < 0) {
			log_error("port %s: queues is %u but device '%s' names another number; "
				  "leave it out there",
				c->ports[i].name, c->ports[i].queues, c->ports[i].device);
			return -EINVAL;
		}
		arg_add(vdev ? "--vdev" : "-a");
		arg_add("%s", device);
		pci = pci || !vdev;
	}
	if (!pci)
		arg_add("--no-pci");
	return 0;
}

static ssize_t log_cookie_write(void *cookie, const char *buf, size_t size)
{
	static const enum log_level levels[] = {
		[RTE_LOG_EMERG] = LOG_LEVEL_ERROR,
		[RTE_LOG_ALERT] = LOG_LEVEL_ERROR,
		[RTE_LOG_CRIT] = LOG_LEVEL_ERROR,
		[RTE_LOG_ERR] = LOG_LEVEL_ERROR,
		[RTE_LOG_WARNING] = LOG_LEVEL_WARN,
		[RTE_LOG_NOTICE] = LOG_LEVEL_INFO,
		[RTE_LOG_INFO] = LOG_LEVEL_INFO,
	};
	int level = rte_log_cur_msg_loglevel();
	size_t len = size;

	while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
		len--;
	if (len > 0)
		log_write(level >= 0 && level < (int)ARRAY_LEN(levels) ? levels[level]
								       : LOG_LEVEL_DEBUG,
			"dpdk: %.*s", (int)len, buf);
	return (ssize_t)size;
}

static int log_redirect(void)
{
	static const cookie_io_functions_t functions = {.write = log_cookie_write};
	FILE *f = fopencookie(NULL, "w", functions);

	if (f == NULL)
		return -ENOMEM;
	setvbuf(f, NULL, _IOLBF, 1024);
	return rte_openlog_stream(f);
}

int eal_init(const struct dataplane_config *config)
{
	int rc;

	if (geteuid() != 0)
		log_warn(
			"not root: without CAP_NET_ADMIN, CAP_NET_RAW and CAP_IPC_LOCK devices and "
			"twins do not start");
	arg_add("sallyport-dataplane");
	arg_add("--no-telemetry");
	arg_add("--log-level=*:warning");
	arg_add("--file-prefix=sallyport-%d", (int)getpid());
	rc = lcore_args(config);
	if (rc == 0)
		rc = memory_args(config);
	if (rc == 0)
		rc = device_args(config);
	if (rc == 0)
		rc = log_redirect();
	if (rc < 0)
		return rc;
	args[n_args] = NULL;
	if (rte_eal_init(n_args, args) < 0) {
		rc = -rte_errno;
		log_error("DPDK does not start (%s): see its lines above; run as root, check "
			  "dataplane.ports[].device and memory_mib",
			rte_strerror(rte_errno));
		return rc < 0 ? rc : -EIO;
	}
	/* It calls what twins do without (multiqueue, rte_flow) an error; we report real ones. */
	rte_log_set_level_pattern("pmd.net.tap", RTE_LOG_CRIT);
	return 0;
}

void eal_fini(void)
{
	rte_eal_cleanup();
}

const char *eal_device_name(unsigned int i)
{
	return device_names[i];
}

const char *eal_memory_text(void)
{
	return memory_text;
}

bool eal_has_hugepages(void)
{
	return huge;
}
