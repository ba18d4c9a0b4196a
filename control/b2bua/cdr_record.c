/* The CDR of one call, and what `sally show calls` tells of it. */
#include "b2bua_priv.h"
#include "json_line.h"

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

const char *call_cause_name(enum call_cause cause)
{
	return cause_names[cause];
}

const char *call_state_name(enum call_state s)
{
	return state_names[s];
}

/* A call as JSON: 16 m= lines of about 1 KB each, two Call-IDs of at most 8 KB with every byte
 * escaped, and what is shorter. */
#define CALL_TEXT_MAX (64u << 10)

static void peer_write(struct json_line *out, const char *key, const struct dialog *d)
{
	if (d->peer >= 0)
		json_line_text(out, key, d->b->env.config->peers[d->peer].name);
	else
		json_line_null(out, key);
}

static void realm_write(struct json_line *out, const char *key, const struct dialog *d)
{
	json_line_text(out, key, b2bua_realm(d->b, d->realm)->name);
}

static void media_write(struct json_line *out, const struct call *c)
{
	static const char none[] = "[]";
	const char *text = c->media_report != NULL ? c->media_report : none;

	if (c->media != NULL)
		media_session_write(c->media, out, "media");
	else
		json_line_value(out, "media", (struct str_view){text, strlen(text)});
}

void cdr_keep_media(struct call *c, const struct media_session *s)
{
	char text[CALL_TEXT_MAX];
	struct json_line out;

	json_line_init(&out, text, sizeof(text));
	media_session_write(s, &out, NULL);
	(void)b2bua_str_set(&c->media_report, json_line_finish(&out));
}

static uint64_t duration_ms(const struct call *c)
{
	if (c->answer_ms == 0)
		return 0;
	return (c->end_ms != 0 ? c->end_at : c->b->env.timers->now_ms) - c->answer_at;
}

/* What CDR and `show` have in common. */
static void base_write(struct json_line *out, const struct call *c)
{
	const struct dialog *caller = c->leg[SIDE_CALLER].dialog;
	const struct dialog *callee = c->leg[SIDE_CALLEE].dialog;

	json_line_text(out, "id", c->name);
	json_line_text(out, "from", c->from);
	json_line_text(out, "to", c->to);
	realm_write(out, "from_realm", caller);
	peer_write(out, "from_peer", caller);
	realm_write(out, "to_realm", callee);
	peer_write(out, "to_peer", callee);
	json_line_time(out, "start", c->start_ms);
	json_line_uint(out, "duration_ms", duration_ms(c));
}

void cdr_write(struct call *c)
{
	struct b2bua *b = c->b;
	char text[CALL_TEXT_MAX];
	struct json_line out;

	if (b->env.cdr == NULL || !c->counted)
		return;
	json_line_init(&out, text, sizeof(text));
	json_line_open(&out, NULL, '{');
	base_write(&out, c);
	json_line_time(&out, "answer", c->answer_ms);
	json_line_time(&out, "end", c->end_ms);
	json_line_text(&out, "a_call_id", c->leg[SIDE_CALLER].dialog->call_id);
	json_line_text(&out, "b_call_id", c->leg[SIDE_CALLEE].dialog->call_id);
	if (c->transfer_of != NULL)
		json_line_text(&out, "transfer_of", c->transfer_of);
	json_line_text(&out, "cause", cause_names[c->cause]);
	json_line_uint(&out, "sip_status", c->sip_status);
	json_line_text(&out, "ended_by", ended_by_names[c->ended_by]);
	media_write(&out, c);
	json_line_close(&out, '}');
	b->env.cdr(b->env.cdr_ctx, json_line_finish(&out));
}

/* --- show --- */

static void leg_write(struct json_line *out, const char *key, const struct leg *l)
{
	const struct dialog *d = l->dialog;
	char local[NET_ENDPOINT_STRLEN], remote[NET_ENDPOINT_STRLEN];

	json_line_open(out, key, '{');
	json_line_text(out, "state", leg_state_names[l->state]);
	realm_write(out, "realm", d);
	peer_write(out, "peer", d);
	json_line_text(out, "call_id", d->call_id);
	json_line_text(out, "local_tag", d->local_tag);
	json_line_text(out, "remote_tag", d->remote_tag);
	json_line_text(out, "remote_target", d->remote_target);
	json_line_text(out, "local", net_endpoint_format(&d->path.local, local));
	json_line_text(out, "remote", net_endpoint_format(&d->path.remote, remote));
	json_line_uint(out, "local_cseq", d->local_cseq);
	json_line_uint(out, "remote_cseq", d->remote_cseq);
	json_line_close(out, '}');
}

/* An object, for who puts lists and live counts together. */
static json_t *call_json(const struct call *c, bool legs, bool media)
{
	char text[CALL_TEXT_MAX];
	struct json_line out;
	struct str_view line;

	json_line_init(&out, text, sizeof(text));
	json_line_open(&out, NULL, '{');
	base_write(&out, c);
	json_line_text(&out, "state", state_names[c->state]);
	if (legs) {
		leg_write(&out, "caller", &c->leg[SIDE_CALLER]);
		leg_write(&out, "callee", &c->leg[SIDE_CALLEE]);
	}
	if (media)
		media_write(&out, c);
	json_line_close(&out, '}');
	line = json_line_finish(&out);
	return line.p != NULL ? json_loadb(line.p, line.len, 0, NULL) : NULL;
}

json_t *b2bua_calls_json(const struct b2bua *b, unsigned int max, bool media)
{
	json_t *all = json_array();
	const struct call *c, *tmp;

	HASH_ITER(hh, b->calls, c, tmp)
	{
		if (all == NULL || max == 0)
			break;
		if (c->recorded)
			continue; /* over; only the last answers are waited for */
		json_array_append_new(all, call_json(c, false, media));
		max--;
	}
	return all;
}

json_t *b2bua_call_json(const struct b2bua *b, const char *id)
{
	const struct call *c, *tmp;

	HASH_ITER(hh, b->calls, c, tmp)
	{
		if (strcmp(c->name, id) == 0)
			return call_json(c, true, true);
	}
	return NULL;
}
