/* Codec policy: lists and a description in, the description expected out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "sdp_codecs.h"
#include "sdp_policy.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n"
#define EVENTS(pt, clock) "a=rtpmap:" pt " telephone-event/" clock "\r\na=fmtp:" pt " 0-15\r\n"
#define OPUS "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"

/* Comma separated, with a clock behind a slash where it counts. */
static struct config_codecs list_of(const char *text)
{
	struct config_codecs list = {0};

	while (text != NULL && *text != '\0') {
		struct config_codec *c = &list.codec[list.n++];
		size_t len = strcspn(text, "/,");

		snprintf(c->name, sizeof(c->name), "%.*s", (int)len, text);
		text += len;
		if (*text == '/')
			c->clock_hz = (uint32_t)strtoul(text + 1, (char **)&text, 10);
		text += *text == ',';
	}
	return list;
}

static struct config_policy policy_of(const char *allow, const char *deny, const char *order)
{
	return (struct config_policy){
		.allow = list_of(allow), .deny = list_of(deny), .order = list_of(order)};
}

/* The m= line's media part as it is written, without head and direction. */
static void write_media(const struct sdp *sdp, char *out, size_t cap)
{
	static char text[3 * SDP_LEN_MAX];
	struct sdp_rewrite rw = {.n_media = sdp->n_media};
	const char *from, *to;
	int len;

	for (unsigned int i = 0; i < sdp->n_media; i++)
		rw.line[i].port = sdp->media[i].kind == SDP_KIND_REFUSED ? 0 : 4000;
	len = sdp_build(sdp, &rw, text, sizeof(text) - 1);
	assert_true(len > 0);
	text[len] = '\0';
	from = strstr(text, "m=");
	to = sdp->media[0].kind == SDP_KIND_REFUSED ? text + len : strstr(from, "a=sendrecv");
	snprintf(out, cap, "%.*s", (int)(to - from), from);
}

static void test_policies(void **state)
{
	static const struct {
		const char *allow, *deny, *order, *in, *out;
	} cases[] = {
		/* order: listed ones first, the others as they were, events last */
		{NULL, NULL, "PCMA,PCMU",
			"m=audio 4000 RTP/AVP 101 18 0 8 9\r\n" EVENTS("101", "8000"),
			"m=audio 4000 RTP/AVP 8 0 18 9 101\r\n" EVENTS("101", "8000")},
		{NULL, NULL, "telephone-event,pcma",
			"m=audio 4000 RTP/AVP 0 101 8\r\n" EVENTS("101", "8000"),
			"m=audio 4000 RTP/AVP 101 8 0\r\n" EVENTS("101", "8000")},
		{NULL, NULL, "L16/16000,L16",
			"m=audio 4000 RTP/AVP 11 96 97\r\na=rtpmap:96 L16/8000\r\na=rtpmap:97 "
			"L16/16000\r\n",
			"m=audio 4000 RTP/AVP 97 11 96\r\na=rtpmap:97 L16/16000\r\na=rtpmap:96 "
			"L16/8000\r\n"},
		/* allow and deny; a=fmtp and a=rtcp-fb of what is gone go too */
		{"PCMA,opus", NULL, NULL,
			"m=audio 4000 RTP/AVP 111 0 8 96\r\n" OPUS
			"a=rtpmap:96 AMR/8000\r\na=fmtp:96 octet-align=1\r\na=rtcp-fb:96 nack\r\n"
			"a=rtcp-fb:* nack\r\na=ptime:20\r\n",
			"m=audio 4000 RTP/AVP 111 8\r\n" OPUS "a=rtcp-fb:* nack\r\na=ptime:20\r\n"},
		{NULL, "G729,pcmu", NULL, "m=audio 4000 RTP/AVP 18 0 8\r\na=fmtp:18 annexb=no\r\n",
			"m=audio 4000 RTP/AVP 8\r\n"},
		{"PCMA,PCMU", "PCMU", NULL, "m=audio 4000 RTP/AVP 0 8\r\n",
			"m=audio 4000 RTP/AVP 8\r\n"},
		/* a number is not a name: this 0 is not PCMU */
		{"PCMU", NULL, NULL,
			"m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:0 GSM/8000\r\na=rtpmap:96 "
			"PCMU/8000\r\n",
			"m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\n"},
		/* a static number without a name, one of video, one that nobody knows */
		{"G722", NULL, NULL, "m=audio 4000 RTP/AVP 9 120\r\n",
			"m=audio 4000 RTP/AVP 9\r\n"},
		{"H263", NULL, NULL, "m=video 4000 RTP/AVP 31 34\r\n",
			"m=video 4000 RTP/AVP 34\r\n"},
		/* a clock left out is the codec's own */
		{"G729/8000", NULL, NULL, "m=audio 4000 RTP/AVP 96 0\r\na=rtpmap:96 G729\r\n",
			"m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 G729\r\n"},
		/* events and noise go with the clock rates that remain */
		{"PCMA", NULL, NULL,
			"m=audio 4000 RTP/AVP 111 8 110 101 13 98\r\n" OPUS EVENTS("110", "48000")
				EVENTS("101", "8000") "a=rtpmap:98 CN/16000\r\n",
			"m=audio 4000 RTP/AVP 8 101 13\r\n" EVENTS("101", "8000")},
		{"opus", NULL, NULL,
			"m=audio 4000 RTP/AVP 111 8 101 110\r\n" OPUS
			"a=rtpmap:101 telephone-event/8000\r\na=rtpmap:110 "
			"telephone-event/48000\r\n",
			"m=audio 4000 RTP/AVP 111 110\r\na=rtpmap:111 opus/48000/2\r\n"
			"a=rtpmap:110 telephone-event/48000\r\na=fmtp:111 useinbandfec=1\r\n"},
		{NULL, "telephone-event,CN", NULL,
			"m=audio 4000 RTP/AVP 8 13 101\r\n" EVENTS("101", "8000"),
			"m=audio 4000 RTP/AVP 8\r\n"},
		/* redundancy and retransmission go with what they repeat (RFC 2198, RFC 4588) */
		{"opus", NULL, NULL,
			"m=audio 4000 RTP/AVP 111 63 64 0\r\na=rtpmap:111 opus/48000/2\r\n"
			"a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:64 red/8000\r\n"
			"a=fmtp:64 0/0\r\n",
			"m=audio 4000 RTP/AVP 111 63\r\na=rtpmap:111 opus/48000/2\r\n"
			"a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"},
		{"VP8", NULL, NULL,
			"m=video 4000 RTP/AVPF 96 97 98 99 100 101 102\r\na=rtpmap:96 VP8/90000\r\n"
			"a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\n"
			"a=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98;rtx-time=200\r\n"
			"a=rtpmap:100 red/90000\r\na=fmtp:100 96/96\r\na=rtpmap:101 rtx/90000\r\n"
			"a=fmtp:101 apt=100\r\na=rtpmap:102 ulpfec/90000\r\n",
			"m=video 4000 RTP/AVPF 96 97 100 101 102\r\na=rtpmap:96 VP8/90000\r\n"
			"a=rtpmap:97 rtx/90000\r\na=rtpmap:100 red/90000\r\na=rtpmap:101 "
			"rtx/90000\r\n"
			"a=rtpmap:102 ulpfec/90000\r\na=fmtp:97 apt=96\r\na=fmtp:100 96/96\r\n"
			"a=fmtp:101 apt=100\r\n"},
		/* nothing remains: refused, formats as they were; events alone are nothing */
		{"opus", NULL, NULL, "m=audio 4000 RTP/AVP 0 101\r\n" EVENTS("101", "8000"),
			"m=audio 0 RTP/AVP 0 101\r\n"},
		/* not RTP: not a codec */
		{"opus", "t38", "t38", "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n",
			"m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n"},
		/* no list, no change */
		{NULL, NULL, NULL, "m=audio 4000 RTP/AVP 101 0\r\n" EVENTS("101", "8000"),
			"m=audio 4000 RTP/AVP 101 0\r\n" EVENTS("101", "8000")},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config_policy p =
			policy_of(cases[i].allow, cases[i].deny, cases[i].order);
		char in[2048], out[2048];
		static struct sdp sdp;

		print_message("case %zu\n", i);
		snprintf(in, sizeof(in), HEAD "%s", cases[i].in);
		assert_int_equal(sdp_parse((struct str_view){in, strlen(in)}, &sdp), 0);
		sdp_policy_filter(&sdp, &p);
		sdp_policy_order(&sdp, &p);
		write_media(&sdp, out, sizeof(out));
		assert_string_equal(out, cases[i].out);
		/* Again changes nothing, and no policy neither. */
		sdp_policy_filter(&sdp, &p);
		sdp_policy_order(&sdp, &p);
		sdp_policy_filter(&sdp, NULL);
		sdp_policy_order(&sdp, NULL);
		write_media(&sdp, out, sizeof(out));
		assert_string_equal(out, cases[i].out);
	}
}

/* --- what the worst descriptions cost (threats.md row 17) --- */

static char text[SDP_LEN_MAX + 1];
static size_t text_len;

static void fill(const char *start, const char *each, unsigned int times, const char *end)
{
	text_len = (size_t)snprintf(text, sizeof(text), HEAD "%s", start);
	for (unsigned int i = 0; i < times; i++) {
		if (text_len + strlen(each) + strlen(end) > SDP_LEN_MAX)
			break;
		text_len += (size_t)snprintf(text + text_len, sizeof(text) - text_len, "%s", each);
	}
	text_len += (size_t)snprintf(text + text_len, sizeof(text) - text_len, "%s", end);
}

/* All that is done with a description, in microseconds of this thread's own time. */
static double once(const struct config_policy *p)
{
	static char out[3 * SDP_LEN_MAX];
	static struct sdp sdp;
	struct sdp_rewrite rw = {0};
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	if (sdp_parse((struct str_view){text, text_len}, &sdp) == 0) {
		for (unsigned int i = 0; i < 2; i++)
			sdp_policy_filter(&sdp, p);
		sdp_policy_order(&sdp, p);
		rw.n_media = sdp.n_media;
		for (unsigned int i = 0; i < sdp.n_media; i++) {
			struct sdp_codecs codecs;

			sdp_codecs_read(&sdp, &sdp.media[i], &codecs);
			rw.line[i].port = 4000;
		}
		for (unsigned int i = 0; i < 2; i++)
			assert_true(sdp_build(&sdp, &rw, out, sizeof(out)) > 0);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
}

#define ALL_TYPES \
	"m=audio 4000 RTP/AVP 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 " \
	"86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 " \
	"111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127\r\n"

/* What is allowed; a sanitizer makes the same work several times longer. */
#ifdef __SANITIZE_ADDRESS__
#define COST_MAX_US 5000
#else
#define COST_MAX_US 1000
#endif

/* The best of many runs is what the work takes: a machine that does other things adds to single
 * ones only. It stands at a fifth of what is allowed. */
static void test_cost(void **state)
{
	static char named[4096];
	const struct {
		const char *start, *each, *end;
	} worst[] = {
		{"", "a=x\n", ""},
		{"", "m=a 4000 RTP/AVP 0\n", ""},
		{ALL_TYPES, "a=rtpmap:127 a/1\n", ""},
		{ALL_TYPES, "a=rtpmap:127 red/8000\n", ""},
		{ALL_TYPES "a=rtpmap:127 red/8000\r\n", "a=fmtp:127 64/64/64/64/64/64\n", ""},
		{ALL_TYPES "a=rtpmap:127 red/8000\r\na=fmtp:127 64", "/64", "\r\n"},
		{ALL_TYPES, "a=fmtp:127 maxaveragebitrate=1;;;;;;;;\n", ""},
		{"", ALL_TYPES, ""},
		{"a=x", ";", ""},
		{"m=audio 4000 RTP/AVP 0", " 0", "\r\n"},
		{ALL_TYPES, "a=T38FaxUdpEC:x\n", ""},
		{"", "c=IN IP6 2001:db8:1:2:3:4:5:6\n", ""},
		{"", named, ""},
	};
	struct config_policy p = {0};
	size_t n = (size_t)snprintf(named, sizeof(named), "%s", ALL_TYPES);

	/* Four of these are all the formats that there may be. */
	for (unsigned int pt = 64; pt < 128; pt++)
		n += (size_t)snprintf(
			named + n, sizeof(named) - n, "a=rtpmap:%u telephone-evenT/8000\n", pt);

	/* As long as a policy can be, and of most names the last letter decides. */
	for (unsigned int i = 0; i < CONFIG_CODECS_MAX; i++) {
		const struct config_codec c = {"telephone-evenX", 0};

		p.allow.codec[p.allow.n++] = p.deny.codec[p.deny.n++] = c;
		p.order.codec[p.order.n++] = c;
	}
	p.allow.codec[CONFIG_CODECS_MAX - 1] = (struct config_codec){"a", 0};
	for (size_t i = 0; i < ARRAY_LEN(worst); i++) {
		double best = 1e9;

		fill(worst[i].start, worst[i].each, worst[i].each == named ? 4 : SDP_LEN_MAX,
			worst[i].end);
		for (unsigned int k = 0; k < 50; k++) {
			double us = once(&p);

			best = us < best ? us : best;
		}
		print_message("shape %zu: %zu bytes, %.0f us\n", i, text_len, best);
		assert_true(best < COST_MAX_US);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
