/*
 * REFER (RFC 3515): who is asked to call gets a Refer-To that works on its side: the user that was
 * meant, where it would find that user, and the dialog to replace or to join by its name there.
 */
#include <errno.h>

#include "b2bua_priv.h"
#include "relay.h"
#include "replaces.h"
#include "route.h"
#include "subscription.h"
#include "transfer.h"

#define REFER_TO_MAX 2048

struct target {
	struct sip_uri uri;
	const char *header; /* "Replaces", "Join"; NULL: neither */
	struct replaces q;
};

/* --- URI headers (RFC 3261 section 19.1.1) --- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @return length, or -EBADMSG. */
static int unescape(struct str_view v, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (c == '%') {
			if (i + 2 >= v.len || hex(v.p[i + 1]) < 0 || hex(v.p[i + 2]) < 0)
				return -EBADMSG;
			c = (char)(hex(v.p[i + 1]) << 4 | hex(v.p[i + 2]));
			i += 2;
		}
		if (n == cap || c < ' ' || c > '~')
			return -EBADMSG;
		out[n++] = c;
	}
	return (int)n;
}

/* What hnv-unreserved has not, as %XX. */
static void write_escaped(struct sip_writer *w, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			strchr("-_.!~*", c) != NULL)
			sip_write_raw(w, (struct str_view){text, 1});
		else
			sip_write_fmt(w, "%%%c%c", digits[c >> 4], digits[c & 15]);
	}
}

/* Replaces or Join among them; others are left behind. @return 0 or -EBADMSG. */
static int headers_parse(struct target *t)
{
	static const char *const names[] = {"Replaces", "Join"};
	struct str_view rest = t->uri.headers;

	while (rest.len > 0) {
		const char *amp = memchr(rest.p, '&', rest.len);
		struct str_view one = {rest.p, amp != NULL ? (size_t)(amp - rest.p) : rest.len};
		const char *equals = memchr(one.p, '=', one.len);
		char text[REPLACES_VALUE_MAX];

		rest = (struct str_view){
			one.p + one.len + (amp != NULL), rest.len - one.len - (amp != NULL)};
		for (size_t i = 0; equals != NULL && i < ARRAY_LEN(names); i++) {
			struct str_view name = {one.p, (size_t)(equals - one.p)};
			struct str_view value = {equals + 1, one.len - name.len - 1};
			int n;

			if (!sv_eq_nocase(name, (struct str_view){names[i], strlen(names[i])}))
				continue;
			n = unescape(value, text, sizeof(text));
			if (t->header != NULL || n < 0 ||
				replaces_parse((struct str_view){text, (size_t)n}, &t->q) != 0)
				return -EBADMSG;
			t->header = names[i];
		}
	}
	return 0;
}

/* @return 0, or the status that we owe. */
static unsigned int target_parse(const struct sip_msg *req, struct target *t)
{
	struct str_view value = sip_msg_header(req, SIP_HDR_REFER_TO, 0), method;
	struct sip_name_addr na;

	memset(t, 0, sizeof(*t));
	if (value.p == NULL || value.len > REFER_TO_MAX || sip_name_addr_parse(value, &na) != 0 ||
		na.star || sip_uri_parse(na.uri, &t->uri) != 0)
		return 400;
	if (t->uri.scheme != SIP_SCHEME_SIP && t->uri.scheme != SIP_SCHEME_TEL)
		return 416;
	/* Other things than calls that somebody might be talked into. */
	if (sip_param_find(t->uri.params, SV("method"), &method) &&
		!sv_eq_nocase(method, SV("INVITE")))
		return 403;
	return headers_parse(t) == 0 ? 0 : 400;
}

/* --- the other side --- */

/* The dialog that it goes on in; NULL: it has yet to get one. */
static const struct dialog *dialog_ahead(const struct dialog *d)
{
	if (d == NULL)
		return NULL;
	return d->leg != NULL ? dialog_far(d) : subscription_far(d);
}

static const struct config_peer *peer_of(
	const struct b2bua *b, const struct sip_msg *req, struct str_view user)
{
	const struct config *c = b->env.config;
	const struct sip_path *path = &req->path;
	const struct config_route *route = route_find(c, NULL, path->realm,
		route_peer_find(c, path->realm, &path->remote), user,
		route_is_emergency(
			c, path->realm, &path->remote, (struct str_view){NULL, 0}, user));

	return route != NULL ? &c->peers[route->to_peer] : NULL;
}

/* The realm that this REFER goes to. @return 0, or the status that we owe. */
static unsigned int realm_ahead(
	const struct b2bua *b, const struct dialog *d, const struct sip_msg *req, uint16_t *realm)
{
	const struct dialog *ahead = dialog_ahead(d);
	const struct config_peer *peer;
	struct sip_uri uri;

	if (ahead != NULL) {
		*realm = ahead->realm;
		return 0;
	}
	if (sip_uri_parse(sip_msg_view(req, req->idx.uri), &uri) != 0)
		return 400;
	peer = peer_of(b, req, uri.user);
	if (peer == NULL)
		return 404;
	*realm = peer->realm;
	return 0;
}

/* Where that side finds the user: at a peer of its own realm, if calls of the sender to it would go
 * there; else by way of the box. */
static const struct net_endpoint *host_of(
	const struct b2bua *b, const struct sip_msg *req, struct str_view user, uint16_t realm)
{
	const struct config_peer *peer = peer_of(b, req, user);
	const struct config_realm *r = b2bua_realm(b, realm);

	if (peer != NULL && peer->realm == realm)
		return &peer->remote;
	return &r->listeners[0].local;
}

/* --- on its way --- */

static int build(const struct b2bua *b, const struct sip_msg *req, const struct target *t,
	uint16_t realm, char out[REFER_TO_MAX])
{
	struct str_view user = t->uri.user;
	char from[DIALOG_TEXT_MAX], *uri = NULL;
	struct sip_writer w;
	int n;

	/* A Contact of ours has no user; the dialog knows who is meant. */
	if (user.len == 0)
		user = (struct str_view){t->q.user, strlen(t->q.user)};
	n = snprintf(from, sizeof(from), "sip:%.*s%sx", SV_ARG(user), user.len > 0 ? "@" : "");
	if (n < 0 || (size_t)n >= sizeof(from) ||
		identity_name_map(&uri, (struct str_view){from, (size_t)n},
			host_of(b, req, user, realm), true) != 0)
		return -EBADMSG;
	sip_writer_init(&w, out, REFER_TO_MAX - 1);
	sip_write_fmt(&w, "Refer-To: <%s", uri);
	if (t->header != NULL) {
		sip_write_fmt(&w, "?%s=", t->header);
		write_escaped(&w, t->q.value);
	}
	sip_write_raw(&w, SV(">\r\n"));
	free(uri);
	n = sip_writer_finish(&w);
	if (n > 0)
		out[n] = '\0';
	return n;
}

/* Is it the box that does what this dialog's REFERs ask for? */
static bool is_executed(const struct b2bua *b, const struct dialog *d)
{
	return d != NULL && d->leg != NULL && b2bua_realm(b, d->realm)->refer_execute;
}

static void execute(
	struct leg *l, struct server_txn *txn, const struct sip_msg *req, const struct target *t)
{
	struct transfer_target to = {.user = t->uri.user, .header = t->header};

	if (t->header != NULL)
		to.q = &t->q;
	/* A Contact of ours has no user; the dialog knows who is meant. */
	if (to.user.len == 0)
		to.user = (struct str_view){t->q.user, strlen(t->q.user)};
	transfer_begin(l, txn, req, &to);
}

static void go(struct b2bua *b, struct server_txn *txn, const struct sip_msg *req,
	const struct target *t, uint16_t realm)
{
	struct dialog *d = req->idx.has_to_tag ? dialog_find(b, req) : NULL;
	char line[REFER_TO_MAX];

	if (d == NULL && req->idx.has_to_tag)
		b2bua_reply(b, txn, 481); /* it ended meanwhile */
	else if (is_executed(b, d))
		execute(d->leg, txn, req, t);
	else if (build(b, req, t, realm, line) < 0)
		b2bua_reply(b, txn, 400);
	else if (d == NULL)
		subscription_on_request(b, txn, req, line);
	else if (d->subscription != NULL)
		subscription_on_dialog_request(d, txn, req, line);
	else
		relay_on_dialog_request(d, txn, req, line);
}

static void on_found(struct b2bua *b, struct server_txn *txn, const struct replaces *q)
{
	const struct sip_msg *req = server_txn_request(txn);
	/* Of an executed one its NOTIFY says that there is no such dialog. */
	bool told = q->status == 0 || q->to_realm == REPLACES_ANY_REALM;
	struct target t;

	if (told && target_parse(req, &t) == 0) {
		t.q = *q;
		go(b, txn, req, &t, q->to_realm);
	} else {
		b2bua_reply(b, txn, q->status != 0 ? q->status : 400);
	}
}

void refer_on_request(
	struct b2bua *b, struct dialog *d, struct server_txn *txn, const struct sip_msg *req)
{
	struct target t;
	uint16_t realm = 0;
	unsigned int status = target_parse(req, &t);

	if (status == 0 && is_executed(b, d))
		realm = REPLACES_ANY_REALM;
	else if (status == 0)
		status = realm_ahead(b, d, req, &realm);
	if (status != 0) {
		b2bua_reply(b, txn, status);
		return;
	}
	if (t.header == NULL) {
		go(b, txn, req, &t, realm);
		return;
	}
	t.q.realm = req->path.realm;
	t.q.to_realm = realm;
	replaces_find(b, txn, &t.q, on_found);
}
