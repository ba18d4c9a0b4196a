/*
 * The same facts by libosip2.
 */
#include <osipparser2/osip_parser.h>
#include <osipparser2/sdp_message.h>

#include "sip_bench.h"

static size_t len(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

static uint64_t number(const char *text)
{
	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void address(const osip_from_t *f, unsigned int n, uint64_t *sum)
{
	sip_fact_address(sum, n, len(f->displayname) > 0, len(f->url->username), len(f->url->host),
		number(f->url->port));
}

static bool vias(osip_message_t *sip, uint64_t *sum)
{
	osip_via_t *via;

	for (int i = 0; osip_message_get_via(sip, i, &via) >= 0; i++) {
		osip_generic_param_t *branch = NULL;

		osip_via_param_get_byname(via, (char *)"branch", &branch);
		if (branch == NULL)
			return false;
		sip_fact(sum, FACT_VIA_HOST, len(via->host));
		sip_fact(sum, FACT_VIA_PORT, number(via->port));
		sip_fact(sum, FACT_VIA_BRANCH, len(branch->gvalue));
	}
	return true;
}

static bool headers(osip_message_t *sip, uint64_t *sum)
{
	osip_generic_param_t *tag = NULL;
	osip_header_t *hops = NULL;
	osip_contact_t *contact = NULL;

	osip_from_get_tag(sip->from, &tag);
	osip_message_get_contact(sip, 0, &contact);
	osip_message_get_max_forwards(sip, 0, &hops);
	if (tag == NULL || contact == NULL || hops == NULL || sip->content_type == NULL ||
		!vias(sip, sum))
		return false;
	sip_fact(sum, FACT_URI_USER, len(sip->req_uri->username));
	sip_fact(sum, FACT_URI_HOST, len(sip->req_uri->host));
	sip_fact(sum, FACT_URI_PORT, number(sip->req_uri->port));
	address(sip->from, FACT_FROM, sum);
	address(sip->to, FACT_TO, sum);
	address(contact, FACT_CONTACT, sum);
	sip_fact(sum, FACT_TAG, len(tag->gvalue));
	sip_fact(sum, FACT_CALL_ID,
		len(sip->call_id->number) +
			(sip->call_id->host != NULL ? 1 + len(sip->call_id->host) : 0));
	sip_fact(sum, FACT_CSEQ, number(sip->cseq->number));
	sip_fact(sum, FACT_METHOD, len(sip->cseq->method));
	sip_fact(sum, FACT_MAX_FORWARDS, number(hops->hvalue));
	sip_fact(sum, FACT_CONTENT_LENGTH, number(sip->content_length->value));
	sip_fact(sum, FACT_CONTENT_TYPE,
		len(sip->content_type->type) + 1 + len(sip->content_type->subtype));
	return true;
}

/* It keeps attributes as text: what the first a=rtpmap says. */
static uint64_t clock_of(sdp_media_t *m)
{
	for (int i = 0; i < osip_list_size(&m->a_attributes); i++) {
		const sdp_attribute_t *a = osip_list_get(&m->a_attributes, i);
		const char *slash;

		if (strcmp(a->a_att_field, "rtpmap") != 0)
			continue;
		slash = strchr(a->a_att_value, '/');
		return slash != NULL ? number(slash + 1) : 0;
	}
	return 0;
}

static bool body(osip_message_t *sip, uint64_t *sum)
{
	osip_body_t *body = NULL;
	sdp_message_t *sdp = NULL;
	bool good;

	osip_message_get_body(sip, 0, &body);
	if (body == NULL || sdp_message_init(&sdp) != 0)
		return false;
	good = sdp_message_parse(sdp, body->body) == 0;
	for (int i = 0; good && i < osip_list_size(&sdp->m_medias); i++) {
		sdp_media_t *m = osip_list_get(&sdp->m_medias, i);
		const sdp_connection_t *c = osip_list_get(&m->c_connections, 0);

		c = c != NULL ? c : sdp->c_connection;
		good = c != NULL;
		sip_fact(sum, FACT_MEDIA_TYPE, len(m->m_media));
		sip_fact(sum, FACT_MEDIA_PORT, number(m->m_port));
		sip_fact(sum, FACT_MEDIA_PROTO, len(m->m_proto));
		sip_fact(sum, FACT_MEDIA_FAMILY,
			c != NULL && strcmp(c->c_addrtype, "IP4") == 0 ? 4 : 6);
		sip_fact(sum, FACT_MEDIA_CLOCK, clock_of(m));
	}
	sdp_message_free(sdp);
	return good;
}

static bool run(struct str_view msg, bool with_sdp, uint64_t *sum)
{
	osip_message_t *sip;
	bool good;

	if (osip_message_init(&sip) != 0)
		return false;
	good = osip_message_parse(sip, msg.p, msg.len) == 0 && headers(sip, sum) &&
	       (!with_sdp || body(sip, sum));
	osip_message_free(sip);
	return good;
}

static bool parse(struct str_view msg, uint64_t *sum)
{
	return run(msg, false, sum);
}

static bool parse_sdp(struct str_view msg, uint64_t *sum)
{
	return run(msg, true, sum);
}

int main(int argc, char **argv)
{
	static const struct sip_bench rows[] = {
		{"parse", parse},
		{"parse_sdp", parse_sdp},
		{NULL, NULL},
	};

	parser_init();
	return sip_bench_main(argc, argv, rows);
}
