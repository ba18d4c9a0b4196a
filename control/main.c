/*
 * sallyport-control: the signalling process. No DPDK, no capability; a main thread
 * for the dataplane's attachment and the control socket, and one thread a shard.
 */
#include <errno.h>
#include <getopt.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "capture_requests.h"
#include "control.h"
#include "heap.h"
#include "log.h"

#define CONFIG_DEFAULT "/etc/sallyport/sallyport.yaml"

static struct control control;

static void on_main_mail(evutil_socket_t fd, short what, void *ctx)
{
	mailbox_run(ctx);
}

static int loop_init(struct control *c)
{
	int rc = mailbox_init(&c->main, c);

	if (rc < 0)
		return rc;
	c->base = event_base_new();
	if (c->base == NULL)
		return -ENOMEM;
	c->main_event =
		event_new(c->base, c->main.fd, EV_READ | EV_PERSIST, on_main_mail, &c->main);
	if (c->main_event == NULL || event_add(c->main_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void loop_fini(struct control *c)
{
	mailbox_fini(&c->main);
	if (c->main_event != NULL)
		event_free(c->main_event);
	if (c->base != NULL)
		event_base_free(c->base);
}

static int cdr_init(struct control *c)
{
	c->cdr = cdr_file_new(c->config->ops.cdr_file);
	return c->cdr != NULL ? 0 : -ENOMEM;
}

static void cdr_fini(struct control *c)
{
	cdr_file_free(c->cdr);
}

static int limits_init(struct control *c)
{
	c->limits = b2bua_limits_new(c->config);
	return c->limits != NULL ? 0 : -ENOMEM;
}

static void limits_fini(struct control *c)
{
	b2bua_limits_free(c->limits);
}

static int keys_init(struct control *c)
{
	return RAND_bytes((unsigned char *)&c->keys, sizeof(c->keys)) == 1 ? 0 : -EIO;
}

static void keys_fini(struct control *c)
{
	OPENSSL_cleanse(&c->keys, sizeof(c->keys));
}

static int reputation_init(struct control *c)
{
	c->reputation = reputation_table_new(c->keys.hash);
	return c->reputation != NULL ? 0 : -ENOMEM;
}

static void reputation_fini(struct control *c)
{
	reputation_table_free(c->reputation);
}

static int shards_init(struct control *c)
{
	for (unsigned int i = 0; i < c->config->ops.shards; i++) {
		const struct shard_env env = {
			.config = c->config,
			.index = i,
			.keys = c->keys,
			.cdr = c->cdr,
			.limits = c->limits,
			.reputation = c->reputation,
			.all = c->shards,
		};

		c->shards[i] = shard_new(&env);
		if (c->shards[i] == NULL)
			return -ENOMEM;
		c->n_shards++;
	}
	return 0;
}

static void shards_fini(struct control *c)
{
	for (unsigned int i = 0; i < c->n_shards; i++)
		shard_stop(c->shards[i]);
	for (unsigned int i = 0; i < c->n_shards; i++)
		shard_free(c->shards[i]);
	/* What they sent to the main thread before they ended. */
	mailbox_run(&c->main);
	c->n_shards = 0;
}

static int link_init(struct control *c)
{
	const struct dataplane_link_env env = {
		.config = c->config,
		.base = c->base,
		.main = &c->main,
		.shards = c->shards,
		.n_shards = c->n_shards,
		.keys = c->keys,
	};

	c->link = dataplane_link_new(&env);
	return c->link != NULL ? 0 : -ENOMEM;
}

/* Shards use the rings until their threads end, so they end before the unmapping. */
static void link_fini(struct control *c)
{
	shards_fini(c);
	dataplane_link_free(c->link);
}

static int rpc_init(struct control *c)
{
	char why[256];

	c->rpc = rpc_server_new(
		c->base, c->config->ops.control_socket, control_methods, c, why, sizeof(why));
	if (c->rpc != NULL)
		return 0;
	log_error("%s", why);
	return -EIO;
}

static void rpc_fini(struct control *c)
{
	rpc_server_free(c->rpc);
	c->rpc = NULL;
	capture_requests_fini(c);
}

struct module {
	const char *name;
	int (*init)(struct control *c);
	void (*fini)(struct control *c);
};

/* In order; stopped in reverse. */
static const struct module modules[] = {
	{"loop", loop_init, loop_fini},
	{"signals", control_stop_init, control_stop_fini},
	{"cdr", cdr_init, cdr_fini},
	{"limits", limits_init, limits_fini},
	{"keys", keys_init, keys_fini},
	{"reputation", reputation_init, reputation_fini},
	{"shards", shards_init, shards_fini},
	{"link", link_init, link_fini},
	{"rpc", rpc_init, rpc_fini},
};

static void banner(const struct control *c)
{
	char text[NET_ENDPOINT_STRLEN];

	log_info("sallyport-control %s config=%s shards=%u", SALLYPORT_VERSION, c->config->file,
		c->n_shards);
	for (unsigned int i = 0; i < c->config->n_realms; i++) {
		const struct config_realm *r = &c->config->realms[i];

		for (unsigned int j = 0; j < r->n_listeners; j++)
			log_info("SIP over UDP realm=%s port=%s listener=%s", r->name, r->port,
				net_endpoint_format(&r->listeners[j].local, text));
		for (unsigned int j = 0; j < r->n_media; j++)
			log_info("media realm=%s address=%s ports=%u-%u", r->name,
				net_addr_format(&r->media[j].addr, text), r->media[j].port_min,
				r->media[j].port_max);
	}
	log_info("control socket=%s cdr=%s dataplane=%s", c->config->ops.control_socket,
		c->config->ops.cdr_file[0] != '\0' ? c->config->ops.cdr_file : "none",
		c->config->dataplane.socket);
}

static int control_run(struct control *c)
{
	size_t started = 0;
	int rc = 0;

	for (; started < ARRAY_LEN(modules); started++) {
		rc = modules[started].init(c);
		if (rc < 0) {
			log_error("cannot start module=%s error=\"%s\"", modules[started].name,
				strerror(-rc));
			started++; /* its fini releases what it had made */
			break;
		}
	}
	if (rc == 0) {
		banner(c);
		event_base_dispatch(c->base);
	}
	while (started-- > 0)
		modules[started].fini(c);
	log_info("stopped");
	return rc < 0 ? 1 : 0;
}

static void usage(FILE *out)
{
	fprintf(out, "usage: sallyport-control [-c FILE] [--check]\n\n"
		     "  -c FILE   configuration; default " CONFIG_DEFAULT "\n"
		     "  --check   check the configuration and exit\n"
		     "  -h, -V    this text, the version\n"
		     "Exit status: 0; 1 failed; 2 wrong usage or configuration.\n");
}

/* @return -1 to go on, or the exit status. */
static int options_parse(int argc, char **argv, const char **file, bool *check)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		if (o == 'c') {
			*file = optarg;
		} else if (o == 'k') {
			*check = true;
		} else if (o == 'h') {
			usage(stdout);
			return 0;
		} else if (o == 'V') {
			printf("sallyport-control %s\n", SALLYPORT_VERSION);
			return 0;
		} else {
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *file = CONFIG_DEFAULT;
	char error[CONFIG_ERROR_LEN];
	bool check = false;
	int rc = options_parse(argc, argv, &file, &check);

	if (rc >= 0)
		return rc;
	rc = privilege_drop();
	if (rc < 0) {
		log_error("cannot drop privileges error=\"%s\"", strerror(-rc));
		return 1;
	}
	control.config = config_load(file, error);
	if (control.config == NULL) {
		fprintf(stderr, "%s\n", error);
		return 2;
	}
	if (check) {
		printf("%s: OK\n", file);
		config_free(control.config);
		return 0;
	}
	log_set_level((enum log_level)control.config->ops.log_level);
	heap_arena_own();
	control.start_ms = shard_clock_ms();
	rc = control_run(&control);
	config_free(control.config);
	return rc;
}
