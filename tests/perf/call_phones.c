/*
 * Callers in the access realm, each at one of CALLERS addresses, and the server in core that
 * answers them all. A caller's Call-ID names its place; the server keeps nothing: its To tag is
 * made of the Call-ID, so that it knows its dialogs again.
 */
#include "call_load.h"

#define MSG_MAX 4096

enum phone_state { PHONE_FREE, PHONE_INVITED, PHONE_ESTABLISHED, PHONE_LEAVING };

struct phone_call {
	uint64_t serial;
	enum phone_state state;
	bool held;
	char to_tag[64]; /* the box's */
	char target[64]; /* its Contact */
};

#define SDP \
	"v=0\r\no=alice 2890844526 2890844526 IN IP4 %s\r\ns=call\r\nc=IN IP4 %s\r\nt=0 0\r\n" \
	"m=audio %u RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n" \
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n" \
	"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"

/* Filled up to 1.1 KB as telephones do. */
#define MORE \
	"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, REFER\r\n" \
	"Supported: replaces, timer, 100rel\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n" \
	"P-Asserted-Identity: <sip:alice@example.com>\r\n" \
	"X-Trace: 4f1c9e27-3b8d-4c1f-9e27-3b8d4f1c9e27;sampled=1\r\n"

static const char server[] = "198.51.100.2";

static void caller_addr(uint64_t serial, struct net_endpoint *e, char text[NET_ADDR_STRLEN])
{
	uint32_t n = (uint32_t)(serial % CALLERS);
	const uint8_t ip[4] = {10, 64, (uint8_t)(n >> 8), (uint8_t)n};

	*e = (struct net_endpoint){.addr = net_addr_v4(ip), .port = 5060};
	snprintf(text, NET_ADDR_STRLEN, "10.64.%u.%u", n >> 8, n & 255);
}

void phones_init(struct phones *p, struct call_plane *plane, uint32_t places)
{
	*p = (struct phones){.plane = plane, .places = places, .n_free = places};
	p->calls = calloc(places, sizeof(p->calls[0]));
	p->free_places = calloc(places, sizeof(p->free_places[0]));
	if (p->calls == NULL || p->free_places == NULL)
		call_die("out of memory");
	for (uint32_t i = 0; i < places; i++)
		p->free_places[i] = i;
}

void phones_fini(struct phones *p)
{
	free(p->calls);
	free(p->free_places);
}

/* --- the caller --- */

static void caller_send(struct phones *p, uint32_t place, const char *method, uint32_t cseq)
{
	const struct phone_call *c = &p->calls[place];
	bool invite = strcmp(method, "INVITE") == 0;
	char ip[NET_ADDR_STRLEN], msg[MSG_MAX], sdp[1024];
	struct net_endpoint from;
	int len = 0, n;

	caller_addr(c->serial, &from, ip);
	if (invite)
		len = snprintf(sdp, sizeof(sdp), SDP, ip, ip, 20000 + 2 * (place % 20000));
	n = snprintf(msg, sizeof(msg),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK%llx-%s;rport\r\n"
		"Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice%u@example.com>;tag=f%llx\r\n"
		"To: <sip:bob%u@example.net>%s%s\r\nCall-ID: %08x-%llx-4c1f-9e27-3b8d@%s\r\n"
		"CSeq: %u %s\r\nContact: <sip:alice%u@%s:5060>\r\nUser-Agent: Telephone/4.2.1\r\n"
		"%s%sContent-Length: %d\r\n\r\n%.*s",
		method, c->target, ip, (unsigned long long)c->serial, method, place,
		(unsigned long long)c->serial, place, c->to_tag[0] != '\0' ? ";tag=" : "",
		c->to_tag, place, (unsigned long long)c->serial, ip, cseq, method, place, ip,
		invite ? MORE : "", invite ? "Content-Type: application/sdp\r\n" : "", len, len,
		sdp);
	plane_up(p->plane, REALM_ACCESS, &from, (struct str_view){msg, (size_t)n}, invite);
}

void phones_begin(struct phones *p)
{
	uint32_t place;
	struct phone_call *c;

	if (p->n_free == 0)
		call_die("all places are taken");
	place = p->free_places[--p->n_free];
	c = &p->calls[place];
	*c = (struct phone_call){.serial = ++p->serial, .state = PHONE_INVITED};
	snprintf(c->target, sizeof(c->target), "sip:bob%u@192.0.2.1", place);
	caller_send(p, place, "INVITE", 1);
}

static void caller_leave(struct phones *p, uint32_t place)
{
	p->held -= p->calls[place].held;
	p->calls[place].state = PHONE_LEAVING;
	caller_send(p, place, "BYE", 2);
}

void phones_hang_up(struct phones *p, uint32_t n)
{
	for (uint32_t i = 0; i < p->places && n > 0; i++)
		if (p->calls[i].held && p->calls[i].state == PHONE_ESTABLISHED) {
			caller_leave(p, i);
			n--;
		}
}

static void view_copy(char *to, size_t cap, struct str_view from)
{
	if (from.len == 0 || from.len >= cap)
		call_die("the box sends '%.*s'", SV_ARG(from));
	memcpy(to, from.p, from.len);
	to[from.len] = '\0';
}

/* Address and port where media shall go, read from the SDP; checked against what belongs there. */
static void sdp_check(const char *msg, const char *addr)
{
	const char *c = strstr(msg, "\r\nc=IN IP4 "), *m = strstr(msg, "\r\nm=audio ");
	unsigned long port;

	if (c == NULL || m == NULL || strncmp(c + 11, addr, strlen(addr)) != 0)
		call_die("no SDP of the box in:\n%s", msg);
	port = strtoul(m + 10, NULL, 10);
	if (port < 10000 || port % 2 != 0)
		call_die("no port of the box in:\n%s", msg);
}

static void caller_established(
	struct phones *p, uint32_t place, const char *msg, const struct sip_index *idx)
{
	struct phone_call *c = &p->calls[place];
	struct sip_name_addr contact;

	sdp_check(msg, "192.0.2.");
	if (sip_name_addr_parse(sip_header_find(msg, idx, SIP_HDR_CONTACT, 0), &contact) != 0)
		call_die("no Contact in:\n%s", msg);
	view_copy(c->target, sizeof(c->target), contact.uri);
	caller_send(p, place, "ACK", 1);
	p->established++;
	c->state = PHONE_ESTABLISHED;
	if (p->hold) {
		c->held = true;
		p->held++;
	} else {
		caller_leave(p, place);
	}
}

static void caller_take(struct phones *p, const char *msg, const struct sip_index *idx)
{
	uint32_t place = (uint32_t)strtoul(msg + idx->call_id.off, NULL, 16);
	struct str_view tag = sip_span_view(msg, idx->to_tag);
	struct phone_call *c;

	if (place >= p->places || p->calls[place].state == PHONE_FREE)
		call_die("a caller who is not there gets:\n%s", msg);
	c = &p->calls[place];
	if (c->to_tag[0] == '\0')
		view_copy(c->to_tag, sizeof(c->to_tag), tag);
	if (!sv_eq(tag, (struct str_view){c->to_tag, strlen(c->to_tag)}))
		call_die("another To tag than before in:\n%s", msg);
	if (c->state == PHONE_INVITED && idx->method == SIP_INVITE && idx->status == 200) {
		caller_established(p, place, msg, idx);
	} else if (c->state == PHONE_LEAVING && idx->method == SIP_BYE && idx->status == 200) {
		c->state = PHONE_FREE;
		p->free_places[p->n_free++] = place;
		p->ended++;
	} else if (c->state != PHONE_INVITED || idx->status != 180) {
		call_die("nothing to expect for a caller in state %d:\n%s", (int)c->state, msg);
	}
}

/* --- the server --- */

static uint32_t call_id_hash(const char *msg, const struct sip_index *idx)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (unsigned int i = 0; i < idx->call_id.len; i++)
		h = (h ^ (uint8_t)msg[idx->call_id.off + i]) * 16777619u;
	return h;
}

static void server_reply(struct phones *p, const char *msg, const struct sip_index *idx,
	const char *status, const char *sdp)
{
	struct str_view via = sip_header_find(msg, idx, SIP_HDR_VIA, 0);
	struct str_view from = sip_header_find(msg, idx, SIP_HDR_FROM, 0);
	struct str_view to = sip_header_find(msg, idx, SIP_HDR_TO, 0);
	struct str_view cseq = sip_header_find(msg, idx, SIP_HDR_CSEQ, 0);
	struct net_endpoint here = {.port = 5060};
	char out[MSG_MAX], tag[32] = "";
	int n;

	net_addr_parse((struct str_view){server, sizeof(server) - 1}, &here.addr);
	if (!idx->has_to_tag && strncmp(status, "100", 3) != 0)
		snprintf(tag, sizeof(tag), ";tag=s%08x", call_id_hash(msg, idx));
	n = snprintf(out, sizeof(out),
		"SIP/2.0 %s\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s%s\r\nCall-ID: %.*s\r\n"
		"CSeq: %.*s\r\nContact: <sip:server@%s:5060>\r\nServer: Softswitch/7.1\r\n"
		"%sContent-Length: %zu\r\n\r\n%s",
		status, SV_ARG(via), SV_ARG(from), SV_ARG(to), tag,
		SV_ARG(sip_span_view(msg, idx->call_id)), SV_ARG(cseq), server,
		sdp[0] != '\0' ? "Content-Type: application/sdp\r\n" : "", strlen(sdp), sdp);
	plane_up(p->plane, REALM_CORE, &here, (struct str_view){out, (size_t)n}, false);
}

static void server_take(struct phones *p, const char *msg, const struct sip_index *idx)
{
	char sdp[1024], tag[16];

	if (idx->has_to_tag) {
		snprintf(tag, sizeof(tag), "s%08x", call_id_hash(msg, idx));
		if (!sv_eq(sip_span_view(msg, idx->to_tag), (struct str_view){tag, strlen(tag)}))
			call_die("a dialog that the server does not have:\n%s", msg);
	}
	switch (idx->method) {
	case SIP_INVITE:
		sdp_check(msg, "198.51.100.");
		snprintf(sdp, sizeof(sdp), SDP, server, server,
			20000 + 2 * (call_id_hash(msg, idx) % 20000));
		server_reply(p, msg, idx, "100 Trying", "");
		server_reply(p, msg, idx, "180 Ringing", "");
		server_reply(p, msg, idx, "200 OK", sdp);
		break;
	case SIP_BYE:
		p->left++;
		server_reply(p, msg, idx, "200 OK", "");
		break;
	case SIP_ACK:
		p->acked++;
		break;
	default:
		call_die("nothing that the server serves:\n%s", msg);
	}
}

void phones_take(struct phones *p, const struct rec_sip_down *rec, const char *msg, size_t len)
{
	static struct sip_index idx;

	if (sip_scan(msg, len, &idx) != SIP_SCAN_NONE || idx.msg_len != len)
		call_die("the box sends what does not scan:\n%s", msg);
	if (rec->realm == REALM_ACCESS && idx.status != 0)
		caller_take(p, msg, &idx);
	else if (rec->realm == REALM_CORE && idx.status == 0)
		server_take(p, msg, &idx);
	else
		call_die("not for realm %u:\n%s", rec->realm, msg);
}
