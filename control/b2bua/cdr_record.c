/* The CDR of one call, and what `sally show calls` tells of it. */
#include <time.h>

#include "b2bua_priv.h"

static const char *const state_names[CALL_STATE_COUNT] = {
	[CALL_CALLING] = "calling",
	[CALL_RINGING] = "ringing",
	[CALL_ANSWERING] = "answering",
	[CALL_ANSWERED] = "answered",
	[CALL_ESTABLISHED] = "established",
	[CALL_ENDED] = "ended",
};

static const char *const leg_state_names[LEG_STATE_COUNT] = {
	[LEG_EARLY] = "early",
	[LEG_CONFIRMED] = "confirmed",
	[LEG_GONE] = "gone",
};

#define CALL_CAUSE_NAME_(id, name) [CAUSE_##id] = name,
static const char *const cause_names[CAUSE_COUNT] = {CALL_CAUSE_LIST(CALL_CAUSE_NAME_)};
#undef CALL_CAUSE_NAME_

static const char *const ended_by_names[ENDED_BY_COUNT] = {
	[ENDED_BY_CALLER] = "caller",
	[ENDED_BY_CALLEE] = "callee",
	[ENDED_BY_BOX] = "box",
};

const char *call_state_name(enum call_state s)
{
	return state_names[s];
}

/* ISO 8601 in UTC with milliseconds; null for what did not happen. */
static json_t *time_json(int64_t utc_ms)
{
	time_t seconds = (time_t)(utc_ms / 1000);
	char day[32], text[48];
	struct tm tm;

	if (utc_ms == 0 || gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(utc_ms % 1000));
	return json_string(text);
}

/* Received text may not be UTF-8, which jansson refuses: bytes beyond ASCII become '?'. */
static json_t *text_json(const char *text)
{
	json_t *out;
	char *copy = strdup(text ? text : "");

	if (copy == NULL)
		return NULL;
	for (char *p = copy; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	out = json_string(copy);
	free(copy);
	return out;
}

static json_t *peer_json(const struct dialog *d)
{
	return d->peer >= 0 ? json_string(d->b->env.config->peers[d->peer].name) : json_null();
}

static json_t *realm_json(const struct dialog *d)
{
	return json_string(b2bua_realm(d->b, d->realm)->name);
}

static json_t *media_json(const struct call *c)
{
	if (c->media != NULL)
		return media_session_json(c->media);
	return c->media_report != NULL ? json_incref(c->media_report) : json_array();
}

static uint64_t duration_ms(const struct call *c)
{
	if (c->answer_ms == 0)
		return 0;
	return (c->end_ms != 0 ? c->end_at : c->b->env.timers->now_ms) - c->answer_at;
}

/* What CDR and `show` have in common. */
static json_t *base_json(const struct call *c)
{
	const struct dialog *caller = c->leg[SIDE_CALLER].dialog;
	const struct dialog *callee = c->leg[SIDE_CALLEE].dialog;

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "id", c->name, "from",
		text_json(c->from), "to", text_json(c->to), "from_realm", realm_json(caller),
		"from_peer", peer_json(caller), "to_realm", realm_json(callee), "to_peer",
		peer_json(callee), "start", time_json(c->start_ms), "duration_ms",
		(json_int_t)duration_ms(c));
}

void cdr_write(struct call *c)
{
	struct b2bua *b = c->b;
	json_t *record;

	if (b->env.cdr == NULL || !c->counted)
		return;
	record = base_json(c);
	if (record == NULL)
		return;
	json_object_set_new(record, "answer", time_json(c->answer_ms));
	json_object_set_new(record, "end", time_json(c->end_ms));
	json_object_set_new(record, "a_call_id", text_json(c->leg[SIDE_CALLER].dialog->call_id));
	json_object_set_new(record, "b_call_id", text_json(c->leg[SIDE_CALLEE].dialog->call_id));
	json_object_set_new(record, "cause", json_string(cause_names[c->cause]));
	json_object_set_new(record, "sip_status", json_integer(c->sip_status));
	json_object_set_new(record, "ended_by", json_string(ended_by_names[c->ended_by]));
	json_object_set_new(record, "media", media_json(c));
	b->env.cdr(b->env.cdr_ctx, record);
	json_decref(record);
}

/* --- show --- */

static json_t *call_json(const struct call *c)
{
	json_t *o = base_json(c);

	if (o == NULL)
		return NULL;
	json_object_set_new(o, "state", json_string(state_names[c->state]));
	return o;
}

json_t *b2bua_calls_json(const struct b2bua *b, unsigned int max, bool media)
{
	json_t *all = json_array(), *o;
	const struct call *c, *tmp;

	HASH_ITER(hh, b->calls, c, tmp)
	{
		if (all == NULL || max == 0)
			break;
		if (c->recorded)
			continue; /* over; only the last answers are waited for */
		o = call_json(c);
		if (media)
			json_object_set_new(o, "media", media_json(c));
		json_array_append_new(all, o);
		max--;
	}
	return all;
}

static json_t *leg_json(const struct leg *l)
{
	const struct dialog *d = l->dialog;
	char local[NET_ENDPOINT_STRLEN], remote[NET_ENDPOINT_STRLEN];

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:I,s:I}", "state",
		leg_state_names[l->state], "realm", realm_json(d), "peer", peer_json(d), "call_id",
		text_json(d->call_id), "local_tag", text_json(d->local_tag), "remote_tag",
		text_json(d->remote_tag), "remote_target", text_json(d->remote_target), "local",
		net_endpoint_format(&d->path.local, local), "remote",
		net_endpoint_format(&d->path.remote, remote), "local_cseq",
		(json_int_t)d->local_cseq, "remote_cseq", (json_int_t)d->remote_cseq);
}

json_t *b2bua_call_json(const struct b2bua *b, const char *id)
{
	const struct call *c, *tmp;

	HASH_ITER(hh, b->calls, c, tmp)
	{
		json_t *o;

		if (strcmp(c->name, id) != 0)
			continue;
		o = call_json(c);
		if (o == NULL)
			return NULL;
		json_object_set_new(o, "caller", leg_json(&c->leg[SIDE_CALLER]));
		json_object_set_new(o, "callee", leg_json(&c->leg[SIDE_CALLEE]));
		json_object_set_new(o, "media", media_json(c));
		return o;
	}
	return NULL;
}
