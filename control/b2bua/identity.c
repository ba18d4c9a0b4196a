/*
 * Who calls whom, as each side may see it: hosts are replaced; user parts and display names stay,
 * but where the side must not learn of places on the other, for those that name one. Of a
 * Request-URI it stays even so: one may dial an address.
 */
#include <errno.h>

#include "b2bua_priv.h"
#include "headers.h"

/* Section 25.1 "user" and what phones write; nothing that could end a URI or a name-addr. A comma
 * is one of its characters: no list is near, since our name-addrs all have brackets. */
static bool user_is_sane(struct str_view user)
{
	if (user.len > 256)
		return false;
	for (size_t i = 0; i < user.len; i++) {
		char ch = user.p[i];

		if (ch <= ' ' || ch > '~' || ch == '<' || ch == '>' || ch == '"' || ch == '@' ||
			ch == '\\')
			return false;
	}
	return true;
}

/* Text that may stand between quotes: escapes are whole, quotes escaped. */
static bool display_is_sane(struct str_view d)
{
	for (size_t i = 0; i < d.len; i++) {
		unsigned char ch = (unsigned char)d.p[i];

		if (ch == '\\') {
			i++;
			if (i == d.len || d.p[i] < ' ' || d.p[i] > '~')
				return false;
		} else if (ch < ' ' || ch == 0x7f || ch == '"') {
			return false;
		}
	}
	return d.len > 0 && d.len <= 256;
}

/* Of From or To. */
struct name {
	struct sip_name_addr na;
	struct sip_uri uri;
};

static int name_parse(struct str_view header, struct name *n)
{
	if (sip_name_addr_parse(header, &n->na) != 0 || n->na.star ||
		n->na.uri.len > DIALOG_TEXT_MAX || sip_uri_parse(n->na.uri, &n->uri) != 0)
		return -EBADMSG;
	return 0;
}

static int text_keep(char **dst, struct sip_writer *w)
{
	int len = sip_writer_finish(w);

	return len < 0 ? -EBADMSG : b2bua_str_set(dst, (struct str_view){w->buf, (size_t)len});
}

static int name_write(char **dst, struct str_view display, struct str_view uri)
{
	char text[DIALOG_TEXT_MAX + 512];
	struct sip_writer w;

	sip_writer_init(&w, text, sizeof(text) - 1);
	if (display_is_sane(display)) {
		sip_write_raw(&w, SV("\""));
		sip_write_raw(&w, display);
		sip_write_raw(&w, SV("\" "));
	}
	sip_write_raw(&w, SV("<"));
	sip_write_raw(&w, uri);
	sip_write_raw(&w, SV(">"));
	return text_keep(dst, &w);
}

int identity_name_set(char **dst, struct str_view header)
{
	struct name n;

	if (name_parse(header, &n) != 0)
		return -EBADMSG;
	return name_write(dst, n.na.display, n.na.uri);
}

/* The URI with another host. */
static int uri_write(struct sip_writer *w, const struct name *n, struct str_view host)
{
	if (!user_is_sane(n->uri.user))
		return -EBADMSG;
	if (sip_uri_is_sos(n->na.uri)) { /* names no host, and is understood everywhere */
		sip_write_raw(w, n->na.uri);
		return 0;
	}
	sip_write_raw(w, SV("sip:"));
	sip_write_raw(w, n->uri.user);
	if (n->uri.user.len > 0)
		sip_write_raw(w, SV("@"));
	sip_write_raw(w, host);
	return 0;
}

static int name_map(
	char **dst, const struct name *n, const struct net_endpoint *host, enum identity_hide hide)
{
	char text[DIALOG_TEXT_MAX + 1], where[NET_ENDPOINT_STRLEN];
	struct str_view display = n->na.display;
	struct name shown = *n;
	struct sip_writer w;

	if (hide == HIDE_TEXTS && user_is_sane(n->uri.user) &&
		place_is_named(n->uri.user, n->uri.host))
		shown.uri.user.len = 0;
	if (hide != HIDE_NOTHING && place_is_named(display, n->uri.host))
		display.len = 0;
	net_endpoint_format(host, where);
	if (host->port == 5060) /* the default needs no saying in a name */
		*strrchr(where, ':') = '\0';
	sip_writer_init(&w, text, sizeof(text) - 1);
	if (uri_write(&w, &shown, (struct str_view){where, strlen(where)}) != 0 || w.failed)
		return -EBADMSG;
	return name_write(dst, display, (struct str_view){text, w.len});
}

static int uri_map(char **dst, struct str_view uri, const struct net_endpoint *host)
{
	char text[DIALOG_TEXT_MAX + 1], where[NET_ENDPOINT_STRLEN];
	struct name n = {.na.uri = uri};
	struct sip_writer w;

	/* It stands alone: there is no name-addr whose parameters its ";" could begin, as in
	 * sip:+4989;rn=+4930@host. */
	if (uri.len > DIALOG_TEXT_MAX || sip_uri_parse(uri, &n.uri) != 0)
		return -EBADMSG;
	net_endpoint_format(host, where);
	sip_writer_init(&w, text, sizeof(text) - 1);
	if (uri_write(&w, &n, (struct str_view){where, strlen(where)}) != 0)
		return -EBADMSG;
	return text_keep(dst, &w);
}

int identity_name_map(
	char **dst, struct str_view header, const struct net_endpoint *host, bool uri_only)
{
	return uri_only ? uri_map(dst, header, host)
			: identity_name_hide(dst, header, host, HIDE_NOTHING);
}

int identity_name_hide(char **dst, struct str_view header, const struct net_endpoint *host,
	enum identity_hide hide)
{
	struct name n;

	return name_parse(header, &n) != 0 ? -EBADMSG : name_map(dst, &n, host, hide);
}

static unsigned int redirect(
	struct call *c, const struct sip_msg *req, const struct name *from, struct str_view target)
{
	struct dialog *callee = c->leg[SIDE_CALLEE].dialog;
	const struct config_realm *origin = b2bua_realm(c->b, c->leg[SIDE_CALLER].dialog->realm);
	enum identity_hide hide = place_is_secret(origin, b2bua_realm(c->b, callee->realm))
					  ? HIDE_TEXTS
					  : HIDE_NOTHING;
	int rc;

	rc = name_map(&callee->local_name, from, &callee->path.local, hide);
	if (rc == 0)
		rc = identity_name_hide(&callee->remote_name, sip_msg_header(req, SIP_HDR_TO, 0),
			&callee->path.remote, hide);
	if (rc == 0)
		rc = uri_map(&callee->remote_target, target, &callee->path.remote);
	return rc == 0 ? 0 : rc == -ENOMEM ? 500 : 400;
}

unsigned int identity_map(struct call *c, const struct sip_msg *req)
{
	struct str_view ruri = sip_msg_view(req, req->idx.uri);
	struct name from;

	if (name_parse(sip_msg_header(req, SIP_HDR_FROM, 0), &from) != 0 ||
		b2bua_str_set(&c->from, from.na.uri) != 0 || b2bua_str_set(&c->to, ruri) != 0)
		return 400;
	return redirect(c, req, &from, ruri);
}

unsigned int identity_redirect(struct call *c, const struct sip_msg *req, struct str_view target)
{
	struct name from;

	if (name_parse(sip_msg_header(req, SIP_HDR_FROM, 0), &from) != 0)
		return 400;
	return redirect(c, req, &from, target);
}
