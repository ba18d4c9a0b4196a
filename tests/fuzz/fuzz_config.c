/*
 * Fuzz target: a configuration file. Whatever it holds, it is loaded or refused with
 * one line that begins with its name and a line number that the file has.
 */
#include "config_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

static void refused(const char *error, const uint8_t *data, size_t len)
{
	unsigned long lines = 2, line;
	char *end;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
	MUST(strlen(error) < CONFIG_ERROR_LEN && strncmp(error, "fuzz.yaml:", 10) == 0);
	line = strtoul(error + 10, &end, 10);
	MUST(end[0] == ':' && end[1] == ' ' && line <= lines);
	for (const char *p = error; *p != '\0'; p++)
		MUST((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void loaded(const struct config *c)
{
	MUST(c->n_realms >= 1 && c->n_realms <= API_REALMS_MAX);
	MUST(c->dataplane.ports_count >= 1 && c->dataplane.ports_count <= API_PORTS_MAX);
	MUST(c->ops.shards >= 1 && c->ops.shards <= API_SHARDS_MAX);
	for (unsigned int i = 0; i < c->n_realms; i++) {
		const struct config_realm *r = &c->realms[i];

		MUST(r->id == i && r->name[0] != '\0' && r->n_addresses >= 1);
		MUST(r->n_listeners >= 1 && r->n_media >= 1 && r->n_media <= CONFIG_MEDIA_MAX);
		MUST(r->vlan < 4095 && r->n_gateways <= CONFIG_GATEWAYS_MAX);
		for (unsigned int m = 0; m < r->n_media; m++)
			MUST(r->media[m].port_min % 2 == 0 && r->media[m].port_max % 2 == 1 &&
				r->media[m].port_min < r->media[m].port_max);
	}
	for (unsigned int i = 0; i < c->n_peers; i++)
		MUST(c->peers[i].realm < c->n_realms &&
			net_addr_is_unicast_peer(&c->peers[i].remote.addr));
	for (unsigned int i = 0; i < c->n_routes; i++)
		MUST(c->routes[i].from_realm < c->n_realms && c->routes[i].to_peer < c->n_peers &&
			c->routes[i].from_peer < (int32_t)c->n_peers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char error[CONFIG_ERROR_LEN] = "";
	struct config *c;

	if (len > 65536)
		return 0;
	c = config_load_data("fuzz.yaml", (const char *)data, len, error);
	if (c == NULL)
		refused(error, data, len);
	else
		loaded(c);
	config_free(c);
	return 0;
}
