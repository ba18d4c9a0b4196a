/*
 * The same facts by sofia-sip.
 */
#include <sofia-sip/msg.h>
#include <sofia-sip/sdp.h>
#include <sofia-sip/sip_header.h>

#include "sip_bench.h"

static size_t len(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

static uint64_t number(const char *text)
{
	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* Without the brackets of an IPv6 reference. */
static size_t host_len(const char *host)
{
	size_t n = len(host);

	return n > 0 && host[0] == '[' ? n - 2 : n;
}

static void address(const sip_addr_t *a, unsigned int n, uint64_t *sum)
{
	sip_fact_address(sum, n, len(a->a_display) > 0, len(a->a_url->url_user),
		host_len(a->a_url->url_host), number(a->a_url->url_port));
}

static bool headers(const sip_t *sip, uint64_t *sum)
{
	const url_t *url;

	if (sip == NULL || sip->sip_error != NULL || sip->sip_request == NULL ||
		sip->sip_from == NULL || sip->sip_to == NULL || sip->sip_contact == NULL ||
		sip->sip_call_id == NULL || sip->sip_cseq == NULL ||
		sip->sip_max_forwards == NULL || sip->sip_content_type == NULL ||
		sip->sip_content_length == NULL)
		return false;
	url = sip->sip_request->rq_url;
	sip_fact(sum, FACT_URI_USER, len(url->url_user));
	sip_fact(sum, FACT_URI_HOST, host_len(url->url_host));
	sip_fact(sum, FACT_URI_PORT, number(url->url_port));
	for (const sip_via_t *v = sip->sip_via; v != NULL; v = v->v_next) {
		sip_fact(sum, FACT_VIA_HOST, host_len(v->v_host));
		sip_fact(sum, FACT_VIA_PORT, number(v->v_port));
		sip_fact(sum, FACT_VIA_BRANCH, len(v->v_branch));
	}
	address(sip->sip_from, FACT_FROM, sum);
	address(sip->sip_to, FACT_TO, sum);
	sip_fact_address(sum, FACT_CONTACT, len(sip->sip_contact->m_display) > 0,
		len(sip->sip_contact->m_url->url_user), host_len(sip->sip_contact->m_url->url_host),
		number(sip->sip_contact->m_url->url_port));
	sip_fact(sum, FACT_TAG, len(sip->sip_from->a_tag));
	sip_fact(sum, FACT_CALL_ID, len(sip->sip_call_id->i_id));
	sip_fact(sum, FACT_CSEQ, sip->sip_cseq->cs_seq);
	sip_fact(sum, FACT_METHOD, len(sip->sip_cseq->cs_method_name));
	sip_fact(sum, FACT_MAX_FORWARDS, sip->sip_max_forwards->mf_count);
	sip_fact(sum, FACT_CONTENT_LENGTH, sip->sip_content_length->l_length);
	sip_fact(sum, FACT_CONTENT_TYPE, len(sip->sip_content_type->c_type));
	return true;
}

static bool body(const sip_t *sip, uint64_t *sum)
{
	const sip_payload_t *text = sip->sip_payload;
	const sdp_session_t *sdp;
	sdp_parser_t *parser;

	if (text == NULL)
		return false;
	parser = sdp_parse(NULL, text->pl_data, (issize_t)text->pl_len, 0);
	sdp = sdp_session(parser);
	if (sdp == NULL)
		return false;
	for (const sdp_media_t *m = sdp->sdp_media; m != NULL; m = m->m_next) {
		const sdp_connection_t *c = sdp_media_connections(m);

		sip_fact(sum, FACT_MEDIA_TYPE, len(m->m_type_name));
		sip_fact(sum, FACT_MEDIA_PORT, m->m_port);
		sip_fact(sum, FACT_MEDIA_PROTO, len(m->m_proto_name));
		sip_fact(
			sum, FACT_MEDIA_FAMILY, c != NULL && c->c_addrtype == sdp_addr_ip4 ? 4 : 6);
		sip_fact(sum, FACT_MEDIA_CLOCK, m->m_rtpmaps != NULL ? m->m_rtpmaps->rm_rate : 0);
	}
	sdp_parser_free(parser);
	return true;
}

static bool run(struct str_view msg, bool with_sdp, uint64_t *sum)
{
	msg_t *m = msg_make(sip_default_mclass(), 0, msg.p, (ssize_t)msg.len);
	const sip_t *sip = sip_object(m);
	bool good = m != NULL && headers(sip, sum) && (!with_sdp || body(sip, sum));

	msg_destroy(m);
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

	return sip_bench_main(argc, argv, rows);
}
