/* Who calls whom, as each side may see it: user parts stay, hosts are replaced. */
#include <errno.h>

#include "b2bua_priv.h"
#include "text_format.h"

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

static int name_parse(struct str_view header, struct sip_name_addr *na, struct sip_uri *uri)
{
	if (sip_name_addr_parse(header, na) != 0 || na->star || na->uri.len > DIALOG_TEXT_MAX ||
		sip_uri_parse(na->uri, uri) != 0)
		return -EBADMSG;
	return 0;
}

static int name_write(char **dst, struct str_view display, const char *uri)
{
	char text[DIALOG_TEXT_MAX + 512];
	int n;

	if (display_is_sane(display))
		n = text_format(text, sizeof(text), "\"%.*s\" <%s>", SV_ARG(display), uri);
	else
		n = text_format(text, sizeof(text), "<%s>", uri);
	if (n < 0)
		return -EBADMSG;
	return b2bua_str_set(dst, (struct str_view){text, (size_t)n});
}

int identity_name_set(char **dst, struct str_view header)
{
	char uri_text[DIALOG_TEXT_MAX + 1];
	struct sip_name_addr na;
	struct sip_uri uri;

	if (name_parse(header, &na, &uri) != 0)
		return -EBADMSG;
	(void)text_format(uri_text, sizeof(uri_text), "%.*s", SV_ARG(na.uri));
	return name_write(dst, na.display, uri_text);
}

int identity_name_map(
	char **dst, struct str_view header, const struct net_endpoint *host, bool uri_only)
{
	char uri_text[DIALOG_TEXT_MAX + 1], where[NET_ENDPOINT_STRLEN];
	bool plain = host->port == 5060 && !uri_only; /* the default needs no saying in a name */
	struct sip_name_addr na = {.uri = header};
	struct sip_uri uri;
	int n;

	/* A Request-URI stands alone: there is no name-addr whose parameters its ";" could begin,
	 * as in sip:+4989;rn=+4930@host. */
	n = uri_only ? sip_uri_parse(header, &uri) : name_parse(header, &na, &uri);
	if (n != 0 || na.uri.len > DIALOG_TEXT_MAX || !user_is_sane(uri.user))
		return -EBADMSG;
	net_endpoint_format(host, where);
	if (plain)
		*strrchr(where, ':') = '\0';
	if (sip_uri_is_sos(na.uri)) /* names no host, and is understood everywhere */
		n = text_format(uri_text, sizeof(uri_text), "%.*s", SV_ARG(na.uri));
	else
		n = text_format(uri_text, sizeof(uri_text), "sip:%.*s%s%s", SV_ARG(uri.user),
			uri.user.len > 0 ? "@" : "", where);
	if (n < 0)
		return -EBADMSG;
	if (uri_only)
		return b2bua_str_set(dst, (struct str_view){uri_text, (size_t)n});
	return name_write(dst, na.display, uri_text);
}

unsigned int identity_map(struct call *c, const struct sip_msg *req)
{
	struct str_view ruri = sip_msg_view(req, req->idx.uri);
	struct sip_name_addr na;
	struct sip_uri uri;

	if (name_parse(sip_msg_header(req, SIP_HDR_FROM, 0), &na, &uri) != 0 ||
		b2bua_str_set(&c->from, na.uri) != 0 || b2bua_str_set(&c->to, ruri) != 0)
		return 400;
	return identity_redirect(c, req, ruri);
}

unsigned int identity_redirect(struct call *c, const struct sip_msg *req, struct str_view target)
{
	struct dialog *callee = c->leg[SIDE_CALLEE].dialog;
	int rc;

	rc = identity_name_map(&callee->local_name, sip_msg_header(req, SIP_HDR_FROM, 0),
		&callee->path.local, false);
	if (rc == 0)
		rc = identity_name_map(&callee->remote_name, sip_msg_header(req, SIP_HDR_TO, 0),
			&callee->path.remote, false);
	if (rc == 0)
		rc = identity_name_map(&callee->remote_target, target, &callee->path.remote, true);
	return rc == 0 ? 0 : rc == -ENOMEM ? 500 : 400;
}
