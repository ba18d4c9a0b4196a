/* The part of a response that is copied from its request, and where it goes. */
#include "sip_build.h"
#include "sip_oc.h"

static void write_received(struct sip_writer *w, const char *addr, const uint16_t *port)
{
	sip_write_raw(w, SV(";received="));
	sip_write_text(w, addr);
	if (port == NULL)
		return;
	sip_write_raw(w, SV(";rport="));
	sip_write_uint(w, *port);
}

/*
 * The topmost Via with what section 18.2.1 and RFC 3581 section 4 add. received and rport that the
 * sender wrote itself are dropped: only what we saw counts.
 */
static void write_top_via(struct sip_writer *w, const struct sip_msg *req, struct str_view item)
{
	const struct sip_top_via *top = sip_msg_top_via(req);
	const struct net_endpoint *src = &req->path.remote;
	const struct sip_oc *oc = req->oc;
	bool asked = false;
	struct net_addr sent_by;
	struct sip_param param;
	struct str_view rest;
	char addr[NET_ADDR_STRLEN];

	if (top == NULL) {
		sip_write_value(w, item);
		return;
	}
	rest = top->via.params;
	if (rest.p == NULL || rest.len == 0)
		rest = (struct str_view){item.p + item.len, 0};
	sip_write_value(w, (struct str_view){item.p, (size_t)(rest.p - item.p)});
	for (;;) {
		struct str_view before = rest;

		if (sip_param_next(&rest, &param) != 1)
			break;
		if (sv_eq_nocase(param.name, SV("received")) ||
			sv_eq_nocase(param.name, SV("rport")))
			continue;
		/* RFC 7339: an offer becomes what we say, if we say anything. */
		if (oc != NULL && sip_oc_is_param(param.name)) {
			asked |= sv_eq_nocase(param.name, SV("oc"));
			continue;
		}
		sip_write_value(w, (struct str_view){before.p, before.len - rest.len});
	}
	net_addr_format(&src->addr, addr);
	if (top->via.has_rport)
		write_received(w, addr, &src->port);
	else if (net_addr_parse(top->via.host, &sent_by) != 0 || !net_addr_eq(&sent_by, &src->addr))
		write_received(w, addr, NULL);
	if (asked)
		sip_oc_write(w, oc);
}

static void write_vias(struct sip_writer *w, const struct sip_msg *req)
{
	struct str_view line, item;

	for (unsigned int i = 0; i < req->idx.n_vias; i++) {
		line = sip_msg_header(req, SIP_HDR_VIA, i);
		if (i != 0 || !sip_list_next(&line, &item)) {
			sip_write_header(w, "Via", line);
			continue;
		}
		sip_write_raw(w, SV("Via: "));
		write_top_via(w, req, item);
		while (sip_list_next(&line, &item)) {
			sip_write_raw(w, SV(", "));
			sip_write_value(w, item);
		}
		sip_write_raw(w, SV("\r\n"));
	}
}

static void copy_header(struct sip_writer *w, const struct sip_msg *req, enum sip_header_id id)
{
	struct str_view value = sip_msg_header(req, id, 0);

	if (value.p != NULL)
		sip_write_header(w, sip_header_name(id), value);
}

static void write_to(struct sip_writer *w, const struct sip_msg *req, struct str_view to,
	unsigned int status, struct str_view to_tag)
{
	if (to.p == NULL)
		return;
	sip_write_raw(w, SV("To: "));
	sip_write_value(w, to);
	/* Section 8.2.6.2: all but 100 carry a tag. */
	if (!req->idx.has_to_tag && to_tag.len != 0 && status != 100) {
		sip_write_raw(w, SV(";tag="));
		sip_write_value(w, to_tag);
	}
	sip_write_raw(w, SV("\r\n"));
}

void sip_response_start(struct sip_writer *w, const struct sip_msg *req, unsigned int status,
	const char *reason, struct str_view to_tag)
{
	sip_write_raw(w, SV("SIP/2.0 "));
	sip_write_uint(w, status);
	sip_write_raw(w, SV(" "));
	sip_write_text(w, reason != NULL ? reason : sip_reason_phrase(status));
	sip_write_raw(w, SV("\r\n"));
	/* The sender gets back what it wrote, or its request could not be answered at all. */
	w->nul_pair = true;
	write_vias(w, req);
	copy_header(w, req, SIP_HDR_FROM);
	write_to(w, req, sip_msg_header(req, SIP_HDR_TO, 0), status, to_tag);
	copy_header(w, req, SIP_HDR_CALL_ID);
	copy_header(w, req, SIP_HDR_CSEQ);
	if (status == 100) {
		struct str_view stamp =
			sip_header_find_name(req->buf, &req->idx, SV("Timestamp"), 0);

		/* Section 8.2.6.1. */
		if (stamp.p != NULL)
			sip_write_header(w, "Timestamp", stamp);
	}
	w->nul_pair = false;
}

bool sip_response_is_readable(struct str_view msg)
{
	struct sip_index idx;

	switch (sip_scan(msg.p, msg.len, &idx)) {
	case SIP_SCAN_NONE:
	case SIP_SCAN_CALL_ID:
	case SIP_SCAN_CSEQ:
	case SIP_SCAN_VIA:
	case SIP_SCAN_FROM_TO:
		return idx.msg_len == msg.len;
	default:
		return false;
	}
}

struct sip_path sip_response_path(const struct sip_msg *req)
{
	const struct sip_top_via *top = sip_msg_top_via(req);
	struct sip_path path = req->path;
	struct net_addr sent_by;

	/* Without rport the answer goes to the port that the Via names: some listen there and send
	 * from another one. Not behind NAT, where it is a port of the inside. */
	if (top != NULL && !top->via.has_rport && net_addr_parse(top->via.host, &sent_by) == 0 &&
		net_addr_eq(&sent_by, &path.remote.addr))
		path.remote.port = top->via.port != 0 ? top->via.port : 5060;
	return path;
}

static const char *const phrases[] = {
	/* RFC 3261 section 21, RFC 3262, 3265, 3329, 3428, 4028, 4412, 4474, 5360, 5626, 6665 */
	[100] = "Trying",
	[180] = "Ringing",
	[181] = "Call Is Being Forwarded",
	[182] = "Queued",
	[183] = "Session Progress",
	[199] = "Early Dialog Terminated",
	[200] = "OK",
	[202] = "Accepted",
	[204] = "No Notification",
	[300] = "Multiple Choices",
	[301] = "Moved Permanently",
	[302] = "Moved Temporarily",
	[305] = "Use Proxy",
	[380] = "Alternative Service",
	[400] = "Bad Request",
	[401] = "Unauthorized",
	[402] = "Payment Required",
	[403] = "Forbidden",
	[404] = "Not Found",
	[405] = "Method Not Allowed",
	[406] = "Not Acceptable",
	[407] = "Proxy Authentication Required",
	[408] = "Request Timeout",
	[410] = "Gone",
	[412] = "Conditional Request Failed",
	[413] = "Request Entity Too Large",
	[414] = "Request-URI Too Long",
	[415] = "Unsupported Media Type",
	[416] = "Unsupported URI Scheme",
	[417] = "Unknown Resource-Priority",
	[420] = "Bad Extension",
	[421] = "Extension Required",
	[422] = "Session Interval Too Small",
	[423] = "Interval Too Brief",
	[424] = "Bad Location Information",
	[428] = "Use Identity Header",
	[429] = "Provide Referrer Identity",
	[430] = "Flow Failed",
	[433] = "Anonymity Disallowed",
	[436] = "Bad Identity Info",
	[437] = "Unsupported Credential",
	[438] = "Invalid Identity Header",
	[439] = "First Hop Lacks Outbound Support",
	[440] = "Max-Breadth Exceeded",
	[469] = "Bad Info Package",
	[470] = "Consent Needed",
	[480] = "Temporarily Unavailable",
	[481] = "Call/Transaction Does Not Exist",
	[482] = "Loop Detected",
	[483] = "Too Many Hops",
	[484] = "Address Incomplete",
	[485] = "Ambiguous",
	[486] = "Busy Here",
	[487] = "Request Terminated",
	[488] = "Not Acceptable Here",
	[489] = "Bad Event",
	[491] = "Request Pending",
	[493] = "Undecipherable",
	[494] = "Security Agreement Required",
	[500] = "Server Internal Error",
	[501] = "Not Implemented",
	[502] = "Bad Gateway",
	[503] = "Service Unavailable",
	[504] = "Server Time-out",
	[505] = "Version Not Supported",
	[513] = "Message Too Large",
	[580] = "Precondition Failure",
	[600] = "Busy Everywhere",
	[603] = "Decline",
	[604] = "Does Not Exist Anywhere",
	[606] = "Not Acceptable",
};

const char *sip_reason_phrase(unsigned int status)
{
	return status < ARRAY_LEN(phrases) && phrases[status] != NULL ? phrases[status] : "Unknown";
}
