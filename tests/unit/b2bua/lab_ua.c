/* The two phones of the lab, and reading what they got. */
#include "lab.h"

const char *lab_header(const char *msg, const char *name)
{
	static char out[4][1024];
	static unsigned int turn;
	char *buf = out[turn++ % 4];
	char key[64];
	const char *at, *end;

	buf[0] = '\0';
	snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = strstr(msg, key);
	if (at == NULL || at > strstr(msg, "\r\n\r\n"))
		return buf;
	at += strlen(key);
	end = strstr(at, "\r\n");
	snprintf(buf, sizeof(out[0]), "%.*s", (int)(end - at), at);
	return buf;
}

const char *lab_body(const char *msg)
{
	return strstr(msg, "\r\n\r\n") + 4;
}

const char *lab_tag(const char *value)
{
	static char out[4][64];
	static unsigned int turn;
	char *buf = out[turn++ % 4];
	const char *at = strstr(value, ";tag=");

	buf[0] = '\0';
	if (at != NULL)
		snprintf(buf, sizeof(out[0]), "%.*s", (int)strcspn(at + 5, ";\r"), at + 5);
	return buf;
}

/* "<sip:a@b>;x" gives "sip:a@b". */
static void uri_of(const char *value, char out[256])
{
	const char *lt = strchr(value, '<');

	assert_non_null(lt);
	snprintf(out, 256, "%.*s", (int)strcspn(lt + 1, ">"), lt + 1);
}

static struct ua caller_at(struct lab *l, const char *user, const char *here, const char *box)
{
	static unsigned int serial;
	struct ua u = {.lab = l, .side = OUTSIDE, .cseq = 1};

	serial++;
	snprintf(u.addr, sizeof(u.addr), "%s:5060", here);
	snprintf(u.call_id, sizeof(u.call_id), "outside-call-%u@%s", serial, here);
	snprintf(u.tag, sizeof(u.tag), "outside-tag-%u", serial);
	snprintf(u.target, sizeof(u.target), "sip:%s@%s", user, box);
	snprintf(u.from, sizeof(u.from), "\"Alice A.\" <sip:alice@%s>", here);
	snprintf(u.to, sizeof(u.to), "<sip:%s@%s>", user, box);
	return u;
}

struct ua ua_caller(struct lab *l, const char *user)
{
	return caller_at(l, user, "192.0.2.66", "192.0.2.1");
}

struct ua ua_caller6(struct lab *l, const char *user)
{
	return caller_at(l, user, "[2001:db8:1::66]", "[2001:db8:1::1]");
}

struct ua ua_callee(struct lab *l, const char *invite)
{
	static unsigned int serial;
	struct ua u = {.lab = l, .side = INSIDE, .cseq = 100};

	serial++;
	snprintf(u.addr, sizeof(u.addr), "%s",
		strstr(lab_header(invite, "To"), "@[") ? "[2001:db8:2::10]:5060"
						       : "10.0.0.10:5060");
	snprintf(u.call_id, sizeof(u.call_id), "%s", lab_header(invite, "Call-ID"));
	snprintf(u.tag, sizeof(u.tag), "inside-tag-%u", serial);
	snprintf(u.remote_tag, sizeof(u.remote_tag), "%s", lab_tag(lab_header(invite, "From")));
	uri_of(lab_header(invite, "Contact"), u.target);
	snprintf(u.from, sizeof(u.from), "%s", lab_header(invite, "To"));
	snprintf(u.to, sizeof(u.to), "%.*s", (int)strcspn(lab_header(invite, "From"), ";"),
		lab_header(invite, "From"));
	return u;
}

/* A body is SDP, unless the headers say otherwise. */
static int put_body(char *buf, size_t cap, const char *body, const char *headers)
{
	bool typed = headers != NULL && strstr(headers, "Content-Type:") != NULL;

	return snprintf(buf, cap, "%sContent-Length: %zu\r\n\r\n%s",
		body && !typed ? "Content-Type: application/sdp\r\n" : "", body ? strlen(body) : 0,
		body ? body : "");
}

static const char *word(const struct ua *u)
{
	return u->side == OUTSIDE ? "outside" : "inside";
}

void ua_request(struct ua *u, const char *method, uint32_t cseq, const char *sdp, const char *extra)
{
	static char text[65536];
	int n = snprintf(text, sizeof(text),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%u\r\nMax-Forwards: 70\r\n"
		"From: %s;tag=%s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Contact: <sip:%s@%s>\r\nUser-Agent: %s\r\nX-Secret: %s\r\n%s",
		method, u->target, u->addr, u->tag,
		strcmp(method, "CANCEL") == 0 ? u->branch : ++u->branch, u->from, u->tag, u->to,
		u->remote_tag[0] ? ";tag=" : "", u->remote_tag, u->call_id, cseq, method, word(u),
		u->addr, word(u), word(u), extra ? extra : "");

	n += put_body(text + n, sizeof(text) - (size_t)n, sdp, extra);
	lab_feed(u->lab, u->side, u->addr, text, (size_t)n);
}

void ua_respond(
	struct ua *u, const char *request, unsigned int status, const char *sdp, const char *extra)
{
	static char text[65536];
	const char *to = lab_header(request, "To");
	int n = snprintf(text, sizeof(text), "SIP/2.0 %u %s said so\r\nVia: %s\r\n", status,
		word(u), lab_header(request, "Via"));

	n += snprintf(text + n, sizeof(text) - (size_t)n, "From: %s\r\nTo: %s%s%s\r\n",
		lab_header(request, "From"), to,
		strstr(to, ";tag=") ? "" : ";tag=", strstr(to, ";tag=") ? "" : u->tag);
	n += snprintf(text + n, sizeof(text) - (size_t)n,
		"Call-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s@%s>\r\nServer: %s\r\n"
		"Warning: 399 %s \"%s\"\r\n%s",
		lab_header(request, "Call-ID"), lab_header(request, "CSeq"),
		status / 100 == 3 ? "elsewhere" : word(u), u->addr, word(u), u->addr, word(u),
		extra ? extra : "");
	n += put_body(text + n, sizeof(text) - (size_t)n, sdp, extra);
	lab_feed(u->lab, u->side, u->addr, text, (size_t)n);
}

void ua_learn(struct ua *u, const char *response)
{
	snprintf(u->remote_tag, sizeof(u->remote_tag), "%s", lab_tag(lab_header(response, "To")));
	if (lab_header(response, "Contact")[0] != '\0')
		uri_of(lab_header(response, "Contact"), u->target);
}

struct ua lab_call(struct lab *l, struct ua *caller, const char **invite)
{
	*caller = ua_caller(l, "bob");
	ua_request(caller, "INVITE", caller->cseq, OUTSIDE_SDP, NULL);
	*invite = lab_expect(l, INSIDE, "INVITE sip:bob@10.0.0.10:5060 SIP/2.0\r\n");
	return ua_callee(l, *invite);
}

void lab_establish(struct lab *l, struct ua *caller, struct ua *callee)
{
	const char *invite, *ok;

	*callee = lab_call(l, caller, &invite);
	ua_respond(callee, invite, 180, NULL, NULL);
	lab_expect(l, OUTSIDE, "SIP/2.0 180 Ringing\r\n");
	ua_respond(callee, invite, 200, INSIDE_SDP, NULL);
	lab_expect(l, INSIDE, "ACK ");
	ok = lab_expect(l, OUTSIDE, "SIP/2.0 200 OK\r\n");
	ua_learn(caller, ok);
	ua_request(caller, "ACK", caller->cseq, NULL, NULL);
	lab_expect_none(l, INSIDE);
	lab_expect_none(l, OUTSIDE);
}

void lab_hang_up(struct lab *l, struct ua *caller, struct ua *callee)
{
	const char *bye;

	ua_request(caller, "BYE", ++caller->cseq, NULL, NULL);
	lab_expect(l, OUTSIDE, "SIP/2.0 200 OK\r\n");
	bye = lab_expect(l, INSIDE, "BYE ");
	ua_respond(callee, bye, 200, NULL, NULL);
}
