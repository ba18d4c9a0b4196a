/*
 * REGISTER as it goes on to a registrar (RFC 3261 section 10): the binding that it makes there
 * is the box, under the user of the address of record; the phone is told its own Contact again.
 */
#include "b2bua_priv.h"
#include "reputation.h"
#include "relay.h"

/* The one Contact of a request. @return 0; 400; or 403 for several, since the box has one to give.
 */
static unsigned int contact_of(const struct sip_msg *req, struct sip_name_addr *na, bool *found)
{
	struct str_view line = sip_msg_header(req, SIP_HDR_CONTACT, 0), item, more;

	*found = false;
	if (line.p == NULL)
		return 0;
	if (!sip_list_next(&line, &item) || sip_name_addr_parse(item, na) != 0)
		return 400;
	if (sip_list_next(&line, &more) || sip_msg_header(req, SIP_HDR_CONTACT, 1).p != NULL)
		return 403;
	*found = true;
	return 0;
}

/* Digits of a parameter; false if it is not there or is none. */
static bool number_of(struct str_view params, struct str_view name, uint32_t *out)
{
	struct str_view value;

	return sip_param_find(params, name, &value) && value.p != NULL &&
	       sip_uint_parse(value, UINT32_MAX, out) == 0;
}

/* "<sip:user@our-address>": what the registrar may call. @return 0 or negative errno. */
static int own_contact(const struct relay *r, char **out)
{
	return identity_name_map(out,
		(struct str_view){r->to->remote_name, strlen(r->to->remote_name)},
		&r->to->path.local, false);
}

static unsigned int write_request(struct relay *r, struct sip_writer *w, const struct sip_msg *req)
{
	struct sip_name_addr na;
	uint32_t expires;
	char *text = NULL;
	bool found;
	unsigned int status = contact_of(req, &na, &found);

	if (status != 0 || !found)
		return status;
	if (na.star) {
		sip_write_raw(w, SV("Contact: *\r\n"));
		return 0;
	}
	if (own_contact(r, &text) != 0)
		return 400;
	sip_write_fmt(w, "Contact: %s", text);
	if (number_of(na.params, SV("expires"), &expires))
		sip_write_fmt(w, ";expires=%u", expires);
	sip_write_raw(w, SV("\r\n"));
	free(text);
	return 0;
}

/* Section 10.3 step 8 lists the bindings. Ours becomes the phone's, with the time that it has;
 * others are not this phone's concern. */
static void write_binding(struct sip_writer *w, const struct sip_name_addr *phone,
	struct str_view item, struct str_view ours)
{
	struct sip_name_addr na;
	struct sip_uri uri, own;
	uint32_t expires;

	if (sip_name_addr_parse(item, &na) != 0 || na.star || sip_uri_parse(na.uri, &uri) != 0 ||
		sip_uri_parse(ours, &own) != 0 || !sv_eq(uri.user, own.user) ||
		!sv_eq(uri.host, own.host))
		return;
	sip_write_raw(w, SV("Contact: <"));
	sip_write_value(w, phone->uri);
	sip_write_raw(w, SV(">"));
	if (number_of(na.params, SV("expires"), &expires))
		sip_write_fmt(w, ";expires=%u", expires);
	sip_write_raw(w, SV("\r\n"));
}

static void write_response(struct relay *r, struct sip_writer *w, const struct sip_msg *resp)
{
	const struct sip_msg *req = server_txn_request(r->server);
	struct sip_name_addr phone, ours;
	struct str_view line, item;
	char *text = NULL;
	bool found;

	if (resp->idx.status >= 300 || contact_of(req, &phone, &found) != 0 || !found ||
		phone.star || own_contact(r, &text) != 0)
		return;
	if (sip_name_addr_parse((struct str_view){text, strlen(text)}, &ours) == 0)
		for (unsigned int i = 0; (line = sip_msg_header(resp, SIP_HDR_CONTACT, i)).p; i++)
			while (sip_list_next(&line, &item))
				write_binding(w, &phone, item, ours.uri);
	free(text);
}

/* --- what the answer says of who asked --- */

static struct str_view first_of(
	const struct sip_msg *m, enum sip_header_id id, enum sip_header_id other)
{
	struct str_view value = sip_msg_header(m, id, 0);

	return value.p != NULL ? value : sip_msg_header(m, other, 0);
}

static void note(const struct relay *r, enum reputation_event event, struct str_view nonce)
{
	const struct sip_path *path = &server_txn_request(r->server)->path;

	reputation_note(r->b->env.reputation, r->b->env.timers->now_ms, path->realm, &path->remote,
		event, nonce);
}

/* RFC 2617 section 3.2.1: with stale=true the password was right, and the nonce only too old. Of
 * several challenges, as of several algorithms, all are answers to the same credentials. */
static bool is_stale(struct str_view challenges)
{
	struct str_view one;

	while (header_auth_next(&challenges, &one))
		if (sv_eq_nocase(header_auth_param(one, SV("stale")), SV("true")))
			return true;
	return false;
}

static void judge_credentials(const struct relay *r, unsigned int status,
	struct str_view credentials, struct str_view challenges)
{
	if (status < 300)
		note(r, REPUTATION_REGISTERED, header_auth_param(credentials, SV("nonce")));
	else if ((status == 401 || status == 403 || status == 407) && !is_stale(challenges))
		note(r, REPUTATION_AUTH, (struct str_view){NULL, 0});
}

static void on_final(struct relay *r, const struct sip_msg *resp)
{
	const struct sip_msg *req = server_txn_request(r->server);
	struct str_view credentials =
		first_of(req, SIP_HDR_AUTHORIZATION, SIP_HDR_PROXY_AUTHORIZATION);

	if (r->b->env.reputation != NULL && resp != NULL && credentials.p != NULL)
		judge_credentials(r, resp->idx.status, credentials,
			first_of(resp, SIP_HDR_WWW_AUTHENTICATE, SIP_HDR_PROXY_AUTHENTICATE));
}

const struct relay_user register_user = {
	.write_request = write_request, .write_response = write_response, .on_final = on_final};
