/* Traces of one shard: the index by which messages find their call, and the calls that are over. */
#include "trace.h"

#include <time.h>

/* uthash leaves what could not be added with hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
/* Keys are made of a keyed hash already. */
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = key_bucket(keyptr))
static inline unsigned int key_bucket(const void *key);
#include <uthash.h>
#include <utlist.h>

#include "siphash.h"
#include "text_format.h"
#include "trace_notes.h"

#define NAME_LEN 48

enum trace_queue { QUEUE_CALLS, QUEUE_REFUSED, QUEUE_COUNT };

/* A dialog of the call. */
struct dialog {
	uint64_t key;
	uint64_t call_id; /* hash of it alone */
	struct trace *trace;
	UT_hash_handle hh;
};

struct trace {
	struct trace_store *store;
	char name[NAME_LEN];
	struct dialog dialog[TRACE_SIDE_COUNT];
	struct trace_notes notes;
	struct trace_info info;	   /* once it is over */
	struct trace *prev, *next; /* in a queue then */
};

struct trace_store {
	unsigned int messages;
	uint64_t key[2];
	struct dialog *dialogs;
	struct {
		struct trace *first; /* oldest */
		unsigned int n, max;
	} over[QUEUE_COUNT];
};

static inline unsigned int key_bucket(const void *key)
{
	uint64_t k;

	memcpy(&k, key, sizeof(k));
	return (unsigned int)k;
}

struct trace_store *trace_store_new(
	unsigned int messages, unsigned int calls, const uint64_t key[2])
{
	struct trace_store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->messages = messages;
	s->key[0] = key[0];
	s->key[1] = key[1];
	s->over[QUEUE_CALLS].max = calls;
	s->over[QUEUE_REFUSED].max = (calls + 3) / 4;
	return s;
}

static void dialog_forget(struct trace_store *s, struct dialog *d)
{
	if (d->hh.tbl != NULL)
		HASH_DELETE(hh, s->dialogs, d);
	d->hh.tbl = NULL;
}

static void trace_free(struct trace *t)
{
	for (unsigned int side = 0; side < TRACE_SIDE_COUNT; side++)
		dialog_forget(t->store, &t->dialog[side]);
	trace_notes_fini(&t->notes);
	free(t->info.from);
	free(t->info.to);
	free(t);
}

static void oldest_free(struct trace_store *s, enum trace_queue q)
{
	struct trace *t = s->over[q].first;

	DL_DELETE(s->over[q].first, t);
	s->over[q].n--;
	trace_free(t);
}

void trace_store_free(struct trace_store *s)
{
	if (s == NULL)
		return;
	for (unsigned int q = 0; q < QUEUE_COUNT; q++)
		while (s->over[q].first != NULL)
			oldest_free(s, q);
	free(s);
}

struct trace *trace_begin(struct trace_store *s, const char *name, uint64_t now_ms)
{
	struct trace *t = s->messages > 0 ? calloc(1, sizeof(*t)) : NULL;

	if (t == NULL)
		return NULL;
	t->store = s;
	(void)text_format(t->name, sizeof(t->name), "%s", name);
	trace_notes_init(&t->notes, s->messages, now_ms);
	return t;
}

static uint64_t call_id_hash(const struct trace_store *s, struct str_view call_id)
{
	return siphash13(s->key, call_id.p, call_id.len);
}

/* What the keys of all dialogs with this Call-ID begin with. */
struct key_start {
	uint64_t v[4];
};

static struct key_start key_start(
	const struct trace_store *s, uint16_t realm, struct str_view call_id)
{
	struct key_start k;

	siphash_init(k.v, s->key);
	siphash_word(k.v, realm, 1);
	siphash13_take(k.v, call_id.p, call_id.len);
	return k;
}

static uint64_t dialog_key(struct key_start k, struct str_view tag)
{
	siphash13_take(k.v, tag.p, tag.len);
	return siphash13_finish(k.v);
}

static struct dialog *dialog_find(const struct trace_store *s, uint64_t key)
{
	struct dialog *d;

	HASH_FIND(hh, s->dialogs, &key, sizeof(key), d);
	return d;
}

void trace_index(struct trace *t, enum trace_side side, uint16_t realm, struct str_view call_id,
	struct str_view tag)
{
	struct dialog *d, *before;
	struct trace_store *s;

	if (t == NULL)
		return;
	s = t->store;
	d = &t->dialog[side];
	dialog_forget(s, d);
	d->call_id = call_id_hash(s, call_id);
	d->key = dialog_key(key_start(s, realm, call_id), tag);
	d->trace = t;
	before = dialog_find(s, d->key);
	if (before != NULL)
		dialog_forget(s, before);
	HASH_ADD(hh, s->dialogs, key, sizeof(d->key), d);
}

struct trace *trace_find(const struct trace_store *s, uint16_t realm, struct str_view call_id,
	struct str_view from_tag, struct str_view to_tag, enum trace_side *side)
{
	struct key_start start;
	struct dialog *d;

	if (s->dialogs == NULL || call_id.len == 0)
		return NULL;
	start = key_start(s, realm, call_id);
	d = dialog_find(s, dialog_key(start, from_tag));
	if (d == NULL && to_tag.len > 0)
		d = dialog_find(s, dialog_key(start, to_tag));
	if (d == NULL)
		return NULL;
	*side = d == &d->trace->dialog[TRACE_CALLER] ? TRACE_CALLER : TRACE_CALLEE;
	return d->trace;
}

void trace_note(struct trace *t, const struct trace_message *m, uint64_t now_ms)
{
	if (t != NULL)
		trace_notes_add(&t->notes, m, now_ms);
}

void trace_end(struct trace *t, const struct trace_info *info, bool refused)
{
	enum trace_queue q = refused ? QUEUE_REFUSED : QUEUE_CALLS;
	struct trace_store *s;

	if (t == NULL) {
		free(info->from);
		free(info->to);
		return;
	}
	s = t->store;
	t->info = *info;
	DL_APPEND(s->over[q].first, t);
	if (++s->over[q].n > s->over[q].max)
		oldest_free(s, q);
}

bool trace_is(const struct trace *t, const char *id)
{
	uint64_t hash;

	if (t == NULL)
		return false;
	if (strcmp(t->name, id) == 0)
		return true;
	hash = call_id_hash(t->store, (struct str_view){id, strlen(id)});
	return (t->dialog[TRACE_CALLER].trace != NULL && t->dialog[TRACE_CALLER].call_id == hash) ||
	       (t->dialog[TRACE_CALLEE].trace != NULL && t->dialog[TRACE_CALLEE].call_id == hash);
}

json_t *trace_over_json(const struct trace_store *s, const char *id)
{
	for (unsigned int q = 0; q < QUEUE_COUNT; q++) {
		const struct trace *first = s->over[q].first;
		const struct trace *t = first != NULL ? first->prev : NULL; /* the youngest */

		while (t != NULL && !trace_is(t, id))
			t = t != first ? t->prev : NULL;
		if (t != NULL)
			return trace_json(t, &t->info);
	}
	return NULL;
}

/* --- as JSON --- */

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

/* Of what peers wrote only printable ASCII. */
static json_t *uri_json(const char *uri)
{
	char text[256];
	size_t n = 0;

	for (; uri != NULL && uri[n] != '\0' && n + 1 < sizeof(text); n++)
		text[n] = uri[n] < ' ' || uri[n] > '~' ? '?' : uri[n];
	text[n] = '\0';
	return json_string(text);
}

static json_t *side_json(const struct trace_info *info, enum trace_side side)
{
	char address[NET_ENDPOINT_STRLEN] = "";

	if (info->remote[side].addr.family != 0)
		net_endpoint_format(&info->remote[side], address);
	return json_pack("{s:s?, s:s?, s:s}", "realm", info->realm[side], "peer", info->peer[side],
		"address", address);
}

json_t *trace_json(const struct trace *t, const struct trace_info *info)
{
	json_t *o = json_pack("{s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:s?, s:i}", "id", t->name,
		"state", info->state, "from", uri_json(info->from), "to", uri_json(info->to),
		"caller", side_json(info, TRACE_CALLER), "callee", side_json(info, TRACE_CALLEE),
		"start", time_json(info->start_ms), "cause", info->cause, "sip_status",
		(int)info->sip_status);

	if (o != NULL)
		trace_notes_json(&t->notes, o);
	return o;
}
