/* The ACK and the CANCEL that a client transaction derives from its INVITE. */
#include "txn_priv.h"

/**
 * What both share (sections 9.1 and 17.1.1.3): Request-URI, the topmost Via alone, the Routes,
 * From, Call-ID and the CSeq number of the request.
 */
static struct str_view build(
	struct txn_layer *l, const struct sip_msg *request, const char *method, struct str_view to)
{
	struct str_view via = sip_msg_header(request, SIP_HDR_VIA, 0), item, route;
	struct sip_writer w;
	int len;

	sip_writer_init(&w, l->scratch, sizeof(l->scratch) - 1);
	sip_write_fmt(&w, "%s ", method);
	sip_write_value(&w, sip_msg_view(request, request->idx.uri));
	sip_write_raw(&w, SV(" SIP/2.0\r\n"));
	if (sip_list_next(&via, &item))
		sip_write_header(&w, "Via", item);
	for (unsigned int i = 0; (route = sip_msg_header(request, SIP_HDR_ROUTE, i)).p != NULL; i++)
		sip_write_header(&w, "Route", route);
	sip_write_raw(&w, SV("Max-Forwards: 70\r\n"));
	sip_write_header(&w, "From", sip_msg_header(request, SIP_HDR_FROM, 0));
	sip_write_header(&w, "To", to);
	sip_write_header(&w, "Call-ID", sip_msg_header(request, SIP_HDR_CALL_ID, 0));
	sip_write_fmt(&w, "CSeq: %u %s\r\n", (unsigned int)request->idx.cseq, method);
	sip_write_body(&w, (struct str_view){NULL, 0}, (struct str_view){NULL, 0});
	len = sip_writer_finish(&w);
	return (struct str_view){len < 0 ? NULL : l->scratch, len < 0 ? 0 : (size_t)len};
}

struct str_view client_ack_build(
	struct txn_layer *l, const struct sip_msg *request, const struct sip_msg *resp)
{
	return build(l, request, "ACK", sip_msg_header(resp, SIP_HDR_TO, 0));
}

struct str_view client_cancel_build(struct txn_layer *l, const struct sip_msg *request)
{
	return build(l, request, "CANCEL", sip_msg_header(request, SIP_HDR_TO, 0));
}
