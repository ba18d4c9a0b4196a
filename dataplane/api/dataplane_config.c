/*
 * The `dataplane` section: schema, defaults, what the schema cannot say, and
 * loading it alone. Used before any thread starts.
 */
#include "dataplane_config.h"

#include <errno.h>
#include <ctype.h>

#include "attach.h"
#include "base.h"
#include "config_doc.h"
#include "cpu_list.h"

#define FIELD_STRING(key, flags, member, max) \
	CYAML_FIELD_STRING_PTR(key, flags, struct dataplane_config, member, 1, max)
#define FIELD_UINT(key, member) \
	CYAML_FIELD_UINT(key, CYAML_FLAG_OPTIONAL, struct dataplane_config, member)
#define PORT_UINT(key, member) \
	CYAML_FIELD_UINT(key, CYAML_FLAG_OPTIONAL, struct dataplane_port_config, member)

static const cyaml_strval_t idle_names[] = {
	{.str = "adaptive", .val = IDLE_ADAPTIVE},
	{.str = "poll", .val = IDLE_POLL},
};

static const cyaml_strval_t hugepages_names[] = {
	{.str = "auto", .val = HUGEPAGES_AUTO},
	{.str = "never", .val = HUGEPAGES_NEVER},
	{.str = "require", .val = HUGEPAGES_REQUIRE},
};

static const cyaml_schema_field_t port_fields[] = {
	CYAML_FIELD_STRING_PTR(
		"name", CYAML_FLAG_POINTER, struct dataplane_port_config, name, 1, 64),
	CYAML_FIELD_STRING_PTR(
		"device", CYAML_FLAG_POINTER, struct dataplane_port_config, device, 1, 512),
	PORT_UINT("queues", queues),
	PORT_UINT("mtu", mtu),
	PORT_UINT("punt_rate", punt_rate),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t port_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct dataplane_port_config, port_fields),
};

const cyaml_schema_field_t dataplane_config_fields[] = {
	FIELD_STRING("socket", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, socket, 107),
	FIELD_STRING("captures", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, captures, 120),
	FIELD_STRING("cores", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, cores, 256),
	FIELD_STRING("main_core", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, main_core, 16),
	CYAML_FIELD_ENUM("idle", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct dataplane_config,
		idle, idle_names, ARRAY_LEN(idle_names)),
	CYAML_FIELD_ENUM("hugepages", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
		struct dataplane_config, hugepages, hugepages_names, ARRAY_LEN(hugepages_names)),
	FIELD_UINT("memory_mib", memory_mib),
	FIELD_UINT("mbufs", mbufs),
	FIELD_UINT("flows", flows),
	FIELD_UINT("sources", sources),
	CYAML_FIELD_SEQUENCE("ports", CYAML_FLAG_POINTER, struct dataplane_config, ports,
		&port_schema, 1, API_PORTS_MAX),
	CYAML_FIELD_END,
};

/* The whole file, as the dataplane sees it: the other sections are control's, whose schema has
 * the same keys in the same order (control/ops/config_schema.c). */
struct file_root {
	struct dataplane_config *dataplane;
};

static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_MAPPING_PTR("dataplane", CYAML_FLAG_POINTER, struct file_root, dataplane,
		dataplane_config_fields),
	CYAML_FIELD_IGNORE("realms", CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_IGNORE("peers", CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_IGNORE("routes", CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_IGNORE("policies", CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_IGNORE("ops", CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_root, file_fields),
};

static int default_string(char **s, const char *value)
{
	if (*s == NULL)
		*s = strdup(value);
	return *s == NULL ? -ENOMEM : 0;
}

static void default_uint(uint32_t *v, uint32_t value)
{
	if (*v == 0)
		*v = value;
}

/* The first CPU is main's, the others are the workers'; a lone CPU is shared. */
static int default_cores(struct dataplane_config *c)
{
	struct cpu_list cpus;
	char text[256];
	int rc;

	rc = cpu_list_affinity(&cpus);
	if (rc < 0)
		return rc;
	snprintf(text, sizeof(text), "%u", cpus.cpu[0]);
	rc = default_string(&c->main_core, text);
	if (rc < 0)
		return rc;
	if (cpus.n > 1) {
		memmove(&cpus.cpu[0], &cpus.cpu[1], (cpus.n - 1) * sizeof(cpus.cpu[0]));
		cpus.n--;
	}
	if (cpus.n > API_WORKERS_MAX)
		cpus.n = API_WORKERS_MAX;
	cpu_list_format(&cpus, text, sizeof(text));
	return default_string(&c->cores, text);
}

static int defaults(struct dataplane_config *c)
{
	if (default_string(&c->socket, ATTACH_SOCKET_DEFAULT) < 0 ||
		default_string(&c->captures, CAPTURES_DEFAULT) < 0 || default_cores(c) < 0)
		return -ENOMEM;
	default_uint(&c->memory_mib, 512);
	default_uint(&c->mbufs, 16384);
	default_uint(&c->flows, 65536);
	default_uint(&c->sources, 1000000);
	for (unsigned int i = 0; i < c->ports_count; i++) {
		struct dataplane_port_config *p = &c->ports[i];

		if (p->queues == 0)
			p->queues = 1;
		if (p->mtu == 0)
			p->mtu = 1500;
		default_uint(&p->punt_rate, 10000);
	}
	return 0;
}

struct range_check {
	const char *key;
	uint32_t value, min, max;
};

static int check_ranges(
	const struct config_doc *d, const char *prefix, const struct range_check *r, size_t n)
{
	char key[CONFIG_PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		if (r[i].value >= r[i].min && r[i].value <= r[i].max)
			continue;
		snprintf(key, sizeof(key), "%s.%s", prefix, r[i].key);
		return config_doc_fail(d, key, "%u is out of range; give %u to %u", r[i].value,
			r[i].min, r[i].max);
	}
	return 0;
}

/* The kernel's rule for interface names, and plain ASCII on top. */
static bool port_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= API_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	}
	return true;
}

/* "0000:17:00.0" or "17:00.0", with DPDK's ",key=value" behind; or "net_...". */
static bool device_valid(const char *device)
{
	unsigned int domain, bus, dev, function;
	int used = 0;

	if (strncmp(device, "net_", 4) == 0)
		return device[4] != '\0' && device[4] != ',';
	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &dev, &function, &used) != 4 &&
		sscanf(device, "%2x:%2x.%1x%n", &bus, &dev, &function, &used) != 3)
		return false;
	return device[used] == '\0' || device[used] == ',';
}

static int check_port(const struct config_doc *d, const struct dataplane_config *c, unsigned int i)
{
	const struct dataplane_port_config *p = &c->ports[i];
	const struct range_check ranges[] = {
		{"queues", p->queues, 1, API_QUEUES_MAX},
		{"mtu", p->mtu, 576, 9000},
		{"punt_rate", p->punt_rate, 1, 10000000},
	};
	char prefix[40], key[CONFIG_PATH_MAX];

	snprintf(prefix, sizeof(prefix), "dataplane.ports[%u]", i);
	snprintf(key, sizeof(key), "%s.name", prefix);
	if (!port_name_valid(p->name))
		return config_doc_fail(d, key,
			"'%s' is no interface name; give 1 to %d letters, digits, '.', '_' or '-'",
			p->name, API_NAME_MAX - 1);
	for (unsigned int j = 0; j < i; j++) {
		bool same_name = strcmp(p->name, c->ports[j].name) == 0;

		if (!same_name && strcmp(p->device, c->ports[j].device) != 0)
			continue;
		snprintf(key, sizeof(key), "%s.%s", prefix, same_name ? "name" : "device");
		return config_doc_fail(d, key, "'%.200s' is taken by ports[%u]; give another",
			same_name ? p->name : p->device, j);
	}
	snprintf(key, sizeof(key), "%s.device", prefix);
	if (!device_valid(p->device))
		return config_doc_fail(d, key,
			"'%.200s' is no device; give a PCI address (0000:17:00.0) or a DPDK device "
			"string (net_af_xdp,iface=eth1)",
			p->device);
	return check_ranges(d, prefix, ranges, ARRAY_LEN(ranges));
}

static int check_cores(const struct config_doc *d, const struct dataplane_config *c)
{
	struct cpu_list cpus;
	int rc;

	rc = cpu_list_parse(c->main_core, &cpus);
	if (rc < 0 || cpus.n != 1)
		return config_doc_fail(d, "dataplane.main_core",
			"'%s' is no CPU number; give one, such as 0", c->main_core);
	rc = cpu_list_parse(c->cores, &cpus);
	if (rc < 0)
		return config_doc_fail(d, "dataplane.cores",
			"'%s' is no list of CPUs; give one such as 1 or 2-5,8 (each once, at most "
			"%d)",
			c->cores, API_WORKERS_MAX);
	return 0;
}

static int check(const struct config_doc *d, const struct dataplane_config *c)
{
	const struct range_check ranges[] = {
		{"memory_mib", c->memory_mib, 64, 1u << 20},
		{"mbufs", c->mbufs, 1024, 1u << 24},
		{"flows", c->flows, 64, 1u << 22},
		{"sources", c->sources, 64, 1u << 24},
	};
	int rc;

	rc = check_ranges(d, "dataplane", ranges, ARRAY_LEN(ranges));
	if (rc == 0)
		rc = check_cores(d, c);
	for (unsigned int i = 0; rc == 0 && i < c->ports_count; i++)
		rc = check_port(d, c, i);
	return rc;
}

int dataplane_config_complete(const struct config_doc *d, struct dataplane_config *c)
{
	if (defaults(c) < 0)
		return config_doc_fail(d, "", "out of memory; free some");
	return check(d, c);
}

struct dataplane_config *dataplane_config_load(const char *file, char *error, size_t error_size)
{
	struct dataplane_config *c = NULL;
	struct config_doc doc;
	void *data;

	if (config_doc_open(&doc, file, error, error_size) < 0)
		return NULL;
	if (config_doc_load(&doc, &file_schema, &data) == 0) {
		struct file_root *root = data;

		c = root->dataplane;
		root->dataplane = NULL;
		config_doc_data_free(&file_schema, root);
		if (dataplane_config_complete(&doc, c) < 0) {
			dataplane_config_free(c);
			c = NULL;
		}
	}
	config_doc_fini(&doc);
	return c;
}

void dataplane_config_free(struct dataplane_config *c)
{
	if (c == NULL)
		return;
	for (unsigned int i = 0; i < c->ports_count; i++) {
		free(c->ports[i].name);
		free(c->ports[i].device);
	}
	free(c->ports);
	free(c->socket);
	free(c->captures);
	free(c->cores);
	free(c->main_core);
	free(c);
}
