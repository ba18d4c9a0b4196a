#include "sip_messages.h"

#include <stdarg.h>

/* What one sender writes differs from the next in length, so that no parser can learn one
 * message by heart. */
static const char *const users[] = {"alice", "bob", "+498912345678", "+12015550123", "1001",
	"j.smith-17", "reception", "+4930901820", "0041443001234", "gw_trunk-2", "7712", "carol"};
static const char *const displays[] = {"", "\"Alice\" ", "", "\"Bob Miller\" ",
	"\"+49 89 12345678\" ", "", "Carol ", "\"Front Desk, 2nd floor\" "};
static const char *const domains[] = {"example.com", "sip.example.net", "pbx-2.office.example.org",
	"ims.mnc001.mcc262.3gppnetwork.org", "203.0.113.77", "voip.example"};
static const char *const agents[] = {"Telephone/4.2.1", "Yealink SIP-T54W 96.86.0.70",
	"Cisco-CP8851/12.8", "snomD785/10.1.64.14", "Linphone-Desktop/4.4.8 (belle-sip/5.1.64)",
	"PolyEdge-Edge_E350-UA/8.0.2.3153"};
static const char *const allows[] = {
	"INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, REFER",
	"INVITE,ACK,OPTIONS,BYE,CANCEL,NOTIFY,INFO,MESSAGE,UPDATE",
	"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, PRACK",
	"ACK, BYE, CANCEL, INFO, INVITE, NOTIFY, OPTIONS, PRACK, REFER, UPDATE"};
static const char *const supports[] = {"replaces, timer, 100rel", "timer,replaces,outbound",
	"100rel, replaces, from-change, timer, norefersub", "path, gruu, timer"};
static const char *const codecs[] = {
	"m=audio %u RTP/AVP 9 8 0 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
	"a=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
	"m=audio %u RTP/AVP 9 8 0 96\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
	"a=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n"
	"a=sendrecv\r\na=maxptime:40\r\na=ptime:20\r\n",
	"m=audio %u RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-15\r\na=silenceSupp:off - - - -\r\na=ptime:30\r\na=sendrecv\r\n",
	"m=audio %u RTP/AVP 96 8 97\r\nb=AS:64\r\na=rtpmap:96 opus/48000/2\r\n"
	"a=fmtp:96 useinbandfec=1\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\n"
	"a=rtcp:%u\r\na=ptime:20\r\n",
};

#define PICK(list) (list)[pick(ARRAY_LEN(list))]

/* xorshift: the same messages in every run. */
static uint32_t pick(uint32_t n)
{
	static uint32_t x = 0x2545f491;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % n;
}

struct text {
	char *p;
	size_t len;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->p + t->len, SIP_MESSAGE_MAX - t->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= SIP_MESSAGE_MAX - t->len) {
		fprintf(stderr, "a message is longer than %u\n", SIP_MESSAGE_MAX);
		exit(1);
	}
	t->len += (size_t)n;
}

/* A token of 8 to 24 characters. */
static void add_token(struct text *t)
{
	for (uint32_t n = 8 + pick(17); n > 0; n--)
		add(t, "%c", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-."[pick(48)]);
}

enum part {
	VIA,
	MAX_FORWARDS,
	FROM,
	TO,
	CALL_ID,
	CSEQ,
	CONTACT,
	CONTENT_TYPE,
	PART_ALLOW,
	PART_SUPPORTED,
	PART_AGENT,
	PART_IDENTITY,
	PART_TIMER,
	PART_SESSION_ID,
	PART_ACCEPT,
	PARTS
};

/* Orders as they are found with telephones, softphones and trunks. */
static const uint8_t orders[][PARTS] = {
	{VIA, MAX_FORWARDS, FROM, TO, CALL_ID, CSEQ, CONTACT, PART_AGENT, PART_ALLOW,
		PART_SUPPORTED, PART_TIMER, PART_IDENTITY, PART_ACCEPT, PART_SESSION_ID,
		CONTENT_TYPE},
	{VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, CONTENT_TYPE, PART_ALLOW, MAX_FORWARDS, PART_AGENT,
		PART_ACCEPT, PART_SUPPORTED, PART_TIMER, PART_IDENTITY, PART_SESSION_ID},
	{VIA, CONTACT, TO, FROM, CALL_ID, CSEQ, PART_TIMER, PART_ALLOW, CONTENT_TYPE,
		PART_SUPPORTED, PART_AGENT, PART_SESSION_ID, PART_ACCEPT, PART_IDENTITY,
		MAX_FORWARDS},
	{VIA, FROM, TO, CSEQ, CALL_ID, PART_IDENTITY, MAX_FORWARDS, PART_SUPPORTED, PART_ALLOW,
		PART_AGENT, CONTACT, PART_TIMER, PART_SESSION_ID, CONTENT_TYPE, PART_ACCEPT},
};

struct caller {
	const char *user;
	char host[32];
	uint32_t port; /* 0: none is written */
};

static void caller_make(struct caller *c)
{
	c->user = PICK(users);
	c->port = pick(4) == 0 ? 0 : 5060 + pick(3000);
	if (pick(16) == 0)
		snprintf(c->host, sizeof(c->host), "[2001:db8:%x::%x]", pick(65536), pick(65536));
	else
		snprintf(c->host, sizeof(c->host), "192.%u.%u.%u", pick(256), pick(256), pick(256));
}

static void add_port(struct text *t, uint32_t port)
{
	if (port != 0)
		add(t, ":%u", port);
}

static void add_via(struct text *t, const struct caller *c)
{
	/* One in four comes by a proxy. */
	if (pick(4) == 0) {
		add(t, "Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK", PICK(domains));
		add_token(t);
		add(t, "\r\n");
	}
	add(t, "Via: SIP/2.0/UDP %s", c->host);
	add_port(t, c->port);
	add(t, "%s;branch=z9hG4bK", pick(2) == 0 ? ";rport" : "");
	add_token(t);
	add(t, "\r\n");
}

static void add_part(struct text *t, const struct caller *c, enum part part)
{
	switch (part) {
	case VIA:
		add_via(t, c);
		break;
	case MAX_FORWARDS:
		add(t, "Max-Forwards: %u\r\n", 60 + pick(11));
		break;
	case FROM:
		add(t, "From: %s<sip:%s@%s>;tag=", PICK(displays), c->user, PICK(domains));
		add_token(t);
		add(t, "\r\n");
		break;
	case TO:
		add(t, "To: %s<sip:%s@%s%s>\r\n", PICK(displays), PICK(users), PICK(domains),
			pick(4) == 0 ? ";user=phone" : "");
		break;
	case CALL_ID:
		add(t, "Call-ID: ");
		add_token(t);
		add(t, pick(3) == 0 ? "\r\n" : "@%s\r\n", PICK(domains));
		break;
	case CSEQ:
		add(t, "CSeq: %u INVITE\r\n", 1 + pick(pick(2) == 0 ? 200 : 2000000));
		break;
	case CONTACT:
		add(t, "Contact: <sip:%s@%s", c->user, c->host);
		add_port(t, c->port);
		add(t, "%s>\r\n", pick(2) == 0 ? ";transport=udp" : "");
		break;
	case CONTENT_TYPE:
		add(t, "Content-Type: application/sdp\r\n");
		break;
	case PART_ALLOW:
		add(t, "Allow: %s\r\n", PICK(allows));
		break;
	case PART_SUPPORTED:
		add(t, "Supported: %s\r\n", PICK(supports));
		break;
	case PART_AGENT:
		add(t, "User-Agent: %s\r\n", PICK(agents));
		break;
	case PART_IDENTITY:
		if (pick(2) == 0)
			add(t, "P-Asserted-Identity: <sip:%s@%s>\r\n", c->user, PICK(domains));
		break;
	case PART_TIMER:
		if (pick(3) != 0)
			add(t, "Session-Expires: 1800\r\nMin-SE: 90\r\n");
		break;
	case PART_SESSION_ID:
		if (pick(2) == 0)
			add(t, "Session-ID: %08x%08x%08x%08x;remote=%032u\r\n", pick(UINT32_MAX),
				pick(UINT32_MAX), pick(UINT32_MAX), pick(UINT32_MAX), 0);
		break;
	case PART_ACCEPT:
		add(t, "Accept: application/sdp%s\r\n",
			pick(2) == 0 ? "" : ", application/dtmf-relay, text/plain");
		break;
	default:
		break;
	}
}

static void add_body(struct text *t, const struct caller *c)
{
	const char *family = c->host[0] == '[' ? "IP6" : "IP4";
	const char *address = c->host[0] == '[' ? "2001:db8::77" : c->host;
	uint32_t session = pick(UINT32_MAX), port = 16384 + 2 * pick(8192);

	add(t, "v=0\r\no=%s %u %u IN %s %s\r\ns=%s\r\nc=IN %s %s\r\nt=0 0\r\n", c->user, session,
		session + pick(9), family, address, pick(2) == 0 ? "-" : "call", family, address);
	/* Not each of them has a place for the second number. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	add(t, PICK(codecs), port, port + 1);
#pragma GCC diagnostic pop
}

static void message_build(struct text *t)
{
	static char body_text[SIP_MESSAGE_MAX];
	struct text body = {body_text, 0};
	const uint8_t *order = PICK(orders);
	struct caller c;

	caller_make(&c);
	add_body(&body, &c);
	add(t, "INVITE sip:%s@%s", PICK(users), PICK(domains));
	add_port(t, pick(3) == 0 ? 5060 : 0);
	add(t, "%s SIP/2.0\r\n", pick(3) == 0 ? ";user=phone" : "");
	for (unsigned int i = 0; i < PARTS; i++)
		add_part(t, &c, (enum part)order[i]);
	add(t, "Content-Length: %zu\r\n\r\n%.*s", body.len, (int)body.len, body.p);
}

void sip_messages_build(struct sip_messages *m)
{
	char *p = m->bytes;

	for (unsigned int i = 0; i < SIP_MESSAGES; i++) {
		struct text t = {p, 0};

		message_build(&t);
		m->msg[i] = (struct str_view){t.p, t.len};
		p += t.len;
	}
}
