/* What descriptions say of codecs, and how much may be sent by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media_rate.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.66\r\ns=-\r\nc=IN IP4 192.0.2.66\r\n"
#define AUDIO(formats) "t=0 0\r\nm=audio 4000 RTP/AVP " formats "\r\n"

static struct sdp_codecs read_text(const char *text)
{
	struct sdp_codecs c;
	struct sdp sdp;

	assert_int_equal(sdp_parse((struct str_view){text, strlen(text)}, &sdp), 0);
	assert_int_equal(sdp.n_media, 1);
	sdp_codecs_read(&sdp, &sdp.media[0], &c);
	return c;
}

static void test_codecs(void **state)
{
	static const struct {
		const char *text, *codec;
		uint32_t clock_hz, bit_rate, ptime_ms, bandwidth;
		bool events;
	} cases[] = {
		{HEAD AUDIO("0"), "PCMU", 8000, 64000, 0, 0, false},
		{HEAD AUDIO("9 8"), "G722", 8000, 64000, 0, 0, false},
		{HEAD AUDIO("18") "a=ptime:30\r\n", "G729", 8000, 8000, 30, 0, false},
		{HEAD AUDIO("10"), "L16", 44100, 1411200, 0, 0, false},
		{HEAD AUDIO("18 0"), "G729", 8000, 64000, 0, 0, false},
		{HEAD AUDIO("101 8") "a=rtpmap:101 Telephone-Event/8000\r\n", "PCMA", 8000, 64000,
			0, 0, true},
		{HEAD AUDIO("13 3"), "GSM", 8000, 13200, 0, 0, false},
		{HEAD AUDIO("96") "a=rtpmap:96 OPUS/48000/2\r\n", "OPUS", 48000, 510000, 0, 0,
			false},
		{HEAD AUDIO("96") "a=rtpmap:96 opus/48000/2\r\n"
				  "a=fmtp:96 useinbandfec=1; maxaveragebitrate=20000\r\n",
			"opus", 48000, 510000, 0, 0, false},
		{HEAD AUDIO("97") "a=rtpmap:97 L16/16000/2\r\n", "L16", 16000, 512000, 0, 0, false},
		/* A static number may be given another name. */
		{HEAD AUDIO("0") "a=rtpmap:0 G729/8000\r\n", "G729", 8000, 8000, 0, 0, false},
		/* One unknown among known ones: how fast is not known. */
		{HEAD AUDIO("0 99") "a=rtpmap:99 foo/8000\r\n", "PCMU", 8000, 0, 0, 0, false},
		{HEAD AUDIO("99 0") "a=rtpmap:99 foo/32000\r\n", "foo", 32000, 0, 0, 0, false},
		{HEAD AUDIO("99"), "", 0, 0, 0, 0, false},
		{HEAD AUDIO("99") "a=rtpmap:99 f\xc3\xb6/99999999999\r\n", "", 0, 0, 0, 0, false},
		{HEAD AUDIO("0") "a=rtpmap:0\r\na=rtpmap:x PCMA/1\r\na=rtpmap:300 L16/1\r\n",
			"PCMU", 8000, 64000, 0, 0, false},
		{HEAD AUDIO("0") "a=ptime:20.5\r\na=maxptime:40\r\n", "PCMU", 8000, 64000, 20, 0,
			false},
		{HEAD AUDIO("0") "a=ptime:60\r\na=maxptime:40\r\n", "PCMU", 8000, 64000, 40, 0,
			false},
		{HEAD AUDIO("0") "a=ptime:0\r\n", "PCMU", 8000, 64000, 0, 0, false},
		{HEAD "b=AS:100\r\n" AUDIO("0"), "PCMU", 8000, 64000, 0, 100000, false},
		{HEAD "b=AS:100\r\n" AUDIO("0") "b=TIAS:70000\r\nb=AS:90\r\n", "PCMU", 8000, 64000,
			0, 70000, false},
		{HEAD AUDIO("0") "b=AS:99999999999\r\nb=X:1\r\nb=\r\nb=AS\r\n", "PCMU", 8000, 64000,
			0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_codecs c = read_text(cases[i].text);

		print_message("case %zu\n", i);
		assert_string_equal(c.codec, cases[i].codec);
		assert_int_equal(c.clock_hz, cases[i].clock_hz);
		assert_int_equal(c.bit_rate, cases[i].bit_rate);
		assert_int_equal(c.ptime_ms, cases[i].ptime_ms);
		assert_int_equal(c.bandwidth, cases[i].bandwidth);
		assert_int_equal(c.events, cases[i].events);
	}
}

/* Honest senders of these pass; ten times as much does not pass by more than a tenth. */
static void test_rates_of_known_codecs(void **state)
{
	static const struct {
		const char *answer, *offer;
		uint32_t pps, payload; /* of the sender with the shortest packets */
		bool tight;	       /* its packet time was said */
	} cases[] = {
		{HEAD AUDIO("0") "a=ptime:20\r\n", HEAD AUDIO("0"), 50, 160, true},
		{HEAD AUDIO("0"), HEAD AUDIO("0 8") "a=ptime:20\r\n", 50, 160, true},
		{HEAD AUDIO("8") "a=ptime:30\r\n", HEAD AUDIO("8") "a=ptime:20\r\n", 50, 160, true},
		{HEAD AUDIO("8"), HEAD AUDIO("8"), 100, 80, false},
		{HEAD AUDIO("18") "a=ptime:20\r\n", HEAD AUDIO("18"), 50, 20, true},
		{HEAD AUDIO("4"), HEAD AUDIO("4"), 33, 24, false},
		{HEAD AUDIO("3"), HEAD AUDIO("3"), 50, 33, false},
		{HEAD AUDIO("8 101") "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n",
			HEAD AUDIO("8"), 50, 160, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_codecs a = read_text(cases[i].answer), o = read_text(cases[i].offer);
		struct media_rates r = media_rate_rtp(&a, &o, &o, false);
		uint32_t bytes = cases[i].pps * (cases[i].payload + 12);

		print_message("case %zu\n", i);
		assert_true(r.packets.rate > cases[i].pps && r.bytes.rate > bytes);
		assert_true(r.packets.burst >= 10 && r.bytes.burst >= bytes / 5);
		if (cases[i].tight) /* over 10 s, by the bytes */
			assert_true(10 * r.bytes.rate + r.bytes.burst < 11 * bytes);
		assert_true(r.packets.rate <= 2 * cases[i].pps + 10);
	}
}

static void test_rates_of_unknown_codecs(void **state)
{
	static const char video[] =
		HEAD "t=0 0\r\nm=video 4000 RTP/AVP 99\r\na=rtpmap:99 VP8/90000\r\n";
	static const char with_b[] =
		HEAD "t=0 0\r\nm=video 4000 RTP/AVP 99\r\nb=AS:4000\r\na=rtpmap:99 VP8/90000\r\n";
	static const char tiny_b[] =
		HEAD "t=0 0\r\nm=video 4000 RTP/AVP 99\r\nb=TIAS:1\r\na=rtpmap:99 VP8/90000\r\n";
	struct sdp_codecs plain = read_text(video), wide = read_text(with_b),
			  tiny = read_text(tiny_b);
	struct media_rates r = media_rate_rtp(&plain, &plain, &plain, false);

	assert_int_equal(plain.clock_hz, 90000);
	assert_in_range(r.bytes.rate, 250000, 300000);
	assert_in_range(r.packets.rate, 250000 / 100, 3000);
	r = media_rate_rtp(&plain, &wide, &wide, false);
	assert_in_range(r.bytes.rate, 500000, 600000);
	r = media_rate_rtp(&wide, &plain, &plain, false);
	assert_in_range(r.bytes.rate, 250000, 300000);
	r = media_rate_rtp(&tiny, &tiny, &tiny, false);
	assert_in_range(r.bytes.rate, 8000, 10000);
	assert_true(r.packets.rate > 0);
}

static void test_rates_of_the_rest(void **state)
{
	struct sdp_codecs pcmu = read_text(HEAD AUDIO("0") "a=ptime:20\r\n");
	struct sdp_codecs t38 = read_text(HEAD "t=0 0\r\nm=image 4000 udptl t38\r\n");
	struct sdp_codecs small =
		read_text(HEAD "t=0 0\r\nm=image 4000 udptl t38\r\na=T38FaxMaxDatagram:400\r\n");
	struct media_rates rtp = media_rate_rtp(&pcmu, &pcmu, &pcmu, false);
	struct media_rates mux = media_rate_rtp(&pcmu, &pcmu, &pcmu, true), r;

	assert_true(mux.bytes.rate > rtp.bytes.rate && mux.packets.rate > rtp.packets.rate);
	assert_true(10 * mux.bytes.rate + mux.bytes.burst < 11 * 8600);
	r = media_rate_rtcp(&rtp, SDP_SECURITY_NONE);
	assert_true(r.packets.rate >= 25 && r.bytes.rate >= 2000 && r.bytes.burst >= 2000);
	rtp.bytes.rate = 1000000;
	rtp.packets.rate = 10000;
	r = media_rate_rtcp(&rtp, SDP_SECURITY_NONE);
	assert_int_equal(r.bytes.rate, 50000);
	assert_int_equal(r.packets.rate, 500);
	assert_int_equal(media_rate_udptl(&t38).bytes.rate, 150000);
	assert_int_equal(media_rate_udptl(&small).bytes.rate, 40000);
	assert_int_equal(media_rate_udptl(&small).packets.rate, 100);
}

/* What a description asks for binds who sends to its writer, as far as anybody. */
static void test_rates_of_wishes(void **state)
{
	static const char opus[] = HEAD AUDIO("96") "a=rtpmap:96 opus/48000/2\r\na=ptime:20\r\n";
	static const char slow[] = HEAD AUDIO("96") "a=rtpmap:96 opus/48000/2\r\na=ptime:20\r\n"
						    "a=fmtp:96 maxaveragebitrate=20000\r\n";
	struct sdp_codecs a = read_text(slow), o = read_text(opus);
	struct media_rates r = media_rate_rtp(&a, &o, &a, false);

	assert_in_range(r.bytes.rate, 5600, 6000);
	r = media_rate_rtp(&a, &o, &o, false); /* 64 kbit/s come back */
	assert_true(r.bytes.rate > 8600);
	/* Packets of 20 ms, though longer ones were asked for. */
	a = read_text(HEAD AUDIO("0") "a=ptime:60\r\n");
	o = read_text(HEAD AUDIO("0"));
	r = media_rate_rtp(&a, &o, &a, false);
	assert_true(r.packets.rate >= 50 && r.bytes.rate >= 50 * 172);
	a = read_text(HEAD AUDIO("4") "a=ptime:60\r\n");
	assert_in_range(media_rate_rtp(&a, &a, &a, false).packets.rate, 34, 40);
	/* A digit of two seconds beside speech: 50 packets a second of 16 bytes. */
	a = read_text(HEAD AUDIO("18 101") "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n");
	r = media_rate_rtp(&a, &a, &a, false);
	assert_true(2 * r.bytes.rate + r.bytes.burst >= 2 * 50 * (32 + 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codecs),
		cmocka_unit_test(test_rates_of_known_codecs),
		cmocka_unit_test(test_rates_of_unknown_codecs),
		cmocka_unit_test(test_rates_of_the_rest),
		cmocka_unit_test(test_rates_of_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
