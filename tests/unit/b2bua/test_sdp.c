/* SDP: what is read, what is refused, what is written; and the corpus. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../sip/guard_page.h"
#include "sdp.h"

#define HEAD "v=0\r\no=jdoe 1 2 IN IP4 192.0.2.66\r\ns=secret\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n"
#define HEAD_NO_C "v=0\r\no=jdoe 1 2 IN IP4 192.0.2.66\r\ns=-\r\nt=0 0\r\n"
#define AUDIO "m=audio 40000 RTP/AVP 0\r\n"

static struct str_view text_of(const char *s)
{
	return (struct str_view){s, strlen(s)};
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		unsigned int n_media;
		const char *addr; /* of the first m= line; "" none */
		uint16_t port, rtcp_port;
		enum sdp_kind kind;
		enum sdp_direction direction;
	} cases[] = {
		{HEAD AUDIO, 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{"v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 "
		 "RTP/AVP 8",
			1, "192.0.2.9", 4000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD AUDIO "c=IN IP4 192.0.2.67\r\na=inactive\r\n", 1, "192.0.2.67", 40000, 0,
			SDP_KIND_RTP, SDP_INACTIVE},
		{HEAD "a=sendonly\r\n" AUDIO, 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP,
			SDP_SENDONLY},
		{HEAD "a=sendonly\r\n" AUDIO "a=recvonly\r\n", 1, "192.0.2.66", 40000, 0,
			SDP_KIND_RTP, SDP_RECVONLY},
		{HEAD AUDIO "a=rtcp:53020 IN IP4 192.0.2.68\r\n", 1, "192.0.2.66", 40000, 53020,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD AUDIO "a=rtcp:99999\r\n", 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 0 RTP/AVP 0\r\n", 1, "192.0.2.66", 0, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD "m=image 4000 udptl t38\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_UDPTL,
			SDP_SENDRECV},
		{HEAD "m=audio 4000 RTP/SAVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 4000 rtp/avpf 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=image 4000 UDPTL t38\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_UDPTL,
			SDP_SENDRECV},
		/* No s=, no t=, spaces behind the lines, other line ends, other letters. */
		{"v=0 \no=- 1 1 IN IP4 1.2.3.4 \r\nc=IN IP4 192.0.2.9 \nm=audio 4000 RTP/AVP 8 \t\n"
		 "a=SendOnly \na= \na=\na=rtcp: 4009\n",
			1, "192.0.2.9", 4000, 4009, SDP_KIND_RTP, SDP_SENDONLY},
		{HEAD "m=audio 4000 RTP/AVP 8 8 0 8\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 4000/2 RTP/AVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=audio 4000/1 RTP/AVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 53 RTP/AVP 0\r\n", 1, "192.0.2.66", 53, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=audio 4000 RTP/AVP 128\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel\r\n", 1, "192.0.2.66",
			4000, 0, SDP_KIND_REFUSED, SDP_SENDRECV},
		{HEAD_NO_C AUDIO, 1, "", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 host.example\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 ::1\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 192.0.2.66/127/3\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 2001:db8::1\r\n" AUDIO, 1, "2001:db8::1", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 ::ffff:192.0.2.5\r\n" AUDIO, 1, "192.0.2.5", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 ::\r\n" AUDIO, 1, "::", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 192.0.2.5\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 fe80::1%eth0\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 FF1E:03AD::7F2E:172A:1E24/3\r\n" AUDIO, 1, "", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 2001:db8::1\r\n" AUDIO
			   "c=IN IP6 2001:db8::2\r\na=rtcp:53020 IN IP6 2001:db8::3\r\n",
			1, "2001:db8::2", 40000, 53020, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD, 0, "", 0, 0, SDP_KIND_REFUSED, SDP_SENDRECV},
		{HEAD AUDIO "\r\n\r\n", 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char addr[NET_ADDR_STRLEN] = "";
		struct sdp sdp;

		print_message("case %zu\n", i);
		assert_int_equal(sdp_parse(text_of(cases[i].text), &sdp), 0);
		assert_int_equal(sdp.n_media, cases[i].n_media);
		if (sdp.n_media == 0)
			continue;
		if (sdp.media[0].addr.family != NET_FAMILY_NONE)
			net_addr_format(&sdp.media[0].addr, addr);
		assert_string_equal(addr, cases[i].addr);
		assert_int_equal(sdp.media[0].port, cases[i].port);
		assert_int_equal(sdp.media[0].rtcp_port, cases[i].rtcp_port);
		assert_int_equal(sdp.media[0].kind, cases[i].kind);
		assert_int_equal(sdp.media[0].direction, cases[i].direction);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EBADMSG},
		{"v=1\r\no=- 1 1 IN IP4 1.2.3.4\r\n", -EBADMSG},
		{"o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\n", -EBADMSG},
		{"v=0\r\ns=-\r\nt=0 0\r\n", -EBADMSG},
		{HEAD HEAD, -EBADMSG},
		{HEAD "m\r\n", -EBADMSG},
		{HEAD "=x\r\n", -EBADMSG},
		{HEAD "\r\n" AUDIO, -EBADMSG},
		{HEAD "m=audio\r\n", -EBADMSG},
		{HEAD "m=audio 4000\r\n", -EBADMSG},
		{HEAD "m=audio 4000 RTP/AVP\r\n", -EBADMSG},
		{HEAD "m=audio 4000 RTP/AVP \r\n", -EBADMSG},
		{HEAD "m=audio  4000 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 4000 RTP/AVP 0  8\r\n", -EBADMSG},
		{HEAD "m=audio 99999999999999999999 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 4000/99999999999 RTP/AVP 0\r\n", -EBADMSG},
		{"v=0\r\no=- 1 1 IN IP4 1.2.3.4\ro=x\r\n", -EBADMSG},
		{HEAD "a=x\r\r\n", -EBADMSG},
		{HEAD "m=audio\t4000 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio -1 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 65536 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 4000/x RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "a=x\x01y\r\n", -EBADMSG},
		{HEAD "a=x\ry\r\n", -EBADMSG},
	};
	struct sdp sdp;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(sdp_parse(text_of(cases[i].text), &sdp), cases[i].error);
	}
	/* NUL, wherever it stands. */
	for (size_t at = 0; at < sizeof(HEAD AUDIO) - 1; at++) {
		char text[] = HEAD AUDIO;

		text[at] = '\0';
		assert_int_equal(
			sdp_parse((struct str_view){text, sizeof(text) - 1}, &sdp), -EBADMSG);
	}
}

#define OUR_HEAD "v=0\r\no=- 77 5 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\n"

static void test_written(void **state)
{
	static const struct {
		const char *in;
		uint16_t port[2];
		const char *out;
	} cases[] = {
		{HEAD AUDIO, {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"},
		{HEAD "b=AS:64\r\nb=X 1:2\r\nb=AS:4294967296\r\nk=prompt\r\na=ice-lite\r\n" AUDIO
		      "i=label\r\nb=TIAS:9000\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 x=1\r\n"
		      "a=rtcp:9 IN IP4 192.0.2.66\r\na=rtcp-mux\r\na=ptime:20\r\n"
		      "a=candidate:1 1 UDP 1 192.0.2.66 40000 typ host\r\n"
		      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=setup:active\r\n"
		      "a=recvonly\r\na=silenceSupp:off - - - -\r\n",
			{30000},
			OUR_HEAD "b=AS:64\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nb=TIAS:9000\r\n"
				 "a=rtpmap:0 PCMU/8000\r\na=fmtp:0 x=1\r\n"
				 "a=silenceSupp:off - - - -\r\na=ptime:20\r\na=recvonly\r\n"},
		{HEAD AUDIO "m=video 5000 RTP/SAVP 99\r\na=rtpmap:99 H264/90000\r\n", {30000, 0},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
				 "m=video 0 RTP/SAVP 99\r\n"},
		/* What is said of formats that are not listed, twice, unreadably, or with a place.
		 */
		{HEAD "m=audio 4000 RTP/AVP 97 8 97\r\na=rtpmap:97 opus/48000/2\r\n"
		      "a=rtpmap:98 AMR/8000\r\na=fmtp:98 octet-align=1\r\na=fmtp:97\r\n"
		      "a=fmtp:97 stereo=1\r\na=rtpmap:8\r\na=rtpmap:8 PC(MA/8000\r\n"
		      "a=rtcp-fb:* nack\r\na=rtcp-fb:98 nack\r\na=rtcp-fb:8 ccm fir\r\n"
		      "a=fmtp:8 at=10.0.0.7\r\na=fmtp:97 [2001:db8::7]:5060\r\n"
		      "a=ptime:0\r\na=maxptime:40.5\r\na=ptime:99999\r\n",
			{30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 97 8\r\n"
				 "a=rtpmap:97 opus/48000/2\r\na=fmtp:97 stereo=1\r\n"
				 "a=rtcp-fb:* nack\r\na=rtcp-fb:8 ccm fir\r\na=maxptime:40\r\n"
				 "a=sendrecv\r\n"},
		/* A clock left out, one that cannot be, and channels without one. */
		{HEAD "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 G726-32\r\n"
		      "a=rtpmap:97 L16/99999999999/2\r\n",
			{30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 96 97\r\na=rtpmap:96 G726-32\r\n"
				 "a=rtpmap:97 L16\r\na=sendrecv\r\n"},
		/* T.38 in every case of letters that is seen; flags without a value. */
		{HEAD "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxMaxDataGram:400\r\n"
		      "a=T38FaxTranscodingMMR\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
		      "a=T38VendorInfo:0 0 0\r\n",
			{30000},
			OUR_HEAD "t=0 0\r\nm=image 30000 udptl t38\r\na=T38FaxVersion:0\r\n"
				 "a=T38FaxMaxDatagram:400\r\na=T38FaxTranscodingMMR\r\n"
				 "a=T38FaxUdpEC:t38UDPRedundancy\r\na=sendrecv\r\n"},
		/* Keys go with a line of their kind alone. */
		{HEAD AUDIO "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=setup:active\r\n"
			    "m=audio 4002 RTP/SAVP 0\r\n"
			    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=setup:active\r\n",
			{30000, 30002},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
				 "m=audio 30002 RTP/SAVP 0\r\n"
				 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=sendrecv\r\n"},
		/* Those of the session are for the lines that have none. */
		{HEAD "a=fingerprint:sha-1 AB\r\na=setup:actpass\r\na=crypto:1 x y\r\n"
		      "m=audio 4000 UDP/TLS/RTP/SAVP 0\r\na=tls-id:x\r\n"
		      "m=audio 4002 UDP/TLS/RTP/SAVPF 0\r\na=setup:active\r\n",
			{30000, 30002},
			OUR_HEAD "t=0 0\r\nm=audio 30000 UDP/TLS/RTP/SAVP 0\r\na=tls-id:x\r\n"
				 "a=fingerprint:sha-1 AB\r\na=setup:actpass\r\na=sendrecv\r\n"
				 "m=audio 30002 UDP/TLS/RTP/SAVPF 0\r\na=setup:active\r\n"
				 "a=fingerprint:sha-1 AB\r\na=sendrecv\r\n"},
		{HEAD "b=CT:128\r\n" AUDIO "b=AS:80\r\nb=AS:64\r\nb=RS:0\r\nb=RR:800\r\n", {30000},
			OUR_HEAD "b=CT:128\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nb=AS:64\r\n"
				 "b=RS:0\r\nb=RR:800\r\na=sendrecv\r\n"},
		{HEAD_NO_C "c=IN IP4 0.0.0.0\r\n" AUDIO, {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendonly\r\n"},
		{HEAD_NO_C "c=IN IP4 0.0.0.0\r\n" AUDIO "a=recvonly\r\n", {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=inactive\r\n"},
		{HEAD AUDIO "a=rtpmap:0 P\xc3\xa4/8000\r\n", {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"},
		{HEAD, {0}, OUR_HEAD "t=0 0\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_rewrite rw = {.session_id = 77, .version = 5};
		char out[2048];
		struct sdp sdp;
		int len;

		print_message("case %zu\n", i);
		assert_int_equal(net_addr_parse(SV("10.0.0.1"), &rw.origin), 0);
		assert_int_equal(sdp_parse(text_of(cases[i].in), &sdp), 0);
		rw.n_media = sdp.n_media;
		for (unsigned int m = 0; m < sdp.n_media; m++)
			rw.line[m] = (struct sdp_rewrite_line){.addr = rw.origin,
				.port = cases[i].port[m],
				.direction = sdp_direction_meant(&sdp.media[m])};
		len = sdp_build(&sdp, &rw, out, sizeof(out));
		assert_int_equal(len, strlen(cases[i].out));
		assert_memory_equal(out, cases[i].out, (size_t)len);
		/* Every shorter buffer is refused, none overrun. */
		for (int cap = 0; cap < len; cap++)
			assert_int_equal(sdp_build(&sdp, &rw, out, (size_t)cap), -EMSGSIZE);
		memset(out, '#', sizeof(out));
		assert_int_equal(sdp_build(&sdp, &rw, out, (size_t)len), len);
		assert_int_equal(out[len], '#');
	}
}

/* Ours in IPv6, and streams of one session at several addresses. */
static void test_written_addresses(void **state)
{
	static const struct {
		const char *origin, *addr[2];
		uint16_t port[2];
		const char *out;
	} cases[] = {
		{"2001:db8::1", {"2001:db8::1", "2001:db8::1"}, {30000, 30002},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=audio 30002 RTP/AVP 0\r\na=sendrecv\r\n"},
		{"2001:db8::1", {"2001:db8::1", "2001:db8::2"}, {30000, 30002},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=audio 30002 RTP/AVP 0\r\nc=IN IP6 2001:db8::2\r\na=sendrecv\r\n"},
		{"10.0.0.1", {"10.0.0.1", "2001:db8::2"}, {0, 30002},
			"v=0\r\no=- 77 5 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP6 2001:db8::2\r\n"
			"t=0 0\r\nm=audio 0 RTP/AVP 0\r\n"
			"m=audio 30002 RTP/AVP 0\r\na=sendrecv\r\n"},
		{"2001:db8::1", {"10.0.0.1", "10.0.0.1"}, {0, 0},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_rewrite rw = {.session_id = 77, .version = 5, .n_media = 2};
		char out[2048];
		struct sdp sdp;

		assert_int_equal(sdp_parse(text_of(HEAD AUDIO AUDIO), &sdp), 0);
		assert_int_equal(net_addr_parse(text_of(cases[i].origin), &rw.origin), 0);
		for (unsigned int m = 0; m < 2; m++) {
			assert_int_equal(
				net_addr_parse(text_of(cases[i].addr[m]), &rw.line[m].addr), 0);
			rw.line[m].port = cases[i].port[m];
		}
		memset(out, 0, sizeof(out));
		assert_true(sdp_build(&sdp, &rw, out, sizeof(out)) > 0);
		assert_string_equal(out, cases[i].out);
	}
}

/* RFC 3264 section 6.1, every offer with every wish of the answerer. */
static void test_directions(void **state)
{
	static const char *const want[SDP_DIRECTION_COUNT][SDP_DIRECTION_COUNT] = {
		/* wanted:        sendrecv,   sendonly,   recvonly,   inactive */
		[SDP_SENDRECV] = {"sendrecv", "sendonly", "recvonly", "inactive"},
		[SDP_SENDONLY] = {"recvonly", "inactive", "recvonly", "inactive"},
		[SDP_RECVONLY] = {"sendonly", "sendonly", "inactive", "inactive"},
		[SDP_INACTIVE] = {"inactive", "inactive", "inactive", "inactive"},
	};

	for (enum sdp_direction o = 0; o < SDP_DIRECTION_COUNT; o++)
		for (enum sdp_direction w = 0; w < SDP_DIRECTION_COUNT; w++)
			assert_string_equal(
				sdp_direction_name(sdp_direction_answer(o, w)), want[o][w]);
}

/* --- the corpus --- */

static const char *shared_dir(void)
{
	const char *dir = getenv("SALLYPORT_SHARED");

	return dir != NULL ? dir : "../shared";
}

static size_t read_file(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, cap, f);
	fclose(f);
	return n;
}

/* What is parsed can be written, and what was written parses again to the same streams. */
static void round_trip(const struct sdp *sdp)
{
	static char out[2 * SDP_LEN_MAX];
	struct sdp_rewrite rw = {.session_id = 1, .version = 1, .n_media = sdp->n_media};
	struct sdp again;
	int len;

	assert_int_equal(net_addr_parse(SV("10.0.0.1"), &rw.origin), 0);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		rw.line[i].addr = rw.origin;
		if (sdp->media[i].kind != SDP_KIND_REFUSED && sdp->media[i].port != 0)
			rw.line[i].port = (uint16_t)(30000 + 2 * i);
	}
	len = sdp_build(sdp, &rw, out, sizeof(out));
	assert_true(len > 0);
	assert_int_equal(sdp_parse((struct str_view){out, (size_t)len}, &again), 0);
	assert_int_equal(again.n_media, sdp->n_media);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		assert_int_equal(again.media[i].port, rw.line[i].port);
		assert_int_equal(again.media[i].n_formats, sdp->media[i].n_formats);
		for (unsigned int k = 0; k < sdp->media[i].n_formats; k++)
			assert_true(sv_eq(again.format[again.media[i].first_format + k].word,
				sdp->format[sdp->media[i].first_format + k].word));
	}
}

/* Text that grows, for what only shows in numbers. */
static char many[4 * SDP_LEN_MAX];
static size_t n_many;

static void many_start(const char *text)
{
	n_many = (size_t)snprintf(many, sizeof(many), "%s", text);
}

static void many_add(unsigned int times, const char *fmt, ...)
{
	for (unsigned int i = 0; i < times; i++) {
		va_list ap;

		va_start(ap, fmt);
		n_many += (size_t)vsnprintf(many + n_many, sizeof(many) - n_many, fmt, ap);
		va_end(ap);
	}
}

static int many_parse(void)
{
	static struct sdp sdp;

	return sdp_parse((struct str_view){many, n_many}, &sdp);
}

/* As much of each thing as there may be, and one more. */
static void test_caps(void **state)
{
	many_start(HEAD);
	many_add(SDP_MEDIA_MAX, "%s", AUDIO);
	assert_int_equal(many_parse(), 0);
	many_add(1, "%s", AUDIO);
	assert_int_equal(many_parse(), -E2BIG);

	many_start(HEAD "m=audio 4000 RTP/AVP");
	many_add(SDP_FORMATS_MAX, " 9");
	assert_int_equal(many_parse(), 0);
	many_add(1, " 9");
	assert_int_equal(many_parse(), -E2BIG);

	many_start(HEAD);
	for (unsigned int i = 0; i < SDP_FORMATS_ALL_MAX; i++)
		many_add(1, i % 64 == 0 ? "\r\nm=audio 4000 RTP/AVP %u" : " %u", i % 64);
	memmove(many + sizeof(HEAD) - 1, many + sizeof(HEAD) + 1, n_many -= 2);
	assert_int_equal(many_parse(), 0);
	many_add(1, "\r\nm=audio 4000 RTP/AVP 0\r\n");
	assert_int_equal(many_parse(), -E2BIG);

	many_start(HEAD AUDIO);
	many_add(SDP_ATTRIBUTES_MAX, "a=fmtp:0 x\r\n");
	assert_int_equal(many_parse(), 0);
	many_add(1, "a=fmtp:0 x\r\n");
	assert_int_equal(many_parse(), -E2BIG);

	many_start(HEAD);
	many_add(SDP_LINES_MAX - 5, "a=x\n");
	assert_int_equal(many_parse(), 0);
	many_add(1, "a=x\n");
	assert_int_equal(many_parse(), -E2BIG);

	many_start(HEAD "a=");
	many_add(SDP_LEN_MAX - (unsigned int)n_many, "x");
	assert_int_equal(many_parse(), 0);
	many_add(1, "x");
	assert_int_equal(many_parse(), -E2BIG);
}

/* Longer than a token or value may be: the whole line is refused, the attribute left out. */
static void test_long_words(void **state)
{
	static struct sdp sdp;
	unsigned int value_len;

	for (unsigned int len = SDP_TOKEN_MAX; len <= SDP_TOKEN_MAX + 1; len++) {
		many_start(HEAD "m=");
		many_add(len, "x");
		many_add(1, " 4000 RTP/AVP 0\r\n");
		assert_int_equal(many_parse(), len == SDP_TOKEN_MAX ? 0 : -EBADMSG);
		many_start(HEAD AUDIO "a=rtpmap:0 ");
		many_add(len, "x");
		many_add(1, "/8000\r\n");
		assert_int_equal(sdp_parse((struct str_view){many, n_many}, &sdp), 0);
		assert_int_equal(sdp.format[0].name.len, len == SDP_TOKEN_MAX ? len : 0);
	}
	for (value_len = SDP_VALUE_MAX; value_len <= SDP_VALUE_MAX + 1; value_len++) {
		many_start(HEAD AUDIO "a=framerate:");
		many_add(value_len, "1");
		assert_int_equal(sdp_parse((struct str_view){many, n_many}, &sdp), 0);
		assert_int_equal(sdp.n_attributes, value_len == SDP_VALUE_MAX);
	}
}

#define EVERYTHING \
	HEAD "b=AS:64\r\na=setup:active\r\n" AUDIO \
	     "c=IN IP6 2001:db8::1\r\na=rtpmap:0 PCMU/8000/1\r\na=fmtp:0 x\r\na=ptime:20\r\n" \
	     "a=rtcp:4001 IN IP6 2001:db8::2\r\na=rtcp-mux\r\na=sendonly\r\n" \
	     "m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n"

/* Cut at every byte, in front of a page that nobody may read. */
static void test_cut_anywhere(void **state)
{
	static const char text[] = EVERYTHING;
	struct guard g = guard_new(sizeof(text));
	static struct sdp sdp;

	for (size_t len = 0; len < sizeof(text); len++) {
		const char *p = guard_put(&g, text, len);
		int rc = sdp_parse((struct str_view){p, len}, &sdp);

		assert_true(rc == 0 || rc == -EBADMSG);
		if (rc == 0)
			round_trip(&sdp);
	}
	/* Too long is known without a look at it. */
	assert_int_equal(
		sdp_parse((struct str_view){guard_put(&g, "v", 1), SDP_LEN_MAX + 1}, &sdp), -E2BIG);
	assert_int_equal(
		sdp_parse((struct str_view){guard_put(&g, "v", 1), SIZE_MAX}, &sdp), -E2BIG);
	guard_free(&g);
}

static void assert_same(const struct sdp *a, const struct sdp *b)
{
	static char one[2 * SDP_LEN_MAX], two[sizeof(one)];
	struct sdp_rewrite rw = {.session_id = 1, .version = 1, .n_media = a->n_media};
	int len;

	assert_int_equal(a->n_media, b->n_media);
	assert_int_equal(a->n_formats, b->n_formats);
	for (unsigned int i = 0; i < a->n_media; i++) {
		const struct sdp_media *m = &a->media[i], *n = &b->media[i];

		assert_int_equal(m->kind, n->kind);
		assert_int_equal(m->security, n->security);
		assert_int_equal(m->direction, n->direction);
		assert_int_equal(m->port, n->port);
		assert_int_equal(m->rtcp_port, n->rtcp_port);
		assert_int_equal(m->rtcp_mux, n->rtcp_mux);
		assert_int_equal(m->ptime_ms, n->ptime_ms);
		assert_int_equal(m->maxptime_ms, n->maxptime_ms);
		assert_memory_equal(&m->addr, &n->addr, sizeof(m->addr));
		rw.line[i].addr.family = NET_FAMILY_V4;
		rw.line[i].port = (uint16_t)(30000 + 2 * i);
	}
	/* Types, names, clocks and what is passed on as it is. */
	rw.origin.family = NET_FAMILY_V4;
	len = sdp_build(a, &rw, one, sizeof(one));
	assert_true(len > 0);
	assert_int_equal(sdp_build(b, &rw, two, sizeof(two)), len);
	assert_memory_equal(one, two, (size_t)len);
}

/* In front of a page that nobody may read all goes by steps, with room behind it by registers: both
 * find the same. */
static void ways_agree(const struct guard *g, const char *text, size_t len)
{
	static char room[1024];
	static struct sdp by_steps, wide;
	int rc = sdp_parse((struct str_view){guard_put(g, text, len), len}, &by_steps);

	memset(room, '7', sizeof(room));
	memcpy(room, text, len);
	assert_int_equal(sdp_parse((struct str_view){room, len}, &wide), rc);
	if (rc == 0)
		assert_same(&by_steps, &wide);
}

static void test_ways_agree(void **state)
{
	static const char changes[] = {'0', '1', '9', ' ', '/', ':', '*', 'a', 'P', '.', '-', '=',
		'\t', '\r', '\n', (char)0x80};
	char text[] = EVERYTHING
		"m=audio 4004 RTP/AVP 101 8 18\r\na=rtpmap:101 telephone-event/8000\r\n"
		"a=RTPMAP: 8 PCMA/8000/2\r\na=fmtp:18 annexb=no\r\na=rtcp-fb:* nack\r\n"
		"a=maxptime:40.5\r\na=silenceSupp:off - - - -\r\na=inactive\r\n"
		"a=x-an-attribute-with-a-name-of-more-than-32:1\r\na=:0\r\na=rtpmap\r\n"
		"a=rtpmap:18 G729/0000008000\r\na=rtpmap:101 a-name-of-more-than-thirty-two/8000";
	struct guard g = guard_new(sizeof(text));

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++)
		ways_agree(&g, text, len);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char was = text[i];

		for (size_t k = 0; k < ARRAY_LEN(changes); k++) {
			text[i] = changes[k];
			ways_agree(&g, text, sizeof(text) - 1);
		}
		text[i] = was;
	}
	guard_free(&g);
}

/* nftw() has no context. */
static struct {
	const char *suffix;
	void (*fn)(char *text, size_t len);
	unsigned int n;
} walk;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char buf[256 * 1024];
	size_t len = strlen(path), suffix = strlen(walk.suffix);

	if (type != FTW_F || len < suffix || strcmp(path + len - suffix, walk.suffix) != 0)
		return 0;
	print_message("%s\n", path);
	walk.fn(buf, read_file(path, buf, sizeof(buf)));
	walk.n++;
	return 0;
}

static unsigned int for_each(
	const char *sub, const char *suffix, void (*fn)(char *text, size_t len))
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/corpus/%s", shared_dir(), sub);
	walk.suffix = suffix;
	walk.fn = fn;
	walk.n = 0;
	assert_int_equal(nftw(dir, visit, 8, FTW_PHYS), 0);
	return walk.n;
}

static void own_sdp(char *text, size_t len)
{
	struct sdp sdp;

	assert_int_equal(sdp_parse((struct str_view){text, len}, &sdp), 0);
	round_trip(&sdp);
}

/* An exact copy on the heap, so that a sanitizer sees one byte read too far. */
static void any_sdp(char *text, size_t len)
{
	char *body = memmem(text, len, "\r\n\r\n", 4);
	size_t n = body != NULL ? len - (size_t)(body + 4 - text) : len;
	char *copy = malloc(n + 1);
	struct sdp sdp;

	assert_non_null(copy);
	memcpy(copy, text + (len - n), n);
	if (sdp_parse((struct str_view){copy, n}, &sdp) == 0)
		round_trip(&sdp);
	free(copy);
}

static void test_corpus(void **state)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/corpus/messages", shared_dir());
	if (access(dir, R_OK) != 0) {
		printf("skipped: no corpus at %s: put it there or set SALLYPORT_SHARED\n", dir);
		skip();
	}
	assert_true(for_each("messages/own/sdp", ".sdp", own_sdp) > 30);
	assert_true(for_each("messages/fetched/sdp", "", any_sdp) > 50);
	assert_true(for_each("attacks/sdp", ".sip", any_sdp) > 50);
}

/* RFC 8866 section 9 byte-string, but for what HT and line ends are: judged character by character.
 */
static bool is_sane(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return false;
		if (c == '\r' && i + 1 < len && p[i + 1] != '\n')
			return false;
	}
	return true;
}

/* A character of any kind at any place, across words of 64, in a line that says nothing and at the
 * very end of the text, in front of a page that must not be read. */
static void test_characters(void **state)
{
	static const char changes[] = {
		0, 1, '\t', '\n', '\v', '\r', 0x1f, ' ', '~', 0x7f, (char)0x80, (char)0xff};
	const size_t head = strlen(HEAD AUDIO);
	char text[320];
	struct guard g = guard_new(sizeof(text));

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, HEAD AUDIO "i=", head + 2);
	for (size_t len = head + 4; len <= sizeof(text); len++)
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			struct sdp sdp;
			struct str_view v = {NULL, len};
			char kept = text[len - 2];

			/* A line that begins behind it would have no type. */
			if (changes[i] == '\n')
				continue;
			text[len - 2] = changes[i];
			v.p = guard_put(&g, text, len);
			assert_int_equal(sdp_parse(v, &sdp) == 0, is_sane(text, len));
			text[len - 2] = kept;
			text[len - 1] = changes[i];
			v.p = guard_put(&g, text, len);
			assert_int_equal(sdp_parse(v, &sdp) == 0, is_sane(text, len));
			text[len - 1] = 'x';
		}
	guard_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_written_addresses),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_ways_agree),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
