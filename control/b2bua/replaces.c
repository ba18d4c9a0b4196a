#include "replaces.h"

#include <errno.h>
#include <utlist.h>

#include "attach.h"
#include "b2bua_priv.h"

/* What waits for another shard's answer. */
struct replaces_wait {
	uint64_t id;
	struct server_txn *txn;
	replaces_fn fn;
	struct replaces_wait *prev, *next; /* b2bua.waits */
};

/* --- the value --- */

static int word_set(char out[REPLACES_WORD_MAX], struct str_view v)
{
	if (v.p == NULL || v.len == 0 || v.len >= REPLACES_WORD_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || strchr(";,\"", v.p[i]) != NULL)
			return -EBADMSG;
	memcpy(out, v.p, v.len);
	out[v.len] = '\0';
	return 0;
}

int replaces_parse(struct str_view value, struct replaces *q)
{
	const char *semicolon = value.len > 0 ? memchr(value.p, ';', value.len) : NULL;
	struct str_view params, text;

	if (semicolon == NULL)
		return -EBADMSG;
	params = (struct str_view){semicolon, value.len - (size_t)(semicolon - value.p)};
	value.len -= params.len;
	while (value.len > 0 && (value.p[value.len - 1] == ' ' || value.p[value.len - 1] == '\t'))
		value.len--;
	q->early_only = sip_param_find(params, SV("early-only"), &text);
	if (word_set(q->call_id, value) != 0 || !sip_param_find(params, SV("to-tag"), &text) ||
		word_set(q->to_tag, text) != 0 || !sip_param_find(params, SV("from-tag"), &text))
		return -EBADMSG;
	return word_set(q->from_tag, text);
}

/* --- the dialog --- */

/* "call-id;to-tag=..;from-tag=.." of a dialog, as its far end says (to-tag is its own), or as one
 * says to the far end. */
static void value_set(struct replaces *q, const struct dialog *d, bool to_tag_is_remote)
{
	const char *to = to_tag_is_remote ? d->remote_tag : d->local_tag;
	const char *from = to_tag_is_remote ? d->local_tag : d->remote_tag;
	int n = snprintf(q->value, sizeof(q->value), "%s;to-tag=%s;from-tag=%s%s", d->call_id, to,
		from, q->early_only ? ";early-only" : "");

	q->status = n > 0 && (size_t)n < sizeof(q->value) ? 0 : 481;
}

static void user_set(struct replaces *q, const struct dialog *far)
{
	struct sip_name_addr na;
	struct sip_uri uri;

	if (sip_name_addr_parse(
		    (struct str_view){far->remote_name, strlen(far->remote_name)}, &na) == 0 &&
		sip_uri_parse(na.uri, &uri) == 0 && uri.user.len < sizeof(q->user))
		snprintf(q->user, sizeof(q->user), "%.*s", SV_ARG(uri.user));
}

/* An INVITE goes to the party at the other end of the dialog that its sender names: its own with
 * us, or ours with that party, in the names of which a REFER had it (section 6). */
static void resolve_invite(struct replaces *q, const struct dialog *d, bool ours_is_to)
{
	const struct dialog *target = ours_is_to ? dialog_far(d) : d;

	user_set(q, target);
	q->far_realm = target->realm;
	value_set(q, target, true);
}

/* A REFER tells a third party of a dialog of its sender: by the name that the dialog's other half
 * has in the realm of that party, or by the same name where the realm is the same. There is none
 * for a third realm that would not show it another's Call-ID. */
static void resolve_refer(struct replaces *q, const struct dialog *d, bool ours_is_to)
{
	const struct dialog *far = dialog_far(d);

	user_set(q, ours_is_to ? far : d);
	if (far->realm == q->to_realm)
		value_set(q, far, ours_is_to);
	else if (d->realm == q->to_realm)
		value_set(q, d, !ours_is_to);
	else
		q->status = 403;
}

void replaces_answer(struct b2bua *b, struct replaces *q)
{
	struct str_view call_id = {q->call_id, strlen(q->call_id)};
	struct str_view to = {q->to_tag, strlen(q->to_tag)};
	struct str_view from = {q->from_tag, strlen(q->from_tag)};
	struct dialog *d = dialog_find_names(b, q->realm, call_id, to, from);
	bool ours_is_to = d != NULL;

	if (d == NULL)
		d = dialog_find_names(b, q->realm, call_id, from, to);
	q->status = 481; /* RFC 3891 section 3 */
	if (d == NULL || d->leg == NULL || d->leg->call->state == CALL_ENDED ||
		d->remote_tag == NULL || dialog_far(d)->remote_tag == NULL)
		return;
	if (q->to_realm == REPLACES_ANY_REALM)
		resolve_invite(q, d, ours_is_to);
	else
		resolve_refer(q, d, ours_is_to);
}

/* --- waiting --- */

static int ask(struct b2bua *b, struct server_txn *txn, const struct replaces *q,
	unsigned int shard, replaces_fn fn)
{
	struct replaces_wait *w = malloc(sizeof(*w));
	struct replaces *copy = malloc(sizeof(*copy));
	int rc = -ENOMEM;

	if (w == NULL || copy == NULL || b->env.ask == NULL)
		goto fail;
	*copy = *q;
	copy->shard = b->env.shard;
	copy->id = ++b->last_wait;
	*w = (struct replaces_wait){.id = copy->id, .txn = txn, .fn = fn};
	rc = b->env.ask(b->env.ask_ctx, shard, copy);
	if (rc != 0)
		goto fail;
	DL_APPEND(b->waits, w);
	return 0;
fail:
	free(w);
	free(copy);
	return rc;
}

void replaces_find(struct b2bua *b, struct server_txn *txn, struct replaces *q, replaces_fn fn)
{
	unsigned int shard = shard_hash(
		b->env.keys.hash, (struct str_view){q->call_id, strlen(q->call_id)}, b->env.shards);

	if (shard == b->env.shard)
		replaces_answer(b, q);
	else if (ask(b, txn, q, shard, fn) == 0)
		return;
	else
		q->status = 500;
	fn(b, txn, q);
}

void replaces_answered(struct b2bua *b, const struct replaces *q)
{
	struct replaces_wait *w;
	struct server_txn *txn;
	replaces_fn fn;

	DL_SEARCH_SCALAR(b->waits, w, id, q->id);
	if (w == NULL)
		return; /* cancelled */
	txn = w->txn;
	fn = w->fn;
	DL_DELETE(b->waits, w);
	free(w);
	fn(b, txn, q);
}

bool replaces_on_cancel(struct b2bua *b, struct server_txn *invite)
{
	struct replaces_wait *w;

	DL_SEARCH_SCALAR(b->waits, w, txn, invite);
	if (w == NULL)
		return false;
	DL_DELETE(b->waits, w);
	free(w);
	b2bua_reply(b, invite, 487);
	return true;
}

void replaces_abandon_all(struct b2bua *b)
{
	struct replaces_wait *w, *tmp;

	DL_FOREACH_SAFE(b->waits, w, tmp)
	{
		DL_DELETE(b->waits, w);
		free(w);
	}
}
