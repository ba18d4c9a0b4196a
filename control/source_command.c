#include <errno.h>

#include "log.h"
#include "source_command.h"

struct source_request {
	struct control *control;
	struct rpc_call *call;
	struct event *deadline;
	uint64_t id;	      /* the cookie of its commands */
	unsigned int waiting; /* answers that are owed */
	unsigned int done;    /* realms where it worked */
	int status;	      /* the first that did not */
	struct rec_source_set rec;
	struct source_request *next;
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

static void request_free(struct source_request *q)
{
	struct source_request **at = &q->control->source_requests;

	while (*at != NULL && *at != q)
		at = &(*at)->next;
	if (*at == q)
		*at = q->next;
	if (q->deadline != NULL)
		event_free(q->deadline);
	free(q);
}

static void request_answer(struct source_request *q)
{
	char text[NET_ENDPOINT_STRLEN];

	if (q->done == 0)
		rpc_fail(q->call, RPC_REFUSED, "the dataplane refused it: %s",
			q->status < 0 && q->status > -4096 ? strerror(-q->status) : "unknown");
	else
		rpc_result(q->call,
			json_pack("{s:s, s:s, s:i, s:i}", "source",
				source_format(&q->rec.source, text), "class",
				source_class_name(q->rec.source_class), "seconds",
				q->rec.source_class == SOURCE_UNTRUSTED ? 0 : (int)q->rec.seconds,
				"realms", (int)q->done));
	request_free(q);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	struct source_request *q = ctx;

	rpc_fail(q->call, RPC_REFUSED, "the dataplane did not answer within %d ms",
		SOURCE_ANSWER_MS);
	request_free(q);
}

static struct source_request *request_new(struct control *c, struct rpc_call *call)
{
	const struct timeval tv = {.tv_sec = SOURCE_ANSWER_MS / 1000};
	struct source_request *q;
	unsigned int n = 0;

	for (q = c->source_requests; q != NULL; q = q->next)
		n++;
	q = n < SOURCE_REQUESTS_MAX ? calloc(1, sizeof(*q)) : NULL;
	if (q == NULL)
		return NULL;
	q->control = c;
	q->call = call;
	q->id = ++c->last_source_request;
	q->deadline = evtimer_new(c->base, on_deadline, q);
	if (q->deadline == NULL || evtimer_add(q->deadline, &tv) < 0) {
		request_free(q);
		return NULL;
	}
	q->next = c->source_requests;
	c->source_requests = q;
	return q;
}

/* One command a realm. @return 0 or the first error. */
static int request_send(struct source_request *q, uint16_t realm)
{
	struct control *c = q->control;
	int first = 0;

	q->rec.cmd.cookie = q->id;
	for (unsigned int i = 0; i < c->config->n_realms; i++) {
		int rc;

		if (realm != API_REALM_ANY && realm != i)
			continue;
		q->rec.realm = (uint16_t)i;
		rc = dataplane_link_source_set(c->link, &q->rec);
		if (rc == 0)
			q->waiting++;
		else if (first == 0)
			first = rc;
	}
	/* The shards shall not hold on to what they thought of it. */
	for (unsigned int i = 0; i < c->n_shards; i++)
		(void)shard_forget_source(c->shards[i], realm, &q->rec.source);
	return first;
}

void source_command(void *ctx, struct rpc_call *call, const json_t *params)
{
	struct control *c = ctx;
	struct source_request *q;
	struct rec_source_set rec;
	const char *why;
	uint16_t realm;
	int rc;

	if (source_command_parse(c->config, params, &rec, &realm, &why) < 0) {
		rpc_fail(call, RPC_INVALID_PARAMS, "%s", why);
		return;
	}
	q = request_new(c, call);
	if (q == NULL) {
		rpc_fail(call, RPC_REFUSED, "too many such commands at a time");
		return;
	}
	q->rec = rec;
	rc = request_send(q, realm);
	if (q->waiting > 0) {
		struct rec_source_event said = {.source = rec.source,
			.realm = realm,
			.source_class = rec.source_class,
			.reason = rec.reason,
			.seconds = rec.seconds};

		source_log_put(
			&c->source_log, shard_clock_ms(), c->config, "control socket", &said);
		return;
	}
	rpc_fail(call, RPC_REFUSED, rc == -ENOTCONN ? "no dataplane is attached: %s" : "%s",
		rc == -ENOTCONN ? dataplane_link_why(c->link) : strerror(-rc));
	request_free(q);
}

void source_command_done(void *ctx, uint64_t cookie, int status)
{
	struct control *c = ctx;
	struct source_request *q = c->source_requests;

	while (q != NULL && q->id != cookie)
		q = q->next;
	if (q == NULL || q->waiting == 0)
		return;
	if (status == 0)
		q->done++;
	else if (q->status == 0)
		q->status = status;
	if (--q->waiting == 0)
		request_answer(q);
}

void source_command_fini(struct control *c)
{
	while (c->source_requests != NULL) {
		rpc_fail(c->source_requests->call, RPC_REFUSED, "sallyport-control is stopping");
		request_free(c->source_requests);
	}
}
