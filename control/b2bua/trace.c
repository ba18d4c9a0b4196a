/* What a call's messages were: from the transaction layer, and from the legs, to its trace. */
#include "b2bua_priv.h"
#include "find.h"
#include "trace.h"

static_assert((int)SIDE_CALLER == (int)TRACE_CALLER && (int)SIDE_CALLEE == (int)TRACE_CALLEE,
	"one order of the sides");

static bool is_sdp(struct str_view body)
{
	static const struct str_view version = {"v=0", 3};

	return body.len >= version.len && memcmp(body.p, version.p, version.len) == 0;
}

/* The body of what we built, where there is no index of it. */
static struct str_view body_of(struct str_view text)
{
	static const struct str_view end = {"\r\n\r\n", 4};
	struct str_view rest = text;

	if (text.len < end.len || memcmp(text.p + text.len - end.len, end.p, end.len) == 0)
		return (struct str_view){NULL, 0};
	/* From line end to line end: memmem() looks at each character by itself. */
	for (;;) {
		size_t n = sv_find(rest, '\r');

		if (rest.len - n <= end.len)
			return (struct str_view){NULL, 0};
		rest = (struct str_view){rest.p + n, rest.len - n};
		if (memcmp(rest.p, end.p, end.len) == 0)
			return (struct str_view){rest.p + end.len, rest.len - end.len};
		rest = (struct str_view){rest.p + 1, rest.len - 1};
	}
}

/* The start line of a message of ours. */
static void read_start(struct str_view text, struct trace_message *m)
{
	static const struct str_view version = {"SIP/2.0 ", 8};
	const char *end = memchr(text.p, '\r', text.len), *space;

	if (end == NULL)
		return;
	if (text.len > version.len + 4 && memcmp(text.p, version.p, version.len) == 0) {
		const char *digit = text.p + version.len;

		for (unsigned int i = 0; i < 3; i++)
			m->status = (uint16_t)(10 * m->status + (digit[i] - '0'));
		m->label = (struct str_view){digit + 4, (size_t)(end - digit) - 4};
		return;
	}
	space = memchr(text.p, ' ', text.len);
	if (space == NULL)
		return;
	m->label = (struct str_view){text.p, (size_t)(space - text.p)};
	m->method = (uint8_t)sip_method_parse(m->label);
}

/* The number says the usual phrase already, and so it does a method that we know. */
static void drop_usual(struct trace_message *m)
{
	const char *usual;

	if (m->status == 0) {
		if (m->method != SIP_METHOD_OTHER)
			m->label.len = 0;
		return;
	}
	usual = sip_reason_phrase(m->status);
	if (sv_eq(m->label, (struct str_view){usual, strlen(usual)}))
		m->label.len = 0;
}

static void note(struct trace *t, struct trace_message *m, uint64_t now_ms)
{
	drop_usual(m);
	trace_note(t, m, now_ms);
}

static void note_received(
	struct trace *t, enum trace_side side, const struct sip_msg *in, uint64_t now_ms)
{
	struct trace_message m = {
		.side = side,
		.method = in->idx.method,
		.status = in->idx.status,
		.cseq = in->idx.cseq,
		.sdp = is_sdp(sip_msg_view(in, in->idx.body)),
		.label = sip_msg_view(
			in, in->idx.status != 0 ? in->idx.reason : in->idx.method_text),
		.text = {in->buf, in->len},
	};

	note(t, &m, now_ms);
}

static void note_sent(struct trace *t, enum trace_side side, enum sip_method method, uint32_t cseq,
	struct str_view body, struct str_view text, uint64_t now_ms)
{
	struct trace_message m = {
		.side = side,
		.sent = true,
		.method = (uint8_t)method,
		.cseq = cseq,
		.sdp = is_sdp(body),
		.text = text,
	};

	read_start(text, &m);
	note(t, &m, now_ms);
}

/* A leg that sends its first request is not in the index yet. */
static struct trace *trace_of_leg(
	const struct b2bua *b, const struct sip_msg *request, enum trace_side *side)
{
	struct dialog *d = dialog_find_tag(b, sip_msg_view(request, request->idx.from_tag));
	struct leg *l = d != NULL ? d->leg : NULL;

	if (l == NULL || l->call->trace == NULL)
		return NULL;
	*side = (enum trace_side)l->side;
	trace_index(l->call->trace, *side, request->path.realm,
		sip_msg_view(request, request->idx.call_id),
		sip_msg_view(request, request->idx.from_tag));
	return l->call->trace;
}

void trace_message(
	const struct b2bua *b, bool sent, const struct sip_msg *about, struct str_view text)
{
	uint64_t now_ms = b->env.timers->now_ms;
	enum trace_side side = TRACE_CALLER;
	struct trace *t;

	if (b->traces == NULL)
		return;
	t = trace_find(b->traces, about->path.realm, sip_msg_view(about, about->idx.call_id),
		sip_msg_view(about, about->idx.from_tag), sip_msg_view(about, about->idx.to_tag),
		&side);
	if (t == NULL && sent && text.p == about->buf)
		t = trace_of_leg(b, about, &side);
	if (t == NULL)
		return;
	if (sent)
		note_sent(t, side, about->idx.method, about->idx.cseq,
			text.p == about->buf ? sip_msg_view(about, about->idx.body) : body_of(text),
			text, now_ms);
	else
		note_received(t, side, about, now_ms);
}

void call_trace_begin(struct call *c, const struct sip_msg *invite)
{
	struct b2bua *b = c->b;

	if (b->traces == NULL)
		return;
	c->trace = trace_begin(b->traces, c->name, b->env.timers->now_ms);
	if (invite == NULL)
		return;
	trace_index(c->trace, TRACE_CALLER, invite->path.realm,
		sip_msg_view(invite, invite->idx.call_id),
		sip_msg_view(invite, invite->idx.from_tag));
	note_received(c->trace, TRACE_CALLER, invite, b->env.timers->now_ms);
}

void leg_trace_sent(
	const struct leg *l, enum sip_method method, uint32_t cseq, struct str_view text)
{
	note_sent(l->call->trace, (enum trace_side)l->side, method, cseq, body_of(text), text,
		l->call->b->env.timers->now_ms);
}

void leg_trace_take(const struct leg *l, bool local)
{
	const struct dialog *d = l->dialog;
	const char *tag = local ? d->local_tag : d->remote_tag;

	trace_index(l->call->trace, (enum trace_side)l->side, d->path.realm,
		(struct str_view){d->call_id, strlen(d->call_id)},
		(struct str_view){tag, strlen(tag)});
}

static void info_side(const struct leg *l, struct trace_info *info)
{
	const struct dialog *d = l->dialog;
	const struct config *config;

	if (l->call == NULL || d == NULL) /* refused before it was made */
		return;
	config = d->b->env.config;
	info->realm[l->side] = config->realms[d->realm].name;
	info->peer[l->side] = d->peer >= 0 ? config->peers[d->peer].name : NULL;
	info->remote[l->side] = d->path.remote;
}

static struct trace_info info_of(const struct call *c)
{
	struct trace_info info = {
		.state = call_state_name(c->state),
		.from = c->from,
		.to = c->to,
		.start_ms = c->start_ms,
	};

	if (c->state == CALL_ENDED) {
		info.cause = call_cause_name(c->cause);
		info.sip_status = c->sip_status;
	}
	info_side(&c->leg[SIDE_CALLER], &info);
	info_side(&c->leg[SIDE_CALLEE], &info);
	return info;
}

void call_trace_end(struct call *c)
{
	struct trace_info info = info_of(c);

	if (!c->counted)
		info.state = "refused";
	c->from = c->to = NULL;
	trace_end(c->trace, &info, !c->counted);
	c->trace = NULL;
}

/* The phrases that drop_usual() has left out. */
static json_t *with_phrases(json_t *trace)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(trace, "messages"), i, m)
	{
		json_int_t status = json_integer_value(json_object_get(m, "status"));

		if (status != 0 && json_string_length(json_object_get(m, "reason")) == 0)
			json_object_set_new(
				m, "reason", json_string(sip_reason_phrase((unsigned int)status)));
	}
	return trace;
}

json_t *b2bua_trace_json(const struct b2bua *b, const char *id)
{
	const struct call *c, *tmp;

	if (b->traces == NULL)
		return NULL;
	HASH_ITER(hh, b->calls, c, tmp)
	{
		struct trace_info info;

		if (!trace_is(c->trace, id))
			continue;
		info = info_of(c);
		return with_phrases(trace_json(c->trace, &info));
	}
	return with_phrases(trace_over_json(b->traces, id));
}
