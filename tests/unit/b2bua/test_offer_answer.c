/*
 * Offer and answer through the box (RFC 3264): SDP in, SDP expected out, who may send then. Side A
 * is 192.0.2.66 and 2001:db8:1::66, side B 10.0.0.10 and 2001:db8:2::10. In what is expected, S
 * stands for the session id of that side and P for any port of ours.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attach.h"
#include "media_session.h"

#define STEPS_MAX 8
#define COMMANDS_MAX 64
#define A 0
#define B 1

/* What the sides write. */
#define SDP(addr, session, body) \
	"v=0\r\no=x 7 7 IN " addr "\r\ns=-\r\nc=IN " addr "\r\nt=0 0\r\n" session body
#define A4 "IP4 192.0.2.66"
#define A6 "IP6 2001:db8:1::66"
#define B4 "IP4 10.0.0.10"
#define B6 "IP6 2001:db8:2::10"
#define NOWHERE4 "IP4 0.0.0.0"
#define NOWHERE6 "IP6 ::"
#define AUDIO "m=audio 40000 RTP/AVP 0\r\n"
#define OFF "m=audio 0 RTP/AVP 0\r\n"

/* What we write: towards A and towards B. */
#define TO_A "IP4 192.0.2.1"
#define TO_A6 "IP6 2001:db8:1::1"
#define TO_B "IP4 10.0.0.1"
#define OURS_AT(origin, version, addr, body) \
	"v=0\r\no=- S " version " IN " origin "\r\ns=-\r\nc=IN " addr "\r\nt=0 0\r\n" body
#define OURS(addr, version, body) OURS_AT(addr, version, addr, body)
#define OUR_AUDIO(direction) "m=audio P RTP/AVP 0\r\na=" direction "\r\n"
#define OUR_IMAGE "m=image P udptl t38\r\na=T38FaxVersion:0\r\na=sendrecv\r\n"

enum what { END, OFFER, ANSWER, REJECT };

struct step {
	enum what what;
	unsigned int side; /* that says it */
	const char *in;
	const char *out; /* NULL: refused */
	int error;
	const char *may_send; /* on the first line, after an answer: "AB", "A", "B", "" */
};

#define OFFERS(by, offer, passed_on) \
	{ \
		.what = OFFER, .side = (by), .in = (offer), .out = (passed_on) \
	}
#define ANSWERS(by, answer, passed_on, senders) \
	{ \
		.what = ANSWER, .side = (by), .in = (answer), .out = (passed_on), \
		.may_send = (senders) \
	}
#define REFUSED(said, by, text, why) \
	{ \
		.what = (said), .side = (by), .in = (text), .error = (why) \
	}
#define REJECTED \
	{ \
		.what = REJECT \
	}

static const struct scenario {
	const char *name;
	bool moves; /* a port of ours changes, too */
	struct step step[STEPS_MAX];
} scenarios[] = {
	{"refreshed, nothing changed: versions stay", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				"AB"),
			OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				"AB"),
			OFFERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"held by sendonly at the line, resumed", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(A, SDP(A4, "", AUDIO "a=sendonly\r\n"),
				OURS(TO_B, "2", OUR_AUDIO("sendonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=recvonly\r\n"),
				OURS(TO_A, "2", OUR_AUDIO("recvonly")), "A"),
			OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "3", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"held by the callee, at the session", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(B, SDP(B4, "a=sendonly\r\n", AUDIO),
				OURS(TO_A, "2", OUR_AUDIO("sendonly"))),
			ANSWERS(A, SDP(A4, "a=recvonly\r\n", AUDIO),
				OURS(TO_B, "2", OUR_AUDIO("recvonly")), "B"),
			OFFERS(B, SDP(B4, "a=sendonly\r\n", AUDIO "a=sendrecv\r\n"),
				OURS(TO_A, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"held by inactive", false,
		{OFFERS(A, SDP(A4, "a=inactive\r\n", AUDIO),
			 OURS(TO_B, "1", OUR_AUDIO("inactive"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=inactive\r\n"),
				OURS(TO_A, "1", OUR_AUDIO("inactive")), "")}},
	{"held by recvonly: the other one plays", false,
		{OFFERS(A, SDP(A4, "", AUDIO "a=recvonly\r\n"),
			 OURS(TO_B, "1", OUR_AUDIO("recvonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=sendonly\r\n"),
				OURS(TO_A, "1", OUR_AUDIO("sendonly")), "B")}},
	{"held by c=0.0.0.0; the answerer knows no directions (RFC 2543)", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(A, SDP(NOWHERE4, "", AUDIO), OURS(TO_B, "2", OUR_AUDIO("sendonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "2", OUR_AUDIO("recvonly")), "A"),
			OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "3", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"held by c=0.0.0.0 of the line and inactive", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(B, SDP(B4, "", AUDIO "c=IN IP4 0.0.0.0\r\na=inactive\r\n"),
				OURS(TO_A, "2", OUR_AUDIO("inactive"))),
			ANSWERS(A, SDP(A4, "", AUDIO "a=inactive\r\n"),
				OURS(TO_B, "2", OUR_AUDIO("inactive")), "")}},
	{"held by c=:: on IPv6", false,
		{OFFERS(A, SDP(A6, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A6, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(A, SDP(NOWHERE6, "", AUDIO), OURS(TO_B, "2", OUR_AUDIO("sendonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=recvonly\r\n"),
				OURS(TO_A6, "2", OUR_AUDIO("recvonly")), "A"),
			OFFERS(A, SDP(A6, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A6, "3", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"held by both, then resumed by one", false,
		{OFFERS(A, SDP(A4, "", AUDIO "a=sendonly\r\n"),
			 OURS(TO_B, "1", OUR_AUDIO("sendonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=recvonly\r\n"),
				OURS(TO_A, "1", OUR_AUDIO("recvonly")), "A"),
			OFFERS(B, SDP(B4, "", AUDIO "a=inactive\r\n"),
				OURS(TO_A, "2", OUR_AUDIO("inactive"))),
			ANSWERS(A, SDP(A4, "", AUDIO "a=inactive\r\n"),
				OURS(TO_B, "2", OUR_AUDIO("inactive")), ""),
			OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO "a=sendonly\r\n"),
				OURS(TO_A, "3", OUR_AUDIO("sendonly")), "B")}},
	{"the first answer holds by c=0.0.0.0: nobody knows from where it might send", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(NOWHERE4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendonly")),
				"")}},
	{"refused lines keep their place, in both descriptions", false,
		{OFFERS(A,
			 SDP(A4, "",
				 "m=application 40006 UDP/BFCP *\r\n" AUDIO
				 "m=image 40004 TCP t38\r\nm=video 40008 RTP/AVP 99\r\n"
				 "a=rtpmap:99 VP8/90000\r\n" OFF),
			 OURS(TO_B, "1",
				 "m=application 0 UDP/BFCP *\r\n" OUR_AUDIO(
					 "sendrecv") "m=image 0 TCP t38\r\nm=video P RTP/AVP 99\r\n"
						     "a=rtpmap:99 "
						     "VP8/90000\r\na=sendrecv\r\n" OFF)),
			ANSWERS(B,
				SDP(B4, "",
					"m=application 0 UDP/BFCP *\r\n" AUDIO
					"m=image 0 TCP t38\r\nm=video 0 RTP/AVP 99\r\n" OFF),
				OURS(TO_A, "1",
					"m=application 0 UDP/BFCP *\r\n" OUR_AUDIO(
						"sendrecv") "m=image 0 TCP t38\r\nm=video 0 "
							    "RTP/AVP 99\r\n" OFF),
				NULL)}},
	{"a line is added, ended, and on again", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(B, SDP(B4, "", AUDIO AUDIO),
				OURS(TO_A, "2", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO AUDIO),
				OURS(TO_B, "2", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv")), "AB"),
			OFFERS(A, SDP(A4, "", OFF AUDIO),
				OURS(TO_B, "3", OFF OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", OFF AUDIO),
				OURS(TO_A, "3", OFF OUR_AUDIO("sendrecv")), NULL),
			OFFERS(A, SDP(A4, "", AUDIO AUDIO),
				OURS(TO_B, "4", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO OFF),
				OURS(TO_A, "4", OUR_AUDIO("sendrecv") OFF), "AB")}},
	{"lines never go away, and an answer has as many as the offer", false,
		{OFFERS(A, SDP(A4, "", AUDIO AUDIO),
			 OURS(TO_B, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			REFUSED(ANSWER, B, SDP(B4, "", AUDIO), -EBADMSG),
			REFUSED(ANSWER, B, SDP(B4, "", AUDIO AUDIO AUDIO), -EBADMSG),
			ANSWERS(B, SDP(B4, "", AUDIO AUDIO),
				OURS(TO_A, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv")), NULL),
			REFUSED(OFFER, B, SDP(B4, "", AUDIO), -ENOTSUP)}},
	{"speech becomes fax in the same line, and speech again", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(B, SDP(B4, "", "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n"),
				OURS(TO_A, "2", OUR_IMAGE)),
			ANSWERS(A, SDP(A4, "", "m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n"),
				OURS(TO_B, "2", OUR_IMAGE), "AB"),
			OFFERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"fax is refused: speech goes on", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(B, SDP(B4, "", "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n"),
				OURS(TO_A, "2", OUR_IMAGE)),
			REJECTED,
			OFFERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"an answer of another kind than the offer", false,
		{OFFERS(A, SDP(A4, "", AUDIO AUDIO),
			 OURS(TO_B, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO "m=image 5000 udptl t38\r\n"),
				OURS(TO_A, "1", OUR_AUDIO("sendrecv") "m=image 0 udptl t38\r\n"),
				"AB")}},
	{"events under different numbers, ptime, fmtp (RFC 4733)", false,
		{OFFERS(A,
			 SDP(A4, "",
				 "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 "
				 "telephone-event/8000\r\n"
				 "a=fmtp:101 0-15\r\na=ptime:30\r\na=maxptime:60\r\n"),
			 OURS(TO_B, "1",
				 "m=audio P RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
				 "a=fmtp:101 "
				 "0-15\r\na=ptime:30\r\na=maxptime:60\r\na=sendrecv\r\n")),
			ANSWERS(B,
				SDP(B4, "",
					"m=audio 50000 RTP/AVP 8 96\r\n"
					"a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-11\r\n"),
				OURS(TO_A, "1",
					"m=audio P RTP/AVP 8 96\r\na=rtpmap:96 "
					"telephone-event/8000\r\n"
					"a=fmtp:96 0-11\r\na=sendrecv\r\n"),
				"AB")}},
	{"rtcp-mux is offered and refused, then taken", false,
		{OFFERS(A, SDP(A4, "", AUDIO "a=rtcp-mux\r\n"),
			 OURS(TO_B, "1", "m=audio P RTP/AVP 0\r\na=rtcp-mux\r\na=sendrecv\r\n")),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(A, SDP(A4, "", AUDIO "a=rtcp-mux\r\n"),
				OURS(TO_B, "1",
					"m=audio P RTP/AVP 0\r\na=rtcp-mux\r\na=sendrecv\r\n")),
			ANSWERS(B, SDP(B4, "", AUDIO "a=rtcp-mux\r\n"),
				OURS(TO_A, "2",
					"m=audio P RTP/AVP 0\r\na=rtcp-mux\r\na=sendrecv\r\n"),
				"AB")}},
	{"nothing of the sender's own crosses", false,
		{OFFERS(A,
			 "v=0\r\no=secret 5 6 IN IP4 192.0.2.77\r\ns=secret\r\ni=secret\r\n"
			 "u=http://secret/\r\ne=secret@x\r\np=+1 secret\r\nc=IN IP4 192.0.2.66\r\n"
			 "t=3724394400 3724398000\r\nr=1 2 3\r\nz=0 0\r\nk=clear:secret\r\n"
			 "a=group:BUNDLE secret\r\na=ice-lite\r\na=tool:secret\r\na=cat:secret\r\n"
			 "a=msid-semantic: WMS secret\r\n" AUDIO
			 "i=secret\r\nk=clear:secret\r\na=mid:secret\r\na=label:secret\r\n"
			 "a=rtcp:40009 IN IP4 192.0.2.78\r\na=ssrc:1 cname:secret\r\n"
			 "a=candidate:1 1 UDP 1 192.0.2.79 40000 typ host\r\na=ice-ufrag:secret\r\n"
			 "a=msid:secret secret\r\na=oldmediaip:192.0.2.80\r\n"
			 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\n"
			 "a=rtpmap:0 PCMU/8000\r\na=fmtp:5 "
			 "host=secret\r\nb=X-secret:1\r\nx=secret\r\n",
			 OURS(TO_B, "1",
				 "m=audio P RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n")),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL)}},
	{"secured lines are refused, one by one", false,
		{OFFERS(A,
			 SDP(A4, "",
				 "m=audio 40000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
				 "inline:x\r\n"
				 "m=audio 40002 UDP/TLS/RTP/SAVPF 0\r\n" AUDIO),
			 OURS(TO_B, "1",
				 "m=audio 0 RTP/SAVP 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF "
				 "0\r\n" OUR_AUDIO("sendrecv"))),
			ANSWERS(B,
				SDP(B4, "",
					"m=audio 0 RTP/SAVP 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF "
					"0\r\n" AUDIO),
				OURS(TO_A, "1",
					"m=audio 0 RTP/SAVP 0\r\n"
					"m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n" OUR_AUDIO("sendrecv")),
				NULL)}},
	{"nothing remains", false,
		{REFUSED(OFFER, A, SDP(A4, "", "m=audio 40000 RTP/SAVP 0\r\n"), -ENOTSUP),
			REFUSED(OFFER, A, SDP(A4, "", "m=audio 40000 TCP/RTP/AVP 0\r\n"), -ENOTSUP),
			REFUSED(OFFER, A, SDP("IP4 host.example", "", AUDIO), -EADDRNOTAVAIL),
			REFUSED(ANSWER, B, SDP(B4, "", AUDIO), -EPROTO)}},
	{"the caller's family changes, and back", true,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				NULL),
			OFFERS(A, SDP(A6, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO),
				OURS_AT(TO_A, "2", TO_A6, OUR_AUDIO("sendrecv")), "AB"),
			OFFERS(A, SDP(NOWHERE4, "", AUDIO), OURS(TO_B, "2", OUR_AUDIO("sendonly"))),
			ANSWERS(B, SDP(B4, "", AUDIO),
				OURS_AT(TO_A, "3", TO_A6, OUR_AUDIO("recvonly")), "A"),
			OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "3", OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "4", OUR_AUDIO("sendrecv")),
				"AB")}},
	{"the callee's family changes, refused at first", true,
		{OFFERS(A, SDP(A4, "", AUDIO AUDIO),
			 OURS(TO_B, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			ANSWERS(B, SDP(B4, "", AUDIO AUDIO),
				OURS(TO_A, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv")), NULL),
			OFFERS(B, SDP(B6, "", AUDIO AUDIO),
				OURS(TO_A, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			REJECTED,
			OFFERS(B, SDP(B6, "", AUDIO AUDIO "c=IN " B4 "\r\n"),
				OURS(TO_A, "1", OUR_AUDIO("sendrecv") OUR_AUDIO("sendrecv"))),
			ANSWERS(A, SDP(A4, "", AUDIO AUDIO),
				OURS_AT(TO_B, "2", "IP6 2001:db8:2::1",
					OUR_AUDIO("sendrecv") "m=audio P RTP/AVP 0\r\nc=IN " TO_B
							      "\r\na=sendrecv\r\n"),
				"AB")}},
	{"an answer may not change the family", false,
		{OFFERS(A, SDP(A4, "", AUDIO), OURS(TO_B, "1", OUR_AUDIO("sendrecv"))),
			REFUSED(ANSWER, B, SDP(B6, "", AUDIO), -ENOTSUP),
			ANSWERS(B, SDP(B4, "", AUDIO), OURS(TO_A, "1", OUR_AUDIO("sendrecv")),
				"AB")}},
};

/* --- the box: media of two realms, and a dataplane that takes every command --- */

static struct config_realm realms[2];
static const struct config config = {.realms = realms, .n_realms = 2};
static struct media *media;
static union {
	struct cmd_hdr hdr;
	struct rec_stream_set set;
} command[COMMANDS_MAX];
static unsigned int n_commands;	    /* that are not answered */
static struct rec_stream_set first; /* the stream that was made first, as it was last set */

static int take_command(void *ctx, struct cmd_hdr *cmd, size_t len)
{
	assert_true(n_commands < COMMANDS_MAX && len <= sizeof(command[0]));
	memcpy(&command[n_commands++], cmd, len);
	return 0;
}

static void answer_commands(void)
{
	for (unsigned int i = 0; i < n_commands; i++) {
		struct rec_done done = {
			.hdr = {.len = sizeof(done), .type = REC_DONE, .version = API_VERSION},
			.cookie = command[i].hdr.cookie,
			.command = command[i].hdr.hdr.type,
		};

		if (done.command == REC_STREAM_SET &&
			(first.id == 0 || first.id == command[i].set.id))
			first = command[i].set;
		if (done.command == REC_STREAM_DEL && first.id == command[i].hdr.cookie)
			first.id = 0;
		assert_int_equal(media_on_event(media, &done.hdr, sizeof(done)), 0);
	}
	n_commands = 0;
}

static void add_media(struct config_realm *r, const char *addr)
{
	struct config_media *m = &r->media[r->n_media++];

	assert_int_equal(net_addr_parse((struct str_view){addr, strlen(addr)}, &m->addr), 0);
	m->port_min = 20000;
	m->port_max = 20099;
}

static int setup(void **state)
{
	const struct media_env env = {.config = &config, .shards = 1, .send = take_command};

	memset(realms, 0, sizeof(realms));
	add_media(&realms[A], "192.0.2.1");
	add_media(&realms[A], "2001:db8:1::1");
	add_media(&realms[B], "10.0.0.1");
	add_media(&realms[B], "2001:db8:2::1");
	for (unsigned int side = 0; side < 2; side++) {
		realms[side].nat = NAT_NEVER;
		realms[side].latch_prefix_v4 = 32;
		realms[side].latch_prefix_v6 = 128;
	}
	n_commands = 0;
	media = media_new(&env);
	return media != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	media_free(media);
	return 0;
}

/* --- what came out --- */

static uint64_t session_id[2];
static unsigned long told[2][SDP_MEDIA_MAX]; /* ports of each line */

/* The numbers that are drawn become S and P; the session id must stay what it was, and so must
 * ports. */
static void blank_numbers(unsigned int to, const char *text, bool moves, char *out, size_t cap)
{
	const char *id = strstr(text, "\r\no=- ") + 6;
	char *end;
	uint64_t n = strtoull(id, &end, 10);
	size_t len = (size_t)snprintf(out, cap, "%.*sS", (int)(id - text), text);
	unsigned int line = 0;

	if (session_id[to] == 0)
		session_id[to] = n;
	assert_true(n == session_id[to] && session_id[A] != session_id[B]);
	while (*end != '\0') {
		bool media_line = strncmp(end, "\r\nm=", 4) == 0;
		size_t copy = media_line ? strcspn(end, " ") + 1 : 1;
		unsigned long port;

		len += (size_t)snprintf(out + len, cap - len, "%.*s", (int)copy, end);
		end += copy;
		if (!media_line)
			continue;
		port = strtoul(end, &end, 10);
		assert_true(port == 0 || (port >= 20000 && port <= 20098 && port % 2 == 0));
		len += (size_t)snprintf(out + len, cap - len, port == 0 ? "0" : "P");
		if (port != 0 && told[to][line] != 0 && !moves)
			assert_int_equal(port, told[to][line]);
		if (port != 0)
			told[to][line] = port;
		line++;
	}
}

static void check_may_send(const char *want)
{
	char got[3] = "";
	size_t n = 0;

	for (unsigned int side = 0; side < 2; side++)
		if (first.id != 0 && (first.end[side].flags & STREAM_END_RECEIVE) != 0)
			got[n++] = "AB"[side];
	assert_string_equal(got, want);
}

static void play(struct media_session *s, const struct step *step, bool moves)
{
	static char out[8192], blank[8192];
	const struct str_view in = {step->in, step->in != NULL ? strlen(step->in) : 0};
	const struct net_addr source = {0};
	int rc;

	if (step->what == REJECT) {
		media_session_reject(s);
		return;
	}
	rc = (step->what == OFFER ? media_session_offer : media_session_answer)(
		s, step->side, in, &source, out, sizeof(out) - 1);
	if (step->out == NULL) {
		assert_int_equal(rc, step->error);
		return;
	}
	assert_true(rc > 0);
	out[rc] = '\0';
	blank_numbers(!step->side, out, moves, blank, sizeof(blank));
	assert_string_equal(blank, step->out);
	answer_commands();
	if (step->may_send != NULL)
		check_may_send(step->may_send);
}

static struct media_session *session_new(void)
{
	const struct media_side sides[2] = {
		{.realm = A, .family = NET_FAMILY_V4}, {.realm = B, .family = NET_FAMILY_V4}};

	session_id[A] = session_id[B] = 0;
	memset(told, 0, sizeof(told));
	first.id = 0;
	return media_session_new(media, 1, sides);
}

static void session_end(struct media_session *s)
{
	(void)media_session_end(s);
	answer_commands();
	assert_int_equal(media_get_stats(media)->sessions, 0);
	assert_int_equal(media_get_stats(media)->streams, 0);
	assert_int_equal(media_get_stats(media)->ports_used, 0);
}

static void test_scenarios(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		struct media_session *s = session_new();

		assert_non_null(s);
		for (unsigned int k = 0; k < STEPS_MAX && scenarios[i].step[k].what != END; k++) {
			print_message("%s, step %u\n", scenarios[i].name, k);
			play(s, &scenarios[i].step[k], scenarios[i].moves);
		}
		session_end(s);
	}
}

static int say(struct media_session *s, enum what what, unsigned int side, const char *sdp)
{
	static char out[8192];
	const struct net_addr source = {0};

	return (what == OFFER ? media_session_offer : media_session_answer)(
		s, side, (struct str_view){sdp, strlen(sdp)}, &source, out, sizeof(out));
}

/* A port is free again when the dataplane has the stream at the other one, not before; a move that
 * is refused, or that another offer replaces, costs none. */
static void test_ports_of_a_move(void **state)
{
	const struct media_stats *stats = media_get_stats(media);
	struct media_session *s = session_new();

	assert_true(say(s, OFFER, A, SDP(A4, "", AUDIO)) > 0);
	assert_true(say(s, ANSWER, B, SDP(B4, "", AUDIO)) > 0);
	answer_commands();
	assert_int_equal(stats->ports_used, 2);
	assert_true(say(s, OFFER, A, SDP(A6, "", AUDIO)) > 0);
	assert_int_equal(stats->ports_used, 3);
	assert_true(say(s, OFFER, A, SDP(A6, "", AUDIO)) > 0);
	assert_int_equal(stats->ports_used, 3);
	assert_true(say(s, OFFER, A, SDP(A4, "", AUDIO)) > 0);
	assert_int_equal(stats->ports_used, 2);
	assert_true(say(s, OFFER, A, SDP(A6, "", AUDIO)) > 0);
	media_session_reject(s);
	assert_int_equal(stats->ports_used, 2);
	assert_true(say(s, OFFER, A, SDP(A6, "", AUDIO)) > 0);
	assert_true(say(s, ANSWER, B, SDP(B4, "", AUDIO)) > 0);
	assert_int_equal(n_commands, 2);
	assert_int_equal(stats->ports_used, 3);
	/* Back again before that is through: later. */
	assert_int_equal(say(s, OFFER, A, SDP(A4, "", AUDIO)), -ENOSPC);
	assert_int_equal(stats->ports_used, 3);
	answer_commands();
	assert_int_equal(stats->ports_used, 2);
	assert_int_equal(first.end[A].local.addr.family, NET_FAMILY_V6);
	assert_int_equal(first.end[A].remote.addr.family, NET_FAMILY_V6);
	assert_true(say(s, OFFER, A, SDP(A4, "", AUDIO)) > 0);
	session_end(s);
}

/* The move cannot be said before the call ends: the stream is removed from where it is. */
static void test_end_of_an_unsaid_move(void **state)
{
	struct media_session *s = session_new();
	struct rec_stream_del del;
	uint16_t port;

	assert_true(say(s, OFFER, A, SDP(A4, "", "m=image 5000 udptl t38\r\n")) > 0);
	assert_true(say(s, ANSWER, B, SDP(B4, "", "m=image 5000 udptl t38\r\n")) > 0);
	answer_commands();
	port = first.end[A].local.port;
	assert_true(say(s, OFFER, A, SDP(A6, "", "m=image 5000 udptl t38\r\n")) > 0);
	assert_true(say(s, ANSWER, B, SDP(B4, "", "m=image 5000 udptl t38\r\n")) > 0);
	/* Said and refused: it stays where it was. */
	assert_int_equal(n_commands, 1);
	{
		struct rec_done done = {
			.hdr = {.len = sizeof(done), .type = REC_DONE, .version = API_VERSION},
			.cookie = command[0].hdr.cookie,
			.status = -ENOSPC,
			.command = REC_STREAM_SET,
		};

		assert_int_equal(media_on_event(media, &done.hdr, sizeof(done)), 0);
		n_commands = 0;
	}
	assert_int_equal(media_get_stats(media)->ports_used, 3);
	assert_false(media_session_end(s));
	assert_int_equal(n_commands, 1);
	memcpy(&del, &command[0], sizeof(del));
	assert_int_equal(del.local.addr.family, NET_FAMILY_V4);
	assert_int_equal(del.local.port, port);
	answer_commands();
	assert_int_equal(media_get_stats(media)->ports_used, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_scenarios),
		T(test_ports_of_a_move),
		T(test_end_of_an_unsaid_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
