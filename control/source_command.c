#include <errno.h>

#include "log.h"
#include "source_command.h"

/* One command of an operator: one record a realm, answered when all of them are. */
struct source_request {
	struct rpc_call *call;
	unsigned int waiting; /* answers that are owed, and one while it is being sent */
	unsigned int done;    /* realms where it worked */
	int status;	      /* the first that did not */
	struct rec_source_set rec;
};

/* --- the parameters --- */

static int port_parse(struct str_view text, uint16_t *out)
{
	uint32_t v = 0;

	if (text.len == 0 || text.len > 5)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (v == 0 || v > UINT16_MAX)
		return -EINVAL;
	*out = (uint16_t)v;
	return 0;
}

/* "192.0.2.1", "192.0.2.1:5060", "2001:db8::1" or "[2001:db8::1]:5060". */
static int source_parse(const char *text, struct net_endpoint *out)
{
	struct str_view whole = {text, strlen(text)};
	const char *colon = strrchr(text, ':');

	*out = (struct net_endpoint){0};
	if (net_addr_parse(whole, &out->addr) == 0)
		return 0;
	if (colon == NULL ||
		net_addr_parse((struct str_view){text, (size_t)(colon - text)}, &out->addr) < 0 ||
		(out->addr.family == NET_FAMILY_V6 && text[0] != '['))
		return -EINVAL;
	return port_parse((struct str_view){colon + 1, strlen(colon + 1)}, &out->port);
}

static int class_parse(const char *action)
{
	static const char *const actions[SOURCE_CLASS_COUNT] = {
		[SOURCE_UNTRUSTED] = "forget",
		[SOURCE_TRUSTED] = "permit",
		[SOURCE_DENIED] = "deny",
	};

	for (int i = 0; i < SOURCE_CLASS_COUNT; i++)
		if (action != NULL && strcmp(action, actions[i]) == 0)
			return i;
	return -EINVAL;
}

static int realm_parse(const struct config *config, const json_t *name, uint16_t *realm)
{
	*realm = API_REALM_ANY;
	if (name == NULL)
		return 0;
	for (unsigned int i = 0; i < config->n_realms; i++)
		if (json_is_string(name) &&
			strcmp(config->realms[i].name, json_string_value(name)) == 0)
			*realm = (uint16_t)i;
	return *realm != API_REALM_ANY ? 0 : -EINVAL;
}

int source_command_parse(const struct config *config, const json_t *params,
	struct rec_source_set *rec, uint16_t *realm, const char **why)
{
	const char *source = json_string_value(json_object_get(params, "source"));
	const json_t *seconds = json_object_get(params, "seconds");
	int class = class_parse(json_string_value(json_object_get(params, "action")));
	json_int_t s = seconds != NULL ? json_integer_value(seconds) : SOURCE_SECONDS_DEFAULT;

	*rec = (struct rec_source_set){
		.cmd.hdr = {.type = REC_SOURCE_SET, .version = API_VERSION},
		.source_class = (uint8_t) class,
		.reason = SOURCE_REASON_OPERATOR,
		.seconds = class == SOURCE_UNTRUSTED ? 1 : (uint32_t)s,
	};
	if (class < 0)
		*why = "action: one of deny, permit, forget";
	else if (source == NULL || source_parse(source, &rec->source) < 0)
		*why = "source: an address, or ADDRESS:PORT, such as 192.0.2.1:5060";
	else if (!net_addr_is_unicast_peer(&rec->source.addr))
		*why = "source: no packet comes from such an address";
	else if (s < 1 || s > API_SOURCE_SECONDS_MAX)
		*why = "seconds: 1 to 604800";
	else if (realm_parse(config, json_object_get(params, "realm"), realm) < 0)
		*why = "realm: there is none of that name";
	else
		return 0;
	return -EINVAL;
}

/* --- requests under way --- */

static void request_answer(struct source_request *q)
{
	char text[NET_ENDPOINT_STRLEN];

	if (q->done > 0)
		rpc_result(q->call,
			json_pack("{s:s, s:s, s:i, s:i}", "source",
				source_format(&q->rec.source, text), "class",
				source_class_name(q->rec.source_class), "seconds",
				q->rec.source_class == SOURCE_UNTRUSTED ? 0 : (int)q->rec.seconds,
				"realms", (int)q->done));
	else if (q->status == -ENOTCONN)
		rpc_fail(q->call, RPC_REFUSED, "no dataplane is attached");
	else
		rpc_fail(
			q->call, RPC_REFUSED, "the dataplane refused it: %s", strerror(-q->status));
	free(q);
}

static void request_done(void *ctx, int status)
{
	struct source_request *q = ctx;

	if (status == 0)
		q->done++;
	else if (q->status == 0)
		q->status = status;
	if (--q->waiting == 0)
		request_answer(q);
}

static void request_send(struct control *c, struct source_request *q, uint16_t realm)
{
	for (unsigned int i = 0; i < c->config->n_realms; i++) {
		int rc;

		if (realm != API_REALM_ANY && realm != i)
			continue;
		q->rec.realm = (uint16_t)i;
		q->waiting++;
		rc = dataplane_link_ask(c->link, &q->rec.cmd, sizeof(q->rec), request_done, q);
		if (rc < 0)
			request_done(q, rc);
	}
	/* The shards shall not hold on to what they thought of it; any of them forgets for all. */
	(void)shard_forget_source(c->shards[0], realm, &q->rec.source);
}

static void request_log(struct control *c, const struct rec_source_set *rec, uint16_t realm)
{
	const struct rec_source_event said = {.source = rec->source,
		.realm = realm,
		.source_class = rec->source_class,
		.reason = rec->reason,
		.seconds = rec->seconds};

	source_log_put(NULL, c->config, "control socket", &said);
}

void source_command(void *ctx, struct rpc_call *call, const json_t *params)
{
	struct control *c = ctx;
	struct source_request *q;
	struct rec_source_set rec;
	const char *why;
	uint16_t realm;

	if (source_command_parse(c->config, params, &rec, &realm, &why) < 0) {
		rpc_fail(call, RPC_INVALID_PARAMS, "%s", why);
		return;
	}
	q = malloc(sizeof(*q));
	if (q == NULL) {
		rpc_fail(call, RPC_REFUSED, "out of memory");
		return;
	}
	request_log(c, &rec, realm);
	*q = (struct source_request){.call = call, .waiting = 1, .rec = rec};
	request_send(c, q, realm);
	if (--q->waiting == 0)
		request_answer(q);
}
